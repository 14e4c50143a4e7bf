/* SPDX-License-Identifier: MIT
 *
 * One run of the engine beside the model: what its random operations and its
 * comparisons share.
 */
#ifndef QBROKER_TESTS_CORE_MODEL_RUN_H
#define QBROKER_TESTS_CORE_MODEL_RUN_H

#include "tests/core/model.h"

#include <check.h>
#include <inttypes.h>

/* What is counted: how often each verb, or answer, had each result. */
enum verb {
	PUT,
	PUT_MANY,
	PUT_ATOMIC,
	GET,
	GET_MANY,
	GET_ANY,
	JOIN,
	CANCEL,
	ACK,
	TASK_DONE,
	RELEASE,
	TOUCH,
	NACK,
	BURY,
	UPDATE,
	KICK,
	DEAD_PURGE,
	MOVE,
	DELETE_ITEM,
	BROWSE,
	SHOW,
	PEEK,
	DECLARE,
	DELETE,
	PURGE,
	SHUTDOWN,
	PAUSE,
	REOPEN,
	ITEM,	 /* qe_item_new() */
	SESSION, /* qe_session_new() */
	PUT_REST,
	SET_GROUP, /* qe_item_set_group() */
	SET_KEY,
	DUPLICATES, /* answers of puts: QE_DUPLICATE stands for `dup` */
	CANCEL_GROUP,
	ANSWER_PUT, /* out of qe_next_reply() */
	ANSWER_GET,
	ANSWER_JOIN,
	ONE_OF_MANY, /* the result of one item of a put of many */
	VERBS
};

#define RESULTS (QE_UNDECIDED + 1)
#define HELD	4 /* answers that are kept for a while */

struct run {
	uint64_t seed, step, rng;
	struct store *log; /* what the engine writes */
	struct model m;
	struct qe *e;
	struct qe_session *sessions[M_SESSIONS];
	int n_queues, n_sessions;
	uint64_t most_len;   /* of a body */
	unsigned puts;	     /* percent of the operations */
	unsigned timed;	     /* percent of the items */
	unsigned deaths;     /* percent of the items and queues that know of death */
	unsigned grouped;    /* percent of the puts */
	unsigned leases;     /* percent of the gets: with an end */
	unsigned keyed;	     /* percent of the puts of one item */
	bool ring; /* all queues are durable, and each has the next one for its dead */
	uint64_t stamp, rid; /* the last ones */
	unsigned foreign;    /* bodies that lie elsewhere and are not released */
	bool any_order;	     /* of the answers of this step */
	struct qe_reply held[HELD];
	struct m_reply held_as[HELD];
	struct qe_reply
		begun; /* a put of many, n > 0: of a session that was detached */
	struct m_reply begun_as;
};

extern struct run run;
extern uint64_t met[VERBS][RESULTS];

/* Fails with the place where to look. */
#define AGREE(condition)                                                 \
	do {                                                             \
		if (!(condition))                                        \
			ck_abort_msg("QB_SEED=%" PRIu64 " step %" PRIu64 \
				     ": " #condition,                    \
				     run.seed, run.step);                \
	} while (0)

uint64_t below(uint64_t n); /* 0 to n - 1 */
bool chance(unsigned percent);

/* Counts a result of both, which must be the same. */
enum qe_result agree(enum verb verb, enum qe_result engine, enum qe_result model);

/* Compares an answer with the model's, and gives it back, now or later. */
void compare_reply(struct qe_reply *reply, const struct m_reply *expected);

/* Takes all answers and compares them. */
void drain_replies(void);

/* Takes all notices and compares them. */
void drain_notices(void);

/* Compares all that can be seen from outside, and asks the engine to check itself. */
void compare_state(void);

/* What random operations are made of. */
int any_queue(void);
int any_session(void);
struct qe_tag any_tag(int session);
struct qe_item *make_item(struct m_item *as);

/* What is in a body that has room for it, wherever it lies. */
uint64_t body_stamp(struct qe_item *item);
const void *foreign_body(struct qe_foreign *foreign);

/* Those of items that fail, and of dead ones (model_ops_fail.c). */
void op_nack(void);
void op_bury(void);
void op_update(void);
void op_kick(void);
void op_dead_purge(void);
void op_move(void);
void op_delete_item(void);
void op_browse(void);
void op_show(void);

/* Fills in some of what a queue says of items that fail. */
void say_retries(struct qe_declare *declare);

/* One random operation. */
void random_operation(void);

struct qe_name queue_name(int queue);
struct qe_name group_name(int group);

#endif
