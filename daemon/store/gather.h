/* SPDX-License-Identifier: MIT
 *
 * Whether a sync waits a moment for more. Those who were answered by the last one are often back
 * soon, each with as much as before. A sync that begins with the first of them leaves the others to the
 * next one, and then they take turns: each waits for two syncs. So the first waits for the others, for
 * as long as a sync takes at most, for that is what it saves. Where nobody comes it is tried more and more
 * seldom. No clock, no I/O.
 */
#ifndef QBROKER_STORE_GATHER_H
#define QBROKER_STORE_GATHER_H

#include <stdbool.h>
#include <stdint.h>

struct gather {		   /* all 0 at first */
	uint64_t expected; /* bytes: of the last sync, and what was there when it ended */
	uint64_t until_ns; /* no sync waits longer */
	unsigned vain;	   /* waits in a row that brought little */
	unsigned rest;	   /* syncs before the next try */
};

/* A sync of `bytes` ended now; `pending` bytes are there already. */
void gather_synced(struct gather *g, uint64_t began_ns, uint64_t now_ns, uint64_t bytes,
		   uint64_t pending);

/* Whether to wait, until until_ns, for more than `pending`. */
bool gather_waits(const struct gather *g, uint64_t pending, uint64_t now_ns);

/* Whether so many are enough. */
bool gather_has(const struct gather *g, uint64_t pending);

/* Somebody has waited. */
void gather_waited(struct gather *g, uint64_t pending);

#endif
