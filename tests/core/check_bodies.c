/* SPDX-License-Identifier: MIT
 *
 * Bodies of durable queues that are in the store alone: which leave, that they come back as they were,
 * and what is not there to be read. check_model does everything else to them.
 */
#include "tests/core/engine_kit.h"
#include "tests/core/log_kit.h"

#include <string.h>

#define SEGMENT 65536
#define LEN	1000
#define N	200 /* items that do not fit */
#define MEMORY	(50 * LEN)

static struct store *kept;

/* As good as any for one wrong bit. */
static uint32_t
sum_of(uint32_t sum, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum = sum * 31 + ((const unsigned char *)bytes)[i];
	return sum;
}

static void
keeps(struct qe_config config)
{
	config.can_keep = true;
	kit_limits(config);
	kept = log_new(SEGMENT);
	qe_set_sum(e, sum_of);
	ck_assert_int_eq(qe_restored(e, now, kept), QE_OK);
	declare_as("q", (struct qe_declare){.has_durable = true, .durable = QE_ASYNC});
	qe_commit(e);
}

static void
keeps_no_more(void)
{
	kit_limits((struct qe_config){0});
	log_free(kept);
}

static void
turn(void)
{
	qe_commit(e);
	do
		tick_at(++now);
	while (qe_next_deadline(e) <= now);
	qe_commit(e);
	(void)qe_after(e);
}

/* The n-th item: its body says so, everywhere. */
static enum qe_result
numbered(uint32_t n, size_t len, struct qe_item **ret_item)
{
	enum qe_result result = qe_item_new(e, len, ret_item);

	for (size_t i = 0; result == QE_OK && i < len / sizeof(n); i++)
		memcpy((char *)qe_item_body(*ret_item) + i * sizeof(n), &n, sizeof(n));
	return result;
}

static bool
is_numbered(struct qe_item *item, uint32_t n)
{
	const char *body = qe_item_body(item);
	bool is = !qe_item_absent(item);

	for (size_t i = 0; is && i < qe_item_body_len(item) / sizeof(n); i++)
		is = memcmp(body + i * sizeof(n), &n, sizeof(n)) == 0;
	return is;
}

static enum qe_result
put_numbered(const char *queue, uint32_t n, size_t len)
{
	struct qe_item *item;
	struct qe_reply reply;
	enum qe_result result = numbered(n, len, &item);

	if (result != QE_OK)
		return result;
	return qe_put(e, now, s1, 1, name(queue), NO_WAIT, &item, 1, false, false,
		      &reply);
}

static void
fill(const char *queue, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		ck_assert_int_eq(put_numbered(queue, i, LEN), QE_OK);
		turn();
	}
}

/* Takes it, and says what it was. */
static void
take_numbered(const char *queue, uint32_t n)
{
	ck_assert_int_eq(get(s2, 1, queue, NO_WAIT), QE_OK);
	ck_assert_msg(is_numbered(got.item, n), "the item is not %u", n);
	ck_assert_int_eq(qe_ack(e, now, s2, tag_of(got.item)), QE_OK);
	qe_reply_done(e, &got);
}

static struct qe_stats
stats(void)
{
	struct qe_stats s;

	qe_stats(e, &s);
	return s;
}

START_TEST(what_is_beyond_leaves_and_comes_back_in_order)
{
	keeps((struct qe_config){.body_memory = MEMORY});
	fill("q", N);
	ck_assert_uint_ge(stats().absent, N - 50);
	ck_assert_uint_lt(stats().absent, N - 40);
	ck_assert_uint_eq(stats().absent_bytes, stats().absent * LEN);
	ck_assert_uint_lt(stats().memory, 2 * MEMORY);
	ck_assert_uint_eq(stats_of("q").bytes, N * LEN);
	for (uint32_t i = 0; i < N; i++) {
		take_numbered("q", i);
		turn();
		ck_assert_uint_lt(stats().memory, 2 * MEMORY);
	}
	ck_assert_uint_eq(stats().absent, 0);
	ck_assert_uint_eq(stats().absent_bytes, 0);
	keeps_no_more();
}
END_TEST

START_TEST(bodies_are_read_before_they_are_asked_for)
{
	uint64_t reads;

	keeps((struct qe_config){.body_memory = MEMORY});
	fill("q", N);
	for (uint32_t i = 0; i < N; i++) {
		reads = log_reads(kept);
		take_numbered("q", i);
		ck_assert_uint_eq(log_reads(kept), reads);
		turn();
	}
	ck_assert_uint_ge(log_reads(kept), N - 50);
	keeps_no_more();
}
END_TEST

START_TEST(the_first_to_be_given_stay)
{
	keeps((struct qe_config){.body_memory = MEMORY});
	if (_i == 1)
		declare_as("q", (struct qe_declare){.update = true,
						    .has_order = true,
						    .order = QE_LIFO});
	fill("q", N);
	for (uint32_t i = 0; i < 40; i++)
		take_numbered("q", _i == 1 ? N - 1 - i : i);
	ck_assert_uint_eq(log_reads(kept), 0);
	keeps_no_more();
}
END_TEST

START_TEST(what_is_not_written_stays)
{
	keeps((struct qe_config){.body_memory = MEMORY});
	log_set_slow(kept, true);
	fill("q", N);
	ck_assert_uint_eq(stats().absent, 0);
	log_set_slow(kept, false);
	turn();
	ck_assert_uint_ge(stats().absent, N - 50);
	for (uint32_t i = 0; i < N; i++)
		take_numbered("q", i);
	keeps_no_more();
}
END_TEST

START_TEST(puts_go_on_beyond_the_memory_limit)
{
	keeps((struct qe_config){.memory_limit = 4 * MEMORY,
				 .body_memory = 2 * MEMORY});
	fill("q", 2 * N);
	ck_assert_uint_le(stats().memory, 4 * MEMORY + MEMORY / 2);
	/* A queue in memory has what is left, and no more. */
	for (uint32_t i = 0; put_numbered("m", i, LEN) == QE_OK; i++)
		turn();
	ck_assert_int_eq(put_numbered("m", 0, LEN), QE_FULL_MEMORY);
	ck_assert_uint_gt(stats_of("m").ready, 20);
	for (uint32_t i = 0; i < 2 * N; i++) {
		take_numbered("q", i);
		turn();
	}
	keeps_no_more();
}
END_TEST

START_TEST(who_waits_for_memory_goes_on_when_bodies_leave)
{
	struct qe_item *item;

	keeps((struct qe_config){.memory_limit = 20 * MEMORY, .body_memory = MEMORY});
	log_set_slow(kept, true);
	for (uint32_t i = 0; put_numbered("q", i, 10 * LEN) == QE_OK; i++)
		turn();
	ck_assert_int_eq(numbered(1000, 10 * LEN, &item), QE_OK);
	ck_assert_int_eq(qe_put(e, now, s1, 7, name("q"), QE_NEVER, &item, 1, false,
				false, &got),
			 QE_WAIT);
	turn();
	expect_nothing();
	log_set_slow(kept, false);
	turn();
	expect(s1, 7, QE_OK);
	keeps_no_more();
}
END_TEST

/* Whoever waits for an item is given one that was away, and so is who waited for many. */
START_TEST(a_get_that_waits_is_given_what_is_away)
{
	struct qe_pause pause = {.has_out = true, .out = true};

	keeps((struct qe_config){.body_memory = 1});
	fill("q", 3);
	ck_assert_uint_eq(stats().absent, 3);
	ck_assert_int_eq(qe_pause(e, now, name("q"), &pause), QE_OK);
	ck_assert_int_eq(get(s2, 1, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get_many(s3, 2, "q", 5, 5, 0, now + 10), QE_WAIT);
	pause.out = false;
	ck_assert_int_eq(qe_pause(e, now, name("q"), &pause), QE_OK);
	expect(s2, 1, QE_OK);
	ck_assert(is_numbered(got.item, 0));
	tick_at(now += 20);
	expect(s3, 2, QE_OK);
	ck_assert_uint_eq(got.n, 2);
	ck_assert(is_numbered(got.items[0], 1) && is_numbered(got.items[1], 2));
	expect_nothing();
	keeps_no_more();
}
END_TEST

#define MS 1000000

/* Whether it may wait for items, or not, it waits for the bodies of those that it must have. */
START_TEST(a_get_of_many_waits_for_the_disk_alone)
{
	struct qe_item *item;

	keeps((struct qe_config){.body_memory = 1});
	fill("q", 100);
	ck_assert_int_eq(qe_peek(e, name("q"), &item), QE_OK); /* the first is here */
	qe_item_unref(e, item);
	log_set_cold(kept, true);
	ck_assert_int_eq(get_many(s1, 9, "q", 90, 95, 0, _i == 0 ? QE_NEVER : NO_WAIT),
			 QE_WAIT);
	for (int i = 0; i < 10; i++) {
		tick_at(now += MS);
		expect_nothing();
		ck_assert_uint_gt(qe_next_deadline(e), now);
	}
	ck_assert_int_eq(put_numbered("m", 7, LEN), QE_OK);
	take_numbered("m", 7);
	log_set_cold(kept, false);
	tick_at(now += MS);
	tick_at(now += MS);
	expect(s1, 9, QE_OK);
	ck_assert_uint_ge(got.n, 90);
	for (unsigned i = 0; i < got.n; i++)
		ck_assert(is_numbered(got.items[i], i));
	expect_nothing();
	ck_assert_uint_eq(log_waits(kept), 0);
	keeps_no_more();
}
END_TEST

START_TEST(who_looks_is_shown_the_body)
{
	struct qe_search search = {0};
	struct qe_shown shown;
	struct qe_item *item;
	struct qe_tag tag;

	keeps((struct qe_config){.body_memory = 1});
	fill("q", 2);
	ck_assert_int_eq(qe_peek(e, name("q"), &item), QE_OK);
	ck_assert(is_numbered(item, 0));
	qe_item_unref(e, item);
	ck_assert_int_eq(get(s2, 1, "q", NO_WAIT), QE_OK);
	tag = tag_of(got.item);
	qe_reply_done(e, &got);
	turn();
	ck_assert_uint_eq(stats().absent, 2);
	log_set_cold(kept, true);
	ck_assert_int_eq(qe_fetch_leased(e, s2, tag), QE_AGAIN);
	ck_assert_int_eq(qe_fetch_leased(e, s3, tag), QE_STALE);
	log_set_cold(kept, false);
	ck_assert_int_eq(qe_leased(e, s2, tag, &item), QE_OK);
	ck_assert(is_numbered(item, 0));
	qe_item_unref(e, item);
	turn();
	ck_assert_int_eq(qe_show(e, now, name("q"), tag.id, &shown), QE_OK);
	ck_assert(is_numbered(shown.item, 0) && shown.leased);
	qe_item_unref(e, shown.item);
	ck_assert_int_eq(qe_look(e, now, name("q"), tag.id + 1, &search, &shown),
			 QE_OK);
	ck_assert(is_numbered(shown.item, 1));
	qe_item_unref(e, shown.item);
	ck_assert_int_eq(qe_ack(e, now, s2, tag), QE_OK);
	keeps_no_more();
}
END_TEST

START_TEST(what_goes_to_another_queue_takes_its_body_along)
{
	uint64_t n;

	keeps((struct qe_config){.body_memory = 1});
	declare_as("q", (struct qe_declare){.update = true,
					    .has_dead_to = true,
					    .dead_to = {.len = 1, .p = "m"}});
	fill("q", 3);
	ck_assert_int_eq(qe_move(e, now, name("q"), name("m"), QE_STATE_READY, 2, &n),
			 QE_OK);
	take_numbered("m", 0);
	ck_assert_int_eq(get(s2, 1, "q", NO_WAIT), QE_OK);
	turn();
	ck_assert_int_eq(qe_bury(e, now, s2, tag_of(got.item), name("")), QE_OK);
	qe_reply_done(e, &got);
	turn();
	take_numbered("m", 1);
	take_numbered("m", 2);
	keeps_no_more();
}
END_TEST

/* Whoever is restored from the log is as this one. */
static void
check_log(void)
{
	struct qe *after = qe_new(&(struct qe_config){.can_keep = true});
	struct store *view = log_view(kept);

	qe_set_sum(after, sum_of);
	ck_assert_int_eq(log_restore(kept, log_records(kept), after, now, view), QE_OK);
	ck_assert_ptr_null(qe_check(after));
	ck_assert_ptr_null(log_compare(e, after, now, false));
	qe_free(after);
	log_view_free(view);
}

/* Into a queue that is durable, too: the store moves the body, and the engine reads nothing. */
START_TEST(what_dies_into_a_durable_queue_is_not_read_for_that)
{
	uint64_t moved, reads;
	struct qe_tag tag;

	keeps((struct qe_config){.body_memory = 1});
	declare_as("d", (struct qe_declare){.has_durable = true, .durable = QE_SYNC});
	declare_as("q", (struct qe_declare){.update = true,
					    .has_dead_to = true,
					    .dead_to = {.len = 1, .p = "d"}});
	fill("q", 1);
	ck_assert_int_eq(get(s2, 1, "q", NO_WAIT), QE_OK);
	tag = tag_of(got.item);
	qe_reply_done(e, &got);
	turn();
	ck_assert_uint_eq(stats().absent, 1);
	reads = log_reads(kept);
	moved = log_work(kept).moved;
	log_set_cold(kept, true);
	log_set_slow(kept, _i == 1);
	ck_assert_int_eq(qe_bury(e, now, s2, tag, name("")), QE_OK);
	ck_assert_ptr_null(qe_check(e));
	turn();
	ck_assert_ptr_null(qe_check(e));
	ck_assert_uint_eq(log_reads(kept), reads);
	ck_assert_uint_eq(log_work(kept).moved, moved + LEN);
	ck_assert_uint_eq(stats().absent, 1);
	log_set_cold(kept, false);
	take_numbered("d", 0); /* where it was, if it has not been moved yet */
	log_set_slow(kept, false);
	turn();
	check_log();
	keeps_no_more();
}
END_TEST

/* Nobody reads the old body, whose item dies when it comes back. */
START_TEST(what_is_updated_takes_the_new_body_along)
{
	struct qe_item *item;
	struct qe_tag tag;

	keeps((struct qe_config){.body_memory = 1});
	declare_as("q", (struct qe_declare){.update = true,
					    .has_dead_to = true,
					    .dead_to = {.len = 1, .p = "m"}});
	ck_assert_int_eq(numbered(1, LEN, &item), QE_OK);
	put_mortal("q", item, now + 10);
	ck_assert_int_eq(get(s2, 1, "q", NO_WAIT), QE_OK);
	tag = tag_of(got.item);
	qe_reply_done(e, &got);
	turn();
	ck_assert_uint_eq(stats().absent, 1);
	tick_at(now += 10);
	ck_assert_int_eq(numbered(2, LEN + 100, &item), QE_OK);
	ck_assert_int_eq(qe_update(e, now, s2, tag, item), QE_OK);
	ck_assert_uint_eq(log_reads(kept), 0);
	take_numbered("m", 2);
	keeps_no_more();
}
END_TEST

START_TEST(what_is_away_is_carried_forward)
{
	keeps((struct qe_config){.body_memory = 1});
	fill("q", 50);
	declare_as("a", (struct qe_declare){.has_durable = true, .durable = QE_ASYNC});
	for (int i = 0; i < 3000; i++) {
		ck_assert_int_eq(put_numbered("a", 0, LEN), QE_OK);
		turn();
		take_numbered("a", 0);
		turn();
	}
	ck_assert_uint_ge(log_work(kept).moved, 50 * LEN); /* those of q, and */
	ck_assert_uint_eq(log_reads(kept), 3000); /* the loop reads none of them */
	ck_assert_uint_eq(stats().absent, 50);
	for (uint32_t i = 0; i < 50; i++)
		take_numbered("q", i);
	keeps_no_more();
}
END_TEST

/* An engine that was restored while N items were in "q"; when `ret_s` was taken it had time to read bodies
 * back, in `turns` milliseconds. */
static void
restored(struct qe_config config, unsigned turns, struct qe_stats *ret_s)
{
	struct qe *after = qe_new(&config);
	struct store *view;

	keeps(config);
	fill("q", N);
	view = log_view(kept);
	qe_set_sum(after, sum_of);
	ck_assert_int_eq(log_restore(kept, log_records(kept), after, now, view), QE_OK);
	for (unsigned i = 0; i < turns; i++)
		qe_tick(after, now += 1000000);
	qe_stats(after, ret_s);
	ck_assert_ptr_null(qe_check(after));
	ck_assert_ptr_null(log_compare(e, after, now, false));
	qe_free(after);
	log_view_free(view);
	keeps_no_more();
}

START_TEST(a_start_leaves_bodies_where_they_are)
{
	struct qe_stats s;

	restored((struct qe_config){.can_keep = true}, 0, &s);
	ck_assert_uint_eq(s.absent, N);
	ck_assert_uint_lt(s.memory, N * LEN);
}
END_TEST

START_TEST(they_come_back_by_themselves)
{
	struct qe_stats s;

	restored((struct qe_config){.can_keep = true}, N / 50, &s);
	ck_assert_uint_eq(s.absent, 0);
}
END_TEST

START_TEST(a_restored_engine_has_no_more_bodies_than_it_may)
{
	struct qe_stats s;

	restored((struct qe_config){.can_keep = true, .body_memory = MEMORY}, N, &s);
	ck_assert_uint_ge(s.absent, N - 50);
	ck_assert_uint_lt(s.absent, N - 40);
	ck_assert_uint_lt(s.memory, 2 * MEMORY);
}
END_TEST

/* Whatever is looked at is there, before, while and after it is moved; the log is written in jerks. */
START_TEST(what_is_moved_can_be_read_all_the_time)
{
	uint64_t moved;

	keeps((struct qe_config){.body_memory = 1});
	fill("q", 50);
	declare_as("a", (struct qe_declare){.has_durable = true, .durable = QE_ASYNC});
	moved = log_work(kept).moved;
	for (uint32_t i = 0; i < 3000; i++) {
		uint32_t n = i * 7 % 50;
		struct qe_search search = {0};
		struct qe_shown shown;

		log_set_slow(kept, i % 5 > 0);
		ck_assert_int_eq(put_numbered("a", 0, LEN), QE_OK);
		turn();
		ck_assert_int_eq(qe_look(e, now, name("q"), 1 + n, &search, &shown),
				 QE_OK);
		ck_assert(is_numbered(shown.item, n));
		qe_item_unref(e, shown.item);
		take_numbered("a", 0);
		turn();
		if (i % 100 == 0)
			ck_assert_ptr_null(qe_check(e));
	}
	ck_assert_uint_ge(log_work(kept).moved - moved, 50 * LEN);
	log_set_slow(kept, false);
	turn();
	for (uint32_t i = 0; i < 50; i++)
		take_numbered("q", i);
	keeps_no_more();
}
END_TEST

/* As doc/durability.md says. */
START_TEST(an_item_without_its_body_takes_little)
{
	uint64_t before, n = 20000;

	keeps((struct qe_config){.body_memory = 1});
	before = stats().memory;
	for (uint32_t i = 0; i < n; i++) {
		ck_assert_int_eq(put_numbered("q", i, LEN), QE_OK);
		if (i % 100 == 0)
			turn();
	}
	turn();
	ck_assert_uint_eq(stats().absent, n);
	ck_assert_uint_le(stats().memory - before, n * 192);
	keeps_no_more();
}
END_TEST

START_TEST(what_cannot_be_read_is_given_to_nobody)
{
	keeps((struct qe_config){.body_memory = 1});
	fill("q", 2);
	ck_assert_int_eq(put_numbered("m", 5, LEN), QE_OK);
	ck_assert_ptr_null(qe_store_lost(e));
	log_set_broken(kept, _i == 0 ? BROKEN_READ : BROKEN_BYTE);
	ck_assert_int_eq(get(s2, 1, "q", NO_WAIT), QE_LOST);
	ck_assert_ptr_nonnull(qe_store_lost(e));
	ck_assert_int_eq(get_many(s2, 1, "q", 1, 5, 0, QE_NEVER), QE_LOST);
	ck_assert_uint_eq(stats_of("q").ready, 2);
	ck_assert_uint_eq(stats_of("q").counters.delivered, 0);
	take_numbered("m", 5);
	log_set_broken(kept, BROKEN_NOTHING); /* it stays lost */
	ck_assert_int_eq(get(s2, 1, "q", NO_WAIT), QE_LOST);
	keeps_no_more();
}
END_TEST

START_TEST(who_may_wait_waits_for_the_disk_and_nobody_else_does)
{
	keeps((struct qe_config){.body_memory = 1});
	fill("q", 3);
	log_set_cold(kept, true);
	ck_assert_int_eq(get(s1, 7, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get(s2, 8, "q", QE_NEVER), QE_WAIT);
	tick_at(now);
	expect_nothing();
	ck_assert_uint_eq(qe_next_deadline(e), now + MS);
	ck_assert_int_eq(put_numbered("m", 7, LEN), QE_OK);
	take_numbered("m", 7);
	tick_at(now += MS);
	expect_nothing();
	log_set_cold(kept, false);
	/* Who comes later has what comes later. */
	ck_assert_int_eq(get(s3, 9, "q", QE_NEVER), QE_OK);
	ck_assert(is_numbered(got.item, 2));
	expect(s1, 7, QE_OK);
	ck_assert(is_numbered(got.item, 0));
	expect(s2, 8, QE_OK);
	ck_assert(is_numbered(got.item, 1));
	expect_nothing();
	ck_assert_uint_eq(log_waits(kept), 0);
	keeps_no_more();
}
END_TEST

START_TEST(who_may_not_wait_waits_for_the_disk_alone)
{
	struct qe_name names[] = {name("m"), name("q")};
	struct qe_any any = {.queues = names, .n = 2};
	struct qe_item *item;

	keeps((struct qe_config){.body_memory = 1});
	fill("q", 4);
	log_set_cold(kept, true);
	ck_assert_int_eq(get(s1, 1, "q", NO_WAIT), QE_WAIT);
	ck_assert_int_eq(get_any_as(s2, 2, &any,
				    (struct qe_get){.deadline_ns = NO_WAIT}),
			 QE_WAIT);
	ck_assert_int_eq(get(s3, 3, "q", now + MS), QE_WAIT);
	ck_assert_int_eq(get_as(s3, 4, "q", (struct qe_get){.here = true}), QE_AGAIN);
	ck_assert_int_eq(qe_peek(e, name("q"), &item), QE_AGAIN);
	for (int i = 0; i < 3; i++) {
		tick_at(now += MS);
		expect_nothing();
	}
	log_set_cold(kept, false);
	tick_at(now += MS);
	expect(s1, 1, QE_OK);
	ck_assert(is_numbered(got.item, 0));
	expect(s2, 2, QE_OK);
	ck_assert(is_numbered(got.item, 1));
	expect(s3, 3, QE_OK);
	ck_assert(is_numbered(got.item, 2));
	ck_assert_int_eq(qe_peek(e, name("q"), &item), QE_OK);
	ck_assert(is_numbered(item, 3));
	qe_item_unref(e, item);
	expect_nothing();
	ck_assert_uint_eq(log_waits(kept), 0);
	keeps_no_more();
}
END_TEST

/* Others were quicker. */
START_TEST(who_waits_for_a_body_may_be_told_that_there_is_none)
{
	struct qe_name names[] = {name("m"), name("q")};
	struct qe_any any = {.queues = names, .n = 2};
	uint64_t count;

	keeps((struct qe_config){.body_memory = 1});
	fill("q", 1);
	log_set_cold(kept, true);
	ck_assert_int_eq(get(s1, 1, "q", NO_WAIT), QE_WAIT);
	ck_assert_int_eq(get_any_as(s2, 2, &any,
				    (struct qe_get){.deadline_ns = NO_WAIT}),
			 QE_WAIT);
	ck_assert_int_eq(qe_purge(e, now, name("q"), &count), QE_OK);
	tick_at(now += MS);
	expect(s1, 1, QE_EMPTY);
	expect(s2, 2, QE_EMPTY);
	expect_nothing();
	keeps_no_more();
}
END_TEST

static unsigned
dump_all(struct qe_dump **walk, enum qe_result *ret_result)
{
	struct qe_shown rows[10];
	unsigned n = 0, all = 0;

	do {
		*ret_result = qe_dump(e, now, name("q"), QE_STATE_READY, walk, rows, 10,
				      1 << 20, &n);
		for (unsigned i = 0; i < n; i++) {
			uint64_t first =
				qe_item_id(rows[i].item) - qe_item_id(rows[0].item);

			ck_assert_uint_eq(first, i);
			ck_assert(!qe_item_absent(rows[i].item));
			qe_item_unref(e, rows[i].item);
		}
		all += n;
	} while (*walk && *ret_result == QE_OK);
	return all;
}

/* And who has shown by its id what is large, or not in the system's memory. */
START_TEST(a_dump_waits_for_the_disk_alone)
{
	const size_t len = _i == 0 ? LEN : 3 * (256 << 10);
	struct qe_dump *walk = NULL;
	struct qe_search search = {0};
	struct qe_shown shown;
	enum qe_result result;
	unsigned n = 0, turns = 0;

	keeps((struct qe_config){.body_memory = 1});
	for (uint32_t i = 0; i < 20; i++)
		ck_assert_int_eq(put_numbered("q", i, len), QE_OK);
	while (stats().absent < 20)
		turn();
	log_set_cold(kept, _i == 0);
	ck_assert_int_eq(qe_look(e, now, name("q"), 7, &search, &shown), QE_AGAIN);
	ck_assert_uint_eq(dump_all(&walk, &result), 0);
	ck_assert_int_eq(result, QE_AGAIN);
	log_set_cold(kept, false);
	while (walk) {
		uint64_t reads = log_reads(kept);

		ck_assert_uint_lt(++turns, 200);
		tick_at(now = qe_next_deadline(e) > now + 10 * MS
				      ? now + MS
				      : qe_next_deadline(e));
		n += dump_all(&walk, &result);
		ck_assert(result == QE_AGAIN || result == QE_OK);
		if (_i == 1)
			ck_assert_uint_le(log_reads(kept), reads + 1);
	}
	ck_assert_uint_eq(n, 20);
	ck_assert_uint_eq(log_waits(kept), 0);
	keeps_no_more();
}
END_TEST

START_TEST(what_does_not_come_by_itself_is_waited_for)
{
	struct qe_reply reply;
	int ticks = 0;

	keeps((struct qe_config){.body_memory = 1});
	fill("q", 1);
	log_set_cold(kept, true);
	ck_assert_int_eq(get(s1, 1, "q", QE_NEVER), QE_WAIT);
	for (; !qe_next_reply(e, &reply); ticks++) {
		ck_assert_int_lt(ticks, 100);
		tick_at(now = qe_next_deadline(e));
	}
	ck_assert_int_gt(ticks, 10);
	ck_assert(is_numbered(reply.item, 0));
	qe_reply_done(e, &reply);
	keeps_no_more();
}
END_TEST

START_TEST(a_body_on_its_way_to_somebody_stays)
{
	struct qe_reply held[3];

	keeps((struct qe_config){.body_memory = 1});
	fill("q", 3);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(get(s2, 1, "q", NO_WAIT), QE_OK);
		held[i] = got;
		got = (struct qe_reply){.request = QE_REQUEST_PUT};
		turn();
	}
	ck_assert_uint_eq(stats().absent, 0);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert(is_numbered(held[i].item, i));
		qe_reply_done(e, &held[i]);
	}
	turn();
	ck_assert_uint_eq(stats().absent, 3);
	keeps_no_more();
}
END_TEST

#define PIECE (256 << 10)
#define LARGE (10 * PIECE + 100)

static uint64_t summed;

static uint32_t
counting_sum(uint32_t sum, const void *bytes, size_t len)
{
	summed += len;
	return sum_of(sum, bytes, len);
}

/* One turn of the caller's loop. */
static void
tick_once(void)
{
	uint64_t reads = log_reads(kept);

	summed = 0;
	tick_at(now);
	qe_commit(e);
	ck_assert_uint_le(log_reads(kept), reads + 1);
	ck_assert_uint_le(summed, (2 << 20) + 2 * PIECE);
}

static void
fill_large(uint32_t n)
{
	keeps((struct qe_config){.body_memory = 1});
	qe_set_sum(e, counting_sum);
	for (uint32_t i = 0; i < n; i++)
		ck_assert_int_eq(put_numbered("q", i, LARGE), QE_OK);
	qe_commit(e);
	for (uint64_t i = 0; stats().absent < n; i++) {
		ck_assert_uint_lt(i, 100);
		tick_once();
	}
}

START_TEST(a_large_body_goes_and_comes_back_in_pieces)
{
	struct qe_reply reply;
	unsigned turns = 0;

	fill_large(2);
	ck_assert_int_eq(get(s1, 7, "q", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get(s2, 8, "q", QE_NEVER), QE_WAIT);
	for (uint32_t i = 0; i < 2; turns++) {
		ck_assert_uint_lt(turns, 100);
		ck_assert_uint_le(qe_next_deadline(e), now);
		tick_once();
		if (!qe_next_reply(e, &reply))
			continue;
		ck_assert(is_numbered(reply.item, i++));
		qe_reply_done(e, &reply);
	}
	ck_assert_uint_ge(turns, 22);
	ck_assert_uint_eq(log_most_read(kept), PIECE);
	ck_assert_uint_eq(log_waits(kept), 0);
	keeps_no_more();
}
END_TEST

/* There is no room for two: what was read leaves before the rest is there. */
START_TEST(large_bodies_that_must_come_together_do_so_in_the_end)
{
	struct qe_reply reply;
	uint64_t began;

	fill_large(3);
	began = now;
	ck_assert_int_eq(get_as(s1, 7, "q",
				(struct qe_get){.deadline_ns = QE_NEVER,
						.many = true,
						.min_items = 3,
						.max_items = 3,
						.max_bytes = 16 << 20}),
			 QE_WAIT);
	while (!qe_next_reply(e, &reply)) {
		ck_assert_uint_lt(now, began + UINT64_C(3000) * MS);
		tick_at(now += MS / 10);
	}
	ck_assert_uint_eq(reply.n, 3);
	for (unsigned i = 0; i < 3; i++)
		ck_assert(is_numbered(reply.items[i], i));
	qe_reply_done(e, &reply);
	keeps_no_more();
}
END_TEST

START_TEST(a_large_body_that_is_not_wanted_any_more_is_given_up)
{
	uint64_t memory, count;

	fill_large(1);
	memory = stats().memory;
	ck_assert_int_eq(get(s1, 7, "q", QE_NEVER), QE_WAIT);
	tick_once();
	tick_once();
	ck_assert_uint_gt(stats().memory, memory + LARGE);
	ck_assert_int_eq(qe_purge(e, now, name("q"), &count), QE_OK);
	tick_once();
	tick_once();
	ck_assert_uint_lt(stats().memory, memory + PIECE);
	expect_nothing();
	keeps_no_more();
}
END_TEST

/* A bit of it is wrong. */
START_TEST(a_large_body_is_looked_at_when_it_is_whole)
{
	fill_large(1);
	log_set_broken(kept, BROKEN_BYTE);
	ck_assert_int_eq(get(s1, 7, "q", QE_NEVER), QE_WAIT);
	for (int i = 0; i < 11; i++) {
		ck_assert_ptr_null(qe_store_lost(e));
		tick_once();
	}
	ck_assert_ptr_nonnull(qe_store_lost(e));
	expect_nothing();
	keeps_no_more();
}
END_TEST

START_TEST(a_large_body_waits_for_the_disk_a_piece_at_a_time)
{
	fill_large(1);
	log_set_cold(kept, true);
	ck_assert_int_eq(get(s1, 7, "q", QE_NEVER), QE_WAIT);
	for (int i = 0; i < 10; i++) {
		tick_at(now = qe_next_deadline(e) > now ? qe_next_deadline(e) : now);
		ck_assert_uint_eq(log_waits(kept), 0);
	}
	log_set_cold(kept, false);
	tick_at(now = qe_next_deadline(e));
	for (int i = 0; i < 10; i++)
		tick_once();
	expect(s1, 7, QE_OK);
	ck_assert(is_numbered(got.item, 0));
	expect_nothing();
	keeps_no_more();
}
END_TEST

/* A large item that is held; how much of it is in the store alone is for the caller. */
static struct qe_tag
hold_large(void)
{
	struct qe_tag tag;

	keeps((struct qe_config){.body_memory = 1});
	ck_assert_int_eq(put_numbered("q", 1, LARGE), QE_OK);
	ck_assert_int_eq(get(s2, 1, "q", NO_WAIT), QE_OK);
	tag = tag_of(got.item);
	qe_reply_done(e, &got);
	qe_commit(e);
	return tag;
}

static void
update_numbered(struct qe_tag tag, uint32_t n, size_t len)
{
	struct qe_item *item;

	ck_assert_int_eq(numbered(n, len, &item), QE_OK);
	ck_assert_int_eq(qe_update(e, now, s2, tag, item), QE_OK);
	qe_commit(e);
}

START_TEST(a_large_body_that_leaves_may_be_updated)
{
	static const size_t lens[] = {LEN, LARGE + PIECE};

	for (int i = 0; i < 2; i++) {
		struct qe_tag tag = hold_large();

		tick_once();
		ck_assert_uint_eq(stats().absent, 0); /* some of it is summed up */
		update_numbered(tag, 2, lens[i]);
		for (int n = 0; stats().absent == 0; n++) {
			ck_assert_int_lt(n, 10);
			tick_once();
		}
		ck_assert_int_eq(get(s1, 7, "q", QE_NEVER),
				 lens[i] > PIECE ? QE_WAIT : QE_OK);
		for (int n = 0; n < 20 && lens[i] > PIECE; n++)
			tick_once();
		if (lens[i] > PIECE)
			expect(s1, 7, QE_OK);
		ck_assert(is_numbered(got.item, 2));
		qe_reply_done(e, &got);
		ck_assert_ptr_null(qe_store_lost(e));
		keeps_no_more();
	}
}
END_TEST

START_TEST(a_large_body_that_comes_back_may_be_updated)
{
	struct qe_tag tag = hold_large();

	for (int n = 0; stats().absent == 0; n++) {
		ck_assert_int_lt(n, 10);
		tick_once();
	}
	ck_assert_int_eq(qe_fetch_leased(e, s2, tag), QE_AGAIN);
	tick_once();
	tick_once();
	update_numbered(tag, 2, LEN);
	for (int n = 0; n < 20; n++)
		tick_once();
	ck_assert_ptr_null(qe_store_lost(e));
	take_numbered("q", 2);
	keeps_no_more();
}
END_TEST

static void
add_tests(TCase *tcase)
{
	tcase_add_test(tcase, what_is_beyond_leaves_and_comes_back_in_order);
	tcase_add_test(tcase, bodies_are_read_before_they_are_asked_for);
	tcase_add_loop_test(tcase, the_first_to_be_given_stay, 0, 2);
	tcase_add_test(tcase, what_is_not_written_stays);
	tcase_add_test(tcase, puts_go_on_beyond_the_memory_limit);
	tcase_add_test(tcase, who_waits_for_memory_goes_on_when_bodies_leave);
	tcase_add_test(tcase, a_get_that_waits_is_given_what_is_away);
	tcase_add_loop_test(tcase, a_get_of_many_waits_for_the_disk_alone, 0, 2);
	tcase_add_test(tcase, who_looks_is_shown_the_body);
	tcase_add_test(tcase, what_goes_to_another_queue_takes_its_body_along);
	tcase_add_loop_test(tcase, what_dies_into_a_durable_queue_is_not_read_for_that,
			    0, 2);
	tcase_add_test(tcase, what_is_updated_takes_the_new_body_along);
	tcase_add_test(tcase, what_is_away_is_carried_forward);
	tcase_add_test(tcase, what_is_moved_can_be_read_all_the_time);
	tcase_add_test(tcase, a_start_leaves_bodies_where_they_are);
	tcase_add_test(tcase, they_come_back_by_themselves);
	tcase_add_test(tcase, a_restored_engine_has_no_more_bodies_than_it_may);
	tcase_add_test(tcase, an_item_without_its_body_takes_little);
	tcase_add_loop_test(tcase, what_cannot_be_read_is_given_to_nobody, 0, 2);
	tcase_add_test(tcase, who_may_wait_waits_for_the_disk_and_nobody_else_does);
	tcase_add_test(tcase, who_may_not_wait_waits_for_the_disk_alone);
	tcase_add_test(tcase, who_waits_for_a_body_may_be_told_that_there_is_none);
	tcase_add_loop_test(tcase, a_dump_waits_for_the_disk_alone, 0, 2);
	tcase_add_test(tcase, what_does_not_come_by_itself_is_waited_for);
	tcase_add_test(tcase, a_body_on_its_way_to_somebody_stays);
	tcase_add_test(tcase, a_large_body_goes_and_comes_back_in_pieces);
	tcase_add_test(tcase, large_bodies_that_must_come_together_do_so_in_the_end);
	tcase_add_test(tcase, a_large_body_that_is_not_wanted_any_more_is_given_up);
	tcase_add_test(tcase, a_large_body_is_looked_at_when_it_is_whole);
	tcase_add_test(tcase, a_large_body_that_leaves_may_be_updated);
	tcase_add_test(tcase, a_large_body_that_comes_back_may_be_updated);
	tcase_add_test(tcase, a_large_body_waits_for_the_disk_a_piece_at_a_time);
}

int
main(void)
{
	return kit_main("bodies", add_tests);
}
