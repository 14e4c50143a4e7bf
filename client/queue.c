/* SPDX-License-Identifier: MIT
 * Calls about a queue as a whole. */
#include "client/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ORDER 15 /* bytes; the broker knows which ones there are */

/* A request that names a queue and nothing else that could be wrong. */
static qb_result
run(qb *q, struct qp_request *m, const char *queue, struct wait *w)
{
	qb_result r;

	if ((r = verify_queue(q, queue, &m->queue)) || (r = verify_blocking(q, 0)))
		return r;
	return request_call(q, m, w);
}

qb_result
qb_task_done(qb *q, const char *queue)
{
	struct qp_request m = {.op = QP_OP_TASK_DONE};
	struct wait w = {0};

	return run(q, &m, queue, &w);
}

qb_result
qb_join(qb *q, const char *queue, int64_t timeout_ms)
{
	struct qp_request m = {.op = QP_OP_JOIN};
	struct wait w = {0};
	qb_result r;

	if ((r = verify_queue(q, queue, &m.queue)) ||
	    (r = verify_timeout(q, "timeout_ms", timeout_ms)) ||
	    (r = verify_blocking(q, timeout_ms)))
		return r;
	m.timeout_ms = wire_timeout(timeout_ms);
	return request_wait(q, &m, NULL, &w, timeout_ms);
}

struct sizes {
	uint64_t qsize, unfinished;
	int64_t maxsize;
};

static qb_result
take_sizes(qb *q, void *ret, struct answer *answer)
{
	const struct qp_reply *reply = answer->reply;

	*(struct sizes *)ret = (struct sizes){
		reply->qsize,
		reply->unfinished,
		reply->maxsize,
	};
	return QB_OK;
}

qb_result
qb_size(qb *q, const char *queue, uint64_t *ret_qsize, uint64_t *ret_unfinished,
	int64_t *ret_maxsize)
{
	struct qp_request m = {.op = QP_OP_SIZE};
	struct sizes sizes;
	struct wait w = {.take = take_sizes, .ret = &sizes};
	qb_result r = run(q, &m, queue, &w);

	if (r != QB_OK)
		return r;
	if (ret_qsize)
		*ret_qsize = sizes.qsize;
	if (ret_unfinished)
		*ret_unfinished = sizes.unfinished;
	if (ret_maxsize)
		*ret_maxsize = sizes.maxsize;
	return QB_OK;
}

/* --- declare ----------------------------------------------------------------------- */

/* The value of "name=N" in `option`, which must be all of it. */
static bool
read_value(const char *option, const char *name, int64_t min, int64_t max, int64_t *ret)
{
	size_t len = strlen(name);
	const char *text = option + len + 1;
	char *end;

	if (strncmp(option, name, len) != 0 || option[len] != '=' ||
	    text[strspn(text, "+-0123456789")] != 0)
		return false;
	errno = 0;
	*ret = strtoll(text, &end, 10);
	return end != text && *end == 0 && errno == 0 && *ret >= min && *ret <= max;
}

static qb_result
read_option(qb *q, const char *option, struct qp_options *ret)
{
	int64_t value;

	if (read_value(option, "maxsize", INT32_MIN, INT32_MAX, &value))
		QP_GIVE(ret, maxsize, value);
	else if (read_value(option, "max_bytes", 0, QP_MAX_COUNT, &value))
		QP_GIVE(ret, max_bytes, (uint64_t)value);
	else if (strncmp(option, "order=", 6) == 0 && strlen(option + 6) <= MAX_ORDER)
		QP_GIVE(ret, order, ((struct qp_str){option + 6, strlen(option + 6)}));
	else
		return error_set(
			q, QB_INVALID,
			"the option \"%.100s\" is not maxsize=N (-2^31 to 2^31-1), "
			"max_bytes=N (0 to 2^53) or order=fifo, lifo or priority",
			option);
	return QB_OK;
}

static qb_result
take_created(qb *q, void *ret, struct answer *answer)
{
	if (ret)
		*(int *)ret = answer->reply->created;
	return QB_OK;
}

qb_result
qb_declare(qb *q, const char *queue, const char *const *options, int update,
	   int *ret_created)
{
	struct qp_request m = {.op = QP_OP_DECLARE};
	struct wait w = {.take = take_created, .ret = ret_created};
	qb_result r;

	for (; options && *options; options++)
		if ((r = read_option(q, *options, &m.options)))
			return r;
	if (update)
		QP_GIVE(&m.options, update, 1);
	return run(q, &m, queue, &w);
}

/* --- delete, purge, shutdown ------------------------------------------------------- */

qb_result
qb_delete(qb *q, const char *queue, int force)
{
	struct qp_request m = {.op = QP_OP_DELETE};
	struct wait w = {0};

	if (force)
		QP_GIVE(&m.options, force, 1);
	return run(q, &m, queue, &w);
}

static qb_result
take_count(qb *q, void *ret, struct answer *answer)
{
	if (ret)
		*(uint64_t *)ret = answer->reply->count;
	return QB_OK;
}

qb_result
qb_purge(qb *q, const char *queue, uint64_t *ret_count)
{
	struct qp_request m = {.op = QP_OP_PURGE};
	struct wait w = {.take = take_count, .ret = ret_count};

	return run(q, &m, queue, &w);
}

qb_result
qb_shutdown(qb *q, const char *queue, int immediate)
{
	struct qp_request m = {.op = QP_OP_SHUTDOWN};
	struct wait w = {0};

	if (immediate)
		QP_GIVE(&m.options, immediate, 1);
	return run(q, &m, queue, &w);
}

qb_result
qb_reopen(qb *q, const char *queue)
{
	struct qp_request m = {.op = QP_OP_REOPEN};
	struct wait w = {0};

	return run(q, &m, queue, &w);
}
