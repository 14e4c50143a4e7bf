/* SPDX-License-Identifier: MIT
 *
 * qe_delete_item(), qe_look(): one item, by its id.
 */
#include "daemon/core/dead.h"
#include "daemon/core/engine_int.h"
#include "daemon/core/get.h"
#include "daemon/core/keep.h"
#include "daemon/core/queue.h"
#include "daemon/core/search.h"
#include "daemon/core/session.h"
#include "daemon/core/settle.h"

/* QE_OK, QE_NOT_FOUND, QE_WAIT. */
static enum qe_result
find(struct qe *e, struct queue *q, uint64_t id, struct qe_search *search,
     struct qe_item **ret_item)
{
	struct qe_item *item =
		table_find(&e->leases, item_hash(e, id), item_match, &id);

	if (item && item_holding(item)->queue != q)
		return QE_NOT_FOUND;
	if (!item)
		item = dead_find(q, id);
	if (!item && id <= e->last_id)
		return search_go_on(e, q, id, search, ret_item);
	*ret_item = item;
	return item ? QE_OK : QE_NOT_FOUND;
}

/* The same for a request; the search is over unless it is QE_WAIT. */
static enum qe_result
find_for(struct qe *e, uint64_t now_ns, struct qe_name queue, uint64_t id,
	 struct qe_search *search, struct qe_item **ret_item)
{
	struct queue *q = queue_ask(e, queue);
	enum qe_result result = queue_name_valid(queue) ? QE_NOT_FOUND : QE_INVALID;

	e->now_ns = now_ns;
	if (q)
		result = find(e, q, id, search, ret_item);
	if (result != QE_WAIT)
		qe_search_end(e, search);
	return result;
}

enum qe_result
qe_delete_item(struct qe *e, uint64_t now_ns, struct qe_name queue, uint64_t id,
	       bool force, struct qe_search *search)
{
	struct qe_item *item;
	enum qe_result result = find_for(e, now_ns, queue, id, search, &item);
	struct queue *q;

	if (result != QE_OK)
		return result;
	q = item_queue(item);
	if (item->state == ITEM_LEASED && !force)
		return QE_NOT_EMPTY;
	item_move(e, item, ITEM_GONE, CAUSE_purged);
	qe_item_unref(e, item);
	settle_queue(e, q);
	return QE_OK;
}

enum qe_result
qe_look(struct qe *e, uint64_t now_ns, struct qe_name queue, uint64_t id,
	struct qe_search *search, struct qe_shown *ret_shown)
{
	struct qe_item *item;
	enum qe_result result = find_for(e, now_ns, queue, id, search, &item);

	if (result != QE_OK)
		return result;
	result = get_shown(e, item, &item);
	if (result == QE_OK)
		*ret_shown = item_shown(e, item);
	return result;
}
