/* SPDX-License-Identifier: MIT
 * Items that are not finished: NACK to UPDATE, and what is done with dead ones. */
#include "daemon/net/deliver.h"
#include "daemon/net/handlers.h"
#include "daemon/net/server.h"

static struct qe_name
request_error(const struct qp_request *m)
{
	const struct qp_options *o = &m->options;

	if (!QP_GIVEN(o, error))
		return (struct qe_name){"", 0};
	return (struct qe_name){o->error.p, o->error.len};
}

void
handle_nack(struct conn *c, struct qp_request *m, struct frame *f)
{
	const struct qp_options *o = &m->options;
	struct qe_nack nack = {
		.error = request_error(m),
		.has_delay = QP_GIVEN(o, delay_ms),
		.delay_ns = request_deadline(0, QP_OPT(o, delay_ms)),
		.tail = QP_OPT(o, tail),
	};

	answer_result(c, m,
		      qe_nack(c->server->engine, c->server->now_ns, c->session->qe,
			      request_tag(m), &nack));
}

void
handle_bury(struct conn *c, struct qp_request *m, struct frame *f)
{
	answer_result(c, m,
		      qe_bury(c->server->engine, c->server->now_ns, c->session->qe,
			      request_tag(m), request_error(m)));
}

void
handle_update(struct conn *c, struct qp_request *m, struct frame *f)
{
	struct qe_item *item = request_item(c, m, f);

	if (!item)
		return;
	qe_item_set_ctype(item, (uint8_t)QP_OPT(&m->options, ctype));
	answer_result(c, m,
		      qe_update(c->server->engine, c->server->now_ns, c->session->qe,
				request_tag(m), item));
}

/* --- dead items ------------------------------------------------------------------ */

/* The count of a call, or that there is no such item. */
static void
answer_count(struct conn *c, const struct qp_request *m, enum qe_result result,
	     uint64_t count)
{
	struct qp_reply reply = {.count = count};

	if (result == QE_OK)
		deliver_fields(c, m, &reply);
	else if (result == QE_NOT_FOUND && QP_GIVEN(&m->options, id))
		deliver_refusal(c, m->rid, QP_NOT_FOUND,
				"the queue has no dead item with this id");
	else
		deliver_result(c, m->rid, result);
}

void
handle_kick(struct conn *c, struct qp_request *m, struct frame *f)
{
	uint64_t count = 0;
	enum qe_result result =
		qe_kick(c->server->engine, c->server->now_ns, request_queue(m),
			QP_OPT(&m->options, id), (unsigned)m->max_items, &count);

	answer_count(c, m, result, count);
}

void
handle_dead_purge(struct conn *c, struct qp_request *m, struct frame *f)
{
	uint64_t count = 0;
	enum qe_result result =
		qe_dead_purge(c->server->engine, c->server->now_ns, request_queue(m),
			      QP_OPT(&m->options, id), &count);

	answer_count(c, m, result, count);
}

void
handle_show(struct conn *c, struct qp_request *m, struct frame *f)
{
	struct qe *e = c->server->engine;
	bool waiting = QP_OPT(&m->options, waiting);
	struct qe_shown shown;
	enum qe_result result =
		waiting ? qe_look(e, c->server->now_ns, request_queue(m), m->id,
				  &c->search, &shown)
			: qe_show(e, c->server->now_ns, request_queue(m), m->id,
				  &shown);

	if (result == QE_WAIT || result == QE_AGAIN)
		call_again(c, result);
	else if (result == QE_OK)
		deliver_shown(c, m->rid, &shown);
	else if (result == QE_NOT_FOUND)
		deliver_refusal(c, m->rid, QP_NOT_FOUND,
				"the queue has no %sitem with this id",
				waiting ? "" : "dead or leased ");
	else
		deliver_result(c, m->rid, result);
}
