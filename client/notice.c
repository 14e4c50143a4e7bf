/* SPDX-License-Identifier: MIT
 * Notices. The broker is told that they are wanted when the first function asks for them,
 * on a connection that is there by a PING. */
#include "client/notice.h"
#include "client/request.h"

#include <string.h>

static void
lease_ending(qb *q, const struct qp_options *o)
{
	uint64_t left_ms = QP_OPT(o, left_ms), delivery = QP_OPT(o, delivery);

	if (!q->on_lease_ending || !QP_GIVEN(o, id) || !QP_GIVEN(o, delivery))
		return;
	q->in_callback = true;
	q->on_lease_ending(q, o->id,
			   delivery < UINT32_MAX ? (uint32_t)delivery : UINT32_MAX,
			   (int64_t)left_ms, q->on_lease_ending_arg);
	q->in_callback = false;
	verify_fork(q);
}

/* --- events ------------------------------------------------------------------------ */

struct qb_event {
	const struct qp_options *options;
	char name[32], queue[QP_MAX_NAME + 1], client[QP_MAX_NAME + 1],
		worker[QP_MAX_NAME + 1];
};

static void
copy(char *to, size_t size, struct qp_str s)
{
	size_t len = s.len < size ? s.len : size - 1;

	if (len > 0)
		memcpy(to, s.p, len);
	to[len] = 0;
}

static void
event_received(qb *q, const struct qp_options *o)
{
	static const struct qp_str none;
	struct qb_event event = {.options = o};

	if (!q->on_event || !QP_GIVEN(o, event))
		return;
	copy(event.name, sizeof(event.name), o->event);
	copy(event.queue, sizeof(event.queue), QP_GIVEN(o, queue) ? o->queue : none);
	copy(event.client, sizeof(event.client),
	     QP_GIVEN(o, client) ? o->client : none);
	copy(event.worker, sizeof(event.worker),
	     QP_GIVEN(o, worker) ? o->worker : none);
	q->in_callback = true;
	q->on_event(q, &event, q->on_event_arg);
	q->in_callback = false;
	verify_fork(q);
}

const char *
qb_event_name(const qb_event *event)
{
	return event->name;
}

const char *
qb_event_queue(const qb_event *event)
{
	return event->queue[0] ? event->queue : NULL;
}

const char *
qb_event_worker(const qb_event *event)
{
	return event->worker[0] ? event->worker : NULL;
}

const char *
qb_event_client(const qb_event *event)
{
	return event->client[0] ? event->client : NULL;
}

int64_t
qb_event_at(const qb_event *event)
{
	return (int64_t)QP_OPT(event->options, at_ms);
}

uint64_t
qb_event_id(const qb_event *event)
{
	return QP_OPT(event->options, id);
}

uint32_t
qb_event_deliveries(const qb_event *event)
{
	uint64_t n = QP_OPT(event->options, delivery);

	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

uint64_t
qb_event_pid(const qb_event *event)
{
	return QP_OPT(event->options, pid);
}

uint64_t
qb_event_count(const qb_event *event)
{
	return QP_OPT(event->options, count);
}

static struct qp_str
watched(const qb *q)
{
	if (!q->watched[0])
		return (struct qp_str){NULL, 0};
	return (struct qp_str){q->watched, (uint32_t)strlen(q->watched)};
}

void
notice_connected(qb *q)
{
	struct qp_request m = {.op = QP_OP_WATCH, .queue = watched(q)};
	struct qp_options lost = {0};

	if (!q->on_event || q->resumed || request_unheard(q, &m) != QB_OK)
		return;
	QP_GIVE(&lost, event, ((struct qp_str){"lost", 4}));
	event_received(q, &lost);
}

qb_result
qb_watch(qb *q, const char *queue, qb_watching *watching, void *arg)
{
	struct qp_request m = {.op = QP_OP_WATCH};
	struct wait w = {0};
	qb_result r;

	if ((queue && (r = verify_queue(q, queue, &m.queue))) ||
	    (r = verify_blocking(q)))
		return r;
	if (!watching)
		QP_GIVE(&m.options, stop, 1);
	/* An event may come with the answer. */
	q->on_event = watching;
	q->on_event_arg = arg;
	copy(q->watched, sizeof(q->watched), m.queue);
	r = request_call(q, &m, &w);
	if (r != QB_OK)
		q->on_event = NULL;
	return r;
}

void
notice_received(qb *q, const struct qp_reply *notice)
{
	if (notice->notice == QP_NOTICE_LEASE_ENDING)
		lease_ending(q, &notice->options);
	else if (notice->notice == QP_NOTICE_EVENT)
		event_received(q, &notice->options);
}

static qb_result
ask_for_notices(qb *q, bool wanted)
{
	struct qp_request m = {.op = QP_OP_PING};

	verify_fork(q);
	if (q->fd < 0) /* HELLO will say it */
		return QB_OK;
	QP_GIVE(&m.options, notices, wanted);
	return request_unheard(q, &m);
}

qb_result
qb_on_lease_ending(qb *q, qb_lease_ending *ending, void *arg)
{
	bool changes = !ending != !q->on_lease_ending;
	qb_result r = changes ? ask_for_notices(q, ending != NULL) : QB_OK;

	if (r != QB_OK)
		return r;
	q->on_lease_ending = ending;
	q->on_lease_ending_arg = arg;
	return QB_OK;
}
