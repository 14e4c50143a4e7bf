/* SPDX-License-Identifier: MIT
 * A handle's life, and what can be asked about it. */
#include <config.h>

#include "client/conn.h"
#include "client/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CLOSE_MS 10000 /* qb_close(): for puts to be confirmed */
#define BYE_MS	 1000  /* for the answer to CLOSE, at least */

const char *
qb_version(void)
{
	return PACKAGE_VERSION;
}

/* A handle that is not connected. */
static qb *
handle_new(const struct address *address)
{
	qb *q = calloc(1, sizeof(*q));
	size_t len = strnlen(program_invocation_short_name, QP_MAX_NAME);

	if (!q)
		return NULL;
	q->address = *address;
	q->grace = (struct grace){
		.connect_ms = 10000,
		.wait_ms = 10000,
		.call_ms = 30000,
	};
	q->puts.window = 256;
	q->busy_poll_ns = BUSY_POLL_US * 1000;
	q->fd = -1;
	if (qp_valid_name(program_invocation_short_name, len))
		memcpy(q->name, program_invocation_short_name, len);
	call_table_init(&q->calls);
	fork_guard_init(&q->guard);
	return q;
}

static void
handle_free(qb *q)
{
	conn_forget(q);
	call_table_done(&q->calls);
	fork_guard_done(&q->guard);
	free(q);
}

qb_result
qb_open(const char *address, qb **ret)
{
	struct address parsed;
	qb_result r;
	qb *q;

	*ret = NULL;
	if (!address)
		address = getenv("QBROKER_ADDR");
	if (!address || !*address)
		address = QB_DEFAULT_ADDRESS;
	if (!address_parse(address, &parsed))
		return QB_INVALID;
	q = handle_new(&parsed);
	if (!q)
		return QB_NO_MEMORY;
	r = conn_open(q, 0);
	if (r == QB_NO_MEMORY)
		handle_free(q);
	else
		*ret = q;
	return r;
}

/* Ends the session in order. Whether the broker confirms it changes nothing. */
static void
say_bye(qb *q, int64_t timeout_ms)
{
	struct qp_request m = {.op = QP_OP_CLOSE};
	struct wait w = {0};
	int64_t ms = timeout_ms > BYE_MS ? timeout_ms : BYE_MS;

	q->closing = true;
	(void)request_run(q, &m, NULL, &w, ms);
}

qb_result
qb_close_wait(qb *q, int64_t timeout_ms)
{
	int64_t deadline;
	qb_result r;

	if (!q)
		return QB_OK;
	if (q->in_callback)
		return error_set(q, QB_BAD_STATE,
				 "a callback must not close the handle");
	verify_fork(q);
	r = timeout_ms < 0 ? QB_INVALID : QB_OK;
	deadline = deadline_after(timeout_ms < 0 ? 0 : timeout_ms);
	if (q->fd >= 0 || q->lost) {
		(void)conn_run(q, &q->puts.outstanding, 0, deadline, WITHOUT(NEVER));
		if (q->fd >= 0)
			say_bye(q, deadline_left(deadline));
		else if (q->lost && conn_resume_once(q, BYE_MS) == QB_OK)
			say_bye(q, 0);
	}
	error_set(q, QB_LOST, "the handle was closed");
	conn_drop(q, QB_LOST);
	if (q->puts.failure != QB_OK)
		r = q->puts.failure;
	handle_free(q);
	return r;
}

void
qb_close(qb *q)
{
	(void)qb_close_wait(q, CLOSE_MS);
}

qb_result
qb_set_name(qb *q, const char *name)
{
	size_t len = name ? strnlen(name, QP_MAX_NAME + 1) : 0;

	if (!name)
		return error_set(q, QB_INVALID, "the client's name is NULL");
	if (len > QP_MAX_NAME)
		return error_set(
			q, QB_INVALID,
			"the client's name has more than %d bytes: \"%.60s...\"",
			QP_MAX_NAME, name);
	if (len > 0 && !qp_valid_name(name, len))
		return error_set(q, QB_INVALID,
				 "the client's name is not UTF-8 without control "
				 "characters: \"%s\"",
				 name);
	memcpy(q->name, name, len + 1);
	return QB_OK;
}

qb_result
qb_set_busy_poll(qb *q, unsigned us)
{
	if (us > BUSY_POLL_MAX_US)
		return error_set(q, QB_INVALID, "busy_poll is %u: it must be at most %d",
				 us, BUSY_POLL_MAX_US);
	q->busy_poll_ns = (uint64_t)us * 1000;
	return QB_OK;
}

const char *
qb_address(const qb *q)
{
	return q->address.text;
}

static bool
connected(const qb *q)
{
	return q->fd >= 0 && !fork_guard_forked(&q->guard);
}

const char *
qb_server(const qb *q)
{
	return connected(q) ? q->server : "";
}

uint64_t
qb_max_item(const qb *q)
{
	return connected(q) ? q->max_item : 0;
}

int
qb_fd(const qb *q)
{
	return connected(q) ? q->fd : -1;
}

qb_result
qb_ping(qb *q)
{
	struct qp_request m = {.op = QP_OP_PING};
	struct wait w = {0};
	qb_result r = verify_blocking(q);

	return r ? r : request_call(q, &m, &w);
}
