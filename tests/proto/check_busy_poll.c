/* SPDX-License-Identifier: MIT
 * When to look, and when to sleep. */
#include <check.h>

#include "proto/busy_poll.h"

#define US  UINT64_C(1000)
#define MS  UINT64_C(1000000)
#define FOR (100 * US)

static struct busy_poll p;
static uint64_t now;

static void
setup(void)
{
	p = (struct busy_poll){0};
	now = 5 * MS;
}

static bool
looks(uint64_t for_ns)
{
	return busy_poll_next(&p, now, for_ns) != BUSY_POLL_SLEEP;
}

/* A wait of so long, with a look every 10 us. Returns for how long it was looked. */
static uint64_t
wait_ns(uint64_t ns)
{
	uint64_t start = now, looked = 0;

	busy_poll_start(&p, now);
	while (now - start < ns && looks(FOR)) {
		now += 10 * US;
		looked = now - start;
	}
	now = start + ns;
	busy_poll_end(&p, now, FOR, 1);
	return looked;
}

START_TEST(the_first_wait_sleeps_and_those_after_a_short_one_look)
{
	ck_assert_uint_eq(wait_ns(50 * US), 0);
	ck_assert_uint_eq(wait_ns(50 * US), 50 * US);
	ck_assert_uint_eq(wait_ns(50 * US), 50 * US);
}
END_TEST

START_TEST(what_does_not_come_soon_is_slept_for)
{
	wait_ns(50 * US);
	ck_assert_uint_eq(wait_ns(20 * MS), FOR);
	for (int i = 0; i < 10; i++)
		ck_assert_uint_eq(wait_ns(20 * MS), 0);
	wait_ns(50 * US);
	ck_assert_uint_eq(wait_ns(20 * US), 20 * US);
}
END_TEST

START_TEST(a_wait_with_the_time_to_wake_up_is_short)
{
	wait_ns(149 * US);
	ck_assert_uint_eq(wait_ns(149 * US), FOR);
	ck_assert_uint_eq(wait_ns(151 * US), FOR);
	ck_assert_uint_eq(wait_ns(151 * US), 0);
}
END_TEST

START_TEST(without_a_time_nobody_looks)
{
	for (int i = 0; i < 3; i++) {
		busy_poll_start(&p, now);
		ck_assert(!looks(0));
		busy_poll_end(&p, now += US, 0, 1);
	}
}
END_TEST

/* Another process has the processor in a look, at whose end something has come. */
static void
be_taken(uint64_t ns)
{
	while (wait_ns(50 * US) == 0)
		;
	busy_poll_start(&p, now);
	ck_assert_int_eq(busy_poll_next(&p, now, FOR), BUSY_POLL_YIELD);
	busy_poll_end(&p, now += ns, FOR, 1);
}

/* Returns how long nobody looks. */
static uint64_t
rest_ns(void)
{
	uint64_t start = now;

	while (wait_ns(50 * US) == 0)
		;
	return now - start;
}

START_TEST(where_others_want_the_processor_nobody_looks_for_a_while)
{
	be_taken(4 * MS);
	ck_assert(rest_ns() - 1 * MS < 200 * US);
}
END_TEST

START_TEST(where_nothing_has_come_meanwhile_that_shows_too)
{
	wait_ns(50 * US);
	busy_poll_start(&p, now);
	ck_assert(looks(FOR));
	now += 4 * MS;
	ck_assert(!looks(FOR));
	busy_poll_end(&p, now += 50 * US, FOR, 1);
	ck_assert(rest_ns() - 1 * MS < 200 * US);
}
END_TEST

START_TEST(a_short_time_may_be_anything)
{
	be_taken(500 * US);
	ck_assert_uint_eq(wait_ns(4 * MS), 0); /* for that wait was not short */
	ck_assert_uint_eq(wait_ns(50 * US), 0);
	ck_assert_uint_eq(wait_ns(50 * US), 50 * US);
}
END_TEST

START_TEST(who_sleeps_was_not_taken_the_processor)
{
	wait_ns(50 * US);
	ck_assert_uint_eq(wait_ns(20 * MS), FOR);
	wait_ns(50 * US);
	ck_assert_uint_eq(wait_ns(50 * US), 50 * US);
}
END_TEST

START_TEST(nor_who_works)
{
	wait_ns(50 * US);
	busy_poll_start(&p, now);
	ck_assert(looks(FOR));
	ck_assert(!looks(0)); /* there is something to do */
	ck_assert(!looks(0));
	now += 4 * MS;
	ck_assert(!looks(FOR));
	busy_poll_end(&p, now, FOR, 1);
	busy_poll_start(&p, now); /* and what has come takes long, too */
	now += 4 * MS;
	busy_poll_start(&p, now);
	busy_poll_end(&p, now += 50 * US, FOR, 1);
	ck_assert_uint_eq(wait_ns(50 * US), 50 * US);
}
END_TEST

START_TEST(where_they_want_it_again_and_again_the_while_becomes_longer)
{
	for (uint64_t ms = 1; ms <= 256; ms *= 2) {
		be_taken(4 * MS);
		ck_assert(rest_ns() - ms * MS < 200 * US);
	}
	be_taken(4 * MS);
	ck_assert(rest_ns() - 256 * MS < 200 * US);
}
END_TEST

static void
look_for(uint64_t ns)
{
	while (ns > 0)
		ns -= wait_ns(50 * US);
}

/* Where the share of the own group is large it takes long to use it up. */
START_TEST(again_is_counted_in_what_could_have_been_taken)
{
	be_taken(4 * MS);
	rest_ns();
	look_for(120 * MS);
	be_taken(4 * MS);
	ck_assert(rest_ns() - 2 * MS < 200 * US);
	now += 3600 * 1000 * MS; /* time in which nobody looks says nothing */
	wait_ns(50 * US);
	be_taken(4 * MS);
	ck_assert(rest_ns() - 4 * MS < 200 * US);
}
END_TEST

START_TEST(who_takes_little_soon_does_not_count)
{
	for (int i = 0; i < 20; i++) {
		be_taken(4 * MS);
		rest_ns();
	}
	for (uint64_t ms = 64; ms >= 1; ms /= 4) {
		look_for(130 * MS);
		be_taken(4 * MS);
		ck_assert(rest_ns() - ms * MS < 200 * US);
	}
	look_for(18 * MS);
	be_taken(551 * US);
	ck_assert(rest_ns() - 1 * MS < 200 * US);
}
END_TEST

/* Those who asked have had the processor for it. */
START_TEST(where_many_asked_more_of_the_time_was_theirs)
{
	uint64_t taken[] = {1299 * US, 1301 * US};

	for (int i = 0; i < 2; i++) {
		wait_ns(50 * US);
		busy_poll_start(&p, now);
		ck_assert(looks(FOR));
		busy_poll_end(&p, now += taken[i], 2 * MS, 16);
		ck_assert_int_eq(p.rest_until_ns > now, i);
	}
}
END_TEST

START_TEST(meanwhile_who_is_answered_at_once_looks_briefly)
{
	be_taken(4 * MS);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(wait_ns(10 * US), 0);
	busy_poll_start(&p, now);
	ck_assert_int_eq(busy_poll_next(&p, now, FOR), BUSY_POLL_LOOK);
	busy_poll_end(&p, now += 10 * US, FOR, 1);
	ck_assert_uint_eq(wait_ns(29 * US), 20 * US);
	ck_assert_uint_eq(wait_ns(10 * US), 10 * US);
	ck_assert_uint_eq(wait_ns(31 * US), 20 * US);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(wait_ns(10 * US), 0);
	ck_assert_uint_eq(wait_ns(10 * US), 10 * US);
	busy_poll_start(&p, now);
	ck_assert_int_eq(busy_poll_next(&p, now, 10 * US), BUSY_POLL_LOOK);
	ck_assert_int_eq(busy_poll_next(&p, now += 10 * US, 10 * US), BUSY_POLL_SLEEP);
}
END_TEST

START_TEST(that_is_not_for_who_waits_longer_every_other_time)
{
	be_taken(4 * MS);
	for (int i = 0; i < 10; i++) {
		ck_assert_uint_eq(wait_ns(10 * US), 0);
		ck_assert_uint_eq(wait_ns(60 * US), 0);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("busy_poll");
	TCase *t = tcase_create("busy_poll");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, the_first_wait_sleeps_and_those_after_a_short_one_look);
	tcase_add_test(t, what_does_not_come_soon_is_slept_for);
	tcase_add_test(t, a_wait_with_the_time_to_wake_up_is_short);
	tcase_add_test(t, without_a_time_nobody_looks);
	tcase_add_test(t, where_others_want_the_processor_nobody_looks_for_a_while);
	tcase_add_test(t, where_nothing_has_come_meanwhile_that_shows_too);
	tcase_add_test(t, a_short_time_may_be_anything);
	tcase_add_test(t, who_sleeps_was_not_taken_the_processor);
	tcase_add_test(t, nor_who_works);
	tcase_add_test(t, where_they_want_it_again_and_again_the_while_becomes_longer);
	tcase_add_test(t, again_is_counted_in_what_could_have_been_taken);
	tcase_add_test(t, who_takes_little_soon_does_not_count);
	tcase_add_test(t, where_many_asked_more_of_the_time_was_theirs);
	tcase_add_test(t, meanwhile_who_is_answered_at_once_looks_briefly);
	tcase_add_test(t, that_is_not_for_who_waits_longer_every_other_time);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed > 0;
}
