/* SPDX-License-Identifier: MIT
 *
 * The entries of what is kept, as doc/store-format.md says. See keep.h.
 */
#include "daemon/core/engine_int.h"
#include "daemon/core/extra.h"
#include "daemon/core/group.h"
#include "daemon/core/keep.h"
#include "daemon/core/queue.h"
#include "daemon/core/session.h"
#include "daemon/core/unique.h"
#include "daemon/core/waiter.h"

/* --- numbers, times, lists ----------------------------------------------------------- */

/* A point of the engine's clock as one of the wall's; what is too far away is never. */
static void
write_time(const struct qe *e, struct entries *r, uint64_t at_ns)
{
	uint64_t wall_ns;

	if (at_ns == QE_NEVER ||
	    __builtin_add_overflow(e->keep.wall_ns, at_ns, &wall_ns))
		wall_ns = 0;
	entries_number(r, wall_ns);
}

static void
write_attribute(struct entries *r, enum attribute attribute)
{
	entries_byte(r, (uint8_t)attribute);
}

static void
write_timed(const struct qe *e, struct entries *r, enum attribute attribute,
	    uint64_t at_ns)
{
	write_attribute(r, attribute);
	write_time(e, r, at_ns);
}

static void
write_counters(struct entries *r, const struct qe_counters *counters)
{
	entries_number(r, CAUSES);
	for (int i = 0; i < CAUSES; i++)
		entries_number(r, ((const uint64_t *)counters)[i]);
}

static void
write_name(struct entries *r, struct qe_name name)
{
	entries_text(r, name.p, name.len);
}

#define WRITE_NUMBER(name) entries_signed(r, (int64_t)q->name)
#define WRITE_WORD(name)   entries_signed(r, (int64_t)q->name)
#define WRITE_NAME(name)   entries_text(r, q->name.p, q->name.len)

static void
write_options(struct entries *r, const struct queue *q)
{
	entries_number(r, QE_QUEUE_OPTIONS);
#define QE_QUEUE_OPTION(name, ctype, kind, text)                           \
	entries_byte(r, (QE_OPTION_##name + 1) |                           \
				(q->declared & QUEUE_BIT(QE_OPTION_##name) \
					 ? ENTRY_DECLARED                  \
					 : 0));                            \
	WRITE_##kind(name);
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
}

/* --- entries --------------------------------------------------------------------------- */

void
keep_write_meta(struct qe *e, struct entries *r)
{
	entries_kind(r, ENTRY_META);
	entries_number(r, e->config.epoch);
	entries_number(r, e->keep.ids);
	entries_number(r, e->keep.numbers);
}

void
keep_write_queue(struct qe *e, struct entries *r, const struct queue *q)
{
	(void)e;
	entries_kind(r, ENTRY_QUEUE);
	entries_number(r, q->serial);
	entries_text(r, q->name, q->name_len);
	write_options(r, q);
	entries_number(r, (uint64_t)q->shutdown | (uint64_t)q->paused_in << 2 |
				  (uint64_t)q->paused_out << 3);
	write_counters(r, &q->counters);
}

static void
write_counts(struct entries *r, const struct queue *q)
{
	entries_kind(r, ENTRY_COUNTS);
	entries_number(r, q->serial);
	write_counters(r, &q->counters);
}

static void
write_holder(const struct qe *e, struct entries *r, const struct qe_item *item)
{
	const struct extra *x = item->extra;

	write_attribute(r, ATTRIBUTE_holder);
	entries_number(r, item_holding(item)->session->serial);
	write_time(e, r, e->now_ns - item_held_ns(e, item));
	entries_number(r, x ? x->lease_ns : 0);
	write_time(e, r, x ? x->ends_ns : QE_NEVER);
}

/* What may change of a record that few items have. */
static void
write_extra(const struct qe *e, struct entries *r, const struct qe_item *item)
{
	const struct extra *x = item->extra;

	if (x->place) {
		write_attribute(r, ATTRIBUTE_place);
		entries_number(r, x->place);
	}
	if (x->ready_ns)
		write_timed(e, r, ATTRIBUTE_ready_at, x->ready_ns);
	if (x->expires_ns != QE_NEVER)
		write_timed(e, r, ATTRIBUTE_expires_at, x->expires_ns);
	if (item->state == ITEM_DEAD)
		write_timed(e, r, ATTRIBUTE_died_at, x->died_ns);
	if (x->report) {
		write_attribute(r, ATTRIBUTE_report);
		write_name(r, qe_item_worker(item));
		write_name(r, qe_item_error(item));
	}
	if (!x->key)
		write_attribute(r, ATTRIBUTE_keyless);
}

static void
write_state(const struct qe *e, struct entries *r, const struct qe_item *item)
{
	if (item->state != ITEM_READY) {
		write_attribute(r, ATTRIBUTE_state);
		entries_byte(r, item->state);
	}
	if (item->deliveries) {
		write_attribute(r, ATTRIBUTE_deliveries);
		entries_number(r, item->deliveries);
	}
	if (item->crashes | item->nacks | item->timeouts) {
		write_attribute(r, ATTRIBUTE_failures);
		entries_number(r, item->crashes);
		entries_number(r, item->nacks);
		entries_number(r, item->timeouts);
	}
	if (item->death) {
		write_attribute(r, ATTRIBUTE_death);
		entries_byte(r, item->death);
	}
	if (item->state == ITEM_LEASED)
		write_holder(e, r, item);
	if (!item_waits(item->state) && group_cancelled(item))
		write_attribute(r, ATTRIBUTE_cancelled);
	if (item->extra)
		write_extra(e, r, item);
	write_attribute(r, ATTRIBUTE_END);
}

/* What never changes of it. */
static void
write_nature(const struct qe *e, struct entries *r, const struct qe_item *item)
{
	const struct extra *x = item->extra;

	write_timed(e, r, ATTRIBUTE_accepted, e->now_ns - item_age_ns(e, item));
	if (item->priority) {
		write_attribute(r, ATTRIBUTE_priority);
		entries_signed(r, item->priority);
	}
	if (item->ctype) {
		write_attribute(r, ATTRIBUTE_ctype);
		entries_byte(r, item->ctype);
	}
	if (item->keep_expired)
		write_attribute(r, ATTRIBUTE_keep_expired);
	if (item_group(item)) {
		write_attribute(r, ATTRIBUTE_group);
		write_name(r, qe_item_group(item));
	}
	if (x && x->key) {
		write_attribute(r, ATTRIBUTE_key);
		entries_text(r, x->key->name, x->key->name_len);
		entries_byte(r, x->scope);
		entries_number(r, x->window_ns);
		entries_byte(r, x->on_duplicate);
	}
}

const void *
keep_body(const struct qe *e, struct qe_item *item)
{
	struct qe_foreign *foreign = qe_item_foreign(item);

	return foreign ? e->keep.hooks->body(foreign) : qe_item_body(item);
}

/* `lent`: from how many bytes on it is not copied. */
static void
write_body(struct qe *e, struct entries *r, struct qe_item *item, size_t lent)
{
	const void *body = keep_body(e, item);

	if (!body)
		r->failed = true;
	else if (item->body_len >= lent && large_lend(e, item))
		entries_large(r, &(struct store_part){.bytes = body,
						      .len = item->body_len,
						      .stays = true});
	else
		entries_body(r, body, item->body_len);
}

/* What is in the store alone is there once more. */
static void
write_absent_body(const struct qe *e, struct entries *r, const struct qe_item *item)
{
	const struct kept_item *k = keep_of(item);

	entries_large(r, &(struct store_part){.len = item->body_len,
					      .sum = k->sum,
					      .segment = k->kept.segment,
					      .offset = k->offset});
}

static void
write_item(struct qe *e, struct entries *r, struct qe_item *item, size_t lent)
{
	entries_kind(r, ENTRY_ITEM);
	entries_number(r, item_queue(item)->serial);
	entries_number(r, item->id);
	entries_number(r, item->body_len);
	write_nature(e, r, item);
	write_state(e, r, item);
	if (item->absent)
		write_absent_body(e, r, item);
	else
		write_body(e, r, item, lent);
}

void
keep_write_item(struct qe *e, struct entries *r, struct qe_item *item)
{
	write_item(e, r, item, SIZE_MAX);
}

static void
emit_text(void *to, const void *bytes, size_t len)
{
	entries_text(to, bytes, len);
}

struct counting {
	struct entries *r; /* NULL: counts alone */
	uint64_t n;
};

static void
emit_answer(void *to, const void *bytes, size_t len)
{
	struct counting *c = to;

	c->n++;
	if (c->r)
		entries_text(c->r, bytes, len);
}

static void
emit_begun(const struct qe *e, struct waiter *w, qe_emit *emit, void *to)
{
	struct put *put = &w->put;

	for (unsigned i = put->next; i < put->n; i++)
		put->results[i] = -QE_UNDECIDED;
	e->keep.hooks->begun(w->rid, put->results, put->n, emit, to);
}

static void
emit_answers(const struct qe *e, const struct qe_session *session, struct counting *c)
{
	e->keep.hooks->answers(session->owner, emit_answer, c);
	list_each (at, &session->waiters) {
		struct waiter *w = list_entry(at, struct waiter, in_session);

		if (!w->finished && w->request == QE_REQUEST_PUT &&
		    w->slot.queue->durable && put_begun(&w->put))
			emit_begun(e, w, emit_answer, c);
	}
}

static void
write_answers(const struct qe *e, struct entries *r, const struct qe_session *session)
{
	struct counting c = {NULL, 0};

	emit_answers(e, session, &c);
	entries_number(r, c.n);
	c.r = r;
	emit_answers(e, session, &c);
}

void
keep_write_session(struct qe *e, struct entries *r, const struct qe_session *session)
{
	void *owner = e->keep.hooks ? session->owner : NULL;

	entries_kind(r, ENTRY_SESSION);
	entries_number(r, session->serial);
	entries_bytes(r, session->id, 16);
	if (owner) {
		e->keep.hooks->describe(owner, emit_text, r);
		write_answers(e, r, session);
	} else {
		entries_text(r, NULL, 0);
		entries_number(r, 0);
	}
}

void
keep_write_window(struct qe *e, struct entries *r, const struct unique *u)
{
	entries_kind(r, ENTRY_WINDOW);
	entries_number(r, u->queue->serial);
	entries_text(r, u->name, u->name_len);
	entries_number(r, u->id);
	write_time(e, r, u->ends_ns);
}

/* --- what has changed ------------------------------------------------------------------ */

/* A full entry. Who waits for a new item does so for less time when the loop writes it. */
static void
write_whole_item(struct qe *e, struct entries *r, struct kept_item *k)
{
	size_t before = entries_len(r), len;

	write_item(e, r, k->item, k->kept.segment == 0 ? LARGE_LENT : LARGE_AGAIN);
	len = entries_len(r);
	if (!k->item->absent)
		k->offset = (uint32_t)(len - k->item->body_len);
	else if (!large_move(e, k, len - before, len))
		r->failed = true;
}

static void
write_kept_item(struct qe *e, struct entries *r, struct kept_item *k)
{
	if (keep_discarded(k)) {
		keep_discard(e, k);
	} else if (k->kept.whole) {
		write_whole_item(e, r, k);
	} else {
		entries_kind(r, ENTRY_STATE);
		entries_number(r, k->item->id);
		write_state(e, r, k->item);
	}
}

static void
write_kept(struct qe *e, struct entries *r, struct kept *k)
{
	size_t before = entries_len(r);

	switch ((enum kept_kind)k->kind) {
	case KEPT_SESSION:
		if (k->whole)
			keep_write_session(e, r,
					   list_entry(k, struct qe_session, kept));
		break;
	case KEPT_QUEUE:
		if (k->whole)
			keep_write_queue(e, r, list_entry(k, struct queue, kept));
		else
			write_counts(r, list_entry(k, struct queue, kept));
		break;
	case KEPT_ITEM:
		write_kept_item(e, r, list_entry(k, struct kept_item, kept));
		break;
	case KEPT_WINDOW:
		keep_write_window(e, r, list_entry(k, struct unique, kept));
		break;
	case KEPT_KINDS: break;
	}
	if (k->whole)
		k->writing = (uint32_t)(entries_len(r) - before);
}

void
keep_write_begun(struct qe *e)
{
	list_each_safe (at, &e->keep.begun) {
		struct waiter *w = list_entry(at, struct waiter, begun);
		struct qe_session *session = w->session;
		struct entries *r = &e->keep.record;

		list_remove(at);
		if (!e->keep.hooks || !session->owner)
			continue;
		keep_session(e, session);
		if (kept_is_due(&session->kept))
			continue;
		entries_kind(r, ENTRY_ANSWER);
		entries_number(r, session->serial);
		emit_begun(e, w, emit_text, r);
	}
}

void
keep_write_changed(struct qe *e)
{
	for (int kind = 0; kind < KEPT_KINDS; kind++)
		list_each_safe (at, &e->keep.changed[kind])
			write_kept(e, &e->keep.record,
				   list_entry(at, struct kept, changed));
}
