/* SPDX-License-Identifier: MIT
 *
 * Another item in the place of one: item_replace() with another body, item_swap() with the same one
 * somewhere else. See item.h.
 */
#include "daemon/core/engine_int.h"
#include "daemon/core/extra.h"
#include "daemon/core/group.h"
#include "daemon/core/queue.h"
#include "daemon/core/unique.h"

/* The item becomes what the other one is, but for its own body. */
static void
become(struct qe_item *item, struct qe_item *old)
{
	uint32_t body_len = item->body_len, refs = item->refs;
	uint8_t ctype = item->ctype;
	bool foreign = item->foreign, absent = item->absent;

	*item = *old;
	item->body_len = body_len;
	item->foreign = foreign;
	item->absent = absent;
	item->refs = refs;
	item->ctype = ctype;
	if (item->extra)
		item->extra->item = item;
	old->extra = NULL;
	old->state = ITEM_GONE;
	old->owner.queue = NULL; /* what is kept of it is the other one's */
	old->is_kept = 0;
}

/* Moves the item to the place that the other one has in its set. */
static void
take_place(struct qe *e, struct queue *q, struct qe_item *item, struct qe_item *old)
{
	struct group *g = item_group(old);
	bool listed = old->state != ITEM_READY || !old->sorted;

	if (old->state == ITEM_LEASED)
		table_remove(&e->leases, item_hash(e, old->id), old);
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
	if (item->state == ITEM_LEASED)
		table_insert(&e->leases, item_hash(e, item->id), item);
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

static void
keep_key(struct qe_item *item, struct qe_item *old)
{
	if (item->extra && item->extra->key && item->extra->key->holder == old)
		unique_replace(old, item);
}

void
item_replace(struct qe *e, struct qe_item *old, struct qe_item *item)
{
	struct queue *q = item_queue(old);
	uint64_t cost = item_cost(old);

	e->other_cost -= item_cost(item);
	if (item->extra)
		extra_free(e, item);
	take_place(e, q, item, old);
	keep_key(item, old);
	if (item_waits(item->state))
		count_change(e, q, item, item->body_len - (uint64_t)old->body_len,
			     item_cost(item) - cost);
	else
		item_count_cost(e, item, item_cost(item) - cost);
	e->other_cost += item_cost(old);
	if (q->durable)
		keep_replaced(e, q, item);
	qe_item_unref(e, old);
}

/* The memory of an item is counted for its group too, while it waits. */
static void
count_swap(struct qe *e, struct qe_item *item, uint64_t cost)
{
	struct group *g = item_group(item);

	item_count_cost(e, item, cost);
	if (g && item_waits(item->state))
		g->cost += cost;
}

void
item_swap(struct qe *e, struct qe_item *old, struct qe_item *item)
{
	struct queue *q = item_queue(old);
	uint64_t cost = item_cost(old);

	e->other_cost -= item_cost(item);
	item->ctype = old->ctype;
	take_place(e, q, item, old);
	keep_key(item, old);
	count_swap(e, item, item_cost(item) - cost);
	e->other_cost += item_cost(old);
	qe_item_unref(e, old);
}
