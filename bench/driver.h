/* SPDX-License-Identifier: MIT
 * A contestant: how its server is started, and how a client of it does the work. There is
 * one of these in each file of drivers/. A client that fails calls die(), which ends its
 * worker alone. */
#ifndef BENCH_DRIVER_H
#define BENCH_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>

#include "bench/bench.h"
#include "bench/histogram.h"

#define QUEUE "bench"

/* What is special about the items. Only qbroker knows more than PLAIN. */
enum items {
	ITEMS_PLAIN,
	ITEMS_PRIORITY, /* each has one by chance, in a queue that is ordered by it */
	ITEMS_DELAYED,	/* each is delayed by chance, for 1 to 8 ms */
	ITEMS_FAR,	/* the same, for an hour and more */
};

struct driver;

/* A server that runs, or shall run. */
struct server {
	const struct driver *driver;
	const char *build;   /* qbroker: the folder it was built in */
	const char *scripts; /* the folder of python_queues.py */
	const char *
		options; /* qbroker: more of its options, separated by blanks, or NULL */
	char folder[64]; /* its own; sockets and the log are there */
	char data[512];	 /* its own, for what it keeps */
	bool keeps;	 /* it does, with a sync before it confirms anything */
	int port;	 /* on 127.0.0.1; 0: a Unix socket */
	pid_t pid;
};

/* What a client is to do with each call. */
struct load {
	size_t size;	      /* of an item's body */
	unsigned outstanding; /* requests on the way at the same time */
	unsigned batch;	      /* items in a request */
	bool consumer;	      /* it gets; else it puts */
	enum items items;
	const char *queue; /* NULL: QUEUE. Only qbroker knows another */
	const char *durable; /* qbroker: the queue's option, or NULL */
	char *body;	   /* what it puts: size bytes */
	bool stamped;	   /* a body begins with the moment at which it was to be put */
	bool yields;	   /* it leaves the processor to the others */
	struct histogram *times; /* stamped: how long items were on their way */
};

struct driver {
	const char *name;
	bool tcp_only;
	bool unstamped;	   /* its consumers do not look at single items */
	bool whole_slices; /* a call is expensive, and does all of a slice */

	/* NULL, or why it cannot take part. */
	const char *(*missing)(const struct server *server);

	/* Starts the server and returns when it can be connected to; false: it cannot. */
	bool (*start)(struct server *server);

	/* A client, over a connection of its own. The load outlives it. */
	void *(*connect)(const struct server *server, const struct load *load);

	/* Puts n items; gets n items and acknowledges them. The last acknowledgements may
	 * wait for the next call, or for settle(). */
	void (*put)(void *client, unsigned n);
	void (*get)(void *client, unsigned n);
	void (*settle)(void *client);

	/* Not timed: removes what is left over of items that are done. May be NULL. */
	void (*tidy)(void *client);
	void (*close)(void *client);
};

#define DRIVER(name) extern const struct driver driver_##name;
#include "bench/drivers.def"
#undef DRIVER

/* To be called by a client for each item it got. */
static inline void
load_got(const struct load *load, const void *body)
{
	int64_t planned_ns;

	if (!load->stamped)
		return;
	memcpy(&planned_ns, body, sizeof(planned_ns));
	histogram_add(load->times, now_ns() - planned_ns);
}

#endif
