/* SPDX-License-Identifier: MIT
 *
 * Writes for which there is no room although their segment has its size, as where what is written takes
 * other room than what is there: nothing is lost, nothing is confirmed too early, and it goes on when
 * there is room.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/files_int.h"
#include "tests/store/world.h"

static struct world w;

static void
setup(void)
{
	world_begin(&w);
}

static void
teardown(void)
{
	world_done(&w);
}

static enum store_state
state(void)
{
	w.store->class->status(w.store, &w.status);
	return w.status.state;
}

/* The keeper looks again a second later. */
static void
keep_later(void)
{
	for (int i = 0; i < 2 * SPARES; i++)
		store_step_keep(w.store, w.now_ns += LOW_RETRY_NS);
}

static unsigned
spares(void)
{
	unsigned n = 0;
	char name[SEGMENT_NAME];

	for (unsigned i = 0; i < 1000; i++) {
		segment_spare_name(i, name);
		n += pretend_find(w.disk, name) != NULL;
	}
	return n;
}

static void
lose_power_and_look(void)
{
	uint64_t synced;

	(void)state();
	synced = w.status.synced;
	world_kill(&w);
	pretend_lose_power(w.disk);
	w.disk->room = 0;
	ck_assert_msg(world_open(&w, synced) == STORE_OPENED, "%s", w.report.error);
}

/* From now on what is written takes room, and there is none but that of the spares. */
static void
fill_disk(void)
{
	w.disk->copies = true;
	w.disk->room = (1 + SPARES) * WORLD_SEGMENT;
	ck_assert_uint_eq(spares(), SPARES);
}

START_TEST(the_room_of_a_spare_does)
{
	fill_disk();
	ck_assert(world_append(&w, 500, true));
	world_flush(&w);
	ck_assert(store_step_commit(w.store));
	ck_assert_int_eq(state(), STORE_LOW);
	ck_assert_uint_eq(w.status.synced, 1);
	ck_assert_uint_eq(spares(), SPARES - 1);
	w.disk->room = 0;
	keep_later();
	ck_assert_int_eq(state(), STORE_GOOD);
	ck_assert_uint_eq(spares(), SPARES);
	lose_power_and_look();
	ck_assert_uint_eq(w.n, 1);
}
END_TEST

/* Nothing more can be written until something else is removed. */
static void
be_stuck(void)
{
	fill_disk();
	w.disk->room = 1;
	ck_assert(world_append(&w, 500, true));
	world_flush(&w);
	ck_assert(!store_step_commit(w.store));
	ck_assert_int_eq(state(), STORE_LOW);
	ck_assert_uint_eq(spares(), 1);
}

START_TEST(what_has_no_room_waits_and_is_written_in_order)
{
	be_stuck();
	ck_assert_str_eq(w.status.error,
			 "no room to write pretended/journal-0000000000000001.qbj, "
			 "offset 64: No space left on device");
	ck_assert(world_append(&w, 30, false));
	world_flush(&w); /* not before the other one */
	ck_assert(!store_step_commit(w.store));
	keep_later();
	ck_assert_int_eq(state(), STORE_LOW);
	ck_assert_uint_eq(w.status.written, 0);
	w.disk->room = 0;
	ck_assert(store_step_commit(w.store));
	(void)state();
	ck_assert_uint_eq(w.status.written, 2);
	ck_assert_uint_eq(w.status.synced, 2);
	keep_later();
	ck_assert_int_eq(state(), STORE_GOOD);
	lose_power_and_look();
	ck_assert_uint_eq(w.n, 2);
}
END_TEST

START_TEST(what_is_written_at_once_has_no_room_either)
{
	fill_disk();
	w.disk->room = 1;
	ck_assert(world_append(&w, 30, false));
	world_flush(&w);
	(void)state();
	ck_assert_uint_eq(w.status.written, 0);
	w.disk->room = 0;
	ck_assert(store_step_commit(w.store));
	(void)state();
	ck_assert_uint_eq(w.status.written, 1);
}
END_TEST

START_TEST(what_has_no_room_is_not_there_after_the_power_is_lost)
{
	be_stuck();
	lose_power_and_look();
	ck_assert_uint_eq(w.n, 0);
}
END_TEST

/* Whoever stops does not wait for room. */
START_TEST(a_stop_without_room_fails)
{
	be_stuck();
	ck_assert(!w.store->class->close(w.store));
	ck_assert_int_eq(state(), STORE_FAILED);
	ck_assert_str_eq(w.status.error,
			 "write pretended/journal-0000000000000001.qbj, offset 64: No "
			 "space left on device");
	ck_assert_uint_eq(spares(), 0);
}
END_TEST

static void
append_meanwhile(void *arg)
{
	w.disk->meanwhile = NULL;
	ck_assert(world_append(&w, 40, true));
	world_flush(&w);
}

START_TEST(what_came_while_there_was_no_room_is_written_behind_it)
{
	fill_disk();
	w.disk->room = 1;
	ck_assert(world_append(&w, 500, true));
	world_flush(&w);
	w.disk->meanwhile = append_meanwhile;
	ck_assert(!store_step_commit(w.store));
	w.disk->room = 0;
	ck_assert(store_step_commit(w.store));
	(void)state();
	ck_assert_uint_eq(w.status.synced, 2);
	lose_power_and_look();
	ck_assert_uint_eq(w.n, 2);
}
END_TEST

/* The loop would wait for a spare that is ready when something has been synced. */
START_TEST(nobody_waits_for_a_spare_behind_what_has_no_room)
{
	be_stuck();
	for (unsigned i = 0; i < 2 * WORLD_SEGMENT / 400; i++)
		if (!world_append(&w, 300, true))
			break;
	ck_assert(!world_append(&w, 300, true));
	world_flush(&w);
	w.disk->room = 0;
	world_settle(&w);
	ck_assert_uint_eq(w.status.synced, w.status.last_seq);
	lose_power_and_look();
}
END_TEST

/* When a sync fails something may be lost; and what is moved has to be read. */
static bool
is_final(void)
{
	static const char *const final[] = {"p_sync", "p_sync_folder", "p_open",
					    "p_pread"};

	for (size_t i = 0; i < sizeof(final) / sizeof(*final); i++)
		if (strcmp(w.disk->failed_in, final[i]) == 0)
			return true;
	return false;
}

START_TEST(any_call_may_find_no_room)
{
	bool more = true;

	world_done(&w);
	for (unsigned long n = 1; more; n++) {
		world_init(&w, (unsigned)_i + 1);
		ck_assert_int_eq(world_open(&w, 0), STORE_OPENED);
		w.disk->fail_at = w.disk->calls + n;
		w.disk->fail_errno = n % 2 ? ENOSPC : EDQUOT;
		world_run(&w, 400);
		world_settle(&w);
		if (w.disk->failed && is_final()) {
			lose_power_and_look();
		} else {
			ck_assert_msg(state() != STORE_FAILED, "%lu: %s", n,
				      w.status.error);
			world_settle(&w);
			ck_assert_uint_eq(w.status.synced, w.status.last_seq);
			keep_later();
			ck_assert_int_eq(state(), STORE_GOOD);
		}
		more = w.disk->failed;
		lose_power_and_look();
		world_done(&w);
	}
	world_init(&w, 1);
}
END_TEST

/* It fills up, and there is room again, while writes are short and the power is lost. */
START_TEST(nothing_confirmed_is_lost_however_often_there_is_no_room)
{
	unsigned low = 0;

	for (unsigned seed = 1; seed <= 150; seed++) {
		world_done(&w);
		world_init(&w, seed);
		ck_assert_int_eq(world_open(&w, 0), STORE_OPENED);
		w.disk->copies = true;
		w.disk->in_pieces = seed % 2;
		for (int i = 0; i < 6; i++) {
			w.disk->room =
				i % 2 ? 0 : 1 + world_random(&w, 8 * WORLD_SEGMENT);
			world_run(&w, 60);
			low += state() == STORE_LOW;
			if (i == 3)
				lose_power_and_look();
		}
		w.disk->room = 0;
		world_settle(&w);
		ck_assert_uint_eq(w.status.synced, w.status.last_seq);
		keep_later();
		ck_assert_int_eq(state(), STORE_GOOD);
		lose_power_and_look();
	}
	ck_assert_uint_gt(low, 100);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("room");
	TCase *tcase = tcase_create("room");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, the_room_of_a_spare_does);
	tcase_add_test(tcase, what_has_no_room_waits_and_is_written_in_order);
	tcase_add_test(tcase, what_is_written_at_once_has_no_room_either);
	tcase_add_test(tcase, what_has_no_room_is_not_there_after_the_power_is_lost);
	tcase_add_test(tcase, a_stop_without_room_fails);
	tcase_add_test(tcase, what_came_while_there_was_no_room_is_written_behind_it);
	tcase_add_test(tcase, nobody_waits_for_a_spare_behind_what_has_no_room);
	tcase_add_loop_test(tcase, any_call_may_find_no_room, 0, 2);
	tcase_add_test(tcase, nothing_confirmed_is_lost_however_often_there_is_no_room);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
