/* SPDX-License-Identifier: MIT
 *
 * What the files of qe_check() share.
 */
#ifndef QBROKER_CORE_CHECK_H
#define QBROKER_CORE_CHECK_H

#include "daemon/core/engine_int.h"

/* Leaves the function with `sentence` unless it is true. */
#define HOLDS(condition, sentence)       \
	do {                             \
		if (!(condition))        \
			return sentence; \
	} while (0)

/* Leaves the function with what `call` found. */
#define PASS(call)                           \
	do {                                 \
		const char *found_ = (call); \
		if (found_)                  \
			return found_;       \
	} while (0)

/* What is counted on the way. */
struct census {
	const struct qe *e;
	uint64_t due; /* queues with something to come */
	uint64_t waiters, timers, starving, promised, holdings;
	uint64_t leases; /* those of deleted queues too */
	uint64_t finished;
	uint64_t count[ITEM_STATES];
	uint64_t cost;	 /* of accepted items */
	uint64_t memory; /* of all but items and answers */
	uint64_t groups; /* those with a name */
	uint64_t keys, windows;
	uint64_t keys_cost;
	uint64_t timed;	     /* nodes in the heaps of what is due in a queue */
	uint64_t timers_set; /* items that should be there */
};

/* Sums over the ready or leased items of one queue. */
struct sum {
	uint64_t n, bytes, cost, last_id;
	uint64_t due; /* with something to be done at some time */
};

/* An item in a set for this state; it is added to the sum. */
const char *check_item(const struct queue *q, const struct qe_item *item,
		       enum item_state state, struct sum *sum);

/* The sets of ready and delayed items of the queue's groups; they are added to the sums. */
const char *check_groups(struct census *c, const struct queue *q, struct sum *ready,
			 struct sum *delayed);

/* Those who wait on the queue, in their order. */
const char *check_lines(struct census *c, const struct queue *q);

/* The keys of the queue's items. */
const char *check_keys(struct census *c, const struct queue *q);

/* Groups that are out of date, or whose queue is gone, and the items that were dropped with
 * theirs and not forgotten yet. */
const char *check_left_groups(struct census *c);

#endif
