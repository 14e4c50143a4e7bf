/* SPDX-License-Identifier: MIT
 * The loop's niceness (setpriority(2)). Where many clients ask at once they wait for the broker, not for each other: so it
 * is preferred to them while that is so, and gets through all of them before any of them has its processor. Where few do
 * it is a process like any other. */
#ifndef QBROKER_PRIORITY_H
#define QBROKER_PRIORITY_H

#include <stdbool.h>
#include <stdint.h>

#define PRIORITY_CROWD 8 /* so many connections asked in one turn */
#define PRIORITY_STAY_NS \
	UINT64_C(10000000) /* so long it stays after the last such turn */

struct priority {
	int preferred;	     /* niceness; that of the start: it stays as it is */
	uint64_t reads;	     /* that there had been at the end of the last turn */
	uint64_t crowded_ns; /* the end of the last crowded one */
	bool raised;
};

/* Of the thread that calls it, which is the only one to call the other. `steps`: of niceness; 0: none. */
void priority_init(struct priority *p, unsigned steps);

/* At the end of each turn; `reads`: how many connections have been read from, since the start. What the system does not
 * allow is logged once, and not tried again. */
void priority_turn(struct priority *p, uint64_t reads, uint64_t now_ns);

/* The calling thread is not preferred, if it was: for the loop's end, and for threads that it starts, which have its
 * niceness for as long as they live. */
void priority_end(void);

#endif
