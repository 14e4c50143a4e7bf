/* SPDX-License-Identifier: MIT
 *
 * Groups: items of one queue that are joined and cancelled together.
 */
#include "tests/core/engine_kit.h"

#include <stdio.h>
#include <string.h>

static struct qe_cancelled
cancel(const char *queue, const char *group)
{
	struct qe_cancelled cancelled;

	ck_assert_int_eq(qe_cancel_group(e, now, name(queue), name(group), &cancelled),
			 QE_OK);
	return cancelled;
}

/* A put into a group that may wait. */
static enum qe_result
put_into(struct qe_session *s, uint64_t rid, const char *queue, const char *group,
	 const char *body, uint64_t deadline)
{
	struct qe_item *item = new_item(body);
	struct qe_reply reply;

	ck_assert_int_eq(qe_item_set_group(e, now, item, name(queue), name(group)),
			 QE_OK);
	return qe_put(e, now, s, rid, name(queue), deadline, &item, 1, false, false,
		      &reply);
}

static void
maxsize(const char *queue, int64_t n)
{
	struct qe_declare declare = {.has_maxsize = true, .maxsize = n, .update = true};
	struct qe_queue_stats stats;
	bool created;

	ck_assert_int_eq(qe_declare(e, now, name(queue), &declare, &created, &stats),
			 QE_OK);
}

START_TEST(items_of_groups_have_their_places_among_the_others)
{
	enum qe_order order = (enum qe_order)_i;
	const char *expected[] = {"a b c d e", "e d c b a", "a b c d e"};
	struct qe_tag tag;

	declare_order("q", order);
	put_ok("q", "a");
	put_grouped("q", "g", "b");
	put_grouped("q", "h", "c");
	put_ok("q", "d");
	put_grouped("q", "g", "e");
	tag = take(s1, "q", order == QE_LIFO ? "e" : "a");
	ck_assert_int_eq(qe_release(e, now, s1, tag), QE_OK);
	ck_assert_int_eq(get(s1, 1, "q", NO_WAIT), QE_OK);
	ck_assert_int_eq(qe_release(e, now, s1, tag_of(got.item)), QE_OK);
	expect_nothing();
	ck_assert_int_eq(get_many(s1, 1, "q", 1, 10, 0, NO_WAIT), QE_OK);
	ck_assert_str_eq(bodies(), expected[_i]);
}
END_TEST

START_TEST(the_consumer_is_told_the_group)
{
	put_grouped("q", "g", "a");
	put_ok("q", "b");
	ck_assert_int_eq(get(s1, 1, "q", NO_WAIT), QE_OK);
	ck_assert_uint_eq(qe_item_group(got.item).len, 1);
	ck_assert_mem_eq(qe_item_group(got.item).p, "g", 1);
	ck_assert_int_eq(get(s1, 1, "q", NO_WAIT), QE_OK);
	ck_assert_uint_eq(qe_item_group(got.item).len, 0);
	/* The name lives as long as the item, whatever becomes of queue and group. */
	put_grouped("q", "last", "c");
	ck_assert_int_eq(get(s1, 1, "q", NO_WAIT), QE_OK);
	ck_assert_int_eq(qe_delete(e, now, name("q"), true), QE_OK);
	tick_at(++now);
	ck_assert_mem_eq(qe_item_group(got.item).p, "last", 4);
	ck_assert_ptr_null(qe_check(e));
	expect_nothing();
}
END_TEST

START_TEST(join_of_a_group_waits_for_its_items_alone)
{
	struct qe_tag tag, other;

	put_grouped("q", "g", "a");
	put_ok("q", "b");
	put_grouped("q", "h", "c");
	ck_assert_int_eq(join_group(s2, 1, "q", "none", NO_WAIT), QE_OK);
	ck_assert_int_eq(join_group(s2, 1, "other", "g", NO_WAIT), QE_OK);
	ck_assert_int_eq(join_group(s2, 1, "q", "g", NO_WAIT), QE_TIMEOUT);
	ck_assert_int_eq(join_group(s2, 2, "q", "g", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(join_group(s3, 2, "q", "g", now + 5), QE_WAIT);
	ck_assert_int_eq(join_group(s2, 3, "q", "", QE_NEVER), QE_WAIT);
	ck_assert_uint_eq(stats_of("q").joiners, 3);
	tag = take(s1, "q", "a");
	ck_assert_int_eq(qe_task_done(e, now, s1, name("q")), QE_OK);
	(void)tag;
	expect(s2, 2, QE_OK);
	expect(s3, 2, QE_OK);
	expect_nothing();
	take(s1, "q", "b");
	other = take(s1, "q", "c");
	ck_assert_int_eq(qe_ack(e, now, s1, other), QE_OK);
	expect_nothing();
	ck_assert_int_eq(qe_task_done(e, now, s1, name("q")), QE_OK);
	expect(s2, 3, QE_OK);
}
END_TEST

START_TEST(join_of_a_group_goes_on_over_a_crash_and_ends_by_its_timeout)
{
	put_grouped("q", "g", "a");
	take(s1, "q", "a");
	ck_assert_int_eq(join_group(s2, 1, "q", "g", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(join_group(s2, 2, "q", "g", now + 5), QE_WAIT);
	qe_session_end(e, now, s1, QE_END_LOST);
	expect_nothing();
	tick_at(now + 5);
	expect(s2, 2, QE_TIMEOUT);
	ck_assert_int_eq(qe_ack(e, now, s3, take(s3, "q", "a")), QE_OK);
	expect(s2, 1, QE_OK);
}
END_TEST

/* Whatever takes the last items of a group away wakes its joins. */
START_TEST(join_of_a_group_ends_when_its_items_are_gone)
{
	struct qe_item *item = new_item("a");
	uint64_t count;

	ck_assert_int_eq(qe_item_set_times(e, item, now + 3, now + 9), QE_OK);
	ck_assert_int_eq(qe_item_set_group(e, now, item, name("q"), name("g")), QE_OK);
	ck_assert_int_eq(qe_put(e, now, s1, 1, name("q"), NO_WAIT, &item, 1, false,
				false, &got),
			 QE_OK);
	put_ok("q", "other");
	take(s1, "q", "other");
	ck_assert_int_eq(join_group(s2, 1, "q", "g", QE_NEVER), QE_WAIT);
	switch (_i) {
	case 0: ck_assert_int_eq(qe_purge(e, now, name("q"), &count), QE_OK); break;
	case 1: ck_assert_int_eq(qe_shutdown(e, now, name("q"), true), QE_OK); break;
	case 2: tick_at(now + 9); break;
	case 3: cancel("q", "g"); break;
	case 4: ck_assert_int_eq(qe_delete(e, now, name("q"), true), QE_OK); break;
	default:
		tick_at(now + 3);
		ck_assert_int_eq(qe_ack(e, now, s3, take(s3, "q", "a")), QE_OK);
	}
	expect(s2, 1, _i == 4 ? QE_DELETED : QE_OK);
	expect_nothing();
}
END_TEST

START_TEST(cancel_drops_what_waits_and_marks_what_is_held)
{
	struct qe_cancelled cancelled;
	struct qe_tag one, two;

	for (int i = 0; i < 5; i++)
		put_grouped("q", "g", "x");
	put_timed("q", "later", now + 100, QE_NEVER);
	put_ok("q", "mine");
	one = take(s1, "q", "x");
	two = take(s1, "q", "x");
	cancelled = cancel("q", "g");
	ck_assert_uint_eq(cancelled.dropped, 3);
	ck_assert_uint_eq(cancelled.held, 2);
	ck_assert_uint_eq(stats_of("q").counters.dropped, 3);
	ck_assert_uint_eq(stats_of("q").ready, 1);
	/* What is held is finished as ever, or dropped when it comes back. */
	ck_assert_int_eq(join_group(s2, 1, "q", "g", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(qe_ack(e, now, s1, one), QE_OK);
	ck_assert_int_eq(qe_release(e, now, s1, two), QE_OK);
	expect(s2, 1, QE_OK);
	ck_assert_uint_eq(stats_of("q").counters.dropped, 4);
	ck_assert_uint_eq(stats_of("q").counters.finished, 1);
	take(s1, "q", "mine");
	ck_assert_int_eq(get(s1, 9, "q", NO_WAIT), QE_EMPTY);
}
END_TEST

START_TEST(a_cancelled_name_can_be_used_again)
{
	struct qe_tag old;
	struct qe_cancelled cancelled;

	put_grouped("q", "g", "old");
	old = take(s1, "q", "old");
	cancel("q", "g");
	put_grouped("q", "g", "new");
	ck_assert_int_eq(join_group(s2, 1, "q", "g", QE_NEVER), QE_WAIT);
	qe_session_end(e, now, s1, QE_END_LOST);
	(void)old;
	expect_nothing();
	cancelled = cancel("q", "g");
	ck_assert_uint_eq(cancelled.dropped, 1);
	ck_assert_uint_eq(cancelled.held, 0);
	expect(s2, 1, QE_OK);
	s1 = new_session(9);
	put_grouped("q", "g", "newer");
	take(s2, "q", "newer");
	ck_assert_uint_eq(cancel("q", "g").held, 1);
	ck_assert_uint_eq(cancel("q", "g").held, 0); /* it is marked already */
}
END_TEST

START_TEST(a_put_that_waits_is_cancelled_with_its_group)
{
	maxsize("q", 1);
	put_ok("q", "a");
	ck_assert_int_eq(put_into(s1, 1, "q", "g", "b", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(put_into(s1, 2, "q", "h", "c", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(put_into(s1, 3, "q", "g", "d", QE_NEVER), QE_WAIT);
	ck_assert_uint_eq(cancel("q", "g").dropped, 0);
	expect(s1, 1, QE_CANCELLED);
	expect(s1, 3, QE_CANCELLED);
	expect_nothing();
	take(s2, "q", "a");
	expect(s1, 2, QE_OK);
	take(s2, "q", "c");
}
END_TEST

START_TEST(cancel_makes_room_for_those_who_wait)
{
	maxsize("q", 2);
	put_grouped("q", "g", "a");
	put_grouped("q", "g", "b");
	ck_assert_int_eq(put(s1, 1, "q", "c", QE_NEVER), QE_WAIT);
	cancel("q", "g");
	expect(s1, 1, QE_OK);
	take(s2, "q", "c");
}
END_TEST

START_TEST(bad_names_and_missing_queues_are_refused)
{
	struct qe_cancelled cancelled;
	struct qe_item *item = new_item("a");

	ck_assert_int_eq(qe_item_set_group(e, now, item, name("q"), name("")),
			 QE_INVALID);
	ck_assert_int_eq(qe_item_set_group(e, now, item, name("q"), name("a\nb")),
			 QE_INVALID);
	ck_assert_int_eq(qe_item_set_group(e, now, item, name(""), name("g")),
			 QE_INVALID);
	qe_item_unref(e, item);
	ck_assert_int_eq(qe_cancel_group(e, now, name("q"), name("g"), &cancelled),
			 QE_NOT_FOUND);
	put_ok("q", "a");
	ck_assert_int_eq(qe_cancel_group(e, now, name("q"), name("\x7f"), &cancelled),
			 QE_INVALID);
	cancelled = cancel("q", "g");
	ck_assert_uint_eq(cancelled.dropped + cancelled.held, 0);
	ck_assert_int_eq(join_group(s1, 1, "q", "\x7f", QE_NEVER), QE_INVALID);
}
END_TEST

/* Many of one group, among others, some of them with times to come. Nothing of it may be
 * given or counted, long before all of it is freed. */
START_TEST(a_large_group_is_cancelled_at_once_and_freed_in_shares)
{
	uint64_t full, count;

	for (int i = 0; i < 5000; i++) {
		struct qe_item *item = new_item("x");

		if (i % 3 == 0)
			ck_assert_int_eq(qe_item_set_times(e, item, i % 2 ? now + 5 : 0,
							   now + 10 + (uint64_t)i),
					 QE_OK);
		ck_assert_int_eq(qe_item_set_group(e, now, item, name("q"), name("g")),
				 QE_OK);
		ck_assert_int_eq(qe_put(e, now, s1, 1, name("q"), NO_WAIT, &item, 1,
					false, false, &got),
				 QE_OK);
		qe_reply_done(e, &got);
	}
	put_timed("q", "last", 0, now + 10);
	full = qe_memory(e);
	ck_assert_uint_eq(cancel("q", "g").dropped, 5000);
	ck_assert_uint_eq(stats_of("q").ready, 1);
	ck_assert_uint_eq(stats_of("q").delayed, 0);
	ck_assert_uint_gt(qe_memory(e), full / 2);
	expect_nothing();
	put_grouped("q", "g", "new");
	if (_i == 1)
		ck_assert_int_eq(qe_purge(e, now, name("q"), &count), QE_OK);
	if (_i == 2)
		ck_assert_int_eq(qe_delete(e, now, name("q"), true), QE_OK);
	tick_at(now + 10);
	expect_nothing();
	while (qe_tick(e, now) == now)
		ck_assert_ptr_null(qe_check(e));
	if (_i == 0)
		take(s1, "q", "new");
	ck_assert_uint_eq(qe_tick(e, now), QE_NEVER);
	ck_assert_uint_lt(qe_memory(e), full / 50);
	expect_nothing();
}
END_TEST

START_TEST(many_groups_are_purged_in_shares)
{
	char text[16];
	uint64_t full, count;

	for (int i = 0; i < 3000; i++) {
		snprintf(text, sizeof(text), "g%d", i);
		put_grouped("q", text, "x");
	}
	take(s1, "q", "x");
	ck_assert_int_eq(join_group(s2, 1, "q", "g0", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(join_group(s2, 2, "q", "g2000", QE_NEVER), QE_WAIT);
	full = qe_memory(e);
	ck_assert_int_eq(qe_purge(e, now, name("q"), &count), QE_OK);
	ck_assert_uint_eq(count, 2999);
	ck_assert_uint_gt(qe_memory(e), full / 2);
	expect(s2, 2, QE_OK);
	expect_nothing();
	put_grouped("q", "g2500", "again");
	ck_assert_int_eq(join_group(s2, 3, "q", "g2500", QE_NEVER), QE_WAIT);
	expect_nothing();
	while (qe_tick(e, now) == now)
		ck_assert_ptr_null(qe_check(e));
	ck_assert_uint_lt(qe_memory(e), full / 5);
	qe_session_end(e, now, s1, QE_END_LOST);
	s1 = new_session(9);
	ck_assert_int_eq(qe_ack(e, now, s3, take(s3, "q", "x")), QE_OK);
	expect(s2, 1, QE_OK);
	ck_assert_int_eq(qe_ack(e, now, s3, take(s3, "q", "again")), QE_OK);
	expect(s2, 3, QE_OK);
}
END_TEST

START_TEST(names_bound_what_a_get_of_many_says)
{
	struct qe_get args = {.many = true,
			      .min_items = 1,
			      .max_items = 10,
			      .max_bytes = 1000,
			      .max_said = 3 * (QE_SAID + 5)};
	struct qe_reply reply;

	for (int i = 0; i < 5; i++)
		put_grouped("q", "12345", "x");
	ck_assert_int_eq(qe_get(e, now, s1, 1, name("q"), &args, &reply), QE_OK);
	ck_assert_uint_eq(reply.n, 3);
	qe_reply_done(e, &reply);
}
END_TEST

static void
add(TCase *tcase)
{
	tcase_add_loop_test(tcase, items_of_groups_have_their_places_among_the_others,
			    0, 3);
	tcase_add_test(tcase, the_consumer_is_told_the_group);
	tcase_add_test(tcase, join_of_a_group_waits_for_its_items_alone);
	tcase_add_test(tcase,
		       join_of_a_group_goes_on_over_a_crash_and_ends_by_its_timeout);
	tcase_add_loop_test(tcase, join_of_a_group_ends_when_its_items_are_gone, 0, 6);
	tcase_add_test(tcase, cancel_drops_what_waits_and_marks_what_is_held);
	tcase_add_test(tcase, a_cancelled_name_can_be_used_again);
	tcase_add_test(tcase, a_put_that_waits_is_cancelled_with_its_group);
	tcase_add_test(tcase, cancel_makes_room_for_those_who_wait);
	tcase_add_test(tcase, bad_names_and_missing_queues_are_refused);
	tcase_add_loop_test(
		tcase, a_large_group_is_cancelled_at_once_and_freed_in_shares, 0, 3);
	tcase_add_test(tcase, many_groups_are_purged_in_shares);
	tcase_add_test(tcase, names_bound_what_a_get_of_many_says);
}

int
main(void)
{
	return kit_main("groups", add);
}
