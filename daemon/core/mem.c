/* SPDX-License-Identifier: MIT
 *
 * See mem.h. The pages of a mapping are given back a piece at a time; taking the rest, which has none,
 * out of the address space is no work worth mentioning. A piece is a multiple of every size that
 * pages have. What is known of a mapping that was freed stands in its first page.
 */
#include "daemon/core/mem.h"

#include <sys/mman.h>

#define PIECE	    (UINT64_C(1) << 20)
#define SMALL_PIECE (UINT64_C(64) << 10) /* for small shares */

struct mem_trash {
	struct mem_trash *next;
	size_t size;
	size_t left; /* from here on its pages have been given back */
};

void
mem_drop_spare(struct mem *mem)
{
	struct mem_spare *spare;

	while (!mem->spares[mem->spare_turn])
		mem->spare_turn = (mem->spare_turn + 1) % (MEM_SPARE_SIZE / 16 + 1);
	spare = mem->spares[mem->spare_turn];
	mem->spares[mem->spare_turn] = spare->next;
	mem->spare_bytes -= mem->spare_turn * 16;
	free(spare);
}

void
mem_drop_spares(struct mem *mem)
{
	while (mem->spare_bytes > 0)
		mem_drop_spare(mem);
}

void *
mem_map(struct mem *mem, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	mem->used += mem_cost(size);
	return p;
}

void *
mem_map_large(struct mem *mem, size_t size)
{
	void *p = mem_map(mem, size);

	if (p)
		(void)madvise(p, size, MADV_HUGEPAGE);
	return p;
}

void
mem_unmap(struct mem *mem, void *p, size_t size)
{
	struct mem_trash *trash = p;

	if (!p)
		return;
	*trash = (struct mem_trash){mem->first_trash, size, size};
	mem->first_trash = trash;
	mem->used -= mem_cost(size);
	mem->trash += size;
}

/* Returns the bytes that were given back. */
static size_t
give_piece_back(struct mem *mem, uint64_t piece)
{
	struct mem_trash *trash = mem->first_trash;
	size_t at = (trash->left - 1) & ~(piece - 1), n = trash->left - at;

	mem->trash -= n;
	trash->left = at;
	if (at > 0) {
		(void)madvise((char *)trash + at, n, MADV_DONTNEED);
		return n;
	}
	mem->first_trash = trash->next;
	(void)munmap(trash, trash->size);
	return n;
}

long
mem_give_back(struct mem *mem, long steps)
{
	uint64_t piece = steps < (long)(PIECE / MEM_STEP) ? SMALL_PIECE : PIECE;

	while (steps > 0 && mem->first_trash)
		steps -= 1 + (long)(give_piece_back(mem, piece) / MEM_STEP);
	return steps;
}
