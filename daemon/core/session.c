/* SPDX-License-Identifier: MIT
 *
 * See session.h and, for the functions of the interface, engine.h.
 */
#include "daemon/core/session.h"

#include "daemon/core/engine_int.h"
#include "daemon/core/group.h"
#include "daemon/core/queue.h"
#include "daemon/core/settle.h"
#include "daemon/core/sweep.h"
#include "daemon/core/timing.h"
#include "daemon/core/waiter.h"

#include <string.h>

static bool
match_id(const void *session, const void *id)
{
	return memcmp(((const struct qe_session *)session)->id, id, 16) == 0;
}

static uint64_t
hash_id(const struct qe *e, const uint8_t id[16])
{
	return hash_bytes(&e->key, id, 16);
}

bool
session_before(const struct heap_node *a, const struct heap_node *b)
{
	return list_entry(a, const struct qe_session, by_serial)->serial <
	       list_entry(b, const struct qe_session, by_serial)->serial;
}

static enum qe_result
session_new(struct qe *e, const uint8_t id[16], uint64_t serial, void *owner,
	    struct qe_session **ret_session)
{
	uint64_t hash = hash_id(e, id);

	if (table_find(&e->ids, hash, match_id, id))
		return QE_INVALID;
	if (!table_reserve(&e->ids, 1))
		return QE_NOMEM;

	struct qe_session *session = mem_alloc(&e->mem, sizeof(*session));

	if (!session)
		return QE_NOMEM;
	*session = (struct qe_session){.serial = serial, .owner = owner};
	if (serial > e->last_serial)
		e->last_serial = serial;
	memcpy(session->id, id, 16);
	list_init(&session->waiters);
	list_init(&session->holdings);
	kept_init(&session->kept, KEPT_SESSION);
	table_insert(&e->ids, hash, session);
	list_append(&e->sessions, &session->in_engine);
	heap_insert(&e->serials, &session->by_serial);
	e->n_sessions++;
	*ret_session = session;
	return QE_OK;
}

enum qe_result
qe_session_new(struct qe *e, uint64_t now_ns, const uint8_t id[16], void *owner,
	       struct qe_session **ret_session)
{
	e->now_ns = now_ns;
	return session_new(e, id, e->last_serial + 1, owner, ret_session);
}

enum qe_result
session_restore(struct qe *e, const uint8_t id[16], uint64_t number,
		struct qe_session **ret_session)
{
	return session_new(e, id, number, NULL, ret_session);
}

struct qe_session *
session_numbered(const struct qe *e, uint64_t number)
{
	struct qe_session probe = {.serial = number}, *session;
	struct heap_node *found = heap_from(&e->serials, &probe.by_serial);

	session = found ? list_entry(found, struct qe_session, by_serial) : NULL;
	return session && session->serial == number ? session : NULL;
}

struct qe_session *
qe_session_find(const struct qe *e, const uint8_t id[16])
{
	return table_find(&e->ids, hash_id(e, id), match_id, id);
}

enum qe_result
qe_session_set_name(struct qe *e, struct qe_session *session, struct qe_name name)
{
	if (!session->name)
		session->name = mem_alloc(&e->mem, sizeof(*session->name));
	if (!session->name)
		return QE_NOMEM;
	session->name->len = (uint8_t)(name.len < QE_MAX_NAME ? name.len : QE_MAX_NAME);
	memcpy(session->name->p, name.p, session->name->len);
	return QE_OK;
}

struct qe_name
session_name(const struct qe_session *session)
{
	const struct qe_text *name = session->name;

	return name ? (struct qe_name){name->p, name->len} : (struct qe_name){"", 0};
}

void
qe_session_set_owner(struct qe_session *session, void *owner)
{
	session->owner = owner;
}

void *
qe_session_owner(const struct qe_session *session)
{
	return session->owner;
}

static void
unname(struct qe *e, struct qe_session *session)
{
	table_remove(&e->ids, hash_id(e, session->id), session);
	heap_remove(&e->serials, &session->by_serial);
	e->n_sessions--;
}

void
session_restore_end(struct qe *e, struct qe_session *session)
{
	kept_leave(e, &session->kept);
	unname(e, session);
	session_free(e, session);
}

void
qe_session_end(struct qe *e, uint64_t now_ns, struct qe_session *session,
	       enum qe_end how)
{
	e->now_ns = now_ns;
	list_each_safe (at, &session->waiters) {
		struct waiter *w = list_entry(at, struct waiter, in_session);

		if (!w->finished)
			waiter_settle_later(e, w);
		waiter_drop(e, w);
	}
	keep_session_ended(e, session);
	unname(e, session);
	session->owner = NULL;
	session->recent = NULL;
	session->notices = false;
	session->cause = how == QE_END_LOST ? CAUSE_crashed : CAUSE_released;
	list_remove(&session->in_engine);
	list_append(&e->ended, &session->in_engine);
	settle(e); /* before its items come back: what it would have got is others' */
	sweep(e);
}

void
qe_session_detach(struct qe *e, uint64_t now_ns, struct qe_session *session)
{
	e->now_ns = now_ns;
	list_each_safe (at, &session->waiters) {
		struct waiter *w = list_entry(at, struct waiter, in_session);

		if (w->finished)
			continue;
		waiter_settle_later(e, w);
		if (w->request == QE_REQUEST_PUT && put_begun(&w->put))
			waiter_finish(e, w, QE_UNDECIDED);
		else
			waiter_drop(e, w);
	}
	settle(e);
}

void
session_free(struct qe *e, struct qe_session *session)
{
	assert(list_empty(&session->waiters) && list_empty(&session->holdings));
	list_remove(&session->in_engine);
	mem_free(&e->mem, session->name, sizeof(*session->name));
	mem_free(&e->mem, session, sizeof(*session));
}

struct holding_key {
	const struct qe_session *session;
	const struct queue *queue;
};

static bool
match_holding(const void *value, const void *key)
{
	const struct holding *h = value;
	const struct holding_key *k = key;

	return h->session == k->session && h->queue == k->queue;
}

static uint64_t
hash_holding(const struct qe *e, const struct qe_session *session,
	     const struct queue *q)
{
	return hash_pair(&e->key, session->serial, q->serial);
}

struct holding *
holding_find(const struct qe *e, const struct qe_session *session,
	     const struct queue *q)
{
	struct holding_key key = {session, q};

	if (session->recent && session->recent->queue == q)
		return session->recent;
	return table_find(&e->holdings, hash_holding(e, session, q), match_holding,
			  &key);
}

static struct holding *
holding_new(struct qe *e, struct qe_session *session, struct queue *q)
{
	if (!table_reserve(&e->holdings, 1))
		return NULL;

	struct holding *h = mem_alloc(&e->mem, sizeof(*h));

	if (!h)
		return NULL;
	*h = (struct holding){.session = session, .queue = q};
	list_init(&h->leases);
	list_append(&session->holdings, &h->in_session);
	list_append(&q->holdings, &h->in_queue);
	table_insert(&e->holdings, hash_holding(e, session, q), h);
	return h;
}

struct holding *
holding_need(struct qe *e, struct qe_session *session, struct queue *q)
{
	struct holding *h = holding_find(e, session, q), *recent = session->recent;

	if (!h)
		h = holding_new(e, session, q);
	if (h && h != recent) {
		session->recent = h;
		if (recent)
			holding_tidy(e, recent);
	}
	return h;
}

void
holding_pin(struct holding *h)
{
	h->pins++;
}

void
holding_unpin(struct qe *e, struct holding *h)
{
	assert(h->pins > 0);
	h->pins--;
	holding_tidy(e, h);
}

void
holding_tidy(struct qe *e, struct holding *h)
{
	if (h->session->recent != h && h->pins == 0 && list_empty(&h->leases))
		holding_free(e, h);
}

void
holding_free(struct qe *e, struct holding *h)
{
	assert(h->pins == 0 && list_empty(&h->leases));
	if (h->session->recent == h)
		h->session->recent = NULL;
	table_remove(&e->holdings, hash_holding(e, h->session, h->queue), h);
	list_remove(&h->in_session);
	list_remove(&h->in_queue);
	mem_free(&e->mem, h, sizeof(*h));
}
