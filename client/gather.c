/* SPDX-License-Identifier: MIT
 * See gather.h. */
#include "client/gather.h"
#include "client/client.h"
#include "client/item.h"
#include "client/pipeline.h"
#include "client/request.h"

#include <stdlib.h>

bool
gather_begin(qb *q, const char *queue)
{
	struct gather *g = &q->gather;

	gather_end_puts(q);
	if (!g->bodies && !(g->bodies = malloc(GATHER_BYTES)))
		return false;
	memcpy(g->queue, queue, strlen(queue) + 1);
	return true;
}

void
gather_end_puts(qb *q)
{
	struct gather *g = &q->gather;
	unsigned n = g->puts;
	const struct iovec part = {g->bodies, g->len};
	const struct bodies bodies = {&part, 1, g->len, false, NULL};
	struct qp_request m;

	if (n == 0)
		return;
	request_init(&m, n > 1 ? QP_OP_PUT_MANY : QP_OP_PUT);
	m.queue = (struct qp_str){g->queue, (uint32_t)strlen(g->queue)};
	m.timeout_ms = QP_FOREVER;
	if (n > 1)
		m.lengths = (struct qp_list){.n = n, .numbers = g->lengths};
	g->puts = 0;
	g->len = 0;
	pipeline_add(q, &m, &bodies, n);
}

void
gather_ack(qb *q, const qb_item *item)
{
	struct gather *g = &q->gather;

	if (g->acks == GATHER_ACKS)
		gather_end_all(q);
	g->tags[2 * g->acks] = (int64_t)item->id;
	g->tags[2 * g->acks++ + 1] = (int64_t)item->delivery;
}

static void
end_acks(qb *q)
{
	struct gather *g = &q->gather;
	unsigned n = g->acks;
	struct qp_request m;

	if (n == 0)
		return;
	request_init(&m, n > 1 ? QP_OP_ACK_MANY : QP_OP_ACK);
	m.epoch = q->epoch;
	m.id = (uint64_t)g->tags[0];
	m.delivery = (uint64_t)g->tags[1];
	if (n > 1)
		m.tags = (struct qp_list){.n = 2 * n, .numbers = g->tags};
	g->acks = 0;
	if (request_mute(q, &m) != QB_OK)
		q->out.failed = true;
}

/* --- gets -------------------------------------------------------------------------- */

static void
begin_gets(struct gather *g, const struct qp_request *m)
{
	request_init(&g->get, QP_OP_GET_RUN);
	memcpy(g->get_queue, m->queue.p, m->queue.len + 1);
	g->get.queue = (struct qp_str){g->get_queue, m->queue.len};
	g->get.timeout_ms = m->timeout_ms;
	g->get.ack = m->ack;
}

qb_result
gather_get(qb *q, const struct qp_request *m, struct call *call)
{
	if (!gather_takes_get(&q->gather, m->queue.p, m->timeout_ms, m->ack)) {
		gather_end_gets(q);
		begin_gets(&q->gather, m);
	}
	return gather_another_get(q, call);
}

qb_result
gather_another_get(qb *q, struct call *call)
{
	struct gather *g = &q->gather;
	struct call *slot;

	if (q->out.failed || !(slot = call_new(&q->calls)))
		return error_set(q, QB_NO_MEMORY, "there is no memory for the get");
	call->rid = slot->rid;
	call->op = QP_OP_GET_RUN;
	call->gathered = true;
	call->ack = (uint8_t)g->get.ack;
	call->deadline = request_deadline(&g->get);
	*slot = *call;
	if (call->rid != g->first_rid + g->gets) {
		gather_end_gets(q);
		g->first_rid = call->rid;
	}
	g->gets++;
	return QB_OK;
}

/* Of all of them what is left to the last one: so none ends early. It is less than at the start when
 * they waited for a connection. */
static uint64_t
time_left(const qb *q, uint64_t rid)
{
	uint64_t left = (uint64_t)deadline_left(call_find(&q->calls, rid)->deadline);

	return left < q->gather.get.timeout_ms ? left : q->gather.get.timeout_ms;
}

static void
end_gets(qb *q)
{
	struct gather *g = &q->gather;
	unsigned n = g->gets;
	struct qp_request m;
	struct qp_mark mark;

	if (n == 0)
		return;
	g->gets = 0;
	m = g->get;
	m.op = n > 1 ? QP_OP_GET_RUN : QP_OP_GET;
	m.rid = g->first_rid;
	m.max_items = n;
	if (m.timeout_ms != QP_FOREVER)
		m.timeout_ms = time_left(q, g->first_rid + n - 1);
	mark = request_encode(q, &m);
	for (unsigned i = 0; i < n && !q->out.failed; i++) {
		struct call *call = call_find(&q->calls, g->first_rid + i);

		call->op = (uint8_t)m.op;
		call->gathered = false;
		call->mark = mark;
		qp_out_pin(&q->out, &call->mark);
	}
}

void
gather_end_gets(qb *q)
{
	gather_end_puts(q);
	end_gets(q);
}

/* --- all --------------------------------------------------------------------------- */

void
gather_end_all(qb *q)
{
	gather_end_puts(q);
	end_acks(q);
	end_gets(q);
}

void
gather_forget_acks(struct gather *g)
{
	g->acks = 0;
}

void
gather_forget(struct gather *g)
{
	free(g->bodies);
	g->bodies = NULL;
	g->len = 0;
	g->puts = g->acks = g->gets = 0;
}
