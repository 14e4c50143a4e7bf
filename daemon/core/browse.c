/* SPDX-License-Identifier: MIT
 *
 * qe_browse(): the items of a queue, page by page, without taking or keeping them.
 */
#include "daemon/core/engine_int.h"
#include "daemon/core/extra.h"
#include "daemon/core/queue.h"

/* Dead items, those that died first before others. */
static unsigned
dead_rows(const struct qe *e, const struct queue *q, unsigned skip,
	  struct qe_shown *rows, unsigned max)
{
	unsigned n = 0;

	list_each (at, &q->dead) {
		struct qe_item *item = list_entry(at, struct qe_item, node);

		if (n == max)
			break;
		if (skip > 0) {
			skip--;
			continue;
		}
		rows[n++] = item_shown(e, item);
	}
	return n;
}

enum qe_result
qe_browse(struct qe *e, uint64_t now_ns, struct qe_name queue, enum qe_state state,
	  unsigned skip, struct qe_shown *rows, unsigned max, unsigned *ret_n)
{
	const struct queue *q = queue_find(e, queue);

	e->now_ns = now_ns;
	if (!q)
		return queue_name_valid(queue) ? QE_NOT_FOUND : QE_INVALID;
	if (skip > QE_MAX_SKIP || state != QE_STATE_DEAD)
		return QE_INVALID;
	*ret_n = dead_rows(e, q, skip, rows, max);
	return QE_OK;
}
