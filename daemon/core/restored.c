/* SPDX-License-Identifier: MIT
 *
 * qe_restored(): all has been read, and what was restored takes its place. See restore.h.
 */
#include "daemon/core/engine_int.h"
#include "daemon/core/extra.h"
#include "daemon/core/group.h"
#include "daemon/core/policy.h"
#include "daemon/core/queue.h"
#include "daemon/core/restore.h"
#include "daemon/core/session.h"
#include "daemon/core/store.h"
#include "daemon/core/timing.h"

#include <stdlib.h>

void
restore_drop(struct qe *e, struct kept_item *k)
{
	struct qe_item *item = k->item;

	keep_item_end(e, item_in(item), k);
	qe_item_unref(e, item);
}

/* --- in which order they take their places ------------------------------------------- */

struct waiting {
	uint64_t key; /* the place, the time of dying or of being given */
	size_t n;     /* in which order it was said */
	struct kept_item *k;
};

static int
before(const void *a, const void *b)
{
	const struct waiting *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->n < y->n ? -1 : 1;
}

static uint64_t
key_of(const struct kept_item *k)
{
	const struct extra *x = k->item->extra;

	if (k->state == ITEM_DEAD)
		return x ? x->died_ns : 0;
	return k->state == ITEM_LEASED ? k->item->given_to.from_ns >> ITEM_GIVEN_SHIFT
				       : item_place(k->item);
}

void
restore_noted(struct qe *e, const struct kept_item *k)
{
	uint64_t *newest = &e->keep.newest[k->state], key = key_of(k);

	e->keep.unordered |= key < *newest;
	*newest = key;
}

/* All that are being restored, in order. NULL: no memory. */
static struct waiting *
sort(struct qe *e, size_t n)
{
	struct waiting *all = malloc((n + 1) * sizeof(*all));
	size_t i = 0;

	if (!all)
		return NULL;
	list_each (at, &e->keep.changed[KEPT_ITEM]) {
		struct kept_item *k = list_entry(at, struct kept_item, kept.changed);

		all[i] = (struct waiting){key_of(k), i, k};
		i++;
	}
	assert(i == n);
	qsort(all, n, sizeof(*all), before);
	return all;
}

#define FETCH 8	   /* how many are on their way */
#define FEW   1000 /* from these on it can be said how many there will be */

/* --- taking them --------------------------------------------------------------------- */

/* What was discarded, or cancelled, after the last that was said of it. */
static bool
is_gone(const struct kept_item *k)
{
	const struct qe_item *item = k->item;
	const struct queue *q = item_in(item);

	if (q->deleted)
		return true;
	switch (k->state) {
	case ITEM_LEASED: return false;
	case ITEM_DEAD: return k->purges != q->dead_purges;
	default: return k->purges != q->purges || group_cancelled(item);
	}
}

/* Whether it could be leased again: to whom there is. */
static bool
lease_again(struct qe *e, struct qe_item *item, struct qe_session *session)
{
	struct holding *h = holding_need(e, session, item_in(item));
	uint64_t given = item->given_to.from_ns >> ITEM_GIVEN_SHIFT;
	uint64_t lease_ns = item->extra ? item->extra->lease_ns : 0;
	uint64_t ends_ns = item->extra ? item->extra->ends_ns : QE_NEVER;

	if (!h || !table_reserve(&e->leases, 1))
		return false;
	item_restore(e, item, ITEM_LEASED, h);
	if (group_cancelled(item))
		item_group(item)->marked++;
	item->given = given & ((UINT64_C(1) << ITEM_GIVEN_BITS) - 1);
	if (lease_ns == 0 && ends_ns == QE_NEVER) /* it may have another one than it began with */
		return true;
	item->extra->lease_ns = lease_ns;
	item->extra->ends_ns = ends_ns;
	timing_arm(e, h->queue, item->extra);
	return true;
}

/* false: no memory. */
static bool
take_place(struct qe *e, struct kept_item *k)
{
	struct qe_item *item = k->item;
	struct qe_session *session = NULL;
	bool durable = item_in(item)->durable;

	k->named = false;
	if (is_gone(k)) {
		restore_drop(e, k);
		return true;
	}
	if (k->cancelled && item_group(item))
		item->extra->cancels = item_group(item)->cancels - 1;
	if (k->state == ITEM_LEASED) {
		session = session_numbered(e, item->given_to.holder);
		if (!session && group_cancelled(item)) {
			restore_drop(e, k); /* it has come back */
			return true;
		}
	}
	if (session && !lease_again(e, item, session))
		return false;
	if (!session)
		item_restore(e, item,
			     k->state == ITEM_LEASED ? ITEM_READY
						     : (enum item_state)k->state,
			     NULL);
	list_remove(&k->kept.changed);
	if (durable)
		bodies_restored(e, k);
	else
		keep_item_end(e, item_queue(item), k);
	return true;
}

static void
fetch(const void *p, size_t size)
{
	__builtin_prefetch(p, 1);
	__builtin_prefetch((const char *)p + size - 1, 1);
}

/* Most of the time would go by waiting for memory: who comes later is fetched already. */
static void
fetch_next(const struct waiting *all, size_t i, size_t n)
{
	if (i + 2 * FETCH >= n)
		return;
	fetch(all[i + 2 * FETCH].k, sizeof(struct kept_item));
	fetch(all[i + FETCH].k->item, sizeof(struct qe_item));
}

static bool
take_sorted(struct qe *e)
{
	size_t n = e->keep.n_items;
	struct waiting *all = sort(e, n);
	bool ok = all != NULL;

	for (size_t i = 0; ok && i < n; i++) {
		fetch_next(all, i, n);
		ok = take_place(e, all[i].k);
	}
	free(all);
	return ok;
}

static bool
take_places(struct qe *e)
{
	struct list *at, *all = &e->keep.changed[KEPT_ITEM];
	bool ok = true;

	/* From now on hardly any are asked for by their ids. */
	table_done(&e->keep.named);
	if (e->keep.unordered)
		ok = take_sorted(e);
	while (ok && (at = list_first(all)))
		ok = take_place(e, list_entry(at, struct kept_item, kept.changed));
	list_each (left, all)
		list_entry(left, struct kept_item, kept.changed)->named = false;
	return ok;
}

static void
sum_up(struct qe *e)
{
	e->counters = (struct qe_counters){0};
	for (struct heap_node *at = e->queues.first; at; at = heap_after(&e->queues, at)) {
		const struct queue *q = list_entry(at, const struct queue, by_serial);

		for (int i = 0; i < CAUSES; i++)
			((uint64_t *)&e->counters)[i] +=
				((const uint64_t *)&q->counters)[i];
	}
}

static void
end_nameless(struct qe *e)
{
	struct heap_node *next;

	for (struct heap_node *at = e->queues.first; at; at = next) {
		struct queue *q = list_entry(at, struct queue, by_serial);

		next = heap_after(&e->queues, at);
		if (q->name_len == 0)
			queue_restore_end(e, q);
	}
}

/* "lost." and the queue's number; with a dot more for each time that this is taken. */
static bool
name_lost(struct qe *e, struct queue *q)
{
	char name[64] = "lost.", digits[20];
	size_t len = 5, n = 0;
	enum qe_result result;

	for (uint64_t left = q->serial; left > 0; left /= 10)
		digits[n++] = (char)('0' + left % 10);
	while (n > 0)
		name[len++] = digits[--n];
	do {
		result = queue_restore_name(e, q, (struct qe_name){name, len});
		name[len++] = '.';
	} while (result == QE_INVALID && len < sizeof(name));
	return result == QE_OK;
}

/* What was read of a journal is of a queue that is kept. */
static bool
is_known(const struct kept_item *k)
{
	const struct queue *q = item_in(k->item);

	return q->deleted || (q->name_len > 0 && (q->durable || !k->item->absent));
}

/* Whether that is certain of all, as mostly. */
static bool
are_known(const struct qe *e)
{
	struct heap_node *at = e->queues.first;

	for (; at; at = heap_after(&e->queues, at)) {
		const struct queue *q = list_entry(at, const struct queue, by_serial);

		if (q->name_len == 0 || !q->durable)
			return false;
	}
	return true;
}

/* That items are there, and not how their queue was declared, is so only after a repair: they get a
 * queue for somebody to look at, which is kept as they are. */
static bool
keep_lost(struct qe *e, bool *ret_some)
{
	if (are_known(e))
		return true;
	list_each (at, &e->keep.changed[KEPT_ITEM]) {
		struct kept_item *k = list_entry(at, struct kept_item, kept.changed);
		struct queue *q = item_in(k->item);
		struct qe_declare options;

		if (is_known(k))
			continue;
		if (q->name_len == 0 && !name_lost(e, q))
			return false;
		policy_for(e, (struct qe_name){q->name, q->name_len}, &options);
		options.has_durable = true;
		options.durable = QE_SYNC;
		queue_configure(e, q, &options);
		q->declared = QUEUE_BIT(QE_OPTION_durable);
		keep_queue(e, q);
		*ret_some = true;
	}
	return true;
}

void
qe_restoring(struct qe *e, uint64_t done, uint64_t all)
{
	struct table *items = &e->keep.named;
	double more = done > 0 ? (double)items->n * ((double)all / (double)done - 1) : 0;

	if (items->n >= FEW && more > 0)
		(void)!table_reserve(items, (size_t)more);
}

void
restore_abandon(struct qe *e)
{
	list_each_safe (at, &e->keep.changed[KEPT_ITEM]) {
		struct kept_item *k = list_entry(at, struct kept_item, kept.changed);

		if (k->item->state == ITEM_NEW)
			restore_drop(e, k);
	}
	end_nameless(e);
	e->keep.restoring = false;
}

enum qe_result
qe_restored(struct qe *e, uint64_t now_ns, struct store *store)
{
	struct keep *keep = &e->keep;
	struct store_status status;
	bool lost = false;

	e->now_ns = now_ns;
	if (!keep_lost(e, &lost))
		return QE_NOMEM;
	end_nameless(e);
	if (!take_places(e))
		return QE_NOMEM;
	sum_up(e);
	keep->restoring = false;
	if (e->last_id < keep->ids)
		e->last_id = keep->ids;
	if (e->last_serial < keep->numbers)
		e->last_serial = keep->numbers;
	entries_empty(&keep->record); /* of sessions that ended meanwhile */
	keep->requested = false;
	keep->said = lost;
	keep->after = (struct qe_after){0};
	e->policy_next = e->n_queues > 0; /* what the configuration says now */
	keep->store = store;
	if (!store)
		return QE_OK;
	store->class->status(store, &status);
	keep->open = status.last_seq + 1;
	keep->sure_ids = 0;
	keep->sync = true;
	return keep_segment(e, status.first_segment) &&
			       keep_segment(e, status.last_segment)
		       ? QE_OK
		       : QE_NOMEM;
}

uint32_t
qe_epoch(const struct qe *e)
{
	return e->config.epoch;
}
