/* SPDX-License-Identifier: MIT
 * PUT and PUT_MANY. */
#include <inttypes.h>
#include <string.h>

#include <config.h>

#include "daemon/net/deliver.h"
#include "daemon/net/handlers.h"
#include "daemon/net/server.h"

static void
put_items(struct conn *c, const struct qp_request *m, struct qe_item **items,
	  unsigned n, bool many)
{
	uint64_t now_ns = c->server->now_ns;
	struct qe_reply reply;

	answer_reply(c, m,
		     qe_put(c->server->engine, now_ns, c->session->qe, m->rid,
			    request_queue(m), request_put_deadline(c, m->timeout_ms),
			    items, n, many, QP_OPT(&m->options, atomic), &reply),
		     &reply);
}

/* What a put says of its items. */
struct description {
	bool plain; /* nothing: the members below have no value */
	uint8_t ctype;
	int32_t priority;
	bool keep_expired;
	bool timed; /* the members below count */
	uint64_t ready_ns, expires_ns;
	struct qe_name queue, group; /* no group: the length is 0 */
	struct qe_key key;	     /* none: its length is 0 */
};

/* What becomes of an item that expires. */
static bool
read_on_expire(struct conn *c, const struct qp_request *m, bool *ret_keep)
{
	const struct qp_str *s = &m->options.on_expire;

	if (!QP_GIVEN(&m->options, on_expire))
		return true;
	*ret_keep = s->len == 4 && memcmp(s->p, "dead", 4) == 0;
	if (*ret_keep || (s->len == 4 && memcmp(s->p, "drop", 4) == 0))
		return true;
	deliver_refusal(c, m->rid, QP_INVALID, "option on_expire must be drop or dead");
	return false;
}

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
	ret->ready_ns = QP_GIVEN(o, at_ms) ? server_wall_ns(o->at_ms) : 0;
	if (QP_OPT(o, delay_ms) > 0)
		ret->ready_ns = request_deadline(now_ns, o->delay_ms);
	ret->expires_ns =
		QP_GIVEN(o, ttl_ms) ? request_deadline(now_ns, o->ttl_ms) : QE_NEVER;
	ret->timed = ret->ready_ns > 0 || ret->expires_ns != QE_NEVER;
	return true;
}

/* One of the words, by its number. `index` stays when the option is not given. */
static bool
read_word(struct conn *c, const struct qp_request *m, const char *option,
	  const struct qp_str *given, const char *const words[3], unsigned *index)
{
	for (unsigned i = 0; given && i < 3; i++)
		if (words[i] && strlen(words[i]) == given->len &&
		    memcmp(words[i], given->p, given->len) == 0) {
			*index = i;
			return true;
		}
	if (!given)
		return true;
	deliver_refusal(c, m->rid, QP_INVALID, "option %s must be %s%s%s or %s", option,
			words[0] ? words[0] : "", words[0] ? ", " : "", words[1],
			words[2]);
	return false;
}

static bool
read_key(struct conn *c, const struct qp_request *m, struct qe_key *ret)
{
	static const char *const scopes[] = {
		[QE_QUEUED] = "queued", [QE_UNFINISHED] = "unfinished"};
	static const char *const outcomes[] = {[QE_IGNORE] = "ignore",
					       [QE_REJECT] = "reject",
					       [QE_REPLACE] = "replace"};
	const struct qp_options *o = &m->options;
	unsigned scope = QP_GIVEN(o, window_ms) ? QE_WINDOW : QE_UNFINISHED;
	unsigned on_duplicate = QE_IGNORE;

	if (!QP_GIVEN(o, key))
		return true;
	if (!qp_valid_name(o->key.p, o->key.len)) {
		deliver_refusal(c, m->rid, QP_INVALID,
				"option key must be 1 to 255 bytes of UTF-8 without "
				"control characters");
		return false;
	}
	if (m->op != QP_OP_PUT) {
		deliver_refusal(c, m->rid, QP_INVALID, "%s takes no option key",
				qp_op_name(m->op));
		return false;
	}
	if (!read_word(c, m, "unique", QP_GIVEN(o, unique) ? &o->unique : NULL, scopes,
		       &scope) ||
	    !read_word(c, m, "on_duplicate",
		       QP_GIVEN(o, on_duplicate) ? &o->on_duplicate : NULL, outcomes,
		       &on_duplicate))
		return false;
	*ret = (struct qe_key){.name = {o->key.p, o->key.len},
			       .scope = (enum qe_scope)scope,
			       .window_ns = request_deadline(0, QP_OPT(o, window_ms)),
			       .on_duplicate = (enum qe_on_duplicate)on_duplicate};
	return true;
}

static bool
read_options(struct conn *c, const struct qp_request *m, struct description *ret)
{
	*ret = (struct description){0};
	ret->ctype = (uint8_t)QP_OPT(&m->options, ctype);
	ret->priority = (int32_t)QP_OPT(&m->options, priority);
	ret->queue = request_queue(m);
	ret->group = request_group(&m->options);
	return read_times(c, m, ret) && read_on_expire(c, m, &ret->keep_expired) &&
	       valid_group(c, m) && read_key(c, m, &ret->key);
}

/* Most puts say nothing. false: it was refused. */
static inline bool
read_description(struct conn *c, const struct qp_request *m, struct description *ret)
{
	ret->plain = !m->options.present;
	return ret->plain || read_options(c, m, ret);
}

static enum qe_result
describe(struct conn *c, struct qe_item *item, const struct description *d)
{
	struct qe *e = c->server->engine;
	enum qe_result result = QE_OK;

	if (d->plain)
		return QE_OK;
	qe_item_set_ctype(item, d->ctype);
	qe_item_set_priority(item, d->priority);
	if (d->keep_expired)
		qe_item_keep_expired(item);
	if (d->timed)
		result = qe_item_set_times(e, item, d->ready_ns, d->expires_ns);
	if (result == QE_OK && d->group.len > 0)
		result = qe_item_set_group(e, c->server->now_ns, item, d->queue,
					   d->group);
	if (result == QE_OK && d->key.name.len > 0)
		result = qe_item_set_key(e, c->server->now_ns, item, d->queue, &d->key);
	return result;
}

struct qe_item *
request_item(struct conn *c, const struct qp_request *m, struct frame *f)
{
	struct qe_item *item = f->item;
	enum qe_result result;

	f->item = NULL;
	if (item)
		return item;
	result = qe_item_new(c->server->engine, f->body_len, &item);
	if (result != QE_OK) {
		deliver_result(c, m->rid, result);
		return NULL;
	}
	memcpy(qe_item_body(item), f->body, f->body_len);
	return item;
}

void
handle_put(struct conn *c, struct qp_request *m, struct frame *f)
{
	struct qe_item *item;
	struct description d;
	enum qe_result result;

	if (!read_description(c, m, &d))
		return;
	item = request_item(c, m, f);
	if (!item)
		return;
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
	if (m->lengths.sum == body_len)
		return true;
	deliver_refusal(c, m->rid, QP_INVALID,
			"PUT_MANY: the lengths sum up to %" PRIu64
			", the body has %u bytes",
			m->lengths.sum, body_len);
	return false;
}

/* Makes the items of a batch, those from `first` on. Not QE_OK: none is left. */
static enum qe_result
make_items(struct conn *c, struct qp_list lengths, const uint8_t *body, unsigned first,
	   const struct description *d, struct qe_item **items)
{
	struct qe *e = c->server->engine;
	enum qe_result result;

	for (uint32_t i = 0; i < lengths.n; i++) {
		size_t len = qp_list_next(&lengths);

		body += len;
		if (i < first)
			continue;
		result = qe_item_new(e, len, &items[i]);
		if (result == QE_OK) {
			memcpy(qe_item_body(items[i]), body - len, len);
			if (!d->plain)
				result = describe(c, items[i], d);
			if (result != QE_OK)
				qe_item_unref(e, items[i]);
		}
		if (result == QE_OK)
			continue;
		while (i > first)
			qe_item_unref(e, items[--i]);
		return result;
	}
	return QE_OK;
}

void
refuse_rest(struct conn *c, const struct qp_request *m, struct record *begun,
	    enum qe_result why)
{
	struct qe_reply reply = {.request = QE_REQUEST_PUT,
				 .many = true,
				 .n = begun->n,
				 .results = begun->results};

	for (unsigned i = 0; i < reply.n; i++)
		if (reply.results[i] == -QE_UNDECIDED)
			reply.results[i] = -(int64_t)why;
	deliver_reply(c, m->rid, &reply);
}

/* Goes on with a put of many that had been accepted in part when the connection was lost. */
static void
put_rest(struct conn *c, const struct qp_request *m, const uint8_t *body,
	 const struct description *d, struct record *begun)
{
	uint64_t now_ns = c->server->now_ns;
	struct qe_item *items[QP_MAX_BATCH_ITEMS];
	struct qe_reply reply = {.request = QE_REQUEST_PUT,
				 .many = true,
				 .n = begun->n,
				 .results = begun->results};
	struct qe_reply all;
	unsigned first = 0;
	enum qe_result result;

	while (reply.results[first] != -QE_UNDECIDED)
		first++;
	result = make_items(c, m->lengths, body, first, d, items);
	if (result == QE_OK) {
		answer_reply(c, m,
			     qe_put_rest(c->server->engine, now_ns, c->session->qe,
					 m->rid, request_queue(m),
					 request_put_deadline(c, m->timeout_ms), &reply,
					 items, &all),
			     &all);
		return;
	}
	refuse_rest(c, m, begun, result);
}

void
handle_put_many(struct conn *c, struct qp_request *m, struct frame *f)
{
	const uint8_t *body = f->item ? qe_item_body(f->item) : f->body;
	struct record begun = c->session->begun;
	struct qe_item *items[QP_MAX_BATCH_ITEMS];
	struct description d;
	enum qe_result result;

	c->session->begun.n = 0;
	if (!lengths_fit(c, m, f->body_len) || !read_description(c, m, &d)) {
		record_free_list(c->server->engine, &begun);
		return;
	}
	if (begun.n > 0 && begun.n == m->lengths.n) {
		put_rest(c, m, body, &d, &begun);
		return;
	}
	record_free_list(c->server->engine, &begun); /* it is another request */
	result = make_items(c, m->lengths, body, 0, &d, items);
	if (result == QE_OK)
		put_items(c, m, items, m->lengths.n, true);
	else
		deliver_result(c, m->rid, result);
}
