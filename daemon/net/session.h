/* SPDX-License-Identifier: MIT
 *
 * A session as the network side sees it: what the engine knows as its owner. It is apart from the
 * connection that it is used over, so that it can outlive it; here is who the client is, who
 * watches over its process, what it was answered, and how long it may be without a
 * connection. */
#ifndef QBROKER_NET_SESSION_H
#define QBROKER_NET_SESSION_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>

#include "daemon/core/engine.h"
#include "daemon/net/answers.h"
#include "daemon/net/peer.h"
#include "proto/message.h"

struct conn;
struct restored;
struct server;
struct watch;

struct session {
	struct server *server;
	struct qe_session *qe;	/* the engine's, whose owner this is */
	struct conn *conn;	/* NULL while it is lost */
	uint64_t identity;	/* no other has it, in this epoch */
	bool resumes;		/* its client sends again what was not answered */
	bool dead;		/* its process has ended */
	uint64_t lost_ns;	/* when the connection was lost */
	uint64_t ends_ns;	/* and when it has been long enough */
	struct answers answers; /* if it resumes */
	struct record begun;	/* the put of many that is about to go on; n 0: none */
	uint64_t since_ns;	/* when it said HELLO */
	uint64_t pid;		/* as HELLO said; 0: it did not */
	struct peer peer;	/* who connected, as the kernel knows it */
	int pidfd;		/* of the process that connected, or -1 */
	uint64_t started;	/* that process, as peer_describe() knows it */
	struct restored *restored; /* while it is being restored: kept.c */
	struct event died;
	TAILQ_ENTRY(session) all;    /* in server->sessions */
	TAILQ_ENTRY(session) losses; /* without a connection: in server->lost */
	struct watch *watch; /* NULL: it does not watch */
	bool notices;		     /* it asked for them; session_want_notices() */
	uint8_t client_len;
	char client[]; /* the client's name, as HELLO said */
};

TAILQ_HEAD(session_list, session);

/* Begins the session that a HELLO asks for, over this connection, which hands its pidfd over; or
 * resumes it, and takes it over if need be. QE_INVALID: its id is in use. QE_NOMEM. */
enum qe_result session_hello(struct conn *c, const struct qp_request *hello,
			     bool *ret_resumed) QE_MUST_USE;

/* The session's connection has gone. It ends, or, if `resumable`, may be resumed for a while. */
void session_lose(struct session *session, bool resumable);

/* The broker stops, and will start again: it goes on as after a lost connection, or ends without
 * anybody's being to blame. */
void session_suspend(struct session *session);

/* A session without a connection, which may be resumed for so long; `pidfd` becomes its witness. */
void session_wait(struct session *session, uint64_t grace_ms, int pidfd);

/* Makes one without a connection, of which the engine's part is there. `client`: a name of up to
 * 255 bytes. NULL: no memory. */
struct session *session_revive(struct server *server, struct qe_session *qe,
				const char *client, size_t client_len) QE_MUST_USE;

/* What an item's last holder is called. */
void session_set_name(struct session *session);

/* Whether it is root's, or the broker's own user's, by a Unix socket. */
bool session_is_owners(const struct session *session);

/* Frees one that has no connection, and has ended in the engine. */
void session_forget(struct session *session);

/* Ends all there are: the server is freed. */
void session_end_all(struct server *server);

/* For server->grace. */
void session_grace_cb(evutil_socket_t fd, short what, void *arg);

/* From now on it is told of what happens, or not any more. */
void session_want_notices(struct session *session, bool wanted);

/* Ends it, in the engine too, and frees it. The caller has taken it from its connection. */
void session_end(struct session *session, enum qe_end how);

#endif
