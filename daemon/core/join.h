/* SPDX-License-Identifier: MIT
 *
 * A join that waits: what it has to tell when it ends, and whether anybody works for it.
 *
 * A queue stalls when an item is ready, nobody holds one and no get waits, and nothing is
 * counted any more. That is watched only while joins want to know it: every settle() of the queue
 * looks whether it has changed, and a join that wants to know looks again by its own timer.
 */
#ifndef QBROKER_CORE_JOIN_H
#define QBROKER_CORE_JOIN_H

#include "daemon/core/engine.h"

struct queue;
struct waiter;

struct join {
	uint64_t died;	   /* the counter, when it came */
	uint64_t began_ns; /* when that was */
	uint64_t stall_ns; /* 0: it waits on */
	bool strict;
};

/* Fills in the answer. */
void join_answer(const struct waiter *w, enum qe_result result, struct qe_reply *reply);

/* The time has come to which its timer was set. */
void join_due(struct qe *e, struct waiter *w);

/* It does not wait any more. */
void join_stop(struct waiter *w);

/* Looks whether the queue stalls; for queue.stallers > 0. */
void join_watch(const struct qe *e, struct queue *q);

/* Whether items are ready, and nobody holds one or waits for one. */
bool join_idle(const struct queue *q);

#endif
