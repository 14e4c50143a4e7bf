/* SPDX-License-Identifier: MIT
 * Gets from many queues. */
#include "client/get.h"
#include "client/lease.h"
#include "client/request.h"

static qb_result
verify_queues(qb *q, const char *const *queues, unsigned n, struct qp_str *ret_names)
{
	qb_result r = verify_count(q, "n", n, QP_MAX_ANY);

	if (r == QB_OK && !queues)
		return error_set(q, QB_INVALID, "the array of queues is NULL");
	for (unsigned i = 0; i < n && r == QB_OK; i++)
		r = verify_queue(q, queues[i], &ret_names[i]);
	return r;
}

/* Fills in the request; its names are in `names`. */
static qb_result
any_request(qb *q, const char *const *queues, unsigned n, qb_any_mode mode,
	    const qb_get_options *options, int64_t timeout_ms, qb_ack_mode ack,
	    struct qp_str *names, struct qp_request *ret)
{
	qb_result r;

	request_init(ret, QP_OP_GET_ANY);
	if ((r = verify_queues(q, queues, n, names)) ||
	    (r = verify_timeout(q, "timeout_ms", timeout_ms)) ||
	    (r = verify_ack(q, ack)) ||
	    (r = get_options_take(q, options, &ret->options)))
		return r;
	if (mode != QB_STRICT && mode != QB_ROUND_ROBIN)
		return error_set(q, QB_INVALID, "%d is no mode", (int)mode);
	if (mode == QB_ROUND_ROBIN)
		QP_GIVE(&ret->options, mode, ((struct qp_str){"round_robin", 11}));
	ret->queues = (struct qp_names){.n = n, .names = names};
	ret->timeout_ms = wire_timeout(timeout_ms);
	ret->ack = (enum qp_ack)ack;
	ret->max_items = n; /* inbox.c: `which` is below it */
	return QB_OK;
}

struct any {
	qb_item *item;
	unsigned which;
};

static qb_result
take_any(qb *q, void *ret, struct answer *answer)
{
	struct any *any = ret;

	any->which = (unsigned)QP_OPT(&answer->reply->options, which);
	any->item = answer->items[0];
	answer->items[0] = NULL;
	return QB_OK;
}

qb_result
qb_get_any(qb *q, const char *const *queues, unsigned n, qb_any_mode mode,
	   const qb_get_options *options, int64_t timeout_ms, qb_ack_mode ack,
	   qb_item **ret, unsigned *ret_which)
{
	struct qp_str names[QP_MAX_ANY];
	struct any any = {0};
	struct wait w = {.take = take_any,
			 .ret = &any,
			 .ack = (uint8_t)ack,
			 .max_items = (uint16_t)n};
	struct qp_request m;
	qb_result r;

	*ret = NULL;
	if ((r = any_request(q, queues, n, mode, options, timeout_ms, ack, names,
			     &m)) ||
	    (r = verify_waiting(q, &timeout_ms)))
		return r;
	m.timeout_ms = wire_timeout(timeout_ms);
	r = request_wait(q, &m, NULL, &w, timeout_ms);
	*ret = any.item;
	if (r == QB_OK && ret_which)
		*ret_which = any.which;
	if (r == QB_OK && ack == QB_AUTO)
		get_send_ack(q);
	return r;
}

qb_result
qb_start_get_any(qb *q, const char *const *queues, unsigned n, qb_any_mode mode,
		 const qb_get_options *options, int64_t timeout_ms, qb_ack_mode ack,
		 qb_done *done, void *arg, uint64_t *ret_request)
{
	struct qp_str names[QP_MAX_ANY];
	struct qp_request m;
	qb_result r;

	if ((r = any_request(q, queues, n, mode, options, timeout_ms, ack, names, &m)))
		return r;
	return start_request(q, &m, done, arg, ret_request);
}
