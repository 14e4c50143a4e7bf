/* SPDX-License-Identifier: MIT
 *
 * See group.h and, for the functions of the interface, engine.h.
 */
#include "daemon/core/group.h"

#include "daemon/core/engine_int.h"
#include "daemon/core/queue.h"
#include "daemon/core/settle.h"
#include "daemon/core/sweep.h"
#include "daemon/core/waiter.h"

#include <string.h>

/* --- making, finding, freeing ------------------------------------------------------ */

static bool
match_group(const void *value, const void *key)
{
	const struct group *g = value;

	return named_is(key, g->queue, g->name, g->name_len);
}

static size_t
alloc_size(size_t name_len)
{
	return sizeof(struct group) + name_len;
}

size_t
group_size(const struct group *g)
{
	return alloc_size(g->name_len);
}

struct group *
group_find(struct qe *e, struct queue *q, struct qe_name name)
{
	struct named key = {q, name};
	struct group *g = NULL;

	if (q && e->groups.n > 0)
		g = table_find(&e->groups, named_hash(e, &key), match_group, &key);
	if (g)
		group_update(e, g);
	return g;
}

static struct group *
group_new(struct qe *e, struct queue *q, struct qe_name name)
{
	struct group *g;

	if (!table_reserve(&e->groups, 1))
		return NULL;
	g = mem_alloc(&e->mem, alloc_size(name.len));
	if (!g)
		return NULL;
	*g = (struct group){.queue = q,
			    .hash = named_hash(e, &(struct named){q, name}),
			    .purges = q->purges,
			    .name_len = name.len};
	memcpy(g->name, name.p, name.len);
	heap_init(&g->ready, NULL); /* group_insert() knows the order */
	list_init(&g->delayed);
	list_init(&g->joined);
	list_init(&g->joins);
	list_init(&g->puts);
	list_init(&g->in_queue);
	list_append(&q->groups, &g->in_queue);
	table_insert(&e->groups, g->hash, g);
	return g;
}

static void
group_free(struct qe *e, struct group *g)
{
	assert(list_empty(&g->joins) && list_empty(&g->puts) && !g->ready.first);
	if (g->queue)
		table_remove(&e->groups, g->hash, g);
	list_remove(&g->in_queue);
	list_remove(&g->joined);
	mem_free(&e->mem, g, group_size(g));
}

void
group_unref(struct qe *e, struct group *g)
{
	assert(g->refs > 0);
	if (--g->refs == 0)
		group_free(e, g);
}

void
group_orphan(struct qe *e, struct group *g)
{
	table_remove(&e->groups, g->hash, g);
	g->queue = NULL;
	list_remove(&g->in_queue);
	list_append(&e->orphans, &g->in_queue);
}

enum qe_result
group_set(struct qe *e, struct qe_item *item, struct queue *q, struct qe_name group)
{
	struct extra *x = extra_need(e, item);
	struct group *g;

	if (!x)
		return QE_NOMEM;
	assert(item->state == ITEM_NEW && !x->group);
	g = group_find(e, q, group);
	if (!g)
		g = group_new(e, q, group);
	if (!g)
		return QE_NOMEM;
	g->refs++;
	x->group = g;
	x->cancels = g->cancels;
	return QE_OK;
}

enum qe_result
qe_item_set_group(struct qe *e, uint64_t now_ns, struct qe_item *item,
		  struct qe_name queue, struct qe_name group)
{
	struct queue *q;
	enum qe_result result;

	e->now_ns = now_ns;
	if (!queue_name_valid(group))
		return QE_INVALID;
	result = queue_need(e, queue, &q, NULL);
	return result == QE_OK ? group_set(e, item, q, group) : result;
}

/* --- items ------------------------------------------------------------------------- */

uint64_t
group_unfinished(const struct group *g)
{
	return g->count[ITEM_READY] + g->count[ITEM_DELAYED] + g->count[ITEM_LEASED];
}

bool
item_discarded(const struct qe_item *item)
{
	return item->extra && item_waits(item->state) &&
	       (item->extra->purges != item_in(item)->purges || group_cancelled(item));
}

void
group_leave(struct group *g, const struct qe_item *item, uint64_t cost)
{
	if (item->state == ITEM_NEW)
		return;
	g->count[item->state]--;
	if (item->state == ITEM_LEASED && group_cancelled(item))
		g->marked--;
	if (!item_waits(item->state))
		return;
	g->bytes -= item->body_len;
	g->delayed_bytes -= item->state == ITEM_DELAYED ? item->body_len : 0;
	g->cost -= cost;
}

/* The joins of a group without unfinished items are answered by the next settle(). */
static void
wake_if_done(struct group *g)
{
	if (group_unfinished(g) > 0 || list_empty(&g->joins))
		return;
	list_remove(&g->joined);
	list_append(&g->queue->woken, &g->joined);
}

void
group_enter(struct group *g, const struct qe_item *item, uint64_t cost)
{
	if (item->state != ITEM_GONE)
		g->count[item->state]++;
	if (item->state == ITEM_GONE || item->state == ITEM_DEAD)
		wake_if_done(g);
	if (!item_waits(item->state))
		return;
	g->bytes += item->body_len;
	g->delayed_bytes += item->state == ITEM_DELAYED ? item->body_len : 0;
	g->cost += cost;
}

struct heap_node *
group_first(struct heap_node *by_first)
{
	return list_entry(by_first, struct group, by_first)->ready.first;
}

bool
group_before(const struct heap_node *a, const struct heap_node *b)
{
	const struct group *x = list_entry(a, const struct group, by_first);
	const struct group *y = list_entry(b, const struct group, by_first);

	return x->ready.before(x->ready.first, y->ready.first);
}

void
group_insert(struct group *g, struct qe_item *item)
{
	struct queue *q = g->queue;
	struct heap_node *first = g->ready.first;
	bool leads = !first || q->sorted.before(&item->heap, first);

	if (!first)
		heap_init(&g->ready, q->sorted.before);
	else if (leads)
		heap_remove(&q->grouped, &g->by_first);
	heap_insert(&g->ready, &item->heap);
	if (leads)
		heap_insert(&q->grouped, &g->by_first);
}

void
group_remove(struct group *g, struct qe_item *item)
{
	struct queue *q = g->queue;
	bool leads = g->ready.first == &item->heap;

	if (leads)
		heap_remove(&q->grouped, &g->by_first);
	heap_remove(&g->ready, &item->heap);
	if (leads && g->ready.first)
		heap_insert(&q->grouped, &g->by_first);
}

/* --- dropping all of them ---------------------------------------------------------- */

static void
make_trash(struct qe *e, struct group *g)
{
	list_append_all(&e->trash, &g->delayed);
	heap_discard(&g->ready, &e->trash_tree);
	g->count[ITEM_READY] = g->count[ITEM_DELAYED] = 0;
	g->bytes = g->delayed_bytes = g->cost = 0;
}

void
group_clear(struct qe *e, struct group *g)
{
	if (g->ready.first)
		heap_remove(&g->queue->grouped, &g->by_first);
	make_trash(e, g);
}

void
group_update(struct qe *e, struct group *g)
{
	if (g->purges == g->queue->purges)
		return;
	g->purges = g->queue->purges;
	make_trash(e, g);
	list_remove(&g->in_queue);
	list_append(&g->queue->groups, &g->in_queue);
}

void
group_purge(struct qe *e, struct queue *q)
{
	heap_init(&q->grouped, group_before);
	list_append_all(&e->purged, &q->groups);
	list_each_safe (at, &q->joined) {
		struct group *g = list_entry(at, struct group, joined);

		group_update(e, g);
		wake_if_done(g);
	}
}

enum qe_result
qe_cancel_group(struct qe *e, uint64_t now_ns, struct qe_name queue,
		struct qe_name group, struct qe_cancelled *ret_cancelled)
{
	struct queue *q = queue_ask(e, queue);
	struct group *g;

	e->now_ns = now_ns;
	if (!queue_name_valid(group) || (!q && !queue_name_valid(queue)))
		return QE_INVALID;
	if (!q)
		return QE_NOT_FOUND;
	*ret_cancelled = (struct qe_cancelled){0};
	g = group_find(e, q, group);
	if (!g)
		return QE_OK;
	ret_cancelled->dropped = g->count[ITEM_READY] + g->count[ITEM_DELAYED];
	ret_cancelled->held = g->count[ITEM_LEASED] - g->marked;
	g->refs++;
	item_discard_group(e, g, CAUSE_dropped);
	g->marked = g->count[ITEM_LEASED];
	g->cancels++;
	while (!list_empty(&g->puts))
		waiter_finish(e, list_entry(g->puts.next, struct waiter, in_group),
			      QE_CANCELLED);
	wake_if_done(g);
	if (q->durable)
		keep_cancelled(e, g);
	group_unref(e, g);
	settle_queue(e, q);
	sweep(e);
	return QE_OK;
}

/* --- waiters ----------------------------------------------------------------------- */

void
group_await(struct group *g, struct waiter *w)
{
	g->refs++;
	if (w->request == QE_REQUEST_PUT) {
		list_append(&g->puts, &w->in_group);
		return;
	}
	if (list_empty(&g->joins))
		list_append(&g->queue->joined, &g->joined);
	list_append(&g->joins, &w->in_group);
}

void
group_unawait(struct qe *e, struct group *g, struct waiter *w)
{
	list_remove(&w->in_group);
	if (list_empty(&g->joins))
		list_remove(&g->joined);
	group_unref(e, g);
}

void
group_wake(struct qe *e, struct queue *q)
{
	struct list *at;

	while ((at = list_first(&q->woken))) {
		struct group *g = list_entry(at, struct group, joined);

		if (group_unfinished(g) > 0) { /* there is more meanwhile */
			list_remove(&g->joined);
			list_append(&q->joined, &g->joined);
			continue;
		}
		/* The last one takes the group out of the list, and may free it. */
		waiter_finish(e, list_entry(g->joins.next, struct waiter, in_group),
			      QE_OK);
	}
}
