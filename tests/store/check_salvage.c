/* SPDX-License-Identifier: MIT
 *
 * What is left of a damaged journal: all but what is not whole, in its order, in a new journal;
 * and the old one is as it was.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/salvage.h"
#include "daemon/store/segment.h"
#include "tests/store/world.h"

#define RECORDS 40

static struct world w;
static struct pretend *to;
static struct salvage_report report;
static char said[4096];

/* Which records are there again. */
static bool found[RECORDS];
static unsigned n_found;

static void
say(void *arg, const char *text)
{
	strncat(said, text, sizeof(said) - strlen(said) - 2);
	strcat(said, "\n");
}

static void
append(unsigned n)
{
	unsigned char payload[600];

	memset(payload, (int)(n + 1), sizeof(payload));
	payload[0] = 8;
	payload[1] = (unsigned char)n;
	struct iovec part = {payload, 50 + (n * 37) % 500};
	ck_assert(w.store->class->append(w.store, &part, 1, n % 3 == 0,
					 &w.records[n].place));
	w.records[n].len = part.iov_len;
}

/* Some segments; `closed`: in order. */
static void
make(bool closed)
{
	world_init(&w, 5);
	ck_assert_int_eq(world_open(&w, 0), STORE_OPENED);
	for (unsigned i = 0; i < RECORDS; i++) {
		append(i);
		world_settle(&w);
	}
	ck_assert_uint_gt(w.status.last_segment, 2);
	if (closed)
		ck_assert(w.store->class->close(w.store));
	world_kill(&w);
	pretend_restart(w.disk);
}

static enum store_result
take(void *arg, const void *payload, size_t len, const struct store_place *place,
     char *err, size_t errlen)
{
	const unsigned char *bytes = payload;
	unsigned n = bytes[1], last = n;

	ck_assert_uint_ge(len, 50);
	ck_assert_uint_lt(n, RECORDS);
	ck_assert_uint_eq(len, w.records[n].len);
	for (size_t i = 2; i < len; i++)
		ck_assert_uint_eq(bytes[i], n + 1);
	while (++last < RECORDS)
		ck_assert(!found[last]); /* in their order */
	ck_assert(!found[n]);
	found[n] = true;
	n_found++;
	return STORE_OPENED;
}

static void
read_new(void)
{
	struct store_files_options options = {.dir = "new",
					      .disk = &to->disk,
					      .segment_bytes = WORLD_SEGMENT,
					      .on_record = take};
	struct store_files_report opened;
	struct store *store;

	pretend_restart(to);
	memset(found, 0, sizeof(found));
	n_found = 0;
	ck_assert_int_eq(store_files_open(&options, &store, &opened), STORE_OPENED);
	ck_assert(opened.closed);
	store->class->free(store);
}

/* All names, and what is in the files. */
static unsigned
sum(void)
{
	unsigned sum = 0;

	for (int i = 0; i < PRETEND_FILES; i++) {
		const struct pretend_name *name = &w.disk->names[i];

		if (name->name[0])
			for (size_t j = 0; j < w.disk->files[name->file].size; j++)
				sum = sum * 31 + w.disk->files[name->file].now[j];
	}
	return sum;
}

static enum store_result
salvage(void)
{
	struct salvage_options options = {
		.from = "old", .to = "new", .segment_bytes = WORLD_SEGMENT, .say = say};
	unsigned before = sum();
	enum store_result result;

	if (to)
		pretend_free(to);
	to = pretend_new(3);
	options.from_disk = &w.disk->disk;
	options.to_disk = &to->disk;
	said[0] = 0;
	result = store_salvage(&options, &report);
	if (result != STORE_OPENED)
		strcpy(said, report.error);
	ck_assert_uint_eq(sum(), before);
	ck_assert_int_eq(w.disk->open_files, 0);
	pretend_restart(w.disk);
	if (result == STORE_OPENED)
		read_new();
	return result;
}

static void
expect(unsigned n, bool lost, const char *text)
{
	ck_assert_msg(salvage() == STORE_OPENED, "%s", said);
	ck_assert_msg(n_found == n, "%u, not %u\n%s", n_found, n, said);
	ck_assert_int_eq(report.lost, lost);
	ck_assert_uint_eq(report.records, n);
	ck_assert_msg(strstr(said, text), "%s", said);
}

static void
done(void)
{
	pretend_free(to);
	to = NULL;
	world_done(&w);
}

static struct pretend_file *
segment(uint64_t number)
{
	char name[SEGMENT_NAME];

	segment_name(number, name);
	return pretend_find(w.disk, name);
}

static void
damage(const struct store_place *place)
{
	segment(place->segment)->now[place->offset + 7] ^= 4;
}

static unsigned
count_in(uint64_t number)
{
	unsigned n = 0;

	for (unsigned i = 0; i < RECORDS; i++)
		n += w.records[i].place.segment == number;
	return n;
}

START_TEST(a_whole_journal_is_copied)
{
	make(_i);
	expect(RECORDS, false, "");
	ck_assert_str_eq(said, "");
	done();
}
END_TEST

START_TEST(any_record_may_be_broken)
{
	char text[64];

	make(_i);
	for (unsigned i = 0; i < RECORDS - 1; i++) {
		damage(&w.records[i].place);
		snprintf(text, sizeof(text), "offset %lu, ",
			 w.records[i].place.offset - 24);
		expect(RECORDS - 1, true, text);
		snprintf(text, sizeof(text), ", record %lu: it is not whole",
			 w.records[i].place.seq);
		if (i + 1 == RECORDS ||
		    w.records[i + 1].place.segment == w.records[i].place.segment)
			ck_assert_msg(strstr(said, text), "%s", said);
		damage(&w.records[i].place);
	}
	done();
}
END_TEST

START_TEST(any_segment_may_be_missing)
{
	make(true);
	for (uint64_t number = 1; number < w.status.last_segment; number++) {
		unsigned n = count_in(number);
		char name[SEGMENT_NAME], text[96];
		struct pretend_file saved = {0}, *f = segment(number);

		segment_name(number, name);
		saved.size = f->size;
		saved.now = malloc(f->size);
		memcpy(saved.now, f->now, f->size);
		pretend_remove(w.disk, name);
		snprintf(text, sizeof(text), "%s, records ", name);
		expect(RECORDS - n, true, text);
		ck_assert(strstr(said, "the segment is missing"));
		pretend_put(w.disk, name, saved.now, saved.size);
		free(saved.now);
	}
	done();
}
END_TEST

START_TEST(the_last_segment_is_missing)
{
	char name[SEGMENT_NAME];

	make(false);
	segment_name(w.status.last_segment, name);
	pretend_remove(w.disk, name);
	expect(RECORDS - count_in(w.status.last_segment), true, " on: the segment is");
	done();
}
END_TEST

/* It has just been made, or a copy begins there (_i: that has nothing behind the header). */
START_TEST(a_last_segment_without_records_is_not_missing)
{
	unsigned char header[SEGMENT_HEADER];
	char name[SEGMENT_NAME];
	struct pretend_file *f;

	make(false);
	f = segment(w.status.last_segment);
	memset(f->now + SEGMENT_HEADER, 0, f->size - SEGMENT_HEADER);
	memcpy(header, f->now, sizeof(header));
	if (_i == 1) {
		segment_name(w.status.last_segment, name);
		pretend_remove(w.disk, name);
		pretend_put(w.disk, name, header, sizeof(header));
	}
	expect(RECORDS - count_in(w.status.last_segment), false, "");
	ck_assert_str_eq(said, "");
	done();
}
END_TEST

/* The file's name and the records say what it was. */
START_TEST(a_broken_header_loses_nothing)
{
	make(true);
	for (uint64_t number = 1; number <= w.status.last_segment; number++) {
		segment(number)->now[20] ^= 1;
		expect(RECORDS, false, "no record: the segment's header is not whole");
		segment(number)->now[20] ^= 1;
	}
	segment(1)->now[20] ^= 1;
	damage(&w.records[0].place);
	expect(RECORDS - 1, true, "record 1: it is not whole");
	done();
}
END_TEST

/* The next header knows of it. */
START_TEST(a_broken_end_loses_nothing)
{
	unsigned last = 0;
	struct store_place end;

	make(true);
	while (w.records[last + 1].place.segment == 1)
		last++;
	end = w.records[last].place;
	end.offset += ((w.records[last].len + 7) & ~7u) + 24 - 7;
	damage(&end);
	expect(RECORDS, false, "no record: nothing there is whole");
	done();
}
END_TEST

START_TEST(files_have_each_others_names)
{
	unsigned char first[WORLD_SEGMENT], second[WORLD_SEGMENT];
	char names[2][SEGMENT_NAME];

	make(true);
	segment_name(1, names[0]);
	segment_name(2, names[1]);
	memcpy(first, segment(1)->now, sizeof(first));
	memcpy(second, segment(2)->now, sizeof(second));
	pretend_put(w.disk, names[0], second, sizeof(second));
	pretend_put(w.disk, names[1], first, sizeof(first));
	expect(RECORDS, false, "");
	pretend_put(w.disk, names[0], first, sizeof(first));
	expect(RECORDS - count_in(2), true, "the segment is there twice");
	done();
}
END_TEST

/* --- places that cannot be read --------------------------------------------------- */

static uint64_t bad_at;
static int bad_fd;
static ssize_t (*real_pread)(struct disk *, int, void *, size_t, uint64_t);

static ssize_t
bad_pread(struct disk *d, int fd, void *ret, size_t len, uint64_t offset)
{
	if (fd == bad_fd && offset <= bad_at && bad_at < offset + len) {
		if (offset == bad_at) {
			errno = EIO;
			return -1;
		}
		len = bad_at - offset;
	}
	return real_pread(d, fd, ret, len, offset);
}

START_TEST(what_cannot_be_read_is_passed_over)
{
	make(true);
	bad_fd = w.disk->disk.open(&w.disk->disk, 0, "journal-0000000000000001.qbj");
	w.disk->disk.close(&w.disk->disk, bad_fd);
	real_pread = w.disk->disk.pread;
	bad_at = w.records[2].place.offset + 10;
	w.disk->disk.pread = bad_pread;
	ck_assert_int_eq(salvage(), STORE_OPENED);
	ck_assert(report.lost);
	ck_assert_msg(strstr(said, "it cannot be read"), "%s", said);
	/* Not more than a page: that is the rest of the segment. */
	ck_assert_uint_eq(n_found, RECORDS - count_in(1) + 2);
	done();
}
END_TEST

/* --- what is refused -------------------------------------------------------------- */

START_TEST(a_folder_with_something_in_it_is_not_written_to)
{
	struct salvage_options o = {.from = "old", .to = "new", .say = say};

	make(true);
	to = pretend_new(3);
	o.from_disk = &w.disk->disk;
	o.to_disk = &to->disk;
	pretend_put(to, "mine", "x", 1);
	ck_assert_int_eq(store_salvage(&o, &report), STORE_ERROR);
	ck_assert(strstr(report.error, "is not empty"));
	done();
}
END_TEST

START_TEST(a_folder_in_use_or_without_a_journal_is_refused)
{
	make(true);
	w.disk->locked = true;
	ck_assert_int_eq(salvage(), STORE_IN_USE);
	pretend_free(w.disk);
	w.disk = pretend_new(1);
	ck_assert_int_eq(salvage(), STORE_ERROR);
	ck_assert(strstr(report.error, "find a journal"));
	done();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("salvage");
	TCase *tcase = tcase_create("salvage");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, a_whole_journal_is_copied, 0, 2);
	tcase_add_loop_test(tcase, any_record_may_be_broken, 0, 2);
	tcase_add_test(tcase, any_segment_may_be_missing);
	tcase_add_test(tcase, the_last_segment_is_missing);
	tcase_add_loop_test(tcase, a_last_segment_without_records_is_not_missing, 0, 2);
	tcase_add_test(tcase, a_broken_header_loses_nothing);
	tcase_add_test(tcase, a_broken_end_loses_nothing);
	tcase_add_test(tcase, files_have_each_others_names);
	tcase_add_test(tcase, what_cannot_be_read_is_passed_over);
	tcase_add_test(tcase, a_folder_with_something_in_it_is_not_written_to);
	tcase_add_test(tcase, a_folder_in_use_or_without_a_journal_is_refused);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
