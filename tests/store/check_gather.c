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

/* Syncs 6400 bytes for a millisecond; 3200 have come meanwhile. */
static void
sync_some(void)
{
	gather_synced(&g, now, now + MS, 6400, 3200);
	now += MS;
}

START_TEST(the_first_sync_waits_for_nobody)
{
	ck_assert(!gather_waits(&g, 100, now));
}
END_TEST

START_TEST(those_who_were_answered_are_waited_for)
{
	sync_some();
	ck_assert(gather_waits(&g, 3200, now));
	ck_assert(gather_waits(&g, 8000, now + MS / 2));
	ck_assert(!gather_waits(&g, 8700, now)); /* nearly all */
	ck_assert(gather_has(&g, 8700));
}
END_TEST

START_TEST(no_longer_than_a_sync_takes)
{
	sync_some();
	ck_assert_uint_eq(g.until_ns, now + MS);
	ck_assert(!gather_waits(&g, 3200, now + MS));
	gather_synced(&g, now, now + 900 * MS, 6400, 0);
	ck_assert_uint_le(g.until_ns, now + 910 * MS);
	gather_synced(&g, now, now + 20 * US, 6400, 0);
	ck_assert(!gather_waits(&g, 0, now + 20 * US));
}
END_TEST

/* A single producer who is away, or one whose items are of all sizes, has hardly to wait. */
START_TEST(what_is_in_vain_is_tried_more_and_more_seldom)
{
	unsigned waits = 0;

	for (int i = 0; i < 1000; i++) {
		sync_some();
		if (gather_waits(&g, 100, now)) {
			waits++;
			gather_waited(&g, 100);
		}
	}
	ck_assert_uint_ge(waits, 1000 / 64);
	ck_assert_uint_le(waits, 1000 / 64 + 6);
}
END_TEST

START_TEST(once_it_helps_it_is_done_each_time)
{
	sync_some();
	gather_waited(&g, 100);
	while (g.rest > 0)
		sync_some();
	for (int i = 0; i < 10; i++) {
		ck_assert(gather_waits(&g, 3200, now));
		gather_waited(&g, 9600);
		sync_some();
	}
	gather_waited(&g, 100);
	ck_assert_uint_eq(g.rest, 2); /* as the first time */
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
	tcase_add_test(t, the_first_sync_waits_for_nobody);
	tcase_add_test(t, those_who_were_answered_are_waited_for);
	tcase_add_test(t, no_longer_than_a_sync_takes);
	tcase_add_test(t, what_is_in_vain_is_tried_more_and_more_seldom);
	tcase_add_test(t, once_it_helps_it_is_done_each_time);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed > 0;
}
