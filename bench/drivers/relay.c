/* SPDX-License-Identifier: MIT
 * A floor for what is put and got at the same time: a process that only moves bytes from
 * the producer to the consumer, as many at once as there are. Nothing is acknowledged. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/server.h"

#define BUFFER	  262144
#define MAX_BURST 1048576

struct relay {
	int fd;
	const struct load *load;
	char *buffer;
	size_t burst; /* bytes in one send() */
};

/* Who connects says what it is with its first byte. Others, and those that only look
 * whether somebody listens, are sent away. */
static void
admit(int listener, int ends[2])
{
	int fd = accept(listener, NULL, NULL);
	char role;

	if (fd < 0)
		return;
	if (recv(fd, &role, 1, 0) != 1) {
		close(fd);
		return;
	}
	ends[role == 'c'] = fd;
}

static void
serve(int listener)
{
	static char buffer[BUFFER];
	int ends[2] = {-1, -1};
	ssize_t n;

	while (ends[0] < 0 || ends[1] < 0)
		admit(listener, ends);
	while ((n = recv(ends[0], buffer, sizeof(buffer), 0)) > 0)
		send_all(ends[1], buffer, (size_t)n);
}

static bool
start(struct server *server)
{
	return server_fork(server, serve);
}

static void *
connect_client(const struct server *server, const struct load *load)
{
	struct relay *c = zalloc(sizeof(*c));
	size_t burst = load->size * load->outstanding * load->batch;

	if (burst > MAX_BURST)
		burst = load->size > MAX_BURST ? load->size
					       : MAX_BURST / load->size * load->size;
	c->fd = server_connect(server);
	c->load = load;
	c->burst = burst;
	c->buffer = zalloc(burst > BUFFER ? burst : BUFFER);
	send_all(c->fd, load->consumer ? "c" : "p", 1);
	return c;
}

static void
put(void *client, unsigned n)
{
	struct relay *c = client;
	size_t left = n * c->load->size;

	while (left > 0) {
		size_t now = left < c->burst ? left : c->burst;

		send_all(c->fd, c->buffer, now);
		left -= now;
	}
}

static void
get(void *client, unsigned n)
{
	struct relay *c = client;
	size_t left = n * c->load->size;

	while (left > 0) {
		ssize_t now = recv(c->fd, c->buffer, left < BUFFER ? left : BUFFER, 0);

		if (now <= 0)
			die("relay: the server went away");
		left -= (size_t)now;
	}
}

static void
settle(void *client)
{
}

static void
close_client(void *client)
{
	struct relay *c = client;

	close(c->fd);
	free(c->buffer);
	free(c);
}

const struct driver driver_relay = {
	.name = "relay",
	.unstamped = true,
	.start = start,
	.connect = connect_client,
	.put = put,
	.get = get,
	.settle = settle,
	.close = close_client,
};
