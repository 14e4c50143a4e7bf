/* SPDX-License-Identifier: MIT
 *
 * Places of a journal that are not as they were written. How many records they held is known
 * only when the next whole one has been found.
 */
#ifndef QBROKER_STORE_GAPS_H
#define QBROKER_STORE_GAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gap_kind {
	GAP_TAIL, /* nothing whole follows in the file: perhaps nothing was there */
	GAP_NOT_WHOLE,
	GAP_UNREADABLE,
	GAP_HEADER,
	GAP_FOREIGN,
	GAP_VERSION,
	GAP_TWICE,
	GAP_MISSING,
};

struct gap {
	enum gap_kind kind;
	uint64_t segment;
	uint64_t offset, len; /* missing: len is the number of segments */
};

struct gaps {
	void (*say)(void *arg, const char *text); /* NULL: to nobody */
	void *arg;
	struct gap *open;
	size_t n, cap;
	bool lost, out_of_memory;
};

void gaps_add(struct gaps *g, enum gap_kind kind, uint64_t segment, uint64_t offset,
	      uint64_t len);

/* After record `before` (0: none is known) comes the whole record `seq`. */
void gaps_end(struct gaps *g, uint64_t before, uint64_t seq);

/* No whole record follows. */
void gaps_finish(struct gaps *g, uint64_t before);

#endif
