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
		gather_end(q);
	g->tags[2 * g->acks] = (int64_t)item->id;
	g->tags[2 * g->acks++ + 1] = (int64_t)item->delivery;
}

void
gather_end(qb *q)
{
	struct gather *g = &q->gather;
	unsigned n = g->acks;
	struct qp_request m;

	gather_end_puts(q);
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
	g->puts = g->acks = 0;
}
