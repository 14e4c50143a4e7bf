/* SPDX-License-Identifier: MIT
 * The dialogues between library and broker that check_cuts.c cuts at every byte. */
#ifndef QBROKER_TESTS_SYSTEM_CUTS_H
#define QBROKER_TESTS_SYSTEM_CUTS_H

#include <check.h>
#include <string.h>

#include "client/qbroker.h"

#define CUTS_COLUMNS 8

/* A dialogue finds the queue "jobs" without items and leaves it so. */
struct cut_dialogue {
	void (*talk)(void);
	/* By how much it raises the counters of "jobs", whatever is cut. */
	struct {
		const char *column;
		int64_t n;
	} counts[CUTS_COLUMNS];
};

extern const struct cut_dialogue cut_usual, cut_gathered, cut_batches;
extern const struct cut_dialogue cut_nack, cut_bury, cut_update;
extern const struct cut_dialogue cut_keys, cut_groups, cut_times;
extern const struct cut_dialogue cut_get_any, cut_move, cut_administer;

/* The handle whose link is cut. */
extern qb *q;

static inline void
ok(qb_result r)
{
	ck_assert_msg(r == QB_OK, "%s: %s", qb_result_name(r), qb_error(q));
}

#endif
