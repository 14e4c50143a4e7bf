/* SPDX-License-Identifier: MIT
 *
 * Getting: fairness, deadlines, gets of many, gets without acknowledgement, deliveries.
 */
#include "tests/core/engine_kit.h"

START_TEST(get_from_empty_queue_is_empty)
{
	ck_assert_int_eq(get(s1, 1, "q", NO_WAIT), QE_EMPTY);
	ck_assert_int_eq(get(s1, 1, "q", now), QE_EMPTY);
	ck_assert_uint_eq(stats_of("q").getters, 0);
}
END_TEST

START_TEST(one_item_wakes_exactly_one_get_in_the_order_of_arrival)
{
	ck_assert_int_eq(get(s1, 1, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get(s2, 1, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get(s1, 2, "q", QE_NEVER), QE_WAIT);
	put_ok("q", "a");
	expect(s1, 1, QE_OK);
	ck_assert_str_eq(bodies(), "a");
	expect_nothing();
	put_ok("q", "b");
	put_ok("q", "c");
	expect(s2, 1, QE_OK);
	ck_assert_str_eq(bodies(), "b");
	expect(s1, 2, QE_OK);
	ck_assert_str_eq(bodies(), "c");
}
END_TEST

START_TEST(a_get_waits_until_its_deadline)
{
	ck_assert_int_eq(get(s1, 1, "q", now + 10), QE_WAIT);
	ck_assert_int_eq(get(s1, 2, "q", now + 5), QE_WAIT);
	ck_assert_uint_eq(qe_next_deadline(e), now + 5);
	ck_assert_uint_eq(qe_tick(e, now += 5), now + 5);
	expect(s1, 2, QE_EMPTY);
	expect_nothing();
	ck_assert_uint_eq(qe_tick(e, now += 5), QE_NEVER);
	expect(s1, 1, QE_EMPTY);
}
END_TEST

START_TEST(a_get_that_was_answered_has_no_deadline_any_more)
{
	ck_assert_int_eq(get(s1, 1, "q", now + 10), QE_WAIT);
	put_ok("q", "a");
	expect(s1, 1, QE_OK);
	ck_assert_uint_eq(qe_tick(e, now += 10), QE_NEVER);
}
END_TEST

START_TEST(a_reply_keeps_a_body_that_was_finished)
{
	struct qe_tag tag;

	put_ok("q", "a");
	ck_assert_int_eq(get(s1, 1, "q", NO_WAIT), QE_OK);
	tag = tag_of(got.item);
	ck_assert_int_eq(qe_ack(e, now, s1, tag), QE_OK);
	ck_assert_str_eq(bodies(), "a");
}
END_TEST

START_TEST(metadata_come_with_the_item)
{
	struct qe_item *item = new_item("abc");
	struct qe_reply reply;

	ck_assert_uint_eq(qe_item_id(item), 0);
	ck_assert_uint_eq(qe_item_ctype(item), 0);
	qe_item_set_ctype(item, 255);
	ck_assert_int_eq(qe_put(e, now, s1, 1, name("q"), NO_WAIT, &item, 1, false,
				false, &reply),
			 QE_OK);
	qe_reply_done(e, &reply);
	ck_assert_int_eq(get(s2, 1, "q", NO_WAIT), QE_OK);
	ck_assert_uint_eq(got.n, 1);
	ck_assert_ptr_null(got.items);
	ck_assert_ptr_eq(qe_reply_item(&got, 0), got.item);
	ck_assert_uint_eq(qe_item_ctype(got.item), 255);
	ck_assert_uint_eq(qe_item_body_len(got.item), 3);
	ck_assert_uint_eq(qe_item_deliveries(got.item), 1);
	ck_assert_uint_eq(qe_item_crashes(got.item), 0);
}
END_TEST

static struct qe_get
without_ack(bool many, uint64_t deadline)
{
	return (struct qe_get){.deadline_ns = deadline,
			       .no_ack = true,
			       .many = many,
			       .min_items = 1,
			       .max_items = 10,
			       .max_bytes = 100};
}

START_TEST(without_ack_items_are_finished_as_they_are_given)
{
	struct qe_get one = without_ack(false, QE_NEVER), many = without_ack(true, 0);

	put_ok("q", "a");
	put_ok("q", "b");
	put_ok("q", "c");
	ck_assert_int_eq(qe_get(e, now, s1, 1, name("q"), &one, &got), QE_OK);
	ck_assert_uint_eq(stats_of("q").counters.finished, 1);
	ck_assert_int_eq(qe_ack(e, now, s1, tag_of(got.item)), QE_STALE);
	qe_reply_done(e, &got);
	ck_assert_int_eq(qe_get(e, now, s1, 1, name("q"), &many, &got), QE_OK);
	ck_assert_uint_eq(got.n, 2);
	qe_reply_done(e, &got);
	ck_assert_int_eq(qe_get(e, now, s1, 1, name("q"), &one, &got), QE_WAIT);
	put_ok("q", "d");
	expect(s1, 1, QE_OK);
	ck_assert_uint_eq(stats_of("q").counters.delivered, 4);
	ck_assert_uint_eq(stats_of("q").counters.finished, 4);
	ck_assert_uint_eq(stats_of("q").leased, 0);
	ck_assert_str_eq(bodies(), "d");
}
END_TEST

START_TEST(many_takes_what_is_ready_up_to_its_most)
{
	put_ok("q", "a");
	put_ok("q", "b");
	put_ok("q", "c");
	ck_assert_int_eq(get_many(s1, 1, "q", 1, 2, 0, NO_WAIT), QE_OK);
	ck_assert(got.many && got.items && !got.item);
	ck_assert_str_eq(bodies(), "a b");
	ck_assert_int_eq(get_many(s1, 1, "q", 1, 2, 0, NO_WAIT), QE_OK);
	ck_assert(got.many && !got.items && got.item);
	ck_assert_str_eq(bodies(), "c");
	ck_assert_int_eq(get_many(s1, 1, "q", 1, 2, 0, NO_WAIT), QE_EMPTY);
}
END_TEST

START_TEST(many_is_bounded_in_bytes_but_gives_the_first_item)
{
	struct qe_get args = {.deadline_ns = NO_WAIT,
			      .many = true,
			      .min_items = 1,
			      .max_items = 10,
			      .max_bytes = 4};

	put_ok("q", "large one");
	put_ok("q", "ab");
	put_ok("q", "cd");
	put_ok("q", "e");
	ck_assert_int_eq(qe_get(e, now, s1, 1, name("q"), &args, &got), QE_OK);
	ck_assert_uint_eq(got.n, 1);
	ck_assert_ptr_null(got.items);
	qe_reply_done(e, &got);
	ck_assert_int_eq(qe_get(e, now, s1, 1, name("q"), &args, &got), QE_OK);
	ck_assert_uint_eq(got.n, 2);
	qe_reply_done(e, &got);
}
END_TEST

START_TEST(many_waits_for_its_fewest)
{
	ck_assert_int_eq(get_many(s1, 1, "q", 2, 3, 0, QE_NEVER), QE_WAIT);
	put_ok("q", "a");
	expect_nothing();
	put_ok("q", "b");
	expect(s1, 1, QE_OK);
	ck_assert_str_eq(bodies(), "a b");
}
END_TEST

START_TEST(many_takes_what_there_is_at_its_deadline)
{
	ck_assert_int_eq(get_many(s1, 1, "q", 3, 3, 0, now + 10), QE_WAIT);
	ck_assert_int_eq(get_many(s2, 1, "q", 3, 3, 0, now + 20), QE_WAIT);
	put_ok("q", "a");
	put_ok("q", "b");
	tick_at(now + 10);
	expect(s1, 1, QE_OK);
	ck_assert_str_eq(bodies(), "a b");
	tick_at(now + 10);
	expect(s2, 1, QE_EMPTY);
}
END_TEST

START_TEST(many_lingers_for_its_most_once_its_fewest_are_there)
{
	ck_assert_int_eq(get_many(s1, 1, "q", 2, 4, 10, QE_NEVER), QE_WAIT);
	put_ok("q", "a");
	ck_assert_uint_eq(qe_next_deadline(e), QE_NEVER);
	now += 5;
	put_ok("q", "b");
	ck_assert_uint_eq(qe_next_deadline(e), now + 10);
	put_ok("q", "c");
	ck_assert_uint_eq(qe_tick(e, now + 9), now + 10);
	expect_nothing();
	tick_at(now + 10);
	expect(s1, 1, QE_OK);
	ck_assert_str_eq(bodies(), "a b c");
}
END_TEST

START_TEST(lingering_ends_when_the_most_are_there)
{
	put_ok("q", "a");
	ck_assert_int_eq(get_many(s1, 1, "q", 1, 2, 10, QE_NEVER), QE_WAIT);
	put_ok("q", "b");
	expect(s1, 1, QE_OK);
	ck_assert_str_eq(bodies(), "a b");
	ck_assert_uint_eq(qe_next_deadline(e), QE_NEVER);
}
END_TEST

START_TEST(lingering_does_not_outlast_the_deadline)
{
	put_ok("q", "a");
	ck_assert_int_eq(get_many(s1, 1, "q", 1, 2, 100, now + 10), QE_WAIT);
	tick_at(now + 10);
	expect(s1, 1, QE_OK);
	ck_assert_str_eq(bodies(), "a");
}
END_TEST

START_TEST(lingering_begins_anew_when_others_took_the_items)
{
	put_ok("q", "a");
	ck_assert_int_eq(get_many(s1, 1, "q", 1, 2, 10, now + 50), QE_WAIT);
	take(s2, "q", "a");
	ck_assert_uint_eq(qe_next_deadline(e), now + 50);
	now += 7;
	put_ok("q", "b");
	ck_assert_uint_eq(qe_next_deadline(e), now + 10);
	tick_at(now + 10);
	expect(s1, 1, QE_OK);
	ck_assert_str_eq(bodies(), "b");
}
END_TEST

START_TEST(while_many_waits_for_more_plain_gets_are_served)
{
	ck_assert_int_eq(get_many(s1, 1, "q", 2, 2, 0, QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get(s2, 1, "q", QE_NEVER), QE_WAIT);
	put_ok("q", "a");
	expect(s2, 1, QE_OK);
	ck_assert_str_eq(bodies(), "a");
	put_ok("q", "b");
	put_ok("q", "c");
	expect(s1, 1, QE_OK);
	ck_assert_str_eq(bodies(), "b c");
}
END_TEST

START_TEST(of_two_lines_the_earlier_get_that_can_take_is_served)
{
	ck_assert_int_eq(get_many(s1, 1, "q", 1, 5, 0, QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get(s2, 1, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get_many(s3, 1, "q", 1, 5, 0, QE_NEVER), QE_WAIT);
	put_ok("q", "a");
	expect(s1, 1, QE_OK);
	put_ok("q", "b");
	expect(s2, 1, QE_OK);
	put_ok("q", "c");
	expect(s3, 1, QE_OK);
}
END_TEST

START_TEST(only_the_first_get_of_many_is_looked_at)
{
	ck_assert_int_eq(get_many(s1, 1, "q", 3, 3, 0, QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get_many(s2, 1, "q", 1, 3, 0, QE_NEVER), QE_WAIT);
	put_ok("q", "a");
	expect_nothing();
	ck_assert_int_eq(qe_cancel(e, now, s1, 1), QE_OK);
	expect(s1, 1, QE_CANCELLED);
	expect(s2, 1, QE_OK);
	ck_assert_str_eq(bodies(), "a");
}
END_TEST

START_TEST(numbers_out_of_range_are_invalid)
{
	ck_assert_int_eq(get_many(s1, 1, "q", 0, 1, 0, NO_WAIT), QE_INVALID);
	ck_assert_int_eq(get_many(s1, 1, "q", 2, 1, 0, NO_WAIT), QE_INVALID);
	ck_assert_int_eq(get_many(s1, 1, "q", 1, QE_MAX_BATCH + 1, 0, NO_WAIT),
			 QE_INVALID);
	ck_assert_int_eq(get(s1, 1, "", NO_WAIT), QE_INVALID);
	ck_assert_int_eq(get_many(s1, 1, "q", 1, QE_MAX_BATCH, 0, NO_WAIT), QE_EMPTY);
}
END_TEST

START_TEST(peek_shows_the_next_item_and_leaves_it)
{
	struct qe_item *item;

	ck_assert_int_eq(qe_peek(e, name("q"), &item), QE_EMPTY);
	ck_assert_int_eq(qe_peek(e, name("\n"), &item), QE_INVALID);
	put_ok("q", "a");
	put_ok("q", "b");
	ck_assert_int_eq(qe_peek(e, name("q"), &item), QE_OK);
	ck_assert_mem_eq(qe_item_body(item), "a", 1);
	ck_assert_uint_eq(qe_item_deliveries(item), 0);
	take(s1, "q", "a");
	qe_item_unref(e, item);
}
END_TEST

static void
add(TCase *tcase)
{
	tcase_add_test(tcase, get_from_empty_queue_is_empty);
	tcase_add_test(tcase, one_item_wakes_exactly_one_get_in_the_order_of_arrival);
	tcase_add_test(tcase, a_get_waits_until_its_deadline);
	tcase_add_test(tcase, a_get_that_was_answered_has_no_deadline_any_more);
	tcase_add_test(tcase, a_reply_keeps_a_body_that_was_finished);
	tcase_add_test(tcase, metadata_come_with_the_item);
	tcase_add_test(tcase, without_ack_items_are_finished_as_they_are_given);
	tcase_add_test(tcase, many_takes_what_is_ready_up_to_its_most);
	tcase_add_test(tcase, many_is_bounded_in_bytes_but_gives_the_first_item);
	tcase_add_test(tcase, many_waits_for_its_fewest);
	tcase_add_test(tcase, many_takes_what_there_is_at_its_deadline);
	tcase_add_test(tcase, many_lingers_for_its_most_once_its_fewest_are_there);
	tcase_add_test(tcase, lingering_ends_when_the_most_are_there);
	tcase_add_test(tcase, lingering_does_not_outlast_the_deadline);
	tcase_add_test(tcase, lingering_begins_anew_when_others_took_the_items);
	tcase_add_test(tcase, while_many_waits_for_more_plain_gets_are_served);
	tcase_add_test(tcase, of_two_lines_the_earlier_get_that_can_take_is_served);
	tcase_add_test(tcase, only_the_first_get_of_many_is_looked_at);
	tcase_add_test(tcase, numbers_out_of_range_are_invalid);
	tcase_add_test(tcase, peek_shows_the_next_item_and_leaves_it);
}

int
main(void)
{
	return kit_main("get", add);
}
