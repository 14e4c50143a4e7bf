/* SPDX-License-Identifier: MIT
 * Requests that come again, because the connection was lost on which their answers were: those
 * answers, out of the session's memory, instead of a second effect. */
#include <string.h>

#include "daemon/net/deliver.h"
#include "daemon/net/handlers.h"
#include "daemon/net/held.h"
#include "daemon/net/kept.h"
#include "daemon/net/server.h"

/* What was read back may have had to leave again before the rest was there: then the disk is waited for. */
#define PATIENCE_NS UINT64_C(1000000000)
#define MOST_AWAY   64 /* looked for in one turn */

/* These changed nothing, and their sentences name what is wrong: they are refused anew. */
static bool
is_refused_anew(enum qp_status status)
{
	return status == QP_TOO_BIG || status == QP_INVALID ||
	       status == QP_UNKNOWN_OP || status == QP_MISMATCH || status == QP_LIMIT ||
	       status == QP_NO_MEMORY;
}

static struct qe_tag
tag_of(const struct conn *c, uint64_t id, uint64_t delivery)
{
	return (struct qe_tag){id, delivery, c->server->epoch};
}

static struct qe_item *
find_lease(struct conn *c, uint64_t id, uint64_t delivery)
{
	struct qe_tag tag = tag_of(c, id, delivery);
	struct qe_item *item;

	if (qe_leased(c->server->engine, c->session->qe, tag, &item) != QE_OK)
		return NULL;
	return item;
}

/* The queue that gave, by its place in the request. */
static unsigned
which_of(const struct qp_request *m, const struct qe_item *item)
{
	struct qe_name queue = qe_item_queue(item);
	struct qp_names names = m->queues;

	for (unsigned i = 0; m->op == QP_OP_GET_ANY && i < m->queues.n; i++) {
		struct qp_str name = qp_names_next(&names);

		if (name.len == queue.len && memcmp(name.p, queue.p, queue.len) == 0)
			return i;
	}
	return 0;
}

/* Whether the item is still leased to the session. */
static bool
give_again(struct conn *c, const struct qp_request *m, const struct record *answer)
{
	struct qe_item *item = find_lease(c, answer->value, answer->delivery);

	if (!item)
		return false;
	deliver_item(c, m->op, m->rid, item, which_of(m, item));
	qe_item_unref(c->server->engine, item);
	return true;
}

/* Gives those that are still leased, if any is. Not inlined, as deliver_items(). */
static __attribute__((noinline)) bool
give_many_again(struct conn *c, const struct qp_request *m, const struct record *answer)
{
	struct qe_item *items[QP_MAX_BATCH_ITEMS];
	struct qe_reply reply = {.request = QE_REQUEST_GET, .many = true};

	for (unsigned i = 0; i < answer->n; i++) {
		const struct lease *lease = &answer->leases[i];
		struct qe_item *item = find_lease(c, lease->id, lease->delivery);

		if (item)
			items[reply.n++] = item;
	}
	reply.item = reply.n == 1 ? items[0] : NULL;
	reply.items = reply.n > 1 ? items : NULL;
	if (reply.n > 0)
		deliver_items(c, m->rid, &reply);
	for (unsigned i = 0; i < reply.n; i++)
		qe_item_unref(c->server->engine, items[i]);
	return reply.n > 0;
}

/* Says the same again. false: there is nothing to say it from. */
static bool
say(struct conn *c, const struct qp_request *m, const struct record *answer)
{
	struct qp_reply reply = {.status = (enum qp_status)answer->status};

	if (answer->status != QP_OK) {
		if (is_refused_anew(reply.status))
			return false;
		deliver_again(c, m, &reply);
		return true;
	}
	switch ((unsigned)m->op) {
	case QP_OP_GET_ANY:
	case QP_OP_GET: return give_again(c, m, answer);
	case QP_OP_GET_MANY: return give_many_again(c, m, answer);
	case QP_OP_ACK_MANY:
		reply.stale =
			(struct qp_list){.n = answer->n, .numbers = answer->stale};
		break;
	case QP_OP_PUT_MANY:
		reply.results =
			(struct qp_list){.n = answer->n, .numbers = answer->results};
		QP_GIVE(&reply.options, dup, 1);
		break;
	case QP_OP_CANCEL_GROUP:
		reply.count = answer->value;
		if (answer->delivery > 0)
			QP_GIVE(&reply.options, held, answer->delivery);
		break;
	case QP_OP_JOIN:
		if (answer->value > 0)
			QP_GIVE(&reply.options, died, answer->value);
		break;
	case QP_OP_PUT:
		QP_GIVE(&reply.options, dup, 1);
		if (answer->delivery)
			QP_GIVE(&reply.options, duplicate, 1);
		/* fall through */
	default:
		if (!qp_reply_set_value(m->op, &reply, answer->value))
			return false;
	}
	deliver_again(c, m, &reply);
	return true;
}

static bool
say_again(struct conn *c, const struct qp_request *m, const struct record *answer)
{
	struct qe_after after;
	struct qp_mark mark;
	bool said;

	if (!c->server->held)
		return say(c, m, answer);
	after = held_everything(c->server);
	mark = qp_out_mark(&c->out);
	said = say(c, m, answer);
	held_hold(c, &mark, after);
	return said;
}

/* Whether bodies of what was given are on their way from the disk. */
static bool
is_reading(struct conn *c, const struct record *answer)
{
	struct lease one = {answer->value, answer->delivery};
	bool many = answer->op == QP_OP_GET_MANY;
	const struct lease *leases = many ? answer->leases : &one;
	unsigned n = many ? answer->n : 1, away = 0;

	for (unsigned i = 0; i < n && away < MOST_AWAY; i++)
		away += qe_fetch_leased(c->server->engine, c->session->qe,
					tag_of(c, leases[i].id, leases[i].delivery)) ==
			QE_AGAIN;
	return away > 0;
}

/* Whether the request has to come again, when they are there. */
static bool
must_wait(struct conn *c, const struct qp_request *m)
{
	const struct record *answer = answers_find(&c->session->answers, m->rid);
	bool waits = answer && answer->status == QP_OK && answer->op == m->op &&
		     (m->op == QP_OP_GET || m->op == QP_OP_GET_ANY ||
		      m->op == QP_OP_GET_MANY) &&
		     is_reading(c, answer);

	if (waits && c->replay_ns == 0)
		c->replay_ns = c->server->now_ns;
	if (!waits || c->server->now_ns - c->replay_ns > PATIENCE_NS) {
		c->replay_ns = 0;
		return false;
	}
	call_again(c, QE_AGAIN);
	return true;
}

bool
replay(struct conn *c, const struct qp_request *m)
{
	struct session *session = c->session;
	struct qe *e = c->server->engine;
	struct record answer;

	if (must_wait(c, m))
		return true;
	if (!answers_take(&session->answers, m->rid, &answer))
		return false;
	if (answer.status == ANSWER_BEGUN && answer.op == m->op) {
		session->begun = answer; /* its handler goes on from there */
		return false;
	}
	if ((answer.op != m->op && answer.op != ANSWER_ANY_OP) ||
	    !say_again(c, m, &answer)) {
		record_free_list(e, &answer);
		return false;
	}
	session_remember(session, &answer);
	return true;
}

bool
replay_early(struct conn *c, const struct qp_request *m)
{
	bool begun;

	return answers_have(&c->session->answers, m->rid, &begun) && !begun &&
	       replay(c, m);
}

bool
replay_refused(struct conn *c, const struct qp_request *m, enum qe_result why)
{
	struct record answer;
	bool begun;

	if (!answers_have(&c->session->answers, m->rid, &begun) || !begun ||
	    !answers_take(&c->session->answers, m->rid, &answer))
		return false;
	if (answer.op != m->op || answer.n != m->lengths.n) {
		record_free_list(c->server->engine, &answer);
		return false;
	}
	refuse_rest(c, m, &answer, why);
	return true;
}
