/* SPDX-License-Identifier: MIT
 * The requests that wait for their reply, by rid. Rids rise, so they index a ring; one
 * whose slot is still taken by an older request is left out. No I/O. */
#ifndef QBROKER_CLIENT_CALL_H
#define QBROKER_CLIENT_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/public.h"
#include "proto/message.h"

struct call;

/* How a request ended. */
struct answer {
	qb_result result;	      /* not QB_OK: qb_error() has the sentence */
	const struct qp_reply *reply; /* NULL when the connection was lost */
	qb_item **
		items; /* GET*, PEEK: items; QUEUES, STATS: the body. What is not taken (set to NULL) is freed */
	unsigned n;
};

typedef void call_finish(qb *q, const struct call *call, struct answer *answer);

struct call {
	uint64_t rid;	     /* 0: a free slot */
	call_finish *finish; /* called once, never NULL */
	qb_done *done;	     /* the caller's function and its argument, for `finish` */
	void *arg;
	uint8_t op, ack;
	uint16_t max_items; /* GET_MANY */
};

struct call_table {
	struct call *slots; /* a power of two of them, at most half of them used */
	uint64_t mask;
	uint64_t used;
	uint64_t next_rid;
};

void call_table_init(struct call_table *t);
void call_table_done(struct call_table *t);

/* A slot with a rid of its own, all else 0, valid until the next call_new(). NULL: no
 * memory. */
struct call *call_new(struct call_table *t);

/* The outstanding request of this rid, or NULL. */
static inline struct call *
call_find(const struct call_table *t, uint64_t rid)
{
	struct call *c = t->slots ? &t->slots[rid & t->mask] : NULL;

	return c && c->rid == rid && rid != 0 ? c : NULL;
}

/* Frees the slot. */
static inline void
call_remove(struct call_table *t, struct call *c)
{
	c->rid = 0;
	t->used--;
}

/* Takes out the next request, about in the order of their start; `*cursor` is 0 at the
 * beginning. false: there are no more. None may be added meanwhile. */
bool call_take(struct call_table *t, uint64_t *cursor, struct call *ret);

/* Drops them all. */
void call_forget(struct call_table *t);

#endif
