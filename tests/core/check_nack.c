/* SPDX-License-Identifier: MIT
 *
 * What holders do with items that they do not finish: nack, bury, update; and when the item is
 * tried again.
 */
#include "tests/core/engine_kit.h"

#include <string.h>

#define MS     UINT64_C(1000000)
#define SECOND (1000 * MS)

static void
set_retry(const char *queue, uint64_t delay_ms, uint64_t factor, uint64_t max_ms)
{
	struct qe_declare declare = {.has_retry_delay_ms = true,
				     .retry_delay_ms = delay_ms,
				     .has_retry_factor = true,
				     .retry_factor = factor,
				     .has_retry_max_ms = true,
				     .retry_max_ms = max_ms,
				     .update = true};
	struct qe_queue_stats stats;
	bool created;

	ck_assert_int_eq(qe_declare(e, now, name(queue), &declare, &created, &stats),
			 QE_OK);
}

static void
set_limits(const char *queue, struct qe_declare declare)
{
	struct qe_queue_stats stats;
	bool created;

	declare.update = true;
	ck_assert_int_eq(qe_declare(e, now, name(queue), &declare, &created, &stats),
			 QE_OK);
}

static enum qe_result
nack(struct qe_session *s, struct qe_tag tag, struct qe_nack args)
{
	return qe_nack(e, now, s, tag, &args);
}

static void
nack_ok(struct qe_session *s, struct qe_tag tag)
{
	ck_assert_int_eq(nack(s, tag, (struct qe_nack){0}), QE_OK);
}

static enum qe_result
update(struct qe_session *s, struct qe_tag tag, const char *body)
{
	return qe_update(e, now, s, tag, new_item(body));
}

/* How long nobody is given the only item of the queue from now on; the clock is then there. */
static uint64_t
delay_of(const char *queue)
{
	uint64_t from = now;

	if (stats_of(queue).delayed == 1)
		tick_at(qe_next_deadline(e));
	ck_assert_uint_eq(stats_of(queue).ready, 1);
	return now - from;
}

static void
is(struct qe_name text, const char *expected)
{
	ck_assert_uint_eq(text.len, strlen(expected));
	if (text.len > 0)
		ck_assert_mem_eq(text.p, expected, text.len);
}

/* As take(), but the item is in `got`. */
static struct qe_tag
see(struct qe_session *s, const char *queue, const char *body)
{
	ck_assert_int_eq(get(s, 1, queue, NO_WAIT), QE_OK);
	ck_assert_uint_eq(qe_item_body_len(got.item), strlen(body));
	ck_assert_mem_eq(qe_item_body(got.item), body, strlen(body));
	return tag_of(got.item);
}

START_TEST(a_nacked_item_is_in_its_original_place_and_counted)
{
	struct qe_tag tag;

	put_ok("q", "a");
	put_ok("q", "b");
	tag = take(s1, "q", "a");
	nack_ok(s1, tag);
	ck_assert_uint_eq(stats_of("q").counters.nacked, 1);
	ck_assert_uint_eq(stats_of("q").counters.released, 0);
	ck_assert_int_eq(nack(s1, tag, (struct qe_nack){0}), QE_STALE);
	see(s2, "q", "a");
	ck_assert_uint_eq(qe_item_nacks(got.item), 1);
	ck_assert_uint_eq(qe_item_crashes(got.item), 0);
	ck_assert_uint_eq(qe_item_deliveries(got.item), 2);
}
END_TEST

START_TEST(attempts_are_counted_by_cause)
{
	struct qe_tag tag;

	put_ok("q", "a");
	nack_ok(s1, take(s1, "q", "a"));
	take(s2, "q", "a");
	qe_session_end(e, now, s2, QE_END_LOST);
	ck_assert_int_eq(get_as(s1, 1, "q", (struct qe_get){.lease_ns = SECOND}),
			 QE_OK);
	tick_at(now + SECOND);
	tag = take(s1, "q", "a");
	ck_assert_int_eq(qe_release(e, now, s1, tag), QE_OK);
	see(s1, "q", "a");
	ck_assert_uint_eq(qe_item_nacks(got.item), 1);
	ck_assert_uint_eq(qe_item_crashes(got.item), 1);
	ck_assert_uint_eq(qe_item_timeouts(got.item), 1);
	ck_assert_uint_eq(qe_item_deliveries(got.item), 5);
}
END_TEST

START_TEST(a_nack_may_say_what_went_wrong)
{
	char error[QE_MAX_ERROR + 1];
	struct qe_tag tag;

	memset(error, 'x', sizeof(error));
	ck_assert_int_eq(qe_session_set_name(e, s1, name("worker 7")), QE_OK);
	put_ok("q", "a");
	tag = take(s1, "q", "a");
	ck_assert_int_eq(nack(s1, tag,
			      (struct qe_nack){.error = {error, sizeof(error)}}),
			 QE_INVALID);
	ck_assert_int_eq(nack(s1, tag, (struct qe_nack){.error = name("disk on fire")}),
			 QE_OK);
	tag = see(s2, "q", "a");
	is(qe_item_error(got.item), "disk on fire");
	is(qe_item_worker(got.item), "worker 7");
	nack_ok(s2, tag); /* without a word: what was said last stays */
	tag = see(s2, "q", "a");
	is(qe_item_error(got.item), "disk on fire");
	ck_assert_int_eq(
		nack(s2, tag, (struct qe_nack){.error = {error, QE_MAX_ERROR}}), QE_OK);
	see(s1, "q", "a");
	ck_assert_uint_eq(qe_item_error(got.item).len, QE_MAX_ERROR);
	is(qe_item_worker(got.item), "");
}
END_TEST

START_TEST(a_nack_may_say_when_to_try_again)
{
	struct qe_nack args = {.has_delay = true, .delay_ns = 5 * SECOND};

	set_retry("q", 1000, 200, 0);
	put_ok("q", "a");
	ck_assert_int_eq(nack(s1, take(s1, "q", "a"), args), QE_OK);
	ck_assert_uint_eq(stats_of("q").delayed, 1);
	ck_assert_uint_eq(delay_of("q"), 5 * SECOND);
	args.delay_ns = 0; /* at once, whatever the queue says */
	ck_assert_int_eq(nack(s1, take(s1, "q", "a"), args), QE_OK);
	ck_assert_uint_eq(delay_of("q"), 0);
	args.delay_ns = QE_NEVER;
	ck_assert_int_eq(nack(s1, take(s1, "q", "a"), args), QE_OK);
	ck_assert_uint_eq(qe_next_deadline(e), QE_NEVER);
	ck_assert_uint_eq(stats_of("q").delayed, 1);
}
END_TEST

START_TEST(a_delayed_item_stands_again_in_its_original_place)
{
	struct qe_nack args = {.has_delay = true, .delay_ns = 5};

	put_ok("q", "a");
	put_ok("q", "b");
	ck_assert_int_eq(nack(s1, take(s1, "q", "a"), args), QE_OK);
	ck_assert_int_eq(qe_release(e, now, s1, take(s1, "q", "b")), QE_OK);
	tick_at(now + 5);
	take(s1, "q", "a");
	take(s1, "q", "b");
}
END_TEST

START_TEST(a_nack_to_the_tail_is_as_if_it_had_been_put_now)
{
	enum qe_order order = (enum qe_order)_i;
	const char *expected[] = {"b c a d", "d a c b", "b c a d"};
	struct qe_tag tag;

	declare_order("q", order);
	if (order == QE_LIFO) {
		put_ok("q", "a");
		tag = take(s1, "q", "a");
		put_ok("q", "b");
		put_ok("q", "c");
	} else {
		put_ok("q", "a");
		put_ok("q", "b");
		put_ok("q", "c");
		tag = take(s1, "q", "a");
	}
	ck_assert_int_eq(nack(s1, tag, (struct qe_nack){.tail = true}), QE_OK);
	put_ok("q", "d");
	/* It is the place that it has from now on. */
	ck_assert_int_eq(get_many(s1, 1, "q", 1, 10, 0, NO_WAIT), QE_OK);
	for (unsigned i = 0; i < got.n; i++)
		ck_assert_int_eq(qe_release(e, now, s1, tag_of(qe_reply_item(&got, i))),
				 QE_OK);
	ck_assert_int_eq(get_many(s1, 1, "q", 1, 10, 0, NO_WAIT), QE_OK);
	ck_assert_str_eq(bodies(), expected[_i]);
}
END_TEST

START_TEST(a_nack_gives_the_item_to_who_waits)
{
	struct qe_tag tag;

	put_ok("q", "a");
	tag = take(s1, "q", "a");
	ck_assert_int_eq(get(s2, 7, "q", QE_NEVER), QE_WAIT);
	nack_ok(s1, tag);
	expect(s2, 7, QE_OK);
	ck_assert_uint_eq(qe_item_nacks(got.item), 1);
}
END_TEST

START_TEST(the_queue_says_how_long_failed_items_wait)
{
	static const uint64_t seconds[] = {1, 3, 9, 20, 20};

	set_retry("q", 1000, 300, 20000);
	set_limits("q", (struct qe_declare){.has_max_attempts = true,
					    .has_max_crashes = true});
	put_ok("q", "a");
	nack_ok(s1, take(s1, "q", "a"));
	ck_assert_uint_eq(delay_of("q"), seconds[0] * SECOND);
	take(s2, "q", "a");
	qe_session_end(e, now, s2, QE_END_LOST);
	ck_assert_uint_eq(delay_of("q"), seconds[1] * SECOND);
	ck_assert_int_eq(get_as(s1, 1, "q", (struct qe_get){.lease_ns = 1}), QE_OK);
	tick_at(now + 1);
	ck_assert_uint_eq(delay_of("q"), seconds[2] * SECOND);
	for (int i = 3; i < 5; i++) {
		nack_ok(s1, take(s1, "q", "a"));
		ck_assert_uint_eq(delay_of("q"), seconds[i] * SECOND);
	}
	/* Unworked: at once. */
	ck_assert_int_eq(qe_release(e, now, s1, take(s1, "q", "a")), QE_OK);
	ck_assert_uint_eq(delay_of("q"), 0);
}
END_TEST

START_TEST(retries_neither_overflow_nor_take_long)
{
	static const struct {
		uint64_t delay_ms, factor, max_ms;
	} rows[] = {
		{UINT64_C(1) << 53, 10000, 0},
		{1, 10000, 0},
		{1, 101, 0},
		{UINT64_C(1) << 53, 100, 1},
		{1, 101, UINT64_C(1) << 53},
	};

	for (int i = 0; i < 5; i++) {
		set_limits("q", (struct qe_declare){.has_max_attempts = true});
		set_retry("q", 0, 100, 0);
		put_ok("q", "a");
		for (int k = 0; k < 66000; k++) /* the counter stops at its end */
			nack_ok(s1, take(s1, "q", "a"));
		set_retry("q", rows[i].delay_ms, rows[i].factor, rows[i].max_ms);
		nack_ok(s1, take(s1, "q", "a"));
		ck_assert_uint_eq(stats_of("q").delayed, 1);
		ck_assert_uint_eq(qe_next_deadline(e),
				  rows[i].max_ms == 1 ? now + MS : QE_NEVER);
		ck_assert_int_eq(qe_delete(e, now, name("q"), true), QE_OK);
		while (qe_tick(e, now) == now)
			;
	}
}
END_TEST

START_TEST(a_nack_too_many_is_the_end)
{
	set_limits("q",
		   (struct qe_declare){.has_max_attempts = true, .max_attempts = 2});
	put_ok("q", "a");
	ck_assert_int_eq(join_group(s3, 5, "q", "", QE_NEVER), QE_WAIT);
	nack_ok(s1, take(s1, "q", "a"));
	ck_assert_int_eq(nack(s1, take(s1, "q", "a"),
			      (struct qe_nack){.error = name("no"),
					       .has_delay = true,
					       .delay_ns = 5,
					       .tail = true}),
			 QE_OK);
	expect(s3, 5, QE_OK); /* dead items do not hold join back */
	ck_assert_uint_eq(stats_of("q").dead, 1);
	ck_assert_uint_eq(stats_of("q").counters.died, 1);
	ck_assert_uint_eq(stats_of("q").counters.nacked, 2);
}
END_TEST

START_TEST(a_release_is_no_attempt_and_kills_nothing)
{
	put_ok("q", "a");
	nack_ok(s1, take(s1, "q", "a"));
	set_limits("q",
		   (struct qe_declare){.has_max_attempts = true, .max_attempts = 1});
	ck_assert_int_eq(qe_release(e, now, s1, take(s1, "q", "a")), QE_OK);
	ck_assert_uint_eq(stats_of("q").ready, 1);
	nack_ok(s1, take(s1, "q", "a"));
	ck_assert_uint_eq(stats_of("q").dead, 1);
}
END_TEST

START_TEST(a_nacked_item_that_is_over_or_cancelled_is_gone)
{
	struct qe_nack later = {.has_delay = true, .delay_ns = 5};
	struct qe_cancelled cancelled;
	struct qe_tag tag;

	put_timed("q", "a", 0, now + 5);
	tag = take(s1, "q", "a");
	now += 5;
	ck_assert_int_eq(nack(s1, tag, later), QE_OK);
	ck_assert_uint_eq(stats_of("q").counters.expired, 1);
	put_grouped("q", "g", "b");
	tag = take(s1, "q", "b");
	ck_assert_int_eq(qe_cancel_group(e, now, name("q"), name("g"), &cancelled),
			 QE_OK);
	ck_assert_int_eq(nack(s1, tag, later), QE_OK);
	ck_assert_uint_eq(stats_of("q").counters.dropped, 1);
	put_ok("q", "c");
	tag = take(s1, "q", "c");
	ck_assert_int_eq(qe_shutdown(e, now, name("q"), true), QE_OK);
	ck_assert_int_eq(nack(s1, tag, later), QE_OK);
	ck_assert_uint_eq(stats_of("q").counters.dropped, 2);
	ck_assert_uint_eq(stats_of("q").counters.nacked, 3);
}
END_TEST

START_TEST(a_delayed_retry_expires_in_time)
{
	put_timed("q", "a", 0, now + 10);
	ck_assert_int_eq(nack(s1, take(s1, "q", "a"),
			      (struct qe_nack){.has_delay = true, .delay_ns = 20}),
			 QE_OK);
	tick_at(now + 10);
	ck_assert_uint_eq(stats_of("q").counters.expired, 1);
	ck_assert_uint_eq(stats_of("q").delayed, 0);
}
END_TEST

START_TEST(a_buried_item_is_dead_at_once)
{
	struct qe_shown shown;
	struct qe_tag tag;

	ck_assert_int_eq(qe_session_set_name(e, s1, name("undertaker")), QE_OK);
	put_ok("q", "a");
	ck_assert_int_eq(join_group(s3, 5, "q", "", QE_NEVER), QE_WAIT);
	tag = take(s1, "q", "a");
	ck_assert_int_eq(qe_bury(e, now, s1, tag, name("hopeless")), QE_OK);
	expect(s3, 5, QE_OK);
	ck_assert_int_eq(qe_bury(e, now, s1, tag, name("")), QE_STALE);
	ck_assert_uint_eq(stats_of("q").dead, 1);
	ck_assert_uint_eq(stats_of("q").counters.buried, 1);
	now += 7;
	ck_assert_int_eq(qe_show(e, now, name("q"), tag.id, &shown), QE_OK);
	ck_assert(shown.dead);
	ck_assert_uint_eq(shown.dead_ns, 7);
	ck_assert_int_eq(qe_item_death(shown.item), QE_DEATH_BURIED);
	is(qe_item_error(shown.item), "hopeless");
	is(qe_item_worker(shown.item), "undertaker");
	qe_item_unref(e, shown.item);
}
END_TEST

START_TEST(an_update_changes_the_body_and_nothing_else)
{
	uint64_t id;
	struct qe_tag tag;
	struct qe_item *fresh;

	put_priority("q", "z", -5);
	id = put_priority("q", "a", 3);
	put_ok("q", "b");
	take(s2, "q", "z");
	tag = take(s1, "q", "a");
	nack_ok(s1, tag);
	tag = take(s1, "q", "a");
	ck_assert_int_eq(get(s2, 9, "q", NO_WAIT), QE_OK); /* b */
	ck_assert_int_eq(qe_release(e, now, s2, tag_of(got.item)), QE_OK);
	fresh = new_item("a much longer body");
	qe_item_set_ctype(fresh, 9);
	qe_item_set_priority(fresh, -100);
	ck_assert_int_eq(qe_update(e, now, s1, tag, fresh), QE_OK);
	ck_assert_int_eq(update(s1, tag, "again"), QE_STALE);
	ck_assert_uint_eq(stats_of("q").bytes, 19);
	tag = see(s3, "q", "a much longer body");
	ck_assert_uint_eq(tag.id, id);
	ck_assert_uint_eq(tag.delivery, 3);
	ck_assert_uint_eq(qe_item_ctype(got.item), 9);
	ck_assert_int_eq(qe_item_priority(got.item), 3);
	ck_assert_uint_eq(qe_item_nacks(got.item), 1);
	ck_assert_uint_eq(stats_of("q").counters.accepted, 3);
	ck_assert_int_eq(qe_ack(e, now, s3, tag), QE_OK);
}
END_TEST

START_TEST(one_item_is_a_value_that_survives_its_holders)
{
	char body[2] = "0";

	put_ok("value", body);
	for (int i = 0; i < 9; i++) {
		struct qe_tag tag = take(s1, "value", body);

		ck_assert_int_eq(get(s2, (uint64_t)i + 1, "value", QE_NEVER), QE_WAIT);
		body[0]++;
		ck_assert_int_eq(update(s1, tag, body), QE_OK);
		expect(s2, (uint64_t)i + 1, QE_OK);
		ck_assert_mem_eq(qe_item_body(got.item), body, 1);
		ck_assert_int_eq(qe_release(e, now, s2, tag_of(got.item)), QE_OK);
		expect_nothing();
	}
	ck_assert_uint_eq(stats_of("value").counters.accepted, 1);
	ck_assert_uint_eq(stats_of("value").ready, 1);
}
END_TEST

/* Here, or in another queue. */
START_TEST(an_update_of_an_item_whose_end_has_come_is_what_is_dead)
{
	struct qe_tag tag;
	uint64_t count;

	if (_i == 1)
		set_limits("q", (struct qe_declare){.has_dead_to = true,
						    .dead_to = {.len = 1, .p = "g"}});
	put_mortal("q", new_item("a"), now + 10);
	tag = take(s1, "q", "a");
	tick_at(now + 10);
	ck_assert_int_eq(update(s1, tag, "longer"), QE_OK);
	ck_assert_uint_eq(stats_of("q").dead, 1 - _i);
	ck_assert_int_eq(qe_kick(e, now, name("q"), 0, 1, &count), QE_OK);
	take(s1, _i == 1 ? "g" : "q", "longer");
}
END_TEST

START_TEST(an_update_keeps_times_group_and_references)
{
	struct qe_item *seen;
	struct qe_tag tag;

	put_timed("q", "a", 0, now + 100);
	ck_assert_int_eq(get_as(s1, 1, "q", (struct qe_get){.lease_ns = 50}), QE_OK);
	tag = tag_of(got.item);
	ck_assert_int_eq(qe_leased(e, s1, tag, &seen), QE_OK);
	ck_assert_int_eq(update(s1, tag, "b"), QE_OK);
	ck_assert_mem_eq(qe_item_body(seen), "a", 1); /* as it was sent */
	qe_item_unref(e, seen);
	see(s1, "q", "b");
	ck_assert_uint_eq(qe_item_lease_ns(got.item), 0);
	ck_assert_int_eq(qe_release(e, now, s1, tag_of(got.item)), QE_OK);
	tick_at(now + 100);
	ck_assert_uint_eq(stats_of("q").counters.expired, 1);

	put_grouped("q", "g", "c");
	ck_assert_int_eq(join_group(s3, 4, "q", "g", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(update(s1, take(s1, "q", "c"), "d"), QE_OK);
	expect_nothing();
	tag = see(s1, "q", "d");
	ck_assert_mem_eq(qe_item_group(got.item).p, "g", 1);
	ck_assert_int_eq(qe_ack(e, now, s1, tag), QE_OK);
	expect(s3, 4, QE_OK);
}
END_TEST

START_TEST(an_update_of_what_was_cancelled_drops_it)
{
	struct qe_cancelled cancelled;
	struct qe_tag tag;

	put_grouped("q", "g", "a");
	tag = take(s1, "q", "a");
	ck_assert_int_eq(join_group(s3, 4, "q", "g", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(qe_cancel_group(e, now, name("q"), name("g"), &cancelled),
			 QE_OK);
	ck_assert_int_eq(update(s1, tag, "b"), QE_OK);
	expect(s3, 4, QE_OK);
	ck_assert_uint_eq(stats_of("q").counters.dropped, 1);
}
END_TEST

START_TEST(a_larger_body_needs_room)
{
	struct qe_tag tag;

	set_limits("q", (struct qe_declare){.has_max_bytes = true, .max_bytes = 10});
	put_ok("q", "aaaa");
	tag = take(s1, "q", "aaaa");
	put_ok("q", "bbbbbbb");
	ck_assert_int_eq(update(s1, tag, "12345678901"), QE_TOO_BIG);
	ck_assert_int_eq(update(s1, tag, "12345"), QE_FULL_BYTES);
	ck_assert_uint_eq(stats_of("q").leased, 1);	  /* nothing was changed */
	ck_assert_int_eq(update(s1, tag, "1234"), QE_OK); /* as a release would be */
	ck_assert_uint_eq(stats_of("q").bytes, 11);
}
END_TEST

START_TEST(a_larger_body_needs_memory)
{
	static char large[3001];
	struct qe_tag tag;

	memset(large, 'x', sizeof(large) - 1);
	kit_limits((struct qe_config){.memory_limit = 120000});
	put_ok("q", "a");
	tag = take(s1, "q", "a");
	for (int i = 0; i < 38; i++)
		put_ok("q", large);
	ck_assert_int_eq(update(s1, tag, large), QE_FULL_MEMORY);
	ck_assert_int_eq(update(s1, tag, "b"), QE_OK);
	take(s1, "q", "b");
}
END_TEST

START_TEST(what_went_wrong_is_not_kept_above_the_memory_limit)
{
	static char text[QE_MAX_ERROR];
	struct qe_nack nack = {.error = {text, sizeof(text)}, .tail = true};
	uint64_t limit = 1000000;

	memset(text, 'x', sizeof(text));
	kit_limits((struct qe_config){.memory_limit = limit});
	for (int i = 0; i < 1000; i++)
		put_ok("q", "a");
	for (int i = 0; i < 1000; i++) {
		struct qe_tag tag = take(s1, "q", "a");

		ck_assert_int_eq(qe_nack(e, now, s1, tag, &nack), QE_OK);
		if (i == 0)
			ck_assert_uint_gt(qe_memory(e), sizeof(text));
	}
	ck_assert_uint_le(qe_memory(e), limit + limit / 8 + 1000 * qe_record_cost());
	ck_assert_int_eq(get(s1, 1, "q", NO_WAIT), QE_OK);
	ck_assert_uint_eq(qe_item_error(got.item).len, sizeof(text));
}
END_TEST

static void
add(TCase *tcase)
{
	tcase_add_test(tcase, a_nacked_item_is_in_its_original_place_and_counted);
	tcase_add_test(tcase, attempts_are_counted_by_cause);
	tcase_add_test(tcase, a_nack_may_say_what_went_wrong);
	tcase_add_test(tcase, a_nack_may_say_when_to_try_again);
	tcase_add_test(tcase, a_delayed_item_stands_again_in_its_original_place);
	tcase_add_loop_test(tcase, a_nack_to_the_tail_is_as_if_it_had_been_put_now, 0,
			    3);
	tcase_add_test(tcase, a_nack_gives_the_item_to_who_waits);
	tcase_add_test(tcase, the_queue_says_how_long_failed_items_wait);
	tcase_add_test(tcase, retries_neither_overflow_nor_take_long);
	tcase_add_test(tcase, a_nack_too_many_is_the_end);
	tcase_add_test(tcase, a_release_is_no_attempt_and_kills_nothing);
	tcase_add_test(tcase, a_nacked_item_that_is_over_or_cancelled_is_gone);
	tcase_add_test(tcase, a_delayed_retry_expires_in_time);
	tcase_add_test(tcase, a_buried_item_is_dead_at_once);
	tcase_add_test(tcase, an_update_changes_the_body_and_nothing_else);
	tcase_add_loop_test(
		tcase, an_update_of_an_item_whose_end_has_come_is_what_is_dead, 0, 2);
	tcase_add_test(tcase, one_item_is_a_value_that_survives_its_holders);
	tcase_add_test(tcase, an_update_keeps_times_group_and_references);
	tcase_add_test(tcase, an_update_of_what_was_cancelled_drops_it);
	tcase_add_test(tcase, a_larger_body_needs_room);
	tcase_add_test(tcase, a_larger_body_needs_memory);
	tcase_add_test(tcase, what_went_wrong_is_not_kept_above_the_memory_limit);
}

int
main(void)
{
	return kit_main("nack", add);
}
