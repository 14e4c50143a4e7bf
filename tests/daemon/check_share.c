/* SPDX-License-Identifier: MIT
 * How much of a large body moves in one turn. */
#include <check.h>

#include "daemon/net/share.h"

#define MOST 65536

START_TEST(who_is_alone_gets_more_each_time)
{
	struct share s = {0};

	ck_assert_uint_eq(share_next(&s, 7, MOST), 16384);
	ck_assert_uint_eq(share_next(&s, 7, MOST), 32768);
	ck_assert_uint_eq(share_next(&s, 7, MOST), 65536);
	ck_assert_uint_eq(share_next(&s, 7, MOST), 65536);
}
END_TEST

START_TEST(where_others_ask_it_is_the_least)
{
	struct share s = {0};
	uint64_t asked = 0;

	for (int i = 0; i < 5; i++)
		share_next(&s, asked, MOST);
	for (int i = 0; i < 5; i++)
		ck_assert_uint_eq(share_next(&s, ++asked, MOST), 16384);
	ck_assert_uint_eq(share_next(&s, asked, MOST), 32768);
}
END_TEST

/* Its own acknowledgements are not what others ask. */
START_TEST(who_has_had_one_is_known_until_others_ask)
{
	struct share s = {0};

	ck_assert(!share_had(&s, 0));
	share_next(&s, 0, MOST);
	ck_assert(share_had(&s, 0));
	ck_assert(!share_had(&s, 1));
	share_next(&s, 1, MOST);
	ck_assert(share_had(&s, 1));
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
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed > 0;
}
