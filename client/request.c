/* SPDX-License-Identifier: MIT
 * Requests: encoded straight into what is sent, and waited for. */
#include "client/request.h"
#include "client/conn.h"

#include <string.h>

#define HEAD_BYTES 384 /* at least what a head takes beside its strings and lists */
#define NUMBER	   9   /* bytes of the longest integer */

/* Of options that may be long. */
static size_t
strings_len(const struct qp_options *o)
{
	size_t len = 0;

	if (QP_GIVEN(o, client))
		len += o->client.len;
	if (QP_GIVEN(o, group))
		len += o->group.len;
	if (QP_GIVEN(o, key))
		len += o->key.len;
	return len;
}

/* Room for the whole request in one piece, so that it is added or nothing is. What is
 * not copied, or one of many bodies, may still fail later: then the connection is given
 * up. */
static bool
reserve(qb *q, const struct qp_request *m, size_t body_len)
{
	size_t len = HEAD_BYTES + m->queue.len + m->group.len +
		     strings_len(&m->options) + (m->lengths.n + m->tags.n) * NUMBER +
		     body_len;

	if (q->out.failed)
		return false;
	if (qp_out_reserve(&q->out, len))
		return true;
	q->out.failed = false;
	return false;
}

static qb_result
no_memory(qb *q)
{
	return error_set(q, QB_NO_MEMORY, "there is no memory for the request");
}

qb_result
request_add(qb *q, struct qp_request *m, const struct bodies *bodies, struct call *call)
{
	size_t large = bodies && bodies->lasting ? LARGE_BODY : SIZE_MAX;
	size_t len = bodies ? bodies->len : 0;
	struct call *slot;

	if (q->fd < 0)
		return error_set(q, QB_LOST, "there is no connection any more");
	if (!reserve(q, m, len < large ? len : 0) || !(slot = call_new(&q->calls)))
		return no_memory(q);
	m->rid = call->rid = slot->rid;
	call->op = (uint8_t)m->op;
	*slot = *call;
	qp_request_encode(&q->out, m, (uint32_t)len);
	for (unsigned i = 0; bodies && i < bodies->n; i++) {
		const struct iovec *part = &bodies->parts[i];

		if (part->iov_len < large)
			qp_out_append(&q->out, part->iov_base, part->iov_len);
		else
			qp_out_refer(&q->out, part->iov_base, part->iov_len, NULL,
				     NULL);
	}
	return QB_OK;
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
	if (!reserve(q, m, 0))
		return no_memory(q);
	qp_request_encode(&q->out, m, 0);
	return QB_OK;
}

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

/* QB_AGAIN when the answer is not there in time. */
static qb_result
exchange(qb *q, struct wait *w, int64_t answer_ms)
{
	int64_t stall_ms = answer_ms < q->grace.wait_ms ? answer_ms : q->grace.wait_ms;
	uint64_t moved;
	qb_result r = conn_flush(q, stall_ms);

	if (r != QB_OK)
		return r;
	do {
		moved = q->moved;
		r = conn_run(q, &w->pending, 0, deadline_after(answer_ms));
		answer_ms = q->grace.wait_ms;
	} while (r == QB_AGAIN && q->in.call.rid != 0 && q->moved != moved);
	return r;
}

qb_result
request_run(qb *q, struct qp_request *m, const struct bodies *bodies, struct wait *w,
	    int64_t answer_ms)
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
	r = exchange(q, w, answer_ms);
	if (r == QB_AGAIN) {
		error_set(q, QB_LOST, "the broker did not answer %s in time",
			  qp_op_name(m->op));
		conn_drop(q, QB_LOST);
	}
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
request_call(qb *q, struct qp_request *m, struct wait *w)
{
	return request_run(q, m, NULL, w, q->grace.call_ms);
}

qb_result
request_wait(qb *q, struct qp_request *m, const struct bodies *bodies, struct wait *w,
	     int64_t timeout_ms)
{
	int64_t ms = q->grace.wait_ms;

	return request_run(q, m, bodies, w,
			   timeout_ms < NEVER - ms ? timeout_ms + ms : NEVER);
}
