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

#include "daemon/core/engine.h"
#include "daemon/core/heap.h"

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
	struct walk_cursor *all, *free;
	size_t n;
};

/* A walk over the first `n` items at most, which stay until it has come to them. false: no memory, and nothing
 * is to be ended. */
bool walk_begin(struct walk *walk, struct qe *e, const struct queue *q,
		size_t n) QE_MUST_USE;
void walk_end(struct walk *walk, struct qe *e);

/* The next item, which may go, or NULL. */
struct qe_item *walk_next(struct walk *walk);

#endif
