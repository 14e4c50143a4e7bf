/* SPDX-License-Identifier: MIT
 * Notices. The broker is told that they are wanted when the first function asks for them,
 * on a connection that is there by a PING. */
#include "client/notice.h"
#include "client/request.h"

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

void
notice_received(qb *q, const struct qp_reply *notice)
{
	if (notice->notice == QP_NOTICE_LEASE_ENDING)
		lease_ending(q, &notice->options);
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
