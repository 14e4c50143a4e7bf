/* SPDX-License-Identifier: MIT
 *
 * See walk.h.
 */
#include "daemon/core/walk.h"

#include "daemon/core/engine_int.h"
#include "daemon/core/group.h"
#include "daemon/core/queue.h"

static bool
cursor_before(const struct heap_node *a, const struct heap_node *b)
{
	const struct qe_item *x = list_entry(a, const struct walk_cursor, node)->at;
	const struct qe_item *y = list_entry(b, const struct walk_cursor, node)->at;

	return item_in(x)->sorted.before(&x->heap, &y->heap);
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
begin(struct walk *walk, const struct heap *heap, struct qe_item *item)
{
	if (!item)
		return;
	*walk->free = (struct walk_cursor){.at = item, .heap = heap};
	heap_insert(&walk->cursors, &walk->free++->node);
}

/* Takes the next group in, if its first item comes before what the others have. */
static void
take_group(struct walk *walk)
{
	struct heap_node *next = walk->next_group, *first = walk->cursors.first;
	const struct queue *q = walk->q;
	const struct group *g;

	if (!next)
		return;
	g = list_entry(next, const struct group, by_first);
	if (first &&
	    !q->sorted.before(g->ready.first,
			      &list_entry(first, struct walk_cursor, node)->at->heap))
		return;
	begin(walk, &g->ready, item_at(g->ready.first));
	walk->next_group = heap_after(&q->grouped, next);
}

bool
walk_begin(struct walk *walk, struct qe *e, const struct queue *q, size_t n)
{
	/* One group comes in for each item. */
	size_t n_cursors = q->grouped.first ? n + 3 : 2;
	struct walk_cursor *cursors = mem_alloc(&e->mem, n_cursors * sizeof(*cursors));

	if (!cursors)
		return false;
	*walk = (struct walk){.q = q,
			      .next_group = q->grouped.first,
			      .all = cursors,
			      .free = cursors,
			      .n = n_cursors};
	heap_init(&walk->cursors, cursor_before);
	begin(walk, NULL, next_fresh(q, NULL));
	begin(walk, &q->sorted, item_at(q->sorted.first));
	return true;
}

void
walk_end(struct walk *walk, struct qe *e)
{
	mem_free(&e->mem, walk->all, walk->n * sizeof(*walk->all));
}

struct qe_item *
walk_next(struct walk *walk)
{
	struct walk_cursor *first;
	struct qe_item *item;

	take_group(walk);
	if (!walk->cursors.first)
		return NULL;
	first = list_entry(walk->cursors.first, struct walk_cursor, node);
	item = first->at;
	heap_remove(&walk->cursors, &first->node);
	first->at = first->heap ? item_at(heap_after(first->heap, &item->heap))
				: next_fresh(walk->q, item);
	if (first->at)
		heap_insert(&walk->cursors, &first->node);
	return item;
}
