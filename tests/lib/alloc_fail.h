/* SPDX-License-Identifier: MIT
 *
 * Allocations that fail on demand. A test that uses it is linked with
 * -Wl,--wrap=malloc,--wrap=calloc; only what is called within ALLOC_WATCH() counts.
 */
#ifndef QBROKER_TESTS_LIB_ALLOC_FAIL_H
#define QBROKER_TESTS_LIB_ALLOC_FAIL_H

#include <stdbool.h>

struct alloc_fail {
	bool watching;
	unsigned long count; /* allocations so far */
	unsigned long at;    /* which one fails; 0: none */
	bool all_after;	     /* and all that follow it */
	bool failed;	     /* one did */
};

extern struct alloc_fail alloc_fail;

#define ALLOC_WATCH(result, call)            \
	do {                                 \
		alloc_fail.watching = true;  \
		(result) = (call);           \
		alloc_fail.watching = false; \
	} while (0)

#endif
