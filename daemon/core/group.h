/* SPDX-License-Identifier: MIT
 *
 * A group: the items of a queue that were put under one name. It is made when the first of
 * them is, and freed when neither an item nor a waiter points to it.
 *
 * What waits of a group stands apart from the queue's other items, in sets of the group's own,
 * and the groups stand in a heap of the queue by the first ready item of each. So an
 * item of a group costs O(log n), others nothing, and a group is dropped in O(1), however many
 * there are: its sets become trash as they are, and no get has to look for what is
 * left behind them.
 *
 * After a purge the groups of a queue are out of date, all at once: queue.purges is ahead of their
 * own. Each is brought up to date when it is next looked at (group_update), or by sweep().
 */
#ifndef QBROKER_CORE_GROUP_H
#define QBROKER_CORE_GROUP_H

#include "daemon/core/engine.h"
#include "daemon/core/extra.h"
#include "daemon/core/heap.h"
#include "daemon/core/item.h"
#include "daemon/core/list.h"

struct queue;
struct waiter;

struct group {
	struct list in_queue; /* queue.groups; out of date: qe.purged; qe.orphans */
	struct list joined;   /* queue.joined or queue.woken, while joins wait */
	struct queue *queue;  /* NULL: it is gone */
	uint64_t hash;	      /* of queue and name */
	uint64_t refs;	      /* items, in whatever state, and waiters */

	struct heap ready;	   /* READY items, in the queue's order */
	struct list delayed;	   /* DELAYED items, in no order */
	struct heap_node by_first; /* in queue.grouped, while some are ready */

	uint64_t count[ITEM_STATES]; /* NEW and GONE are not counted */
	uint64_t bytes;		     /* as in the queue, of these items alone */
	uint64_t delayed_bytes;
	uint64_t cost;

	uint64_t died; /* items of it, since it was made */
	/* leased items that were cancelled: dropped if they come back */
	uint64_t marked;
	uint32_t cancels; /* how often it was cancelled */
	uint32_t purges;  /* queue.purges, when it is up to date */

	struct list joins, puts; /* of waiter.in_group */
	size_t name_len;
	char name[];
};

/* The group of the item, or NULL. */
static inline struct group *
item_group(const struct qe_item *item)
{
	return item->extra ? item->extra->group : NULL;
}

/* Whether the item's group was cancelled after it was put. A ready or delayed item of which that is
 * true has been dropped. */
static inline bool
group_cancelled(const struct qe_item *item)
{
	const struct group *g = item_group(item);

	return g && item->extra->cancels != g->cancels;
}

/* Whether the ready or delayed item was dropped, with its group or all that waited, and is only not
 * forgotten yet. Of any other item: false. */
bool item_discarded(const struct qe_item *item);

/* The group of this name, up to date, or NULL. */
struct group *group_find(struct qe *e, struct queue *q, struct qe_name name);

/* The item, which is NEW, is one of this group of the queue. QE_NOMEM. */
enum qe_result group_set(struct qe *e, struct qe_item *item, struct queue *q,
			 struct qe_name group) QE_MUST_USE;

/* Gives back a reference. */
void group_unref(struct qe *e, struct group *g);

/* Brings it up to date: drops what was purged. */
void group_update(struct qe *e, struct group *g);

/* ready + delayed + leased; it is up to date. */
uint64_t group_unfinished(const struct group *g);

/* Counts an item, which takes `cost`, that is about to leave its state, or has entered
 * it. */
void group_leave(struct group *g, const struct qe_item *item, uint64_t cost);
void group_enter(struct group *g, const struct qe_item *item, uint64_t cost);

/* Into the set of ready items, and out of it. */
void group_insert(struct group *g, struct qe_item *item);
void group_remove(struct group *g, struct qe_item *item);

/* The first ready item of a group in queue.grouped, as its node. */
struct heap_node *group_first(struct heap_node *by_first);

bool group_before(const struct heap_node *a, const struct heap_node *b);

/* Makes trash of what waits, which has been counted as gone. O(1). */
void group_clear(struct qe *e, struct group *g);

/* All that waited in the queue was discarded. O(groups that joins wait for). */
void group_purge(struct qe *e, struct queue *q);

/* Takes a group, whose items have all gone, away from its queue. */
void group_orphan(struct qe *e, struct group *g);

/* A waiter begins, and ceases, to wait for the group: a join of it, or a put into it. */
void group_await(struct group *g, struct waiter *w);
void group_unawait(struct qe *e, struct group *g, struct waiter *w);

/* Answers the joins of groups in queue.woken that have nothing unfinished. */
void group_wake(struct qe *e, struct queue *q);

/* What was allocated for it. */
size_t group_size(const struct group *g);

#endif
