/* SPDX-License-Identifier: MIT
 *
 * A queue: its items, the lines of those who wait for it, its limits and counts. It
 * knows nothing of who holds what (session.h), nor when a waiter is served (settle.h).
 */
#ifndef QBROKER_CORE_QUEUE_H
#define QBROKER_CORE_QUEUE_H

#include "daemon/core/bodies.h"
#include "daemon/core/engine.h"
#include "daemon/core/heap.h"
#include "daemon/core/item.h"
#include "daemon/core/keep.h"
#include "daemon/core/list.h"

/* Requests wait in lines, in the order of arrival. */
enum line { LINE_GET, LINE_GET_MANY, LINE_PUT, LINE_JOIN, LINES };

struct queue {
	struct heap_node by_serial; /* in qe.queues */
	uint64_t serial;	    /* the order in which queues were made */
	uint64_t hash;		    /* of the name */

	/* READY items: those that came in the order in which they stand here, by
	 * itself, and those that must be sorted in: that came back, or have a
	 * priority. The next one is the smaller of the two firsts (fifo: the list's head,
	 * lifo: its tail). */
	struct list fresh;
	struct heap sorted;
	struct heap grouped; /* groups that have ready items, by the first of these */

	uint64_t count[ITEM_STATES]; /* NEW and GONE are not counted */
	uint64_t bytes;		     /* bodies of ready and delayed items */
	uint64_t cost;		     /* memory of ready and delayed items */
	uint64_t leased_cost;	     /* memory of leased items */
	struct qe_counters counters;

	struct list line[LINES]; /* of struct wait_slot */
	uint64_t waiting[LINES];
	uint64_t waiters; /* in all lines */

	struct list holdings; /* of struct holding */
	struct list starving; /* in qe.starving: the first putter waits for memory */
	struct list touched;  /* in qe.touched: settle() must look at it */
	struct list ending;   /* in qe.deleted, then qe.emptied */

	struct list delayed;	 /* DELAYED items, in no order */
	struct heap due;	 /* of struct extra: ready and delayed items */
	struct heap ends;	 /* the same, of leased ones */
	struct heap_node by_due; /* in qe.due */
	uint64_t due_ns;	 /* of the first of both, or of `dead`; QE_NEVER: there is none */
	uint64_t delayed_bytes;	 /* of delayed items alone */

	struct list
		groups; /* struct group; those that a purge left behind: qe.purged */
	struct list joined; /* groups that joins wait for */
	struct list woken;  /* those of them that have nothing unfinished: settle() */
	struct list keys;   /* struct unique */
	uint64_t stallers;  /* joins that want to know when nobody works */
	uint64_t idle_ns;   /* for them: since when; QE_NEVER: somebody does (join.h) */
	uint64_t happenings; /* what had been counted then */
	uint32_t purges;     /* how often all that waited was discarded */
	struct list dead;   /* DEAD items, in the order of dying */
	uint64_t dead_cost; /* memory of dead items */
	struct heap dead_ids; /* of struct extra: DEAD items that have one, by id */
	uint64_t dead_plain;  /* those that have none */
	uint32_t dead_purges; /* how often all of them were discarded */

	struct queue_bodies bodies; /* if it is durable */
	struct kept kept;	    /* likewise */
	uint64_t kept_seq; /* of the record of its last change that somebody waits for */

#define QE_QUEUE_OPTION(name, ctype, kind, text) ctype name;
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
	uint64_t declared; /* QUEUE_BIT() of the options that are its own */
	enum qe_shutdown shutdown;
	bool paused_in, paused_out;
	bool deleted; /* without a name or waiters; left to sweep() */
	bool roomy; /* it was made without a name, with room for any */
	size_t name_len;
	char name[];
};

/* What was allocated for it. */
size_t queue_alloc_size(const struct queue *q);

/* Whether the name is 1 to 255 bytes of UTF-8 without control characters. */
bool queue_name_valid(struct qe_name name);

/* NULL: there is none, or the name is not valid. */
struct queue *queue_find(const struct qe *e, struct qe_name name);

/* The same for a request, whose answer will say something about it. */
struct queue *queue_ask(struct qe *e, struct qe_name name);

/* For a request: finds the queue or makes it, with the engine's defaults. QE_INVALID, QE_LIMIT,
 * QE_NOMEM. `ret_created` may be NULL. */
enum qe_result queue_need(struct qe *e, struct qe_name name, struct queue **ret_queue,
			  bool *ret_created) QE_MUST_USE;

/* A queue that there was before, with its number, beyond all limits; its name may be found out later:
 * until then it has none. QE_NOMEM. */
enum qe_result queue_restore(struct qe *e, uint64_t number,
			     struct queue **ret_queue) QE_MUST_USE;

/* QE_INVALID: another one has this name. QE_NOMEM. */
enum qe_result queue_restore_name(struct qe *e, struct queue *q,
				  struct qe_name name) QE_MUST_USE;

/* Its name was never found out. */
void queue_restore_end(struct qe *e, struct queue *q);

/* The queue with this number that is not deleted, or NULL. */
struct queue *queue_numbered(const struct qe *e, uint64_t number);

/* Takes the queue, without items and waiters, out of the engine's sight. */
void queue_unname(struct qe *e, struct queue *q);

/* Frees an unnamed queue that nothing points to. */
void queue_free(struct qe *e, struct queue *q);

#define QUEUE_BIT(option) (UINT64_C(1) << (option))

/* Sets the options that are given; the order only changes when it has no items. */
void queue_configure(struct qe *e, struct queue *q, const struct qe_declare *options);

/* The item that the next get is given, or NULL. */
struct qe_item *queue_first(const struct queue *q);

/* Has the body of that item in memory, as bodies_fetch_now(); QE_WAIT: it is wanted. */
enum qe_result queue_fetch(struct qe *e, struct queue *q) QE_MUST_USE;

static inline QE_MUST_USE enum qe_result
queue_fetch_first(struct qe *e, struct queue *q)
{
	return __builtin_expect(q->bodies.absent == 0, 1) ? QE_OK
							  : queue_fetch(e, q);
}

/* How many items gets may be given now: the ready ones, none while it is paused. */
static inline uint64_t
queue_given(const struct queue *q)
{
	return q->paused_out ? 0 : q->count[ITEM_READY];
}

/* Whether gets have nothing to hope for: it is shut down, and no item waits. */
bool queue_drained(const struct queue *q);

/* ready + delayed, and the leased ones too. */
uint64_t queue_size(const struct queue *q);
uint64_t queue_unfinished(const struct queue *q);

/* Whether it can have this order, be kept like this, now: not while it has items of another order,
 * not while it has any, also dead ones, that are on the disk and ought not, or the other way
 * round. */
bool queue_may_order(const struct queue *q, enum qe_order order);
bool queue_may_keep(const struct queue *q, enum qe_durable durable);

/* Whether it is given, and is more than nothing. */
static inline bool
declare_is_durable(const struct qe_declare *declare)
{
	return declare->has_durable && declare->durable != QE_NOT_DURABLE;
}

/* Whether `n` items with `bytes` of bodies are within the queue's bounds: QE_OK,
 * QE_FULL_ITEMS, QE_FULL_BYTES. A pause is no bound. */
enum qe_result queue_room(const struct queue *q, unsigned n, uint64_t bytes);

void queue_stats(const struct qe *e, const struct queue *q,
		 struct qe_queue_stats *ret_stats);

/* What has a name within a queue, groups and keys: how it is looked up in a table. */
struct named {
	const struct queue *queue;
	struct qe_name name;
};

bool named_is(const struct named *key, const struct queue *q, const char *name, size_t len);
uint64_t named_hash(const struct qe *e, const struct named *key);

#endif
