/* SPDX-License-Identifier: MIT
 *
 * An item: a body and its metadata in one allocation, in exactly one state. Only
 * item_move() changes the state, and with it the set that the item is in and every
 * count.
 */
#ifndef QBROKER_CORE_ITEM_H
#define QBROKER_CORE_ITEM_H

#include "daemon/core/engine.h"
#include "daemon/core/extra.h"
#include "daemon/core/heap.h"
#include "daemon/core/list.h"

#include <assert.h>

struct queue;
struct holding;
struct group;

enum item_state {
	ITEM_NEW,     /* not accepted: the caller's, or a waiting put's */
	ITEM_READY,   /* in its queue, `fresh` or `sorted` */
	ITEM_DELAYED, /* in its queue, `delayed` */
	ITEM_LEASED,  /* in a holding and in the table of leases */
	ITEM_DEAD,    /* in its queue, `dead` */
	ITEM_GONE,    /* in no set; lives on while it is referenced */
	ITEM_STATES
};

/* Why an item changed its state: the counter that says so. */
enum item_cause {
#define QE_COUNTER(name, text) CAUSE_##name,
#include "daemon/core/counters.def"
#undef QE_COUNTER
	CAUSES,
	CAUSE_NONE = CAUSES, /* nothing is counted */
};

#define ITEM_ACCEPTED_BITS  37
#define ITEM_ACCEPTED_SHIFT 20
#define ITEM_GIVEN_BITS	    25
#define ITEM_GIVEN_SHIFT    28

union item_owner {
	struct queue *queue;	 /* READY, DELAYED, DEAD */
	struct holding *holding; /* LEASED: who has it, and of which queue */
};

struct qe_item {
	union {
		struct list node;      /* fresh, delayed, leased, dead */
		struct heap_node heap; /* sorted */
		struct {
			uint64_t holder;  /* number of its session */
			uint64_t from_ns; /* of the engine's clock, or before its 0 */
		} given_to; /* NEW, and restored as a leased one */
	};
	/* Who looks for a place in the heap reads this much; it is mostly in one line of the cache. */
	uint64_t id;	  /* the order of acceptance */
	int32_t priority; /* lower comes first, in a queue with that order */
	uint32_t body_len;
	/* Points in time, in parts of it that are enough to look at, modulo what fits: */
	uint64_t accepted : ITEM_ACCEPTED_BITS; /* when that was, in 2^20 ns; 4 years */
	uint64_t given : ITEM_GIVEN_BITS; /* LEASED: since when, in 2^28 ns; 104 days */
	uint64_t
		foreign : 1; /* `body` is a struct qe_foreign *, whatever body_len says */
	uint64_t absent : 1; /* there is no `body`: it is in the store alone (bodies.h) */
	union {
		union item_owner owner;
		union item_owner *kept; /* of one that is_kept: that in its struct kept_item */
	};
	struct extra *extra; /* NULL: it has nothing of that */
	uint32_t refs : 31;
	uint32_t is_kept : 1;
	uint32_t deliveries;
	uint16_t crashes, nacks, timeouts; /* failed attempts, by cause */
	uint8_t state : 3;		   /* enum item_state */
	uint8_t death : 3;		   /* enum qe_death: why it died last */
	bool sorted : 1;		   /* READY: which of the two sets */
	bool keep_expired : 1;		   /* it dies instead of being gone */
	uint8_t ctype;
	_Alignas(8) unsigned char body[];
};

/* Beside the body, with an allocator's 8 bytes and its rounding to 16. */
static_assert(offsetof(struct qe_item, body) + 8 + 15 <= 96, "an item has grown");

/* Whether an item in this state stands in its queue for somebody to take it. */
static inline bool
item_waits(enum item_state state)
{
	return state == ITEM_READY || state == ITEM_DELAYED;
}

/* What was allocated for it. */
static inline size_t
item_size(const struct qe_item *item)
{
	if (__builtin_expect(item->absent, 0))
		return offsetof(struct qe_item, body);
	return offsetof(struct qe_item, body) + item->body_len;
}

/* What the item takes of the engine's memory. */
static inline uint64_t
item_cost(const struct qe_item *item)
{
	return mem_cost(item_size(item)) + extra_cost(item->extra);
}

/* How long ago it was accepted, to a millisecond; and, of a leased one, given, to a
 * quarter of a second. It may be so much less. */
uint64_t item_age_ns(const struct qe *e, const struct qe_item *item);
uint64_t item_held_ns(const struct qe *e, const struct qe_item *item);

/* Who has a LEASED item. */
static inline struct holding *
item_holding(const struct qe_item *item)
{
	return item->is_kept ? item->kept->holding : item->owner.holding;
}

/* The queue of an item that is not LEASED: of a NEW or a GONE one, if it has been said. */
static inline struct queue *
item_in(const struct qe_item *item)
{
	return item->is_kept ? item->kept->queue : item->owner.queue;
}

static inline void
item_set_queue(struct qe_item *item, struct queue *q)
{
	(item->is_kept ? item->kept : &item->owner)->queue = q;
}

static inline void
item_set_holding(struct qe_item *item, struct holding *h)
{
	(item->is_kept ? item->kept : &item->owner)->holding = h;
}

/* The queue of an item that is not NEW or GONE. */
struct queue *item_queue(const struct qe_item *item);

/* Moves the item to another state and counts `cause`; a NEW one has its queue. The reference of the engine is left to the
 * caller when the item is GONE. */
void item_move(struct qe *e, struct qe_item *item, enum item_state to,
	       enum item_cause cause);

/* The moves that every item makes: a NEW one becomes READY; a READY one goes into a holding, the
 * lease's slot was reserved; a LEASED one is finished. */
void item_accept(struct qe *e, struct qe_item *item);
void item_finish(struct qe *e, struct qe_item *item);
void item_lease(struct qe *e, struct qe_item *item, struct holding *holding);

/* As qe_item_new(), whatever the memory limit is. */
enum qe_result item_new_restored(struct qe *e, size_t body_len,
				 struct qe_item **ret_item) QE_MUST_USE;

/* The same without its body. QE_NOMEM. */
enum qe_result item_new_absent(struct qe *e, size_t body_len,
			       struct qe_item **ret_item) QE_MUST_USE;

/* A NEW item, which has its queue, takes its place: it was in this state before a restart. A leased
 * one has a holding, a slot was reserved. Nothing is counted but where it is. */
void item_restore(struct qe *e, struct qe_item *item, enum item_state state,
		  struct holding *holding);

/* Puts `item`, which is NEW, into the place of `old`, which is in a queue or leased: with its id and all
 * that was said of it but body and ctype. `old` is gone, and counted nowhere. (replace.c) */
void item_replace(struct qe *e, struct qe_item *old, struct qe_item *item);

/* `item` is `old`, which is in a queue or leased, with its body somewhere else: takes its place,
 * whatever that is. (replace.c) */
void item_swap(struct qe *e, struct qe_item *old, struct qe_item *item);

/* What can be said of it, without a reference. (dead_admin.c) */
struct qe_shown item_shown(const struct qe *e, struct qe_item *item);

/* Where the item stands in the order of arrival. */
uint64_t item_place(const struct qe_item *item);

/* Counts something that is no change of state. */
void item_count(struct qe *e, struct queue *q, enum item_cause cause);

/* A GONE item, which the engine still references, is accepted anew by the queue: with a new
 * id, ready, as never given before. */
void item_renew(struct qe *e, struct qe_item *item, struct queue *q);

/* Counts all ready and delayed items of the queue as gone, and leaves them to sweep().
 * O(1). */
void item_discard_waiting(struct qe *e, struct queue *q, enum item_cause cause);

/* The same for the leased ones; they stay where they are until sweep() comes by. */
void item_discard_leased(struct qe *e, struct queue *q, enum item_cause cause);

/* The same for the ready and delayed ones of a group. */
void item_discard_group(struct qe *e, struct group *g, enum item_cause cause);
/* The same for the dead ones. */
void item_discard_dead(struct qe *e, struct queue *q, enum item_cause cause);

/* Nobody is to be given the item any more: it is gone, and counted as dropped. */
void item_drop(struct qe *e, struct qe_item *item);

/* Ends an item that was discarded, and is in no list any more. */
void item_forget(struct qe *e, struct qe_item *item);

/* How items stand in a queue of this order. */
heap_before_fn *item_order(enum qe_order order);

/* Of a tag's id, for the table of leases. */
uint64_t item_hash(const struct qe *e, uint64_t id);
bool item_match(const void *item, const void *id);

#endif
