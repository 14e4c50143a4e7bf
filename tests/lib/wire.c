/* SPDX-License-Identifier: MIT
 * A client for tests that can also misbehave. */
#include <config.h>

#include "tests/lib/wire.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/lib/run.h"

struct qp_str
str(const char *s)
{
	return (struct qp_str){s, (uint32_t)strlen(s)};
}

/* --- connections ----------------------------------------------------------------- */

static int
connect_unix(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_uint_lt(strlen(path), sizeof(addr.sun_path));
	memcpy(addr.sun_path, path, strlen(path));
	ck_assert_int_ge(fd, 0);
	ck_assert_msg(connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0,
		      "%s: %s", path, strerror(errno));
	return fd;
}

static int
connect_tcp(const char *host_port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_NUMERICHOST},
			*found;
	char host[64];
	const char *colon = strrchr(host_port, ':');
	int len = (int)(colon - host_port), fd;

	if (host_port[0] == '[')
		snprintf(host, sizeof(host), "%.*s", len - 2, host_port + 1);
	else
		snprintf(host, sizeof(host), "%.*s", len, host_port);
	ck_assert_int_eq(getaddrinfo(host, colon + 1, &hints, &found), 0);
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_msg(connect(fd, found->ai_addr, found->ai_addrlen) == 0, "%s: %s",
		      host_port, strerror(errno));
	freeaddrinfo(found);
	return fd;
}

void
wire_connect(struct wire *w, const char *address)
{
	int ms = patience_ms();
	struct timeval bound = {.tv_sec = ms / 1000};

	*w = (struct wire){.fd = -1};
	if (strncmp(address, "unix:", 5) == 0)
		w->fd = connect_unix(address + 5);
	else if (strncmp(address, "tcp://", 6) == 0)
		w->fd = connect_tcp(address + 6);
	ck_assert_msg(w->fd >= 0, "%s", address);
	setsockopt(w->fd, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof(bound));
	setsockopt(w->fd, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof(bound));
}

void
wire_hello(struct wire *w)
{
	char session[QP_SESSION_BYTES];
	struct qp_request m = {.op = QP_OP_HELLO, .version = QP_PROTOCOL_VERSION};
	struct answer a;

	ck_assert_int_eq(getrandom(session, sizeof(session), 0), sizeof(session));
	m.session = (struct qp_str){session, sizeof(session)};
	ck_assert_int_eq(wire_ask(w, m, NULL, 0, &a), QP_OK);
	w->epoch = a.reply.epoch;
	w->max_item = a.reply.options.max_item;
	answer_free(&a);
}

void
wire_open(struct wire *w, const char *address)
{
	wire_connect(w, address);
	wire_hello(w);
}

void
wire_close(struct wire *w)
{
	close(w->fd);
	w->fd = -1;
}

/* --- out ------------------------------------------------------------------------- */

void
wire_write(struct wire *w, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	while (len > 0) {
		ssize_t n = send(w->fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR) /* it was stopped meanwhile */
			continue;
		ck_assert_msg(n > 0, "the broker does not read: %s", strerror(errno));
		p += n;
		len -= (size_t)n;
	}
}

size_t
wire_try_write(struct wire *w, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	size_t sent = 0;

	while (sent < len) {
		ssize_t n =
			send(w->fd, p + sent, len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EPIPE || errno == ECONNRESET))
			break;
		ck_assert_msg(n > 0, "%s", strerror(errno));
		sent += (size_t)n;
	}
	return sent;
}

size_t
wire_write_until_stopped(struct wire *w, const struct bytes *b,
			 void (*served)(struct wire *other), struct wire *other)
{
	size_t sent = 0;

	for (int idle = 0; idle < 20 && sent < b->len; idle++) {
		size_t n = wire_try_write(w, b->p + sent, b->len - sent);

		sent += n;
		if (n > 0)
			idle = 0;
		served(other);
	}
	return sent;
}

void
bytes_add(struct bytes *b, const void *p, size_t len)
{
	if (b->room - b->len < len) {
		b->room = b->room * 2 + len;
		b->p = realloc(b->p, b->room);
		ck_assert_ptr_nonnull(b->p);
	}
	if (len > 0)
		memcpy(b->p + b->len, p, len);
	b->len += len;
}

void
bytes_frame(struct bytes *b, const void *head, size_t len, uint32_t body_len)
{
	uint8_t lengths[QP_FRAME_BYTES];

	qp_frame_write(lengths, (struct qp_frame){(uint32_t)len, body_len});
	bytes_add(b, lengths, sizeof(lengths));
	bytes_add(b, head, len);
}

void
bytes_request(struct bytes *b, struct qp_request m, const void *body, size_t len)
{
	struct iovec parts[16];
	struct qp_out out;
	int n;

	qp_out_init(&out);
	qp_request_encode(&out, &m, (uint32_t)len);
	ck_assert(!out.failed);
	n = qp_out_peek(&out, parts, 16, SIZE_MAX);
	for (int i = 0; i < n; i++)
		bytes_add(b, parts[i].iov_base, parts[i].iov_len);
	qp_out_done(&out);
	bytes_add(b, body, len);
}

void
bytes_free(struct bytes *b)
{
	free(b->p);
	*b = (struct bytes){NULL, 0, 0};
}

uint64_t
wire_send(struct wire *w, struct qp_request m, const void *body, size_t len)
{
	struct bytes b = {NULL, 0, 0};

	if (m.rid == 0)
		m.rid = ++w->rid;
	bytes_request(&b, m, NULL, 0);
	qp_frame_write(b.p, (struct qp_frame){(uint32_t)b.len - QP_FRAME_BYTES,
					      (uint32_t)len});
	if (len <= 65536) {
		bytes_add(&b, body, len);
		len = 0;
	}
	wire_write(w, b.p, b.len);
	wire_write(w, body, len);
	bytes_free(&b);
	return m.rid;
}

/* --- in -------------------------------------------------------------------------- */

/* false: the end came before the first byte. */
static bool
read_all(struct wire *w, void *to, size_t len)
{
	uint8_t *p = to;
	size_t got = 0;

	while (got < len) {
		ssize_t n = recv(w->fd, p + got, len - got, MSG_WAITALL);

		if (n == 0 || (n < 0 && errno == ECONNRESET)) {
			ck_assert_msg(got == 0, "closed within a frame");
			return false;
		}
		if (n < 0 && errno == EINTR)
			continue;
		ck_assert_msg(n > 0, "the broker is silent: %s", strerror(errno));
		got += (size_t)n;
	}
	return true;
}

static uint8_t *
read_part(struct wire *w, uint32_t len)
{
	uint8_t *p = malloc(len + 1u);

	ck_assert_ptr_nonnull(p);
	ck_assert_msg(len == 0 || read_all(w, p, len), "closed within a frame");
	p[len] = 0;
	return p;
}

/* The rid of a success, whatever the operation was; false when it is none. */
static bool
read_success(struct answer *a)
{
	struct qp_reader r;

	qp_reader_init(&r, a->head, a->head_len);
	qp_read_array(&r);
	a->reply = (struct qp_reply){.status = (enum qp_status)qp_read_uint(&r)};
	a->reply.rid = qp_read_uint(&r);
	return !r.failed && a->reply.status == QP_OK;
}

bool
wire_read_any(struct wire *w, unsigned op, struct answer *ret)
{
	uint8_t lengths[QP_FRAME_BYTES];
	struct qp_error e;
	struct qp_frame f;

	*ret = (struct answer){.head = NULL};
	if (!read_all(w, lengths, sizeof(lengths)))
		return false;
	f = qp_frame_read(lengths);
	ck_assert_uint_le(f.head_len, QP_MAX_HEAD);
	ret->head_len = f.head_len;
	ret->body_len = f.body_len;
	ret->head = read_part(w, f.head_len);
	ret->body = read_part(w, f.body_len);
	if (op == 0 && read_success(ret))
		return true;
	ck_assert_msg(qp_reply_decode(ret->head, ret->head_len, op, &ret->reply, &e),
		      "%s", e.text);
	return true;
}

void
answer_free(struct answer *a)
{
	free(a->head);
	free(a->body);
}

void
wire_read(struct wire *w, unsigned op, enum qp_status status, struct answer *ret)
{
	ck_assert_msg(wire_read_any(w, op, ret), "the broker has closed");
	ck_assert_msg(ret->reply.status == status, "status %s, not %s: %.*s",
		      qp_status_name(ret->reply.status), qp_status_name(status),
		      (int)ret->reply.text.len, ret->reply.text.p);
}

void
wire_expect_closed(struct wire *w)
{
	struct answer a;

	ck_assert_msg(!wire_read_any(w, QP_OP_PING, &a), "a frame instead of the end");
}

void
wire_expect(struct wire *w, unsigned op, uint64_t rid, enum qp_status status)
{
	struct answer a;

	wire_read(w, op, status, &a);
	ck_assert_uint_eq(a.reply.rid, rid);
	answer_free(&a);
}

void
wire_expect_silence(struct wire *w)
{
	uint64_t rid = wire_send(w, (struct qp_request){.op = QP_OP_PING}, NULL, 0);

	wire_expect(w, QP_OP_PING, rid, QP_OK);
}
