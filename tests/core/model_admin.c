/* SPDX-License-Identifier: MIT
 *
 * The model's verbs on whole queues, and its clock.
 */
#include "tests/core/model.h"

#include <string.h>

bool
m_matches(const struct qe_rule *rule, int queue)
{
	static const char *const matching[M_QUEUES] = {"* ? a *a", "* ? b", "* j*s*",
						       "* ? d"};
	const char *found = matching[queue];

	for (; found; found = strchr(found, ' ')) {
		found += *found == ' ';
		if (strcspn(found, " ") == rule->pattern.len &&
		    memcmp(found, rule->pattern.p, rule->pattern.len) == 0)
			return true;
	}
	return false;
}

struct m_queue
m_policy(const struct model *m, int queue)
{
	struct m_queue q = {0};

#define QE_QUEUE_OPTION(name, ctype, kind, text) q.name = m->config.name;
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
	for (unsigned i = 0; i < m->config.n_rules; i++) {
		const struct qe_rule *rule = &m->config.rules[i];

		if (!m_matches(rule, queue))
			continue;
#define QE_QUEUE_OPTION(name, ctype, kind, text) \
	if (rule->says.has_##name)               \
		q.name = rule->says.name;
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
	}
	return q;
}

static bool
m_may_keep(const struct model *m, int queue, enum qe_durable durable)
{
	if ((m->queues[queue].durable != QE_NOT_DURABLE) == (durable != QE_NOT_DURABLE))
		return true;
	return m_unfinished(m, queue) == 0 && m_dead(m, queue) == 0;
}

void
m_configure(struct model *m)
{
	uint64_t made = 0;
	int next;

	/* In the order in which they were made. */
	do {
		next = NOBODY;
		for (int i = 0; i < M_QUEUES; i++)
			if (m->queues[i].exists && m->queues[i].made > made &&
			    (next == NOBODY ||
			     m->queues[i].made < m->queues[next].made))
				next = i;
		if (next == NOBODY)
			break;

		struct m_queue *q = &m->queues[next], wanted = m_policy(m, next);

		made = q->made;
		if (m_unfinished(m, next) > 0)
			wanted.order = q->order;
		if (!m_may_keep(m, next, wanted.durable))
			wanted.durable = q->durable;
#define QE_QUEUE_OPTION(name, ctype, kind, text) \
	if (!q->own_##name)                      \
		q->name = wanted.name;
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
		m_serve(m, next);
	} while (true);
	m_settle_starving(m);
}

static bool
differs(const struct m_queue *q, const struct qe_declare *declare)
{
	struct m_queue has = *q;

	if (has.maxsize <= 0 && declare->maxsize <= 0)
		has.maxsize = declare->maxsize;
#define QE_QUEUE_OPTION(name, ctype, kind, text)                     \
	if (declare->has_##name && !M_SAME(has.name, declare->name)) \
		return true;
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
	return false;
}

enum qe_result
m_declare(struct model *m, int queue, const struct qe_declare *declare,
	  bool *ret_created)
{
	struct m_queue *q = &m->queues[queue];
	bool created = !q->exists;

	if (m_need(m, queue) != QE_OK)
		return QE_LIMIT;
	if (!created && !declare->update && differs(q, declare))
		return QE_MISMATCH;
	if (declare->has_order && q->order != declare->order &&
	    m_unfinished(m, queue) > 0)
		return QE_NOT_EMPTY;
	if (declare->has_durable && !m_may_keep(m, queue, declare->durable))
		return QE_NOT_EMPTY;
	*ret_created = created;
#define QE_QUEUE_OPTION(name, ctype, kind, text)                 \
	q->own_##name |= declare->has_##name;                    \
	if (declare->has_##name && (created || declare->update)) \
		q->name = declare->name;
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
	if (created || declare->update)
		m_settle(m, queue);
	return QE_OK;
}

static uint64_t
drop_waiting(struct model *m, int queue)
{
	uint64_t n = m_size(m, queue);

	for (unsigned i = 0; i < m->n_items;)
		if (m->items[i].queue == queue && m->items[i].holder == NOBODY)
			m_remove_item(m, &m->items[i]);
		else
			i++;
	return n;
}

static void
add(struct qe_counters *to, const struct qe_counters *from)
{
#define QE_COUNTER(name, text) to->name += from->name;
#include "daemon/core/counters.def"
#undef QE_COUNTER
}

static bool
waited_for(const struct model *m, int queue)
{
	for (unsigned i = 0; i < m->n_waiters; i++)
		if (m_stands(&m->waiters[i], queue))
			return true;
	return false;
}

/* Answers gets, gets of many, puts and joins, in this order. */
static void
answer_deleted(struct model *m, int queue)
{
	static const enum qe_request order[] = {QE_REQUEST_GET, QE_REQUEST_GET,
						QE_REQUEST_PUT, QE_REQUEST_JOIN};

	for (unsigned line = 0; line < 4; line++)
		for (unsigned i = 0; i < m->n_waiters;) {
			struct m_waiter *w = &m->waiters[i];

			if (m_stands(w, queue) && w->request == order[line] &&
			    (w->request != QE_REQUEST_GET ||
			     w->get.many == (line == 1)))
				m_finish(m, w, QE_DELETED);
			else
				i++;
		}
}

enum qe_result
m_delete(struct model *m, int queue, bool force)
{
	struct m_queue *q = &m->queues[queue];
	unsigned kept = 0, n = 0;

	if (!q->exists)
		return QE_NOT_FOUND;
	if (!force && (m_unfinished(m, queue) + m_dead(m, queue) > 0 ||
		       waited_for(m, queue)))
		return QE_NOT_EMPTY;
	answer_deleted(m, queue);
	for (unsigned i = 0; i < m->n_items; i++)
		if (m->items[i].queue != queue)
			m->items[kept++] = m->items[i];
	q->counters.purged += m->n_items - kept;
	m->n_items = kept;
	for (; m_dead(m, queue) > 0; q->counters.purged++)
		m_remove_dead(m, m_first_dead(m, queue));
	for (unsigned i = 0; i < m->n_starving; i++)
		if (m->starving[i] != queue)
			m->starving[n++] = m->starving[i];
	m->n_starving = n;
	add(&m->gone, &q->counters);
	q->exists = false;
	m_close_windows(m, queue);
	kept = 0;
	for (unsigned i = 0; i < m->n_marked; i++)
		if (m->marked[i] != queue)
			m->marked[kept++] = m->marked[i];
	m->n_marked = kept;
	m_settle_starving(m);
	return QE_OK;
}

enum qe_result
m_purge(struct model *m, int queue, uint64_t *ret_count)
{
	if (!m->queues[queue].exists)
		return QE_NOT_FOUND;
	*ret_count = drop_waiting(m, queue);
	m->queues[queue].counters.purged += *ret_count;
	m_settle(m, queue);
	return QE_OK;
}

enum qe_result
m_cancel_group(struct model *m, int queue, int group,
	       struct qe_cancelled *ret_cancelled)
{
	*ret_cancelled = (struct qe_cancelled){0};
	if (!m->queues[queue].exists)
		return QE_NOT_FOUND;
	for (unsigned i = 0; i < m->n_items;) {
		struct m_item *item = &m->items[i];

		if (item->queue != queue || item->group != group) {
			i++;
		} else if (item->holder == NOBODY) {
			ret_cancelled->dropped++;
			m->queues[queue].counters.dropped++;
			m_remove_item(m, item);
		} else {
			ret_cancelled->held += !item->cancelled;
			item->cancelled = true;
			i++;
		}
	}
	for (unsigned i = 0; i < m->n_dead; i++)
		if (m->dead[i].queue == queue && m->dead[i].group == group)
			m->dead[i].cancelled = true;
	for (unsigned i = 0; i < m->n_waiters;) {
		struct m_waiter *w = &m->waiters[i];

		if (w->queue == queue && w->request == QE_REQUEST_PUT &&
		    w->items[w->next].group == group)
			m_finish(m, w, QE_CANCELLED);
		else
			i++;
	}
	m_settle(m, queue);
	return QE_OK;
}

enum qe_result
m_shutdown(struct model *m, int queue, bool immediate)
{
	struct m_queue *q = &m->queues[queue];
	bool created;

	if (m_declare(m, queue, &(struct qe_declare){0}, &created) != QE_OK)
		return QE_LIMIT;
	if (q->shutdown != QE_SHUTDOWN_IMMEDIATE)
		q->shutdown = immediate ? QE_SHUTDOWN_IMMEDIATE : QE_SHUTDOWN;
	if (immediate)
		q->counters.dropped += drop_waiting(m, queue);
	m_settle(m, queue);
	return QE_OK;
}

enum qe_result
m_pause(struct model *m, int queue, const struct qe_pause *pause)
{
	struct m_queue *q = &m->queues[queue];

	if (!q->exists)
		return QE_NOT_FOUND;
	if (pause->has_in)
		q->paused_in = pause->in;
	if (pause->has_out)
		q->paused_out = pause->out;
	m_settle(m, queue);
	return QE_OK;
}

enum qe_result
m_reopen(struct model *m, int queue)
{
	if (!m->queues[queue].exists)
		return QE_NOT_FOUND;
	m->queues[queue].shutdown = QE_OPEN;
	return QE_OK;
}

static struct m_waiter *
next_timer(const struct model *m)
{
	const struct m_waiter *found = NULL;

	for (unsigned i = 0; i < m->n_waiters; i++) {
		const struct m_waiter *w = &m->waiters[i];

		if (w->timer != QE_NEVER && (!found || w->timer < found->timer))
			found = w;
	}
	return (struct m_waiter *)found;
}

static void
run_out(struct model *m, struct m_waiter *w)
{
	struct m_reply reply;
	int queue = w->queue;

	m_mark_waiter(m, w);
	if (w->n_any > 0) {
		m_finish(m, w, m_any_empty(m, w));
	} else if (w->request == QE_REQUEST_PUT) {
		m_finish(m, w, m_put_blocked(m, m_first_put(m, queue)));
	} else if (w->request == QE_REQUEST_JOIN) {
		m_join_due(m, w);
	} else if (m_given(m, queue) == 0) {
		m_finish(m, w,
			 m->queues[queue].paused_out ? QE_EMPTY_PAUSED : QE_EMPTY);
	} else {
		m_give(m, w->session, &w->get, queue, &reply);
		reply.session = w->session;
		reply.rid = w->rid;
		m->replies[m->n_replies++] = reply;
		m_remove_waiter(m, w);
	}
	m_settle_starving(m);
}

/* When something happens to the item by itself. */
static uint64_t
due(const struct m_item *item)
{
	if (item->holder != NOBODY)
		return item->warn < item->ends ? item->warn : item->ends;
	if (!item->timed)
		return QE_NEVER;
	return item->delayed && item->ready_at < item->expires ? item->ready_at
							       : item->expires;
}

/* The item to which something happens next: by time, queue, age. */
static struct m_item *
next_due(const struct model *m)
{
	const struct m_item *found = NULL;

	for (unsigned i = 0; i < m->n_items; i++) {
		const struct m_item *item = &m->items[i];
		uint64_t at = due(item), made = m->queues[item->queue].made;

		if (at != QE_NEVER &&
		    (!found || at < due(found) ||
		     (at == due(found) && made < m->queues[found->queue].made)))
			found = item;
	}
	return (struct m_item *)found;
}

/* The queue in which something happens next, and when; NOBODY: nowhere. */
static int
next_queue(const struct model *m, uint64_t *ret_at)
{
	const struct m_item *item = next_due(m);
	int found = item ? item->queue : NOBODY;

	*ret_at = item ? due(item) : QE_NEVER;
	for (int i = 0; i < M_QUEUES; i++) {
		uint64_t at = m_dead_due(m, i);

		if (at == QE_NEVER || at > *ret_at)
			continue;
		if (at < *ret_at || m->queues[i].made < m->queues[found].made) {
			found = i;
			*ret_at = at;
		}
	}
	return found;
}

static void
happen(struct model *m, struct m_item *item)
{
	int queue = item->queue;

	if (item->holder != NOBODY && item->ends <= m->now) {
		m_give_back(m, item, M_TIMED_OUT);
	} else if (item->holder != NOBODY) {
		item->warn = QE_NEVER;
		if (m->wants_notices[item->holder])
			m->notices[m->n_notices++] =
				(struct m_notice){item->holder, queue, item->id,
						  item->deliveries,
						  item->ends - m->now};
	} else if (m_over(m, item)) {
		m_expire(m, item);
	} else {
		item->delayed = false;
		m_moved(m, item); /* it may have come back when another had its key */
	}
	m_settle(m, queue);
}

void
m_catch_up(struct model *m, int queue)
{
	struct m_item *found;

	do {
		found = NULL;
		for (unsigned i = 0; i < m->n_items; i++) {
			struct m_item *item = &m->items[i];

			if (item->queue == queue && item->holder == NOBODY &&
			    due(item) <= m->now && (!found || due(item) < due(found)))
				found = item;
		}
		if (found)
			happen(m, found);
	} while (found);
}

void
m_tick(struct model *m)
{
	struct m_waiter *w;
	uint64_t at;
	int queue;

	m->n_notices = 0;
	while ((queue = next_queue(m, &at)) != NOBODY && at <= m->now) {
		if (m_dead_due(m, queue) > m->now) {
			happen(m, next_due(m));
			continue;
		}
		m_drop_first_dead(m, queue);
		m_settle(m, queue);
	}
	while ((w = next_timer(m)) && w->timer <= m->now)
		run_out(m, w);
	m_close_windows(m, NOBODY);
	m_settle_starving(m);
}

uint64_t
m_next_deadline(const struct model *m)
{
	const struct m_waiter *w = next_timer(m);
	uint64_t next = w ? w->timer : QE_NEVER, at;

	for (unsigned i = 0; i < m->n_windows; i++)
		if (m->windows[i].ends < next)
			next = m->windows[i].ends;
	(void)next_queue(m, &at);
	if (at < next)
		next = at;
	return next < m->now ? m->now : next;
}
