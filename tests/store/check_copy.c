/* SPDX-License-Identifier: MIT
 *
 * A copy of the journal that is made while the store goes on: at any moment it has all
 * that had been written, and is whole.
 */
#include <check.h>
#include <string.h>

#include "daemon/store/segment.h"
#include "tests/store/world.h"

static struct world w, copied;

/* The files as they are now, the last one cut where the store said. */
static void
copy_files(const struct store_copy *copy)
{
	char name[SEGMENT_NAME];

	for (uint64_t i = copy->first; i <= copy->last; i++) {
		struct pretend_file *file;

		segment_name(i, name);
		file = pretend_find(w.disk, name);
		ck_assert_ptr_nonnull(file);
		if (i == copy->last)
			ck_assert_uint_ge(file->size, copy->bytes);
		pretend_put(copied.disk, name, file->now,
			    i == copy->last ? copy->bytes : file->size);
	}
}

/* What is appended and trimmed after it was begun is not its. */
static void
copy_once(unsigned steps)
{
	struct pretend *disk = copied.disk;
	struct store_copy copy;

	w.store->class->status(w.store, &w.status);
	w.store->class->hold(w.store, &copy);
	copied = w;
	copied.disk = disk;
	copied.store = NULL;
	world_run(&w, steps);
	copy_files(&copy);
	w.store->class->release(w.store);
	ck_assert_msg(world_open(&copied, copied.status.written) == STORE_OPENED, "%s",
		      copied.report.error);
	ck_assert_str_eq(copied.report.cut, "");
	world_kill(&copied);
}

START_TEST(a_copy_has_what_had_been_written)
{
	world_init(&w, (unsigned)_i + 1);
	ck_assert_int_eq(world_open(&w, 0), STORE_OPENED);
	for (int i = 0; i < 20; i++) {
		copied.disk = pretend_new((unsigned)i + 1);
		world_run(&w, world_random(&w, 100));
		copy_once(world_random(&w, 200));
		pretend_free(copied.disk);
	}
	world_done(&w);
}
END_TEST

START_TEST(what_was_held_goes_when_it_is_released)
{
	struct store_copy copy;
	char name[SEGMENT_NAME];

	world_init(&w, 1);
	ck_assert_int_eq(world_open(&w, 0), STORE_OPENED);
	segment_name(1, name);
	w.store->class->hold(w.store, &copy);
	ck_assert_uint_eq(copy.first, 1);
	for (int i = 0; i < 50; i++)
		ck_assert(world_append(&w, 300, true));
	world_settle(&w);
	ck_assert(world_trim(&w, w.status.last_segment));
	world_settle(&w);
	ck_assert_ptr_nonnull(pretend_find(w.disk, name));
	w.store->class->release(w.store);
	world_settle(&w);
	ck_assert_ptr_null(pretend_find(w.disk, name));
	w.store->class->hold(w.store, &copy);
	ck_assert_uint_gt(copy.first, 1);
	w.store->class->release(w.store);
	world_done(&w);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("copy");
	TCase *t = tcase_create("copy");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, a_copy_has_what_had_been_written, 0, 30);
	tcase_add_test(t, what_was_held_goes_when_it_is_released);
	suite_add_tcase(suite, t);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
