/* SPDX-License-Identifier: MIT
 * Puts: one at a time, many in a request, and pipelined. */
#include "client/put.h"
#include "client/buffer.h"
#include "client/options.h"
#include "client/pass.h"
#include "client/request.h"

/* --- waiting for the confirmation -------------------------------------------------- */

static qb_result
take_id(qb *q, void *ret, struct answer *answer)
{
	if (ret)
		*(uint64_t *)ret = answer->reply->id;
	q->duplicate = QP_OPT(&answer->reply->options, duplicate);
	return QB_OK;
}

int
qb_was_duplicate(const qb *q)
{
	return q->duplicate;
}

/* Verifies and sends a put whose operation and options are filled in. */
static qb_result
put_one(qb *q, struct qp_request *m, const char *queue, const void *body, size_t len,
	int64_t timeout_ms, uint64_t *ret_id, qb_buffer *buffer)
{
	const struct iovec part = {(void *)body, len};
	struct bodies bodies = {&part, 1, len, true, NULL};
	struct wait w = {.take = take_id, .ret = ret_id};
	qb_result r;

	if ((r = verify_queue(q, queue, &m->queue)) ||
	    (r = verify_timeout(q, "timeout_ms", timeout_ms)) ||
	    (r = verify_waiting(q, &timeout_ms)) || (r = verify_body(q, body, len)))
		return r;
	m->timeout_ms = wire_timeout(timeout_ms);
	if (buffer && len >= PASS_BYTES && q->memfds != MEMFDS_NONE)
		bodies.file = buffer_seal(buffer);
	if (bodies.file)
		return pass_put(q, m, &bodies, &w, timeout_ms);
	return request_wait(q, m, &bodies, &w, timeout_ms);
}

qb_result
qb_put_with(qb *q, const char *queue, const qb_put_options *options, const void *body,
	    size_t len, int64_t timeout_ms, uint64_t *ret_id)
{
	struct qp_request m;
	qb_result r;

	request_init(&m, QP_OP_PUT);
	if ((r = options_take(q, options, &m.options)))
		return r;
	return put_one(q, &m, queue, body, len, timeout_ms, ret_id, NULL);
}

qb_result
qb_put_buffer(qb *q, const char *queue, const qb_put_options *options,
	      qb_buffer *buffer, int64_t timeout_ms, uint64_t *ret_id)
{
	struct qp_request m;
	qb_result r;

	request_init(&m, QP_OP_PUT);
	if (!buffer)
		return error_set(q, QB_INVALID, "the buffer is NULL");
	if ((r = options_take(q, options, &m.options)) ||
	    (r = put_one(q, &m, queue, buffer->file.bytes, buffer->file.len, timeout_ms,
			 ret_id, buffer)))
		return r;
	qb_buffer_free(buffer);
	return QB_OK;
}

qb_result
qb_put_typed(qb *q, const char *queue, uint8_t ctype, const void *body, size_t len,
	     int64_t timeout_ms, uint64_t *ret_id)
{
	struct qp_request m;

	request_init(&m, QP_OP_PUT);
	if (ctype)
		QP_GIVE(&m.options, ctype, ctype);
	return put_one(q, &m, queue, body, len, timeout_ms, ret_id, NULL);
}

qb_result
qb_put(qb *q, const char *queue, const void *body, size_t len, int64_t timeout_ms,
       uint64_t *ret_id)
{
	return qb_put_with(q, queue, NULL, body, len, timeout_ms, ret_id);
}

/* --- many -------------------------------------------------------------------------- */

qb_result
put_many_results(qb *q, struct qp_list list, unsigned n, int64_t *ret_ids)
{
	unsigned refused = 0, first = 0,
		 status = 0; /* the refused one that came first */

	if (list.n != n)
		return error_set(q, QB_MALFORMED,
				 "the broker gave %u results for %u items", list.n, n);
	for (unsigned i = 0; i < n; i++) {
		int64_t id = qp_list_next_signed(&list);

		if (id == 0 || id < -UINT16_MAX)
			return error_set(q, QB_MALFORMED,
					 "the broker gave the result %lld for an item",
					 (long long)id);
		if (ret_ids)
			ret_ids[i] = id;
		if (id < 0 && refused++ == 0) {
			first = i;
			status = (unsigned)-id;
		}
	}
	if (refused == 0)
		return QB_OK;
	if (!qp_status_name(status))
		return error_status(q, status, (struct qp_str){NULL, 0});
	return error_set(q, (qb_result)status,
			 "%u of %u items were refused; the first was item %u: %s",
			 refused, n, first, qp_status_text(status));
}

qb_result
put_many_request(qb *q, const char *queue, const qb_put_options *options, unsigned n,
		 int atomic, int64_t timeout_ms, struct qp_request *ret)
{
	qb_result r;

	request_init(ret, QP_OP_PUT_MANY);
	if ((r = verify_queue(q, queue, &ret->queue)) ||
	    (r = verify_timeout(q, "timeout_ms", timeout_ms)) ||
	    (r = verify_count(q, "n", n, QB_MAX_BATCH)) ||
	    (r = options_take(q, options, &ret->options)))
		return r;
	ret->timeout_ms = wire_timeout(timeout_ms);
	if (atomic)
		QP_GIVE(&ret->options, atomic, 1);
	return QB_OK;
}

qb_result
put_many_bodies(qb *q, const struct iovec *parts, unsigned n, int64_t *lengths,
		struct qp_request *m, struct bodies *ret)
{
	size_t sum = 0;
	qb_result r;

	if (!parts)
		return error_set(q, QB_INVALID, "the array of bodies is NULL");
	for (unsigned i = 0; i < n; i++) {
		if ((r = verify_body(q, parts[i].iov_base, parts[i].iov_len)))
			return r;
		sum += parts[i].iov_len;
		lengths[i] = (int64_t)parts[i].iov_len;
	}
	if (sum > q->max_batch_bytes)
		return error_set(
			q, QB_TOO_BIG,
			"the %u items have %zu bytes; a batch has at most %llu", n, sum,
			(unsigned long long)q->max_batch_bytes);
	m->lengths = (struct qp_list){.n = n, .numbers = lengths};
	*ret = (struct bodies){.parts = parts, .n = n, .len = sum};
	return QB_OK;
}

struct results {
	unsigned n;
	int64_t *ret_ids;
};

static qb_result
take_results(qb *q, void *ret, struct answer *answer)
{
	const struct results *rs = ret;

	return put_many_results(q, answer->reply->results, rs->n, rs->ret_ids);
}

qb_result
qb_put_many_with(qb *q, const char *queue, const qb_put_options *options,
		 const struct iovec *parts, unsigned n, int atomic, int64_t timeout_ms,
		 int64_t *ret_ids)
{
	struct results results = {.n = n, .ret_ids = ret_ids};
	struct wait w = {.take = take_results, .ret = &results};
	int64_t lengths[QB_MAX_BATCH];
	struct bodies bodies;
	struct qp_request m;
	qb_result r;

	if ((r = put_many_request(q, queue, options, n, atomic, timeout_ms, &m)) ||
	    (r = verify_waiting(q, &timeout_ms)) ||
	    (r = put_many_bodies(q, parts, n, lengths, &m, &bodies)))
		return r;
	m.timeout_ms = wire_timeout(timeout_ms);
	bodies.lasting = true;
	return request_wait(q, &m, &bodies, &w, timeout_ms);
}

qb_result
qb_put_many(qb *q, const char *queue, const struct iovec *parts, unsigned n, int atomic,
	    int64_t timeout_ms, int64_t *ret_ids)
{
	return qb_put_many_with(q, queue, NULL, parts, n, atomic, timeout_ms, ret_ids);
}
