/* SPDX-License-Identifier: MIT
 *
 * See item.h and, for the functions of the interface, engine.h.
 */
#include "daemon/core/item.h"

#include "daemon/core/dead.h"
#include "daemon/core/engine_int.h"
#include "daemon/core/group.h"
#include "daemon/core/queue.h"
#include "daemon/core/session.h"
#include "daemon/core/timing.h"

#include <string.h>

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

static inline uint64_t
cost_of(const struct qe_item *item)
{
	return mem_cost(item_size(item)) + extra_cost(item->extra);
}

/* From this size of the body on an item is a mapping of its own. malloc() would make one too, and free()
 * unmap it at once: 1 GiB takes 100 ms. Smaller ones it keeps and uses again. */
#define LARGE_BODY (UINT32_C(32) << 20)

static __attribute__((noinline)) void *
map_item(struct qe *e, size_t size)
{
	uint64_t limit = e->config.memory_limit, most = limit + limit / 8;
	uint64_t needed = e->mem.used + e->mem.trash + mem_cost(size);

	if (limit > 0 && needed > most)
		mem_give_back(&e->mem, 1 + (long)((needed - most) / MEM_STEP));
	return mem_map(&e->mem, size);
}

/* An item with room for so many bytes of its body. */
static inline enum qe_result
item_new(struct qe *e, size_t body_len, size_t room, uint64_t limit,
	 struct qe_item **ret_item)
{

	if (body_len > UINT32_MAX - offsetof(struct qe_item, body))
		return QE_NOMEM;

	size_t size = offsetof(struct qe_item, body) + body_len;

	if (limit > 0 && e->mem.used + mem_cost(size) > limit + limit / 8)
		return QE_FULL_MEMORY;

	struct qe_item *item;

	if (room >= LARGE_BODY)
		item = map_item(e, size);
	else if (room == body_len)
		item = mem_take(&e->mem, size);
	else
		item = mem_alloc_as(&e->mem, offsetof(struct qe_item, body) + room, size);
	if (!item)
		return QE_NOMEM;
	*item = (struct qe_item){
		.body_len = (uint32_t)body_len, .refs = 1, .state = ITEM_NEW};
	e->other_cost += cost_of(item);
	*ret_item = item;
	return QE_OK;
}

enum qe_result
qe_item_new(struct qe *e, size_t body_len, struct qe_item **ret_item)
{
	return item_new(e, body_len, body_len, e->config.memory_limit, ret_item);
}

enum qe_result
item_new_restored(struct qe *e, size_t body_len, struct qe_item **ret_item)
{
	return item_new(e, body_len, body_len, 0, ret_item);
}

enum qe_result
item_new_absent(struct qe *e, size_t body_len, struct qe_item **ret_item)
{
	struct qe_item *item = pool_take(&e->bare);

	if (!item)
		return QE_NOMEM;
	*item = (struct qe_item){.body_len = (uint32_t)body_len,
				 .refs = 1,
				 .state = ITEM_NEW,
				 .absent = 1};
	e->other_cost += cost_of(item);
	*ret_item = item;
	return QE_OK;
}

enum qe_result
qe_item_new_foreign(struct qe *e, size_t body_len, struct qe_foreign *foreign,
		    struct qe_item **ret_item)
{
	enum qe_result result = item_new(e, body_len, sizeof(foreign),
					 e->config.memory_limit, ret_item);

	if (result != QE_OK)
		return result;
	(*ret_item)->foreign = 1;
	memcpy((*ret_item)->body, &foreign, sizeof(foreign));
	return QE_OK;
}

struct qe_foreign *
qe_item_foreign(const struct qe_item *item)
{
	struct qe_foreign *foreign = NULL;

	if (item->foreign)
		memcpy(&foreign, item->body, sizeof(foreign));
	return foreign;
}

void
qe_item_ref(struct qe_item *item)
{
	item->refs++;
}

/* The body is elsewhere, or away, or large. Not inlined: every item would save registers for it. */
static __attribute__((noinline)) void
free_unusual(struct qe *e, struct qe_item *item)
{
	size_t size = item_size(item);

	if (item->foreign)
		qe_item_foreign(item)->release(qe_item_foreign(item));
	if (item->absent)
		pool_give(&e->bare, item);
	else if (item->foreign)
		mem_free(&e->mem, item, size);
	else
		mem_unmap(&e->mem, item, size);
}

void
qe_item_unref(struct qe *e, struct qe_item *item)
{
	assert(item->refs > 0);
	if (--item->refs > 0)
		return;
	assert(item->state == ITEM_NEW || item->state == ITEM_GONE);
	e->other_cost -= cost_of(item);
	if (item->extra)
		extra_free(e, item);
	if (item->foreign || item->absent || item->body_len >= LARGE_BODY)
		free_unusual(e, item);
	else
		mem_return(&e->mem, item,
			   offsetof(struct qe_item, body) + item->body_len);
}

void *
qe_item_body(struct qe_item *item)
{
	return item->body;
}

bool
qe_item_absent(const struct qe_item *item)
{
	return item->absent;
}

size_t
qe_item_body_len(const struct qe_item *item)
{
	return item->body_len;
}

void
qe_item_set_ctype(struct qe_item *item, uint8_t ctype)
{
	item->ctype = ctype;
}

uint8_t
qe_item_ctype(const struct qe_item *item)
{
	return item->ctype;
}

void
qe_item_set_priority(struct qe_item *item, int32_t priority)
{
	item->priority = priority;
}

int32_t
qe_item_priority(const struct qe_item *item)
{
	return item->priority;
}

enum qe_result
qe_item_set_times(struct qe *e, struct qe_item *item, uint64_t ready_ns,
		  uint64_t expires_ns)
{
	struct extra *x = extra_need(e, item);

	if (!x)
		return QE_NOMEM;
	x->ready_ns = ready_ns;
	x->expires_ns = expires_ns;
	return QE_OK;
}

bool
qe_item_is_plain(const struct qe_item *item)
{
	return !item->extra && !item->priority && !item->ctype &&
	       !(item->crashes | item->nacks | item->timeouts);
}

bool
qe_item_keeps_expired(const struct qe_item *item)
{
	return item->keep_expired;
}

uint64_t
qe_item_id(const struct qe_item *item)
{
	return item->id;
}

uint32_t
qe_item_deliveries(const struct qe_item *item)
{
	return item->deliveries;
}

uint32_t
qe_item_crashes(const struct qe_item *item)
{
	return item->crashes;
}

struct qe_name
qe_item_group(const struct qe_item *item)
{
	const struct group *g = item_group(item);

	return g ? (struct qe_name){g->name, g->name_len} : (struct qe_name){NULL, 0};
}

uint32_t
qe_item_nacks(const struct qe_item *item)
{
	return item->nacks;
}

uint32_t
qe_item_timeouts(const struct qe_item *item)
{
	return item->timeouts;
}

uint64_t
item_place(const struct qe_item *item)
{
	return item->extra && item->extra->place ? item->extra->place : item->id;
}

uint64_t
item_cost(const struct qe_item *item)
{
	return cost_of(item);
}

static const struct qe_item *
in_heap(const struct heap_node *node)
{
	return list_entry(node, const struct qe_item, heap);
}

static uint64_t
place_of(const struct heap_node *node)
{
	return item_place(in_heap(node));
}

static bool
older(const struct heap_node *a, const struct heap_node *b)
{
	return place_of(a) < place_of(b);
}

static bool
younger(const struct heap_node *a, const struct heap_node *b)
{
	return place_of(a) > place_of(b);
}

static bool
more_urgent(const struct heap_node *a, const struct heap_node *b)
{
	int32_t x = in_heap(a)->priority, y = in_heap(b)->priority;

	return x != y ? x < y : older(a, b);
}

heap_before_fn *
item_order(enum qe_order order)
{
	switch (order) {
	case QE_LIFO: return younger;
	case QE_PRIORITY: return more_urgent;
	case QE_FIFO: break;
	}
	return older;
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

/* Since a point in time of which `bits`, from `shift` on, are known. */
static uint64_t
since(const struct qe *e, uint64_t point, unsigned bits, unsigned shift)
{
	return (e->now_ns - (point << shift)) & ((UINT64_C(1) << (bits + shift)) - 1);
}

uint64_t
item_age_ns(const struct qe *e, const struct qe_item *item)
{
	return since(e, item->accepted, ITEM_ACCEPTED_BITS, ITEM_ACCEPTED_SHIFT);
}

uint64_t
item_held_ns(const struct qe *e, const struct qe_item *item)
{
	return since(e, item->given, ITEM_GIVEN_BITS, ITEM_GIVEN_SHIFT);
}

struct queue *
item_queue(const struct qe_item *item)
{
	return item->state == ITEM_LEASED ? item_holding(item)->queue : item_in(item);
}

struct qe_name
qe_item_queue(const struct qe_item *item)
{
	const struct queue *q = item_queue(item);

	return (struct qe_name){q->name, q->name_len};
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
	uint64_t cost = cost_of(item);
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
