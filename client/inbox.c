/* SPDX-License-Identifier: MIT
 * Frames of the broker. A reply is decoded where it was received; nothing that points into the
 * buffer is used once its body is awaited or its request finished. */
#include "client/client.h"
#include "client/item.h"
#include "client/notice.h"
#include "client/pass.h"
#include "client/pipeline.h"
#include "client/request.h"
#include "proto/memfd.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER	      ((size_t)128 << 10)
#define CONFIRM_EVERY 32 /* replies: so many, at most, the broker remembers in vain */
_Static_assert(BUFFER >= QP_FRAME_BYTES + QP_MAX_HEAD, "a head must fit");

static qb_item **
parts_list(struct parts *parts)
{
	return parts->many ? parts->many : &parts->one;
}

static void
parts_free(struct parts *parts)
{
	for (unsigned i = 0; i < parts->n; i++)
		qb_item_free(parts_list(parts)[i]);
	free(parts->many);
	*parts = (struct parts){0};
}

bool
inbox_init(struct inbox *in)
{
	*in = (struct inbox){.buf = malloc(BUFFER)};
	return in->buf != NULL;
}

void
inbox_done(struct inbox *in)
{
	parts_free(&in->parts);
	pass_done(in);
	free(in->buf);
	*in = (struct inbox){0};
}

int
inbox_space(struct inbox *in, struct iovec places[2])
{
	int n = 0;

	if (in->call.rid && in->current < in->parts.n) {
		qb_item *item = parts_list(&in->parts)[in->current];

		places[n++] = (struct iovec){item->body + in->filled,
					     item->size - in->filled};
	}
	places[n++] = (struct iovec){in->buf + in->end, BUFFER - in->end};
	return n;
}

/* --- a reply's body -------------------------------------------------------------- */

/* NULL: there was no memory for the item. */
static bool
add_part(struct parts *parts, qb_item *item)
{
	if (!item)
		return false;
	parts_list(parts)[parts->n++] = item;
	return true;
}

/* One item that there is no memory for goes back to its queue, if it was leased. */
static qb_result
give_back(qb *q, uint8_t ack, const struct qp_item *item)
{
	struct qp_request m = {
		.op = QP_OP_RELEASE,
		.id = item->id,
		.delivery = item->delivery,
		.epoch = q->epoch,
	};

	if (ack == QB_NONE || !request_gets(q->in.call.op))
		return QB_OK;
	if (request_unheard(q, &m) == QB_OK)
		return QB_OK;
	return error_set(q, QB_LOST, "the connection was given up: no memory");
}

/* The one that asked for the i-th item of the reply may not be the one that is answered. */
static uint8_t
ack_of(const qb *q, uint32_t i)
{
	const struct awaited *awaited = &q->in.call;

	return awaited->op == QP_OP_GET_RUN
		       ? call_find(&q->calls, awaited->rid + i)->ack
		       : awaited->ack;
}

static qb_result
no_memory(qb *q, const struct qp_item *one, uint32_t body_len)
{
	struct inbox *in = &q->in;
	qb_result r = QB_OK;
	struct qp_list items;

	parts_free(&in->parts);
	in->no_memory = true;
	in->thrown = body_len;
	if (one)
		return give_back(q, in->call.ack, one);
	items = in->reply.items;
	for (uint32_t i = 0; i < items.n && r == QB_OK; i++) {
		struct qp_item item = qp_item_next(&items);

		r = give_back(q, ack_of(q, i), &item);
	}
	return r;
}

static bool
is_item(unsigned op)
{
	return op == QP_OP_GET || op == QP_OP_GET_ANY || op == QP_OP_PEEK ||
	       op == QP_OP_SHOW;
}

/* The item's body is a descriptor. Whoever passed it may not be the broker: it is believed
 * nothing. */
static qb_result
expect_passed(qb *q, const struct qp_item *item, const struct qp_options *said)
{
	struct inbox *in = &q->in;
	uint64_t len = in->reply.options.memfd;
	const char *fault;
	qb_item *it;
	int fd;

	if (!pass_take(q, &fd))
		return error_set(
			q, QB_MALFORMED,
			"the broker announced a descriptor, and none has come");
	if (fd < 0)
		return no_memory(q, item, 0);
	fault = qp_memfd_fault(fd, len);
	it = fault ? NULL : item_map(item, said, fd, len);
	close(fd);
	if (fault)
		return error_set(q, QB_MALFORMED, "the broker passed a body that %s",
				 fault);
	if (!it)
		return no_memory(q, item, 0);
	in->parts.one = it;
	in->parts.n = in->current = 1;
	return QB_OK;
}

static qb_result
expect_one(qb *q, uint32_t body_len)
{
	const struct qp_reply *reply = &q->in.reply;
	const struct qp_options *said = NULL;
	struct qp_item item = {.length = body_len};

	if (is_item(q->in.call.op)) {
		item.id = reply->id;
		item.delivery = reply->delivery;
	}
	if (is_item(q->in.call.op) && reply->options.present) {
		item.ctype = QP_OPT(&reply->options, ctype);
		item.crashes = QP_OPT(&reply->options, crashes);
		item.nacks = QP_OPT(&reply->options, nacks);
		item.timeouts = QP_OPT(&reply->options, timeouts);
		item.priority = QP_OPT(&reply->options, priority);
		if (QP_GIVEN(&reply->options, group))
			item.group = reply->options.group;
	}
	if (q->in.call.op == QP_OP_SHOW)
		said = &reply->options;
	if (QP_GIVEN(&reply->options, memfd) && body_len == 0 && is_item(q->in.call.op))
		return expect_passed(q, &item, said);
	if (body_len >= PASS_BYTES && is_item(q->in.call.op))
		pass_ask(q);
	return add_part(&q->in.parts, item_new(&item, said))
		       ? QB_OK
		       : no_memory(q, &item, body_len);
}

static qb_result
expect_any(qb *q, uint32_t body_len)
{
	uint64_t which = QP_OPT(&q->in.reply.options, which);

	if (which < q->in.call.max_items)
		return expect_one(q, body_len);
	return error_set(q, QB_MALFORMED, "the broker gave from queue %llu of %u",
			 (unsigned long long)which, q->in.call.max_items);
}

static qb_result
wrong_items(qb *q, uint32_t body_len)
{
	parts_free(&q->in.parts);
	return error_set(q, QB_MALFORMED,
			 "the broker gave %u items, which are not %u bytes or not what "
			 "was asked for",
			 q->in.reply.items.n, body_len);
}

static qb_result
expect_many(qb *q, uint32_t body_len)
{
	struct inbox *in = &q->in;
	struct qp_list items = in->reply.items;
	struct shelf_room room = shelf_room(items.n, body_len);
	uint64_t left = body_len;

	if (items.n == 0 || items.n > in->call.max_items)
		return wrong_items(q, body_len);
	if (items.n > 1) {
		in->parts.many = malloc(items.n * sizeof(*in->parts.many));
		if (!in->parts.many)
			return no_memory(q, NULL, body_len);
	}
	for (uint32_t i = 0; i < items.n; i++) {
		struct qp_item item = qp_item_next(&items);

		if (item.length > left)
			return wrong_items(q, body_len);
		left -= item.length;
		if (!add_part(&in->parts, item_new_among(&item, &room)))
			return no_memory(q, NULL, body_len);
	}
	return left == 0 ? QB_OK : wrong_items(q, body_len);
}

/* As many requests must be outstanding. */
static qb_result
expect_run(qb *q, uint32_t body_len)
{
	struct awaited *awaited = &q->in.call;

	awaited->max_items = 0;
	while (awaited->max_items < q->in.reply.items.n) {
		const struct call *call =
			call_find(&q->calls, awaited->rid + awaited->max_items);

		if (!call || call->op != QP_OP_GET_RUN)
			break;
		awaited->max_items++;
	}
	if (QP_GIVEN(&q->in.reply.options, memfd) && body_len == 0 &&
	    q->in.reply.items.n == 1 && awaited->max_items == 1) {
		struct qp_list items = q->in.reply.items;
		struct qp_item item = qp_item_next(&items);

		return expect_passed(q, &item, NULL);
	}
	if (body_len > 0 && body_len >= PASS_BYTES * q->in.reply.items.n)
		pass_ask(q);
	return expect_many(q, body_len);
}

static qb_result
expect_body(qb *q, uint32_t body_len)
{
	struct inbox *in = &q->in;
	unsigned op = in->reply.status == QP_OK ? in->call.op : 0;
	uint32_t most = 0;

	switch (op) {
	case QP_OP_GET_ANY: return expect_any(q, body_len);
	case QP_OP_GET:
	case QP_OP_PEEK:
	case QP_OP_SHOW: return expect_one(q, body_len);
	case QP_OP_GET_MANY: return expect_many(q, body_len);
	case QP_OP_GET_RUN: return expect_run(q, body_len);
	case QP_OP_QUEUES:
	case QP_OP_STATS:
	case QP_OP_CLIENTS:
	case QP_OP_WAITERS:
	case QP_OP_WHO:
	case QP_OP_POLICY:
	case QP_OP_BACKUP:
	case QP_OP_RELOAD:
	case QP_OP_BROWSE:
		most = QP_MAX_BATCH_BYTES;
		if (body_len <= most)
			return expect_one(q, body_len);
		break;
	case QP_OP_DUMP: return expect_one(q, body_len);
	default: break;
	}
	if (body_len <= most)
		return QB_OK;
	return error_set(q, QB_MALFORMED,
			 "the broker's reply to %s has a body of %u bytes",
			 qp_op_name(in->call.op), body_len);
}

static size_t
at_most(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Moves what has arrived into the parts. Whether they are complete. */
static bool
fill(struct inbox *in)
{
	size_t n;

	while (in->current < in->parts.n) {
		qb_item *item = parts_list(&in->parts)[in->current];

		n = at_most(item->size - in->filled, in->end - in->start);
		memcpy(item->body + in->filled, in->buf + in->start, n);
		in->start += n;
		in->filled += n;
		if (in->filled < item->size)
			return false;
		in->current++;
		in->filled = 0;
	}
	n = at_most(in->thrown, in->end - in->start);
	in->start += n;
	in->thrown -= n;
	return in->thrown == 0;
}

/* --- the end of a request -------------------------------------------------------- */

/* Items belong to this session until they are finished; with QB_AUTO that is now. */
static void
take_leases(qb *q, uint8_t ack, struct parts *parts)
{
	const struct qp_options *o = &q->in.reply.options;

	for (unsigned i = 0; i < parts->n; i++) {
		qb_item *item = parts_list(parts)[i];

		item->leased = ack == QB_MANUAL;
		if (QP_GIVEN(o, lease_ms))
			item->lease_ms = (int64_t)o->lease_ms;
		memcpy(item->session, q->mark, sizeof(item->session));
		if (ack == QB_AUTO)
			gather_ack(q, item);
	}
}

/* `n` answers have come, the last one to `rid`, and with it the proof that what was sent before its
 * request has been carried out. */
static void
heard(qb *q, uint64_t rid, unsigned n)
{
	call_answered(&q->calls, rid);
	q->pause_ms = 0;
	q->heard += n;
	if (q->heard >= CONFIRM_EVERY)
		request_confirm(q, rid);
}

/* Each item of a run answers a request of its own. A callback may fork: then the child has none of
 * them. */
static void
finish_run(qb *q)
{
	struct inbox *in = &q->in;
	uint64_t rid = in->call.rid;
	unsigned n = in->call.max_items;
	struct parts parts = in->parts;

	in->call.rid = 0;
	in->parts = (struct parts){0};
	heard(q, rid + n - 1, n);
	for (unsigned i = 0; i < n; i++) {
		struct call *slot = call_find(&q->calls, rid + i), call;
		struct parts one = {.n = i < parts.n};
		struct answer answer = {.reply = &in->reply, .items = &one.one};

		if (!slot || slot->op != QP_OP_GET_RUN)
			break;
		call = *slot;
		call_remove(&q->calls, slot);
		answer.n = one.n;
		if (one.n == 0) {
			answer.result = error_set(q, QB_NO_MEMORY,
						  "there is no memory for the reply");
		} else {
			one.one = parts_list(&parts)[i];
			parts_list(&parts)[i] = NULL;
			if (call.ack != QB_NONE)
				take_leases(q, call.ack, &one);
		}
		call.finish(q, &call, &answer);
		parts_free(&one);
	}
	parts_free(&parts);
}

static void
finish(qb *q)
{
	struct inbox *in = &q->in;
	struct call *slot = call_find(&q->calls, in->call.rid), call = *slot;
	struct parts parts = in->parts;
	struct answer answer = {
		.reply = &in->reply, .items = parts_list(&parts), .n = parts.n};

	if (call.op == QP_OP_GET_RUN && in->reply.status == QP_OK) {
		finish_run(q);
		return;
	}
	in->call.rid = 0;
	in->parts = (struct parts){0};
	call_remove(&q->calls, slot);
	if (!q->greeting)
		heard(q, call.rid, 1);
	if (in->no_memory)
		answer.result =
			error_set(q, QB_NO_MEMORY, "there is no memory for the reply");
	else if (in->reply.status != QP_OK)
		answer.result = error_status(q, in->reply.status, in->reply.text);
	else if (parts.n > 0 && request_gets(in->call.op) && call.ack != QB_NONE)
		take_leases(q, call.ack, &parts);
	call.finish(q, &call, &answer);
	parts_free(&parts);
}

void
inbox_abort(qb *q, qb_result result, const char *why)
{
	struct answer answer = {.result = result};
	struct call call;
	uint64_t cursor = 0;

	parts_free(&q->in.parts);
	q->in.call.rid = 0;
	error_set(q, result, "%s", why);
	pipeline_abort(q,
		       result); /* nothing is gathered when callbacks cancel requests */
	while (call_take(&q->calls, &cursor, &call)) {
		error_set(q, result, "%s", why);
		call.finish(q, &call, &answer);
	}
	error_set(q, result, "%s", why);
}

/* --- frames ---------------------------------------------------------------------- */

/* What the broker says about the connection itself is its last word. */
static qb_result
last_word(qb *q, const struct qp_reply *reply)
{
	qb_result r = error_status(q, reply->status, reply->text);

	return q->greeting ? r : QB_LOST;
}

static qb_result
without_request(qb *q, uint32_t body_len)
{
	const struct qp_reply *reply = &q->in.reply;

	if (reply->status != QP_OK)
		return last_word(q, reply);
	if (body_len > 0)
		return error_set(q, QB_MALFORMED,
				 "the broker sent a notice with a body");
	notice_received(q, reply);
	return QB_OK;
}

static qb_result
begin(qb *q, const uint8_t *head, struct qp_frame frame)
{
	struct inbox *in = &q->in;
	struct qp_error e;
	struct call *call;
	uint64_t rid;

	if (!qp_reply_rid(head, frame.head_len, &rid))
		return error_set(q, QB_MALFORMED, "the broker sent a broken head");
	call = call_find(&q->calls, rid);
	if (!call && rid != 0)
		return error_set(
			q, QB_MALFORMED,
			"the broker answered request %llu, which is not outstanding",
			(unsigned long long)rid);
	if (!qp_reply_decode(head, frame.head_len, call ? call->op : 0, &in->reply, &e))
		return error_set(q, QB_MALFORMED, "the broker sent a broken reply: %s",
				 e.text);
	if (!call)
		return without_request(q, frame.body_len);
	in->call = (struct awaited){rid, call->op, call->ack, call->max_items};
	in->current = 0;
	in->filled = 0;
	in->thrown = 0;
	in->no_memory = false;
	return expect_body(q, frame.body_len);
}

/* Takes one more step, if what is there allows. */
static bool
step(qb *q, qb_result *ret)
{
	struct inbox *in = &q->in;
	const uint8_t *p = in->buf + in->start;
	size_t len = in->end - in->start;
	struct qp_frame frame;

	if (in->call.rid) {
		if (!fill(in))
			return false;
		finish(q);
		return q->fd >= 0;
	}
	if (len < QP_FRAME_BYTES)
		return false;
	frame = qp_frame_read(p);
	if (frame.head_len == 0 || frame.head_len > QP_MAX_HEAD ||
	    frame.body_len > QP_MAX_BODY) {
		*ret = error_set(
			q, QB_MALFORMED,
			"the broker sent a frame with a head of %u bytes and a "
			"body of %u",
			frame.head_len, frame.body_len);
		return false;
	}
	if (len < QP_FRAME_BYTES + frame.head_len)
		return false;
	in->start += QP_FRAME_BYTES + frame.head_len;
	*ret = begin(q, p + QP_FRAME_BYTES, frame);
	return *ret == QB_OK && q->fd >= 0;
}

qb_result
inbox_received(qb *q, size_t len)
{
	struct inbox *in = &q->in;
	qb_result r = QB_OK;

	if (in->call.rid && in->current < in->parts.n) {
		qb_item *item = parts_list(&in->parts)[in->current];
		size_t direct = at_most(len, item->size - in->filled);

		in->filled += direct;
		len -= direct;
	}
	in->end += len;
	while (step(q, &r))
		;
	if (r == QB_OK && in->n_passed > 0 && in->start == in->end && !in->call.rid)
		r = error_set(
			q, QB_MALFORMED,
			"the broker passed a descriptor that it did not announce");
	if (in->start > 0 && r == QB_OK) {
		memmove(in->buf, in->buf + in->start, in->end - in->start);
		in->end -= in->start;
		in->start = 0;
	}
	return r;
}
