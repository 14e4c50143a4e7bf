/* SPDX-License-Identifier: MIT
 * What the engine answers, as frames. Small bodies are copied behind their heads, so
 * that one write takes many of them; large ones are sent from the item itself. */
#include "daemon/net/deliver.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/net/held.h"
#include "daemon/net/kept.h"
#include "daemon/net/pass.h"
#include "daemon/net/remember.h"
#include "daemon/net/run.h"
#include "daemon/net/server.h"

/* Above this many bytes a reference costs less than a copy. */
#define COPY_MAX 4096

/* Up to here the bodies of one reply are copied into one block. */
#define TOGETHER_MAX 65536

#define MS UINT64_C(1000000)

/* What is copied is in nobody's books but the connection's, and waiting gets are answered
 * also while their client does not read: then the items themselves wait, which count
 * against the memory limit. */
static bool
is_copied(const struct conn *c, size_t len)
{
	return len == 0 ||
	       (len <= COPY_MAX && conn_unsent(c) <= c->server->limits.output_high);
}

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

/* A success. What the operation's signature does not name has no value, and need not be
 * cleared: it is a lot for one reply. */
static void
begin_reply(struct qp_reply *reply, uint64_t rid)
{
	reply->rid = rid;
	reply->status = QP_OK;
	reply->options.present = 0;
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

	begin_reply(&reply, request->rid);
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

/* --- bodies ---------------------------------------------------------------------- */

static void
release_item(void *owner, void *arg)
{
	qe_item_unref(owner, arg);
}

void
deliver_body(struct conn *c, struct qe_item *item)
{
	size_t len = qe_item_body_len(item);

	if (is_copied(c, len)) {
		qp_out_append(&c->out, qe_item_body(item), len);
		return;
	}
	qe_item_ref(item);
	if (pass_file(item))
		qp_out_refer_file(&c->out, pass_file(item), release_item, item);
	else
		qp_out_refer(&c->out, qe_item_body(item), len, release_item, item);
}

/* Those of one reply: small ones at once. */
static void
deliver_bodies(struct conn *c, struct qe_item *const *items, unsigned n, uint64_t len)
{
	bool together = len <= TOGETHER_MAX &&
			conn_unsent(c) + len <= c->server->limits.output_high;
	uint8_t *p;

	for (unsigned i = 0; together && i < n; i++)
		together = qe_item_body_len(items[i]) <= COPY_MAX;
	if (!together) {
		for (unsigned i = 0; i < n; i++)
			deliver_body(c, items[i]);
		return;
	}
	p = len > 0 ? qp_out_reserve(&c->out, len) : NULL;
	if (!p)
		return;
	for (unsigned i = 0; i < n; i++) {
		size_t size = qe_item_body_len(items[i]);

		memcpy(p, qe_item_body(items[i]), size);
		p += size;
	}
	qp_out_commit(&c->out, len);
}

static struct qp_str
group_of(const struct qe_item *item)
{
	struct qe_name group = qe_item_group(item);

	return (struct qp_str){group.p, (uint32_t)group.len};
}

static void
describe_item(const struct qe_item *item, struct qp_reply *m)
{
	struct qp_options *o = &m->options;
	struct qp_str group;
	uint64_t lease_ns;

	m->id = qe_item_id(item);
	m->delivery = qe_item_deliveries(item);
	if (qe_item_is_plain(item))
		return;
	group = group_of(item);
	lease_ns = qe_item_lease_ns(item);
	if (qe_item_ctype(item))
		QP_GIVE(o, ctype, qe_item_ctype(item));
	if (qe_item_crashes(item))
		QP_GIVE(o, crashes, qe_item_crashes(item));
	if (qe_item_nacks(item))
		QP_GIVE(o, nacks, qe_item_nacks(item));
	if (qe_item_timeouts(item))
		QP_GIVE(o, timeouts, qe_item_timeouts(item));
	if (qe_item_priority(item))
		QP_GIVE(o, priority, qe_item_priority(item));
	if (group.len)
		QP_GIVE(o, group, group);
	if (lease_ns)
		QP_GIVE(o, lease_ms, lease_ns / MS);
}

static void
describe_row(const struct qe_item *item, struct qp_item *row)
{
	*row = (struct qp_item){
		.id = qe_item_id(item),
		.delivery = qe_item_deliveries(item),
		.length = qe_item_body_len(item),
	};
	if (qe_item_is_plain(item))
		return;
	row->ctype = qe_item_ctype(item);
	row->crashes = qe_item_crashes(item);
	row->nacks = qe_item_nacks(item);
	row->timeouts = qe_item_timeouts(item);
	row->priority = qe_item_priority(item);
	row->group = group_of(item);
}

bool
deliver_passes(const struct conn *c, const struct qe_item *item)
{
	return qe_item_body_len(item) >= QP_MIN_MEMFD && c->passed.takes &&
	       pass_file(item);
}

/* The body goes along as a descriptor. */
static void
append_passed(struct conn *c, enum qp_op op, struct qp_reply *m, struct qe_item *item)
{
	const struct qp_file *file = pass_file(item);
	struct qp_out frame;

	qp_out_init(&frame);
	QP_GIVE(&m->options, memfd, file->len);
	qp_reply_encode(&frame, op, m, 0);
	qe_item_ref(item);
	qp_out_pass(&c->out, &frame, file, release_item, item);
}

static void
append_described(struct conn *c, enum qp_op op, struct qp_reply *m,
		 struct qe_item *item)
{
	if (deliver_passes(c, item)) {
		append_passed(c, op, m, item);
	} else {
		qp_reply_encode(&c->out, op, m, (uint32_t)qe_item_body_len(item));
		deliver_body(c, item);
	}
	conn_dirty(c);
}

static void
append_item(struct conn *c, enum qp_op op, uint64_t rid, struct qe_item *item,
	    unsigned which)
{
	struct qp_reply m;

	begin_reply(&m, rid);
	describe_item(item, &m);
	if (which)
		QP_GIVE(&m.options, which, which);
	append_described(c, op, &m, item);
}

static struct qp_str
text_of(struct qe_name text)
{
	return (struct qp_str){text.p, (uint32_t)text.len};
}

const char *const death_names[DEATHS] = {
	[QE_ALIVE] = "",
	[QE_DEATH_ATTEMPTS] = "attempts",
	[QE_DEATH_CRASHES] = "crashes",
	[QE_DEATH_EXPIRED] = "expired",
	[QE_DEATH_BURIED] = "buried",
};

void
deliver_shown(struct conn *c, uint64_t rid, struct qe_shown *shown)
{
	struct qe_item *item = shown->item;
	struct qp_reply m = {.rid = rid};
	const char *reason = death_names[qe_item_death(item)];

	describe_item(item, &m);
	if (shown->dead) {
		QP_GIVE(&m.options, reason,
			((struct qp_str){reason, (uint32_t)strlen(reason)}));
		QP_GIVE(&m.options, dead_ms, shown->dead_ns / MS);
	}
	if (shown->delayed)
		QP_GIVE(&m.options, delay_ms, (shown->due_ns + MS - 1) / MS);
	if (shown->left_ns != QE_NEVER && !shown->dead)
		QP_GIVE(&m.options, ttl_ms, shown->left_ns / MS + 1);
	if (qe_item_error(item).len)
		QP_GIVE(&m.options, error, text_of(qe_item_error(item)));
	if (qe_item_worker(item).len)
		QP_GIVE(&m.options, worker, text_of(qe_item_worker(item)));
	QP_GIVE(&m.options, age_ms, shown->age_ns / MS);
	append_described(c, QP_OP_SHOW, &m, item);
	remember_nothing(c, rid);
	qe_item_unref(c->server->engine, item);
}

void
deliver_item(struct conn *c, enum qp_op op, uint64_t rid, struct qe_item *item,
	     unsigned which)
{
	append_item(c, op, rid, item, which);
	qe_item_unref(c->server->engine, item);
}

/* Not inlined: its array would make the stack frame of every reply large. */
__attribute__((noinline)) void
deliver_rows(struct conn *c, enum qp_op op, uint64_t rid, struct qe_item *const *items,
	     unsigned n)
{
	struct qp_item rows[QP_MAX_BATCH_ITEMS];
	uint64_t lease_ns = qe_item_lease_ns(items[0]); /* of all */
	uint64_t body_len = 0;
	struct qp_reply m;

	begin_reply(&m, rid);
	m.items = (struct qp_list){.n = n};
	m.item_rows = rows;
	for (unsigned i = 0; i < n; i++) {
		describe_row(items[i], &rows[i]);
		body_len += rows[i].length;
	}
	if (lease_ns)
		QP_GIVE(&m.options, lease_ms, lease_ns / MS);
	if (op == QP_OP_GET_RUN && n == 1 && deliver_passes(c, items[0])) {
		append_passed(c, op, &m, items[0]);
	} else {
		qp_reply_encode(&c->out, op, &m, (uint32_t)body_len);
		deliver_bodies(c, items, n, body_len);
	}
	conn_dirty(c);
}

void
deliver_items(struct conn *c, uint64_t rid, const struct qe_reply *reply)
{
	deliver_rows(c, QP_OP_GET_MANY, rid, reply->items ? reply->items : &reply->item,
		     reply->n);
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

	begin_reply(&m, rid);
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

	begin_reply(&m, rid);
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
		append_item(c, reply->giver ? QP_OP_GET_ANY : QP_OP_GET, rid,
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
