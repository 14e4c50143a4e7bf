/* SPDX-License-Identifier: MIT
 * See entrant.h. */
#include "bench/entrant.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench/server.h"

#define FLOOD_SHARE 1024    /* items between two looks whether it is over */
#define FLOOD_MOST  1048576 /* items in a slice; a whole number of shares */

static unsigned
workers_of(const struct entrant *e)
{
	return 2 * e->clients;
}

/* With the pair for the bulk: its producer, then its consumer. */
static unsigned
all_workers_of(const struct entrant *e)
{
	return workers_of(e) + (e->bulk.size > 0 ? 2 : 0);
}

static bool
is_consumer(const struct entrant *e, unsigned i)
{
	return i < workers_of(e) ? i >= e->clients : i == workers_of(e) + 1;
}

struct worker *
entrant_producer(struct entrant *e)
{
	return &e->workers[0];
}

struct worker *
entrant_consumer(struct entrant *e)
{
	return &e->workers[e->clients];
}

static bool
fail(struct entrant *e, const char *what)
{
	fprintf(stderr, "bench: %s takes no part: %s\n", e->label, what);
	e->out = true;
	return false;
}

static bool
start_server(struct entrant *e, const char *folder)
{
	static unsigned n;
	const struct driver *driver = e->server.driver;

	snprintf(e->server.folder, sizeof(e->server.folder), "%s/%u", folder, ++n);
	if (mkdir(e->server.folder, 0700) < 0)
		die("%s: %s", e->server.folder, strerror(errno));
	e->server.keeps = e->disk != NULL;
	if (e->disk)
		snprintf(e->server.data, sizeof(e->server.data), "%s/%u", e->disk, n);
	if (e->disk && mkdir(e->server.data, 0700) < 0)
		die("%s: %s", e->server.data, strerror(errno));
	e->server.port = e->tcp || driver->tcp_only ? free_port() : 0;
	return driver->start(&e->server) || fail(e, "its server did not start");
}

static void
start_worker(struct entrant *e, unsigned i)
{
	struct worker *w = &e->workers[i];
	bool bulk = i >= workers_of(e);

	w->load = bulk ? e->bulk : e->load;
	w->load.consumer = is_consumer(e, i);
	w->board = bulk ? e->bulk_board : e->board;
	w->times = shared_alloc(sizeof(*w->times));
	worker_start(w, bulk && e->elsewhere ? e->elsewhere : &e->server);
}

static bool
start_workers(struct entrant *e)
{
	struct report ready;

	e->board = shared_alloc(sizeof(*e->board));
	e->bulk_board = shared_alloc(sizeof(*e->bulk_board));
	e->workers = zalloc(all_workers_of(e) * sizeof(*e->workers));
	for (unsigned i = 0; i < all_workers_of(e); i++)
		start_worker(e, i);
	for (unsigned i = 0; i < all_workers_of(e); i++)
		if (!worker_report(&e->workers[i], SLICE_WAIT_MS, &ready))
			return fail(e, "a worker could not connect");
	return true;
}

static bool
fill(struct entrant *e)
{
	struct order order = {.kind = ORDER_FILL, .count = e->depth};

	return e->depth == 0 || entrant_order(e, entrant_producer(e), &order);
}

bool
entrant_start(struct entrant *e, const char *folder)
{
	e->out = false;
	e->workers = NULL;
	e->board = e->bulk_board = NULL;
	e->server.pid = 0;
	return start_server(e, folder) && start_workers(e) && fill(e);
}

void
entrant_stop(struct entrant *e)
{
	for (unsigned i = 0; e->workers && i < all_workers_of(e); i++) {
		worker_stop(&e->workers[i]);
		shared_free(e->workers[i].times, sizeof(struct histogram));
	}
	shared_free(e->board, sizeof(*e->board));
	shared_free(e->bulk_board, sizeof(*e->bulk_board));
	free(e->workers);
	e->workers = NULL;
	e->board = e->bulk_board = NULL;
	end_child(e->server.pid);
	e->server.pid = 0;
	if (e->disk)
		remove_folder(e->server.data);
}

bool
entrant_order(struct entrant *e, struct worker *worker, const struct order *order)
{
	struct report report;

	worker_order(worker, order);
	return worker_report(worker, FILL_WAIT_MS, &report) ||
	       fail(e, "a worker failed");
}

static bool
takes_part(const struct entrant *e, enum phase phase, unsigned i)
{
	return phase == PHASE_STREAM || is_consumer(e, i) == (phase == PHASE_GET);
}

/* Waits for the workers of a phase: from the first start to the last end. */
static bool
gather(struct entrant *e, enum phase phase, int64_t *ret_ns)
{
	struct report report;
	int64_t start_ns = INT64_MAX, end_ns = 0;

	for (unsigned i = 0; i < workers_of(e); i++) {
		if (!takes_part(e, phase, i))
			continue;
		if (!worker_report(&e->workers[i], SLICE_WAIT_MS, &report))
			return fail(e, "a worker failed");
		start_ns = report.start_ns < start_ns ? report.start_ns : start_ns;
		end_ns = report.end_ns > end_ns ? report.end_ns : end_ns;
	}
	*ret_ns = end_ns - start_ns;
	return true;
}

/* Until end_flood() its producer puts as fast as it can. */
static void
start_flood(struct entrant *e)
{
	const struct order put = {.kind = ORDER_PUT, .count = FLOOD_SHARE};

	atomic_store(&e->bulk_board->puts_left, FLOOD_MOST);
	worker_order(&e->workers[workers_of(e)], &put);
}

/* Its consumer clears away what was put. */
static bool
end_flood(struct entrant *e)
{
	int left = atomic_exchange(&e->bulk_board->puts_left, 0);
	struct order drain = {.kind = ORDER_DRAIN};
	struct report report;

	drain.count = e->flooded = (unsigned)(FLOOD_MOST - (left > 0 ? left : 0));
	if (!worker_report(&e->workers[workers_of(e)], SLICE_WAIT_MS, &report))
		return fail(e, "the worker that floods failed");
	return drain.count == 0 ||
	       entrant_order(e, &e->workers[workers_of(e) + 1], &drain);
}

static void
send_bulk(struct entrant *e, enum phase phase)
{
	const struct order get = {.kind = ORDER_GET, .count = 1};
	const struct order put = {.kind = ORDER_PUT, .count = 1};

	if (e->bulk.size == 0)
		return;
	if (e->flood) {
		if (phase == PHASE_PUT)
			start_flood(e);
		return;
	}
	atomic_store(&e->bulk_board->puts_left, 1);
	atomic_store(&e->bulk_board->gets_left, 1);
	worker_order(&e->workers[workers_of(e) + 1], &get);
	worker_order(&e->workers[workers_of(e)], &put);
}

static bool
bulk_has_passed(struct entrant *e, enum phase phase)
{
	struct report report;

	if (e->flood)
		return phase != PHASE_PUT || end_flood(e);
	for (unsigned i = workers_of(e); i < all_workers_of(e); i++)
		if (!worker_report(&e->workers[i], SLICE_WAIT_MS, &report))
			return fail(e, "a worker of the large item failed");
	return true;
}

bool
entrant_slice(struct entrant *e, enum phase phase, int64_t *ret_ns)
{
	struct order order = {.count = e->count, .interval_ns = e->interval_ns};
	struct order tidy = {.kind = ORDER_TIDY};

	send_bulk(e, phase);
	order.first_ns = now_ns() + e->interval_ns;
	atomic_store(&e->board->puts_left, (int)e->count);
	atomic_store(&e->board->gets_left, (int)e->count);
	/* Consumers first: in a stream they wait before the first item comes. */
	for (unsigned i = workers_of(e); i-- > 0;) {
		order.kind = is_consumer(e, i) ? ORDER_GET : ORDER_PUT;
		if (takes_part(e, phase, i))
			worker_order(&e->workers[i], &order);
	}
	if (!gather(e, phase, ret_ns) || !bulk_has_passed(e, phase))
		return false;
	return !e->server.driver->tidy || phase == PHASE_PUT ||
	       entrant_order(e, entrant_consumer(e), &tidy);
}

static int64_t
cpu_ns_of(pid_t pid)
{
	struct timespec t;
	clockid_t id;

	if (clock_getcpuclockid(pid, &id) != 0 || clock_gettime(id, &t) < 0)
		return 0;
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

int64_t
entrant_cpu_ns(const struct entrant *e)
{
	int64_t sum = cpu_ns_of(e->server.pid);

	for (unsigned i = 0; i < workers_of(e); i++)
		sum += cpu_ns_of(e->workers[i].pid);
	return sum;
}

void
entrant_times(const struct entrant *e, enum phase phase, struct histogram *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < workers_of(e); i++)
		if (is_consumer(e, i) == (phase != PHASE_PUT))
			histogram_merge(ret, e->workers[i].times);
}

void
entrant_forget_times(struct entrant *e)
{
	for (unsigned i = 0; i < workers_of(e); i++)
		memset(e->workers[i].times, 0, sizeof(struct histogram));
}
