/* SPDX-License-Identifier: MIT
 *
 * A queue that is paused: puts wait as if it were full, gets as if it were empty, and
 * nothing else changes.
 */
#include "tests/core/engine_kit.h"

static void
pause_in(bool in)
{
	struct qe_pause pause = {.has_in = true, .in = in};

	ck_assert_int_eq(qe_pause(e, now, name("q"), &pause), QE_OK);
}

static void
pause_out(bool out)
{
	struct qe_pause pause = {.has_out = true, .out = out};

	ck_assert_int_eq(qe_pause(e, now, name("q"), &pause), QE_OK);
}

START_TEST(puts_wait_while_it_is_paused_in_and_go_on_in_order)
{
	put_ok("q", "a");
	pause_in(true);
	ck_assert(stats_of("q").paused_in && !stats_of("q").paused_out);
	ck_assert_int_eq(put(s1, 1, "q", "b", NO_WAIT), QE_FULL_PAUSED);
	ck_assert_int_eq(put(s1, 1, "q", "b", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(put(s2, 1, "q", "c", now + 5), QE_WAIT);
	ck_assert_int_eq(put_many(s3, 1, "q", "d e", QE_NEVER, false), QE_WAIT);
	take(s1, "q", "a"); /* makes no room */
	tick_at(now + 5);
	expect(s2, 1, QE_FULL_PAUSED);
	pause_in(false);
	expect(s1, 1, QE_OK);
	expect(s3, 1, QE_OK);
	take(s1, "q", "b");
	take(s1, "q", "d");
}
END_TEST

START_TEST(a_get_that_waits_does_not_open_a_queue_that_is_paused_in)
{
	ck_assert_int_eq(get(s1, 1, "q", QE_NEVER), QE_WAIT);
	pause_in(true);
	ck_assert_int_eq(put(s2, 1, "q", "a", NO_WAIT), QE_FULL_PAUSED);
	ck_assert_int_eq(put_many(s2, 1, "q", "a b", NO_WAIT, false), QE_OK);
	ck_assert_int_eq(result_of(0), -QE_FULL_PAUSED);
	pause_in(false);
	expect_nothing();
	ck_assert_int_eq(put(s2, 1, "q", "a", NO_WAIT), QE_OK);
	expect(s1, 1, QE_OK);
}
END_TEST

START_TEST(gets_wait_while_it_is_paused_out_and_go_on_in_order)
{
	ck_assert_int_eq(get(s1, 1, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get_many(s1, 2, "q", 1, 5, 0, QE_NEVER), QE_WAIT);
	pause_out(true);
	put_ok("q", "a");
	put_ok("q", "b");
	expect_nothing();
	ck_assert_int_eq(get(s2, 1, "q", NO_WAIT), QE_EMPTY_PAUSED);
	ck_assert_int_eq(get(s2, 1, "q", now + 5), QE_WAIT);
	ck_assert_int_eq(get_many(s2, 2, "q", 1, 2, 0, NO_WAIT), QE_EMPTY_PAUSED);
	tick_at(now + 5);
	expect(s2, 1, QE_EMPTY_PAUSED);
	pause_out(false);
	expect(s1, 1, QE_OK);
	ck_assert_str_eq(bodies(), "a");
	expect(s1, 2, QE_OK);
	ck_assert_str_eq(bodies(), "b");
}
END_TEST

START_TEST(one_item_of_room_is_not_given_away_while_it_is_paused_out)
{
	kit_limits((struct qe_config){.maxsize = 1});
	ck_assert_int_eq(get(s1, 1, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get(s1, 2, "q", QE_NEVER), QE_WAIT);
	pause_out(true);
	put_ok("q", "a");
	ck_assert_int_eq(put(s2, 1, "q", "b", NO_WAIT), QE_FULL_ITEMS);
	pause_out(false);
	expect(s1, 1, QE_OK);
	put_ok("q", "b");
	expect(s1, 2, QE_OK);
}
END_TEST

START_TEST(what_is_held_can_be_finished_and_comes_back)
{
	struct qe_tag a, b;

	put_ok("q", "a");
	put_ok("q", "b");
	put_timed("q", "c", now + 3, now + 5);
	a = take(s1, "q", "a");
	b = take(s1, "q", "b");
	pause_in(true);
	pause_out(true);
	ck_assert_int_eq(qe_ack(e, now, s1, a), QE_OK);
	ck_assert_int_eq(qe_release(e, now, s1, b), QE_OK);
	ck_assert_uint_eq(stats_of("q").ready, 1);
	tick_at(now + 3);
	ck_assert_uint_eq(stats_of("q").ready, 2);
	tick_at(now + 2);
	ck_assert_uint_eq(stats_of("q").counters.expired, 1);
}
END_TEST

START_TEST(a_shutdown_goes_before_a_pause)
{
	put_ok("q", "a");
	pause_in(true);
	pause_out(true);
	ck_assert_int_eq(put(s1, 1, "q", "b", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get(s2, 1, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(qe_shutdown(e, now, name("q"), false), QE_OK);
	expect(s1, 1, QE_SHUT_DOWN);
	expect_nothing();
	ck_assert_int_eq(qe_shutdown(e, now, name("q"), true), QE_OK);
	expect(s2, 1, QE_SHUT_DOWN);
}
END_TEST

START_TEST(join_ends_when_the_last_item_of_a_paused_queue_is_finished)
{
	struct qe_tag a;

	put_ok("q", "a");
	pause_in(true);
	ck_assert_int_eq(put(s1, 1, "q", "b", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(qe_join(e, now, s2, 1, name("q"),
				 &(struct qe_join){.deadline_ns = QE_NEVER}),
			 QE_WAIT);
	a = take(s3, "q", "a");
	ck_assert_int_eq(qe_ack(e, now, s3, a), QE_OK);
	expect(s2, 1, QE_OK);
	expect_nothing();
}
END_TEST

START_TEST(only_a_queue_that_is_there_is_paused)
{
	struct qe_pause pause = {.has_in = true, .in = true};

	ck_assert_int_eq(qe_pause(e, now, name("q"), &pause), QE_NOT_FOUND);
	ck_assert_int_eq(qe_pause(e, now, name(""), &pause), QE_INVALID);
	put_ok("q", "a");
	ck_assert_int_eq(qe_pause(e, now, name("q"), &(struct qe_pause){0}), QE_OK);
	ck_assert(!stats_of("q").paused_in && !stats_of("q").paused_out);
}
END_TEST

static void
add(TCase *tcase)
{
	tcase_add_test(tcase, puts_wait_while_it_is_paused_in_and_go_on_in_order);
	tcase_add_test(tcase, a_get_that_waits_does_not_open_a_queue_that_is_paused_in);
	tcase_add_test(tcase, gets_wait_while_it_is_paused_out_and_go_on_in_order);
	tcase_add_test(tcase,
		       one_item_of_room_is_not_given_away_while_it_is_paused_out);
	tcase_add_test(tcase, what_is_held_can_be_finished_and_comes_back);
	tcase_add_test(tcase, a_shutdown_goes_before_a_pause);
	tcase_add_test(tcase,
		       join_ends_when_the_last_item_of_a_paused_queue_is_finished);
	tcase_add_test(tcase, only_a_queue_that_is_there_is_paused);
}

int
main(void)
{
	return kit_main("pause", add);
}
