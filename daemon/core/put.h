/* SPDX-License-Identifier: MIT
 *
 * A put on its way: the items, how far it has come, its results. It stands on the stack
 * of qe_put(), or in a waiter.
 */
#ifndef QBROKER_CORE_PUT_H
#define QBROKER_CORE_PUT_H

#include "daemon/core/engine.h"

struct queue;

struct put {
	struct qe_item **items;
	unsigned n;
	unsigned next; /* the first that is neither accepted nor refused; those before
			  it may be no items at all */
	unsigned accepted; /* how many were */
	bool delayed;	   /* some of them have a delay */
	bool many, atomic;
	uint64_t bytes;	  /* of all bodies from `next` on, at the start */
	uint64_t cost;	  /* of these items */
	uint64_t id;	  /* of a single item */
	bool dup;	  /* it is that of another item, whose key it would have had */
	int64_t *results; /* if `many` */
};

/* Whether this is why a put waits. */
bool put_is_full(enum qe_result result);

/* Accepts what there is room for. QE_OK: nothing is left; QE_TOO_BIG: it can never fit
 * as a whole; QE_FULL_*: why the next one must wait. */
enum qe_result put_advance(struct qe *e, struct queue *q, struct put *put) QE_MUST_USE;

/* Why the put must wait: as put_advance(), but nothing happens. */
enum qe_result put_blocked(const struct qe *e, const struct queue *q,
			   const struct put *put);

/* Ends the put: refuses what was not accepted with `result`, if any is left, and fills
 * in the answer (which owns the results from now on). */
void put_answer(struct qe *e, struct put *put, enum qe_result result,
		struct qe_reply *reply);

/* Whether an item was accepted and others were not: what it has cannot be forgotten. */
bool put_begun(const struct put *put);

/* Ends the put without an answer. */
void put_drop(struct qe *e, struct put *put);

#endif
