/* SPDX-License-Identifier: MIT
 * What the servers need for items and connections: resident memory, from /proc. */
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench/cases.h"

#define CONNECTIONS  10000
#define SMOKE	     50	   /* connections */
#define SPARE	     200   /* descriptors for other things */
#define GIVE_BACK_NS INT64_C(20000) /* a server may take so long for each item to free memory */

struct needs {
	double item, given_back, connection;
};

static double
resident(const struct entrant *e)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)e->server.pid);
	return (double)proc_bytes(path, "VmRSS:");
}

/* What is resident when it has not shrunk any more for a while. */
static double
resident_after_a_while(const struct entrant *e, double wanted, unsigned items)
{
	const struct timespec pause = {0, 10000000};
	int64_t end = now_ns() + GIVE_BACK_NS * items;
	double now;

	while ((now = resident(e)) > wanted && now_ns() < end)
		nanosleep(&pause, NULL);
	return now;
}

/* A broker may need two descriptors for each, as qbroker does for those of Unix sockets. */
static unsigned
connections_allowed(void)
{
	struct rlimit limit;
	unsigned connections;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		die("getrlimit failed");
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur >= 2 * CONNECTIONS + SPARE)
		return CONNECTIONS;
	connections = (unsigned)(limit.rlim_cur - SPARE) / 2;
	fprintf(stderr,
		"bench: memory: %u connections instead of %d: ulimit -n is %llu\n",
		connections, CONNECTIONS, (unsigned long long)limit.rlim_cur);
	return connections;
}

static bool
measure(struct entrant *e, unsigned items, unsigned connections, struct needs *ret)
{
	struct order fill = {.kind = ORDER_FILL, .count = items};
	struct order drain = {.kind = ORDER_DRAIN, .count = items};
	struct order tidy = {.kind = ORDER_TIDY};
	struct order connect = {.kind = ORDER_RESIDENT, .count = connections};
	double before, full, after;

	before = resident(e);
	if (!entrant_order(e, entrant_producer(e), &fill))
		return false;
	full = resident(e);
	if (!entrant_order(e, entrant_consumer(e), &drain) ||
	    !entrant_order(e, entrant_consumer(e), &tidy))
		return false;
	after = resident_after_a_while(e, before + (full - before) / 20, items);
	ret->item = (full - before) / items - (double)e->load.size;
	ret->given_back = (full - after) / (full - before);
	if (!entrant_order(e, entrant_producer(e), &connect))
		return false;
	ret->connection = (resident(e) - after) / connections;
	return true;
}

static void
take(struct result *r, unsigned entrant, const struct needs *needs)
{
	r->figure[0].series.value[entrant][0] = needs->item;
	r->figure[1].series.value[entrant][0] = needs->given_back;
	r->figure[2].series.value[entrant][0] = needs->connection;
}

void
measure_memory(const struct settings *s, struct result *ret)
{
	static struct entrant e[DRIVERS];
	unsigned connections =
		s->extent == EXTENT_SMOKE ? SMOKE : connections_allowed();
	unsigned n = case_choose(s, ret->what, e);

	for (unsigned i = 0; i < n; i++)
		if (e[i].server.driver == &driver_qbroker)
			e[i].server.options = "max_connections=20000";
	case_start(s, e, n, ret);
	case_figure(ret, "item", "bytes");
	case_figure(ret, "given back", "share");
	case_figure(ret, "connection", "bytes");
	for (unsigned i = 0; i < ret->figures; i++)
		ret->figure[i].series.rounds = 1;
	for (unsigned i = 0; i < n; i++) {
		bool own = e[i].server.driver == &driver_qbroker;
		unsigned items = s->extent == EXTENT_SMOKE
					 ? scaled(s, ret->what->amount)
					 : ret->what->amount;
		struct needs needs;

		/* Others are slower, and allow fewer connections with their defaults. */
		if (!e[i].out && measure(&e[i], own ? items : items / 10,
					 own ? connections : 500, &needs))
			take(ret, i, &needs);
	}
	case_stop(e, n);
}
