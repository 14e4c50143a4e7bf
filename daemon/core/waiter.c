/* SPDX-License-Identifier: MIT
 *
 * See waiter.h, and qe_next_reply() in engine.h.
 */
#include "daemon/core/waiter.h"

#include "daemon/core/any.h"
#include "daemon/core/engine_int.h"
#include "daemon/core/extra.h"
#include "daemon/core/group.h"
#include "daemon/core/session.h"
#include "daemon/core/settle.h"

struct rid_key {
	const struct qe_session *session;
	uint64_t rid;
};

static bool
match_rid(const void *value, const void *key)
{
	const struct waiter *w = value;
	const struct rid_key *k = key;

	return w->session == k->session && w->rid == k->rid;
}

static uint64_t
hash_rid(const struct qe *e, const struct qe_session *session, uint64_t rid)
{
	return hash_pair(&e->key, session->serial, rid);
}

bool
waiter_timer_before(const struct heap_node *a, const struct heap_node *b)
{
	const struct waiter *x = list_entry(a, const struct waiter, timer);
	const struct waiter *y = list_entry(b, const struct waiter, timer);

	return x->timer_ns != y->timer_ns ? x->timer_ns < y->timer_ns : x->seq < y->seq;
}

struct waiter *
waiter_first(const struct queue *q, enum line line)
{
	struct list *first = list_first(&q->line[line]);

	return first ? list_entry(first, struct wait_slot, node)->waiter : NULL;
}

struct waiter *
waiter_find(const struct qe *e, const struct qe_session *session, uint64_t rid)
{
	struct rid_key key = {session, rid};

	if (session->waiting == 0)
		return NULL;
	return table_find(&e->rids, hash_rid(e, session, rid), match_rid, &key);
}

enum qe_result
waiter_check(const struct qe *e, const struct qe_session *session, uint64_t rid)
{
	return waiter_find(e, session, rid) ? QE_INVALID : QE_OK;
}

static size_t
alloc_size(unsigned n_items)
{
	return sizeof(struct waiter) + n_items * sizeof(struct qe_item *);
}

size_t
waiter_size(const struct waiter *w)
{
	return alloc_size(w->n_items);
}

enum qe_result
waiter_new(struct qe *e, struct qe_session *session, uint64_t rid, unsigned n_items,
	   struct waiter **ret_waiter)
{
	struct waiter *w;

	if (e->config.max_waiters > 0 && session->waiting >= e->config.max_waiters)
		return QE_LIMIT;
	if (!table_reserve(&e->rids, 1))
		return QE_NOMEM;
	w = mem_alloc(&e->mem, alloc_size(n_items));
	if (!w)
		return QE_NOMEM;
	*w = (struct waiter){.session = session, .rid = rid, .n_items = n_items};
	list_init(&w->begun);
	*ret_waiter = w;
	return QE_OK;
}

void
waiter_line_up(struct waiter *w, struct wait_slot *slot, struct queue *q)
{
	slot->queue = q;
	slot->waiter = w;
	list_append(&q->line[w->line], &slot->node);
	q->waiting[w->line]++;
	q->waiters++;
}

void
waiter_leave_line(struct wait_slot *slot, enum line line)
{
	list_remove(&slot->node);
	slot->queue->waiting[line]--;
	slot->queue->waiters--;
}

/* A get whose items are leased. */
static bool
leases(const struct waiter *w)
{
	return w->request == QE_REQUEST_GET && !w->get.args.no_ack;
}

static bool
is_any(const struct waiter *w)
{
	return w->request == QE_REQUEST_GET && w->get.any;
}

void
waiter_start(struct qe *e, struct waiter *w, struct queue *q, enum line line,
	     uint64_t deadline_ns)
{
	w->seq = ++e->last_seq;
	w->since_ns = e->now_ns;
	w->line = line;
	w->deadline_ns = deadline_ns;
	if (q)
		waiter_line_up(w, &w->slot, q);
	else
		any_line_up(w);
	list_append(&w->session->waiters, &w->in_session);
	w->session->waiting++;
	e->n_waiters++;
	table_insert(&e->rids, hash_rid(e, w->session, w->rid), w);
	if (leases(w))
		table_promise(&e->leases);
	if (w->request == QE_REQUEST_GET && w->get.holding)
		holding_pin(w->get.holding);
	if (w->group)
		group_await(w->group, w);
	w->timer_ns = QE_NEVER;
	waiter_set_timer(e, w, deadline_ns);
}

void
waiter_set_timer(struct qe *e, struct waiter *w, uint64_t timer_ns)
{
	if (w->timer_ns != QE_NEVER)
		heap_remove(&e->timers, &w->timer);
	w->timer_ns = timer_ns;
	if (w->timer_ns != QE_NEVER)
		heap_insert(&e->timers, &w->timer);
}

/* Takes a waiter out of all that it waits in; the caller fills in w->reply. */
static void
waiter_stop(struct qe *e, struct waiter *w)
{
	waiter_set_timer(e, w, QE_NEVER);
	list_remove(&w->begun);
	if (is_any(w))
		any_leave(e, w->get.any);
	else
		waiter_leave_line(&w->slot, w->line);
	w->session->waiting--;
	e->n_waiters--;
	table_remove(&e->rids, hash_rid(e, w->session, w->rid), w);
	if (leases(w))
		table_unpromise(&e->leases);
	if (w->request == QE_REQUEST_JOIN)
		join_stop(w);
	if (w->group)
		group_unawait(e, w->group, w);
}

/* A get lets go of what it kept for its leases. */
static void
let_go(struct qe *e, struct waiter *w)
{
	if (w->request != QE_REQUEST_GET)
		return;
	if (w->get.any)
		any_free(e, w->get.any);
	else if (w->get.holding)
		holding_unpin(e, w->get.holding);
	extra_drop(e, w->get.spare);
}

static void
finished(struct qe *e, struct waiter *w, const struct queue *q)
{
	if (q && (q->durable || ids_are_unsure(e)))
		w->reply.after = keep_after(e, q);
	let_go(e, w);
	w->reply.session = w->session;
	w->reply.rid = w->rid;
	w->finished = true;
	list_append(&e->finished, &w->slot.node);
}

void
waiter_finish(struct qe *e, struct waiter *w, enum qe_result result)
{
	const struct queue *q = w->slot.queue; /* NULL: it waits for many */

	if (w->request == QE_REQUEST_JOIN) /* while it still has its group */
		join_answer(w, result, &w->reply);
	waiter_stop(e, w);
	if (w->request == QE_REQUEST_PUT)
		put_answer(e, &w->put, result, &w->reply);
	else if (w->request == QE_REQUEST_GET)
		w->reply = (struct qe_reply){.request = w->request, .result = result};
	finished(e, w, q);
}

void
waiter_give(struct qe *e, struct waiter *w, struct queue *q)
{
	uint8_t giver = w->get.any ? (uint8_t)(any_choose(w, q) + 1) : 0;

	waiter_stop(e, w);
	get_give(e, q, &w->get, &w->reply);
	w->reply.giver = giver;
	finished(e, w, q);
}

void
waiter_shut_out(struct qe *e, struct waiter *w, struct queue *q)
{
	if (!is_any(w) || !any_leave_out(e, w->get.any, q))
		waiter_finish(e, w, QE_SHUT_DOWN);
}

void
waiter_settle_later(struct qe *e, struct waiter *w)
{
	if (w->slot.queue) /* else any_leave() does so */
		settle_later(e, w->slot.queue);
}

static void
waiter_free(struct qe *e, struct waiter *w)
{
	list_remove(&w->in_session);
	mem_free(&e->mem, w, waiter_size(w));
}

void
waiter_drop(struct qe *e, struct waiter *w)
{
	if (w->finished) {
		list_remove(&w->slot.node);
		qe_reply_done(e, &w->reply);
	} else {
		waiter_stop(e, w);
		if (w->request == QE_REQUEST_PUT)
			put_drop(e, &w->put);
		else
			let_go(e, w);
	}
	waiter_free(e, w);
}

/* Hands the answer of a finished waiter over, and frees the waiter. */
static void
waiter_take(struct qe *e, struct waiter *w, struct qe_reply *ret_reply)
{
	*ret_reply = w->reply;
	list_remove(&w->slot.node);
	waiter_free(e, w);
}

/* Whether a get of the same session is finished that was given something before this one was. */
static bool
gets_before(const struct qe *e, const struct waiter *w)
{
	const struct list *at = &w->slot.node;

	if (w->request != QE_REQUEST_GET)
		return false;
	while ((at = at->prev) != &e->finished) {
		const struct waiter *other = list_entry(at, struct waiter, slot.node);

		if (other->session == w->session && other->request == QE_REQUEST_GET)
			return true;
	}
	return false;
}

enum qe_result
waiter_answer(struct qe *e, struct waiter *w, struct qe_reply *ret_reply)
{
	if (!w->finished || gets_before(e, w))
		return QE_WAIT;
	waiter_take(e, w, ret_reply);
	ret_reply->session = NULL;
	ret_reply->rid = 0;
	return ret_reply->result;
}

bool
qe_has_reply(const struct qe *e)
{
	return !list_empty(&e->finished);
}

bool
qe_next_reply(struct qe *e, struct qe_reply *ret_reply)
{
	struct list *first = list_first(&e->finished);

	if (!first)
		return false;
	waiter_take(e, list_entry(first, struct waiter, slot.node), ret_reply);
	if (ret_reply->after.synced | ret_reply->after.written)
		e->keep.requested = true; /* for qe_session_answer() */
	return true;
}
