/* SPDX-License-Identifier: MIT
 * The heart: the entrants of a case take turns in short slices, A B C A B C, because the
 * speed of the machine drifts. What is reported are the ratios of each round. */
#ifndef BENCH_ROUNDS_H
#define BENCH_ROUNDS_H

#include "bench/entrant.h"

#define MAX_ROUNDS 200

/* A quantity of all entrants in all rounds; 0 where an entrant took no part. */
struct series {
	unsigned rounds;
	double value[MAX_ENTRANTS][MAX_ROUNDS];
};

struct spread {
	double median, least, most, quarter, three_quarters;
};

/* The spread of one entrant's values, and of the ratios of two entrants' values in the
 * same rounds. All 0 without values. */
struct spread series_spread(const struct series *s, unsigned entrant);
struct spread series_ratio(const struct series *s, unsigned entrant, unsigned other);

/* Chooses for each entrant how many items it does in a slice, so that its longer phase
 * takes about so long. This also warms it up. */
void rounds_calibrate(struct entrant *entrants, unsigned n, bool stream,
		      int64_t slice_ns);

/* What rounds of slices give, by phases: of PHASE_STREAM, or of PHASE_PUT and PHASE_GET. */
struct measured {
	struct series rate[PHASES]; /* items in a second */
	struct series
		cpu_ns[PHASES]; /* of server and clients for an item: what others on
					 the machine do changes this less */
};

/* Runs rounds of slices behind those that `ret` has. */
void rounds_run(struct entrant *entrants, unsigned n, bool stream, unsigned rounds,
		struct measured *ret);

#endif
