/* SPDX-License-Identifier: MIT
 *
 * See extra.h.
 */
#include "daemon/core/extra.h"

#include "daemon/core/engine_int.h"
#include "daemon/core/group.h"
#include "daemon/core/queue.h"
#include "daemon/core/timing.h"
#include "daemon/core/unique.h"

/* Counts memory of the item where the item itself is counted. */
static void
count_cost(struct qe *e, const struct qe_item *item, uint64_t cost)
{
	if (item->state == ITEM_NEW || item->state == ITEM_GONE) {
		e->other_cost += cost;
		return;
	}
	e->accepted_cost += cost;
	if (item->state == ITEM_LEASED)
		item_queue(item)->leased_cost += cost;
	else
		item_queue(item)->cost += cost;
}

struct extra *
extra_new(struct qe *e)
{
	struct extra *x = mem_alloc(&e->mem, sizeof(*x));

	if (x)
		*x = (struct extra){.due_ns = QE_NEVER,
				    .expires_ns = QE_NEVER,
				    .ends_ns = QE_NEVER,
				    .warn_ns = QE_NEVER};
	return x;
}

void
extra_attach(struct qe *e, struct qe_item *item, struct extra *x)
{
	x->item = item;
	item->extra = x;
	count_cost(e, item, extra_cost(x));
}

void
extra_drop(struct qe *e, struct extra *x)
{
	mem_free(&e->mem, x, sizeof(*x));
}

struct extra *
extra_need(struct qe *e, struct qe_item *item)
{
	struct extra *x = item->extra ? item->extra : extra_new(e);

	if (x && !item->extra)
		extra_attach(e, item, x);
	return x;
}

void
extra_leave(struct qe *e, struct queue *q, struct extra *x, uint64_t cost)
{
	timing_disarm(e, q, x);
	if (!x->group)
		return;
	group_update(e, x->group);
	group_leave(x->group, x->item, cost);
}

void
extra_enter(struct qe *e, struct queue *q, struct extra *x, uint64_t cost)
{
	if (x->item->state != ITEM_GONE) {
		x->purges = q->purges;
		timing_arm(e, q, x);
	}
	if (x->group)
		group_enter(x->group, x->item, cost);
	if (x->key)
		unique_moved(e, x->item);
}

void
extra_forget(struct qe *e, struct extra *x)
{
	struct qe_item *item = x->item;

	if (item->state == ITEM_LEASED) {
		if (x->group)
			group_leave(x->group, item, 0);
	} else if (x->due_ns != QE_NEVER && x->purges == item->queue->purges) {
		timing_disarm(e, item->queue, x);
	}
	if (x->key)
		unique_unset(e, item);
}

void
extra_free(struct qe *e, struct qe_item *item)
{
	if (item->extra->group)
		group_unref(e, item->extra->group);
	if (item->extra->key)
		unique_unset(e, item);
	mem_free(&e->mem, item->extra, sizeof(*item->extra));
}
