/* SPDX-License-Identifier: MIT
 *
 * Which bodies of durable queues are in memory. When they take more than they may, those that are wanted
 * last leave: an item without its body, which says where that is in the store, takes the place of the
 * one that has it (item_swap(), leaving.c). Whoever needs a body asks for it here, and it is read back; some of
 * those that gets will be given next are read before (ahead.c). After a start they are all in the store alone, and
 * come back little by little, as far as there is room for them.
 *
 * An item is absent only while a full entry of it is written, so that it can always be read; that of an item that
 * died into another queue may be the one that it had in the old one.
 */
#ifndef QBROKER_CORE_BODIES_H
#define QBROKER_CORE_BODIES_H

#include "daemon/core/engine.h"
#include "daemon/core/list.h"

struct kept_item;
struct qe_item;
struct queue;
struct store_place;
struct store_status;

/* Where the body of a kept item is. */
enum body_at {
	BODY_STAYS, /* in memory: it is too small, or not in the store yet */
	BODY_HERE,  /* in memory, in a list of its queue: it may leave */
	BODY_AWAY,  /* in the store alone */
};

/* A large body is read, and summed up, in pieces: one in each turn. */
#define BODY_PIECE (UINT32_C(256) << 10)

struct body_piece {
	uint64_t id; /* of its item */
	struct qe_item *with;
	size_t done;  /* bytes */
	uint32_t sum; /* of these */
	uint64_t try_ns;
	unsigned tries;
};

/* Of the engine. */
struct bodies {
	uint64_t cost; /* memory that would be free without those that may leave */
	uint64_t n_absent, absent_bytes;
	struct list queues; /* that have some which may leave */
	uint64_t n_queues;  /* so many */
	uint64_t vain;	    /* how many were looked at since one could leave */
	uint64_t written;   /* up to this record, when they last could not */
	struct list hungry; /* queues that want bodies read ahead */
	struct list left;   /* kept items that are away since the start, by kept.changed */
	uint64_t left_ns;   /* when some of those are read */
	uint64_t busy;	    /* how much had been done when some were read last */
	uint64_t try_ns;    /* not before; what is wanted is on its way from the disk */
	unsigned tries;	    /* that were too early */
	struct body_piece reading; /* a large one that comes back (reading.c); `with` NULL: none */
	struct body_piece leaving; /* and one that leaves; id 0: none */
};

/* Of a queue: its kept items with BODY_HERE, by kept.changed, unless something is to be written of them. */
struct queue_bodies {
	struct list here; /* the last one leaves first */
	struct list
		placed; /* in the order of their records, which may not be written yet */
	struct list ahead;     /* were read ahead: leave when no other does */
	struct list in_engine; /* bodies.queues */
	struct list hungry;    /* bodies.hungry */
	uint64_t cost;	       /* as in struct bodies */
	uint64_t absent;       /* items */
	uint64_t near;	       /* what of the next ones is known to be here (ahead.c) */
};

void bodies_init(struct bodies *b);
void bodies_init_queue(struct queue_bodies *b);

/* The full entry of the item is in this record, which is not written yet. k->offset is that of the body
 * in the record. */
void bodies_placed(struct qe *e, struct kept_item *k, const struct store_place *place);

/* The kept item ends, or will be written again: it is in no list, and counted nowhere. */
void bodies_leave(struct qe *e, struct queue *q, struct kept_item *k);

/* The same, before another body takes the place of its own: what was read, or summed up, of a part of that is
 * given up. */
void bodies_replaced(struct qe *e, struct queue *q, struct kept_item *k);

/* Its item is one without the body now. */
void bodies_away(struct qe *e, struct kept_item *k, struct queue *q);

/* Whether the record with its full entry was written when somebody last looked. */
bool bodies_written(const struct qe *e, const struct kept_item *k);

/* Something else was written of it. */
void bodies_moved(struct qe *e, struct kept_item *k);

/* An item goes from a durable queue into another one. Its body, if it is away, is not read for that: what says where it is
 * goes with it, until its new entry is written, for which the store moves the body. */
struct body_place {
	uint64_t segment;
	uint32_t entry, offset, sum; /* bytes of its entry; as in struct kept_item */
};
struct body_place bodies_leaves_queue(const struct qe_item *item);
void bodies_passed(struct qe *e, struct qe_item *item, const struct body_place *from);

/* Whether one of this length can be in the store alone. */
bool bodies_may_leave(size_t body_len);

/* Restoring: the item has taken its place. */
void bodies_restored(struct qe *e, struct kept_item *k);

/* What a body must be when it is read back. */
uint32_t bodies_sum(const struct qe *e, const void *body, size_t len);

/* Gives the item its body back: another item is in its place then. QE_NOMEM; QE_LOST: it cannot be
 * read, and the store has failed. Nothing was changed. */
enum qe_result bodies_fetch(struct qe *e, struct qe_item **item) QE_MUST_USE;

/* The same, but QE_WAIT if it would have to wait for the disk, or is large: it will not in a while. */
enum qe_result bodies_fetch_now(struct qe *e, struct qe_item **item) QE_MUST_USE;

/* The same, but QE_AGAIN: it has begun to come back, and what is not in a queue's way is not waited for. */
enum qe_result bodies_fetch_soon(struct qe *e, struct qe_item **item) QE_MUST_USE;

/* The same, for one that is read ahead. `wait`: for the disk, unless it is large. */
enum qe_result bodies_fetch_ahead(struct qe *e, struct qe_item **item,
				  bool wait) QE_MUST_USE;

/* The body of `k` was read into `with`, whose place it takes; `ahead`: before it was asked for. */
void bodies_come_back(struct qe *e, struct kept_item *k, struct qe_item *with, bool ahead);

/* It could not be read. */
enum qe_result bodies_unreadable(struct qe *e);

/* A large body is wanted: QE_WAIT, QE_NOMEM. Reads the next piece of the one that comes back, if any, and has
 * its queue settled later. Gives it up. (reading.c) */
enum qe_result reading_want(struct qe *e, struct kept_item *k) QE_MUST_USE;
void reading_go_on(struct qe *e);
void reading_end(struct qe *e);

/* A share of bodies leaves. While nothing can, for it is not written or in use, it is in vain until there is
 * news. (leaving.c) */
void leaving_share(struct qe *e);
bool leaving_in_vain(const struct qe *e);

/* The queue wants bodies read ahead: somebody waits for them, or will soon. */
void bodies_want(struct qe *e, struct queue *q);

/* An item was given; if bodies of the queue are away, more of them may be wanted soon. */
void bodies_given(struct qe *e, struct queue *q, const struct qe_item *item);

/* A share of the work: has bodies leave, reads others ahead, and those that the start left. */
void bodies_tick(struct qe *e);
bool bodies_left(const struct qe *e);

/* When there is something to be read; QE_NEVER: nothing is wanted. */
uint64_t bodies_next(const struct qe *e);

/* Whether those that are here take more than they may. */
bool bodies_too_many(const struct qe *e);

/* Has the bodies of the queue's first `n` ready items here, as far as they are `max_bytes` together. QE_WAIT: not
 * without waiting for the disk, and they are on their way, but for *ret_here of them; QE_LOST, QE_NOMEM. (ahead.c) */
enum qe_result ahead_fetch(struct qe *e, struct queue *q, unsigned n, uint64_t max_bytes,
			   unsigned *ret_here) QE_MUST_USE;

/* A share of reading ahead. (ahead.c) */
void ahead_read(struct qe *e);

/* Of a kept item: it is counted as what it is. */
bool bodies_check(const struct kept_item *k);

#endif
