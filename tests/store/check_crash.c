/* SPDX-License-Identifier: MIT
 *
 * The end of the process, or of the power, between any two calls: what was said to be
 * kept is there. And any call fails.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "tests/store/world.h"

#define STEPS	     120
#ifdef __SANITIZE_ADDRESS__
#define POWER_LOSSES 1
#else
#define POWER_LOSSES 4
#endif

static struct world world;

/* Ends at the n-th call. false: there are not so many. */
static bool
run_until(struct world *w, unsigned seed, unsigned long n)
{
	world_init(w, seed);
	w->disk->stop_at = n;
	if (world_open(w, 0) == STORE_OPENED) {
		world_run(w, STEPS);
		if (w->status.state != STORE_FAILED && seed % 2)
			w->store->class->close(w->store);
		w->store->class->status(w->store, &w->status);
	}
	return w->disk->calls >= n;
}

/* And the start after it is cut short as well, at its n-th call; then it is not. */
static void
start_again(struct world *w, uint64_t kept, unsigned long n)
{
	enum store_result result;

	w->disk->stop_at = n;
	result = world_open(w, kept);
	if (w->disk->calls < n) /* else it could not read */
		ck_assert_msg(result == STORE_OPENED, "%s", w->report.error);
	if (result == STORE_OPENED)
		kept = w->status.synced;
	world_kill(w);
	pretend_lose_power(w->disk);
	result = world_open(w, kept);
	ck_assert_msg(result == STORE_OPENED, "%s", w->report.error);
}

START_TEST(what_is_synced_outlives_the_power)
{
	unsigned seed = (unsigned)_i + 1;
	bool more = true;

	for (unsigned long n = 1; more; n++)
		for (unsigned i = 0; i < POWER_LOSSES; i++) {
			uint64_t kept;

			more = run_until(&world, seed, n);
			kept = world.status.synced;
			world_kill(&world);
			world.disk->random += i;
			pretend_lose_power(world.disk);
			start_again(&world, kept, 1 + world_random(&world, 30));
			world_run(&world, 20);
			world_settle(&world);
			kept = world.status.synced;
			world_kill(&world);
			pretend_lose_power(world.disk);
			ck_assert_int_eq(world_open(&world, kept), STORE_OPENED);
			world_done(&world);
		}
}
END_TEST

START_TEST(what_is_written_outlives_the_process)
{
	bool more = true;

	for (unsigned long n = 1; more; n++) {
		uint64_t kept;

		more = run_until(&world, (unsigned)_i + 1, n);
		kept = world.status.written;
		world_kill(&world);
		pretend_restart(world.disk);
		ck_assert_int_eq(world_open(&world, kept), STORE_OPENED);
		world_done(&world);
	}
}
END_TEST

/* The end of a segment may have been written, and not be on disk, while the next one is
 * empty. */
START_TEST(what_follows_a_restart_outlives_the_power)
{
	bool more = true;

	for (unsigned long n = 1; more; n++)
		for (unsigned i = 0; i < POWER_LOSSES; i++) {
			uint64_t kept;

			more = run_until(&world, (unsigned)_i + 1, n);
			kept = world.status.written;
			world_kill(&world);
			pretend_restart(world.disk);
			world.disk->random += i;
			ck_assert_int_eq(world_open(&world, kept), STORE_OPENED);
			world_run(&world, 20);
			world_settle(&world);
			kept = world.status.synced;
			world_kill(&world);
			pretend_lose_power(world.disk);
			ck_assert_msg(world_open(&world, kept) == STORE_OPENED,
				      "call %lu: %s", n, world.report.error);
			world_done(&world);
		}
}
END_TEST

static const int errors[] = {EIO, ENOSPC, EMFILE};

/* Whatever it does then, what it had said stays true; also when what is read comes from
 * memory that a failed sync left behind. */
START_TEST(any_call_may_fail)
{
	bool more = true;

	for (unsigned long n = 1; more; n++) {
		uint64_t kept;

		world_init(&world, 11);
		world.disk->fail_at = n;
		world.disk->fail_errno = errors[_i];
		if (world_open(&world, 0) == STORE_OPENED) {
			world_run(&world, 2 * STEPS);
			if (world.status.state == STORE_FAILED)
				ck_assert(world.status.error[0]);
			world_settle(&world);
		}
		more = world.disk->failed;
		kept = world.status.synced;
		world_kill(&world);
		pretend_restart(world.disk);
		ck_assert_int_eq(world_open(&world, kept), STORE_OPENED);
		world_run(&world, 20);
		world_settle(&world);
		kept = world.status.synced;
		world_kill(&world);
		pretend_lose_power(world.disk);
		ck_assert_msg(world_open(&world, kept) == STORE_OPENED, "call %lu: %s",
			      n, world.report.error);
		world_done(&world);
	}
}
END_TEST

START_TEST(calls_are_interrupted_and_short)
{
	for (unsigned seed = 1; seed <= 20; seed++) {
		uint64_t kept;

		world_init(&world, seed);
		world.disk->in_pieces = true;
		ck_assert_int_eq(world_open(&world, 0), STORE_OPENED);
		world_run(&world, 300);
		world_settle(&world);
		ck_assert_int_eq(world.status.state, STORE_GOOD);
		ck_assert_uint_eq(world.status.synced, world.status.last_seq);
		kept = world.status.synced;
		world_kill(&world);
		pretend_lose_power(world.disk);
		ck_assert_int_eq(world_open(&world, kept), STORE_OPENED);
		world_done(&world);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("crash");
	TCase *tcase = tcase_create("crash");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, what_is_synced_outlives_the_power, 0, 6);
	tcase_add_loop_test(tcase, what_is_written_outlives_the_process, 0, 6);
	tcase_add_loop_test(tcase, what_follows_a_restart_outlives_the_power, 0, 6);
	tcase_add_loop_test(tcase, any_call_may_fail, 0, 3);
	tcase_add_test(tcase, calls_are_interrupted_and_short);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
