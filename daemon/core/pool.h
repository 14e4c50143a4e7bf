/* SPDX-License-Identifier: MIT
 *
 * Many pieces of one size, which malloc() is asked for by the run: a start that restores a million items spent
 * a sixth of its time in malloc(). A run is freed when all of its pieces are; those that are free in
 * others are taken first. They are counted one by one, as mem_alloc() does.
 */
#ifndef QBROKER_CORE_POOL_H
#define QBROKER_CORE_POOL_H

#include "daemon/core/list.h"
#include "daemon/core/mem.h"

struct pool {
	struct mem *mem;
	size_t size;	  /* of a piece */
	struct list free; /* pieces; */
	size_t n_free;	  /* so many */
};

void pool_init(struct pool *p, struct mem *mem, size_t size);
void pool_done(struct pool *p); /* all were given back */

/* NULL: no memory. */
void *pool_take(struct pool *p);

void pool_give(struct pool *p, void *piece); /* which was taken of it */

#endif
