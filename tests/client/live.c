/* SPDX-License-Identifier: MIT
 * See live.h. */
#include "tests/client/live.h"

struct daemon broker;
qb *q, *other;

void
live_setup(void)
{
	broker = (struct daemon){.tcp = {NULL}};
	daemon_start(&broker, NULL);
	ck_assert_int_eq(qb_open(broker.address, &q), QB_OK);
	ck_assert_int_eq(qb_open(broker.address, &other), QB_OK);
}

void
live_teardown(void)
{
	qb_close(q);
	qb_close(other);
	q = other = NULL;
	daemon_stop(&broker);
}
