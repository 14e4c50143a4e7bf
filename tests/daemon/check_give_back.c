/* SPDX-License-Identifier: MIT
 * When memory goes back to the system. That it does, system/check_memory shows. */
#include <check.h>

#include "daemon/net/memory.h"

#define BURST (UINT64_C(100) << 20)
#define S     UINT64_C(1000000000)
#define SHARE_NS 200000

static struct memory m;

static void
setup(void)
{
	memory_init(&m);
}

static void
teardown(void)
{
	memory_done(&m);
}

START_TEST(what_was_used_lately_is_kept)
{
	for (uint64_t now = S; now < 60 * S; now += 2 * S) {
		ck_assert(!memory_turn(&m, BURST, now, SHARE_NS, false));
		ck_assert(!memory_turn(&m, 0, now + 1, SHARE_NS, false));
	}
}
END_TEST

START_TEST(what_was_not_goes_back_within_seconds)
{
	uint64_t at = S;

	ck_assert(!memory_turn(&m, BURST, at, SHARE_NS, false));
	ck_assert(!memory_turn(&m, 0, at, SHARE_NS, false));
	do {
		ck_assert_uint_gt(m.due_ns, at);
		at = m.due_ns;
		ck_assert_uint_le(at, S + 5 * S);
	} while (!memory_turn(&m, 0, at, SHARE_NS, false));
	ck_assert_uint_ge(at, S + 5 * S / 2);
}
END_TEST

START_TEST(without_a_fall_no_turn_is_needed)
{
	memory_turn(&m, BURST, S, SHARE_NS, false);
	ck_assert_uint_eq(m.due_ns, UINT64_MAX);
	memory_turn(&m, BURST / 2 + 1, S, SHARE_NS, false);
	ck_assert_uint_eq(m.due_ns, UINT64_MAX);
	memory_turn(&m, BURST / 2, S, SHARE_NS, false);
	ck_assert_uint_lt(m.due_ns, UINT64_MAX);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("give_back");
	TCase *t = tcase_create("give_back");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, what_was_used_lately_is_kept);
	tcase_add_test(t, what_was_not_goes_back_within_seconds);
	tcase_add_test(t, without_a_fall_no_turn_is_needed);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed > 0;
}
