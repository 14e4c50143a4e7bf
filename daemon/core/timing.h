/* SPDX-License-Identifier: MIT
 *
 * The times of an item that has some (extra.h): when it may be given, when it expires.
 * While there is something to be done for an item at some time, its record is in a heap of
 * its queue, and the queue is among the engine's by the first of these times: who waits
 * costs nothing, every change costs O(log n).
 */
#ifndef QBROKER_CORE_TIMING_H
#define QBROKER_CORE_TIMING_H

#include "daemon/core/engine.h"
#include "daemon/core/extra.h"
#include "daemon/core/heap.h"

struct queue;

/* Before the item leaves a state, and after it has entered one. */
void timing_disarm(struct qe *e, struct queue *q, struct extra *x);
void timing_arm(struct qe *e, struct queue *q, struct extra *x);

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

#endif
