/* SPDX-License-Identifier: MIT
 *
 * What is behind qe_dump(): a walk through all items of a queue in one state, in shares between which the queue may
 * change. In trees it is known by a key what comes next, so it does not matter what has gone. In lists it is an item, with a
 * reference; if that has gone, the list is gone through from its beginning again, up to where it was.
 *
 * Ready items stand in many sets, each in its order: a cursor goes through each of them, and the cursors
 * are sorted by the keys of what they come to next (dump_ready.c).
 */
#ifndef QBROKER_CORE_DUMP_H
#define QBROKER_CORE_DUMP_H

#include "daemon/core/engine.h"
#include "daemon/core/heap.h"

struct group;
struct queue;

/* A place in the order in which items are given out. */
struct dump_key {
	int64_t priority; /* or what else comes before the place */
	uint64_t place;
};

enum dump_stage { DUMP_ENTER, DUMP_GO, DUMP_PLAIN };

struct qe_dump {
	uint64_t serial; /* of the queue */
	enum qe_state state;
	enum qe_order order;
	uint32_t purges, dead_purges;
	uint64_t until; /* ids above are too new */
	enum dump_stage stage;
	unsigned steps;	      /* left in this call */
	bool interrupted;     /* there were none left */
	bool within;	      /* a holding, of which some have been given */
	struct dump_key next; /* all below has been given */
	struct heap cursors;  /* ready */
	struct group *group;  /* whose cursor is next to be made; a reference */
	struct qe_item *at;   /* in a list: it comes next; a reference */
	uint64_t want; /* id of the next item to be given, whose body is on its way; 0: none */
};

/* Whether there is a step left in this call. */
static inline bool
dump_step(struct qe_dump *d)
{
	d->interrupted |= d->steps == 0;
	return d->steps > 0 && d->steps-- > 0;
}

/* Memory that counts as the engine's. NULL: there is none. */
void *dump_take(struct qe *e, size_t size);
void dump_give(struct qe *e, void *p, size_t size);

/* References in the place of those that it has; NULL: none. */
void dump_hold_item(struct qe *e, struct qe_dump *d, struct qe_item *item);
void dump_hold_group(struct qe *e, struct qe_dump *d, struct group *g);

/* Ready items (dump_ready.c): what the walk needs for them; false: no memory. Some more cursors, while it is at
 * DUMP_ENTER. The next item, NULL: there is none, or it was interrupted. */
bool dump_ready_begin(struct qe *e, struct qe_dump *d) QE_MUST_USE;
enum qe_result dump_ready_enter(struct qe *e, struct queue *q,
				struct qe_dump *d) QE_MUST_USE;
struct qe_item *dump_ready_next(struct qe *e, struct queue *q, struct qe_dump *d);

/* Leaves the cursors to dump_sweep(), which frees some, and returns the steps that are left. */
void dump_ready_end(struct qe *e, struct qe_dump *d);
long dump_sweep(struct qe *e, long steps);

#endif
