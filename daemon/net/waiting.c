/* SPDX-License-Identifier: MIT
 * See waiting.h. A connection that waits has kept the frame that it waits with at the beginning of what it has read. */
#include "daemon/net/waiting.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "daemon/net/handlers.h"
#include "daemon/net/held.h"
#include "daemon/net/server.h"

bool
conn_waits(const struct conn *c)
{
	return c->resting && (c->rests_in == &c->server->putting ||
			      c->rests_in == &c->server->changing);
}

/* Whether the client does not read what there is, and is not read for that. */
static bool
is_unread(const struct conn *c)
{
	return c->state == CONN_OPEN && c->paused && c->waits_for_room;
}

static bool
unread_long(const struct conn *c, uint64_t *ret_since_ns)
{
	if (!is_unread(c) || c->server->now_ns - c->paused_ns < HELD_LONG_NS)
		return false;
	*ret_since_ns = c->paused_ns;
	return true;
}

/* What its answers wait for. */
static const struct {
	const char *what;
	bool (*is)(const struct conn *c, uint64_t *ret_since_ns);
} answers[] = {{"disk", held_long}, {"reader", unread_long}};

#define N_ANSWERS (sizeof(answers) / sizeof(answers[0]))

unsigned
waiting_count(const struct conn *c)
{
	unsigned n = conn_waits(c);
	uint64_t since_ns;

	for (size_t i = 0; i < N_ANSWERS; i++)
		n += answers[i].is(c, &since_ns);
	return n;
}

uint64_t
waiting_unread_ns(const struct server *s)
{
	uint64_t since_ns = QE_NEVER;
	const struct conn *c;

	TAILQ_FOREACH(c, &s->conns, all)
	if (is_unread(c) && c->paused_ns < since_ns)
		since_ns = c->paused_ns;
	return since_ns == QE_NEVER ? QE_NEVER : s->now_ns - since_ns;
}

/* What it was got from; it has to be held for that. */
static struct qe_name
queue_of_item(struct server *s, uint64_t id)
{
	struct qe_lease_stats lease;

	if (id == 0 || qe_who(s->engine, s->now_ns, id, &lease) != QE_OK)
		return (struct qe_name){NULL, 0};
	return lease.queue;
}

static struct qe_name
queue_of(struct server *s, const struct qp_request *m)
{
	struct qp_list tags = m->tags;
	struct qp_names names = m->queues;
	struct qp_str only;

	if (m->queue.p)
		return request_queue(m);
	if (m->op == QP_OP_GET_ANY && names.n == 1) {
		only = qp_names_next(&names);
		return (struct qe_name){only.p, only.len};
	}
	if (m->op == QP_OP_ACK_MANY)
		return queue_of_item(s, tags.n > 0 ? qp_list_next(&tags) : 0);
	return queue_of_item(s, m->id);
}

static unsigned
items_of(const struct qp_request *m)
{
	switch ((int)m->op) {
	case QP_OP_PUT:
	case QP_OP_GET:
	case QP_OP_GET_ANY:
	case QP_OP_ACK: return 1;
	case QP_OP_PUT_MANY: return m->lengths.n;
	case QP_OP_ACK_MANY: return m->tags.n / 2;
	case QP_OP_GET_RUN: return (unsigned)m->max_items;
	case QP_OP_GET_MANY:
		return QP_GIVEN(&m->options, min_items) ? (unsigned)m->options.min_items
							: 1;
	default: return 0;
	}
}

/* Of its timeout, which runs only where it is carried out, or is a put. */
static uint64_t
left_of(const struct conn *c, const struct qp_request *m)
{
	uint64_t now_ns = c->server->now_ns;

	if (c->until_ns == QE_NEVER)
		return request_deadline(0, m->timeout_ms);
	return c->until_ns > now_ns ? c->until_ns - now_ns : 0;
}

static bool
describe(const struct conn *c, struct waiting *ret)
{
	struct qp_request m = {.timeout_ms = QP_FOREVER};
	struct qp_error e;
	struct qp_frame f;

	if (c->in.len < QP_FRAME_BYTES)
		return false;
	f = qp_frame_read(c->in.bytes);
	if (c->in.len - QP_FRAME_BYTES < f.head_len ||
	    !qp_request_decode(c->in.bytes + QP_FRAME_BYTES, f.head_len, &m, &e))
		return false;
	*ret = (struct waiting){.conn = c,
				.what = "journal",
				.op = m.op,
				.queue = queue_of(c->server, &m),
				.group = request_group(&m.options),
				.left_ns = left_of(c, &m),
				.items = items_of(&m),
				.since_ns = c->since_ns};
	return true;
}

static bool
is_of(const struct waiting *w, struct qe_name queue)
{
	return queue.len == 0 || (w->queue.len == queue.len &&
				  memcmp(w->queue.p, queue.p, queue.len) == 0);
}

/* Behind the `index` that come before. */
static bool
list_answers(struct server *s, uint64_t index, uint64_t *at, struct waiting *ret,
	     unsigned max, unsigned *n)
{
	const struct conn *c;

	TAILQ_FOREACH(c, &s->conns, all)
	for (size_t i = 0; i < N_ANSWERS; i++) {
		struct waiting w = {
			.conn = c, .what = answers[i].what, .left_ns = QE_NEVER};

		if (!answers[i].is(c, &w.since_ns) || index++ < *at)
			continue;
		if (*n == max) {
			*at = index - 1;
			return false;
		}
		ret[(*n)++] = w;
	}
	return true;
}

bool
waiting_list(struct server *s, struct qe_name queue, uint64_t *at, struct waiting *ret,
	     unsigned max, unsigned *ret_n)
{
	struct conn_list *lines[] = {&s->putting, &s->changing};
	uint64_t index = 0;

	*ret_n = 0;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		unsigned place = 0;
		struct conn *c;

		TAILQ_FOREACH(c, lines[i], rests)
		{
			struct waiting w;

			place++;
			if (index++ < *at || !describe(c, &w) || !is_of(&w, queue))
				continue;
			if (*ret_n == max) {
				*at = index - 1;
				return false;
			}
			w.place = place;
			ret[(*ret_n)++] = w;
		}
	}
	return queue.len > 0 || list_answers(s, index, at, ret, max, ret_n);
}

const char *
waiting_name(const struct waiting *w, char buf[WAITING_NAME])
{
	static const char *const more[] = {"_many", "_run", "_any"};
	char *end;

	snprintf(buf, WAITING_NAME, "%s", w->op ? qp_op_name(w->op) : "answer");
	for (char *p = buf; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
		if ((end = strstr(buf, more[i])))
			*end = 0;
	return buf;
}
