/* SPDX-License-Identifier: MIT
 * Runs the cases that are asked for and reports them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/report.h"

static bool
wanted(const struct settings *s, const struct bench_case *c)
{
	return c->extent <= s->extent && (!s->only || strstr(c->name, s->only));
}

static FILE *
result_file(const struct settings *s, const char *name)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", s->results, name);
	f = fopen(path, "w");
	if (!f)
		die("%s: %s", path, strerror(errno));
	return f;
}

static void
write_files(const struct settings *s, const struct result *results, unsigned n)
{
	FILE *json = result_file(s, "results.json");
	FILE *markdown = result_file(s, "results.md");
	FILE *data = result_file(s, "results.tsv");

	report_json(json, s, results, n);
	report_markdown(markdown, results, n);
	report_plot_data(data, results, n);
	if (fclose(json) != 0 || fclose(markdown) != 0 || fclose(data) != 0)
		die("%s: %s", s->results, strerror(errno));
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
	if (n == 0)
		die("no case has \"%s\" in its name", s->only);
	report_targets(stdout, results, n);
	if (s->results)
		write_files(s, results, n);
	free(results);
}
