/* SPDX-License-Identifier: MIT
 * What calls verify before anything is sent. */
#include "client/conn.h"
#include "client/item.h"
#include "client/request.h"

#include <string.h>

void
verify_forked(qb *q)
{
	conn_forget(q);
	q->started = 0;
	q->puts = (struct puts){.window = q->puts.window};
	fork_guard_set(&q->guard);
}

qb_result
verify_handle(qb *q)
{
	verify_fork(q);
	if (q->in_callback)
		return error_set(q, QB_BAD_STATE,
				 "a callback must not call what may wait");
	return QB_OK;
}

qb_result
verify_connected(qb *q, int64_t timeout_ms)
{
	verify_fork(q);
	if (q->fd >= 0 && q->out.failed && !q->in_callback)
		(void)conn_write(q); /* gives it up */
	if (q->fd >= 0 ||
	    (q->lost && q->in_callback)) /* it is sent when there is one */
		return QB_OK;
	if (q->in_callback)
		return error_set(
			q, QB_LOST,
			"there is no connection, and a callback must not make one");
	if (!q->lost)
		return conn_open(q, timeout_ms);
	/* Who waits for something already has the time that a first connection has. */
	if (q->calls.used > q->calls.mutes && timeout_ms == 0)
		timeout_ms = q->grace.connect_ms;
	return conn_resume(q, deadline_after(timeout_ms));
}

qb_result
verify_blocking(qb *q)
{
	qb_result r = verify_handle(q);

	return r ? r : verify_connected(q, 0);
}

qb_result
verify_waiting(qb *q, int64_t *timeout_ms)
{
	qb_result r = verify_handle(q);
	int64_t deadline, left;

	if (r != QB_OK || (q->fd >= 0 && !q->out.failed))
		return r;
	deadline = deadline_after(*timeout_ms);
	r = verify_connected(q, *timeout_ms);
	left = deadline_left(deadline);
	if (left < *timeout_ms)
		*timeout_ms = left;
	return r;
}

qb_result
verify_name(qb *q, const char *what, const char *name, struct qp_str *ret)
{
	size_t len = name ? strnlen(name, QP_MAX_NAME + 1) : 0;

	if (!name)
		return error_set(q, QB_INVALID, "the %s's name is NULL", what);
	if (len == 0)
		return error_set(q, QB_INVALID, "the %s's name is empty", what);
	if (len > QP_MAX_NAME)
		return error_set(q, QB_INVALID,
				 "the %s's name has more than %d bytes: \"%.60s...\"",
				 what, QP_MAX_NAME, name);
	if (!qp_valid_name(name, len))
		return error_set(q, QB_INVALID,
				 "the %s's name is not UTF-8 without control "
				 "characters: \"%s\"",
				 what, name);
	*ret = (struct qp_str){name, (uint32_t)len};
	return QB_OK;
}

qb_result
verify_queue(qb *q, const char *queue, struct qp_str *ret)
{
	return verify_name(q, "queue", queue, ret);
}

qb_result
verify_timeout(qb *q, const char *name, int64_t timeout_ms)
{
	if (timeout_ms >= 0)
		return QB_OK;
	return error_set(q, QB_INVALID, "%s is %lld: it must be 0 or more", name,
			 (long long)timeout_ms);
}

qb_result
verify_count(qb *q, const char *name, unsigned n, unsigned max)
{
	if (n >= 1 && n <= max)
		return QB_OK;
	return error_set(q, QB_INVALID, "%s is %u: it must be from 1 to %u", name, n,
			 max);
}

qb_result
verify_id(qb *q, uint64_t id)
{
	if (id >= 1 && id <= INT64_MAX)
		return QB_OK;
	return error_set(q, QB_INVALID, "id is %llu: it must be from 1 to 2^63-1",
			 (unsigned long long)id);
}

qb_result
verify_state(qb *q, const char *state, struct qp_options *ret)
{
	size_t len = state ? strnlen(state, 16) : 0;

	if (len < 1 || len > 15)
		return error_set(q, QB_INVALID, "\"%.30s\" is no state of items",
				 state ? state : "");
	QP_GIVE(ret, state, ((struct qp_str){state, (uint32_t)len}));
	return QB_OK;
}

qb_result
verify_body(qb *q, const void *body, size_t len)
{
	if (!body && len > 0)
		return error_set(q, QB_INVALID, "the body is NULL and has %zu bytes",
				 len);
	if (len > q->max_item)
		return error_set(
			q, QB_TOO_BIG,
			"the item has %zu bytes; the broker takes at most %llu", len,
			(unsigned long long)q->max_item);
	return QB_OK;
}

qb_result
verify_item(qb *q, const qb_item *item)
{
	return item ? QB_OK : error_set(q, QB_INVALID, "the item is NULL");
}

qb_result
verify_lease(qb *q, const qb_item *item)
{
	if (!item->leased)
		return error_set(q, QB_STALE, "item %llu is not leased",
				 (unsigned long long)item->id);
	if ((q->fd < 0 && !q->lost) ||
	    memcmp(item->session, q->mark, sizeof(q->mark)) != 0)
		return error_set(q, QB_STALE,
				 "item %llu was leased to another session, or to one "
				 "of this handle that could not be resumed",
				 (unsigned long long)item->id);
	return QB_OK;
}

qb_result
verify_held(qb *q, const qb_item *item)
{
	qb_result r;

	verify_fork(q);
	if ((r = verify_item(q, item)) || (r = verify_lease(q, item)))
		return r;
	if (q->fd >= 0 && !q->out.failed)
		return QB_OK;
	r = verify_connected(q, 0);
	return r ? r : verify_lease(q, item);
}

qb_result
verify_held_for(qb *q, struct qp_request *m, const qb_item *item)
{
	qb_result r = verify_held(q, item);

	if (r != QB_OK)
		return r;
	m->id = item->id;
	m->delivery = item->delivery;
	m->epoch = q->epoch; /* of the connection that there is now */
	return QB_OK;
}

qb_result
verify_ack(qb *q, qb_ack_mode ack)
{
	if (ack == QB_MANUAL || ack == QB_AUTO || ack == QB_NONE)
		return QB_OK;
	return error_set(q, QB_INVALID, "ack is %d: it must be from 0 to 2", (int)ack);
}

uint64_t
wire_timeout(int64_t timeout_ms)
{
	return (uint64_t)timeout_ms <= QP_MAX_COUNT ? (uint64_t)timeout_ms : QP_FOREVER;
}
