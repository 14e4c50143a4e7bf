/* SPDX-License-Identifier: MIT
 * The results for programs: everything as JSON, and the rates as a table for gnuplot. */
#include "bench/report.h"

#include <string.h>

/* The texts are our own, without anything that JSON would want escaped. */
static void
print_values(FILE *out, const struct series *s, unsigned entrant)
{
	fprintf(out, "\"values\": [");
	for (unsigned i = 0; i < s->rounds; i++)
		fprintf(out, "%s%.6g", i > 0 ? ", " : "", s->value[entrant][i]);
	fprintf(out, "]");
}

static void
print_spread(FILE *out, const char *name, struct spread v)
{
	fprintf(out,
		"\"%s\": {\"median\": %.6g, \"least\": %.6g, \"most\": %.6g, "
		"\"quarter\": %.6g, \"three_quarters\": %.6g}",
		name, v.median, v.least, v.most, v.quarter, v.three_quarters);
}

static void
print_entrant(FILE *out, const struct result *r, const struct figure *f, unsigned i)
{
	fprintf(out, "%s\n        {\"name\": \"%s\", ", i > 0 ? "," : "", r->label[i]);
	print_spread(out, "value", series_spread(&f->series, i));
	fprintf(out, ", ");
	print_spread(out, "ratio_of_first", series_ratio(&f->series, 0, i));
	if (f->quantile_us[i][0] > 0)
		fprintf(out, ", \"p50_us\": %.6g, \"p99_us\": %.6g, \"p999_us\": %.6g",
			f->quantile_us[i][0], f->quantile_us[i][1],
			f->quantile_us[i][2]);
	fprintf(out, ", ");
	print_values(out, &f->series, i);
	fprintf(out, "}");
}

static void
print_result(FILE *out, const struct result *r, bool first)
{
	for (unsigned f = 0; f < r->figures; f++) {
		fprintf(out,
			"%s\n    {\"case\": \"%s\", \"title\": \"%s\", "
			"\"figure\": \"%s\", \"unit\": \"%s\", \"entrants\": [",
			first && f == 0 ? "" : ",", r->what->name, r->what->title,
			r->figure[f].name, r->figure[f].unit);
		for (unsigned i = 0; i < r->entrants; i++)
			print_entrant(out, r, &r->figure[f], i);
		fprintf(out, "]}");
	}
}

static void
print_target(FILE *out, const struct verdict *v, bool first)
{
	const struct target *t = v->target;

	fprintf(out,
		"%s\n    {\"case\": \"%s\", \"figure\": \"%s\", \"subject\": \"%s\", "
		"\"versus\": ",
		first ? "" : ",", t->case_name, t->figure, t->subject);
	fprintf(out, t->versus ? "\"%s\"" : "null", t->versus);
	fprintf(out, ", \"%s\": %g, ", t->at_least ? "at_least" : "at_most", t->bound);
	print_spread(out, "measured", v->measured);
	fprintf(out, ", \"met\": %s}", v->met ? "true" : "false");
}

void
report_json(FILE *out, const struct settings *s, const struct result *results,
	    unsigned n)
{
	static const char *const extents[] = {"smoke", "quick", "full"};
	bool first = true;

	fprintf(out, "{\n  \"rounds\": %u, \"slice_ms\": %d, \"extent\": \"%s\",\n",
		s->rounds, (int)(s->slice_ns / 1000000), extents[s->extent]);
	fprintf(out, "  \"figures\": [");
	for (unsigned i = 0; i < n; i++)
		print_result(out, &results[i], i == 0);
	fprintf(out, "],\n  \"targets\": [");
	for (unsigned i = 0; i < n_targets; i++) {
		struct verdict v = target_verdict(&targets[i], results, n);

		if (v.measured.median == 0)
			continue;
		print_target(out, &v, first);
		first = false;
	}
	fprintf(out, "]\n}\n");
}

void
report_plot_data(FILE *out, const struct result *results, unsigned n)
{
	fprintf(out, "case\tfigure\tunit\tentrant\tmedian\tratio\tleast\tmost\n");
	for (unsigned i = 0; i < n; i++)
		for (unsigned f = 0; f < results[i].figures; f++)
			for (unsigned e = 0; e < results[i].entrants; e++) {
				const struct figure *g = &results[i].figure[f];
				struct spread r = series_ratio(&g->series, 0, e);

				fprintf(out, "%s\t%s\t%s\t%s\t%.6g\t%.4g\t%.4g\t%.4g\n",
					results[i].what->name, g->name, g->unit,
					results[i].label[e],
					series_spread(&g->series, e).median, r.median,
					r.least, r.most);
			}
}
