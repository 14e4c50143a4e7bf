/* SPDX-License-Identifier: MIT
 *
 * Items of one queue that become items of another.
 */
#include "tests/core/engine_kit.h"

#include <string.h>

static enum qe_result
move_as(const char *from, const char *to, enum qe_state state, unsigned max,
	uint64_t *ret_count)
{
	return qe_move(e, now, name(from), name(to), state, max, ret_count);
}

/* Ready ones: how many. */
static uint64_t
move(const char *from, const char *to, unsigned max)
{
	uint64_t n;

	ck_assert_int_eq(move_as(from, to, QE_STATE_READY, max, &n), QE_OK);
	return n;
}

START_TEST(ready_items_are_moved_from_the_front_in_their_order)
{
	uint64_t last;

	put_ok("a", "1");
	put_ok("a", "2");
	last = put_ok("a", "3");
	put_ok("b", "0");
	ck_assert_uint_eq(move("a", "b", 2), 2);
	ck_assert_uint_eq(stats_of("a").ready, 1);
	ck_assert_uint_eq(stats_of("a").counters.moved_out, 2);
	ck_assert_uint_eq(stats_of("b").counters.accepted, 3);
	take(s1, "b", "0");
	ck_assert_uint_gt(take(s1, "b", "1").id, last); /* new ones */
	take(s1, "b", "2");
	ck_assert_uint_eq(move("a", "new", 1000), 1);
	ck_assert_uint_eq(move("a", "new", 1000), 0);
	take(s1, "new", "3");
}
END_TEST

START_TEST(the_front_is_that_of_the_queues_order)
{
	declare_order("lifo", QE_LIFO);
	put_ok("lifo", "1");
	put_ok("lifo", "2");
	ck_assert_uint_eq(move("lifo", "b", 1), 1);
	take(s1, "b", "2");
	declare_order("urgent", QE_PRIORITY);
	put_priority("urgent", "later", 5);
	put_priority("urgent", "first", -5);
	declare_order("urgent too", QE_PRIORITY);
	put_priority("urgent too", "between", 0);
	ck_assert_uint_eq(move("urgent", "urgent too", 2), 2);
	take(s1, "urgent too", "first");
	take(s1, "urgent too", "between");
	take(s1, "urgent too", "later");
}
END_TEST

START_TEST(neither_delayed_nor_leased_items_are_moved)
{
	uint64_t n;

	put_ok("a", "held");
	take(s1, "a", "held");
	put_timed("a", "later", now + 10, QE_NEVER);
	ck_assert_uint_eq(move("a", "b", 1000), 0);
	ck_assert_int_eq(move_as("a", "b", QE_STATE_DELAYED, 1, &n), QE_INVALID);
	ck_assert_int_eq(move_as("a", "b", QE_STATE_LEASED, 1, &n), QE_INVALID);
	tick_at(now + 10);
	ck_assert_uint_eq(move("a", "b", 1000), 1);
}
END_TEST

START_TEST(an_end_is_kept_a_group_is_not)
{
	put_timed("a", "mortal", 0, now + 10);
	put_grouped("a", "g", "grouped");
	ck_assert_int_eq(join_group(s2, 7, "a", "g", QE_NEVER), QE_WAIT);
	ck_assert_uint_eq(move("a", "b", 2), 2);
	expect(s2, 7, QE_OK);
	ck_assert_int_eq(join_group(s2, 8, "b", "g", QE_NEVER), QE_OK);
	tick_at(now + 10);
	ck_assert_uint_eq(stats_of("b").counters.expired, 1);
	take(s1, "b", "grouped");
}
END_TEST

START_TEST(dead_items_are_ready_in_the_other_queue)
{
	struct qe_tag tag;
	uint64_t n;

	put_ok("a", "1");
	put_ok("a", "alive");
	tag = take(s1, "a", "1");
	ck_assert_int_eq(qe_bury(e, now, s1, tag, name("broken")), QE_OK);
	ck_assert_int_eq(move_as("a", "b", QE_STATE_DEAD, 10, &n), QE_OK);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(stats_of("a").dead, 0);
	ck_assert_uint_eq(stats_of("a").ready, 1);
	take(s1, "b", "1");
	ck_assert_int_eq(get(s1, 1, "b", NO_WAIT), QE_EMPTY);
}
END_TEST

START_TEST(what_is_known_of_a_death_goes_along)
{
	uint64_t n;

	put_ok("a", "1");
	ck_assert_int_eq(qe_nack(e, now, s1, take(s1, "a", "1"), &(struct qe_nack){0}),
			 QE_OK);
	ck_assert_int_eq(qe_bury(e, now, s1, take(s1, "a", "1"), name("broken")),
			 QE_OK);
	ck_assert_int_eq(move_as("a", "b", QE_STATE_DEAD, 1, &n), QE_OK);
	ck_assert_int_eq(get(s1, 1, "b", NO_WAIT), QE_OK);
	ck_assert_uint_eq(qe_item_nacks(got.item), 0);
	ck_assert_uint_eq(qe_item_deliveries(got.item), 1);
	ck_assert_int_eq(qe_item_death(got.item), QE_DEATH_BURIED);
	ck_assert_uint_eq(qe_item_error(got.item).len, 6);
}
END_TEST

/* A dead item of group "g" in queue "a"; if it is `held`, it dies after the group was cancelled. */
static void
bury_cancelled(bool held)
{
	struct qe_cancelled cancelled;
	struct qe_tag tag;

	put_grouped("a", "g", "in vain");
	tag = take(s1, "a", "in vain");
	if (!held)
		ck_assert_int_eq(qe_bury(e, now, s1, tag, name("")), QE_OK);
	ck_assert_int_eq(qe_cancel_group(e, now, name("a"), name("g"), &cancelled),
			 QE_OK);
	if (held)
		ck_assert_int_eq(qe_bury(e, now, s1, tag, name("")), QE_OK);
}

START_TEST(what_was_cancelled_is_dropped_by_a_move)
{
	uint64_t n;

	bury_cancelled(false);
	bury_cancelled(true);
	put_ok("a", "1");
	ck_assert_int_eq(qe_bury(e, now, s1, take(s1, "a", "1"), name("")), QE_OK);
	bound("b", 1, 0);
	put_ok("b", "0");
	ck_assert_int_eq(move_as("a", "b", QE_STATE_DEAD, 10, &n), QE_OK);
	ck_assert_uint_eq(n, 2); /* they need no room, the third one does */
	ck_assert_uint_eq(stats_of("a").counters.dropped, 2);
	ck_assert_uint_eq(stats_of("a").counters.moved_out, 0);
	bound("b", 0, 0);
	bury_cancelled(false);
	ck_assert_int_eq(move_as("a", "b", QE_STATE_DEAD, 10, &n), QE_OK);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(stats_of("a").dead, 0);
	take(s1, "b", "0");
	take(s1, "b", "1");
	ck_assert_int_eq(get(s1, 1, "b", NO_WAIT), QE_EMPTY);
}
END_TEST

START_TEST(the_targets_bounds_are_respected)
{
	uint64_t n;

	bound("b", 2, 0);
	for (int i = 0; i < 3; i++)
		put_ok("a", "x");
	ck_assert_uint_eq(move("a", "b", 3), 2);
	ck_assert_int_eq(move_as("a", "b", QE_STATE_READY, 3, &n), QE_FULL_ITEMS);
	bound("b", 0, 4);
	ck_assert_uint_eq(move("a", "b", 3), 1);
	put_ok("a", "xy");
	put_ok("a", "12345");
	ck_assert_int_eq(move_as("a", "b", QE_STATE_READY, 3, &n), QE_FULL_BYTES);
	ck_assert_uint_eq(move("a", "c", 1), 1);
	ck_assert_int_eq(move_as("a", "b", QE_STATE_READY, 3, &n), QE_TOO_BIG);
	ck_assert_uint_eq(stats_of("a").ready, 1); /* nothing was changed */
}
END_TEST

START_TEST(who_waits_is_served)
{
	bound("a", 1, 0);
	put_ok("a", "1");
	ck_assert_int_eq(put(s2, 5, "a", "2", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get(s3, 6, "b", QE_NEVER), QE_WAIT);
	ck_assert_uint_eq(move("a", "b", 10), 1);
	expect(s3, 6, QE_OK);
	expect(s2, 5, QE_OK);
	ck_assert_int_eq(join_group(s2, 7, "a", "", QE_NEVER), QE_WAIT);
	ck_assert_uint_eq(move("a", "b", 10), 1);
	expect(s2, 7, QE_OK);
}
END_TEST

START_TEST(it_goes_into_another_queue_that_is_open)
{
	uint64_t n;

	ck_assert_int_eq(move_as("a", "b", QE_STATE_READY, 1, &n), QE_NOT_FOUND);
	put_ok("a", "1");
	ck_assert_int_eq(move_as("a", "a", QE_STATE_READY, 1, &n), QE_INVALID);
	ck_assert_int_eq(move_as("a", "", QE_STATE_READY, 1, &n), QE_INVALID);
	ck_assert_int_eq(move_as("", "a", QE_STATE_READY, 1, &n), QE_INVALID);
	ck_assert_int_eq(move_as("a", "b", QE_STATE_READY, 0, &n), QE_INVALID);
	ck_assert_int_eq(move_as("a", "b", QE_STATE_READY, 1001, &n), QE_INVALID);
	ck_assert_int_eq(qe_shutdown(e, now, name("b"), false), QE_OK);
	ck_assert_int_eq(move_as("a", "b", QE_STATE_READY, 1, &n), QE_SHUT_DOWN);
	ck_assert_uint_eq(stats_of("a").ready, 1);
}
END_TEST

static void
add(TCase *tcase)
{
	tcase_add_test(tcase, ready_items_are_moved_from_the_front_in_their_order);
	tcase_add_test(tcase, the_front_is_that_of_the_queues_order);
	tcase_add_test(tcase, neither_delayed_nor_leased_items_are_moved);
	tcase_add_test(tcase, an_end_is_kept_a_group_is_not);
	tcase_add_test(tcase, dead_items_are_ready_in_the_other_queue);
	tcase_add_test(tcase, what_is_known_of_a_death_goes_along);
	tcase_add_test(tcase, what_was_cancelled_is_dropped_by_a_move);
	tcase_add_test(tcase, the_targets_bounds_are_respected);
	tcase_add_test(tcase, who_waits_is_served);
	tcase_add_test(tcase, it_goes_into_another_queue_that_is_open);
}

int
main(void)
{
	return kit_main("move", add);
}
