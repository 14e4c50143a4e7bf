/* SPDX-License-Identifier: MIT
 * The results as the tables of doc/benchmarks.md. */
#include "bench/report.h"

static const char *
number(double value, char *ret, size_t len)
{
	int places = value >= 100 ? 0 : value >= 10 ? 1 : 2;

	if (value == 0)
		return "-";
	snprintf(ret, len, "%.*f", places, value);
	return ret;
}

static void
print_row(FILE *out, const struct result *r, const struct figure *f, unsigned i)
{
	struct spread ratio = series_ratio(&f->series, 0, i);
	char value[32], median[32], least[32], most[32], times[3][32];

	fprintf(out, "| %s | %s | %s |", f->name, r->label[i],
		number(series_spread(&f->series, i).median, value, sizeof(value)));
	if (i == 0)
		fprintf(out, " |");
	else
		fprintf(out, " %s (%s to %s) |",
			number(ratio.median, median, sizeof(median)),
			number(ratio.least, least, sizeof(least)),
			number(ratio.most, most, sizeof(most)));
	fprintf(out, " %s | %s | %s |\n",
		number(f->quantile_us[i][0], times[0], sizeof(times[0])),
		number(f->quantile_us[i][1], times[1], sizeof(times[1])),
		number(f->quantile_us[i][2], times[2], sizeof(times[2])));
}

static void
print_result(FILE *out, const struct result *r)
{
	fprintf(out,
		"\n### %s: %s\n\n| what | who | %s | %s / it | p50 us | p99 us | "
		"p99.9 us |\n|---|---|---:|---:|---:|---:|---:|\n",
		r->what->name, r->what->title, r->figure[0].unit, r->label[0]);
	for (unsigned f = 0; f < r->figures; f++)
		for (unsigned i = 0; i < r->entrants; i++)
			print_row(out, r, &r->figure[f], i);
}

static void
print_target(FILE *out, const struct verdict *v)
{
	const struct target *t = v->target;
	char median[32], least[32], most[32];

	fprintf(out, "| %s | %s | %s%s%s | %s %g | %s (%s to %s) | %s |\n",
		t->case_name, t->figure, t->subject, t->versus ? " / " : "",
		t->versus ? t->versus : "", t->at_least ? "≥" : "≤", t->bound,
		number(v->measured.median, median, sizeof(median)),
		number(v->measured.least, least, sizeof(least)),
		number(v->measured.most, most, sizeof(most)),
		v->met ? "met" : "not met");
}

void
report_markdown(FILE *out, const struct result *results, unsigned n)
{
	fprintf(out, "\n### Targets\n\n| case | what | of | target | measured | |\n"
		     "|---|---|---|---:|---:|---|\n");
	for (unsigned i = 0; i < n_targets; i++) {
		struct verdict v = target_verdict(&targets[i], results, n);

		if (v.measured.median != 0)
			print_target(out, &v);
	}
	for (unsigned i = 0; i < n; i++)
		print_result(out, &results[i]);
}
