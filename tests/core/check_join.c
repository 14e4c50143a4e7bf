/* SPDX-License-Identifier: MIT
 *
 * What a join tells beside that all is finished: that nobody works, and what died.
 */
#include "tests/core/engine_kit.h"

static enum qe_result
join_stall(struct qe_session *s, uint64_t rid, uint64_t stall, uint64_t deadline)
{
	struct qe_join join = {.deadline_ns = deadline, .stall_ns = stall};

	return qe_join(e, now, s, rid, name("q"), &join);
}

START_TEST(a_join_stalls_when_nobody_works)
{
	put_ok("q", "a");
	put_timed("q", "b", now + 1000, QE_NEVER);
	now += 500; /* it counts from when the join comes */
	ck_assert_int_eq(join_stall(s1, 1, 10, QE_NEVER), QE_WAIT);
	ck_assert_uint_eq(qe_next_deadline(e), now + 10);
	tick_at(now + 9);
	expect_nothing();
	tick_at(now + 1);
	expect(s1, 1, QE_STALLED);
	ck_assert_uint_eq(got.ready, 1);
	ck_assert_uint_eq(got.delayed, 1);
	ck_assert_uint_eq(got.stall_ns, 10);
}
END_TEST

START_TEST(whatever_happens_to_an_item_begins_the_time_anew)
{
	struct qe_tag tag;

	put_ok("q", "a");
	ck_assert_int_eq(join_stall(s1, 1, 10, QE_NEVER), QE_WAIT);
	tick_at(now + 6);
	put_ok("q", "b");
	tick_at(now + 9);
	expect_nothing();
	tag = take(s2, "q", "a");
	tick_at(now + 50);
	expect_nothing(); /* somebody holds an item: a job may take five hours */
	ck_assert_int_eq(qe_release(e, now, s2, tag), QE_OK);
	tick_at(now + 9);
	expect_nothing();
	ck_assert_int_eq(qe_ack(e, now, s2, take(s2, "q", "a")), QE_OK);
	tick_at(now + 9);
	expect_nothing();
	tick_at(now + 1);
	expect(s1, 1, QE_STALLED);
}
END_TEST

START_TEST(a_get_that_waits_for_more_is_somebody)
{
	put_ok("q", "a");
	ck_assert_int_eq(get_many(s2, 1, "q", 2, 2, 0, now + 30), QE_WAIT);
	ck_assert_int_eq(join_stall(s1, 1, 10, QE_NEVER), QE_WAIT);
	tick_at(now + 25);
	expect_nothing();
	ck_assert_int_eq(qe_cancel(e, now, s2, 1), QE_OK);
	expect(s2, 1, QE_CANCELLED);
	tick_at(now + 9);
	expect_nothing();
	tick_at(now + 1);
	expect(s1, 1, QE_STALLED);
}
END_TEST

START_TEST(what_is_only_delayed_does_not_stall)
{
	put_timed("q", "a", now + 100, QE_NEVER);
	ck_assert_int_eq(join_stall(s1, 1, 10, QE_NEVER), QE_WAIT);
	for (int i = 0; i < 9; i++)
		tick_at(now + 10);
	expect_nothing();
	tick_at(now + 10); /* ready from now on */
	tick_at(now + 9);
	expect_nothing();
	tick_at(now + 1);
	expect(s1, 1, QE_STALLED);
	ck_assert_uint_eq(got.ready, 1);
}
END_TEST

START_TEST(a_join_that_can_stall_ends_as_any_other)
{
	put_ok("q", "a");
	ck_assert_int_eq(join_stall(s1, 1, 10, now + 10), QE_WAIT);
	ck_assert_int_eq(join_stall(s1, 2, 10, now + 5), QE_WAIT);
	ck_assert_int_eq(join_stall(s1, 3, 1000, QE_NEVER), QE_WAIT);
	ck_assert_int_eq(join_stall(s2, 4, QE_NEVER - 1, QE_NEVER), QE_WAIT);
	tick_at(now + 5);
	expect(s1, 2, QE_TIMEOUT);
	tick_at(now + 5);
	expect(s1, 1, QE_TIMEOUT);
	expect_nothing();
	ck_assert_int_eq(qe_ack(e, now, s2, take(s2, "q", "a")), QE_OK);
	expect(s1, 3, QE_OK);
	ck_assert_uint_eq(got.died, 0);
	expect(s2, 4, QE_OK);
	ck_assert_uint_eq(qe_next_deadline(e), QE_NEVER);
}
END_TEST

/* Dead items do not hold a join back, but it says how many there are. */
START_TEST(a_join_counts_what_died_and_a_strict_one_fails)
{
	struct qe_join args = {.deadline_ns = QE_NEVER, .strict = true};
	struct qe_declare declare = {
		.has_max_crashes = true, .max_crashes = 1, .update = true};
	struct qe_queue_stats stats;
	bool created;

	put_grouped("q", "g", "a");
	ck_assert_int_eq(qe_declare(e, now, name("q"), &declare, &created, &stats),
			 QE_OK);
	put_grouped("q", "h", "b");
	take(s2, "q", "a");
	ck_assert_int_eq(qe_join(e, now, s1, 1, name("q"), &args), QE_WAIT);
	ck_assert_int_eq(join_group(s1, 2, "q", "g", QE_NEVER), QE_WAIT);
	args.group = name("h");
	ck_assert_int_eq(qe_join(e, now, s1, 3, name("q"), &args), QE_WAIT);
	qe_session_end(e, now, s2, QE_END_LOST);
	expect(s1, 2, QE_OK);
	ck_assert_uint_eq(got.died, 1);
	ck_assert_int_eq(qe_ack(e, now, s3, take(s3, "q", "b")), QE_OK);
	expect(s1, 1, QE_DEAD);
	ck_assert_uint_eq(got.died, 1);
	expect(s1, 3, QE_OK);
	ck_assert_uint_eq(got.died, 0);
	/* What died before is no news. */
	put_ok("q", "c");
	args.group = name("");
	ck_assert_int_eq(qe_join(e, now, s1, 4, name("q"), &args), QE_WAIT);
	ck_assert_int_eq(qe_ack(e, now, s3, take(s3, "q", "c")), QE_OK);
	expect(s1, 4, QE_OK);
}
END_TEST

START_TEST(a_join_of_a_group_stalls_too)
{
	struct qe_join args = {
		.deadline_ns = QE_NEVER, .stall_ns = 10, .group = name("g")};

	put_grouped("q", "g", "a");
	ck_assert_int_eq(qe_join(e, now, s1, 1, name("q"), &args), QE_WAIT);
	tick_at(now + 10);
	expect(s1, 1, QE_STALLED);
}
END_TEST

static void
add(TCase *tcase)
{
	tcase_add_test(tcase, a_join_stalls_when_nobody_works);
	tcase_add_test(tcase, whatever_happens_to_an_item_begins_the_time_anew);
	tcase_add_test(tcase, a_get_that_waits_for_more_is_somebody);
	tcase_add_test(tcase, what_is_only_delayed_does_not_stall);
	tcase_add_test(tcase, a_join_that_can_stall_ends_as_any_other);
	tcase_add_test(tcase, a_join_counts_what_died_and_a_strict_one_fails);
	tcase_add_test(tcase, a_join_of_a_group_stalls_too);
}

int
main(void)
{
	return kit_main("join", add);
}
