/* SPDX-License-Identifier: MIT
 *
 * qe_restore(): the entries of records, one after the other. An item that is being restored is NEW,
 * has its queue, and a struct kept_item, of a queue that is not durable too, which says in which state it
 * will be: restored.c puts it there.
 */
#include "daemon/core/engine_int.h"
#include "daemon/core/extra.h"
#include "daemon/core/group.h"
#include "daemon/core/keep.h"
#include "daemon/core/queue.h"
#include "daemon/core/restore.h"
#include "daemon/core/session.h"
#include "daemon/core/store.h"
#include "daemon/core/unique.h"

#include <string.h>

struct restoring {
	struct qe *e;
	struct entry in;
	const struct store_place *place;
	struct queue *recent; /* the one that was asked for last; NULL: none */
	const uint8_t *payload; /* of the record */
	uint64_t limit;		/* of memory */
	struct extra nobody; /* written to when there is no memory for one */
	enum qe_result result;
};

/* --- fields -------------------------------------------------------------------------- */

/* What is not what is expected: the record is refused. */
static void
nonsense(struct restoring *r)
{
	r->in.failed = true;
}

static bool
good(struct restoring *r, enum qe_result result)
{
	if (result == QE_OK && !r->in.failed)
		return true;
	if (result == QE_NOMEM)
		r->result = QE_NOMEM;
	nonsense(r);
	return false;
}

/* A time of the wall clock as one of the engine's, at least `least`. */
static uint64_t
read_time(struct restoring *r, uint64_t least)
{
	uint64_t at = entry_number(&r->in), wall = r->e->keep.wall_ns;

	if (at == 0)
		return QE_NEVER;
	return at > wall && at - wall > least ? at - wall : least;
}

/* Which may lie before the engine's time 0. */
static uint64_t
read_past(struct restoring *r)
{
	return entry_number(&r->in) - r->e->keep.wall_ns;
}

static struct qe_name
read_name(struct restoring *r)
{
	struct qe_name name = entry_text(&r->in);

	if (!queue_name_valid(name))
		nonsense(r);
	return name;
}

/* --- queues -------------------------------------------------------------------------- */

static struct queue *
find_queue(struct restoring *r)
{
	return queue_numbered(r->e, entry_number(&r->in));
}

/* One that was carried forward is described behind its items. */
static struct queue *
need_queue(struct restoring *r, uint64_t number)
{
	struct queue *q = r->recent;

	if (q && q->serial == number && !q->deleted)
		return q;
	q = queue_numbered(r->e, number);
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

/* Where the last full entry of something is, if it is kept. */
static void
place(struct restoring *r, struct kept *k, const uint8_t *from)
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
	struct queue *q = need_queue(r, number);
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
	place(r, &q->kept, from);
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

/* --- items --------------------------------------------------------------------------- */

static void
read_group(struct restoring *r, struct qe_item *item)
{
	struct qe_name name = read_name(r);

	if (!r->in.failed)
		good(r, group_set(r->e, item, item_in(item), name));
}

static void
read_key(struct restoring *r, struct qe_item *item)
{
	struct qe_key key = {.name = read_name(r)};

	key.scope = (enum qe_scope)entry_byte(&r->in);
	key.window_ns = entry_number(&r->in);
	key.on_duplicate = (enum qe_on_duplicate)entry_byte(&r->in);
	if (key.scope > QE_UNFINISHED || key.on_duplicate > QE_REPLACE)
		nonsense(r);
	if (!r->in.failed)
		good(r, unique_set(r->e, item, item_in(item), &key));
}

static struct extra *
need_extra(struct restoring *r, struct qe_item *item)
{
	struct extra *x = extra_need(r->e, item);

	good(r, x ? QE_OK : QE_NOMEM);
	return x ? x : &r->nobody;
}

static void
read_holder(struct restoring *r, struct qe_item *item)
{
	uint64_t lease_ns, ends_ns;
	struct extra *x;

	item->given_to.holder = entry_number(&r->in);
	item->given_to.from_ns = read_past(r);
	lease_ns = entry_number(&r->in);
	ends_ns = read_time(r, 1);
	if (lease_ns == 0 && ends_ns == QE_NEVER)
		return;
	x = need_extra(r, item);
	x->lease_ns = lease_ns;
	x->ends_ns = ends_ns;
}

static void
read_report(struct restoring *r, struct qe_item *item)
{
	struct qe_name worker = entry_text(&r->in), error = entry_text(&r->in);

	if (worker.len > QE_MAX_NAME || error.len > QE_MAX_ERROR)
		nonsense(r);
	else if (!extra_report(r->e, item, &worker, &error))
		good(r, QE_NOMEM);
}

static uint16_t
read_failures(struct restoring *r)
{
	uint64_t n = entry_number(&r->in);

	return (uint16_t)(n < UINT16_MAX ? n : UINT16_MAX);
}

static void
read_death(struct restoring *r, struct qe_item *item)
{
	uint8_t death = entry_byte(&r->in);

	if (death <= QE_DEATH_BURIED)
		item->death = death & 7;
	else
		nonsense(r);
}

/* Those of what changes. false: it is none. */
static bool
read_change(struct restoring *r, struct kept_item *k, uint8_t attribute)
{
	struct qe_item *item = k->item;

	switch (attribute) {
	case ATTRIBUTE_state:
		k->state = entry_byte(&r->in);
		if (k->state < ITEM_READY || k->state > ITEM_DEAD)
			nonsense(r);
		break;
	case ATTRIBUTE_deliveries:
		item->deliveries = (uint32_t)entry_number(&r->in);
		break;
	case ATTRIBUTE_failures:
		item->crashes = read_failures(r);
		item->nacks = read_failures(r);
		item->timeouts = read_failures(r);
		break;
	case ATTRIBUTE_death: read_death(r, item); break;
	case ATTRIBUTE_place: need_extra(r, item)->place = entry_number(&r->in); break;
	case ATTRIBUTE_ready_at:
		need_extra(r, item)->ready_ns = read_time(r, 1);
		break;
	case ATTRIBUTE_expires_at:
		need_extra(r, item)->expires_ns = read_time(r, 1);
		break;
	case ATTRIBUTE_holder: read_holder(r, item); break;
	case ATTRIBUTE_cancelled: k->cancelled = true; break;
	case ATTRIBUTE_died_at: need_extra(r, item)->died_ns = read_time(r, 0); break;
	case ATTRIBUTE_report: read_report(r, item); break;
	case ATTRIBUTE_keyless:
		if (item->extra && item->extra->key)
			unique_unset(r->e, item);
		break;
	default: return false;
	}
	return true;
}

/* Those of what never changes. false: it is none. */
static bool
read_nature(struct restoring *r, struct kept_item *k, uint8_t attribute)
{
	struct qe_item *item = k->item;

	switch (attribute) {
	case ATTRIBUTE_accepted:
		item->accepted = (read_past(r) >> ITEM_ACCEPTED_SHIFT) &
				 ((UINT64_C(1) << ITEM_ACCEPTED_BITS) - 1);
		break;
	case ATTRIBUTE_priority: item->priority = (int32_t)entry_signed(&r->in); break;
	case ATTRIBUTE_ctype: item->ctype = entry_byte(&r->in); break;
	case ATTRIBUTE_keep_expired: item->keep_expired = true; break;
	case ATTRIBUTE_group: read_group(r, item); break;
	case ATTRIBUTE_key: read_key(r, item); break;
	default: return false;
	}
	return true;
}

/* What a STATE does not say is as if it had never been said. */
static void
forget_changes(struct kept_item *k)
{
	struct qe_item *item = k->item;
	struct extra *x = item->extra;

	k->state = ITEM_READY;
	k->cancelled = false;
	item->given_to.holder = 0;
	item->deliveries = 0;
	item->crashes = item->nacks = item->timeouts = 0;
	item->death = QE_ALIVE;
	if (!x)
		return;
	x->place = x->ready_ns = x->died_ns = x->lease_ns = 0;
	x->expires_ns = x->ends_ns = QE_NEVER;
}

/* What a state needs. */
static bool
is_possible(const struct kept_item *k)
{
	const struct qe_item *item = k->item;

	switch (k->state) {
	case ITEM_DELAYED: return item->extra && item->extra->ready_ns > 0;
	case ITEM_LEASED: return item->deliveries > 0;
	case ITEM_DEAD: return item->death != QE_ALIVE;
	default: return true;
	}
}

static void
read_attributes(struct restoring *r, struct kept_item *k, bool full)
{
	const struct queue *q = item_in(k->item);
	uint64_t said = 0; /* bits */
	uint8_t attribute;

	forget_changes(k);
	while ((attribute = entry_byte(&r->in)) != ATTRIBUTE_END) {
		uint64_t bit = UINT64_C(1) << (attribute & 63);

		if (said & bit ||
		    (!read_change(r, k, attribute) &&
		     !(full && read_nature(r, k, attribute))))
			nonsense(r);
		said |= bit;
	}
	if (!(said & 1 << ATTRIBUTE_report) && k->item->extra)
		extra_forget_report(r->e, k->item);
	if (!is_possible(k))
		nonsense(r);
	k->purges = k->state == ITEM_DEAD ? q->dead_purges : q->purges;
}

/* A body stays in the journal: to copy all of them would take longer than everything else. */
static enum qe_result
new_item(struct restoring *r, size_t body_len, struct qe_item **ret_item)
{
	if (r->place->segment > 0 && bodies_may_leave(body_len))
		return item_new_absent(r->e, body_len, ret_item);
	return item_new_restored(r->e, body_len, ret_item);
}

static void
take_body(struct restoring *r, struct kept_item *k, const uint8_t *body)
{
	struct qe_item *item = k->item;

	k->offset = (uint32_t)(r->place->offset + (uint64_t)(body - r->payload));
	if (item->absent)
		k->sum = bodies_sum(r->e, body, item->body_len);
	else
		memcpy(item->body, body, item->body_len);
}

#define FETCH 8 /* items that ids are looked at in advance */

static struct kept_item *
begin_item(struct restoring *r, struct queue *q, uint64_t id, size_t body_len)
{
	/* Most are new: then there is nothing to look for. */
	struct kept_item *k = id <= r->e->last_id ? keep_named(r->e, id) : NULL;
	struct qe_item *item;

	if (k)
		restore_drop(r->e, k);
	table_fetch(&r->e->keep.named, item_hash(r->e, id + FETCH)); /* if it comes */
	if (!good(r, keep_reserve(r->e, 1)) || !good(r, new_item(r, body_len, &item)))
		return NULL;
	item->id = id;
	item->owner.queue = q;
	k = keep_item_begin(r->e, item);
	list_append(&r->e->keep.changed[KEPT_ITEM], &k->kept.changed);
	return k;
}

/* Nothing is allocated that is longer than what is there. */
static uint64_t
read_body_len(struct restoring *r)
{
	uint64_t len = entry_number(&r->in);

	if (len > (uint64_t)(r->in.end - r->in.p))
		nonsense(r);
	return len;
}

static void
restore_item(struct restoring *r, const uint8_t *from)
{
	struct queue *q = need_queue(r, entry_number(&r->in));
	uint64_t id = entry_number(&r->in), len = read_body_len(r);
	struct kept_item *k;
	const uint8_t *body;

	if (r->in.failed || id == 0) {
		nonsense(r);
		return;
	}
	k = begin_item(r, q, id, len);
	if (!k)
		return;
	read_attributes(r, k, true);
	body = entry_bytes(&r->in, len);
	if (!body)
		return;
	take_body(r, k, body);
	if (id > r->e->last_id)
		r->e->last_id = id;
	restore_noted(r->e, k);
	place(r, &k->kept, from);
}

static void
restore_state(struct restoring *r)
{
	struct kept_item *k = keep_named(r->e, entry_number(&r->in));

	if (!k) {
		restore_skip(&r->in);
		return;
	}
	read_attributes(r, k, false);
	/* Of those that died at one time the last is the last that is said. */
	list_remove(&k->kept.changed);
	list_append(&r->e->keep.changed[KEPT_ITEM], &k->kept.changed);
	if (!r->in.failed)
		restore_noted(r->e, k);
}

static void
restore_gone(struct restoring *r)
{
	struct kept_item *k = keep_named(r->e, entry_number(&r->in));

	if (k)
		restore_drop(r->e, k);
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
	struct queue *q = need_queue(r, entry_number(&r->in));
	struct qe_name name = read_name(r);
	uint64_t id = entry_number(&r->in), ends_ns = read_time(r, 1);
	struct unique *u = NULL;

	if (id == 0)
		nonsense(r);
	if (r->in.failed)
		return;
	if (good(r, unique_restore(r->e, q, name, id, ends_ns, &u)))
		place(r, &u->kept, from);
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
		place(r, &session->kept, from);
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
