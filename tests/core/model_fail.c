/* SPDX-License-Identifier: MIT
 *
 * The model's items that come back, and what is done with dead ones.
 */
#include "tests/core/model.h"

#include <string.h>

uint64_t
m_retry(const struct m_queue *q, uint64_t n)
{
	double ns = (double)q->retry_delay_ms * 1e6, max = (double)q->retry_max_ms * 1e6;

	while (n-- > 1) /* small numbers: exact */
		ns = ns * (double)q->retry_factor / 100;
	return (uint64_t)(max > 0 && ns > max ? max : ns);
}

void
m_wait_again(struct model *m, struct m_item *item, uint64_t delay)
{
	item->holder = NOBODY;
	item->delayed = delay > 0;
	if (item->delayed) {
		item->expires = item->timed ? item->expires : QE_NEVER;
		item->timed = item->recorded = true;
		item->ready_at = m->now + delay;
	}
	m_moved(m, item);
}

static void
give_back(struct model *m, struct m_item *item, enum m_back why, uint64_t delay)
{
	struct m_queue *q = &m->queues[item->queue];
	int queue = item->queue;
	enum qe_death reason = why == M_RELEASED ? QE_ALIVE : m_reason(m, item);

	q->counters.crashed += why == M_CRASHED;
	q->counters.released += why == M_RELEASED;
	q->counters.timed_out += why == M_TIMED_OUT;
	q->counters.nacked += why == M_NACKED;
	if (q->shutdown == QE_SHUTDOWN_IMMEDIATE || item->cancelled) {
		q->counters.dropped++;
		m_remove_item(m, item);
	} else if (m_over(m, item)) {
		m_expire(m, item);
	} else if (reason != QE_ALIVE) {
		m_die(m, item, reason);
	} else {
		m_wait_again(m, item, delay);
	}
	m_mark(m, queue);
}

void
m_give_back(struct model *m, struct m_item *item, enum m_back why)
{
	item->crashes += why == M_CRASHED;
	item->timeouts += why == M_TIMED_OUT;
	give_back(m, item, why,
		  why == M_RELEASED ? 0
				    : m_retry(&m->queues[item->queue],
					      item->crashes + item->nacks +
						      item->timeouts));
}

static uint64_t
report_cost(uint64_t error)
{
	uint64_t cost = (4 + error + 8 + 15) / 16 * 16;

	return cost < 32 ? 32 : cost;
}

static void
report(const struct model *m, struct m_item *item, uint64_t error)
{
	uint64_t limit = m->config.memory_limit, cost = report_cost(error), memory = m->memory;

	if (error == 0)
		return;
	if (!item->recorded && !item->group && !item->key)
		memory += qe_record_cost();
	item->recorded = true;
	if (limit == 0 || cost <= item->report ||
	    memory - item->report + cost <= limit + limit / 8)
		item->report = cost;
	else
		item->report = 0; /* not kept */
}

enum qe_result
m_nack(struct model *m, int session, struct qe_tag tag, const struct qe_nack *nack)
{
	struct m_item *item = m_find_lease(m, session, tag);
	uint64_t delay;
	int queue;

	if (!item)
		return QE_STALE;
	queue = item->queue;
	item->nacks++;
	delay = nack->has_delay
			? nack->delay_ns
			: m_retry(&m->queues[queue],
				  item->crashes + item->nacks + item->timeouts);
	report(m, item, nack->error.len);
	item->recorded |= delay > 0 || nack->tail;
	if (nack->tail)
		item->place = ++m->last_id;
	give_back(m, item, M_NACKED, delay);
	m_settle(m, queue);
	return QE_OK;
}

enum qe_result
m_bury(struct model *m, int session, struct qe_tag tag, uint64_t error)
{
	struct m_item *item = m_find_lease(m, session, tag);
	int queue;

	if (!item)
		return QE_STALE;
	queue = item->queue;
	report(m, item, error);
	m->queues[queue].counters.buried++;
	m_die(m, item, QE_DEATH_BURIED);
	m_settle(m, queue);
	return QE_OK;
}

static enum qe_result
room(const struct model *m, const struct m_item *old, const struct m_item *item)
{
	const struct m_queue *q = &m->queues[old->queue];

	if (q->max_bytes > 0 && item->len > q->max_bytes)
		return QE_TOO_BIG;
	if (item->len > old->len && q->max_bytes > 0 &&
	    m_bytes(m, old->queue, true) + item->len > q->max_bytes)
		return QE_FULL_BYTES;
	if (m_cost(item->len) <= m_cost(old->len))
		return QE_OK;
	return m_memory_for(m, old->queue, m_cost(item->len) - m_cost(old->len))
		       ? QE_OK
		       : QE_FULL_MEMORY;
}

enum qe_result
m_update(struct model *m, int session, struct qe_tag tag, const struct m_item *item)
{
	struct m_item *old = m_find_lease(m, session, tag);
	enum qe_result result;
	int queue;

	if (!old)
		return QE_STALE;
	result = room(m, old, item);
	if (result != QE_OK)
		return result;
	queue = old->queue;
	old->stamp = item->stamp;
	old->len = item->len;
	old->ctype = item->ctype;
	m_give_back(m, old, M_RELEASED);
	m_settle(m, queue);
	return QE_OK;
}

/* --- the dead ---------------------------------------------------------------------- */

struct m_item *
m_find_dead(struct model *m, int queue, uint64_t id)
{
	for (unsigned i = 0; i < m->n_dead; i++)
		if (m->dead[i].queue == queue && m->dead[i].id == id)
			return &m->dead[i];
	return NULL;
}

/* QE_OK, QE_NOT_FOUND. */
static enum qe_result
find(struct model *m, int queue, uint64_t id)
{
	if (!m->queues[queue].exists || (id > 0 && !m_find_dead(m, queue, id)))
		return QE_NOT_FOUND;
	return QE_OK;
}

static void
kick(struct model *m, struct m_item *dead)
{
	struct m_item item = *dead;
	unsigned at = 0;

	m_remove_dead(m, dead);
	if (item.cancelled) {
		m->queues[item.queue].counters.dropped++;
		return;
	}
	item.crashes = item.nacks = item.timeouts = 0;
	item.timed = item.delayed = false;
	while (at < m->n_items && m->items[at].id < item.id)
		at++;
	memmove(&m->items[at + 1], &m->items[at], (m->n_items++ - at) * sizeof(item));
	m->items[at] = item;
	m_moved(m, &m->items[at]);
}

enum qe_result
m_kick(struct model *m, int queue, uint64_t id, unsigned max, uint64_t *ret_count)
{
	enum qe_result result = find(m, queue, id);

	if (result != QE_OK)
		return result;
	if (m->queues[queue].shutdown == QE_SHUTDOWN_IMMEDIATE)
		return QE_SHUT_DOWN;
	for (*ret_count = 0; *ret_count < (id > 0 ? 1 : max); ++*ret_count) {
		struct m_item *item =
			id > 0 ? m_find_dead(m, queue, id) : m_first_dead(m, queue);

		if (!item)
			break;
		kick(m, item);
	}
	m_settle(m, queue);
	return QE_OK;
}

enum qe_result
m_dead_purge(struct model *m, int queue, uint64_t id, uint64_t *ret_count)
{
	enum qe_result result = find(m, queue, id);

	if (result != QE_OK)
		return result;
	*ret_count = id > 0 ? 1 : m_dead(m, queue);
	for (uint64_t n = *ret_count; n > 0; n--) {
		m_remove_dead(m, id > 0 ? m_find_dead(m, queue, id)
					: m_first_dead(m, queue));
		m->queues[queue].counters.purged++;
	}
	m_settle(m, queue);
	return QE_OK;
}
