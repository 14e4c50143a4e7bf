/* SPDX-License-Identifier: MIT
 * Looking at queues and changing them: PEEK to STATS. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/net/deliver.h"
#include "daemon/net/handlers.h"
#include "daemon/net/remember.h"
#include "daemon/net/server.h"
#include "daemon/words.h"

#define TEXT_BYTES (QE_MAX_NAME + 3)

void
handle_peek(struct conn *c, struct qp_request *m, struct frame *f)
{
	struct qe_item *item;
	enum qe_result result = qe_peek(c->server->engine, request_queue(m), &item);

	if (result == QE_AGAIN) {
		call_again(c, result);
		return;
	}
	if (result != QE_OK) {
		deliver_result(c, m->rid, result);
		return;
	}
	deliver_item(c, QP_OP_PEEK, m->rid, item, 0);
	qe_item_unref(c->server->engine, item);
	remember_nothing(c, m->rid);
}

void
handle_size(struct conn *c, struct qp_request *m, struct frame *f)
{
	struct qp_reply reply = {0};
	struct qe_size size;
	enum qe_result result = qe_size(c->server->engine, request_queue(m), &size);

	if (result != QE_OK) {
		deliver_result(c, m->rid, result);
		return;
	}
	reply.qsize = size.qsize;
	reply.unfinished = size.unfinished;
	reply.maxsize = size.maxsize;
	deliver_fields(c, m, &reply);
}

/* One option of a queue, as text. */
static const char *
text_number(char buf[], int64_t value)
{
	snprintf(buf, TEXT_BYTES, "%" PRId64, value);
	return buf;
}

static const char *
text_name(char buf[], struct qe_text value)
{
	snprintf(buf, TEXT_BYTES, "\"%.*s\"", value.len, value.p);
	return buf;
}

static void
refuse_mismatch(struct conn *c, const struct qp_request *m,
		const struct qe_declare *declare, const struct qe_queue_stats *has)
{
	char was[TEXT_BYTES], is[TEXT_BYTES];

#define TEXT_NUMBER(name, buf, value) text_number(buf, value)
#define TEXT_WORD(name, buf, value)   words_of_##name.v[value]
#define TEXT_NAME(name, buf, value)   text_name(buf, value)
#define QE_QUEUE_OPTION(name, ctype, kind, text)                       \
	if (qe_declare_differs(declare, QE_OPTION_##name, has)) {      \
		deliver_refusal(c, m->rid, QP_MISMATCH,                \
				"the queue has " #name " %s, not %s",  \
				TEXT_##kind(name, was, has->name),     \
				TEXT_##kind(name, is, declare->name)); \
		return;                                                \
	}
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
}

static struct qe_text
read_text(struct qp_str s)
{
	struct qe_text text = {.len = (uint8_t)s.len};

	memcpy(text.p, s.p, text.len);
	return text;
}

/* false: it is none of the words, and was refused. */
static bool
check_word(struct conn *c, uint64_t rid, const char *name, const struct words *words,
	   struct qp_str text)
{
	char list[64];

	if (words_find(words, text.p, text.len) >= 0)
		return true;
	deliver_refusal(c, rid, QP_INVALID, "option %s must be %s", name,
			words_list(words, list, sizeof(list)));
	return false;
}

static bool
check_words(struct conn *c, const struct qp_request *m)
{
	const struct qp_options *o = &m->options;

#define CHECK_NUMBER(name) true
#define CHECK_NAME(name)   true
#define CHECK_WORD(name) \
	!QP_GIVEN(o, name) || check_word(c, m->rid, #name, &words_of_##name, o->name)
#define QE_QUEUE_OPTION(name, ctype, kind, text) \
	if (!(CHECK_##kind(name)))               \
		return false;
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
	return true;
}

/* The options of a queue that a request gives. false: it was refused. */
static bool
read_declare(struct conn *c, const struct qp_request *m, struct qe_declare *ret)
{
	const struct qp_options *o = &m->options;

	if (!check_words(c, m))
		return false;
	if (QP_GIVEN(o, dead_to) && o->dead_to.len > 0 &&
	    !qp_valid_name(o->dead_to.p, o->dead_to.len)) {
		deliver_refusal(c, m->rid, QP_INVALID,
				"option dead_to must be the name of a queue, or empty");
		return false;
	}
	*ret = (struct qe_declare){.update = QP_OPT(o, update)};
#define READ_NUMBER(name) QP_OPT(o, name)
#define READ_WORD(name) \
	QP_GIVEN(o, name) ? words_find(&words_of_##name, o->name.p, o->name.len) : 0
#define READ_NAME(name) \
	QP_GIVEN(o, name) ? read_text(o->name) : (struct qe_text){.len = 0}
#define QE_QUEUE_OPTION(name, ctype, kind, text) \
	ret->has_##name = QP_GIVEN(o, name);     \
	ret->name = READ_##kind(name);
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
	return true;
}

static void
refuse_declare(struct conn *c, const struct qp_request *m,
	       const struct qe_declare *declare, const struct qe_queue_stats *has,
	       enum qe_result result)
{
	bool kept = declare->has_durable && (declare->durable == QE_NOT_DURABLE) !=
						    (has->durable == QE_NOT_DURABLE);

	switch ((unsigned)result) {
	case QE_MISMATCH: refuse_mismatch(c, m, declare, has); break;
	case QE_NOT_EMPTY:
		deliver_refusal(c, m->rid, QP_NOT_EMPTY,
				kept ? "durable cannot change from none or to none "
				       "while the queue has items, dead ones too"
				     : "the order cannot change while the queue has "
				       "items");
		break;
	case QE_INVALID: /* the names have been looked at */
		deliver_refusal(c, m->rid, QP_INVALID,
				"durable=%s needs the broker's option state_dir",
				words_of_durable.v[declare->durable]);
		break;
	default: deliver_result(c, m->rid, result);
	}
}

void
handle_declare(struct conn *c, struct qp_request *m, struct frame *f)
{
	struct qe_declare declare;
	struct qp_reply reply = {0};
	struct qe_queue_stats has = {0};
	enum qe_result result;

	if (!read_declare(c, m, &declare))
		return;
	result = qe_declare(c->server->engine, c->server->now_ns, request_queue(m),
			    &declare, &reply.created, &has);
	if (result == QE_OK)
		deliver_fields(c, m, &reply);
	else
		refuse_declare(c, m, &declare, &has, result);
}

void
handle_delete(struct conn *c, struct qp_request *m, struct frame *f)
{
	answer_result(c, m,
		      qe_delete(c->server->engine, c->server->now_ns, request_queue(m),
				QP_OPT(&m->options, force)));
}

void
handle_purge(struct conn *c, struct qp_request *m, struct frame *f)
{
	struct qp_reply reply = {0};
	enum qe_result result = qe_purge(c->server->engine, c->server->now_ns,
					 request_queue(m), &reply.count);

	if (result == QE_OK)
		deliver_fields(c, m, &reply);
	else
		deliver_result(c, m->rid, result);
}

/* What is said of the queue into which nothing could be moved, or NULL. */
static const char *
target_text(enum qe_result result)
{
	switch ((unsigned)result) {
	case QE_FULL_ITEMS: return "the target has maxsize items";
	case QE_FULL_BYTES: return "the target has max_bytes bytes";
	case QE_TOO_BIG: return "the first item is larger than the target's max_bytes";
	case QE_SHUT_DOWN: return "the target is shut down";
	default: return NULL;
	}
}

void
handle_move(struct conn *c, struct qp_request *m, struct frame *f)
{
	struct qe_name to = {m->to.p, m->to.len};
	struct qp_reply reply = {0};
	enum qe_state state;
	enum qe_result result;

	if (!request_state(m, &state) ||
	    (state != QE_STATE_READY && state != QE_STATE_DEAD)) {
		deliver_refusal(c, m->rid, QP_INVALID,
				"option state must be ready or dead");
		return;
	}
	result = qe_move(c->server->engine, c->server->now_ns, request_queue(m), to,
			 state, (unsigned)m->max_items, &reply.count);
	if (result == QE_AGAIN)
		call_again(c, result);
	else if (result == QE_OK)
		deliver_fields(c, m, &reply);
	else if (result == QE_INVALID)
		deliver_refusal(c, m->rid, QP_INVALID,
				"the target is the queue itself");
	else if (target_text(result))
		deliver_refusal(c, m->rid,
				result == QE_TOO_BIG	 ? QP_TOO_BIG
				: result == QE_SHUT_DOWN ? QP_SHUT_DOWN
							 : QP_FULL,
				"%s", target_text(result));
	else
		deliver_result(c, m->rid, result);
}

/* Who has it, and what can be done. */
static void
refuse_held(struct conn *c, const struct qp_request *m)
{
	struct qe_lease_stats lease;
	char holder[REPORT_HOLDER];
	bool held = qe_who(c->server->engine, c->server->now_ns, m->id, &lease) ==
		    QE_OK;

	deliver_refusal(c, m->rid, QP_NOT_EMPTY,
			"%s holds item %" PRIu64 ": it is not deleted without force",
			report_holder(held ? lease.owner : NULL, holder), m->id);
}

void
handle_delete_item(struct conn *c, struct qp_request *m, struct frame *f)
{
	struct qe *e = c->server->engine;
	enum qe_result result = qe_delete_item(e, c->server->now_ns, request_queue(m),
					       m->id, QP_OPT(&m->options, force), &c->search);
	struct qe_queue_stats stats;

	if (result == QE_WAIT)
		conn_repeat(c);
	else if (result == QE_NOT_EMPTY)
		refuse_held(c, m);
	else if (result == QE_NOT_FOUND &&
		 qe_queue_stats(e, c->server->now_ns, request_queue(m), &stats) ==
			 QE_OK)
		deliver_refusal(c, m->rid, QP_NOT_FOUND,
				"the queue has no item %" PRIu64, m->id);
	else
		answer_result(c, m, result);
}

void
handle_shutdown(struct conn *c, struct qp_request *m, struct frame *f)
{
	answer_result(c, m,
		      qe_shutdown(c->server->engine, c->server->now_ns,
				  request_queue(m), QP_OPT(&m->options, immediate)));
}

void
handle_reopen(struct conn *c, struct qp_request *m, struct frame *f)
{
	answer_result(c, m,
		      qe_reopen(c->server->engine, c->server->now_ns,
				request_queue(m)));
}

void
handle_pause(struct conn *c, struct qp_request *m, struct frame *f)
{
	const struct qp_options *o = &m->options;
	struct qe_pause pause = {
		.has_in = QP_GIVEN(o, in),
		.in = QP_OPT(o, in),
		.has_out = QP_GIVEN(o, out),
		.out = QP_OPT(o, out),
	};

	answer_result(c, m,
		      qe_pause(c->server->engine, c->server->now_ns, request_queue(m),
			       &pause));
}

void
handle_queues(struct conn *c, struct qp_request *m, struct frame *f)
{
	report_queues(c, m);
}

void
handle_stats(struct conn *c, struct qp_request *m, struct frame *f)
{
	report_stats(c, m);
}

void
handle_policy(struct conn *c, struct qp_request *m, struct frame *f)
{
	report_policy(c, m);
}
