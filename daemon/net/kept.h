/* SPDX-License-Identifier: MIT
 *
 * What is kept of sessions over a restart: who the client is, and what it was answered. */
#ifndef QBROKER_NET_KEPT_H
#define QBROKER_NET_KEPT_H

#include "daemon/net/server.h"

/* Tells the engine what the functions here are for. Before anything is restored. */
void kept_hooks(struct server *server);

/* All has been restored: sessions wait for their clients for restart_grace_ms, those that cannot be
 * resumed end. Returns how many wait. */
size_t kept_restored(struct server *server);

/* Forgets what is only there while a session is being restored. */
void kept_forget(struct session *session);

/* For servers with a store: as answers_add() and answers_confirm(). */
void kept_remember(struct session *session, const struct record *answer);
void kept_confirm(struct session *session, uint64_t rid);

/* Remembers an answer, whose list is the session's from now on. */
static inline void
session_remember(struct session *session, const struct record *answer)
{
	struct server *server = session->server;

	if (__builtin_expect(server->held != NULL, 0))
		kept_remember(session, answer);
	else
		answers_add(&session->answers, server->engine, answer);
}

#endif
