/* SPDX-License-Identifier: MIT
 * The tables, and how a case is measured. */
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
#define CASE(name, title, kind, tcp, size, outstanding, batch, clients, who, quick) \
	{#name, title, KIND_##kind, tcp, size, outstanding, batch, clients, who, quick},
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

/* Adds the contestants of a case that can take part. */
static unsigned
choose(const struct settings *s, const struct bench_case *c, struct entrant *ret)
{
	unsigned n = 0;

	for (unsigned i = 0; i < DRIVERS; i++) {
		struct entrant *e = &ret[n];

		if (!(c->drivers & (1u << i)))
			continue;
		*e = (struct entrant){.label = drivers[i]->name, .clients = c->clients};
		e->server.driver = drivers[i];
		e->server.build = s->build;
		e->load.size = c->size;
		e->load.outstanding = c->outstanding;
		e->load.batch = c->batch;
		e->load.stamped = c->kind == KIND_STREAM && c->outstanding == 1 &&
				  c->batch == 1 && !drivers[i]->unstamped;
		if (!drivers[i]->missing || !drivers[i]->missing(&e->server))
			n++;
	}
	return n;
}

static void
start_all(const struct settings *s, struct entrant *e, unsigned n, bool tcp)
{
	for (unsigned i = 0; i < n; i++)
		if (!entrant_start(&e[i], s->folder, tcp) && i == 0)
			die("without qbroker there is nothing to measure");
}

static void
take_quantiles(const struct entrant *e, enum phase phase, double ret_us[QUANTILES])
{
	static const double shares[QUANTILES] = {0.5, 0.99, 0.999};
	struct histogram times;

	entrant_times(e, phase, &times);
	for (int i = 0; i < QUANTILES; i++)
		ret_us[i] = histogram_quantile(&times, shares[i]) / 1000;
}

static void
add_figure(struct result *r, const char *name, enum phase phase,
	   const struct series *series, const struct entrant *e)
{
	struct figure *f = &r->figure[r->figures++];

	memset(f, 0, sizeof(*f));
	f->name = name;
	f->unit = "items/s";
	f->series = series[phase];
	for (unsigned i = 0; i < r->entrants; i++)
		if (!e[i].out && r->what->outstanding == 1 && r->what->batch == 1)
			take_quantiles(&e[i], phase, f->quantile_us[i]);
}

void
case_run(const struct settings *s, const struct bench_case *c, struct result *ret)
{
	static struct series series[3];
	static struct entrant e[DRIVERS];
	bool stream = c->kind == KIND_STREAM;

	memset(ret, 0, sizeof(*ret));
	ret->what = c;
	ret->entrants = choose(s, c, e);
	for (unsigned i = 0; i < ret->entrants; i++)
		ret->label[i] = e[i].label;
	start_all(s, e, ret->entrants, c->tcp);
	rounds_calibrate(e, ret->entrants, stream, s->slice_ns);
	rounds_run(e, ret->entrants, stream, s->rounds, series);
	if (stream) {
		add_figure(ret, "put-to-get", PHASE_STREAM, series, e);
	} else {
		add_figure(ret, "put", PHASE_PUT, series, e);
		add_figure(ret, "get+ack", PHASE_GET, series, e);
	}
	for (unsigned i = 0; i < ret->entrants; i++)
		entrant_stop(&e[i]);
}
