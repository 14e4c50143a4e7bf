/* SPDX-License-Identifier: MIT
 * What the two ways of using Redis as a queue share. */
#ifndef BENCH_DRIVERS_REDIS_H
#define BENCH_DRIVERS_REDIS_H

#include <hiredis.h>

#include "bench/driver.h"

#define BATCHES 8 /* gets of many that are under way, at most */

struct redis {
	redisContext *context;
	const struct load *load;
	unsigned acks_due; /* streams: replies to come */
	unsigned asked[BATCHES], first,
		out;   /* gets of many: how many items each asked for */
	char name[32]; /* streams: of the consumer */
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

/* Whether another get of many may be sent; notes that one for `n` items was. The oldest is answered
 * with `got` items: returns how many it asked for in vain. */
bool redis_may_ask(const struct redis *c);
void redis_asked(struct redis *c, unsigned n);
unsigned redis_got(struct redis *c, unsigned got);

/* The next reply, not an error, for freeReplyObject(). */
redisReply *redis_reply(struct redis *c);

#endif
