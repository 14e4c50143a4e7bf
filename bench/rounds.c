/* SPDX-License-Identifier: MIT
 * See rounds.h. */
#include "bench/rounds.h"

#include <stdlib.h>
#include <time.h>

#define MAX_SLICE_BYTES (UINT64_C(256) << 20)
#define MAX_SLICE_ITEMS 1000000
#define CALIBRATIONS	30 /* at most */

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
at_share(const double *sorted, unsigned n, double share)
{
	double place = share * (n - 1);
	unsigned low = (unsigned)place;

	if (low + 1 >= n)
		return sorted[n - 1];
	return sorted[low] + (place - low) * (sorted[low + 1] - sorted[low]);
}

static struct spread
spread_of(double *values, unsigned n)
{
	struct spread none = {0};

	if (n == 0)
		return none;
	qsort(values, n, sizeof(*values), compare);
	return (struct spread){at_share(values, n, 0.5), values[0], values[n - 1],
			       at_share(values, n, 0.25), at_share(values, n, 0.75)};
}

struct spread
series_spread(const struct series *s, unsigned entrant)
{
	double values[MAX_ROUNDS];
	unsigned n = 0;

	for (unsigned i = 0; i < s->rounds; i++)
		if (s->value[entrant][i] > 0)
			values[n++] = s->value[entrant][i];
	return spread_of(values, n);
}

struct spread
series_ratio(const struct series *s, unsigned entrant, unsigned other)
{
	double values[MAX_ROUNDS];
	unsigned n = 0;

	for (unsigned i = 0; i < s->rounds; i++)
		if (s->value[entrant][i] > 0 && s->value[other][i] > 0)
			values[n++] = s->value[entrant][i] / s->value[other][i];
	return spread_of(values, n);
}

/* One turn of an entrant: a slice of each phase. */
static bool
turn(struct entrant *e, bool stream, int64_t ret_ns[3])
{
	const struct timespec until_due = {0, 10000000};

	if (stream)
		return entrant_slice(e, PHASE_STREAM, &ret_ns[PHASE_STREAM]);
	if (!entrant_slice(e, PHASE_PUT, &ret_ns[PHASE_PUT]))
		return false;
	if (e->load.items == ITEMS_DELAYED)
		nanosleep(&until_due, NULL);
	return entrant_slice(e, PHASE_GET, &ret_ns[PHASE_GET]);
}

static int64_t
longest(const int64_t ns[3])
{
	int64_t most = 1;

	for (int i = 0; i < 3; i++)
		most = ns[i] > most ? ns[i] : most;
	return most;
}

/* A whole number of requests of each client, within bounds. */
static unsigned
rounded(const struct entrant *e, double count)
{
	unsigned unit = e->load.batch * e->clients;
	double most = (double)(MAX_SLICE_BYTES / e->load.size);

	most = most > MAX_SLICE_ITEMS ? MAX_SLICE_ITEMS : most;
	count = count > most ? most : count;
	return count < unit ? unit : (unsigned)(count / unit) * unit;
}

static void
calibrate(struct entrant *e, bool stream, int64_t slice_ns)
{
	unsigned count = rounded(e, 100);

	for (int i = 0; i < CALIBRATIONS; i++) {
		int64_t ns[3] = {0};
		double factor;

		e->count = count;
		if (!turn(e, stream, ns))
			return;
		factor = (double)slice_ns / (double)longest(ns);
		count = rounded(e, count * (factor > 10 ? 10 : factor));
		if (factor < 2 || count == e->count)
			break;
	}
	e->count = count;
	entrant_forget_times(e);
}

void
rounds_calibrate(struct entrant *entrants, unsigned n, bool stream, int64_t slice_ns)
{
	for (unsigned i = 0; i < n; i++)
		if (!entrants[i].out)
			calibrate(&entrants[i], stream, slice_ns);
}

static double
rate(const struct entrant *e, int64_t ns)
{
	return ns > 0 ? e->count * 1e9 / (double)ns : 0;
}

static void
run_turn(struct entrant *entrants, unsigned i, bool stream, unsigned round,
	 struct series ret[3])
{
	int64_t ns[3] = {0};
	bool done = !entrants[i].out && turn(&entrants[i], stream, ns);

	for (int phase = 0; phase < 3; phase++)
		ret[phase].value[i][round] = done ? rate(&entrants[i], ns[phase]) : 0;
}

/* Every other round goes the other way round, so that nobody always follows the same. */
void
rounds_run(struct entrant *entrants, unsigned n, bool stream, unsigned rounds,
	   struct series ret[3])
{
	for (int phase = 0; phase < 3; phase++) {
		ret[phase].entrants = n;
		ret[phase].rounds = rounds;
	}
	for (unsigned round = 0; round < rounds; round++)
		for (unsigned i = 0; i < n; i++)
			run_turn(entrants, round % 2 ? n - 1 - i : i, stream, round,
				 ret);
}
