/* SPDX-License-Identifier: MIT
 *
 * See fail.h and, for the functions of the interface, engine.h.
 */
#include "daemon/core/fail.h"

#include "daemon/core/dead.h"
#include "daemon/core/engine_int.h"
#include "daemon/core/extra.h"
#include "daemon/core/group.h"
#include "daemon/core/lease.h"
#include "daemon/core/queue.h"
#include "daemon/core/session.h"
#include "daemon/core/settle.h"
#include "daemon/core/timing.h"
#include "daemon/core/watch.h"

#define MS UINT64_C(1000000)

/* --- retries ----------------------------------------------------------------------- */

static uint64_t
ms_to_ns(uint64_t ms)
{
	return ms < QE_NEVER / MS ? ms * MS : QE_NEVER;
}

/* The delay after the n-th failed attempt, from the first on. */
static uint64_t
retry_ns(const struct queue *q, uint64_t n)
{
	uint64_t delay_ns = ms_to_ns(q->retry_delay_ms);
	uint64_t max_ns = q->retry_max_ms > 0 ? ms_to_ns(q->retry_max_ms) : QE_NEVER;
	uint64_t percent = q->retry_factor;

	/* With 101 %, the least that grows, 4000 steps lead from a ms to the end of time. */
	for (; percent > 100 && n > 1 && delay_ns > 0 && delay_ns < max_ns; n--)
		delay_ns = delay_ns < QE_NEVER / percent ? delay_ns * percent / 100
							 : QE_NEVER;
	return delay_ns < max_ns ? delay_ns : max_ns;
}

static uint64_t
attempts(const struct qe_item *item)
{
	return (uint64_t)item->crashes + item->nacks + item->timeouts;
}

static void
count_attempt(struct qe_item *item, enum item_cause cause)
{
	uint16_t *counter = cause == CAUSE_crashed     ? &item->crashes
			    : cause == CAUSE_nacked    ? &item->nacks
			    : cause == CAUSE_timed_out ? &item->timeouts
						       : NULL;

	if (counter && *counter < UINT16_MAX)
		++*counter;
}

/* Ready again, now or later. Without memory for the time it is now. */
static void
retry(struct qe *e, struct qe_item *item, uint64_t delay_ns)
{
	struct extra *x = delay_ns > 0 ? extra_need(e, item) : NULL;

	if (x)
		x->ready_ns = delay_ns < QE_NEVER - e->now_ns ? e->now_ns + delay_ns
							      : QE_NEVER;
	item_move(e, item, x ? ITEM_DELAYED : ITEM_READY, CAUSE_NONE);
}

static void
give_back(struct qe *e, struct qe_item *item, enum item_cause cause, uint64_t delay_ns)
{
	struct queue *q = item_holding(item)->queue;
	struct qe_name worker = session_name(item_holding(item)->session);
	enum qe_death why = cause == CAUSE_released ? QE_ALIVE : dead_reason(q, item);

	item_count(e, q, cause);
	if (q->shutdown == QE_SHUTDOWN_IMMEDIATE || group_cancelled(item)) {
		item_drop(e, item);
	} else if (timing_over(e, item)) {
		item_expire(e, item);
	} else if (why != QE_ALIVE) {
		item_die(e, item, why);
	} else {
		retry(e, item, delay_ns);
		if (cause == CAUSE_crashed)
			watch_note_item(e, QE_EVENT_CRASHED, item, worker);
		else if (cause == CAUSE_timed_out)
			watch_note_item(e, QE_EVENT_TIMED_OUT, item, worker);
	}
	settle_later(e, q);
}

void
lease_return(struct qe *e, struct qe_item *item, enum item_cause cause)
{
	struct queue *q = item_holding(item)->queue;
	uint64_t delay_ns = 0;

	if (q->deleted) {
		item_forget(e, item);
		return;
	}
	count_attempt(item, cause);
	if (cause != CAUSE_released && q->retry_delay_ms > 0)
		delay_ns = retry_ns(q, attempts(item));
	give_back(e, item, cause, delay_ns);
}

/* --- verbs of the holder ------------------------------------------------------------ */

enum qe_result
qe_release(struct qe *e, uint64_t now_ns, struct qe_session *session, struct qe_tag tag)
{
	struct qe_item *item = lease_find(e, session, tag);

	e->now_ns = now_ns;
	if (!item)
		return QE_STALE;
	lease_return(e, item, CAUSE_released);
	settle(e);
	return QE_OK;
}

/* Notes what the holder says of the item. false: no memory. */
static bool
report_error(struct qe *e, struct qe_item *item, struct qe_name error)
{
	struct qe_name worker = session_name(item_holding(item)->session);

	return error.len == 0 || extra_report(e, item, &worker, &error);
}

enum qe_result
qe_nack(struct qe *e, uint64_t now_ns, struct qe_session *session, struct qe_tag tag,
	const struct qe_nack *nack)
{
	struct qe_item *item = lease_find(e, session, tag);
	uint64_t delay_ns;

	e->now_ns = now_ns;
	if (!item)
		return QE_STALE;
	if (nack->error.len > QE_MAX_ERROR)
		return QE_INVALID;
	delay_ns = nack->has_delay
			   ? nack->delay_ns
			   : retry_ns(item_holding(item)->queue, attempts(item) + 1);
	if ((delay_ns > 0 || nack->tail) && !extra_need(e, item))
		return QE_NOMEM;
	if (!report_error(e, item, nack->error))
		return QE_NOMEM;
	if (nack->tail)
		item->extra->place = ++e->last_id;
	count_attempt(item, CAUSE_nacked);
	give_back(e, item, CAUSE_nacked, delay_ns);
	settle(e);
	return QE_OK;
}

enum qe_result
qe_bury(struct qe *e, uint64_t now_ns, struct qe_session *session, struct qe_tag tag,
	struct qe_name error)
{
	struct qe_item *item = lease_find(e, session, tag);

	e->now_ns = now_ns;
	if (!item)
		return QE_STALE;
	if (error.len > QE_MAX_ERROR)
		return QE_INVALID;
	if (!report_error(e, item, error))
		return QE_NOMEM;
	item_count(e, item_holding(item)->queue, CAUSE_buried);
	item_die(e, item, QE_DEATH_BURIED);
	settle(e);
	return QE_OK;
}

/* What the body takes. */
static uint64_t
body_cost(const struct qe_item *item)
{
	return item_cost(item) - extra_cost(item->extra);
}

/* Whether there is room for the difference that another body makes. */
static enum qe_result
room_for_update(const struct qe *e, const struct qe_item *item,
		const struct qe_item *fresh)
{
	const struct queue *q = item_holding(item)->queue;
	uint64_t cost = body_cost(item), fresh_cost = body_cost(fresh);

	if (q->max_bytes > 0 && fresh->body_len > q->max_bytes)
		return QE_TOO_BIG;
	if (fresh->body_len > item->body_len && q->max_bytes > 0 &&
	    q->bytes + fresh->body_len > q->max_bytes)
		return QE_FULL_BYTES;
	if (q->durable && !keep_room(e, 1, fresh->body_len))
		return QE_NO_SPACE;
	if (fresh_cost > cost && !settle_memory(e, q, fresh_cost - cost))
		return QE_FULL_MEMORY;
	return QE_OK;
}

static enum qe_result
update(struct qe *e, struct qe_session *session, struct qe_tag tag,
       struct qe_item *fresh)
{
	struct qe_item *item = lease_find(e, session, tag);
	enum qe_result result;

	if (!item)
		return QE_STALE;
	result = room_for_update(e, item, fresh);
	if (result != QE_OK)
		return result;
	/* First: on its way back it may die, and be another queue's then. */
	item_replace(e, item, fresh);
	lease_return(e, fresh, CAUSE_released);
	settle(e);
	return QE_OK;
}

enum qe_result
qe_update(struct qe *e, uint64_t now_ns, struct qe_session *session, struct qe_tag tag,
	  struct qe_item *item)
{
	enum qe_result result;

	e->now_ns = now_ns;
	result = update(e, session, tag, item);
	if (result != QE_OK)
		qe_item_unref(e, item);
	return result;
}
