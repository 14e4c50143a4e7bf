/* SPDX-License-Identifier: MIT
 * Redis as a queue, the usual way: RPUSH and BLPOP. An item that was popped is gone:
 * there is no acknowledgement. */
#include <stdio.h>

#include "bench/drivers/redis.h"

static void
append_push(struct redis *c, unsigned items)
{
	redis_word(c, 0, "RPUSH");
	redis_word(c, 1, QUEUE);
	for (unsigned i = 0; i < items; i++)
		redis_body(c, 2 + i);
	redis_append(c, 2 + items);
}

static void
put(void *client, unsigned n)
{
	struct redis *c = client;
	unsigned left = n, out = 0;

	while (left > 0 || out > 0) {
		while (left > 0 && out < c->load->outstanding) {
			append_push(c, redis_batch(c, left));
			left -= redis_batch(c, left);
			out++;
		}
		freeReplyObject(redis_reply(c));
		out--;
	}
}

static void
append_pop(struct redis *c)
{
	redis_word(c, 0, "BLPOP");
	redis_word(c, 1, QUEUE);
	redis_word(c, 2, "0");
	redis_append(c, 3);
}

static void
get_single(struct redis *c, unsigned n)
{
	unsigned left = n, out = 0;

	while (left > 0 || out > 0) {
		redisReply *reply;

		for (; left > 0 && out < c->load->outstanding; left--, out++)
			append_pop(c);
		reply = redis_reply(c);
		if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2)
			die("redis: no item");
		load_got(c->load, reply->element[1]->str);
		freeReplyObject(reply);
		out--;
	}
}

/* Pops up to so many at once, and waits while there is none. */
static void
append_pop_many(struct redis *c, unsigned n)
{
	char most[16];

	snprintf(most, sizeof(most), "%u", n);
	redis_word(c, 0, "BLMPOP");
	redis_word(c, 1, "0");
	redis_word(c, 2, "1");
	redis_word(c, 3, QUEUE);
	redis_word(c, 4, "LEFT");
	redis_word(c, 5, "COUNT");
	redis_word(c, 6, most);
	redis_append(c, 7);
}

static int
take_popped(struct redis *c, const redisReply *reply)
{
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2)
		die("redis: no items");
	return (int)reply->element[1]->elements;
}

static void
get(void *client, unsigned n)
{
	struct redis *c = client;

	if (c->load->batch > 1)
		redis_get_batches(c, n,
				  (struct redis_gets){append_pop_many, take_popped});
	else
		get_single(c, n);
}

static void
settle(void *client)
{
}

const struct driver driver_redis_lists = {
	.name = "redis-lists",
	.missing = redis_missing,
	.start = redis_start,
	.connect = redis_connect,
	.put = put,
	.get = get,
	.settle = settle,
	.close = redis_close,
};
