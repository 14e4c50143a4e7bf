/* SPDX-License-Identifier: MIT
 *
 * qe_join(), and joins that wait (join.h).
 */
#include "daemon/core/join.h"

#include "daemon/core/engine_int.h"
#include "daemon/core/group.h"
#include "daemon/core/queue.h"
#include "daemon/core/waiter.h"
#include "daemon/core/watch.h"

/* What a join has to wait for. Queue and group may be NULL. */
static uint64_t
unfinished(const struct queue *q, const struct group *g, const struct qe_join *join)
{
	if (join->group.len > 0)
		return g ? group_unfinished(g) : 0;
	return q ? queue_unfinished(q) : 0;
}

static uint64_t
died(const struct waiter *w)
{
	return w->group ? w->group->died : w->slot.queue->counters.died;
}

bool
join_idle(const struct queue *q)
{
	return q->count[ITEM_READY] > 0 && q->count[ITEM_LEASED] == 0 &&
	       q->waiting[LINE_GET] == 0 && q->waiting[LINE_GET_MANY] == 0;
}

/* Everything that happens to an item is counted. */
static uint64_t
happenings(const struct queue *q)
{
	const uint64_t *counters = (const uint64_t *)&q->counters;
	uint64_t sum = 0;

	for (int i = 0; i < CAUSES; i++)
		sum += counters[i];
	return sum;
}

void
join_watch(const struct qe *e, struct queue *q)
{
	uint64_t now = happenings(q);

	if (!join_idle(q))
		q->idle_ns = QE_NEVER;
	else if (q->idle_ns == QE_NEVER || now != q->happenings)
		q->idle_ns = e->now_ns;
	q->happenings = now;
}

static uint64_t
after(uint64_t from_ns, uint64_t ns)
{
	return ns < QE_NEVER - from_ns ? from_ns + ns : QE_NEVER;
}

/* When the join has seen the queue stall for long enough, if nothing happens until then. */
static uint64_t
stalled_ns(const struct waiter *w)
{
	uint64_t from_ns = w->slot.queue->idle_ns;

	if (from_ns == QE_NEVER)
		return QE_NEVER;
	if (from_ns < w->join.began_ns)
		from_ns = w->join.began_ns;
	return after(from_ns, w->join.stall_ns);
}

/* Not later than the first moment at which it might be stalled. */
static void
look_again(struct qe *e, struct waiter *w)
{
	uint64_t then_ns = stalled_ns(w);

	if (then_ns == QE_NEVER)
		then_ns = after(e->now_ns, w->join.stall_ns);
	waiter_set_timer(e, w, then_ns < w->deadline_ns ? then_ns : w->deadline_ns);
}

static void
stalled(struct qe *e, struct waiter *w)
{
	watch_note(e, QE_EVENT_STALLED, w->slot.queue);
	waiter_finish(e, w, QE_STALLED);
}

void
join_due(struct qe *e, struct waiter *w)
{
	if (w->deadline_ns <= e->now_ns)
		waiter_finish(e, w, QE_TIMEOUT);
	else if (stalled_ns(w) <= e->now_ns)
		stalled(e, w);
	else
		look_again(e, w);
}

void
join_stop(struct waiter *w)
{
	w->slot.queue->stallers -= w->join.stall_ns > 0;
}

void
join_answer(const struct waiter *w, enum qe_result result, struct qe_reply *reply)
{
	const struct queue *q = w->slot.queue;

	*reply = (struct qe_reply){.request = QE_REQUEST_JOIN, .result = result};
	reply->died = died(w) - w->join.died;
	if (result == QE_OK && w->join.strict && reply->died > 0)
		reply->result = QE_DEAD;
	if (result != QE_STALLED)
		return;
	reply->paused = q->paused_out;
	reply->ready = q->count[ITEM_READY];
	reply->delayed = q->count[ITEM_DELAYED];
	reply->stall_ns = w->join.stall_ns;
}

static void
start(struct qe *e, struct waiter *w, struct queue *q, const struct qe_join *join)
{
	w->join = (struct join){.began_ns = e->now_ns,
				.stall_ns = join->stall_ns,
				.strict = join->strict};
	waiter_start(e, w, q, LINE_JOIN, join->deadline_ns);
	w->join.died = died(w);
	if (join->stall_ns == 0)
		return;
	if (q->stallers++ == 0)
		q->idle_ns = join_idle(q) ? e->now_ns : QE_NEVER;
	q->happenings = happenings(q);
	look_again(e, w);
}

enum qe_result
qe_join(struct qe *e, uint64_t now_ns, struct qe_session *session, uint64_t rid,
	struct qe_name queue, const struct qe_join *join)
{
	struct queue *q = queue_ask(e, queue);
	struct group *g = NULL;
	struct waiter *w;
	enum qe_result result = waiter_check(e, session, rid);

	e->now_ns = now_ns;
	if (result != QE_OK)
		return result;
	if (!q && !queue_name_valid(queue))
		return QE_INVALID;
	if (join->group.len > 0) {
		if (!queue_name_valid(join->group))
			return QE_INVALID;
		g = group_find(e, q, join->group);
	}
	if (unfinished(q, g, join) == 0)
		return QE_OK;
	if (join->deadline_ns <= now_ns)
		return QE_TIMEOUT;
	result = waiter_new(e, session, rid, 0, &w);
	if (result != QE_OK)
		return result;
	w->request = QE_REQUEST_JOIN;
	w->group = g;
	start(e, w, q, join);
	return QE_WAIT;
}
