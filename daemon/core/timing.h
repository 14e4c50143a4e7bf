/* SPDX-License-Identifier: MIT
 *
 * The times of an item that has some (extra.h): when it may be given, when it expires, when
 * its lease ends.
 * While there is something to be done for an item at some time, its record is in a heap of
 * its queue, and the queue is among the engine's by the first of these times: who waits
 * costs nothing, every change costs O(log n). Leased items have a heap of their own, so that
 * the other one can be forgotten as a whole.
 */
#ifndef QBROKER_CORE_TIMING_H
#define QBROKER_CORE_TIMING_H

#include "daemon/core/engine.h"
#include "daemon/core/extra.h"
#include "daemon/core/heap.h"

struct queue;

/* Before the item leaves a state; a lease's times are forgotten with it. */
void timing_disarm(struct qe *e, struct queue *q, struct extra *x);

/* After it has entered one, or its times were changed. */
void timing_arm(struct qe *e, struct queue *q, struct extra *x);

/* When something is to be done for the item in the state that it has. */
uint64_t timing_due(const struct extra *x);

/* Forgets all that is due for ready and delayed items, or for leased ones, because they were
 * discarded. */
void timing_discard_waiting(struct qe *e, struct queue *q);
void timing_discard_leased(struct qe *e, struct queue *q);

/* When the first dead item falls out, QE_NEVER: never; 0: now, there are too many. All are kept equally long; one that got
 * no record when it died is kept from its acceptance on. */
uint64_t timing_dead_due(const struct queue *q);

/* After a change of the first dead item, or of how long they are kept. */
void timing_dead_changed(struct qe *e, struct queue *q);

/* Whether the item must not be given yet, and not any more. */
bool timing_later(const struct qe *e, const struct qe_item *item);
bool timing_over(const struct qe *e, const struct qe_item *item);

/* When something is due next, QE_NEVER: never. O(1). */
uint64_t timing_next(const struct qe *e);

/* How long it is until the first delayed item of the queue is ready; QE_NEVER: there is
 * none, or something else is due before it. O(1). */
uint64_t timing_next_ready(const struct qe *e, const struct queue *q);

/* Does one thing that is due. false: there is nothing. */
bool timing_run(struct qe *e);

/* Before an item of the queue is given: does what is due for those that are ready or delayed, as
 * much as one qe_tick() does. */
void timing_catch_up(struct qe *e, struct queue *q);

bool timing_before(const struct heap_node *a, const struct heap_node *b);
bool timing_queue_before(const struct heap_node *a, const struct heap_node *b);

#endif
