/* SPDX-License-Identifier: MIT
 *
 * The model's items that died. They are apart from the others, in the order of dying.
 */
#include "tests/core/model.h"

#include <check.h>
#include <string.h>

uint64_t
m_dead(const struct model *m, int queue)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < m->n_dead; i++)
		n += m->dead[i].queue == queue;
	return n;
}

/* Of a group, or of the whole queue (0). */
uint64_t
m_died(const struct model *m, int queue, int group)
{
	const struct m_queue *q = &m->queues[queue];

	return group > 0 ? q->died_of[group] : q->counters.died;
}

/* It falls out, or goes with its queue. */
void
m_remove_dead(struct model *m, struct m_item *item)
{
	struct m_item *end = m->dead + m->n_dead--;

	memmove(item, item + 1, (size_t)(end - (item + 1)) * sizeof(*item));
}

struct m_item *
m_first_dead(struct model *m, int queue)
{
	for (unsigned i = 0; i < m->n_dead; i++)
		if (m->dead[i].queue == queue)
			return &m->dead[i];
	return NULL;
}

void
m_drop_first_dead(struct model *m, int queue)
{
	m->queues[queue].counters.dropped++;
	m_remove_dead(m, m_first_dead(m, queue));
}

uint64_t
m_dead_due(const struct model *m, int queue)
{
	const struct m_queue *q = &m->queues[queue];
	const struct m_item *item = m_first_dead((struct model *)m, queue);

	if (q->exists && q->max_dead > 0 && m_dead(m, queue) > q->max_dead)
		return 0; /* it was lowered */
	if (!q->exists || !item || q->dead_ttl_ms == 0)
		return QE_NEVER;
	return item->died_at + q->dead_ttl_ms * 1000000;
}

enum qe_death
m_reason(const struct model *m, const struct m_item *item)
{
	const struct m_queue *q = &m->queues[item->queue];

	if (q->max_crashes > 0 && item->crashes >= q->max_crashes)
		return QE_DEATH_CRASHES;
	if (q->max_attempts > 0 &&
	    item->crashes + item->nacks + item->timeouts >= q->max_attempts)
		return QE_DEATH_ATTEMPTS;
	return QE_ALIVE;
}

static void
bury(struct model *m, struct m_item *item)
{
	struct m_queue *q = &m->queues[item->queue];
	int queue = item->queue;

	ck_assert_uint_lt(m->n_dead, M_ITEMS);
	item->died_at = m->now;
	item->recorded = true;
	item->has_key = false;
	item->holder = NOBODY;
	m->dead[m->n_dead++] = *item;
	m_remove_item(m, item);
	if (q->max_dead > 0 && m_dead(m, queue) > q->max_dead)
		m_drop_first_dead(m, queue);
}

/* Another queue accepts it, as if it were new; it was removed. */
static void
accept_anew(struct model *m, struct m_item anew, int to)
{
	m->queues[anew.queue].counters.moved_out++;
	m->queues[to].counters.accepted++;
	anew.id = ++m->last_id;
	anew.queue = to;
	anew.accepted_ns = m->now >> 20 << 20;
	anew.deliveries = anew.crashes = anew.nacks = anew.timeouts = 0;
	anew.place = 0;
	anew.recorded |= anew.group > 0 || anew.key > 0; /* the record stays */
	anew.group = anew.key = 0;
	anew.delayed = anew.cancelled = false;
	anew.holder = NOBODY;
	m->items[m->n_items++] = anew;
}

int
m_queue_of(const struct qe_text *name)
{
	static const char letters[] = "abjd"; /* queue_name() */

	return name->len > 0 ? (int)(strchr(letters, name->p[0]) - letters) : NOBODY;
}

void
m_die(struct model *m, struct m_item *item, enum qe_death why)
{
	struct m_queue *q = &m->queues[item->queue];
	int queue = item->queue, to = m_queue_of(&q->dead_to);

	if (to != NOBODY && (item->cancelled || m_need(m, to) != QE_OK || to == queue ||
			     m->queues[to].shutdown == QE_SHUTDOWN_IMMEDIATE))
		to = NOBODY;
	item->death = why;
	q->counters.died++;
	q->died_of[item->group]++;
	if (to != NOBODY) {
		struct m_item anew = *item;

		m_remove_item(m, item);
		anew.timed = false;
		accept_anew(m, anew, to);
		m_mark(m, to);
	} else {
		bury(m, item);
	}
	m_mark(m, queue);
}

void
m_expire(struct model *m, struct m_item *item)
{
	if (item->keep_expired) {
		m_die(m, item, QE_DEATH_EXPIRED);
		return;
	}
	m->queues[item->queue].counters.expired++;
	m_remove_item(m, item);
}

enum qe_result
m_delete_item(struct model *m, int queue, uint64_t id, bool force)
{
	struct m_item *item = m_find_dead(m, queue, id);

	if (item)
		m_remove_dead(m, item);
	for (unsigned i = 0; !item && i < m->n_items; i++) {
		if (m->items[i].id != id || m->items[i].queue != queue)
			continue;
		item = &m->items[i];
		if (item->holder != NOBODY && !force)
			return QE_NOT_EMPTY;
		m_remove_item(m, item);
	}
	if (!item)
		return QE_NOT_FOUND;
	m->queues[queue].counters.purged++;
	m_settle(m, queue);
	return QE_OK;
}

static enum qe_result
room(const struct model *m, int to, const struct m_item *item)
{
	const struct m_queue *q = &m->queues[to];

	if (q->max_bytes > 0 && item->len > q->max_bytes)
		return QE_TOO_BIG;
	if (q->maxsize > 0 && m_size(m, to) + 1 > (uint64_t)q->maxsize)
		return QE_FULL_ITEMS;
	if (q->max_bytes > 0 && m_bytes(m, to, true) + item->len > q->max_bytes)
		return QE_FULL_BYTES;
	return QE_OK;
}

static enum qe_result
move_first(struct model *m, int queue, int to, bool dead)
{
	struct m_item *item = dead ? m_first_dead(m, queue) : m_first(m, queue);
	struct m_item anew;
	enum qe_result result;

	if (!item)
		return QE_EMPTY;
	if (item->cancelled) {
		m->queues[queue].counters.dropped++;
		m_remove_dead(m, item);
		return QE_OK;
	}
	result = room(m, to, item);
	if (result != QE_OK)
		return result;
	anew = *item;
	anew.timed &= !dead;
	if (dead)
		m_remove_dead(m, item);
	else
		m_remove_item(m, item);
	accept_anew(m, anew, to);
	return QE_OK;
}

enum qe_result
m_move(struct model *m, int queue, int to, bool dead, unsigned max, uint64_t *ret_count)
{
	enum qe_result result;

	if (!m->queues[queue].exists)
		return QE_NOT_FOUND;
	result = m_need(m, to);
	if (result != QE_OK)
		return result;
	if (to == queue)
		return QE_INVALID;
	if (m->queues[to].shutdown != QE_OPEN)
		return QE_SHUT_DOWN;
	for (*ret_count = 0; *ret_count < max; ++*ret_count) {
		result = move_first(m, queue, to, dead);
		if (result != QE_OK)
			break;
	}
	if (*ret_count == 0 && result != QE_EMPTY)
		return result;
	m_mark(m, to);
	m_settle(m, queue);
	return QE_OK;
}
