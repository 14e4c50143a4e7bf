/* SPDX-License-Identifier: MIT
 * See watch.h. A watcher that does not read loses events, and is told how many; nothing
 * gathers for it. */
#include "daemon/net/watch.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/net/deliver.h"
#include "daemon/net/handlers.h"
#include "daemon/net/server.h"
#include "daemon/net/who.h"

struct watch {
	LIST_ENTRY(watch) all; /* in server->watches */
	struct session *session;
	uint64_t lost;	   /* events that it was not told of */
	uint8_t queue_len; /* 0: all queues, and the clients */
	char queue[];
};

static const char *const names[QE_EVENTS] = {
	[QE_EVENT_CRASHED] = "crashed",	  [QE_EVENT_TIMED_OUT] = "timed_out",
	[QE_EVENT_DEAD] = "dead",	  [QE_EVENT_FULL] = "full",
	[QE_EVENT_STALLED] = "stalled",	  [QE_EVENT_SHUTDOWN] = "shutdown",
	[QE_EVENT_REOPENED] = "reopened", [QE_EVENT_PAUSED] = "paused",
	[QE_EVENT_RESUMED] = "resumed",	  [QE_EVENT_LOST] = "lost",
};

static struct qp_str
str(const char *text)
{
	return (struct qp_str){text, (uint32_t)strlen(text)};
}

static uint64_t
wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- telling --------------------------------------------------------------------- */

static bool
has_room(const struct watch *watch)
{
	const struct conn *c = watch->session->conn;

	return c && conn_unsent(c) <= c->server->limits.output_high;
}

static void
send_event(struct watch *watch, const struct qp_options *event)
{
	struct conn *c = watch->session->conn;

	qp_notice_encode(&c->out, QP_NOTICE_EVENT, event);
	conn_dirty(c);
}

static void
send_lost(struct watch *watch, uint64_t at_ms)
{
	struct qp_options o = {0};

	QP_GIVE(&o, event, str(names[QE_EVENT_LOST]));
	QP_GIVE(&o, at_ms, at_ms);
	QP_GIVE(&o, count, watch->lost);
	send_event(watch, &o);
	watch->lost = 0;
}

static void
tell(struct server *server, struct qp_options *event)
{
	uint64_t at_ms = wall_ms();
	struct watch *watch;

	QP_GIVE(event, at_ms, at_ms);
	LIST_FOREACH(watch, &server->watches, all)
	{
		if (watch->queue_len > 0 &&
		    (!QP_GIVEN(event, queue) || event->queue.len != watch->queue_len ||
		     memcmp(event->queue.p, watch->queue, watch->queue_len) != 0))
			continue;
		if (!has_room(watch)) {
			watch->lost++;
			continue;
		}
		if (watch->lost > 0)
			send_lost(watch, at_ms);
		send_event(watch, event);
	}
}

/* The ring was full: who was watching what is not known any more. */
static void
count_lost(struct server *server, uint64_t n)
{
	struct watch *watch;

	LIST_FOREACH(watch, &server->watches, all)
	watch->lost += n;
}

/* Says how much was lost to those who read again, also if nothing more happens. */
static void
tell_lost(struct server *server)
{
	struct watch *watch;

	LIST_FOREACH(watch, &server->watches, all)
	if (watch->lost > 0 && has_room(watch))
		send_lost(watch, wall_ms());
}

void
watch_tell(struct server *server)
{
	struct qe_event event;

	if (LIST_EMPTY(&server->watches))
		return;
	while (qe_next_event(server->engine, &event)) {
		struct qp_options o = {0};
		char shown[QP_MAX_NAME];
		size_t shown_len = printable(shown, event.worker.p, event.worker.len);

		if (event.kind == QE_EVENT_LOST) {
			count_lost(server, event.lost);
			continue;
		}
		QP_GIVE(&o, event, str(names[event.kind]));
		QP_GIVE(&o, queue,
			((struct qp_str){event.queue.p, (uint32_t)event.queue.len}));
		if (event.id) {
			QP_GIVE(&o, id, event.id);
			QP_GIVE(&o, delivery, event.deliveries);
		}
		if (shown_len > 0) {
			QP_GIVE(&o, worker,
				((struct qp_str){shown, (uint32_t)shown_len}));
		}
		tell(server, &o);
	}
	tell_lost(server);
}

void
watch_tell_client(const struct session *session, enum watch_client what)
{
	static const char *const client_names[] = {
		[WATCH_CLIENT_LOST] = "client_lost",
		[WATCH_CLIENT_RESUMED] = "client_resumed",
		[WATCH_CLIENT_DIED] = "client_died",
	};
	struct server *server = session->server;
	struct qp_options o = {0};
	char shown[QP_MAX_NAME];

	if (LIST_EMPTY(&server->watches))
		return;
	watch_tell(server); /* what was before this */
	QP_GIVE(&o, event, str(client_names[what]));
	QP_GIVE(&o, client,
		((struct qp_str){shown, (uint32_t)printable(shown, session->client,
							    session->client_len)}));
	if (session_pid(session))
		QP_GIVE(&o, pid, session_pid(session));
	tell(server, &o);
}

/* --- begin and end --------------------------------------------------------------- */

void
watch_end(struct session *session)
{
	struct server *server = session->server;

	if (!session->watch)
		return;
	LIST_REMOVE(session->watch, all);
	free(session->watch);
	session->watch = NULL;
	if (LIST_EMPTY(&server->watches))
		(void)!qe_watch(server->engine, false);
}

static enum qe_result
watch_begin(struct session *session, const struct qp_str *queue)
{
	struct watch *watch = malloc(sizeof(*watch) + queue->len);

	if (!watch)
		return QE_NOMEM;
	if (qe_watch(session->server->engine, true) != QE_OK) {
		free(watch);
		return QE_NOMEM;
	}
	*watch = (struct watch){.session = session, .queue_len = (uint8_t)queue->len};
	if (queue->len > 0)
		memcpy(watch->queue, queue->p, queue->len);
	LIST_INSERT_HEAD(&session->server->watches, watch, all);
	if (session->watch) { /* instead of the one before */
		LIST_REMOVE(session->watch, all);
		free(session->watch);
	}
	session->watch = watch;
	return QE_OK;
}

void
handle_watch(struct conn *c, struct qp_request *m, struct frame *f)
{
	enum qe_result result = QE_OK;

	watch_tell(c->server); /* not of what was before */
	if (QP_OPT(&m->options, stop))
		watch_end(c->session);
	else
		result = watch_begin(c->session, &m->queue);
	answer_result(c, m, result);
}
