/* SPDX-License-Identifier: MIT
 * See pass.h. The kernel ends a read behind the bytes that a descriptor came with, so there are
 * never more of them here than frames that are not handled yet. */
#include "daemon/net/pass.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/net/closer.h"
#include "daemon/net/deliver.h"
#include "daemon/net/peer.h"
#include "daemon/net/remember.h"
#include "daemon/net/server.h"
#include "proto/memfd.h"

#define SCM_MAX_FD 253 /* of the kernel: in one message */

/* A file of more bytes is closed by a thread: the last to close one of 1 GiB waits for 170 ms until
 * its pages are free. */
#define CLOSED_HERE 262144

struct memfd {
	struct qe_foreign foreign; /* the first member */
	struct qp_file file;
	struct server *server;
};

bool
pass_offered(const struct conn *c)
{
	return c->session->peer.local && c->server->limits.max_memfds > 0 &&
	       !closer_is_full(c->server->closer);
}

void
pass_wanted(struct conn *c, const struct qp_request *m)
{
	if (QP_GIVEN(&m->options, takes_memfds))
		c->passed.takes = c->passed.proved && m->options.takes_memfds;
	if (!QP_OPT(&m->options, sends_memfds) || !pass_offered(c))
		return;
	c->passed.sends = true;
	peer_may_pass(c->fd, true);
}

void
pass_prove(struct conn *c, const struct qp_request *m)
{
	struct server *s = c->server;
	struct qp_reply reply = {.rid = m->rid};
	struct qp_out frame;

	if (s->proof.fd < 0)
		s->proof.fd = qp_memfd_new(0);
	if (s->proof.fd < 0) {
		deliver_ok(c, m);
		return;
	}
	QP_GIVE(&reply.options, memfds, 1);
	qp_out_init(&frame);
	qp_reply_encode(&frame, m->op, &reply, 0);
	qp_out_pass(&c->out, &frame, &s->proof, NULL, NULL);
	conn_dirty(c);
	remember_nothing(c, m->rid);
	c->passed.proved = true;
}

static void
close_file(struct server *s, int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && st.st_blocks * INT64_C(512) <= CLOSED_HERE)
		close(fd);
	else
		closer_close(&s->freer, fd);
}

/* Nobody bounds how many files a peer can have discarded, as max_memfds does those of items. */
void
pass_discard(struct server *s, int fd)
{
	if (fd < 0)
		return;
	if (fcntl(fd, F_GET_SEALS) < 0)
		closer_close(&s->closer, fd);
	else if (closer_is_full(s->freer))
		close(fd);
	else
		close_file(s, fd);
}

void
pass_close(struct conn *c)
{
	int unread = 0;

	if (c->passed.sends && ioctl(c->fd, FIONREAD, &unread) == 0 && unread > 0)
		closer_close(&c->server->closer, c->fd);
	else
		close(c->fd);
}

/* --- coming ------------------------------------------------------------------------ */

/* NULL, or why the connection must be refused. */
static const char *
keep(struct conn *c, int fd)
{
	if (c->passed.n == PASS_MAX) {
		pass_discard(c->server, fd);
		return "more descriptors than requests that announce one";
	}
	c->passed.fds[c->passed.n++] = fd;
	return NULL;
}

/* What came beside the bytes. One descriptor may; of more none is left to the kernel, which would
 * close them here and now. */
static const char *
keep_control(struct conn *c, struct msghdr *msg)
{
	struct cmsghdr *head = CMSG_FIRSTHDR(msg);
	int fds[SCM_MAX_FD];
	size_t n = 0;

	if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
		n = (head->cmsg_len - CMSG_LEN(0)) / sizeof(fds[0]);
	if (n > 0)
		memcpy(fds, CMSG_DATA(head), n * sizeof(fds[0]));
	if (n == 1 && !(msg->msg_flags & MSG_CTRUNC))
		return keep(c, fds[0]);
	if (n == 0) /* this process may have no more */
		return msg->msg_flags & MSG_CTRUNC ? keep(c, -1) : NULL;
	while (n > 0)
		pass_discard(c->server, fds[--n]);
	return "several descriptors in one message";
}

ssize_t
pass_receive(struct conn *c, struct iovec *parts, int n)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(SCM_MAX_FD * sizeof(int))];
	struct msghdr msg = {.msg_iov = parts,
			     .msg_iovlen = (size_t)n,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	const char *fault = NULL;
	ssize_t got;

	if (closer_is_full(c->server->closer)) {
		conn_refuse(c, CLOSE_refused, QP_LIMIT,
			    "too many foreign descriptors wait to be closed");
		errno = EAGAIN;
		return -1;
	}
	got = recvmsg(c->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (got >= 0 && (msg.msg_controllen > 0 || msg.msg_flags & MSG_CTRUNC))
		fault = keep_control(c, &msg);
	if (!fault)
		return got;
	conn_refuse(c, CLOSE_malformed, QP_MALFORMED, fault);
	errno = EAGAIN;
	return -1;
}

bool
pass_take(struct conn *c, const struct qp_request *m, int *ret_fd)
{
	char text[96];

	if (c->passed.n > 0) {
		*ret_fd = c->passed.fds[0];
		c->passed.n--;
		memmove(c->passed.fds, c->passed.fds + 1,
			c->passed.n * sizeof(c->passed.fds[0]));
		return true;
	}
	snprintf(text, sizeof(text), "%s announces a descriptor, and none has come",
		 qp_op_name(m->op));
	conn_refuse(c, CLOSE_malformed, QP_MALFORMED, text);
	return false;
}

void
pass_settle(struct conn *c)
{
	if (c->passed.n > 0)
		conn_refuse(c, CLOSE_malformed, QP_MALFORMED,
			    "a descriptor that no request announces");
}

void
pass_done(struct conn *c)
{
	while (c->passed.n > 0)
		pass_discard(c->server, c->passed.fds[--c->passed.n]);
}

/* --- items ------------------------------------------------------------------------- */

static void
release(struct qe_foreign *foreign)
{
	struct memfd *f = (struct memfd *)foreign;

	f->server->n_memfds--;
	if (f->file.bytes)
		munmap((void *)f->file.bytes, f->file.len);
	close_file(f->server, f->file.fd);
	free(f);
}

const struct qp_file *
pass_file(const struct qe_item *item)
{
	const struct memfd *f = (const struct memfd *)qe_item_foreign(item);

	return f ? &f->file : NULL;
}

const void *
pass_bytes(struct qe_foreign *foreign)
{
	struct memfd *f = (struct memfd *)foreign;
	void *bytes = (void *)f->file.bytes;

	if (!bytes)
		bytes = mmap(NULL, f->file.len, PROT_READ, MAP_SHARED, f->file.fd, 0);
	if (bytes == MAP_FAILED)
		return NULL;
	f->file.bytes = bytes;
	return bytes;
}

/* Whether the broker takes it. false: the request was refused. */
static bool
admit(struct conn *c, const struct qp_request *m, int fd)
{
	const struct server *s = c->server;
	uint64_t len = m->options.memfd;
	const char *fault;

	if (fd < 0) {
		deliver_refusal(c, m->rid, QP_LIMIT,
				"the broker can have no more descriptors now");
		return false;
	}
	if (len > s->limits.max_item) {
		deliver_refusal(c, m->rid, QP_TOO_BIG,
				"%s: a body of %" PRIu64 " bytes, at most %" PRIu64
				" are allowed",
				qp_op_name(m->op), len, s->limits.max_item);
		return false;
	}
	fault = qp_memfd_fault(fd, len);
	if (fault) {
		deliver_refusal(c, m->rid, QP_INVALID, "%s: the descriptor %s",
				qp_op_name(m->op), fault);
		return false;
	}
	if (s->n_memfds + closer_waiting(s->freer) < s->limits.max_memfds)
		return true;
	deliver_refusal(c, m->rid, QP_LIMIT, "the broker has max_memfds descriptors");
	return false;
}

struct qe_item *
pass_item(struct conn *c, const struct qp_request *m, int fd)
{
	size_t len = m->options.memfd;
	struct qe_item *item;
	enum qe_result result = QE_NOMEM;
	struct memfd *f;

	if (!admit(c, m, fd)) {
		pass_discard(c->server, fd);
		return NULL;
	}
	f = malloc(sizeof(*f));
	if (f) {
		*f = (struct memfd){{release}, {fd, len, NULL}, c->server};
		result =
			qe_item_new_foreign(c->server->engine, len, &f->foreign, &item);
	}
	if (result == QE_OK) {
		c->server->n_memfds++;
		return item;
	}
	free(f);
	pass_discard(c->server, fd);
	deliver_result(c, m->rid, result);
	return NULL;
}

/* --- going ------------------------------------------------------------------------- */

static ssize_t
send_with(int socket, const struct qp_segment *s)
{
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

	memcpy(CMSG_DATA(&control.head), &s->file->fd, sizeof(int));
	return sendmsg(socket, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* No end of the file can come: it is sealed. SIGPIPE is ignored by the process. */
static ssize_t
send_file(int socket, const struct qp_segment *s, size_t max)
{
	off_t at = (off_t)qp_file_offset(s);
	ssize_t n = sendfile(socket, s->file->fd, &at, s->len < max ? s->len : max);

	if (n == 0) {
		errno = EIO;
		return -1;
	}
	return n;
}

ssize_t
pass_send(struct conn *c, size_t max)
{
	const struct qp_segment *s = qp_out_first(&c->out);
	ssize_t n;

	if (s->kind == QP_FILE)
		return send_file(c->fd, s, max);
	n = send_with(c->fd, s);
	if (n >= 0 || errno != ETOOMANYREFS)
		return n;
	/* Too many that this user has sent were not received: then the bytes go. */
	qp_out_unpass(&c->out);
	errno = c->out.failed ? ENOMEM : EINTR;
	return -1;
}
