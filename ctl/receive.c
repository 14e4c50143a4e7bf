/* SPDX-License-Identifier: MIT
 * The library's blocking calls cannot be interrupted, so what takes time is a started
 * get and a poll() of our own; the blocking call takes only what is already there. */
#include <config.h>

#include "ctl/receive.h"

#include <poll.h>

#define ANSWER_MS 10000 /* the broker's answer is so late after the timeout: it hangs */

struct wait {
	bool finished;
	qb_result result;
	uint64_t which;
	qb_item *item;
};

static void
finish(qb *q, uint64_t request, qb_result result, uint64_t id, qb_item *item, void *arg)
{
	struct wait *wait = arg;

	wait->finished = true;
	wait->result = result;
	wait->which = id;
	wait->item = item;
}

/* One poll() for the connection and the watched output. QB_CANCELLED: one of them, or a
 * signal, says that it is over. */
static qb_result
wait_once(const struct receive *r, bool cancelled)
{
	int64_t timeout_ms =
		r->timeout_ms >= INT64_MAX / 2 ? -1 : r->timeout_ms + ANSWER_MS;
	struct pollfd fds[] = {
		{qb_fd(r->ctl->q), qb_events(r->ctl->q), 0},
		{cancelled ? -1 : r->watch_fd, 0, 0},
	};
	int ready;

	if (cancelled)
		ready = poll(fds, 1, ANSWER_MS);
	else
		ready = stop_poll(fds, 2, timeout_ms);
	if (!cancelled && (stop_signal() || fds[1].revents))
		return QB_CANCELLED;
	/* This says what is wrong, if anything is. */
	return ready == 0 ? qb_ping(r->ctl->q) : QB_OK;
}

static qb_result
start(const struct receive *r, struct wait *wait, uint64_t *ret_request)
{
	if (r->n_queues > 1)
		return qb_start_get_any(r->ctl->q, r->queues, r->n_queues, r->mode,
					r->options, r->timeout_ms, r->ack, finish, wait,
					ret_request);
	return qb_start_get_with(r->ctl->q, r->ctl->queue, r->options, r->timeout_ms,
				 r->ack, finish, wait, ret_request);
}

static qb_result
receive_waiting(const struct receive *r, qb_item **ret_item)
{
	static struct wait wait; /* qb_close() may still finish what an error left */
	bool cancelled = false;
	uint64_t request;
	qb *q = r->ctl->q;
	qb_result result;

	wait = (struct wait){0};
	result = start(r, &wait, &request);
	while (result == QB_OK) {
		result = qb_process(q);
		if (wait.finished)
			break;
		if (result != QB_OK)
			return result;
		result = wait_once(r, cancelled);
		if (wait.finished || result != QB_CANCELLED)
			continue;
		/* An item that is on its way comes nevertheless, and is not lost. */
		cancelled = true;
		result = qb_cancel(q, request);
	}
	*ret_item = wait.item;
	if (wait.item && r->n_queues > 1)
		r->ctl->queue = r->queues[wait.which];
	return wait.finished ? wait.result : result;
}

qb_result
receive_items(const struct receive *r, unsigned max, qb_item **ret_items,
	      unsigned *ret_n)
{
	qb_result result = QB_EMPTY;

	*ret_n = 0;
	if (stop_signal())
		return QB_CANCELLED;
	if (r->n_queues == 1)
		result = qb_get_many_with(r->ctl->q, r->ctl->queue, r->options, 0,
					  r->ack, max, 1, 0, 0, ret_items, ret_n);
	if (result != QB_EMPTY || (r->timeout_ms == 0 && r->n_queues == 1))
		return result;
	result = receive_waiting(r, ret_items);
	*ret_n = result == QB_OK ? 1 : 0;
	return result;
}
