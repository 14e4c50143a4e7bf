/* SPDX-License-Identifier: MIT
 * See gather.h. */
#include "daemon/store/gather.h"

#define LEAST_NS UINT64_C(50000) /* a shorter wait is not worth falling asleep for */
#define MOST_NS	 UINT64_C(10000000)
#define MAX_VAIN 6

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
	g->rest -= g->rest > 0;
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
	return g->rest == 0 && now_ns < g->until_ns && !gather_has(g, pending);
}

void
gather_waited(struct gather *g, uint64_t pending)
{
	if (pending >= g->expected / 2) {
		g->vain = 0;
		return;
	}
	g->vain += g->vain < MAX_VAIN;
	g->rest = 1u << g->vain;
}
