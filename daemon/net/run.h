/* SPDX-License-Identifier: MIT
 * The answers of GET_RUN: what is given to requests with successive rids, gathered to one reply. */
#ifndef QBROKER_NET_RUN_H
#define QBROKER_NET_RUN_H

#include "daemon/net/conn.h"

struct run {
	struct conn *c;
	uint64_t rid; /* of the first */
	uint64_t body_len;
	uint64_t said; /* bound of the head's bytes */
	uint64_t lease_ns;
	struct qe_after after;
	bool alone; /* the first one's body is passed: nothing goes with it */
	unsigned n; /* 0: the members above have no value */
	struct qe_item *items[QP_MAX_RUN];
};

/* Adds the answer of a get that was given its item, which depends on `after`; the reply is used up. What it does not go
 * together with is sent before. */
void run_add(struct run *run, struct conn *c, uint64_t rid, struct qe_reply *reply,
	     struct qe_after after);

/* Sends what was added, before anything else is sent. */
void run_end(struct run *run);

/* Sends the answers of gets with the rids from `rid` on: all that a get of many, within the bounds of a
 * frame, was given for them. The reply is used up. */
void run_deliver(struct conn *c, uint64_t rid, struct qe_reply *reply);

#endif
