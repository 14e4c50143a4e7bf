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

/* The next reply, not an error, for freeReplyObject(). */
redisReply *redis_reply(struct redis *c);

/* Items of the next batch. */
static inline unsigned
redis_batch(const struct redis *c, unsigned left)
{
	return left < c->load->batch ? left : c->load->batch;
}

/* How items are got: `ask` appends a request for up to `n`, `take` says how many a reply brought;
 * -1: it is of something else. */
struct redis_gets {
	void (*ask)(struct redis *c, unsigned n);
	int (*take)(struct redis *c, const redisReply *reply);
};

/* Gets `n` items in batches, each of which may bring fewer. */
void redis_get_batches(struct redis *c, unsigned n, struct redis_gets how);

#endif
