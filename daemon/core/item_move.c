/* SPDX-License-Identifier: MIT
 *
 * Which set an item is in, by its state, and how it gets from one into another: item_move(), with every
 * count. See item.h.
 */
#include "daemon/core/dead.h"
#include "daemon/core/engine_int.h"
#include "daemon/core/group.h"
#include "daemon/core/queue.h"
#include "daemon/core/session.h"
#include "daemon/core/timing.h"

/* Which states may follow a state: bits. */
static const uint8_t legal_moves[ITEM_STATES] = {
	[ITEM_NEW] = 1 << ITEM_READY | 1 << ITEM_DELAYED,
	[ITEM_READY] = 1 << ITEM_LEASED | 1 << ITEM_DEAD | 1 << ITEM_GONE,
	[ITEM_DELAYED] = 1 << ITEM_READY | 1 << ITEM_DEAD | 1 << ITEM_GONE,
	[ITEM_LEASED] =
		1 << ITEM_READY | 1 << ITEM_DELAYED | 1 << ITEM_DEAD | 1 << ITEM_GONE,
	[ITEM_DEAD] = 1 << ITEM_READY | 1 << ITEM_GONE,
};

static_assert(sizeof(struct qe_counters) == CAUSES * sizeof(uint64_t),
	      "struct qe_counters is used as an array");

struct queue *
item_queue(const struct qe_item *item)
{
	return item->state == ITEM_LEASED ? item_holding(item)->queue : item_in(item);
}

/* Items are mostly asked for in the order of their ids: four of them in a row share a line of the
 * cache. */
uint64_t
item_hash(const struct qe *e, uint64_t id)
{
	return hash_mix((id >> 2) ^ e->key.k0) << 2 | (id & 3);
}

bool
item_match(const void *item, const void *id)
{
	return ((const struct qe_item *)item)->id == *(const uint64_t *)id;
}

static void
add(struct qe_counters *counters, enum item_cause cause, uint64_t n)
{
	((uint64_t *)counters)[cause] += n;
}

static void
count_many(struct qe *e, struct queue *q, enum item_cause cause, uint64_t n)
{
	add(&q->counters, cause, n);
	add(&e->counters, cause, n);
}

void
item_count(struct qe *e, struct queue *q, enum item_cause cause)
{
	count_many(e, q, cause, 1);
}

static void
leave_ready(struct queue *q, struct qe_item *item, uint64_t cost)
{
	if (!item->sorted)
		list_remove(&item->node);
	else if (item_group(item))
		group_remove(item_group(item), item);
	else
		heap_remove(&q->sorted, &item->heap);
	q->bytes -= item->body_len;
	q->cost -= cost;
}

static void
enter_ready(struct queue *q, struct qe_item *item, uint64_t cost, bool back)
{
	struct group *group = item_group(item);

	item->sorted = back || q->order == QE_PRIORITY || group;
	if (!item->sorted)
		list_append(&q->fresh, &item->node);
	else if (group)
		group_insert(group, item);
	else
		heap_insert(&q->sorted, &item->heap);
	q->bytes += item->body_len;
	q->cost += cost;
}

static void
leave_delayed(struct queue *q, struct qe_item *item, uint64_t cost)
{
	list_remove(&item->node);
	q->bytes -= item->body_len;
	q->delayed_bytes -= item->body_len;
	q->cost -= cost;
}

static void
enter_delayed(struct queue *q, struct qe_item *item, uint64_t cost)
{
	list_append(item_group(item) ? &item_group(item)->delayed : &q->delayed,
		    &item->node);
	q->bytes += item->body_len;
	q->delayed_bytes += item->body_len;
	q->cost += cost;
}

static void
leave_leased(struct qe *e, struct qe_item *item)
{
	struct holding *h = item_holding(item);

	table_remove(&e->leases, item_hash(e, item->id), item);
	list_remove(&item->node);
	item_set_holding(item, NULL);
	h->session->leased--;
	holding_tidy(e, h);
}

static void
enter_leased(struct qe *e, struct queue *q, struct qe_item *item,
	     struct holding *holding, uint64_t cost)
{
	item_set_holding(item, holding);
	table_insert(&e->leases, item_hash(e, item->id), item);
	list_append(&holding->leases, &item->node);
	holding->session->leased++;
	item->given = e->now_ns >> ITEM_GIVEN_SHIFT;
	q->leased_cost += cost;
}

static void
leave_dead(struct qe *e, struct queue *q, struct qe_item *item, uint64_t cost)
{
	list_remove(&item->node);
	if (item->extra)
		heap_remove(&q->dead_ids, &item->extra->node);
	q->dead_plain -= !item->extra;
	q->dead_cost -= cost;
	timing_dead_changed(e, q);
}

static void
enter_dead(struct qe *e, struct queue *q, struct qe_item *item, uint64_t cost)
{
	list_append(&q->dead, &item->node);
	if (item->extra)
		heap_insert(&q->dead_ids, &item->extra->node);
	q->dead_plain += !item->extra;
	q->dead_cost += cost;
	timing_dead_changed(e, q);
}

static inline void
leave(struct qe *e, struct queue *q, struct qe_item *item, uint64_t cost)
{
	enum item_state from = item->state;

	if (from == ITEM_NEW) {
		e->other_cost -= cost;
		e->accepted_cost += cost;
		return;
	}
	q->count[from]--;
	e->count[from]--;
	if (from == ITEM_READY) {
		leave_ready(q, item, cost);
	} else if (from == ITEM_DELAYED) {
		leave_delayed(q, item, cost);
	} else if (from == ITEM_DEAD) {
		leave_dead(e, q, item, cost);
	} else {
		q->leased_cost -= cost;
		leave_leased(e, item);
	}
}

/* Whether an item that is restored had come back once. */
static bool
was_back(const struct qe_item *item)
{
	return item->deliveries > 0 || item_place(item) != item->id ||
	       (item->extra && item->extra->ready_ns > 0);
}

/* Inlined, so that each of the moves of every item, and any other, has what it needs alone. */
static inline __attribute__((always_inline)) void
move(struct qe *e, struct qe_item *item, enum item_state to, struct holding *holding,
     enum item_cause cause, bool restored)
{
	struct queue *q = item_queue(item);
	enum item_state from = item->state;
	uint64_t cost = item_cost(item);
	bool legal = restored ? from == ITEM_NEW : legal_moves[from] & 1 << to;

	assert(legal);
	(void)legal;
	if (item->extra)
		extra_leave(e, q, item->extra, cost);
	leave(e, q, item, cost);
	item->state = to & 7;
	if (to == ITEM_GONE) {
		e->accepted_cost -= cost;
		e->other_cost += cost;
		item_set_queue(item, NULL);
	} else {
		q->count[to]++;
		e->count[to]++;
		item_set_queue(item, q);
	}
	if (to == ITEM_READY) {
		enter_ready(q, item, cost, from != ITEM_NEW || (restored && was_back(item)));
	} else if (to == ITEM_LEASED) {
		enter_leased(e, q, item, holding, cost);
	} else if (to == ITEM_DELAYED) {
		enter_delayed(q, item, cost);
	} else if (to == ITEM_DEAD) {
		enter_dead(e, q, item, cost);
	}
	if (item->extra)
		extra_enter(e, q, item->extra, cost);
	if (cause != CAUSE_NONE)
		item_count(e, q, cause);
	if (q->durable && !restored)
		keep_moved(e, q, item);
}

void
item_move(struct qe *e, struct qe_item *item, enum item_state to, enum item_cause cause)
{
	move(e, item, to, NULL, cause, false);
}

void
item_accept(struct qe *e, struct qe_item *item)
{
	assert(item->state == ITEM_NEW);
	move(e, item, ITEM_READY, NULL, CAUSE_accepted, false);
}

void
item_finish(struct qe *e, struct qe_item *item)
{
	assert(item->state == ITEM_LEASED);
	move(e, item, ITEM_GONE, NULL, CAUSE_finished, false);
}

void
item_renew(struct qe *e, struct qe_item *item, struct queue *q)
{
	assert(item->state == ITEM_GONE);
	item->state = ITEM_NEW;
	item->id = ++e->last_id;
	item->accepted = e->now_ns >> ITEM_ACCEPTED_SHIFT;
	item->deliveries = 0;
	item->crashes = item->nacks = item->timeouts = 0;
	item->owner.queue = q;
	if (item->extra)
		extra_renew(e, item->extra);
	item_move(e, item, ITEM_READY, CAUSE_accepted);
}

void
item_lease(struct qe *e, struct qe_item *item, struct holding *holding)
{
	assert(item->state == ITEM_READY);
	move(e, item, ITEM_LEASED, holding, CAUSE_delivered, false);
}

void
item_restore(struct qe *e, struct qe_item *item, enum item_state state,
	     struct holding *holding)
{
	move(e, item, state, holding, CAUSE_NONE, true);
}

/* `n` items in `state`, which take `cost`, are gone. */
static void
discard(struct qe *e, struct queue *q, enum item_state state, uint64_t cost,
	enum item_cause cause)
{
	uint64_t n = q->count[state];

	q->count[state] = 0;
	e->count[state] -= n;
	e->accepted_cost -= cost;
	e->other_cost += cost;
	count_many(e, q, cause, n);
}

void
item_discard_waiting(struct qe *e, struct queue *q, enum item_cause cause)
{
	discard(e, q, ITEM_READY, q->cost, cause);
	discard(e, q, ITEM_DELAYED, 0, cause);
	q->bytes = q->delayed_bytes = 0;
	q->cost = 0;
	timing_discard_waiting(e, q);
	list_append_all(&e->trash, &q->fresh);
	list_append_all(&e->trash, &q->delayed);
	heap_discard(&q->sorted, &e->trash_tree);
	q->purges++;
	group_purge(e, q);
	if (q->durable)
		keep_purged(e, q, false);
}

void
item_discard_group(struct qe *e, struct group *g, enum item_cause cause)
{
	static const enum item_state waiting[] = {ITEM_READY, ITEM_DELAYED};
	struct queue *q = g->queue;

	for (int i = 0; i < 2; i++) {
		uint64_t n = g->count[waiting[i]];

		q->count[waiting[i]] -= n;
		e->count[waiting[i]] -= n;
		count_many(e, q, cause, n);
	}
	q->bytes -= g->bytes;
	q->delayed_bytes -= g->delayed_bytes;
	q->cost -= g->cost;
	e->accepted_cost -= g->cost;
	e->other_cost += g->cost;
	group_clear(e, g);
}

void
item_discard_leased(struct qe *e, struct queue *q, enum item_cause cause)
{
	discard(e, q, ITEM_LEASED, q->leased_cost, cause);
	q->leased_cost = 0;
	timing_discard_leased(e, q);
}

void
item_discard_dead(struct qe *e, struct queue *q, enum item_cause cause)
{
	discard(e, q, ITEM_DEAD, q->dead_cost, cause);
	q->dead_cost = 0;
	list_append_all(&e->trash, &q->dead);
	heap_init(&q->dead_ids, dead_id_before);
	q->dead_plain = 0;
	q->dead_purges++;
	timing_dead_changed(e, q);
	if (q->durable)
		keep_purged(e, q, true);
}

void
item_drop(struct qe *e, struct qe_item *item)
{
	item_move(e, item, ITEM_GONE, CAUSE_dropped);
	qe_item_unref(e, item);
}

void
item_forget(struct qe *e, struct qe_item *item)
{
	if (item->is_kept)
		keep_forget(e, item);
	if (item->extra)
		extra_forget(e, item->extra);
	if (item->state == ITEM_LEASED)
		leave_leased(e, item);
	item->state = ITEM_GONE;
	item->owner.queue = NULL;
	qe_item_unref(e, item);
}
