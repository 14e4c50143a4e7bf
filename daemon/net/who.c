/* SPDX-License-Identifier: MIT
 * The rows of CLIENTS, WAITERS and WHO: what the engine knows of a session, and what the
 * network knows of who has it. PROTOCOL.md lists the columns. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/net/deliver.h"
#include "daemon/net/handlers.h"
#include "daemon/net/server.h"
#include "daemon/net/waiting.h"
#include "daemon/net/who.h"

#define MS(ns)	    ((ns) / 1000000)
#define N_WHO	    9 /* columns of put_who() */
#define N_WAITER    (8 + N_WHO)
#define JOURNAL	    (UINT64_C(1) << 62) /* of a cursor: among those who wait for the journal, or with answers */
#define SHORT_BYTES 4 /* of a session's id that are shown: the whole is a secret */

/* --- what can be unknown --------------------------------------------------------- */

static void
put_known(struct qp_out *rows, const char *name, bool known, uint64_t value)
{
	if (known)
		qp_row_number(rows, name, value);
	else
		qp_row_nil(rows, name);
}

/* A time in the engine's measure; QE_NEVER is unknown. */
static void
put_left(struct qp_out *rows, const char *name, uint64_t left_ns)
{
	put_known(rows, name, left_ns != QE_NEVER, MS(left_ns));
}

size_t
printable(char shown[QP_MAX_NAME], const char *text, size_t len)
{
	size_t n = len < QP_MAX_NAME ? len : QP_MAX_NAME;

	if (n > 0)
		memcpy(shown, text, n);
	if (!qp_valid_name(shown, n))
		for (size_t i = 0; i < n; i++)
			if (shown[i] < ' ' || shown[i] > '~')
				shown[i] = '?';
	return n;
}

void
report_foreign(struct qp_out *rows, const char *name, const char *text, size_t len)
{
	char shown[QP_MAX_NAME];
	size_t n = printable(shown, text, len);

	if (n > 0)
		qp_row_string(rows, name, shown, n);
	else
		qp_row_nil(rows, name);
}

/* --- who has a session ----------------------------------------------------------- */

/* The number of its process here, or 0. What a client says of itself counts if it was
 * found to be of this host. */
static uint64_t
local_pid(const struct session *session)
{
	if (session->dead)
		return 0;
	if (session->peer.local)
		return session->peer.pid > 0 ? (uint64_t)session->peer.pid : 0;
	return session->pidfd >= 0 ? session->pid : 0;
}

uint64_t
session_pid(const struct session *session)
{
	uint64_t pid = local_pid(session);

	return pid ? pid : session->pid;
}

/* The command of the process, as far as it can be seen now. */
static void
put_command(struct qp_out *rows, const struct session *session)
{
	uint64_t pid = local_pid(session);
	char path[48], text[64];
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/comm", (unsigned)pid);
	fd = pid ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd >= 0) {
		n = read(fd, text, sizeof(text));
		close(fd);
	}
	if (n > 0 && text[n - 1] == '\n')
		n--;
	report_foreign(rows, "command", text, n > 0 ? (size_t)n : 0);
}

/* tcp://10.0.0.1:4711, tcp://[::1]:4711 */
static void
put_address(struct qp_out *rows, const struct peer *peer)
{
	const char *host = strstr(peer->address, "://");
	const char *port = strrchr(peer->address, ':');
	size_t len;

	if (peer->local || !host || port <= host) {
		const char *kind = peer->local ? "unix" : "unknown";

		qp_row_string(rows, "host", kind, strlen(kind));
		qp_row_nil(rows, "port");
		return;
	}
	host += 3;
	len = (size_t)(port - host);
	if (*host == '[' && len > 2) {
		host++;
		len -= 2;
	}
	qp_row_string(rows, "host", host, len);
	qp_row_number(rows, "port", strtoul(port + 1, NULL, 10));
}

/* Whether there is a connection, and if not since when, and for how long it is waited
 * for. */
static void
put_link(struct qp_out *rows, const struct session *session)
{
	const struct server *server = session->server;
	bool lost = !session->conn;
	uint64_t lost_ms = MS(server->now_ns - session->lost_ns);
	uint64_t left_ms = MS(session->ends_ns > server->now_ns
				      ? session->ends_ns - server->now_ns
				      : 0);
	const char *link = lost ? "lost" : "connected";

	qp_row_string(rows, "link", link, strlen(link));
	put_known(rows, "lost_ms", lost, lost_ms);
	put_known(rows, "grace_ms", lost, left_ms);
}

void
report_client(struct qp_out *rows, const struct session *session)
{
	uint64_t pid = session ? session_pid(session) : 0;

	report_foreign(rows, "client", session ? session->client : "",
		       session ? session->client_len : 0);
	put_known(rows, "pid", pid != 0, pid);
}

/* Of a session that has ended nothing is known any more: NULL. */
static void
put_who(struct qp_out *rows, const struct session *session)
{
	static const char *const names[] = {"client", "pid",  "uid",	 "command",
					    "host",   "port", "lost_ms", "grace_ms"};

	if (!session) {
		for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
			qp_row_nil(rows, names[i]);
		qp_row_string(rows, "link", "ended", 5);
		return;
	}
	report_client(rows, session);
	put_known(rows, "uid", session->peer.local, session->peer.uid);
	put_command(rows, session);
	put_address(rows, &session->peer);
	put_link(rows, session);
}

const char *
report_holder(const struct session *session, char buf[REPORT_HOLDER])
{
	uint64_t pid = 0;
	int len = 0;

	if (session) {
		pid = session_pid(session);
		len = session->client_len;
	}
	if (!qp_valid_name(session ? session->client : "", (size_t)len))
		len = 0;
	snprintf(buf, REPORT_HOLDER, "%.*s", len > 0 ? len : 8,
		 len > 0 ? session->client : "somebody");
	if (pid > 0) {
		size_t at = strlen(buf);

		snprintf(buf + at, REPORT_HOLDER - at, " (pid %" PRIu64 ")", pid);
	}
	return buf;
}

/* --- the operations -------------------------------------------------------------- */

static void
put_client(struct qp_out *rows, const struct qe_session_stats *stats)
{
	const struct session *session = stats->owner;
	char id[2 * SHORT_BYTES + 1];

	for (int i = 0; i < SHORT_BYTES; i++)
		snprintf(id + 2 * i, 3, "%02x", stats->id[i]);
	qp_row_begin(rows, 4 + N_WHO);
	put_who(rows, session);
	qp_row_string(rows, "session", id, sizeof(id) - 1);
	qp_row_number(rows, "since_ms",
		      MS(session->server->now_ns - session->since_ns));
	qp_row_number(rows, "leases", stats->leased);
	qp_row_number(rows, "waiting",
		      stats->waiting + (session->conn ? waiting_count(session->conn) : 0));
}

void
handle_clients(struct conn *c, struct qp_request *m, struct frame *f)
{
	struct qe_session_stats stats[REPORT_ROWS];
	uint64_t cursor = m->cursor;
	uint32_t n = 0;
	struct qp_out rows;

	while (n < REPORT_ROWS &&
	       qe_next_session(c->server->engine, &cursor, &stats[n]))
		n++;
	qp_out_init(&rows);
	qp_row_array(&rows, n);
	for (uint32_t i = 0; i < n; i++)
		put_client(&rows, &stats[i]);
	report_send(c, m, &rows, n, n < REPORT_ROWS ? 0 : cursor);
}

static void
put_name(struct qp_out *rows, const char *name, struct qe_name value)
{
	if (value.len > 0)
		qp_row_string(rows, name, value.p, value.len);
	else
		qp_row_nil(rows, name);
}

static void
put_waiter(struct qp_out *rows, const struct qe_waiter_stats *w)
{
	static const char *const requests[] = {[QE_REQUEST_PUT] = "put",
					       [QE_REQUEST_GET] = "get",
					       [QE_REQUEST_JOIN] = "join"};
	const char *request = requests[w->request];

	qp_row_begin(rows, N_WAITER);
	put_name(rows, "queue", w->queue);
	qp_row_string(rows, "request", request, strlen(request));
	qp_row_string(rows, "waits_for", "queue", 5);
	qp_row_number(rows, "place", w->place);
	put_name(rows, "group", w->group);
	qp_row_number(rows, "items", w->items);
	qp_row_number(rows, "since_ms", MS(w->since_ns));
	put_left(rows, "left_ms", w->left_ns);
	put_who(rows, w->owner);
}

/* One that waits for the journal, or whose answers wait. */
static void
put_waiting(struct qp_out *rows, const struct waiting *w)
{
	const struct conn *c = w->conn;
	char request[WAITING_NAME];

	waiting_name(w, request);
	qp_row_begin(rows, N_WAITER);
	put_name(rows, "queue", w->queue);
	qp_row_string(rows, "request", request, strlen(request));
	qp_row_string(rows, "waits_for", w->what, strlen(w->what));
	put_known(rows, "place", w->place > 0, w->place);
	put_name(rows, "group", w->group);
	qp_row_number(rows, "items", w->items);
	qp_row_number(rows, "since_ms", MS(c->server->now_ns - w->since_ns));
	put_left(rows, "left_ms", w->left_ns);
	put_who(rows, c->session);
}

/* Those of the queues, and behind them those who wait for the journal, which may be on the same page. */
void
handle_waiters(struct conn *c, struct qp_request *m, struct frame *f)
{
	struct qe_waiter_stats stats[REPORT_ROWS];
	struct waiting waiting[REPORT_ROWS];
	struct qe *e = c->server->engine;
	bool behind = (m->cursor & JOURNAL) != 0; /* those of the queues are all told */
	uint64_t cursor = behind ? 0 : m->cursor, now_ns = c->server->now_ns;
	uint64_t at = behind ? m->cursor & ~JOURNAL : 0;
	struct qe_name queue = {m->queue.p, m->queue.p ? m->queue.len : 0};
	enum qe_result result = QE_OK;
	struct qp_out rows;
	unsigned n = 0, n_waiting = 0;

	if (!behind && m->queue.p)
		result = qe_queue_waiters(e, now_ns, queue, &cursor, stats, REPORT_ROWS,
					  &n);
	else if (!behind)
		n = qe_waiters(e, now_ns, &cursor, stats, REPORT_ROWS);
	if (result != QE_OK) {
		deliver_result(c, m->rid, result);
		return;
	}
	if (cursor == 0) {
		bool all = waiting_list(c->server, queue, &at, waiting, REPORT_ROWS - n,
					&n_waiting);

		cursor = all ? 0 : JOURNAL | at;
	}
	qp_out_init(&rows);
	qp_row_array(&rows, n + n_waiting);
	for (unsigned i = 0; i < n; i++)
		put_waiter(&rows, &stats[i]);
	for (unsigned i = 0; i < n_waiting; i++)
		put_waiting(&rows, &waiting[i]);
	report_send(c, m, &rows, n + n_waiting, cursor);
}

static void
put_lease(struct qp_out *rows, const struct qe_lease_stats *lease)
{
	qp_row_begin(rows, 5 + N_WHO);
	put_name(rows, "queue", lease->queue);
	qp_row_number(rows, "id", lease->id);
	qp_row_number(rows, "delivery", lease->delivery);
	qp_row_number(rows, "since_ms", MS(lease->held_ns));
	put_left(rows, "left_ms", lease->left_ns);
	put_who(rows, lease->owner);
}

static void
send_leases(struct conn *c, const struct qp_request *m,
	    const struct qe_lease_stats *leases, unsigned n)
{
	struct qp_out rows;

	qp_out_init(&rows);
	qp_row_array(&rows, n);
	for (unsigned i = 0; i < n; i++)
		put_lease(&rows, &leases[i]);
	report_send(c, m, &rows, n, 0);
}

static void
who_of_queue(struct conn *c, const struct qp_request *m)
{
	const struct qp_str *queue = &m->options.queue;
	struct qe_lease_stats leases[REPORT_ROWS];
	enum qe_result result;
	unsigned n;

	if (!QP_GIVEN(&m->options, queue) || !qp_valid_name(queue->p, queue->len)) {
		deliver_refusal(c, m->rid, QP_INVALID,
				"WHO wants an id, or the option queue, of 1 to 255 "
				"bytes of UTF-8 without control characters");
		return;
	}
	result = qe_holders(c->server->engine, c->server->now_ns,
			    (struct qe_name){queue->p, queue->len}, leases, REPORT_ROWS,
			    &n);
	if (result == QE_OK)
		send_leases(c, m, leases, n);
	else
		deliver_result(c, m->rid, result);
}

/* Where the item is that nobody holds. */
static void
refuse_who(struct conn *c, const struct qp_request *m)
{
	static const char *const states[] = {[QE_STATE_READY] = "it waits",
					     [QE_STATE_DELAYED] = "it is delayed",
					     [QE_STATE_LEASED] = "",
					     [QE_STATE_DEAD] = "it is dead"};
	struct qe_found found;
	enum qe_result result = qe_find(c->server->engine, c->server->now_ns, m->id,
					&c->search, &found);

	if (result == QE_WAIT)
		conn_repeat(c);
	else if (result == QE_OK)
		deliver_refusal(c, m->rid, QP_NOT_FOUND,
				"nobody holds item %" PRIu64 ": %s in the queue %.*s",
				m->id, states[found.state], (int)found.queue.len,
				found.queue.p);
	else
		deliver_refusal(c, m->rid, QP_NOT_FOUND,
				"nobody holds item %" PRIu64 ": it is finished or gone",
				m->id);
}

void
handle_who(struct conn *c, struct qp_request *m, struct frame *f)
{
	struct qe_lease_stats lease;
	enum qe_result result;

	if (m->id == 0) {
		who_of_queue(c, m);
		return;
	}
	result = qe_who(c->server->engine, c->server->now_ns, m->id, &lease);
	if (result == QE_NOT_FOUND) {
		refuse_who(c, m);
		return;
	}
	qe_search_end(c->server->engine, &c->search); /* somebody got it meanwhile */
	if (result == QE_OK)
		send_leases(c, m, &lease, 1);
	else
		deliver_refusal(c, m->rid, QP_NOT_FOUND,
				"no item has had the id %" PRIu64 " yet", m->id);
}
