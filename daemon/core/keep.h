/* SPDX-License-Identifier: MIT
 *
 * What of the engine is kept in the store. Whatever a durable queue consists of, the queue
 * itself, its items, windows of its keys, and sessions that have to do with it, has a struct kept: whether
 * it has changed since the last record, and in which segment of the log its last full entry is.
 *
 * Who changes something says so here, and no more: what is written is the state that it has when
 * the record is closed. What has come and gone in between is not written at all.
 */
#ifndef QBROKER_CORE_KEEP_H
#define QBROKER_CORE_KEEP_H

#include "daemon/core/engine.h"
#include "daemon/core/entry.h"
#include "daemon/core/item.h"
#include "daemon/core/large.h"
#include "daemon/core/list.h"
#include "daemon/core/pool.h"
#include "daemon/core/table.h"

struct queue;
struct unique;
struct group;
struct waiter;

/* In the order in which they are written: what others name comes first. */
enum kept_kind { KEPT_SESSION, KEPT_QUEUE, KEPT_ITEM, KEPT_WINDOW, KEPT_KINDS };

struct kept {
	struct list in_segment; /* of its full entry */
	struct list changed;	/* keep.changed[kind], while it is due; else of an item the list
				   of its queue's bodies that it is in, if any */
	uint32_t segment;	/* 0: it has no full entry */
	uint32_t bytes;		/* of that entry */
	uint32_t writing;	/* of the one in the record that is open; then the number of that
				   record, as much of it as fits */
	uint8_t kind;
	bool due;   /* something will be written of it to the open record */
	bool whole; /* the next entry is a full one */
	bool moving; /* a full one is on its way (large.h) */
};

struct kept_item {
	struct kept kept;
	struct qe_item *item;
	union item_owner owner; /* of the item, which points here */
	uint32_t purges; /* queue.purges or dead_purges, when it began to wait or died: more
			    than that: it was discarded */
	uint32_t offset; /* of the body in the segment of the full entry; while the record is
			    open, in that */
	uint32_t sum;	 /* of a body that is away */
	uint8_t body_at; /* enum body_at */
	bool named;	 /* it is in keep.named */
	/* While it is being restored: */
	uint8_t state; /* enum item_state */
	bool cancelled;
};

#define KEEP_SHARES 8 /* of cleaning, that are on their way to the disk; a power of two */

struct keep {
	struct store *store; /* NULL: nothing is kept */
	const struct qe_hooks *hooks;
	uint64_t wall_ns; /* of the engine's time 0 */
	struct entries record; /* the one that is open */
	uint64_t open;	      /* its number */
	uint64_t changed_bytes; /* of bodies that will be written to it, about */
	unsigned changed_n;	/* entries that will be */
	bool sync;	      /* somebody waits until it is synced */
	bool said;	      /* something waits for it: there must be one */
	bool requested;	      /* something was changed since the last qe_after() */
	bool low;	/* no room for puts */
	const char *lost; /* as qe_store_lost() */
	qe_sum *sum_of;	  /* NULL: there are no checksums */
	struct qe_after after;
	struct qe_after latest; /* the records of what has changed last, in any queue */
	struct qe_after gone;	/* the records that say which queue was deleted last; 0: they are kept */
	uint64_t ids, numbers; /* are reserved up to these */
	bool restoring;	       /* what was read has not taken its place */
	bool unordered;	       /* restoring: what is in changed[KEPT_ITEM] must be sorted, for those of one
				  state do not stand in their order; */
	uint64_t newest[ITEM_STATES]; /* the last of each so far */
	bool copied;	       /* restoring: from a copy */
	uint64_t reserved; /* the record that says so; 0: it is on disk, or the next one will */
	uint64_t sure_ids; /* once so many have been given, answers wait until it is synced, for
			      without it the same ones would be given again */
	uint64_t sure_then; /* the same when it is */
	uint64_t meta;	       /* the segment in which that was said last */

	struct large large_ones;
	struct list changed[KEPT_KINDS];
	struct list begun; /* waiters: puts of many, of which some items are in the open record */
	size_t n_items;
	struct table named; /* of struct kept_item, by id: those that are asked for by it. While it is
			       being restored, all */
	struct pool pool; /* of struct kept_item */
	struct list spare;	/* reserved ones, by kept.changed */
	size_t n_spare;

	struct list *segments; /* what has its full entry there; a ring */
	size_t room;
	uint64_t first, last; /* segments; first > last: there is none */
	uint64_t live;	      /* bytes of all full entries */
	uint64_t bytes; /* of the log: as the store said last, and of the records since */
	uint64_t again; /* of the oldest segment, which were written again */
	uint64_t excess; /* bytes that are too much, when they were counted last */
	uint64_t owed;	 /* bytes that must be written again before there may be */
	uint64_t shares[KEEP_SHARES]; /* the records that the last ones were written to */
	unsigned n_shares;	      /* so far */
	bool stuck;   /* the store could not take a segment away */
	bool waits;   /* for the store: it has some shares to write, or a segment to remove */
	uint64_t segment_bytes;
	uint64_t room_ns; /* before, there is no room for what is larger than a segment */
	uint64_t large; /* bytes: a record that has so many is closed between two requests */
};

/* So much is written at once at most, unless it is one thing: of a segment a quarter, that what is left
 * over at the ends of segments is little, and that none has to be larger than the others. */
#define KEEP_LARGE    (UINT64_C(1) << 20)
#define KEEP_LARGE_OF 4
#define KEEP_MANY     1000 /* entries */

/* Whether a full entry of it will be written anyway, which says all. */
static inline bool
kept_is_due(const struct kept *k)
{
	return k->whole && k->due;
}

void keep_init(struct qe *e);
void keep_done(struct qe *e);

void kept_init(struct kept *k, enum kept_kind kind);

/* It is gone, or not kept any more; what is to be written of that is the caller's. */
void kept_leave(struct qe *e, struct kept *k);

/* Something will be written of it. */
void keep_due(struct qe *e, struct kept *k);

/* --- what has changed -------------------------------------------------------------- */

/* Whether the store has room for `n` more items with bodies of so many bytes together. */
bool keep_room(const struct qe *e, unsigned n, uint64_t bytes);

/* Memory for `n` more items of a durable queue. QE_OK, QE_NOMEM. */
enum qe_result keep_reserve(struct qe *e, unsigned n) QE_MUST_USE;

/* An item has moved to a state, its queue is durable. A new one needs what keep_reserve() got. */
void keep_moved(struct qe *e, struct queue *q, struct qe_item *item);

/* Something else of an item has changed that nobody waits for. */
void keep_touched(struct qe *e, struct queue *q, struct qe_item *item);

/* `item` is in the place of the old one, with its id. */
void keep_replaced(struct qe *e, struct queue *q, struct qe_item *item);

/* An item that was discarded, and is kept, is forgotten. */
void keep_forget(struct qe *e, struct qe_item *item);

/* The queue's counters, or more of it, have changed. */
void keep_counted(struct qe *e, struct queue *q);
void keep_queue(struct qe *e, struct queue *q);

/* What waits, or is dead, was discarded; a group was cancelled; the queue is deleted. Items that
 * change later are not meant. */
void keep_purged(struct qe *e, struct queue *q, bool dead);
void keep_cancelled(struct qe *e, const struct group *g);
void keep_deleted(struct qe *e, struct queue *q); /* or not durable any more */

void keep_window(struct qe *e, struct unique *u);
void keep_session(struct qe *e, struct qe_session *session);
void keep_session_ended(struct qe *e, struct qe_session *session);

/* A put of many that waits, some of whose items were accepted: if it comes again after a restart, these
 * are not put again. */
void keep_begun(struct qe *e, const struct queue *q, struct waiter *w);

/* Somebody is told something about the queue. It need not be called of one in memory,
 * unless ids_are_unsure(). */
void keep_asked(struct qe *e, const struct queue *q);

/* Somebody is told that a lease is over: whoever has ended it, and in whatever queue it was. */
void keep_asked_over(struct qe *e);

/* Somebody is told that there is no such queue: it may have been deleted. */
void keep_asked_gone(struct qe *e);

/* What somebody is told depends on nothing that was asked for him. */
void keep_asked_nothing(struct qe *e);

/* What an answer about the queue depends on. */
struct qe_after keep_after(const struct qe *e, const struct queue *q);

/* --- carrying forward -------------------------------------------------------------- */

/* Room to note what is in this segment. false: no memory. */
bool keep_segment(struct qe *e, uint64_t segment) QE_MUST_USE;

/* The last full entry of something is in this segment, and takes so many bytes. */
void keep_place(struct qe *e, struct kept *k, uint64_t segment, uint64_t bytes);

/* Writes a share of what the oldest segment is needed for again, and has it removed. */
void keep_clean(struct qe *e);

/* Has the segments removed that nothing needs any more, by what has been appended. */
void keep_trim(struct keep *keep);
bool keep_clean_left(const struct qe *e);

/* --- entries (keep_write.c) -------------------------------------------------------- */

/* Writes what has become of puts that wait, and all that has changed, to the open record. */
void keep_write_begun(struct qe *e);
void keep_write_changed(struct qe *e);

/* A full entry, whatever is kept. */
void keep_write_queue(struct qe *e, struct entries *r, const struct queue *q);
void keep_write_item(struct qe *e, struct entries *r, struct qe_item *item);
void keep_write_session(struct qe *e, struct entries *r, const struct qe_session *session);
void keep_write_window(struct qe *e, struct entries *r, const struct unique *u);
void keep_write_meta(struct qe *e, struct entries *r);

/* The body of an item that has it. NULL: no memory. */
const void *keep_body(const struct qe *e, struct qe_item *item);

/* Of an item that is_kept. */
static inline struct kept_item *
keep_of(const struct qe_item *item)
{
	return list_entry(item->kept, struct kept_item, owner);
}

/* From now on it is found by its id. false: no memory. */
bool keep_name(struct qe *e, struct kept_item *k) QE_MUST_USE;

/* NULL: it has ended, or was never named. */
struct kept_item *keep_named(const struct qe *e, uint64_t id);

/* An item that was discarded is not needed in the log any more. If it had changed before, whoever reads the
 * log may not know that it waited: then it is said that it is gone. */
void keep_discard(struct qe *e, struct kept_item *k);

/* Whether it was discarded, and is only not forgotten yet. */
bool keep_discarded(const struct kept_item *k);

/* Of restoring: an item that is new in a durable queue, or in any; room for it was reserved. It ends in
 * queue `q`. */
struct kept_item *keep_item_begin(struct qe *e, struct qe_item *item);
void keep_item_end(struct qe *e, struct queue *q, struct kept_item *k);

/* The memory that it takes; and whether the sums of what is in the segments are right. O(everything). */
uint64_t keep_cost(const struct qe *e);
bool keep_check(const struct qe *e);

#endif
