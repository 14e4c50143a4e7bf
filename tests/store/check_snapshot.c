/* SPDX-License-Identifier: MIT
 *
 * memory.qbs is there whole, or not at all.
 */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "daemon/store/snapshot.h"
#include "tests/store/pretend.h"

#define NAME "memory.qbs"

static struct pretend *p;
static struct store_files_report report;
static char text[256];

static void
setup(void)
{
	p = pretend_new(1);
}

static void
teardown(void)
{
	ck_assert_int_eq(p->open_files, 0);
	pretend_free(p);
}

static bool
append(struct store *s, const char *word)
{
	struct iovec part = {(void *)word, strlen(word)};
	struct store_place place;

	return s->class->append(s, &part, 1, false, &place);
}

static bool
save(void)
{
	struct store *s = snapshot_new("pretended", &p->disk, &report);
	bool ok;

	if (!s)
		return false;
	ok = append(s, "one") && append(s, "two") && append(s, "three") &&
	     s->class->close(s);
	s->class->free(s);
	return ok;
}

static enum store_result
each(void *arg, const void *payload, size_t len, const struct store_place *place,
     char *err, size_t errlen)
{
	strncat(text, payload, len);
	strcat(text, " ");
	return STORE_OPENED;
}

static enum store_result
load(void)
{
	struct store_files_options options = {
		.dir = "pretended", .disk = &p->disk, .on_record = each};

	text[0] = 0;
	return snapshot_read(&options, &report);
}

START_TEST(what_was_saved_comes_back)
{
	ck_assert(save());
	pretend_lose_power(p);
	ck_assert_int_eq(load(), STORE_OPENED);
	ck_assert_str_eq(text, "one two three ");
	ck_assert_uint_eq(report.records, 3);
	ck_assert(snapshot_remove("pretended", &p->disk));
	pretend_lose_power(p);
	ck_assert_int_eq(load(), STORE_OPENED);
	ck_assert_uint_eq(report.records, 0);
	ck_assert(snapshot_remove("pretended", &p->disk));
}
END_TEST

START_TEST(it_is_whole_or_not_there)
{
	bool done = false;

	for (unsigned long n = 1; !done; n++)
		for (unsigned seed = 0; seed < 8; seed++) {
			teardown();
			p = pretend_new(seed);
			p->stop_at = n;
			done = save();
			ck_assert(done || report.error[0] || p->calls >= n);
			pretend_restart(p);
			pretend_lose_power(p);
			ck_assert_int_eq(load(), STORE_OPENED);
			ck_assert(report.records == 3 ||
				  (!done && report.records == 0));
		}
}
END_TEST

START_TEST(any_byte_may_be_wrong)
{
	struct pretend_file *f;
	unsigned char *byte;

	ck_assert(save());
	f = pretend_find(p, NAME);
	for (size_t i = 0; i < f->size; i++) {
		byte = &f->now[i];
		*byte ^= 0x20;
		if (load() == STORE_OPENED)
			ck_assert_str_eq(text, "one two three ");
		else
			ck_assert(strstr(report.error, NAME));
		*byte ^= 0x20;
	}
	for (size_t len = 0, all = f->size; len < all - 7; len++) {
		f->size = len;
		ck_assert_int_eq(load(), STORE_DAMAGED);
	}
}
END_TEST

START_TEST(a_failure_is_told)
{
	struct store *s = snapshot_new("pretended", &p->disk, &report);
	struct store_status status;

	ck_assert(append(s, "one"));
	p->fail_at = p->calls + 2;
	p->fail_errno = ENOSPC;
	ck_assert(!s->class->close(s));
	s->class->status(s, &status);
	ck_assert_int_eq(status.state, STORE_FAILED);
	ck_assert_str_eq(status.error,
			 "fdatasync memory.qbs.tmp: No space left on device");
	s->class->free(s);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("snapshot");
	TCase *tcase = tcase_create("snapshot");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, what_was_saved_comes_back);
	tcase_add_test(tcase, it_is_whole_or_not_there);
	tcase_add_test(tcase, any_byte_may_be_wrong);
	tcase_add_test(tcase, a_failure_is_told);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
