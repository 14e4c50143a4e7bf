/* SPDX-License-Identifier: MIT
 *
 * Giving items to a get, whether it waited or not.
 */
#ifndef QBROKER_CORE_GET_H
#define QBROKER_CORE_GET_H

#include "daemon/core/engine.h"

struct extra;
struct holding;
struct queue;

struct get {
	struct qe_get args;
	struct holding *holding; /* where leases go; NULL with no_ack */
	uint64_t lease_ns;	 /* how long they are; 0: without an end */
	struct extra *spare;	 /* for the first of these, while the get waits */
};

/* Whether the first get of many takes `n` ready items at once, or waits for more.
 */
bool get_ripe(const struct get *get, uint64_t n);

/* Gives the first ready items of the queue, which has some, and fills in the answer.
 * Unless no_ack, there is room for one lease; if that ends, the first item has a record, or
 * there is a spare one. */
void get_give(struct qe *e, struct queue *q, struct get *get, struct qe_reply *reply);

#endif
