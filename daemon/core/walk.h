/* SPDX-License-Identifier: MIT
 *
 * The ready items of a queue in their order, without taking them.
 *
 * They stand in many sets, each in its order: a cursor goes through each, and the cursors are sorted by
 * the items at which they are. Groups come in when it is their first item's turn, so that there are
 * never more cursors than items that have been seen.
 */
#ifndef QBROKER_CORE_WALK_H
#define QBROKER_CORE_WALK_H

#include "daemon/core/heap.h"

struct qe_item;
struct queue;

struct walk_cursor {
	struct heap_node node;
	struct qe_item *at;
	const struct heap *heap; /* NULL: queue.fresh */
};

struct walk {
	const struct queue *q;
	struct heap cursors;
	struct heap_node *next_group; /* in queue.grouped: the first without a cursor */
	struct walk_cursor *free;
};

/* How many cursors a walk over the first `n` items needs. */
size_t walk_cursors(const struct queue *q, size_t n);

/* `cursors` are there until the end of the walk, as is all that it has not come to. */
void walk_begin(struct walk *walk, const struct queue *q, struct walk_cursor *cursors);

/* The next item, which may go, or NULL. */
struct qe_item *walk_next(struct walk *walk);

#endif
