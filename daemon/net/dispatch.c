/* SPDX-License-Identifier: MIT
 * From a frame to the handler of its operation: decodes, asks whether the request may
 * come now and with such a body, and calls. The handlers, with what answers (deliver.h),
 * are the only place where the wire's types meet the engine's. */
#include <inttypes.h>

#include <config.h>

#include "daemon/log.h"
#include "daemon/net/deliver.h"
#include "daemon/net/handlers.h"
#include "daemon/net/held.h"
#include "daemon/net/kept.h"
#include "daemon/net/pass.h"
#include "daemon/net/server.h"

struct qe_name
request_queue(const struct qp_request *m)
{
	return (struct qe_name){m->queue.p, m->queue.len};
}

struct qe_name
request_group(const struct qp_options *o)
{
	if (!QP_GIVEN(o, group))
		return (struct qe_name){NULL, 0};
	return (struct qe_name){o->group.p, o->group.len};
}

bool
valid_group(struct conn *c, const struct qp_request *m)
{
	const struct qp_str *group = &m->options.group;

	if (!QP_GIVEN(&m->options, group) || qp_valid_name(group->p, group->len))
		return true;
	deliver_refusal(c, m->rid, QP_INVALID,
			"option group must be 1 to 255 bytes of UTF-8 without control "
			"characters");
	return false;
}

struct qe_tag
request_tag(const struct qp_request *m)
{
	return (struct qe_tag){m->id, m->delivery, m->epoch};
}

uint64_t
request_deadline(uint64_t now_ns, uint64_t timeout_ms)
{
	uint64_t ns;

	if (timeout_ms == QP_FOREVER ||
	    __builtin_mul_overflow(timeout_ms, 1000000, &ns) ||
	    __builtin_add_overflow(now_ns, ns, &ns))
		return QE_NEVER;
	return ns;
}

uint64_t
request_put_deadline(const struct conn *c, uint64_t timeout_ms)
{
	uint64_t ns = request_deadline(c->server->now_ns, timeout_ms);

	if (c->late)
		return QE_LATE;
	return ns == QE_NEVER ? ns : ns - c->spent_ns;
}

uint64_t
request_lease(const struct qp_request *m)
{
	if (!QP_GIVEN(&m->options, lease_ms))
		return 0;
	return m->options.lease_ms ? request_deadline(0, m->options.lease_ms)
				   : QE_NEVER;
}

void
call_again(struct conn *c, enum qe_result result)
{
	if (result == QE_AGAIN)
		conn_repeat_later(c);
	else
		conn_repeat(c);
}

void
answer_result(struct conn *c, const struct qp_request *m, enum qe_result result)
{
	if (result == QE_OK)
		deliver_ok(c, m);
	else
		deliver_result(c, m->rid, result);
}

void
answer_reply(struct conn *c, const struct qp_request *m, enum qe_result result,
	     struct qe_reply *reply)
{
	if (result == QE_OK)
		deliver_reply(c, m->rid, reply);
	else if (result != QE_WAIT)
		deliver_result(c, m->rid, result);
}

/* --- the connection -------------------------------------------------------------- */

void
handle_hello(struct conn *c, struct qp_request *m, struct frame *f)
{
	static const char server[] = "qbrokerd/" PACKAGE_VERSION;
	struct qp_reply reply = {.version = QP_PROTOCOL_VERSION,
				 .epoch = c->server->epoch,
				 .session = m->session};
	char quoted[128];
	enum qe_result result;
	bool resumed;

	if (c->state != CONN_HELLO) {
		deliver_refusal(c, m->rid, QP_BAD_STATE, "HELLO was said already");
		return;
	}
	result = session_hello(c, m, &resumed);
	if (result == QE_INVALID) {
		deliver_refusal(c, m->rid, QP_INVALID, "a session with this id exists");
		return;
	}
	if (result != QE_OK) {
		deliver_result(c, m->rid, result);
		return;
	}
	c->state = CONN_OPEN;
	log_event(LOG_LEVEL_DEBUG, "hello",
		  "conn=%u pid=%" PRIu64 " resumed=%d client=%s", c->number,
		  c->session->pid, resumed,
		  log_quote(quoted, sizeof(quoted), c->session->client,
			    c->session->client_len));
	QP_GIVE(&reply.options, server, ((struct qp_str){server, sizeof(server) - 1}));
	QP_GIVE(&reply.options, max_item, c->server->limits.max_item);
	QP_GIVE(&reply.options, max_head, QP_MAX_HEAD);
	QP_GIVE(&reply.options, max_batch_items, QP_MAX_BATCH_ITEMS);
	QP_GIVE(&reply.options, max_batch_bytes, QP_MAX_BATCH_BYTES);
	if (resumed)
		QP_GIVE(&reply.options, resumed, 1);
	QP_GIVE(&reply.options, begun, c->session->identity);
	if (pass_offered(c))
		QP_GIVE(&reply.options, memfds, 1);
	deliver_fields(c, m, &reply);
}

void
handle_ping(struct conn *c, struct qp_request *m, struct frame *f)
{
	if (QP_GIVEN(&m->options, notices))
		session_want_notices(c->session, m->options.notices);
	pass_wanted(c, m);
	if (QP_OPT(&m->options, memfds) && pass_offered(c))
		pass_prove(c, m);
	else
		deliver_ok(c, m);
}

void
handle_close(struct conn *c, struct qp_request *m, struct frame *f)
{
	session_end(c->session, QE_END_CLOSED);
	c->session = NULL;
	deliver_ok(c, m);
	conn_drain(c, CLOSE_bye);
}

void
handle_confirm(struct conn *c, struct qp_request *m, struct frame *f)
{
	if (c->server->held)
		kept_confirm(c->session, m->last);
	else
		answers_confirm(&c->session->answers, c->server->engine, m->last);
	deliver_ok(c, m);
}

static handler *const handlers[] = {
	[QP_OP_HELLO] = handle_hello,
	[QP_OP_PING] = handle_ping,
	[QP_OP_CLOSE] = handle_close,
	[QP_OP_CONFIRM] = handle_confirm,
	[QP_OP_PUT] = handle_put,
	[QP_OP_PUT_MANY] = handle_put_many,
	[QP_OP_GET] = handle_get,
	[QP_OP_GET_MANY] = handle_get_many,
	[QP_OP_ACK] = handle_ack,
	[QP_OP_TASK_DONE] = handle_task_done,
	[QP_OP_ACK_MANY] = handle_ack_many,
	[QP_OP_RELEASE] = handle_release,
	[QP_OP_JOIN] = handle_join,
	[QP_OP_CANCEL] = handle_cancel,
	[QP_OP_PEEK] = handle_peek,
	[QP_OP_SIZE] = handle_size,
	[QP_OP_DECLARE] = handle_declare,
	[QP_OP_DELETE] = handle_delete,
	[QP_OP_PURGE] = handle_purge,
	[QP_OP_SHUTDOWN] = handle_shutdown,
	[QP_OP_REOPEN] = handle_reopen,
	[QP_OP_QUEUES] = handle_queues,
	[QP_OP_STATS] = handle_stats,
	[QP_OP_GET_ANY] = handle_get_any,
	[QP_OP_PAUSE] = handle_pause,
	[QP_OP_CLIENTS] = handle_clients,
	[QP_OP_WAITERS] = handle_waiters,
	[QP_OP_WHO] = handle_who,
	[QP_OP_WATCH] = handle_watch,
	[QP_OP_GET_RUN] = handle_get_run,
	[QP_OP_POLICY] = handle_policy,
	[QP_OP_TOUCH] = handle_touch,
	[QP_OP_NACK] = handle_nack,
	[QP_OP_BURY] = handle_bury,
	[QP_OP_UPDATE] = handle_update,
	[QP_OP_KICK] = handle_kick,
	[QP_OP_DEAD_PURGE] = handle_dead_purge,
	[QP_OP_SHOW] = handle_show,
	[QP_OP_BROWSE] = handle_browse,
	[QP_OP_MOVE] = handle_move,
	[QP_OP_DELETE_ITEM] = handle_delete_item,
	[QP_OP_CANCEL_GROUP] = handle_cancel_group,
	[QP_OP_BACKUP] = handle_backup,
	[QP_OP_DUMP] = handle_dump,
	[QP_OP_RELOAD] = handle_reload,
};

/* --- frames ---------------------------------------------------------------------- */

static uint64_t
body_max(const struct conn *c, enum qp_op op)
{
	switch (qp_op_body(op)) {
	case QP_BODY_NONE: return 0;
	case QP_BODY_ITEM: return c->server->limits.max_item;
	case QP_BODY_BATCH: return QP_MAX_BATCH_BYTES;
	}
	return 0;
}

/* Decodes a head and asks whether it may come now. false: it was refused. */
static bool
admit(struct conn *c, const uint8_t *head, uint32_t head_len, struct qp_request *m)
{
	struct qp_error e;
	bool valid = qp_request_decode(head, head_len, m, &e);

	if (!valid && e.status == QP_MALFORMED) {
		conn_refuse(c, CLOSE_malformed, QP_MALFORMED, e.text);
		return false;
	}
	if (c->state == CONN_HELLO && m->op != QP_OP_HELLO) {
		conn_refuse(c, CLOSE_malformed, QP_BAD_STATE,
			    "the first request must be HELLO");
		return false;
	}
	if (!valid)
		deliver_refusal(c, e.rid, e.status, "%s", e.text);
	return valid;
}

/* Whether the request may have a body of this length. false: it was refused. */
static bool
admit_body(struct conn *c, const struct qp_request *m, uint32_t body_len)
{
	uint64_t max = body_max(c, m->op);

	if (body_len <= max)
		return true;
	if (max == 0)
		deliver_refusal(c, m->rid, QP_INVALID,
				"%s takes no body, here are %u bytes",
				qp_op_name(m->op), body_len);
	else
		deliver_refusal(c, m->rid, QP_TOO_BIG,
				"%s: a body of %u bytes, at most %" PRIu64
				" are allowed",
				qp_op_name(m->op), body_len, max);
	return false;
}

/* What was answered before is asked first: a reload may have lowered max_item since. */
static bool
has_old_answers(const struct conn *c)
{
	return c->session && c->session->answers.n_old > 0;
}

/* The answers since the mark wait until what they say is kept. */
static void
hold(struct conn *c, const struct qp_mark *mark)
{
	struct qe_after after = qe_after(c->server->engine);

	c->keeps |= after.written > 0;
	if (held_must(c, after))
		held_hold(c, mark, after);
}

void
deliver_first(struct conn *c)
{
	struct server *s = c->server;

	if (!qe_has_reply(s->engine))
		return;
	if (s->answered)
		hold(c, s->answered);
	deliver_finished(s);
	if (s->answered)
		*s->answered = qp_out_mark(&c->out);
}

/* The same when the body is a descriptor, which is taken whatever becomes of the request. */
static void __attribute__((noinline))
dispatch_passed(struct conn *c, struct qp_request *m, struct frame *f)
{
	int fd;

	if (!pass_take(c, m, &fd))
		return;
	if (has_old_answers(c) && replay(c, m)) {
		pass_discard(c->server, fd);
		return;
	}
	f->item = pass_item(c, m, fd);
	if (!f->item)
		return;
	f->body_len = (uint32_t)m->options.memfd;
	handlers[m->op](c, m, f);
}

static inline void
carry_out(struct conn *c, struct frame *f)
{
	struct qp_request m;

	if (admit(c, f->head, f->head_len, &m)) {
		if (pass_announced(&m, f->body_len))
			dispatch_passed(c, &m, f);
		else if (!(has_old_answers(c) && replay(c, &m)) &&
			 admit_body(c, &m, f->body_len))
			handlers[m.op](c, &m, f);
	}
	if (f->item)
		qe_item_unref(c->server->engine, f->item);
}

/* What it waits for next it has not waited for yet. */
static void
has_gone_on(struct conn *c)
{
	c->spent_ns = 0;
	c->late = false;
}

static struct qp_mark
begin_held(struct conn *c)
{
	(void)qe_after(c->server->engine); /* of ticks, and of sessions that ended */
	return qp_out_mark(&c->out);
}

/* The answer waits until what it says is kept. */
static void __attribute__((noinline))
carry_out_held(struct conn *c, struct frame *f)
{
	struct qp_mark mark = begin_held(c);
	struct server *s = c->server;

	s->answered = &mark;
	carry_out(c, f);
	s->answered = NULL;
	has_gone_on(c);
	hold(c, &mark);
	if (qe_should_commit(s->engine))
		held_commit(s);
}

void
dispatch_frame(struct conn *c, struct frame *f)
{
	if (__builtin_expect(c->server->held != NULL, 0))
		carry_out_held(c, f);
	else
		carry_out(c, f);
}

/* What writes nothing to the journal; above all, who asks why nothing moves need not wait to be told. */
static bool
only_looks(enum qp_op op)
{
	switch ((int)op) {
	case QP_OP_PING:
	case QP_OP_TOUCH: /* but little, and by its time */
	case QP_OP_PEEK:
	case QP_OP_SIZE:
	case QP_OP_SHOW:
	case QP_OP_BROWSE:
	case QP_OP_QUEUES:
	case QP_OP_STATS:
	case QP_OP_POLICY:
	case QP_OP_CLIENTS:
	case QP_OP_WAITERS:
	case QP_OP_WHO:
	case QP_OP_WATCH: return true;
	default: return false;
	}
}

/* What puts nothing into a durable queue can be told by what the connection did before only. */
static bool __attribute__((noinline))
must_wait(struct conn *c, enum qe_pace pace, const uint8_t *head, uint32_t head_len)
{
	struct qp_request m;
	struct qp_error e;
	uint64_t until_ns;
	bool puts;

	if (c->state != CONN_OPEN || !qp_request_decode(head, head_len, &m, &e))
		return false;
	puts = m.op == QP_OP_PUT || m.op == QP_OP_PUT_MANY;
	if (puts ? !qe_is_kept(c->server->engine, request_queue(&m))
		 : pace == QE_PUTS_WAIT || !c->keeps || only_looks(m.op))
		return false;
	if (c->waited) {
		c->waited = false;
		return false;
	}
	c->late = false;
	until_ns = puts ? request_put_deadline(c, m.timeout_ms) : QE_NEVER;
	c->late = until_ns <= c->server->now_ns;
	if (!c->late)
		conn_wait(c, puts, until_ns);
	return !c->late;
}

bool
dispatch_waits(struct conn *c, const uint8_t *head, uint32_t head_len)
{
	enum qe_pace pace = qe_pace(c->server->engine);

	return __builtin_expect(pace != QE_ALL_GO_ON, 0) && !c->dying &&
	       must_wait(c, pace, head, head_len);
}

static struct qe_item *
expect(struct conn *c, const uint8_t *head, struct qp_frame lengths)
{
	struct qp_request m;
	struct qe_item *item;
	enum qe_result result;

	if (!admit(c, head, lengths.head_len, &m) ||
	    (has_old_answers(c) && replay_early(c, &m)) ||
	    !admit_body(c, &m, lengths.body_len))
		return NULL;
	result = qe_item_new(c->server->engine, lengths.body_len, &item);
	if (result == QE_OK)
		return item;
	if (!has_old_answers(c) || !replay_refused(c, &m, result))
		deliver_result(c, m.rid, result);
	return NULL;
}

/* A refusal has its place among the answers, too. */
static struct qe_item *
expect_held(struct conn *c, const uint8_t *head, struct qp_frame lengths)
{
	struct qp_mark mark = begin_held(c);
	struct qe_item *item = expect(c, head, lengths);

	if (item)
		return item;
	has_gone_on(c);
	hold(c, &mark);
	return NULL;
}

struct qe_item *
dispatch_expect(struct conn *c, const uint8_t *head, struct qp_frame lengths)
{
	return c->server->held ? expect_held(c, head, lengths)
			       : expect(c, head, lengths);
}
