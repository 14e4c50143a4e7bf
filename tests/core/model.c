/* SPDX-License-Identifier: MIT
 *
 * The verbs of the model. See model.h.
 */
#include "tests/core/model.h"

#include <check.h>
#include <string.h>

uint64_t
m_ready(const struct model *m, int queue)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < m->n_items; i++)
		n += m->items[i].queue == queue && m->items[i].holder == NOBODY &&
		     !m->items[i].delayed;
	return n;
}

uint64_t
m_given(const struct model *m, int queue)
{
	return m->queues[queue].paused_out ? 0 : m_ready(m, queue);
}

uint64_t
m_delayed(const struct model *m, int queue)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < m->n_items; i++)
		n += m->items[i].queue == queue && m->items[i].delayed;
	return n;
}

uint64_t
m_size(const struct model *m, int queue)
{
	return m_ready(m, queue) + m_delayed(m, queue);
}

uint64_t
m_unfinished(const struct model *m, int queue)
{
	return m_size(m, queue) + m_leased(m, queue);
}

uint64_t
m_unfinished_of(const struct model *m, int queue, int group)
{
	uint64_t n = 0;

	if (group == 0)
		return m_unfinished(m, queue);
	for (unsigned i = 0; i < m->n_items; i++)
		n += m->items[i].queue == queue && m->items[i].group == group;
	return n;
}

bool
m_over(const struct model *m, const struct m_item *item)
{
	return item->timed && item->expires <= m->now;
}

uint64_t
m_leased(const struct model *m, int queue)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < m->n_items; i++)
		n += m->items[i].queue == queue && m->items[i].holder != NOBODY;
	return n;
}

uint64_t
m_bytes(const struct model *m, int queue, bool delayed)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < m->n_items; i++)
		if (m->items[i].queue == queue && m->items[i].holder == NOBODY &&
		    (delayed || !m->items[i].delayed))
			n += m->items[i].len;
	return n;
}

uint64_t
m_waiting(const struct model *m, int queue, enum qe_request request)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < m->n_waiters; i++)
		n += m_stands(&m->waiters[i], queue) &&
		     m->waiters[i].request == request;
	return n;
}

static uint64_t
place(const struct m_item *item)
{
	return item->place ? item->place : item->id;
}

static bool
comes_before(enum qe_order order, const struct m_item *a, const struct m_item *b)
{
	if (order == QE_PRIORITY && a->priority != b->priority)
		return a->priority < b->priority;
	return order == QE_LIFO ? place(a) > place(b) : place(a) < place(b);
}

struct m_item *
m_first(struct model *m, int queue)
{
	struct m_item *found = NULL;

	for (unsigned i = 0; i < m->n_items; i++) {
		struct m_item *item = &m->items[i];

		if (item->queue == queue && item->holder == NOBODY && !item->delayed &&
		    (!found || comes_before(m->queues[queue].order, item, found)))
			found = item;
	}
	return found;
}

struct m_item *
m_lease(struct model *m, int session, int queue, unsigned i)
{
	uint64_t after = 0;
	struct m_item *found;

	do {
		found = NULL;
		for (unsigned k = 0; k < m->n_items; k++) {
			struct m_item *item = &m->items[k];

			if (item->holder != session || item->leased <= after)
				continue;
			if (queue != NOBODY && item->queue != queue)
				continue;
			if (!found || item->leased < found->leased)
				found = item;
		}
		if (found)
			after = found->leased;
	} while (found && i-- > 0);
	return found;
}

void
m_remove_item(struct model *m, struct m_item *item)
{
	struct m_item *end = m->items + m->n_items--;

	memmove(item, item + 1, (size_t)(end - (item + 1)) * sizeof(*item));
}

void
m_remove_waiter(struct model *m, struct m_waiter *w)
{
	struct m_waiter *end = m->waiters + m->n_waiters--;

	memmove(w, w + 1, (size_t)(end - (w + 1)) * sizeof(*w));
}

struct m_waiter *
m_find_waiter(struct model *m, int session, uint64_t rid)
{
	for (unsigned i = 0; i < m->n_waiters; i++)
		if (m->waiters[i].session == session && m->waiters[i].rid == rid)
			return &m->waiters[i];
	return NULL;
}

enum qe_result
m_need(struct model *m, int queue)
{
	struct m_queue *q = &m->queues[queue];
	unsigned n = 0;

	if (q->exists)
		return QE_OK;
	for (int i = 0; i < M_QUEUES; i++)
		n += m->queues[i].exists;
	if (m->config.max_queues > 0 && n >= m->config.max_queues)
		return QE_LIMIT;
	*q = m_policy(m, queue);
	q->exists = true;
	q->made = ++m->last_made;
	return QE_OK;
}

/* Stands in line; whether the request is still there after settling shows if it was
 * served at once. */
enum qe_result
m_wait(struct model *m, const struct m_waiter *w, struct m_reply *ret)
{
	bool before = false;
	unsigned n = 0;

	for (unsigned i = 0; i < m->n_waiters; i++)
		n += m->waiters[i].session == w->session;
	if (m->config.max_waiters > 0 && n >= m->config.max_waiters)
		return QE_LIMIT;
	ck_assert_uint_lt(m->n_waiters, M_WAITERS);
	m->waiters[m->n_waiters] = *w;
	m->waiters[m->n_waiters].timer = w->deadline;
	if (w->stall > 0)
		m_look_again(m, &m->waiters[m->n_waiters]);
	m->n_waiters++;
	m_mark_waiter(m, w);
	m_settle_starving(m);
	if (m_find_waiter(m, w->session, w->rid))
		return QE_WAIT;
	for (unsigned i = 0; i < m->n_replies; i++) {
		if (m->replies[i].session != w->session)
			continue;
		if (m->replies[i].rid != w->rid) {
			before |= m->replies[i].request == QE_REQUEST_GET;
			continue;
		}
		if (w->request == QE_REQUEST_GET && before)
			return QE_WAIT; /* the answer comes behind that one */
		*ret = m->replies[i];
		memmove(&m->replies[i], &m->replies[i + 1],
			(--m->n_replies - i) * sizeof(*ret));
		return ret->result;
	}
	ck_abort_msg("a request neither waits nor has an answer");
}

enum qe_result
m_put(struct model *m, struct m_waiter *put, struct m_reply *ret)
{
	struct m_waiter *before;
	bool together = !put->many || put->atomic, fits;
	enum qe_result result;

	if (m_find_waiter(m, put->session, put->rid))
		return QE_INVALID;
	if (m_need(m, put->queue) != QE_OK)
		return QE_LIMIT;
	if (m->queues[put->queue].shutdown != QE_OPEN)
		return QE_SHUT_DOWN;
	before = m_first_put(m, put->queue);
	result = m_duplicate(m, put, true);
	if (result == QE_OK) {
		m_settle(m, put->queue);
		m_refuse_rest(put, QE_OK, ret);
	}
	if (result == QE_OK || result == QE_DUPLICATE || result == QE_TOO_BIG)
		return result;

	/* All at one moment, if there is room. */
	struct m_waiter all = *put;

	all.atomic = true;
	m->incoming = put;
	result = m_put_blocked(m, &all);
	m->incoming = NULL;
	if (together && result == QE_TOO_BIG)
		return QE_TOO_BIG;
	fits = !before && result == QE_OK;
	if (!fits && put->deadline > m->now)
		return m_wait(m, put, ret);
	if (!fits && together)
		return before ? m_put_blocked(m, before) : result;

	if (fits) {
		result = m_put_on(m, &all);
		*put = all;
		put->atomic = false;
		m_settle(m, put->queue);
	} else if (before) {
		result = m_put_blocked(m, before);
	} else {
		unsigned next;

		do {
			next = put->next;
			result = m_put_on(m, put);
			m_settle(m, put->queue);
		} while (result != QE_OK && put->next > next);
	}
	m_refuse_rest(put, result, ret);
	return QE_OK;
}

/* `put` has the results of what is decided, `next` and `accepted`. */
enum qe_result
m_put_rest(struct model *m, struct m_waiter *put, struct m_reply *ret)
{
	enum qe_result result = m_put(m, put, ret);

	if (result == QE_OK || result == QE_WAIT)
		return result;
	m_refuse_rest(put, result, ret);
	return ret->result;
}

/* 0: without an end. */
uint64_t
m_lease_length(const struct model *m, int queue, const struct qe_get *get)
{
	uint64_t lease =
		get->lease_ns ? get->lease_ns : m->queues[queue].lease_ms * 1000000;

	return get->no_ack || lease == QE_NEVER ? 0 : lease;
}

enum qe_result
m_get(struct model *m, int session, uint64_t rid, int queue, const struct qe_get *args,
      struct m_reply *ret)
{
	struct m_queue *q = &m->queues[queue];
	struct qe_get resolved = *args, *get = &resolved;
	bool line = false, now;
	uint64_t ready;

	if (m_find_waiter(m, session, rid))
		return QE_INVALID;
	if (get->many && (get->max_items < 1 || get->max_items > QE_MAX_BATCH ||
			  get->min_items < 1 || get->min_items > get->max_items))
		return QE_INVALID;
	if (m_need(m, queue) != QE_OK)
		return QE_LIMIT;
	m_catch_up(m, queue);
	for (unsigned i = 0; i < m->n_waiters; i++)
		if (m->waiters[i].queue == queue &&
		    m->waiters[i].request == QE_REQUEST_GET && m->waiters[i].get.many)
			line = true;
	/* What the queue says now is what counts. */
	get->lease_ns = m_lease_length(m, queue, get);
	ready = m_given(m, queue);
	now = ready > 0 && (!get->many || get->deadline_ns <= m->now ||
			    q->shutdown != QE_OPEN || (!line && m_ripe(get, ready)));
	if (now) {
		m_give(m, session, get, queue, ret);
		m_settle(m, queue);
		return QE_OK;
	}
	if (q->shutdown != QE_OPEN && m_size(m, queue) == 0)
		return QE_SHUT_DOWN;
	if (get->deadline_ns <= m->now)
		return q->paused_out ? QE_EMPTY_PAUSED : QE_EMPTY;

	struct m_waiter w = {.session = session,
			     .queue = queue,
			     .rid = rid,
			     .deadline = get->deadline_ns,
			     .request = QE_REQUEST_GET,
			     .get = *get};

	return m_wait(m, &w, ret);
}

enum qe_result
m_join(struct model *m, struct m_waiter *join)
{
	struct m_reply reply;

	join->request = QE_REQUEST_JOIN;
	join->began = m->now;
	join->died = m_died(m, join->queue, join->group);
	if (m_find_waiter(m, join->session, join->rid))
		return QE_INVALID;
	if (m_unfinished_of(m, join->queue, join->group) == 0)
		return QE_OK;
	if (join->deadline <= m->now)
		return QE_TIMEOUT;
	return m_wait(m, join, &reply);
}

enum qe_result
m_cancel(struct model *m, int session, uint64_t rid)
{
	struct m_waiter *w = m_find_waiter(m, session, rid);

	if (!w)
		return QE_NOT_FOUND;

	m_mark_waiter(m, w);
	m_finish(m, w, QE_CANCELLED);
	m_settle_starving(m);
	return QE_OK;
}

struct m_item *
m_find_lease(struct model *m, int session, struct qe_tag tag)
{
	for (unsigned i = 0; i < m->n_items; i++) {
		struct m_item *item = &m->items[i];

		if (item->holder == session && item->id == tag.id &&
		    item->deliveries == tag.delivery && tag.epoch == m->config.epoch)
			return item;
	}
	return NULL;
}

static void
finish_lease(struct model *m, struct m_item *item)
{
	int queue = item->queue;

	m->queues[queue].counters.finished++;
	m_remove_item(m, item);
	m_settle(m, queue);
}

enum qe_result
m_ack(struct model *m, int session, struct qe_tag tag)
{
	struct m_item *item = m_find_lease(m, session, tag);

	if (!item)
		return QE_STALE;
	finish_lease(m, item);
	return QE_OK;
}

enum qe_result
m_task_done(struct model *m, int session, int queue)
{
	struct m_item *item = m_lease(m, session, queue, 0);

	if (!item)
		return QE_NOT_LEASED;
	finish_lease(m, item);
	return QE_OK;
}

void
m_limit(struct model *m, struct m_item *item, uint64_t lease)
{
	uint64_t notice = lease / 4;

	if (lease >= 2000000000 && notice < 1000000000)
		notice = 1000000000;
	item->ends = lease == QE_NEVER ? QE_NEVER : m->now + lease;
	item->warn = QE_NEVER;
	if (item->ends != QE_NEVER && m->wants_notices[item->holder])
		item->warn = item->ends - notice;
}

enum qe_result
m_release(struct model *m, int session, struct qe_tag tag)
{
	struct m_item *item = m_find_lease(m, session, tag);

	if (!item)
		return QE_STALE;

	int queue = item->queue;

	m_give_back(m, item, M_RELEASED);
	m_settle(m, queue);
	return QE_OK;
}

enum qe_result
m_touch(struct model *m, int session, struct qe_tag tag, uint64_t lease,
	struct qe_touched *ret_touched)
{
	struct m_item *item = m_find_lease(m, session, tag);

	if (!item)
		return QE_STALE;
	if (lease == 0)
		lease = item->lease;
	if (lease > 0)
		m_limit(m, item, lease);
	if (item->ends != QE_NEVER)
		item->recorded = true;
	*ret_touched = (struct qe_touched){item->ends, item->cancelled};
	if (item->ends != QE_NEVER)
		ret_touched->left_ns = item->ends > m->now ? item->ends - m->now : 0;
	return QE_OK;
}

void
m_session_detach(struct model *m, int session)
{

	for (unsigned i = 0; i < m->n_waiters;) {
		struct m_waiter *w = &m->waiters[i];

		if (w->session != session) {
			i++;
			continue;
		}
		m_mark_waiter(m, w);
		if (w->request == QE_REQUEST_PUT && w->many && !w->atomic &&
		    w->accepted > 0)
			m_finish(m, w, QE_UNDECIDED);
		else
			m_remove_waiter(m, w);
	}
	m_settle_starving(m);
}

void
m_session_end(struct model *m, int session, enum qe_end how)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < m->n_waiters;) {
		struct m_waiter *w = &m->waiters[i];

		if (w->session != session) {
			i++;
			continue;
		}
		m_mark_waiter(m, w);
		m_remove_waiter(m, w);
	}
	for (unsigned i = 0; i < m->n_replies; i++)
		if (m->replies[i].session != session)
			m->replies[kept++] = m->replies[i];
	m->n_replies = kept;
	m_settle_starving(m);

	for (int queue = 0; queue < M_QUEUES; queue++) {
		struct m_item *item;

		while ((item = m_lease(m, session, queue, 0)))
			m_give_back(m, item,
				    how == QE_END_LOST ? M_CRASHED : M_RELEASED);
		if (m->queues[queue].exists)
			m_settle(m, queue);
	}
	m->alive[session] = m->wants_notices[session] = false;
	m->gave[session] = 0;
}
