/* SPDX-License-Identifier: MIT
 *
 * The engine: named queues, the sessions that use them, and who waits for what. It is a
 * machine without I/O: it is told the time, it never asks; what must be said to a
 * client comes out as a struct qe_reply. It knows nothing of sockets, frames, logs,
 * files or libevent, and needs libc only.
 *
 *                qe_put                  get, or a getter waits
 *    (waits) -------------->  READY  -----------------------------> LEASED
 *    putter       room          ^                                     |
 *                               |  release; session closed or lost:   |
 *                               +-- back to its original place -------+
 *                               |                                     | ack,
 *                               | purge, immediate shutdown           v task_done
 *                               +----------------------------------> gone
 *
 * An item may be put with a delay: it is DELAYED until its time has come, and READY, at
 * its place in the queue's order, from then on. An item may have an end: when it is
 * reached a ready or delayed item is gone (expired); a leased one stays with its holder
 * and is gone if it comes back. A lease may have an end: then the item goes back to its
 * place by itself, unless the holder touches it before. It may be one of a group, which can
 * be joined by itself, and cancelled.
 *
 * An item that failed too often (the queue's max_attempts and max_crashes), or expired and
 * was to be kept, is DEAD: it counts neither for join nor for maxsize, and waits until
 * somebody looks at it, or it falls out (max_dead, dead_ttl_ms). If the queue has dead_to,
 * that queue accepts it anew instead, beyond its bounds, with no times and no attempts;
 * unless its group was cancelled: what nobody needs any more is not done again.
 *
 * Answers. A call that returns anything but QE_WAIT is finished: its answer is the
 * return value and what it wrote to `ret`. QE_WAIT means that the request waits in the
 * engine; its one answer comes out of qe_next_reply() later, named by session and rid.
 * After every call, and after qe_tick(), the caller drains qe_next_reply(): any call
 * may have answered any number of waiting requests. Waking a waiter takes no memory, so
 * it cannot fail.
 *
 * Failure. A result other than QE_OK and QE_WAIT means that nothing was changed (apart
 * from a queue that came into being at its first use), unless the function says
 * otherwise.
 *
 * Bodies. An item is one allocation, counted by references: one of the engine while the
 * item is in a queue or leased, one of each struct qe_reply that carries it, and the
 * caller's own. A body does not change once the item has been handed over, so a caller
 * may send from it without copying. Of some items the body lies elsewhere, and the engine only
 * knows its length.
 *
 * Time. `now_ns` is monotonic, in nanoseconds, and must not go back between calls. A
 * deadline is a point on the same clock; QE_NEVER waits for ever; one that is not after
 * `now_ns` does not wait.
 *
 * Not thread-safe: one thread owns an engine and all that came out of it.
 */
#ifndef QBROKER_CORE_ENGINE_H
#define QBROKER_CORE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QE_NEVER     UINT64_MAX
#define QE_LATE	     (UINT64_MAX - 1) /* a deadline: qe_put() */
#define QE_MAX_NAME  255
#define QE_MAX_BATCH 1000 /* items in one put, get or ack of many */
#define QE_MUST_USE  __attribute__((warn_unused_result))

struct qe;	   /* an engine */
struct qe_session; /* one client's identity */
struct qe_item;	   /* a body and its metadata */

/* Their numbers are in journals, in what is kept of a put of many that was accepted in part: a new one comes last. */
enum qe_result {
	QE_OK,
	QE_WAIT,	/* the answer comes out of qe_next_reply() */
	QE_EMPTY,	/* no item in time */
	QE_EMPTY_PAUSED, /* the same, and the queue gives none: qe_pause() */
	QE_FULL_ITEMS,	/* no room in time: maxsize */
	QE_FULL_BYTES,	/* no room in time: max_bytes */
	QE_FULL_MEMORY, /* no room in time: the memory limit of the engine */
	QE_FULL_PAUSED, /* the queue takes none: qe_pause() */
	QE_TIMEOUT,	/* join: unfinished items were left */
	QE_SHUT_DOWN,
	QE_CANCELLED,
	QE_NOT_FOUND,
	QE_MISMATCH,
	QE_STALE,      /* the tag is no lease of this session */
	QE_NOT_LEASED, /* task_done without a lease */
	QE_TOO_BIG,    /* can never fit: larger than max_bytes or, an atomic batch, of
			  more items than maxsize */
	QE_INVALID,    /* a name or a number out of range; a rid that already waits */
	QE_LIMIT,      /* max_queues or max_waiters is reached */
	QE_NOMEM,
	QE_NOT_EMPTY,
	QE_DELETED, /* the queue was deleted while the request waited */
	QE_STALLED,   /* join: nobody works on what is ready */
	QE_DEAD,      /* join, strict: items died */
	QE_DUPLICATE, /* the key of the item is taken */
	QE_NO_SPACE,  /* durable queue: the store has no room */
	QE_UNDECIDED, /* one item of a put of many: qe_session_detach() */
	QE_LOST, /* the store has failed: qe_store_lost() */
	QE_AGAIN, /* a body is on its way from the disk: the same call is to be made again when qe_tick()
		     has been called in its time. Of those that say so below */
	QE_FULL_JOURNAL, /* no room in time: qe_pace() */
};

/* Which ready item a get is given. */
#define QE_ORDER(name, c_name, text) c_name,
enum qe_order {
#include "daemon/core/orders.def"
};
#undef QE_ORDER

/* What of a queue outlives the broker. */
#define QE_DURABILITY(name, c_name, text) c_name,
enum qe_durable {
#include "daemon/core/durability.def"
};
#undef QE_DURABILITY

struct qe_text { /* a short string by value */
	uint8_t len;
	char p[QE_MAX_NAME];
};

#define QE_QUEUE_OPTION(name, ctype, kind, text) QE_OPTION_##name,
enum qe_queue_option {
#include "daemon/core/queue_options.def"
	QE_QUEUE_OPTIONS
};
#undef QE_QUEUE_OPTION

/* As members of the structs below: a queue's options, by name. */
#define QE_QUEUE_OPTION(name, ctype, kind, text) ctype name;

/* Limits of an engine. A limit of 0 means none. */
struct qe_config {
	uint32_t epoch;	 /* this run of the broker; the third part of every tag */
#include "daemon/core/queue_options.def" /* of queues, unless a rule or qe_declare() says
					    something else */
	const struct qe_rule *rules; /* copied; of those that match, the last counts */
	unsigned n_rules;
	uint64_t memory_limit; /* bytes: a put waits while accepted items would exceed
				  it, unless there are none; with those that wait, and
				  all else, no item is made above 9/8 of it */
	uint64_t body_memory;  /* bytes that bodies of durable queues may take: others are in
				  the store alone; 0: all are in memory */
	uint32_t max_queues;   /* named queues */
	uint32_t max_waiters;  /* waiting requests of one session */
	bool can_keep;	       /* queues may be durable */
};

/* Makes an engine. `config` is copied. NULL: no memory, or a default or a rule says `durable` and
 * it cannot keep anything. */
struct qe *qe_new(const struct qe_config *config) QE_MUST_USE;

/* Frees everything: queues, items, waiters, sessions. Items that the caller still
 * references, also through replies, must have been given back before. NULL is allowed.
 */
void qe_free(struct qe *e);

/* Takes over new limits; they hold for what comes, nothing that exists is dropped but dead
 * items (max_dead, dead_ttl_ms). `epoch` and `can_keep` are not changed. Queues that exist have
 * what defaults and rules say now, but for what was declared, for the order of a queue that has
 * unfinished items, and for whether one that has any items is durable; if there are
 * many, over several qe_tick() calls. Puts that fit now are accepted: drain
 * qe_next_reply(). QE_NOMEM; QE_INVALID, as qe_new(): nothing was changed. */
enum qe_result qe_configure(struct qe *e, uint64_t now_ns,
			    const struct qe_config *config) QE_MUST_USE;

/* --- items ----------------------------------------------------------------------- */

/* Makes an item with an uninitialised body of `body_len` bytes, owned by the caller
 * (one reference). QE_FULL_MEMORY: it would go above 9/8 of the memory limit. QE_NOMEM:
 * the system has no memory. */
enum qe_result qe_item_new(struct qe *e, size_t body_len,
			   struct qe_item **ret_item) QE_MUST_USE;

/* A body that the engine does not have the bytes of: a part of something of the caller's. */
struct qe_foreign {
	void (*release)(struct qe_foreign *foreign); /* called once, when the item is
							freed */
};

/* The same with such a body, which counts as if it were here; qe_item_body() must not be called.
 * When it fails the body stays the caller's. */
enum qe_result qe_item_new_foreign(struct qe *e, size_t body_len,
				   struct qe_foreign *foreign,
				   struct qe_item **ret_item) QE_MUST_USE;

/* NULL: the body is here. */
struct qe_foreign *qe_item_foreign(const struct qe_item *item);

/* Takes one more reference; gives one back, and with the last one frees the item. */
void qe_item_ref(struct qe_item *item);
void qe_item_unref(struct qe *e, struct qe_item *item);

/* The body, writable until the item has been put, and its length in bytes. */
void *qe_item_body(struct qe_item *item);

/* Whether the body is in the store alone: qe_item_body() must not be called. Only qe_browse() shows such
 * items. */
bool qe_item_absent(const struct qe_item *item);
size_t qe_item_body_len(const struct qe_item *item);

/* Lower comes first, in a queue with the order priority; 0 at first. */
void qe_item_set_priority(struct qe_item *item, int32_t priority);
int32_t qe_item_priority(const struct qe_item *item);

struct qe_name { /* a queue's, or a group's: 1 to 255 bytes of UTF-8 without control
		    characters */
	const char *p;
	size_t len;
};

/* Before the item is put: it is not given before `ready_ns` (0: no delay), and is gone,
 * ready, delayed or not even accepted, from `expires_ns` on (QE_NEVER: stays), as soon as
 * qe_tick() comes by; no get is given it before. Both are points on the engine's clock. QE_NOMEM: nothing was
 * changed. */
enum qe_result qe_item_set_times(struct qe *e, struct qe_item *item, uint64_t ready_ns,
				 uint64_t expires_ns) QE_MUST_USE;

/* Before the item is put into `queue`, which is made if there is none: it is one of this group of
 * the queue. QE_INVALID, QE_LIMIT, QE_NOMEM: nothing was changed. */
enum qe_result qe_item_set_group(struct qe *e, uint64_t now_ns, struct qe_item *item,
				 struct qe_name queue,
				 struct qe_name group) QE_MUST_USE;

/* How long an item keeps its key from when it is accepted, beside the window. */
enum qe_scope {
	QE_WINDOW,     /* not at all */
	QE_QUEUED,     /* while it is ready or delayed */
	QE_UNFINISHED, /* while it is ready, delayed or leased */
};

/* What becomes of a put whose key is taken. */
enum qe_on_duplicate {
	QE_IGNORE,  /* QE_OK, `dup`, and the id of the item that has the key */
	QE_REJECT,  /* QE_DUPLICATE */
	QE_REPLACE, /* the same as QE_IGNORE, and the body and ctype of the item become those of
		       the put; QE_DUPLICATE if it is not ready or delayed. A longer body
		       needs room, and may have to wait for it */
};

struct qe_key {
	struct qe_name name; /* as a queue's */
	enum qe_scope scope;
	uint64_t window_ns; /* the key is taken for so long from when the item is
			       accepted, whatever becomes of it; 0: no window */
	enum qe_on_duplicate on_duplicate;
};

/* Before the item is put into `queue`, by itself, not with many: it has this key. Whether that
 * is taken is asked when the put comes, and again when it has waited and its turn has come. An
 * item that comes back while another one has its key does not have it any more. QE_INVALID,
 * QE_LIMIT, QE_NOMEM: nothing was changed. */
enum qe_result qe_item_set_key(struct qe *e, uint64_t now_ns, struct qe_item *item,
			       struct qe_name queue,
			       const struct qe_key *key) QE_MUST_USE;

/* The group; the length is 0 without one. Valid as long as the item is, unless a put takes its
 * place (QE_REPLACE). */
struct qe_name qe_item_group(const struct qe_item *item);

/* Whether nothing can be said of it but its id, its body and how often it was given: it has no
 * ctype, priority, group or time, and no delivery of it has failed. */
bool qe_item_is_plain(const struct qe_item *item);

void qe_item_set_ctype(struct qe_item *item, uint8_t ctype);
uint8_t qe_item_ctype(const struct qe_item *item);
uint64_t qe_item_id(const struct qe_item *item); /* 0 before it was accepted */
uint32_t qe_item_deliveries(
	const struct qe_item *item); /* how often it was given to somebody */
uint64_t qe_item_lease_ns(
	const struct qe_item *item); /* how long a get leased it for; 0: without an end,
					or it is not leased */

/* How its deliveries failed: holders that were lost, that gave it back as failed, whose
 * time ran out. They stop at 65535. */
uint32_t qe_item_crashes(const struct qe_item *item);
uint32_t qe_item_nacks(const struct qe_item *item);
uint32_t qe_item_timeouts(const struct qe_item *item);

/* Before the item is put: when it expires it is dead, not gone. After the same
 * qe_item_set_times(). */
void qe_item_keep_expired(struct qe_item *item);

enum qe_death {
	QE_ALIVE,
	QE_DEATH_ATTEMPTS, /* max_attempts */
	QE_DEATH_CRASHES,  /* max_crashes */
	QE_DEATH_EXPIRED,
	QE_DEATH_BURIED,
};

/* Why the item died last, also in the queue that took it (dead_to) or after it was kicked. */
enum qe_death qe_item_death(const struct qe_item *item);

/* What is kept of its last failure, "" if nothing: the last holder's name, and the error that
 * a holder gave. They belong to the item and live until its next change. */
struct qe_name qe_item_worker(const struct qe_item *item);
struct qe_name qe_item_error(const struct qe_item *item);

/* The queue of an item that was accepted and is not gone; valid as in qe_queue_stats. */
struct qe_name qe_item_queue(const struct qe_item *item);

/* --- sessions -------------------------------------------------------------------- */

/* Begins a session. `id`: 16 bytes, copied. `owner` is the caller's, returned by
 * qe_session_owner(). QE_INVALID: a session with this id exists. QE_NOMEM. */
enum qe_result qe_session_new(struct qe *e, uint64_t now_ns, const uint8_t id[16],
			      void *owner, struct qe_session **ret_session) QE_MUST_USE;

enum qe_end {
	QE_END_CLOSED, /* in order: leases are released, no crash is counted */
	QE_END_LOST,   /* the client died or its link was cut: crashes + 1 */
};

/* Ends a session: its waiting requests are dropped unanswered (waiting puts with their
 * items), its leases go back to their original places. The session must not be used any
 * more by the caller. A session with very many leases gives them back over several
 * qe_tick() calls, oldest first. */
void qe_session_end(struct qe *e, uint64_t now_ns, struct qe_session *session,
		    enum qe_end how);

/* The session with this id that has not ended, or NULL. */
struct qe_session *qe_session_find(const struct qe *e, const uint8_t id[16]);

/* The client's link is lost, it may come back: its leases stay, its waiting requests are
 * dropped unanswered, so that nothing is given to, and nothing accepted from, a client that is not
 * there. It may ask again when it is back. Only a put of many, without `atomic`, of which some
 * items were accepted, is answered: with QE_UNDECIDED in the results of the others, for
 * qe_put_rest(). Answers that were not taken yet still come out of qe_next_reply(). */
void qe_session_detach(struct qe *e, uint64_t now_ns, struct qe_session *session);

/* Whether it is told, by qe_next_notice(), of what comes from now on; not at first. */
void qe_session_set_notices(struct qe_session *session, bool wanted);

void *qe_session_owner(const struct qe_session *session);

/* The name under which it is remembered as an item's last holder; copied, cut at 255 bytes.
 * QE_NOMEM: it has the name that it had, none at first. */
enum qe_result qe_session_set_name(struct qe *e, struct qe_session *session,
				   struct qe_name name) QE_MUST_USE;

/* --- answers --------------------------------------------------------------------- */

enum qe_request {
	QE_REQUEST_PUT,
	QE_REQUEST_GET,
	QE_REQUEST_JOIN,
};

/* What must be kept before somebody hears of something: see "keeping". */
struct qe_after {
	uint64_t synced;  /* this record and those before are to be synced (store.h); 0: none */
	uint64_t written; /* and up to this one written */
};

/* The answer of one put, get or join. */
struct qe_reply {
	struct qe_session *session; /* whose request; only in answers that come from
				       qe_next_reply() */
	uint64_t rid;		    /* likewise */
	enum qe_request request;
	enum qe_result result;
	bool many;	  /* the request was one for many items (put: `results`, get:
			     qe_reply_item()) */
	bool run;	  /* get, QE_OK: as qe_get.run said */
	bool dup; /* put of one item, QE_OK: its key was taken, `id` is the other one's */
	bool paused; /* join, QE_STALLED: gets are given nothing: qe_pause() */
	struct qe_after after; /* what must be kept before it is told; only in answers that come
				  from qe_next_reply() */
	uint8_t giver; /* get from many queues, QE_OK: the place in the request of the one that
			  gave, from 1; else 0 */
	unsigned n;	  /* get: items given; put of many: entries of `results` */
	union {
		struct {
			uint64_t id;	  /* put of one item, QE_OK: its id */
			int64_t *results; /* put of many, QE_OK: per item its id (> 0),
					     or -(enum qe_result) */
			struct qe_item *item;	/* get: the only item when n is 1, else
						   NULL */
			struct qe_item **items; /* get: the items when n is above 1,
						   else NULL */
		};
		struct { /* join that waited */
			uint64_t died; /* items that died meanwhile */
			uint64_t ready, delayed; /* QE_STALLED: how many there are */
			uint64_t stall_ns;	 /* for how long nothing happened */
		};
	};
};

/* The i-th item, 0 <= i < reply->n. Its reference is the reply's. */
struct qe_item *qe_reply_item(const struct qe_reply *reply, unsigned i);

/* Takes the next answer of a request that waited. false: there is none. Answers to
 * sessions that have ended never come out. The caller calls qe_reply_done() when it has
 * used it. */
bool qe_next_reply(struct qe *e, struct qe_reply *ret_reply) QE_MUST_USE;

/* Whether there is one. What it was given came before what another request will be given. */
bool qe_has_reply(const struct qe *e);

/* Room for the results of a put of many that was answered by an earlier run of the broker; a reply that
 * has them gives them back. NULL: no memory. */
int64_t *qe_results_new(struct qe *e, unsigned n);

/* Gives back what a reply holds: its references to items, its arrays. For every reply
 * that was filled, by qe_next_reply() or by a call that returned QE_OK. */
void qe_reply_done(struct qe *e, struct qe_reply *reply);

/* --- put, get, join -------------------------------------------------------------- */

/* Puts `n` items (1 to QE_MAX_BATCH) from the array `items`, in order. The engine takes
 * the caller's references over, whatever the result.
 *
 * One item, `many` false: QE_OK and ret->id; QE_WAIT; or refused: QE_FULL_* (the
 * deadline is not after now and there is no room, or other puts wait before it),
 * QE_SHUT_DOWN, QE_TOO_BIG, QE_DUPLICATE, QE_INVALID, QE_LIMIT, QE_NOMEM. The puts that wait for a
 * queue are served in the order of arrival; queues whose first put waits for memory
 * take turns, and a put to any other queue waits behind them.
 * The deadline QE_LATE: it is over, and the put has waited until puts may go on (qe_pace()). If
 * they still may not, nothing is accepted (QE_FULL_JOURNAL).
 *
 * `many`: QE_OK with ret->results, or QE_WAIT and the same later. Without `atomic` each
 * item is accepted as soon as there is room, in order; the deadline refuses those that
 * are left, with QE_FULL_* in their results, and so do a shutdown (QE_SHUT_DOWN), a
 * deletion (QE_DELETED) or a cancellation (QE_CANCELLED) that comes between. An item
 * that can never fit is QE_TOO_BIG in its result, and those behind it go on. With
 * `atomic` all are accepted at one moment or none; the refusal is then the result of
 * the whole request. A request that is refused before any item was accepted for a
 * reason that holds for all (shut down, invalid, limit, no memory) is refused whole
 * also without `atomic`. */
enum qe_result qe_put(struct qe *e, uint64_t now_ns, struct qe_session *session,
		      uint64_t rid, struct qe_name queue, uint64_t deadline_ns,
		      struct qe_item **items, unsigned n, bool many, bool atomic,
		      struct qe_reply *ret_reply) QE_MUST_USE;

/* Goes on with a put of many of which `begun` is the answer with QE_UNDECIDED in it; its results
 * are taken over. `items` has begun->n entries, of which only the undecided ones count; the
 * engine takes these over. QE_OK with the results of all in `ret_reply`, or QE_WAIT and the
 * same later; what is refused is so in its result, as with qe_put(). */
enum qe_result qe_put_rest(struct qe *e, uint64_t now_ns, struct qe_session *session,
			   uint64_t rid, struct qe_name queue, uint64_t deadline_ns,
			   struct qe_reply *begun, struct qe_item **items,
			   struct qe_reply *ret_reply) QE_MUST_USE;

struct qe_get {
	uint64_t deadline_ns;
	bool no_ack;	    /* the item is finished as it is given (ack none) */
	bool run;	    /* the caller's own: reply.run says it again */
	bool here; /* QE_AGAIN, and not QE_WAIT, if the body of the first item is on its way */
	bool many;	    /* the members below count; else one item */
	unsigned max_items; /* 1 to QE_MAX_BATCH */
	unsigned min_items; /* 1 to max_items */
	uint64_t max_bytes; /* of the bodies together; the first item is given whatever
			       its size */
	uint64_t linger_ns; /* once min_items are ready, wait so much longer for
			       max_items */
	uint64_t max_said;  /* of what must be said of the items beside their bodies,
			       together: QE_SAID for each, and its group; the first
			       item is given whatever it is; 0: no bound */
	uint64_t lease_ns;  /* how long the leases are; 0: as the queue says when the
			       get comes; QE_NEVER: without an end. With no_ack there
			       are none */
};
#define QE_SAID 64 /* bytes, enough for all numbers that an item has */

/* Gets one item, or 1 to max_items: QE_OK with the items in `ret_reply`, each leased to
 * the session with qe_item_deliveries() as its delivery number (with no_ack: finished).
 * QE_WAIT; or refused: QE_EMPTY, QE_SHUT_DOWN, QE_INVALID, QE_LIMIT, QE_NOMEM.
 *
 * Waiting gets are served in the order of arrival, one item wakes exactly one of them;
 * those for more than one item stand in a line of their own, of which only the first is
 * looked at, and an item goes to whichever of the two lines' first can take it and came
 * earlier. When the deadline of a get of many runs out it takes what is ready. It
 * lingers as long as it is the first of its line and min_items are ready; when others
 * take some of these it waits for min_items anew. When memory for the list of items, or
 * for leases that end, is short it gives fewer.
 *
 * Of a body that is in the store alone: everybody waits until it has been read, QE_WAIT, whose deadline comes
 * earlier a little longer than that; items come in their order to who waits. Of many, fewer may be given then, but not fewer
 * than min_items. QE_LOST: it cannot be read. */
enum qe_result qe_get(struct qe *e, uint64_t now_ns, struct qe_session *session,
		      uint64_t rid, struct qe_name queue, const struct qe_get *get,
		      struct qe_reply *ret_reply) QE_MUST_USE;

#define QE_MAX_ANY 64 /* queues in one get */

struct qe_any {
	const struct qe_name *queues; /* all different */
	unsigned n;		      /* 1 to QE_MAX_ANY */
	bool round_robin; /* look first behind the queue that gave last to such a get of
			     this session, instead of from the first on */
};

/* Gets one item from one of many queues: of those that have an item, the first, from
 * where the mode begins. While none has it waits in all their lines, at the place of its
 * arrival in each, and takes what comes first. A queue that is shut down and has nothing
 * left is left out, for this wait for good; QE_SHUT_DOWN: all are. When one is deleted
 * the answer is QE_DELETED. QE_INVALID: also when a queue is named twice. Else as
 * qe_get(), whose arguments for many items mean nothing here. */
enum qe_result qe_get_any(struct qe *e, uint64_t now_ns, struct qe_session *session,
			  uint64_t rid, const struct qe_any *any,
			  const struct qe_get *get,
			  struct qe_reply *ret_reply) QE_MUST_USE;

struct qe_join {
	uint64_t deadline_ns;
	struct qe_name group; /* of this group alone; length 0: of the whole queue */
	bool strict;	      /* QE_DEAD instead of QE_OK when items died meanwhile */
	uint64_t stall_ns;    /* 0: none */
};

/* Waits until ready + delayed + leased is 0. QE_OK at once when it is, or when there is
 * no such queue or group; QE_WAIT; QE_TIMEOUT when the deadline is not after now;
 * QE_INVALID, QE_LIMIT, QE_NOMEM.
 *
 * It ends with QE_STALLED when, for `stall_ns` since it came, items of the queue have been
 * ready, nobody has held one and no get has waited, and nothing was accepted, given, finished or
 * has come back. */
enum qe_result qe_join(struct qe *e, uint64_t now_ns, struct qe_session *session,
		       uint64_t rid, struct qe_name queue,
		       const struct qe_join *join) QE_MUST_USE;

/* Ends the wait of this session's request `rid`: its answer is QE_CANCELLED (a put of
 * many of which some were accepted: its results). QE_NOT_FOUND: no such request waits.
 */
enum qe_result qe_cancel(struct qe *e, uint64_t now_ns, struct qe_session *session,
			 uint64_t rid) QE_MUST_USE;

/* --- finishing ------------------------------------------------------------------- */

struct qe_tag {
	uint64_t id;
	uint64_t delivery;
	uint64_t epoch;
};

/* Finishes a lease of this session. QE_STALE: it has no such lease. */
enum qe_result qe_ack(struct qe *e, uint64_t now_ns, struct qe_session *session,
		      struct qe_tag tag) QE_MUST_USE;

/* Finishes the session's oldest lease (by the time it was given) on the queue.
 * QE_NOT_LEASED, QE_INVALID. */
enum qe_result qe_task_done(struct qe *e, uint64_t now_ns, struct qe_session *session,
			    struct qe_name queue) QE_MUST_USE;

/* Gives a leased item back to its original place, unworked. QE_STALE. */
enum qe_result qe_release(struct qe *e, uint64_t now_ns, struct qe_session *session,
			  struct qe_tag tag) QE_MUST_USE;

#define QE_MAX_ERROR 4096 /* bytes */

struct qe_nack {
	struct qe_name error; /* what went wrong, any bytes; copied; may be empty; not kept
				 if that would be above 9/8 of the memory limit */
	bool has_delay;	      /* else the queue's retry_delay_ms and so on */
	uint64_t delay_ns;    /* not given before so long has passed; QE_NEVER: never */
	bool tail;	      /* behind all that was accepted before, for good */
};

/* Gives a leased item back as failed: nacks + 1. It is dead if that was one attempt too many,
 * else it waits in its original place (or at the end), first delayed if it is to be. QE_STALE,
 * QE_INVALID: a longer error; QE_NOMEM: nothing was changed. */
enum qe_result qe_nack(struct qe *e, uint64_t now_ns, struct qe_session *session,
		       struct qe_tag tag, const struct qe_nack *nack) QE_MUST_USE;

/* Gives a leased item up: it is dead, whatever was tried before. QE_STALE, QE_INVALID: a longer
 * error; QE_NOMEM: nothing was changed. */
enum qe_result qe_bury(struct qe *e, uint64_t now_ns, struct qe_session *session,
		       struct qe_tag tag, struct qe_name error) QE_MUST_USE;

/* Gives a leased item back to its original place, unworked, with the body and the ctype of
 * `item`, which was never put; the engine takes the caller's reference over, whatever the result.
 * A larger body needs room: QE_TOO_BIG, QE_FULL_BYTES, QE_FULL_MEMORY, at once; QE_STALE; nothing
 * was changed. */
enum qe_result qe_update(struct qe *e, uint64_t now_ns, struct qe_session *session,
			 struct qe_tag tag, struct qe_item *item) QE_MUST_USE;

/* Has the lease end `lease_ns` from now; 0: as long as it was given for (nothing changes
 * when that was without an end), QE_NEVER: not by itself. A lease whose end has come is
 * still one until qe_tick() has been there. QE_STALE, QE_NOMEM. */
struct qe_touched {
	uint64_t left_ns; /* of the lease, now; QE_NEVER: it has no end */
	bool cancelled;	  /* the item's group was, while it was held */
};
enum qe_result qe_touch(struct qe *e, uint64_t now_ns, struct qe_session *session,
			struct qe_tag tag, uint64_t lease_ns,
			struct qe_touched *ret_touched) QE_MUST_USE;

/* Has the body of the item of a lease of this session read back, if it is away. QE_AGAIN, QE_STALE. */
enum qe_result qe_fetch_leased(struct qe *e, const struct qe_session *session,
			       struct qe_tag tag) QE_MUST_USE;

/* The item of a lease of this session, with a reference for the caller; waits for the disk if its body is
 * away. QE_STALE. */
enum qe_result qe_leased(struct qe *e, const struct qe_session *session,
			 struct qe_tag tag, struct qe_item **ret_item) QE_MUST_USE;

/* A lease of an item is about to end: a quarter of it is left, a second if that is more and
 * the lease was 2 s or longer. Said once for each time that it was given or touched. */
struct qe_notice {
	struct qe_session *session;
	struct qe_name queue; /* valid until the next call that changes the queue */
	struct qe_tag tag;
	uint64_t left_ns;
};

/* Takes the next notice of the last qe_tick(). false: there is none. */
bool qe_next_notice(struct qe *e, struct qe_notice *ret_notice) QE_MUST_USE;

/* --- dead items ------------------------------------------------------------------ */

struct qe_shown {
	struct qe_item *item;
	bool dead;	      /* else it is leased */
	uint64_t age_ns;      /* since it was accepted, to a millisecond */
	uint64_t dead_ns;     /* since it died; 0 if that is not known */
	bool delayed, leased;
	uint64_t due_ns;  /* delayed: until it is ready */
	uint64_t left_ns; /* until it expires; QE_NEVER: it does not */
	uint64_t held_ns; /* leased: for how long, to a quarter of a second */
	void *owner;	  /* of the session that holds it; NULL: that has ended */
};

/* The dead or leased item of the queue with this id, with a reference for the caller.
 * QE_NOT_FOUND, QE_INVALID, QE_AGAIN. */
enum qe_result qe_show(struct qe *e, uint64_t now_ns, struct qe_name queue, uint64_t id,
		       struct qe_shown *ret_shown) QE_MUST_USE;

enum qe_state { QE_STATE_READY, QE_STATE_DELAYED, QE_STATE_LEASED, QE_STATE_DEAD };
#define QE_MAX_SKIP 10000

/* Up to `max` items of the queue in this state, behind the first `skip` (0 to QE_MAX_SKIP) of
 * them: ready ones in the queue's order, dead ones in the order of dying, leased ones by holder, those
 * that he has had for longest first; delayed ones in no order. No references are given: they are
 * valid until the next call. O(skip + max), for ready ones times log n; of delayed ones also
 * O(groups), of leased ones O(sessions). QE_NOT_FOUND, QE_INVALID, QE_NOMEM. */
enum qe_result qe_browse(struct qe *e, uint64_t now_ns, struct qe_name queue,
			 enum qe_state state, unsigned skip, struct qe_shown *rows,
			 unsigned max, unsigned *ret_n) QE_MUST_USE;

/* How far a walk has come. */
struct qe_dump;

/* Walks through the items of the queue in this state, in shares: gives some more, at most `max` of them, until their
 * bodies are `max_bytes` together, or more, with a reference each for the caller. *walk is NULL at the
 * beginning, and again at the end; QE_WAIT: nothing yet, call again soon; QE_AGAIN. Ready items come in the order in which
 * they would have to be put again: that of arrival, in a queue with priorities that of these; delayed ones when
 * they are ready first before others, leased ones by holder, dead ones in no order. What was accepted after the walk
 * began is left out, however long it takes. Of what comes, goes or changes its state meanwhile some may be missed,
 * and some that is leased given twice; all else is given once. QE_NOT_FOUND: the queue is gone; QE_INVALID, QE_NOMEM,
 * QE_LOST: then the walk goes on no more. */
enum qe_result qe_dump(struct qe *e, uint64_t now_ns, struct qe_name queue,
		       enum qe_state state, struct qe_dump **walk,
		       struct qe_shown *rows, unsigned max, uint64_t max_bytes,
		       unsigned *ret_n) QE_MUST_USE;

/* Gives up one that has not come to its end; what it had may be freed over several qe_tick() calls. NULL is
 * allowed. */
void qe_dump_end(struct qe *e, struct qe_dump *walk);

/* Whether the item has a key, or was the last with one whose window is open; it is as it was put. The name is
 * valid as that of its group. */
bool qe_item_key(const struct qe_item *item, struct qe_key *ret_key);
bool qe_item_keeps_expired(const struct qe_item *item);

/* Has the dead item with this id, or for id 0 up to `max` (1 to QE_MAX_BATCH) of those that died
 * first, ready again: in its original place, as if no attempt had failed, and without a time at
 * which it expires. One whose group was cancelled is dropped instead. QE_NOT_FOUND, also without
 * such an item; QE_SHUT_DOWN: immediately; QE_INVALID. */
enum qe_result qe_kick(struct qe *e, uint64_t now_ns, struct qe_name queue, uint64_t id,
		       unsigned max, uint64_t *ret_count) QE_MUST_USE;

/* Drops the dead item with this id, or for id 0 all of them, as by a purge. QE_NOT_FOUND, also
 * without such an item; QE_INVALID. */
enum qe_result qe_dead_purge(struct qe *e, uint64_t now_ns, struct qe_name queue,
			     uint64_t id, uint64_t *ret_count) QE_MUST_USE;

/* --- looking --------------------------------------------------------------------- */

/* The item that the next get would be given, with a reference for the caller. QE_EMPTY,
 * QE_INVALID, QE_AGAIN. */
enum qe_result qe_peek(struct qe *e, struct qe_name queue,
		       struct qe_item **ret_item) QE_MUST_USE;

/* Exact sizes; all 0, with the maxsize that it would have, for a queue that does not exist.
 * QE_INVALID. */
struct qe_size {
	uint64_t qsize;	     /* ready + delayed */
	uint64_t unfinished; /* ready + delayed + leased */
	int64_t maxsize;
};
enum qe_result qe_size(struct qe *e, struct qe_name queue,
		       struct qe_size *ret_size) QE_MUST_USE;

#define QE_COUNTER(name, text) uint64_t name;
struct qe_counters {
#include "daemon/core/counters.def"
};
#undef QE_COUNTER

enum qe_shutdown {
	QE_OPEN,
	QE_SHUTDOWN,	       /* puts are refused, gets drain */
	QE_SHUTDOWN_IMMEDIATE, /* and items that come back are dropped */
};

struct qe_queue_stats {
	struct qe_name name; /* points into the queue: valid until the next call that
				changes it */
	uint64_t ready, delayed, leased, dead;
	uint64_t bytes; /* of ready and delayed bodies */
#include "daemon/core/queue_options.def"
	uint64_t getters, putters, joiners; /* requests that wait */
	enum qe_shutdown shutdown;
	bool paused_in, paused_out;
	uint64_t oldest_ns; /* age of the item next in line, to 1 ms; 0 without */
	uint64_t next_ns;   /* until a delayed item is ready; QE_NEVER: there is none, or
			       something else is due before */
	struct qe_counters counters;
};

/* One queue by name. QE_NOT_FOUND, QE_INVALID. */
enum qe_result qe_queue_stats(struct qe *e, uint64_t now_ns, struct qe_name queue,
			      struct qe_queue_stats *ret_stats) QE_MUST_USE;

/* Walks over all queues in the order in which they were made: `*cursor` is 0 at the
 * start, and the call moves it on. false: there are no more. Queues may come and go
 * between the calls. */
bool qe_next_queue(struct qe *e, uint64_t now_ns, uint64_t *cursor,
		   struct qe_queue_stats *ret_stats) QE_MUST_USE;

struct qe_stats {
	uint64_t queues, sessions, waiters;
	uint64_t memory; /* bytes of items, waiters, queues and sessions, allocator
			    overhead estimated; and what qe_memory_take() was told of */
	uint64_t ready, delayed, leased, dead;
	uint64_t absent, absent_bytes; /* items whose bodies are in the store alone, and these */
	struct qe_counters counters; /* over all queues, those that were deleted too */
};
void qe_stats(const struct qe *e, struct qe_stats *ret_stats);

/* Of the caller's memory for its sessions: whether the limit has room for so many bytes more. It
 * has up to 5/4, so that there is some also while many puts wait. */
bool qe_memory_fits(const struct qe *e, size_t bytes);

/* The caller took an allocation of so many bytes, which counts as the engine's own; or freed it. */
void qe_memory_take(struct qe *e, size_t bytes);
void qe_memory_give(struct qe *e, size_t bytes);

/* The memory of qe_stats() alone. */
uint64_t qe_memory(const struct qe *e);

/* Walks over the sessions that have not ended, in the order of their beginning, as
 * qe_next_queue() does. */
struct qe_session_stats {
	void *owner;
	uint8_t id[16];
	uint64_t leased;  /* items that it holds */
	uint64_t waiting; /* requests of it that wait */
};
bool qe_next_session(const struct qe *e, uint64_t *cursor,
		     struct qe_session_stats *ret_stats) QE_MUST_USE;

/* A request that waits; a get from many queues is seen in the line of each. */
struct qe_waiter_stats {
	void *owner; /* of its session */
	enum qe_request request;
	struct qe_name queue, group; /* as in qe_queue_stats; a group of length 0: none */
	unsigned place;	   /* in its line, from 1: gets, gets of many, puts and joins
			      each have one */
	uint64_t since_ns; /* for how long it has been waiting */
	uint64_t left_ns;  /* until its deadline; QE_NEVER: it waits for ever */
	unsigned items;	   /* put: not accepted yet; get: wanted at least; join: 0 */
};
#define QE_MAX_PLACE 10000 /* who stands behind that in a line is not shown */

/* Walks over those who wait, in all queues or in one: fills in at most `max` of them, and
 * returns, or writes to *ret_n, how many. `*cursor` is 0 at the start, the call moves it on,
 * and it is 0 again at the end; it always rises. A walk over all queues looks at a bounded
 * number of them per call, so 0 is no end. Who comes or goes between the calls moves the
 * places of others: they may be left out or come twice. QE_NOT_FOUND, QE_INVALID. */
unsigned qe_waiters(struct qe *e, uint64_t now_ns, uint64_t *cursor,
		    struct qe_waiter_stats *ret_stats, unsigned max) QE_MUST_USE;
enum qe_result qe_queue_waiters(struct qe *e, uint64_t now_ns, struct qe_name queue,
				uint64_t *cursor, struct qe_waiter_stats *ret_stats,
				unsigned max, unsigned *ret_n) QE_MUST_USE;

/* Who holds an item. */
struct qe_lease_stats {
	uint64_t id, delivery; /* of its tag */
	struct qe_name queue;  /* as in qe_queue_stats */
	void *owner; /* of the session; NULL: that has ended, the item is on its way back */
	uint64_t held_ns; /* for how long, to a quarter of a second */
	uint64_t left_ns; /* until the lease ends by itself; QE_NEVER: it does not */
};

/* The lease of an item, by its id. QE_NOT_FOUND: nobody holds it. QE_EMPTY: no item has had this id
 * yet. */
enum qe_result qe_who(struct qe *e, uint64_t now_ns, uint64_t id,
		      struct qe_lease_stats *ret_stats) QE_MUST_USE;

/* How far a search for an item has come; all zero before it begins. The members are the engine's. */
struct qe_search {
	uint64_t serial; /* of the queue */
	uint32_t purges; /* of it: all that waited was dropped meanwhile? */
	unsigned stage;
	unsigned steps; /* left in this call */
	bool forward;
	bool within;	      /* in a set, at these: */
	int32_t priority;
	uint64_t place, due_ns;
	struct qe_item *at;   /* with a reference */
	struct group *group;  /* likewise */
};

/* Gives a search up that would go on. It may be one that has not begun or has ended. */
void qe_search_end(struct qe *e, struct qe_search *search);

struct qe_found {
	enum qe_state state;
	struct qe_name queue; /* as in qe_queue_stats */
};

/* Where the item is that has this id and is not leased: looks through all queues, in shares. QE_WAIT:
 * the same call is to be made again soon, with the same search. An item that changes its state or
 * its queue between two calls may not be found. QE_NOT_FOUND. */
enum qe_result qe_find(struct qe *e, uint64_t now_ns, uint64_t id,
		       struct qe_search *search, struct qe_found *ret_found) QE_MUST_USE;

/* The leases of a queue that have lasted for longest, at most `max`, the longest first. Looks at the
 * first thousand sessions that hold any. QE_NOT_FOUND, QE_INVALID. */
enum qe_result qe_holders(struct qe *e, uint64_t now_ns, struct qe_name queue,
			  struct qe_lease_stats *ret_stats, unsigned max,
			  unsigned *ret_n) QE_MUST_USE;

/* Something that happened to a queue, for whoever watches. */
enum qe_event_kind {
	QE_EVENT_CRASHED,   /* the session that held the item was lost; the item is back */
	QE_EVENT_TIMED_OUT, /* the lease of the item ran out; it is back */
	QE_EVENT_DEAD,	    /* the item is dead */
	QE_EVENT_FULL,	    /* a put waits, and none did before */
	QE_EVENT_STALLED,   /* a join ended so */
	QE_EVENT_SHUTDOWN,
	QE_EVENT_REOPENED,
	QE_EVENT_PAUSED, /* in, out or both */
	QE_EVENT_RESUMED,
	QE_EVENT_LOST, /* more happened than there was room for */
	QE_EVENTS
};

struct qe_event {
	enum qe_event_kind kind;
	struct qe_name queue; /* valid until the next call; length 0: of none */
	uint64_t id;	      /* of the item; 0: it is about none */
	uint32_t deliveries;  /* of the item */
	struct qe_name worker; /* its last holder, if that is known; valid as `queue` */
	uint64_t lost;	      /* QE_EVENT_LOST: how many events */
};

/* From now on, or not any more, events are kept for qe_next_event(): so many as fit, the others
 * are counted. QE_NOMEM: as before. */
enum qe_result qe_watch(struct qe *e, bool wanted) QE_MUST_USE;

/* Takes the next event. false: there is none. */
bool qe_next_event(struct qe *e, struct qe_event *ret_event) QE_MUST_USE;

/* --- administration -------------------------------------------------------------- */

struct qe_declare {
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
#define QE_QUEUE_OPTION(name, ctype, kind, text) bool has_##name; /* it is given */
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
	bool update; /* change an existing queue instead of comparing */
};

/* Makes a queue, or compares it, or changes it. From then on the options that are given
 * are the queue's own: no qe_configure() changes them. QE_OK and whether it was made; else nothing
 * was changed. QE_MISMATCH, QE_NOT_EMPTY and, in `ret_stats`, what the queue has (it is otherwise
 * left alone). QE_NOT_EMPTY: the order cannot change while the queue has unfinished items, nor
 * can it become durable, or cease to be, while it has any, dead ones too. QE_INVALID: the name, or
 * it shall be durable without `can_keep`. QE_LIMIT, QE_NOMEM. */
enum qe_result qe_declare(struct qe *e, uint64_t now_ns, struct qe_name queue,
			  const struct qe_declare *declare, bool *ret_created,
			  struct qe_queue_stats *ret_stats) QE_MUST_USE;

/* Whether an option that is given is another than the queue has. */
bool qe_declare_differs(const struct qe_declare *declare, enum qe_queue_option option,
			const struct qe_queue_stats *has);

/* What the configuration says of queues whose names match a pattern: `*` stands for any
 * bytes, `?` for one, `\` makes the byte behind it stand for itself. */
struct qe_rule {
	struct qe_name pattern;
	struct qe_name source;	/* the caller's text, for qe_policy() */
	struct qe_declare says; /* `update` means nothing */
};

/* Why a queue has the value that it has of an option. */
struct qe_policy_source {
	enum qe_policy_from {
		QE_FROM_DEFAULT,
		QE_FROM_RULE,
		QE_FROM_DECLARE,
		QE_FROM_BEFORE, /* the configuration says something else, but the queue
				   had items when it began to do so */
	} from;
	struct qe_name rule; /* the source of the rule that says something; length 0:
				none does */
};

struct qe_policy {
	struct qe_declare has; /* the values */
	struct qe_policy_source sources[QE_QUEUE_OPTIONS];
};

/* What a queue has, and why; of a queue that does not exist, what it would have. The
 * texts hold until the next qe_configure(). QE_INVALID. */
enum qe_result qe_policy(const struct qe *e, struct qe_name queue,
			 struct qe_policy *ret_policy) QE_MUST_USE;

/* Removes a queue. QE_NOT_EMPTY: it has unfinished or dead items or waiting requests and
 * `force` is false. With `force` the items go with it (counted as purged, the leased
 * ones too), and all that waits is answered QE_DELETED. QE_NOT_FOUND, QE_INVALID. */
enum qe_result qe_delete(struct qe *e, uint64_t now_ns, struct qe_name queue,
			 bool force) QE_MUST_USE;

/* Drops the ready and delayed items and says how many. Their memory may be given back
 * over several qe_tick() calls. QE_NOT_FOUND, QE_INVALID. */
enum qe_result qe_purge(struct qe *e, uint64_t now_ns, struct qe_name queue,
			uint64_t *ret_count) QE_MUST_USE;

struct qe_cancelled {
	uint64_t dropped; /* items that waited */
	uint64_t held;	  /* items that are marked */
};

/* Cancels a group: its ready and delayed items are dropped, as by a purge, and those
 * that are leased are marked: they stay with their holders, and are dropped if they come back. Puts
 * into the group that wait are QE_CANCELLED. The name is free: what is put into a group of this name
 * later is not cancelled, and a join of it waits for both. A group that is not there has nothing to
 * cancel. QE_NOT_FOUND: no such queue. QE_INVALID. */
enum qe_result qe_cancel_group(struct qe *e, uint64_t now_ns, struct qe_name queue,
			       struct qe_name group,
			       struct qe_cancelled *ret_cancelled) QE_MUST_USE;

/* As queue.Queue.shutdown of Python 3.13 (docs.python.org/3/library/queue.html): puts,
 * also those that wait, are refused; gets are served while there are items, and wait for
 * delayed ones. `immediate`
 * drops the ready and delayed items; leased ones stay with their holders and are
 * dropped if they come back. Makes the queue when there is none. Calling it again is
 * allowed; immediate is not taken back by it. QE_INVALID, QE_LIMIT, QE_NOMEM. */
enum qe_result qe_shutdown(struct qe *e, uint64_t now_ns, struct qe_name queue,
			   bool immediate) QE_MUST_USE;

/* Which ways of a queue to close, or to open again; what is not given stays. */
struct qe_pause {
	bool has_in, has_out;
	bool in;  /* puts wait as if it were full, or are QE_FULL_PAUSED */
	bool out; /* gets wait as if it were empty, or are QE_EMPTY_PAUSED */
};

/* Pauses a queue, or lets it go on: then those who wait are served in their order. What
 * comes back, times, joins, a shutdown and the rest of this section go on as ever.
 * QE_NOT_FOUND, QE_INVALID. */
enum qe_result qe_pause(struct qe *e, uint64_t now_ns, struct qe_name queue,
			const struct qe_pause *pause) QE_MUST_USE;

/* Undoes a shutdown; a queue that is open stays so. QE_NOT_FOUND, QE_INVALID. */
enum qe_result qe_reopen(struct qe *e, uint64_t now_ns,
			 struct qe_name queue) QE_MUST_USE;

/* Moves up to `max` (1 to QE_MAX_BATCH) items of the queue from the front of its order, at one
 * moment and in this order, into another queue, which is made if need be: ready ones, or the dead,
 * those that died first before others. There they are new, ready items: with new ids and no
 * attempts, of no group and without a key; ready ones keep their end. Dead ones whose group was
 * cancelled are dropped instead, and counted with them. Moves fewer when the other
 * queue has no room for more: at none QE_FULL_ITEMS, QE_FULL_BYTES, QE_TOO_BIG. Pauses mean nothing
 * to it, and it does not stand in line; or when bodies of others are on their way: at none QE_AGAIN. QE_INVALID: also into the same queue, or another state.
 * QE_SHUT_DOWN: the other queue is. QE_NOT_FOUND, QE_LIMIT, QE_NOMEM. */
enum qe_result qe_move(struct qe *e, uint64_t now_ns, struct qe_name queue,
		       struct qe_name target, enum qe_state state, unsigned max,
		       uint64_t *ret_count) QE_MUST_USE;

/* Drops one item of the queue, as by a purge: ready, delayed or dead. One that is leased only with
 * `force`, and then its tag is stale; without, QE_NOT_EMPTY. Leased and dead ones are found by their
 * ids; others are searched for, in shares: QE_WAIT, nothing comes out of qe_next_reply(), but the same
 * call is to be made again soon, with the same search. An item that was got and came back
 * between two calls may not be found. QE_NOT_FOUND, QE_INVALID. */
enum qe_result qe_delete_item(struct qe *e, uint64_t now_ns, struct qe_name queue,
			      uint64_t id, bool force,
			      struct qe_search *search) QE_MUST_USE;

/* As qe_show(), wherever in the queue the item is; and as qe_delete_item() it may be looked for in
 * shares. */
enum qe_result qe_look(struct qe *e, uint64_t now_ns, struct qe_name queue, uint64_t id,
		       struct qe_search *search,
		       struct qe_shown *ret_shown) QE_MUST_USE;

/* --- keeping --------------------------------------------------------------------- */

/* What changes in queues with the option `durable` is written to a store (store.h), as the state
 * in which the queues, items, leases and sessions are when qe_commit() is called: between two of these
 * calls everything happens at one moment. doc/store-format.md has the entries.
 *
 * A change is made at once, and is right in all that the engine says. But who hears of it must
 * not before it is kept: an answer waits for `after`. That is what the queues depend on that it is about, so also
 * what only says how things are waits for what made them so. Leases and sessions are written too,
 * but nobody waits for that: one that is lost is an item given again. */

struct store;
struct store_place;

typedef void qe_emit(void *to, const void *bytes, size_t len);

/* What the network side has to say of sessions that are kept, and is told after a restart. `owner` is
 * the session's. */
struct qe_hooks {
	void *arg;
	/* Emits once what is needed to be there again for this client. */
	void (*describe)(void *owner, qe_emit *emit, void *to);
	/* Emits each answer that is remembered, in their order. */
	void (*answers)(void *owner, qe_emit *emit, void *to);
	/* Emits, as an answer, what has become of a put of many that waits and has been accepted in part; the
	 * results of the other items are -QE_UNDECIDED. It is good until there is an answer to this rid. */
	void (*begun)(uint64_t rid, int64_t *results, unsigned n, qe_emit *emit,
		      void *to);
	/* The bytes of a body that is elsewhere, for as long as the item is there. NULL: no memory. */
	const void *(*body)(struct qe_foreign *foreign);
	/* Restoring: a session was, as it described itself; sets its owner. Said again of one that
	 * has an owner: its answers are said anew. QE_INVALID, QE_NOMEM. */
	enum qe_result (*restore_session)(void *arg, struct qe_session *session,
					  const uint8_t id[16], const void *note,
					  size_t len);
	enum qe_result (*restore_answer)(void *owner, const void *answer, size_t len);
	void (*restore_confirm)(void *owner, uint64_t rid);
	void (*restore_end)(void *owner); /* it had ended; frees the owner */
};

/* Before anything else. `hooks` is not copied. */
void qe_set_hooks(struct qe *e, const struct qe_hooks *hooks);
void qe_session_set_owner(struct qe_session *session, void *owner);

/* The wall clock's nanoseconds since 1970 when the engine's clock was 0. To be said before anything is
 * restored, and again when somebody has set the clock. */
void qe_set_wall(struct qe *e, uint64_t wall_ns);

/* So much of the log has been read, and there is so much of it: makes room for what is likely to come. Need not
 * be called. */
void qe_restoring(struct qe *e, uint64_t done, uint64_t all);

/* What bodies that are in the store alone are checked with when they are read back. To be said before
 * anything is restored. */
typedef uint32_t qe_sum(uint32_t sum, const void *bytes, size_t len);
void qe_set_sum(struct qe *e, qe_sum *sum);

/* Restores what a record says, one after the other, before anything else is done. QE_INVALID: it is not
 * what doc/store-format.md says. QE_NOMEM. */
enum qe_result qe_restore(struct qe *e, uint64_t now_ns, const void *payload,
			  size_t len, const struct store_place *place) QE_MUST_USE;

/* What is restored from now on, until this is taken back, is a copy of what another broker wrote, which may go on
 * or have gone on: the epoch stays this one's own, sessions are not taken over, so that all leases are over, and
 * the ids that are given from now on leave those out that the other one may have given since. */
void qe_restore_copied(struct qe *e, bool copied);
#define QE_COPIED_IDS (UINT64_C(1) << 40)

/* All has been restored: items take their places; what had become due meanwhile will be by the next
 * qe_tick(). From now on changes are written to `store` (NULL: nowhere), which stays the caller's. The epoch is that which was
 * restored, if any was. QE_NOMEM. */
enum qe_result qe_restored(struct qe *e, uint64_t now_ns,
			   struct store *store) QE_MUST_USE;
uint32_t qe_epoch(const struct qe *e);

/* What the answers of all calls since the last qe_after() depend on. */
struct qe_after qe_after(struct qe *e);

/* An answer that the network side remembers of this session's request, before qe_after(). It is kept if the request has
 * changed something that is kept. */
void qe_session_answer(struct qe *e, struct qe_session *session, const void *answer,
		       size_t len);

/* The client has the answer with this rid and all before it. */
void qe_session_confirm(struct qe *e, struct qe_session *session, uint64_t rid);

/* At the end of a turn of the caller's loop, when all answers have been taken and told to
 * qe_session_answer(): what was changed since the last time is one record, and on its way. An answer that
 * is not told before is not kept together with what it is about. Between the requests of a turn too, then
 * after the same preparations, when qe_should_commit(): so that a record does not become too large. */
void qe_commit(struct qe *e);
bool qe_should_commit(const struct qe *e);

/* Whether the log grows faster than it is cleaned, so that somebody has to wait for the next qe_tick() or a later
 * one: who puts into a durable queue, or whoever changes one. To be asked before each request. As long as they
 * wait, and the store need not be waited for, turns must follow each other. */
enum qe_pace { QE_ALL_GO_ON, QE_PUTS_WAIT, QE_CHANGES_WAIT };
enum qe_pace qe_pace(const struct qe *e);

/* Whether that goes on only when the store says that it has written, or removed, more. */
bool qe_waits_for_store(const struct qe *e);

/* Whether there is such a queue, and it is durable. */
bool qe_is_kept(const struct qe *e, struct qe_name queue);

/* As if the store had failed: something could not be written for want of memory or room, or read. A
 * sentence that says so; NULL: all is well. */
const char *qe_store_lost(const struct qe *e);

/* Writes everything that is not in a durable queue, with the sessions, to another store: at an orderly
 * stop, after the last request. false: no memory, or the store takes no more. */
bool qe_snapshot(struct qe *e, uint64_t now_ns, struct store *store) QE_MUST_USE;

/* --- time ------------------------------------------------------------------------ */

/* Does what is due: delays, lives and leases of items that are over, then waits that ran out,
 * both in bounded shares; and a bounded share (well below a millisecond)
 * of the work that ended sessions, purges and deletions left behind. Returns the time
 * of the next call on the engine's clock: `now_ns` itself when more work is left,
 * QE_NEVER when there is nothing to wait for. The value holds until the next call of
 * any other function that takes `now_ns`. */
uint64_t qe_tick(struct qe *e, uint64_t now_ns);

/* How long, about, a call of qe_tick() may go on with that work; 200 us at first. */
void qe_set_share(struct qe *e, uint64_t share_ns);

/* When qe_tick() must be called next, as qe_tick() returns it. O(1). */
uint64_t qe_next_deadline(const struct qe *e);

/* --- for tests ------------------------------------------------------------------- */

/* Verifies every invariant that can be seen from inside: the states of all items
 * against the sets they are in, order, counts, the conservation equation of every
 * queue, heaps, tables, the memory count. Returns NULL, or a sentence (static storage)
 * that names the first that does not hold. O(everything). */
const char *qe_check(const struct qe *e);

/* What the memory count takes for the record that few items have. */
uint64_t qe_record_cost(void);

#endif
