/* SPDX-License-Identifier: MIT
 *
 * A request that waits, in one allocation. It stands in a line of its queue, in the
 * list of its session, in the table of waiting requests and, with a deadline, among the
 * timers; when it is answered it moves to qe.finished with its answer, which takes no
 * memory.
 */
#ifndef QBROKER_CORE_WAITER_H
#define QBROKER_CORE_WAITER_H

#include "daemon/core/engine.h"
#include "daemon/core/get.h"
#include "daemon/core/heap.h"
#include "daemon/core/join.h"
#include "daemon/core/list.h"
#include "daemon/core/put.h"
#include "daemon/core/queue.h"

/* A place in a line. */
struct wait_slot {
	struct list node; /* queue.line[], then qe.finished */
	struct queue *queue;
	struct waiter *waiter;
};

struct waiter {
	struct wait_slot slot;
	struct list in_session;
	struct heap_node timer;
	uint64_t timer_ns;    /* when qe_tick() looks at it: its deadline, or earlier */
	uint64_t deadline_ns; /* of the request */
	uint64_t since_ns;    /* when it began to wait */
	uint64_t seq;	      /* the order of arrival */
	uint64_t rid;
	struct qe_session *session;
	enum qe_request request;
	enum line line;
	bool lingers; /* the timer is the end of its linger */
	bool finished;
	struct group *group;  /* a join of it, or a put into it: a reference */
	struct list in_group; /* group.joins or group.puts, while it waits */
	struct list begun; /* keep.begun: more of its put was accepted than is written */
	union {
		struct put put;
		struct get get;
		struct join join;
	};
	struct qe_reply reply; /* once it is finished */
	unsigned n_items;      /* of the array */
	struct qe_item *items[];
};

/* Puts the waiter to the end of a line of the queue, and takes it out. */
void waiter_line_up(struct waiter *w, struct wait_slot *slot, struct queue *q);
void waiter_leave_line(struct wait_slot *slot, enum line line);

/* The first waiter of a line, or NULL. */
struct waiter *waiter_first(const struct queue *q, enum line line);

/* Whether the session may wait with this rid: QE_OK, QE_INVALID. */
enum qe_result waiter_check(const struct qe *e, const struct qe_session *session,
			    uint64_t rid);

/* The session's request that waits, or NULL. */
struct waiter *waiter_find(const struct qe *e, const struct qe_session *session,
			   uint64_t rid);

/* Makes a waiter with room for `n_items` pointers, and reserves what it will need.
 * QE_LIMIT, QE_NOMEM. */
enum qe_result waiter_new(struct qe *e, struct qe_session *session, uint64_t rid,
			  unsigned n_items, struct waiter **ret_waiter) QE_MUST_USE;

/* Puts a new waiter to the end of the line; `q` NULL: a get from many queues, to the
 * ends of theirs. Its `put` or `get`, and `group`, have been filled in; for a get with
 * acknowledgement a lease was reserved. */
void waiter_start(struct qe *e, struct waiter *w, struct queue *q, enum line line,
		  uint64_t deadline_ns);

/* Sets the time at which qe_tick() looks at it. */
void waiter_set_timer(struct qe *e, struct waiter *w, uint64_t timer_ns);

/* Ends the wait. A get or a join gets `result`, a put's rest is refused with it. */
void waiter_finish(struct qe *e, struct waiter *w, enum qe_result result);

/* Ends the wait of a get with what it can take of a queue of its, which has ready items. */
void waiter_give(struct qe *e, struct waiter *w, struct queue *q);

/* The queue has no items and gets none: ends the wait of a get, or, if it waits for others
 * too, takes it out of this line. */
void waiter_shut_out(struct qe *e, struct waiter *w, struct queue *q);

/* The wait is about to end: the next settle() looks at what it waited for. */
void waiter_settle_later(struct qe *e, struct waiter *w);

/* Frees the waiter and everything that it owns, waiting or finished. */
void waiter_drop(struct qe *e, struct waiter *w);

/* For the call that started it: QE_WAIT, or the answer if it is finished already; not of a get if another one of
 * the session was before it, whose answer would come out later. */
enum qe_result waiter_answer(struct qe *e, struct waiter *w,
			     struct qe_reply *ret_reply) QE_MUST_USE;

/* What was allocated for it. */
size_t waiter_size(const struct waiter *w);

bool waiter_timer_before(const struct heap_node *a, const struct heap_node *b);

#endif
