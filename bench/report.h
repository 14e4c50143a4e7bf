/* SPDX-License-Identifier: MIT
 * The results as text, while the benchmark runs, and whether targets are met. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdio.h>

#include "bench/cases.h"

/* What became of a target. */
struct verdict {
	const struct target *target;
	struct spread measured; /* median 0: it was not */
	bool met;
};

/* Looks a target's figure up in the results. */
struct verdict target_verdict(const struct target *t, const struct result *results,
			      unsigned n);

void report_text(FILE *out, const struct result *r);
void report_targets(FILE *out, const struct result *results, unsigned n);

/* All results: as JSON, as the tables of doc/benchmarks.md, as columns for gnuplot. */
void report_json(FILE *out, const struct settings *s, const struct result *results,
		 unsigned n);
void report_markdown(FILE *out, const struct result *results, unsigned n);
void report_plot_data(FILE *out, const struct result *results, unsigned n);

#endif
