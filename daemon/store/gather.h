/* SPDX-License-Identifier: MIT
 *
 * Whether a sync waits a moment for more. Those who were answered by the last one are often back
 * soon, each with as much as before. A sync that begins with the first of them leaves the others to the
 * next one, and then they take turns: each waits for two syncs. On a slow disk it pays to wait for the
 * others, for as long as a sync takes at most; on a fast one those who are waited for work meanwhile, and it
 * does not. So both are tried, and the one that gets more to disk is kept. No clock, no I/O.
 */
#ifndef QBROKER_STORE_GATHER_H
#define QBROKER_STORE_GATHER_H

#include <stdbool.h>
#include <stdint.h>

#define GATHER_PERIOD 32 /* syncs for which it is on, or off */
#define GATHER_TRY    16 /* each so many periods the other one is tried */

struct gather {		   /* all 0 at first */
	uint64_t expected; /* bytes: of the last sync, and what was there when it ended */
	uint64_t until_ns; /* no sync waits longer */
	bool on;
	unsigned syncs, periods;  /* in this period; before it */
	uint64_t since_ns, bytes; /* it began; were synced in it */
	uint64_t rate[2];	  /* bytes in a millisecond, when it was off and when it was on; 0: not tried */
};

/* A sync of `bytes` ended now; `pending` bytes are there already. */
void gather_synced(struct gather *g, uint64_t began_ns, uint64_t now_ns, uint64_t bytes,
		   uint64_t pending);

/* Whether to wait, until until_ns, for more than `pending`. */
bool gather_waits(const struct gather *g, uint64_t pending, uint64_t now_ns);

/* Whether so many are enough. */
bool gather_has(const struct gather *g, uint64_t pending);

#endif
