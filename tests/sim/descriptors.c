/* SPDX-License-Identifier: MIT
 *
 * Descriptors that are pretended: sockets in pairs, counters (eventfd), and epoll, as far as the broker, libevent
 * and the clients use them. These stand in the place of libc's: calls of the system would take more than half
 * of the time of a run, and a socket here may be as small as is wanted.
 */
#undef _FORTIFY_SOURCE /* which has definitions of its own */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/sim/sim.h"

#define OUTSIDE __attribute__((visibility("default")))

#define FIRST_FD 64 /* those below are the system's */
#define MAX_FDS	 512

/* What descriptors are of: one may have several. */
struct file {
	unsigned refs;
	bool is_counter;
	uint64_t count;
	struct file *peer; /* of a socket; NULL: it is closed */
	bool was_reset;	   /* the peer had not read all when it was closed */
	uint8_t *bytes;	   /* that have come */
	size_t from, len, room;
	size_t most; /* of them, on their way at a time */
};

static struct {
	struct file *file; /* NULL: it is free */
	bool is_epoll, is_pipe;
	bool is_watched;
	struct epoll_event watched;
} fds[MAX_FDS];

static unsigned n_watched, watched[MAX_FDS]; /* by epoll, of which there is one */
static struct file nothing;		     /* the file of epoll, and of pipes */

static bool
is_ours(int fd)
{
	return fd >= FIRST_FD && fd < FIRST_FD + MAX_FDS && fds[fd - FIRST_FD].file;
}

static struct file *
file_of(int fd)
{
	return fds[fd - FIRST_FD].file;
}

static int
refused(int error)
{
	errno = error;
	return -1;
}

/* The lowest number, as the system does it. */
static int
new_fd(struct file *file)
{
	for (int i = 0; i < MAX_FDS; i++)
		if (!fds[i].file) {
			fds[i].file = file;
			file->refs++;
			return i + FIRST_FD;
		}
	wrong("too many descriptors are open");
}

static struct file *
new_file(void)
{
	return calloc(1, sizeof(struct file));
}

void
descriptors_end(void)
{
	for (int i = 0; i < MAX_FDS; i++)
		if (fds[i].file)
			wrong("descriptor %d was not closed", i + FIRST_FD);
}

/* --- making and closing ------------------------------------------------------------ */

OUTSIDE int
socketpair(int domain, int type, int protocol, int ret[2])
{
	struct file *one = new_file(), *other = new_file();

	one->peer = other;
	other->peer = one;
	one->most = other->most = 200000;
	if (chance(1, 4))
		one->most = other->most = 200 + below(4000);
	ret[0] = new_fd(one);
	ret[1] = new_fd(other);
	return 0;
}

OUTSIDE int
eventfd(unsigned count, int flags)
{
	struct file *file = new_file();

	file->is_counter = true;
	file->count = count;
	return new_fd(file);
}

/* libevent has one for signals, and does not use it. */
OUTSIDE int
pipe2(int ret[2], int flags)
{
	for (int i = 0; i < 2; i++) {
		ret[i] = new_fd(&nothing);
		fds[ret[i] - FIRST_FD].is_pipe = true;
	}
	return 0;
}

OUTSIDE int
dup(int fd)
{
	return is_ours(fd) ? new_fd(file_of(fd)) : (int)syscall(SYS_dup, fd);
}

static void
watch_no_more(int i)
{
	unsigned at = 0;

	while (watched[at] != (unsigned)i)
		at++;
	n_watched--;
	memmove(watched + at, watched + at + 1, (n_watched - at) * sizeof(*watched));
	fds[i].is_watched = false;
}

static void
close_file(struct file *file)
{
	if (file->peer) {
		file->peer->was_reset = file->len > 0;
		file->peer->peer = NULL;
	}
	free(file->bytes);
	free(file);
}

OUTSIDE int
close(int fd)
{
	struct file *file;

	if (!is_ours(fd))
		return (int)syscall(SYS_close, fd);
	file = file_of(fd);
	fd -= FIRST_FD;
	if (fds[fd].is_watched)
		watch_no_more(fd);
	fds[fd].file = NULL;
	fds[fd].is_epoll = fds[fd].is_pipe = false;
	if (--file->refs == 0 && file != &nothing)
		close_file(file);
	return 0;
}

/* --- bytes ------------------------------------------------------------------------- */

static ssize_t
take(struct file *f, void *ret, size_t len)
{
	if (len > f->len)
		len = f->len;
	if (len == 0 && f->was_reset) {
		f->was_reset = false;
		return refused(ECONNRESET);
	}
	if (len == 0)
		return f->peer ? refused(EAGAIN) : 0;
	memcpy(ret, f->bytes + f->from, len);
	f->from += len;
	f->len -= len;
	return (ssize_t)len;
}

static ssize_t
give(struct file *f, const void *bytes, size_t len)
{
	struct file *to = f->peer;

	if (!to)
		return refused(EPIPE);
	if (to->len >= to->most)
		return refused(EAGAIN);
	if (len > to->most - to->len)
		len = to->most - to->len;
	if (to->from + to->len + len > to->room) {
		if (to->len)
			memmove(to->bytes, to->bytes + to->from, to->len);
		to->from = 0;
		if (to->len + len > to->room) {
			to->room = 2 * (to->len + len);
			to->bytes = realloc(to->bytes, to->room);
		}
	}
	memcpy(to->bytes + to->from + to->len, bytes, len);
	to->len += len;
	return (ssize_t)len;
}

OUTSIDE ssize_t
recv(int fd, void *ret, size_t len, int flags)
{
	return take(file_of(fd), ret, len);
}

OUTSIDE ssize_t
send(int fd, const void *bytes, size_t len, int flags)
{
	return give(file_of(fd), bytes, len);
}

/* Each part, as long as they are done to their ends. */
static ssize_t
by_parts(int fd, const struct msghdr *m, ssize_t part(int fd, const struct iovec *v))
{
	ssize_t all = 0;

	for (size_t i = 0; i < m->msg_iovlen; i++) {
		const struct iovec *v = &m->msg_iov[i];
		ssize_t n = v->iov_len ? part(fd, v) : 0;

		if (n < 0)
			return all > 0 ? all : n;
		all += n;
		if ((size_t)n < v->iov_len)
			break;
	}
	return all;
}

static ssize_t
take_part(int fd, const struct iovec *v)
{
	return take(file_of(fd), v->iov_base, v->iov_len);
}

static ssize_t
give_part(int fd, const struct iovec *v)
{
	return give(file_of(fd), v->iov_base, v->iov_len);
}

OUTSIDE ssize_t
recvmsg(int fd, struct msghdr *m, int flags)
{
	m->msg_controllen = 0;
	m->msg_flags = 0;
	return by_parts(fd, m, take_part);
}

OUTSIDE ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{
	if (m->msg_controllen > 0)
		wrong("a descriptor is passed");
	return by_parts(fd, m, give_part);
}

OUTSIDE ssize_t
read(int fd, void *ret, size_t len)
{
	struct file *f;

	if (!is_ours(fd))
		return syscall(SYS_read, fd, ret, len);
	f = file_of(fd);
	if (!f->is_counter)
		return take(f, ret, len);
	if (f->count == 0)
		return refused(EAGAIN);
	memcpy(ret, &f->count, sizeof(f->count));
	f->count = 0;
	return sizeof(f->count);
}

OUTSIDE ssize_t
write(int fd, const void *bytes, size_t len)
{
	struct file *f;
	uint64_t n;

	if (!is_ours(fd))
		return syscall(SYS_write, fd, bytes, len);
	f = file_of(fd);
	if (!f->is_counter)
		return give(f, bytes, len);
	memcpy(&n, bytes, sizeof(n));
	f->count += n;
	return sizeof(n);
}

/* --- epoll ------------------------------------------------------------------------- */

OUTSIDE int
epoll_create1(int flags)
{
	int fd = new_fd(&nothing);

	for (int i = 0; i < MAX_FDS; i++)
		if (fds[i].is_epoll)
			wrong("there are two loops");
	fds[fd - FIRST_FD].is_epoll = true;
	return fd;
}

OUTSIDE int
epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
	int i = fd - FIRST_FD;

	if (!is_ours(fd))
		return refused(EBADF);
	if (fds[i].is_watched != (op != EPOLL_CTL_ADD))
		return refused(op == EPOLL_CTL_ADD ? EEXIST : ENOENT);
	if (op == EPOLL_CTL_DEL) {
		watch_no_more(i);
		return 0;
	}
	fds[i].watched = *event;
	if (op == EPOLL_CTL_ADD) {
		watched[n_watched++] = (unsigned)i;
		fds[i].is_watched = true;
	}
	return 0;
}

static uint32_t
ready(const struct file *f)
{
	if (f->is_counter)
		return EPOLLOUT | (f->count > 0 ? EPOLLIN : 0);
	if (f == &nothing)
		return 0;
	if (!f->peer)
		return EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLRDHUP |
		       (f->was_reset ? EPOLLERR : 0);
	return (f->len > 0 ? EPOLLIN : 0) |
	       (f->peer->len < f->peer->most ? EPOLLOUT : 0);
}

/* In any order: it begins anywhere. */
OUTSIDE int
epoll_wait(int epoll, struct epoll_event *ret, int most, int timeout)
{
	unsigned first = n_watched ? below(n_watched) : 0;
	int n = 0;

	for (unsigned k = 0; k < n_watched && n < most; k++) {
		unsigned i = watched[(first + k) % n_watched];
		uint32_t events = ready(fds[i].file) &
				  (fds[i].watched.events | EPOLLHUP | EPOLLERR);

		if (events == 0)
			continue;
		ret[n] = fds[i].watched;
		ret[n++].events = events;
	}
	return n;
}

/* --- one descriptor -------------------------------------------------------------------- */

/* The bits of poll() are those of epoll. It does not wait. Under another name, for libc says of its own that it reads nothing
 * of what is asked for. */
OUTSIDE int poll_one(struct pollfd *p, nfds_t n, int timeout) __asm__("poll");

OUTSIDE int
poll_one(struct pollfd *p, nfds_t n, int timeout)
{
	uint32_t wanted = (uint32_t)p->events | POLLHUP | POLLERR;

	if (n != 1 || timeout != 0 || !is_ours(p->fd))
		wrong("poll() is not what is pretended");
	p->revents = (short)(ready(file_of(p->fd)) & wanted);
	return p->revents != 0;
}

/* How much can be read. */
OUTSIDE int
ioctl(int fd, unsigned long request, ...)
{
	va_list args;

	if (request != FIONREAD || !is_ours(fd))
		wrong("ioctl() is not what is pretended");
	va_start(args, request);
	*va_arg(args, int *) = (int)file_of(fd)->len;
	va_end(args);
	return 0;
}
