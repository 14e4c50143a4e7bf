/* SPDX-License-Identifier: MIT
 * Leases that end: what a get says of them, and touching. */
#include "client/lease.h"
#include "client/item.h"
#include "client/request.h"

#include <stdlib.h>

qb_get_options *
qb_get_options_new(void)
{
	return calloc(1, sizeof(qb_get_options));
}

void
qb_get_options_free(qb_get_options *options)
{
	free(options);
}

void
qb_get_options_set_lease(qb_get_options *options, int64_t lease_ms)
{
	options->lease_ms = lease_ms;
}

qb_result
lease_option(qb *q, int64_t lease_ms, struct qp_options *ret)
{
	qb_result r = verify_timeout(q, "lease_ms", lease_ms);

	if (r == QB_OK && lease_ms > 0) /* on the wire 0 is for ever */
		QP_GIVE(ret, lease_ms,
			(uint64_t)lease_ms <= QP_MAX_COUNT ? (uint64_t)lease_ms : 0);
	return r;
}

qb_result
get_options_take(qb *q, const qb_get_options *options, struct qp_options *ret)
{
	return options ? lease_option(q, options->lease_ms, ret) : QB_OK;
}

struct touched {
	int64_t left_ms;
	int cancelled;
};

static qb_result
take_touched(qb *q, void *ret, struct answer *answer)
{
	const struct qp_options *o = &answer->reply->options;

	*(struct touched *)ret = (struct touched){
		QP_GIVEN(o, left_ms) ? (int64_t)o->left_ms : QB_FOREVER,
		QP_OPT(o, cancelled) != 0,
	};
	return QB_OK;
}

qb_result
qb_touch(qb *q, const qb_item *item, int64_t lease_ms, int64_t *ret_left_ms,
	 int *ret_cancelled)
{
	struct touched touched;
	struct wait w = {.take = take_touched, .ret = &touched};
	struct qp_request m = {.op = QP_OP_TOUCH};
	qb_result r;

	if ((r = verify_handle(q)) || (r = lease_option(q, lease_ms, &m.options)) ||
	    (r = verify_held_for(q, &m, item)))
		return r;
	r = request_call(q, &m, &w);
	if (r == QB_OK && ret_left_ms)
		*ret_left_ms = touched.left_ms;
	if (r == QB_OK && ret_cancelled)
		*ret_cancelled = touched.cancelled;
	return r;
}
