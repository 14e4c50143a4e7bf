/* SPDX-License-Identifier: MIT
 *
 * Leases: finishing, giving back, tags, and what becomes of them with their session.
 */
#include "tests/core/engine_kit.h"

START_TEST(ack_finishes_a_lease_once)
{
	struct qe_tag tag;

	put_ok("q", "a");
	tag = take(s1, "q", "a");
	ck_assert_uint_eq(stats_of("q").leased, 1);
	ck_assert_int_eq(qe_ack(e, now, s1, tag), QE_OK);
	ck_assert_uint_eq(stats_of("q").leased, 0);
	ck_assert_uint_eq(stats_of("q").counters.finished, 1);
	ck_assert_int_eq(qe_ack(e, now, s1, tag), QE_STALE);
	ck_assert_int_eq(qe_release(e, now, s1, tag), QE_STALE);
	ck_assert_uint_eq(stats_of("q").counters.finished, 1);
}
END_TEST

START_TEST(tags_of_all_other_kinds_are_stale)
{
	struct qe_tag tag, bad;

	put_ok("q", "a");
	put_ok("q", "ready");
	tag = take(s1, "q", "a");
	ck_assert_int_eq(qe_ack(e, now, s2, tag), QE_STALE);
	bad = tag;
	bad.epoch++;
	ck_assert_int_eq(qe_ack(e, now, s1, bad), QE_STALE);
	bad = tag;
	bad.delivery++;
	ck_assert_int_eq(qe_ack(e, now, s1, bad), QE_STALE);
	bad.delivery = tag.delivery + ((uint64_t)1 << 32);
	ck_assert_int_eq(qe_ack(e, now, s1, bad), QE_STALE);
	bad = tag;
	bad.id = 2; /* not leased */
	ck_assert_int_eq(qe_ack(e, now, s1, bad), QE_STALE);
	bad.id = 3; /* never existed */
	ck_assert_int_eq(qe_ack(e, now, s1, bad), QE_STALE);
	bad.id = 0;
	ck_assert_int_eq(qe_release(e, now, s1, bad), QE_STALE);
	ck_assert_int_eq(qe_ack(e, now, s1, tag), QE_OK);
}
END_TEST

START_TEST(new_limits_do_not_change_the_epoch)
{
	struct qe_tag tag;

	put_ok("q", "a");
	tag = take(s1, "q", "a");
	ck_assert_int_eq(qe_configure(e, now, &(struct qe_config){.epoch = EPOCH + 1}),
			 QE_OK);
	ck_assert_int_eq(qe_ack(e, now, s1, tag), QE_OK);
}
END_TEST

START_TEST(the_tag_of_an_earlier_delivery_is_stale)
{
	struct qe_tag first, second;

	put_ok("q", "a");
	first = take(s1, "q", "a");
	ck_assert_int_eq(qe_release(e, now, s1, first), QE_OK);
	second = take(s1, "q", "a");
	ck_assert_uint_eq(second.delivery, 2);
	ck_assert_int_eq(qe_ack(e, now, s1, first), QE_STALE);
	ck_assert_int_eq(qe_ack(e, now, s1, second), QE_OK);
}
END_TEST

START_TEST(task_done_finishes_the_oldest_lease)
{
	struct qe_tag a, b;

	put_ok("q", "a");
	put_ok("q", "b");
	put_ok("other", "x");
	a = take(s1, "q", "a");
	take(s1, "other", "x");
	b = take(s1, "q", "b");
	ck_assert_int_eq(qe_release(e, now, s1, a), QE_OK);
	a = take(s1, "q", "a"); /* now the younger lease */
	ck_assert_int_eq(qe_task_done(e, now, s1, name("q")), QE_OK);
	ck_assert_int_eq(qe_ack(e, now, s1, b), QE_STALE);
	ck_assert_int_eq(qe_task_done(e, now, s1, name("q")), QE_OK);
	ck_assert_int_eq(qe_ack(e, now, s1, a), QE_STALE);
	ck_assert_int_eq(qe_task_done(e, now, s1, name("q")), QE_NOT_LEASED);
	ck_assert_int_eq(qe_task_done(e, now, s2, name("other")), QE_NOT_LEASED);
	ck_assert_int_eq(qe_task_done(e, now, s1, name("none")), QE_NOT_LEASED);
	ck_assert_int_eq(qe_task_done(e, now, s1, name("\x01")), QE_INVALID);
}
END_TEST

START_TEST(release_gives_back_to_the_original_place_unworked)
{
	struct qe_tag a;

	put_ok("q", "a");
	put_ok("q", "b");
	put_ok("q", "c");
	a = take(s1, "q", "a");
	take(s2, "q", "b");
	ck_assert_int_eq(qe_release(e, now, s1, a), QE_OK);
	ck_assert_uint_eq(stats_of("q").counters.released, 1);
	ck_assert_int_eq(get(s3, 1, "q", NO_WAIT), QE_OK);
	ck_assert_uint_eq(qe_item_deliveries(got.item), 2);
	ck_assert_uint_eq(qe_item_crashes(got.item), 0);
	ck_assert_str_eq(bodies(), "a");
	take(s3, "q", "c");
}
END_TEST

START_TEST(what_is_given_back_goes_to_a_get_that_waits)
{
	struct qe_tag a;

	put_ok("q", "a");
	a = take(s1, "q", "a");
	ck_assert_int_eq(get(s2, 1, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(qe_release(e, now, s1, a), QE_OK);
	expect(s2, 1, QE_OK);
	ck_assert_str_eq(bodies(), "a");
	qe_session_end(e, now, s2, QE_END_LOST);
	ck_assert_int_eq(get(s3, 1, "q", NO_WAIT), QE_OK);
	ck_assert_uint_eq(qe_item_crashes(got.item), 1);
}
END_TEST

START_TEST(items_of_a_lost_session_return_to_their_places)
{
	static const char *const order[] = {"a", "b", "c", "d", "e", "f"};

	for (int i = 0; i < 5; i++)
		put_ok("q", order[i]);
	take(s1, "q", "a");
	take(s2, "q", "b");
	take(s1, "q", "c");
	take(s2, "q", "d");
	qe_session_end(e, now, s2, QE_END_LOST);
	ck_assert_uint_eq(stats_of("q").counters.crashed, 2);
	put_ok("q", "f");
	take(s3, "q", "b");
	qe_session_end(e, now, s1, QE_END_LOST);
	qe_session_end(e, now, s3, QE_END_LOST);
	s1 = new_session(1);
	for (int i = 0; i < 6; i++)
		take(s1, "q", order[i]);
	ck_assert_uint_eq(stats_of("q").counters.crashed, 5);
}
END_TEST

START_TEST(an_orderly_end_counts_no_crash)
{
	put_ok("q", "a");
	take(s1, "q", "a");
	qe_session_end(e, now, s1, QE_END_CLOSED);
	ck_assert_uint_eq(stats_of("q").counters.released, 1);
	ck_assert_uint_eq(stats_of("q").counters.crashed, 0);
	ck_assert_int_eq(get(s2, 1, "q", NO_WAIT), QE_OK);
	ck_assert_uint_eq(qe_item_crashes(got.item), 0);
	ck_assert_uint_eq(qe_item_deliveries(got.item), 2);
}
END_TEST

START_TEST(returned_items_may_exceed_the_bound)
{
	kit_limits((struct qe_config){.maxsize = 1});
	put_ok("q", "a");
	take(s1, "q", "a");
	put_ok("q", "b");
	qe_session_end(e, now, s1, QE_END_LOST);
	ck_assert_uint_eq(stats_of("q").ready, 2);
	ck_assert_int_eq(put(s2, 1, "q", "c", NO_WAIT), QE_FULL_ITEMS);
	take(s2, "q", "a");
	ck_assert_int_eq(put(s2, 1, "q", "c", NO_WAIT), QE_FULL_ITEMS);
}
END_TEST

START_TEST(waiting_requests_of_an_ended_session_are_dropped)
{
	kit_limits((struct qe_config){.maxsize = 1});
	put_ok("q", "a");
	ck_assert_int_eq(put(s1, 1, "q", "ghost", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(put_many(s1, 2, "q", "ghost ghost", QE_NEVER, false), QE_WAIT);
	ck_assert_int_eq(put(s2, 1, "q", "b", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get(s1, 3, "empty", now + 5), QE_WAIT);
	ck_assert_int_eq(get(s2, 2, "empty", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(qe_join(e, now, s1, 4, name("q"),
				 &(struct qe_join){.deadline_ns = QE_NEVER}),
			 QE_WAIT);
	qe_session_end(e, now, s1, QE_END_LOST);
	s1 = new_session(1);
	take(s3, "q", "a");
	expect(s2, 1, QE_OK);
	put_ok("empty", "x");
	expect(s2, 2, QE_OK);
	take(s3, "q", "b");
	tick_at(now + 5);
	expect_nothing();
}
END_TEST

START_TEST(the_end_of_a_session_lets_those_behind_it_go_on)
{
	kit_limits((struct qe_config){.max_bytes = 3});
	put_ok("q", "ab");
	ck_assert_int_eq(put(s1, 1, "q", "cd", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(put(s2, 1, "q", "e", QE_NEVER), QE_WAIT);
	qe_session_end(e, now, s1, QE_END_CLOSED);
	expect(s2, 1, QE_OK);
}
END_TEST

START_TEST(an_answer_that_was_not_taken_ends_with_its_session)
{
	ck_assert_int_eq(get(s1, 1, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get_many(s1, 2, "m", 2, 2, 0, QE_NEVER), QE_WAIT);
	put_ok("q", "a");
	ck_assert_int_eq(put_many(s2, 1, "m", "b c", NO_WAIT, true), QE_OK);
	ck_assert_uint_eq(stats_of("m").leased, 2);
	qe_session_end(e, now, s1, QE_END_LOST);
	expect_nothing();
	ck_assert_int_eq(get(s2, 1, "q", NO_WAIT), QE_OK);
	ck_assert_uint_eq(qe_item_crashes(got.item), 1);
	ck_assert_str_eq(bodies(), "a");
	take(s2, "m", "b");
	take(s2, "m", "c");
}
END_TEST

START_TEST(a_session_does_not_get_what_it_gives_back_at_its_end)
{
	put_ok("q", "a");
	take(s1, "q", "a");
	ck_assert_int_eq(get(s1, 1, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get(s2, 1, "q", QE_NEVER), QE_WAIT);
	qe_session_end(e, now, s1, QE_END_LOST);
	expect(s2, 1, QE_OK);
	ck_assert_uint_eq(qe_item_deliveries(got.item), 2);
	ck_assert_uint_eq(qe_item_crashes(got.item), 1);
}
END_TEST

START_TEST(a_session_id_is_in_use_until_its_end)
{
	uint8_t id[16] = {1};
	struct qe_session *session;
	int owner;

	ck_assert_int_eq(qe_session_new(e, now, id, &owner, &session), QE_INVALID);
	qe_session_end(e, now, s1, QE_END_CLOSED);
	ck_assert_int_eq(qe_session_new(e, now, id, &owner, &session), QE_OK);
	ck_assert_ptr_eq(qe_session_owner(session), &owner);
}
END_TEST

START_TEST(a_session_may_hold_items_of_many_queues)
{
	struct qe_tag tags[100];
	char queue[] = "q00";
	struct qe_stats stats;

	for (int i = 0; i < 100; i++) {
		queue[1] = (char)('0' + i / 10);
		queue[2] = (char)('0' + i % 10);
		put_ok(queue, queue);
		tags[i] = take(s1, queue, queue);
	}
	for (int i = 0; i < 100; i += 2)
		ck_assert_int_eq(qe_ack(e, now, s1, tags[i]), QE_OK);
	expect_nothing();
	qe_session_end(e, now, s1, QE_END_LOST);
	qe_stats(e, &stats);
	ck_assert_uint_eq(stats.ready, 50);
	ck_assert_uint_eq(stats.leased, 0);
	ck_assert_uint_eq(stats.sessions, 2);
}
END_TEST

static void
add(TCase *tcase)
{
	tcase_add_test(tcase, ack_finishes_a_lease_once);
	tcase_add_test(tcase, tags_of_all_other_kinds_are_stale);
	tcase_add_test(tcase, new_limits_do_not_change_the_epoch);
	tcase_add_test(tcase, the_tag_of_an_earlier_delivery_is_stale);
	tcase_add_test(tcase, task_done_finishes_the_oldest_lease);
	tcase_add_test(tcase, release_gives_back_to_the_original_place_unworked);
	tcase_add_test(tcase, what_is_given_back_goes_to_a_get_that_waits);
	tcase_add_test(tcase, items_of_a_lost_session_return_to_their_places);
	tcase_add_test(tcase, an_orderly_end_counts_no_crash);
	tcase_add_test(tcase, returned_items_may_exceed_the_bound);
	tcase_add_test(tcase, waiting_requests_of_an_ended_session_are_dropped);
	tcase_add_test(tcase, the_end_of_a_session_lets_those_behind_it_go_on);
	tcase_add_test(tcase, an_answer_that_was_not_taken_ends_with_its_session);
	tcase_add_test(tcase, a_session_does_not_get_what_it_gives_back_at_its_end);
	tcase_add_test(tcase, a_session_id_is_in_use_until_its_end);
	tcase_add_test(tcase, a_session_may_hold_items_of_many_queues);
}

int
main(void)
{
	return kit_main("lease", add);
}
