/* SPDX-License-Identifier: MIT
 *
 * Giving items to a get, whether it waited or not.
 */
#ifndef QBROKER_CORE_GET_H
#define QBROKER_CORE_GET_H

#include "daemon/core/engine.h"

struct any;
struct extra;
struct holding;
struct queue;

struct get {
	struct qe_get args;
	struct holding *holding; /* where leases go; NULL with no_ack */
	uint64_t lease_ns;	 /* how long they are; 0: without an end */
	struct extra *spare;	 /* for the first of these, while the get waits */
	struct any *any; /* it waits for many queues; the holding and lease_ns are then
			    those of the one that gives */
};

/* Whether the first get of many takes `n` ready items at once, or waits for more.
 */
bool get_ripe(const struct get *get, uint64_t n);

/* Gives the first ready items of the queue, which has some, and fills in the answer. The body of the first
 * is here.
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
