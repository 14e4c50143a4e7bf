/* SPDX-License-Identifier: MIT
 * All reading and writing is done with MSG_DONTWAIT, all waiting in poll(): who waits in recv() of a
 * Unix socket is also woken by the broker's taking what was sent, for nothing. While a write has to
 * wait, replies are read, so that the two ends never wait for each other. */
#include "client/conn.h"
#include "client/client.h"
#include "client/clock.h"
#include "client/notice.h"
#include "client/pass.h"
#include "client/request.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define PARTS	   64 /* of one sendmsg() */
#define BOOT_BYTES 64
#define LAST_READS 64 /* before a connection that cannot be written to is given up */

/* The socket, and all that was on its way. */
void
conn_unlink(qb *q)
{
	if (q->fd >= 0)
		close(q->fd);
	q->fd = -1;
	q->memfds = MEMFDS_NONE;
	q->sends_memfds = false;
	qp_out_done(&q->out);
	inbox_done(&q->in);
}

void
conn_forget(qb *q)
{
	conn_unlink(q);
	q->lost = false;
	q->epoch = 0;
	q->proof_rid = 0;
	q->max_item = 0;
	q->server[0] = 0;
	call_forget(&q->calls);
	gather_forget(&q->gather);
}

qb_result
conn_drop(qb *q, qb_result result)
{
	char why[ERROR_BYTES];

	memcpy(why, q->error, sizeof(why));
	conn_unlink(q);
	q->lost = false;
	inbox_abort(q, result, why);
	conn_forget(q);
	return error_set(q, result, "%s", why);
}

void
conn_cut(qb *q)
{
	if (q->fd >= 0 && !q->greeting)
		call_mark_sent(&q->calls);
	conn_unlink(q);
	if (q->greeting || q->lost)
		return;
	q->lost = true;
	memcpy(q->lost_why, q->error, sizeof(q->lost_why));
}

/* The connection has failed with the handle's sentence. While it is made that is nobody's affair but
 * HELLO's. */
static qb_result
fail(qb *q, qb_result result)
{
	if (!q->greeting && (result != QB_LOST || q->out.failed))
		return conn_drop(q, result);
	conn_cut(q);
	return result;
}

bool
conn_resumable(const qb *q)
{
	return q->lost && !q->greeting && !q->in_callback && !q->closing;
}

/* --- moving bytes ---------------------------------------------------------------- */

static bool
try_later(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

qb_result
conn_read(qb *q, enum conn_got *ret_got)
{
	struct iovec places[2];
	struct msghdr msg = {.msg_iov = places};
	size_t room;
	ssize_t got;
	qb_result r;

	*ret_got = CONN_NOTHING;
	msg.msg_iovlen = (size_t)inbox_space(&q->in, places);
	room = places[0].iov_len + (msg.msg_iovlen > 1 ? places[1].iov_len : 0);
	if (q->memfds >= MEMFDS_ASKED)
		got = pass_receive(q, &msg);
	else
		got = msg.msg_iovlen > 1
			      ? recvmsg(q->fd, &msg, MSG_DONTWAIT)
			      : recv(q->fd, places[0].iov_base, room, MSG_DONTWAIT);
	if (got < 0 && try_later(errno))
		return QB_OK;
	if (got < 0 && errno == EPROTO)
		return fail(q, error_set(q, QB_MALFORMED,
					 "the broker passed more descriptors than it "
					 "may"));
	if (got < 0) {
		error_set(q, QB_LOST, "the connection was lost: %s", strerror(errno));
		return fail(q, QB_LOST);
	}
	if (got == 0) {
		error_set(q, QB_LOST, "the broker closed the connection");
		return fail(q, QB_LOST);
	}
	q->moved += (uint64_t)got;
	if (q->poll.since_ns)
		busy_poll_end(&q->poll, clock_ns(), q->busy_poll_ns, 1);
	r = inbox_received(q, (size_t)got);
	if (r != QB_OK)
		return fail(q, r);
	*ret_got = (size_t)got == room ? CONN_FULL : CONN_SOME;
	return QB_OK;
}

/* The other end takes no more. What it had said before may still be there: replies, or why it
 * closed. */
static qb_result
write_failed(qb *q, int error)
{
	enum conn_got got = CONN_SOME;
	qb_result r;

	for (int i = 0; i < LAST_READS && got != CONN_NOTHING && q->fd >= 0; i++) {
		r = conn_read(q, &got);
		if (r != QB_OK)
			return r;
	}
	error_set(q, QB_LOST, "the connection was lost: %s", strerror(error));
	return q->fd >= 0 ? fail(q, QB_LOST) : QB_LOST;
}

/* Writes until nothing is left (0), the socket is full (EAGAIN) or broken. */
static int
write_some(qb *q)
{
	struct iovec parts[PARTS];
	struct msghdr msg = {.msg_iov = parts};

	while (q->out.len > 0) {
		size_t room = 0;
		ssize_t sent;

		msg.msg_iovlen = (size_t)qp_out_peek(&q->out, parts, PARTS, SIZE_MAX);
		if (msg.msg_iovlen == 0) {
			int error = pass_write(q);

			if (error)
				return error;
			continue;
		}
		for (size_t i = 0; i < msg.msg_iovlen; i++)
			room += parts[i].iov_len;
		sent = msg.msg_iovlen > 1
			       ? sendmsg(q->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL)
			       : send(q->fd, parts[0].iov_base, room,
				      MSG_DONTWAIT | MSG_NOSIGNAL); /* cheaper */
		if (sent < 0)
			return errno;
		q->moved += (uint64_t)sent;
		qp_out_consume(&q->out, (size_t)sent);
		if ((size_t)sent < room)
			return EAGAIN;
	}
	return 0;
}

qb_result
conn_write(qb *q)
{
	int error;

	if (!q->greeting)
		gather_end(q);
	if (q->out.failed) {
		error_set(q, QB_LOST, "the connection was given up: no memory");
		return fail(q, QB_LOST);
	}
	error = write_some(q);
	return error == 0 || try_later(error) ? QB_OK : write_failed(q, error);
}

void
conn_push(qb *q)
{
	if (q->fd < 0)
		return;
	gather_end(q);
	if (!q->out.failed)
		(void)write_some(q);
}

/* --- waiting --------------------------------------------------------------------- */

/* Waits for something to read, or room to write, and reads. */
static qb_result
poll_and_read(qb *q, int64_t deadline)
{
	struct pollfd p = {.fd = q->fd, .events = qb_events(q)};
	enum conn_got got;
	int n = poll(&p, 1, deadline_poll(deadline));

	if (n == 0)
		return QB_AGAIN;
	if (n > 0 && p.revents & ~POLLOUT)
		return conn_read(q, &got);
	return QB_OK;
}

static qb_result
lost(qb *q)
{
	return error_set(q, QB_LOST, "there is no connection any more");
}

/* There is no connection: is there one now? `limit` is the call's own, 0 at first: connections that
 * are lost before the broker has answered anything do not put it off. */
static qb_result
another(qb *q, int64_t deadline, struct without without, int64_t *limit)
{
	bool first = *limit == 0 || q->pause_ms == 0;

	if (!conn_resumable(q))
		return lost(q);
	if (first) {
		*limit = deadline_after(without.ms);
		if (*limit < without.until)
			*limit = without.until;
	} else if (deadline_left(*limit) == 0)
		return error_set(q, QB_LOST, "%s", q->lost_why);
	return conn_resume(q, *limit < deadline ? *limit : deadline);
}

/* What is waited for may be here sooner than one could go to sleep. */
static qb_result
look(qb *q, enum conn_got *ret_got)
{
	qb_result r = QB_OK;
	enum busy_poll_next next;

	*ret_got = CONN_NOTHING;
	busy_poll_start(&q->poll, clock_ns());
	while (r == QB_OK && *ret_got == CONN_NOTHING && q->fd >= 0 &&
	       (next = busy_poll_next(&q->poll, clock_ns(), q->busy_poll_ns))) {
		r = conn_read(q, ret_got);
		if (*ret_got == CONN_NOTHING && next == BUSY_POLL_YIELD)
			sched_yield(); /* the broker may wait for the processor */
	}
	return r;
}

/* One step of conn_run(): writes, and reads or waits. */
static qb_result
move(qb *q, const unsigned *count, unsigned most, int64_t deadline)
{
	enum conn_got soon = CONN_NOTHING;
	qb_result r = conn_write(q);

	if (r != QB_OK || *count <= most || q->fd < 0)
		return r;
	if (q->busy_poll_ns > 0 && q->out.len == 0)
		r = look(q, &soon);
	if (r != QB_OK || soon != CONN_NOTHING || q->fd < 0)
		return r;
	return poll_and_read(q, deadline);
}

qb_result
conn_run(qb *q, const unsigned *count, unsigned most, int64_t deadline,
	 struct without without)
{
	int64_t limit = 0;
	qb_result r;

	while (*count > most) {
		if (q->fd < 0 && (r = another(q, deadline, without, &limit)))
			return r;
		r = move(q, count, most, deadline);
		if (r == QB_LOST && conn_resumable(q) && deadline_left(deadline) > 0)
			continue;
		if (r != QB_OK)
			return r;
	}
	return QB_OK;
}

qb_result
conn_flush(qb *q, int64_t stall_ms, struct without without)
{
	int64_t deadline = NEVER, limit = 0;
	size_t left = SIZE_MAX;
	qb_result r;

	for (;;) {
		if (q->fd < 0 && (r = another(q, NEVER, without, &limit)))
			return r;
		r = conn_write(q);
		if (r == QB_OK && (q->fd < 0 || q->out.len == 0))
			return QB_OK;
		if (q->out.len < left)
			deadline = deadline_after(stall_ms);
		left = q->out.len;
		if (r == QB_OK)
			r = poll_and_read(q, deadline);
		if (r == QB_LOST && conn_resumable(q) && without.ms > 0)
			continue;
		if (r != QB_OK)
			return r;
	}
}

/* --- HELLO ----------------------------------------------------------------------- */

static qb_result
take_hello(qb *q, void *ret, struct answer *answer)
{
	const struct qp_reply *reply = answer->reply;
	const struct qp_options *o = &reply->options;

	if (memcmp(reply->session.p, q->session, sizeof(q->session)) != 0)
		return error_set(q, QB_MALFORMED,
				 "the broker answered for another session");
	q->said_epoch = reply->epoch;
	q->said_begun = QP_OPT(o, begun);
	q->resumed = QP_OPT(o, resumed) && q->said_epoch == q->epoch &&
		     q->said_begun == q->begun;
	q->max_item = QP_GIVEN(o, max_item) && o->max_item < QP_MAX_BODY ? o->max_item
									 : QP_MAX_BODY;
	q->max_batch_bytes =
		QP_GIVEN(o, max_batch_bytes) ? o->max_batch_bytes : QP_MAX_BATCH_BYTES;
	if (q->address.local && QP_OPT(o, memfds))
		q->memfds = q->proof_rid ? MEMFDS_ASKED : MEMFDS_OFFERED;
	q->server[0] = 0;
	if (QP_GIVEN(o, server))
		snprintf(q->server, sizeof(q->server), "%.*s", (int)o->server.len,
			 o->server.p);
	return QB_OK;
}

/* Shows the broker whether `pid` means the same process to it: then it sees its end also over
 * TCP. */
static void
say_host(struct qp_request *m, char boot[BOOT_BYTES])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, boot, BOOT_BYTES);
	struct stat ns;

	if (fd >= 0)
		close(fd);
	if (n > 0 && boot[n - 1] == '\n')
		n--;
	if (n <= 0 || stat("/proc/self/ns/pid", &ns) != 0)
		return;
	QP_GIVE(&m->options, boot, ((struct qp_str){boot, (uint32_t)n}));
	QP_GIVE(&m->options, pidns, (uint64_t)ns.st_ino);
}

static qb_result
say_hello(qb *q, int64_t deadline)
{
	struct wait w = {.take = take_hello};
	struct qp_request m = {
		.op = QP_OP_HELLO,
		.version = QP_PROTOCOL_VERSION,
		.session = {(const char *)q->session, sizeof(q->session)},
	};
	char boot[BOOT_BYTES];

	QP_GIVE(&m.options, client,
		((struct qp_str){q->name, (uint32_t)strlen(q->name)}));
	QP_GIVE(&m.options, pid, (uint64_t)getpid());
	QP_GIVE(&m.options, resume, 1);
	if (q->begun)
		QP_GIVE(&m.options, begun, q->begun);
	if (!q->address.local)
		say_host(&m, boot);
	if (q->on_lease_ending)
		QP_GIVE(&m.options, notices, 1);
	return request_run(q, &m, NULL, &w, deadline_left(deadline));
}

qb_result
conn_link(qb *q, int64_t deadline)
{
	bool denied;
	qb_result r;

	conn_unlink(q); /* what was added without a connection */
	if (!inbox_init(&q->in))
		return error_set(q, QB_NO_MEMORY, "there is no memory to receive to");
	q->fd = address_connect(&q->address, deadline, &denied, q->error,
				sizeof(q->error));
	if (q->fd < 0) {
		inbox_done(&q->in);
		return denied ? QB_DENIED : QB_NO_BROKER;
	}
	q->greeting = true;
	r = say_hello(q, deadline);
	if (r != QB_OK)
		conn_unlink(q);
	q->greeting = false;
	q->heard = 0;
	return r;
}

qb_result
conn_open(qb *q, int64_t timeout_ms)
{
	int64_t limit =
		timeout_ms > q->grace.connect_ms ? timeout_ms : q->grace.connect_ms;
	qb_result r;

	if (getentropy(q->session, sizeof(q->session)) != 0)
		return error_set(q, QB_NO_BROKER, "no random bytes: %s",
				 strerror(errno));
	memcpy(q->mark, q->session, sizeof(q->mark));
	memcpy(&q->random, q->session, sizeof(q->random));
	q->pause_ms = 0;
	q->begun = 0;
	r = conn_link(q, deadline_after(limit));
	if (r != QB_OK) {
		conn_forget(q);
		return r;
	}
	q->epoch = q->said_epoch;
	q->begun = q->said_begun;
	notice_connected(q);
	return QB_OK;
}
