/* SPDX-License-Identifier: MIT
 *
 * What can be done with dead items: qe_show(), qe_kick(), qe_dead_purge().
 */
#include "daemon/core/dead.h"
#include "daemon/core/engine_int.h"
#include "daemon/core/extra.h"
#include "daemon/core/get.h"
#include "daemon/core/group.h"
#include "daemon/core/queue.h"
#include "daemon/core/session.h"
#include "daemon/core/settle.h"
#include "daemon/core/sweep.h"

#define LOOK_SHARE 10000 /* items that died without memory for a record */

bool
dead_id_before(const struct heap_node *a, const struct heap_node *b)
{
	return list_entry(a, const struct extra, node)->item->id <
	       list_entry(b, const struct extra, node)->item->id;
}

/* One without a record is not in the tree. */
struct qe_item *
dead_find(const struct queue *q, uint64_t id)
{
	struct qe_item key = {.id = id};
	struct extra probe = {.item = &key};
	struct heap_node *node = heap_from(&q->dead_ids, &probe.node);
	struct qe_item *item = node ? list_entry(node, struct extra, node)->item : NULL;
	uint64_t n = 0;

	if (item && item->id == id)
		return item;
	list_each (at, &q->dead) {
		item = list_entry(at, struct qe_item, node);
		if (item->id == id)
			return item;
		if (q->dead_plain == 0 || ++n == LOOK_SHARE)
			break;
	}
	return NULL;
}

/* QE_OK, QE_NOT_FOUND, QE_INVALID. */
static enum qe_result
find(struct qe *e, struct qe_name name, uint64_t id, struct queue **ret_queue,
     struct qe_item **ret_item)
{
	*ret_queue = queue_ask(e, name);
	if (!*ret_queue)
		return queue_name_valid(name) ? QE_NOT_FOUND : QE_INVALID;
	*ret_item = id > 0 ? dead_find(*ret_queue, id) : NULL;
	return id > 0 && !*ret_item ? QE_NOT_FOUND : QE_OK;
}

static struct qe_item *
find_leased(const struct qe *e, const struct queue *q, uint64_t id)
{
	struct qe_item *item =
		table_find(&e->leases, item_hash(e, id), item_match, &id);

	return item && item_holding(item)->queue == q ? item : NULL;
}

struct qe_shown
item_shown(const struct qe *e, struct qe_item *item)
{
	struct qe_shown shown = {
		.item = item,
		.dead = item->state == ITEM_DEAD,
		.age_ns = item_age_ns(e, item),
		.left_ns = QE_NEVER,
	};

	if (shown.dead && item->extra)
		shown.dead_ns = e->now_ns - item->extra->died_ns;
	shown.delayed = item->state == ITEM_DELAYED;
	if (shown.delayed && item->extra->ready_ns > e->now_ns)
		shown.due_ns = item->extra->ready_ns - e->now_ns;
	if (item->extra && item->extra->expires_ns != QE_NEVER)
		shown.left_ns = item->extra->expires_ns > e->now_ns
					? item->extra->expires_ns - e->now_ns
					: 0;
	shown.leased = item->state == ITEM_LEASED;
	if (shown.leased) {
		shown.held_ns = item_held_ns(e, item);
		shown.owner = item_holding(item)->session->owner;
	}
	return shown;
}

enum qe_result
qe_show(struct qe *e, uint64_t now_ns, struct qe_name queue, uint64_t id,
	struct qe_shown *ret_shown)
{
	struct queue *q;
	struct qe_item *item;
	enum qe_result result = find(e, queue, id, &q, &item);

	e->now_ns = now_ns;
	if (result == QE_INVALID || !q)
		return result;
	if (!item)
		item = find_leased(e, q, id);
	if (!item)
		return QE_NOT_FOUND;
	result = get_shown(e, item, &item);
	if (result == QE_OK)
		*ret_shown = item_shown(e, item);
	return result;
}

/* Back to where it stood before anybody tried, with no times. */
static void
kick(struct qe *e, struct qe_item *item)
{
	item->crashes = item->nacks = item->timeouts = 0;
	if (group_cancelled(item)) {
		item_drop(e, item);
		return;
	}
	if (item->extra) {
		item->extra->ready_ns = 0;
		item->extra->expires_ns = QE_NEVER;
	}
	item_move(e, item, ITEM_READY, CAUSE_NONE);
}

enum qe_result
qe_kick(struct qe *e, uint64_t now_ns, struct qe_name queue, uint64_t id, unsigned max,
	uint64_t *ret_count)
{
	struct queue *q;
	struct qe_item *item;
	struct list *at;
	uint64_t n = 0;
	enum qe_result result = find(e, queue, id, &q, &item);

	e->now_ns = now_ns;
	if (max < 1 || max > QE_MAX_BATCH)
		return QE_INVALID;
	if (result != QE_OK)
		return result;
	if (q->shutdown == QE_SHUTDOWN_IMMEDIATE)
		return QE_SHUT_DOWN;
	if (item) {
		kick(e, item);
		n = 1;
	}
	for (; id == 0 && n < max && (at = list_first(&q->dead)); n++)
		kick(e, list_entry(at, struct qe_item, node));
	settle_queue(e, q);
	*ret_count = n;
	return QE_OK;
}

enum qe_result
qe_dead_purge(struct qe *e, uint64_t now_ns, struct qe_name queue, uint64_t id,
	      uint64_t *ret_count)
{
	struct queue *q;
	struct qe_item *item;
	enum qe_result result = find(e, queue, id, &q, &item);

	e->now_ns = now_ns;
	if (result != QE_OK)
		return result;
	*ret_count = item ? 1 : q->count[ITEM_DEAD];
	if (item) {
		item_move(e, item, ITEM_GONE, CAUSE_purged);
		qe_item_unref(e, item);
	} else {
		item_discard_dead(e, q, CAUSE_purged);
	}
	settle_queue(e, q); /* there is memory for those who wait for it */
	sweep(e);
	return QE_OK;
}
