/* SPDX-License-Identifier: MIT
 * A worker: a process with one connection, that waits on a pipe for orders. Connecting and
 * starting are over before anything is timed. */
#ifndef BENCH_WORKER_H
#define BENCH_WORKER_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "bench/driver.h"

enum order_kind {
	ORDER_PUT = 1, /* the board's items */
	ORDER_GET = 2,
	ORDER_FILL = 3, /* puts `count` items as fast as it can */
	ORDER_TIDY = 4,
	ORDER_RESIDENT = 5, /* opens `count` connections more, and keeps them */
	ORDER_DRAIN = 6,    /* gets `count` items as fast as it can */
};

struct order {
	uint32_t kind;
	uint32_t count;
	int64_t first_ns;    /* put: when the first one is planned, with an interval */
	int64_t interval_ns; /* put: 0: as fast as it can */
};

struct report {
	int64_t start_ns;
	int64_t end_ns;
};

/* What the workers of one side share: items that nobody has taken on yet. */
struct board {
	atomic_int puts_left;
	atomic_int gets_left;
};

struct worker {
	pid_t pid;
	int orders; /* the pipe to it */
	int reports;
	struct load load;
	struct board *board;
	struct histogram
		*times; /* shared: of each operation or, when items are stamped and
				    it is a consumer, of each item's way */
};

/* Starts it; it is connected when it has reported once. */
void worker_start(struct worker *worker, const struct server *server);
void worker_stop(struct worker *worker);

void worker_order(const struct worker *worker, const struct order *order);

#define SLICE_WAIT_MS 60000  /* for a slice, or to connect */
#define FILL_WAIT_MS  900000 /* for millions of items */

/* false: it is dead, or says nothing for so long. */
bool worker_report(const struct worker *worker, int wait_ms, struct report *ret);

#endif
