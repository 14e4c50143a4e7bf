/* SPDX-License-Identifier: MIT
 * Redis streams with a group of consumers: XADD, XREADGROUP, XACK. Acknowledgements travel
 * with the next request. Entries stay in the stream, so they are trimmed between slices. */
#include <stdio.h>

#include "bench/drivers/redis.h"

#define GROUP "workers"

static void *
connect_client(const struct server *server, const struct load *load)
{
	struct redis *c = redis_connect(server, load);
	redisReply *reply = redisCommand(c->context, "XGROUP CREATE " QUEUE " " GROUP
						     " 0 MKSTREAM");

	if (!reply ||
	    (reply->type == REDIS_REPLY_ERROR && !strstr(reply->str, "BUSYGROUP")))
		die("redis: %s", reply ? reply->str : c->context->errstr);
	freeReplyObject(reply);
	return c;
}

static void
append_add(struct redis *c)
{
	redis_word(c, 0, "XADD");
	redis_word(c, 1, QUEUE);
	redis_word(c, 2, "*");
	redis_word(c, 3, "b");
	redis_body(c, 4);
	redis_append(c, 5);
}

/* There is no XADD of many: a batch is that many commands sent together. */
static void
put(void *client, unsigned n)
{
	struct redis *c = client;
	unsigned left = n, out = 0, most = c->load->outstanding * c->load->batch;

	while (left > 0 || out > 0) {
		for (; left > 0 && out < most; left--, out++)
			append_add(c);
		freeReplyObject(redis_reply(c));
		out--;
	}
}

static void
append_read(struct redis *c, unsigned items)
{
	static const char *const words[] = {"XREADGROUP", "GROUP", GROUP,   NULL,
					    "COUNT",	  NULL,	   "BLOCK", "0",
					    "STREAMS",	  QUEUE,   ">"};
	char count[16];

	for (unsigned i = 0; i < 11; i++)
		if (words[i])
			redis_word(c, i, words[i]);
	snprintf(count, sizeof(count), "%u", items);
	redis_word(c, 3, c->name);
	redis_word(c, 5, count);
	redis_append(c, 11);
}

/* Acknowledges the entries of a reply: [[stream, [[id, [name, body]], ...]]]; or it is that of an
 * acknowledgement. */
static int
take_entries(struct redis *c, const redisReply *reply)
{
	const redisReply *entries;

	if (reply->type == REDIS_REPLY_INTEGER) {
		c->acks_due--;
		return -1;
	}
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 1)
		die("redis: no entries");
	entries = reply->element[0]->element[1];
	redis_word(c, 0, "XACK");
	redis_word(c, 1, QUEUE);
	redis_word(c, 2, GROUP);
	for (size_t i = 0; i < entries->elements; i++) {
		const redisReply *entry = entries->element[i];

		redis_word(c, 3 + (unsigned)i, entry->element[0]->str);
		load_got(c->load, entry->element[1]->element[1]->str);
	}
	redis_append(c, 3 + (unsigned)entries->elements);
	c->acks_due++;
	return (int)entries->elements;
}

/* Gets of one item. */
static void
get_single(struct redis *c, unsigned n)
{
	unsigned asked = 0, out = 0, got = 0;

	while (got < n) {
		redisReply *reply;
		int taken;

		for (; asked < n && out < c->load->outstanding; asked++, out++)
			append_read(c, 1);
		reply = redis_reply(c);
		taken = take_entries(c, reply);
		if (taken >= 0) {
			got += (unsigned)taken;
			out--;
		}
		freeReplyObject(reply);
	}
}

static void
get(void *client, unsigned n)
{
	struct redis *c = client;

	if (c->load->batch > 1)
		redis_get_batches(c, n, (struct redis_gets){append_read, take_entries});
	else
		get_single(c, n);
}

static void
settle(void *client)
{
	struct redis *c = client;

	for (; c->acks_due > 0; c->acks_due--)
		freeReplyObject(redis_reply(c));
}

static void
tidy(void *client)
{
	struct redis *c = client;
	redisReply *reply = redisCommand(c->context, "XTRIM " QUEUE " MAXLEN 0");

	if (!reply)
		die("redis: %s", c->context->errstr);
	freeReplyObject(reply);
}

const struct driver driver_redis_streams = {
	.name = "redis-streams",
	.missing = redis_missing,
	.start = redis_start,
	.connect = connect_client,
	.put = put,
	.get = get,
	.settle = settle,
	.tidy = tidy,
	.close = redis_close,
};
