/* SPDX-License-Identifier: MIT
 *
 * qe_browse(): the items of a queue, page by page, without taking or keeping them.
 */
#include "daemon/core/engine_int.h"
#include "daemon/core/extra.h"
#include "daemon/core/group.h"
#include "daemon/core/queue.h"
#include "daemon/core/session.h"
#include "daemon/core/walk.h"

/* The page that is filled. */
struct page {
	const struct qe *e;
	unsigned skip; /* to be left out yet */
	struct qe_shown *rows;
	unsigned n, max;
};

/* false: it is full. */
static bool
add(struct page *page, struct qe_item *item)
{
	if (page->n == page->max)
		return false;
	if (page->skip > 0)
		page->skip--;
	else
		page->rows[page->n++] = item_shown(page->e, item);
	return true;
}

static void
add_list(struct page *page, const struct list *list)
{
	list_each (at, list)
		if (!add(page, list_entry(at, struct qe_item, node)))
			return;
}

static void
add_delayed(struct page *page, const struct queue *q)
{
	add_list(page, &q->delayed);
	list_each (at, &q->groups) {
		if (page->n == page->max)
			return;
		add_list(page, &list_entry(at, const struct group, in_queue)->delayed);
	}
}

static void
add_leased(struct page *page, const struct queue *q)
{
	list_each (at, &q->holdings) {
		if (page->n == page->max)
			return;
		add_list(page, &list_entry(at, const struct holding, in_queue)->leases);
	}
}

/* QE_OK, QE_NOMEM. */
static enum qe_result
add_ready(struct qe *e, struct page *page, const struct queue *q)
{
	struct walk walk;
	struct qe_item *item;

	if (!walk_begin(&walk, e, q, page->skip + page->max))
		return QE_NOMEM;
	while (page->n < page->max && (item = walk_next(&walk)))
		(void)add(page, item);
	walk_end(&walk, e);
	return QE_OK;
}

enum qe_result
qe_browse(struct qe *e, uint64_t now_ns, struct qe_name queue, enum qe_state state,
	  unsigned skip, struct qe_shown *rows, unsigned max, unsigned *ret_n)
{
	struct page page = {.e = e, .skip = skip, .rows = rows, .max = max};
	const struct queue *q = queue_ask(e, queue);
	enum qe_result result = QE_OK;

	e->now_ns = now_ns;
	if (!q)
		return queue_name_valid(queue) ? QE_NOT_FOUND : QE_INVALID;
	if (skip > QE_MAX_SKIP)
		return QE_INVALID;
	switch (state) {
	case QE_STATE_READY: result = add_ready(e, &page, q); break;
	case QE_STATE_DELAYED: add_delayed(&page, q); break;
	case QE_STATE_LEASED: add_leased(&page, q); break;
	case QE_STATE_DEAD: add_list(&page, &q->dead); break;
	default: result = QE_INVALID;
	}
	*ret_n = page.n;
	return result;
}
