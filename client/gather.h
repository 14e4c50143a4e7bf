/* SPDX-License-Identifier: MIT
 * Requests that may be late, so that many of them make one frame: the small puts of qb_put_start()
 * into one queue a PUT_MANY, the acks of qb_ack_start() an ACK_MANY, the gets of qb_start_get() from
 * one queue a GET_RUN. What waits here is added to what is sent before anything is written: the puts,
 * the acks, the gets. So a put goes before all that is started after it, and acks and gets that wait
 * may be overtaken by puts, which does no harm to those without a key; every other request goes
 * after what waits. */
#ifndef QBROKER_CLIENT_GATHER_H
#define QBROKER_CLIENT_GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "client/call.h"
#include "client/public.h"
#include "proto/message.h"

#define GATHER_BYTES ((size_t)32 << 10) /* of bodies */
#define GATHER_BODY  ((size_t)4 << 10)	/* a larger one is not copied twice */
#define GATHER_ACKS  256

struct gather {
	char queue[QP_MAX_NAME + 1]; /* of the puts */
	uint8_t *bodies;	     /* GATHER_BYTES, or NULL */
	size_t len;		     /* of the bodies */
	unsigned puts, acks;
	int64_t lengths[QB_MAX_BATCH]; /* of the puts */
	int64_t tags[2 * GATHER_ACKS]; /* of the acks */

	/* The gets are outstanding requests with successive rids already. */
	unsigned gets;
	uint64_t first_rid;
	struct qp_request get; /* what all of them ask; its queue is the one below */
	char get_queue[QP_MAX_NAME + 1];
};

static inline bool
gather_waits(const struct gather *g)
{
	return (g->puts | g->acks | g->gets) > 0;
}

/* Whether a put into this queue can go with those that wait. */
static inline bool
gather_takes(const struct gather *g, const char *queue, size_t len)
{
	return g->puts > 0 && g->puts < QB_MAX_BATCH && g->len + len <= GATHER_BYTES &&
	       queue && strcmp(g->queue, queue) == 0;
}

/* Ends those that wait, and begins anew with this queue, whose name is valid. false: no memory. */
bool gather_begin(qb *q, const char *queue);

/* Adds a put that is taken, or the first one, of at most GATHER_BODY bytes. */
static inline void
gather_put(struct gather *g, const void *body, size_t len)
{
	if (len > 0)
		memcpy(g->bodies + g->len, body, len);
	g->len += len;
	g->lengths[g->puts++] = (int64_t)len;
}

/* Adds an ack. */
void gather_ack(qb *q, const qb_item *item);

/* Whether a get without options is like those that wait. */
static inline bool
gather_takes_get(const struct gather *g, const char *queue, uint64_t timeout_ms,
		 unsigned ack)
{
	return g->gets > 0 && g->gets < QP_MAX_RUN && g->get.ack == ack &&
	       g->get.timeout_ms == timeout_ms && queue &&
	       strcmp(g->get_queue, queue) == 0;
}

/* Adds a get without options: `call` tells how it is to be finished, and gets its rid.
 * QB_NO_MEMORY: it was not added. */
qb_result gather_get(qb *q, const struct qp_request *m, struct call *call);

/* The same for one that is taken. */
qb_result gather_another_get(qb *q, struct call *call);

/* Adds the puts, what a get must come after, or all, to what is sent. Without memory the puts fail,
 * and the connection will be given up. */
void gather_end_puts(qb *q);
void gather_end_gets(qb *q);
void gather_end_all(qb *q);

#define gather_end(q) (gather_waits(&(q)->gather) ? gather_end_all(q) : (void)0)

/* Drops all, or the acks, without a word. */
void gather_forget(struct gather *g);
void gather_forget_acks(struct gather *g);

#endif
