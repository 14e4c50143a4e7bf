/* SPDX-License-Identifier: MIT
 * See rounds.h. */
#include "bench/rounds.h"

#include <stdlib.h>
#include <string.h>
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

/* What a turn of an entrant took, by phases. */
struct turn {
	int64_t ns[PHASES], cpu_ns[PHASES];
};

static bool
slice(struct entrant *e, enum phase phase, struct turn *ret)
{
	int64_t before = entrant_cpu_ns(e);

	if (!entrant_slice(e, phase, &ret->ns[phase]))
		return false;
	ret->cpu_ns[phase] = entrant_cpu_ns(e) - before;
	return true;
}

/* A slice of each phase. */
static bool
turn(struct entrant *e, bool stream, struct turn *ret)
{
	const struct timespec until_due = {0, 10000000};

	memset(ret, 0, sizeof(*ret));
	if (stream)
		return slice(e, PHASE_STREAM, ret);
	if (!slice(e, PHASE_PUT, ret))
		return false;
	if (e->load.items == ITEMS_DELAYED)
		nanosleep(&until_due, NULL);
	return slice(e, PHASE_GET, ret);
}

static int64_t
longest(const int64_t ns[PHASES])
{
	int64_t most = 1;

	for (int i = 0; i < PHASES; i++)
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
		struct turn t;
		double factor;

		e->count = count;
		if (!turn(e, stream, &t))
			return;
		factor = (double)slice_ns / (double)longest(t.ns);
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

static void
run_turn(struct entrant *e, unsigned i, bool stream, unsigned round,
	 struct measured *ret)
{
	struct turn t;
	bool done = !e->out && turn(e, stream, &t);

	for (int phase = 0; phase < PHASES; phase++) {
		if (!done || t.ns[phase] == 0)
			continue;
		ret->rate[phase].value[i][round] = e->count * 1e9 / (double)t.ns[phase];
		ret->cpu_ns[phase].value[i][round] = (double)t.cpu_ns[phase] / e->count;
	}
}

/* Every other round goes the other way round, so that nobody always follows the same. */
void
rounds_run(struct entrant *entrants, unsigned n, bool stream, unsigned rounds,
	   struct measured *ret)
{
	unsigned first = ret->rate[0].rounds, end = first + rounds;

	for (unsigned round = first; round < end; round++)
		for (unsigned k = 0; k < n; k++) {
			unsigned i = round % 2 ? n - 1 - k : k;

			run_turn(&entrants[i], i, stream, round, ret);
		}
	for (int phase = 0; phase < PHASES; phase++)
		ret->rate[phase].rounds = ret->cpu_ns[phase].rounds = end;
}
