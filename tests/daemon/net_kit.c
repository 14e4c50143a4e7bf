/* SPDX-License-Identifier: MIT
 * See net_kit.h. */
#include "tests/daemon/net_kit.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/log.h"

#define END_TURNS 16 /* for what the end of a connection leaves to do */

struct event_base *base;
struct server *server;

void
setup(void)
{
	struct qe_config config = {
		.epoch = EPOCH, .memory_limit = 64 << 20, .can_keep = true};
	struct server_limits limits = {
		.max_connections = 4,
		.max_item = 1 << 20,
		.hello_timeout_ms = 10000,
		.frame_timeout_ms = 30000,
		.resume_grace_ms = 10000,
		.output_high = 100000,
		.output_low = 10000,
	};
	struct qe *engine = qe_new(&config);

	log_open(false, LOG_LEVEL_ERROR);
	base = event_base_new();
	ck_assert_ptr_nonnull(engine);
	server = server_new(base, engine, EPOCH, &limits);
	ck_assert_ptr_nonnull(server);
}

void
teardown(void)
{
	ck_assert_ptr_null(qe_check(server->engine));
	server_free(server);
	event_base_free(base);
}

void
turn(void)
{
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	server_turn(server);
}

struct client *
client_raw(void)
{
	struct client *c = calloc(1, sizeof(*c));
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
				    0, ends),
			 0);
	c->fd = ends[1];
	server_accept(ends[0], &(struct sockaddr){.sa_family = AF_UNIX},
		      sizeof(struct sockaddr), server);
	c->number = server->last_number;
	return c;
}

static bool
is_connected(uint32_t number)
{
	struct conn *c;

	TAILQ_FOREACH (c, &server->conns, all)
		if (c->number == number)
			return true;
	return false;
}

void
client_end(struct client *c)
{
	uint32_t number = c->number;
	int turns = 0;

	close(c->fd);
	while (c->n_fds > 0)
		close(c->fds[--c->n_fds]);
	free(c);
	/* What it had sent is read in shares, which may have to wait for others. */
	for (; is_connected(number) && turns < MAX_TURNS; turns++)
		turn();
	for (int i = 0; i < END_TURNS; i++)
		turn();
}

/* Sends everything, turning the loop while the socket takes nothing. */
void
send_bytes(struct client *c, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	for (int i = 0; len > 0 && i < MAX_TURNS; i++) {
		ssize_t n = send(c->fd, p, len, MSG_NOSIGNAL);

		if (n > 0) {
			p += n;
			len -= (size_t)n;
		} else {
			ck_assert_int_eq(errno, EAGAIN);
		}
		turn();
	}
	ck_assert_uint_eq(len, 0);
}

/* A request as bytes; the caller frees them. */
void
ask(struct client *c, const struct qp_request *m, const void *body, size_t body_len)
{
	size_t len;
	uint8_t *bytes = request_bytes(m, body, body_len, &len);

	send_bytes(c, bytes, len);
	free(bytes);
}

static bool
whole_frame(const struct client *c, struct qp_frame *f)
{
	if (c->len < QP_FRAME_BYTES)
		return false;
	*f = qp_frame_read(c->in);
	return c->len >= (size_t)QP_FRAME_BYTES + f->head_len + f->body_len;
}

void
read_some(struct client *c)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct iovec part = {c->in + c->len, sizeof(c->in) - c->len};
	struct msghdr msg = {.msg_iov = &part,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(c->fd, &msg, MSG_CMSG_CLOEXEC);
	struct cmsghdr *head = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

	if (n > 0)
		c->len += (size_t)n;
	if (!head)
		return;
	ck_assert_int_eq(msg.msg_flags & MSG_CTRUNC, 0);
	ck_assert_uint_eq(head->cmsg_len, CMSG_LEN(sizeof(int)));
	ck_assert_uint_lt(c->n_fds, 8);
	memcpy(&c->fds[c->n_fds++], CMSG_DATA(head), sizeof(int));
}

/* The next reply, which must come. */
void
answer(struct client *c, unsigned op, struct answer *ret)
{
	static uint8_t body[1 << 21];
	struct qp_frame f;
	struct qp_error e;
	size_t whole;

	for (int i = 0; !whole_frame(c, &f); i++) {
		ck_assert_msg(i < MAX_TURNS, "no answer");
		turn();
		read_some(c);
	}
	whole = QP_FRAME_BYTES + f.head_len + f.body_len;
	memcpy(ret->bytes, c->in + QP_FRAME_BYTES, f.head_len);
	memcpy(body, c->in + QP_FRAME_BYTES + f.head_len, f.body_len);
	ret->body = body;
	ret->body_len = f.body_len;
	memmove(c->in, c->in + whole, c->len - whole);
	c->len -= whole;
	ck_assert_msg(qp_reply_decode(ret->bytes, f.head_len, op, &ret->reply, &e),
		      "%s", e.text);
}

void
expect(struct client *c, unsigned op, uint64_t rid, enum qp_status status)
{
	struct answer a;

	answer(c, op, &a);
	ck_assert_uint_eq(a.reply.rid, rid);
	ck_assert_msg(a.reply.status == status, "%.*s", (int)a.reply.text.len,
		      a.reply.text.p);
}

void
expect_closed(struct client *c)
{
	char byte;

	for (int i = 0; i < MAX_TURNS; i++) {
		ssize_t n;

		turn();
		n = recv(c->fd, &byte, 1, 0);
		ck_assert_int_le(n, 0);
		if (n == 0 || errno != EAGAIN)
			return;
	}
	ck_abort_msg("the connection is still open");
}

const struct qp_str q = {"q", 1};

struct client *
client_new(void)
{
	static uint8_t session[QP_SESSION_BYTES];
	struct client *c = client_raw();

	session[0]++;
	ask(c,
	    &(struct qp_request){.op = QP_OP_HELLO,
				 .rid = 1,
				 .version = 1,
				 .session = {(char *)session, QP_SESSION_BYTES}},
	    "", 0);
	expect(c, QP_OP_HELLO, 1, QP_OK);
	return c;
}

void
put(struct client *c, uint64_t rid, const void *body, size_t len)
{
	ask(c, &(struct qp_request){.op = QP_OP_PUT, .rid = rid, .queue = q}, body,
	    len);
}

void
get(struct client *c, uint64_t rid, uint64_t timeout_ms)
{
	ask(c,
	    &(struct qp_request){
		    .op = QP_OP_GET, .rid = rid, .queue = q, .timeout_ms = timeout_ms},
	    "", 0);
}

void
expect_item(struct client *c, uint64_t rid, const void *body, size_t len)
{
	struct answer a;

	answer(c, QP_OP_GET, &a);
	ck_assert_uint_eq(a.reply.rid, rid);
	ck_assert_uint_eq(a.reply.status, QP_OK);
	ck_assert_uint_eq(a.body_len, len);
	ck_assert(memcmp(a.body, body, len) == 0);
}

/* The value is read, and is as text then. */
static void
value_text(struct qp_reader *in, char *text, size_t size)
{
	struct qp_str value;

	if (qp_read_if_nil(in)) {
		snprintf(text, size, "nil");
	} else if (qp_reader_type(in) == QP_STR) {
		value = qp_read_str(in);
		snprintf(text, size, "%.*s", (int)value.len, value.p);
	} else {
		snprintf(text, size, "%llu", (unsigned long long)qp_read_uint(in));
	}
}

const char *
row_text(const struct answer *a, unsigned row, const char *name)
{
	static char text[300];
	struct qp_reader in;
	uint32_t rows;

	text[0] = 0;
	qp_reader_init(&in, a->body, a->body_len);
	rows = qp_read_array(&in);
	ck_assert_uint_eq(rows, a->reply.count);
	for (uint32_t i = 0; i < rows; i++)
		for (uint32_t pairs = qp_read_map(&in); pairs > 0; pairs--) {
			struct qp_str key = qp_read_str(&in);

			if (i == row && key.len == strlen(name) &&
			    memcmp(key.p, name, key.len) == 0)
				value_text(&in, text, sizeof(text));
			else
				qp_read_skip(&in);
		}
	ck_assert(!in.failed && in.p == in.end);
	return text;
}
