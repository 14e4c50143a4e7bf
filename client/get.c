/* SPDX-License-Identifier: MIT
 * Gets, peek, and finishing what was got. */
#include "client/get.h"
#include "client/conn.h"
#include "client/item.h"
#include "client/lease.h"
#include "client/request.h"

#include <sys/socket.h>

/* --- getting ----------------------------------------------------------------------- */

void
get_send_ack(qb *q)
{
	if (q->fd >= 0 && (q->out.len > 0 || gather_waits(&q->gather)))
		(void)conn_flush(q, q->grace.wait_ms, WITHOUT(0));
}

qb_result
qb_get_with(qb *q, const char *queue, const qb_get_options *options, int64_t timeout_ms,
	    qb_ack_mode ack, qb_item **ret)
{
	struct wait w = {.take = request_take_item, .ret = ret, .ack = (uint8_t)ack};
	struct qp_request m;
	qb_result r;

	request_init(&m, QP_OP_GET);
	*ret = NULL;
	if ((r = verify_queue(q, queue, &m.queue)) ||
	    (r = verify_timeout(q, "timeout_ms", timeout_ms)) ||
	    (r = verify_ack(q, ack)) ||
	    (r = get_options_take(q, options, &m.options)) ||
	    (r = verify_waiting(q, &timeout_ms)))
		return r;
	m.timeout_ms = wire_timeout(timeout_ms);
	m.ack = (enum qp_ack)ack;
	r = request_wait(q, &m, NULL, &w, timeout_ms);
	if (r == QB_OK && ack == QB_AUTO)
		get_send_ack(q);
	return r;
}

qb_result
qb_get(qb *q, const char *queue, int64_t timeout_ms, qb_ack_mode ack, qb_item **ret)
{
	return qb_get_with(q, queue, NULL, timeout_ms, ack, ret);
}

struct many {
	qb_item **items;
	unsigned n;
};

static qb_result
take_items(qb *q, void *ret, struct answer *answer)
{
	struct many *many = ret;

	many->n = answer->n;
	for (unsigned i = 0; i < answer->n; i++) {
		many->items[i] = answer->items[i];
		answer->items[i] = NULL;
	}
	return QB_OK;
}

static qb_result
verify_get_many(qb *q, int64_t timeout_ms, qb_ack_mode ack, unsigned max_items,
		unsigned min_items, int64_t linger_ms)
{
	qb_result r;

	if ((r = verify_timeout(q, "timeout_ms", timeout_ms)) ||
	    (r = verify_timeout(q, "linger_ms", linger_ms)) ||
	    (r = verify_ack(q, ack)) ||
	    (r = verify_count(q, "max_items", max_items, QB_MAX_BATCH)))
		return r;
	return verify_count(q, "min_items", min_items, max_items);
}

qb_result
get_many_request(qb *q, const char *queue, const qb_get_options *options,
		 int64_t timeout_ms, qb_ack_mode ack, unsigned max_items,
		 unsigned min_items, uint64_t max_bytes, int64_t linger_ms,
		 struct qp_request *ret)
{
	qb_result r;

	request_init(ret, QP_OP_GET_MANY);
	if ((r = verify_queue(q, queue, &ret->queue)) ||
	    (r = verify_get_many(q, timeout_ms, ack, max_items, min_items,
				 linger_ms)) ||
	    (r = get_options_take(q, options, &ret->options)))
		return r;
	ret->timeout_ms = wire_timeout(timeout_ms);
	ret->ack = (enum qp_ack)ack;
	ret->max_items = max_items;
	QP_GIVE(&ret->options, min_items, min_items);
	if (max_bytes > 0)
		QP_GIVE(&ret->options, max_bytes,
			max_bytes < QP_MAX_COUNT ? max_bytes : QP_MAX_COUNT);
	if (linger_ms > 0)
		QP_GIVE(&ret->options, linger_ms,
			(uint64_t)linger_ms < QP_MAX_COUNT ? (uint64_t)linger_ms
							   : QP_MAX_COUNT);
	return QB_OK;
}

qb_result
qb_get_many_with(qb *q, const char *queue, const qb_get_options *options,
		 int64_t timeout_ms, qb_ack_mode ack, unsigned max_items,
		 unsigned min_items, uint64_t max_bytes, int64_t linger_ms,
		 qb_item **ret_items, unsigned *ret_n)
{
	struct many many = {ret_items, 0};
	struct wait w = {.take = take_items,
			 .ret = &many,
			 .ack = (uint8_t)ack,
			 .max_items = (uint16_t)max_items};
	struct qp_request m;
	int64_t longest;
	qb_result r;

	*ret_n = 0;
	if ((r = get_many_request(q, queue, options, timeout_ms, ack, max_items,
				  min_items, max_bytes, linger_ms, &m)) ||
	    (r = verify_waiting(q, &timeout_ms)))
		return r;
	m.timeout_ms = wire_timeout(timeout_ms);
	longest = linger_ms < QB_FOREVER - timeout_ms ? timeout_ms + linger_ms
						      : QB_FOREVER;
	r = request_wait(q, &m, NULL, &w, longest);
	*ret_n = many.n;
	if (r == QB_OK && ack == QB_AUTO)
		get_send_ack(q);
	return r;
}

qb_result
qb_get_many(qb *q, const char *queue, int64_t timeout_ms, qb_ack_mode ack,
	    unsigned max_items, unsigned min_items, uint64_t max_bytes,
	    int64_t linger_ms, qb_item **ret_items, unsigned *ret_n)
{
	return qb_get_many_with(q, queue, NULL, timeout_ms, ack, max_items, min_items,
				max_bytes, linger_ms, ret_items, ret_n);
}

qb_result
qb_peek(qb *q, const char *queue, qb_item **ret)
{
	struct wait w = {.take = request_take_item, .ret = ret};
	struct qp_request m = {.op = QP_OP_PEEK};
	qb_result r;

	*ret = NULL;
	if ((r = verify_queue(q, queue, &m.queue)) || (r = verify_blocking(q)))
		return r;
	return request_call(q, &m, &w);
}

/* --- finishing --------------------------------------------------------------------- */

/* ACK and RELEASE. */
static qb_result
run_item_request(qb *q, enum qp_op op, const qb_item *item)
{
	struct wait w = {0};
	struct qp_request m;
	qb_result r;

	request_init(&m, op);
	if ((r = verify_handle(q)) || (r = verify_held_for(q, &m, item)))
		return r;
	return request_call(q, &m, &w);
}

qb_result
qb_ack(qb *q, const qb_item *item)
{
	return run_item_request(q, QP_OP_ACK, item);
}

qb_result
qb_release(qb *q, const qb_item *item)
{
	return run_item_request(q, QP_OP_RELEASE, item);
}

qb_result
qb_ack_start(qb *q, const qb_item *item)
{
	enum conn_got got;
	qb_result r;

	if ((r = verify_held(q, item)))
		return r;
	gather_ack(q, item);
	if (q->out.len < SEND_BYTES || q->in_callback)
		return QB_OK;
	/* What is lost now is sent again later. What is done need not be kept. */
	if (conn_flush(q, NEVER, WITHOUT(0)) == QB_OK && q->fd >= 0)
		(void)conn_read(q, &got);
	return QB_OK;
}

static qb_result
take_stale(qb *q, void *ret, struct answer *answer)
{
	*(unsigned *)ret += answer->reply->stale.n;
	return QB_OK;
}

qb_result
qb_ack_many(qb *q, qb_item *const *items, unsigned n)
{
	int64_t tags[2 * QB_MAX_BATCH];
	unsigned stale = 0, leased = 0;
	struct wait w = {.take = take_stale, .ret = &stale};
	struct qp_request m = {.op = QP_OP_ACK_MANY};
	qb_result r;

	if ((r = verify_count(q, "n", n, QB_MAX_BATCH)) || (r = verify_handle(q)))
		return r;
	if (!items)
		return error_set(q, QB_INVALID, "the array of items is NULL");
	for (unsigned i = 0; i < n; i++) {
		if ((r = verify_item(q, items[i])))
			return r;
		if (verify_lease(q, items[i]) != QB_OK)
			continue;
		tags[2 * leased] = (int64_t)items[i]->id;
		tags[2 * leased++ + 1] = (int64_t)items[i]->delivery;
	}
	stale = n - leased;
	m.epoch = q->epoch;
	m.tags = (struct qp_list){.n = 2 * leased, .numbers = tags};
	if (leased > 0 &&
	    ((r = verify_connected(q, 0)) || (r = request_call(q, &m, &w))))
		return r;
	if (stale == 0)
		return QB_OK;
	return error_set(q, QB_STALE, "%u of %u items were stale", stale, n);
}
