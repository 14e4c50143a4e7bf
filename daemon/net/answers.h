/* SPDX-License-Identifier: MIT
 *
 * The answers that a session was given and has not confirmed: what a client that has lost its
 * connection, and sends its request again, is answered from. A ring of small records, in the
 * order of the replies; it begins without memory and takes as much as is on the way to the
 * client. After a resume, those of earlier connections are `old`, and only these are looked for. */
#ifndef QBROKER_NET_ANSWERS_H
#define QBROKER_NET_ANSWERS_H

#include "daemon/core/engine.h"
#include "proto/message.h"

#define ANSWERS_MAX	   131072
#define ANSWERS_LIST_BYTES (UINT32_C(8) << 20)
#define ANSWERS_LOOK	   1024 /* so many the client may let come before it confirms */

#define ANSWER_ANY_OP 255 /* a refusal */
#define ANSWER_BEGUN  255 /* for a status; PUT_MANY: the results have undecided ones */

struct lease {
	uint64_t id, delivery;
};

struct record {
	uint64_t rid;
	union {
		uint64_t value;	      /* qp_reply_value(); GET: the id */
		int64_t *results;     /* PUT_MANY: the engine's array */
		struct lease *leases; /* GET_MANY */
		int64_t *stale;	      /* ACK_MANY */
	};
	uint32_t delivery; /* GET; PUT: whether it was a duplicate; CANCEL_GROUP: held */
	uint16_t n;	   /* entries of the list; 0: there is none */
	uint8_t op;	   /* 0: it has been taken, or is not remembered */
	uint8_t status;
};

struct answers {
	struct record *ring; /* a power of two of them, or NULL */
	uint32_t room;
	uint32_t n_old, old_room;
	struct record *old;  /* by rid */
	uint64_t before;     /* so many were given on earlier connections */
	uint64_t given;	     /* on this one */
	uint64_t first;	     /* the first of these that is in the ring */
	uint32_t list_bytes; /* of all lists */
	bool missing;	     /* one of those before the first was not confirmed */
};

/* For answers_add() alone: with a list, or when there is no room. */
void answers_add_slowly(struct answers *a, struct qe *e, const struct record *answer);

/* Remembers an answer, whose list is its own from now on. When there is no room, older ones
 * or all are forgotten. */
static inline void
answers_add(struct answers *a, struct qe *e, const struct record *answer)
{
	if (answer->n > 0 || a->given - a->first == a->room)
		answers_add_slowly(a, e, answer);
	else
		a->ring[a->given++ & (a->room - 1)] = *answer;
}

/* The same for an answer that there is no memory for. */
void answers_lose(struct answers *a, struct qe *e);

/* An answer that need not be remembered; the client may confirm it all the same. */
void answers_pass(struct answers *a, struct qe *e, uint64_t rid);

/* The client has the answer with this rid (0: none) and all before it. */
void answers_confirm(struct answers *a, struct qe *e, uint64_t rid);

/* A new connection goes on with the session. false: an answer is missing, or there was no memory; the
 * session cannot go on. */
bool answers_resume(struct answers *a, struct qe *e) QE_MUST_USE;

static inline struct record *
answers_at(const struct answers *a, uint64_t i)
{
	return &a->ring[i & (a->room - 1)];
}

/* The place of the last one that is forgotten, or will be by the next confirmation. */
static inline uint64_t
answers_forgotten(const struct answers *a)
{
	return a->before + a->first;
}

/* The old answer to this rid, or NULL. */
const struct record *answers_find(const struct answers *a, uint64_t rid) QE_MUST_USE;

/* Whether there is one, and `ret_begun`: one that is to be gone on with. */
bool answers_have(const struct answers *a, uint64_t rid, bool *ret_begun) QE_MUST_USE;

/* Takes an old answer out, with its list. false: there is none to this rid. */
bool answers_take(struct answers *a, uint64_t rid, struct record *ret) QE_MUST_USE;

/* Makes room for `answer->n` leases or stale places, of an answer that will be added. false: no
 * memory. */
bool answers_new_list(const struct answers *a, struct qe *e,
		      struct record *answer) QE_MUST_USE;

/* The same for one that is restored. */
bool record_new_list(struct qe *e, struct record *answer) QE_MUST_USE;

/* Frees the list of an answer that was taken. */
void record_free_list(struct qe *e, struct record *answer);

/* Frees all. */
void answers_done(struct answers *a, struct qe *e);

#endif
