/* SPDX-License-Identifier: MIT
 *
 * See timing.h.
 */
#include "daemon/core/timing.h"

#include "daemon/core/dead.h"
#include "daemon/core/engine_int.h"
#include "daemon/core/group.h"
#include "daemon/core/lease.h"
#include "daemon/core/queue.h"
#include "daemon/core/settle.h"

bool
timing_before(const struct heap_node *a, const struct heap_node *b)
{
	const struct extra *x = list_entry(a, const struct extra, node);
	const struct extra *y = list_entry(b, const struct extra, node);

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

static struct extra *
first_of(const struct queue *q)
{
	struct heap_node *first = q->due.first, *end = q->ends.first;

	if (!first || (end && timing_before(end, first)))
		first = end;
	return first ? list_entry(first, struct extra, node) : NULL;
}

static struct heap *
heap_of(struct queue *q, const struct extra *x)
{
	return x->item->state == ITEM_LEASED ? &q->ends : &q->due;
}

uint64_t
timing_dead_due(const struct queue *q)
{
	const struct list *at = list_first(&q->dead);
	const struct qe_item *item = at ? list_entry(at, struct qe_item, node) : NULL;
	uint64_t ttl_ns, due_ns;

	if (dead_too_many(q))
		return 0;
	if (!item || q->dead_ttl_ms == 0)
		return QE_NEVER;
	due_ns = item->extra ? item->extra->died_ns
			     : (uint64_t)item->accepted << ITEM_ACCEPTED_SHIFT;
	if (__builtin_mul_overflow(q->dead_ttl_ms, UINT64_C(1000000), &ttl_ns) ||
	    __builtin_add_overflow(due_ns, ttl_ns, &due_ns))
		return QE_NEVER;
	return due_ns;
}

/* Moves the queue to its place among the others. */
static void
first_changed(struct qe *e, struct queue *q)
{
	const struct extra *first = first_of(q);
	uint64_t due_ns = first ? first->due_ns : QE_NEVER, dead_ns = timing_dead_due(q);

	if (dead_ns < due_ns)
		due_ns = dead_ns;
	if (due_ns == q->due_ns)
		return;
	if (q->due_ns != QE_NEVER)
		heap_remove(&e->due, &q->by_due);
	q->due_ns = due_ns;
	if (due_ns != QE_NEVER)
		heap_insert(&e->due, &q->by_due);
}

uint64_t
timing_due(const struct extra *x)
{
	switch ((enum item_state)x->item->state) {
	case ITEM_READY: return x->expires_ns;
	case ITEM_DELAYED:
		return x->ready_ns < x->expires_ns ? x->ready_ns : x->expires_ns;
	case ITEM_LEASED: return x->warn_ns < x->ends_ns ? x->warn_ns : x->ends_ns;
	case ITEM_NEW:
	case ITEM_DEAD:
	case ITEM_GONE:
	case ITEM_STATES: break;
	}
	return QE_NEVER;
}

static void
set(struct qe *e, struct queue *q, struct extra *x, uint64_t due_ns)
{
	if (x->due_ns == due_ns)
		return;
	if (x->due_ns != QE_NEVER)
		heap_remove(heap_of(q, x), &x->node);
	x->due_ns = due_ns;
	if (due_ns != QE_NEVER)
		heap_insert(heap_of(q, x), &x->node);
	first_changed(e, q);
}

void
timing_disarm(struct qe *e, struct queue *q, struct extra *x)
{
	set(e, q, x, QE_NEVER);
	x->lease_ns = 0;
	x->ends_ns = x->warn_ns = QE_NEVER;
}

void
timing_arm(struct qe *e, struct queue *q, struct extra *x)
{
	set(e, q, x, timing_due(x));
}

void
timing_discard_waiting(struct qe *e, struct queue *q)
{
	heap_init(&q->due, timing_before);
	first_changed(e, q);
}

void
timing_discard_leased(struct qe *e, struct queue *q)
{
	heap_init(&q->ends, timing_before);
	first_changed(e, q);
}

void
timing_dead_changed(struct qe *e, struct queue *q)
{
	first_changed(e, q);
}

bool
timing_later(const struct qe *e, const struct qe_item *item)
{
	return item->extra && item->extra->ready_ns > e->now_ns;
}

bool
timing_over(const struct qe *e, const struct qe_item *item)
{
	return item->extra && item->extra->expires_ns <= e->now_ns;
}

uint64_t
timing_next(const struct qe *e)
{
	return e->due.first ? list_entry(e->due.first, struct queue, by_due)->due_ns
			    : QE_NEVER;
}

uint64_t
timing_next_ready(const struct qe *e, const struct queue *q)
{
	const struct extra *x = q->due.first
					? list_entry(q->due.first, struct extra, node)
					: NULL;

	if (!x || x->item->state != ITEM_DELAYED || x->due_ns != x->ready_ns)
		return QE_NEVER;
	return x->due_ns > e->now_ns ? x->due_ns - e->now_ns : 0;
}

/* An item that is ready or delayed, and whose time has come. */
static void
run_waiting(struct qe *e, struct queue *q, struct qe_item *item)
{
	/* It has been dropped, sweep() has not come by yet. */
	if (group_cancelled(item)) {
		timing_disarm(e, q, item->extra);
		return;
	}
	if (timing_over(e, item))
		item_expire(e, item);
	else
		item_move(e, item, ITEM_READY, CAUSE_NONE);
	settle_queue(e, q);
}

bool
timing_run(struct qe *e)
{
	if (timing_next(e) > e->now_ns)
		return false;

	struct queue *q = list_entry(e->due.first, struct queue, by_due);

	if (timing_dead_due(q) <= e->now_ns) {
		dead_drop_first(e, q);
		return true;
	}

	struct qe_item *item = first_of(q)->item;

	if (item->state == ITEM_LEASED) {
		lease_due(e, item);
		settle_queue(e, q);
	} else {
		run_waiting(e, q, item);
	}
	return true;
}

void
timing_catch_up(struct qe *e, struct queue *q)
{
	for (int i = 0; i < QE_TICK_ITEMS && q->due.first; i++) {
		struct extra *x = list_entry(q->due.first, struct extra, node);

		if (x->due_ns > e->now_ns)
			break;
		run_waiting(e, q, x->item);
	}
}
