/* SPDX-License-Identifier: MIT
 *
 * qe_delete_item(): one item, by its id.
 *
 * Only leased and dead items can be found by their ids; for what waits such an index would take
 * memory of every item, for something that a hand does now and then. So it is searched.
 */
#include "daemon/core/dead.h"
#include "daemon/core/engine_int.h"
#include "daemon/core/group.h"
#include "daemon/core/queue.h"
#include "daemon/core/session.h"
#include "daemon/core/settle.h"

/* In a list that is ordered by id: from the nearer end. */
static struct qe_item *
find_fresh(const struct list *list, uint64_t id)
{
	struct list *at = list->next;
	uint64_t first, last;
	bool forward;

	if (list_empty(list))
		return NULL;
	first = list_entry(list->next, struct qe_item, node)->id;
	last = list_entry(list->prev, struct qe_item, node)->id;
	if (id < first || id > last)
		return NULL;
	forward = id - first < last - id;
	for (at = forward ? list->next : list->prev; at != list;
	     at = forward ? at->next : at->prev) {
		struct qe_item *item = list_entry(at, struct qe_item, node);

		if (item->id == id)
			return item;
		if (forward ? item->id > id : item->id < id)
			break;
	}
	return NULL;
}

static struct qe_item *
find_listed(const struct list *list, uint64_t id)
{
	list_each (at, list) {
		struct qe_item *item = list_entry(at, struct qe_item, node);

		if (item->id == id)
			return item;
	}
	return NULL;
}

static bool
has_id(const struct heap_node *node, const void *id)
{
	return item_match(list_entry(node, const struct qe_item, heap), id);
}

static struct qe_item *
find_sorted(const struct heap *heap, uint64_t id)
{
	struct heap_node *node = heap_search(heap, has_id, &id);

	return node ? list_entry(node, struct qe_item, heap) : NULL;
}

static struct qe_item *
find_grouped(const struct queue *q, uint64_t id)
{
	struct qe_item *item = NULL;

	list_each (at, &q->groups) {
		const struct group *g = list_entry(at, const struct group, in_queue);

		item = find_sorted(&g->ready, id);
		if (!item)
			item = find_listed(&g->delayed, id);
		if (item)
			break;
	}
	return item;
}

/* The ready or delayed item of the queue with this id, or NULL. */
static struct qe_item *
find_waiting(const struct queue *q, uint64_t id)
{
	struct qe_item *item = find_fresh(&q->fresh, id);

	if (!item)
		item = find_sorted(&q->sorted, id);
	if (!item)
		item = find_listed(&q->delayed, id);
	return item ? item : find_grouped(q, id);
}

static struct qe_item *
find(const struct qe *e, const struct queue *q, uint64_t id)
{
	struct qe_item *item =
		table_find(&e->leases, item_hash(e, id), item_match, &id);

	if (item)
		return item->holding->queue == q ? item : NULL;
	item = dead_find(q, id);
	return item || id > e->last_id ? item : find_waiting(q, id);
}

enum qe_result
qe_delete_item(struct qe *e, uint64_t now_ns, struct qe_name queue, uint64_t id,
	       bool force)
{
	struct queue *q = queue_find(e, queue);
	struct qe_item *item;

	e->now_ns = now_ns;
	if (!q)
		return queue_name_valid(queue) ? QE_NOT_FOUND : QE_INVALID;
	item = find(e, q, id);
	if (!item)
		return QE_NOT_FOUND;
	if (item->state == ITEM_LEASED && !force)
		return QE_NOT_EMPTY;
	item_move(e, item, ITEM_GONE, CAUSE_purged);
	qe_item_unref(e, item);
	settle_queue(e, q);
	return QE_OK;
}
