/* SPDX-License-Identifier: MIT
 * qbroker, as a user would write it. The library is loaded by name, so that each build is
 * measured with its own. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include <client/qbroker.h>

#include "bench/server.h"

#define FUNCTIONS(F)   \
	F(open)        \
	F(close)       \
	F(error)       \
	F(result_text) \
	F(set_window)  \
	F(ping)        \
	F(put)         \
	F(put_start)   \
	F(put_many)    \
	F(flush)       \
	F(get)         \
	F(get_many)    \
	F(start_get) F(ack_start) F(wait) F(item_body) F(item_free)

/* Not in every build, and only needed for items that are special, and for batches of which
 * several are under way. */
#define MORE_FUNCTIONS(F)           \
	F(put_options_new)          \
	F(put_options_set_priority) \
	F(put_options_set_delay)    \
	F(put_start_with) F(declare) F(start_put_many) F(start_get_many)

#define MEMBER(name) __typeof__(qb_##name) *name;
struct library {
	FUNCTIONS(MEMBER)
	MORE_FUNCTIONS(MEMBER)
};

struct client;

/* A get of many that is under way. */
struct under_way {
	struct client *client;
	unsigned asked;
};

struct client {
	struct library lib;
	qb *q;
	const struct load *load;
	const char *queue;
	qb_put_options *options; /* of special items */
	uint32_t chance;
	struct iovec *bodies;
	qb_item **items;
	unsigned to_start; /* gets, or items of batches, that are not started yet */
	struct under_way *under_way; /* as many as may be outstanding */
};

static void
address_of(const struct server *server, char *ret, size_t len)
{
	char path[160];

	server_path(server, path, sizeof(path));
	if (server->port > 0)
		snprintf(ret, len, "tcp://127.0.0.1:%d", server->port);
	else
		snprintf(ret, len, "unix:%s", path);
}

static bool
start(struct server *server)
{
	char program[512], address[192], options[256], state[600];
	char *arguments[20] = {program, (char *)"--listen", address};
	unsigned n = 3;

	snprintf(program, sizeof(program), "%s/qbrokerd", server->build);
	address_of(server, address, sizeof(address));
	snprintf(options, sizeof(options), "%s",
		 server->options ? server->options : "");
	if (server->keeps) {
		snprintf(state, sizeof(state), "state_dir=%s", server->data);
		arguments[n++] = (char *)"--set";
		arguments[n++] = state;
	}
	for (char *o = strtok(options, " "); o && n + 2 < 20; o = strtok(NULL, " ")) {
		arguments[n++] = (char *)"--set";
		arguments[n++] = o;
	}
	return server_run(server, program, arguments);
}

static void
load_library(const char *build, struct library *ret)
{
	char path[512];
	void *so;

	snprintf(path, sizeof(path), "%s/.libs/libqbroker.so.0", build);
	so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!so)
		die("%s", dlerror());
#define FIND(name)                                            \
	if (!(*(void **)&ret->name = dlsym(so, "qb_" #name))) \
		die("%s has no qb_%s", path, #name);
	FUNCTIONS(FIND)
#define FIND_IF_THERE(name) *(void **)&ret->name = dlsym(so, "qb_" #name);
	MORE_FUNCTIONS(FIND_IF_THERE)
}

static void
check(struct client *c, qb_result r, const char *what)
{
	if (r != QB_OK)
		die("qbroker: %s: %s", what, c->lib.error(c->q));
}

/* Items of a queue that is ordered by priority, and delayed ones. */
static void
prepare_special(struct client *c)
{
	static const char *const by_priority[] = {"order=priority", NULL};

	if (!c->lib.declare || !c->lib.put_options_new || !c->lib.put_start_with)
		die("qbroker: this build has no items of this kind");
	c->options = c->lib.put_options_new();
	if (!c->options)
		die("no memory");
	if (c->load->items == ITEMS_PRIORITY)
		check(c, c->lib.declare(c->q, c->queue, by_priority, 0, NULL),
		      "declare");
}

static void
declare_durable(struct client *c)
{
	const char *const options[] = {c->load->durable, NULL};

	if (!c->lib.declare)
		die("qbroker: this build has no durable queues");
	check(c, c->lib.declare(c->q, c->queue, options, 0, NULL), "declare");
}

static void *
connect_client(const struct server *server, const struct load *load)
{
	struct client *c = zalloc(sizeof(*c));
	char address[192];
	qb_result r;

	load_library(server->build, &c->lib);
	address_of(server, address, sizeof(address));
	r = c->lib.open(address, &c->q);
	if (r != QB_OK)
		die("qbroker: %s: %s", address, c->lib.result_text(r));
	check(c, c->lib.set_window(c->q, load->outstanding), "window");
	c->load = load;
	c->queue = load->queue ? load->queue : QUEUE;
	if (load->items != ITEMS_PLAIN)
		prepare_special(c);
	if (load->durable)
		declare_durable(c);
	c->bodies = zalloc(load->batch * sizeof(*c->bodies));
	c->items = zalloc(load->batch * sizeof(*c->items));
	c->under_way = zalloc(load->outstanding * sizeof(*c->under_way));
	for (unsigned i = 0; i < load->outstanding; i++)
		c->under_way[i].client = c;
	for (unsigned i = 0; i < load->batch; i++)
		c->bodies[i] = (struct iovec){load->body, load->size};
	return c;
}

static bool
several_batches(const struct client *c)
{
	return c->load->batch > 1 && c->load->outstanding > 1;
}

/* The next batch of what is left. */
static unsigned
next_batch(struct client *c)
{
	unsigned n = c->to_start < c->load->batch ? c->to_start : c->load->batch;

	c->to_start -= n;
	return n;
}

static void put_was_done(qb *q, uint64_t request, qb_result r, const int64_t *ids,
			 unsigned n, void *arg);

static void
start_put_batch(struct client *c)
{
	unsigned n = next_batch(c);

	if (n > 0)
		check(c,
		      c->lib.start_put_many(c->q, c->queue, NULL, c->bodies, n, 0,
					    QB_FOREVER, put_was_done, c, NULL),
		      "start_put_many");
}

static void
put_was_done(qb *q, uint64_t request, qb_result r, const int64_t *ids, unsigned n,
	     void *arg)
{
	struct client *c = arg;

	check(c, r, "put_many");
	start_put_batch(c);
}

static void
put_batches_pipelined(struct client *c, unsigned n)
{
	c->to_start = n;
	for (unsigned i = 0; i < c->load->outstanding; i++)
		start_put_batch(c);
	check(c, c->lib.wait(c->q, QB_FOREVER), "wait");
}

static void
put_batches(struct client *c, unsigned n)
{
	while (n > 0) {
		unsigned now = n < c->load->batch ? n : c->load->batch;

		check(c,
		      c->lib.put_many(c->q, c->queue, c->bodies, now, 0, QB_FOREVER,
				      NULL),
		      "put_many");
		n -= now;
	}
}

static uint32_t
next_chance(struct client *c)
{
	c->chance = c->chance * 1664525 + 1013904223;
	return c->chance >> 8;
}

static void
start_special_put(struct client *c)
{
	uint32_t chance = next_chance(c);

	switch (c->load->items) {
	case ITEMS_PRIORITY:
		c->lib.put_options_set_priority(c->options, (int32_t)chance);
		break;
	case ITEMS_DELAYED:
		c->lib.put_options_set_delay(c->options, 1 + chance % 8);
		break;
	case ITEMS_FAR:
		c->lib.put_options_set_delay(c->options, 3600000 + chance);
		break;
	case ITEMS_PLAIN: break;
	}
	check(c,
	      c->lib.put_start_with(c->q, c->queue, c->options, c->load->body,
				    c->load->size),
	      "put_start_with");
}

static void
put_special(struct client *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		start_special_put(c);
	check(c, c->lib.flush(c->q, QB_FOREVER), "flush");
}

static void
put_pipelined(struct client *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		check(c, c->lib.put_start(c->q, c->queue, c->load->body, c->load->size),
		      "put_start");
	check(c, c->lib.flush(c->q, QB_FOREVER), "flush");
}

static void
put(void *client, unsigned n)
{
	struct client *c = client;

	if (c->options)
		put_special(c, n);
	else if (several_batches(c) && c->lib.start_put_many)
		put_batches_pipelined(c, n);
	else if (c->load->batch > 1)
		put_batches(c, n);
	else if (c->load->outstanding > 1)
		put_pipelined(c, n);
	else
		while (n-- > 0)
			check(c,
			      c->lib.put(c->q, c->queue, c->load->body, c->load->size,
					 QB_FOREVER, NULL),
			      "put");
}

static void start_get_batch(struct under_way *batch);

static void
got_batch(qb *q, uint64_t request, qb_result r, qb_item *const *items, unsigned n,
	  void *arg)
{
	struct under_way *batch = arg;
	struct client *c = batch->client;

	check(c, r, "get_many");
	for (unsigned i = 0; i < n; i++) {
		load_got(c->load, c->lib.item_body(items[i]));
		check(c, c->lib.ack_start(q, items[i]), "ack");
		c->lib.item_free(items[i]);
	}
	c->to_start += batch->asked - n;
	start_get_batch(batch);
}

static void
start_get_batch(struct under_way *batch)
{
	struct client *c = batch->client;

	batch->asked = next_batch(c);
	if (batch->asked > 0)
		check(c,
		      c->lib.start_get_many(c->q, c->queue, NULL, QB_FOREVER, QB_MANUAL,
					    batch->asked, 1, 0, 0, got_batch, batch,
					    NULL),
		      "start_get_many");
}

static void
get_batches_pipelined(struct client *c, unsigned n)
{
	c->to_start = n;
	for (unsigned i = 0; i < c->load->outstanding; i++)
		start_get_batch(&c->under_way[i]);
	check(c, c->lib.wait(c->q, QB_FOREVER), "wait");
}

/* The acknowledgements travel with the next request. */
static void
get_batches(struct client *c, unsigned n)
{
	while (n > 0) {
		unsigned most = n < c->load->batch ? n : c->load->batch, got;

		check(c,
		      c->lib.get_many(c->q, c->queue, QB_FOREVER, QB_MANUAL, most, 1, 0,
				      0, c->items, &got),
		      "get_many");
		for (unsigned i = 0; i < got; i++) {
			load_got(c->load, c->lib.item_body(c->items[i]));
			check(c, c->lib.ack_start(c->q, c->items[i]), "ack");
			c->lib.item_free(c->items[i]);
		}
		n -= got;
	}
}

static void
got_one(qb *q, uint64_t request, qb_result r, uint64_t id, qb_item *item, void *arg)
{
	struct client *c = arg;

	check(c, r, "get");
	load_got(c->load, c->lib.item_body(item));
	check(c, c->lib.ack_start(q, item), "ack");
	c->lib.item_free(item);
	if (c->to_start > 0) {
		c->to_start--;
		check(c,
		      c->lib.start_get(q, c->queue, QB_FOREVER, QB_MANUAL, got_one, c,
				       NULL),
		      "start_get");
	}
}

static void
get_pipelined(struct client *c, unsigned n)
{
	unsigned first = n < c->load->outstanding ? n : c->load->outstanding;

	c->to_start = n - first;
	while (first-- > 0)
		check(c,
		      c->lib.start_get(c->q, c->queue, QB_FOREVER, QB_MANUAL, got_one,
				       c, NULL),
		      "start_get");
	check(c, c->lib.wait(c->q, QB_FOREVER), "wait");
}

/* The acknowledgement travels with the next request. */
static void
get_one_by_one(struct client *c, unsigned n)
{
	while (n-- > 0) {
		qb_item *item;

		check(c, c->lib.get(c->q, c->queue, QB_FOREVER, QB_MANUAL, &item),
		      "get");
		load_got(c->load, c->lib.item_body(item));
		check(c, c->lib.ack_start(c->q, item), "ack");
		c->lib.item_free(item);
	}
}

static void
get(void *client, unsigned n)
{
	struct client *c = client;

	if (several_batches(c) && c->lib.start_get_many)
		get_batches_pipelined(c, n);
	else if (c->load->batch > 1)
		get_batches(c, n);
	else if (c->load->outstanding > 1)
		get_pipelined(c, n);
	else
		get_one_by_one(c, n);
}

/* When this is answered the broker has seen the last acknowledgement. */
static void
settle(void *client)
{
	struct client *c = client;

	check(c, c->lib.ping(c->q), "ping");
}

static void
close_client(void *client)
{
	struct client *c = client;

	c->lib.close(c->q);
	free(c->bodies);
	free(c->items);
	free(c->under_way);
	free(c);
}

const struct driver driver_qbroker = {
	.name = "qbroker",
	.start = start,
	.connect = connect_client,
	.put = put,
	.get = get,
	.settle = settle,
	.close = close_client,
};
