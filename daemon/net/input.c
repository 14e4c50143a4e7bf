/* SPDX-License-Identifier: MIT
 * Frames out of a stream. All connections read into one shared buffer; a connection
 * keeps bytes of its own only for a frame that is not there whole. A large body is read
 * straight into the item that it becomes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "daemon/net/conn.h"
#include "daemon/net/pass.h"
#include "daemon/net/server.h"

#define BODY_SHARE 262144 /* bytes of one body in one loop turn */

/* Before HELLO no more is read than may have to be kept. */
#define HELLO_SHARE (QP_FRAME_BYTES + QP_MAX_HEAD_HELLO)

void
input_free(struct conn *c)
{
	free(c->in.bytes);
	if (c->in.body)
		qe_item_unref(c->server->engine, c->in.body);
	c->in = (struct conn_input){0};
	pass_done(c);
}

bool
input_is_large(const struct conn *c)
{
	return c->in.body || c->in.discard;
}

/* Whether the connection may have another frame handled. */
static bool
goes_on(const struct conn *c)
{
	return c->state < CONN_DRAINING && !c->paused && !c->resting;
}

static void
keep(struct conn *c, const uint8_t *p, size_t len)
{
	if (len == 0 || c->state >= CONN_DRAINING)
		return;
	c->in.bytes = malloc(len);
	if (!c->in.bytes) {
		conn_close(c, CLOSE_no_memory);
		return;
	}
	memcpy(c->in.bytes, p, len);
	c->in.len = len;
	if (c->state != CONN_HELLO)
		c->progress_ns = c->server->now_ns;
	server_watch(c->server);
}

/* The head is there, the large body is not: from now on it is read in place, or thrown
 * away. */
static void
begin_body(struct conn *c, struct qp_frame f, const uint8_t *head, size_t have)
{
	const uint8_t *body = head + f.head_len;
	struct qe_item *item = dispatch_expect(c, head, f);

	if (c->state >= CONN_DRAINING) {
		if (item)
			qe_item_unref(c->server->engine, item);
		return;
	}
	c->progress_ns = c->server->now_ns;
	server_watch(c->server);
	if (!item) {
		c->in.discard = f.body_len - have;
		return;
	}
	c->in.body = item;
	c->in.body_got = have;
	memcpy(qe_item_body(item), body, have);
	keep(c, head, f.head_len);
}

static bool
lengths_are_broken(struct conn *c, struct qp_frame f)
{
	uint32_t max = c->state == CONN_HELLO ? QP_MAX_HEAD_HELLO : QP_MAX_HEAD;
	char text[96];

	if (f.head_len == 0 || f.head_len > max)
		snprintf(text, sizeof(text), "a head of %u bytes: 1 to %u are allowed",
			 f.head_len, max);
	else if (c->state == CONN_HELLO && f.body_len > 0)
		snprintf(text, sizeof(text), "a body of %u bytes before HELLO",
			 f.body_len);
	else
		return false;
	conn_refuse(c, CLOSE_malformed, QP_MALFORMED, text);
	return true;
}

static void
pause_if_full(struct conn *c)
{
	if (conn_unsent(c) > conn_output_high(c))
		conn_flush(c);
}

/* Handles the whole frames in these bytes, and keeps what is left. */
static void
handle(struct conn *c, const uint8_t *p, size_t len)
{
	uint64_t answered = 0;
	size_t whole = 0;

	while (len >= QP_FRAME_BYTES && goes_on(c)) {
		struct qp_frame f = qp_frame_read(p);
		const uint8_t *head = p + QP_FRAME_BYTES;
		uint64_t head_end = QP_FRAME_BYTES + (uint64_t)f.head_len;
		uint64_t unsent = conn_unsent(c);
		bool there;

		if (lengths_are_broken(c, f))
			return;
		there = len >= head_end + f.body_len;
		if (!there && (head_end + f.body_len <= GATHER_MAX || len < head_end))
			break;
		if (c->server->held && dispatch_waits(c, head, f.head_len))
			break;
		if (!there) {
			begin_body(c, f, head, len - head_end);
			return;
		}
		dispatch_frame(c, &(struct frame){.head = head,
						  .head_len = f.head_len,
						  .body_len = f.body_len,
						  .body = head + f.head_len});
		whole = head_end + f.body_len;
		p += whole;
		len -= whole;
		answered += conn_unsent(c) - unsent;
		if (answered > ANSWER_SHARE)
			conn_rest(c);
		pause_if_full(c);
	}
	if (c->again) {
		c->again = false;
		p -= whole;
		len += whole;
	}
	if (len == 0)
		pass_settle(c);
	keep(c, p, len);
}

static void
body_is_whole(struct conn *c)
{
	struct conn_input in = c->in;

	c->in = (struct conn_input){0};
	dispatch_frame(c, &(struct frame){.head = in.bytes,
					  .head_len = (uint32_t)in.len,
					  .body_len = (uint32_t)in.body_got,
					  .item = in.body});
	free(in.bytes);
	pause_if_full(c);
}

/* `n` bytes have been read: the first of them into the body in progress, the others
 * into the buffer. */
static void
took_body(struct conn *c, size_t n, size_t left)
{
	if (n < left) {
		c->in.body_got += n;
		c->progress_ns = c->server->now_ns;
		return;
	}
	c->in.body_got += left;
	body_is_whole(c);
	if (goes_on(c))
		handle(c, c->server->buffer, n - left);
	else
		keep(c, c->server->buffer, n - left);
}

static void
took_bytes(struct conn *c, size_t n)
{
	uint8_t *p = c->server->buffer;
	size_t dropped = c->in.discard < n ? (size_t)c->in.discard : n;

	if (dropped > 0)
		c->progress_ns = c->server->now_ns;
	c->in.discard -= dropped;
	handle(c, p + dropped, n - dropped);
}

/* Reads a share into the body that is on its way, and what comes behind it. */
static ssize_t
read_body(struct conn *c, size_t left)
{
	size_t share = share_next(&c->reads, c->server->asked_ns, c->server->now_ns,
				  BODY_SHARE);
	struct iovec parts[2] = {
		{(uint8_t *)qe_item_body(c->in.body) + c->in.body_got,
		 left < share ? left : share},
		{c->server->buffer, READ_SHARE},
	};
	struct msghdr msg = {.msg_iov = parts, .msg_iovlen = left < share ? 2 : 1};

	if (c->passed.sends)
		return pass_receive(c, parts, (int)msg.msg_iovlen);
	return recvmsg(c->fd, &msg, MSG_DONTWAIT);
}

/* Reads a share behind what is kept. */
static ssize_t
read_frames(struct conn *c, size_t kept)
{
	struct iovec part = {c->server->buffer + kept,
			     c->state == CONN_HELLO ? HELLO_SHARE : READ_SHARE};

	if (c->passed.sends)
		return pass_receive(c, &part, 1);
	return recv(c->fd, part.iov_base, part.iov_len, MSG_DONTWAIT);
}

void
input_read(struct conn *c)
{
	size_t body_left =
		c->in.body ? qe_item_body_len(c->in.body) - c->in.body_got : 0;
	size_t kept = c->in.len;
	ssize_t n = c->in.body ? read_body(c, body_left) : read_frames(c, kept);

	c->server->now_ns = server_now_ns();
	if (n == 0)
		conn_close(c, CLOSE_eof);
	else if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
		conn_close(c, CLOSE_reset);
	if (n <= 0)
		return;
	c->server->reads++;
	if (c->server->came_ns == 0)
		c->server->came_ns = c->server->now_ns;
	if (c->in.body) {
		took_body(c, (size_t)n, body_left);
		return;
	}
	if (!share_had(&c->reads, c->server->asked_ns) &&
	    !share_had(&c->writes, c->server->asked_ns))
		c->server->asked_ns = c->server->now_ns;
	if (c->in.bytes)
		memcpy(c->server->buffer, c->in.bytes, kept);
	free(c->in.bytes);
	c->in.bytes = NULL;
	c->in.len = 0;
	took_bytes(c, (size_t)n + kept);
}

void
input_last(struct conn *c)
{
	for (; c->last_reads > 0 && goes_on(c); c->last_reads--) {
		int left = 0;

		if (ioctl(c->fd, FIONREAD, &left) < 0 || left == 0)
			return;
		input_read(c);
	}
}

void
input_resume(struct conn *c)
{
	struct conn_input in = c->in;

	if (in.body || in.discard || !in.bytes)
		return;
	c->in = (struct conn_input){0};
	handle(c, in.bytes, in.len);
	free(in.bytes);
}
