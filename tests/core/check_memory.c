/* SPDX-License-Identifier: MIT
 *
 * The memory limit, and the work that is spread over qe_tick().
 */
#include "tests/core/engine_kit.h"

#include <string.h>

#define LIMIT 120000
#define LARGE 37000 /* three fit */
#define MANY  5000  /* more than one share of qe_tick() */

static struct qe_item *
sized(size_t len)
{
	struct qe_item *item;

	ck_assert_int_eq(qe_item_new(e, len, &item), QE_OK);
	return item;
}

static enum qe_result
put_item(struct qe_session *s, uint64_t rid, const char *queue, struct qe_item *item,
	 uint64_t deadline)
{
	struct qe_reply reply;
	enum qe_result result = qe_put(e, now, s, rid, name(queue), deadline, &item, 1,
				       false, false, &reply);

	if (result == QE_OK)
		qe_reply_done(e, &reply);
	return result;
}

static enum qe_result
put_sized(struct qe_session *s, uint64_t rid, const char *queue, size_t len,
	  uint64_t deadline)
{
	return put_item(s, rid, queue, sized(len), deadline);
}

static struct qe_stats
stats(void)
{
	struct qe_stats all;

	qe_stats(e, &all);
	return all;
}

START_TEST(puts_wait_above_the_memory_limit)
{
	kit_limits((struct qe_config){.memory_limit = LIMIT});
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(put_sized(s1, 1, "q", LARGE, NO_WAIT), QE_OK);
	ck_assert_int_eq(put_sized(s1, 1, "q", 10000, NO_WAIT), QE_FULL_MEMORY);
	ck_assert_int_eq(put_sized(s1, 1, "q", 10000, now + 5), QE_WAIT);
	ck_assert_int_eq(put(s1, 2, "other", "x", NO_WAIT), QE_FULL_MEMORY);
	ck_assert_int_eq(get(s2, 1, "q", NO_WAIT), QE_OK);
	expect_nothing(); /* leased items still take memory */
	tick_at(now + 5);
	expect(s1, 1, QE_FULL_MEMORY);
	put_ok("other", "x"); /* small enough, now that nobody waits before it */
}
END_TEST

START_TEST(memory_that_is_freed_goes_to_those_who_wait_in_turn)
{
	kit_limits((struct qe_config){.memory_limit = 2 * LIMIT});
	for (int i = 0; i < 6; i++)
		ck_assert_int_eq(put_sized(s1, 1, "q", LARGE, NO_WAIT), QE_OK);
	ck_assert_int_eq(put_sized(s1, 1, "a", 19700, QE_NEVER), QE_WAIT);
	ck_assert_int_eq(put(s1, 2, "a", "small", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(put(s2, 1, "b", "small", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(put(s2, 2, "b", "small", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get(s3, 1, "q", NO_WAIT), QE_OK);
	qe_reply_done(e, &got);
	ck_assert_int_eq(qe_task_done(e, now, s3, name("q")), QE_OK);
	expect(s1, 1, QE_OK);
	expect(s2, 1, QE_OK); /* one of each queue in turn */
	expect(s1, 2, QE_OK);
	expect(s2, 2, QE_OK);
}
END_TEST

START_TEST(all_that_frees_memory_lets_puts_go_on)
{
	uint64_t count;

	for (int way = 0; way < 6; way++) {
		kit_limits((struct qe_config){.memory_limit = LIMIT});
		for (int i = 0; i < 3; i++)
			ck_assert_int_eq(put_sized(s1, 1, "q", LARGE, NO_WAIT), QE_OK);
		ck_assert_int_eq(put_sized(s1, 1, "a", 10000, QE_NEVER), QE_WAIT);
		ck_assert_int_eq(put(s2, 1, "b", "small", QE_NEVER), QE_WAIT);
		switch (way) {
		case 0:
			ck_assert_int_eq(qe_purge(e, now, name("q"), &count), QE_OK);
			break;
		case 1:
			ck_assert_int_eq(qe_delete(e, now, name("q"), true), QE_OK);
			break;
		case 2:
			ck_assert_int_eq(qe_shutdown(e, now, name("q"), true), QE_OK);
			break;
		case 3:
			ck_assert_int_eq(qe_configure(e, now, &(struct qe_config){0}),
					 QE_OK);
			break;
		case 4:
			qe_session_end(e, now, s1, QE_END_LOST);
			expect(s2, 1, QE_OK);
			continue;
		default:
			ck_assert_int_eq(qe_delete(e, now, name("a"), true), QE_OK);
			expect(s1, 1, QE_DELETED);
			expect(s2, 1, QE_OK);
			continue;
		}
		expect(s1, 1, QE_OK);
		expect(s2, 1, QE_OK);
	}
}
END_TEST

START_TEST(no_item_is_made_above_nine_eighths_of_the_limit)
{
	struct qe_item *items[4], *item;

	kit_limits((struct qe_config){.memory_limit = LIMIT});
	for (int i = 0; i < 3; i++)
		items[i] = sized(LARGE);
	items[3] = sized(10000);
	ck_assert_int_eq(qe_item_new(e, 15000, &item), QE_FULL_MEMORY);
	ck_assert_uint_le(stats().memory, LIMIT + LIMIT / 8);
	for (int i = 0; i < 4; i++)
		qe_item_unref(e, items[i]);
	ck_assert_int_eq(qe_item_new(e, SIZE_MAX - 10, &item), QE_NOMEM);
}
END_TEST

/* How many items with a delay, or leased with an end, are accepted. */
static uint64_t
count_accepted(bool delayed)
{
	struct qe_item *item;
	uint64_t n = 0;

	for (; qe_item_new(e, 1, &item) == QE_OK; n++) {
		if (delayed)
			ck_assert_int_eq(
				qe_item_set_times(e, item, now + 100, QE_NEVER), QE_OK);
		if (put_item(s1, 1, "q", item, NO_WAIT) != QE_OK)
			break;
		if (!delayed)
			ck_assert_int_eq(get_as(s2, 1, "q",
						(struct qe_get){.lease_ns = 100}),
					 QE_OK);
	}
	return n;
}

/* They are kept beside the items. */
START_TEST(the_records_of_delays_and_leases_count)
{
	const uint64_t limit = 10 * LIMIT, few = limit / qe_record_cost();

	for (int delayed = 0; delayed < 2; delayed++) {
		uint64_t n;

		kit_limits((struct qe_config){.memory_limit = limit});
		n = count_accepted(delayed);
		ck_assert_uint_gt(n, few / 2);
		ck_assert_uint_lt(n, few);
		expect_nothing(); /* and the last answer is given back */
	}
}
END_TEST

START_TEST(an_item_above_the_limit_is_accepted_when_it_is_alone)
{
	kit_limits((struct qe_config){.memory_limit = LIMIT});
	ck_assert_int_eq(put_sized(s1, 1, "q", LIMIT, NO_WAIT), QE_OK);
	ck_assert_int_eq(put(s1, 1, "q", "x", NO_WAIT), QE_FULL_MEMORY);
}
END_TEST

static void
fill(const char *queue)
{
	struct qe_item *items[MANY / 10];
	struct qe_reply reply;

	for (int i = 0; i < 10; i++) {
		for (int k = 0; k < MANY / 10; k++)
			items[k] = new_item("body");
		ck_assert_int_eq(qe_put(e, now, s1, 1, name(queue), NO_WAIT, items,
					MANY / 10, true, true, &reply),
				 QE_OK);
		qe_reply_done(e, &reply);
	}
}

static void
lease_all(struct qe_session *s, const char *queue)
{
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(get_many(s, 1, queue, 1, MANY / 10, 0, NO_WAIT),
				 QE_OK);
	bodies();
}

/* Runs the ticks that are left. Each does some of the work, none all of it. */
static void
run_ticks(void)
{
	unsigned ticks = 0;

	for (; qe_next_deadline(e) == now; ticks++) {
		ck_assert_uint_lt(ticks, MANY);
		ck_assert_ptr_null(qe_check(e));
		(void)qe_tick(e, now);
	}
	ck_assert_uint_ge(ticks, 2);
	ck_assert_ptr_null(qe_check(e));
}

START_TEST(purge_of_many_items_is_spread_over_ticks)
{
	uint64_t count, before = stats().memory;

	fill("q");
	lease_all(s2, "q");
	qe_session_end(e, now, s2, QE_END_LOST); /* so that both sets are purged */
	run_ticks();
	fill("q");
	ck_assert_int_eq(qe_purge(e, now, name("q"), &count), QE_OK);
	ck_assert_uint_eq(count, 2 * MANY);
	ck_assert_uint_eq(stats_of("q").ready, 0);
	ck_assert_int_eq(get(s1, 1, "q", NO_WAIT), QE_EMPTY);
	put_ok("q", "new");
	run_ticks();
	take(s1, "q", "new");
	ck_assert_uint_lt(stats().memory, before + 40000);
}
END_TEST

START_TEST(leases_of_a_deleted_queue_are_stale_before_they_are_swept)
{
	struct qe_tag tag = {MANY, 1, EPOCH};

	fill("q");
	lease_all(s2, "q");
	ck_assert_int_eq(qe_delete(e, now, name("q"), true), QE_OK);
	ck_assert_uint_eq(qe_next_deadline(e), now);
	ck_assert_uint_eq(stats().leased, 0);
	ck_assert_int_eq(qe_ack(e, now, s2, tag), QE_STALE);
	ck_assert_int_eq(qe_release(e, now, s2, tag), QE_STALE);
	ck_assert_int_eq(qe_task_done(e, now, s2, name("q")), QE_NOT_LEASED);
	put_ok("q", "new");
	take(s2, "q", "new");
	run_ticks();
	ck_assert_int_eq(qe_task_done(e, now, s2, name("q")), QE_OK);
}
END_TEST

START_TEST(a_session_gives_many_leases_back_over_ticks_the_oldest_first)
{
	uint64_t ready;

	fill("q");
	lease_all(s2, "q");
	qe_session_end(e, now, s2, QE_END_LOST);
	ready = stats_of("q").ready;
	ck_assert_uint_gt(ready, 0);
	ck_assert_uint_lt(ready, MANY);
	ck_assert_uint_eq(stats_of("q").leased, MANY - ready);
	ck_assert_int_eq(get(s1, 1, "q", NO_WAIT), QE_OK);
	ck_assert_uint_eq(qe_item_id(got.item), 1);
	qe_reply_done(e, &got);
	s2 = new_session(2); /* the id is free again */
	run_ticks();
	ck_assert_uint_eq(stats_of("q").ready, MANY - 1);
	ck_assert_uint_eq(stats_of("q").counters.crashed, MANY);
}
END_TEST

START_TEST(a_session_and_its_queue_may_end_together)
{
	fill("q");
	lease_all(s2, "q");
	fill("q");
	lease_all(s3, "q");
	qe_session_end(e, now, s2, QE_END_LOST);
	ck_assert_int_eq(qe_delete(e, now, name("q"), true), QE_OK);
	qe_session_end(e, now, s3, QE_END_LOST);
	run_ticks();
	ck_assert_uint_eq(stats().leased + stats().ready, 0);
	ck_assert_uint_eq(stats().counters.purged, 2 * MANY);
}
END_TEST

START_TEST(an_engine_is_freed_with_all_that_it_holds)
{
	fill("q");
	lease_all(s2, "q");
	fill("other");
	ck_assert_int_eq(get(s1, 1, "empty", now + 9), QE_WAIT);
	ck_assert_int_eq(qe_join(e, now, s1, 2, name("q"),
				 &(struct qe_join){.deadline_ns = QE_NEVER}),
			 QE_WAIT);
	qe_session_end(e, now, s2, QE_END_LOST);
	ck_assert_int_eq(qe_delete(e, now, name("other"), true), QE_OK);
	kit_limits((struct qe_config){0});
	qe_free(NULL);
}
END_TEST

START_TEST(memory_returns_to_what_it_was)
{
	uint64_t before;

	put_ok("q", "x");
	ck_assert_int_eq(qe_ack(e, now, s1, take(s1, "q", "x")), QE_OK);
	before = stats().memory;
	for (int i = 0; i < 3; i++) {
		fill("q");
		lease_all(s1, "q");
		for (int k = 0; k < MANY; k++)
			ck_assert_int_eq(qe_task_done(e, now, s1, name("q")), QE_OK);
	}
	ck_assert_uint_lt(stats().memory, before + 20000); /* a small table is kept */
}
END_TEST

#define HUGE_BODY (UINT32_C(48) << 20)

START_TEST(the_memory_of_a_huge_item_goes_back_over_ticks)
{
	uint64_t before = stats().memory, ticks = 1;

	ck_assert_int_eq(put_sized(s1, 1, "q", HUGE_BODY, NO_WAIT), QE_OK);
	ck_assert_int_eq(get(s2, 1, "q", NO_WAIT), QE_OK);
	ck_assert_int_eq(qe_task_done(e, now, s2, name("q")), QE_OK);
	expect_nothing(); /* which gives the answer of the get back */
	ck_assert_uint_gt(stats().memory, HUGE_BODY); /* there is still all of it */
	for (; qe_tick(e, now) == now; ticks++)
		ck_assert_uint_lt(ticks, 100);
	ck_assert_uint_gt(ticks, 10);
	ck_assert_uint_lt(stats().memory, before + 20000);
}
END_TEST

#define SMALL_SHARE 5000 /* ns: twelve pages, and what is given back at once */

START_TEST(a_small_share_gives_little_back)
{
	uint64_t before;

	qe_item_unref(e, sized(HUGE_BODY));
	before = stats().memory;
	qe_set_share(e, SMALL_SHARE);
	ck_assert_uint_eq(qe_tick(e, now), now);
	ck_assert_uint_lt(stats().memory, before);
	ck_assert_uint_ge(stats().memory, before - (128 << 10));
}
END_TEST

START_TEST(memory_that_was_freed_and_not_given_back_keeps_no_item_out)
{
	kit_limits((struct qe_config){.memory_limit = HUGE_BODY + LIMIT});
	for (int i = 0; i < 4; i++) {
		qe_item_unref(e, sized(HUGE_BODY));
		ck_assert_uint_le(stats().memory, (HUGE_BODY + LIMIT) / 8 * 9);
	}
}
END_TEST

static void
add(TCase *tcase)
{
	tcase_add_test(tcase, the_memory_of_a_huge_item_goes_back_over_ticks);
	tcase_add_test(tcase, a_small_share_gives_little_back);
	tcase_add_test(tcase,
		       memory_that_was_freed_and_not_given_back_keeps_no_item_out);
	tcase_add_test(tcase, puts_wait_above_the_memory_limit);
	tcase_add_test(tcase, memory_that_is_freed_goes_to_those_who_wait_in_turn);
	tcase_add_test(tcase, all_that_frees_memory_lets_puts_go_on);
	tcase_add_test(tcase, no_item_is_made_above_nine_eighths_of_the_limit);
	tcase_add_test(tcase, the_records_of_delays_and_leases_count);
	tcase_add_test(tcase, an_item_above_the_limit_is_accepted_when_it_is_alone);
	tcase_add_test(tcase, purge_of_many_items_is_spread_over_ticks);
	tcase_add_test(tcase,
		       leases_of_a_deleted_queue_are_stale_before_they_are_swept);
	tcase_add_test(tcase,
		       a_session_gives_many_leases_back_over_ticks_the_oldest_first);
	tcase_add_test(tcase, a_session_and_its_queue_may_end_together);
	tcase_add_test(tcase, an_engine_is_freed_with_all_that_it_holds);
	tcase_add_test(tcase, memory_returns_to_what_it_was);
}

int
main(void)
{
	return kit_main("memory", add);
}
