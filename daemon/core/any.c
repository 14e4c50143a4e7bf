/* SPDX-License-Identifier: MIT
 *
 * See any.h, and qe_get_any() in engine.h.
 */
#include "daemon/core/any.h"

#include "daemon/core/engine_int.h"
#include "daemon/core/extra.h"
#include "daemon/core/queue.h"
#include "daemon/core/session.h"
#include "daemon/core/settle.h"
#include "daemon/core/timing.h"

#include <string.h>

static size_t
alloc_size(unsigned n)
{
	return sizeof(struct any) + n * sizeof(struct any_slot);
}

size_t
any_size(const struct any *any)
{
	return alloc_size(any->n);
}

/* --- a waiter in many lines -------------------------------------------------------- */

void
any_line_up(struct waiter *w)
{
	struct any *any = w->get.any;

	for (unsigned i = 0; i < any->n; i++) {
		struct wait_slot *slot = &any->slots[i].slot;

		if (slot->queue)
			waiter_line_up(w, slot, slot->queue);
	}
}

static void
leave(struct any *any, struct any_slot *at)
{
	waiter_leave_line(&at->slot, LINE_GET);
	at->slot.queue = NULL;
	any->lines--;
}

void
any_leave(struct qe *e, struct any *any)
{
	for (unsigned i = 0; i < any->n; i++) {
		struct queue *q = any->slots[i].slot.queue;

		if (!q)
			continue;
		leave(any, &any->slots[i]);
		settle_later(e, q);
	}
}

static struct any_slot *
find_slot(struct any *any, const struct queue *q)
{
	struct any_slot *at = any->slots;

	while (at->slot.queue != q)
		at++;
	return at;
}

bool
any_leave_out(struct qe *e, struct any *any, const struct queue *q)
{
	struct any_slot *at = find_slot(any, q);

	if (any->lines == 1)
		return false;
	leave(any, at);
	if (at->holding) /* a queue that is deleted frees it, and does not ask */
		holding_unpin(e, at->holding);
	at->holding = NULL;
	return true;
}

unsigned
any_choose(struct waiter *w, struct queue *q)
{
	struct any_slot *at = find_slot(w->get.any, q);

	w->get.holding = at->holding;
	w->get.lease_ns = at->lease_ns;
	if (w->get.any->round_robin)
		w->session->gave = q->serial;
	return (unsigned)(at - w->get.any->slots);
}

void
any_free(struct qe *e, struct any *any)
{
	for (unsigned i = 0; i < any->n; i++)
		if (any->slots[i].holding)
			holding_unpin(e, any->slots[i].holding);
	mem_free(&e->mem, any, any_size(any));
}

enum qe_result
any_empty(const struct any *any)
{
	for (unsigned i = 0; i < any->n; i++) {
		const struct queue *q = any->slots[i].slot.queue;

		if (q && q->paused_out)
			return QE_EMPTY_PAUSED;
	}
	return QE_EMPTY;
}

struct queue *
any_giver(const struct any *any)
{
	for (unsigned i = 0; i < any->n; i++) {
		struct queue *q = any->slots[i].slot.queue;

		if (q && queue_given(q) > 0)
			return q;
	}
	return NULL;
}

/* --- the verb ---------------------------------------------------------------------- */

static bool
same_name(struct qe_name a, struct qe_name b)
{
	return a.len == b.len && memcmp(a.p, b.p, a.len) == 0;
}

/* Finds those that are there. QE_INVALID: one is named twice. */
static enum qe_result
find_queues(struct qe *e, const struct qe_any *args, struct queue **ret_queues)
{
	for (unsigned i = 0; i < args->n; i++) {
		ret_queues[i] = queue_ask(e, args->queues[i]);
		for (unsigned k = 0; k < i; k++)
			if (ret_queues[k] == ret_queues[i] &&
			    (ret_queues[i] ||
			     same_name(args->queues[k], args->queues[i])))
				return QE_INVALID;
	}
	return QE_OK;
}

static enum qe_result
need_queues(struct qe *e, const struct qe_any *args, struct queue **ret_queues)
{
	enum qe_result result = find_queues(e, args, ret_queues);

	for (unsigned i = 0; i < args->n && result == QE_OK; i++)
		if (!ret_queues[i])
			result = queue_need(e, args->queues[i], &ret_queues[i], NULL);
	return result;
}

/* The first queue that gives now, from where the mode begins; NULL: none does. */
static struct queue *
giver(const struct qe_session *session, const struct qe_any *args,
      struct queue *const *queues, unsigned *ret_which)
{
	unsigned from = 0;

	for (unsigned i = 0; args->round_robin && i < args->n; i++)
		if (queues[i]->serial == session->gave)
			from = i + 1;
	for (unsigned i = 0; i < args->n; i++) {
		*ret_which = (from + i) % args->n;
		if (queue_given(queues[*ret_which]) > 0)
			return queues[*ret_which];
	}
	return NULL;
}

/* Fills in the slot of a queue. false: no memory. */
static bool
reserve(struct qe *e, struct qe_session *session, struct queue *q,
	const struct qe_get *get, struct any_slot *at)
{
	if (!get->no_ack) {
		at->holding = holding_need(e, session, q);
		if (!at->holding)
			return false;
		holding_pin(at->holding);
	}
	at->lease_ns = get_lease_length(q, get);
	at->slot.queue = q;
	return true;
}

/* For the queues that may give something one day. NULL: no memory. */
static struct any *
any_new(struct qe *e, struct qe_session *session, const struct qe_any *args,
	struct queue *const *queues, const struct qe_get *get)
{
	struct any *any = mem_zalloc(&e->mem, 1, alloc_size(args->n));

	if (!any)
		return NULL;
	any->n = args->n;
	any->round_robin = args->round_robin;
	for (unsigned i = 0; i < args->n; i++) {
		if (queue_drained(queues[i]))
			continue;
		if (!reserve(e, session, queues[i], get, &any->slots[i])) {
			any_free(e, any);
			return NULL;
		}
		any->lines++;
	}
	return any;
}

static bool
leases_end(const struct any *any)
{
	for (unsigned i = 0; i < any->n; i++)
		if (any->slots[i].lease_ns > 0)
			return true;
	return false;
}

static enum qe_result
wait_for_any(struct qe *e, struct qe_session *session, uint64_t rid,
	     const struct qe_get *args, struct any *any, struct qe_reply *ret_reply)
{
	struct get get = {.args = *args, .any = any};
	struct waiter *w;
	enum qe_result result = QE_NOMEM;

	if (leases_end(any) && !(get.spare = extra_new(e)))
		goto err;
	if (!args->no_ack && !table_reserve(&e->leases, 1))
		goto err;
	result = waiter_new(e, session, rid, 0, &w);
	if (result != QE_OK)
		goto err;
	w->get = get;
	w->request = QE_REQUEST_GET;
	waiter_start(e, w, NULL, LINE_GET, args->deadline_ns);
	for (unsigned i = 0; i < any->n; i++) /* a putter may go on */
		if (any->slots[i].slot.queue)
			settle_later(e, any->slots[i].slot.queue);
	settle(e);
	return waiter_answer(e, w, ret_reply);
err:
	extra_drop(e, get.spare);
	any_free(e, any);
	return result;
}

static void
note_giver(struct qe_session *session, const struct qe_any *args, const struct queue *q,
	   unsigned which, struct qe_reply *reply)
{
	reply->giver = (uint8_t)(which + 1);
	if (args->round_robin)
		session->gave = q->serial;
}

enum qe_result
qe_get_any(struct qe *e, uint64_t now_ns, struct qe_session *session, uint64_t rid,
	   const struct qe_any *args, const struct qe_get *get,
	   struct qe_reply *ret_reply)
{
	struct queue *queues[QE_MAX_ANY], *q;
	struct any *any;
	unsigned which;
	enum qe_result result = waiter_check(e, session, rid);

	e->now_ns = now_ns;
	if (result != QE_OK)
		return result;
	if (args->n < 1 || args->n > QE_MAX_ANY || get->many)
		return QE_INVALID;
	result = need_queues(e, args, queues);
	if (result != QE_OK)
		return result;
	for (unsigned i = 0; i < args->n; i++)
		timing_catch_up(e, queues[i]);
	q = giver(session, args, queues, &which);
	if (q) {
		result = queue_fetch_first(e, q);
		if (result == QE_OK)
			result = get_from(e, session, rid, q, get, ret_reply);
		if (result == QE_OK)
			note_giver(session, args, q, which, ret_reply);
		if (result != QE_WAIT)
			return result;
	}
	any = any_new(e, session, args, queues, get);
	if (!any)
		return QE_NOMEM;
	if (any->lines > 0 && (q || get->deadline_ns > now_ns))
		return wait_for_any(e, session, rid, get, any, ret_reply);
	result = any->lines > 0 ? any_empty(any) : QE_SHUT_DOWN;
	any_free(e, any);
	return result;
}
