/* SPDX-License-Identifier: MIT
 * The requests that wait for their reply, by rid, with the bytes of each, so that it can be
 * sent again over another connection. Rids rise, so they index a ring; one whose slot is
 * still taken by an older request is left out. No I/O. */
#ifndef QBROKER_CLIENT_CALL_H
#define QBROKER_CLIENT_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/public.h"
#include "proto/message.h"
#include "proto/out.h"

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
	union {		     /* the caller's function and its argument, for `finish` */
		qb_done *done;
		qb_put_many_done *put_many;
		qb_get_many_done *get_many;
	};
	void *arg;
	uint8_t op, ack;
	uint16_t max_items;  /* GET_MANY; GET_ANY: queues; pipelined puts, PUT_MANY: how many */
	bool mute;	     /* sent with the rid 0: it ends with the next reply */
	bool sent;	     /* a part of it, on a connection that is lost */
	bool given_up;	     /* nobody waits any more; an item that it got goes back */
	bool gathered;	     /* gather.c: it is still to be added to what is sent */
	struct qp_mark mark; /* its bytes, which it pins */
	int64_t deadline;    /* of its wait; NEVER for those that do not */
};

struct call_table {
	struct call *slots; /* a power of two of them, at most half of them used */
	uint64_t mask;
	uint64_t used;
	uint64_t next_rid;
	uint64_t mutes, first_mute; /* how many are mute, and where they may begin */
};

void call_table_init(struct call_table *t);
void call_table_done(struct call_table *t);

/* A slot with a rid of its own, and nothing else; valid until the next call_new(). NULL: no
 * memory. */
struct call *call_new(struct call_table *t);

/* The outstanding request of this rid, or NULL. */
static inline struct call *
call_find(const struct call_table *t, uint64_t rid)
{
	struct call *c = t->slots ? &t->slots[rid & t->mask] : NULL;

	return c && c->rid == rid && rid != 0 ? c : NULL;
}

/* Frees the slot, and the request's bytes. */
static inline void
call_remove(struct call_table *t, struct call *c)
{
	qp_unpin(&c->mark);
	c->rid = 0;
	t->used--;
}

/* A request has been answered: the mute ones that were sent before it have been carried
 * out. */
void call_retire_mutes(struct call_table *t, uint64_t rid);

static inline void
call_answered(struct call_table *t, uint64_t rid)
{
	if (t->mutes > 0 && t->first_mute < rid)
		call_retire_mutes(t, rid);
}

/* Notes of all requests which of them have been sent, before what waits is thrown away. */
void call_mark_sent(struct call_table *t);

/* The rids of all, in the order of their start: `used` of them, for the caller to free. NULL: no
 * memory. */
uint64_t *call_list(const struct call_table *t);

/* Takes out the next request, about in the order of their start; `*cursor` is 0 at the
 * beginning. false: there are no more. None may be added meanwhile. */
bool call_take(struct call_table *t, uint64_t *cursor, struct call *ret);

/* Drops them all. */
void call_forget(struct call_table *t);

#endif
