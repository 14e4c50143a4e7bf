/* SPDX-License-Identifier: MIT
 *
 * A client as PROTOCOL.md has it: a session that outlives its connections, requests that
 * are asked again until they are answered. Bytes go to the broker in pieces, and the link
 * may be cut behind any of them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/frame.h"
#include "tests/sim/sim.h"

#define CONFIRM_EVERY 8

static unsigned last_process = 100;

/* --- processes ------------------------------------------------------------------- */

void
client_begin(struct sim_client *c, enum sim_kind kind, unsigned number)
{
	if (number == 0)
		last_process = 100;
	c->kind = kind;
	c->number = number;
	c->local = chance(1, 2);
	c->fd = c->witness = -1;
	client_born(c);
}

void
client_born(struct sim_client *c)
{
	c->alive = true;
	c->process = ++last_process;
	c->incarnation++;
	c->witness = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	c->begun = c->may_end_ns = c->hang_ns = c->wait_ns = 0;
	c->rid = 0;
	memset(c->newest, 0, sizeof(c->newest));
	memset(c->last_put, 0, sizeof(c->last_put));
	for (unsigned i = 0; i < sizeof(c->session); i++)
		c->session[i] = (uint8_t)sim_random(&sim->random);
	trace(TRACE_BORN, c->number, 0, 0, 0);
}

static void
free_request(struct sim_request *r)
{
	free(r->bytes);
	free(r->holds);
}

static void
free_requests(struct sim_client *c)
{
	while (c->n_pending > 0)
		free_request(&c->pending[--c->n_pending]);
}

static void
forget_requests(struct sim_client *c)
{
	for (unsigned i = 0; i < c->n_pending; i++)
		check_forgotten(&c->pending[i]);
	free_requests(c);
}

static void
close_link(struct sim_client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->ready = false;
	c->out_len = c->in_len = 0;
}

void
client_forget(struct sim_client *c)
{
	free_requests(c);
	close_link(c);
	if (c->witness >= 0)
		close(c->witness);
	free(c->out);
}

void
client_die(struct sim_client *c)
{
	uint64_t one = 1;

	trace(TRACE_DIED, c->number, 0, 0, 0);
	c->alive = false;
	close_link(c);
	(void)!write(c->witness, &one, sizeof(one));
	close(c->witness); /* the broker has its own */
	c->witness = -1;
	check_session_lost(c);
	c->n_holds = 0;
	forget_requests(c);
	c->wait_ns = sim->now_ns + below(200) * MS;
}

/* The broker notices, or has not for a while. */
static void
link_lost(struct sim_client *c, uint64_t grace_ms)
{
	uint64_t end_ns = sim->now_ns + grace_ms * MS;

	close_link(c);
	if (c->may_end_ns > end_ns)
		c->may_end_ns = end_ns;
	c->wait_ns = sim->now_ns + (chance(1, 6) ? below(300) * MS : below(3000000));
}

void
client_cut(struct sim_client *c)
{
	trace(TRACE_CUT, c->number, c->out_len, 0, 0);
	link_lost(c, sim->o.resume_grace_ms);
}

/* The broker has ended: what becomes of the session, checker.c knows. */
void
client_end(struct sim_client *c)
{
	close_link(c);
	c->wait_ns = sim->now_ns + below(5000) * 1000;
}

/* --- out ------------------------------------------------------------------------- */

static void
append(struct sim_client *c, const uint8_t *bytes, size_t len)
{
	while (c->out_len + len > c->out_room) {
		c->out_room = c->out_room ? 2 * c->out_room : 4096;
		c->out = realloc(c->out, c->out_room);
	}
	memcpy(c->out + c->out_len, bytes, len);
	c->out_len += len;
}

static void
send_alone(struct sim_client *c, const struct qp_request *m)
{
	size_t len;
	uint8_t *bytes = request_bytes(m, "", 0, &len);

	append(c, bytes, len);
	free(bytes);
}

static void
confirm(struct sim_client *c, uint64_t rid)
{
	send_alone(c, &(struct qp_request){.op = QP_OP_CONFIRM, .last = rid});
	c->heard = 0;
}

struct sim_request *
client_ask(struct sim_client *c, struct qp_request *m, const void *body, size_t len)
{
	struct sim_request *r;

	if (c->n_pending == SIM_PENDING)
		return NULL;
	r = &c->pending[c->n_pending++];
	m->rid = ++c->rid;
	*r = (struct sim_request){.rid = m->rid,
				  .op = m->op,
				  .queue = -1,
				  .item = -1,
				  .asked_ns = sim->now_ns,
				  .asked_step = sim->step,
				  .asked_life = sim->life};
	r->bytes = request_bytes(m, body, len, &r->len);
	append(c, r->bytes, r->len);
	trace(TRACE_ASK, c->number, r->rid, r->op, m->id);
	return r;
}

void
client_push(struct sim_client *c)
{
	size_t len = chance(1, 3) ? 1 + below((unsigned)c->out_len) : c->out_len;
	ssize_t n;

	if (c->out_len == 0)
		return;
	n = send(c->fd, c->out, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n <= 0)
		return; /* full; or closed, which the next read tells */
	c->out_len -= (size_t)n;
	memmove(c->out, c->out + n, c->out_len);
}

/* --- the session ----------------------------------------------------------------- */

void
client_connect(struct sim_client *c)
{
	struct qp_request m = {.op = QP_OP_HELLO,
			       .rid = ++c->rid,
			       .version = 1,
			       .session = {(char *)c->session, QP_SESSION_BYTES}};
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) <
	    0)
		wrong("socketpair: %m");
	trace(TRACE_CONNECT, c->number, 0, 0, 0);
	c->fd = ends[1];
	c->ready = false;
	outside_accept(c, ends[0]);
	server_accept(ends[0], &(struct sockaddr){.sa_family = AF_UNIX},
		      sizeof(struct sockaddr), sim->server);
	QP_GIVE(&m.options, resume, 1);
	QP_GIVE(&m.options, pid, c->process);
	if (c->begun)
		QP_GIVE(&m.options, begun, c->begun);
	send_alone(c, &m);
}

static void
ask_again(struct sim_client *c)
{
	for (unsigned i = 0; i < c->n_pending; i++) {
		struct sim_request *r = &c->pending[i];

		trace(TRACE_AGAIN, c->number, r->rid, r->op, 0);
		r->again = true;
		check_again(r);
		append(c, r->bytes, r->len);
	}
	confirm(c, 0);
}

/* What was asked may have been done, or not. */
static void
begin_anew(struct sim_client *c, const struct qp_reply *reply)
{
	if (c->begun && sim->now_ns < c->may_end_ns)
		wrong("client %u: its session has ended too early", c->number);
	check_session_lost(c);
	c->n_holds = 0;
	forget_requests(c);
	c->begun = reply->options.begun;
	c->epoch = (uint32_t)reply->epoch;
	c->session_seq = UINT64_MAX;
}

static void
said_hello(struct sim_client *c, const struct qp_reply *reply)
{
	bool resumed = QP_OPT(&reply->options, resumed);

	if (reply->status != QP_OK)
		wrong("client %u: HELLO: %.*s", c->number, (int)reply->text.len,
		      reply->text.p);
	trace(TRACE_HELLO, c->number, resumed, reply->options.begun, 0);
	if (sim->epoch && reply->epoch != sim->epoch)
		wrong("client %u: another epoch", c->number);
	if (c->begun && resumed && reply->epoch != c->epoch)
		wrong("client %u: its session is of another epoch", c->number);
	sim->epoch = (uint32_t)reply->epoch;
	if (resumed && c->begun == reply->options.begun)
		ask_again(c);
	else
		begin_anew(c, reply);
	c->may_end_ns = SIM_NEVER;
	c->ready = true;
}

/* --- in -------------------------------------------------------------------------- */

static struct sim_request *
find_request(struct sim_client *c, uint64_t rid)
{
	for (unsigned i = 0; i < c->n_pending; i++)
		if (c->pending[i].rid == rid)
			return &c->pending[i];
	return NULL;
}

static void
decode(struct sim_client *c, const uint8_t *head, size_t len, unsigned op,
       struct qp_reply *ret)
{
	struct qp_error e;

	if (!qp_reply_decode(head, len, op, ret, &e))
		wrong("client %u: a broken reply: %s", c->number, e.text);
}

/* From the first change of a durable queue on, the session is kept. */
static void
note_kept(struct sim_client *c, const struct sim_request *r)
{
	bool changes =
		r->op == QP_OP_PUT || r->op == QP_OP_GET || r->op == QP_OP_GET_MANY;

	if (changes && sim->queues[r->queue].mode != SIM_MEMORY &&
	    c->session_seq == UINT64_MAX)
		c->session_seq = broker_status().last_seq;
}

static void
answered(struct sim_client *c, const uint8_t *head, size_t len, const uint8_t *body,
	 size_t body_len)
{
	struct sim_request *at, r;
	struct qp_reply reply;
	uint64_t rid;

	if (!qp_reply_rid(head, len, &rid))
		wrong("client %u: a broken reply", c->number);
	if (rid == 0 || !c->ready) {
		decode(c, head, len, rid ? QP_OP_HELLO : 0, &reply);
		if (rid)
			said_hello(c, &reply);
		else if (reply.status != QP_STOPPING)
			wrong("client %u: %.*s", c->number, (int)reply.text.len,
			      reply.text.p);
		return;
	}
	at = find_request(c, rid);
	if (!at)
		wrong("client %u: a reply to %u, which was not asked", c->number,
		      (unsigned)rid);
	r = *at;
	c->n_pending--;
	memmove(at, at + 1, (size_t)(c->pending + c->n_pending - at) * sizeof(*at));
	decode(c, head, len, r.op, &reply);
	trace(TRACE_REPLY, c->number, rid, r.op, reply.status);
	if (reply.status == QP_OK && !QP_OPT(&reply.options, duplicate))
		note_kept(c, &r);
	work_answer(c, &r, &reply, body, body_len);
	free_request(&r);
	if (++c->heard >= CONFIRM_EVERY)
		confirm(c, rid);
}

static void
frames(struct sim_client *c)
{
	size_t at = 0;

	while (c->in_len - at >= QP_FRAME_BYTES) {
		struct qp_frame f = qp_frame_read(c->in + at);
		const uint8_t *head = c->in + at + QP_FRAME_BYTES;
		size_t all = (size_t)QP_FRAME_BYTES + f.head_len + f.body_len;

		if (c->in_len - at < all)
			break;
		at += all;
		answered(c, head, f.head_len, head + f.head_len, f.body_len);
	}
	c->in_len -= at;
	memmove(c->in, c->in + at, c->in_len);
}

void
client_read(struct sim_client *c)
{
	size_t room = sizeof(c->in) - c->in_len;
	ssize_t n;

	if (chance(1, 4))
		room = 1 + below(200);
	n = recv(c->fd, c->in + c->in_len, room, MSG_DONTWAIT);
	if (n > 0) {
		c->in_len += (size_t)n;
		frames(c);
		return;
	}
	if (n < 0 && errno == EAGAIN)
		return;
	trace(TRACE_EOF, c->number, 0, 0, 0);
	if (sim->stop_ns)
		client_end(c);
	else
		link_lost(c, 0);
}
