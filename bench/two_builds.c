/* SPDX-License-Identifier: MIT
 * Two builds of qbroker against each other, each with its own broker and library. */
#include <stdio.h>

#include "bench/modes.h"
#include "bench/rounds.h"

struct row {
	size_t size;
	unsigned outstanding;
	bool stream;
};

static void
prepare(struct entrant *e, const char *label, const char *build, const struct row *row)
{
	*e = (struct entrant){.label = label, .clients = 1};
	e->server.driver = &driver_qbroker;
	e->server.build = build;
	e->load.size = row->size;
	e->load.outstanding = row->outstanding;
	e->load.batch = 1;
}

static void
print_line(const char *what, const struct row *row, const struct series *s)
{
	struct spread r = series_ratio(s, 1, 0);

	printf("%-10s %4zu B %6u %11.0f %11.0f %7.3f   %.3f - %.3f   %.3f - %.3f\n",
	       what, row->size, row->outstanding, series_spread(s, 0).median,
	       series_spread(s, 1).median, r.median, r.quarter, r.three_quarters,
	       r.least, r.most);
	fflush(stdout);
}

static void
run_row(const struct settings *s, const struct row *row)
{
	static struct series series[3];
	struct entrant e[2];

	prepare(&e[0], "A", s->compare[0], row);
	prepare(&e[1], "B", s->compare[1], row);
	for (int i = 0; i < 2; i++)
		if (!entrant_start(&e[i], s->folder))
			die("%s cannot be measured", s->compare[i]);
	rounds_calibrate(e, 2, row->stream, s->slice_ns);
	rounds_run(e, 2, row->stream, s->rounds, series);
	for (int i = 0; i < 2; i++) {
		if (e[i].out)
			die("%s cannot be measured", s->compare[i]);
		entrant_stop(&e[i]);
	}
	if (row->stream) {
		print_line("put-to-get", row, &series[PHASE_STREAM]);
	} else {
		print_line("put", row, &series[PHASE_PUT]);
		print_line("get+ack", row, &series[PHASE_GET]);
	}
}

void
compare_builds(const struct settings *s)
{
	static const struct row rows[] = {
		{64, 1, false}, {512, 1, false}, {64, 256, false}, {512, 256, false},
		{64, 1, true},	{512, 1, true},	 {64, 256, true},  {512, 256, true},
	};

	printf("%u rounds of slices of %d ms, A and B by turns, Unix socket; "
	       "items per second\nA: %s\nB: %s\n\n",
	       s->rounds, (int)(s->slice_ns / 1000000), s->compare[0], s->compare[1]);
	printf("%-10s %6s %6s %11s %11s %7s   %-13s   %s\n", "", "size", "outst.", "A",
	       "B", "B/A", "middle half", "least - most");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		run_row(s, &rows[i]);
}
