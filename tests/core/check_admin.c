/* SPDX-License-Identifier: MIT
 *
 * The verbs on whole queues: join, cancel, declare, delete, purge, shutdown, and
 * looking.
 */
#include "tests/core/engine_kit.h"

static enum qe_result
join(struct qe_session *s, uint64_t rid, const char *queue, uint64_t deadline)
{
	return qe_join(e, now, s, rid, name(queue),
		       &(struct qe_join){.deadline_ns = deadline});
}

static enum qe_result
shut_down(const char *queue, bool immediate)
{
	return qe_shutdown(e, now, name(queue), immediate);
}

START_TEST(join_waits_until_nothing_is_unfinished)
{
	struct qe_tag a, b;

	put_ok("q", "a");
	put_ok("q", "b");
	ck_assert_int_eq(join(s1, 1, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(join(s2, 1, "q", QE_NEVER), QE_WAIT);
	ck_assert_uint_eq(stats_of("q").joiners, 2);
	a = take(s3, "q", "a");
	b = take(s3, "q", "b");
	ck_assert_int_eq(qe_ack(e, now, s3, b), QE_OK);
	expect_nothing();
	ck_assert_int_eq(qe_ack(e, now, s3, a), QE_OK);
	expect(s1, 1, QE_OK);
	expect(s2, 1, QE_OK);
	ck_assert_int_eq(join(s1, 1, "q", NO_WAIT), QE_OK);
}
END_TEST

START_TEST(join_survives_a_lost_session)
{
	put_ok("q", "a");
	ck_assert_int_eq(join(s1, 1, "q", QE_NEVER), QE_WAIT);
	take(s2, "q", "a");
	qe_session_end(e, now, s2, QE_END_LOST);
	expect_nothing();
	ck_assert_int_eq(qe_ack(e, now, s3, take(s3, "q", "a")), QE_OK);
	expect(s1, 1, QE_OK);
}
END_TEST

START_TEST(join_ends_in_time)
{
	put_ok("q", "a");
	ck_assert_int_eq(join(s1, 1, "q", NO_WAIT), QE_TIMEOUT);
	ck_assert_int_eq(join(s1, 1, "q", now + 10), QE_WAIT);
	tick_at(now + 10);
	expect(s1, 1, QE_TIMEOUT);
}
END_TEST

START_TEST(join_of_no_queue_is_done_and_makes_none)
{
	struct qe_queue_stats stats;

	ck_assert_int_eq(join(s1, 1, "q", QE_NEVER), QE_OK);
	ck_assert_int_eq(qe_queue_stats(e, now, name("q"), &stats), QE_NOT_FOUND);
	ck_assert_int_eq(join(s1, 1, "", QE_NEVER), QE_INVALID);
}
END_TEST

START_TEST(join_sees_a_moment_without_items)
{
	struct qe_get args = {.deadline_ns = QE_NEVER, .no_ack = true};

	kit_limits((struct qe_config){.maxsize = 1});
	put_ok("q", "a");
	ck_assert_int_eq(put(s1, 1, "q", "b", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(join(s1, 2, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(qe_get(e, now, s2, 1, name("q"), &args, &got), QE_OK);
	qe_reply_done(e, &got);
	expect(s1, 2, QE_OK);
	expect(s1, 1, QE_OK);
	ck_assert_uint_eq(stats_of("q").ready, 1);
}
END_TEST

START_TEST(cancel_ends_the_wait_of_one_request)
{
	ck_assert_int_eq(get(s1, 1, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get(s1, 2, "q", now + 10), QE_WAIT);
	ck_assert_int_eq(get(s2, 1, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(qe_cancel(e, now, s1, 1), QE_OK);
	expect(s1, 1, QE_CANCELLED);
	ck_assert_int_eq(qe_cancel(e, now, s1, 1), QE_NOT_FOUND);
	ck_assert_int_eq(qe_cancel(e, now, s3, 1), QE_NOT_FOUND);
	ck_assert_int_eq(qe_cancel(e, now, s1, 2), QE_OK);
	expect(s1, 2, QE_CANCELLED);
	put_ok("q", "a");
	expect(s2, 1, QE_OK);
}
END_TEST

START_TEST(cancel_of_many_tells_what_was_accepted)
{
	kit_limits((struct qe_config){.maxsize = 1});
	ck_assert_int_eq(put_many(s1, 1, "q", "a b", QE_NEVER, false), QE_WAIT);
	ck_assert_int_eq(put_many(s1, 2, "q", "c d", QE_NEVER, false), QE_WAIT);
	ck_assert_int_eq(qe_cancel(e, now, s1, 1), QE_OK);
	expect(s1, 1, QE_OK);
	ck_assert_int_eq(result_of(0), 1);
	ck_assert_int_eq(result_of(1), -QE_CANCELLED);
	ck_assert_int_eq(qe_cancel(e, now, s1, 2), QE_OK);
	expect(s1, 2, QE_CANCELLED);
	ck_assert_uint_eq(stats_of("q").counters.accepted, 1);
}
END_TEST

START_TEST(declare_makes_a_queue_or_compares_it)
{
	struct qe_declare bounded = {.has_maxsize = true, .maxsize = 5};
	struct qe_declare other = {.has_maxsize = true, .maxsize = 6};
	struct qe_declare bytes = {.has_max_bytes = true, .max_bytes = 9};
	struct qe_declare nothing = {0};
	struct qe_queue_stats stats;
	bool created;

	kit_limits((struct qe_config){.max_bytes = 8});
	ck_assert_int_eq(qe_declare(e, now, name("q"), &bounded, &created, &stats),
			 QE_OK);
	ck_assert(created);
	ck_assert_uint_eq(stats_of("q").max_bytes, 8);
	ck_assert_int_eq(qe_declare(e, now, name("q"), &bounded, &created, &stats),
			 QE_OK);
	ck_assert(!created);
	ck_assert_int_eq(qe_declare(e, now, name("q"), &nothing, &created, &stats),
			 QE_OK);
	ck_assert_int_eq(qe_declare(e, now, name("q"), &other, &created, &stats),
			 QE_MISMATCH);
	ck_assert_int_eq(stats.maxsize, 5);
	ck_assert_int_eq(qe_declare(e, now, name("q"), &bytes, &created, &stats),
			 QE_MISMATCH);
	bytes.update = true;
	ck_assert_int_eq(qe_declare(e, now, name("q"), &bytes, &created, &stats),
			 QE_OK);
	ck_assert(!created);
	ck_assert_int_eq(stats_of("q").maxsize, 5);
	ck_assert_uint_eq(stats_of("q").max_bytes, 9);
	ck_assert_int_eq(qe_declare(e, now, name(""), &bytes, &created, &stats),
			 QE_INVALID);
}
END_TEST

START_TEST(all_ways_to_say_no_bound_are_equal)
{
	struct qe_declare zero = {.has_maxsize = true, .maxsize = 0};
	struct qe_declare negative = {.has_maxsize = true, .maxsize = -1};
	struct qe_queue_stats stats;
	bool created;

	ck_assert_int_eq(qe_declare(e, now, name("q"), &zero, &created, &stats), QE_OK);
	ck_assert_int_eq(qe_declare(e, now, name("q"), &negative, &created, &stats),
			 QE_OK);
	ck_assert_int_eq(stats_of("q").maxsize, 0);
}
END_TEST

START_TEST(delete_needs_an_unused_queue_or_force)
{
	ck_assert_int_eq(qe_delete(e, now, name("q"), false), QE_NOT_FOUND);
	ck_assert_int_eq(qe_delete(e, now, name(""), true), QE_INVALID);
	put_ok("q", "a");
	ck_assert_int_eq(qe_delete(e, now, name("q"), false), QE_NOT_EMPTY);
	ck_assert_int_eq(qe_ack(e, now, s1, take(s1, "q", "a")), QE_OK);
	ck_assert_int_eq(get(s1, 1, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(qe_delete(e, now, name("q"), false), QE_NOT_EMPTY);
	ck_assert_int_eq(qe_cancel(e, now, s1, 1), QE_OK);
	expect(s1, 1, QE_CANCELLED);
	ck_assert_int_eq(qe_delete(e, now, name("q"), false), QE_OK);
	ck_assert_int_eq(qe_delete(e, now, name("q"), false), QE_NOT_FOUND);
}
END_TEST

START_TEST(delete_with_force_answers_all_and_makes_leases_stale)
{
	struct qe_tag a, b;
	struct qe_stats stats;

	kit_limits((struct qe_config){.maxsize = 1});
	put_ok("q", "a");
	a = take(s1, "q", "a");
	put_ok("q", "b");
	b = take(s2, "q", "b");
	ck_assert_int_eq(put_many(s1, 1, "q", "c d", QE_NEVER, false), QE_WAIT);
	ck_assert_int_eq(put(s1, 2, "q", "e", now + 9), QE_WAIT);
	ck_assert_int_eq(get_many(s2, 1, "q", 9, 9, 0, now + 9), QE_WAIT);
	ck_assert_int_eq(join(s3, 1, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(qe_delete(e, now, name("q"), true), QE_OK);
	expect(s2, 1, QE_DELETED);
	expect(s1, 1, QE_OK);
	ck_assert_int_eq(result_of(0), 3);
	ck_assert_int_eq(result_of(1), -QE_DELETED);
	expect(s1, 2, QE_DELETED);
	expect(s3, 1, QE_DELETED);
	ck_assert_int_eq(qe_ack(e, now, s1, a), QE_STALE);
	ck_assert_int_eq(qe_release(e, now, s2, b), QE_STALE);
	qe_stats(e, &stats);
	ck_assert_uint_eq(stats.counters.accepted, 3);
	ck_assert_uint_eq(stats.counters.purged, 3);
	ck_assert_uint_eq(stats.queues, 0);
	put_ok("q", "new");
	ck_assert_int_eq(qe_task_done(e, now, s1, name("q")), QE_NOT_LEASED);
	qe_session_end(e, now, s2, QE_END_LOST);
	take(s1, "q", "new");
}
END_TEST

START_TEST(purge_drops_what_is_ready_and_leaves_what_is_leased)
{
	struct qe_item *peeked;
	struct qe_tag a, b;
	uint64_t count;

	ck_assert_int_eq(qe_purge(e, now, name("q"), &count), QE_NOT_FOUND);
	put_ok("q", "a");
	put_ok("q", "b");
	put_ok("q", "c");
	a = take(s1, "q", "a");
	b = take(s1, "q", "b");
	ck_assert_int_eq(qe_release(e, now, s1, a), QE_OK);
	ck_assert_int_eq(qe_peek(e, name("q"), &peeked), QE_OK);
	ck_assert_int_eq(join(s2, 1, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(qe_purge(e, now, name("q"), &count), QE_OK);
	ck_assert_uint_eq(count, 2);
	ck_assert_uint_eq(stats_of("q").counters.purged, 2);
	ck_assert_uint_eq(stats_of("q").leased, 1);
	ck_assert_mem_eq(qe_item_body(peeked), "a", 1);
	qe_item_unref(e, peeked);
	expect_nothing();
	ck_assert_int_eq(qe_ack(e, now, s1, b), QE_OK);
	expect(s2, 1, QE_OK);
	ck_assert_int_eq(qe_purge(e, now, name("q"), &count), QE_OK);
	ck_assert_uint_eq(count, 0);
}
END_TEST

START_TEST(purge_makes_room_and_ends_joins)
{
	uint64_t count;

	kit_limits((struct qe_config){.maxsize = 1});
	put_ok("q", "a");
	ck_assert_int_eq(put(s1, 1, "q", "b", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(join(s1, 2, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(qe_purge(e, now, name("q"), &count), QE_OK);
	expect(s1, 2, QE_OK);
	expect(s1, 1, QE_OK);
}
END_TEST

START_TEST(after_a_shutdown_puts_are_refused_and_gets_drain)
{
	put_ok("q", "a");
	put_ok("q", "b");
	put_ok("q", "c");
	ck_assert_int_eq(shut_down("q", false), QE_OK);
	ck_assert_int_eq(stats_of("q").shutdown, QE_SHUTDOWN);
	ck_assert_int_eq(put(s1, 1, "q", "d", QE_NEVER), QE_SHUT_DOWN);
	ck_assert_int_eq(put_many(s1, 1, "q", "d", QE_NEVER, false), QE_SHUT_DOWN);
	take(s2, "q", "a");
	ck_assert_int_eq(get_many(s2, 1, "q", 5, 5, 9, QE_NEVER), QE_OK);
	ck_assert_str_eq(bodies(), "b c");
	ck_assert_int_eq(get(s2, 1, "q", QE_NEVER), QE_SHUT_DOWN);
	qe_session_end(e, now, s2, QE_END_LOST);
	take(s1, "q", "a");
	ck_assert_int_eq(qe_reopen(e, now, name("q")), QE_OK);
	put_ok("q", "d");
	take(s1, "q", "b");
}
END_TEST

START_TEST(a_shutdown_answers_all_who_wait)
{
	kit_limits((struct qe_config){.maxsize = 2});
	ck_assert_int_eq(put_many(s1, 1, "q", "a b", QE_NEVER, false), QE_OK);
	ck_assert_int_eq(get_many(s2, 1, "q", 9, 9, 0, QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get_many(s2, 2, "q", 9, 9, 0, QE_NEVER), QE_WAIT);
	ck_assert_int_eq(put_many(s1, 1, "q", "c d", QE_NEVER, true), QE_WAIT);
	ck_assert_int_eq(put_many(s1, 2, "q", "e f", QE_NEVER, false), QE_WAIT);
	ck_assert_int_eq(join(s3, 1, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get(s3, 2, "empty", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(shut_down("q", false), QE_OK);
	expect(s2, 1, QE_OK);
	ck_assert_str_eq(bodies(), "a b");
	expect(s2, 2, QE_SHUT_DOWN);
	expect(s1, 1, QE_SHUT_DOWN);
	expect(s1, 2, QE_SHUT_DOWN);
	expect_nothing();
	ck_assert_int_eq(shut_down("empty", true), QE_OK);
	expect(s3, 2, QE_SHUT_DOWN);
	ck_assert_int_eq(qe_task_done(e, now, s2, name("q")), QE_OK);
	ck_assert_int_eq(qe_task_done(e, now, s2, name("q")), QE_OK);
	expect(s3, 1, QE_OK);
}
END_TEST

START_TEST(an_immediate_shutdown_drops_what_is_ready_or_comes_back)
{
	struct qe_tag a, b;

	put_ok("q", "a");
	put_ok("q", "b");
	put_ok("q", "c");
	a = take(s1, "q", "a");
	b = take(s1, "q", "b");
	ck_assert_int_eq(join(s2, 1, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(shut_down("q", true), QE_OK);
	ck_assert_uint_eq(stats_of("q").counters.dropped, 1);
	ck_assert_int_eq(shut_down("q", false), QE_OK); /* does not take it back */
	ck_assert_int_eq(stats_of("q").shutdown, QE_SHUTDOWN_IMMEDIATE);
	ck_assert_int_eq(qe_release(e, now, s1, a), QE_OK);
	ck_assert_uint_eq(stats_of("q").counters.dropped, 2);
	ck_assert_uint_eq(stats_of("q").counters.released, 1);
	expect_nothing();
	ck_assert_int_eq(qe_ack(e, now, s1, b), QE_OK);
	expect(s2, 1, QE_OK);
	ck_assert_int_eq(get(s1, 1, "q", NO_WAIT), QE_SHUT_DOWN);
}
END_TEST

START_TEST(shutdown_makes_a_queue_and_reopen_does_not)
{
	ck_assert_int_eq(qe_reopen(e, now, name("q")), QE_NOT_FOUND);
	ck_assert_int_eq(qe_reopen(e, now, name("")), QE_INVALID);
	ck_assert_int_eq(shut_down("q", false), QE_OK);
	ck_assert_int_eq(put(s1, 1, "q", "a", QE_NEVER), QE_SHUT_DOWN);
	ck_assert_int_eq(shut_down("\n", false), QE_INVALID);
	ck_assert_int_eq(qe_reopen(e, now, name("q")), QE_OK);
	ck_assert_int_eq(qe_reopen(e, now, name("q")), QE_OK);
	put_ok("q", "a");
}
END_TEST

START_TEST(sizes_are_exact)
{
	struct qe_size size;

	kit_limits((struct qe_config){.maxsize = 7});
	ck_assert_int_eq(qe_size(e, name("q"), &size), QE_OK);
	ck_assert_uint_eq(size.qsize + size.unfinished, 0);
	ck_assert_int_eq(size.maxsize, 7);
	put_ok("q", "a");
	put_ok("q", "b");
	take(s1, "q", "a");
	ck_assert_int_eq(qe_size(e, name("q"), &size), QE_OK);
	ck_assert_uint_eq(size.qsize, 1);
	ck_assert_uint_eq(size.unfinished, 2);
	now += 30000000; /* it is told to about a millisecond */
	ck_assert_uint_ge(stats_of("q").oldest_ns, 30000000);
	ck_assert_uint_le(stats_of("q").oldest_ns, 31100000);
	ck_assert_uint_eq(stats_of("q").bytes, 1);
}
END_TEST

START_TEST(a_walk_survives_queues_that_come_and_go)
{
	struct qe_queue_stats stats;
	uint64_t cursor = 0;

	put_ok("a", "x");
	put_ok("b", "x");
	put_ok("c", "x");
	ck_assert(qe_next_queue(e, now, &cursor, &stats));
	ck_assert_mem_eq(stats.name.p, "a", 1);
	ck_assert_int_eq(qe_delete(e, now, name("a"), true), QE_OK);
	ck_assert_int_eq(qe_delete(e, now, name("b"), true), QE_OK);
	put_ok("b", "x"); /* the last one now */
	ck_assert(qe_next_queue(e, now, &cursor, &stats));
	ck_assert_mem_eq(stats.name.p, "c", 1);
	ck_assert(qe_next_queue(e, now, &cursor, &stats));
	ck_assert_mem_eq(stats.name.p, "b", 1);
	ck_assert(!qe_next_queue(e, now, &cursor, &stats));
}
END_TEST

static void
add(TCase *tcase)
{
	tcase_add_test(tcase, join_waits_until_nothing_is_unfinished);
	tcase_add_test(tcase, join_survives_a_lost_session);
	tcase_add_test(tcase, join_ends_in_time);
	tcase_add_test(tcase, join_of_no_queue_is_done_and_makes_none);
	tcase_add_test(tcase, join_sees_a_moment_without_items);
	tcase_add_test(tcase, cancel_ends_the_wait_of_one_request);
	tcase_add_test(tcase, cancel_of_many_tells_what_was_accepted);
	tcase_add_test(tcase, declare_makes_a_queue_or_compares_it);
	tcase_add_test(tcase, all_ways_to_say_no_bound_are_equal);
	tcase_add_test(tcase, delete_needs_an_unused_queue_or_force);
	tcase_add_test(tcase, delete_with_force_answers_all_and_makes_leases_stale);
	tcase_add_test(tcase, purge_drops_what_is_ready_and_leaves_what_is_leased);
	tcase_add_test(tcase, purge_makes_room_and_ends_joins);
	tcase_add_test(tcase, after_a_shutdown_puts_are_refused_and_gets_drain);
	tcase_add_test(tcase, a_shutdown_answers_all_who_wait);
	tcase_add_test(tcase, an_immediate_shutdown_drops_what_is_ready_or_comes_back);
	tcase_add_test(tcase, shutdown_makes_a_queue_and_reopen_does_not);
	tcase_add_test(tcase, sizes_are_exact);
	tcase_add_test(tcase, a_walk_survives_queues_that_come_and_go);
}

int
main(void)
{
	return kit_main("admin", add);
}
