/* SPDX-License-Identifier: MIT
 * The tables, and what the kinds of cases share. */
#include "bench/cases.h"

#include <stdio.h>

#define AT_LEAST true
#define AT_MOST	 false

const struct driver *const drivers[DRIVERS] = {
#define DRIVER(name) &driver_##name,
#include "bench/drivers.def"
#undef DRIVER
};

const struct bench_case cases[] = {
#define CASE(name, title, kind, tcp, size, outstanding, batch, clients, who, amount, \
	     extent)                                                                 \
	{#name, title,	 KIND_##kind, tcp,    size,	      outstanding,           \
	 batch, clients, who,	      amount, EXTENT_##extent},
#include "bench/cases.def"
#undef CASE
};
const unsigned n_cases = sizeof(cases) / sizeof(cases[0]);

const struct target targets[] = {
#define TARGET(case_name, figure, subject, versus, at_least, bound) \
	{#case_name, figure, subject, versus, at_least, bound},
#include "bench/cases.def"
#undef TARGET
};
const unsigned n_targets = sizeof(targets) / sizeof(targets[0]);

static bool
streams(const struct bench_case *c)
{
	return c->kind != KIND_STORE && c->kind != KIND_DEPTH &&
	       c->kind != KIND_PRIORITY && c->kind != KIND_DELAYED &&
	       c->kind < KIND_SYNC;
}

struct entrant
case_entrant(const struct settings *s, const struct bench_case *c,
	     const struct driver *driver)
{
	struct entrant e = {.label = driver->name, .clients = c->clients};

	e.tcp = c->tcp;
	e.server.driver = driver;
	e.server.build = s->build;
	e.server.scripts = s->scripts;
	e.load.size = c->size;
	e.load.outstanding = c->outstanding;
	e.load.batch = c->batch;
	e.load.stamped = streams(c) && c->outstanding == 1 && c->batch == 1 &&
			 !driver->unstamped;
	return e;
}

unsigned
case_choose(const struct settings *s, const struct bench_case *c, struct entrant *ret)
{
	unsigned n = 0;

	for (unsigned i = 0; i < DRIVERS; i++) {
		if (!(c->drivers & (1u << i)))
			continue;
		ret[n] = case_entrant(s, c, drivers[i]);
		if (!drivers[i]->missing || !drivers[i]->missing(&ret[n].server))
			n++;
	}
	return n;
}

void
case_start(const struct settings *s, struct entrant *e, unsigned n, struct result *ret)
{
	ret->entrants = n;
	for (unsigned i = 0; i < n; i++) {
		ret->label[i] = e[i].label;
		if (!entrant_start(&e[i], s->folder) && i == 0)
			die("without qbroker there is nothing to measure");
	}
}

void
case_stop(struct entrant *e, unsigned n)
{
	if (e[0].out)
		die("qbroker failed");
	for (unsigned i = 0; i < n; i++)
		entrant_stop(&e[i]);
}

struct figure *
case_figure(struct result *r, const char *name, const char *unit)
{
	struct figure *f = &r->figure[r->figures++];

	f->name = name;
	f->unit = unit;
	return f;
}

void
quantiles_of(const struct histogram *times, double ret_us[QUANTILES])
{
	static const double shares[QUANTILES] = {0.5, 0.99, 0.999};

	for (int i = 0; i < QUANTILES; i++)
		ret_us[i] = histogram_quantile(times, shares[i]) / 1000;
}

void
take_quantiles(const struct entrant *e, enum phase phase, double ret_us[QUANTILES])
{
	struct histogram times;

	entrant_times(e, phase, &times);
	quantiles_of(&times, ret_us);
}

static void
add_rates(struct result *r, const char *name, enum phase phase,
	  const struct measured *measured, const struct entrant *e)
{
	struct figure *f = case_figure(r, name, "items/s");

	f->series = measured->rate[phase];
	for (unsigned i = 0; i < r->entrants; i++)
		if (!e[i].out && r->what->outstanding == 1 && r->what->batch == 1 &&
		    !e[i].server.driver->whole_slices)
			take_quantiles(&e[i], phase, f->quantile_us[i]);
}

void
measure_rates(const struct settings *s, struct entrant *e, unsigned n,
	      struct result *ret)
{
	static struct measured measured;
	bool stream = streams(ret->what);

	memset(&measured, 0, sizeof(measured));
	case_start(s, e, n, ret);
	rounds_calibrate(e, n, stream, s->slice_ns);
	rounds_run(e, n, stream, s->rounds, &measured);
	if (stream) {
		add_rates(ret, "put-to-get", PHASE_STREAM, &measured, e);
	} else {
		add_rates(ret, "put", PHASE_PUT, &measured, e);
		add_rates(ret, "get+ack", PHASE_GET, &measured, e);
	}
	case_stop(e, n);
}

static void
measure_contestants(const struct settings *s, struct result *ret)
{
	static struct entrant e[DRIVERS];

	measure_rates(s, e, case_choose(s, ret->what, e), ret);
}

void
case_run(const struct settings *s, const struct bench_case *c, struct result *ret)
{
	static void (*const measure[])(const struct settings *, struct result *) = {
		[KIND_STORE] = measure_contestants, [KIND_STREAM] = measure_contestants,
		[KIND_CLIENTS] = measure_clients,   [KIND_DEPTH] = measure_depth,
		[KIND_PRIORITY] = measure_depth,    [KIND_DELAYED] = measure_depth,
		[KIND_STEADY] = measure_steady,	    [KIND_SIZES] = measure_sizes,
		[KIND_BULK] = measure_bulk,	    [KIND_MEMORY] = measure_memory,
		[KIND_SYNC] = measure_sync,	    [KIND_ASYNC] = measure_async,
		[KIND_BESIDE] = measure_beside,	    [KIND_START] = measure_start,
	};

	memset(ret, 0, sizeof(*ret));
	ret->what = c;
	measure[c->kind](s, ret);
}
