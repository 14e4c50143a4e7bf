/* SPDX-License-Identifier: MIT
 *
 * qe_move(): items of one queue become items of another.
 */
#include "daemon/core/engine_int.h"
#include "daemon/core/extra.h"
#include "daemon/core/group.h"
#include "daemon/core/queue.h"
#include "daemon/core/settle.h"

static struct qe_item *
first_in(const struct queue *q, enum qe_state state)
{
	struct list *at;

	if (state == QE_STATE_READY)
		return queue_first(q);
	at = list_first(&q->dead);
	return at ? list_entry(at, struct qe_item, node) : NULL;
}

static enum qe_result
room(const struct queue *to, const struct qe_item *item)
{
	if (to->max_bytes > 0 && item->body_len > to->max_bytes)
		return QE_TOO_BIG;
	return queue_room(to, 1, item->body_len);
}

/* One that died has no end any more; one that is ready keeps its own. */
static void
move_item(struct qe *e, struct qe_item *item, struct queue *to)
{
	if (item->state == ITEM_DEAD && item->extra)
		item->extra->expires_ns = QE_NEVER;
	item_move(e, item, ITEM_GONE, CAUSE_moved_out);
	item_renew(e, item, to);
}

/* QE_OK: it went, or nobody needs it any more. */
static enum qe_result
move_one(struct qe *e, struct qe_item *item, struct queue *to)
{
	enum qe_result result;

	if (group_cancelled(item)) {
		item_drop(e, item);
		return QE_OK;
	}
	result = room(to, item);
	if (result == QE_OK && to->durable)
		result = keep_room(e, 1, item->body_len) ? keep_reserve(e, 1)
							 : QE_NO_SPACE;
	if (result == QE_OK)
		result = bodies_fetch_soon(e, &item);
	if (result == QE_OK)
		move_item(e, item, to);
	return result;
}

/* QE_OK, or why the first one cannot be moved. */
static enum qe_result
move_items(struct qe *e, struct queue *from, struct queue *to, enum qe_state state,
	   unsigned max, uint64_t *ret_count)
{
	enum qe_result result = QE_OK;
	struct qe_item *item;
	uint64_t n = 0;

	for (; n < max && (item = first_in(from, state)); n++) {
		result = move_one(e, item, to);
		if (result != QE_OK)
			break;
	}
	*ret_count = n;
	return n > 0 ? QE_OK : result;
}

/* Both queues. */
static enum qe_result
find(struct qe *e, struct qe_name queue, struct qe_name target, struct queue **ret_from,
     struct queue **ret_to)
{
	enum qe_result result;

	*ret_from = queue_ask(e, queue);
	if (!*ret_from)
		return queue_name_valid(queue) ? QE_NOT_FOUND : QE_INVALID;
	result = queue_need(e, target, ret_to, NULL);
	if (result != QE_OK)
		return result;
	if (*ret_to == *ret_from)
		return QE_INVALID;
	return (*ret_to)->shutdown == QE_OPEN ? QE_OK : QE_SHUT_DOWN;
}

enum qe_result
qe_move(struct qe *e, uint64_t now_ns, struct qe_name queue, struct qe_name target,
	enum qe_state state, unsigned max, uint64_t *ret_count)
{
	struct queue *from, *to;
	enum qe_result result;

	e->now_ns = now_ns;
	if (max < 1 || max > QE_MAX_BATCH ||
	    (state != QE_STATE_READY && state != QE_STATE_DEAD))
		return QE_INVALID;
	result = find(e, queue, target, &from, &to);
	if (result == QE_OK)
		result = move_items(e, from, to, state, max, ret_count);
	if (result == QE_OK) {
		settle_later(e, to);
		settle_queue(e, from);
	}
	return result;
}
