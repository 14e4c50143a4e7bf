/* SPDX-License-Identifier: MIT
 *
 * A hash table from a 64-bit hash to a pointer: open addressing, linear probing, a
 * power of two of slots, removal by shifting back (no tombstones). It knows nothing of
 * what it holds; equality is the caller's.
 *
 * It grows and shrinks a few slots at a time: while it does there is an old array
 * beside the new one, and every insertion and removal moves some of it. So no call
 * takes long, whatever the size; large arrays are given back by mem_give_back(). Room is
 * reserved apart from inserting, so that an insertion cannot fail in the middle of
 * something.
 */
#ifndef QBROKER_CORE_TABLE_H
#define QBROKER_CORE_TABLE_H

#include "daemon/core/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_slot {
	uint64_t hash;
	void *value; /* NULL: free */
};

struct table {
	struct mem *mem;
	struct table_slot *slots;
	size_t cap;		/* slots, 0 or a power of two */
	size_t n;		/* values, in both arrays */
	size_t promised;	/* slots kept free by table_promise() */
	struct table_slot *old; /* what is still to be moved, or NULL */
	size_t old_cap;
	size_t moved; /* the slots of `old` before this one are free */
};

typedef bool table_match_fn(const void *value, const void *key);

void table_init(struct table *t, struct mem *mem);

/* Frees the arrays, not the values. */
void table_done(struct table *t);

/* Makes room, so that the next `n` insertions succeed. false: no memory. */
bool table_reserve(struct table *t, size_t n) __attribute__((warn_unused_result));

/* Keeps one slot for later, after table_reserve(): table_reserve() counts it until
 * table_unpromise(). */
void table_promise(struct table *t);
void table_unpromise(struct table *t);

/* A value with this hash is going to be inserted: fetches where it goes, for a large table is in no cache. */
static inline void
table_fetch(const struct table *t, uint64_t hash)
{
	if (t->cap > 0)
		__builtin_prefetch(&t->slots[hash & (t->cap - 1)], 1);
}

/* `value` is not in the table; there is room. */
void table_insert(struct table *t, uint64_t hash, void *value);

/* The value with this hash that matches the key, or NULL. */
void *table_find(const struct table *t, uint64_t hash, table_match_fn *match,
		 const void *key);

/* `value` is in the table, with this hash. */
void table_remove(struct table *t, uint64_t hash, const void *value);

/* The memory that its arrays take. */
uint64_t table_cost(const struct table *t);

/* For tests: every value can be found, and the counts are right. */
bool table_check(const struct table *t);

#endif
