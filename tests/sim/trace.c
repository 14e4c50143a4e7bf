/* SPDX-License-Identifier: MIT
 *
 * What has happened: the last of it for people, all of it as one number.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/sim.h"

#define SHOWN 120

static const char *const texts[] = {
#define TRACE(name, text) text,
#include "tests/sim/trace.def"
#undef TRACE
};

static void
add(uint64_t n)
{
	sim->hash = (sim->hash ^ n) * UINT64_C(0x9e3779b97f4a7c15);
	sim->hash ^= sim->hash >> 29;
}

void
trace(enum sim_what what, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	struct sim_trace *t = &sim->traces[sim->n_traces++ % SIM_TRACES];

	*t = (struct sim_trace){.ns = sim->now_ns,
				.step = sim->step,
				.what = (uint8_t)what,
				.n = {a, b, c, d}};
	add(what);
	add(sim->now_ns);
	for (int i = 0; i < 4; i++)
		add(t->n[i]);
}

static void
show(const struct sim_trace *t)
{
	printf("%6u %10.3f ms  ", t->step, (double)t->ns / 1e6);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	printf(texts[t->what], (unsigned)t->n[0], (unsigned)t->n[1], (unsigned)t->n[2],
	       (unsigned)t->n[3]);
#pragma GCC diagnostic pop
	printf("\n");
}

static void
show_options(const struct sim_options *o)
{
	printf("options: steps %u, queues %u, producers %u, consumers %u, segment %u, "
	       "sync_interval_ms %u, resume_grace_ms %u, restart_grace_ms %u, "
	       "output_high %u, commit 1/%u, keep 1/%u, kill %u, power %u, stop %u, "
	       "disk_error %u, disk_full %u, cut %u, die %u, hang %u, leases %u%%, "
	       "in_pieces %d, slow %d, body_memory %u, memory %u\n",
	       o->steps, o->queues, o->producers, o->consumers, o->segment,
	       o->sync_interval_ms, o->resume_grace_ms, o->restart_grace_ms,
	       o->output_high, o->commit, o->keep, o->kill, o->power, o->stop,
	       o->disk_error, o->disk_full, o->cut, o->die, o->hang, o->leases,
	       o->in_pieces, o->slow, o->body_memory, o->memory);
}

static void
show_item(unsigned n)
{
	static const char *const put[] = {"asked", "confirmed", "refused"},
				 *const gone[] = {"", ", maybe gone", ", gone"};
	const struct sim_item *item = &sim->items[sim->items[n].body.of];

	printf("item %u of %s: put %s (step %u)%s (step %u)%s%s, id %" PRIu64
	       ", holder %d, producer %u, rid %" PRIu64 ", ready at %.3f ms\n",
	       n, sim->queues[item->queue].name, put[item->put], item->put_step,
	       gone[item->gone], item->gone_step,
	       item->may_be_lost ? ", may be lost" : "",
	       item->may_be_dead ? ", may be dead" : "", item->id, item->holder,
	       item->producer, item->rid, (double)item->ready_ns / 1e6);
}

void
wrong(const char *fmt, ...)
{
	unsigned n = sim->n_traces, shown = SHOWN;
	const char *more = getenv("QB_SIM_SHOWN");
	va_list args;

	if (more)
		shown = (unsigned)atoi(more);
	if (shown > SIM_TRACES)
		shown = SIM_TRACES;
	for (unsigned i = n > shown ? n - shown : 0; i < n; i++)
		show(&sim->traces[i % SIM_TRACES]);
	printf("seed %" PRIu64 ", step %u, %.3f ms: ", sim->o.seed, sim->step,
	       (double)sim->now_ns / 1e6);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	if (sim->about >= 0)
		show_item((unsigned)sim->about);
	show_options(&sim->o);
	if (outside_last_log()[0])
		printf("last log line: %s\n", outside_last_log());
	fflush(stdout);
	exit(1);
}
