/* SPDX-License-Identifier: MIT
 * Two samples of the broker's counters make rates. */
#ifndef CTL_RATES_H
#define CTL_RATES_H

#include "client/qbroker.h"

struct rate {
	const char *queue; /* belongs to the sample's table */
	int64_t accepted, delivered, ready, leased, getters, putters;
	double puts, gets; /* in a second, since the sample before */
};

struct rates {
	unsigned samples;
	int64_t time_ns;
	qb_table *table;
	struct rate *rows; /* the busiest first */
	unsigned n;
	double puts, gets; /* of all queues */
	int64_t uptime_ms, connections;
};

/* Takes a sample. The first one has no rates: they are 0. */
qb_result rates_sample(struct rates *rates, qb *q);

void rates_done(struct rates *rates);

#endif
