/* SPDX-License-Identifier: MIT
 * Sessions that watch: what happens in the engine, and to clients, becomes notices for
 * them. */
#ifndef QBROKER_NET_WATCH_H
#define QBROKER_NET_WATCH_H

#include "daemon/net/session.h"

enum watch_client {
	WATCH_CLIENT_LOST,    /* its connection; the session is kept for a while */
	WATCH_CLIENT_RESUMED, /* it is back */
	WATCH_CLIENT_DIED,    /* the session has ended, not in order */
};

/* Tells what has happened in the engine since the last call. */
void watch_tell(struct server *server);

/* Tells what happens to a client. */
void watch_tell_client(const struct session *session, enum watch_client what);

/* The session does not watch any more, if it does. */
void watch_end(struct session *session);

#endif
