/* SPDX-License-Identifier: MIT
 *
 * qe_dump(). See dump.h.
 */
#include "daemon/core/dump.h"

#include "daemon/core/bodies.h"
#include "daemon/core/dead.h"
#include "daemon/core/engine_int.h"
#include "daemon/core/extra.h"
#include "daemon/core/group.h"
#include "daemon/core/queue.h"
#include "daemon/core/session.h"

#define SHARE 500 /* steps in one call: a few tenths of a millisecond */
#define FETCH_STEPS \
	20 /* for a body that is read back, and one more for so many bytes: */
#define STEP_BYTES 4096

/* Another number than a priority. */
#define HALF (UINT64_C(1) << 63)

static int64_t
to_rank(uint64_t number)
{
	return (int64_t)(number - HALF);
}

static uint64_t
from_rank(struct dump_key key)
{
	return (uint64_t)key.priority + HALF;
}

/* --- its memory ---------------------------------------------------------------------- */

void *
dump_take(struct qe *e, size_t size)
{
	void *p = mem_alloc(&e->mem, size);

	if (p)
		e->callers_cost += mem_cost(size);
	return p;
}

void
dump_give(struct qe *e, void *p, size_t size)
{
	e->callers_cost -= mem_cost(size);
	mem_free(&e->mem, p, size);
}

void
dump_hold_item(struct qe *e, struct qe_dump *d, struct qe_item *item)
{
	if (item)
		qe_item_ref(item);
	if (d->at)
		qe_item_unref(e, d->at);
	d->at = item;
}

void
dump_hold_group(struct qe *e, struct qe_dump *d, struct group *g)
{
	if (g)
		g->refs++;
	if (d->group)
		group_unref(e, d->group);
	d->group = g;
}

void
qe_dump_end(struct qe *e, struct qe_dump *d)
{
	if (!d)
		return;
	dump_ready_end(e, d);
	dump_hold_group(e, d, NULL);
	dump_hold_item(e, d, NULL);
	dump_give(e, d, sizeof(*d));
}

static struct qe_dump *
begin(struct qe *e, const struct queue *q, enum qe_state state)
{
	struct qe_dump *d = dump_take(e, sizeof(*d));

	if (!d)
		return NULL;
	*d = (struct qe_dump){
		.serial = q->serial,
		.state = state,
		.order = q->order,
		.purges = q->purges,
		.dead_purges = q->dead_purges,
		.until = e->last_id,
		.stage = state == QE_STATE_READY ? DUMP_ENTER : DUMP_GO,
		.next = {INT64_MIN, 0},
	};
	if (state != QE_STATE_READY || dump_ready_begin(e, d))
		return d;
	qe_dump_end(e, d);
	return NULL;
}

/* --- other states than ready --------------------------------------------------------- */

/* By when they are due. */
static struct qe_item *
next_delayed(struct queue *q, struct qe_dump *d)
{
	while (dump_step(d)) {
		struct qe_item probe_item = {.id = d->next.place};
		struct extra probe = {.due_ns = from_rank(d->next),
				      .item = &probe_item};
		struct heap_node *at = heap_from(&q->due, &probe.node);
		struct extra *x;

		if (!at)
			return NULL;
		x = list_entry(at, struct extra, node);
		d->next = (struct dump_key){to_rank(x->due_ns), x->item->id + 1};
		if (x->item->state == ITEM_DELAYED && x->item->id <= d->until &&
		    !item_discarded(x->item))
			return x->item;
	}
	return NULL;
}

/* Of the times at which leases were given only some bits are known. */
static bool
given_before(const struct qe_item *item, uint64_t than)
{
	uint64_t later = (item->given - than) & ((UINT64_C(1) << ITEM_GIVEN_BITS) - 1);

	return later >> (ITEM_GIVEN_BITS - 1) != 0;
}

/* The next lease. If that which came next has gone, those that were given when it was, or later: some of these
 * may have been given out already. */
static struct qe_item *
next_of_holding(struct qe *e, struct qe_dump *d, struct holding *h)
{
	struct qe_item *item = d->at;
	struct list *at = h->leases.next;

	if (item && item->state == ITEM_LEASED && item_holding(item) == h)
		at = &item->node;
	for (; at != &h->leases; at = at->next) {
		item = list_entry(at, struct qe_item, node);
		dump_hold_item(e, d, item);
		if (!dump_step(d))
			return NULL;
		if (item->id <= d->until &&
		    !(d->within && given_before(item, d->next.place)))
			return item;
	}
	return NULL;
}

static void
go_to_session(struct qe *e, struct qe_dump *d, uint64_t serial)
{
	d->next = (struct dump_key){to_rank(serial), 0};
	d->within = false;
	dump_hold_item(e, d, NULL);
}

/* The item that is given out: what stands behind it comes next. */
static void
go_behind(struct qe *e, struct qe_dump *d, const struct holding *h,
	  const struct qe_item *item)
{
	const struct list *behind = item->node.next;

	if (behind == &h->leases) {
		go_to_session(e, d, from_rank(d->next) + 1);
		return;
	}
	d->next.place = item->given;
	d->within = true;
	dump_hold_item(e, d, list_entry(behind, struct qe_item, node));
}

/* Session by session. */
static struct qe_item *
next_leased(struct qe *e, struct queue *q, struct qe_dump *d)
{
	while (dump_step(d)) {
		struct qe_session probe = {.serial = from_rank(d->next)};
		struct heap_node *found = heap_from(&e->serials, &probe.by_serial);
		struct qe_session *session;
		struct holding *h;
		struct qe_item *item;

		if (!found)
			return NULL;
		session = list_entry(found, struct qe_session, by_serial);
		if (session->serial != probe.serial)
			go_to_session(e, d, session->serial);
		h = holding_find(e, session, q);
		item = h ? next_of_holding(e, d, h) : NULL;
		if (item) {
			go_behind(e, d, h, item);
			return item;
		}
		if (!d->interrupted)
			go_to_session(e, d, session->serial + 1);
	}
	return NULL;
}

/* Those that died without memory for a record are in the list alone. */
static struct qe_item *
next_dead_plain(struct qe *e, struct queue *q, struct qe_dump *d)
{
	struct qe_item *item = d->at;
	struct list *at = q->dead.next;

	if (q->dead_plain == 0)
		return NULL;
	if (item && item->state == ITEM_DEAD && item_in(item) == q)
		at = item->node.next;
	for (; at != &q->dead && dump_step(d); at = at->next) {
		item = list_entry(at, struct qe_item, node);
		dump_hold_item(e, d, item);
		if (!item->extra && item->id <= d->until)
			return item;
	}
	return NULL;
}

/* By their ids. */
static struct qe_item *
next_dead(struct qe *e, struct queue *q, struct qe_dump *d)
{
	struct qe_item probe_item = {.id = d->next.place};
	struct extra probe = {.item = &probe_item};
	struct heap_node *at =
		d->stage == DUMP_GO ? heap_from(&q->dead_ids, &probe.node) : NULL;
	struct qe_item *item = at ? list_entry(at, struct extra, node)->item : NULL;

	if (item && item->id <= d->until) {
		d->next.place = item->id + 1;
		return item;
	}
	d->stage = DUMP_PLAIN;
	return next_dead_plain(e, q, d);
}

/* --- the walk ------------------------------------------------------------------------ */

static struct qe_item *
next_item(struct qe *e, struct queue *q, struct qe_dump *d)
{
	switch (d->state) {
	case QE_STATE_READY: return dump_ready_next(e, q, d);
	case QE_STATE_DELAYED: return next_delayed(q, d);
	case QE_STATE_LEASED: return next_leased(e, q, d);
	case QE_STATE_DEAD: return next_dead(e, q, d);
	}
	return NULL;
}

/* What is in the store alone is read back, which takes as long as many steps. Then another item is in its place.
 * QE_AGAIN: it comes next. */
static enum qe_result
fetch(struct qe *e, struct qe_dump *d, struct qe_item **item)
{
	struct qe_item *was = *item;
	enum qe_result result = bodies_fetch_soon(e, item);
	unsigned steps = FETCH_STEPS + was->body_len / STEP_BYTES;

	if (result == QE_AGAIN && !keep_name(e, keep_of(was)))
		result = QE_NOMEM;
	d->want = result == QE_AGAIN ? was->id : 0;
	if (*item == was)
		return result;
	if (d->at == was)
		dump_hold_item(e, d, *item);
	d->steps -= d->steps < steps ? d->steps : steps;
	return result;
}

static bool
is_in_state(const struct qe_item *item, enum qe_state state)
{
	static const enum item_state states[] = {[QE_STATE_READY] = ITEM_READY,
						 [QE_STATE_DELAYED] = ITEM_DELAYED,
						 [QE_STATE_LEASED] = ITEM_LEASED,
						 [QE_STATE_DEAD] = ITEM_DEAD};

	return item->state == states[state];
}

/* The item whose body has been waited for; NULL: there was none, or it has gone. */
static struct qe_item *
wanted(struct qe *e, const struct queue *q, struct qe_dump *d)
{
	struct kept_item *k = d->want ? keep_named(e, d->want) : NULL;

	d->want = 0;
	if (!k || item_queue(k->item) != q || keep_discarded(k) ||
	    !is_in_state(k->item, d->state))
		return NULL;
	/* With its body it is another one. */
	if (d->at && d->at->id == k->item->id)
		dump_hold_item(e, d, k->item);
	return k->item;
}

/* *ret_more: it is not at its end. */
static enum qe_result
give(struct qe *e, struct queue *q, struct qe_dump *d, struct qe_shown *rows,
     unsigned max, uint64_t max_bytes, unsigned *n, bool *ret_more)
{
	uint64_t bytes = 0;

	while (*n < max && bytes < max_bytes) {
		struct qe_item *next = wanted(e, q, d);
		struct qe_item *item = next ? next : next_item(e, q, d);
		enum qe_result result = item ? fetch(e, d, &item) : QE_OK;

		*ret_more = item || d->interrupted;
		if (!item || result != QE_OK)
			return result;
		bytes += item->body_len;
		qe_item_ref(item);
		rows[(*n)++] = item_shown(e, item);
	}
	return QE_OK;
}

/* Behind a purge nothing is left but what came since; a list would lead to what was purged. */
static void
look_at_purges(struct qe *e, const struct queue *q, struct qe_dump *d)
{
	bool dead = d->state == QE_STATE_DEAD, leased = d->state == QE_STATE_LEASED;

	if (leased ||
	    (dead ? d->dead_purges == q->dead_purges : d->purges == q->purges))
		return;
	d->purges = q->purges;
	d->dead_purges = q->dead_purges;
	dump_hold_group(e, d, NULL);
	dump_hold_item(e, d, NULL);
}

enum qe_result
qe_dump(struct qe *e, uint64_t now_ns, struct qe_name queue, enum qe_state state,
	struct qe_dump **at, struct qe_shown *rows, unsigned max, uint64_t max_bytes,
	unsigned *ret_n)
{
	struct queue *q = queue_ask(e, queue);
	struct qe_dump *d = *at;
	enum qe_result result = QE_OK;
	bool more = true;

	e->now_ns = now_ns;
	*ret_n = 0;
	if (!q || (d && (q->serial != d->serial || q->order != d->order)))
		return queue_name_valid(queue) ? QE_NOT_FOUND : QE_INVALID;
	if (!d && !(d = *at = begin(e, q, state)))
		return QE_NOMEM;
	d->steps = SHARE;
	d->interrupted = false;
	look_at_purges(e, q, d);
	if (d->stage == DUMP_ENTER)
		result = dump_ready_enter(e, q, d);
	if (result == QE_OK && d->stage != DUMP_ENTER)
		result = give(e, q, d, rows, max, max_bytes, ret_n, &more);
	if (result == QE_AGAIN && *ret_n > 0)
		result = QE_OK; /* the others are with the next call */
	if (!more) {
		qe_dump_end(e, d);
		*at = NULL;
	}
	return more && *ret_n == 0 && result == QE_OK ? QE_WAIT : result;
}
