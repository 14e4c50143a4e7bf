/* SPDX-License-Identifier: MIT
 * Deadlines: points on CLOCK_MONOTONIC, in milliseconds. */
#ifndef QBROKER_CLIENT_CLOCK_H
#define QBROKER_CLIENT_CLOCK_H

#include <stdint.h>

#define NEVER INT64_MAX

uint64_t clock_ns(void); /* CLOCK_MONOTONIC */

/* The deadline `ms` from now; NEVER, and what would be beyond it, is NEVER. */
int64_t deadline_after(int64_t ms);

/* The milliseconds that are left: 0 when it is over, NEVER for NEVER. */
int64_t deadline_left(int64_t deadline);

/* The same as poll() takes it. */
int deadline_poll(int64_t deadline);

#endif
