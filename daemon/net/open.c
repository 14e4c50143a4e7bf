/* SPDX-License-Identifier: MIT
 *
 * Opens the sockets to listen on, or takes them over from systemd.
 */
#include <config.h>

#include "daemon/net/open.h"
#include "daemon/net/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#define BACKLOG	    4096 /* the kernel cuts it to net.core.somaxconn */
#define MAX_SOCKETS 256

void
open_socket_close(struct open_socket *socket)
{
	if (socket->has_file)
		unix_file_remove(&socket->file);
	close(socket->fd);
}

void
open_sockets_close(struct open_sockets *sockets)
{
	for (size_t i = 0; i < sockets->n; i++)
		open_socket_close(&sockets->v[i]);
	free(sockets->v);
	*sockets = (struct open_sockets){NULL, 0};
}

void
open_socket_name(const struct open_socket *socket, char name[ADDRESS_LEN])
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	if (getsockname(socket->fd, (struct sockaddr *)&sa, &len) == 0)
		address_format(name, ADDRESS_LEN, (struct sockaddr *)&sa, len);
	else
		snprintf(name, ADDRESS_LEN, "unknown");
}

static int
set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value));
}

/* Accepted sockets inherit these on Linux, at no system call each. A host that is silent, idle or
 * not, is given up after 15 s: together with resume_grace its items are free before 30 s. */
static int
set_tcp_options(int fd)
{
	return set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1) ||
	       set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1) ||
	       set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, 6) ||
	       set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, 3) ||
	       set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, 3) ||
	       set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 15000);
}

/* Takes over `opened`, also when it fails. */
static int
add_socket(struct open_sockets *sockets, struct open_socket *opened, char *err,
	   size_t errlen)
{
	struct open_socket *grown = NULL;

	if (sockets->n < MAX_SOCKETS)
		grown = realloc(sockets->v, (sockets->n + 1) * sizeof(*grown));
	if (!grown) {
		snprintf(err, errlen, "no memory for so many listening sockets");
		open_socket_close(opened);
		return -1;
	}
	sockets->v = grown;
	sockets->v[sockets->n++] = *opened;
	return 0;
}

static int
open_unix(struct open_sockets *sockets, const struct config *config, const char *path,
	  char *err, size_t errlen)
{
	struct open_socket opened = {.has_file = false};

	opened.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (opened.fd < 0) {
		snprintf(err, errlen, "unix:%s: %s", path, strerror(errno));
		return -1;
	}
	if (unix_file_bind(&opened.file, opened.fd, path, config, err, errlen) != 0) {
		close(opened.fd);
		return -1;
	}
	opened.has_file = true;
	peer_may_pass(opened.fd, false);
	if (listen(opened.fd, BACKLOG) != 0) {
		snprintf(err, errlen, "unix:%s: cannot listen: %s", path,
			 strerror(errno));
		open_socket_close(&opened);
		return -1;
	}
	return add_socket(sockets, &opened, err, errlen);
}

/* The socket, or -1 with errno. */
static int
listen_tcp(const struct addrinfo *ai)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1) == 0 && set_tcp_options(fd) == 0 &&
	    (ai->ai_family != AF_INET6 ||
	     set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) == 0) &&
	    bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static int
open_found(struct open_sockets *sockets, const struct addrinfo *ai, bool allow_remote,
	   char *err, size_t errlen)
{
	char name[ADDRESS_LEN];
	struct open_socket opened = {.has_file = false};

	address_format(name, sizeof(name), ai->ai_addr, ai->ai_addrlen);
	if (!allow_remote && !address_is_local(ai->ai_addr)) {
		snprintf(err, errlen, "%s: " CONFIG_REMOTE_REFUSED, name);
		return -1;
	}
	opened.fd = listen_tcp(ai);
	if (opened.fd < 0) {
		int saved = errno;
		snprintf(err, errlen, "%s: cannot listen: %s", name, strerror(saved));
		errno = saved;
		return saved == EAFNOSUPPORT || saved == EADDRNOTAVAIL ? 1 : -1;
	}
	return add_socket(sockets, &opened, err, errlen);
}

/* Some resolvers give the same address twice for one name. */
static bool
came_before(const struct addrinfo *first, const struct addrinfo *ai)
{
	for (; first != ai; first = first->ai_next)
		if (first->ai_addrlen == ai->ai_addrlen &&
		    memcmp(first->ai_addr, ai->ai_addr, ai->ai_addrlen) == 0)
			return true;
	return false;
}

/* Opens every address that the name has. Those of a kind that this host lacks (IPv6,
 * often) are left out when there is another. */
static int
open_tcp(struct open_sockets *sockets, const struct config *config,
	 const struct address *address, char *err, size_t errlen)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	int result = getaddrinfo(address->host, address->port, &hints, &found);
	bool any = false;

	if (result != 0) {
		snprintf(err, errlen, "tcp://%s:%s: %s", address->host, address->port,
			 gai_strerror(result));
		return -1;
	}
	for (struct addrinfo *ai = found; ai && result >= 0; ai = ai->ai_next) {
		if (came_before(found, ai))
			continue;
		result = open_found(sockets, ai, config->allow_remote, err, errlen);
		any |= result == 0;
	}
	freeaddrinfo(found);
	return result >= 0 && any ? 0 : -1;
}

static int
open_address(struct open_sockets *sockets, const struct config *config,
	     const struct address *address, char *err, size_t errlen)
{
	if (address->is_unix)
		return open_unix(sockets, config, address->path, err, errlen);
	return open_tcp(sockets, config, address, err, errlen);
}

/* Which kinds of address systemd has passed sockets for. */
struct passed {
	bool is_unix, tcp;
};

#ifdef HAVE_SYSTEMD
static int
take_passed(struct open_sockets *sockets, const struct config *config, int fd,
	    struct passed *passed, char *err, size_t errlen)
{
	struct open_socket opened = {.fd = fd};
	struct sockaddr_storage sa = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof(sa);
	char name[ADDRESS_LEN];
	int flags = fcntl(fd, F_GETFL);

	open_socket_name(&opened, name);
	bool listening = sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) > 0 &&
			 getsockname(fd, (struct sockaddr *)&sa, &len) == 0 &&
			 (sa.ss_family == AF_UNIX || sa.ss_family == AF_INET ||
			  sa.ss_family == AF_INET6);
	if (!listening || flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
		snprintf(err, errlen,
			 "file descriptor %d, passed by the service manager, is not a "
			 "listening stream socket",
			 fd);
		return -1;
	}
	if (!config->allow_remote && !address_is_local((struct sockaddr *)&sa)) {
		snprintf(err, errlen, "%s, passed by the service manager: %s", name,
			 CONFIG_REMOTE_REFUSED);
		return -1;
	}
	if (sa.ss_family == AF_UNIX)
		passed->is_unix = true;
	else
		passed->tcp = true;
	if (sa.ss_family == AF_UNIX)
		peer_may_pass(fd, false);
	if (sa.ss_family != AF_UNIX && set_tcp_options(fd) != 0) {
		snprintf(err, errlen, "%s: %s", name, strerror(errno));
		return -1;
	}
	return add_socket(sockets, &opened, err, errlen);
}
#endif

static int
open_passed(struct open_sockets *sockets, const struct config *config,
	    struct passed *passed, char *err, size_t errlen)
{
#ifdef HAVE_SYSTEMD
	int n = sd_listen_fds(1);

	for (int i = 0; i < n; i++)
		if (take_passed(sockets, config, SD_LISTEN_FDS_START + i, passed, err,
				errlen) != 0)
			return -1;
#endif
	return 0;
}

int
open_sockets(struct open_sockets *ret, const struct config *config, char *err,
	     size_t errlen)
{
	struct open_sockets sockets = {NULL, 0};
	struct passed passed = {false, false};
	int result = open_passed(&sockets, config, &passed, err, errlen);

	for (size_t i = 0; i < config->listen.n && result == 0; i++) {
		struct address address;
		if (!address_parse(&address, config->listen.v[i])) {
			snprintf(err, errlen, "%s: not an address",
				 config->listen.v[i]);
			result = -1;
		} else if (!(address.is_unix ? passed.is_unix : passed.tcp)) {
			result = open_address(&sockets, config, &address, err, errlen);
		}
	}
	if (result != 0) {
		open_sockets_close(&sockets);
		return -1;
	}
	*ret = sockets;
	return 0;
}
