/* SPDX-License-Identifier: MIT
 * Whether to look for what is waited for before going to sleep; for both ends. To wake a processor
 * that has gone to sleep takes longer than a request, in a virtual machine many times as long. So
 * who is used to be answered soon looks again and again for a while. Who is not sleeps at once; and
 * where others want the processor, which shows in the time between two looks, nobody looks for a
 * while. No clock, no I/O. */
#ifndef QBROKER_PROTO_BUSY_POLL_H
#define QBROKER_PROTO_BUSY_POLL_H

#include <stdbool.h>
#include <stdint.h>

#define BUSY_POLL_US	 100   /* by default */
#define BUSY_POLL_MAX_US 10000 /* at most */

struct busy_poll {		/* all 0 at first */
	uint64_t since_ns;	/* a wait has begun; 0: none */
	uint64_t last_ns;	/* when it was asked last whether to go on */
	uint64_t rest_until_ns; /* nobody looks before */
	uint64_t rest_ns;	/* how long that was */
	bool quick;		/* the last wait was short */
};

/* A wait begins. */
void busy_poll_start(struct busy_poll *p, uint64_t now_ns);

/* Nothing has come yet: whether to look again, for `for_ns` at most (0: never), or to sleep. */
bool busy_poll_goes_on(struct busy_poll *p, uint64_t now_ns, uint64_t for_ns);

/* Something has come. Without a wait nothing happens. */
void busy_poll_end(struct busy_poll *p, uint64_t now_ns, uint64_t for_ns);

#endif
