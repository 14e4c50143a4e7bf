/* SPDX-License-Identifier: MIT
 *
 * Who is served next. See settle.h.
 */
#include "daemon/core/settle.h"

#include "daemon/core/engine_int.h"
#include "daemon/core/group.h"
#include "daemon/core/join.h"
#include "daemon/core/queue.h"
#include "daemon/core/waiter.h"

/* The waiting get that is given the first ready item now, or NULL. */
static struct waiter *
next_getter(const struct queue *q)
{
	struct waiter *one = waiter_first(q, LINE_GET);
	struct waiter *many = waiter_first(q, LINE_GET_MANY);

	if (many && q->shutdown == QE_OPEN &&
	    !get_ripe(&many->get, queue_given(q)))
		many = NULL;
	if (!one || !many)
		return one ? one : many;
	return one->seq < many->seq ? one : many;
}

static void
finish_line(struct qe *e, struct queue *q, enum line line, enum qe_result result)
{
	struct waiter *w;

	while ((w = waiter_first(q, line)))
		waiter_finish(e, w, result);
}

static void
feed_getters(struct qe *e, struct queue *q)
{
	struct waiter *w;

	/* Until the bodies that it must have are here, which are being read ahead. */
	while (queue_given(q) > 0 && (w = next_getter(q)) &&
	       get_fetch(e, q, &w->get) == QE_OK)
		waiter_give(e, w, q);
	if (queue_drained(q)) {
		while ((w = waiter_first(q, LINE_GET)))
			waiter_shut_out(e, w, q);
		finish_line(e, q, LINE_GET_MANY, QE_SHUT_DOWN);
	}
}

/* Puts the queue into, or out of, the line of those that wait for memory. */
static void
mark_starving(struct qe *e, struct queue *q, bool starving)
{
	bool marked = !list_empty(&q->starving);

	if (starving && !marked)
		list_append(&e->starving, &q->starving);
	else if (!starving && marked)
		list_remove(&q->starving);
}

/* Returns whether any item was accepted or any put answered. */
static bool
accept_putters(struct qe *e, struct queue *q)
{
	enum qe_result result = QE_OK;
	bool progress = false;
	struct waiter *w;

	while ((w = waiter_first(q, LINE_PUT))) {
		unsigned at = w->put.next;

		result = q->shutdown == QE_OPEN ? put_advance(e, q, &w->put)
						: QE_SHUT_DOWN;
		progress |= w->put.next > at;
		if (put_is_full(result)) {
			if (w->put.next > at)
				keep_begun(e, q, w);
			break;
		}
		waiter_finish(e, w, result);
		progress = true;
		/* The queues that wait for memory take turns. */
		if (!list_empty(&q->starving)) {
			mark_starving(e, q, false);
			mark_starving(e, q, true);
		}
	}
	mark_starving(e, q, w && result == QE_FULL_MEMORY);
	return progress;
}

/* Lets the first get of many linger, as long as it has its fewest items. */
static void
tend_linger(struct qe *e, struct queue *q)
{
	struct waiter *w = waiter_first(q, LINE_GET_MANY);
	uint64_t end;
	bool lingers;

	if (!w)
		return;
	lingers = queue_given(q) >= w->get.args.min_items;
	if (lingers == w->lingers)
		return;
	w->lingers = lingers;
	end = w->get.args.linger_ns < QE_NEVER - e->now_ns
		      ? e->now_ns + w->get.args.linger_ns
		      : QE_NEVER;
	waiter_set_timer(e, w, lingers && end < w->deadline_ns ? end : w->deadline_ns);
}

/* Returns whether there was anything to do for putters. */
static bool
serve(struct qe *e, struct queue *q)
{
	bool progress = false, more;

	do {
		feed_getters(e, q);
		if (queue_unfinished(q) == 0)
			finish_line(e, q, LINE_JOIN, QE_OK);
		else if (!list_empty(&q->woken))
			group_wake(e, q);
		more = accept_putters(e, q);
		progress |= more;
	} while (more);
	tend_linger(e, q);
	if (q->stallers > 0)
		join_watch(e, q);
	return progress;
}

void
settle_later(struct qe *e, struct queue *q)
{
	if ((q->waiters > 0 || !list_empty(&q->starving)) && list_empty(&q->touched))
		list_append(&e->touched, &q->touched);
}

/* Returns whether there were any. */
static bool
serve_touched(struct qe *e)
{
	struct list *at = list_first(&e->touched);
	bool any = at != NULL;

	for (; at; at = list_first(&e->touched)) {
		list_remove(at);
		serve(e, list_entry(at, struct queue, touched));
	}
	return any;
}

/* Not inlined: mostly there is nothing to settle. */
static void __attribute__((noinline))
settle_some(struct qe *e)
{
	struct list *at;

	serve_touched(e);
	while ((at = list_first(&e->starving))) {
		bool progress = serve(e, list_entry(at, struct queue, starving));

		/* What was accepted may have died, into another queue, or gone to a get
		 * that waited for others too. */
		progress |= serve_touched(e);
		if (!progress && list_first(&e->starving) == at)
			return;
	}
}

void
settle(struct qe *e)
{
	if (!list_empty(&e->touched) || !list_empty(&e->starving))
		settle_some(e);
}

void
settle_queue(struct qe *e, struct queue *q)
{
	settle_later(e, q);
	settle(e);
}

bool
settle_memory(const struct qe *e, const struct queue *q, uint64_t cost)
{
	struct list *first = list_first(&e->starving);

	if (e->config.memory_limit == 0)
		return true;
	if (first && first != &q->starving)
		return false;
	return e->accepted_cost == 0 ||
	       e->accepted_cost + e->keys_cost + cost <= e->config.memory_limit;
}
