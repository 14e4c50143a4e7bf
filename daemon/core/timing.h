/* SPDX-License-Identifier: MIT
 *
 * The times of an item that has some: when it may be given, when it expires. They are
 * in an allocation beside the item, so that items without them stay small. While there
 * is something to be done for an item at some time, its record is in a heap of its
 * queue, and the queue is among the engine's by the first of these times: who waits
 * costs nothing, every change costs O(log n).
 */
#ifndef QBROKER_CORE_TIMING_H
#define QBROKER_CORE_TIMING_H

#include "daemon/core/engine.h"
#include "daemon/core/heap.h"
#include "daemon/core/mem.h"

struct queue;

struct timing {
	struct heap_node node; /* queue.due */
	struct qe_item *item;
	uint64_t due_ns;     /* when timing_run() looks at it; QE_NEVER: in no heap */
	uint64_t ready_ns;   /* not given before; 0: at once */
	uint64_t expires_ns; /* not given after; QE_NEVER: always */
};

/* Gives the item a record if it has none. NULL: no memory. */
struct timing *timing_need(struct qe *e, struct qe_item *item);

/* Frees the record of an item that is in no set. */
void timing_free(struct qe *e, struct qe_item *item);

/* Before the item leaves a state, and after it has entered one. */
void timing_disarm(struct qe *e, struct queue *q, struct timing *t);
void timing_arm(struct qe *e, struct queue *q, struct timing *t);

/* Forgets all that is due in the queue: its ready and delayed items were discarded. */
void timing_discard(struct qe *e, struct queue *q);

/* Whether the item must not be given yet, and not any more. */
bool timing_later(const struct qe *e, const struct qe_item *item);
bool timing_over(const struct qe *e, const struct qe_item *item);

/* When something is due next, QE_NEVER: never. O(1). */
uint64_t timing_next(const struct qe *e);

/* Does one thing that is due. false: there is nothing. */
bool timing_run(struct qe *e);

bool timing_before(const struct heap_node *a, const struct heap_node *b);
bool timing_queue_before(const struct heap_node *a, const struct heap_node *b);

static inline uint64_t
timing_cost(const struct timing *t)
{
	return t ? mem_cost(sizeof(*t)) : 0;
}

#endif
