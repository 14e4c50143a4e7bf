/* SPDX-License-Identifier: MIT
 * A floor: an epoll server that sends back what it reads. A put, and a get, is a body sent
 * and received again. */
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/server.h"

#define BUFFER 131072

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

static void
back_and_forth(void *client, unsigned n)
{
	struct echo *c = client;
	unsigned most = c->load->outstanding * c->load->batch;

	while (n > 0) {
		unsigned now = n < most ? n : most;

		send_all(c->fd, c->out, now * c->load->size);
		receive_all(c->fd, c->in, now * c->load->size);
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
