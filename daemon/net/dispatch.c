/* SPDX-License-Identifier: MIT
 * One row per operation, one handler each: a decoded request becomes a call of the engine, and its answer a
 * frame. This is the only place, with deliver.c, where the wire's types meet the engine's. */
#include <inttypes.h>
#include <string.h>

#include <config.h>

#include "daemon/log.h"
#include "daemon/net/deliver.h"
#include "daemon/net/server.h"

typedef void handler(struct conn *c, struct qp_request *m, struct frame *f);

static struct qe_name
name_of(const struct qp_request *m)
{
	return (struct qe_name){m->queue.p, m->queue.len};
}

static struct qe_tag
tag_of(const struct qp_request *m)
{
	return (struct qe_tag){m->id, m->delivery, m->epoch};
}

static bool
read_order(const struct qp_options *o, enum qe_order *ret)
{
	for (int i = 0; i < ORDERS; i++)
		if (strlen(order_names[i]) == o->order.len &&
		    memcmp(order_names[i], o->order.p, o->order.len) == 0) {
			*ret = (enum qe_order)i;
			return true;
		}
	return false;
}

static uint64_t
deadline(uint64_t now_ns, uint64_t timeout_ms)
{
	uint64_t ns;

	if (timeout_ms == QP_FOREVER ||
	    __builtin_mul_overflow(timeout_ms, 1000000, &ns) ||
	    __builtin_add_overflow(now_ns, ns, &ns))
		return QE_NEVER;
	return ns;
}

/* The answer of a call that has nothing to say but its result. */
static void
answer(struct conn *c, const struct qp_request *m, enum qe_result result)
{
	if (result == QE_OK)
		deliver_ok(c, m);
	else
		deliver_result(c, m->rid, result);
}

/* The answer of a call that may have to wait for it. */
static void
answer_reply(struct conn *c, const struct qp_request *m, enum qe_result result,
	     struct qe_reply *reply)
{
	if (result == QE_OK)
		deliver_reply(c, m->rid, reply);
	else if (result != QE_WAIT)
		deliver_result(c, m->rid, result);
}

/* --- the connection -------------------------------------------------------------- */

static void
handle_hello(struct conn *c, struct qp_request *m, struct frame *f)
{
	static const char server[] = "qbrokerd/" PACKAGE_VERSION;
	struct qp_reply reply = {.version = QP_PROTOCOL_VERSION,
				 .epoch = c->server->epoch,
				 .session = m->session};
	struct qp_str client = {"", 0};
	char quoted[128];
	enum qe_result result;

	if (c->state != CONN_HELLO) {
		deliver_refusal(c, m->rid, QP_BAD_STATE, "HELLO was said already");
		return;
	}
	result = qe_session_new(c->server->engine, c->server->now_ns,
				(const uint8_t *)m->session.p, c, &c->session);
	if (result == QE_INVALID) {
		deliver_refusal(c, m->rid, QP_INVALID, "a session with this id exists");
		return;
	}
	if (result != QE_OK) {
		deliver_result(c, m->rid, result);
		return;
	}
	c->state = CONN_OPEN;
	if (QP_GIVEN(&m->options, client))
		client = m->options.client;
	log_event(LOG_LEVEL_DEBUG, "hello", "conn=%u pid=%" PRIu64 " client=%s",
		  c->number, QP_OPT(&m->options, pid),
		  log_quote(quoted, sizeof(quoted), client.p, client.len));
	QP_GIVE(&reply.options, server, ((struct qp_str){server, sizeof(server) - 1}));
	QP_GIVE(&reply.options, max_item, c->server->limits.max_item);
	QP_GIVE(&reply.options, max_head, QP_MAX_HEAD);
	QP_GIVE(&reply.options, max_batch_items, QP_MAX_BATCH_ITEMS);
	QP_GIVE(&reply.options, max_batch_bytes, QP_MAX_BATCH_BYTES);
	deliver_fields(c, m, &reply);
}

static void
handle_ping(struct conn *c, struct qp_request *m, struct frame *f)
{
	deliver_ok(c, m);
}

static void
handle_close(struct conn *c, struct qp_request *m, struct frame *f)
{
	qe_session_end(c->server->engine, c->server->now_ns, c->session, QE_END_CLOSED);
	c->session = NULL;
	deliver_ok(c, m);
	conn_drain(c, CLOSE_bye);
}

/* --- put ------------------------------------------------------------------------- */

static void
put_items(struct conn *c, const struct qp_request *m, struct qe_item **items,
	  unsigned n, bool many)
{
	uint64_t now_ns = c->server->now_ns;
	struct qe_reply reply;

	answer_reply(c, m,
		     qe_put(c->server->engine, now_ns, c->session, m->rid, name_of(m),
			    deadline(now_ns, m->timeout_ms), items, n, many,
			    QP_OPT(&m->options, atomic), &reply),
		     &reply);
}

/* What a put says of its items. */
struct description {
	uint8_t ctype;
	int32_t priority;
	bool timed; /* the members below count */
	uint64_t ready_ns, expires_ns;
};

static bool
read_times(struct conn *c, const struct qp_request *m, struct description *ret)
{
	const struct qp_options *o = &m->options;
	uint64_t now_ns = server_now_ns(); /* that of the last read would be early */

	if (QP_GIVEN(o, delay_ms) && QP_GIVEN(o, at_ms)) {
		deliver_refusal(c, m->rid, QP_INVALID,
				"the options delay_ms and at_ms exclude each other");
		return false;
	}
	if (QP_GIVEN(o, on_expire) &&
	    (o->on_expire.len != 4 || memcmp(o->on_expire.p, "drop", 4) != 0)) {
		deliver_refusal(c, m->rid, QP_INVALID, "option on_expire must be drop");
		return false;
	}
	ret->ready_ns = QP_GIVEN(o, at_ms) ? server_wall_ns(o->at_ms) : 0;
	if (QP_OPT(o, delay_ms) > 0)
		ret->ready_ns = deadline(now_ns, o->delay_ms);
	ret->expires_ns = QP_GIVEN(o, ttl_ms) ? deadline(now_ns, o->ttl_ms) : QE_NEVER;
	ret->timed = ret->ready_ns > 0 || ret->expires_ns != QE_NEVER;
	return true;
}

/* false: it was refused. */
static bool
read_description(struct conn *c, const struct qp_request *m, struct description *ret)
{
	*ret = (struct description){0};
	if (!m->options.present)
		return true;
	ret->ctype = (uint8_t)QP_OPT(&m->options, ctype);
	ret->priority = (int32_t)QP_OPT(&m->options, priority);
	return read_times(c, m, ret);
}

static enum qe_result
describe(struct conn *c, struct qe_item *item, const struct description *d)
{
	qe_item_set_ctype(item, d->ctype);
	qe_item_set_priority(item, d->priority);
	if (!d->timed)
		return QE_OK;
	return qe_item_set_times(c->server->engine, item, d->ready_ns, d->expires_ns);
}

static void
handle_put(struct conn *c, struct qp_request *m, struct frame *f)
{
	struct qe_item *item = f->item;
	struct description d;
	enum qe_result result;

	if (!read_description(c, m, &d))
		return;
	if (!item) {
		result = qe_item_new(c->server->engine, f->body_len, &item);
		if (result != QE_OK) {
			deliver_result(c, m->rid, result);
			return;
		}
		memcpy(qe_item_body(item), f->body, f->body_len);
	}
	f->item = NULL;
	result = describe(c, item, &d);
	if (result != QE_OK) {
		qe_item_unref(c->server->engine, item);
		deliver_result(c, m->rid, result);
		return;
	}
	put_items(c, m, &item, 1, false);
}

static bool
lengths_fit(struct conn *c, const struct qp_request *m, uint32_t body_len)
{
	struct qp_list lengths = m->lengths;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < m->lengths.n; i++)
		sum += qp_list_next(&lengths);
	if (sum == body_len)
		return true;
	deliver_refusal(c, m->rid, QP_INVALID,
			"PUT_MANY: the lengths sum up to %" PRIu64
			", the body has %u bytes",
			sum, body_len);
	return false;
}

static void
handle_put_many(struct conn *c, struct qp_request *m, struct frame *f)
{
	struct qe *e = c->server->engine;
	const uint8_t *body = f->item ? qe_item_body(f->item) : f->body;
	struct qe_item *items[QP_MAX_BATCH_ITEMS];
	struct description d;
	enum qe_result result;

	if (!lengths_fit(c, m, f->body_len) || !read_description(c, m, &d))
		return;
	for (uint32_t i = 0; i < m->lengths.n; i++) {
		size_t len = qp_list_next(&m->lengths);

		result = qe_item_new(e, len, &items[i]);
		if (result == QE_OK) {
			memcpy(qe_item_body(items[i]), body, len);
			result = describe(c, items[i], &d);
			if (result != QE_OK)
				qe_item_unref(e, items[i]);
		}
		if (result != QE_OK) {
			while (i > 0)
				qe_item_unref(e, items[--i]);
			deliver_result(c, m->rid, result);
			return;
		}
		body += len;
	}
	put_items(c, m, items, m->lengths.n, true);
}

/* --- get, join ------------------------------------------------------------------- */

static void
get(struct conn *c, const struct qp_request *m, struct qe_get *args)
{
	uint64_t now_ns = c->server->now_ns;
	struct qe_reply reply;

	args->deadline_ns = deadline(now_ns, m->timeout_ms);
	args->no_ack = m->ack == QP_ACK_NONE;
	answer_reply(c, m,
		     qe_get(c->server->engine, now_ns, c->session, m->rid, name_of(m),
			    args, &reply),
		     &reply);
}

static void
handle_get(struct conn *c, struct qp_request *m, struct frame *f)
{
	get(c, m, &(struct qe_get){.many = false});
}

static void
handle_get_many(struct conn *c, struct qp_request *m, struct frame *f)
{
	const struct qp_options *o = &m->options;
	uint64_t min_items = QP_GIVEN(o, min_items) ? o->min_items : 1;
	uint64_t max_bytes = QP_OPT(o, max_bytes);

	if (max_bytes == 0 || max_bytes > QP_MAX_BATCH_BYTES)
		max_bytes = QP_MAX_BATCH_BYTES;
	if (min_items > m->max_items) {
		deliver_refusal(c, m->rid, QP_INVALID,
				"GET_MANY: min_items %" PRIu64
				" is above max_items %" PRIu64,
				min_items, m->max_items);
		return;
	}
	get(c, m,
	    &(struct qe_get){
		    .many = true,
		    .max_items = (unsigned)m->max_items,
		    .min_items = (unsigned)min_items,
		    .max_bytes = max_bytes,
		    .linger_ns = deadline(0, QP_OPT(o, linger_ms)),
	    });
}

static void
handle_join(struct conn *c, struct qp_request *m, struct frame *f)
{
	uint64_t now_ns = c->server->now_ns;
	enum qe_result result = qe_join(c->server->engine, now_ns, c->session, m->rid,
					name_of(m), deadline(now_ns, m->timeout_ms));

	if (result != QE_WAIT)
		answer(c, m, result);
}

static void
handle_cancel(struct conn *c, struct qp_request *m, struct frame *f)
{
	answer(c, m,
	       qe_cancel(c->server->engine, c->server->now_ns, c->session, m->target));
}

/* --- finishing ------------------------------------------------------------------- */

static void
handle_ack(struct conn *c, struct qp_request *m, struct frame *f)
{
	answer(c, m,
	       qe_ack(c->server->engine, c->server->now_ns, c->session, tag_of(m)));
}

static void
handle_ack_many(struct conn *c, struct qp_request *m, struct frame *f)
{
	int64_t stale[QP_MAX_BATCH_ITEMS];
	struct qp_reply reply = {.stale = {.numbers = stale}};
	uint64_t now_ns = c->server->now_ns;

	for (uint32_t i = 0; i < m->tags.n / 2; i++) {
		struct qe_tag tag = {.epoch = m->epoch};

		tag.id = qp_list_next(&m->tags);
		tag.delivery = qp_list_next(&m->tags);
		if (qe_ack(c->server->engine, now_ns, c->session, tag) != QE_OK)
			stale[reply.stale.n++] = i;
	}
	deliver_fields(c, m, &reply);
}

static void
handle_task_done(struct conn *c, struct qp_request *m, struct frame *f)
{
	answer(c, m,
	       qe_task_done(c->server->engine, c->server->now_ns, c->session,
			    name_of(m)));
}

static void
handle_release(struct conn *c, struct qp_request *m, struct frame *f)
{
	answer(c, m,
	       qe_release(c->server->engine, c->server->now_ns, c->session, tag_of(m)));
}

/* --- queues ---------------------------------------------------------------------- */

static void
handle_peek(struct conn *c, struct qp_request *m, struct frame *f)
{
	struct qe_item *item;
	enum qe_result result = qe_peek(c->server->engine, name_of(m), &item);

	if (result == QE_OK)
		deliver_item(c, QP_OP_PEEK, m->rid, item);
	else
		deliver_result(c, m->rid, result);
}

static void
handle_size(struct conn *c, struct qp_request *m, struct frame *f)
{
	struct qp_reply reply = {0};
	struct qe_size size;
	enum qe_result result = qe_size(c->server->engine, name_of(m), &size);

	if (result != QE_OK) {
		deliver_result(c, m->rid, result);
		return;
	}
	reply.qsize = size.qsize;
	reply.unfinished = size.unfinished;
	reply.maxsize = size.maxsize;
	deliver_fields(c, m, &reply);
}

static void
refuse_mismatch(struct conn *c, const struct qp_request *m,
		const struct qe_declare *declare, const struct qe_queue_stats *has)
{
	const struct qp_options *o = &m->options;

	if (QP_GIVEN(o, maxsize) && o->maxsize != has->maxsize)
		deliver_refusal(c, m->rid, QP_MISMATCH,
				"the queue has maxsize %" PRId64 ", not %" PRId64,
				has->maxsize, o->maxsize);
	else if (declare->has_order && declare->order != has->order)
		deliver_refusal(c, m->rid, QP_MISMATCH,
				"the queue has order %s, not %s",
				order_names[has->order], order_names[declare->order]);
	else
		deliver_refusal(c, m->rid, QP_MISMATCH,
				"the queue has max_bytes %" PRIu64 ", not %" PRIu64,
				has->max_bytes, o->max_bytes);
}

static void
handle_declare(struct conn *c, struct qp_request *m, struct frame *f)
{
	const struct qp_options *o = &m->options;
	struct qe_declare declare = {
		.has_maxsize = QP_GIVEN(o, maxsize),
		.maxsize = QP_OPT(o, maxsize),
		.has_max_bytes = QP_GIVEN(o, max_bytes),
		.max_bytes = QP_OPT(o, max_bytes),
		.has_order = QP_GIVEN(o, order),
		.update = QP_OPT(o, update),
	};
	struct qp_reply reply = {0};
	struct qe_queue_stats has;
	enum qe_result result;

	if (declare.has_order && !read_order(o, &declare.order)) {
		deliver_refusal(c, m->rid, QP_INVALID,
				"option order must be fifo, lifo or priority");
		return;
	}
	result = qe_declare(c->server->engine, c->server->now_ns, name_of(m), &declare,
			    &reply.created, &has);
	if (result == QE_OK)
		deliver_fields(c, m, &reply);
	else if (result == QE_MISMATCH)
		refuse_mismatch(c, m, &declare, &has);
	else if (result == QE_NOT_EMPTY)
		deliver_refusal(c, m->rid, QP_NOT_EMPTY,
				"the order cannot change while the queue has items");
	else
		deliver_result(c, m->rid, result);
}

static void
handle_delete(struct conn *c, struct qp_request *m, struct frame *f)
{
	answer(c, m,
	       qe_delete(c->server->engine, c->server->now_ns, name_of(m),
			 QP_OPT(&m->options, force)));
}

static void
handle_purge(struct conn *c, struct qp_request *m, struct frame *f)
{
	struct qp_reply reply = {0};
	enum qe_result result = qe_purge(c->server->engine, c->server->now_ns,
					 name_of(m), &reply.count);

	if (result == QE_OK)
		deliver_fields(c, m, &reply);
	else
		deliver_result(c, m->rid, result);
}

static void
handle_shutdown(struct conn *c, struct qp_request *m, struct frame *f)
{
	answer(c, m,
	       qe_shutdown(c->server->engine, c->server->now_ns, name_of(m),
			   QP_OPT(&m->options, immediate)));
}

static void
handle_reopen(struct conn *c, struct qp_request *m, struct frame *f)
{
	answer(c, m, qe_reopen(c->server->engine, c->server->now_ns, name_of(m)));
}

static void
handle_queues(struct conn *c, struct qp_request *m, struct frame *f)
{
	report_queues(c, m);
}

static void
handle_stats(struct conn *c, struct qp_request *m, struct frame *f)
{
	report_stats(c, m);
}

static handler *const handlers[] = {
	[QP_OP_HELLO] = handle_hello,	      [QP_OP_PING] = handle_ping,
	[QP_OP_CLOSE] = handle_close,	      [QP_OP_PUT] = handle_put,
	[QP_OP_PUT_MANY] = handle_put_many,   [QP_OP_GET] = handle_get,
	[QP_OP_GET_MANY] = handle_get_many,   [QP_OP_ACK] = handle_ack,
	[QP_OP_TASK_DONE] = handle_task_done, [QP_OP_ACK_MANY] = handle_ack_many,
	[QP_OP_RELEASE] = handle_release,     [QP_OP_JOIN] = handle_join,
	[QP_OP_CANCEL] = handle_cancel,	      [QP_OP_PEEK] = handle_peek,
	[QP_OP_SIZE] = handle_size,	      [QP_OP_DECLARE] = handle_declare,
	[QP_OP_DELETE] = handle_delete,	      [QP_OP_PURGE] = handle_purge,
	[QP_OP_SHUTDOWN] = handle_shutdown,   [QP_OP_REOPEN] = handle_reopen,
	[QP_OP_QUEUES] = handle_queues,	      [QP_OP_STATS] = handle_stats,
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

/* Decodes a head and asks whether it may come now, with a body of this length. false: it was refused. */
static bool
admit(struct conn *c, const uint8_t *head, struct qp_frame lengths,
      struct qp_request *m)
{
	struct qp_error e;
	bool valid = qp_request_decode(head, lengths.head_len, m, &e);
	uint64_t max;

	if (!valid && e.status == QP_MALFORMED) {
		conn_refuse(c, CLOSE_malformed, QP_MALFORMED, e.text);
		return false;
	}
	if (c->state == CONN_HELLO && m->op != QP_OP_HELLO) {
		conn_refuse(c, CLOSE_malformed, QP_BAD_STATE,
			    "the first request must be HELLO");
		return false;
	}
	if (!valid) {
		deliver_refusal(c, e.rid, e.status, "%s", e.text);
		return false;
	}
	max = body_max(c, m->op);
	if (lengths.body_len <= max)
		return true;
	if (max == 0)
		deliver_refusal(c, m->rid, QP_INVALID,
				"%s takes no body, here are %u bytes",
				qp_op_name(m->op), lengths.body_len);
	else
		deliver_refusal(c, m->rid, QP_TOO_BIG,
				"%s: a body of %u bytes, at most %" PRIu64
				" are allowed",
				qp_op_name(m->op), lengths.body_len, max);
	return false;
}

void
dispatch_frame(struct conn *c, struct frame *f)
{
	struct qp_request m;

	if (admit(c, f->head, (struct qp_frame){f->head_len, f->body_len}, &m))
		handlers[m.op](c, &m, f);
	if (f->item)
		qe_item_unref(c->server->engine, f->item);
}

struct qe_item *
dispatch_expect(struct conn *c, const uint8_t *head, struct qp_frame lengths)
{
	struct qp_request m;
	struct qe_item *item;
	enum qe_result result;

	if (!admit(c, head, lengths, &m))
		return NULL;
	result = qe_item_new(c->server->engine, lengths.body_len, &item);
	if (result == QE_OK)
		return item;
	deliver_result(c, m.rid, result);
	return NULL;
}
