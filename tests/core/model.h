/* SPDX-License-Identifier: MIT
 *
 * What the engine should do, in obvious lines: arrays, linear search, no cleverness.
 * One function for each verb of engine.h, with the same results. It shares no code with
 * the engine, only its public types.
 */
#ifndef QBROKER_TESTS_CORE_MODEL_H
#define QBROKER_TESTS_CORE_MODEL_H

#include "daemon/core/engine.h"

#include <string.h>

#define M_QUEUES   4
#define M_SESSIONS 5
#define M_BATCH	   8
#define M_ANY	   5 /* queues in one get; may be the same twice */
#define M_GROUPS   3
#define M_KEYS	   3
#define M_WINDOWS  64
#define M_ITEMS	   8192
#define M_WAITERS  256
#define NOBODY	   (-1)

/* The same value of an option of a queue, whatever its kind. */
#define M_SAME(a, b) (memcmp(&(a), &(b), sizeof(a)) == 0)

struct m_item {
	uint64_t id, stamp; /* the stamp stands in the body */
	uint64_t len, accepted_ns;
	uint64_t deliveries, crashes;
	uint64_t leased; /* the order in which leases were given */
	int queue;
	int holder;	/* a session, or NOBODY: ready or delayed */
	int group;	/* 1 to M_GROUPS, 0: of none */
	bool cancelled; /* held while its group was cancelled */
	int key;	/* 1 to M_KEYS, 0: none */
	bool has_key;	/* it holds it */
	enum qe_scope scope;
	enum qe_on_duplicate on_duplicate;
	uint64_t window;
	bool timed, delayed;
	bool keep_expired; /* it dies when it expires */
	uint64_t timeouts, died_at;
	uint64_t nacks, place; /* in the order of arrival; 0: its id */
	uint64_t report;       /* memory of what was said of its failure */
	enum qe_death death;
	uint64_t ready_at, expires; /* if `timed` */
	bool recorded;		    /* it was timed, or leased with an end */
	uint64_t lease, ends, warn; /* if it is held; `lease` 0: no end */
	uint8_t ctype;
	int32_t priority;
};

struct m_reply {
	int session;
	uint64_t rid;
	enum qe_request request;
	enum qe_result result;
	bool many, dup, any;
	unsigned which;
	uint64_t died, ready, delayed, stall; /* join */
	unsigned n;
	uint64_t id;
	int64_t results[M_BATCH];
	struct m_item items[M_BATCH];
};

struct m_notice {
	int session, queue;
	uint64_t id, deliveries, left;
};

struct m_waiter {
	int session, queue;
	uint64_t rid, deadline, timer;
	enum qe_request request;
	int group; /* join: 0: of the whole queue */
	uint64_t stall, began, died;
	bool strict;
	/* get */
	struct qe_get get; /* with the lease_ns of its leases, 0: without an end */
	bool lingers;
	unsigned n_any; /* from many queues: `queue` is NOBODY */
	int any[M_ANY];
	bool left_out[M_QUEUES]; /* by queue */
	uint64_t leases[M_QUEUES];
	bool round_robin;
	/* put */
	bool many, atomic, dup;
	unsigned n, next, accepted;
	struct m_item items[M_BATCH];
	int64_t results[M_BATCH];
};

struct m_window {
	int queue, key;
	uint64_t id, ends;
};

struct m_queue {
	bool exists;
	uint64_t made; /* the order in which they were made */
#define QE_QUEUE_OPTION(name, ctype, kind, text) \
	ctype name;                              \
	bool own_##name; /* declared */
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
	enum qe_shutdown shutdown;
	bool paused_in, paused_out;
	uint64_t died_of[M_GROUPS + 1]; /* by group */
	struct qe_counters counters;
	uint64_t idle_since, happenings; /* QE_NEVER: somebody works */
};

struct model {
	struct qe_config config;
	uint64_t now, last_id, last_made, last_lease;
	struct m_queue queues[M_QUEUES];
	bool alive[M_SESSIONS], wants_notices[M_SESSIONS];
	struct m_item items[M_ITEMS]; /* accepted and not gone, by id */
	unsigned n_items;
	struct m_item dead[M_ITEMS]; /* in the order of dying */
	unsigned n_dead;
	int marked[M_QUEUES]; /* to be served by the next m_settle() */
	unsigned n_marked;
	struct m_waiter waiters[M_WAITERS]; /* in the order of arrival */
	unsigned n_waiters;
	struct m_window windows[M_WINDOWS];
	unsigned n_windows;
	const struct m_waiter *incoming;   /* a put that is just looked at */
	struct m_reply replies[M_WAITERS]; /* not yet taken */
	unsigned n_replies;
	struct m_notice notices[M_ITEMS]; /* of the last tick */
	unsigned n_notices;
	uint64_t memory; /* that the engine took before m_nack() or m_bury() */
	int starving[M_QUEUES]; /* queues whose first put waits for memory */
	unsigned n_starving;
	struct qe_counters gone;   /* of deleted queues */
	uint64_t gave[M_SESSIONS]; /* to a get in turns: when that queue was made */
};

/* What an item takes of the memory limit. */
uint64_t m_cost(uint64_t len);
uint64_t m_item_cost(const struct m_item *item);

uint64_t m_ready(const struct model *m, int queue);
uint64_t m_given(const struct model *m, int queue); /* 0 while it is paused */
uint64_t m_delayed(const struct model *m, int queue);
uint64_t m_size(const struct model *m, int queue);
uint64_t m_unfinished(const struct model *m, int queue);
uint64_t m_unfinished_of(const struct model *m, int queue, int group);
uint64_t m_leased(const struct model *m, int queue);
uint64_t m_bytes(const struct model *m, int queue, bool delayed);
uint64_t m_waiting(const struct model *m, int queue, enum qe_request request);

/* The ready item that is next in the queue's order, or NULL. */
struct m_item *m_first(struct model *m, int queue);

/* The i-th lease of the session on a queue (or any: NOBODY), the oldest first. */
struct m_item *m_lease(struct model *m, int session, int queue, unsigned i);

/* Has the lease of an item end so much later than now; QE_NEVER: never. */
void m_limit(struct model *m, struct m_item *item, uint64_t lease);

/* Gives a lease back, because the holder says so, its session is lost or the lease has run out. */
enum m_back { M_RELEASED, M_CRASHED, M_TIMED_OUT, M_NACKED };
void m_give_back(struct model *m, struct m_item *item, enum m_back why);

/* Whether the item's time is over: then it is gone, instead of what else would happen. */
bool m_memory_for(const struct model *m, int queue, uint64_t cost);
bool m_over(const struct model *m, const struct m_item *item);

/* Makes the queue if it does not exist. QE_OK, QE_LIMIT. */
enum qe_result m_need(struct model *m, int queue);

/* The next m_settle() serves the queue, after those that were marked before. */
void m_mark(struct model *m, int queue);

/* What died (model_dead.c). */
uint64_t m_died(const struct model *m, int queue, int group);
uint64_t m_dead(const struct model *m, int queue);
struct m_item *m_first_dead(struct model *m, int queue);
void m_remove_dead(struct model *m, struct m_item *item);
void m_drop_first_dead(struct model *m, int queue);
uint64_t m_dead_due(const struct model *m, int queue);
enum qe_death m_reason(const struct model *m, const struct m_item *item);
void m_die(struct model *m, struct m_item *item, enum qe_death why);

/* Items that fail, and what is done with dead ones (model_fail.c). The next three change nothing
 * unless they are QE_OK; `error`: its bytes. */
struct m_item *m_find_lease(struct model *m, int session, struct qe_tag tag);
enum qe_result m_nack(struct model *m, int session, struct qe_tag tag,
		      const struct qe_nack *nack);
enum qe_result m_bury(struct model *m, int session, struct qe_tag tag, uint64_t error);
enum qe_result m_update(struct model *m, int session, struct qe_tag tag,
			const struct m_item *item);
enum qe_result m_kick(struct model *m, int queue, uint64_t id, unsigned max,
		      uint64_t *ret_count);
enum qe_result m_dead_purge(struct model *m, int queue, uint64_t id,
			    uint64_t *ret_count);
enum qe_result m_move(struct model *m, int queue, int to, bool dead, unsigned max,
		      uint64_t *ret_count);
enum qe_result m_delete_item(struct model *m, int queue, uint64_t id, bool force);
struct m_item *m_find_dead(struct model *m, int queue, uint64_t id);

/* How long an item waits after an attempt that was its n-th to fail. */
uint64_t m_retry(const struct m_queue *q, uint64_t n);

/* It waits again, after a delay. */
void m_wait_again(struct model *m, struct m_item *item, uint64_t delay);
void m_expire(struct model *m, struct m_item *item);

/* By the first letter of a queue's name; NOBODY: it is empty. */
int m_queue_of(const struct qe_text *name);

void m_remove_item(struct model *m, struct m_item *item);

/* Keys (model_keys.c): the id for which the item's key is taken, or 0; the item that has it, or
 * NULL; the memory of all keys. */
uint64_t m_taken(const struct model *m, int queue, const struct m_item *item);
struct m_item *m_has_key(struct model *m, int queue, int key);
uint64_t m_keys_cost(const struct model *m);

/* An item was accepted; it has come to another state; some time has passed (NOBODY), or a queue
 * was deleted. */
void m_open_window(struct model *m, const struct m_item *item);
void m_moved(struct model *m, struct m_item *item);
void m_close_windows(struct model *m, int deleted);

/* What becomes of a put whose key is taken; QE_NOT_FOUND: it is free. With `act` it is done. */
enum qe_result m_duplicate(struct model *m, struct m_waiter *put, bool act);
void m_remove_waiter(struct model *m, struct m_waiter *w);

/* Who can go on now? (model_settle.c) */
void m_settle(struct model *m, int queue);
void m_mark_waiter(struct model *m, const struct m_waiter *w);
void m_settle_starving(struct model *m);
bool m_stands(const struct m_waiter *w, int queue);
bool m_serve(struct model *m, int queue);
void m_give(struct model *m, int session, const struct qe_get *get, int queue,
	    struct m_reply *reply);
bool m_ripe(const struct qe_get *get, uint64_t ready);
void m_finish(struct model *m, struct m_waiter *w, enum qe_result result);
enum qe_result m_put_on(struct model *m, struct m_waiter *put);
enum qe_result m_put_blocked(const struct model *m, const struct m_waiter *put);
struct m_waiter *m_first_put(struct model *m, int queue);
void m_refuse_rest(struct m_waiter *put, enum qe_result result, struct m_reply *reply);

/* The verbs. A put is a waiter with session, queue, rid, deadline, many, atomic, n and
 * items filled in. */
enum qe_result m_put(struct model *m, struct m_waiter *put, struct m_reply *ret);
enum qe_result m_get(struct model *m, int session, uint64_t rid, int queue,
		     const struct qe_get *get, struct m_reply *ret);
struct m_waiter *m_find_waiter(struct model *m, int session, uint64_t rid);
enum qe_result m_wait(struct model *m, const struct m_waiter *w, struct m_reply *ret);
uint64_t m_lease_length(const struct model *m, int queue, const struct qe_get *get);
enum qe_result m_get_any(struct model *m, const struct m_waiter *get,
			 struct m_reply *ret);
enum qe_result m_any_empty(const struct model *m, const struct m_waiter *w);
/* A join is a waiter with session, queue, rid, deadline, group, stall and strict filled in. */
enum qe_result m_join(struct model *m, struct m_waiter *join);
void m_watch(struct model *m, int queue);
void m_join_due(struct model *m, struct m_waiter *w);
void m_look_again(struct model *m, struct m_waiter *w);
void m_join_answer(const struct model *m, const struct m_waiter *w,
		   enum qe_result result, struct m_reply *reply);
enum qe_result m_need(struct model *m, int queue); /* makes it if there is none */

/* What the configuration says of it: members of a queue that can be declared. */
struct m_queue m_policy(const struct model *m, int queue);

/* Whether a rule of the configuration speaks of the queue. */
bool m_matches(const struct qe_rule *rule, int queue);

/* The configuration has changed. */
void m_configure(struct model *m);
enum qe_result m_cancel_group(struct model *m, int queue, int group,
			      struct qe_cancelled *ret_cancelled);
enum qe_result m_cancel(struct model *m, int session, uint64_t rid);
enum qe_result m_ack(struct model *m, int session, struct qe_tag tag);
enum qe_result m_task_done(struct model *m, int session, int queue);
enum qe_result m_release(struct model *m, int session, struct qe_tag tag);
enum qe_result m_touch(struct model *m, int session, struct qe_tag tag, uint64_t lease,
		       struct qe_touched *ret_touched);
enum qe_result m_declare(struct model *m, int queue, const struct qe_declare *declare,
			 bool *ret_created);
enum qe_result m_delete(struct model *m, int queue, bool force);
enum qe_result m_purge(struct model *m, int queue, uint64_t *ret_count);
enum qe_result m_shutdown(struct model *m, int queue, bool immediate);
enum qe_result m_pause(struct model *m, int queue, const struct qe_pause *pause);
enum qe_result m_reopen(struct model *m, int queue);
enum qe_result m_put_rest(struct model *m, struct m_waiter *put, struct m_reply *ret);
void m_session_end(struct model *m, int session, enum qe_end how);
void m_session_detach(struct model *m, int session);
void m_tick(struct model *m);

/* Before a get: what has expired is not given, what was delayed is. */
void m_catch_up(struct model *m, int queue);
uint64_t m_next_deadline(const struct model *m);

#endif
