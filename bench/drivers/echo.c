/* SPDX-License-Identifier: MIT
 * A floor: an epoll server that sends back what it reads. A put, and a get, is a body sent
 * and received again. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/server.h"

#define BUFFER 131072
#define SMALL  131072 /* sockets hold so much */

struct echo {
	int fd;
	const struct load *load;
	char *in, *out;
};

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

static bool
start(struct server *server)
{
	return server_fork(server, serve);
}

static void *
connect_client(const struct server *server, const struct load *load)
{
	struct echo *c = zalloc(sizeof(*c));
	size_t burst = load->size * load->outstanding * load->batch;

	c->fd = server_connect(server);
	c->load = load;
	c->in = zalloc(burst);
	c->out = zalloc(burst);
	return c;
}

/* More than sockets hold: sends and receives as it can, else both ends would wait. */
static void
exchange(struct echo *c, size_t len)
{
	size_t sent = 0, got = 0;

	while (got < len) {
		struct pollfd p = {c->fd, POLLIN, 0};
		ssize_t n;

		if (sent < len)
			p.events |= POLLOUT;
		poll(&p, 1, -1);
		if (p.revents & POLLOUT) {
			n = send(c->fd, c->out + sent, len - sent,
				 MSG_DONTWAIT | MSG_NOSIGNAL);
			sent += n > 0 ? (size_t)n : 0;
		}
		if (p.revents & (POLLIN | POLLHUP | POLLERR)) {
			n = recv(c->fd, c->in + got, len - got, MSG_DONTWAIT);
			if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
				die("echo: the server went away");
			got += n > 0 ? (size_t)n : 0;
		}
	}
}

static void
back_and_forth(void *client, unsigned n)
{
	struct echo *c = client;
	unsigned most = c->load->outstanding * c->load->batch;

	while (n > 0) {
		unsigned now = n < most ? n : most;

		if (now * c->load->size > SMALL) {
			exchange(c, now * c->load->size);
		} else {
			send_all(c->fd, c->out, now * c->load->size);
			receive_all(c->fd, c->in, now * c->load->size);
		}
		n -= now;
	}
}

static void
settle(void *client)
{
}

static void
close_client(void *client)
{
	struct echo *c = client;

	close(c->fd);
	free(c->in);
	free(c->out);
	free(c);
}

const struct driver driver_echo = {
	.name = "echo",
	.start = start,
	.connect = connect_client,
	.put = back_and_forth,
	.get = back_and_forth,
	.settle = settle,
	.close = close_client,
};
