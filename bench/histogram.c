/* SPDX-License-Identifier: MIT
 * See histogram.h. Values below 32 have a counter each; above, the five bits behind the
 * highest one choose among the counters of their power of two. */
#include "bench/histogram.h"

#define LAST (HISTOGRAM_OCTAVES * HISTOGRAM_SUBS - 1)

static unsigned
place_of(uint64_t value)
{
	unsigned shift;

	if (value < HISTOGRAM_SUBS)
		return (unsigned)value;
	shift = 63 - (unsigned)__builtin_clzll(value) - HISTOGRAM_SUB_BITS;
	if (shift >= HISTOGRAM_OCTAVES - 1)
		return LAST;
	return (shift << HISTOGRAM_SUB_BITS) + (unsigned)(value >> shift);
}

/* The middle of the values that a place counts. */
static double
value_of(unsigned place)
{
	unsigned shift;

	if (place < 2 * HISTOGRAM_SUBS)
		return place;
	shift = (place >> HISTOGRAM_SUB_BITS) - 1;
	return (double)((place - ((uint64_t)shift << HISTOGRAM_SUB_BITS)) << shift) +
	       (double)(UINT64_C(1) << shift) / 2;
}

void
histogram_add(struct histogram *h, int64_t value_ns)
{
	h->at[place_of(value_ns < 0 ? 0 : (uint64_t)value_ns)]++;
	h->count++;
}

void
histogram_merge(struct histogram *into, const struct histogram *from)
{
	into->count += from->count;
	for (unsigned i = 0; i <= LAST; i++)
		into->at[i] += from->at[i];
}

double
histogram_quantile(const struct histogram *h, double share)
{
	uint64_t rank = (uint64_t)(share * (double)h->count), seen = 0;

	if (h->count == 0)
		return 0;
	if (rank >= h->count)
		rank = h->count - 1;
	for (unsigned i = 0; i <= LAST; i++) {
		seen += h->at[i];
		if (seen > rank)
			return value_of(i);
	}
	return value_of(LAST);
}
