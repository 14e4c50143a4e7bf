/* SPDX-License-Identifier: MIT
 * The cases and targets of cases.def, and what comes out of a case. */
#ifndef BENCH_CASES_H
#define BENCH_CASES_H

#include "bench/modes.h"
#include "bench/rounds.h"

#define MAX_FIGURES 4
#define QUANTILES   3 /* p50, p99, p99.9 */

/* What a case does. */
enum kind {
	KIND_STORE,  /* slices of puts, then of gets of what was put */
	KIND_STREAM, /* puts and gets at the same time */
};

struct bench_case {
	const char *name, *title;
	enum kind kind;
	bool tcp;
	size_t size;
	unsigned outstanding, batch, clients;
	unsigned drivers; /* bits: DRIVER_BIT */
	bool quick;	  /* also in the quick run */
};

/* A ratio that qbroker wants to reach: of one entrant's figure to another's. */
struct target {
	const char *case_name, *figure, *subject, *versus;
	bool at_least; /* else at most */
	double bound;
};

/* One quantity, in all rounds, of all entrants. */
struct figure {
	const char *name, *unit;
	struct series series;
	double quantile_us[MAX_ENTRANTS][QUANTILES]; /* 0: not measured */
};

struct result {
	const struct bench_case *what;
	unsigned entrants;
	const char *label[MAX_ENTRANTS];
	unsigned figures;
	struct figure figure[MAX_FIGURES];
};

enum driver_number {
#define DRIVER(name) NUMBER_##name,
#include "bench/drivers.def"
#undef DRIVER
	DRIVERS
};

#define DRIVER_BIT(name) (1u << NUMBER_##name)

extern const struct driver *const drivers[DRIVERS];
extern const struct bench_case cases[];
extern const unsigned n_cases;
extern const struct target targets[];
extern const unsigned n_targets;

/* Measures a case. The first entrant is qbroker, and dies if it cannot take part. */
void case_run(const struct settings *s, const struct bench_case *c, struct result *ret);

#endif
