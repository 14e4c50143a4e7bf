/* SPDX-License-Identifier: MIT
 * Python's own queues. bench/python_queues.py is the server: for each connection it has a
 * process, which does a whole slice when it is told to. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/server.h"

struct client {
	int fd;
	const struct load *load;
};

static const char *
missing(const struct server *server)
{
	char program[64];

	if (!server->scripts)
		return "--scripts was not given";
	return program_find("python3", program, sizeof(program))
		       ? NULL
		       : "python3 is not installed";
}

static bool
start(struct server *server, const char *kind)
{
	char program[64], script[512], path[128];
	char *arguments[] = {(char *)"python3", script, (char *)(uintptr_t)kind, path,
			     NULL};

	if (!program_find("python3", program, sizeof(program)))
		return false;
	snprintf(script, sizeof(script), "%s/python_queues.py", server->scripts);
	server_path(server, path, sizeof(path));
	return server_run(server, program, arguments);
}

static bool
start_manager(struct server *server)
{
	return start(server, "manager");
}

static bool
start_queue(struct server *server)
{
	return start(server, "queue");
}

static bool
start_joinable(struct server *server)
{
	return start(server, "joinable");
}

static bool
start_pipe(struct server *server)
{
	return start(server, "pipe");
}

static void *
connect_client(const struct server *server, const struct load *load)
{
	struct client *c = zalloc(sizeof(*c));

	c->fd = server_connect(server);
	c->load = load;
	return c;
}

static void
tell(struct client *c, const char *what, unsigned n)
{
	char line[64];
	int len = snprintf(line, sizeof(line), "%s %u %zu\n", what, n, c->load->size);

	send_all(c->fd, line, (size_t)len);
	receive_all(c->fd, line, sizeof("done\n") - 1);
}

static void
put(void *client, unsigned n)
{
	tell(client, "put", n);
}

static void
get(void *client, unsigned n)
{
	tell(client, "get", n);
}

static void
settle(void *client)
{
}

static void
close_client(void *client)
{
	struct client *c = client;

	close(c->fd);
	free(c);
}

#define PYTHON(kind, label)                      \
	const struct driver driver_py_##kind = { \
		.name = label,                   \
		.unstamped = true,               \
		.whole_slices = true,            \
		.missing = missing,              \
		.start = start_##kind,           \
		.connect = connect_client,       \
		.put = put,                      \
		.get = get,                      \
		.settle = settle,                \
		.close = close_client,           \
	};
PYTHON(manager, "py-manager")
PYTHON(queue, "py-queue")
PYTHON(joinable, "py-joinable")
PYTHON(pipe, "py-pipe")
