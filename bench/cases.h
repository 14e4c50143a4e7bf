/* SPDX-License-Identifier: MIT
 * The cases and targets of cases.def, and what comes out of a case. */
#ifndef BENCH_CASES_H
#define BENCH_CASES_H

#include "bench/modes.h"
#include "bench/rounds.h"

#define MAX_FIGURES 4
#define QUANTILES   3 /* p50, p99, p99.9 */

/* What a case does. `amount` is its own number. */
enum kind {
	KIND_STORE,    /* slices of puts, then of gets of what was put */
	KIND_STREAM,   /* puts and gets at the same time */
	KIND_CLIENTS,  /* the same, and qbroker with one client beside it */
	KIND_DEPTH,    /* STORE with `amount` items waiting, and with 1000 */
	KIND_PRIORITY, /* the same, by priority */
	KIND_DELAYED,  /* the same, of delayed items */
	KIND_STEADY,   /* STREAM with `amount` items offered in a second; times */
	KIND_SIZES,    /* at half of its full load, and with items of 16 KiB; times */
	KIND_BULK,   /* the same while an item of `amount` MiB passes, and without it */
	KIND_MEMORY, /* of `amount` items */
	/* From here on in queues that are kept on the disk. */
	KIND_SYNC,   /* STORE, with a sync before anything is confirmed */
	KIND_ASYNC,  /* STORE of qbroker with durable=async, and in memory */
	KIND_BESIDE, /* times of puts in memory beside a flood with durable=sync */
	KIND_START,  /* of qbroker that has kept `amount` items */
};

struct bench_case {
	const char *name, *title;
	enum kind kind;
	bool tcp;
	size_t size;
	unsigned outstanding, batch, clients;
	unsigned drivers; /* bits: DRIVER_BIT */
	unsigned amount;
	enum extent extent; /* of the smallest run that it is part of */
};

/* What qbroker wants to reach: a figure of an entrant, or its ratio to another one's. */
struct target {
	const char *case_name, *figure, *subject;
	const char *versus; /* NULL: the figure itself */
	bool at_least;	    /* else at most */
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

/* Measures a case. The first entrant is qbroker; the program ends if it takes no part. */
void case_run(const struct settings *s, const struct bench_case *c, struct result *ret);

/* --- for the kinds of cases ------------------------------------------------------- */

/* An entrant as the case describes it. */
struct entrant case_entrant(const struct settings *s, const struct bench_case *c,
			    const struct driver *driver);

/* The contestants of a case that can take part. */
unsigned case_choose(const struct settings *s, const struct bench_case *c,
		     struct entrant *ret);

/* What an entrant's times were in this phase: p50, p99, p99.9. */
void take_quantiles(const struct entrant *e, enum phase phase,
		    double ret_us[QUANTILES]);

void quantiles_of(const struct histogram *times, double ret_us[QUANTILES]);

/* Starts the entrants and notes them in the result; stops them. */
void case_start(const struct settings *s, struct entrant *e, unsigned n,
		struct result *ret);
void case_stop(struct entrant *e, unsigned n);

struct figure *case_figure(struct result *r, const char *name, const char *unit);

/* Starts them, measures rates, stops them. */
void measure_rates(const struct settings *s, struct entrant *e, unsigned n,
		   struct result *ret);

/* One for each kind that does more. */
void measure_clients(const struct settings *s, struct result *ret);
void measure_depth(const struct settings *s, struct result *ret);
void measure_steady(const struct settings *s, struct result *ret);
void measure_sizes(const struct settings *s, struct result *ret);
void measure_bulk(const struct settings *s, struct result *ret);
void measure_memory(const struct settings *s, struct result *ret);
void measure_sync(const struct settings *s, struct result *ret);
void measure_async(const struct settings *s, struct result *ret);
void measure_beside(const struct settings *s, struct result *ret);
void measure_start(const struct settings *s, struct result *ret);

/* An amount in a run of this extent: a tenth in a quick one. */
unsigned scaled(const struct settings *s, unsigned amount);

/* Bytes of memory that the machine could give now. */
uint64_t memory_available(void);

#endif
