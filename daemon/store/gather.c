/* SPDX-License-Identifier: MIT
 * See gather.h. */
#include "daemon/store/gather.h"

#define LEAST_NS UINT64_C(50000) /* a shorter wait is not worth falling asleep for */
#define MOST_NS	 UINT64_C(10000000)
#define MS	 UINT64_C(1000000)

/* To be worth it, it has to get a sixteenth more to disk. */
static bool
is_better_on(const struct gather *g)
{
	return g->rate[true] > g->rate[false] + g->rate[false] / 16;
}

static void
next_period(struct gather *g, uint64_t now_ns)
{
	uint64_t *rate = &g->rate[g->on];
	uint64_t now = g->bytes * MS / (now_ns - g->since_ns + 1) + 1;

	*rate = *rate ? (*rate + now) / 2 : now;
	g->periods++;
	if (g->rate[true] == 0)
		g->on = true;
	else
		g->on = is_better_on(g) != (g->periods % GATHER_TRY == 0);
	g->syncs = 0;
	g->bytes = 0;
	g->since_ns = now_ns;
}

void
gather_synced(struct gather *g, uint64_t began_ns, uint64_t now_ns, uint64_t bytes,
	      uint64_t pending)
{
	uint64_t took_ns = now_ns - began_ns;

	if (took_ns < LEAST_NS)
		took_ns = 0;
	else if (took_ns > MOST_NS)
		took_ns = MOST_NS;
	g->expected = bytes + pending;
	g->until_ns = now_ns + took_ns;
	if (g->since_ns == 0)
		g->since_ns = now_ns;
	else
		g->bytes += bytes;
	if (++g->syncs == GATHER_PERIOD)
		next_period(g, now_ns);
}

/* What they bring varies a little. */
bool
gather_has(const struct gather *g, uint64_t pending)
{
	return pending >= g->expected - g->expected / 8;
}

bool
gather_waits(const struct gather *g, uint64_t pending, uint64_t now_ns)
{
	return g->on && now_ns < g->until_ns && !gather_has(g, pending);
}
