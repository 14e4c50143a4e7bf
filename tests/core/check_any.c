/* SPDX-License-Identifier: MIT
 *
 * Gets from many queues: which one gives, and what becomes of the places in the other
 * lines.
 */
#include "tests/core/engine_kit.h"

#include <string.h>

/* A get from the queues whose names are the letters of `queues`. */
static enum qe_result
any_as(struct qe_session *s, uint64_t rid, const char *queues, bool round_robin,
       struct qe_get args)
{
	struct qe_name names[QE_MAX_ANY + 1];
	struct qe_any any = {names, (unsigned)strlen(queues), round_robin};

	for (unsigned i = 0; i < any.n; i++)
		names[i] = (struct qe_name){queues + i, 1};
	return get_any_as(s, rid, &any, args);
}

static enum qe_result
any(struct qe_session *s, uint64_t rid, const char *queues, uint64_t deadline)
{
	return any_as(s, rid, queues, false, (struct qe_get){.deadline_ns = deadline});
}

static enum qe_result
in_turns(struct qe_session *s, uint64_t rid, const char *queues, uint64_t deadline)
{
	return any_as(s, rid, queues, true, (struct qe_get){.deadline_ns = deadline});
}

/* What is in `got` came from this queue of the request. */
static void
came_from(unsigned which, const char *body)
{
	ck_assert_int_eq(got.result, QE_OK);
	ck_assert_uint_eq(got.giver, which + 1);
	ck_assert_str_eq(bodies(), body);
}

static void
expect_from(struct qe_session *s, uint64_t rid, unsigned which, const char *body)
{
	expect(s, rid, QE_OK);
	came_from(which, body);
}

START_TEST(strict_takes_the_first_queue_that_has_an_item)
{
	put_ok("c", "3");
	put_ok("b", "2");
	put_ok("b", "2 too");
	ck_assert_int_eq(any(s1, 1, "abc", NO_WAIT), QE_OK);
	came_from(1, "2");
	ck_assert_int_eq(any(s1, 1, "abc", NO_WAIT), QE_OK);
	came_from(1, "2 too");
	ck_assert_int_eq(any(s1, 1, "abc", NO_WAIT), QE_OK);
	came_from(2, "3");
	ck_assert_int_eq(any(s1, 1, "abc", NO_WAIT), QE_EMPTY);
	ck_assert_uint_eq(stats_of("b").leased, 2);
}
END_TEST

START_TEST(round_robin_starves_nobody)
{
	static const unsigned turns[] = {0, 1, 2, 0, 2, 0, 0};

	for (int i = 0; i < 4; i++)
		put_ok("a", "x");
	put_ok("b", "x");
	put_ok("c", "x");
	put_ok("c", "x");
	for (unsigned i = 0; i < 7; i++) {
		ck_assert_int_eq(in_turns(s1, 1, "abc", NO_WAIT), QE_OK);
		came_from(turns[i], "x");
	}
	ck_assert_int_eq(in_turns(s1, 1, "abc", NO_WAIT), QE_EMPTY);
}
END_TEST

/* Also when it had to wait; each session has its own turns, and strict gets take none. */
START_TEST(the_turn_is_that_of_the_session)
{
	ck_assert_int_eq(in_turns(s1, 1, "ab", QE_NEVER), QE_WAIT);
	put_ok("a", "x");
	expect_from(s1, 1, 0, "x");
	put_many(s2, 1, "a", "1 2 3", NO_WAIT, true);
	put_many(s2, 1, "b", "4 5 6", NO_WAIT, true);
	ck_assert_int_eq(any(s1, 1, "ab", NO_WAIT), QE_OK);
	came_from(0, "1");
	ck_assert_int_eq(in_turns(s2, 1, "ab", NO_WAIT), QE_OK);
	came_from(0, "2");
	ck_assert_int_eq(in_turns(s1, 1, "ab", NO_WAIT), QE_OK);
	came_from(1, "4");
	/* The queue that gave last is not among them. */
	ck_assert_int_eq(in_turns(s1, 1, "ca", NO_WAIT), QE_OK);
	came_from(1, "3");
}
END_TEST

START_TEST(it_waits_in_all_lines_at_the_place_of_its_arrival)
{
	ck_assert_int_eq(get(s2, 1, "a", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(any(s1, 1, "ab", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get(s2, 2, "a", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get(s2, 3, "b", QE_NEVER), QE_WAIT);
	ck_assert_uint_eq(stats_of("a").getters, 3);
	ck_assert_uint_eq(stats_of("b").getters, 2);
	put_ok("a", "x");
	expect(s2, 1, QE_OK);
	put_ok("b", "y");
	expect_from(s1, 1, 1, "y");
	expect_nothing();
	/* It stands in no line any more. */
	ck_assert_uint_eq(stats_of("a").getters, 1);
	put_ok("a", "z");
	expect(s2, 2, QE_OK);
	ck_assert_str_eq(bodies(), "z");
	put_ok("b", "w");
	expect(s2, 3, QE_OK);
}
END_TEST

START_TEST(one_queue_gives_and_the_others_keep_theirs)
{
	ck_assert_int_eq(any(s1, 1, "abc", QE_NEVER), QE_WAIT);
	put_ok("c", "3");
	put_ok("b", "2");
	put_ok("a", "1");
	expect_from(s1, 1, 2, "3");
	expect_nothing();
	ck_assert_uint_eq(stats_of("a").ready, 1);
	ck_assert_uint_eq(stats_of("b").ready, 1);
	ck_assert_uint_eq(stats_of("c").leased, 1);
	ck_assert_uint_eq(qe_next_deadline(e), QE_NEVER);
}
END_TEST

START_TEST(an_item_that_comes_back_is_given_to_it)
{
	struct qe_tag tag;

	put_ok("b", "x");
	tag = take(s2, "b", "x");
	ck_assert_int_eq(any(s1, 1, "ab", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(qe_release(e, now, s2, tag), QE_OK);
	expect_from(s1, 1, 1, "x");
}
END_TEST

START_TEST(there_is_one_wait_for_all)
{
	ck_assert_int_eq(any(s1, 1, "abc", now + 10), QE_WAIT);
	ck_assert_int_eq(any(s1, 1, "d", NO_WAIT), QE_INVALID);
	tick_at(now + 9);
	expect_nothing();
	ck_assert_uint_eq(qe_next_deadline(e), now + 1);
	tick_at(now + 1);
	expect(s1, 1, QE_EMPTY);
	expect_nothing();
	ck_assert_uint_eq(stats_of("a").getters + stats_of("b").getters +
				  stats_of("c").getters,
			  0);
}
END_TEST

START_TEST(a_paused_queue_gives_nothing_and_is_told_of)
{
	struct qe_pause pause = {.has_out = true, .out = true};

	put_ok("a", "x");
	put_ok("b", "y");
	ck_assert_int_eq(qe_pause(e, now, name("a"), &pause), QE_OK);
	ck_assert_int_eq(any(s1, 1, "ab", NO_WAIT), QE_OK);
	came_from(1, "y");
	ck_assert_int_eq(any(s1, 1, "ab", NO_WAIT), QE_EMPTY_PAUSED);
	ck_assert_int_eq(any(s1, 1, "ab", QE_NEVER), QE_WAIT);
	pause.out = false;
	ck_assert_int_eq(qe_pause(e, now, name("a"), &pause), QE_OK);
	expect_from(s1, 1, 0, "x");
}
END_TEST

START_TEST(a_queue_that_is_shut_down_is_left_out)
{
	struct qe_tag tag;

	put_ok("a", "x");
	ck_assert_int_eq(qe_shutdown(e, now, name("a"), false), QE_OK);
	ck_assert_int_eq(any(s1, 1, "ab", QE_NEVER), QE_OK); /* it still gives */
	tag = tag_of(got.item);
	came_from(0, "x");
	ck_assert_int_eq(any(s1, 1, "a", QE_NEVER), QE_SHUT_DOWN);
	ck_assert_int_eq(any(s1, 1, "ab", QE_NEVER), QE_WAIT);
	/* For this wait for good, whatever becomes of it. */
	ck_assert_int_eq(qe_reopen(e, now, name("a")), QE_OK);
	ck_assert_int_eq(qe_release(e, now, s1, tag), QE_OK);
	expect_nothing();
	ck_assert_uint_eq(stats_of("a").ready, 1);
	put_ok("b", "y");
	expect_from(s1, 1, 1, "y");
}
END_TEST

START_TEST(a_queue_that_is_left_out_may_be_deleted)
{
	ck_assert_int_eq(any(s1, 1, "abc", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(qe_shutdown(e, now, name("a"), false), QE_OK);
	ck_assert_int_eq(qe_delete(e, now, name("a"), false), QE_OK);
	tick_at(now);
	expect_nothing();
	put_ok("c", "x");
	expect_from(s1, 1, 2, "x");
}
END_TEST

START_TEST(it_ends_when_the_last_queue_is_shut_down)
{
	ck_assert_int_eq(any(s1, 1, "abc", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(qe_shutdown(e, now, name("b"), false), QE_OK);
	ck_assert_int_eq(qe_shutdown(e, now, name("a"), true), QE_OK);
	expect_nothing();
	ck_assert_uint_eq(stats_of("a").getters, 0);
	ck_assert_int_eq(qe_shutdown(e, now, name("c"), false), QE_OK);
	expect(s1, 1, QE_SHUT_DOWN);
	ck_assert_int_eq(any(s1, 1, "abc", NO_WAIT), QE_SHUT_DOWN);
}
END_TEST

START_TEST(it_ends_when_one_queue_is_deleted)
{
	ck_assert_int_eq(any(s1, 1, "ab", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(qe_delete(e, now, name("b"), false), QE_NOT_EMPTY);
	ck_assert_int_eq(qe_delete(e, now, name("b"), true), QE_OK);
	expect(s1, 1, QE_DELETED);
	expect_nothing();
	ck_assert_uint_eq(stats_of("a").getters, 0);
}
END_TEST

START_TEST(it_leaves_all_lines_when_it_is_cancelled_or_its_session_goes)
{
	ck_assert_int_eq(any(s1, 1, "ab", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(any(s2, 1, "ba", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(any(s3, 1, "ab", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(qe_cancel(e, now, s1, 1), QE_OK);
	expect(s1, 1, QE_CANCELLED);
	qe_session_detach(e, now, s2);
	ck_assert_uint_eq(stats_of("a").getters, 1);
	qe_session_end(e, now, s3, QE_END_LOST);
	s3 = NULL;
	ck_assert_uint_eq(stats_of("a").getters + stats_of("b").getters, 0);
	expect_nothing();
	put_ok("a", "x");
	take(s1, "a", "x");
}
END_TEST

START_TEST(a_put_that_needs_a_taker_finds_it)
{
	struct qe_declare declare = {.has_maxsize = true, .maxsize = 1};
	struct qe_queue_stats stats;
	bool created;

	ck_assert_int_eq(qe_declare(e, now, name("b"), &declare, &created, &stats),
			 QE_OK);
	ck_assert_int_eq(any(s1, 1, "ab", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(any(s1, 2, "ab", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(put_many(s2, 1, "b", "1 2 3", NO_WAIT, false), QE_OK);
	expect_from(s1, 1, 1, "1");
	expect_from(s1, 2, 1, "2");
	ck_assert_uint_eq(stats_of("b").ready, 1);
}
END_TEST

START_TEST(the_lease_is_that_of_the_queue_that_gives)
{
	struct qe_declare declare = {.has_lease_ms = true, .lease_ms = 5};
	struct qe_queue_stats stats;
	bool created;

	ck_assert_int_eq(qe_declare(e, now, name("b"), &declare, &created, &stats),
			 QE_OK);
	ck_assert_int_eq(any(s1, 1, "ab", QE_NEVER), QE_WAIT);
	put_ok("a", "x");
	expect(s1, 1, QE_OK);
	ck_assert_uint_eq(qe_item_lease_ns(got.item), 0);
	ck_assert_int_eq(any(s1, 2, "ab", QE_NEVER), QE_WAIT);
	put_ok("b", "y");
	expect(s1, 2, QE_OK);
	ck_assert_uint_eq(qe_item_lease_ns(got.item), 5000000);
	tick_at(now + 5000000);
	ck_assert_uint_eq(stats_of("b").counters.timed_out, 1);
	ck_assert_int_eq(
		any_as(s1, 3, "ab", false,
		       (struct qe_get){.deadline_ns = QE_NEVER, .lease_ns = 100}),
		QE_OK);
	ck_assert_uint_eq(got.giver, 2);
	ck_assert_uint_eq(qe_item_lease_ns(got.item), 100);
}
END_TEST

START_TEST(without_ack_the_item_is_finished_as_it_is_given)
{
	ck_assert_int_eq(
		any_as(s1, 1, "ab", false,
		       (struct qe_get){.deadline_ns = QE_NEVER, .no_ack = true}),
		QE_WAIT);
	put_ok("b", "x");
	expect_from(s1, 1, 1, "x");
	ck_assert_uint_eq(stats_of("b").counters.finished, 1);
	ck_assert_uint_eq(stats_of("b").leased, 0);
}
END_TEST

START_TEST(wrong_requests_are_refused)
{
	char most[QE_MAX_ANY + 2];

	for (int i = 0; i <= QE_MAX_ANY; i++)
		most[i] = (char)('0' + i);
	most[QE_MAX_ANY + 1] = 0;
	ck_assert_int_eq(any(s1, 1, "", NO_WAIT), QE_INVALID);
	ck_assert_int_eq(any(s1, 1, "aba", NO_WAIT), QE_INVALID);
	ck_assert_int_eq(any(s1, 1, most, NO_WAIT), QE_INVALID);
	ck_assert_int_eq(any(s1, 1, "a\n", NO_WAIT), QE_INVALID);
	most[QE_MAX_ANY] = 0;
	ck_assert_int_eq(any(s1, 1, most, QE_NEVER), QE_WAIT);
	put_ok("0", "x");
	expect_from(s1, 1, 0, "x");
}
END_TEST

static void
add(TCase *tcase)
{
	tcase_add_test(tcase, strict_takes_the_first_queue_that_has_an_item);
	tcase_add_test(tcase, round_robin_starves_nobody);
	tcase_add_test(tcase, the_turn_is_that_of_the_session);
	tcase_add_test(tcase, it_waits_in_all_lines_at_the_place_of_its_arrival);
	tcase_add_test(tcase, one_queue_gives_and_the_others_keep_theirs);
	tcase_add_test(tcase, an_item_that_comes_back_is_given_to_it);
	tcase_add_test(tcase, there_is_one_wait_for_all);
	tcase_add_test(tcase, a_paused_queue_gives_nothing_and_is_told_of);
	tcase_add_test(tcase, a_queue_that_is_shut_down_is_left_out);
	tcase_add_test(tcase, a_queue_that_is_left_out_may_be_deleted);
	tcase_add_test(tcase, it_ends_when_the_last_queue_is_shut_down);
	tcase_add_test(tcase, it_ends_when_one_queue_is_deleted);
	tcase_add_test(tcase,
		       it_leaves_all_lines_when_it_is_cancelled_or_its_session_goes);
	tcase_add_test(tcase, a_put_that_needs_a_taker_finds_it);
	tcase_add_test(tcase, the_lease_is_that_of_the_queue_that_gives);
	tcase_add_test(tcase, without_ack_the_item_is_finished_as_it_is_given);
	tcase_add_test(tcase, wrong_requests_are_refused);
}

int
main(void)
{
	return kit_main("any", add);
}
