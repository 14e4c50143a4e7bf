/* SPDX-License-Identifier: MIT
 * How much of a large body moves in one turn. */
#include <check.h>

#include "daemon/net/share.h"

#define MOST 65536
#define NOW  (SHARE_QUIET_NS * 100)

START_TEST(who_is_alone_gets_more_each_time)
{
	struct share s = {0};

	ck_assert_uint_eq(share_next(&s, 7, NOW, MOST), 16384);
	ck_assert_uint_eq(share_next(&s, 7, NOW, MOST), 32768);
	ck_assert_uint_eq(share_next(&s, 7, NOW, MOST), 65536);
	ck_assert_uint_eq(share_next(&s, 7, NOW, MOST), 65536);
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
			16384);
	ck_assert_uint_eq(share_next(&s, NOW, NOW + SHARE_QUIET_NS, MOST), 32768);
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
