/* SPDX-License-Identifier: MIT
 *
 * See keep.h and, for the functions of the interface, engine.h.
 */
#include "daemon/core/keep.h"

#include "daemon/core/engine_int.h"
#include "daemon/core/group.h"
#include "daemon/core/queue.h"
#include "daemon/core/session.h"
#include "daemon/core/store.h"
#include "daemon/core/unique.h"
#include "daemon/core/waiter.h"

/* What is written of an item beside its body, with room to spare. */
#define BESIDE_BODY 256

void
keep_init(struct qe *e)
{
	struct keep *keep = &e->keep;

	for (int i = 0; i < KEPT_KINDS; i++)
		list_init(&keep->changed[i]);
	list_init(&keep->begun);
	list_init(&keep->spare);
	table_init(&keep->named, &e->mem);
	pool_init(&keep->pool, &e->mem, sizeof(struct kept_item));
	keep->first = 1;
	keep->sure_ids = UINT64_MAX;
	keep->large = KEEP_LARGE;
	keep->segment_bytes = KEEP_LARGE * KEEP_LARGE_OF; /* until the store says so */
}

static void
give_spare(struct keep *keep, struct kept_item *k)
{
	list_append(&keep->spare, &k->kept.changed);
	keep->n_spare++;
}

static struct kept_item *
take_spare(struct keep *keep)
{
	struct list *last = keep->spare.prev; /* which was in use not long ago */

	assert(keep->n_spare > 0);
	list_remove(last);
	keep->n_spare--;
	return list_entry(last, struct kept_item, kept.changed);
}

static void
free_spare(struct qe *e)
{
	struct keep *keep = &e->keep;

	while (keep->n_spare > 0)
		pool_give(&keep->pool, take_spare(keep));
}

void
keep_done(struct qe *e)
{
	struct keep *keep = &e->keep;

	assert(keep->n_items == 0 && keep->named.n == 0);
	reading_end(e);
	large_done(e);
	free_spare(e);
	pool_done(&keep->pool);
	table_done(&keep->named);
	entries_done(&keep->record);
	free(keep->segments);
}

uint64_t
keep_cost(const struct qe *e)
{
	const struct keep *keep = &e->keep;

	return table_cost(&keep->named) +
	       (keep->n_items + keep->n_spare) * mem_cost(sizeof(struct kept_item));
}

void
qe_set_hooks(struct qe *e, const struct qe_hooks *hooks)
{
	e->keep.hooks = hooks;
}

void
qe_set_wall(struct qe *e, uint64_t wall_ns)
{
	e->keep.wall_ns = wall_ns;
}

void
qe_set_sum(struct qe *e, qe_sum *sum)
{
	e->keep.sum_of = sum;
}

void
kept_init(struct kept *k, enum kept_kind kind)
{
	*k = (struct kept){.kind = (uint8_t)kind, .whole = true};
	list_init(&k->in_segment);
	list_init(&k->changed);
}

void
kept_leave(struct qe *e, struct kept *k)
{
	list_remove(&k->changed);
	list_remove(&k->in_segment);
	e->keep.live -= k->bytes;
	k->bytes = k->segment = 0;
	k->whole = true;
	k->due = k->moving = false;
}

/* --- items ------------------------------------------------------------------------- */

static bool
match_item(const void *value, const void *key)
{
	return ((const struct kept_item *)value)->item->id == *(const uint64_t *)key;
}

struct kept_item *
keep_named(const struct qe *e, uint64_t id)
{
	return table_find(&e->keep.named, item_hash(e, id), match_item, &id);
}

static void
insert_named(struct qe *e, struct kept_item *k)
{
	table_insert(&e->keep.named, item_hash(e, k->item->id), k);
	k->named = true;
}

bool
keep_name(struct qe *e, struct kept_item *k)
{
	if (k->named)
		return true;
	if (!table_reserve(&e->keep.named, 1))
		return false;
	insert_named(e, k);
	return true;
}

bool
keep_room(const struct qe *e, unsigned n, uint64_t bytes)
{
	const struct keep *keep = &e->keep;
	uint64_t all = entries_len(&keep->record) + keep->changed_bytes + bytes +
		       n * BESIDE_BODY;

	if (keep->low || all > STORE_MAX_RECORD)
		return false;
	return !keep->store || !keep->store->class->room ||
	       keep->store->class->room(keep->store, all);
}

enum qe_result
keep_reserve(struct qe *e, unsigned n)
{
	struct keep *keep = &e->keep;

	if (keep->restoring && !table_reserve(&keep->named, n))
		return QE_NOMEM;
	while (keep->n_spare < n) {
		struct kept_item *k = pool_take(&keep->pool);

		if (!k)
			return QE_NOMEM;
		give_spare(keep, k);
	}
	return QE_OK;
}

struct kept_item *
keep_item_begin(struct qe *e, struct qe_item *item)
{
	struct keep *keep = &e->keep;
	struct kept_item *k = take_spare(keep);

	*k = (struct kept_item){.item = item, .owner = item->owner};
	kept_init(&k->kept, KEPT_ITEM);
	item->kept = &k->owner;
	item->is_kept = 1;
	keep->n_items++;
	if (keep->restoring)
		insert_named(e, k);
	return k;
}

void
keep_item_end(struct qe *e, struct queue *q, struct kept_item *k)
{
	bodies_leave(e, q, k);
	kept_leave(e, &k->kept);
	if (k->named)
		table_remove(&e->keep.named, item_hash(e, k->item->id), k);
	k->item->owner = k->owner;
	k->item->is_kept = 0;
	e->keep.n_items--;
	if (e->keep.n_spare < QE_MAX_BATCH)
		give_spare(&e->keep, k);
	else
		pool_give(&e->keep.pool, k);
}

void
keep_due(struct qe *e, struct kept *k)
{
	e->keep.changed_n += !k->due;
	list_remove(&k->changed);
	list_append(&e->keep.changed[k->kind],
		    &k->changed); /* the last is written last */
	k->due = true;
}

static void
change(struct qe *e, struct kept *k)
{
	e->keep.requested = true;
	e->keep.said = true;
	keep_due(e, k);
}

static void
later(uint64_t *seq, uint64_t than)
{
	if (*seq < than)
		*seq = than;
}

/* Who hears of the queue from now on waits for the open record. */
static void
must_wait(struct qe *e, struct queue *q)
{
	q->kept_seq = e->keep.open;
	e->keep.sync |= q->durable == QE_SYNC;
	later(q->durable == QE_SYNC ? &e->keep.latest.synced : &e->keep.latest.written,
	      e->keep.open);
	keep_asked(e, q);
}

bool
keep_discarded(const struct kept_item *k)
{
	const struct qe_item *item = k->item;
	const struct queue *q = item_queue(item);

	if (q->deleted)
		return true;
	if (item->state == ITEM_DEAD)
		return k->purges != q->dead_purges;
	return item_waits(item->state) &&
	       (k->purges != q->purges || item_discarded(item));
}

/* It is gone, if there is an entry that says that it was there. */
static void
write_gone(struct qe *e, const struct kept *k, enum entry_kind kind, uint64_t number)
{
	if (k->segment == 0)
		return;
	entries_kind(&e->keep.record, kind);
	entries_number(&e->keep.record, number);
	e->keep.said = true;
}

static void
item_gone(struct qe *e, struct queue *q, struct qe_item *item)
{
	struct kept_item *k;

	if (!item->is_kept)
		return;
	k = keep_of(item);
	write_gone(e, &k->kept, ENTRY_GONE, item->id);
	keep_item_end(e, q, k);
}

static void
item_changed(struct qe *e, struct queue *q, struct qe_item *item)
{
	struct kept_item *k = item->is_kept ? keep_of(item) : keep_item_begin(e, item);

	if (item_waits(item->state))
		k->purges = q->purges;
	else if (item->state == ITEM_DEAD)
		k->purges = q->dead_purges;
	else
		keep_session(e, k->owner.holding->session);
	if (k->kept.whole && !k->kept.due)
		e->keep.changed_bytes += item->body_len;
	change(e, &k->kept);
}

void
keep_moved(struct qe *e, struct queue *q, struct qe_item *item)
{
	if (item->state == ITEM_GONE)
		item_gone(e, q, item);
	else
		item_changed(e, q, item);
	keep_counted(e, q);
	if (item->state == ITEM_LEASED)
		e->keep.after.written = e->keep.open;
	else
		must_wait(e, q);
}

void
keep_touched(struct qe *e, struct queue *q, struct qe_item *item)
{
	item_changed(e, q, item);
	e->keep.after.written = e->keep.open;
}

void
keep_replaced(struct qe *e, struct queue *q, struct qe_item *item)
{
	struct kept_item *k = keep_of(item);

	bodies_replaced(e, q, k);
	k->item = item;
	k->kept.whole = true;
	k->kept.moving = false;
	item_changed(e, q, item);
	must_wait(e, q);
}

void
keep_discard(struct qe *e, struct kept_item *k)
{
	if (k->kept.due)
		write_gone(e, &k->kept, ENTRY_GONE, k->item->id);
	kept_leave(e, &k->kept);
}

void
keep_forget(struct qe *e, struct qe_item *item)
{
	struct kept_item *k = keep_of(item);

	keep_discard(e, k);
	keep_item_end(e, item_queue(item), k);
}

/* --- queues, windows, sessions ------------------------------------------------------- */

void
keep_counted(struct qe *e, struct queue *q)
{
	change(e, &q->kept);
}

void
keep_queue(struct qe *e, struct queue *q)
{
	q->kept.whole = true;
	change(e, &q->kept);
	must_wait(e, q);
}

void
keep_purged(struct qe *e, struct queue *q, bool dead)
{
	if (e->keep.store) {
		entries_kind(&e->keep.record, ENTRY_PURGE);
		entries_number(&e->keep.record, q->serial);
		entries_byte(&e->keep.record, dead);
	}
	keep_counted(e, q);
	must_wait(e, q);
}

void
keep_cancelled(struct qe *e, const struct group *g)
{
	if (e->keep.store) {
		entries_kind(&e->keep.record, ENTRY_CANCEL);
		entries_number(&e->keep.record, g->queue->serial);
		entries_text(&e->keep.record, g->name, g->name_len);
	}
	keep_counted(e, g->queue);
	must_wait(e, g->queue);
}

void
keep_deleted(struct qe *e, struct queue *q)
{
	later(q->durable == QE_SYNC ? &e->keep.gone.synced : &e->keep.gone.written,
	      e->keep.open);
	must_wait(e, q);
	e->keep.said = e->keep.requested = true;
	write_gone(e, &q->kept, ENTRY_QUEUE_GONE, q->serial);
	kept_leave(e, &q->kept);
}

void
keep_window(struct qe *e, struct unique *u)
{
	u->kept.whole = true;
	change(e, &u->kept);
}

void
keep_session(struct qe *e, struct qe_session *session)
{
	if (session->kept.segment == 0)
		change(e, &session->kept);
}

void
keep_session_ended(struct qe *e, struct qe_session *session)
{
	write_gone(e, &session->kept, ENTRY_SESSION_GONE, session->serial);
	kept_leave(e, &session->kept);
}

void
qe_session_answer(struct qe *e, struct qe_session *session, const void *answer,
		  size_t len)
{
	struct entries *r = &e->keep.record;

	if (!e->keep.store || (!e->keep.requested && session->kept.segment == 0))
		return;
	keep_session(e, session);
	if (kept_is_due(&session->kept))
		return;
	entries_kind(r, ENTRY_ANSWER);
	entries_number(r, session->serial);
	entries_text(r, answer, len);
}

void
qe_session_confirm(struct qe *e, struct qe_session *session, uint64_t rid)
{
	struct entries *r = &e->keep.record;

	if (session->kept.segment == 0 || kept_is_due(&session->kept))
		return;
	entries_kind(r, ENTRY_CONFIRM);
	entries_number(r, session->serial);
	entries_number(r, rid);
}

void
keep_begun(struct qe *e, const struct queue *q, struct waiter *w)
{
	if (!q->durable || !e->keep.store || !put_begun(&w->put))
		return;
	list_remove(&w->begun);
	list_append(&e->keep.begun, &w->begun);
	e->keep.said = true;
}

/* --- what answers depend on ---------------------------------------------------------- */

static uint64_t
ids_after(const struct qe *e)
{
	if (!ids_are_unsure(e))
		return 0;
	return e->keep.reserved ? e->keep.reserved : e->keep.open;
}

void
keep_asked(struct qe *e, const struct queue *q)
{
	struct qe_after *after = &e->keep.after;

	later(&after->synced, ids_after(e));
	if (!q->durable)
		return;
	later(&after->written, q->kept_seq);
	if (q->durable == QE_SYNC)
		later(&after->synced, q->kept_seq);
}

bool
qe_is_kept(const struct qe *e, struct qe_name queue)
{
	const struct queue *q = queue_find(e, queue);

	return q && q->durable != QE_NOT_DURABLE;
}

static void
asked_of(struct qe *e, const struct qe_after *records)
{
	later(&e->keep.after.synced, records->synced);
	later(&e->keep.after.written, records->written);
}

void
keep_asked_over(struct qe *e)
{
	asked_of(e, &e->keep.latest);
}

void
keep_asked_gone(struct qe *e)
{
	struct qe_after *gone = &e->keep.gone;
	struct store_status now;

	if (!e->keep.store || (gone->written == 0 && gone->synced == 0))
		return;
	e->keep.store->class->status(e->keep.store, &now);
	if (gone->written <= now.written && gone->synced <= now.synced)
		*gone = (struct qe_after){0};
	asked_of(e, gone);
}

void
keep_asked_nothing(struct qe *e)
{
	e->keep.after = (struct qe_after){0};
}

struct qe_after
keep_after(const struct qe *e, const struct queue *q)
{
	struct qe_after after = {.synced = ids_after(e)};

	if (!q->durable)
		return after;
	if (q->durable == QE_SYNC)
		later(&after.synced, q->kept_seq);
	after.written = e->keep.requested ? e->keep.open : q->kept_seq;
	return after;
}

struct qe_after
qe_after(struct qe *e)
{
	struct qe_after after = e->keep.after;

	e->keep.after = (struct qe_after){0};
	e->keep.requested = false;
	return after;
}
