/* SPDX-License-Identifier: MIT
 *
 * Delays and lives of items, on a clock that is a variable.
 */
#include "tests/core/engine_kit.h"

#define NO_END QE_NEVER

START_TEST(a_delayed_item_is_never_given_early)
{
	struct qe_item *item;

	put_timed("q", "a", now + 100, NO_END);
	ck_assert_uint_eq(stats_of("q").delayed, 1);
	ck_assert_uint_eq(qe_next_deadline(e), now + 100);
	tick_at(now + 99);
	ck_assert_int_eq(get(s1, 1, "q", NO_WAIT), QE_EMPTY);
	ck_assert_int_eq(qe_peek(e, name("q"), &item), QE_EMPTY);
	ck_assert_int_eq(get(s1, 1, "q", QE_NEVER), QE_WAIT);
	expect_nothing();
	tick_at(now + 1);
	expect(s1, 1, QE_OK);
	ck_assert_str_eq(bodies(), "a");
	ck_assert_uint_eq(stats_of("q").delayed, 0);
	ck_assert_uint_eq(qe_next_deadline(e), QE_NEVER);
}
END_TEST

START_TEST(a_moment_that_has_passed_is_no_delay)
{
	put_timed("q", "a", now, NO_END);
	take(s1, "q", "a");
}
END_TEST

START_TEST(a_get_that_waits_until_the_item_is_ready_is_given_it)
{
	put_timed("q", "a", now + 100, NO_END);
	ck_assert_int_eq(get(s1, 1, "q", now + 100), QE_WAIT);
	tick_at(now + 150);
	expect(s1, 1, QE_OK);
}
END_TEST

START_TEST(an_item_that_was_delayed_has_its_place_in_every_order)
{
	static const char *const expected[] = {"a b c", "c b a", "c a b"};

	for (int order = QE_FIFO; order <= QE_PRIORITY; order++) {
		struct qe_item *item = new_item("c");
		struct qe_reply reply;

		declare_order("q", (enum qe_order)order);
		put_timed("q", "a", now + 20, NO_END);
		put_ok("q", "b");
		qe_item_set_priority(item, -1);
		ck_assert_int_eq(qe_item_set_times(e, item, now + 10, NO_END), QE_OK);
		ck_assert_int_eq(qe_put(e, now, s1, 1, name("q"), NO_WAIT, &item, 1,
					false, false, &reply),
				 QE_OK);
		tick_at(now + 10);
		ck_assert_uint_eq(stats_of("q").ready, 2);
		tick_at(now + 10);
		ck_assert_int_eq(get_many(s1, 1, "q", 3, 3, 0, NO_WAIT), QE_OK);
		ck_assert_str_eq(bodies(), expected[order]);
		for (int i = 0; i < 3; i++)
			ck_assert_int_eq(qe_task_done(e, now, s1, name("q")), QE_OK);
	}
}
END_TEST

START_TEST(delayed_items_are_counted_and_take_room)
{
	struct qe_size size;

	bound("q", 2, 0);
	put_timed("q", "aaa", now + 100, NO_END);
	put_ok("q", "bb");
	ck_assert_int_eq(put(s1, 1, "q", "c", NO_WAIT), QE_FULL_ITEMS);
	ck_assert_int_eq(qe_size(e, name("q"), &size), QE_OK);
	ck_assert_uint_eq(size.qsize, 2);
	ck_assert_uint_eq(size.unfinished, 2);
	ck_assert_uint_eq(stats_of("q").bytes, 5);
	bound("q", 0, 6);
	ck_assert_int_eq(put(s1, 1, "q", "cc", NO_WAIT), QE_FULL_BYTES);
	put_ok("q", "c");
}
END_TEST

START_TEST(what_has_a_delay_needs_room_also_when_a_get_waits)
{
	struct qe_item *item = new_item("b");
	struct qe_reply reply;

	bound("q", 1, 0);
	put_timed("q", "a", now + 100, NO_END);
	ck_assert_int_eq(get(s1, 1, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(qe_item_set_times(e, item, now + 5, NO_END), QE_OK);
	ck_assert_int_eq(qe_put(e, now, s2, 2, name("q"), NO_WAIT, &item, 1, false,
				false, &reply),
			 QE_FULL_ITEMS);
	ck_assert_int_eq(put(s2, 3, "q", "c", NO_WAIT), QE_OK);
	expect(s1, 1, QE_OK);
	ck_assert_str_eq(bodies(), "c");
}
END_TEST

START_TEST(a_delay_survives_the_session_that_put_it)
{
	put_timed("q", "a", now + 10, NO_END);
	qe_session_end(e, now, s1, QE_END_LOST);
	tick_at(now + 10);
	take(s2, "q", "a");
}
END_TEST

START_TEST(an_item_expires_when_nobody_holds_it)
{
	put_timed("q", "ready", 0, now + 10);
	put_timed("q", "delayed", now + 50, now + 20);
	put_ok("q", "stays");
	tick_at(now + 9);
	ck_assert_uint_eq(stats_of("q").ready, 2);
	tick_at(now + 1);
	ck_assert_uint_eq(stats_of("q").ready, 1);
	ck_assert_uint_eq(stats_of("q").counters.expired, 1);
	tick_at(now + 10);
	ck_assert_uint_eq(stats_of("q").delayed, 0);
	ck_assert_uint_eq(stats_of("q").counters.expired, 2);
	take(s1, "q", "stays");
	ck_assert_uint_eq(qe_next_deadline(e), QE_NEVER);
}
END_TEST

/* The loop stood still, or the machine slept: a get may come before qe_tick() does. */
START_TEST(what_has_expired_is_not_given_before_the_tick_either)
{
	const struct qe_name queues[] = {name("q")};
	struct qe_any any = {.queues = queues, .n = 1};
	struct qe_get args = {0};
	struct qe_reply reply;

	put_timed("q", "a", 0, now + 10);
	put_timed("q", "b", now + 20, QE_NEVER);
	now += 10;
	ck_assert_int_eq(get(s1, 1, "q", NO_WAIT), QE_EMPTY);
	ck_assert_uint_eq(stats_of("q").counters.expired, 1);
	now += 10;
	take(s1, "q", "b");
	put_timed("q", "c", 0, now + 10);
	now += 10;
	ck_assert_int_eq(qe_get_any(e, now, s1, 2, &any, &args, &reply), QE_EMPTY);
	ck_assert_uint_eq(stats_of("q").counters.expired, 2);
}
END_TEST

START_TEST(a_leased_item_does_not_expire_until_it_comes_back)
{
	struct qe_tag a, b;

	put_timed("q", "a", 0, now + 10);
	put_timed("q", "b", 0, now + 10);
	a = take(s1, "q", "a");
	b = take(s1, "q", "b");
	ck_assert_uint_eq(qe_next_deadline(e), QE_NEVER);
	tick_at(now + 100);
	ck_assert_uint_eq(stats_of("q").leased, 2);
	ck_assert_int_eq(qe_ack(e, now, s1, a), QE_OK);
	ck_assert_int_eq(qe_release(e, now, s1, b), QE_OK);
	ck_assert_int_eq(get(s1, 1, "q", NO_WAIT), QE_EMPTY);
	ck_assert_uint_eq(stats_of("q").counters.finished, 1);
	ck_assert_uint_eq(stats_of("q").counters.released, 1);
	ck_assert_uint_eq(stats_of("q").counters.expired, 1);
}
END_TEST

START_TEST(an_item_that_comes_back_in_time_still_expires)
{
	struct qe_tag a;

	put_timed("q", "a", 0, now + 10);
	a = take(s1, "q", "a");
	ck_assert_int_eq(qe_release(e, now, s1, a), QE_OK);
	ck_assert_uint_eq(qe_next_deadline(e), now + 10);
	tick_at(now + 10);
	ck_assert_uint_eq(stats_of("q").counters.expired, 1);
}
END_TEST

START_TEST(join_ends_and_room_is_made_when_an_item_expires)
{
	bound("q", 1, 0);
	put_timed("q", "a", 0, now + 10);
	ck_assert_int_eq(put(s1, 1, "q", "b", QE_NEVER), QE_WAIT);
	tick_at(now + 10);
	expect(s1, 1, QE_OK);
	take(s1, "q", "b");
	ck_assert_int_eq(qe_task_done(e, now, s1, name("q")), QE_OK);
	put_timed("q", "c", now + 50, now + 10);
	ck_assert_int_eq(qe_join(e, now, s2, 2, name("q"),
				 &(struct qe_join){.deadline_ns = QE_NEVER}),
			 QE_WAIT);
	tick_at(now + 10);
	expect(s2, 2, QE_OK);
}
END_TEST

START_TEST(an_item_whose_life_ends_while_its_put_waits_is_accepted_and_expires)
{
	struct qe_item *item = new_item("b");
	struct qe_reply reply;

	bound("q", 1, 0);
	put_ok("q", "a");
	ck_assert_int_eq(qe_item_set_times(e, item, 0, now + 10), QE_OK);
	ck_assert_int_eq(qe_put(e, now, s1, 1, name("q"), QE_NEVER, &item, 1, false,
				false, &reply),
			 QE_WAIT);
	tick_at(now + 20);
	expect_nothing();
	take(s2, "q", "a");
	expect(s1, 1, QE_OK);
	ck_assert_uint_eq(got.id, 2);
	ck_assert_int_eq(get(s2, 1, "q", NO_WAIT), QE_EMPTY);
	ck_assert_uint_eq(stats_of("q").counters.accepted, 2);
	ck_assert_uint_eq(stats_of("q").counters.expired, 1);
}
END_TEST

START_TEST(purge_delete_and_immediate_shutdown_take_delayed_items_too)
{
	uint64_t count;

	put_timed("q", "a", now + 10, NO_END);
	put_timed("q", "b", 0, now + 10);
	ck_assert_int_eq(qe_purge(e, now, name("q"), &count), QE_OK);
	ck_assert_uint_eq(count, 2);
	put_timed("q", "c", now + 10, NO_END);
	ck_assert_int_eq(qe_shutdown(e, now, name("q"), true), QE_OK);
	ck_assert_uint_eq(stats_of("q").counters.dropped, 1);
	put_timed("other", "d", now + 10, NO_END);
	ck_assert_int_eq(qe_delete(e, now, name("other"), false), QE_NOT_EMPTY);
	ck_assert_int_eq(qe_delete(e, now, name("other"), true), QE_OK);
	tick_at(now + 10);
	ck_assert_uint_eq(qe_next_deadline(e), QE_NEVER);
}
END_TEST

START_TEST(gets_of_a_queue_that_was_shut_down_wait_for_delayed_items)
{
	put_timed("q", "a", now + 10, NO_END);
	put_timed("q", "b", now + 50, now + 20);
	ck_assert_int_eq(qe_shutdown(e, now, name("q"), false), QE_OK);
	ck_assert_int_eq(get(s1, 1, "q", NO_WAIT), QE_EMPTY);
	ck_assert_int_eq(get(s1, 1, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get(s2, 2, "q", QE_NEVER), QE_WAIT);
	tick_at(now + 10);
	expect(s1, 1, QE_OK);
	expect_nothing();
	tick_at(now + 10);
	expect(s2, 2, QE_SHUT_DOWN);
	ck_assert_int_eq(get(s2, 3, "q", QE_NEVER), QE_SHUT_DOWN);
}
END_TEST

START_TEST(many_that_are_due_at_once_are_done_in_shares)
{
	uint64_t next, ready = 0, before, ticks = 0;

	for (int i = 0; i < 10000; i++)
		put_timed(i % 2 ? "q" : "other", "x", now + 10,
			  i % 3 ? NO_END : now + 20);
	now += 10;
	do {
		before = ready;
		next = qe_tick(e, now);
		ready = stats_of("q").ready + stats_of("other").ready;
		ck_assert_uint_le(ready - before, 200);
		ticks++;
	} while (next == now);
	ck_assert_uint_eq(ready, 10000);
	ck_assert_uint_ge(ticks, 50);
	ck_assert_uint_eq(next, now + 10);
	for (now += 10; qe_tick(e, now) == now;)
		;
	ck_assert_uint_eq(stats_of("q").ready + stats_of("other").ready, 6666);
}
END_TEST

static void
add(TCase *tcase)
{
	tcase_add_test(tcase, a_delayed_item_is_never_given_early);
	tcase_add_test(tcase, a_moment_that_has_passed_is_no_delay);
	tcase_add_test(tcase, a_get_that_waits_until_the_item_is_ready_is_given_it);
	tcase_add_test(tcase, an_item_that_was_delayed_has_its_place_in_every_order);
	tcase_add_test(tcase, delayed_items_are_counted_and_take_room);
	tcase_add_test(tcase, what_has_a_delay_needs_room_also_when_a_get_waits);
	tcase_add_test(tcase, a_delay_survives_the_session_that_put_it);
	tcase_add_test(tcase, an_item_expires_when_nobody_holds_it);
	tcase_add_test(tcase, what_has_expired_is_not_given_before_the_tick_either);
	tcase_add_test(tcase, a_leased_item_does_not_expire_until_it_comes_back);
	tcase_add_test(tcase, an_item_that_comes_back_in_time_still_expires);
	tcase_add_test(tcase, join_ends_and_room_is_made_when_an_item_expires);
	tcase_add_test(
		tcase,
		an_item_whose_life_ends_while_its_put_waits_is_accepted_and_expires);
	tcase_add_test(tcase,
		       purge_delete_and_immediate_shutdown_take_delayed_items_too);
	tcase_add_test(tcase,
		       gets_of_a_queue_that_was_shut_down_wait_for_delayed_items);
	tcase_add_test(tcase, many_that_are_due_at_once_are_done_in_shares);
}

int
main(void)
{
	return kit_main("times", add);
}
