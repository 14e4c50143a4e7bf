/* SPDX-License-Identifier: MIT
 *
 * Items that die, what is kept of them, and what they no longer hold up.
 */
#include "tests/core/engine_kit.h"

#include <string.h>

#define MS UINT64_C(1000000)

static void
declare_text(struct qe_text *ret, const char *text)
{
	ret->len = (uint8_t)strlen(text);
	memcpy(ret->p, text, ret->len);
}

/* A session with this name takes the first item and is lost. */
static void
crash(const char *queue, const char *body, uint8_t id, const char *who)
{
	struct qe_session *s = new_session(id);

	ck_assert_int_eq(qe_session_set_name(e, s, name(who)), QE_OK);
	take(s, queue, body);
	qe_session_end(e, now, s, QE_END_LOST);
}

START_TEST(an_item_that_killed_max_crashes_holders_is_dead)
{
	declare_as("q", (struct qe_declare){.has_max_crashes = true, .max_crashes = 2});
	put_ok("q", "poison");
	crash("q", "poison", 10, "one");
	ck_assert_uint_eq(stats_of("q").ready, 1);
	crash("q", "poison", 11, "two");
	ck_assert_uint_eq(stats_of("q").ready, 0);
	ck_assert_uint_eq(stats_of("q").dead, 1);
	ck_assert_uint_eq(stats_of("q").counters.died, 1);
	ck_assert_uint_eq(stats_of("q").counters.crashed, 2);
}
END_TEST

START_TEST(without_limits_an_item_never_dies)
{
	put_ok("q", "a");
	for (uint8_t i = 0; i < 100; i++)
		crash("q", "a", (uint8_t)(10 + i), "worker");
	ck_assert_uint_eq(stats_of("q").dead, 0);
	take(s1, "q", "a");
}
END_TEST

START_TEST(a_lease_that_ran_out_is_an_attempt_and_a_release_is_none)
{
	declare_as("q", (struct qe_declare){.has_max_attempts = true,
					    .max_attempts = 2,
					    .has_lease_ms = true,
					    .lease_ms = 10});
	put_ok("q", "a");
	take(s1, "q", "a");
	tick_at(now + 10 * MS);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(qe_release(e, now, s1, take(s1, "q", "a")), QE_OK);
	take(s1, "q", "a");
	ck_assert_uint_eq(stats_of("q").dead, 0);
	tick_at(now + 10 * MS);
	ck_assert_uint_eq(stats_of("q").dead, 1);
}
END_TEST

START_TEST(the_last_death_wakes_join)
{
	declare_as("q", (struct qe_declare){.has_max_crashes = true, .max_crashes = 1});
	put_ok("q", "a");
	ck_assert_int_eq(join_group(s1, 1, "q", "", QE_NEVER), QE_WAIT);
	crash("q", "a", 10, "worker");
	expect(s1, 1, QE_OK);
	ck_assert_int_eq(join_group(s1, 2, "q", "", QE_NEVER), QE_OK);
}
END_TEST

START_TEST(dead_items_take_no_room)
{
	declare_as("q", (struct qe_declare){.has_max_crashes = true,
					    .max_crashes = 1,
					    .has_maxsize = true,
					    .maxsize = 1});
	put_ok("q", "a");
	crash("q", "a", 10, "worker");
	put_ok("q", "b");
	ck_assert_uint_eq(stats_of("q").bytes, 1);
}
END_TEST

START_TEST(the_oldest_dead_fall_out_beyond_max_dead)
{
	declare_as("q", (struct qe_declare){.has_max_crashes = true,
					    .max_crashes = 1,
					    .has_max_dead = true,
					    .max_dead = 2});
	for (uint8_t i = 0; i < 5; i++) {
		put_ok("q", "a");
		crash("q", "a", (uint8_t)(10 + i), "worker");
	}
	ck_assert_uint_eq(stats_of("q").dead, 2);
	ck_assert_uint_eq(stats_of("q").counters.dropped, 3);
	ck_assert_uint_eq(stats_of("q").counters.died, 5);
}
END_TEST

START_TEST(many_dead_too_many_fall_out_in_shares)
{
	struct qe_session *s = new_session(10);

	declare_as("q", (struct qe_declare){.has_max_crashes = true, .max_crashes = 1});
	for (int i = 0; i < 1000; i++)
		put_ok("q", "a");
	for (int i = 0; i < 1000; i++)
		take(s, "q", "a");
	qe_session_end(e, now, s, QE_END_LOST);
	while (qe_tick(e, now) == now)
		;
	declare_as("q", (struct qe_declare){.has_max_dead = true, .max_dead = 1});
	put_ok("q", "b");
	crash("q", "b", 11, "worker");
	ck_assert_uint_eq(stats_of("q").dead, 1000);
	ck_assert_uint_eq(qe_next_deadline(e), now);
	(void)qe_tick(e, now);
	ck_assert_uint_gt(stats_of("q").dead, 500);
	for (int i = 0; i < 10; i++)
		(void)qe_tick(e, now);
	ck_assert_uint_eq(stats_of("q").dead, 1);
	ck_assert_uint_eq(qe_next_deadline(e), QE_NEVER);
}
END_TEST

START_TEST(the_dead_fall_out_after_dead_ttl_and_not_before)
{
	declare_as("q", (struct qe_declare){.has_max_crashes = true,
					    .max_crashes = 1,
					    .has_dead_ttl_ms = true,
					    .dead_ttl_ms = 5});
	put_ok("q", "a");
	crash("q", "a", 10, "worker");
	ck_assert_uint_eq(qe_next_deadline(e), now + 5 * MS);
	tick_at(now + 5 * MS - 1);
	ck_assert_uint_eq(stats_of("q").dead, 1);
	tick_at(now + 1);
	ck_assert_uint_eq(stats_of("q").dead, 0);
	ck_assert_uint_eq(qe_next_deadline(e), QE_NEVER);
}
END_TEST

START_TEST(another_queue_takes_the_dead)
{
	struct qe_declare d = {
		.has_max_crashes = true, .max_crashes = 1, .has_dead_to = true};
	uint64_t id = put_ok("q", "a");

	declare_text(&d.dead_to, "graves");
	declare_as("q", d);
	ck_assert_int_eq(get(s2, 7, "graves", QE_NEVER), QE_WAIT);
	crash("q", "a", 10, "killer");
	ck_assert_uint_eq(stats_of("q").counters.moved_out, 1);
	ck_assert_uint_eq(stats_of("q").dead, 0);
	expect(s2, 7, QE_OK);
	ck_assert_uint_gt(qe_item_id(got.item), id);
	ck_assert_uint_eq(qe_item_crashes(got.item), 0);
	ck_assert_uint_eq(qe_item_deliveries(got.item), 1);
	ck_assert_int_eq(qe_item_death(got.item), QE_DEATH_CRASHES);
	ck_assert_uint_eq(qe_item_worker(got.item).len, strlen("killer"));
	ck_assert_uint_eq(stats_of("graves").counters.accepted, 1);
}
END_TEST

START_TEST(a_queue_that_is_its_own_heir_keeps_its_dead)
{
	struct qe_declare d = {
		.has_max_crashes = true, .max_crashes = 1, .has_dead_to = true};

	declare_text(&d.dead_to, "q");
	declare_as("q", d);
	put_ok("q", "a");
	crash("q", "a", 10, "worker");
	ck_assert_uint_eq(stats_of("q").dead, 1);
}
END_TEST

START_TEST(no_queue_takes_what_was_cancelled)
{
	struct qe_declare d = {.has_dead_to = true};
	struct qe_cancelled cancelled;
	struct qe_tag tag;

	declare_text(&d.dead_to, "graves");
	declare_as("q", d);
	put_grouped("q", "g", "a");
	tag = take(s1, "q", "a");
	ck_assert_int_eq(qe_cancel_group(e, now, name("q"), name("g"), &cancelled),
			 QE_OK);
	ck_assert_int_eq(qe_bury(e, now, s1, tag, name("")), QE_OK);
	ck_assert_int_eq(get(s1, 1, "graves", NO_WAIT), QE_EMPTY);
	ck_assert_uint_eq(stats_of("q").dead, 1);
}
END_TEST

START_TEST(an_expired_item_that_is_kept_is_dead)
{
	put_mortal("q", new_item("a"), now + 10);
	put_timed("q", "b", 0, now + 10);
	tick_at(now + 10);
	ck_assert_uint_eq(stats_of("q").dead, 1);
	ck_assert_uint_eq(stats_of("q").counters.expired, 1);
}
END_TEST

static void
put_kept(const char *queue, const char *group)
{
	struct qe_item *item = new_item("a");

	ck_assert_int_eq(qe_item_set_group(e, now, item, name(queue), name(group)),
			 QE_OK);
	put_mortal(queue, item, now + 10);
}

START_TEST(what_nobody_needs_is_dropped_also_if_it_was_to_be_kept)
{
	struct qe_cancelled cancelled;
	struct qe_tag tags[2];

	put_kept("q", "g");
	put_kept("p", "g");
	tags[0] = take(s1, "q", "a");
	tags[1] = take(s1, "p", "a");
	ck_assert_int_eq(qe_cancel_group(e, now, name("q"), name("g"), &cancelled),
			 QE_OK);
	ck_assert_int_eq(qe_shutdown(e, now, name("p"), true), QE_OK);
	tick_at(now + 10);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(qe_release(e, now, s1, tags[i]), QE_OK);
	ck_assert_uint_eq(stats_of("q").dead + stats_of("p").dead, 0);
	ck_assert_uint_eq(stats_of("q").counters.dropped, 1);
	ck_assert_uint_eq(stats_of("p").counters.dropped, 1);
}
END_TEST

START_TEST(a_queue_with_dead_items_is_not_deleted_without_force)
{
	declare_as("q", (struct qe_declare){.has_max_crashes = true, .max_crashes = 1});
	put_ok("q", "a");
	crash("q", "a", 10, "worker");
	ck_assert_int_eq(qe_delete(e, now, name("q"), false), QE_NOT_EMPTY);
	ck_assert_int_eq(qe_delete(e, now, name("q"), true), QE_OK);
}
END_TEST

static void
add(TCase *tcase)
{
	tcase_add_test(tcase, an_item_that_killed_max_crashes_holders_is_dead);
	tcase_add_test(tcase, without_limits_an_item_never_dies);
	tcase_add_test(tcase, a_lease_that_ran_out_is_an_attempt_and_a_release_is_none);
	tcase_add_test(tcase, the_last_death_wakes_join);
	tcase_add_test(tcase, dead_items_take_no_room);
	tcase_add_test(tcase, the_oldest_dead_fall_out_beyond_max_dead);
	tcase_add_test(tcase, many_dead_too_many_fall_out_in_shares);
	tcase_add_test(tcase, the_dead_fall_out_after_dead_ttl_and_not_before);
	tcase_add_test(tcase, another_queue_takes_the_dead);
	tcase_add_test(tcase, a_queue_that_is_its_own_heir_keeps_its_dead);
	tcase_add_test(tcase, no_queue_takes_what_was_cancelled);
	tcase_add_test(tcase, an_expired_item_that_is_kept_is_dead);
	tcase_add_test(tcase, what_nobody_needs_is_dropped_also_if_it_was_to_be_kept);
	tcase_add_test(tcase, a_queue_with_dead_items_is_not_deleted_without_force);
}

int
main(void)
{
	return kit_main("dead", add);
}
