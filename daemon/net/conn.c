/* SPDX-License-Identifier: MIT
 * A connection's life: readiness, output, and the one door out. */
#include "daemon/net/backup.h"
#include "daemon/net/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/net/held.h"
#include "daemon/net/listener.h"
#include "daemon/net/pass.h"
#include "daemon/net/peer.h"
#include "daemon/net/server.h"
#include "daemon/net/waiting.h"

#define WRITE_SHARE 262144 /* bytes to one connection in one loop turn */
#define WRITE_PARTS 64

/* What was sent before the end is handled for so long at most, whatever it is; and in so many reads, for a child may go on sending. */
#define LAST_NS	   UINT64_C(1000000000)
#define LAST_READS 64

static const struct {
	const char *name;
	bool log;
} reasons[] = {
#define CLOSE_REASON(name, log) {#name, log},
#include "daemon/net/close_reasons.def"
#undef CLOSE_REASON
};

static bool
output_is_large(const struct conn *c)
{
	return c->out.first && c->out.first->len > GATHER_MAX;
}

static void
readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	if (input_is_large(c))
		bulk_read(c);
	else
		input_read(c);
}

static void
writable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	if (output_is_large(c))
		bulk_write(c);
	else
		conn_flush(c);
}

void
conn_died(struct conn *c)
{
	conn_hear_out(c, CLOSE_died);
	if (c->resting)
		conn_wake(c); /* at once: it may hold something */
}

static void
died_cb(evutil_socket_t fd, short what, void *arg)
{
	conn_died(arg);
}

/* A forked child that holds the socket must not hide that its parent has died. */
static void
watch_peer(struct conn *c)
{
	c->pidfd = peer_pidfd(c->fd);
	if (c->pidfd < 0)
		return;
	event_assign(&c->died, c->server->base, c->pidfd, EV_READ, died_cb, c);
	event_add(&c->died, NULL);
}

int
conn_yield_witness(struct conn *c)
{
	int pidfd = c->pidfd;

	if (pidfd >= 0)
		event_del(&c->died);
	c->pidfd = -1;
	return pidfd;
}

static void
forget_peer(struct conn *c)
{
	int pidfd = conn_yield_witness(c);

	if (pidfd >= 0)
		close(pidfd);
}

struct conn *
conn_new(struct server *server, int fd)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c) {
		close(fd);
		return NULL;
	}
	c->server = server;
	c->fd = fd;
	c->number = ++server->last_number;
	c->progress_ns = server->now_ns;
	server_watch(server);
	qp_out_init(&c->out);
	c->out.owner = server->engine;
	TAILQ_INIT(&c->held);
	event_assign(&c->readable, server->base, fd, EV_READ | EV_PERSIST, readable_cb,
		     c);
	event_assign(&c->writable, server->base, fd, EV_WRITE | EV_PERSIST, writable_cb,
		     c);
	watch_peer(c);
	TAILQ_INSERT_TAIL(&server->conns, c, all);
	server->n_conns++;
	if (event_add(&c->readable, NULL) < 0) {
		conn_close(c, CLOSE_no_memory);
		return NULL;
	}
	return c;
}

void
conn_free(struct conn *c)
{
	input_free(c);
	qe_search_end(c->server->engine, &c->search);
	qe_dump_end(c->server->engine, c->walk);
	c->walk = NULL;
	qp_out_done(&c->out);
	free(c);
}

/* Whether it says nothing of the client but that its link is lost. */
static bool
is_loss(enum close_reason reason)
{
	return reason == CLOSE_eof || reason == CLOSE_reset ||
	       reason == CLOSE_frame_timeout || reason == CLOSE_no_memory;
}

static void
lose_session(struct conn *c, enum close_reason reason)
{
	struct session *session = c->session;

	c->session = NULL;
	if (session && reason == CLOSE_stopping && c->server->held)
		session_suspend(session);
	else if (session)
		session_lose(session, is_loss(reason));
}

static void
not_dirty(struct conn *c)
{
	if (c->dirty)
		TAILQ_REMOVE(&c->server->dirty, c, dirties);
	c->dirty = false;
}

static void
not_resting(struct conn *c)
{
	if (c->resting)
		TAILQ_REMOVE(c->rests_in, c, rests);
	c->server->n_hurrying -= c->hurries;
	c->resting = c->hurries = false;
}

void
conn_close(struct conn *c, enum close_reason reason)
{
	struct server *s = c->server;

	if (c->state == CONN_CLOSED)
		return;
	log_event(reasons[reason].log ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, "close",
		  "conn=%u reason=%s", c->number, reasons[reason].name);
	lose_session(c, reason);
	held_drop(c);
	backup_drop(c);
	not_dirty(c);
	not_resting(c);
	bulk_drop(c);
	event_del(&c->readable);
	event_del(&c->writable);
	forget_peer(c);
	pass_close(c);
	c->state = CONN_CLOSED;
	TAILQ_REMOVE(&s->conns, c, all);
	TAILQ_INSERT_TAIL(&s->closed, c, all);
	s->n_conns--;
	s->closed_by[reason]++;
	listeners_resume(s->listeners);
}

void
conn_drain(struct conn *c, enum close_reason reason)
{
	if (c->state >= CONN_DRAINING)
		return;
	lose_session(c, reason);
	input_free(c);
	not_resting(c);
	event_del(&c->readable);
	c->state = CONN_DRAINING;
	c->reason = reason; /* also if it is dying */
	c->progress_ns = c->server->now_ns;
	server_watch(c->server);
	conn_dirty(c);
}

void
conn_refuse(struct conn *c, enum close_reason reason, enum qp_status status,
	    const char *text)
{
	struct qp_mark mark = qp_out_mark(&c->out);
	char quoted[128];

	if (c->state >= CONN_DRAINING)
		return;
	log_event(LOG_LEVEL_DEBUG, "refuse", "conn=%u status=%s text=%s", c->number,
		  qp_status_name(status),
		  log_quote(quoted, sizeof(quoted), text, strlen(text)));
	qp_refusal_encode(&c->out, status, 0, text);
	if (!TAILQ_EMPTY(&c->held))
		held_behind(c, &mark);
	conn_drain(c, reason);
}

void
conn_dirty(struct conn *c)
{
	if (c->dirty || c->state == CONN_CLOSED)
		return;
	c->dirty = true;
	TAILQ_INSERT_TAIL(&c->server->dirty, c, dirties);
}

bool
conn_is_timed(const struct conn *c)
{
	if (c->state != CONN_OPEN)
		return true;
	return !c->paused && !c->resting && (c->in.bytes || c->in.discard);
}

/* --- output ---------------------------------------------------------------------- */

static ssize_t
write_once(struct conn *c, size_t max)
{
	struct iovec parts[WRITE_PARTS];
	int n = qp_out_peek(&c->out, parts, WRITE_PARTS, max);
	struct msghdr msg = {.msg_iov = parts, .msg_iovlen = (size_t)n};

	if (n == 1) /* the usual case, and the cheaper call */
		return send(c->fd, parts[0].iov_base, parts[0].iov_len,
			    MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n == 0)
		return pass_send(c, max);
	return sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Small answers go together, as many as there are. */
static size_t
out_share(struct conn *c)
{
	if (!output_is_large(c))
		return WRITE_SHARE;
	return share_next(&c->writes, c->server->asked_ns, c->server->now_ns,
			  WRITE_SHARE);
}

/* Writes at most a share. false: nobody reads it. */
static bool
write_share(struct conn *c)
{
	size_t share = out_share(c);

	while (c->out.len > 0 && share > 0) {
		ssize_t n = write_once(c, share);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return true;
		if (n < 0) {
			conn_hear_out(c, CLOSE_reset);
			return false;
		}
		qp_out_consume(&c->out, (size_t)n);
		if (c->state == CONN_DRAINING)
			c->progress_ns = c->server->now_ns;
		share -= (size_t)n;
	}
	return true;
}

/* Waits for room as long as there is something to write; to begin and to end that is a system
 * call each. false: no memory. */
static bool
await_room(struct conn *c)
{
	if ((c->out.len > 0) == c->waits_for_room)
		return true;
	c->waits_for_room = !c->waits_for_room;
	return (c->waits_for_room ? event_add(&c->writable, NULL)
				  : event_del(&c->writable)) == 0;
}

static void
pause_reading(struct conn *c)
{
	c->paused = true;
	c->paused_ns = c->server->now_ns;
	event_del(&c->readable);
}

static void
read_again(struct conn *c)
{
	c->progress_ns = c->server->now_ns; /* it could not go on, so it is not late */
	server_watch(c->server);
	if (event_add(&c->readable, NULL) < 0)
		conn_close(c, CLOSE_no_memory);
	else
		input_resume(c);
}

static void
resume_reading(struct conn *c)
{
	c->paused = false;
	if (!c->resting)
		read_again(c);
}

static void
rest(struct conn *c, struct conn_list *in, bool hurries)
{
	if (c->resting || c->state >= CONN_DRAINING)
		return;
	c->resting = true;
	c->hurries = hurries;
	c->server->n_hurrying += hurries;
	event_del(&c->readable);
	c->rests_in = in;
	TAILQ_INSERT_TAIL(in, c, rests);
}

void
conn_rest(struct conn *c)
{
	rest(c, &c->server->resting, true);
}

void
conn_wait(struct conn *c, bool puts, uint64_t until_ns)
{
	struct server *s = c->server;

	c->since_ns = s->now_ns;
	c->until_ns = until_ns;
	if (until_ns < s->late_ns)
		s->late_ns = until_ns;
	server_watch(s);
	if (puts && TAILQ_EMPTY(&s->putting))
		s->put_ns = c->since_ns;
	rest(c, puts ? &s->putting : &s->changing, false);
}

void
conn_repeat(struct conn *c)
{
	c->again = true;
	rest(c, &c->server->resting, true);
}

void
conn_repeat_later(struct conn *c)
{
	c->again = true;
	rest(c, &c->server->resting, false);
}

/* Nobody will read it. */
static void
drop_output(struct conn *c)
{
	held_drop(c);
	qp_out_done(&c->out);
	qp_out_init(&c->out);
	c->out.owner = c->server->engine;
}

void
conn_hear_out(struct conn *c, enum close_reason reason)
{
	if (c->state >= CONN_DRAINING) {
		conn_close(c, c->state == CONN_DRAINING ? c->reason : reason);
		return;
	}
	if (c->dying)
		return;
	c->dying = true;
	c->reason = reason;
	c->since_ns = 0;
	c->last_reads = LAST_READS;
	drop_output(c);
	if (c->waits_for_room)
		event_del(&c->writable);
	c->waits_for_room = c->paused = false;
	bulk_drop(c);
	not_resting(c);
	conn_rest(c);
}

/* In shares, as of all others. */
static void
hear(struct conn *c)
{
	uint64_t now_ns = c->server->now_ns;

	if (c->since_ns == 0)
		c->since_ns = now_ns;
	if (now_ns - c->since_ns < LAST_NS) {
		input_resume(c);
		input_last(c);
	}
	if (!c->resting)
		conn_close(c, c->reason);
}

void
conn_wake(struct conn *c)
{
	if (conn_waits(c))
		c->spent_ns += c->server->now_ns - c->since_ns;
	not_resting(c);
	if (c->dying)
		hear(c);
	else if (!c->paused)
		read_again(c);
}

uint64_t
conn_output_high(const struct conn *c)
{
	return c->state == CONN_HELLO ? 0 : c->server->limits.output_high;
}

static uint64_t
output_low(const struct conn *c)
{
	return c->state == CONN_HELLO ? 0 : c->server->limits.output_low;
}

void
conn_flush(struct conn *c)
{
	if (c->state == CONN_CLOSED)
		return;
	not_dirty(c);
	if (c->out.failed) {
		conn_close(c, CLOSE_no_memory);
		return;
	}
	if (c->dying)
		drop_output(c);
	else if (!write_share(c))
		return;
	if (!await_room(c))
		conn_close(c, CLOSE_no_memory);
	else if (conn_unsent(c) == 0 && c->state == CONN_DRAINING)
		conn_close(c, c->reason);
	else if (c->state == CONN_DRAINING)
		return;
	else if (!c->paused && conn_unsent(c) > conn_output_high(c))
		pause_reading(c);
	else if (c->paused && conn_unsent(c) <= output_low(c))
		resume_reading(c);
}
