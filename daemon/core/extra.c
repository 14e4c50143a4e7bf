/* SPDX-License-Identifier: MIT
 *
 * See extra.h.
 */
#include "daemon/core/extra.h"

#include "daemon/core/engine_int.h"
#include "daemon/core/queue.h"

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
extra_need(struct qe *e, struct qe_item *item)
{
	struct extra *x = item->extra;

	if (x)
		return x;
	x = mem_alloc(&e->mem, sizeof(*x));
	if (!x)
		return NULL;
	*x = (struct extra){.item = item, .due_ns = QE_NEVER, .expires_ns = QE_NEVER};
	item->extra = x;
	count_cost(e, item, extra_cost(x));
	return x;
}

void
extra_free(struct qe *e, struct qe_item *item)
{
	mem_free(&e->mem, item->extra, sizeof(*item->extra));
}
