/* SPDX-License-Identifier: MIT
 * See worker.h. */
#include "bench/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define OUTSTANDING 256 /* of fill and drain */

struct state {
	const struct worker *worker;
	const struct server *server;
	const struct driver *driver;
	void *client;
};

/* How many items this worker takes on at once: all of one client's, but one request of
 * many clients' or when each request is timed. */
static int
share(const struct state *s, uint32_t count)
{
	const struct load *load = &s->worker->load;

	return load->outstanding > 1 || s->driver->whole_slices ? (int)count
								: (int)load->batch;
}

static int
take(atomic_int *left, int want)
{
	int had = atomic_fetch_sub(left, want);

	return had <= 0 ? 0 : had < want ? had : want;
}

static void
wait_until(int64_t moment_ns)
{
	const struct timespec t = {moment_ns / 1000000000, moment_ns % 1000000000};

	if (now_ns() < moment_ns)
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void
stamp(const struct load *load, int64_t moment_ns)
{
	if (load->stamped)
		memcpy(load->body, &moment_ns, sizeof(moment_ns));
}

/* Each put has its planned start, and its time counts from there, however late it is. */
static void
put_board(struct state *s, const struct order *order)
{
	const struct worker *w = s->worker;
	int64_t planned_ns = order->first_ns;
	int n, most = share(s, order->count);

	while ((n = take(&w->board->puts_left, most)) > 0) {
		if (order->interval_ns > 0)
			wait_until(planned_ns);
		else
			planned_ns = now_ns();
		stamp(&w->load, planned_ns);
		s->driver->put(s->client, (unsigned)n);
		histogram_add(w->times, now_ns() - planned_ns);
		planned_ns += order->interval_ns;
	}
	s->driver->settle(s->client);
}

static void
get_board(struct state *s, const struct order *order)
{
	const struct worker *w = s->worker;
	int n, most = share(s, order->count);

	while ((n = take(&w->board->gets_left, most)) > 0) {
		int64_t start_ns = now_ns();

		s->driver->get(s->client, (unsigned)n);
		if (!w->load.stamped)
			histogram_add(w->times, now_ns() - start_ns);
	}
	s->driver->settle(s->client);
}

/* Not timed: over a connection of its own, with many requests on their way. */
static void
move_many(struct state *s, const struct order *order)
{
	struct load load = s->worker->load;
	void *client;

	load.outstanding = load.size > 65536 ? 4 : OUTSTANDING;
	load.batch = 1;
	load.stamped = false;
	if (load.items == ITEMS_DELAYED)
		load.items = ITEMS_FAR;
	load.consumer = order->kind == ORDER_DRAIN;
	client = s->driver->connect(s->server, &load);
	if (load.consumer)
		s->driver->get(client, order->count);
	else
		s->driver->put(client, order->count);
	s->driver->settle(client);
	s->driver->close(client);
}

static void
carry_out(struct state *s, const struct order *order)
{
	switch (order->kind) {
	case ORDER_PUT: put_board(s, order); break;
	case ORDER_GET: get_board(s, order); break;
	case ORDER_FILL:
	case ORDER_DRAIN: move_many(s, order); break;
	case ORDER_RESIDENT:
		for (uint32_t i = 0; i < order->count; i++)
			s->driver->connect(s->server, &s->worker->load);
		break;
	case ORDER_TIDY:
		if (s->driver->tidy)
			s->driver->tidy(s->client);
		break;
	default: die("no such order: %u", order->kind);
	}
}

static void
work(struct state *s, int orders, int reports)
{
	struct order order;
	struct report report = {0, 0};

	for (;;) {
		if (write(reports, &report, sizeof(report)) != sizeof(report) ||
		    read(orders, &order, sizeof(order)) != sizeof(order))
			return;
		report.start_ns = now_ns();
		carry_out(s, &order);
		report.end_ns = now_ns();
	}
}

static void
run(struct worker *w, const struct server *server, int orders, int reports)
{
	struct state s = {w, server, server->driver, NULL};

	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	if (w->load.yields)
		sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){0});
	w->load.body = zalloc(w->load.size);
	w->load.times = w->times;
	s.client = s.driver->connect(server, &w->load);
	work(&s, orders, reports);
	s.driver->close(s.client);
}

void
worker_start(struct worker *worker, const struct server *server)
{
	int to[2], from[2];

	if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
		die("pipe: %s", strerror(errno));
	worker->pid = fork_bound();
	if (worker->pid == 0) {
		close(to[1]);
		close(from[0]);
		run(worker, server, to[0], from[1]);
		_exit(EXIT_SUCCESS);
	}
	close(to[0]);
	close(from[1]);
	worker->orders = to[1];
	worker->reports = from[0];
}

void
worker_stop(struct worker *worker)
{
	end_child(worker->pid);
	close(worker->orders);
	close(worker->reports);
}

void
worker_order(const struct worker *worker, const struct order *order)
{
	/* A dead worker shows when its report is missed. */
	if (write(worker->orders, order, sizeof(*order)) != sizeof(*order))
		return;
}

bool
worker_report(const struct worker *worker, int wait_ms, struct report *ret)
{
	struct pollfd p = {worker->reports, POLLIN, 0};

	return poll(&p, 1, wait_ms) == 1 &&
	       read(worker->reports, ret, sizeof(*ret)) == sizeof(*ret);
}
