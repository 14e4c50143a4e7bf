/* SPDX-License-Identifier: MIT
 *
 * Connections that wait until the journal has been cleaned (conn_wait()), and what they wait with;
 * and those whose answers wait for the disk, or for the client to read them. */
#ifndef QBROKER_NET_WAITING_H
#define QBROKER_NET_WAITING_H

#include "daemon/net/conn.h"

struct waiting {
	const struct conn *conn;
	const char *what; /* it waits for */
	enum qp_op op;	  /* 0: an answer, of which nothing below is known but since_ns */
	struct qe_name queue, group; /* length 0: there is none, or none is known */
	uint64_t left_ns;	     /* of its timeout; QE_NEVER: there is none */
	unsigned items;		     /* of a put, get or ack */
	unsigned place; /* in its line, from 1: those that put have one, the others another */
	uint64_t since_ns;
};

/* Whether the connection waits for the journal. */
bool conn_waits(const struct conn *c);

/* How many times it is one of these. */
unsigned waiting_count(const struct conn *c);

/* For how long a connection has not been read because it does not read; QE_NEVER: all do. */
uint64_t waiting_unread_ns(const struct server *s);

/* Fills in at most `max` of those that wait from the `*at`-th on (0: the first), of one queue or, length 0, of all, and moves
 * *at behind them. Returns whether that is all. They are valid until something is handled. */
bool waiting_list(struct server *s, struct qe_name queue, uint64_t *at,
		  struct waiting *ret, unsigned max, unsigned *ret_n);

/* What the operation is called: "put", also for many. */
#define WAITING_NAME 32
const char *waiting_name(const struct waiting *w, char buf[WAITING_NAME]);

#endif
