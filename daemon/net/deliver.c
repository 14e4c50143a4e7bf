/* SPDX-License-Identifier: MIT
 * What the engine answers, as frames; items are in deliver_items.c. */
#include "daemon/net/deliver.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "daemon/net/held.h"
#include "daemon/net/remember.h"
#include "daemon/net/run.h"
#include "daemon/net/server.h"

#define MS UINT64_C(1000000)

static const struct {
	enum qp_status status;
	const char *text; /* NULL: the status says it all */
} results[] = {
	[QE_OK] = {QP_OK, NULL},
	[QE_WAIT] = {QP_OK, NULL},
	[QE_EMPTY] = {QP_EMPTY, NULL},
	[QE_EMPTY_PAUSED] = {QP_EMPTY, "the queue is paused: it gives no items"},
	[QE_FULL_ITEMS] = {QP_FULL, "the queue has maxsize items"},
	[QE_FULL_BYTES] = {QP_FULL, "the queue has max_bytes bytes"},
	[QE_FULL_MEMORY] = {QP_FULL, "the broker has reached its memory_limit"},
	[QE_FULL_PAUSED] = {QP_FULL, "the queue is paused: it takes no items"},
	[QE_FULL_JOURNAL] =
		{QP_FULL, "the journal of durable queues has to be cleaned first: it "
			  "grows faster than that is done"},
	[QE_TIMEOUT] = {QP_TIMEOUT, NULL},
	[QE_SHUT_DOWN] = {QP_SHUT_DOWN, NULL},
	[QE_CANCELLED] = {QP_CANCELLED, NULL},
	[QE_NOT_FOUND] = {QP_NOT_FOUND, NULL},
	[QE_MISMATCH] = {QP_MISMATCH, NULL},
	[QE_STALE] = {QP_STALE, NULL},
	[QE_NOT_LEASED] = {QP_NOT_LEASED, NULL},
	[QE_TOO_BIG] = {QP_TOO_BIG,
			"it can never fit the queue's maxsize and max_bytes"},
	[QE_INVALID] = {QP_INVALID,
			"a number is out of range, or a request with this rid waits"},
	[QE_LIMIT] =
		{QP_LIMIT,
		 "the broker's max_queues or this session's max_waiters is reached"},
	[QE_NOMEM] = {QP_NO_MEMORY, NULL},
	[QE_NOT_EMPTY] = {QP_NOT_EMPTY,
			  "the queue has items or waiting requests; force deletes it"},
	[QE_DELETED] = {QP_DELETED, NULL},
	[QE_DUPLICATE] = {QP_DUPLICATE, NULL},
	[QE_STALLED] = {QP_STALLED, NULL},
	[QE_DEAD] = {QP_DEAD, NULL},
	[QE_NO_SPACE] =
		{QP_NOSPACE,
		 "the disk of state_dir has no room for it: finish items, or make room "
		 "there; puts are accepted again by themselves"},
	[QE_UNDECIDED] = {QP_OK, NULL}, /* never told */
	[QE_LOST] = {QP_STOPPING, "the journal has failed"},
};

enum qp_status
deliver_status(enum qe_result result)
{
	return results[result].status;
}

/* --- refusals and fields --------------------------------------------------------- */

/* Dead items keep their memory, and no get makes room of it: somebody must look at them. */
static const char *
memory_text(const struct server *server, char buf[QP_MAX_TEXT])
{
	const char *text = results[QE_FULL_MEMORY].text;
	struct qe_stats stats;

	qe_stats(server->engine, &stats);
	if (stats.dead == 0)
		return text;
	snprintf(buf, QP_MAX_TEXT,
		 "%s; %" PRIu64 " dead items keep some of it until they are kicked or "
		 "purged",
		 text, stats.dead);
	return buf;
}

static void
refuse(struct conn *c, uint64_t rid, enum qe_result result)
{
	enum qp_status status = results[result].status;
	const char *text = results[result].text;
	char buf[QP_MAX_TEXT];

	if (result == QE_FULL_MEMORY)
		text = memory_text(c->server, buf);
	qp_refusal_encode(&c->out, status, rid, text ? text : qp_status_text(status));
	conn_dirty(c);
}

void
deliver_result(struct conn *c, uint64_t rid, enum qe_result result)
{
	if (rid == 0)
		return;
	refuse(c, rid, result);
	remember_refusal(c, rid, results[result].status);
}

void
deliver_refusal(struct conn *c, uint64_t rid, enum qp_status status, const char *fmt,
		...)
{
	char text[QP_MAX_TEXT];
	va_list ap;

	if (rid == 0)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	qp_refusal_encode(&c->out, status, rid, text);
	conn_dirty(c);
	remember_refusal(c, rid, status);
}

static void
append_fields(struct conn *c, enum qp_op op, const struct qp_reply *reply)
{
	qp_reply_encode(&c->out, op, reply, 0);
	conn_dirty(c);
}

void
deliver_fields(struct conn *c, const struct qp_request *request, struct qp_reply *reply)
{
	if (request->rid == 0)
		return;
	reply->rid = request->rid;
	append_fields(c, request->op, reply);
	remember_fields(c, request->op, reply);
}

void
deliver_again(struct conn *c, const struct qp_request *request, struct qp_reply *reply)
{
	reply->rid = request->rid;
	if (reply->status == QP_OK)
		append_fields(c, request->op, reply);
	else
		qp_refusal_encode(&c->out, reply->status, reply->rid,
				  qp_status_text(reply->status));
	conn_dirty(c);
}

void
deliver_ok(struct conn *c, const struct qp_request *request)
{
	struct qp_reply reply;

	deliver_begin(&reply, request->rid);
	deliver_fields(c, request, &reply);
}

void
deliver_notice(struct session *session, enum qp_notice kind,
	       const struct qp_options *options)
{
	struct conn *c = session->conn;

	/* Nobody asked for it now, so nothing else bounds what gathers. */
	if (!session->notices || !c || conn_unsent(c) > c->server->limits.output_high)
		return;
	qp_notice_encode(&c->out, kind, options);
	conn_dirty(c);
}

void
deliver_notices(struct server *s)
{
	struct qe_notice notice;

	while (qe_next_notice(s->engine, &notice)) {
		struct qp_options o = {0};

		QP_GIVE(&o, id, notice.tag.id);
		QP_GIVE(&o, delivery, notice.tag.delivery);
		QP_GIVE(&o, queue,
			((struct qp_str){notice.queue.p, (uint32_t)notice.queue.len}));
		QP_GIVE(&o, left_ms, notice.left_ns / MS);
		deliver_notice(qe_session_owner(notice.session), QP_NOTICE_LEASE_ENDING,
			       &o);
	}
}

/* --- replies --------------------------------------------------------------------- */

/* Whether it is to be gone on with. Of results that are the wire's nobody could tell: they are other numbers. */
static bool
has_begun(const struct qe_reply *reply)
{
	return reply->result == QE_OK && reply->results &&
	       reply->results[reply->n - 1] == -QE_UNDECIDED;
}

/* The engine's results become the wire's statuses in place. */
static void
results_to_wire(struct qe_reply *reply)
{
	if (reply->result != QE_OK || !reply->results)
		return;
	for (unsigned i = 0; i < reply->n; i++)
		if (reply->results[i] < 0)
			reply->results[i] =
				-(int64_t)results[-reply->results[i]].status;
}

static void
append_put(struct conn *c, uint64_t rid, const struct qe_reply *reply)
{
	struct qp_reply m;

	deliver_begin(&m, rid);
	m.id = reply->id;
	if (!reply->many) {
		if (reply->dup)
			QP_GIVE(&m.options, duplicate, 1);
		qp_reply_encode(&c->out, QP_OP_PUT, &m, 0);
		conn_dirty(c);
		return;
	}
	m.results = (struct qp_list){.n = reply->n, .numbers = reply->results};
	qp_reply_encode(&c->out, QP_OP_PUT_MANY, &m, 0);
	conn_dirty(c);
}

static void
append_join(struct conn *c, uint64_t rid, const struct qe_reply *reply)
{
	struct qp_reply m;

	deliver_begin(&m, rid);
	if (reply->died > 0)
		QP_GIVE(&m.options, died, reply->died);
	append_fields(c, QP_OP_JOIN, &m);
}

static void
refuse_join(struct conn *c, uint64_t rid, const struct qe_reply *reply)
{
	char text[QP_MAX_TEXT];

	if (reply->result == QE_STALLED)
		snprintf(text, sizeof(text),
			 "nothing has happened for %" PRIu64 " ms: ready %" PRIu64
			 ", delayed %" PRIu64 ", held 0, and nobody gets%s",
			 reply->stall_ns / 1000000, reply->ready, reply->delayed,
			 reply->paused ? "; the queue is paused" : "");
	else if (reply->result == QE_DEAD)
		snprintf(text, sizeof(text),
			 "%" PRIu64 " items died while the join waited", reply->died);
	else {
		refuse(c, rid, reply->result);
		return;
	}
	qp_refusal_encode(&c->out, results[reply->result].status, rid, text);
	conn_dirty(c);
}

void
deliver_reply(struct conn *c, uint64_t rid, struct qe_reply *reply)
{
	if (reply->many)
		results_to_wire(reply);
	if (reply->result != QE_OK && reply->request == QE_REQUEST_JOIN)
		refuse_join(c, rid, reply);
	else if (reply->result != QE_OK)
		refuse(c, rid, reply->result);
	else if (reply->request == QE_REQUEST_JOIN)
		append_join(c, rid, reply);
	else if (reply->request == QE_REQUEST_PUT)
		append_put(c, rid, reply);
	else if (reply->many)
		deliver_items(c, rid, reply);
	else
		deliver_item(c, reply->giver ? QP_OP_GET_ANY : QP_OP_GET, rid,
			     qe_reply_item(reply, 0),
			     reply->giver ? reply->giver - 1U : 0);
	if (c->session->resumes)
		remember_reply(c->session, rid, reply, false);
	qe_reply_done(c->server->engine, reply);
}

/* The same when it may have to wait. */
static void
deliver_waited(struct conn *c, struct qe_reply *reply)
{
	struct qe_after after = reply->after;
	struct qp_mark mark = qp_out_mark(&c->out);

	deliver_reply(c, reply->rid, reply);
	if (held_must(c, after))
		held_hold(c, &mark, after);
}

/* For a client that is not there now. */
static void
keep_reply(struct session *session, struct qe_reply *reply)
{
	bool begun = has_begun(reply);

	if (!begun)
		results_to_wire(reply);
	remember_reply(session, reply->rid, reply, begun);
	qe_reply_done(session->server->engine, reply);
}

void
deliver_finished(struct server *s)
{
	struct session *session;
	struct qe_reply reply;
	struct run run;

	run.n = 0;
	while (qe_next_reply(s->engine, &reply)) {
		session = qe_session_owner(reply.session);
		if (reply.run && session->conn) {
			run_add(&run, session->conn, reply.rid, &reply, reply.after);
			continue;
		}
		run_end(&run);
		if (session->conn)
			deliver_waited(session->conn, &reply);
		else
			keep_reply(session, &reply);
	}
	run_end(&run);
}
