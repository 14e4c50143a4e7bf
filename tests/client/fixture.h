/* SPDX-License-Identifier: MIT
 * What the client's tests share: a fake broker, a handle that is connected to it, and
 * main(). */
#ifndef QBROKER_TESTS_CLIENT_FIXTURE_H
#define QBROKER_TESTS_CLIENT_FIXTURE_H

#include <check.h>

#include "client/qbroker.h"
#include "tests/client/fake.h"

extern struct fake fake;
extern qb *q;

/* With a running broker; open_broker() also opens the handle. */
void start_broker(void);
void open_broker(void);
void close_broker(void);

#define ok(call) ck_assert_msg((call) == QB_OK, "%s: %s", #call, qb_error(q))

/* Runs the tests of a case, which it takes over; the exit status of main(). */
int run_case(TCase *t);

#endif
