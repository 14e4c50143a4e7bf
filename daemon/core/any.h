/* SPDX-License-Identifier: MIT
 *
 * A get from many queues: one waiter that stands in the lines of all of them, at the
 * place that its arrival gives it in each. What it needs for an item from any of them is
 * reserved before, so a queue can give without memory as ever.
 */
#ifndef QBROKER_CORE_ANY_H
#define QBROKER_CORE_ANY_H

#include "daemon/core/engine.h"
#include "daemon/core/waiter.h"

struct holding;

/* A queue, by its place in the request. */
struct any_slot {
	struct wait_slot
		slot; /* without a queue: the get is not in its line (any more) */
	struct holding *holding; /* pinned; NULL with no_ack */
	uint64_t lease_ns;	 /* as in struct get */
};

struct any {
	unsigned n;	  /* slots */
	unsigned lines;	  /* how many of them are in a line */
	bool round_robin; /* the session remembers which queue gave */
	struct any_slot slots[];
};

/* Puts the waiter, whose `get` has an `any`, to the end of the lines of its queues. */
void any_line_up(struct waiter *w);

/* Takes it out of all lines; the next settle() looks at their queues. */
void any_leave(struct qe *e, struct any *any);

/* Takes it out of the line of a queue that was shut down. false: that is its last one. */
bool any_leave_out(struct qe *e, struct any *any, const struct queue *q) QE_MUST_USE;

/* The queue gives: fills in what the get needs for it, and returns its place in the
 * request. The get is still in its lines. */
unsigned any_choose(struct waiter *w, struct queue *q);

/* Lets go of what was reserved. It is in no line. */
void any_free(struct qe *e, struct any *any);

/* EMPTY, or that a queue is paused. */
enum qe_result any_empty(const struct any *any);

/* Of its queues one that has items to give, or NULL. */
struct queue *any_giver(const struct any *any);

/* What was allocated for it. */
size_t any_size(const struct any *any);

#endif
