/* SPDX-License-Identifier: MIT
 * Cases in which qbroker is compared with itself: with few and many clients, with few and
 * many items waiting. */
#include <inttypes.h>
#include <stdio.h>

#include "bench/cases.h"

#define FEW		1000
#define MANY_CLIENTS_NS INT64_C(200000000)
#define ITEM_BYTES	800 /* of memory, for an item that waits; generously */

void
measure_clients(const struct settings *s, struct result *ret)
{
	static struct entrant e[DRIVERS + 1];
	struct settings longer = *s;
	unsigned n = case_choose(s, ret->what, e);

	e[n] = case_entrant(s, ret->what, &driver_qbroker);
	e[n].label = "qbroker-1";
	e[n].clients = 1;
	/* It takes a while until so many processes all work. */
	if (s->extent != EXTENT_SMOKE && longer.slice_ns < MANY_CLIENTS_NS)
		longer.slice_ns = MANY_CLIENTS_NS;
	measure_rates(&longer, e, n + 1, ret);
}

uint64_t
memory_available(void)
{
	return proc_bytes("/proc/meminfo", "MemAvailable:");
}

unsigned
scaled(const struct settings *s, unsigned amount)
{
	static const unsigned parts[] = {
		[EXTENT_SMOKE] = 1000, [EXTENT_QUICK] = 10, [EXTENT_FULL] = 1};

	return amount / parts[s->extent];
}

static unsigned
depth_of(const struct settings *s, const struct bench_case *c)
{
	uint64_t most = memory_available() / ITEM_BYTES;
	unsigned depth = scaled(s, c->amount);

	if (depth <= most)
		return depth;
	fprintf(stderr, "bench: %s: memory is for %" PRIu64 " items only\n", c->name,
		most);
	return (unsigned)most;
}

void
measure_depth(const struct settings *s, struct result *ret)
{
	static struct entrant e[2];
	const struct bench_case *c = ret->what;

	for (int i = 0; i < 2; i++) {
		e[i] = case_entrant(s, c, &driver_qbroker);
		e[i].load.items = c->kind == KIND_PRIORITY  ? ITEMS_PRIORITY
				  : c->kind == KIND_DELAYED ? ITEMS_DELAYED
							    : ITEMS_PLAIN;
	}
	e[0].label = "deep";
	e[0].depth = depth_of(s, c);
	e[1].label = "shallow";
	e[1].depth = FEW;
	measure_rates(s, e, 2, ret);
}
