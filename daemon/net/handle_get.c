/* SPDX-License-Identifier: MIT
 * Getting, waiting and finishing: GET to CANCEL. */
#include <inttypes.h>
#include <string.h>

#include "daemon/net/deliver.h"
#include "daemon/net/handlers.h"
#include "daemon/net/run.h"
#include "daemon/net/server.h"

/* --- get, join ------------------------------------------------------------------- */

static void
get(struct conn *c, const struct qp_request *m, struct qe_get *args)
{
	uint64_t now_ns = c->server->now_ns;
	struct qe_reply reply;

	deliver_first(c);
	args->deadline_ns = request_deadline(now_ns, m->timeout_ms);
	args->no_ack = m->ack == QP_ACK_NONE;
	args->lease_ns = request_lease(m);
	answer_reply(c, m,
		     qe_get(c->server->engine, now_ns, c->session->qe, m->rid,
			    request_queue(m), args, &reply),
		     &reply);
}

void
handle_get(struct conn *c, struct qp_request *m, struct frame *f)
{
	get(c, m, &(struct qe_get){.many = false});
}

/* What one frame can have of `n` items. */
static struct qe_get
bounded(uint64_t n)
{
	return (struct qe_get){
		.many = true,
		.max_items = (unsigned)n,
		.min_items = 1,
		.max_bytes = QP_MAX_BATCH_BYTES,
		.max_said = QP_MAX_HEAD - QE_SAID,
	};
}

void
handle_get_many(struct conn *c, struct qp_request *m, struct frame *f)
{
	const struct qp_options *o = &m->options;
	uint64_t min_items = QP_GIVEN(o, min_items) ? o->min_items : 1;
	uint64_t max_bytes = QP_OPT(o, max_bytes);
	struct qe_get args = bounded(m->max_items);

	if (min_items > m->max_items) {
		deliver_refusal(c, m->rid, QP_INVALID,
				"GET_MANY: min_items %" PRIu64
				" is above max_items %" PRIu64,
				min_items, m->max_items);
		return;
	}
	args.min_items = (unsigned)min_items;
	if (max_bytes > 0 && max_bytes < args.max_bytes)
		args.max_bytes = max_bytes;
	args.linger_ns = request_deadline(0, QP_OPT(o, linger_ms));
	get(c, m, &args);
}

/* As many of the gets as there are items for now, all at once. Returns how many. */
static uint64_t
give_ready(struct conn *c, const struct qp_request *m)
{
	struct qe_reply reply;
	uint64_t n = 0;

	while (n < m->max_items) {
		struct qe_get args = bounded(m->max_items - n);

		deliver_first(c);
		args.no_ack = m->ack == QP_ACK_NONE;
		args.here = true; /* else each waits by itself, as long as it may */
		if (qe_get(c->server->engine, c->server->now_ns, c->session->qe,
			   m->rid + n, request_queue(m), &args, &reply) != QE_OK)
			break;
		n += reply.n;
		run_deliver(c, m->rid + n - reply.n, &reply);
	}
	return n;
}

void
handle_get_run(struct conn *c, struct qp_request *m, struct frame *f)
{
	uint64_t now_ns = c->server->now_ns;
	struct qe_get args = {
		.run = true,
		.deadline_ns = request_deadline(now_ns, m->timeout_ms),
		.no_ack = m->ack == QP_ACK_NONE,
	};
	struct qe_reply reply;
	struct run run;

	if (m->max_items > QP_MAX_RUN || m->rid - 1 > INT64_MAX - m->max_items) {
		deliver_refusal(c, m->rid, QP_INVALID,
				"GET_RUN: %" PRIu64
				" gets from rid %" PRIu64
				" on; at most %d are allowed, with rids up to 2^63-1",
				m->max_items, m->rid, QP_MAX_RUN);
		return;
	}
	run.n = 0;
	for (uint64_t rid = m->rid + give_ready(c, m); rid < m->rid + m->max_items; rid++) {
		enum qe_result result;

		if (qe_has_reply(c->server->engine)) {
			run_end(&run);
			deliver_first(c);
		}
		result = qe_get(c->server->engine, now_ns, c->session->qe, rid,
				request_queue(m), &args, &reply);
		if (result == QE_OK) {
			run_add(&run, c, rid, &reply, (struct qe_after){0, 0});
			continue;
		}
		run_end(&run);
		if (result != QE_WAIT)
			deliver_result(c, rid, result);
	}
	run_end(&run);
}

static bool
read_mode(const struct qp_options *o, bool *ret_round_robin)
{
	struct qp_str mode = {"strict", 6};

	if (QP_GIVEN(o, mode))
		mode = o->mode;
	*ret_round_robin = mode.len == 11 && memcmp(mode.p, "round_robin", 11) == 0;
	return *ret_round_robin || (mode.len == 6 && memcmp(mode.p, "strict", 6) == 0);
}

/* Whether the names are different; the refusal names one that comes twice. */
static bool
all_different(struct conn *c, const struct qp_request *m, const struct qe_name *names)
{
	for (unsigned i = 0; i < m->queues.n; i++)
		for (unsigned k = 0; k < i; k++)
			if (names[i].len == names[k].len &&
			    memcmp(names[i].p, names[k].p, names[i].len) == 0) {
				deliver_refusal(
					c, m->rid, QP_INVALID,
					"GET_ANY: the queue %.*s is named twice",
					(int)names[i].len, names[i].p);
				return false;
			}
	return true;
}

void
handle_get_any(struct conn *c, struct qp_request *m, struct frame *f)
{
	uint64_t now_ns = c->server->now_ns;
	struct qe_name names[QP_MAX_ANY];
	struct qe_any any = {.queues = names, .n = m->queues.n};
	struct qe_get args = {
		.deadline_ns = request_deadline(now_ns, m->timeout_ms),
		.no_ack = m->ack == QP_ACK_NONE,
		.lease_ns = request_lease(m),
	};
	struct qp_names queues = m->queues;
	struct qe_reply reply;
	enum qe_result result;

	if (!read_mode(&m->options, &any.round_robin)) {
		deliver_refusal(c, m->rid, QP_INVALID,
				"option mode must be strict or round_robin");
		return;
	}
	for (unsigned i = 0; i < any.n; i++) {
		struct qp_str name = qp_names_next(&queues);

		names[i] = (struct qe_name){name.p, name.len};
	}
	deliver_first(c);
	result = qe_get_any(c->server->engine, now_ns, c->session->qe, m->rid, &any,
			    &args, &reply);
	if (result != QE_INVALID || all_different(c, m, names))
		answer_reply(c, m, result, &reply);
}

void
handle_join(struct conn *c, struct qp_request *m, struct frame *f)
{
	uint64_t now_ns = c->server->now_ns;
	struct qe_join join = {
		.deadline_ns = request_deadline(now_ns, m->timeout_ms),
		.group = request_group(&m->options),
		.strict = QP_OPT(&m->options, strict),
		.stall_ns = request_deadline(0, QP_OPT(&m->options, stall_ms)),
	};
	enum qe_result result;

	if (!valid_group(c, m))
		return;
	result = qe_join(c->server->engine, now_ns, c->session->qe, m->rid,
			 request_queue(m), &join);
	if (result != QE_WAIT)
		answer_result(c, m, result);
}

void
handle_cancel(struct conn *c, struct qp_request *m, struct frame *f)
{
	answer_result(c, m,
		      qe_cancel(c->server->engine, c->server->now_ns, c->session->qe,
				m->target));
}

void
handle_cancel_group(struct conn *c, struct qp_request *m, struct frame *f)
{
	struct qe_name group = {m->group.p, m->group.len};
	struct qp_reply reply = {0};
	struct qe_cancelled cancelled;
	enum qe_result result = qe_cancel_group(c->server->engine, c->server->now_ns,
						request_queue(m), group, &cancelled);

	if (result != QE_OK) {
		deliver_result(c, m->rid, result);
		return;
	}
	reply.count = cancelled.dropped;
	if (cancelled.held > 0)
		QP_GIVE(&reply.options, held, cancelled.held);
	deliver_fields(c, m, &reply);
}

/* --- finishing ------------------------------------------------------------------- */

void
handle_ack(struct conn *c, struct qp_request *m, struct frame *f)
{
	answer_result(c, m,
		      qe_ack(c->server->engine, c->server->now_ns, c->session->qe,
			     request_tag(m)));
}

void
handle_ack_many(struct conn *c, struct qp_request *m, struct frame *f)
{
	int64_t stale[QP_MAX_BATCH_ITEMS];
	struct qp_reply reply = {.stale = {.numbers = stale}};
	uint64_t now_ns = c->server->now_ns;

	for (uint32_t i = 0; i < m->tags.n / 2; i++) {
		struct qe_tag tag = {.epoch = m->epoch};

		tag.id = qp_list_next(&m->tags);
		tag.delivery = qp_list_next(&m->tags);
		if (qe_ack(c->server->engine, now_ns, c->session->qe, tag) != QE_OK)
			stale[reply.stale.n++] = i;
	}
	deliver_fields(c, m, &reply);
}

void
handle_task_done(struct conn *c, struct qp_request *m, struct frame *f)
{
	answer_result(c, m,
		      qe_task_done(c->server->engine, c->server->now_ns, c->session->qe,
				   request_queue(m)));
}

void
handle_release(struct conn *c, struct qp_request *m, struct frame *f)
{
	answer_result(c, m,
		      qe_release(c->server->engine, c->server->now_ns, c->session->qe,
				 request_tag(m)));
}

void
handle_touch(struct conn *c, struct qp_request *m, struct frame *f)
{
	struct qp_reply reply = {0};
	struct qe_touched touched;
	enum qe_result result =
		qe_touch(c->server->engine, c->server->now_ns, c->session->qe,
			 request_tag(m), request_lease(m), &touched);

	if (result != QE_OK) {
		deliver_result(c, m->rid, result);
		return;
	}
	if (touched.left_ns != QE_NEVER)
		QP_GIVE(&reply.options, left_ms, touched.left_ns / 1000000);
	if (touched.cancelled)
		QP_GIVE(&reply.options, cancelled, 1);
	deliver_fields(c, m, &reply);
}
