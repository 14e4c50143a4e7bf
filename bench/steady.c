/* SPDX-License-Identifier: MIT
 * Times under a load that is offered whatever the contestant does: each put has its planned
 * start, and an item's time counts from there until a consumer has it. */
#include <stdio.h>

#include "bench/cases.h"
#include "bench/clock.h"

#define SLICE_NS	  INT64_C(1000000000)
#define QUICK_NS	  INT64_C(300000000)
#define BULK_NS		  INT64_C(3000000000) /* about as long as the item is on its way */
#define SMALL		  16384
#define FULL_SLICES	  5 /* the full load is the median of so many */
#define MAX_ROUNDS_STEADY 9

static int64_t
slice_ns(const struct settings *s)
{
	return s->extent == EXTENT_FULL ? SLICE_NS : QUICK_NS;
}

static void
offer(struct entrant *e, int64_t slice_ns, double per_second)
{
	e->interval_ns = per_second > 1 ? (int64_t)(1e9 / per_second) : 1000000000;
	e->count = (unsigned)(slice_ns / e->interval_ns);
	if (e->count == 0)
		e->count = 1;
}

static void
offer_half_of_full_load(const struct settings *s, struct entrant *e, int64_t slice_ns)
{
	static struct measured measured;
	size_t bulk = e->bulk.size;

	memset(&measured, 0, sizeof(measured));
	e->bulk.size = 0;
	rounds_calibrate(e, 1, true, s->slice_ns);
	rounds_run(e, 1, true, FULL_SLICES, &measured);
	e->bulk.size = bulk;
	offer(e, slice_ns, series_spread(&measured.rate[PHASE_STREAM], 0).median / 2);
}

static void
note(struct result *r, unsigned entrant, unsigned round, const double us[QUANTILES],
     int64_t interval_ns)
{
	for (int i = 0; i < QUANTILES; i++)
		r->figure[i].series.value[entrant][round] = us[i];
	r->figure[QUANTILES].series.value[entrant][round] = 1e9 / (double)interval_ns;
}

static void
run_slice(struct entrant *e, struct result *r, unsigned entrant, unsigned round)
{
	double us[QUANTILES];
	int64_t ns;

	if (e->out)
		return;
	entrant_forget_times(e);
	if (!entrant_slice(e, PHASE_STREAM, &ns))
		return;
	take_quantiles(e, PHASE_STREAM, us);
	note(r, entrant, round, us, e->interval_ns);
}

/* Each entrant has its load by now. */
static void
run_rounds(const struct settings *s, struct entrant *e, unsigned n, struct result *r)
{
	unsigned rounds = s->rounds > MAX_ROUNDS_STEADY ? MAX_ROUNDS_STEADY : s->rounds;

	case_figure(r, "p50", "us");
	case_figure(r, "p99", "us");
	case_figure(r, "p99.9", "us");
	case_figure(r, "offered", "items/s");
	for (unsigned i = 0; i < r->figures; i++)
		r->figure[i].series.rounds = rounds;
	for (unsigned round = 0; round < rounds; round++)
		for (unsigned i = 0; i < n; i++)
			run_slice(&e[i], r, i, round);
}

void
measure_steady(const struct settings *s, struct result *ret)
{
	static struct entrant e[DRIVERS];
	unsigned n = case_choose(s, ret->what, e);

	case_start(s, e, n, ret);
	for (unsigned i = 0; i < n; i++)
		offer(&e[i], slice_ns(s), ret->what->amount);
	run_rounds(s, e, n, ret);
	case_stop(e, n);
}

void
measure_sizes(const struct settings *s, struct result *ret)
{
	static struct entrant e[2];

	e[0] = case_entrant(s, ret->what, &driver_qbroker);
	e[1] = e[0];
	e[0].label = "large";
	e[1].label = "small";
	e[1].load.size = SMALL;
	case_start(s, e, 2, ret);
	for (int i = 0; i < 2; i++)
		offer_half_of_full_load(s, &e[i], slice_ns(s));
	run_rounds(s, e, 2, ret);
	case_stop(e, 2);
}

/* Beside the others, what the machine itself is late. */
static void
run_clock(struct result *r, int64_t slice_ns, int64_t interval_ns)
{
	struct histogram times;
	double us[QUANTILES];
	unsigned clock = r->entrants++;

	r->label[clock] = "clock";
	for (unsigned round = 0; round < r->figure[0].series.rounds; round++) {
		clock_times(slice_ns, interval_ns, &times);
		quantiles_of(&times, us);
		note(r, clock, round, us, interval_ns);
	}
}

/* Both get the same load: the half of what the one without the bulk can do. What is asked is how long the
 * broker keeps others waiting, so the two processes with the large item, which copy all the time,
 * take no processor from those with the small ones. */
void
measure_bulk(const struct settings *s, struct result *ret)
{
	static struct entrant e[2];
	uint64_t bytes = (uint64_t)ret->what->amount << 20,
		 most = memory_available() / 6;

	if (bytes > most) {
		fprintf(stderr, "bench: %s: memory is for %u MiB only\n",
			ret->what->name, (unsigned)(most >> 20));
		bytes = most;
	}
	for (int i = 0; i < 2; i++) {
		e[i] = case_entrant(s, ret->what, &driver_qbroker);
		e[i].server.options = "max_item=1G memory_limit=3G";
	}
	e[0].label = "beside";
	e[0].bulk = e[0].load;
	e[0].bulk.size = bytes;
	e[0].bulk.queue = "bulk";
	e[0].bulk.stamped = false;
	e[0].bulk.yields = true;
	e[1].label = "alone";
	case_start(s, e, 2, ret);
	offer_half_of_full_load(s, &e[1], BULK_NS);
	e[0].interval_ns = e[1].interval_ns;
	e[0].count = e[1].count;
	run_rounds(s, e, 2, ret);
	run_clock(ret, BULK_NS / 3, e[1].interval_ns);
	case_stop(e, 2);
}
