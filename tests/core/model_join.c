/* SPDX-License-Identifier: MIT
 *
 * What the model's joins see: whether anybody works, and what to tell.
 */
#include "tests/core/model.h"

static bool
idle(const struct model *m, int queue)
{
	return m_ready(m, queue) > 0 && m_leased(m, queue) == 0 &&
	       m_waiting(m, queue, QE_REQUEST_GET) == 0;
}

void
m_watch(struct model *m, int queue)
{
	struct m_queue *q = &m->queues[queue];
	uint64_t sum = 0;

#define QE_COUNTER(name, text) sum += q->counters.name;
#include "daemon/core/counters.def"
#undef QE_COUNTER
	if (!idle(m, queue))
		q->idle_since = QE_NEVER;
	else if (q->idle_since == QE_NEVER || q->happenings != sum)
		q->idle_since = m->now;
	q->happenings = sum;
}

/* When the join has seen enough, if it goes on so; QE_NEVER: it does not. */
static uint64_t
enough(const struct model *m, const struct m_waiter *w)
{
	uint64_t from = m->queues[w->queue].idle_since;

	if (from == QE_NEVER)
		return QE_NEVER;
	return (from > w->began ? from : w->began) + w->stall;
}

void
m_look_again(struct model *m, struct m_waiter *w)
{
	uint64_t then = enough(m, w);

	if (then == QE_NEVER)
		then = m->now + w->stall;
	w->timer = then < w->deadline ? then : w->deadline;
}

void
m_join_due(struct model *m, struct m_waiter *w)
{
	if (w->deadline <= m->now)
		m_finish(m, w, QE_TIMEOUT);
	else if (enough(m, w) <= m->now)
		m_finish(m, w, QE_STALLED);
	else
		m_look_again(m, w);
}

void
m_join_answer(const struct model *m, const struct m_waiter *w, enum qe_result result,
	      struct m_reply *reply)
{
	reply->result = result;
	reply->died = m_died(m, w->queue, w->group) - w->died;
	if (result == QE_OK && w->strict && reply->died > 0)
		reply->result = QE_DEAD;
	if (result != QE_STALLED)
		return;
	reply->ready = m_ready(m, w->queue);
	reply->delayed = m_delayed(m, w->queue);
	reply->stall = w->stall;
}
