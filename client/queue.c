/* SPDX-License-Identifier: MIT
 * Calls about a queue as a whole. */
#include "client/request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A request that names a queue and nothing else that could be wrong. */
static qb_result
run(qb *q, struct qp_request *m, const char *queue, struct wait *w)
{
	qb_result r;

	if ((r = verify_queue(q, queue, &m->queue)) || (r = verify_blocking(q)))
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

static qb_result
take_died(qb *q, void *ret, struct answer *answer)
{
	*(uint64_t *)ret = QP_OPT(&answer->reply->options, died);
	return QB_OK;
}

qb_result
qb_join_with(qb *q, const char *queue, const char *group, int64_t timeout_ms,
	     int64_t stall_ms, int strict, uint64_t *ret_died)
{
	struct qp_request m = {.op = QP_OP_JOIN};
	uint64_t died = 0;
	struct wait w = {.take = take_died, .ret = &died};
	qb_result r;

	if (group) {
		if ((r = verify_name(q, "group", group, &m.options.group)))
			return r;
		QP_GIVE(&m.options, group, m.options.group);
	}
	if ((r = verify_queue(q, queue, &m.queue)) ||
	    (r = verify_timeout(q, "timeout_ms", timeout_ms)) ||
	    (r = verify_timeout(q, "stall_ms", stall_ms)) ||
	    (r = verify_waiting(q, &timeout_ms)))
		return r;
	m.timeout_ms = wire_timeout(timeout_ms);
	if (stall_ms < QB_FOREVER)
		QP_GIVE(&m.options, stall_ms, (uint64_t)stall_ms);
	r = request_wait(q, &m, NULL, &w, timeout_ms);
	if (ret_died)
		*ret_died = died;
	/* Not asked of the broker, whose refusals have no numbers. */
	if (r == QB_OK && strict && died > 0)
		return error_set(q, QB_DEAD,
				 "%" PRIu64 " items died while the join waited", died);
	return r;
}

qb_result
qb_join_group(qb *q, const char *queue, const char *group, int64_t timeout_ms)
{
	return qb_join_with(q, queue, group, timeout_ms, QB_FOREVER, 0, NULL);
}

qb_result
qb_join(qb *q, const char *queue, int64_t timeout_ms)
{
	return qb_join_group(q, queue, NULL, timeout_ms);
}

struct cancelled {
	uint64_t *dropped, *held;
};

static qb_result
take_cancelled(qb *q, void *ret, struct answer *answer)
{
	const struct cancelled *cancelled = ret;

	if (cancelled->dropped)
		*cancelled->dropped = answer->reply->count;
	if (cancelled->held)
		*cancelled->held = QP_OPT(&answer->reply->options, held);
	return QB_OK;
}

qb_result
qb_cancel_group(qb *q, const char *queue, const char *group, uint64_t *ret_dropped,
		uint64_t *ret_held)
{
	struct qp_request m = {.op = QP_OP_CANCEL_GROUP};
	struct cancelled cancelled = {ret_dropped, ret_held};
	struct wait w = {.take = take_cancelled, .ret = &cancelled};
	qb_result r = verify_name(q, "group", group, &m.group);

	return r ? r : run(q, &m, queue, &w);
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

static const struct queue_option {
	const char *name;
	qp_set bit;	  /* in qp_options.present */
	size_t offset;	  /* in struct qp_options */
	bool is_text;	  /* the broker knows which ones there are */
	int64_t min, max; /* of a text: of its length */
} queue_options[] = {
#define QP_OPTION(name, ctype, type, min, max)
#define QP_QUEUE_OPTION(name, ctype, type, min, max)                                  \
	{#name, QP_BIT(name), offsetof(struct qp_options, name), QP_##type == QP_STR, \
	 min,	max},
#include "proto/options.def"
#undef QP_QUEUE_OPTION
#undef QP_OPTION
};
#define QUEUE_OPTIONS (sizeof(queue_options) / sizeof(queue_options[0]))

/* All of `text` is a number from min to max. */
static bool
read_number(const char *text, int64_t min, int64_t max, int64_t *ret)
{
	char *end;

	if (text[strspn(text, "+-0123456789")] != 0)
		return false;
	errno = 0;
	*ret = strtoll(text, &end, 10);
	return end != text && *end == 0 && errno == 0 && *ret >= min && *ret <= max;
}

static qb_result
unknown_option(qb *q, const char *option)
{
	char names[ERROR_BYTES] = "";
	size_t len = 0;

	for (size_t i = 0; i < QUEUE_OPTIONS; i++)
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s",
					i ? ", " : "", queue_options[i].name);
	return error_set(q, QB_INVALID,
			 "\"%.100s\" is no option of a queue; they are NAME=VALUE "
			 "with the names %s",
			 option, names);
}

static qb_result
read_option(qb *q, const char *option, struct qp_options *ret)
{
	const struct queue_option *row = queue_options, *end = row + QUEUE_OPTIONS;
	size_t len = strcspn(option, "=");
	const char *text = option + len + 1;
	struct qp_str str;
	int64_t number;

	while (row < end && (strncmp(row->name, option, len) != 0 || row->name[len]))
		row++;
	if (row == end || option[len] != '=')
		return unknown_option(q, option);
	ret->present |= row->bit;
	if (row->is_text) {
		str = (struct qp_str){text, (uint32_t)strnlen(text, UINT16_MAX)};
		memcpy((char *)ret + row->offset, &str, sizeof(str));
		if ((int64_t)str.len <= row->max)
			return QB_OK;
		return error_set(q, QB_INVALID,
				 "the option \"%.100s\" has more than %lld bytes",
				 option, (long long)row->max);
	}
	if (!read_number(text, row->min, row->max, &number))
		return error_set(q, QB_INVALID,
				 "the option \"%.100s\" must be a number from %lld to "
				 "%lld",
				 option, (long long)row->min, (long long)row->max);
	memcpy((char *)ret + row->offset, &number, sizeof(number));
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

qb_result
qb_purge(qb *q, const char *queue, uint64_t *ret_count)
{
	struct qp_request m = {.op = QP_OP_PURGE};
	struct wait w = {.take = request_take_count, .ret = ret_count};

	return run(q, &m, queue, &w);
}

qb_result
qb_move(qb *q, const char *queue, const char *target, const char *state,
	unsigned max_items, uint64_t *ret_count)
{
	struct qp_request m = {.op = QP_OP_MOVE, .max_items = max_items};
	struct wait w = {.take = request_take_count, .ret = ret_count};
	qb_result r;

	if ((r = verify_queue(q, target, &m.to)) ||
	    (r = verify_count(q, "max_items", max_items, QB_MAX_BATCH)) ||
	    (r = verify_state(q, state ? state : "ready", &m.options)))
		return r;
	return run(q, &m, queue, &w);
}

qb_result
qb_delete_item(qb *q, const char *queue, uint64_t id, int force)
{
	struct qp_request m = {.op = QP_OP_DELETE_ITEM, .id = id};
	struct wait w = {0};
	qb_result r = verify_id(q, id);

	if (r)
		return r;
	if (force)
		QP_GIVE(&m.options, force, 1);
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

/* --- pause ------------------------------------------------------------------------- */

static qb_result
set_paused(qb *q, const char *queue, int in, int out, bool paused)
{
	struct qp_request m = {.op = QP_OP_PAUSE};
	struct wait w = {0};

	if (in)
		QP_GIVE(&m.options, in, paused);
	if (out)
		QP_GIVE(&m.options, out, paused);
	return run(q, &m, queue, &w);
}

qb_result
qb_pause(qb *q, const char *queue, int in, int out)
{
	return set_paused(q, queue, in, out, true);
}

qb_result
qb_resume(qb *q, const char *queue, int in, int out)
{
	return set_paused(q, queue, in, out, false);
}

qb_result
qb_drain(qb *q, const char *queue, int64_t timeout_ms)
{
	qb_result r;

	/* Before anything is changed. */
	if ((r = verify_timeout(q, "timeout_ms", timeout_ms)) ||
	    (r = qb_pause(q, queue, 1, 0)))
		return r;
	return qb_join(q, queue, timeout_ms);
}
