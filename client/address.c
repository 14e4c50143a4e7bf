/* SPDX-License-Identifier: MIT
 * Addresses, and connecting within a deadline. */
#include "client/address.h"
#include "client/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define DEAD_HOST_MS 15000 /* TCP: give a silent host up after so long */

/* --- parsing --------------------------------------------------------------------- */

static bool
parse_port(const char *text, struct address *ret)
{
	size_t len = strlen(text);

	if (len == 0 || len > 5 || strspn(text, "0123456789") != len ||
	    atoi(text) < 1 || atoi(text) > 65535)
		return false;
	memcpy(ret->port, text, len + 1);
	return true;
}

static bool
parse_tcp(const char *text, struct address *ret)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	bool bracketed = len > 2 && text[0] == '[' && text[len - 1] == ']';

	if (bracketed) {
		text++;
		len -= 2;
	}
	if (len == 0 || len >= sizeof(ret->host) || strcspn(text, "[]/") < len ||
	    (!bracketed && memchr(text, ':', len)))
		return false;
	memcpy(ret->host, text, len);
	ret->host[len] = 0;
	return parse_port(colon + 1, ret);
}

bool
address_parse(const char *text, struct address *ret)
{
	size_t len = strlen(text);

	*ret = (struct address){0};
	if (len >= sizeof(ret->text))
		return false;
	memcpy(ret->text, text, len + 1);
	if (strncmp(text, "tcp://", 6) == 0)
		return parse_tcp(text + 6, ret);
	len -= 5;
	if (strncmp(text, "unix:", 5) != 0 || len == 0 || len >= sizeof(ret->path))
		return false;
	ret->local = true;
	memcpy(ret->path, text + 5, len + 1);
	return true;
}

/* --- connecting ------------------------------------------------------------------ */

/* A Unix socket's connect() waits while the backlog is full, but no poll() reports it:
 * its send timeout bounds the wait. */
static bool
connect_local(int fd, const struct sockaddr *addr, socklen_t len, int64_t deadline)
{
	for (;;) {
		int64_t left = deadline_left(deadline);
		struct timeval tv = {left / 1000, left % 1000 * 1000};

		if (left == 0) {
			errno = ETIMEDOUT;
			return false;
		}
		if (left != NEVER)
			setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
		if (connect(fd, addr, len) == 0)
			return true;
		if (errno != EINTR && errno != EAGAIN)
			return false;
	}
}

static bool
connect_tcp(int fd, const struct sockaddr *addr, socklen_t len, int64_t deadline)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int error = 0, n;
	socklen_t error_len = sizeof(error);

	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (connect(fd, addr, len) != 0) {
		if (errno != EINPROGRESS && errno != EINTR)
			return false;
		do
			n = poll(&p, 1, deadline_poll(deadline));
		while (n < 0 && errno == EINTR);
		if (n == 0)
			errno = ETIMEDOUT;
		if (n <= 0)
			return false;
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_len);
		errno = error;
		if (error)
			return false;
	}
	fcntl(fd, F_SETFL, 0);
	return true;
}

/* Small requests leave at once, and a host that is gone is noticed. */
static void
tune_tcp(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{IPPROTO_TCP, TCP_NODELAY, 1},
		{SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, 6},
		{IPPROTO_TCP, TCP_KEEPINTVL, 3},
		{IPPROTO_TCP, TCP_KEEPCNT, 3},
		{IPPROTO_TCP, TCP_USER_TIMEOUT, DEAD_HOST_MS},
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		setsockopt(fd, options[i].level, options[i].name, &options[i].value,
			   sizeof(options[i].value));
}

static int
connect_one(const struct sockaddr *addr, socklen_t len, int64_t deadline)
{
	int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool local = addr->sa_family == AF_UNIX;
	int error;

	if (fd < 0)
		return -1;
	if (!local)
		tune_tcp(fd);
	if ((local ? connect_local : connect_tcp)(fd, addr, len, deadline))
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static int
connect_unix(const char *path, int64_t deadline)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	memcpy(addr.sun_path, path, strlen(path) + 1);
	return connect_one((struct sockaddr *)&addr, sizeof(addr), deadline);
}

/* Every address of the name gets its share of the time that is left. */
static int
connect_all(const struct addrinfo *list, int64_t deadline)
{
	int64_t n = 0;
	int fd = -1;

	for (const struct addrinfo *a = list; a; a = a->ai_next)
		n++;
	for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next, n--) {
		int64_t left = deadline_left(deadline);
		int64_t share = left == NEVER ? left : left / n;

		fd = connect_one(a->ai_addr, a->ai_addrlen, deadline_after(share));
	}
	return fd;
}

int
address_connect(const struct address *address, int64_t deadline, bool *ret_denied,
		char *err, size_t errlen)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_NUMERICSERV};
	struct addrinfo *list;
	int fd, error;

	*ret_denied = false;
	if (address->local) {
		fd = connect_unix(address->path, deadline);
	} else {
		error = getaddrinfo(address->host, address->port, &hints, &list);
		if (error) {
			snprintf(err, errlen, "%s: %s", address->text,
				 gai_strerror(error));
			return -1;
		}
		fd = connect_all(list, deadline);
		error = errno;
		freeaddrinfo(list);
		errno = error;
	}
	if (fd >= 0)
		return fd;
	*ret_denied = errno == EACCES || errno == EPERM;
	snprintf(err, errlen, "%s: %s", address->text, strerror(errno));
	return -1;
}
