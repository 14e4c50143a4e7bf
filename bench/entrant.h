/* SPDX-License-Identifier: MIT
 * An entrant of a case: a contestant with its server, its workers and what it has to do.
 * It works in slices: a number of items that takes it a short time. */
#ifndef BENCH_ENTRANT_H
#define BENCH_ENTRANT_H

#include "bench/worker.h"

#define MAX_ENTRANTS 8

#define PHASES 3

enum phase {
	PHASE_PUT = 0,	  /* puts alone */
	PHASE_GET = 1,	  /* gets and acknowledgements, of what is there */
	PHASE_STREAM = 2, /* both at the same time */
};

struct entrant {
	const char *label;
	struct server server;
	struct load load; /* of each worker */
	bool tcp;
	unsigned clients;    /* producers, and as many consumers */
	unsigned depth;	     /* items that wait in the queue all the time */
	int64_t interval_ns; /* between puts; 0: as fast as it can */
	struct load
		bulk; /* with a size: such an item passes through another queue during
			     each slice, between a pair of workers more */
	bool flood; /* no such item, but many, put while there are puts alone */
	const struct server *elsewhere; /* the server of that pair; NULL: the entrant's */

	const char *disk; /* where its server keeps data; NULL: it keeps none */
	struct worker *workers; /* the producers, the consumers, then the pair */
	struct board *board, *bulk_board;
	unsigned count; /* items in a slice */
	unsigned flooded; /* items of the last flood */
	bool out;	/* it failed, and takes no part any more */
};

/* Starts server and workers, in a new folder below `folder`. false: it is out. */
bool entrant_start(struct entrant *e, const char *folder);
void entrant_stop(struct entrant *e);

/* Does one slice. *ret_ns: how long it took. false: it is out. */
bool entrant_slice(struct entrant *e, enum phase phase, int64_t *ret_ns);

/* Gives an order to one worker and waits until it is done. false: the entrant is out. */
bool entrant_order(struct entrant *e, struct worker *worker, const struct order *order);

/* What its server and its workers have used of the processors until now. */
int64_t entrant_cpu_ns(const struct entrant *e);

struct worker *entrant_producer(struct entrant *e);
struct worker *entrant_consumer(struct entrant *e);

/* The times of the operations of a phase since the start, of all workers. */
void entrant_times(const struct entrant *e, enum phase phase, struct histogram *ret);
void entrant_forget_times(struct entrant *e);

#endif
