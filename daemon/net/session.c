/* SPDX-License-Identifier: MIT
 * See session.h. */
#include "daemon/net/session.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/net/conn.h"
#include "daemon/net/server.h"

static void
died_cb(evutil_socket_t fd, short what, void *arg)
{
	struct session *session = arg;

	conn_died(session->conn);
}

/* The kernel tells of the end of the process to whoever holds its pidfd; from now on that
 * is the session. */
static void
take_witness(struct session *session, struct conn *c)
{
	session->pidfd = conn_yield_witness(c);
	if (session->pidfd < 0)
		return;
	event_assign(&session->died, session->server->base, session->pidfd, EV_READ,
		     died_cb, session);
	event_add(&session->died, NULL);
}

static void
forget_witness(struct session *session)
{
	if (session->pidfd < 0)
		return;
	event_del(&session->died);
	close(session->pidfd);
	session->pidfd = -1;
}

enum qe_result
session_new(struct conn *c, const struct qp_request *hello,
	    struct session **ret_session)
{
	struct server *server = c->server;
	struct qp_str client = {"", 0};
	struct session *session;
	enum qe_result result;

	if (QP_GIVEN(&hello->options, client))
		client = hello->options.client;
	session = malloc(sizeof(*session) + client.len);
	if (!session)
		return QE_NOMEM;
	*session = (struct session){
		.server = server,
		.conn = c,
		.since_ns = server->now_ns,
		.pid = QP_OPT(&hello->options, pid),
		.notices = QP_OPT(&hello->options, notices),
		.client_len = (uint8_t)client.len,
	};
	memcpy(session->client, client.p, client.len);
	result = qe_session_new(server->engine, server->now_ns,
				(const uint8_t *)hello->session.p, session,
				&session->qe);
	if (result != QE_OK) {
		free(session);
		return result;
	}
	peer_identify(c->fd, &session->peer);
	take_witness(session, c);
	TAILQ_INSERT_TAIL(&server->sessions, session, all);
	*ret_session = session;
	return QE_OK;
}

void
session_end(struct session *session, enum qe_end how)
{
	struct server *server = session->server;

	qe_session_end(server->engine, server->now_ns, session->qe, how);
	forget_witness(session);
	TAILQ_REMOVE(&server->sessions, session, all);
	free(session);
}
