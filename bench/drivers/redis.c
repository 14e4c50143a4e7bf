/* SPDX-License-Identifier: MIT
 * See redis.h. Commands gather in hiredis until a reply is asked for that is not there. */
#include "bench/drivers/redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/server.h"

#define EXTRA_WORDS 16

const char *
redis_missing(const struct server *server)
{
	char program[64];

	return program_find("redis-server", program, sizeof(program))
		       ? NULL
		       : "redis-server is not installed";
}

bool
redis_start(struct server *server)
{
	char program[64], port[16], path[128];
	char *arguments[] = {(char *)"redis-server",
			     (char *)"--save",
			     (char *)"",
			     (char *)"--appendonly",
			     server->keeps ? (char *)"yes" : (char *)"no",
			     (char *)"--appendfsync",
			     (char *)"always",
			     (char *)"--dir",
			     server->keeps ? server->data : server->folder,
			     (char *)"--port",
			     port,
			     (char *)"--bind",
			     (char *)"127.0.0.1",
			     (char *)"--unixsocket",
			     path,
			     NULL};

	if (!program_find("redis-server", program, sizeof(program)))
		return false;
	snprintf(port, sizeof(port), "%d", server->port);
	server_path(server, path, sizeof(path));
	return server_run(server, program, arguments);
}

void *
redis_connect(const struct server *server, const struct load *load)
{
	struct redis *c = zalloc(sizeof(*c));
	char path[128];

	server_path(server, path, sizeof(path));
	c->context = server->port > 0 ? redisConnect("127.0.0.1", server->port)
				      : redisConnectUnix(path);
	if (!c->context || c->context->err)
		die("redis: %s", c->context ? c->context->errstr : "no memory");
	c->load = load;
	c->words = zalloc((load->batch + EXTRA_WORDS) * sizeof(*c->words));
	c->lengths = zalloc((load->batch + EXTRA_WORDS) * sizeof(*c->lengths));
	snprintf(c->name, sizeof(c->name), "c%d", (int)getpid());
	return c;
}

void
redis_close(void *client)
{
	struct redis *c = client;

	redisFree(c->context);
	free(c->words);
	free(c->lengths);
	free(c);
}

void
redis_word(struct redis *c, unsigned i, const char *text)
{
	c->words[i] = text;
	c->lengths[i] = strlen(text);
}

void
redis_body(struct redis *c, unsigned i)
{
	c->words[i] = c->load->body;
	c->lengths[i] = c->load->size;
}

void
redis_append(struct redis *c, unsigned n)
{
	if (redisAppendCommandArgv(c->context, (int)n, c->words, c->lengths) !=
	    REDIS_OK)
		die("redis: %s", c->context->errstr);
}

redisReply *
redis_reply(struct redis *c)
{
	void *reply;

	if (redisGetReply(c->context, &reply) != REDIS_OK)
		die("redis: %s", c->context->errstr);
	if (((redisReply *)reply)->type == REDIS_REPLY_ERROR)
		die("redis: %s", ((redisReply *)reply)->str);
	return reply;
}

/* Gets of many: whether another may be sent. */
static bool
may_ask(const struct redis *c)
{
	return c->out < c->load->outstanding && c->out < BATCHES;
}

/* The oldest is answered. Returns how many items it asked for in vain. */
static unsigned
missing_of_first(struct redis *c, unsigned got)
{
	unsigned asked = c->asked[c->first];

	c->first = (c->first + 1) % BATCHES;
	c->out--;
	return asked - got;
}

void
redis_get_batches(struct redis *c, unsigned n, struct redis_gets how)
{
	while (n > 0 || c->out > 0) {
		redisReply *reply;
		int got;

		while (n > 0 && may_ask(c)) {
			unsigned now = redis_batch(c, n);

			how.ask(c, now);
			c->asked[(c->first + c->out++) % BATCHES] = now;
			n -= now;
		}
		reply = redis_reply(c);
		got = how.take(c, reply);
		if (got >= 0)
			n += missing_of_first(c, (unsigned)got);
		freeReplyObject(reply);
	}
}
