/* SPDX-License-Identifier: MIT
 * From a public call to a request and back: what every call verifies first, adding a
 * request to what is sent, waiting for its answer. */
#ifndef QBROKER_CLIENT_REQUEST_H
#define QBROKER_CLIENT_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#include "client/client.h"
#include "client/clock.h"

/* --- what a call verifies --------------------------------------------------------- */

/* Forgets an inherited connection in a forked child. */
void verify_forked(qb *q);

static inline void
verify_fork(qb *q)
{
	if (fork_guard_forked(&q->guard))
		verify_forked(q);
}

/* The same, and refuses from within a callback what may wait. */
qb_result verify_handle(qb *q);

/* Connects when there is no connection; from within a callback that is QB_LOST. Forgets
 * like verify_handle(). */
qb_result verify_connected(qb *q, int64_t timeout_ms);

/* Both: for calls that wait for an answer. */
qb_result verify_blocking(qb *q);

/* The same for those that may wait in the broker: what was spent on a new connection is taken from
 * *timeout_ms. */
qb_result verify_waiting(qb *q, int64_t *timeout_ms);

/* Arguments. QB_INVALID or QB_TOO_BIG, with a sentence that names the value. */
qb_result verify_name(qb *q, const char *what, const char *name, struct qp_str *ret);
qb_result verify_queue(qb *q, const char *queue, struct qp_str *ret);
qb_result verify_timeout(qb *q, const char *name, int64_t timeout_ms);
qb_result verify_count(qb *q, const char *name, unsigned n, unsigned max);
qb_result verify_id(qb *q, uint64_t id);
qb_result verify_state(qb *q, const char *state, struct qp_options *ret);
qb_result verify_ack(qb *q, qb_ack_mode ack);
qb_result verify_body(qb *q, const void *body, size_t len);
qb_result verify_item(qb *q, const qb_item *item);  /* it is none: QB_INVALID */
qb_result verify_lease(qb *q, const qb_item *item); /* not of this session: QB_STALE */

/* All of what an item's holder verifies: a lease may be lost with the connection, which is made if
 * there is none. */
qb_result verify_held(qb *q, const qb_item *item);

/* The same, and the request is about this item. */
qb_result verify_held_for(qb *q, struct qp_request *m, const qb_item *item);

/* A public timeout as the wire has it. */
uint64_t wire_timeout(int64_t timeout_ms);

/* --- requests --------------------------------------------------------------------- */

/* The bodies behind a request's head. */
struct bodies {
	const struct iovec *parts;
	unsigned n;
	size_t len;   /* of all */
	bool lasting; /* they outlive the sending: large ones need not be copied */
	const struct qp_file *file; /* goes instead, as a descriptor; NULL: none */
};

/* A request with nothing but its operation. What no option is given of has no value: clearing that
 * too would cost as much as the encoding. */
static inline void
request_init(struct qp_request *m, enum qp_op op)
{
	memset(m, 0, offsetof(struct qp_request, options));
	m->op = op;
	m->options.present = 0;
}

/* Whether what it gives is leased to the session: GET and its kin. */
bool request_gets(unsigned op);

/* Adds a request to what is sent, behind what has gathered; *call tells how it is to be finished, and
 * gets its rid. QB_NO_MEMORY: it was not added. */
qb_result request_add(qb *q, struct qp_request *m, const struct bodies *bodies,
		      struct call *call);

/* The same before what has gathered. */
qb_result request_append(qb *q, struct qp_request *m, const struct bodies *bodies,
			 struct call *call);

/* The same for a request whose answer nobody waits for. */
qb_result request_unheard(qb *q, struct qp_request *m);

/* An ACK or ACK_MANY with the rid 0, which is not answered, before what has gathered. Now and then one is answered, for it
 * would have to be kept for ever. */
qb_result request_mute(qb *q, struct qp_request *m);

/* Encodes a request without a body whose answer somebody knows of. Returns where it is; without
 * memory q->out has failed. */
struct qp_mark request_encode(qb *q, const struct qp_request *m);

/* When the wait of a request is over, if it has one. */
int64_t request_deadline(const struct qp_request *m);

/* Tells the broker that it need not remember the answer with this rid (0: none), nor those
 * before it. Without memory it does nothing. */
void request_confirm(qb *q, uint64_t rid);

/* For wait.take: the item (qb_item **), the number (uint64_t *, may be NULL) of an answer. */
qb_result request_take_item(qb *q, void *ret, struct answer *answer);
qb_result request_take_count(qb *q, void *ret, struct answer *answer);

/* A request whose answer is waited for. */
struct wait {
	/* Called with an answer that is QB_OK; its result counts. QB_MALFORMED makes
	 * the session be dropped. May be NULL. */
	qb_result (*take)(qb *q, void *ret, struct answer *answer);
	void *ret;
	uint8_t ack;	    /* GET, GET_MANY, GET_ANY */
	uint16_t max_items; /* GET_MANY; GET_ANY: queues */

	unsigned pending;
	qb_result result;
	char error[ERROR_BYTES]; /* set when the result is not QB_OK */
};

/* Sends the request and waits for its answer, over as many connections as it takes; `bodies` may be
 * NULL. QB_LOST, and the connection is given up, when the answer does not begin within
 * `answer_ms` from when the request has been sent, or nothing moves for the grace while one of
 * the two is under way: a large body may take its time. */
qb_result request_run(qb *q, struct qp_request *m, const struct bodies *bodies,
		      struct wait *w, int64_t answer_ms);

/* The same for requests that do not wait in the broker, and for those that do. */
qb_result request_call(qb *q, struct qp_request *m, struct wait *w);
qb_result request_wait(qb *q, struct qp_request *m, const struct bodies *bodies,
		       struct wait *w, int64_t timeout_ms);

#endif
