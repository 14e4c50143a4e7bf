/* SPDX-License-Identifier: MIT
 *
 * An item by itself: its memory, what it has, its place among others. See item.h and, for the functions
 * of the interface, engine.h; item_move.c moves it.
 */
#include "daemon/core/item.h"

#include "daemon/core/engine_int.h"
#include "daemon/core/group.h"
#include "daemon/core/queue.h"

#include <string.h>

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
	e->other_cost += item_cost(item);
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
	e->other_cost += item_cost(item);
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
	e->other_cost -= item_cost(item);
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

struct qe_name
qe_item_queue(const struct qe_item *item)
{
	const struct queue *q = item_queue(item);

	return (struct qe_name){q->name, q->name_len};
}
