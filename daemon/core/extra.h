/* SPDX-License-Identifier: MIT
 *
 * What few items have, in an allocation beside the item, so that plain items stay small:
 * the times at which something is to be done for it (timing.h has what is done with
 * them), the end of its lease (lease.h), the group that it is one of (group.h), what is known
 * of its last failure. Whoever needs a member takes extra_need() first; an item without the
 * record has
 * what extra_need() would fill in.
 */
#ifndef QBROKER_CORE_EXTRA_H
#define QBROKER_CORE_EXTRA_H

#include "daemon/core/engine.h"
#include "daemon/core/heap.h"
#include "daemon/core/mem.h"

struct group;
struct queue;
struct unique;

struct extra {
	struct heap_node node; /* queue.due; leased: queue.ends; dead: queue.dead_ids */
	struct qe_item *item;
	uint64_t due_ns;     /* when timing_run() looks at it; QE_NEVER: in no heap */
	uint64_t ready_ns;   /* not given before; 0: at once */
	uint64_t expires_ns; /* not given after; QE_NEVER: always */
	struct group *group; /* a reference; NULL: none */
	uint64_t place;	     /* in the order of arrival, instead of its id; 0: its id */
	uint32_t cancels;    /* group.cancels when it was put: less: it was cancelled */
	uint32_t purges;     /* queue.purges when it began to wait */
	/* While it is leased: */
	uint64_t lease_ns; /* for how long it was given; 0: without an end */
	uint64_t ends_ns;  /* then it comes back; QE_NEVER: not by itself */
	uint64_t warn_ns;  /* then its holder is told; QE_NEVER: not, or not any more */
	struct unique *key; /* a reference; NULL: none, or the item is gone */
	uint64_t window_ns; /* these are of the key: struct qe_key */
	uint8_t scope, on_duplicate;
	uint64_t died_ns;    /* DEAD: since when */
	struct report *report; /* NULL: nothing is known */
};

/* What is known of an item's last failure: two strings, one behind the other. */
struct report {
	uint16_t worker_len, error_len;
	char text[];
};

static inline size_t
report_size(const struct report *r)
{
	return sizeof(*r) + r->worker_len + r->error_len;
}

/* A record of no item, for one that will be given later. NULL: no memory. */
struct extra *extra_new(struct qe *e);

/* Gives it to an item that has none; or frees it, `x` may be NULL. */
void extra_attach(struct qe *e, struct qe_item *item, struct extra *x);
void extra_drop(struct qe *e, struct extra *x);

/* Gives the item a record if it has none. NULL: no memory. */
struct extra *extra_need(struct qe *e, struct qe_item *item);

/* Counts memory of the item where the item itself is counted, but for its group. Less of it is a
 * wrapped number. */
void item_count_cost(struct qe *e, const struct qe_item *item, uint64_t cost);

/* Before the item, which takes `cost`, leaves a state, and after it has entered another one. */
void extra_leave(struct qe *e, struct queue *q, struct extra *x, uint64_t cost);
void extra_enter(struct qe *e, struct queue *q, struct extra *x, uint64_t cost);

/* When the item, which was discarded, is forgotten: it is still among what is due if it
 * was dropped with its group. */
void extra_forget(struct qe *e, struct extra *x);
/* Notes who failed and why; NULL leaves what is noted of that. Nothing is noted, and an
 * older error forgotten, if that would be above 9/8 of the memory limit. false: no memory, and
 * nothing was changed. */
bool extra_report(struct qe *e, struct qe_item *item, const struct qe_name *worker,
		  const struct qe_name *error) QE_MUST_USE;

/* Forgets what is noted. */
void extra_forget_report(struct qe *e, struct qe_item *item);

/* For an item that another queue accepts anew: what belonged to the queue before is gone. Its end
 * stays. */
void extra_renew(struct qe *e, struct extra *x);

/* Frees the record of an item that is in no set. */
void extra_free(struct qe *e, struct qe_item *item);

/* The memory that the record takes; `x` may be NULL. */
static inline uint64_t
extra_cost(const struct extra *x)
{
	if (!x)
		return 0;
	return mem_cost(sizeof(*x)) +
	       (x->report ? mem_cost(report_size(x->report)) : 0);
}

#endif
