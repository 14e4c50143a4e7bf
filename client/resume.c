/* SPDX-License-Identifier: MIT
 * Another connection for the same session. Every request that has no answer is sent again, in
 * the order of their start, with what is left of its wait; the broker remembers which it had
 * carried out. When it does not know the session any more, what may be done twice is done, and of the
 * rest nobody knows what became of it. */
#include "client/conn.h"
#include "client/notice.h"
#include "client/request.h"

#include <poll.h>
#include <stdlib.h>

#define FIRST_PAUSE_MS 10
#define MOST_PAUSE_MS  1000

/* Operations that do no harm when they have been carried out before. */
static bool
is_harmless(unsigned op)
{
	switch (op) {
	case QP_OP_PING:
	case QP_OP_GET:
	case QP_OP_GET_MANY:
	case QP_OP_GET_ANY:
	case QP_OP_GET_RUN:
	case QP_OP_JOIN:
	case QP_OP_CANCEL:
	case QP_OP_TOUCH:
	case QP_OP_PEEK:
	case QP_OP_SIZE:
	case QP_OP_DECLARE:
	case QP_OP_SHUTDOWN:
	case QP_OP_REOPEN:
	case QP_OP_PAUSE:
	case QP_OP_QUEUES:
	case QP_OP_STATS:
	case QP_OP_CLIENTS:
	case QP_OP_WAITERS:
	case QP_OP_WHO:
	case QP_OP_BACKUP:
	case QP_OP_RELOAD:
	case QP_OP_DUMP:
	case QP_OP_WATCH: return true;
	default: return false;
	}
}

/* In another session. A broker of another run has other queues: whatever had been done is
 * gone. The leases of the old one are lost, so mute acks are pointless. */
static bool
may_repeat(const struct call *call, bool new_run)
{
	if (call->mute || call->given_up)
		return false;
	return new_run || !call->sent || is_harmless(call->op);
}

static uint64_t
timeout_left(const struct call *call)
{
	return call->deadline == NEVER ? QP_FOREVER
				       : (uint64_t)deadline_left(call->deadline);
}

static void
repeat_bytes(qb *q, const struct call *call)
{
	const uint8_t *bytes = qp_mark_bytes(&call->mark);
	struct qp_frame frame = qp_frame_read(bytes);

	qp_request_repeat(&q->out, bytes, timeout_left(call));
	qp_out_repeat(&q->out, &call->mark, QP_FRAME_BYTES + frame.head_len,
		      frame.body_len);
}

/* The bytes of the body go behind it: over a new connection nobody has asked for descriptors yet. */
static void
repeat_file(qb *q, const struct call *call, const struct qp_file *file)
{
	struct qp_out out;

	qp_out_init(&out);
	qp_request_repeat(&out, qp_mark_bytes(&call->mark), timeout_left(call));
	if (!out.failed)
		qp_frame_set_body((uint8_t *)out.first->bytes, (uint32_t)file->len);
	qp_out_move(&q->out, &out);
	qp_out_refer(&q->out, file->bytes, file->len, NULL, NULL);
}

/* One get out of the frame of many. */
static void
repeat_one_get(qb *q, struct call *call)
{
	const uint8_t *frame = qp_mark_bytes(&call->mark);
	struct qp_request run, get;
	struct qp_error e;

	if (!qp_request_decode(frame + QP_FRAME_BYTES, qp_frame_read(frame).head_len,
			       &run, &e)) {
		q->out.failed = true; /* never: it is what was encoded here */
		return;
	}
	request_init(&get, QP_OP_GET);
	get.rid = call->rid;
	get.queue = run.queue;
	get.timeout_ms = timeout_left(call);
	get.ack = run.ack;
	qp_request_encode(&q->out, &get, 0);
	call->op = QP_OP_GET;
}

/* Appends the request to what is sent, and lets go of its old bytes. false: no memory. */
static bool
repeat(qb *q, struct call *call)
{
	struct qp_mark mark = qp_out_mark(&q->out);
	const struct qp_file *file;

	if (call->gathered)
		return true;
	if (!call->mark.first)
		return false;
	file = qp_mark_file(&call->mark);
	if (call->op == QP_OP_GET_RUN)
		repeat_one_get(q, call);
	else if (file)
		repeat_file(q, call, file);
	else
		repeat_bytes(q, call);
	if (q->out.failed)
		return false;
	qp_out_pin(&q->out, &mark);
	qp_unpin(&call->mark);
	call->mark = mark;
	call->sent &= q->resumed;
	return true;
}

/* Finishes those whose rids are still there: that were not repeated. */
static void
finish_failed(qb *q, const uint64_t *rids, uint64_t n)
{
	struct answer answer = {.result = QB_LOST};

	for (uint64_t i = 0; i < n; i++) {
		struct call *slot = call_find(&q->calls, rids[i]), call;

		if (!slot)
			continue;
		call = *slot;
		q->calls.mutes -= call.mute;
		call_remove(&q->calls, slot);
		error_set(q, QB_LOST, "the session could not be resumed: %.400s",
			  q->lost_why);
		call.finish(q, &call, &answer);
	}
}

/* Sends again what is outstanding. Not QB_OK: there is no memory, and nothing was changed. */
static qb_result
send_again(qb *q)
{
	uint64_t n = q->calls.used, *rids = call_list(&q->calls);
	bool new_run = q->said_epoch != q->epoch, failed = rids == NULL;

	for (uint64_t i = 0; i < n && !failed; i++) {
		struct call *call = call_find(&q->calls, rids[i]);

		if (!q->resumed && !may_repeat(call, new_run))
			continue;
		failed = !repeat(q, call);
		rids[i] = 0;
	}
	if (failed) {
		free(rids);
		return error_set(q, QB_NO_MEMORY,
				 "there is no memory to send the requests again");
	}
	q->epoch = q->said_epoch;
	q->begun = q->said_begun;
	if (q->resumed)
		request_confirm(q, 0);
	else {
		q->mark[0]++; /* its leases are others' */
		gather_forget_acks(&q->gather);
	}
	finish_failed(q, rids, n);
	free(rids);
	return QB_OK;
}

qb_result
conn_resume_once(qb *q, int64_t ms)
{
	qb_result r = conn_link(q, deadline_after(ms));

	if (r != QB_OK)
		return r;
	r = send_again(q);
	if (r == QB_OK) {
		q->lost = false;
		notice_connected(q);
	} else {
		conn_unlink(q);
	}
	return r;
}

/* Whether another attempt may go better. */
static bool
may_pass(qb_result r)
{
	return r == QB_NO_BROKER || r == QB_LOST || r == QB_LIMIT || r == QB_STOPPING ||
	       r == QB_NO_MEMORY || r == QB_DENIED;
}

/* Twice as long each time; and not all clients of a broker that comes back at the same
 * moment. */
static void
pause_until(qb *q, int64_t deadline)
{
	int64_t left = deadline_left(deadline);
	int64_t ms =
		q->pause_ms / 2 + (int64_t)(q->random >> 33) % (q->pause_ms / 2 + 1);

	q->random = q->random * 6364136223846793005 + 1442695040888963407;
	if (ms > left)
		ms = left;
	if (ms > 0)
		(void)poll(NULL, 0, (int)ms);
}

/* One attempt takes no longer than there is time, and as long as a broker needs that is there. */
static int64_t
attempt_ms(const qb *q, int64_t deadline)
{
	int64_t ms = deadline_left(deadline);

	if (ms < CONN_LEAST_MS)
		ms = CONN_LEAST_MS;
	return ms < q->grace.connect_ms ? ms : q->grace.connect_ms;
}

qb_result
conn_resume(qb *q, int64_t deadline)
{
	qb_result r;

	do {
		if (q->pause_ms > 0)
			pause_until(q, deadline);
		r = conn_resume_once(q, attempt_ms(q, deadline));
		q->pause_ms = q->pause_ms == 0 ? FIRST_PAUSE_MS : q->pause_ms * 2;
		if (q->pause_ms > MOST_PAUSE_MS)
			q->pause_ms = MOST_PAUSE_MS;
	} while (r != QB_OK && q->lost && may_pass(r) && deadline_left(deadline) > 0);
	if (r != QB_OK && !may_pass(r) && q->lost)
		return conn_drop(q, r);
	return r;
}
