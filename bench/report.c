/* SPDX-License-Identifier: MIT
 * See report.h. */
#include "bench/report.h"

#include <string.h>

static int
entrant_named(const struct result *r, const char *label)
{
	for (unsigned i = 0; i < r->entrants; i++)
		if (strcmp(r->label[i], label) == 0)
			return (int)i;
	return -1;
}

static struct spread
ratio_of(const struct target *t, const struct result *r)
{
	struct spread none = {0};
	int subject = entrant_named(r, t->subject),
	    versus = entrant_named(r, t->versus);

	for (unsigned i = 0; i < r->figures; i++)
		if (strcmp(r->figure[i].name, t->figure) == 0 && subject >= 0 &&
		    versus >= 0)
			return series_ratio(&r->figure[i].series, (unsigned)subject,
					    (unsigned)versus);
	return none;
}

struct verdict
target_verdict(const struct target *t, const struct result *results, unsigned n)
{
	struct verdict v = {.target = t};

	for (unsigned i = 0; i < n; i++)
		if (strcmp(results[i].what->name, t->case_name) == 0)
			v.ratio = ratio_of(t, &results[i]);
	v.met = v.ratio.median > 0 &&
		(t->at_least ? v.ratio.median >= t->bound : v.ratio.median <= t->bound);
	return v;
}

static void
print_entrant(FILE *out, const struct result *r, const struct figure *f, unsigned i)
{
	struct spread own = series_spread(&f->series, i);
	struct spread ratio = series_ratio(&f->series, 0, i);
	char text[64] = "";

	if (own.median <= 0) {
		fprintf(out, "    %-16s             -\n", r->label[i]);
		return;
	}
	if (i > 0)
		snprintf(text, sizeof(text), "%.2f (%.2f - %.2f)", ratio.median,
			 ratio.least, ratio.most);
	fprintf(out, "    %-16s %13.0f  %-24s", r->label[i], own.median, text);
	if (f->quantile_us[i][0] > 0)
		fprintf(out, " %9.1f %9.1f %9.1f", f->quantile_us[i][0],
			f->quantile_us[i][1], f->quantile_us[i][2]);
	fputc('\n', out);
}

void
report_text(FILE *out, const struct result *r)
{
	fprintf(out, "\n%s: %s\n", r->what->name, r->what->title);
	for (unsigned f = 0; f < r->figures; f++) {
		fprintf(out, "  %-18s %13s  %-24s %9s %9s %9s\n", r->figure[f].name,
			r->figure[f].unit, r->label[0], "p50 us", "p99 us", "p99.9 us");
		for (unsigned i = 0; i < r->entrants; i++)
			print_entrant(out, r, &r->figure[f], i);
	}
	fflush(out);
}

void
report_targets(FILE *out, const struct result *results, unsigned n)
{
	fprintf(out, "\n%-12s %-12s %-28s %9s %9s  %-15s\n", "case", "figure", "ratio",
		"target", "measured", "least - most");
	for (unsigned i = 0; i < n_targets; i++) {
		const struct target *t = &targets[i];
		struct verdict v = target_verdict(t, results, n);
		char ratio[64];

		if (v.ratio.median <= 0)
			continue;
		snprintf(ratio, sizeof(ratio), "%s / %s", t->subject, t->versus);
		fprintf(out, "%-12s %-12s %-28s %2s %6.2f %9.2f  %6.2f - %-6.2f %s\n",
			t->case_name, t->figure, ratio,
			t->at_least ? ">=" : "<=", t->bound, v.ratio.median,
			v.ratio.least, v.ratio.most, v.met ? "met" : "NOT MET");
	}
}
