/* SPDX-License-Identifier: MIT
 * What a session remembers of its answers, for a client that loses its connection and asks again: replay.c
 * says it once more. Nothing is remembered for a session that cannot be resumed. */
#ifndef QBROKER_NET_REMEMBER_H
#define QBROKER_NET_REMEMBER_H

#include "daemon/net/conn.h"

/* The request was answered with what need not be remembered. */
void remember_nothing(struct conn *c, uint64_t rid);

void remember_refusal(struct conn *c, uint64_t rid, enum qp_status status);

/* What deliver_fields() said. */
void remember_fields(struct conn *c, enum qp_op op, const struct qp_reply *reply);

/* A put, get or join that is finished, of a session that can be resumed. The results of a put of many, which are
 * the wire's, are taken over; `begun`: they are the engine's, and are to be gone on with. */
void remember_reply(struct session *session, uint64_t rid, struct qe_reply *reply,
		    bool begun);

#endif
