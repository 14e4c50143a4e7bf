/* SPDX-License-Identifier: MIT
 * See memory.h. To find what is free, it is taken: piece after piece from malloc, which uses what it has
 * before it asks the system for more, the largest first. The pages inside go back; then the pieces are
 * freed, and merge again. */
#include "daemon/net/memory.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* As malloc's own at most. Below it memory is used again, which saves its pages from being cleared
 * each time; above it the engine makes mappings. */
#define MAPPED_BYTES (32 << 20)

#define MERGE_BYTES  (UINT64_C(256) << 10)
#define MERGE_ASK    4096 /* malloc merges for this, and keeps none of it ready */
#define FALL_BYTES   (UINT64_C(32) << 20)
#define PERIOD_NS    UINT64_C(2500000000)
#define LARGEST	     (UINT64_C(1) << 20)
#define SMALLEST     (UINT64_C(8) << 10)
#define GIVEN_PER_NS 10 /* bytes */
#define GIVEN_AT_ONCE ((uintptr_t)64 << 10)
#define PIECE_COST   16384 /* taking one lasts as long as giving back so many bytes */
#define FREE_NS	     200   /* a piece */

#define FILL_MOST  (UINT64_C(1) << 30)
#define FILL_LEAST ((uintptr_t)2 << 20) /* a large page, or as much */
#define FILL_AHEAD ((size_t)16 << 20)
#define FILL_PROBE ((size_t)256 << 10)
#define TOP_PAD	   (128 << 10)		/* malloc's own */

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#define LARGE_HEAP (UINT64_C(64) << 20)
#define PAD_SHARE  16
#define PAD_MOST   (UINT64_C(64) << 20)

struct memory_piece {
	struct memory_piece *next;
};

void
memory_init(struct memory *m)
{
	*m = (struct memory){.heap = sbrk(0), .top = sbrk(0)};
	mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
	mallopt(M_TRIM_THRESHOLD, -1);
}

/* malloc grows the heap by so much more than it needs. */
static void
grow_heap(uint64_t bytes)
{
	void *volatile needed;

	mallopt(M_TOP_PAD, (int)(bytes < FILL_MOST ? bytes : FILL_MOST));
	needed = malloc(FILL_LEAST / 2);
	free(needed);
	mallopt(M_TOP_PAD, TOP_PAD);
}

void
memory_fill(struct memory_filled *f, uint64_t bytes)
{
	uintptr_t from = (uintptr_t)sbrk(0) & ~(FILL_LEAST - 1), to;

	*f = (struct memory_filled){0};
	if (bytes < FILL_LEAST)
		return;
	grow_heap(bytes);
	to = (uintptr_t)sbrk(0) & ~(FILL_LEAST - 1);
	from += FILL_LEAST;
	if (from >= to)
		return;
	*f = (struct memory_filled){(void *)from, to - from};
	(void)madvise(f->from, f->len, MADV_HUGEPAGE); /* where there are none, nothing is lost */
}

void
memory_filled(struct memory_filled *f)
{
	if (f->len > 0)
		(void)madvise(f->from, f->len, MADV_NOHUGEPAGE);
	*f = (struct memory_filled){0};
}

/* A large piece is taken from the end of what is used. */
void
memory_look(const struct memory_filled *f, struct memory_filling *so_far)
{
	char *volatile end = malloc(FILL_PROBE);

	if (end > (char *)f->from && end < (char *)f->from + f->len)
		atomic_store(&so_far->used, (size_t)(end - (char *)f->from));
	free(end);
}

void
memory_clear(const struct memory_filled *f, struct memory_filling *so_far)
{
	size_t used = atomic_load(&so_far->used), *at = &so_far->cleared;

	if (used == 0)
		return;
	for (; *at < f->len && *at < used + FILL_AHEAD; *at += FILL_LEAST)
		if (madvise((char *)f->from + *at, FILL_LEAST, MADV_POPULATE_WRITE) < 0)
			*at = f->len; /* an older system: they come when they are needed */
}

/* While much is put, the heap grows by a share of what it has, in large pages: among millions of items most
 * of what is looked at is in no cache, and with small pages nor is where to find it. Only what is new is
 * said to be large: what is given back of the rest shall not become large again. */
static void
grow_in_large_pages(struct memory *m, uint64_t used)
{
	uintptr_t from, to;
	size_t pad = used / PAD_SHARE < PAD_MOST ? used / PAD_SHARE : PAD_MOST;

	if (used < LARGE_HEAP || sbrk(0) == m->top || m->size > 0 || m->taken)
		return;
	from = ((uintptr_t)m->top + FILL_LEAST - 1) & ~(FILL_LEAST - 1);
	m->top = sbrk(0);
	to = (uintptr_t)m->top & ~(FILL_LEAST - 1);
	memory_filled(&m->fresh);
	if (from < to) {
		m->fresh = (struct memory_filled){(void *)from, to - from};
		(void)madvise(m->fresh.from, m->fresh.len, MADV_HUGEPAGE);
	}
	if (pad / 2 >= m->pad) {
		m->pad = pad;
		mallopt(M_TOP_PAD, (int)pad);
	}
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

/* The pages that lie in a piece are to go back. */
static void
begin_to_give(struct memory *m, struct memory_piece *p, size_t size)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	m->given = ((uintptr_t)(p + 1) + page - 1) & ~(page - 1);
	m->given_end = ((uintptr_t)p + size) & ~(page - 1);
}

/* Returns how many bytes went back. */
static int64_t
give_pages_back(struct memory *m)
{
	uintptr_t left = m->given_end - m->given;
	uintptr_t n = left < GIVEN_AT_ONCE ? left : GIVEN_AT_ONCE;

	(void)madvise((void *)m->given, n, MADV_DONTNEED);
	m->given += n;
	return (int64_t)n;
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
	begin_to_give(m, p, m->size);
	p->next = m->taken;
	m->taken = p;
	m->left -= m->size;
}

static void
take_share(struct memory *m, int64_t share)
{
	for (; share > 0 && m->size > 0; share -= PIECE_COST) {
		while (m->given < m->given_end && share > 0)
			share -= give_pages_back(m);
		if (share <= 0)
			return;
		if (m->size < SMALLEST || m->left < m->size)
			m->size = 0;
		else
			take(m);
	}
}

static void
free_share(struct memory *m, uint64_t pieces)
{
	struct memory_piece *p;

	for (; pieces > 0 && (p = m->taken); pieces--) {
		m->taken = p->next;
		free(p);
	}
}

void
memory_done(struct memory *m)
{
	free_share(m, UINT64_MAX);
}

/* What others were needed for a moment ago may be needed again, and a fresh page takes longer
 * than an item that fits into it. So the most that was used in this period and in the one before
 * stays. */
static uint64_t
used_lately(struct memory *m, uint64_t used, uint64_t now_ns)
{
	if (now_ns >= m->period_end_ns) {
		m->before = m->lately;
		m->lately = 0;
		m->period_end_ns = now_ns + PERIOD_NS;
	}
	if (used > m->lately)
		m->lately = used;
	return m->before > m->lately ? m->before : m->lately;
}

static bool
is_fall(const struct memory *m, uint64_t used)
{
	return used <= m->peak / 2 && m->peak - used >= FALL_BYTES;
}

static void
begin_to_take(struct memory *m, uint64_t used)
{
	memory_filled(&m->fresh);
	m->pad = 0; /* what is taken shall not make it grow by so much */
	mallopt(M_TOP_PAD, TOP_PAD);
	m->left = (size_t)((char *)sbrk(0) - (char *)m->heap);
	m->size = LARGEST;
	m->peak = used;
}

bool
memory_turn(struct memory *m, uint64_t used, uint64_t now_ns, uint64_t share_ns, bool more)
{
	uint64_t lately = used_lately(m, used, now_ns);

	merge_freed(m, used);
	if (used > m->peak)
		m->peak = used;
	grow_in_large_pages(m, used);
	if (m->size > 0)
		take_share(m, (int64_t)(share_ns * GIVEN_PER_NS));
	else if (m->taken)
		free_share(m, 1 + share_ns / FREE_NS);
	else if (!more && is_fall(m, lately))
		begin_to_take(m, used);
	m->due_ns = is_fall(m, used) ? m->period_end_ns : UINT64_MAX;
	return m->size > 0 || m->taken;
}
