/* SPDX-License-Identifier: MIT
 * The pipelined put: a window of puts that nobody waits for. */
#include "client/pipeline.h"
#include "client/conn.h"
#include "client/options.h"

#include <string.h>

#define MAX_WINDOW 65536
#define KEEP_KIB   65536 /* of bodies: above it puts wait until others are confirmed */

/* `n` puts have failed with this result and the handle's sentence. */
static void
count_failed(qb *q, unsigned n, qb_result result)
{
	q->puts.failed += n;
	if (q->puts.failure != QB_OK)
		return;
	q->puts.failure = result;
	memcpy(q->puts.error, q->error, sizeof(q->puts.error));
}

static void
take_results(qb *q, unsigned n, struct qp_list results)
{
	if (results.n != n) {
		error_set(q, QB_MALFORMED,
			  "the broker gave %u results for %u items", results.n, n);
		count_failed(q, n, QB_MALFORMED);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		int64_t id = qp_list_next_signed(&results);

		if (id <= 0)
			count_failed(q, 1,
				     error_status(q, (unsigned)-id,
						  (struct qp_str){NULL, 0}));
	}
}

static void
finish_puts(qb *q, const struct call *call, struct answer *answer)
{
	unsigned n = call->max_items;

	q->puts.outstanding -= n;
	q->puts.kept_kib -= (unsigned)(uintptr_t)call->arg;
	if (answer->result != QB_OK)
		count_failed(q, n, answer->result);
	else if (n > 1)
		take_results(q, n, answer->reply->results);
}

void
pipeline_add(qb *q, struct qp_request *m, const struct bodies *bodies, unsigned n)
{
	unsigned kib = (unsigned)(bodies->len / 1024);
	struct call call = {.finish = finish_puts,
			    .arg = (void *)(uintptr_t)kib,
			    .max_items = (uint16_t)n};
	qb_result r = request_append(q, m, bodies, &call);

	if (r == QB_OK) {
		q->puts.kept_kib += kib;
		return;
	}
	q->out.failed = true;
	q->puts.outstanding -= n;
	count_failed(q, n, r);
}

void
pipeline_abort(qb *q, qb_result result)
{
	unsigned n = q->gather.puts;

	gather_forget(&q->gather);
	q->puts.outstanding -= n;
	if (n > 0)
		count_failed(q, n, result);
}

/* The first failure since the last report; then there is none. */
static qb_result
report(qb *q)
{
	qb_result r = q->puts.failure;

	if (r == QB_OK)
		return QB_OK;
	q->puts.failure = QB_OK;
	return error_set(q, r, "%s", q->puts.error);
}

/* At the bound: waits until a quarter of the window is free, so that writes and reads
 * are shared by many puts, and until not too many bytes have to be kept. */
static qb_result
make_room(qb *q)
{
	unsigned quarter = (q->puts.window + 3) / 4;
	qb_result r;

	if (q->in_callback)
		return error_set(
			q, QB_BAD_STATE,
			"a callback must not wait, and %u puts are outstanding",
			q->puts.outstanding);
	r = conn_run(q, &q->puts.outstanding, q->puts.window - quarter, NEVER,
		     WITHOUT(q->grace.call_ms));
	if (r == QB_OK)
		r = conn_run(q, &q->puts.kept_kib, KEEP_KIB, NEVER,
			     WITHOUT(q->grace.call_ms));
	return r == QB_OK || !q->lost ? report(q) : r;
}

/* Sends, when enough has gathered. A put has been started by now: if the connection is lost,
 * that is in the next report. */
static void
send_enough(qb *q, size_t enough)
{
	if (q->in_callback)
		return;
	if (q->gather.puts * 4 >= q->puts.window) {
		gather_end_puts(q);
		conn_push(q);
	}
	if (q->out.len >= enough)
		(void)conn_flush(q, NEVER, WITHOUT(0));
}

/* By itself: it says more than others do, or is large. */
static qb_result
put_alone(qb *q, struct qp_request *m, const void *body, size_t len)
{
	const struct iovec part = {(void *)body, len};
	const struct bodies bodies = {&part, 1, len, false, NULL};

	if (QP_GIVEN(&m->options, key))
		gather_end(q); /* an ack or a get may free the key */
	else
		gather_end_puts(q);
	q->puts.outstanding++;
	pipeline_add(q, m, &bodies, 1);
	send_enough(q, len < LARGE_BODY ? SEND_BYTES : 1);
	return QB_OK;
}

/* What every pipelined put needs: what came before is told, and there is room. */
static qb_result
ready(qb *q, const void *body, size_t len)
{
	qb_result r;

	if ((r = report(q)) || (r = verify_connected(q, 0)))
		return r;
	if ((q->puts.outstanding >= q->puts.window || q->puts.kept_kib > KEEP_KIB) &&
	    ((r = make_room(q)) || (r = verify_connected(q, 0))))
		return r;
	return verify_body(q, body, len);
}

qb_result
qb_put_start_with(qb *q, const char *queue, const qb_put_options *options,
		  const void *body, size_t len)
{
	struct qp_request m;
	qb_result r;

	if (!options && len <= GATHER_BODY)
		return qb_put_start(q, queue, body, len);
	request_init(&m, QP_OP_PUT);
	m.timeout_ms = QP_FOREVER;
	verify_fork(q);
	if ((r = verify_queue(q, queue, &m.queue)) ||
	    (r = options_take(q, options, &m.options)) || (r = ready(q, body, len)))
		return r;
	return put_alone(q, &m, body, len);
}

qb_result
qb_put_start(qb *q, const char *queue, const void *body, size_t len)
{
	struct qp_str name;
	qb_result r;

	if (len > GATHER_BODY)
		return qb_put_start_with(q, queue, NULL, body, len);
	verify_fork(q);
	/* The name of those that wait has been verified. They may be gone when there is room. */
	if ((!gather_takes(&q->gather, queue, len) &&
	     (r = verify_queue(q, queue, &name))) ||
	    (r = ready(q, body, len)))
		return r;
	if (!gather_takes(&q->gather, queue, len) && !gather_begin(q, queue))
		return error_set(q, QB_NO_MEMORY, "there is no memory for the put");
	gather_put(&q->gather, body, len);
	q->puts.outstanding++;
	send_enough(q, SEND_BYTES);
	return QB_OK;
}

qb_result
qb_flush(qb *q, int64_t timeout_ms)
{
	qb_result r;

	if ((r = verify_timeout(q, "timeout_ms", timeout_ms)) || (r = verify_handle(q)))
		return r;
	r = conn_run(q, &q->puts.outstanding, 0, deadline_after(timeout_ms),
		     WITHOUT(NEVER));
	if (r == QB_AGAIN)
		return error_set(q, QB_FULL, "%u puts are still outstanding",
				 q->puts.outstanding);
	if (r != QB_OK && q->lost) /* they are when there is a connection again */
		return r;
	if (q->fd >= 0)
		(void)conn_write(q); /* qb_ack_start() */
	return report(q);
}

qb_result
qb_set_window(qb *q, unsigned window)
{
	qb_result r = verify_count(q, "window", window, MAX_WINDOW);

	if (r == QB_OK)
		q->puts.window = window;
	return r;
}

unsigned
qb_outstanding_puts(const qb *q)
{
	return fork_guard_forked(&q->guard) ? 0 : q->puts.outstanding;
}

uint64_t
qb_failed_puts(const qb *q)
{
	return fork_guard_forked(&q->guard) ? 0 : q->puts.failed;
}
