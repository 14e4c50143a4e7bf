/* SPDX-License-Identifier: MIT
 *
 * A session and its holdings. A holding is what one session has of one queue: a list of
 * leases, the oldest first. It is kept while it has leases or a waiting get counts on
 * it, and the one used last is kept also when it is empty, so that a worker's get and
 * ack take no memory.
 */
#ifndef QBROKER_CORE_SESSION_H
#define QBROKER_CORE_SESSION_H

#include "daemon/core/engine.h"
#include "daemon/core/keep.h"
#include "daemon/core/item.h"
#include "daemon/core/list.h"

struct queue;

struct holding {
	struct list in_session, in_queue;
	struct list leases; /* of struct qe_item */
	struct qe_session *session;
	struct queue *queue;
	unsigned pins; /* waiting gets that count on it */
};

struct qe_session {
	struct list in_engine; /* qe.sessions, or qe.ended */
	struct heap_node by_serial; /* in qe.serials, until it has ended */
	uint64_t serial;
	uint8_t id[16];
	void *owner; /* NULL: it has ended */
	struct qe_text *name; /* NULL: none */
	struct list waiters;  /* those that wait and those whose answer was not taken */
	uint64_t waiting;     /* those that wait */
	uint64_t leased;      /* items that it holds */
	struct list holdings; /* of struct holding */
	uint64_t gave; /* serial of the queue that gave to its last round_robin get */
	struct holding *recent; /* the one used last, may be NULL */
	bool notices;		/* told of what happens; never when it has ended */
	struct kept kept;	/* if it has to do with durable queues */
	enum item_cause cause;	/* ended: why its leases come back */
};

/* A session that there was before, with its number. QE_INVALID: one with this id exists. QE_NOMEM. */
enum qe_result session_restore(struct qe *e, const uint8_t id[16], uint64_t number,
			       struct qe_session **ret_session) QE_MUST_USE;

/* It had ended; nothing points to it yet. */
void session_restore_end(struct qe *e, struct qe_session *session);

/* The session with this number that has not ended, or NULL. */
struct qe_session *session_numbered(const struct qe *e, uint64_t number);

/* The holding of the session on the queue, or NULL. */
struct holding *holding_find(const struct qe *e, const struct qe_session *session,
			     const struct queue *q);

/* The same, made if there is none. NULL: no memory. */
struct holding *holding_need(struct qe *e, struct qe_session *session, struct queue *q);

/* Keeps the holding for a waiting get. */
void holding_pin(struct holding *h);
void holding_unpin(struct qe *e, struct holding *h);

/* Frees the holding if it is no longer needed. */
void holding_tidy(struct qe *e, struct holding *h);

/* Frees a holding without leases and pins. */
void holding_free(struct qe *e, struct holding *h);

/* The name that the session was given; the length is 0 without one. */
struct qe_name session_name(const struct qe_session *session);

bool session_before(const struct heap_node *a, const struct heap_node *b);

/* Frees a session that has ended and holds nothing. */
void session_free(struct qe *e, struct qe_session *session);

#endif
