/* SPDX-License-Identifier: MIT
 * When a sync waits for more. */
#include <check.h>
#include <string.h>

#include "daemon/store/gather.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)

static struct gather g;
static uint64_t now;

static void
setup(void)
{
	memset(&g, 0, sizeof(g));
	now = 1000 * MS;
}

/* A sync of a millisecond; as much again has come meanwhile. */
static void
sync_some(uint64_t bytes)
{
	gather_synced(&g, now, now + MS, bytes, bytes);
	now += MS;
}

static void
sync_period(uint64_t bytes_off, uint64_t bytes_on)
{
	for (int i = 0; i < GATHER_PERIOD; i++)
		sync_some(g.on ? bytes_on : bytes_off);
}

START_TEST(at_first_nobody_is_waited_for)
{
	ck_assert(!gather_waits(&g, 100, now));
	sync_some(6400);
	ck_assert(!gather_waits(&g, 100, now));
}
END_TEST

START_TEST(then_those_who_were_answered_are)
{
	sync_period(6400, 6400);
	ck_assert(gather_waits(&g, 6400, now));
	ck_assert(gather_waits(&g, 11000, now + MS / 2));
	ck_assert(!gather_waits(&g, 11300, now)); /* nearly all */
	ck_assert(gather_has(&g, 11300));
}
END_TEST

START_TEST(no_longer_than_a_sync_takes)
{
	sync_period(6400, 6400);
	ck_assert_uint_eq(g.until_ns, now + MS);
	ck_assert(!gather_waits(&g, 3200, now + MS));
	gather_synced(&g, now, now + 900 * MS, 6400, 0);
	ck_assert_uint_le(g.until_ns, now + 910 * MS);
	gather_synced(&g, now, now + 20 * US, 6400, 0);
	ck_assert(!gather_waits(&g, 0, now + 20 * US));
}
END_TEST

static unsigned
periods_on(uint64_t bytes_off, uint64_t bytes_on)
{
	unsigned on = 0;

	for (int i = 0; i < 100; i++) {
		on += g.on;
		sync_period(bytes_off, bytes_on);
	}
	return on;
}

START_TEST(where_it_brings_more_it_is_kept)
{
	ck_assert_uint_ge(periods_on(6400, 9000), 90);
}
END_TEST

START_TEST(where_it_does_not_it_is_tried_now_and_then)
{
	unsigned on = periods_on(6400, 6400);

	ck_assert_uint_ge(on, 100 / GATHER_TRY);
	ck_assert_uint_le(on, 100 / GATHER_TRY + 2);
}
END_TEST

START_TEST(what_was_best_may_change)
{
	periods_on(6400, 9000);
	ck_assert_uint_le(periods_on(6400, 3000), 20);
	ck_assert_uint_ge(periods_on(6400, 9000), 50);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("gather");
	TCase *t = tcase_create("gather");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, at_first_nobody_is_waited_for);
	tcase_add_test(t, then_those_who_were_answered_are);
	tcase_add_test(t, no_longer_than_a_sync_takes);
	tcase_add_test(t, where_it_brings_more_it_is_kept);
	tcase_add_test(t, where_it_does_not_it_is_tried_now_and_then);
	tcase_add_test(t, what_was_best_may_change);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed > 0;
}
