/* SPDX-License-Identifier: MIT
 * libqbroker.so and qbrokerd together: a broker, and two handles that are connected to it. */
#ifndef QBROKER_TESTS_CLIENT_LIVE_H
#define QBROKER_TESTS_CLIENT_LIVE_H

#include <qbroker.h>

#include <check.h>

#include "tests/lib/daemon.h"
#include "tests/lib/run.h"

extern struct daemon broker;
extern qb *q, *other;

/* The fixture. */
void live_setup(void);
void live_teardown(void);

#define says(result, call) \
	ck_assert_msg((call) == (result), "%s: not %s: %s", #call, #result, qb_error(q))
#define ok(call) says(QB_OK, call)

#endif
