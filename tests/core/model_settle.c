/* SPDX-License-Identifier: MIT
 *
 * Who is served next, as engine.h describes it, in obvious lines.
 */
#include "tests/core/model.h"

#include <check.h>
#include <string.h>

uint64_t
m_cost(uint64_t len)
{
	return (72 + len + 8 + 15) / 16 * 16; /* metadata, body, allocator */
}

uint64_t
m_item_cost(const struct m_item *item)
{
	return m_cost(item->len) + item->report +
	       (item->recorded || item->group || item->key ? qe_record_cost() : 0);
}

static struct m_reply *
new_reply(struct model *m)
{
	ck_assert_uint_lt(m->n_replies, M_WAITERS);
	memset(&m->replies[m->n_replies], 0, sizeof(struct m_reply));
	return &m->replies[m->n_replies++];
}

bool
m_ripe(const struct qe_get *get, uint64_t ready)
{
	if (ready >= get->max_items)
		return true;
	return ready >= get->min_items && get->linger_ns == 0;
}

/* Gives the first item, and more to a get of many. */
void
m_give(struct model *m, int session, const struct qe_get *get, int queue,
       struct m_reply *reply)
{
	struct qe_counters *counters = &m->queues[queue].counters;
	uint64_t bytes = 0;

	memset(reply, 0, sizeof(*reply));
	reply->request = QE_REQUEST_GET;
	reply->many = get->many;
	while (reply->n < (get->many ? get->max_items : 1)) {
		struct m_item *item = m_first(m, queue);

		if (!item)
			break;
		bytes += item->len;
		if (reply->n > 0 && bytes > get->max_bytes)
			break;
		item->deliveries++;
		counters->delivered++;
		item->lease = get->lease_ns;
		reply->items[reply->n++] = *item;
		if (get->no_ack) {
			counters->finished++;
			m_remove_item(m, item);
		} else {
			item->holder = session;
			item->leased = ++m->last_lease;
			m_limit(m, item, get->lease_ns ? get->lease_ns : QE_NEVER);
			if (get->lease_ns > 0)
				item->recorded = true;
			m_moved(m, item);
		}
	}
}

static bool
is_full(enum qe_result result)
{
	return result == QE_FULL_ITEMS || result == QE_FULL_BYTES ||
	       result == QE_FULL_MEMORY || result == QE_FULL_PAUSED;
}

void
m_refuse_rest(struct m_waiter *put, enum qe_result result, struct m_reply *reply)
{
	memset(reply, 0, sizeof(*reply));
	reply->request = QE_REQUEST_PUT;
	reply->result = result;
	reply->many = put->many;
	if (put->many && !put->atomic && (put->accepted > 0 || is_full(result))) {
		while (put->next < put->n)
			put->results[put->next++] = -(int64_t)result;
		reply->result = QE_OK;
	}
	if (reply->result != QE_OK)
		return;
	if (put->many) {
		reply->n = put->n;
		memcpy(reply->results, put->results, sizeof(reply->results));
	} else {
		reply->id = (uint64_t)put->results[0];
		reply->dup = put->dup;
	}
}

/* Ends a wait with an answer. */
void
m_finish(struct model *m, struct m_waiter *w, enum qe_result result)
{
	struct m_reply *reply = new_reply(m);

	if (w->n_any > 0)
		m_mark_waiter(m, w);
	if (w->request == QE_REQUEST_PUT)
		m_refuse_rest(w, result, reply);
	reply->request = w->request;
	if (w->request == QE_REQUEST_JOIN)
		m_join_answer(m, w, result, reply);
	else if (w->request == QE_REQUEST_GET)
		reply->result = result;
	reply->session = w->session;
	reply->rid = w->rid;
	m_remove_waiter(m, w);
}

static struct m_waiter *
first(struct model *m, int queue, enum qe_request request, bool many)
{
	for (unsigned i = 0; i < m->n_waiters; i++) {
		struct m_waiter *w = &m->waiters[i];

		if (m_stands(w, queue) && w->request == request &&
		    (request != QE_REQUEST_GET || w->get.many == many))
			return w;
	}
	return NULL;
}

struct m_waiter *
m_first_put(struct model *m, int queue)
{
	return first(m, queue, QE_REQUEST_PUT, false);
}

/* One of the queues that the get waits for has given. */
static void
gave_to_any(struct model *m, int queue, struct m_waiter *w, struct m_reply *reply)
{
	reply->any = true;
	while (w->any[reply->which] != queue)
		reply->which++;
	if (w->round_robin)
		m->gave[w->session] = m->queues[queue].made;
	m_mark_waiter(m, w);
}

/* The last of the queues that it waits for answers; the others are left out. */
static void
shut_out(struct model *m, int queue, struct m_waiter *w)
{
	unsigned lines = 0;

	for (unsigned i = 0; i < w->n_any; i++)
		lines += !w->left_out[w->any[i]];
	if (lines > 1)
		w->left_out[queue] = true;
	else
		m_finish(m, w, QE_SHUT_DOWN);
}

static void
feed(struct model *m, int queue)
{
	struct m_queue *q = &m->queues[queue];
	uint64_t ready;

	while ((ready = m_given(m, queue)) > 0) {
		struct m_waiter *one = first(m, queue, QE_REQUEST_GET, false);
		struct m_waiter *many = first(m, queue, QE_REQUEST_GET, true);
		struct m_waiter *next = one;
		struct m_reply *reply;

		if (many && q->shutdown == QE_OPEN && !m_ripe(&many->get, ready))
			many = NULL;
		if (many && (!one || many < one))
			next = many;
		if (!next)
			break;
		reply = new_reply(m);
		if (next->n_any > 0)
			next->get.lease_ns = next->leases[queue];
		m_give(m, next->session, &next->get, queue, reply);
		if (next->n_any > 0)
			gave_to_any(m, queue, next, reply);
		reply->session = next->session;
		reply->rid = next->rid;
		m_remove_waiter(m, next);
	}
	if (q->shutdown == QE_OPEN || m_size(m, queue) > 0)
		return;
	for (struct m_waiter *w; (w = first(m, queue, QE_REQUEST_GET, false));)
		shut_out(m, queue, w);
	for (struct m_waiter *w; (w = first(m, queue, QE_REQUEST_GET, true));)
		m_finish(m, w, QE_SHUT_DOWN);
}

static uint64_t
accepted_cost(const struct model *m)
{
	uint64_t cost = 0;

	for (unsigned i = 0; i < m->n_items; i++)
		cost += m_item_cost(&m->items[i]);
	for (unsigned i = 0; i < m->n_dead; i++)
		cost += m_item_cost(&m->dead[i]);
	return cost;
}

bool
m_memory_for(const struct model *m, int queue, uint64_t cost)
{
	uint64_t taken = accepted_cost(m), limit = m->config.memory_limit;

	if (limit == 0)
		return true;
	if (m->n_starving > 0 && m->starving[0] != queue)
		return false;
	return taken == 0 || taken + m_keys_cost(m) + cost <= limit;
}

/* Whether gets that wait take `n` more items as soon as they are there. */
static bool
taken_at_once(const struct model *m, int queue, unsigned n, uint64_t bytes)
{
	uint64_t ready = m_ready(m, queue), getters = 0;
	const struct m_waiter *many =
		first((struct model *)m, queue, QE_REQUEST_GET, true);

	for (unsigned i = 0; i < m->n_waiters; i++)
		getters += m_stands(&m->waiters[i], queue) &&
			   m->waiters[i].request == QE_REQUEST_GET &&
			   !m->waiters[i].get.many;
	if (m->queues[queue].paused_out)
		return false;
	if (ready == 0 && getters >= n)
		return true;
	return many && ready + n <= many->get.max_items &&
	       m_ripe(&many->get, ready + n) &&
	       m_bytes(m, queue, false) + bytes <= many->get.max_bytes;
}

/* Room for the next item of the put, or for all of them if they go together. */
enum qe_result
m_put_blocked(const struct model *m, const struct m_waiter *put)
{
	const struct m_queue *q = &m->queues[put->queue];
	bool single = put->many && !put->atomic;
	unsigned from = put->next, to = single ? from + 1 : put->n;
	uint64_t bytes = 0, cost = 0;
	bool later = false;
	enum qe_result result =
		m_duplicate((struct model *)m, (struct m_waiter *)put, false);

	if (result != QE_NOT_FOUND)
		return result;
	result = QE_OK;

	for (unsigned i = from; i < to; i++) {
		bytes += put->items[i].len;
		cost += m_item_cost(&put->items[i]);
		later |= put->items[i].timed && put->items[i].ready_at > 0;
	}
	if (q->max_bytes > 0 && bytes > q->max_bytes)
		return QE_TOO_BIG;
	if (q->maxsize > 0 && (int64_t)(to - from) > q->maxsize)
		return QE_TOO_BIG;
	if (q->paused_in)
		return QE_FULL_PAUSED;
	if (q->max_bytes > 0 && m_bytes(m, put->queue, true) + bytes > q->max_bytes)
		result = QE_FULL_BYTES;
	if (q->maxsize > 0 &&
	    (int64_t)(m_size(m, put->queue) + (to - from)) > q->maxsize)
		result = QE_FULL_ITEMS;
	if (result != QE_OK &&
	    (later || !taken_at_once(m, put->queue, to - from, bytes)))
		return result;
	return m_memory_for(m, put->queue, cost) ? QE_OK : QE_FULL_MEMORY;
}

static void
accept_one(struct model *m, struct m_waiter *put)
{
	struct m_item *item = &m->items[m->n_items++];

	ck_assert_uint_lt(m->n_items, M_ITEMS);
	*item = put->items[put->next];
	item->id = ++m->last_id;
	item->accepted_ns = m->now >> 20 << 20; /* what is kept of it */
	item->queue = put->queue;
	item->holder = NOBODY;
	m->queues[put->queue].counters.accepted++;
	item->delayed = item->timed && item->ready_at > m->now;
	put->results[put->next++] = (int64_t)item->id;
	put->accepted++;
	m_moved(m, item);
	m_open_window(m, item);
	if (m_over(m, item))
		m_expire(m, item);
}

/* Accepts what there is room for. QE_OK: nothing is left. */
enum qe_result
m_put_on(struct model *m, struct m_waiter *put)
{
	enum qe_result result = m_duplicate(m, put, true);

	if (result != QE_NOT_FOUND)
		return result;
	while (put->next < put->n) {
		result = m_put_blocked(m, put);

		bool single = put->many && !put->atomic;

		if (result == QE_TOO_BIG && single)
			put->results[put->next++] = -QE_TOO_BIG;
		else if (result != QE_OK)
			return result;
		else if (single)
			accept_one(m, put);
		else
			while (put->next < put->n)
				accept_one(m, put);
	}
	return QE_OK;
}

static void
unstarve(struct model *m, int queue)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->n_starving; i++)
		if (m->starving[i] != queue)
			m->starving[n++] = m->starving[i];
	m->n_starving = n;
}

static bool
starves(const struct model *m, int queue)
{
	for (unsigned i = 0; i < m->n_starving; i++)
		if (m->starving[i] == queue)
			return true;
	return false;
}

static bool
accept_puts(struct model *m, int queue)
{
	bool progress = false;
	enum qe_result result = QE_OK;
	struct m_waiter *w;

	while ((w = m_first_put(m, queue))) {
		unsigned before = w->next;

		result = m->queues[queue].shutdown == QE_OPEN ? m_put_on(m, w)
							      : QE_SHUT_DOWN;
		if (w->next > before)
			progress = true;
		if (is_full(result))
			break;
		m_finish(m, w, result);
		progress = true;
		if (starves(m, queue)) { /* now it is the others' turn */
			unstarve(m, queue);
			m->starving[m->n_starving++] = queue;
		}
	}
	if (!w || result != QE_FULL_MEMORY)
		unstarve(m, queue);
	else if (!starves(m, queue))
		m->starving[m->n_starving++] = queue;
	return progress;
}

/* The first join that has nothing more to wait for. */
static struct m_waiter *
done_join(struct model *m, int queue)
{
	for (unsigned i = 0; i < m->n_waiters; i++) {
		struct m_waiter *w = &m->waiters[i];

		if (w->queue == queue && w->request == QE_REQUEST_JOIN &&
		    m_unfinished_of(m, queue, w->group) == 0)
			return w;
	}
	return NULL;
}

bool
m_serve(struct model *m, int queue)
{
	struct m_waiter *w;
	bool progress = false, more;

	do {
		feed(m, queue);
		while ((w = done_join(m, queue)))
			m_finish(m, w, QE_OK);
		more = accept_puts(m, queue);
		if (more)
			progress = true;
	} while (more);

	/* The first get of many lingers from when its fewest are there. */
	w = first(m, queue, QE_REQUEST_GET, true);
	if (w && w->lingers != (m_given(m, queue) >= w->get.min_items)) {
		w->lingers = !w->lingers;
		w->timer = w->deadline;
		if (w->lingers && m->now + w->get.linger_ns < w->deadline)
			w->timer = m->now + w->get.linger_ns;
	}
	m_watch(m, queue);
	return progress;
}

void
m_mark(struct model *m, int queue)
{
	for (unsigned i = 0; i < m->n_marked; i++)
		if (m->marked[i] == queue)
			return;
	m->marked[m->n_marked++] = queue;
}

/* Returns whether there were any. */
static bool
serve_marked(struct model *m)
{
	bool any = m->n_marked > 0;

	while (m->n_marked > 0) {
		int queue = m->marked[0];

		memmove(m->marked, m->marked + 1, --m->n_marked * sizeof(int));
		m_serve(m, queue);
	}
	return any;
}

void
m_settle_starving(struct model *m)
{
	serve_marked(m);
	while (m->n_starving > 0) {
		int queue = m->starving[0];
		bool progress = m_serve(m, queue);

		progress |= serve_marked(m);
		if (!progress && m->n_starving > 0 && m->starving[0] == queue)
			return;
	}
}

void
m_settle(struct model *m, int queue)
{
	m_mark(m, queue);
	m_settle_starving(m);
}
