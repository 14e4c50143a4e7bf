/* SPDX-License-Identifier: MIT
 *
 * See pool.h. A piece says of which run it is.
 */
#include "daemon/core/pool.h"

#include <stdint.h>

#ifdef __SANITIZE_ADDRESS__
#define PIECES 1 /* it wants to see what is used after it was freed */
#define KEPT   0
#else
#define PIECES 64 /* of a run */
#define KEPT   64 /* that are free, before a run is freed */
#endif

struct piece {
	struct run *run;
	union {
		struct list free;
		unsigned char bytes[1]; /* the caller's */
	};
};

struct run {
	size_t taken;
	unsigned char pieces[];
};

void
pool_init(struct pool *p, struct mem *mem, size_t size)
{
	*p = (struct pool){.mem = mem, .size = size};
	list_init(&p->free);
}

static size_t
piece_size(const struct pool *p)
{
	return offsetof(struct piece, bytes) + ((p->size + 7) & ~(size_t)7);
}

static struct piece *
piece_of(const struct pool *p, struct run *run, size_t i)
{
	return (struct piece *)(void *)(run->pieces + i * piece_size(p));
}

static __attribute__((noinline)) bool
new_run(struct pool *p)
{
	struct run *run = malloc(sizeof(*run) + PIECES * piece_size(p));

	if (!run)
		return false;
	run->taken = 0;
	for (size_t i = 0; i < PIECES; i++) {
		struct piece *piece = piece_of(p, run, i);

		piece->run = run;
		list_append(&p->free, &piece->free);
	}
	p->n_free += PIECES;
	return true;
}

static __attribute__((noinline)) void
free_run(struct pool *p, struct run *run)
{
	for (size_t i = 0; i < PIECES; i++)
		list_remove(&piece_of(p, run, i)->free);
	p->n_free -= PIECES;
	free(run);
}

void
pool_done(struct pool *p)
{
	while (!list_empty(&p->free))
		free_run(p, list_entry(p->free.next, struct piece, free)->run);
}

void *
pool_take(struct pool *p)
{
	struct piece *piece;

	if (list_empty(&p->free) && !new_run(p))
		return NULL;
	piece = list_entry(p->free.next, struct piece, free);
	list_remove(&piece->free);
	p->n_free--;
	piece->run->taken++;
	p->mem->used += mem_cost(p->size);
	return piece->bytes;
}

void
pool_give(struct pool *p, void *bytes)
{
	struct piece *piece = list_entry(bytes, struct piece, bytes);

	p->mem->used -= mem_cost(p->size);
	/* In front: it was in use not long ago. */
	list_append(p->free.next, &piece->free);
	p->n_free++;
	if (--piece->run->taken == 0 && p->n_free > KEPT)
		free_run(p, piece->run);
}
