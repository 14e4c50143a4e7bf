/* SPDX-License-Identifier: MIT
 *
 * Leases that end by themselves, and those that do not, on a clock that is a variable.
 */
#include "tests/core/engine_kit.h"

#define MS     UINT64_C(1000000)
#define SECOND (1000 * MS)
#define HOUR   (3600 * SECOND)

static void
declare_lease(const char *queue, uint64_t lease_ms)
{
	struct qe_declare declare = {
		.has_lease_ms = true, .lease_ms = lease_ms, .update = true};
	struct qe_queue_stats stats;
	bool created;

	ck_assert_int_eq(qe_declare(e, now, name(queue), &declare, &created, &stats),
			 QE_OK);
}

/* An item that is got at once, with this lease; its tag. */
static struct qe_tag
take_for(struct qe_session *s, const char *queue, uint64_t lease_ns)
{
	ck_assert_int_eq(get_as(s, 1, queue, (struct qe_get){.lease_ns = lease_ns}),
			 QE_OK);
	return tag_of(got.item);
}

static uint64_t
touch(struct qe_session *s, struct qe_tag tag, uint64_t lease_ns)
{
	struct qe_touched touched;

	ck_assert_int_eq(qe_touch(e, now, s, tag, lease_ns, &touched), QE_OK);
	return touched.left_ns;
}

static void
expect_stale(struct qe_session *s, struct qe_tag tag)
{
	struct qe_touched touched;

	ck_assert_int_eq(qe_touch(e, now, s, tag, 0, &touched), QE_STALE);
	ck_assert_int_eq(qe_ack(e, now, s, tag), QE_STALE);
	ck_assert_int_eq(qe_release(e, now, s, tag), QE_STALE);
}

/* As a loop would, that is told of nothing but the time. */
static void
run_until(uint64_t end)
{
	uint64_t next;

	while ((next = qe_tick(e, now)) <= end)
		now = next;
	now = end;
	(void)qe_tick(e, now);
}

START_TEST(a_job_of_a_day_without_a_heartbeat_keeps_its_item)
{
	struct qe_tag tag;

	put_ok("q", "a");
	tag = take(s1, "q", "a");
	ck_assert_uint_eq(qe_next_deadline(e), QE_NEVER);
	run_until(now + HOUR);
	ck_assert_uint_eq(stats_of("q").leased, 1);
	ck_assert_int_eq(get(s2, 1, "q", NO_WAIT), QE_EMPTY);
	run_until(now + 23 * HOUR);
	ck_assert_uint_eq(stats_of("q").leased, 1);
	ck_assert_int_eq(qe_ack(e, now, s1, tag), QE_OK);
	ck_assert_uint_eq(stats_of("q").counters.finished, 1);
}
END_TEST

START_TEST(a_job_of_an_hour_with_a_shorter_lease_loses_its_item)
{
	struct qe_tag tag;

	put_ok("q", "a");
	tag = take_for(s1, "q", 10 * SECOND);
	ck_assert_uint_eq(qe_item_lease_ns(got.item), 10 * SECOND);
	run_until(now + HOUR);
	ck_assert_uint_eq(stats_of("q").ready, 1);
	ck_assert_uint_eq(stats_of("q").counters.timed_out, 1);
	ck_assert_uint_eq(stats_of("q").counters.crashed, 0);
	expect_stale(s1, tag);
	ck_assert_int_eq(qe_task_done(e, now, s1, name("q")), QE_NOT_LEASED);
	take(s2, "q", "a");
	ck_assert_uint_eq(qe_next_deadline(e), QE_NEVER);
}
END_TEST

START_TEST(a_lease_never_ends_early)
{
	struct qe_tag tag;

	put_ok("q", "a");
	tag = take_for(s1, "q", 100);
	ck_assert_uint_eq(qe_next_deadline(e), now + 100);
	tick_at(now + 99);
	ck_assert_uint_eq(stats_of("q").leased, 1);
	ck_assert_int_eq(get(s2, 2, "q", QE_NEVER), QE_WAIT);
	expect_nothing();
	tick_at(now + 1);
	expect(s2, 2, QE_OK);
	ck_assert_uint_eq(qe_item_deliveries(got.item), 2);
	ck_assert_str_eq(bodies(), "a");
	expect_stale(s1, tag);
}
END_TEST

START_TEST(what_was_leased_for_too_long_has_its_original_place)
{
	put_ok("q", "a");
	put_ok("q", "b");
	put_ok("q", "c");
	take_for(s1, "q", 20);
	take_for(s1, "q", 10);
	tick_at(now + 10);
	ck_assert_int_eq(get_many(s2, 1, "q", 1, 1, 0, NO_WAIT), QE_OK);
	ck_assert_str_eq(bodies(), "b");
	tick_at(now + 10);
	ck_assert_int_eq(get_many(s2, 1, "q", 2, 2, 0, NO_WAIT), QE_OK);
	ck_assert_str_eq(bodies(), "a c");
}
END_TEST

START_TEST(a_queue_says_how_long_its_leases_are)
{
	struct qe_get without_ack = {.no_ack = true};

	declare_lease("q", 50);
	ck_assert_uint_eq(stats_of("q").lease_ms, 50);
	for (int i = 0; i < 4; i++)
		put_ok("q", "a");
	take_for(s1, "q", 0);
	ck_assert_uint_eq(qe_next_deadline(e), now + 50 * MS);
	take_for(s1, "q", 7);
	ck_assert_uint_eq(qe_next_deadline(e), now + 7);
	take_for(s1, "q", QE_NEVER);
	ck_assert_uint_eq(qe_item_lease_ns(got.item), 0);
	ck_assert_int_eq(get_as(s1, 1, "q", without_ack), QE_OK);
	run_until(now + HOUR);
	ck_assert_uint_eq(stats_of("q").leased, 1);
	ck_assert_uint_eq(stats_of("q").counters.timed_out, 2);
	declare_lease("q", 0);
	take_for(s1, "q", 0);
	ck_assert_uint_eq(qe_next_deadline(e), QE_NEVER);
	declare_lease("q", UINT64_C(1) << 53); /* beyond what the clock can say */
	take_for(s1, "q", 0);
	ck_assert_uint_eq(qe_next_deadline(e), QE_NEVER);
}
END_TEST

START_TEST(a_get_that_waits_has_the_lease_of_when_it_came)
{
	declare_lease("q", 50);
	ck_assert_int_eq(get(s1, 1, "q", QE_NEVER), QE_WAIT);
	declare_lease("q", 0);
	ck_assert_int_eq(get(s1, 2, "q", QE_NEVER), QE_WAIT);
	put_ok("q", "a");
	expect(s1, 1, QE_OK);
	ck_assert_uint_eq(qe_item_lease_ns(got.item), 50 * MS);
	put_ok("q", "b");
	expect(s1, 2, QE_OK);
	ck_assert_uint_eq(qe_item_lease_ns(got.item), 0);
}
END_TEST

START_TEST(many_items_have_a_lease_each)
{
	struct qe_get args = {.deadline_ns = QE_NEVER,
			      .many = true,
			      .min_items = 3,
			      .max_items = 3,
			      .max_bytes = 100,
			      .lease_ns = 10};
	struct qe_tag tag;

	ck_assert_int_eq(get_as(s1, 1, "q", args), QE_WAIT);
	ck_assert_int_eq(put_many(s2, 1, "q", "a b c d e f", NO_WAIT, true), QE_OK);
	expect(s1, 1, QE_OK);
	tag = tag_of(qe_reply_item(&got, 1));
	ck_assert_str_eq(bodies(), "a b c");
	now += 5;
	ck_assert_uint_eq(touch(s1, tag, 0), 10);
	ck_assert_int_eq(get_as(s1, 1, "q", args), QE_OK);
	ck_assert_str_eq(bodies(), "d e f");
	tick_at(now + 5);
	ck_assert_uint_eq(stats_of("q").leased, 4);
	tick_at(now + 5);
	ck_assert_uint_eq(stats_of("q").leased, 0);
	ck_assert_uint_eq(stats_of("q").counters.timed_out, 6);
}
END_TEST

START_TEST(touch_puts_the_end_off)
{
	struct qe_tag tag;

	put_ok("q", "a");
	tag = take_for(s1, "q", 100);
	tick_at(now + 60);
	ck_assert_uint_eq(touch(s1, tag, 0), 100);
	tick_at(now + 99);
	ck_assert_uint_eq(touch(s1, tag, 500), 500);
	tick_at(now + 499);
	ck_assert_uint_eq(touch(s1, tag, 0), 100); /* as it was given */
	tick_at(now + 50);
	ck_assert_uint_eq(touch(s1, tag, 10), 10); /* or sooner */
	ck_assert_uint_eq(touch(s1, tag, QE_NEVER), QE_NEVER);
	ck_assert_uint_eq(qe_next_deadline(e), QE_NEVER);
	tick_at(now + HOUR);
	ck_assert_uint_eq(touch(s1, tag, 0), 100);
	expect_stale(s2, tag);
	tick_at(now + 100);
	expect_stale(s1, tag);
	ck_assert_uint_eq(stats_of("q").counters.timed_out, 1);
}
END_TEST

START_TEST(touch_of_a_lease_without_an_end_may_give_it_one)
{
	struct qe_tag tag;

	put_ok("q", "a");
	tag = take(s1, "q", "a");
	ck_assert_uint_eq(touch(s1, tag, 0), QE_NEVER);
	ck_assert_uint_eq(touch(s1, tag, QE_NEVER), QE_NEVER);
	ck_assert_uint_eq(touch(s1, tag, 30), 30);
	now += 10;
	ck_assert_uint_eq(touch(s1, tag, 0), 20);
	tick_at(now + 20);
	ck_assert_uint_eq(stats_of("q").ready, 1);
}
END_TEST

START_TEST(a_lease_is_one_until_the_broker_has_looked)
{
	struct qe_tag a, b;

	put_ok("q", "a");
	put_ok("q", "b");
	a = take_for(s1, "q", 10);
	b = take_for(s1, "q", 10);
	now += 50; /* the broker had been stopped */
	ck_assert_uint_eq(touch(s1, a, 0), 10);
	ck_assert_int_eq(qe_ack(e, now, s1, b), QE_OK);
	tick_at(now);
	ck_assert_int_eq(qe_ack(e, now, s1, a), QE_OK);
}
END_TEST

START_TEST(a_lost_session_gives_back_before_the_end_of_its_leases)
{
	put_ok("q", "a");
	take_for(s1, "q", 100);
	qe_session_end(e, now, s1, QE_END_LOST);
	ck_assert_uint_eq(stats_of("q").counters.crashed, 1);
	ck_assert_uint_eq(qe_next_deadline(e), QE_NEVER);
	tick_at(now + 100);
	ck_assert_uint_eq(stats_of("q").counters.timed_out, 0);
}
END_TEST

START_TEST(a_detached_session_holds_its_leases_until_they_end)
{
	struct qe_tag tag;

	put_ok("q", "a");
	tag = take_for(s1, "q", 100);
	ck_assert_int_eq(
		get_as(s1, 1, "q",
		       (struct qe_get){.deadline_ns = QE_NEVER, .lease_ns = 5}),
		QE_WAIT);
	qe_session_detach(e, now, s1);
	tick_at(now + 99);
	ck_assert_uint_eq(stats_of("q").leased, 1);
	tick_at(now + 1);
	ck_assert_uint_eq(stats_of("q").ready, 1);
	expect_stale(s1, tag);
}
END_TEST

START_TEST(what_runs_out_in_a_cancelled_group_is_dropped)
{
	struct qe_cancelled cancelled;
	struct qe_touched touched;
	struct qe_tag tag;

	put_grouped("q", "g", "a");
	tag = take_for(s1, "q", 100);
	ck_assert_int_eq(qe_cancel_group(e, now, name("q"), name("g"), &cancelled),
			 QE_OK);
	ck_assert_int_eq(qe_touch(e, now, s1, tag, 0, &touched), QE_OK);
	ck_assert(touched.cancelled && touched.left_ns == 100);
	tick_at(now + 100);
	ck_assert_uint_eq(stats_of("q").counters.timed_out, 1);
	ck_assert_uint_eq(stats_of("q").counters.dropped, 1);
	expect_stale(s1, tag);
}
END_TEST

START_TEST(a_purge_leaves_leases_and_their_ends)
{
	uint64_t count;

	put_ok("q", "a");
	put_timed("q", "b", now + 1000, QE_NEVER);
	take_for(s1, "q", 100);
	ck_assert_int_eq(qe_purge(e, now, name("q"), &count), QE_OK);
	ck_assert_uint_eq(count, 1);
	tick_at(now + 100);
	ck_assert_uint_eq(stats_of("q").ready, 1);
}
END_TEST

START_TEST(a_deleted_queue_takes_its_leases_with_it)
{
	struct qe_tag tag;

	put_ok("q", "a");
	tag = take_for(s1, "q", 100);
	ck_assert_int_eq(qe_delete(e, now, name("q"), true), QE_OK);
	expect_stale(s1, tag);
	tick_at(now + 100);
	ck_assert_uint_eq(qe_next_deadline(e), QE_NEVER);
}
END_TEST

START_TEST(what_comes_back_after_its_life_or_an_immediate_shutdown_is_gone)
{
	put_timed("q", "a", 0, now + 50);
	take_for(s1, "q", 100);
	tick_at(now + 99);
	ck_assert_uint_eq(stats_of("q").leased, 1); /* it does not expire */
	ck_assert_int_eq(qe_join(e, now, s2, 2, name("q"),
				 &(struct qe_join){.deadline_ns = QE_NEVER}),
			 QE_WAIT);
	tick_at(now + 1);
	expect(s2, 2, QE_OK);
	ck_assert_uint_eq(stats_of("q").counters.expired, 1);
	put_ok("q", "b");
	take_for(s1, "q", 100);
	ck_assert_int_eq(qe_shutdown(e, now, name("q"), true), QE_OK);
	tick_at(now + 100);
	ck_assert_uint_eq(stats_of("q").counters.dropped, 1);
	ck_assert_uint_eq(stats_of("q").counters.timed_out, 2);
}
END_TEST

START_TEST(an_item_keeps_its_times_beside_those_of_its_leases)
{
	struct qe_tag tag;

	put_timed("q", "a", now + 10, now + 500);
	tick_at(now + 10);
	tag = take_for(s1, "q", 100);
	ck_assert_int_eq(qe_release(e, now, s1, tag), QE_OK);
	ck_assert_uint_eq(qe_next_deadline(e), 1000 + 500);
	take(s1, "q", "a");
	ck_assert_uint_eq(qe_next_deadline(e), QE_NEVER);
}
END_TEST

/* The next notice must be of this lease. */
static void
expect_notice(struct qe_session *s, struct qe_tag tag, uint64_t left_ns)
{
	struct qe_notice notice;

	ck_assert(qe_next_notice(e, &notice));
	ck_assert_ptr_eq(notice.session, s);
	ck_assert_uint_eq(notice.tag.id, tag.id);
	ck_assert_uint_eq(notice.tag.delivery, tag.delivery);
	ck_assert_uint_eq(notice.tag.epoch, EPOCH);
	ck_assert_uint_eq(notice.left_ns, left_ns);
	ck_assert_uint_eq(notice.queue.len, 1);
	ck_assert_int_eq(notice.queue.p[0], 'q');
}

static void
expect_no_notice(void)
{
	struct qe_notice notice;

	ck_assert(!qe_next_notice(e, &notice));
}

START_TEST(the_holder_that_asked_is_told_shortly_before_the_end)
{
	static const struct {
		uint64_t lease_ms, left_ms;
	} cases[] = {{4000, 1000}, {8000, 2000}, {2000, 1000},
		     {3000, 1000}, {1999, 499},	 {1, 0}};
	struct qe_tag tag;

	qe_session_set_notices(s1, true);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint64_t lease = cases[i].lease_ms * MS, left = cases[i].left_ms * MS;

		if (lease < 2 * SECOND)
			left = lease / 4;
		put_ok("q", "a");
		tag = take_for(s1, "q", lease);
		tick_at(now + lease - left - 1);
		expect_no_notice();
		tick_at(now + 1);
		expect_notice(s1, tag, left);
		expect_no_notice();
		ck_assert_uint_eq(qe_next_deadline(e), now + left);
		ck_assert_int_eq(qe_ack(e, now, s1, tag), QE_OK);
	}
}
END_TEST

START_TEST(each_touch_brings_one_more_notice)
{
	struct qe_tag tag;

	qe_session_set_notices(s1, true);
	put_ok("q", "a");
	tag = take_for(s1, "q", 400);
	for (int i = 0; i < 3; i++) {
		tick_at(now + 300);
		expect_notice(s1, tag, 100);
		tick_at(now + 50);
		expect_no_notice();
		touch(s1, tag, 0);
	}
	tick_at(now + 400); /* too late to tell */
	expect_no_notice();
	ck_assert_uint_eq(stats_of("q").counters.timed_out, 1);
}
END_TEST

START_TEST(who_did_not_ask_is_told_nothing)
{
	struct qe_tag tag;

	put_ok("q", "a");
	tag = take_for(s1, "q", 400);
	ck_assert_uint_eq(qe_next_deadline(e), now + 400);
	qe_session_set_notices(s1, true);
	tick_at(now + 350);
	expect_no_notice();
	touch(s1, tag, 0); /* from now on */
	tick_at(now + 300);
	expect_notice(s1, tag, 100);
	touch(s1, tag, 0);
	qe_session_set_notices(s1, false);
	tick_at(now + 300);
	expect_no_notice();
}
END_TEST

START_TEST(a_notice_that_is_no_longer_true_is_not_told)
{
	struct qe_tag acked, touched, lost, deleted;

	qe_session_set_notices(s1, true);
	qe_session_set_notices(s2, true);
	for (int i = 0; i < 3; i++)
		put_ok("q", "a");
	put_ok("r", "a");
	acked = take_for(s1, "q", 400);
	touched = take_for(s1, "q", 400);
	lost = take_for(s2, "q", 400);
	deleted = take_for(s1, "r", 400);
	(void)lost;
	(void)deleted;
	tick_at(now + 300);
	ck_assert_int_eq(qe_ack(e, now, s1, acked), QE_OK);
	touch(s1, touched, 0);
	qe_session_end(e, now, s2, QE_END_LOST);
	ck_assert_int_eq(qe_delete(e, now, name("r"), true), QE_OK);
	expect_no_notice();
}
END_TEST

START_TEST(many_leases_that_end_at_once_come_back_in_shares)
{
	uint64_t leased = 10000, before, next;

	for (int i = 0; i < 10000; i++) {
		put_ok("q", "x");
		take_for(s1, "q", 100);
	}
	now += 100;
	do {
		before = leased;
		next = qe_tick(e, now);
		leased = stats_of("q").leased;
		ck_assert_uint_le(before - leased, 200);
	} while (next == now);
	ck_assert_uint_eq(leased, 0);
	ck_assert_uint_eq(stats_of("q").ready, 10000);
	ck_assert_uint_eq(next, QE_NEVER);
}
END_TEST

static void
add(TCase *tcase)
{
	tcase_add_test(tcase, a_job_of_a_day_without_a_heartbeat_keeps_its_item);
	tcase_add_test(tcase, a_job_of_an_hour_with_a_shorter_lease_loses_its_item);
	tcase_add_test(tcase, a_lease_never_ends_early);
	tcase_add_test(tcase, what_was_leased_for_too_long_has_its_original_place);
	tcase_add_test(tcase, a_queue_says_how_long_its_leases_are);
	tcase_add_test(tcase, a_get_that_waits_has_the_lease_of_when_it_came);
	tcase_add_test(tcase, many_items_have_a_lease_each);
	tcase_add_test(tcase, touch_puts_the_end_off);
	tcase_add_test(tcase, touch_of_a_lease_without_an_end_may_give_it_one);
	tcase_add_test(tcase, a_lease_is_one_until_the_broker_has_looked);
	tcase_add_test(tcase, a_lost_session_gives_back_before_the_end_of_its_leases);
	tcase_add_test(tcase, a_detached_session_holds_its_leases_until_they_end);
	tcase_add_test(tcase, what_runs_out_in_a_cancelled_group_is_dropped);
	tcase_add_test(tcase, a_purge_leaves_leases_and_their_ends);
	tcase_add_test(tcase, a_deleted_queue_takes_its_leases_with_it);
	tcase_add_test(tcase,
		       what_comes_back_after_its_life_or_an_immediate_shutdown_is_gone);
	tcase_add_test(tcase, an_item_keeps_its_times_beside_those_of_its_leases);
	tcase_add_test(tcase, the_holder_that_asked_is_told_shortly_before_the_end);
	tcase_add_test(tcase, each_touch_brings_one_more_notice);
	tcase_add_test(tcase, who_did_not_ask_is_told_nothing);
	tcase_add_test(tcase, a_notice_that_is_no_longer_true_is_not_told);
	tcase_add_test(tcase, many_leases_that_end_at_once_come_back_in_shares);
}

int
main(void)
{
	return kit_main("lease_end", add);
}
