/* SPDX-License-Identifier: MIT
 * See held.h. The lines are in the order in which the answers came, which is not quite that of the
 * records: one that waits for an older record than those before it waits a little longer. */
#include "daemon/net/held.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/log.h"
#include "daemon/net/deliver.h"
#include "daemon/net/notify.h"
#include "daemon/net/server.h"

#define LOOK_NS UINT64_C(1000000000)
#define STEP_NS \
	5000000 /* by less a clock that is only kept in time moves in a second */

/* --- the clock ------------------------------------------------------------------- */

uint64_t
held_wall_ns(void)
{
	struct timespec wall;
	uint64_t before = server_now_ns();

	clock_gettime(CLOCK_REALTIME, &wall);
	return (uint64_t)wall.tv_sec * 1000000000 + (uint64_t)wall.tv_nsec - before;
}

static void
look_at_clock(struct held *held)
{
	uint64_t now_ns = held->server->now_ns, wall_ns, step_ns;

	if (now_ns - held->looked_ns < LOOK_NS && held->looked_ns > 0)
		return;
	wall_ns = held_wall_ns();
	step_ns = wall_ns > held->wall_ns ? wall_ns - held->wall_ns
					  : held->wall_ns - wall_ns;
	held->looked_ns = now_ns;
	if (step_ns < STEP_NS)
		return;
	held->wall_ns = wall_ns;
	qe_set_wall(held->server->engine, wall_ns);
}

void
held_turn(struct held *held)
{
	held->turn++;
	look_at_clock(held);
}

/* --- what waits ------------------------------------------------------------------ */

static bool
is_synced(const struct held *held, struct qe_after after)
{
	return after.synced <= held->status.synced;
}

static bool
is_written(const struct held *held, struct qe_after after)
{
	return after.written <= held->status.written;
}

static struct held_answer *
new_answer(struct held *held, struct conn *c, struct held_list *line)
{
	struct held_answer *a = malloc(sizeof(*a));

	if (!a)
		return NULL;
	*a = (struct held_answer){.in = line,
				  .conn = c,
				  .turn = held->turn,
				  .since_ns = held->server->now_ns};
	qp_out_init(&a->bytes);
	a->bytes.owner = c->out.owner;
	TAILQ_INSERT_TAIL(line, a, line);
	TAILQ_INSERT_TAIL(&c->held, a, others);
	return a;
}

/* Those of one turn are kept by one record, or few, so that one piece of waiting will do. */
static bool
goes_with(const struct held_answer *last, const struct held *held, const struct conn *c)
{
	return last && last->conn == c && last->turn == held->turn;
}

/* What a client confirms is an answer and all that came before it (kept.h): they must come in
 * the order in which they are remembered. */
static bool
in_order(const struct conn *c)
{
	return !c->session || c->session->resumes;
}

void
held_hold(struct conn *c, const struct qp_mark *mark, struct qe_after after)
{
	struct held_answer *before = TAILQ_LAST(&c->held, held_list), *a;
	struct held *held = c->server->held;
	struct held_list *line = &held->written;
	size_t len;

	if (before && in_order(c)) {
		held_later(&after, before->after);
		line = before->in;
	} else if (is_synced(held, after) && is_written(held, after)) {
		return;
	}
	if (c->state == CONN_CLOSED)
		return;
	if (!is_synced(held, after))
		line = &held->synced;
	a = TAILQ_LAST(line, held_list);
	if (!goes_with(a, held, c) && !(a = new_answer(held, c, line))) {
		c->out.failed = true;
		return;
	}
	len = a->bytes.len;
	qp_out_cut(&c->out, mark, &a->bytes);
	c->held_len += a->bytes.len - len;
	held_later(&a->after, after);
}

void
held_behind(struct conn *c, const struct qp_mark *mark)
{
	struct qe_after after = {0, 0};
	struct held_answer *a;

	TAILQ_FOREACH(a, &c->held, others)
	held_later(&after, a->after);
	/* Behind those in both lines. */
	if (!is_synced(c->server->held, after))
		held_later(&after, (struct qe_after){after.written, 0});
	held_hold(c, mark, after);
}

bool
held_long(const struct conn *c, uint64_t *ret_since_ns)
{
	const struct held_answer *first = TAILQ_FIRST(&c->held);

	if (!first || c->server->now_ns - first->since_ns < HELD_LONG_NS)
		return false;
	*ret_since_ns = first->since_ns;
	return true;
}

uint64_t
held_for_ns(const struct held *held)
{
	const struct held_answer *a = TAILQ_FIRST(&held->synced);
	const struct held_answer *b = TAILQ_FIRST(&held->written);

	if (!a || (b && b->since_ns < a->since_ns))
		a = b;
	return a ? held->server->now_ns - a->since_ns : QE_NEVER;
}

static void
forget(struct held_answer *a)
{
	TAILQ_REMOVE(a->in, a, line);
	TAILQ_REMOVE(&a->conn->held, a, others);
	a->conn->held_len -= a->bytes.len;
}

void
held_drop(struct conn *c)
{
	struct held_answer *a;

	while ((a = TAILQ_FIRST(&c->held))) {
		forget(a);
		qp_out_done(&a->bytes);
		free(a);
	}
}

/* --- what has been kept ---------------------------------------------------------- */

static void
release(struct held_answer *a)
{
	struct conn *c = a->conn;

	forget(a);
	qp_out_move(&c->out, &a->bytes);
	conn_dirty(c);
	free(a);
}

static void
wait_for_write(struct held *held, struct held_answer *a)
{
	TAILQ_REMOVE(a->in, a, line);
	a->in = &held->written;
	TAILQ_INSERT_TAIL(a->in, a, line);
}

static void
release_written(struct held *held)
{
	struct held_answer *a;

	while ((a = TAILQ_FIRST(&held->written)) && is_written(held, a->after))
		release(a);
}

/* No answer of the connection has to come before it. */
static bool
is_next(const struct held_answer *a)
{
	return !in_order(a->conn) || TAILQ_FIRST(&a->conn->held) == a;
}

static void
tell_state(struct held *held, const struct store_status *now)
{
	const char *error = now->error ? now->error : "";
	char quoted[256];

	log_quote(quoted, sizeof(quoted), error, strlen(error));
	switch (now->state) {
	case STORE_GOOD:
		log_event(LOG_LEVEL_INFO, "journal_good", "bytes=%" PRIu64, now->bytes);
		notify_status("serving");
		break;
	case STORE_LOW:
		log_event(LOG_LEVEL_ERROR, "journal_low", "error=%s", quoted);
		notify_status("no space for the journal: durable queues take no items");
		break;
	case STORE_FAILED:
		log_event(LOG_LEVEL_ERROR, "journal_failed", "error=%s stopping=1",
			  quoted);
		notify_status("the journal has failed");
		break;
	}
}

static void
fail(struct held *held, const struct store_status *now)
{
	if (held->failed)
		return;
	held->failed = true;
	tell_state(held, now);
	event_base_loopbreak(held->server->base);
}

static void
look(struct held *held)
{
	enum store_state before = held->status.state;
	struct held_answer *a;

	held->store->class->status(held->store, &held->status);
	if (held->status.state == STORE_FAILED) {
		fail(held, &held->status);
		return;
	}
	if (held->status.state != before)
		tell_state(held, &held->status);
	release_written(held);
	while ((a = TAILQ_FIRST(&held->synced)) && is_synced(held, a->after))
		if (is_written(held, a->after) && is_next(a))
			release(a);
		else
			wait_for_write(held, a);
	release_written(held);
}

static void
told_cb(evutil_socket_t fd, short what, void *arg)
{
	struct held *held = arg;

	held->server->now_ns = server_now_ns();
	held->heard(held->store);
	look(held);
}

/* What the store says of it says more. */
static void
fail_lost(struct held *held, const char *lost)
{
	struct store_status now;

	held->store->class->status(held->store, &now);
	if (now.state != STORE_FAILED)
		now = (struct store_status){.state = STORE_FAILED, .error = lost};
	fail(held, &now);
}

void
held_commit(struct server *server)
{
	struct held *held = server->held;
	const char *lost;

	deliver_finished(server);
	qe_commit(server->engine);
	lost = qe_store_lost(server->engine);
	if (lost)
		fail_lost(held, lost);
	else if (!TAILQ_EMPTY(&held->written))
		look(held); /* it may have been written at once */
}

struct qe_after
held_everything(struct server *server)
{
	struct held *held = server->held;

	held_commit(server);
	look(held);
	return (struct qe_after){held->status.last_seq, held->status.last_seq};
}

/* --- begin and end --------------------------------------------------------------- */

bool
held_begin(struct server *server, struct store *store, int fd,
	   void (*heard)(struct store *store))
{
	struct held *held = calloc(1, sizeof(*held));

	if (!held)
		return false;
	held->server = server;
	held->store = store;
	held->heard = heard;
	TAILQ_INIT(&held->synced);
	TAILQ_INIT(&held->written);
	store->class->status(store, &held->status);
	event_assign(&held->told, server->base, fd, EV_READ | EV_PERSIST, told_cb,
		     held);
	if (event_add(&held->told, NULL) < 0) {
		free(held);
		return false;
	}
	server->held = held;
	if (held->status.state != STORE_GOOD)
		tell_state(held, &held->status);
	return true;
}

void
held_end(struct server *server)
{
	struct held *held = server->held;

	if (!held)
		return;
	event_del(&held->told);
	free(held);
	server->held = NULL;
}
