/* SPDX-License-Identifier: MIT
 *
 * The model's keys. An item that holds its key has a mark; a window is a row of a table.
 */
#include "tests/core/model.h"

#include <check.h>

static struct m_window *
find_window(const struct model *m, int queue, int key)
{
	for (unsigned i = 0; i < m->n_windows; i++)
		if (m->windows[i].queue == queue && m->windows[i].key == key)
			return (struct m_window *)&m->windows[i];
	return NULL;
}

struct m_item *
m_has_key(struct model *m, int queue, int key)
{
	for (unsigned i = 0; i < m->n_items; i++)
		if (m->items[i].queue == queue && m->items[i].key == key &&
		    m->items[i].has_key)
			return &m->items[i];
	return NULL;
}

uint64_t
m_taken(const struct model *m, int queue, const struct m_item *item)
{
	const struct m_item *has = m_has_key((struct model *)m, queue, item->key);
	const struct m_window *w = find_window(m, queue, item->key);

	if (has)
		return has->id;
	return w && w->ends > m->now ? w->id : 0;
}

void
m_open_window(struct model *m, const struct m_item *item)
{
	struct m_window *w = find_window(m, item->queue, item->key);

	if (item->key == 0 || item->window == 0)
		return;
	if (!w)
		w = &m->windows[m->n_windows++];
	ck_assert_uint_lt(m->n_windows, M_WINDOWS);
	*w = (struct m_window){item->queue, item->key, item->id,
			       item->window == QE_NEVER ? QE_NEVER
							: m->now + item->window};
}

void
m_moved(struct model *m, struct m_item *item)
{
	bool waits = item->holder == NOBODY;
	const struct m_item *has = m_has_key(m, item->queue, item->key);
	bool keeps =
		item->scope == QE_UNFINISHED || (item->scope == QE_QUEUED && waits);

	if (item->key == 0)
		return;
	if (!keeps)
		item->has_key = false;
	else if (!has)
		item->has_key = true;
	else if (has != item) {
		item->recorded = true; /* the record stays */
		item->key = 0;
	}
}

void
m_close_windows(struct model *m, int deleted)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->n_windows; i++) {
		const struct m_window *w = &m->windows[i];
		bool over = w->ends <= m->now && w->ends != QE_NEVER;

		if (deleted == NOBODY ? !over : w->queue != deleted)
			m->windows[n++] = *w;
	}
	m->n_windows = n;
}

static bool
wants(const struct m_waiter *w, int queue, int key)
{
	return w->request == QE_REQUEST_PUT && w->queue == queue && w->next < w->n &&
	       w->items[w->next].key == key;
}

static bool
in_use(const struct model *m, int queue, int key)
{
	for (unsigned i = 0; i < m->n_items; i++)
		if (m->items[i].queue == queue && m->items[i].key == key)
			return true;
	for (unsigned i = 0; i < m->n_dead; i++)
		if (m->dead[i].queue == queue && m->dead[i].key == key)
			return true;
	for (unsigned i = 0; i < m->n_waiters; i++)
		if (wants(&m->waiters[i], queue, key))
			return true;
	if (m->incoming && wants(m->incoming, queue, key))
		return true;
	return find_window(m, queue, key) != NULL;
}

uint64_t
m_keys_cost(const struct model *m)
{
	uint64_t cost = 0;

	for (int queue = 0; queue < M_QUEUES; queue++)
		for (int key = 1; key <= M_KEYS; key++)
			if (in_use(m, queue, key))
				cost += 160 + 64;
	return cost;
}

/* The row of the item becomes that of the put, in its place. */
static void
replace(struct m_item *old, const struct m_item *item)
{
	old->stamp = item->stamp;
	old->len = item->len;
	old->ctype = item->ctype;
}

static enum qe_result
room(const struct model *m, int queue, const struct m_item *old,
     const struct m_item *item)
{
	const struct m_queue *q = &m->queues[queue];

	if (q->max_bytes > 0 && item->len > q->max_bytes)
		return QE_TOO_BIG;
	if (item->len <= old->len)
		return QE_OK;
	if (q->max_bytes > 0 &&
	    m_bytes(m, queue, true) - old->len + item->len > q->max_bytes)
		return QE_FULL_BYTES;
	return m_memory_for(m, queue, item->len - old->len) ? QE_OK : QE_FULL_MEMORY;
}

enum qe_result
m_duplicate(struct model *m, struct m_waiter *put, bool act)
{
	struct m_item *item = &put->items[0];
	struct m_item *has = m_has_key(m, put->queue, item->key);
	uint64_t id = m_taken(m, put->queue, item);
	enum qe_result result = QE_OK;

	if (put->many || put->next > 0 || item->key == 0 || id == 0)
		return QE_NOT_FOUND;
	if (item->on_duplicate == QE_REJECT)
		return QE_DUPLICATE;
	if (item->on_duplicate == QE_REPLACE) {
		if (!has || has->holder != NOBODY)
			return QE_DUPLICATE;
		result = room(m, put->queue, has, item);
	}
	if (result != QE_OK || !act)
		return result;
	if (item->on_duplicate == QE_REPLACE)
		replace(has, item);
	put->results[put->next++] = (int64_t)id;
	put->dup = true;
	return QE_OK;
}
