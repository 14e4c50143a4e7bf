/* SPDX-License-Identifier: MIT
 * beanstalkd, spoken to directly. It has no batches: a batch is that many requests sent
 * together. What is written gathers until there is nothing more to read. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/server.h"

#define IN  (2097152 + 65536) /* the largest item and what is around it */
#define OUT 65536	      /* is sent when so much has gathered */

struct client {
	int fd;
	const struct load *load;
	unsigned outstanding;
	unsigned deletes_due; /* replies to come */
	size_t start, end;    /* of what was read and not used yet */
	size_t gathered;
	char in[IN];
	char out[OUT];
};

static const char *
missing(const struct server *server)
{
	char program[64];

	return program_find("beanstalkd", program, sizeof(program))
		       ? NULL
		       : "beanstalkd is not installed";
}

static bool
start(struct server *server)
{
	char program[64], listen[128] = "127.0.0.1", port[16];
	char *arguments[12] = {(char *)"beanstalkd", (char *)"-z", (char *)"2097152",
			       (char *)"-l", listen};
	unsigned n = 5;

	if (!program_find("beanstalkd", program, sizeof(program)))
		return false;
	snprintf(port, sizeof(port), "%d", server->port);
	if (server->port == 0) {
		snprintf(listen, sizeof(listen), "unix:%s/socket", server->folder);
	} else {
		arguments[n++] = (char *)"-p";
		arguments[n++] = port;
	}
	if (server->keeps) {
		arguments[n++] = (char *)"-f0";
		arguments[n++] = (char *)"-b";
		arguments[n++] = server->data;
	}
	return server_run(server, program, arguments);
}

static void *
connect_client(const struct server *server, const struct load *load)
{
	struct client *c = zalloc(sizeof(*c));

	c->fd = server_connect(server);
	c->load = load;
	c->outstanding = load->outstanding * load->batch;
	return c;
}

static void
flush(struct client *c)
{
	send_all(c->fd, c->out, c->gathered);
	c->gathered = 0;
}

static void __attribute__((format(printf, 2, 3)))
append(struct client *c, const char *fmt, ...)
{
	va_list ap;

	if (OUT - c->gathered < 128)
		flush(c);
	va_start(ap, fmt);
	c->gathered += (size_t)vsnprintf(c->out + c->gathered, 128, fmt, ap);
	va_end(ap);
}

static void
append_body(struct client *c)
{
	size_t size = c->load->size;

	if (OUT - c->gathered < size + 2)
		flush(c);
	if (size + 2 > OUT) {
		send_all(c->fd, c->load->body, size);
	} else {
		memcpy(c->out + c->gathered, c->load->body, size);
		c->gathered += size;
	}
	append(c, "\r\n");
}

static void
refill(struct client *c)
{
	ssize_t n;

	flush(c);
	if (c->start > 0) {
		memmove(c->in, c->in + c->start, c->end - c->start);
		c->end -= c->start;
		c->start = 0;
	}
	n = recv(c->fd, c->in + c->end, IN - c->end, 0);
	if (n <= 0)
		die("beanstalkd: the server went away");
	c->end += (size_t)n;
}

/* The next line, without its end; good until the next refill(). */
static char *
read_line(struct client *c)
{
	size_t seen = 0;

	for (;;) {
		char *line = c->in + c->start;
		char *end = memchr(line + seen, '\n', c->end - c->start - seen);

		if (end) {
			c->start += (size_t)(end + 1 - line);
			*end = '\0';
			return line;
		}
		seen = c->end - c->start;
		refill(c);
	}
}

static void
put(void *client, unsigned n)
{
	struct client *c = client;
	unsigned sent = 0, done = 0;

	while (done < n) {
		for (; sent < n && sent - done < c->outstanding; sent++) {
			append(c, "put 0 0 3600 %zu\r\n", c->load->size);
			append_body(c);
		}
		if (strncmp(read_line(c), "INSERTED", 8) != 0)
			die("beanstalkd: a put was refused");
		done++;
	}
}

/* After its first line was read. */
static void
take_item(struct client *c, const char *line)
{
	unsigned long long id;
	size_t size;

	if (sscanf(line, "RESERVED %llu %zu", &id, &size) != 2 || size != c->load->size)
		die("beanstalkd: no item, but %s", line);
	while (c->end - c->start < size + 2)
		refill(c);
	load_got(c->load, c->in + c->start);
	c->start += size + 2;
	append(c, "delete %llu\r\n", id);
	c->deletes_due++;
}

/* Deletes travel with the next reserve. */
static void
get(void *client, unsigned n)
{
	struct client *c = client;
	unsigned sent = 0, done = 0;

	while (done < n) {
		const char *line;

		for (; sent < n && sent - done < c->outstanding; sent++)
			append(c, "reserve\r\n");
		line = read_line(c);
		if (strncmp(line, "DELETED", 7) == 0) {
			c->deletes_due--;
			continue;
		}
		take_item(c, line);
		done++;
	}
}

static void
settle(void *client)
{
	struct client *c = client;

	for (; c->deletes_due > 0; c->deletes_due--)
		if (strncmp(read_line(c), "DELETED", 7) != 0)
			die("beanstalkd: a delete was refused");
}

static void
close_client(void *client)
{
	struct client *c = client;

	close(c->fd);
	free(c);
}

const struct driver driver_beanstalkd = {
	.name = "beanstalkd",
	.missing = missing,
	.start = start,
	.connect = connect_client,
	.put = put,
	.get = get,
	.settle = settle,
	.close = close_client,
};
