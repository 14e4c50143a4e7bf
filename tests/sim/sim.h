/* SPDX-License-Identifier: MIT
 *
 * A whole broker in one thread: the engine, the connections and the journal as they are,
 * over a clock, a disk and links that are pretended; and its clients. All that happens
 * comes from a seed: the same one gives the same run.
 */
#ifndef QBROKER_TESTS_SIM_SIM_H
#define QBROKER_TESTS_SIM_SIM_H

#include "daemon/core/store.h"
#include "daemon/journal.h"
#include "daemon/net/server.h"
#include "proto/message.h"
#include "tests/store/pretend.h"

#define SIM_QUEUES   6
#define SIM_SOURCE   0
#define SIM_TARGET   1
#define SIM_KEYS     3 /* of a queue */
#define SIM_GROUPS   3 /* of a queue */
#define SIM_CLIENTS  12
#define SIM_ITEMS    1024
#define SIM_PENDING  24
#define SIM_HOLDS    64
#define SIM_INPUT    (96 << 10)
#define SIM_BODY_MAX 3000
#define SIM_NEVER    UINT64_MAX

#define MS UINT64_C(1000000)

/* --- the seed -------------------------------------------------------------------- */

struct sim_random {
	uint64_t state;
};

uint64_t sim_random(struct sim_random *r);

/* What of this run is as in no other one. */
struct sim_options {
	uint64_t seed;
	unsigned steps;
	unsigned queues, producers, consumers; /* how many */
	unsigned segment, sync_interval_ms;
	unsigned resume_grace_ms, restart_grace_ms;
	unsigned output_high;
	unsigned commit, keep; /* one step in so many is one of theirs */
	unsigned kill, power, stop, disk_error, disk_full; /* in 10 000 steps */
	unsigned cut, die, hang;
	unsigned leases; /* percent of gets whose lease ends */
	bool pauses, ends, groups, deletes, touches, updates, keys, replaces, moves;
	bool heirs; /* SIM_TARGET takes what dies in SIM_SOURCE */
	unsigned max_attempts, max_crashes; /* of SIM_SOURCE, if it has an heir */
	bool in_pieces, slow;
	bool tight; /* the disk is full often, and producers put much then, and lose their links */
	unsigned body_memory; /* 0: all bodies are in memory */
	unsigned memory;      /* the limit; 0: it is not reached */
};

/* --- items ----------------------------------------------------------------------- */

enum sim_mode { SIM_MEMORY, SIM_ASYNC, SIM_SYNC };

/* Requests of one kind about a queue. Who has forgotten one does not know what became of
 * it, and it may still be carried out as long as the broker lives. */
struct sim_coming {
	unsigned asked;
	unsigned forgotten_life; /* in which one was forgotten last */
};

struct sim_pause {
	struct sim_coming coming;
	bool sure; /* that it is so */
	bool in, out;
	unsigned step; /* when that was heard of last */
};

struct sim_queue {
	char name[16];
	enum sim_mode mode;
	bool purged;	  /* nobody gets before the end, but it is purged */
	unsigned maxsize, max_bytes; /* 0: any number */
	struct sim_coming purges, cancels[SIM_GROUPS + 1], deletes;
	struct sim_coming moves; /* from SIM_SOURCE to SIM_TARGET */
	unsigned empty_step;	 /* when it was seen to be empty */
	unsigned
		delete_step; /* when a delete was heard of last, asked for or answered */
	struct sim_pause pause;
	bool empty;	       /* as it was last seen */
	unsigned changed_step; /* when that was heard of last */
	uint64_t there, states[4], accepted, finished, expired, paused;
	uint64_t bytes;
};

enum sim_put { SIM_ASKED, SIM_CONFIRMED, SIM_REFUSED };
enum sim_gone { SIM_THERE, SIM_MAYBE_GONE, SIM_GONE };

/* A body of an item, the first one or one from an UPDATE. */
struct sim_body {
	unsigned of; /* which item */
	enum sim_put put;
	unsigned step;	   /* when that was confirmed, or it was given */
	enum sim_gone old; /* there is another one */
	unsigned old_step;
};

/* One with a body that is another item's has no queue. */
struct sim_item {
	struct sim_body body;
	unsigned queue, len, group; /* 0: of none */
	unsigned put_queue; /* into which it was put */
	bool answered;	    /* that put was */
	uint64_t was_id;    /* the last one that is known, */
	uint32_t was_epoch; /* and in which epoch that was */
	unsigned producer;
	uint64_t incarnation, rid; /* of the producer */
	enum sim_put put;
	enum sim_gone gone;
	struct sim_key {
		unsigned name; /* 0: none */
		bool queued;   /* free as soon as it is given */
		bool rejects, replaces;
		uint64_t window_ns;
		uint64_t until_ns;    /* the window is open until then, at least */
		uint64_t until_by_ns; /* and is not afterwards */
	} key;
	bool taken; /* it is gone, but not by its holder: it may have been given before */
	bool may_be_lost;	      /* nothing says that it must be there */
	unsigned put_step, gone_step; /* when that was confirmed */
	unsigned refused_step;
	uint64_t id;
	uint64_t ready_ns; /* not to be given before */
	uint64_t ttl_ms;   /* 0: it has no end */
	uint64_t end_ns;   /* there may be no end before, and must be one then */
	uint64_t end_by_ns;
	bool end_is_death;  /* it does not go, but is dead */
	bool plain;	    /* its place is that of its put */
	bool may_be_dead;   /* somebody has buried it */
	/* In SIM_SOURCE, which has an heir: */
	bool died;
	unsigned died_step;	   /* when that was heard of */
	unsigned nacks, nack_step; /* how many, and the last one */
	unsigned failed_life;	   /* in which the first one was asked for */
	bool again;	    /* its put was asked for again, of another broker */
	bool may_move;	    /* it is in SIM_SOURCE, or has been moved */
	bool ever_moved;    /* or may have been */
	unsigned move_step; /* when that was heard of */
	bool before_delete; /* it may have been put into a queue that was deleted since */
	bool not_counted;   /* as finished by this broker, perhaps */
	int holder;	    /* a client; -1: nobody certainly */
	uint64_t delivery,
		given_ns; /* the newest since the last crash, and when it came */
};

/* --- clients --------------------------------------------------------------------- */

enum sim_kind { SIM_PRODUCER, SIM_CONSUMER, SIM_ADMIN };

/* A lease, as the client knows it. */
struct sim_lease {
	bool sure;	    /* that it was not taken away, at least */
	uint64_t until_ns;  /* it does not end by itself before */
	uint64_t least_ns;  /* nor before this, as it was first, or after a touch */
	uint64_t seq;	    /* the record that says so is not a later one */
	uint64_t touch_seq; /* the same of the last touch */
};

struct sim_hold {
	unsigned item, body;
	uint64_t id, delivery, epoch;
	struct sim_lease lease;
};

struct sim_request {
	uint64_t rid;
	unsigned op;
	int queue, item;   /* -1: none */
	uint64_t asked_ns; /* for the first time */
	unsigned asked_step, asked_life;
	bool again; /* also asked over another connection */
	unsigned n; /* items that are put, from `item` on; or leases that end; or what
				is paused; or a group; or whether it is forced */
	uint64_t lease_ms;	/* of a get, or a touch */
	struct sim_hold *holds; /* those leases; or NULL */
	uint8_t *bytes;
	size_t len;
};

struct sim_client {
	enum sim_kind kind;
	unsigned number;
	bool local, alive;
	unsigned process;
	int witness; /* readable once the process has died */
	uint64_t incarnation;
	uint8_t session[QP_SESSION_BYTES];
	uint64_t begun; /* 0: no session yet */
	uint32_t epoch;
	uint64_t session_seq; /* the first record of it is not a later one */
	uint64_t may_end_ns;  /* the session does not end before */
	int fd;		      /* -1: no link */
	bool ready;	      /* HELLO was answered */
	uint8_t *out;	      /* on its way to the broker */
	size_t out_len, out_room;
	uint8_t in[SIM_INPUT];
	size_t in_len;
	uint64_t rid;	/* the last one */
	unsigned heard; /* replies that were not confirmed */
	struct {
		uint64_t rid, id;
	} last_put[SIM_QUEUES];	   /* since the last crash */
	uint64_t hang_ns, wait_ns; /* does nothing, or does not connect, before */
	struct sim_request pending[SIM_PENDING];
	unsigned n_pending;
	struct sim_hold holds[SIM_HOLDS];
	unsigned n_holds;
	/* What was given last for the first time, by queue and producer: to which get, and by
	 * which put. */
	struct sim_newest {
		uint64_t get, put, id, incarnation;
		unsigned life;
	} newest[SIM_QUEUES][SIM_CLIENTS];
};

/* --- all together ---------------------------------------------------------------- */

struct sim_trace {
	uint64_t ns;
	unsigned step;
	uint8_t what;
	uint64_t n[4];
};

#define TRACE(name, text) TRACE_##name,
enum sim_what {
#include "tests/sim/trace.def"
};
#undef TRACE
#define SIM_TRACES 4096

struct sim {
	struct sim_options o;
	struct sim_random random;
	uint64_t now_ns;  /* of the world */
	uint64_t boot_ns; /* when the machine was started */
	unsigned step;
	bool healed;

	/* the broker */
	struct pretend *disk;
	struct event_base *base;
	struct server *server; /* NULL: it is not there */
	struct config config;
	struct journal journal;
	unsigned life;
	uint32_t epoch; /* 0: the broker may have lost it, and then has a new one */
	uint64_t life_ns;
	uint64_t keep_ns;	    /* when the keeper wants to be called */
	bool in_store;		    /* a step of the committer or the keeper */
	bool meanwhile;		    /* the loop goes on while it takes its time */
	uint64_t stop_ns;	    /* since when it is stopping; 0: it is not */
	struct store_status before; /* of the store in the life before */
	bool fault;		    /* the disk was told to fail, or is full */
	unsigned fault_life;	    /* the last life in which it was */
	unsigned safe_step; /* what was written before it is on disk, however late */
	struct {
		uint64_t ns;
		unsigned step;
	} kept[64]; /* the keeper's last steps */
	unsigned n_kept;

	struct sim_queue queues[SIM_QUEUES];
	struct sim_item items[SIM_ITEMS];
	unsigned n_items;
	struct sim_client clients[SIM_CLIENTS];
	unsigned n_clients;
	struct sim_client *connecting; /* whose connection is being accepted */

	uint64_t hash;
	int about; /* the item that is being looked at, for wrong(); -1: none */
	struct sim_trace traces[SIM_TRACES];
	unsigned n_traces;
	unsigned deliveries, crashes, confirmed;
	bool power_lost; /* ever */
};

extern struct sim *sim;

/* --- simulate.c ------------------------------------------------------------------ */

unsigned below(unsigned n);
bool chance(unsigned n, unsigned of);

/* --- trace.c --------------------------------------------------------------------- */

void trace(enum sim_what what, uint64_t a, uint64_t b, uint64_t c, uint64_t d);

/* Something is wrong: says what, and what went before, and ends. */
void wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* --- outside.c: the clock and the processes --------------------------------------- */

/* Whose end of the socket it is. */
void outside_accept(struct sim_client *c, int fd);

/* The log of the broker. */
const char *outside_last_log(void);

/* --- descriptors.c: sockets, and what waits for them ------------------------------ */

/* All are closed. */
void descriptors_end(void);

/* --- broker.c -------------------------------------------------------------------- */

void broker_start(void);
void broker_turn(void);
void broker_commit(void);
void broker_keep(void);
void broker_stop(void); /* in order */

/* The process ends at once; `power`: the machine does. */
void broker_kill(bool power);

/* Looks whether it has failed, or the disk has come to the call at which all ends. */
void broker_look(void);

/* The store's; all 0 without a broker. */
struct store_status broker_status(void);

/* --- link.c ---------------------------------------------------------------------- */

void client_begin(struct sim_client *c, enum sim_kind kind, unsigned number);
void client_connect(struct sim_client *c);
void client_cut(struct sim_client *c);
void client_die(struct sim_client *c);
void client_born(struct sim_client *c);
void client_push(struct sim_client *c);
void client_read(struct sim_client *c);
void client_end(struct sim_client *c);

/* Frees what it has. */
void client_forget(struct sim_client *c);

/* NULL: too many are pending. */
struct sim_request *client_ask(struct sim_client *c, struct qp_request *m,
			       const void *body, size_t len);

/* --- work.c ---------------------------------------------------------------------- */

struct qp_str queue_name(unsigned queue);
struct qp_str group_name(unsigned group);
void work(struct sim_client *c);

/* It is a refusal, whose text has this word. */
bool work_says(const struct qp_reply *reply, const char *word);
void work_answer(struct sim_client *c, struct sim_request *r,
		 const struct qp_reply *reply, const uint8_t *body, size_t len);

/* --- admin.c --------------------------------------------------------------------- */

void administer(struct sim_client *c);

/* --- checker.c ------------------------------------------------------------------- */

/* It has the next number; of `item` what was asked for counts. */
void check_new_item(struct sim_client *c, struct sim_item item);

/* It is sent over another connection. */
void check_again(const struct sim_request *r);
size_t check_body(unsigned item, uint8_t *ret);

/* Its queue is not durable, or one that it has been moved to. */
bool check_may_be_in_memory(const struct sim_item *item);

/* What became of one of the items: an id, or a negated status. */
void check_put(struct sim_client *c, const struct sim_request *r, unsigned item,
	       int64_t result);
void check_got(struct sim_client *c, const struct sim_request *r, uint64_t id,
	       uint64_t delivery, const uint8_t *body, size_t len);

/* Whether all that was put with this key has been answered: then it is known whose body a put replaces. */
bool check_key_is_known(unsigned queue, unsigned key);

/* It is not put, because of the item with this id; 0: that is not known. */
void check_duplicate(const struct sim_request *r, unsigned n, uint64_t id);

/* It was confirmed, or given. */
void check_body_is_there(struct sim_body *body);

/* The queue is not surely empty any more. */
void check_changed(unsigned queue);

/* --- checker_held.c -------------------------------------------------------------- */

/* Its body has the next number. */
void check_new_body(unsigned item, unsigned len);
void check_updated(struct sim_client *c, const struct sim_request *r,
		   const struct qp_reply *reply);
void check_touch_asked(struct sim_client *c, const struct sim_request *r,
		       struct sim_hold *h);
void check_touched(struct sim_client *c, const struct sim_request *r,
		   const struct qp_reply *reply);
void check_end_asked(struct sim_client *c, const struct sim_hold *h, enum qp_op op);
void check_ended(struct sim_client *c, const struct sim_hold *h, bool finishes,
		 enum qp_status status);

/* --- checker_queues.c ------------------------------------------------------------ */

/* Something was asked for that takes such an item away. */
bool check_may_be_taken(const struct sim_item *item);

/* It has gone by itself, perhaps, or has died. */
bool check_may_have_ended(const struct sim_item *item);

/* Then it may also have been kicked, and be without a delay and an end. */
bool check_may_be_dead(const struct sim_item *item);

void check_joined(struct sim_request *r);
void check_purge_asked(unsigned queue);
void check_delete_asked(unsigned queue, bool force);
void check_deleted(struct sim_request *r);

/* Whether the queue may have been deleted since this was asked for. */
bool check_may_be_deleted(const struct sim_request *r);
void check_move_asked(void);
void check_moved(void);

/* Whether the item may be given by this queue; it is there then. */
bool check_is_in(const struct sim_request *r, unsigned n, uint64_t id);
void check_cancel_asked(unsigned queue, unsigned group);
void check_cancelled(struct sim_request *r);

/* It may still be carried out. */
bool check_coming(const struct sim_coming *coming);

/* It has been, or refused. */
void check_answered(const struct sim_request *r);

/* The client does not wait for the answer any more. */
void check_forgotten(const struct sim_request *r);

enum { SIM_IN = 1, SIM_OUT = 2 };
void check_pause_asked(unsigned queue);
void check_paused(const struct sim_request *r, enum qp_status status);

/* Not to be done where it is paused in this direction. */
void check_not_paused(const struct sim_request *r, unsigned direction);

/* It was told that the queue is paused. */
void check_said_paused(const struct sim_request *r, unsigned direction);
void check_pause_shown(const struct sim_request *r, uint64_t paused);
void check_purged(struct sim_request *r);

/* It was accepted, is not gone, and has not been lost. */
bool check_is_surely_there(const struct sim_item *item);

/* --- checker_dead.c -------------------------------------------------------------- */

/* Another queue takes it when it dies. */
bool check_has_heir(const struct sim_item *item);

/* It may be in another queue because it has died; or may have died, whenever. */
bool check_may_leave_by_death(const struct sim_item *item);
bool check_may_have_died(const struct sim_item *item);

/* A NACK or BURY was answered. */
void check_failed(const struct sim_request *r);

/* It is given in the queue into which it was put. */
void check_given_alive(const struct sim_request *r, unsigned n);

/* --- checker_room.c -------------------------------------------------------------- */

/* The lengths of all bodies of a put, or an update. */
uint64_t check_bytes_asked(const struct sim_request *r);

/* An item was accepted; or it was said why not. */
void check_has_room(const struct sim_request *r, unsigned n);
void check_has_memory(const struct sim_request *r, unsigned n);
void check_said_full(const struct sim_request *r, const struct qp_reply *reply);
void check_size_shown(const struct sim_request *r, uint64_t waiting, uint64_t bytes);

/* --- checker_end.c --------------------------------------------------------------- */

void check_session_lost(struct sim_client *c);
void check_drained(void);

enum sim_crash { CRASH_STOP, CRASH_KILL, CRASH_POWER };
void check_crash(enum sim_crash crash, const struct store_status *status);

/* Whether all that must be there has been given. */
bool check_all_gone(void);

/* It takes too long: says what is left. */
void check_waiting(void) __attribute__((noreturn));

/* What QUEUES says of it; without rows: that it is not there. */
void check_counts(const struct sim_request *r, const uint8_t *rows, size_t len);

#endif
