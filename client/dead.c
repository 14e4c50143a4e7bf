/* SPDX-License-Identifier: MIT
 * Items that are not finished: giving them back as failed, giving them up, changing them; and
 * what can be done with dead ones. */
#include "client/item.h"
#include "client/request.h"

#include <string.h>

#define MAX_ERROR 4096 /* bytes that the broker takes */

/* --- of the holder ----------------------------------------------------------------- */

/* The end of a text says most; a character is not cut. */
static struct qp_str
last_part(const char *text)
{
	size_t len = strlen(text);

	if (len > MAX_ERROR) {
		text += len - MAX_ERROR;
		len = MAX_ERROR;
		while (len > 0 && ((unsigned char)*text & 0xc0) == 0x80) {
			text++;
			len--;
		}
	}
	return (struct qp_str){text, (uint32_t)len};
}

/* A request about an item that this session holds; the operation and its options are in `m`. */
static qb_result
run_for_item(qb *q, struct qp_request *m, const qb_item *item, const char *error)
{
	struct wait w = {0};
	qb_result r;

	if ((r = verify_handle(q)) || (r = verify_held_for(q, m, item)))
		return r;
	if (error && *error)
		QP_GIVE(&m->options, error, last_part(error));
	return request_call(q, m, &w);
}

qb_result
qb_nack(qb *q, const qb_item *item, int64_t delay_ms, const char *error, int tail)
{
	struct qp_request m = {.op = QP_OP_NACK};
	qb_result r;

	if (delay_ms != QB_RETRY) {
		if ((r = verify_timeout(q, "delay_ms", delay_ms)))
			return r;
		if ((uint64_t)delay_ms > QP_MAX_COUNT)
			delay_ms = (int64_t)QP_MAX_COUNT;
		QP_GIVE(&m.options, delay_ms, (uint64_t)delay_ms);
	}
	if (tail)
		QP_GIVE(&m.options, tail, 1);
	return run_for_item(q, &m, item, error);
}

qb_result
qb_bury(qb *q, const qb_item *item, const char *error)
{
	struct qp_request m = {.op = QP_OP_BURY};

	return run_for_item(q, &m, item, error);
}

qb_result
qb_update(qb *q, const qb_item *item, uint8_t ctype, const void *body, size_t len)
{
	const struct iovec part = {(void *)body, len};
	const struct bodies bodies = {&part, 1, len, true, NULL};
	struct wait w = {0};
	struct qp_request m = {.op = QP_OP_UPDATE};
	qb_result r;

	if ((r = verify_handle(q)) || (r = verify_held_for(q, &m, item)) ||
	    (r = verify_body(q, body, len)))
		return r;
	if (ctype)
		QP_GIVE(&m.options, ctype, ctype);
	return request_run(q, &m, &bodies, &w, q->grace.call_ms);
}

/* --- of the dead ------------------------------------------------------------------- */

static qb_result
show(qb *q, const char *queue, uint64_t id, bool waiting, qb_item **ret)
{
	struct wait w = {.take = request_take_item, .ret = ret};
	struct qp_request m = {.op = QP_OP_SHOW, .id = id};
	qb_result r;

	*ret = NULL;
	if (waiting)
		QP_GIVE(&m.options, waiting, 1);
	if ((r = verify_queue(q, queue, &m.queue)) || (r = verify_id(q, id)) ||
	    (r = verify_blocking(q)))
		return r;
	return request_call(q, &m, &w);
}

qb_result
qb_show(qb *q, const char *queue, uint64_t id, qb_item **ret)
{
	return show(q, queue, id, false, ret);
}

qb_result
qb_look(qb *q, const char *queue, uint64_t id, qb_item **ret)
{
	return show(q, queue, id, true, ret);
}

/* For all, or with an id for this one. */
static qb_result
run_for_dead(qb *q, struct qp_request *m, const char *queue, uint64_t id,
	     uint64_t *ret_count)
{
	struct wait w = {.take = request_take_count, .ret = ret_count};
	qb_result r;

	if ((r = verify_queue(q, queue, &m->queue)) ||
	    (id > 0 && (r = verify_id(q, id))) || (r = verify_blocking(q)))
		return r;
	if (id > 0)
		QP_GIVE(&m->options, id, id);
	return request_call(q, m, &w);
}

qb_result
qb_kick(qb *q, const char *queue, uint64_t id, unsigned max_items, uint64_t *ret_count)
{
	struct qp_request m = {.op = QP_OP_KICK, .max_items = max_items};
	qb_result r = verify_count(q, "max_items", max_items, QB_MAX_BATCH);

	return r ? r : run_for_dead(q, &m, queue, id, ret_count);
}

qb_result
qb_dead_purge(qb *q, const char *queue, uint64_t id, uint64_t *ret_count)
{
	struct qp_request m = {.op = QP_OP_DEAD_PURGE};

	return run_for_dead(q, &m, queue, id, ret_count);
}
