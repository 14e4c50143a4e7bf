/* SPDX-License-Identifier: MIT
 *
 * Keys of items, which no two puts into a queue have at the same time. A key is one small
 * record for each queue and name, kept while an item that was put with it is there or
 * its window is open: who holds the key, and until when it is taken anyway.
 *
 * One item holds a key. One that comes back while another has its key does not get it again.
 */
#ifndef QBROKER_CORE_UNIQUE_H
#define QBROKER_CORE_UNIQUE_H

#include "daemon/core/engine.h"
#include "daemon/core/heap.h"
#include "daemon/core/keep.h"
#include "daemon/core/list.h"

struct queue;

struct unique {
	struct list in_queue; /* queue.keys */
	struct queue *queue;
	uint64_t hash;		/* of queue and name */
	uint64_t refs;		/* items that are not gone, and the window */
	struct qe_item *holder; /* NULL: none; it may have been discarded */
	uint64_t id;		/* of the item whose window it is */
	uint64_t ends_ns; /* of the window; QE_NEVER: there is none, or for ever */
	bool open;	  /* there is a window; it may be over */
	struct heap_node timer; /* in qe.windows, while it is open */
	struct kept kept;	/* the window, if the queue is durable */
	size_t name_len;
	char name[];
};

/* The item, which is NEW, has this key in the queue. QE_NOMEM. */
enum qe_result unique_set(struct qe *e, struct qe_item *item, struct queue *q,
			  const struct qe_key *key) QE_MUST_USE;

/* A window that there was before; one that is open is as it is said now. QE_NOMEM. */
enum qe_result unique_restore(struct qe *e, struct queue *q, struct qe_name name,
			      uint64_t id, uint64_t ends_ns,
			      struct unique **ret_unique) QE_MUST_USE;

/* The id of the item for which the key of `item` is taken; 0: it is free. */
uint64_t unique_taken(const struct qe *e, const struct qe_item *item);

/* The item, ready or delayed, that holds the key of `item`, or NULL. */
struct qe_item *unique_waits(const struct qe_item *item);

/* Opens the window of an item that has been accepted, if it has one. */
void unique_accepted(struct qe *e, const struct qe_item *item);

/* After the item has entered another state: it takes its key, lets it go, or is gone. */
void unique_moved(struct qe *e, struct qe_item *item);

/* Takes the key away from an item that is not accepted, or is gone. */
void unique_unset(struct qe *e, struct qe_item *item);

/* `item` takes the place of the one that holds the key. */
void unique_replace(struct qe_item *old, struct qe_item *item);

/* When the next window is over, QE_NEVER: never. O(1). */
uint64_t unique_next(const struct qe *e);

/* Closes one window that is over. false: there is none. */
bool unique_run(struct qe *e);

/* Closes a window of a queue that is deleted, before its time. */
void unique_close(struct qe *e, struct unique *u);

bool unique_before(const struct heap_node *a, const struct heap_node *b);

/* What was allocated for it, and what it counts against the memory limit: with its share of the
 * table, which grows by doubling. */
size_t unique_size(const struct unique *u);
uint64_t unique_cost(const struct unique *u);

#endif
