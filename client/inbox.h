/* SPDX-License-Identifier: MIT
 * What the broker says: received bytes to frames, frames to the requests that they answer.
 * It believes nothing before it has checked it. It does not touch the socket. */
#ifndef QBROKER_CLIENT_INBOX_H
#define QBROKER_CLIENT_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "client/call.h"

/* What a reply's body goes into. */
struct parts {
	qb_item *one, **many; /* `many` is NULL for at most one */
	unsigned n;
};

/* Of the request whose reply is coming, what its body is read by. */
struct awaited {
	uint64_t rid; /* 0: no body is on its way */
	uint8_t op, ack;
	uint16_t max_items;
};

#define PASSED_MAX 4

/* A frame's head is taken from the buffer first. Then its request is in `call`, and the
 * body is copied, or if it has not arrived yet received, into `parts`. */
struct inbox {
	uint8_t *buf;
	size_t start, end; /* bytes that have not been looked at */

	struct awaited call;
	struct qp_reply reply;
	struct parts parts;
	unsigned current; /* the part that is being filled */
	size_t filled;	  /* bytes of it that are there */
	uint64_t thrown;  /* bytes still to come that there was no memory for */
	bool no_memory;

	/* Descriptors that no frame has taken yet, in order; -1: it could not be received. */
	int passed[PASSED_MAX];
	unsigned n_passed;
};

/* The buffer; false: no memory. */
bool inbox_init(struct inbox *in);

/* Frees all. A request whose body was on its way is forgotten. */
void inbox_done(struct inbox *in);

/* Where to receive to: one place, or two. Returns their number. */
int inbox_space(struct inbox *in, struct iovec places[2]);

/* So many bytes were received there. Calls the `finish` of every request whose reply is
 * complete. Not QB_OK: what came is broken, or the broker said its last word: the
 * connection must be dropped. */
qb_result inbox_received(qb *q, size_t len);

/* Finishes all outstanding requests, with `result` and the sentence `why`, for a
 * connection that is gone. */
void inbox_abort(qb *q, qb_result result, const char *why);

#endif
