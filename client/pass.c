/* SPDX-License-Identifier: MIT
 * See pass.h. Both ends read a connection in a cheaper way until descriptors are to come: so these are
 * asked for when a body has come that could have been one, and announced when the first one
 * is to be sent. */
#include "client/pass.h"
#include "client/request.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* --- receiving --------------------------------------------------------------------- */

static bool
keep(struct inbox *in, int fd)
{
	if (in->n_passed == PASSED_MAX) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	in->passed[in->n_passed++] = fd;
	return true;
}

/* What came beside the bytes: at most one descriptor has room. */
static bool
keep_control(struct inbox *in, struct msghdr *msg)
{
	struct cmsghdr *head = CMSG_FIRSTHDR(msg);
	bool cut = msg->msg_flags & MSG_CTRUNC;
	int fd = -1;

	if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS &&
	    head->cmsg_len >= CMSG_LEN(sizeof(fd)))
		memcpy(&fd, CMSG_DATA(head), sizeof(fd));
	if (!cut || fd < 0) /* cut, and none: this process may have no more */
		return (!cut && fd < 0) || keep(in, fd);
	close(fd);
	return false;
}

ssize_t
pass_receive(qb *q, struct msghdr *msg)
{
	_Alignas(struct cmsghdr) char control[CMSG_LEN(sizeof(int))];
	ssize_t got;

	msg->msg_control = control;
	msg->msg_controllen = sizeof(control);
	got = recvmsg(q->fd, msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (got < 0 || (msg->msg_controllen == 0 && !(msg->msg_flags & MSG_CTRUNC)))
		return got;
	if (keep_control(&q->in, msg))
		return got;
	errno = EPROTO;
	return -1;
}

bool
pass_take(qb *q, int *ret_fd)
{
	struct inbox *in = &q->in;

	if (in->n_passed == 0)
		return false;
	*ret_fd = in->passed[0];
	in->n_passed--;
	memmove(in->passed, in->passed + 1, in->n_passed * sizeof(in->passed[0]));
	return true;
}

static bool
is_proven(qb *q, const struct answer *answer)
{
	int fd;

	if (answer->result != QB_OK || !QP_OPT(&answer->reply->options, memfds) ||
	    !pass_take(q, &fd) || fd < 0)
		return false;
	close(fd);
	return true;
}

static void
finish_ask(qb *q, const struct call *call, struct answer *answer)
{
	bool proven = is_proven(q, answer);
	struct qp_request m = {.op = QP_OP_PING};

	q->proof_rid = 0;
	if (q->memfds != MEMFDS_ASKED) /* the broker offers none any more */
		return;
	QP_GIVE(&m.options, takes_memfds, 1);
	q->memfds =
		proven && request_unheard(q, &m) == QB_OK ? MEMFDS_TAKEN : MEMFDS_NONE;
}

void
pass_ask(qb *q)
{
	struct qp_request m = {.op = QP_OP_PING};
	struct call call = {.finish = finish_ask};

	if (q->memfds != MEMFDS_OFFERED)
		return;
	QP_GIVE(&m.options, memfds, 1);
	if (request_add(q, &m, NULL, &call) != QB_OK)
		return;
	q->proof_rid = call.rid;
	q->memfds = MEMFDS_ASKED;
}

void
pass_done(struct inbox *in)
{
	while (in->n_passed > 0)
		if (in->passed[--in->n_passed] >= 0)
			close(in->passed[in->n_passed]);
}

/* --- sending ----------------------------------------------------------------------- */

void
pass_append(qb *q, struct qp_request *m, const struct qp_file *file)
{
	struct qp_out frame;

	qp_out_init(&frame);
	QP_GIVE(&m->options, memfd, file->len);
	qp_request_encode(&frame, m, 0);
	qp_out_pass(&q->out, &frame, file, NULL, NULL);
}

int
pass_write(qb *q)
{
	const struct qp_segment *s = qp_out_first(&q->out);
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)),
			      .cmsg_level = SOL_SOCKET,
			      .cmsg_type = SCM_RIGHTS}};
	struct iovec part = {(void *)s->bytes, s->len};
	struct msghdr msg = {.msg_iov = &part,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes)};
	ssize_t sent;

	memcpy(CMSG_DATA(&control.head), &s->file->fd, sizeof(int));
	sent = sendmsg(q->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent >= 0) {
		q->moved += (uint64_t)sent;
		qp_out_consume(&q->out, (size_t)sent);
		return 0;
	}
	if (errno != ETOOMANYREFS)
		return errno;
	/* Too many that this user has sent were not received: then the bytes go. */
	qp_out_unpass(&q->out);
	return q->out.failed ? ENOMEM : 0;
}

/* Whether descriptors may be sent now. The first time the broker is asked for a proof, and
 * told. */
static bool
may_send(qb *q)
{
	struct qp_request m = {.op = QP_OP_PING};
	struct wait w = {0};

	pass_ask(q);
	if (q->sends_memfds || q->memfds == MEMFDS_NONE)
		return q->sends_memfds;
	QP_GIVE(&m.options, sends_memfds, 1);
	if (request_call(q, &m, &w) == QB_OK)
		q->sends_memfds = q->memfds == MEMFDS_TAKEN;
	return q->sends_memfds;
}

qb_result
pass_put(qb *q, struct qp_request *m, struct bodies *bodies, struct wait *w,
	 int64_t timeout_ms)
{
	qb_result r = QB_LIMIT;

	if (may_send(q))
		r = request_wait(q, m, bodies, w, timeout_ms);
	if (r != QB_LIMIT)
		return r;
	bodies->file = NULL;
	m->options.present &= ~QP_BIT(memfd);
	return request_wait(q, m, bodies, w, timeout_ms);
}
