/* SPDX-License-Identifier: MIT
 * Runs the cases that are asked for and reports them. */
#include <stdio.h>
#include <string.h>

#include "bench/report.h"

static bool
wanted(const struct settings *s, const struct bench_case *c)
{
	return (!s->quick || c->quick) && (!s->only || strstr(c->name, s->only));
}

void
run_cases(const struct settings *s)
{
	struct result *results = zalloc(n_cases * sizeof(*results));
	unsigned n = 0;

	printf("%u rounds of slices of %d ms; the contestants of a case take turns.\n"
	       "A ratio is the median (least - most) of the rounds' ratios.\n",
	       s->rounds, (int)(s->slice_ns / 1000000));
	for (unsigned i = 0; i < n_cases; i++)
		if (wanted(s, &cases[i])) {
			case_run(s, &cases[i], &results[n]);
			report_text(stdout, &results[n]);
			n++;
		}
	report_targets(stdout, results, n);
}
