/* SPDX-License-Identifier: MIT
 * See memory.h. To find what is free, it is taken: piece after piece from malloc, which uses what it has
 * before it asks the system for more, the largest first. The pages inside go back; then the pieces are
 * freed, and merge again. */
#include "daemon/net/memory.h"

#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* As malloc's own at most. Below it memory is used again, which saves its pages from being cleared
 * each time; above it the engine makes mappings. */
#define MAPPED_BYTES (32 << 20)

#define MERGE_BYTES  (UINT64_C(256) << 10)
#define MERGE_ASK    4096 /* malloc merges for this, and keeps none of it ready */
#define FALL_BYTES   (UINT64_C(32) << 20)
#define LARGEST	     (UINT64_C(1) << 20)
#define SMALLEST     (UINT64_C(8) << 10)
#define SHARE_BYTES  (INT64_C(2) << 20)
#define PIECE_COST   16384 /* taking one lasts as long as giving back so many bytes */
#define SHARE_PIECES 1000

struct memory_piece {
	struct memory_piece *next;
};

void
memory_init(struct memory *m)
{
	*m = (struct memory){.heap = sbrk(0)};
	mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
	mallopt(M_TRIM_THRESHOLD, -1);
}

/* malloc lets small pieces that were freed gather until it is asked for a large one, and then merges
 * them all: of a million that takes 50 ms. So it is asked whenever some have gathered. */
static void
merge_freed(struct memory *m, uint64_t used)
{
	void *volatile large;

	if (used > m->merged)
		m->merged = used;
	if (m->merged - used < MERGE_BYTES)
		return;
	large = malloc(MERGE_ASK);
	free(large);
	m->merged = used;
}

static void
give_pages_back(struct memory_piece *p, size_t size)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t from = ((uintptr_t)(p + 1) + page - 1) & ~(page - 1);
	uintptr_t to = ((uintptr_t)p + size) & ~(page - 1);

	if (from < to)
		(void)madvise((void *)from, to - from, MADV_DONTNEED);
}

/* Takes a piece, unless malloc has no such piece any more, and had to grow. */
static void
take(struct memory *m)
{
	void *end = sbrk(0);
	struct memory_piece *p = malloc(m->size);

	if (!p || (void *)p >= end || sbrk(0) != end) {
		free(p);
		m->size -= m->size / 8;
		return;
	}
	give_pages_back(p, m->size);
	p->next = m->taken;
	m->taken = p;
	m->left -= m->size;
}

static void
take_share(struct memory *m)
{
	int64_t share = SHARE_BYTES;

	for (; share > 0 && m->size > 0; share -= (int64_t)(m->size + PIECE_COST)) {
		if (m->size < SMALLEST || m->left < m->size)
			m->size = 0;
		else
			take(m);
	}
}

static void
free_share(struct memory *m)
{
	struct memory_piece *p;

	for (int i = 0; i < SHARE_PIECES && (p = m->taken); i++) {
		m->taken = p->next;
		free(p);
	}
}

void
memory_done(struct memory *m)
{
	while (m->taken)
		free_share(m);
}

bool
memory_turn(struct memory *m, uint64_t used, bool more)
{
	merge_freed(m, used);
	if (used > m->peak)
		m->peak = used;
	if (m->size > 0) {
		take_share(m);
	} else if (m->taken) {
		free_share(m);
	} else if (!more && used <= m->peak / 2 && m->peak - used >= FALL_BYTES) {
		m->left = (size_t)((char *)sbrk(0) - (char *)m->heap);
		m->size = LARGEST;
		m->peak = used;
	}
	return m->size > 0 || m->taken;
}
