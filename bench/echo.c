/* SPDX-License-Identifier: MIT
 * The kernel's floor: an epoll server that sends back what it reads, and its client. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench/bench.h"

#define BUFFER 131072

static void
send_all(int fd, const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			die("echo: send: %s", strerror(errno));
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
}

static void
serve(int listener)
{
	static char buffer[BUFFER];
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event e = {.events = EPOLLIN, .data.fd = listener};

	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e);
	for (;;) {
		ssize_t n;

		if (epoll_wait(epoll, &e, 1, -1) != 1)
			continue;
		if (e.data.fd == listener) {
			e.data.fd = accept(listener, NULL, NULL);
			epoll_ctl(epoll, EPOLL_CTL_ADD, e.data.fd, &e);
			continue;
		}
		n = recv(e.data.fd, buffer, sizeof(buffer), 0);
		if (n <= 0)
			close(e.data.fd);
		else
			send_all(e.data.fd, buffer, (size_t)n);
	}
}

static struct sockaddr_un
address_of(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	return a;
}

pid_t
echo_start(const char *folder, char *ret_path, size_t len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un a;
	pid_t pid;

	snprintf(ret_path, len, "%s/echo.sock", folder);
	a = address_of(ret_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    listen(fd, 16) < 0)
		die("echo: %s: %s", ret_path, strerror(errno));
	pid = fork();
	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(fd);
	}
	close(fd);
	return pid;
}

double
work_echo(const struct job *job)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un a = address_of(job->address);
	size_t burst = job->size * job->outstanding, want;
	char *out = calloc(1, burst), *in = malloc(BUFFER);
	double start;

	if (fd < 0 || !out || !in || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		die("echo: %s: %s", job->address, strerror(errno));
	start = seconds();
	for (unsigned done = 0; done < job->count; done += job->outstanding) {
		send_all(fd, out, burst);
		for (want = burst; want > 0;) {
			ssize_t n = recv(fd, in, want < BUFFER ? want : BUFFER, 0);

			if (n <= 0)
				die("echo: the server went away");
			want -= (size_t)n;
		}
	}
	start = seconds() - start;
	close(fd);
	free(out);
	free(in);
	return job->count / start;
}
