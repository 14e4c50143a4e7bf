/* SPDX-License-Identifier: MIT
 * The loop's turn. libevent says who is ready and when time has passed; here, once per
 * turn, what the engine has finished is answered and every connection with something to
 * say is written to. */
#include "daemon/net/backup.h"
#include "daemon/net/server.h"

#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/net/closer.h"
#include "daemon/net/deliver.h"
#include "daemon/net/held.h"
#include "daemon/net/waiting.h"
#include "daemon/net/watch.h"

#define SWEEP_SECONDS 1

/* So long puts wait for the journal while others, who change something, go on all the time; then one does as well. */
#define PUT_WAIT_NS UINT64_C(100000000)

uint64_t
server_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t
server_wall_ns(uint64_t at_ms)
{
	struct timespec wall;
	uint64_t at_ns, wall_ns;

	/* In this order: asked the other way round it would be early. */
	clock_gettime(CLOCK_REALTIME, &wall);
	wall_ns = (uint64_t)wall.tv_sec * 1000000000 + (uint64_t)wall.tv_nsec;
	if (__builtin_mul_overflow(at_ms, 1000000, &at_ns))
		return QE_NEVER;
	return at_ns > wall_ns ? server_now_ns() + (at_ns - wall_ns) : 0;
}

static void
timer_cb(evutil_socket_t fd, short what, void *arg)
{
	((struct server *)arg)->timer_ns =
		QE_NEVER; /* the end of the turn does the work */
}

/* Whether the other end is closed, of a connection that is not read. */
static bool
is_over(const struct conn *c)
{
	struct pollfd p = {.fd = c->fd, .events = POLLRDHUP};

	return poll(&p, 1, 0) > 0;
}

/* One that waits for the journal shows nothing of its end; to be told of it by the loop would take two calls for each wait. */
static void
sweep_waiting(struct server *s, struct conn *c)
{
	if (is_over(c))
		conn_hear_out(c, CLOSE_eof);
	else
		server_watch(s);
}

static void
sweep_cb(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	struct conn *c, *next;

	s->now_ns = server_now_ns();
	for (c = TAILQ_FIRST(&s->conns); c; c = next) {
		bool hello = c->state == CONN_HELLO;
		uint64_t timeout_ms =
			hello ? s->limits.hello_timeout_ms : s->limits.frame_timeout_ms;

		next = TAILQ_NEXT(c, all);
		if (conn_waits(c))
			sweep_waiting(s, c);
		if (!conn_is_timed(c))
			continue;
		if (s->now_ns - c->progress_ns > timeout_ms * 1000000)
			conn_close(c,
				   hello ? CLOSE_hello_timeout : CLOSE_frame_timeout);
		else
			server_watch(s);
	}
}

void
server_watch(struct server *s)
{
	struct timeval wait = {.tv_sec = SWEEP_SECONDS};

	if (!evtimer_pending(&s->sweep, NULL))
		evtimer_add(&s->sweep, &wait);
}

struct server *
server_new(struct event_base *base, struct qe *engine, uint32_t epoch,
	   const struct server_limits *limits)
{
	struct server *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->base = base;
	s->engine = engine;
	s->epoch = epoch;
	s->limits = *limits;
	s->started_ns = s->now_ns = server_now_ns();
	s->timer_ns = s->late_ns = QE_NEVER;
	s->proof.fd = -1;
	memory_init(&s->memory);
	TAILQ_INIT(&s->conns);
	TAILQ_INIT(&s->closed);
	TAILQ_INIT(&s->dirty);
	TAILQ_INIT(&s->resting);
	bulk_init(&s->bulk);
	TAILQ_INIT(&s->changing);
	TAILQ_INIT(&s->putting);
	TAILQ_INIT(&s->sessions);
	TAILQ_INIT(&s->lost);
	evtimer_assign(&s->timer, base, timer_cb, s);
	evtimer_assign(&s->sweep, base, sweep_cb, s);
	evtimer_assign(&s->grace, base, session_grace_cb, s);
	s->buffer = malloc(GATHER_MAX + READ_SHARE);
	if (!s->buffer) {
		free(s);
		return NULL;
	}
	return s;
}

static void
free_closed(struct server *s)
{
	struct conn *c;

	while ((c = TAILQ_FIRST(&s->closed))) {
		TAILQ_REMOVE(&s->closed, c, all);
		conn_free(c);
	}
}

void
server_free(struct server *s)
{
	struct conn *c;

	if (!s)
		return;
	s->listeners = NULL;
	while ((c = TAILQ_FIRST(&s->conns)))
		conn_close(c, CLOSE_stopping);
	free_closed(s);
	session_end_all(s);
	held_end(s);
	backup_end(s);
	event_del(&s->grace);
	event_del(&s->timer);
	event_del(&s->sweep);
	qe_free(s->engine);
	if (s->proof.fd >= 0)
		close(s->proof.fd);
	closer_free(s->closer);
	closer_free(s->freer);
	memory_done(&s->memory);
	free(s->buffer);
	free(s);
}

void
server_accept(int fd, const struct sockaddr *peer, socklen_t peer_len, void *arg)
{
	struct server *s = arg;
	struct conn *c;

	s->now_ns = server_now_ns();
	c = conn_new(s, fd);
	if (!c) {
		log_event(LOG_LEVEL_WARNING, "accept", "error=\"no memory\"");
		return;
	}
	log_event(LOG_LEVEL_DEBUG, "accept", "conn=%u peer=%s", c->number,
		  peer->sa_family == AF_UNIX ? "unix" : "tcp");
	if (s->n_conns > s->limits.max_connections)
		conn_refuse(c, CLOSE_refused, QP_LIMIT,
			    "the broker has max_connections connections");
}

/* Sets the timer. One that is too early is left alone: it costs one turn. */
static void
set_timer(struct server *s, uint64_t at_ns)
{
	uint64_t wait_us;
	struct timeval wait;

	if (at_ns <= s->now_ns || at_ns >= s->timer_ns)
		return;
	wait_us = (at_ns - s->now_ns + 999) / 1000;
	wait = (struct timeval){(time_t)(wait_us / 1000000),
				(suseconds_t)(wait_us % 1000000)};
	s->timer_ns = event_add(&s->timer, &wait) == 0 ? at_ns : QE_NEVER;
}

/* Answers what is finished and writes. A connection that can be read again when it has
 * been written to may ask for more, which may finish more. */
static void
answer(struct server *s)
{
	struct conn *c;

	do {
		deliver_finished(s);
		while ((c = TAILQ_FIRST(&s->dirty))) {
			conn_flush(c);
			deliver_finished(s);
		}
		/* Who waits for no record does not wait for its being written either. */
		if (s->held)
			held_commit(s);
	} while (!TAILQ_EMPTY(&s->dirty)); /* what waited, and was kept at once */
}

/* Those of the list go on, and may rest again; those that wait for the journal, one request each at least, as far as
 * it has been cleaned: until `pace` is exceeded. Returns whether one has gone on, or none was there. */
static bool
wake(struct server *s, struct conn_list *list, enum qe_pace pace)
{
	struct conn *last = TAILQ_LAST(list, conn_list), *c;
	bool any = !last;

	while (last && qe_pace(s->engine) <= pace && (c = TAILQ_FIRST(list))) {
		if (c == last)
			last = NULL;
		any = true;
		conn_wake(c);
	}
	return any;
}

static void
wake_putting(struct server *s)
{
	struct conn *c;

	if (wake(s, &s->putting, QE_ALL_GO_ON)) {
		s->put_ns = s->now_ns;
		return;
	}
	c = TAILQ_FIRST(&s->putting);
	if (s->now_ns - s->put_ns < PUT_WAIT_NS)
		return;
	s->put_ns = s->now_ns;
	c->waited = true;
	conn_wake(c);
	c->waited = false;
}

/* Those that have waited for as long as they may go on all the same, and are refused. */
static void
wake_late(struct server *s)
{
	struct conn *last = TAILQ_LAST(&s->putting, conn_list), *c, *next;

	if (s->now_ns < s->late_ns)
		return;
	s->late_ns = QE_NEVER;
	for (c = TAILQ_FIRST(&s->putting); c; c = next) {
		next = c == last ? NULL : TAILQ_NEXT(c, rests);
		if (c->until_ns <= s->now_ns)
			conn_wake(c);
		else if (c->until_ns < s->late_ns)
			s->late_ns = c->until_ns;
	}
}

/* When the next put goes on however much is owed. */
static uint64_t
put_due(const struct server *s)
{
	return TAILQ_EMPTY(&s->putting) ? QE_NEVER : s->put_ns + PUT_WAIT_NS;
}

/* Whether somebody waits until the journal has been cleaned, and the next turn goes on with that. */
static bool
cleans_for_others(const struct server *s)
{
	return (!TAILQ_EMPTY(&s->putting) || !TAILQ_EMPTY(&s->changing)) &&
	       !qe_waits_for_store(s->engine);
}

/* Returns whether there is something to do at once; else the timer says when. */
static bool
goes_on(struct server *s)
{
	uint64_t at_ns = qe_next_deadline(s->engine);
	bool more = at_ns <= s->now_ns;
	bool gives = memory_turn(&s->memory, qe_memory(s->engine), s->now_ns, s->share_ns,
				 more);

	set_timer(s, at_ns);
	set_timer(s, s->memory.due_ns);
	set_timer(s, put_due(s));
	set_timer(s, s->late_ns);
	s->worked_ns = more || gives ? server_now_ns() : 0;
	return more || gives || s->n_hurrying > 0 || cleans_for_others(s) ||
	       put_due(s) <= s->now_ns || s->late_ns <= s->now_ns;
}

bool
server_turn(struct server *s)
{
	if (s->held)
		held_turn(s->held);
	answer(s); /* first of all: somebody waits for it */
	bulk_turn(s);
	s->now_ns = server_now_ns();
	s->share_ns = share_of_work(s->asked_ns, s->now_ns,
				    s->worked_ns ? s->now_ns - s->worked_ns : 0);
	qe_set_share(s->engine, s->share_ns);
	qe_tick(s->engine, s->now_ns);
	if (s->held && qe_should_commit(s->engine))
		held_commit(s);
	deliver_notices(s);
	watch_tell(s);
	(void)wake(s, &s->changing, QE_PUTS_WAIT);
	wake_putting(s);
	wake_late(s);
	(void)wake(s, &s->resting, QE_CHANGES_WAIT); /* whatever is owed */
	answer(s);
	free_closed(s);
	return goes_on(s);
}

void
server_stop(struct server *s)
{
	struct conn *c, *next;

	s->listeners = NULL;
	for (c = TAILQ_FIRST(&s->conns); c; c = next) {
		next = TAILQ_NEXT(c, all);
		conn_refuse(c, CLOSE_stopping, QP_STOPPING, "the broker is stopping");
	}
}
