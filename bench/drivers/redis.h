/* SPDX-License-Identifier: MIT
 * What the two ways of using Redis as a queue share. */
#ifndef BENCH_DRIVERS_REDIS_H
#define BENCH_DRIVERS_REDIS_H

#include <hiredis.h>

#include "bench/driver.h"

struct redis {
	redisContext *context;
	const struct load *load;
	unsigned acks_due; /* streams: replies to come */
	char name[32];	   /* streams: of the consumer */
	const char **words;
	size_t *lengths;
};

const char *redis_missing(const struct server *server);
bool redis_start(struct server *server);
void *redis_connect(const struct server *server, const struct load *load);
void redis_close(void *client);

/* Appends a command of n words of c->words and c->lengths to what is sent next. */
void redis_append(struct redis *c, unsigned n);

/* Sets word i. */
void redis_word(struct redis *c, unsigned i, const char *text);
void redis_body(struct redis *c, unsigned i);

/* The next reply, not an error, for freeReplyObject(). */
redisReply *redis_reply(struct redis *c);

#endif
