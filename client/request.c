/* SPDX-License-Identifier: MIT
 * Requests: encoded straight into what is sent, and waited for. */
#include "client/request.h"
#include "client/conn.h"
#include "client/item.h"
#include "client/pass.h"

#include <string.h>

#define MUTES 256 /* of so many one asks for an answer, which proves the others */

/* Room for the whole request in one piece, so that it is added or nothing is. What is
 * not copied, or one of many bodies, may still fail later: then the connection is given
 * up. */
static bool
reserve(qb *q, const struct qp_request *m, size_t body_len)
{
	if (q->out.failed)
		return false;
	if (qp_out_reserve(&q->out, qp_request_max(m) + body_len))
		return true;
	q->out.failed = false;
	return false;
}

static qb_result
no_memory(qb *q)
{
	return error_set(q, QB_NO_MEMORY, "there is no memory for the request");
}

int64_t
request_deadline(const struct qp_request *m)
{
	if (m->timeout_ms == 0)
		return 0;
	return m->timeout_ms == QP_FOREVER ? NEVER
					   : deadline_after((int64_t)m->timeout_ms);
}

static void
append_bodies(qb *q, const struct bodies *bodies, size_t large)
{
	for (unsigned i = 0; i < bodies->n; i++) {
		const struct iovec *part = &bodies->parts[i];

		if (part->iov_len < large)
			qp_out_append(&q->out, part->iov_base, part->iov_len);
		else
			qp_out_refer(&q->out, part->iov_base, part->iov_len, NULL,
				     NULL);
	}
}

qb_result
request_append(qb *q, struct qp_request *m, const struct bodies *bodies,
	       struct call *call)
{
	size_t large = bodies && bodies->lasting ? LARGE_BODY : SIZE_MAX;
	size_t len = bodies ? bodies->len : 0;
	struct call *slot;

	if (q->fd < 0 && !q->lost)
		return error_set(q, QB_LOST, "there is no connection any more");
	if (!reserve(q, m, len < large ? len : 0) || !(slot = call_new(&q->calls)))
		return no_memory(q);
	call->rid = slot->rid;
	m->rid = call->mute ? 0 : slot->rid;
	call->op = (uint8_t)m->op;
	call->deadline = request_deadline(m);
	call->mark = qp_out_mark(&q->out);
	*slot = *call;
	if (bodies && bodies->file && q->sends_memfds) {
		pass_append(q, m, bodies->file);
	} else {
		qp_request_encode(&q->out, m, (uint32_t)len);
		if (bodies)
			append_bodies(q, bodies, large);
	}
	if (!q->out.failed)
		qp_out_pin(&q->out, &slot->mark);
	else
		slot->mark = (struct qp_mark){NULL, 0, 0};
	return QB_OK;
}

bool
request_gets(unsigned op)
{
	return op == QP_OP_GET || op == QP_OP_GET_MANY || op == QP_OP_GET_ANY ||
	       op == QP_OP_GET_RUN;
}

qb_result
request_add(qb *q, struct qp_request *m, const struct bodies *bodies, struct call *call)
{
	if (request_gets(m->op))
		gather_end_gets(q);
	else if (!q->greeting)
		gather_end(q);
	return request_append(q, m, bodies, call);
}

static void
finish_unheard(qb *q, const struct call *call, struct answer *answer)
{
}

qb_result
request_unheard(qb *q, struct qp_request *m)
{
	struct call call = {.finish = finish_unheard};

	return request_add(q, m, NULL, &call);
}

qb_result
request_mute(qb *q, struct qp_request *m)
{
	struct call call = {.finish = finish_unheard};
	qb_result r;

	if (q->calls.mutes == 0)
		q->mute_run = 0;
	call.mute = ++q->mute_run % MUTES != 0;
	r = request_append(q, m, NULL, &call);
	if (r == QB_OK && call.mute && q->calls.mutes++ == 0)
		q->calls.first_mute = call.rid;
	return r;
}

struct qp_mark
request_encode(qb *q, const struct qp_request *m)
{
	struct qp_mark mark = {NULL, 0, 0};

	if (!reserve(q, m, 0)) {
		q->out.failed = true;
		return mark;
	}
	mark = qp_out_mark(&q->out);
	qp_request_encode(&q->out, m, 0);
	return mark;
}

void
request_confirm(qb *q, uint64_t rid)
{
	struct qp_request m = {.op = QP_OP_CONFIRM, .last = rid};

	if (!reserve(q, &m, 0))
		return;
	qp_request_encode(&q->out, &m, 0);
	q->heard = 0;
}

qb_result
request_take_item(qb *q, void *ret, struct answer *answer)
{
	*(qb_item **)ret = answer->items[0];
	answer->items[0] = NULL;
	return QB_OK;
}

qb_result
request_take_count(qb *q, void *ret, struct answer *answer)
{
	if (ret)
		*(uint64_t *)ret = answer->reply->count;
	return QB_OK;
}

/* --- waiting for the answer -------------------------------------------------------- */

static void
finish_wait(qb *q, const struct call *call, struct answer *answer)
{
	struct wait *w = call->arg;

	w->pending = 0;
	w->result = answer->result;
	if (w->result == QB_OK && w->take)
		w->result = w->take(q, w->ret, answer);
	if (w->result != QB_OK)
		memcpy(w->error, q->error, sizeof(w->error));
}

/* Items that nobody waits for any more go back to their queue. */
static void
finish_given_up(qb *q, const struct call *call, struct answer *answer)
{
	struct qp_request m = {.op = QP_OP_RELEASE, .epoch = q->epoch};

	for (unsigned i = 0; i < answer->n; i++) {
		m.id = answer->items[i]->id;
		m.delivery = answer->items[i]->delivery;
		(void)request_unheard(q, &m);
	}
}

/* Nobody waits any more, and nobody knows what the connection is good for. What the request did
 * may be known when the session is resumed: the broker may have given items for it. A put is not
 * sent again, so it leaves no ghost. */
static void
give_up(qb *q, uint64_t rid)
{
	struct call *call;

	conn_cut(q);
	call = call_find(&q->calls, rid);
	if (!call)
		return;
	if (!request_gets(call->op) || call->ack == QB_NONE || !call->sent) {
		call_remove(&q->calls, call);
		return;
	}
	call->finish = finish_given_up;
	call->arg = NULL;
	call->given_up = true;
	call->ack = QB_MANUAL;
	call->deadline = 0;
}

/* QB_AGAIN when the answer is not there in time. */
static qb_result
exchange(qb *q, struct wait *w, int64_t answer_ms, struct without without)
{
	int64_t stall_ms = answer_ms < q->grace.wait_ms ? answer_ms : q->grace.wait_ms;
	uint64_t moved;
	qb_result r = conn_flush(q, stall_ms, without);

	if (r != QB_OK)
		return r;
	do {
		moved = q->moved;
		r = conn_run(q, &w->pending, 0, deadline_after(answer_ms), without);
		answer_ms = q->grace.wait_ms;
	} while (r == QB_AGAIN && q->in.call.rid != 0 && q->moved != moved);
	return r;
}

/* No answer: why is in the handle's sentence, but for QB_AGAIN. */
static qb_result
fail(qb *q, const struct qp_request *m, qb_result r)
{
	const struct call *call = call_find(&q->calls, m->rid);
	bool unsent = q->fd < 0 && !call->sent;

	if (r == QB_AGAIN)
		r = error_set(q, QB_LOST, "the broker did not answer %s in time",
			      qp_op_name(m->op));
	give_up(q, m->rid);
	return unsent || q->greeting ? r : QB_LOST;
}

/* `without_ms`: how long it may be without a connection, if its own time is not longer. */
static qb_result
run(qb *q, struct qp_request *m, const struct bodies *bodies, struct wait *w,
    int64_t answer_ms, int64_t without_ms)
{
	struct call call = {
		.finish = finish_wait,
		.arg = w,
		.ack = w->ack,
		.max_items = w->max_items,
	};
	qb_result r = request_add(q, m, bodies, &call);

	if (r != QB_OK)
		return r;
	w->pending = 1;
	r = exchange(q, w, answer_ms, (struct without){without_ms, call.deadline});
	if (w->pending && call_find(&q->calls, m->rid))
		return fail(q, m, r);
	if (w->pending) /* forgotten: a callback forked, and this is the child */
		return r;
	if (w->result == QB_OK)
		return QB_OK;
	error_set(q, w->result, "%s", w->error);
	if (w->result == QB_MALFORMED && q->fd >= 0)
		conn_drop(q, QB_MALFORMED);
	return w->result;
}

qb_result
request_run(qb *q, struct qp_request *m, const struct bodies *bodies, struct wait *w,
	    int64_t answer_ms)
{
	return run(q, m, bodies, w, answer_ms, q->grace.connect_ms);
}

qb_result
request_call(qb *q, struct qp_request *m, struct wait *w)
{
	return run(q, m, NULL, w, q->grace.call_ms, q->grace.connect_ms);
}

qb_result
request_wait(qb *q, struct qp_request *m, const struct bodies *bodies, struct wait *w,
	     int64_t timeout_ms)
{
	int64_t ms = q->grace.wait_ms;

	return run(q, m, bodies, w, timeout_ms < NEVER - ms ? timeout_ms + ms : NEVER,
		   CONN_LEAST_MS);
}
