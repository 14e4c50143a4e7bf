/* SPDX-License-Identifier: MIT
 * The fixture. */
#include "tests/client/fixture.h"

struct fake fake;
qb *q;

void
start_broker(void)
{
	fake_init(&fake);
	fake_run(&fake);
	q = NULL;
}

void
open_broker(void)
{
	start_broker();
	ck_assert_int_eq(qb_open(fake.address, &q), QB_OK);
}

void
close_broker(void)
{
	qb_close(q);
	fake_done(&fake);
}

int
run_case(TCase *t)
{
	Suite *s = suite_create("client");
	SRunner *runner;
	int failed;

	tcase_set_timeout(t, 120);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
