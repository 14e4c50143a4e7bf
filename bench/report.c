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

static const struct figure *
figure_named(const struct result *r, const char *name)
{
	for (unsigned i = 0; i < r->figures; i++)
		if (strcmp(r->figure[i].name, name) == 0)
			return &r->figure[i];
	return NULL;
}

static struct spread
measured(const struct target *t, const struct result *r)
{
	const struct figure *f = figure_named(r, t->figure);
	int subject = entrant_named(r, t->subject);
	int versus = t->versus ? entrant_named(r, t->versus) : 0;
	struct spread none = {0};

	if (!f || subject < 0 || versus < 0)
		return none;
	return t->versus ? series_ratio(&f->series, (unsigned)subject, (unsigned)versus)
			 : series_spread(&f->series, (unsigned)subject);
}

struct verdict
target_verdict(const struct target *t, const struct result *results, unsigned n)
{
	struct verdict v = {.target = t};

	for (unsigned i = 0; i < n; i++)
		if (strcmp(results[i].what->name, t->case_name) == 0)
			v.measured = measured(t, &results[i]);
	v.met = v.measured.median > 0 && (t->at_least ? v.measured.median >= t->bound
						      : v.measured.median <= t->bound);
	return v;
}

/* A number with as many places as it is worth. */
static const char *
number(double value, char *ret, size_t len)
{
	int places = value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;

	snprintf(ret, len, "%.*f", places, value);
	return ret;
}

static void
print_entrant(FILE *out, const struct result *r, const struct figure *f, unsigned i)
{
	struct spread own = series_spread(&f->series, i);
	struct spread ratio = series_ratio(&f->series, 0, i);
	char text[64] = "", value[32];

	if (own.median == 0) {
		fprintf(out, "    %-16s             -\n", r->label[i]);
		return;
	}
	if (i > 0)
		snprintf(text, sizeof(text), "%.2f (%.2f - %.2f)", ratio.median,
			 ratio.least, ratio.most);
	fprintf(out, "    %-16s %13s  %-24s", r->label[i],
		number(own.median, value, sizeof(value)), text);
	if (f->quantile_us[i][0] > 0)
		fprintf(out, " %9.1f %9.1f %9.1f", f->quantile_us[i][0],
			f->quantile_us[i][1], f->quantile_us[i][2]);
	fputc('\n', out);
}

static void
print_head(FILE *out, const struct result *r, const struct figure *f)
{
	fprintf(out, "  %-18s %13s  / other (least - most)", f->name, f->unit);
	if (f->quantile_us[0][0] > 0)
		fprintf(out, "    %9s %9s %9s", "p50 us", "p99 us", "p99.9 us");
	fputc('\n', out);
}

void
report_text(FILE *out, const struct result *r)
{
	fprintf(out, "\n%s: %s\n", r->what->name, r->what->title);
	for (unsigned f = 0; f < r->figures; f++) {
		print_head(out, r, &r->figure[f]);
		for (unsigned i = 0; i < r->entrants; i++)
			print_entrant(out, r, &r->figure[f], i);
	}
	fflush(out);
}

void
report_targets(FILE *out, const struct result *results, unsigned n)
{
	fprintf(out, "\n%-16s %-10s %-24s %12s %9s  %s\n", "target", "figure", "of", "",
		"measured", "least - most");
	for (unsigned i = 0; i < n_targets; i++) {
		const struct target *t = &targets[i];
		struct verdict v = target_verdict(t, results, n);
		char of[64], median[32], least[32], most[32];

		if (v.measured.median == 0)
			continue;
		snprintf(of, sizeof(of), "%s%s%s", t->subject, t->versus ? " / " : "",
			 t->versus ? t->versus : "");
		fprintf(out, "%-16s %-10s %-24s %s %-7g %9s %10s - %-9s %s\n",
			t->case_name, t->figure, of,
			t->at_least ? ">=" : "<=", t->bound,
			number(v.measured.median, median, sizeof(median)),
			number(v.measured.least, least, sizeof(least)),
			number(v.measured.most, most, sizeof(most)),
			v.met ? "met" : "NOT MET");
	}
}
