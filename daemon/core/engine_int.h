/* SPDX-License-Identifier: MIT
 *
 * The engine's own struct, for the files of daemon/core and for nobody else.
 */
#ifndef QBROKER_CORE_ENGINE_INT_H
#define QBROKER_CORE_ENGINE_INT_H

#include "daemon/core/bodies.h"
#include "daemon/core/engine.h"
#include "daemon/core/hash.h"
#include "daemon/core/heap.h"
#include "daemon/core/item.h"
#include "daemon/core/keep.h"
#include "daemon/core/list.h"
#include "daemon/core/mem.h"
#include "daemon/core/table.h"

#define QE_TICK_ITEMS 200 /* whose time has come, in one qe_tick(): 3 us each */

struct events;

struct qe {
	struct mem mem;
	struct pool bare; /* of items without their bodies */
	struct qe_config config;
	struct hash_key key;
	uint64_t now_ns; /* of the last call */

	uint64_t last_id;     /* of items */
	uint64_t last_serial; /* of queues and sessions */
	uint64_t last_seq;    /* of waiters */
	uint64_t
		policy_next; /* the first queue that policy_sweep() has not seen since the
				 configuration changed; 0: it has seen all */

	struct table names;    /* queues by name */
	struct queue *recent;  /* the one that was named last, or NULL: the next request is
				* mostly for the same */
	struct table ids;      /* sessions by id */
	struct table leases;   /* leased items by id */
	struct table holdings; /* by session and queue */
	struct table rids;     /* waiting requests by session and rid */
	struct table groups;   /* by queue and name */
	struct table keys;     /* of struct unique, by queue and name */

	struct heap queues;  /* those with a name, in the order of making */
	struct heap timers;  /* of waiters */
	struct heap windows; /* of keys, by their ends */
	struct heap due; /* queues with items that have times, by the first of these */
	struct list sessions; /* that have not ended */
	struct heap serials;  /* the same, in the order of their beginning */
	struct list finished; /* waiters with their answers */
	struct list touched;  /* queues that settle() must look at */
	struct list starving; /* queues whose first putter waits for memory */

	/* For sweep(). */
	uint64_t share_ns;
	struct list ended;   /* sessions */
	struct list deleted; /* queues */
	struct list
		emptied;    /* queues, of which only what is in the trash may be left */
	struct list purged; /* groups that a purge of their queue left behind */
	struct list trash;  /* items that were discarded */
	struct heap_node *trash_tree; /* likewise, out of a heap */
	struct heap_node *cursor_trash; /* of dumps that were given up */

	struct list orphans; /* groups whose queue is gone, of items on their way out */

	/* Leases whose holders are to be told, by the last qe_tick(). */
	struct qe_tag noticed[QE_TICK_ITEMS];
	unsigned n_noticed, next_notice;

	struct events *events; /* NULL: nobody watches */
	struct keep keep;
	struct bodies bodies;

	uint64_t n_queues, n_sessions, n_waiters;
	uint64_t count[ITEM_STATES]; /* over all queues */
	struct qe_counters counters; /* likewise */
	uint64_t accepted_cost;	     /* memory of items that are not NEW or GONE */
	uint64_t other_cost;	     /* memory of those that are */
	uint64_t keys_cost;	     /* what keys count against the memory limit */
	uint64_t answers_cost;	     /* memory of the arrays of answers */
	uint64_t callers_cost;	     /* memory of the caller's: qe_memory_take() */
};

/* Ids may have been given that are not reserved on disk yet: answers wait for that, also those about queues in
 * memory. */
static inline bool
ids_are_unsure(const struct qe *e)
{
	return e->last_id >= e->keep.sure_ids;
}

/* Arrays that an answer owns, as mem_alloc() and mem_free(). */
static inline void *
answer_alloc(struct qe *e, size_t size)
{
	void *p = mem_alloc(&e->mem, size);

	if (p)
		e->answers_cost += mem_cost(size);
	return p;
}

static inline void
answer_free(struct qe *e, void *p, size_t size)
{
	if (p)
		e->answers_cost -= mem_cost(size);
	mem_free(&e->mem, p, size);
}

#endif
