/* SPDX-License-Identifier: MIT
 *
 * A journal that was changed by something else than the store: what is read is right,
 * or it is refused with a sentence that names the place. And tails of every length.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/bytes.h"
#include "daemon/store/crc32c.h"
#include "daemon/store/reader.h"
#include "daemon/store/segment.h"
#include "tests/store/world.h"

#define FILES	  8
#define MAX_BYTES (2 * WORLD_SEGMENT)

static struct world w;
static struct {
	char name[SEGMENT_NAME];
	unsigned char bytes[MAX_BYTES];
	size_t len;
} files[FILES];
static unsigned n_files;

/* Some segments, and what is in their files. */
static void
make(bool closed)
{
	world_init(&w, 5);
	ck_assert_int_eq(world_open(&w, 0), STORE_OPENED);
	for (unsigned i = 0; i < 30; i++) {
		ck_assert(world_append(&w, 20 + world_random(&w, 500), i % 3 == 0));
		world_flush(&w);
		store_step_commit(w.store);
	}
	world_settle(&w);
	if (closed)
		ck_assert(w.store->class->close(w.store));
	w.store->class->status(w.store, &w.status);
	world_kill(&w);
	n_files = (unsigned)w.status.last_segment;
	ck_assert_uint_gt(n_files, 2);
	ck_assert_uint_lt(n_files, FILES);
	for (unsigned i = 0; i < n_files; i++) {
		struct pretend_file *f;

		segment_name(i + 1, files[i].name);
		f = pretend_find(w.disk, files[i].name);
		memcpy(files[i].bytes, f->now, f->size);
		files[i].len = f->size;
	}
}

/* The files as they were: nothing else. */
static void
restore(void)
{
	struct world_record records[64];
	unsigned n = w.n;

	memcpy(records, w.records, sizeof(records));
	pretend_free(w.disk);
	w.disk = pretend_new(9);
	for (unsigned i = 0; i < n_files; i++)
		pretend_put(w.disk, files[i].name, files[i].bytes, files[i].len);
	w.n = n;
	memcpy(w.records, records, sizeof(records));
}

/* It is opened with all, or refused by name. Closes it, and gives the records back. */
static enum store_result
try(uint64_t kept)
{
	unsigned n = w.n;
	enum store_result result = world_open(&w, kept);

	if (result == STORE_OPENED)
		world_kill(&w);
	else {
		ck_assert_int_eq(result, STORE_DAMAGED);
		ck_assert(strstr(w.report.error, "journal-"));
		ck_assert(strstr(w.report.error, "offset"));
		ck_assert(strstr(w.report.error, "record"));
	}
	w.n = n;
	return result;
}

static uint64_t
newest(void)
{
	return w.records[w.n - 1].place.seq;
}

/* Of a closed journal nothing may be missing, whatever byte is wrong. */
START_TEST(any_byte_of_a_closed_journal_may_be_wrong)
{
	unsigned refused = 0;

	make(true);
	for (unsigned f = 0; f < n_files; f++)
		for (size_t i = 0; i < files[f].len; i++) {
			files[f].bytes[i] ^= (unsigned char)(1 << (i % 8));
			restore();
			refused += try(newest()) == STORE_DAMAGED;
			files[f].bytes[i] ^= (unsigned char)(1 << (i % 8));
		}
	ck_assert_uint_gt(refused,
			  7000); /* the rest is unused, or zeros behind a payload */
	world_done(&w);
}
END_TEST

/* Of one that was not, only what no later record knows of may be missing. */
START_TEST(any_byte_of_an_open_journal_may_be_wrong)
{
	make(false);
	for (unsigned f = 0; f < n_files; f++)
		for (size_t i = 0; i < files[f].len; i++) {
			files[f].bytes[i] ^= 0x10;
			restore();
			try(w.records[w.n - 4].place.seq);
			files[f].bytes[i] ^= 0x10;
		}
	world_done(&w);
}
END_TEST

/* The file ends there, or there are zeros. */
START_TEST(the_tail_is_torn_at_every_length)
{
	size_t used, last;

	make(false);
	last = n_files - 1;
	used = w.status.bytes % 8
		       ? 0
		       : w.records[w.n - 1].place.offset + w.records[w.n - 1].len;
	for (int zeros = 0; zeros < 2; zeros++)
		for (size_t len = w.records[w.n - 1].place.offset - 24; len < used;
		     len++) {
			size_t whole = files[last].len;
			unsigned char saved[MAX_BYTES];

			memcpy(saved, files[last].bytes, MAX_BYTES);
			memset(files[last].bytes + len, 0, MAX_BYTES - len);
			files[last].len = zeros ? whole : len;
			restore();
			ck_assert_int_eq(try(w.records[w.n - 2].place.seq),
					 STORE_OPENED);
			if (len > w.records[w.n - 1].place.offset && zeros)
				ck_assert(strstr(w.report.cut,
						 "was not written to its end"));
			memcpy(files[last].bytes, saved, MAX_BYTES);
			files[last].len = whole;
		}
	world_done(&w);
}
END_TEST

static void
expect(const char *what)
{
	ck_assert_int_eq(try(0), STORE_DAMAGED);
	ck_assert_msg(strstr(w.report.error, what), "%s", w.report.error);
}

START_TEST(segments_are_missing_doubled_swapped_foreign)
{
	make(true);
	for (unsigned f = 0; f < n_files; f++) {
		restore();
		pretend_remove(w.disk, files[f].name);
		expect("the segment is missing");
	}
	restore();
	pretend_put(w.disk, files[1].name, files[0].bytes, files[0].len);
	expect("it is segment 1");
	restore();
	pretend_put(w.disk, files[0].name, files[1].bytes, files[1].len);
	pretend_put(w.disk, files[1].name, files[0].bytes, files[0].len);
	expect("it is segment 2");
	restore();
	pretend_put(w.disk, files[1].name, "", 0);
	expect("too short");
	restore();
	pretend_put(w.disk, files[1].name,
		    "something that is no journal at all, but long enough to "
		    "have a header",
		    70);
	expect("it is no segment");
	world_done(&w);
}
END_TEST

START_TEST(a_segment_of_another_journal_is_refused)
{
	static unsigned char other[MAX_BYTES];

	make(true);
	memcpy(other, files[1].bytes, MAX_BYTES);
	world_done(&w);
	world_init(&w, 77); /* another id */
	ck_assert_int_eq(world_open(&w, 0), STORE_OPENED);
	for (unsigned i = 0; i < 12; i++)
		ck_assert(world_append(&w, 500, true));
	world_settle(&w);
	world_kill(&w);
	pretend_put(w.disk, files[1].name, other, WORLD_SEGMENT);
	expect("of another journal");
	world_done(&w);
}
END_TEST

START_TEST(another_version_of_the_format_is_refused_by_its_number)
{
	unsigned char *header = files[0].bytes;

	make(true);
	put_le32(header + 8, SEGMENT_FORMAT - 1);
	put_le32(header + 12, crc32c(crc32c(0, header, 12), header + 16,
				     SEGMENT_HEADER - 16));
	restore();
	expect("offset 8, record 1: it has version 1 of the format, and this broker "
	       "reads version 2");
	world_done(&w);
}
END_TEST

START_TEST(files_of_others_are_left_alone)
{
	make(false);
	pretend_put(w.disk, "notes.txt", "mine", 4);
	pretend_put(w.disk, "journal-1.qbj", "mine", 4);
	pretend_put(w.disk, "spare-0.qbj", "old", 3);
	pretend_put(w.disk, "journal-0000000000000002.qbj.tmp", "old", 3);
	ck_assert_int_eq(world_open(&w, newest()), STORE_OPENED);
	ck_assert(pretend_find(w.disk, "notes.txt"));
	ck_assert(pretend_find(w.disk, "journal-1.qbj"));
	ck_assert(!pretend_find(w.disk, "journal-0000000000000002.qbj.tmp"));
	world_done(&w);
}
END_TEST

/* A payload may be full of what looks like records: the search for a real one has an
 * end. */
START_TEST(what_looks_like_records_does_not_hold_it_up)
{
	static unsigned char bytes[MAX_BYTES];
	const size_t real = MAX_BYTES - 64;
	struct record record;
	struct reader r;
	uint64_t at;

	w.disk = pretend_new(1);
	for (unsigned fakes = 10; fakes <= 310; fakes += 300) {
		memset(bytes, 0, sizeof(bytes));
		for (unsigned i = 0; i < fakes; i++) {
			record_start(bytes + (size_t)24 * i, 0, 5);
			put_le32(bytes + (size_t)24 * i + 4, 2000);
		}
		record_start(bytes + real, 1, 5);
		record_finish(bytes + real, 77, 4);
		pretend_put(w.disk, "file", bytes, sizeof(bytes));
		ck_assert(reader_open(&r, &w.disk->disk, 0, "file"));
		ck_assert_int_eq(reader_find(&r, 0, 77, 5, 0, &record, &at),
				 fakes == 10);
		ck_assert_int_eq(r.error, 0);
		reader_done(&r);
	}
	pretend_free(w.disk);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("damage");
	TCase *tcase = tcase_create("damage");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, any_byte_of_a_closed_journal_may_be_wrong);
	tcase_add_test(tcase, any_byte_of_an_open_journal_may_be_wrong);
	tcase_add_test(tcase, the_tail_is_torn_at_every_length);
	tcase_add_test(tcase, segments_are_missing_doubled_swapped_foreign);
	tcase_add_test(tcase, a_segment_of_another_journal_is_refused);
	tcase_add_test(tcase, another_version_of_the_format_is_refused_by_its_number);
	tcase_add_test(tcase, files_of_others_are_left_alone);
	tcase_add_test(tcase, what_looks_like_records_does_not_hold_it_up);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
