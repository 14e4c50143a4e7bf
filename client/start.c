/* SPDX-License-Identifier: MIT
 * Requests that finish in a callback, and what an event loop needs. */
#include "client/conn.h"
#include "client/get.h"
#include "client/item.h"
#include "client/lease.h"
#include "client/put.h"
#include "client/request.h"

#include <poll.h>
#include <sys/socket.h>

#define READS	      16 /* of one qb_process(): the caller's loop has others to serve */
#define QUARTER_LEAST 16

/* --- starting ---------------------------------------------------------------------- */

/* A quarter of what is outstanding is asked for again as soon as it has gathered, so that both ends work
 * at the same time. Fewer would cost more than the broker's waiting. */
static void
send_quarter(qb *q)
{
	if (q->gather.gets >= QUARTER_LEAST && q->gather.gets * 4 >= q->started)
		conn_push(q);
}

static void
tell_one(qb *q, const struct call *call, struct answer *answer)
{
	uint64_t id = 0;
	qb_item *item = NULL;

	if (answer->result == QB_OK && call->op == QP_OP_PUT)
		id = answer->reply->id;
	if (answer->result == QB_OK && call->op == QP_OP_GET_ANY)
		id = QP_OPT(&answer->reply->options, which);
	if (answer->result == QB_OK &&
	    (call->op == QP_OP_GET || call->op == QP_OP_GET_ANY ||
	     call->op == QP_OP_GET_RUN)) {
		item = answer->items[0];
		answer->items[0] = NULL;
	}
	call->done(q, call->rid, answer->result, id, item, call->arg);
}

static void
tell_put_many(qb *q, const struct call *call, struct answer *answer)
{
	int64_t ids[QB_MAX_BATCH];
	qb_result r = answer->result;
	bool known = r == QB_OK;

	if (known)
		r = put_many_results(q, answer->reply->results, call->max_items, ids);
	known = known && r != QB_MALFORMED;
	call->put_many(q, call->rid, r, known ? ids : NULL, call->max_items, call->arg);
}

static void
tell_get_many(qb *q, const struct call *call, struct answer *answer)
{
	unsigned n = answer->result == QB_OK ? answer->n : 0;

	call->get_many(q, call->rid, answer->result, answer->items, n, call->arg);
	for (unsigned i = 0; i < n; i++)
		answer->items[i] = NULL;
}

static void
finish_started(qb *q, const struct call *call, struct answer *answer)
{
	q->started--;
	q->in_callback = true;
	if (call->op == QP_OP_PUT_MANY)
		tell_put_many(q, call, answer);
	else if (call->op == QP_OP_GET_MANY)
		tell_get_many(q, call, answer);
	else
		tell_one(q, call, answer);
	q->in_callback = false;
	verify_fork(q);
	send_quarter(q);
}

/* The request has been added: sends, when enough has gathered, what goes without waiting. No callback
 * is called from here. */
static qb_result
started(qb *q, const struct call *call, uint64_t *ret_request)
{
	q->started++;
	if (ret_request)
		*ret_request = call->rid;
	if (q->out.len >= SEND_BYTES && !q->in_callback)
		conn_push(q);
	return QB_OK;
}

static qb_result
start(qb *q, struct qp_request *m, const struct bodies *bodies, struct call *call,
      uint64_t *ret_request)
{
	/* A get that may wait may also be late. */
	bool late = m->op == QP_OP_GET && !m->options.present && m->timeout_ms > 0;
	qb_result r = late ? gather_get(q, m, call) : request_add(q, m, bodies, call);

	return r ? r : started(q, call, ret_request);
}

static qb_result
verify_done(qb *q, bool given)
{
	return given ? QB_OK : error_set(q, QB_INVALID, "the callback is NULL");
}

qb_result
qb_start_put(qb *q, const char *queue, const void *body, size_t len, int64_t timeout_ms,
	     qb_done *done, void *arg, uint64_t *ret_request)
{
	const struct iovec part = {(void *)body, len};
	const struct bodies bodies = {&part, 1, len, false, NULL};
	struct call call = {.finish = finish_started, .done = done, .arg = arg};
	struct qp_request m;
	qb_result r;

	request_init(&m, QP_OP_PUT);
	if ((r = verify_queue(q, queue, &m.queue)) ||
	    (r = verify_timeout(q, "timeout_ms", timeout_ms)) ||
	    (r = verify_done(q, done != NULL)) || (r = verify_connected(q, 0)) ||
	    (r = verify_body(q, body, len)))
		return r;
	m.timeout_ms = wire_timeout(timeout_ms);
	return start(q, &m, &bodies, &call, ret_request);
}

qb_result
start_request(qb *q, struct qp_request *m, qb_done *done, void *arg,
	      uint64_t *ret_request)
{
	struct call call = {.finish = finish_started,
			    .done = done,
			    .arg = arg,
			    .ack = (uint8_t)m->ack,
			    .max_items = (uint16_t)m->max_items};
	qb_result r;

	if ((r = verify_done(q, done != NULL)) || (r = verify_connected(q, 0)))
		return r;
	return start(q, m, NULL, &call, ret_request);
}

/* One more get like those that have gathered: what it asks has been verified. */
static qb_result
start_another_get(qb *q, qb_done *done, void *arg, uint64_t *ret_request)
{
	struct call call = {.finish = finish_started, .done = done, .arg = arg};
	qb_result r = gather_another_get(q, &call);

	return r ? r : started(q, &call, ret_request);
}

qb_result
qb_start_get_with(qb *q, const char *queue, const qb_get_options *options,
		  int64_t timeout_ms, qb_ack_mode ack, qb_done *done, void *arg,
		  uint64_t *ret_request)
{
	struct qp_request m;
	qb_result r;

	verify_fork(q);
	if (!options && done && timeout_ms > 0 && q->fd >= 0 && !q->out.failed &&
	    gather_takes_get(&q->gather, queue, wire_timeout(timeout_ms), ack))
		return start_another_get(q, done, arg, ret_request);
	request_init(&m, QP_OP_GET);
	m.ack = (enum qp_ack)ack;
	if ((r = verify_queue(q, queue, &m.queue)) ||
	    (r = verify_timeout(q, "timeout_ms", timeout_ms)) ||
	    (r = verify_ack(q, ack)) || (r = get_options_take(q, options, &m.options)))
		return r;
	m.timeout_ms = wire_timeout(timeout_ms);
	return start_request(q, &m, done, arg, ret_request);
}

qb_result
qb_start_get(qb *q, const char *queue, int64_t timeout_ms, qb_ack_mode ack,
	     qb_done *done, void *arg, uint64_t *ret_request)
{
	return qb_start_get_with(q, queue, NULL, timeout_ms, ack, done, arg,
				 ret_request);
}

/* One about an item that is leased: its operation and options are in `m`. */
static qb_result
start_for_item(qb *q, struct qp_request *m, const qb_item *item, qb_done *done,
	       void *arg, uint64_t *ret_request)
{
	struct call call = {.finish = finish_started, .done = done, .arg = arg};
	qb_result r;

	if ((r = verify_done(q, done != NULL)) || (r = verify_held_for(q, m, item)))
		return r;
	return start(q, m, NULL, &call, ret_request);
}

qb_result
qb_start_ack(qb *q, const qb_item *item, qb_done *done, void *arg,
	     uint64_t *ret_request)
{
	struct qp_request m;

	request_init(&m, QP_OP_ACK);
	return start_for_item(q, &m, item, done, arg, ret_request);
}

qb_result
qb_start_touch(qb *q, const qb_item *item, int64_t lease_ms, qb_done *done, void *arg,
	       uint64_t *ret_request)
{
	struct qp_request m = {.op = QP_OP_TOUCH};
	qb_result r = lease_option(q, lease_ms, &m.options);

	return r ? r : start_for_item(q, &m, item, done, arg, ret_request);
}

/* --- many -------------------------------------------------------------------------- */

qb_result
qb_start_put_many(qb *q, const char *queue, const qb_put_options *options,
		  const struct iovec *parts, unsigned n, int atomic, int64_t timeout_ms,
		  qb_put_many_done *done, void *arg, uint64_t *ret_request)
{
	struct call call = {.finish = finish_started,
			    .put_many = done,
			    .arg = arg,
			    .max_items = (uint16_t)n};
	int64_t lengths[QB_MAX_BATCH];
	struct bodies bodies;
	struct qp_request m;
	qb_result r;

	if ((r = put_many_request(q, queue, options, n, atomic, timeout_ms, &m)) ||
	    (r = verify_done(q, done != NULL)) || (r = verify_connected(q, 0)) ||
	    (r = put_many_bodies(q, parts, n, lengths, &m, &bodies)))
		return r;
	return start(q, &m, &bodies, &call, ret_request);
}

qb_result
qb_start_get_many(qb *q, const char *queue, const qb_get_options *options,
		  int64_t timeout_ms, qb_ack_mode ack, unsigned max_items,
		  unsigned min_items, uint64_t max_bytes, int64_t linger_ms,
		  qb_get_many_done *done, void *arg, uint64_t *ret_request)
{
	struct call call = {.finish = finish_started,
			    .get_many = done,
			    .arg = arg,
			    .ack = (uint8_t)ack,
			    .max_items = (uint16_t)max_items};
	struct qp_request m;
	qb_result r;

	if ((r = get_many_request(q, queue, options, timeout_ms, ack, max_items,
				  min_items, max_bytes, linger_ms, &m)) ||
	    (r = verify_done(q, done != NULL)) || (r = verify_connected(q, 0)))
		return r;
	return start(q, &m, NULL, &call, ret_request);
}

/* --- others ------------------------------------------------------------------------ */

qb_result
qb_start_join(qb *q, const char *queue, int64_t timeout_ms, qb_done *done, void *arg,
	      uint64_t *ret_request)
{
	struct qp_request m = {.op = QP_OP_JOIN};
	qb_result r;

	if ((r = verify_queue(q, queue, &m.queue)) ||
	    (r = verify_timeout(q, "timeout_ms", timeout_ms)))
		return r;
	m.timeout_ms = wire_timeout(timeout_ms);
	return start_request(q, &m, done, arg, ret_request);
}

qb_result
qb_cancel(qb *q, uint64_t request)
{
	struct qp_request m = {.op = QP_OP_CANCEL, .target = request};
	const struct call *call;

	verify_fork(q);
	call = call_find(&q->calls, request);
	if (!call || call->finish != finish_started)
		return error_set(q, QB_NOT_FOUND, "request %llu is not outstanding",
				 (unsigned long long)request);
	return request_unheard(q, &m);
}

/* --- the event loop ---------------------------------------------------------------- */

short
qb_events(const qb *q)
{
	if (qb_fd(q) < 0)
		return 0;
	return q->out.len > 0 || q->out.failed || gather_waits(&q->gather)
		       ? POLLIN | POLLOUT
		       : POLLIN;
}

qb_result
qb_process(qb *q)
{
	enum conn_got got = CONN_FULL;
	qb_result r;

	if ((r = verify_handle(q)))
		return r;
	if (q->fd < 0 && !q->lost)
		return error_set(q, QB_LOST, "there is no connection");
	if (q->fd < 0 && conn_resume_once(q, CONN_LEAST_MS) != QB_OK)
		return QB_LOST;
	r = conn_write(q);
	for (int i = 0; i < READS && got == CONN_FULL && r == QB_OK && q->fd >= 0; i++)
		r = conn_read(q, &got);
	if (r == QB_OK && q->fd >= 0)
		r = conn_write(q);
	if (r == QB_LOST && q->lost && conn_resume_once(q, CONN_LEAST_MS) == QB_OK)
		r = conn_write(q);
	return r;
}

qb_result
qb_send(qb *q)
{
	qb_result r = verify_connected(q, 0);

	if (r != QB_OK || q->in_callback) /* then the call around it sends */
		return r;
	return conn_write(q);
}

qb_result
qb_wait(qb *q, int64_t timeout_ms)
{
	qb_result r;

	if ((r = verify_timeout(q, "timeout_ms", timeout_ms)) || (r = verify_handle(q)))
		return r;
	r = conn_run(q, &q->started, 0, deadline_after(timeout_ms), WITHOUT(NEVER));
	if (r == QB_AGAIN)
		error_set(q, QB_AGAIN, "%u requests are outstanding", q->started);
	return r;
}
