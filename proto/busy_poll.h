/* SPDX-License-Identifier: MIT
 * Whether to look for what is waited for before going to sleep; for both ends. To wake a processor
 * that has gone to sleep takes longer than a request, in a virtual machine many times as long. So
 * who is used to be answered soon looks again and again for a while. Who is not sleeps at once.
 *
 * Where others want the processor they take it between two looks, if not at once then when the
 * share of this process's group is used up. When that shows nobody looks for a while, but for so
 * short a time as it would cost to sleep and be woken, and only who has just been answered so soon
 * several times. No clock, no I/O. */
#ifndef QBROKER_PROTO_BUSY_POLL_H
#define QBROKER_PROTO_BUSY_POLL_H

#include <stdbool.h>
#include <stdint.h>

#define BUSY_POLL_US	 100   /* by default */
#define BUSY_POLL_MAX_US 10000 /* at most */

struct busy_poll {		/* all 0 at first */
	uint64_t since_ns;	/* a wait has begun; 0: none */
	uint64_t look_ns;	/* a look has begun, not in a rest; 0: none */
	uint64_t looked_ns;	/* how long such looks took since the last rest began */
	uint64_t rest_until_ns; /* others want the processor */
	uint64_t rest_ns;	/* how long that was */
	unsigned briefs; /* the last waits that were even shorter, up to a bound */
	bool quick;	 /* the last wait was short */
};

enum busy_poll_next {
	BUSY_POLL_SLEEP,
	BUSY_POLL_LOOK,	 /* at once */
	BUSY_POLL_YIELD, /* after others of the own group had the processor */
};

/* A wait begins. */
void busy_poll_start(struct busy_poll *p, uint64_t now_ns);

/* Nothing has come yet: whether to look again, for `for_ns` at most (0: never), or to sleep. From
 * one call that says to look to the next, or to the end, nothing is done that takes long. */
enum busy_poll_next busy_poll_next(struct busy_poll *p, uint64_t now_ns,
				   uint64_t for_ns);

/* Something has come, from so many; `now_ns` is before anything is done with it. Where many asked
 * the processor was theirs. Without a wait nothing happens. */
void busy_poll_end(struct busy_poll *p, uint64_t now_ns, uint64_t for_ns,
		   uint64_t askers);

#endif
