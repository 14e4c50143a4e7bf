/* SPDX-License-Identifier: MIT
 *
 * Putting: room, the line of puts, puts of many.
 */
#include "tests/core/engine_kit.h"

#include <string.h>

START_TEST(ids_rise_over_all_queues)
{
	uint64_t a = put_ok("q", "a"), b = put_ok("other", "b"), c = put_ok("q", "c");

	ck_assert_uint_lt(a, b);
	ck_assert_uint_lt(b, c);
}
END_TEST

START_TEST(items_come_out_in_the_order_in_which_they_went_in)
{
	put_ok("q", "a");
	put_ok("q", "b");
	put_ok("q", "");
	take(s2, "q", "a");
	take(s2, "q", "b");
	take(s2, "q", "");
}
END_TEST

START_TEST(put_to_full_queue_changes_nothing)
{
	bound("q", 1, 0);
	put_ok("q", "a");
	ck_assert_int_eq(put(s1, 1, "q", "b", NO_WAIT), QE_FULL_ITEMS);
	ck_assert_int_eq(put(s1, 1, "q", "b", now), QE_FULL_ITEMS);
	ck_assert_uint_eq(stats_of("q").counters.accepted, 1);
	ck_assert_uint_eq(stats_of("q").ready, 1);
}
END_TEST

START_TEST(leased_items_take_no_room)
{
	bound("q", 1, 0);
	put_ok("q", "a");
	take(s2, "q", "a");
	put_ok("q", "b");
}
END_TEST

START_TEST(max_bytes_bounds_the_bodies)
{
	bound("q", 0, 5);
	put_ok("q", "abc");
	ck_assert_int_eq(put(s1, 1, "q", "def", NO_WAIT), QE_FULL_BYTES);
	put_ok("q", "de");
	ck_assert_int_eq(put(s1, 1, "q", "abcdef", QE_NEVER), QE_TOO_BIG);
}
END_TEST

START_TEST(waiting_puts_are_accepted_in_the_order_of_arrival)
{
	bound("q", 1, 0);
	put_ok("q", "a");
	ck_assert_int_eq(put(s1, 1, "q", "b", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(put(s2, 1, "q", "c", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(put(s1, 2, "q", "d", QE_NEVER), QE_WAIT);
	expect_nothing();
	take(s3, "q", "a");
	expect(s1, 1, QE_OK);
	expect_nothing();
	take(s3, "q", "b");
	expect(s2, 1, QE_OK);
	take(s3, "q", "c");
	expect(s1, 2, QE_OK);
	ck_assert_uint_eq(got.id, 4);
}
END_TEST

START_TEST(a_small_put_does_not_overtake_a_large_one_that_waits)
{
	bound("q", 0, 4);
	put_ok("q", "ab");
	ck_assert_int_eq(put(s1, 1, "q", "cde", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(put(s2, 1, "q", "f", NO_WAIT), QE_FULL_BYTES);
	ck_assert_int_eq(put(s2, 2, "q", "f", QE_NEVER), QE_WAIT);
	take(s3, "q", "ab");
	expect(s1, 1, QE_OK);
	expect(s2, 2, QE_OK);
}
END_TEST

START_TEST(a_put_that_waits_is_full_when_its_time_is_over)
{
	bound("q", 1, 0);
	put_ok("q", "a");
	ck_assert_int_eq(put(s1, 1, "q", "b", now + 10), QE_WAIT);
	ck_assert_uint_eq(qe_next_deadline(e), now + 10);
	tick_at(now + 9);
	expect_nothing();
	tick_at(now + 1);
	expect(s1, 1, QE_FULL_ITEMS);
	ck_assert_uint_eq(qe_next_deadline(e), QE_NEVER);
	ck_assert_uint_eq(stats_of("q").putters, 0);
}
END_TEST

START_TEST(when_the_first_put_gives_up_those_behind_it_go_on)
{
	bound("q", 0, 4);
	put_ok("q", "ab");
	ck_assert_int_eq(put(s1, 1, "q", "cde", now + 10), QE_WAIT);
	ck_assert_int_eq(put(s2, 1, "q", "f", now + 10), QE_WAIT);
	tick_at(now + 10);
	expect(s1, 1, QE_FULL_BYTES);
	expect(s2, 1, QE_OK);
}
END_TEST

START_TEST(many_are_accepted_as_far_as_there_is_room)
{
	bound("q", 2, 0);
	ck_assert_int_eq(put_many(s1, 1, "q", "a b c", NO_WAIT, false), QE_OK);
	ck_assert_uint_eq(got.n, 3);
	ck_assert_int_eq(result_of(0), 1);
	ck_assert_int_eq(result_of(1), 2);
	ck_assert_int_eq(result_of(2), -QE_FULL_ITEMS);
}
END_TEST

START_TEST(many_wait_item_by_item_for_room)
{
	bound("q", 1, 0);
	ck_assert_int_eq(put_many(s1, 1, "q", "a b c", now + 10, false), QE_WAIT);
	take(s2, "q", "a");
	expect_nothing();
	ck_assert_uint_eq(stats_of("q").ready, 1);
	tick_at(now + 10);
	expect(s1, 1, QE_OK);
	ck_assert_int_eq(result_of(0), 1);
	ck_assert_int_eq(result_of(1), 2);
	ck_assert_int_eq(result_of(2), -QE_FULL_ITEMS);
}
END_TEST

START_TEST(an_item_of_many_that_is_too_big_does_not_hold_up_the_others)
{
	bound("q", 0, 3);
	ck_assert_int_eq(put_many(s1, 1, "q", "a toobig b", QE_NEVER, false), QE_OK);
	ck_assert_int_eq(result_of(0), 1);
	ck_assert_int_eq(result_of(1), -QE_TOO_BIG);
	ck_assert_int_eq(result_of(2), 2);
}
END_TEST

START_TEST(an_atomic_put_is_accepted_at_one_moment)
{
	bound("q", 3, 0);
	put_ok("q", "x");
	put_ok("q", "y");
	ck_assert_int_eq(put_many(s1, 1, "q", "a b", NO_WAIT, true), QE_FULL_ITEMS);
	ck_assert_uint_eq(stats_of("q").ready, 2);
	ck_assert_int_eq(put_many(s1, 1, "q", "a b", QE_NEVER, true), QE_WAIT);
	expect_nothing();
	take(s2, "q", "x");
	expect(s1, 1, QE_OK);
	ck_assert_int_eq(result_of(0), 3);
	ck_assert_int_eq(result_of(1), 4);
}
END_TEST

START_TEST(an_atomic_put_that_can_never_fit_is_too_big)
{
	bound("q", 2, 0);
	ck_assert_int_eq(put_many(s1, 1, "q", "a b c", QE_NEVER, true), QE_TOO_BIG);
	bound("q", 0, 4);
	ck_assert_int_eq(put_many(s1, 1, "q", "aa bb c", QE_NEVER, true), QE_TOO_BIG);
	ck_assert_uint_eq(stats_of("q").ready, 0);
}
END_TEST

START_TEST(a_put_that_waits_is_too_big_when_the_bound_is_lowered)
{
	bound("q", 1, 0);
	put_ok("q", "a");
	ck_assert_int_eq(put(s1, 1, "q", "large", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(put(s1, 2, "q", "b", QE_NEVER), QE_WAIT);
	bound("q", 2, 3);
	expect(s1, 1, QE_TOO_BIG);
	expect(s1, 2, QE_OK);
}
END_TEST

START_TEST(raising_the_bound_lets_puts_go_on)
{
	bound("q", 1, 0);
	put_ok("q", "a");
	ck_assert_int_eq(put(s1, 1, "q", "b", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(put(s1, 2, "q", "c", QE_NEVER), QE_WAIT);
	bound("q", 2, 0);
	expect(s1, 1, QE_OK);
	expect_nothing();
	bound("q", 0, 0);
	expect(s1, 2, QE_OK);
}
END_TEST

START_TEST(a_put_to_a_full_queue_is_given_to_a_get_that_waits_for_it)
{
	bound("q", 2, 0);
	put_ok("q", "a");
	put_ok("q", "b");
	ck_assert_int_eq(get_many(s2, 1, "q", 3, 3, 0, QE_NEVER), QE_WAIT);
	put_ok("q", "c");
	expect(s2, 1, QE_OK);
	ck_assert_str_eq(bodies(), "a b c");
}
END_TEST

START_TEST(a_get_that_comes_to_a_full_queue_takes_what_waits_to_be_put)
{
	bound("q", 2, 0);
	put_ok("q", "a");
	put_ok("q", "b");
	ck_assert_int_eq(put(s1, 1, "q", "c", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get_many(s2, 1, "q", 3, 3, 0, QE_NEVER), QE_OK);
	ck_assert_str_eq(bodies(), "a b c");
	expect(s1, 1, QE_OK);
}
END_TEST

START_TEST(more_items_than_a_queue_holds_go_to_gets_that_wait)
{
	bound("q", 1, 0);
	ck_assert_int_eq(get(s2, 1, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get(s2, 2, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(put_many(s1, 1, "q", "a b c d", NO_WAIT, false), QE_OK);
	ck_assert_int_eq(result_of(2), 3);
	ck_assert_int_eq(result_of(3), -QE_FULL_ITEMS);
	expect(s2, 1, QE_OK);
	expect(s2, 2, QE_OK);
}
END_TEST

START_TEST(a_rid_that_waits_is_invalid)
{
	ck_assert_int_eq(get(s2, 5, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(put(s2, 5, "q", "a", NO_WAIT), QE_INVALID);
	ck_assert_int_eq(get(s2, 5, "other", NO_WAIT), QE_INVALID);
	ck_assert_int_eq(qe_join(e, now, s2, 5, name("q"),
				 &(struct qe_join){.deadline_ns = QE_NEVER}),
			 QE_INVALID);
	ck_assert_int_eq(put(s1, 5, "q", "a", NO_WAIT), QE_OK);
	expect(s2, 5, QE_OK);
	ck_assert_int_eq(get(s2, 5, "q", NO_WAIT), QE_EMPTY);
}
END_TEST

START_TEST(numbers_out_of_range_are_invalid)
{
	struct qe_item *items[2] = {new_item("a"), new_item("b")};

	ck_assert_int_eq(qe_put(e, now, s1, 1, name("q"), NO_WAIT, items, 2, false,
				false, &got),
			 QE_INVALID);
	ck_assert_int_eq(put_many(s1, 1, "q", "", NO_WAIT, false), QE_INVALID);
}
END_TEST

START_TEST(names_are_utf8_without_control_characters)
{
	static const char *const bad[] = {"",
					  "a\n",
					  "\x7f",
					  "\xc2\x80",
					  "\xc2\x9f",
					  "\xff",
					  "\xc3",
					  "\xc0\xaf",
					  "\xe0\x80\x80",
					  "\xed\xa0\x80",
					  "\xf4\x90\x80\x80",
					  "\xf0\x80\x80\x80",
					  "a\x80",
					  "\xe2\x82"};
	static const char *const good[] = {
		"a",	       " ", "\xc2\xa0", "\xe2\x82\xac", "\xf4\x8f\xbf\xbf",
		"\xed\x9f\xbf"};
	char long_name[QE_MAX_NAME + 2] = {0};
	struct qe_size size;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ck_assert_int_eq(put(s1, 1, bad[i], "a", NO_WAIT), QE_INVALID);
		ck_assert_int_eq(qe_size(e, name(bad[i]), &size), QE_INVALID);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		put_ok(good[i], "a");
	memset(long_name, 'x', QE_MAX_NAME);
	put_ok(long_name, "a");
	memset(long_name, 'x', QE_MAX_NAME + 1);
	ck_assert_int_eq(put(s1, 1, long_name, "a", NO_WAIT), QE_INVALID);
}
END_TEST

START_TEST(the_number_of_queues_is_limited)
{
	kit_limits((struct qe_config){.max_queues = 1});
	put_ok("q", "a");
	ck_assert_int_eq(put(s1, 1, "other", "a", NO_WAIT), QE_LIMIT);
	ck_assert_int_eq(get(s1, 1, "other", NO_WAIT), QE_LIMIT);
	put_ok("q", "b");
}
END_TEST

START_TEST(the_number_of_requests_that_wait_is_limited)
{
	kit_limits((struct qe_config){.max_waiters = 2, .maxsize = 1});
	ck_assert_int_eq(get(s1, 1, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get(s1, 2, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get(s1, 3, "q", QE_NEVER), QE_LIMIT);
	ck_assert_int_eq(get(s1, 3, "q", NO_WAIT), QE_EMPTY);
	ck_assert_int_eq(put_many(s1, 4, "other", "a b", QE_NEVER, false), QE_LIMIT);
	ck_assert_uint_eq(stats_of("other").ready, 0);
	ck_assert_int_eq(get(s2, 3, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(qe_cancel(e, now, s1, 1), QE_OK);
	expect(s1, 1, QE_CANCELLED);
	ck_assert_int_eq(get(s1, 3, "q", QE_NEVER), QE_WAIT);
}
END_TEST

START_TEST(defaults_bound_queues_that_come_into_being_by_use)
{
	kit_limits((struct qe_config){.maxsize = 1, .max_bytes = 3});
	ck_assert_int_eq(put(s1, 1, "q", "long", NO_WAIT), QE_TOO_BIG);
	put_ok("q", "a");
	ck_assert_int_eq(put(s1, 1, "q", "b", NO_WAIT), QE_FULL_ITEMS);
	ck_assert_int_eq(qe_configure(e, now, &(struct qe_config){.maxsize = 2}),
			 QE_OK);
	put_ok("q", "b");
	ck_assert_int_eq(stats_of("q").maxsize, 2);
	put_ok("new", "a");
	ck_assert_int_eq(stats_of("new").maxsize, 2);
}
END_TEST

static void
add(TCase *tcase)
{
	tcase_add_test(tcase, ids_rise_over_all_queues);
	tcase_add_test(tcase, items_come_out_in_the_order_in_which_they_went_in);
	tcase_add_test(tcase, put_to_full_queue_changes_nothing);
	tcase_add_test(tcase, leased_items_take_no_room);
	tcase_add_test(tcase, max_bytes_bounds_the_bodies);
	tcase_add_test(tcase, waiting_puts_are_accepted_in_the_order_of_arrival);
	tcase_add_test(tcase, a_small_put_does_not_overtake_a_large_one_that_waits);
	tcase_add_test(tcase, a_put_that_waits_is_full_when_its_time_is_over);
	tcase_add_test(tcase, when_the_first_put_gives_up_those_behind_it_go_on);
	tcase_add_test(tcase, many_are_accepted_as_far_as_there_is_room);
	tcase_add_test(tcase, many_wait_item_by_item_for_room);
	tcase_add_test(tcase,
		       an_item_of_many_that_is_too_big_does_not_hold_up_the_others);
	tcase_add_test(tcase, an_atomic_put_is_accepted_at_one_moment);
	tcase_add_test(tcase, an_atomic_put_that_can_never_fit_is_too_big);
	tcase_add_test(tcase, a_put_that_waits_is_too_big_when_the_bound_is_lowered);
	tcase_add_test(tcase, raising_the_bound_lets_puts_go_on);
	tcase_add_test(tcase,
		       a_put_to_a_full_queue_is_given_to_a_get_that_waits_for_it);
	tcase_add_test(tcase,
		       a_get_that_comes_to_a_full_queue_takes_what_waits_to_be_put);
	tcase_add_test(tcase, more_items_than_a_queue_holds_go_to_gets_that_wait);
	tcase_add_test(tcase, a_rid_that_waits_is_invalid);
	tcase_add_test(tcase, numbers_out_of_range_are_invalid);
	tcase_add_test(tcase, names_are_utf8_without_control_characters);
	tcase_add_test(tcase, the_number_of_queues_is_limited);
	tcase_add_test(tcase, the_number_of_requests_that_wait_is_limited);
	tcase_add_test(tcase, defaults_bound_queues_that_come_into_being_by_use);
}

int
main(void)
{
	return kit_main("put", add);
}
