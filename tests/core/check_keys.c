/* SPDX-License-Identifier: MIT
 *
 * Keys of items: what a second put with the same key does, and how long a key is taken.
 */
#include "tests/core/engine_kit.h"

#include <stdio.h>
#include <string.h>

static struct qe_reply reply; /* of the last put */

/* A put with a key: its result. */
static enum qe_result
put_with(struct qe_session *s, uint64_t rid, const char *body, struct qe_key key,
	 uint64_t deadline)
{
	struct qe_item *item = new_item(body);
	enum qe_result result;

	if (!key.name.p)
		key.name = name("k");
	ck_assert_int_eq(qe_item_set_key(e, now, item, name("q"), &key), QE_OK);
	result = qe_put(e, now, s, rid, name("q"), deadline, &item, 1, false, false,
			&reply);
	return result;
}

static uint64_t
accepted(const char *body, struct qe_key key)
{
	ck_assert_int_eq(put_with(s1, 1, body, key, NO_WAIT), QE_OK);
	ck_assert(!reply.dup);
	return reply.id;
}

/* The key is taken, for this item; nothing has changed. */
static void
taken(struct qe_key key, uint64_t id)
{
	struct qe_queue_stats before = stats_of("q"), after;

	key.on_duplicate = QE_IGNORE;
	ck_assert_int_eq(put_with(s2, 1, "dup", key, NO_WAIT), QE_OK);
	ck_assert(reply.dup);
	ck_assert_uint_eq(reply.id, id);
	key.on_duplicate = QE_REJECT;
	ck_assert_int_eq(put_with(s2, 1, "dup", key, NO_WAIT), QE_DUPLICATE);
	after = stats_of("q");
	ck_assert_mem_eq(&before.counters, &after.counters, sizeof(after.counters));
	expect_nothing();
}

static void
options(int64_t maxsize, uint64_t max_bytes)
{
	struct qe_declare declare = {.has_maxsize = true,
				     .maxsize = maxsize,
				     .has_max_bytes = true,
				     .max_bytes = max_bytes,
				     .update = true};
	struct qe_queue_stats stats;
	bool created;

	ck_assert_int_eq(qe_declare(e, now, name("q"), &declare, &created, &stats),
			 QE_OK);
}

static const struct qe_key queued = {.scope = QE_QUEUED};
static const struct qe_key unfinished = {.scope = QE_UNFINISHED};

START_TEST(a_key_is_taken_while_its_item_waits)
{
	uint64_t id = accepted("a", queued);
	struct qe_tag tag;

	taken(queued, id);
	tag = take(s1, "q", "a");
	ck_assert_uint_gt(accepted("b", queued), id);
	/* What comes back has its key no more. */
	ck_assert_int_eq(qe_release(e, now, s1, tag), QE_OK);
	ck_assert_uint_eq(stats_of("q").ready, 2);
	taken(queued, id + 1);
	take(s1, "q", "a");
	take(s1, "q", "b");
	accepted("c", queued);
}
END_TEST

START_TEST(a_key_is_taken_until_its_item_is_finished)
{
	uint64_t id = accepted("a", unfinished);
	struct qe_tag tag = take(s1, "q", "a");

	taken(unfinished, id);
	qe_session_end(e, now, s1, QE_END_LOST);
	s1 = new_session(9);
	taken(unfinished, id);
	tag = take(s1, "q", "a");
	ck_assert_int_eq(qe_ack(e, now, s1, tag), QE_OK);
	accepted("b", unfinished);
}
END_TEST

START_TEST(a_window_is_open_for_its_time_whatever_becomes_of_the_item)
{
	struct qe_key window = {.scope = QE_WINDOW, .window_ns = 10};
	uint64_t id = accepted("a", window), next;

	ck_assert_int_eq(qe_ack(e, now, s1, take(s1, "q", "a")), QE_OK);
	now += 9;
	taken(window, id);
	ck_assert_uint_eq(qe_next_deadline(e), now + 1);
	now++; /* exact, also when qe_tick() was not called */
	id = accepted("b", window);
	now += 9;
	ck_assert_uint_eq(qe_tick(e, now), now + 1);
	taken(window, id);
	ck_assert_int_eq(qe_purge(e, now, name("q"), &next), QE_OK);
	taken(window, id);
	tick_at(now + 1);
	ck_assert_uint_eq(qe_next_deadline(e), QE_NEVER);
	accepted("c", window);
}
END_TEST

START_TEST(a_key_without_an_end_costs_no_timer)
{
	struct qe_key window = {.window_ns = QE_NEVER};
	uint64_t id = accepted("a", window);

	ck_assert_int_eq(qe_ack(e, now, s1, take(s1, "q", "a")), QE_OK);
	tick_at(now + 1000000);
	ck_assert_uint_eq(qe_next_deadline(e), QE_NEVER);
	taken(window, id);
	ck_assert_int_eq(qe_delete(e, now, name("q"), false), QE_OK);
	accepted("b", window);
}
END_TEST

/* However the item goes away, its key is free at once. */
START_TEST(a_key_is_free_when_its_item_is_gone)
{
	struct qe_cancelled cancelled;
	struct qe_item *item = new_item("a");
	uint64_t count;

	ck_assert_int_eq(qe_item_set_times(e, item, 0, now + 5), QE_OK);
	ck_assert_int_eq(qe_item_set_group(e, now, item, name("q"), name("g")), QE_OK);
	ck_assert_int_eq(qe_item_set_key(e, now, item, name("q"),
					 &(struct qe_key){.name = name("k"),
							  .scope = QE_QUEUED}),
			 QE_OK);
	ck_assert_int_eq(qe_put(e, now, s1, 1, name("q"), NO_WAIT, &item, 1, false,
				false, &reply),
			 QE_OK);
	for (int i = 0; i < 1000; i++) /* more than one share */
		put_ok("q", "x");
	switch (_i) {
	case 0: ck_assert_int_eq(qe_purge(e, now, name("q"), &count), QE_OK); break;
	case 1:
		ck_assert_int_eq(qe_cancel_group(e, now, name("q"), name("g"),
						 &cancelled),
				 QE_OK);
		break;
	case 2: tick_at(now + 5); break;
	case 3: ck_assert_int_eq(qe_delete(e, now, name("q"), true), QE_OK); break;
	default:
		ck_assert_int_eq(qe_shutdown(e, now, name("q"), true), QE_OK);
		ck_assert_int_eq(qe_reopen(e, now, name("q")), QE_OK);
	}
	accepted("b", queued);
	expect_nothing();
	while (qe_tick(e, now) == now)
		;
	expect_nothing();
	taken(queued, reply.id);
}
END_TEST

START_TEST(a_put_that_waits_is_asked_again_when_its_turn_comes)
{
	struct qe_key reject = {.scope = QE_QUEUED, .on_duplicate = QE_REJECT};
	uint64_t id;

	options(1, 0);
	put_ok("q", "x");
	ck_assert_int_eq(put_with(s1, 1, "a", queued, QE_NEVER), QE_WAIT);
	ck_assert_int_eq(put_with(s1, 2, "b", reject, QE_NEVER), QE_WAIT);
	ck_assert_int_eq(put_with(s1, 3, "c", queued, QE_NEVER), QE_WAIT);
	take(s2, "q", "x");
	expect(s1, 1, QE_OK);
	ck_assert(!got.dup);
	id = got.id;
	expect(s1, 2, QE_DUPLICATE);
	expect(s1, 3, QE_OK);
	ck_assert(got.dup);
	ck_assert_uint_eq(got.id, id);
	ck_assert_uint_eq(stats_of("q").putters, 0);
	/* It needs no room, and nobody is before it. */
	ck_assert_int_eq(put(s1, 4, "q", "y", QE_NEVER), QE_WAIT);
	taken(queued, id);
	ck_assert_int_eq(qe_cancel(e, now, s1, 4), QE_OK);
	expect(s1, 4, QE_CANCELLED);
}
END_TEST

START_TEST(replace_gives_the_item_that_waits_another_body)
{
	struct qe_key replace = {.scope = QE_UNFINISHED, .on_duplicate = QE_REPLACE};
	const struct qe_item *first;
	struct qe_item *item;
	struct qe_tag tag;
	uint64_t id;

	declare_order("q", (enum qe_order)_i);
	put_ok("q", "before");
	id = accepted("old", replace);
	put_ok("q", "after");
	ck_assert_int_eq(put_with(s2, 1, "a longer one", replace, NO_WAIT), QE_OK);
	ck_assert(reply.dup);
	ck_assert_uint_eq(reply.id, id);
	ck_assert_uint_eq(stats_of("q").bytes, strlen("beforea longer oneafter"));
	ck_assert_uint_eq(stats_of("q").counters.accepted, 3);
	expect_nothing();
	if (_i == QE_LIFO)
		take(s1, "q", "after");
	else
		take(s1, "q", "before");
	/* A reader of the old body keeps it. */
	ck_assert_int_eq(qe_peek(e, name("q"), &item), QE_OK);
	ck_assert_uint_eq(qe_item_id(item), id);
	ck_assert_int_eq(put_with(s2, 1, "new", replace, NO_WAIT), QE_OK);
	ck_assert_mem_eq(qe_item_body(item), "a longer one", 12);
	qe_item_unref(e, item);
	tag = take(s1, "q", "new");
	ck_assert_uint_eq(tag.id, id);
	ck_assert_int_eq(put_with(s2, 1, "too late", replace, NO_WAIT), QE_DUPLICATE);
	ck_assert_int_eq(qe_release(e, now, s1, tag), QE_OK);
	ck_assert_int_eq(put_with(s2, 1, "again", replace, NO_WAIT), QE_OK);
	ck_assert_int_eq(qe_peek(e, name("q"), &item), QE_OK);
	first = item;
	ck_assert_uint_eq(qe_item_deliveries(first), 1);
	qe_item_unref(e, item);
	take(s1, "q", "again");
}
END_TEST

START_TEST(replace_keeps_times_and_group)
{
	struct qe_item *item = new_item("old");
	struct qe_key replace = {
		.name = name("k"), .scope = QE_QUEUED, .on_duplicate = QE_REPLACE};

	ck_assert_int_eq(qe_item_set_times(e, item, now + 5, now + 9), QE_OK);
	ck_assert_int_eq(qe_item_set_group(e, now, item, name("q"), name("g")), QE_OK);
	ck_assert_int_eq(qe_item_set_key(e, now, item, name("q"), &replace), QE_OK);
	ck_assert_int_eq(qe_put(e, now, s1, 1, name("q"), NO_WAIT, &item, 1, false,
				false, &reply),
			 QE_OK);
	ck_assert_int_eq(put_with(s2, 1, "newer", replace, NO_WAIT), QE_OK);
	expect_nothing();
	ck_assert_uint_eq(stats_of("q").delayed, 1);
	tick_at(now + 5);
	ck_assert_int_eq(put_with(s2, 1, "newest", replace, NO_WAIT), QE_OK);
	expect_nothing();
	ck_assert_int_eq(qe_peek(e, name("q"), &item), QE_OK);
	ck_assert_mem_eq(qe_item_body(item), "newest", 6);
	ck_assert_uint_eq(qe_item_group(item).len, 1);
	qe_item_unref(e, item);
	tick_at(now + 4);
	ck_assert_uint_eq(stats_of("q").counters.expired, 1);
}
END_TEST

START_TEST(a_longer_body_waits_for_room)
{
	struct qe_key replace = {.scope = QE_QUEUED, .on_duplicate = QE_REPLACE};

	options(0, 6);
	put_ok("q", "xxx");
	accepted("old", replace);
	ck_assert_int_eq(put_with(s2, 1, "newer", replace, NO_WAIT), QE_FULL_BYTES);
	ck_assert_int_eq(put_with(s2, 1, "too long", replace, NO_WAIT), QE_TOO_BIG);
	ck_assert_int_eq(put_with(s2, 1, "newer", replace, QE_NEVER), QE_WAIT);
	ck_assert_int_eq(put_with(s2, 2, "ne", replace, NO_WAIT), QE_OK);
	expect_nothing();
	take(s3, "q", "xxx");
	expect(s2, 1, QE_OK);
	ck_assert(got.dup);
	take(s3, "q", "newer");
}
END_TEST

START_TEST(a_put_whose_item_is_gone_meanwhile_is_put_as_any_other)
{
	struct qe_key replace = {.scope = QE_QUEUED, .on_duplicate = QE_REPLACE};

	options(1, 6);
	accepted("old", replace);
	ck_assert_int_eq(put(s1, 1, "q", "xxx", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(put_with(s2, 1, "longer", replace, NO_WAIT), QE_OK);
	ck_assert(reply.dup);
	take(s3, "q", "longer");
	expect(s1, 1, QE_OK);
	ck_assert_int_eq(put_with(s2, 1, "other", replace, QE_NEVER), QE_WAIT);
	take(s3, "q", "xxx");
	expect(s2, 1, QE_OK);
	ck_assert(!got.dup);
	take(s3, "q", "other");
}
END_TEST

START_TEST(who_came_back_too_late_never_has_the_key_again)
{
	struct qe_tag first, second;

	accepted("a", queued);
	first = take(s1, "q", "a");
	accepted("b", queued);
	ck_assert_int_eq(qe_release(e, now, s1, first), QE_OK);
	first = take(s1, "q", "a");
	second = take(s2, "q", "b");
	ck_assert_int_eq(qe_ack(e, now, s2, second), QE_OK);
	ck_assert_int_eq(qe_release(e, now, s1, first), QE_OK);
	accepted("c", queued);
}
END_TEST

START_TEST(keys_are_those_of_their_queue)
{
	struct qe_item *item = new_item("a");
	struct qe_key key = {.name = name("k"), .scope = QE_UNFINISHED};

	accepted("a", unfinished);
	ck_assert_int_eq(qe_item_set_key(e, now, item, name("p"), &key), QE_OK);
	ck_assert_int_eq(qe_put(e, now, s1, 1, name("p"), NO_WAIT, &item, 1, false,
				false, &reply),
			 QE_OK);
	ck_assert(!reply.dup);
	accepted("b", (struct qe_key){.name = name("other"), .scope = QE_QUEUED});
	item = new_item("a");
	key.name = name("");
	ck_assert_int_eq(qe_item_set_key(e, now, item, name("q"), &key), QE_INVALID);
	key.name = name("a\tb");
	ck_assert_int_eq(qe_item_set_key(e, now, item, name("q"), &key), QE_INVALID);
	qe_item_unref(e, item);
}
END_TEST

START_TEST(windows_count_against_the_memory_limit)
{
	struct qe_key window = {.window_ns = 1000};
	char text[16];
	int n = 0;

	kit_limits((struct qe_config){.memory_limit = 200000});
	put_ok("q", "stays");
	for (;; n++) {
		snprintf(text, sizeof(text), "%d", n);
		window.name = name(text);
		if (put_with(s1, 1, "x", window, NO_WAIT) != QE_OK)
			break;
		take(s1, "q", n == 0 ? "stays" : "x");
		if (n > 0)
			ck_assert_int_eq(qe_task_done(e, now, s1, name("q")), QE_OK);
	}
	ck_assert_int_gt(n, 800);
	ck_assert_int_lt(n, 1200);
	ck_assert_int_eq(put_with(s2, 1, "y", window, QE_NEVER), QE_WAIT);
	expect_nothing();
	tick_at(now + 1000);
	expect(s2, 1, QE_OK);
}
END_TEST

static void
add(TCase *tcase)
{
	tcase_add_test(tcase, a_key_is_taken_while_its_item_waits);
	tcase_add_test(tcase, a_key_is_taken_until_its_item_is_finished);
	tcase_add_test(tcase,
		       a_window_is_open_for_its_time_whatever_becomes_of_the_item);
	tcase_add_test(tcase, a_key_without_an_end_costs_no_timer);
	tcase_add_loop_test(tcase, a_key_is_free_when_its_item_is_gone, 0, 5);
	tcase_add_test(tcase, a_put_that_waits_is_asked_again_when_its_turn_comes);
	tcase_add_loop_test(tcase, replace_gives_the_item_that_waits_another_body, 0,
			    3);
	tcase_add_test(tcase, replace_keeps_times_and_group);
	tcase_add_test(tcase, a_longer_body_waits_for_room);
	tcase_add_test(tcase, a_put_whose_item_is_gone_meanwhile_is_put_as_any_other);
	tcase_add_test(tcase, who_came_back_too_late_never_has_the_key_again);
	tcase_add_test(tcase, keys_are_those_of_their_queue);
	tcase_add_test(tcase, windows_count_against_the_memory_limit);
}

int
main(void)
{
	return kit_main("keys", add);
}
