/* SPDX-License-Identifier: MIT
 *
 * item_replace(): another body in the place of an item that waits. See item.h.
 */
#include "daemon/core/engine_int.h"
#include "daemon/core/group.h"
#include "daemon/core/queue.h"
#include "daemon/core/unique.h"

/* The item becomes what the other one is, but for its own body. */
static void
become(struct qe_item *item, struct qe_item *old)
{
	uint32_t body_len = item->body_len, refs = item->refs;
	uint8_t ctype = item->ctype;
	bool foreign = item->foreign;

	*item = *old;
	item->body_len = body_len;
	item->foreign = foreign;
	item->refs = refs;
	item->ctype = ctype;
	if (item->extra)
		item->extra->item = item;
	old->extra = NULL;
	old->state = ITEM_GONE;
	old->queue = NULL;
}

/* Moves the item to the place that the other one has in its set. */
static void
take_place(struct queue *q, struct qe_item *item, struct qe_item *old)
{
	struct group *g = item_group(old);
	bool listed = old->state == ITEM_DELAYED || !old->sorted;

	if (!listed && g)
		group_remove(g, old);
	else if (!listed)
		heap_remove(&q->sorted, &old->heap);
	become(item, old);
	if (listed)
		item->node.prev->next = item->node.next->prev = &item->node;
	else if (g)
		group_insert(g, item);
	else
		heap_insert(&q->sorted, &item->heap);
}

/* What waits has become larger, or smaller, by so many bytes and so much memory. */
static void
count_change(struct qe *e, struct queue *q, const struct qe_item *item, uint64_t bytes,
	     uint64_t cost)
{
	struct group *g = item_group(item);

	q->bytes += bytes;
	q->cost += cost;
	e->accepted_cost += cost;
	if (item->state == ITEM_DELAYED)
		q->delayed_bytes += bytes;
	if (!g)
		return;
	g->bytes += bytes;
	g->cost += cost;
	if (item->state == ITEM_DELAYED)
		g->delayed_bytes += bytes;
}

void
item_replace(struct qe *e, struct qe_item *old, struct qe_item *item)
{
	struct queue *q = old->queue;
	uint64_t cost = item_cost(old);

	e->other_cost -= item_cost(item);
	if (item->extra)
		extra_free(e, item);
	take_place(q, item, old);
	if (item->extra && item->extra->key && item->extra->key->holder == old)
		unique_replace(old, item);
	count_change(e, q, item, item->body_len - (uint64_t)old->body_len,
		     item_cost(item) - cost);
	e->other_cost += item_cost(old);
	if (q->durable)
		keep_replaced(e, q, item);
	qe_item_unref(e, old);
}
