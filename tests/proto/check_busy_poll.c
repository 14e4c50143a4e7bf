/* SPDX-License-Identifier: MIT
 * When to look, and when to sleep. */
#include <check.h>

#include "proto/busy_poll.h"

#define US  UINT64_C(1000)
#define MS  UINT64_C(1000000)
#define FOR (100 * US)

static struct busy_poll p;
static uint64_t now;

static void
setup(void)
{
	p = (struct busy_poll){0};
	now = 5 * MS;
}

/* A wait of so long, with a look every 10 us. Returns for how long it was looked. */
static uint64_t
wait_ns(uint64_t ns)
{
	uint64_t start = now, looked = 0;

	busy_poll_start(&p, now);
	while (now - start < ns && busy_poll_goes_on(&p, now, FOR)) {
		now += 10 * US;
		looked = now - start;
	}
	now = start + ns;
	busy_poll_end(&p, now, FOR);
	return looked;
}

START_TEST(the_first_wait_sleeps_and_those_after_a_short_one_look)
{
	ck_assert_uint_eq(wait_ns(50 * US), 0);
	ck_assert_uint_eq(wait_ns(50 * US), 50 * US);
	ck_assert_uint_eq(wait_ns(50 * US), 50 * US);
}
END_TEST

START_TEST(what_does_not_come_soon_is_slept_for)
{
	wait_ns(50 * US);
	ck_assert_uint_eq(wait_ns(20 * MS), FOR);
	for (int i = 0; i < 10; i++)
		ck_assert_uint_eq(wait_ns(20 * MS), 0);
	wait_ns(50 * US);
	ck_assert_uint_eq(wait_ns(20 * US), 20 * US);
}
END_TEST

START_TEST(a_wait_with_the_time_to_wake_up_is_short)
{
	wait_ns(149 * US);
	ck_assert_uint_eq(wait_ns(149 * US), FOR);
	ck_assert_uint_eq(wait_ns(151 * US), FOR);
	ck_assert_uint_eq(wait_ns(151 * US), 0);
}
END_TEST

START_TEST(without_a_time_nobody_looks)
{
	for (int i = 0; i < 3; i++) {
		busy_poll_start(&p, now);
		ck_assert(!busy_poll_goes_on(&p, now, 0));
		busy_poll_end(&p, now += US, 0);
	}
}
END_TEST

/* Another process has the processor between two looks. Returns how long nobody looks then. */
static uint64_t
rest_ns(void)
{
	uint64_t taken;

	wait_ns(50 * US);
	busy_poll_start(&p, now);
	ck_assert(busy_poll_goes_on(&p, now, FOR));
	taken = now += 4 * MS;
	ck_assert(!busy_poll_goes_on(&p, now, FOR));
	busy_poll_end(&p, now, FOR);
	while (wait_ns(20 * US) == 0)
		;
	return now - taken;
}

START_TEST(where_others_want_the_processor_nobody_looks_for_a_while)
{
	ck_assert(rest_ns() - 1 * MS < 100 * US);
}
END_TEST

START_TEST(where_they_want_it_again_and_again_the_while_becomes_longer)
{
	for (uint64_t ms = 1; ms <= 256; ms *= 2)
		ck_assert(rest_ns() - ms * MS < 100 * US);
	ck_assert(rest_ns() - 256 * MS < 100 * US);
	now += 300 * MS;
	ck_assert(rest_ns() - 1 * MS < 100 * US);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("busy_poll");
	TCase *t = tcase_create("busy_poll");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, the_first_wait_sleeps_and_those_after_a_short_one_look);
	tcase_add_test(t, what_does_not_come_soon_is_slept_for);
	tcase_add_test(t, a_wait_with_the_time_to_wake_up_is_short);
	tcase_add_test(t, without_a_time_nobody_looks);
	tcase_add_test(t, where_others_want_the_processor_nobody_looks_for_a_while);
	tcase_add_test(t, where_they_want_it_again_and_again_the_while_becomes_longer);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed > 0;
}
