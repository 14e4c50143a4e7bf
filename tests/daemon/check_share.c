/* SPDX-License-Identifier: MIT
 * What large bodies, and work that nobody waits for, have of a turn. */
#include <check.h>

#include "daemon/net/share.h"

#define MOST (4 * SHARE_LEAST)
#define NOW  (SHARE_QUIET_NS * 100)

START_TEST(who_is_alone_gets_more_each_time)
{
	struct share s = {0};

	ck_assert_uint_eq(share_next(&s, 7, NOW, MOST), SHARE_LEAST);
	ck_assert_uint_eq(share_next(&s, 7, NOW, MOST), 2 * SHARE_LEAST);
	ck_assert_uint_eq(share_next(&s, 7, NOW, MOST), MOST);
	ck_assert_uint_eq(share_next(&s, 7, NOW, MOST), MOST);
}
END_TEST

START_TEST(where_others_ask_it_is_the_least)
{
	struct share s = {0};

	for (int i = 0; i < 5; i++)
		share_next(&s, 0, NOW, MOST);
	for (int i = 0; i < 5; i++)
		ck_assert_uint_eq(
			share_next(&s, NOW, NOW + (uint64_t)i * SHARE_QUIET_NS / 5, MOST),
			SHARE_LEAST);
	ck_assert_uint_eq(share_next(&s, NOW, NOW + SHARE_QUIET_NS, MOST),
			  2 * SHARE_LEAST);
}
END_TEST

/* Its own acknowledgements are not what others ask. */
START_TEST(who_has_had_one_is_known_until_others_ask)
{
	struct share s = {0};

	ck_assert(!share_had(&s, 0));
	share_next(&s, 0, NOW, MOST);
	ck_assert(share_had(&s, 0));
	ck_assert(!share_had(&s, NOW));
	share_next(&s, NOW, NOW, MOST);
	ck_assert(share_had(&s, NOW));
}
END_TEST

START_TEST(bodies_have_few_shares_where_others_ask)
{
	uint64_t asked = NOW, moved = NOW;

	ck_assert_uint_eq(share_bulk(asked, moved, NOW), 0);
	ck_assert_uint_eq(share_bulk(asked, moved - SHARE_APART_NS, NOW), 1);
	ck_assert_uint_eq(share_bulk(asked - SHARE_WANTED_NS, moved, NOW), 1);
	ck_assert_uint_eq(share_bulk(asked - SHARE_QUIET_NS, moved, NOW), UINT_MAX);
}
END_TEST

/* So that as much can be given back as is filled meanwhile. */
START_TEST(other_work_has_a_part_of_what_the_turn_took)
{
	ck_assert_uint_eq(share_of_work(NOW, NOW, 0), SHARE_WORK_BUSY_NS);
	ck_assert_uint_eq(share_of_work(NOW, NOW, 80000), SHARE_WORK_BUSY_NS + 20000);
	ck_assert_uint_eq(share_of_work(0, NOW, 80000),
			  SHARE_WORK_QUIET_NS + 80000);
	ck_assert_uint_eq(share_of_work(NOW, NOW, UINT32_MAX), SHARE_WORK_MOST_NS);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("share");
	TCase *t = tcase_create("share");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(t, who_is_alone_gets_more_each_time);
	tcase_add_test(t, where_others_ask_it_is_the_least);
	tcase_add_test(t, who_has_had_one_is_known_until_others_ask);
	tcase_add_test(t, bodies_have_few_shares_where_others_ask);
	tcase_add_test(t, other_work_has_a_part_of_what_the_turn_took);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed > 0;
}
