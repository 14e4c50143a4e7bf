/* SPDX-License-Identifier: MIT
 * See session.h. */
#include "daemon/net/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/net/conn.h"
#include "daemon/net/deliver.h"
#include "daemon/net/kept.h"
#include "daemon/net/server.h"
#include "daemon/net/watch.h"

#define GRACE_SHARE \
	16 /* sessions that one turn ends, each with a share of its leases */

/* --- the witness of its end ------------------------------------------------------ */

/* Over a connection: what the process has sent is handled first, and the connection's close
 * ends the session. */
static void
died_cb(evutil_socket_t fd, short what, void *arg)
{
	struct session *session = arg;

	session->server->now_ns = server_now_ns();
	session->dead = true;
	if (session->conn)
		conn_died(session->conn);
	else
		session_end(session, QE_END_LOST);
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

static void
watch_process(struct session *session, int pidfd)
{
	session->pidfd = pidfd;
	session->started = 0;
	if (pidfd < 0)
		return;
	event_assign(&session->died, session->server->base, pidfd, EV_READ, died_cb,
		     session);
	event_add(&session->died, NULL);
}

/* The kernel tells of the end of the process to whoever holds its pidfd; from now on that
 * is the session. */
static void
take_witness(struct session *session, struct conn *c, const struct qp_request *hello)
{
	const struct qp_options *o = &hello->options;
	int pidfd = conn_yield_witness(c);

	if (pidfd < 0 && QP_GIVEN(o, boot) && QP_GIVEN(o, pidns) &&
	    !session->peer.local)
		pidfd = peer_pidfd_here(o->boot.p, o->boot.len, o->pidns, session->pid);
	forget_witness(session);
	watch_process(session, pidfd);
}

/* --- while its connection is lost ------------------------------------------------ */

static void
set_grace(struct server *server)
{
	struct session *first = TAILQ_FIRST(&server->lost);
	uint64_t end_ns, left_us = 0;
	struct timeval wait;

	if (!first)
		return;
	end_ns = first->ends_ns;
	if (end_ns > server->now_ns)
		left_us = (end_ns - server->now_ns + 999) / 1000;
	wait = (struct timeval){(time_t)(left_us / 1000000),
				(suseconds_t)(left_us % 1000000)};
	event_add(&server->grace, &wait);
}

void
session_grace_cb(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;
	struct session *session;

	server->now_ns = server_now_ns();
	for (int i = 0; i < GRACE_SHARE; i++) {
		session = TAILQ_FIRST(&server->lost);
		if (!session || server->now_ns < session->ends_ns)
			break;
		session_end(session, QE_END_LOST);
	}
	set_grace(server);
}

static void
not_lost(struct session *session)
{
	if (session->conn)
		return;
	TAILQ_REMOVE(&session->server->lost, session, losses);
	session->server->n_lost--;
}

/* Where the end of a process can be seen at the socket alone, its end of file must be it. */
static bool
may_come_back(const struct session *session)
{
	return session->resumes && !session->dead &&
	       session->server->limits.resume_grace_ms > 0 &&
	       (session->pidfd >= 0 || !session->peer.local);
}

/* Among those that are lost, in the order in which they will end. */
static void
wait_for(struct session *session, uint64_t grace_ms)
{
	struct server *server = session->server;
	struct session *before = TAILQ_LAST(&server->lost, session_list);

	server->now_ns = server_now_ns(); /* there may have been nothing to do for long */
	session->conn = NULL;
	session->lost_ns = server->now_ns;
	session->ends_ns = server->now_ns + grace_ms * 1000000;
	while (before && before->ends_ns > session->ends_ns)
		before = TAILQ_PREV(before, session_list, losses);
	if (before)
		TAILQ_INSERT_AFTER(&server->lost, before, session, losses);
	else
		TAILQ_INSERT_HEAD(&server->lost, session, losses);
	server->n_lost++;
	if (TAILQ_FIRST(&server->lost) == session)
		set_grace(server);
}

static void
detach(struct session *session)
{
	struct server *server = session->server;

	qe_session_detach(server->engine, server->now_ns, session->qe);
	wait_for(session, server->limits.resume_grace_ms);
}

void
session_suspend(struct session *session)
{
	if (session->resumes && !session->dead)
		detach(session);
	else
		session_end(session, QE_END_CLOSED);
}

void
session_wait(struct session *session, uint64_t grace_ms, int pidfd)
{
	not_lost(session);
	wait_for(session, grace_ms);
	watch_process(session, pidfd);
}

void
session_lose(struct session *session, bool resumable)
{
	struct server *server = session->server;

	if (!resumable || !may_come_back(session)) {
		session_end(session, QE_END_LOST);
		return;
	}
	detach(session);
	watch_tell_client(session, WATCH_CLIENT_LOST);
	if (server->n_lost > server->limits.max_connections)
		session_end(TAILQ_FIRST(&server->lost), QE_END_LOST);
}

/* "name (pid 123)". Without memory for it, nothing. */
void
session_set_name(struct session *session)
{
	char name[QE_MAX_NAME];
	int len = snprintf(name, sizeof(name), "%.*s (pid %" PRIu64 ")",
			   session->client_len < 200 ? session->client_len : 200,
			   session->client, session->pid);

	(void)!qe_session_set_name(session->server->engine, session->qe,
				   (struct qe_name){name, (size_t)len});
}

/* --- begin and end --------------------------------------------------------------- */

static struct session *
make(struct server *server, const char *client, size_t client_len)
{
	struct session *session = malloc(sizeof(*session) + client_len);

	if (!session)
		return NULL;
	*session = (struct session){
		.server = server,
		.since_ns = server->now_ns,
		.pidfd = -1,
		.client_len = (uint8_t)client_len,
	};
	memcpy(session->client, client, client_len);
	return session;
}

static enum qe_result
session_new(struct conn *c, const struct qp_request *hello,
	    struct session **ret_session)
{
	struct server *server = c->server;
	struct qp_str client = {"", 0};
	struct session *session;
	enum qe_result result;

	if (QP_GIVEN(&hello->options, client))
		client = hello->options.client;
	session = make(server, client.p, client.len);
	if (!session)
		return QE_NOMEM;
	session->conn = c;
	session->identity = server->identities + c->number;
	session->resumes = QP_OPT(&hello->options, resume);
	session->pid = QP_OPT(&hello->options, pid);
	result = qe_session_new(server->engine, server->now_ns,
				(const uint8_t *)hello->session.p, session,
				&session->qe);
	if (result != QE_OK) {
		free(session);
		return result;
	}
	peer_identify(c->fd, &session->peer);
	take_witness(session, c, hello);
	session_set_name(session);
	TAILQ_INSERT_TAIL(&server->sessions, session, all);
	session_want_notices(session, QP_OPT(&hello->options, notices));
	*ret_session = session;
	return QE_OK;
}

struct session *
session_revive(struct server *server, struct qe_session *qe, const char *client,
		size_t client_len)
{
	struct session *session = make(server, client, client_len);

	if (!session)
		return NULL;
	session->qe = qe;
	qe_session_set_owner(qe, session);
	TAILQ_INSERT_TAIL(&server->sessions, session, all);
	wait_for(session, 0);
	return session;
}

/* The client knows another one: this has ended for it. */
static bool
is_meant(const struct session *session, const struct qp_request *hello)
{
	const struct qp_options *o = &hello->options;

	return !QP_GIVEN(o, begun) || o->begun == session->identity;
}

/* Goes on over another connection; if the one before is still open it is closed, and what it had
 * to say comes again. false: that is not possible any more, and the session has ended. */
static bool
session_resume(struct session *session, struct conn *c, const struct qp_request *hello)
{
	struct server *server = session->server;
	struct conn *before = session->conn;

	if (before) {
		before->session = NULL;
		detach(session);
		conn_close(before, CLOSE_taken_over);
	}
	deliver_finished(server); /* what was its is to be remembered now */
	if (!is_meant(session, hello) ||
	    !answers_resume(&session->answers, server->engine)) {
		session_end(session, QE_END_LOST);
		return false;
	}
	not_lost(session);
	session->conn = c;
	session->pid = QP_OPT(&hello->options, pid);
	session_want_notices(session, QP_OPT(&hello->options, notices));
	peer_identify(c->fd, &session->peer);
	take_witness(session, c, hello);
	watch_tell_client(session, WATCH_CLIENT_RESUMED);
	return true;
}

enum qe_result
session_hello(struct conn *c, const struct qp_request *hello, bool *ret_resumed)
{
	const uint8_t *id = (const uint8_t *)hello->session.p;
	struct qe_session *qe = QP_OPT(&hello->options, resume)
					? qe_session_find(c->server->engine, id)
					: NULL;
	struct session *session = qe ? qe_session_owner(qe) : NULL;
	enum qe_result result = QE_OK;

	*ret_resumed = session && session->resumes && session_resume(session, c, hello);
	if (!*ret_resumed)
		result = session_new(c, hello, &session);
	if (result == QE_OK)
		c->session = session;
	return result;
}

bool
session_is_owners(const struct session *session)
{
	const struct peer *peer = &session->peer;

	return peer->local && (peer->uid == 0 || peer->uid == geteuid());
}

void
session_want_notices(struct session *session, bool wanted)
{
	session->notices = wanted;
	qe_session_set_notices(session->qe, wanted);
}

void
session_forget(struct session *session)
{
	struct server *server = session->server;

	not_lost(session);
	forget_witness(session);
	answers_done(&session->answers, server->engine);
	kept_forget(session);
	TAILQ_REMOVE(&server->sessions, session, all);
	free(session);
}

void
session_end(struct session *session, enum qe_end how)
{
	struct server *server = session->server;

	watch_end(session);
	if (how == QE_END_LOST)
		watch_tell_client(session, WATCH_CLIENT_DIED);
	qe_session_end(server->engine, server->now_ns, session->qe, how);
	session_forget(session);
}

void
session_end_all(struct server *server)
{
	struct session *session;

	while ((session = TAILQ_FIRST(&server->sessions)))
		session_end(session, QE_END_LOST);
}
