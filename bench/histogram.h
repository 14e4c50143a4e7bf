/* SPDX-License-Identifier: MIT
 * A log-linear histogram of times: 32 counters for each power of two, so that a value is
 * known to 3 %, from 1 ns to 36 minutes. It is plain memory that processes can share. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 5
#define HISTOGRAM_SUBS	   (1 << HISTOGRAM_SUB_BITS)
#define HISTOGRAM_OCTAVES  37

struct histogram {
	uint64_t count;
	uint32_t at[HISTOGRAM_OCTAVES * HISTOGRAM_SUBS];
};

void histogram_add(struct histogram *h, int64_t value_ns);
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The value that a share (0 to 1) of all values does not exceed; 0 without any. */
double histogram_quantile(const struct histogram *h, double share);

#endif
