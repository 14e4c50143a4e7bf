/* SPDX-License-Identifier: MIT
 *
 * The model's gets from many queues.
 */
#include "tests/core/model.h"

#include <check.h>

/* Whether the request stands in a line of the queue. */
bool
m_stands(const struct m_waiter *w, int queue)
{
	for (unsigned i = 0; i < w->n_any; i++)
		if (w->any[i] == queue)
			return !w->left_out[queue];
	return w->queue == queue;
}

void
m_mark_waiter(struct model *m, const struct m_waiter *w)
{
	if (w->n_any == 0)
		m_mark(m, w->queue);
	for (unsigned i = 0; i < w->n_any; i++)
		if (!w->left_out[w->any[i]])
			m_mark(m, w->any[i]);
}

/* `get` is a waiter with session, rid, deadline, get, and the queues. */
enum qe_result
m_get_any(struct model *m, const struct m_waiter *get, struct m_reply *ret)
{
	struct m_waiter w = *get;
	unsigned from = 0, lines = 0;

	if (m_find_waiter(m, w.session, w.rid) || w.n_any == 0)
		return QE_INVALID;
	for (unsigned i = 0; i < w.n_any; i++)
		for (unsigned k = 0; k < i; k++)
			if (w.any[k] == w.any[i])
				return QE_INVALID;
	for (unsigned i = 0; i < w.n_any; i++)
		if (m_need(m, w.any[i]) != QE_OK)
			return QE_LIMIT;
	for (unsigned i = 0; i < w.n_any; i++)
		m_catch_up(m, w.any[i]);
	for (unsigned i = 0; w.round_robin && i < w.n_any; i++)
		if (m->queues[w.any[i]].made == m->gave[w.session])
			from = i + 1;
	for (unsigned i = 0; i < w.n_any; i++) {
		unsigned which = (from + i) % w.n_any;
		enum qe_result result;

		if (m_given(m, w.any[which]) == 0)
			continue;
		result = m_get(m, w.session, w.rid, w.any[which], &w.get, ret);
		ret->any = true;
		ret->which = which;
		if (w.round_robin)
			m->gave[w.session] = m->queues[w.any[which]].made;
		return result;
	}
	for (unsigned i = 0; i < w.n_any; i++) {
		int queue = w.any[i];

		w.left_out[queue] =
			m->queues[queue].shutdown != QE_OPEN && m_size(m, queue) == 0;
		lines += !w.left_out[queue];
	}
	if (lines == 0)
		return QE_SHUT_DOWN;
	if (w.deadline <= m->now)
		return m_any_empty(m, &w);
	for (unsigned i = 0; i < w.n_any; i++) /* what the queue says now counts */
		w.leases[w.any[i]] = m_lease_length(m, w.any[i], &w.get);
	return m_wait(m, &w, ret);
}

enum qe_result
m_any_empty(const struct model *m, const struct m_waiter *w)
{
	for (unsigned i = 0; i < w->n_any; i++)
		if (!w->left_out[w->any[i]] && m->queues[w->any[i]].paused_out)
			return QE_EMPTY_PAUSED;
	return QE_EMPTY;
}
