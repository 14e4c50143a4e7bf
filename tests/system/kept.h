/* SPDX-License-Identifier: MIT
 * What the tests of durable queues share: a broker with a folder for them, and a handle. How it is
 * started is each test's own. */
#ifndef QBROKER_TESTS_SYSTEM_KEPT_H
#define QBROKER_TESTS_SYSTEM_KEPT_H

#include "client/qbroker.h"
#include "tests/lib/daemon.h"

extern struct daemon d;
extern char home[96], state[128]; /* the folder of the test; "state_dir=HOME/state" */
extern qb *q;

/* No broker yet, but a new folder for it. */
void kept_begin(void);

/* The next start is with the library that lets calls on the folder fail, or makes them slow (tests/faults/fault.c); a
 * sanitizer has to come after it. */
void kept_fault(const char *fault);

/* A call with the handle has worked. */
void ok(qb_result r);

/* A column of a queue's row. */
int64_t number(const char *queue, const char *column);

#endif
