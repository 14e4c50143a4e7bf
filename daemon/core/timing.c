/* SPDX-License-Identifier: MIT
 *
 * See timing.h.
 */
#include "daemon/core/timing.h"

#include "daemon/core/engine_int.h"
#include "daemon/core/queue.h"
#include "daemon/core/settle.h"

bool
timing_before(const struct heap_node *a, const struct heap_node *b)
{
	const struct timing *x = list_entry(a, const struct timing, node);
	const struct timing *y = list_entry(b, const struct timing, node);

	return x->due_ns != y->due_ns ? x->due_ns < y->due_ns
				      : x->item->id < y->item->id;
}

bool
timing_queue_before(const struct heap_node *a, const struct heap_node *b)
{
	const struct queue *x = list_entry(a, const struct queue, by_due);
	const struct queue *y = list_entry(b, const struct queue, by_due);

	return x->due_ns != y->due_ns ? x->due_ns < y->due_ns : x->serial < y->serial;
}

static struct timing *
first_of(const struct queue *q)
{
	return q->due.first ? list_entry(q->due.first, struct timing, node) : NULL;
}

/* Moves the queue to its place among the others. */
static void
first_changed(struct qe *e, struct queue *q)
{
	const struct timing *first = first_of(q);
	uint64_t due_ns = first ? first->due_ns : QE_NEVER;

	if (due_ns == q->due_ns)
		return;
	if (q->due_ns != QE_NEVER)
		heap_remove(&e->due, &q->by_due);
	q->due_ns = due_ns;
	if (due_ns != QE_NEVER)
		heap_insert(&e->due, &q->by_due);
}

struct timing *
timing_need(struct qe *e, struct qe_item *item)
{
	struct timing *t = item->timing;

	assert(item->state == ITEM_NEW);
	if (t)
		return t;
	t = mem_alloc(&e->mem, sizeof(*t));
	if (!t)
		return NULL;
	*t = (struct timing){.item = item, .due_ns = QE_NEVER, .expires_ns = QE_NEVER};
	item->timing = t;
	e->other_cost += timing_cost(t);
	return t;
}

void
timing_free(struct qe *e, struct qe_item *item)
{
	mem_free(&e->mem, item->timing, sizeof(*item->timing));
}

void
timing_disarm(struct qe *e, struct queue *q, struct timing *t)
{
	if (t->due_ns == QE_NEVER)
		return;
	heap_remove(&q->due, &t->node);
	t->due_ns = QE_NEVER;
	first_changed(e, q);
}

void
timing_arm(struct qe *e, struct queue *q, struct timing *t)
{
	uint64_t due_ns = QE_NEVER;

	if (t->item->state == ITEM_READY || t->item->state == ITEM_DELAYED)
		due_ns = t->expires_ns;
	if (t->item->state == ITEM_DELAYED && t->ready_ns < due_ns)
		due_ns = t->ready_ns;
	if (due_ns == QE_NEVER)
		return;
	t->due_ns = due_ns;
	heap_insert(&q->due, &t->node);
	first_changed(e, q);
}

void
timing_discard(struct qe *e, struct queue *q)
{
	heap_init(&q->due, timing_before);
	first_changed(e, q);
}

bool
timing_later(const struct qe *e, const struct qe_item *item)
{
	return item->timing && item->timing->ready_ns > e->now_ns;
}

bool
timing_over(const struct qe *e, const struct qe_item *item)
{
	return item->timing && item->timing->expires_ns <= e->now_ns;
}

uint64_t
timing_next(const struct qe *e)
{
	return e->due.first ? list_entry(e->due.first, struct queue, by_due)->due_ns
			    : QE_NEVER;
}

bool
timing_run(struct qe *e)
{
	if (timing_next(e) > e->now_ns)
		return false;

	struct queue *q = list_entry(e->due.first, struct queue, by_due);
	struct qe_item *item = first_of(q)->item;

	if (timing_over(e, item)) {
		item_move(e, item, ITEM_GONE, CAUSE_expired);
		qe_item_unref(e, item);
	} else {
		item_move(e, item, ITEM_READY, CAUSE_NONE);
	}
	settle_queue(e, q);
	return true;
}
