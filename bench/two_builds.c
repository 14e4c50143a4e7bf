/* SPDX-License-Identifier: MIT
 * Two builds of qbroker against each other, each with its own broker and library. */
#include <stdio.h>

#include "bench/modes.h"
#include "bench/rounds.h"

#define SITTING 4 /* rounds */

struct row {
	size_t size;
	unsigned outstanding, batch;
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
	e->load.batch = row->batch;
}

static void
print_line(const char *what, const struct row *row, const struct measured *m,
	   enum phase phase)
{
	struct spread r = series_ratio(&m->rate[phase], 1, 0);
	struct spread cpu = series_ratio(&m->cpu_ns[phase], 1, 0);

	printf("%-10s %4zu B %6u %6u %9.0f %9.0f %7.3f  %.3f - %.3f  %.3f - %.3f"
	       " %7.3f  %.3f - %.3f\n",
	       what, row->size, row->outstanding, row->batch,
	       series_spread(&m->rate[phase], 0).median,
	       series_spread(&m->rate[phase], 1).median, r.median, r.quarter,
	       r.three_quarters, r.least, r.most, cpu.median, cpu.quarter,
	       cpu.three_quarters);
	fflush(stdout);
}

/* Some rounds with brokers that were started for them: where memory happens to lie, and
 * who happens to run on which processor, must not stay for all rounds. */
static void
run_sitting(const struct settings *s, const struct row *row, unsigned rounds,
	    struct measured *ret)
{
	struct entrant e[2];

	prepare(&e[0], "A", s->compare[0], row);
	prepare(&e[1], "B", s->compare[1], row);
	for (int i = 0; i < 2; i++)
		if (!entrant_start(&e[i], s->folder))
			die("%s cannot be measured", s->compare[i]);
	rounds_calibrate(e, 2, row->stream, s->slice_ns);
	/* The same work, so that queues are as deep. */
	e[0].count = e[1].count = e[0].count < e[1].count ? e[0].count : e[1].count;
	rounds_run(e, 2, row->stream, rounds, ret);
	for (int i = 0; i < 2; i++) {
		if (e[i].out)
			die("%s cannot be measured", s->compare[i]);
		entrant_stop(&e[i]);
	}
}

static void
run_row(const struct settings *s, const struct row *row)
{
	static struct measured m;

	memset(&m, 0, sizeof(m));
	for (unsigned left = s->rounds, now; left > 0; left -= now) {
		now = left < SITTING ? left : SITTING;
		run_sitting(s, row, now, &m);
	}
	if (row->stream) {
		print_line("put-to-get", row, &m, PHASE_STREAM);
	} else {
		print_line("put", row, &m, PHASE_PUT);
		print_line("get+ack", row, &m, PHASE_GET);
	}
}

void
compare_builds(const struct settings *s)
{
	static const struct row rows[] = {
		{64, 1, 1, false},    {512, 1, 1, false},   {64, 256, 1, false},
		{512, 256, 1, false}, {512, 1, 100, false}, {64, 1, 1, true},
		{512, 1, 1, true},    {64, 256, 1, true},   {512, 256, 1, true},
		{512, 2, 100, true},
	};

	printf("%u rounds of slices of %d ms, A and B by turns, Unix socket\n"
	       "A: %s\nB: %s\nCPU: of broker and clients for an item, B's as a share "
	       "of "
	       "A's; less is better\n\n",
	       s->rounds, (int)(s->slice_ns / 1000000), s->compare[0], s->compare[1]);
	printf("%-10s %6s %6s %6s %9s %9s %7s  %-13s  %-13s %7s  %s\n", "", "size",
	       "outst.", "batch", "A items/s", "B items/s", "B/A", "middle half",
	       "least - most", "CPU B/A", "middle half");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		run_row(s, &rows[i]);
}
