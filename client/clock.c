/* SPDX-License-Identifier: MIT
 * Deadlines. */
#include "client/clock.h"

#include <limits.h>
#include <time.h>

uint64_t
clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int64_t
now_ms(void)
{
	return (int64_t)(clock_ns() / 1000000);
}

int64_t
deadline_after(int64_t ms)
{
	int64_t now;

	if (ms == NEVER)
		return NEVER;
	now = now_ms() + (ms > 0); /* the millisecond that has begun does not count */
	return ms < NEVER - now ? now + ms : NEVER;
}

int64_t
deadline_left(int64_t deadline)
{
	int64_t now;

	if (deadline == NEVER)
		return NEVER;
	now = now_ms();
	return deadline > now ? deadline - now : 0;
}

int
deadline_poll(int64_t deadline)
{
	int64_t left = deadline_left(deadline);

	if (left == NEVER)
		return -1;
	return left < INT_MAX ? (int)left : INT_MAX;
}
