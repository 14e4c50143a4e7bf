/* SPDX-License-Identifier: MIT
 * Looking at queues and changing them: PEEK to STATS. */
#include <inttypes.h>
#include <string.h>

#include "daemon/net/deliver.h"
#include "daemon/net/handlers.h"
#include "daemon/net/server.h"

void
handle_peek(struct conn *c, struct qp_request *m, struct frame *f)
{
	struct qe_item *item;
	enum qe_result result = qe_peek(c->server->engine, request_queue(m), &item);

	if (result == QE_OK)
		deliver_item(c, QP_OP_PEEK, m->rid, item);
	else
		deliver_result(c, m->rid, result);
}

void
handle_size(struct conn *c, struct qp_request *m, struct frame *f)
{
	struct qp_reply reply = {0};
	struct qe_size size;
	enum qe_result result = qe_size(c->server->engine, request_queue(m), &size);

	if (result != QE_OK) {
		deliver_result(c, m->rid, result);
		return;
	}
	reply.qsize = size.qsize;
	reply.unfinished = size.unfinished;
	reply.maxsize = size.maxsize;
	deliver_fields(c, m, &reply);
}

static bool
read_order(const struct qp_options *o, enum qe_order *ret)
{
	for (int i = 0; i < ORDERS; i++)
		if (strlen(order_names[i]) == o->order.len &&
		    memcmp(order_names[i], o->order.p, o->order.len) == 0) {
			*ret = (enum qe_order)i;
			return true;
		}
	return false;
}

static void
refuse_mismatch(struct conn *c, const struct qp_request *m,
		const struct qe_declare *declare, const struct qe_queue_stats *has)
{
	const struct qp_options *o = &m->options;

	if (QP_GIVEN(o, maxsize) && o->maxsize != has->maxsize)
		deliver_refusal(c, m->rid, QP_MISMATCH,
				"the queue has maxsize %" PRId64 ", not %" PRId64,
				has->maxsize, o->maxsize);
	else if (declare->has_order && declare->order != has->order)
		deliver_refusal(c, m->rid, QP_MISMATCH,
				"the queue has order %s, not %s",
				order_names[has->order], order_names[declare->order]);
	else
		deliver_refusal(c, m->rid, QP_MISMATCH,
				"the queue has max_bytes %" PRIu64 ", not %" PRIu64,
				has->max_bytes, o->max_bytes);
}

void
handle_declare(struct conn *c, struct qp_request *m, struct frame *f)
{
	const struct qp_options *o = &m->options;
	struct qe_declare declare = {
		.has_maxsize = QP_GIVEN(o, maxsize),
		.maxsize = QP_OPT(o, maxsize),
		.has_max_bytes = QP_GIVEN(o, max_bytes),
		.max_bytes = QP_OPT(o, max_bytes),
		.has_order = QP_GIVEN(o, order),
		.update = QP_OPT(o, update),
	};
	struct qp_reply reply = {0};
	struct qe_queue_stats has;
	enum qe_result result;

	if (declare.has_order && !read_order(o, &declare.order)) {
		deliver_refusal(c, m->rid, QP_INVALID,
				"option order must be fifo, lifo or priority");
		return;
	}
	result = qe_declare(c->server->engine, c->server->now_ns, request_queue(m),
			    &declare, &reply.created, &has);
	if (result == QE_OK)
		deliver_fields(c, m, &reply);
	else if (result == QE_MISMATCH)
		refuse_mismatch(c, m, &declare, &has);
	else if (result == QE_NOT_EMPTY)
		deliver_refusal(c, m->rid, QP_NOT_EMPTY,
				"the order cannot change while the queue has items");
	else
		deliver_result(c, m->rid, result);
}

void
handle_delete(struct conn *c, struct qp_request *m, struct frame *f)
{
	answer_result(c, m,
		      qe_delete(c->server->engine, c->server->now_ns, request_queue(m),
				QP_OPT(&m->options, force)));
}

void
handle_purge(struct conn *c, struct qp_request *m, struct frame *f)
{
	struct qp_reply reply = {0};
	enum qe_result result = qe_purge(c->server->engine, c->server->now_ns,
					 request_queue(m), &reply.count);

	if (result == QE_OK)
		deliver_fields(c, m, &reply);
	else
		deliver_result(c, m->rid, result);
}

void
handle_shutdown(struct conn *c, struct qp_request *m, struct frame *f)
{
	answer_result(c, m,
		      qe_shutdown(c->server->engine, c->server->now_ns,
				  request_queue(m), QP_OPT(&m->options, immediate)));
}

void
handle_reopen(struct conn *c, struct qp_request *m, struct frame *f)
{
	answer_result(c, m,
		      qe_reopen(c->server->engine, c->server->now_ns,
				request_queue(m)));
}

void
handle_queues(struct conn *c, struct qp_request *m, struct frame *f)
{
	report_queues(c, m);
}

void
handle_stats(struct conn *c, struct qp_request *m, struct frame *f)
{
	report_stats(c, m);
}
