/* SPDX-License-Identifier: MIT
 *
 * Giving items to a get, whether it waited or not.
 */
#ifndef QBROKER_CORE_GET_H
#define QBROKER_CORE_GET_H

#include "daemon/core/queue.h"

struct any;
struct extra;
struct holding;
struct queue;

struct get {
	struct qe_get args;
	struct holding *holding; /* where leases go; NULL with no_ack */
	uint64_t lease_ns;	 /* how long they are; 0: without an end */
	struct extra *spare;	 /* for the first of these, while the get waits */
	unsigned here;		 /* so many of the bodies that it must have were here */
	uint64_t patience_ns;	 /* if no more are then, the disk is waited for */
	struct any *any; /* it waits for many queues; the holding and lease_ns are then
			    those of the one that gives */
};

/* Whether the first get of many takes `n` ready items at once, or waits for more.
 */
bool get_ripe(const struct get *get, uint64_t n);

/* Has the bodies here that the get must have, of the ready items of the queue: that of the first, and as many as its
 * fewest items. QE_WAIT: they are on their way from the disk; QE_LOST, QE_NOMEM. */
enum qe_result get_fetch_away(struct qe *e, struct queue *q,
			      struct get *get) QE_MUST_USE;

static inline QE_MUST_USE enum qe_result
get_fetch(struct qe *e, struct queue *q, struct get *get)
{
	return __builtin_expect(q->bodies.absent == 0, 1) ? QE_OK
							  : get_fetch_away(e, q, get);
}

/* Gives the first ready items of the queue, which has some, and fills in the answer. get_fetch() has said QE_OK.
 * Unless no_ack, there is room for one lease; if that ends, the first item has a record, or
 * there is a spare one. */
void get_give(struct qe *e, struct queue *q, struct get *get, struct qe_reply *reply);

/* The item with its body, and a reference, for somebody to be shown. QE_NOMEM, QE_LOST. */
enum qe_result get_shown(struct qe *e, struct qe_item *item,
			 struct qe_item **ret_item) QE_MUST_USE;

/* How long a get leases the queue's items; 0: without an end. */
uint64_t get_lease_length(const struct queue *q, const struct qe_get *get);

/* As qe_get(), from a queue that is there. */
enum qe_result get_from(struct qe *e, struct qe_session *session, uint64_t rid,
			struct queue *q, const struct qe_get *args,
			struct qe_reply *ret_reply) QE_MUST_USE;

#endif
