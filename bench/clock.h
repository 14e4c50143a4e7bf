/* SPDX-License-Identifier: MIT
 * What the machine itself keeps a process from: how late somebody is who does nothing but look at the clock, on every
 * processor at once. A floor for times under an offered load. */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <stdint.h>

#include "bench/histogram.h"

/* For so long, as if something were planned every `interval_ns`. */
void clock_times(int64_t slice_ns, int64_t interval_ns, struct histogram *ret);

#endif
