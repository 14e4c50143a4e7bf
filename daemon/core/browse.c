/* SPDX-License-Identifier: MIT
 *
 * qe_browse(): the items of a queue, page by page, without taking or keeping them.
 */
#include "daemon/core/engine_int.h"
#include "daemon/core/extra.h"
#include "daemon/core/group.h"
#include "daemon/core/queue.h"
#include "daemon/core/session.h"

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

/* --- ready items in their order ------------------------------------------------------ */

/* The ready items stand in many sets, each in its order: a cursor goes through each, and the cursors
 * are sorted by the items at which they are. Groups come in when it is their first item's turn, so
 * that there are never more cursors than items that have been seen. */
struct cursor {
	struct heap_node node;
	struct qe_item *at;
	const struct heap *heap; /* NULL: queue.fresh */
};

struct merge {
	const struct queue *q;
	struct heap cursors;
	struct heap_node *next_group; /* in queue.grouped: the first without a cursor */
	struct cursor *free;
};

static bool
cursor_before(const struct heap_node *a, const struct heap_node *b)
{
	const struct qe_item *x = list_entry(a, const struct cursor, node)->at;
	const struct qe_item *y = list_entry(b, const struct cursor, node)->at;

	return x->queue->sorted.before(&x->heap, &y->heap);
}

/* The item behind `item` in fresh, or its first. NULL: there is none. */
static struct qe_item *
next_fresh(const struct queue *q, const struct qe_item *item)
{
	const struct list *at = item ? &item->node : &q->fresh;
	struct list *next = q->order == QE_LIFO ? at->prev : at->next;

	return next == &q->fresh ? NULL : list_entry(next, struct qe_item, node);
}

static struct qe_item *
item_at(struct heap_node *node)
{
	return node ? list_entry(node, struct qe_item, heap) : NULL;
}

/* Begins with the first item of a set; `item` may be NULL. */
static void
begin(struct merge *merge, const struct heap *heap, struct qe_item *item)
{
	if (!item)
		return;
	*merge->free = (struct cursor){.at = item, .heap = heap};
	heap_insert(&merge->cursors, &merge->free++->node);
}

/* Takes the next group in, if its first item comes before what the others have. */
static void
take_group(struct merge *merge)
{
	struct heap_node *next = merge->next_group, *first = merge->cursors.first;
	const struct queue *q = merge->q;
	const struct group *g;

	if (!next)
		return;
	g = list_entry(next, const struct group, by_first);
	if (first &&
	    !q->sorted.before(g->ready.first,
			      &list_entry(first, struct cursor, node)->at->heap))
		return;
	begin(merge, &g->ready, item_at(g->ready.first));
	merge->next_group = heap_after(&q->grouped, next);
}

/* The next item in the order, or NULL. */
static struct qe_item *
next_ready(struct merge *merge)
{
	struct cursor *first;
	struct qe_item *item;

	take_group(merge);
	if (!merge->cursors.first)
		return NULL;
	first = list_entry(merge->cursors.first, struct cursor, node);
	item = first->at;
	heap_remove(&merge->cursors, &first->node);
	first->at = first->heap ? item_at(heap_after(first->heap, &item->heap))
				: next_fresh(merge->q, item);
	if (first->at)
		heap_insert(&merge->cursors, &first->node);
	return item;
}

/* QE_OK, QE_NOMEM. */
static enum qe_result
add_ready(struct qe *e, struct page *page, const struct queue *q)
{
	/* One group comes in for each item. */
	size_t most = q->grouped.first ? page->skip + page->max + 3 : 2;
	struct cursor *cursors = mem_alloc(&e->mem, most * sizeof(*cursors));
	struct merge merge = {.q = q, .next_group = q->grouped.first, .free = cursors};
	struct qe_item *item;

	if (!cursors)
		return QE_NOMEM;
	heap_init(&merge.cursors, cursor_before);
	begin(&merge, NULL, next_fresh(q, NULL));
	begin(&merge, &q->sorted, item_at(q->sorted.first));
	while (page->n < page->max && (item = next_ready(&merge)))
		(void)add(page, item);
	mem_free(&e->mem, cursors, most * sizeof(*cursors));
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
