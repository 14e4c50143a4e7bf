/* SPDX-License-Identifier: MIT
 *
 * A session as the network side sees it: what the engine knows as its owner. It is apart from the
 * connection that it is used over, so that it can outlive it; here is who the client is, and
 * who watches over its process. */
#ifndef QBROKER_NET_SESSION_H
#define QBROKER_NET_SESSION_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>

#include "daemon/core/engine.h"
#include "daemon/net/peer.h"
#include "proto/message.h"

struct conn;
struct server;

struct session {
	struct server *server;
	struct qe_session *qe; /* the engine's, whose owner this is */
	struct conn *conn;     /* NULL while there is none */
	uint64_t since_ns;     /* when it said HELLO */
	uint64_t pid;	       /* as HELLO said; 0: it did not */
	struct peer peer;      /* who connected, as the kernel knows it */
	int pidfd;	       /* of the process that connected, or -1 */
	struct event died;
	TAILQ_ENTRY(session) all; /* in server->sessions */
	bool notices;		  /* it asked for them */
	uint8_t client_len;
	char client[]; /* the client's name, as HELLO said */
};

TAILQ_HEAD(session_list, session);

/* Begins the session that a HELLO asks for, over this connection, which hands its pidfd over.
 * QE_INVALID: its id is in use. QE_NOMEM. Nothing was changed then. */
enum qe_result session_new(struct conn *c, const struct qp_request *hello,
			   struct session **ret_session) QE_MUST_USE;

/* Ends it, in the engine too, and frees it. The caller has taken it from its connection. */
void session_end(struct session *session, enum qe_end how);

#endif
