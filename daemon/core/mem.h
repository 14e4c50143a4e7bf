/* SPDX-License-Identifier: MIT
 *
 * Allocation that is counted, for the memory limit. What an allocator adds is estimated
 * as in glibc: 8 bytes, then rounded up to 16. The caller says the size again when it
 * frees, so nothing is stored for it.
 */
#ifndef QBROKER_CORE_MEM_H
#define QBROKER_CORE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define MEM_STEP 4096

/* Items come and go by the hundred, in few sizes. malloc() has seven freed blocks of a size at hand; for
 * others it merges and splits what is free, which is a sixth of all that the broker
 * does for a small item, and more where that is in no cache. So some are kept here: more of them where there is much, for
 * then many come and go at once. */
#define MEM_SPARE_SIZE 1024 /* larger ones are not kept */
#ifdef __SANITIZE_ADDRESS__
#define MEM_SPARE_BYTES 0 /* it wants to see what is used after it was freed */
#else
#define MEM_SPARE_BYTES ((size_t)512 << 10) /* of all that are kept, */
#endif
#define MEM_SPARE_PART	64 /* and of so many that are used, one */
#define MEM_SPARE_DROPS 32 /* at once: a large block may have gone just now */

struct mem_spare {
	struct mem_spare *next;
};

struct mem {
	uint64_t used;	/* bytes, overhead included */
	uint64_t trash; /* bytes of mappings that were freed and not given back yet */
	struct mem_trash *first_trash;

	/* By size, those first that were freed last: they may be in a cache. */
	struct mem_spare *spares[MEM_SPARE_SIZE / 16 + 1];
	size_t spare_bytes; /* of them; not in `used` */
	size_t spare_turn;  /* which size gives way next */
};

static inline uint64_t
mem_cost(size_t size)
{
	uint64_t cost = ((uint64_t)size + 8 + 15) & ~(uint64_t)15;

	return cost < 32 ? 32 : cost;
}

/* NULL: no memory. */
static inline void *
mem_alloc(struct mem *mem, size_t size)
{
	void *p = malloc(size);

	if (p)
		mem->used += mem_cost(size);
	return p;
}

/* As mem_alloc, counted as if it were `counted` bytes: so many are said when it is freed. */
static inline void *
mem_alloc_as(struct mem *mem, size_t size, size_t counted)
{
	void *p = malloc(size);

	if (p)
		mem->used += mem_cost(counted);
	return p;
}

/* As mem_alloc, all zero. */
static inline void *
mem_zalloc(struct mem *mem, size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (p)
		mem->used += mem_cost(n * size);
	return p;
}

/* `size`: what was asked for. `p` may be NULL. */
static inline void
mem_free(struct mem *mem, void *p, size_t size)
{
	if (!p)
		return;
	mem->used -= mem_cost(size);
	free(p);
}

/* As mem_alloc, for mem_return() alone. */
static inline void *
mem_take(struct mem *mem, size_t size)
{
	uint64_t cost = mem_cost(size);
	struct mem_spare *spare =
		cost <= MEM_SPARE_SIZE ? mem->spares[cost / 16] : NULL;

	if (!spare)
		return mem_alloc(
			mem, cost - 8); /* that a block is good for all of its cost */
	mem->spares[cost / 16] = spare->next;
	__builtin_prefetch(spare->next, 1); /* it may have been free for long */
	mem->spare_bytes -= cost;
	mem->used += cost;
	return spare;
}

/* Frees a spare block, so that there is room for another; all of them. */
void mem_drop_spare(struct mem *mem);
void mem_drop_spares(struct mem *mem);

/* Whether there are more spare blocks than are kept. */
static inline bool
mem_spares_over(const struct mem *mem)
{
	size_t share = MEM_SPARE_BYTES > 0 ? mem->used / MEM_SPARE_PART : 0;

	return mem->spare_bytes > MEM_SPARE_BYTES + share;
}

/* Frees what was taken. */
static inline void
mem_return(struct mem *mem, void *p, size_t size)
{
	uint64_t cost = mem_cost(size);
	struct mem_spare *spare = p;

	mem->used -= cost;
	if (cost > MEM_SPARE_SIZE) {
		free(p);
		return;
	}
	spare->next = mem->spares[cost / 16];
	mem->spares[cost / 16] = spare;
	mem->spare_bytes += cost;
	for (int i = 0; i < MEM_SPARE_DROPS && mem_spares_over(mem); i++)
		mem_drop_spare(mem);
}

/* As mem_zalloc, of so many bytes that the system would need long to take them back at once: a mapping
 * of its own. */
void *mem_map(struct mem *mem, size_t size);

/* The same in large pages, where there are any: for what is looked at all over, or most looks would have to find
 * their page first. */
void *mem_map_large(struct mem *mem, size_t size);

/* Frees it: it is not used any more, but mem_give_back() has yet to give it back. `p` may be NULL. */
void mem_unmap(struct mem *mem, void *p, size_t size);

/* Gives trash back in so many steps, about: one for every page of MEM_STEP bytes. Returns the steps that are
 * left. */
long mem_give_back(struct mem *mem, long steps);

#endif
