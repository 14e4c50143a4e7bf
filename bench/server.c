/* SPDX-License-Identifier: MIT
 * See server.h. */
#include "bench/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_NS INT64_C(20000000000) /* a server must listen by then */

union address {
	struct sockaddr any;
	struct sockaddr_un local;
	struct sockaddr_in tcp;
};

bool
program_find(const char *name, char *ret_path, size_t len)
{
	static const char *const folders[] = {"/usr/bin", "/usr/sbin", "/usr/local/bin",
					      "/usr/local/sbin"};

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(ret_path, len, "%s/%s", folders[i], name);
		if (access(ret_path, X_OK) == 0)
			return true;
	}
	return false;
}

void
server_path(const struct server *server, char *ret_path, size_t len)
{
	snprintf(ret_path, len, "%s/socket", server->folder);
}

static socklen_t
address_of(const struct server *server, union address *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (server->port > 0) {
		ret->tcp.sin_family = AF_INET;
		ret->tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		ret->tcp.sin_port = htons((uint16_t)server->port);
		return sizeof(ret->tcp);
	}
	ret->local.sun_family = AF_UNIX;
	server_path(server, ret->local.sun_path, sizeof(ret->local.sun_path));
	return sizeof(ret->local);
}

static int
new_socket(const struct server *server)
{
	int on = 1;
	int fd = socket(server->port > 0 ? AF_INET : AF_UNIX,
			SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket: %s", strerror(errno));
	if (server->port > 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

/* -1: nobody listens. */
static int
try_connect(const struct server *server)
{
	union address a;
	socklen_t len = address_of(server, &a);
	int fd = new_socket(server);

	if (connect(fd, &a.any, len) == 0)
		return fd;
	close(fd);
	return -1;
}

int
server_connect(const struct server *server)
{
	int fd = try_connect(server);

	if (fd < 0)
		die("%s: no connection: %s", server->driver->name, strerror(errno));
	return fd;
}

int
free_port(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		die("no free port: %s", strerror(errno));
	close(fd);
	return ntohs(a.sin_port);
}

static void
exec_server(const struct server *server, const char *program, char *const arguments[])
{
	char log[160];
	int fd;

	snprintf(log, sizeof(log), "%s/log", server->folder);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || chdir(server->folder) < 0)
		_exit(126);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	execv(program, arguments);
	dprintf(fd, "%s: %s\n", program, strerror(errno));
	_exit(127);
}

/* What the server said last. */
static void
show_log(const struct server *server)
{
	char path[160], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/log", server->folder);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		fprintf(stderr, "%s: %s", server->driver->name, line);
	if (f)
		fclose(f);
}

static bool
wait_until_it_listens(struct server *server)
{
	const struct timespec pause = {0, 2000000};
	int64_t end = now_ns() + START_NS;
	int fd;

	while ((fd = try_connect(server)) < 0) {
		if (now_ns() > end || waitpid(server->pid, NULL, WNOHANG) != 0) {
			show_log(server);
			return false;
		}
		nanosleep(&pause, NULL);
	}
	close(fd);
	return true;
}

bool
server_run(struct server *server, const char *program, char *const arguments[])
{
	server->pid = fork_bound();
	if (server->pid == 0)
		exec_server(server, program, arguments);
	return wait_until_it_listens(server);
}

bool
server_fork(struct server *server, void (*serve)(int listener))
{
	union address a;
	socklen_t len = address_of(server, &a);
	int fd = new_socket(server), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, &a.any, len) < 0 || listen(fd, 512) < 0)
		return false;
	server->pid = fork_bound();
	if (server->pid == 0) {
		serve(fd);
		_exit(EXIT_FAILURE);
	}
	close(fd);
	return true;
}

void
send_all(int fd, const void *p, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			die("send: %s", strerror(errno));
		if (n > 0) {
			p = (const char *)p + n;
			len -= (size_t)n;
		}
	}
}

void
receive_all(int fd, void *p, size_t len)
{
	while (len > 0) {
		ssize_t n = recv(fd, p, len, 0);

		if (n == 0 || (n < 0 && errno != EINTR))
			die("recv: %s",
			    n == 0 ? "the server went away" : strerror(errno));
		if (n > 0) {
			p = (char *)p + n;
			len -= (size_t)n;
		}
	}
}
