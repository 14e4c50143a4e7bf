/* SPDX-License-Identifier: MIT
 *
 * qe_restore(): the entries of records, one after the other; those of items are in restore_item.c.
 */
#include "daemon/core/group.h"
#include "daemon/core/restoring.h"
#include "daemon/core/session.h"
#include "daemon/core/unique.h"

#include <string.h>

/* --- queues -------------------------------------------------------------------------- */

static struct queue *
find_queue(struct restoring *r)
{
	return queue_numbered(r->e, entry_number(&r->in));
}

struct queue *
restoring_other_queue(struct restoring *r, uint64_t number)
{
	struct queue *q = queue_numbered(r->e, number);

	if (number == 0)
		nonsense(r);
	if (!q && !r->in.failed)
		good(r, queue_restore(r->e, number, &q));
	r->recent = q;
	return r->in.failed ? NULL : q;
}

static void
read_counters(struct restoring *r, struct qe_counters *ret)
{
	uint64_t n = entry_number(&r->in);

	*ret = (struct qe_counters){0};
	for (uint64_t i = 0; i < n && !r->in.failed; i++) {
		uint64_t count = entry_number(&r->in);

		if (i < CAUSES)
			((uint64_t *)ret)[i] = count;
	}
}

static void
read_text_option(struct restoring *r, struct qe_text *ret)
{
	struct qe_name text = entry_text(&r->in);

	if (text.len > QE_MAX_NAME) {
		nonsense(r);
		return;
	}
	ret->len = (uint8_t)text.len;
	memcpy(ret->p, text.p, text.len);
}

#define READ_NUMBER(name, ctype) options->name = (ctype)entry_signed(&r->in)
#define READ_WORD(name, ctype)	 options->name = (ctype)entry_signed(&r->in)
#define READ_NAME(name, ctype)	 read_text_option(r, &options->name)

static void
read_option(struct restoring *r, uint8_t which, struct qe_declare *options)
{
	switch (which - 1) {
#define QE_QUEUE_OPTION(name, ctype, kind, text) \
	case QE_OPTION_##name:                   \
		READ_##kind(name, ctype);        \
		options->has_##name = true;      \
		break;
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
	default: nonsense(r);
	}
}

static uint64_t
read_options(struct restoring *r, struct qe_declare *ret_options)
{
	uint64_t n = entry_number(&r->in), declared = 0;

	*ret_options = (struct qe_declare){.update = true};
	for (uint64_t i = 0; i < n && !r->in.failed; i++) {
		uint8_t byte = entry_byte(&r->in), which = byte & (ENTRY_DECLARED - 1);

		read_option(r, which, ret_options);
		if (byte & ENTRY_DECLARED && !r->in.failed)
			declared |= QUEUE_BIT(which - 1);
	}
	if (ret_options->order > QE_PRIORITY || ret_options->durable > QE_SYNC)
		nonsense(r);
	return declared;
}

void
restoring_place(struct restoring *r, struct kept *k, const uint8_t *from)
{
	if (r->place->segment == 0)
		return;
	if (!keep_segment(r->e, r->place->segment)) {
		good(r, QE_NOMEM);
		return;
	}
	keep_place(r->e, k, r->place->segment, (uint64_t)(r->in.p - from));
	k->whole = false;
}

static void
restore_queue(struct restoring *r, const uint8_t *from)
{
	uint64_t number = entry_number(&r->in);
	struct qe_name name = read_name(r);
	struct qe_declare options;
	uint64_t declared = read_options(r, &options), bits = entry_number(&r->in);
	struct queue *q = restoring_queue(r, number);
	struct qe_counters counters;

	read_counters(r, &counters);
	if ((bits & 3) > QE_SHUTDOWN_IMMEDIATE)
		nonsense(r);
	if (r->in.failed ||
	    (q->name_len == 0 && !good(r, queue_restore_name(r->e, q, name))))
		return;
	queue_configure(r->e, q, &options);
	q->declared = declared;
	q->shutdown = bits & 3;
	q->paused_in = bits & 4;
	q->paused_out = bits & 8;
	q->counters = counters;
	restoring_place(r, &q->kept, from);
}

static void
restore_counts(struct restoring *r)
{
	struct queue *q = find_queue(r);
	struct qe_counters counters;

	read_counters(r, &counters);
	if (q && !r->in.failed)
		q->counters = counters;
}

static void
restore_queue_gone(struct restoring *r)
{
	struct queue *q = find_queue(r);

	if (q)
		queue_restore_end(r->e, q);
}

static void
restore_purge(struct restoring *r)
{
	struct queue *q = find_queue(r);
	uint8_t dead = entry_byte(&r->in);

	if (dead > 1)
		nonsense(r);
	else if (q && dead)
		q->dead_purges++;
	else if (q)
		q->purges++;
}

static void
restore_cancel(struct restoring *r)
{
	struct queue *q = find_queue(r);
	struct qe_name name = read_name(r);
	struct group *g = q && !r->in.failed ? group_find(r->e, q, name) : NULL;

	if (g)
		g->cancels++;
}

static void
restore_window(struct restoring *r, const uint8_t *from)
{
	struct queue *q = restoring_queue(r, entry_number(&r->in));
	struct qe_name name = read_name(r);
	uint64_t id = entry_number(&r->in), ends_ns = read_time(r, 1);
	struct unique *u = NULL;

	if (id == 0)
		nonsense(r);
	if (r->in.failed)
		return;
	if (good(r, unique_restore(r->e, q, name, id, ends_ns, &u)))
		restoring_place(r, &u->kept, from);
}

/* --- sessions ------------------------------------------------------------------------ */

static void
restore_answers(struct restoring *r, struct qe_session *session, uint64_t n)
{
	const struct qe_hooks *hooks = r->e->keep.hooks;

	for (uint64_t i = 0; i < n && !r->in.failed; i++) {
		struct qe_name answer = entry_text(&r->in);

		if (!r->in.failed && session && session->owner && hooks)
			good(r, hooks->restore_answer(session->owner, answer.p,
						      answer.len));
	}
}

static struct qe_session *
need_session(struct restoring *r, uint64_t number, const uint8_t *id)
{
	struct qe_session *session = session_numbered(r->e, number);

	if (!session && number > 0)
		(void)good(r, session_restore(r->e, id, number, &session));
	return session;
}

static void
restore_session(struct restoring *r, const uint8_t *from)
{
	const struct qe_hooks *hooks = r->e->keep.hooks;
	uint64_t number = entry_number(&r->in);
	const uint8_t *id = entry_bytes(&r->in, 16);
	struct qe_name note = entry_text(&r->in);
	uint64_t n = entry_number(&r->in);
	struct qe_session *session;

	if (r->in.failed)
		return;
	if (r->e->keep.copied) {
		restore_answers(r, NULL, n);
		return;
	}
	session = need_session(r, number, id);
	if (!session)
		nonsense(r);
	else if (hooks)
		good(r, hooks->restore_session(hooks->arg, session, id, note.p,
					       note.len));
	restore_answers(r, session, n);
	if (!r->in.failed)
		restoring_place(r, &session->kept, from);
}

static void
restore_session_gone(struct restoring *r)
{
	const struct qe_hooks *hooks = r->e->keep.hooks;
	struct qe_session *session = session_numbered(r->e, entry_number(&r->in));

	if (!session)
		return;
	if (hooks && session->owner)
		hooks->restore_end(session->owner);
	session_restore_end(r->e, session);
}

static void
restore_answer(struct restoring *r)
{
	restore_answers(r, session_numbered(r->e, entry_number(&r->in)), 1);
}

static void
restore_confirm(struct restoring *r)
{
	const struct qe_hooks *hooks = r->e->keep.hooks;
	struct qe_session *session = session_numbered(r->e, entry_number(&r->in));
	uint64_t rid = entry_number(&r->in);

	if (!r->in.failed && session && session->owner && hooks)
		hooks->restore_confirm(session->owner, rid);
}

static void
restore_meta(struct restoring *r)
{
	uint64_t epoch = entry_number(&r->in), ids = entry_number(&r->in),
		 numbers = entry_number(&r->in);

	if (r->in.failed)
		return;
	if (r->e->keep.copied)
		ids += QE_COPIED_IDS;
	else
		r->e->config.epoch = (uint32_t)epoch;
	if (ids > r->e->keep.ids)
		r->e->keep.ids = ids;
	if (numbers > r->e->keep.numbers)
		r->e->keep.numbers = numbers;
}

/* --- records ------------------------------------------------------------------------- */

static void
restore_entry(struct restoring *r)
{
	const uint8_t *from = r->in.p;

	switch (entry_byte(&r->in)) {
	case ENTRY_META: restore_meta(r); break;
	case ENTRY_QUEUE: restore_queue(r, from); break;
	case ENTRY_COUNTS: restore_counts(r); break;
	case ENTRY_QUEUE_GONE: restore_queue_gone(r); break;
	case ENTRY_ITEM: restore_item(r, from); break;
	case ENTRY_STATE: restore_state(r); break;
	case ENTRY_GONE: restore_gone(r); break;
	case ENTRY_PURGE: restore_purge(r); break;
	case ENTRY_CANCEL: restore_cancel(r); break;
	case ENTRY_WINDOW: restore_window(r, from); break;
	case ENTRY_SESSION: restore_session(r, from); break;
	case ENTRY_SESSION_GONE: restore_session_gone(r); break;
	case ENTRY_ANSWER: restore_answer(r); break;
	case ENTRY_CONFIRM: restore_confirm(r); break;
	default: nonsense(r);
	}
}

void
qe_restore_copied(struct qe *e, bool copied)
{
	e->keep.copied = copied;
}

enum qe_result
qe_restore(struct qe *e, uint64_t now_ns, const void *payload, size_t len,
	   const struct store_place *place)
{
	struct restoring r = {.e = e,
			      .in = {payload, (const uint8_t *)payload + len, false},
			      .place = place,
			      .payload = payload,
			      .limit = e->config.memory_limit,
			      .result = QE_INVALID};

	e->now_ns = now_ns;
	e->keep.restoring = true;
	e->config.memory_limit = 0; /* what was accepted is not refused */
	while (entry_left(&r.in))
		restore_entry(&r);
	e->config.memory_limit = r.limit;
	return r.in.failed ? r.result : QE_OK;
}
