/* SPDX-License-Identifier: MIT
 *
 * What the store does when nothing breaks but room: segments, states, trimming,
 * reading.
 */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

static void
append_many(unsigned n, size_t len)
{
	for (unsigned i = 0; i < n; i++)
		ck_assert(world_append(&w, len, false));
	world_settle(&w);
}

static bool
is_there(uint64_t segment)
{
	char name[SEGMENT_NAME];

	segment_name(segment, name);
	return pretend_find(w.disk, name) != NULL;
}

static bool
may_have_news(void)
{
	struct pollfd fd = {.fd = store_files_fd(w.store), .events = POLLIN};

	return poll(&fd, 1, 0) == 1;
}

START_TEST(a_new_journal_is_empty_and_good)
{
	ck_assert_uint_eq(w.report.records, 0);
	ck_assert(w.report.closed);
	ck_assert_str_eq(w.report.cut, "");
	ck_assert_int_eq(w.status.state, STORE_GOOD);
	ck_assert_uint_eq(w.status.first_segment, 1);
	ck_assert_uint_eq(w.status.last_segment, 1);
	ck_assert_uint_eq(w.status.last_seq, 0);
}
END_TEST

START_TEST(records_come_back_over_many_segments)
{
	append_many(200, 300);
	ck_assert_uint_gt(w.status.last_segment, 10);
	ck_assert_uint_eq(w.status.synced, w.status.last_seq);
	world_kill(&w);
	ck_assert_int_eq(world_open(&w, w.status.synced), STORE_OPENED);
	ck_assert_uint_eq(w.n, 200);
	ck_assert(!w.report.closed);
}
END_TEST

START_TEST(a_closed_journal_says_so_and_goes_on)
{
	for (int i = 0; i < 3; i++) {
		append_many(20, 100);
		ck_assert(w.store->class->close(w.store));
		ck_assert(!world_append(&w, 20, false));
		world_kill(&w);
		pretend_lose_power(w.disk);
		ck_assert_int_eq(world_open(&w, w.status.last_seq), STORE_OPENED);
		ck_assert(w.report.closed);
		ck_assert_uint_eq(w.n, 20u * (unsigned)(i + 1));
	}
}
END_TEST

START_TEST(one_sync_is_for_all_that_wait)
{
	unsigned long before;

	for (int i = 0; i < 10; i++)
		ck_assert(world_append(&w, 20, true));
	world_flush(&w);
	before = w.disk->calls;
	ck_assert(store_step_commit(w.store));
	ck_assert_uint_eq(w.disk->calls - before, 2); /* a write and a sync */
	ck_assert(!store_step_commit(w.store));
	w.store->class->status(w.store, &w.status);
	ck_assert_uint_eq(w.status.synced, 10);
}
END_TEST

static uint64_t
written(void)
{
	w.store->class->status(w.store, &w.status);
	return w.status.written;
}

/* Without the other thread, if that has nothing to do; and behind what it has. */
START_TEST(what_need_not_be_synced_is_written_at_once)
{
	ck_assert(world_append(&w, 500, false));
	world_flush(&w);
	ck_assert_uint_eq(written(), 1);
	ck_assert(!may_have_news());
	ck_assert(!store_step_commit(w.store));

	ck_assert(world_append(&w, 20, true));
	world_flush(&w);
	ck_assert(world_append(&w, 20, false));
	world_flush(&w);
	ck_assert_uint_eq(written(), 1);
	ck_assert(store_step_commit(w.store));
	ck_assert_uint_eq(written(), 3);
	ck_assert(may_have_news());

	ck_assert(world_append(&w, 20, false));
	world_flush(&w);
	ck_assert_uint_eq(written(), 4);
	ck_assert_uint_eq(w.status.synced, 3);
	world_kill(&w);
	ck_assert_int_eq(world_open(&w, 4), STORE_OPENED);
}
END_TEST

START_TEST(the_end_of_a_segment_is_the_threads)
{
	for (unsigned i = 0; w.status.last_segment == 1; i++) {
		ck_assert(world_append(&w, 500, false));
		world_flush(&w);
		ck_assert_uint_eq(written(), w.status.last_segment == 1 ? i + 1 : i);
	}
	ck_assert(world_append(&w, 500, false));
	world_flush(&w);
	ck_assert_uint_lt(written(), w.status.last_seq);
	world_settle(&w);
	ck_assert_uint_eq(written(), w.status.last_seq);
	ck_assert_uint_eq(w.status.synced, w.status.last_seq);
}
END_TEST

START_TEST(what_nobody_waits_for_is_synced_in_time)
{
	uint64_t next;

	ck_assert(world_append(&w, 20, false));
	world_flush(&w);
	store_step_commit(w.store);
	next = store_step_keep(w.store, w.now_ns);
	ck_assert_uint_eq(next, w.now_ns + 10000000);
	w.store->class->status(w.store, &w.status);
	ck_assert_uint_eq(w.status.written, 1);
	ck_assert_uint_eq(w.status.synced, 0);
	store_step_keep(w.store, next);
	w.store->class->status(w.store, &w.status);
	ck_assert_uint_eq(w.status.synced, 1);
}
END_TEST

/* The steps come when the threads would take them. */
START_TEST(what_is_written_is_synced_in_time_whatever_else_is_done)
{
	struct store_files *s = files_of(w.store);
	uint64_t due[WORLD_RECORDS], next = 0;
	unsigned written = 0, synced = 0;

	while (w.n < WORLD_RECORDS - 10) {
		w.now_ns += 1 + world_random(&w, 2000000);
		if (w.now_ns > next && world_random(&w, 2))
			w.now_ns = next;
		for (unsigned n = world_random(&w, 5); n > 1; n--)
			ck_assert(world_append(&w, 1 + world_random(&w, 400),
					       world_random(&w, 40) == 0));
		if (world_random(&w, 100) == 0)
			world_trim(&w, w.status.last_segment);
		world_flush(&w);
		while (store_step_commit(w.store))
			;
		for (; written < w.n; written++)
			due[written] = w.now_ns + 10000000; /* world_open() */
		if (s->kick || w.now_ns >= next)
			next = store_step_keep(w.store, w.now_ns);
		s->kick = false;
		w.store->class->status(w.store, &w.status);
		for (; synced < w.n && due[synced] <= w.now_ns; synced++)
			ck_assert_uint_le(w.records[synced].place.seq, w.status.synced);
		if (next > w.now_ns + 10000000)
			next = w.now_ns + 10000000;
	}
}
END_TEST

START_TEST(news_are_told_once)
{
	ck_assert(!may_have_news());
	ck_assert(world_append(&w, 20, true));
	world_flush(&w);
	store_step_commit(w.store);
	ck_assert(may_have_news());
	w.store->class->status(w.store, &w.status);
	ck_assert(may_have_news()); /* it may have been another one who asked */
	store_files_heard(w.store);
	ck_assert(!may_have_news());
}
END_TEST

START_TEST(a_record_larger_than_a_segment_has_its_own)
{
	append_many(1, 100);
	append_many(1, 5 * WORLD_SEGMENT / 4);
	append_many(1, 100);
	ck_assert_uint_eq(w.records[1].place.segment, 2);
	world_kill(&w);
	pretend_lose_power(w.disk);
	ck_assert_int_eq(world_open(&w, w.status.synced), STORE_OPENED);
	ck_assert_uint_eq(w.n, 3);
}
END_TEST

START_TEST(what_was_trimmed_is_removed)
{
	uint64_t bytes, last;

	append_many(100, 300);
	bytes = w.status.bytes;
	last = w.status.last_segment;
	ck_assert(world_trim(&w, last - 1));
	ck_assert(is_there(1));
	world_settle(&w);
	ck_assert_uint_eq(w.status.first_segment, last - 1);
	ck_assert_uint_lt(w.status.bytes, bytes);
	ck_assert(!is_there(1) && !is_there(last - 2) && is_there(last - 1));
	ck_assert_uint_le(w.status.bytes, 2 * WORLD_SEGMENT);
	world_kill(&w);
	pretend_lose_power(w.disk);
	ck_assert_int_eq(world_open(&w, w.status.synced), STORE_OPENED);
	ck_assert_uint_eq(w.status.first_segment, last - 1);
}
END_TEST

/* The keeper syncs it at once, and then there is something to remove. */
START_TEST(nobody_waits_for_a_trim)
{
	uint64_t last;

	append_many(100, 300);
	last = w.status.last_segment;
	ck_assert(world_append(&w, 20, false));
	ck_assert(world_trim(&w, last));
	world_flush(&w);
	ck_assert(!store_step_commit(w.store));
	ck_assert_uint_eq(written(), w.status.last_seq);
	ck_assert_uint_lt(w.status.synced, w.status.last_seq);
	ck_assert(is_there(last - 1));
	store_step_keep(w.store, w.now_ns);
	w.store->class->status(w.store, &w.status);
	ck_assert_uint_eq(w.status.synced, w.status.last_seq);
	ck_assert(!is_there(last - 1));
}
END_TEST

/* Nearly all of it is on disk when it ends, for then those who write wait for that. */
START_TEST(the_end_of_a_segment_is_synced_early)
{
	uint64_t unsynced = 0;

	while (w.status.last_segment == 1) {
		ck_assert(world_append(&w, 100, false));
		world_flush(&w);
		store_step_keep(w.store, w.now_ns);
		w.store->class->status(w.store, &w.status);
		if (w.status.last_segment == 1)
			unsynced = w.status.written - w.status.synced;
	}
	ck_assert_uint_gt(unsynced, 0);
	ck_assert_uint_lt(unsynced * 100, WORLD_SEGMENT / 8);
}
END_TEST

START_TEST(what_was_written_can_be_read)
{
	unsigned char got[300], first;

	append_many(50, 300);
	for (unsigned i = 0; i < w.n; i += 7) {
		const struct store_place *at = &w.records[i].place;

		ck_assert_int_eq(w.store->class->read(w.store, at->segment, at->offset,
						      got, 300, true),
				 STORE_READ);
		ck_assert_uint_eq(got[0], 8);
		ck_assert_int_eq(w.store->class->read(w.store, at->segment,
						      at->offset + 5, &first, 1, false),
				 STORE_READ);
		ck_assert_uint_eq(first, got[5]);
	}
	ck_assert_int_eq(w.store->class->read(w.store, 1, 1 << 20, got, 300, true),
			 STORE_READ_FAILED);
	w.store->class->status(w.store, &w.status);
	ck_assert_int_eq(w.status.state, STORE_FAILED);
}
END_TEST

static uint64_t asked_from, asked_to; /* of what was said to be read soon */

static ssize_t
nothing_now(struct disk *d, int fd, void *ret, size_t len, uint64_t offset)
{
	(void)d, (void)fd, (void)ret, (void)len, (void)offset;
	errno = EAGAIN;
	return -1;
}

static void
note_ahead(struct disk *d, int fd, uint64_t offset, uint64_t len)
{
	(void)d, (void)fd;
	asked_from = offset;
	asked_to = offset + len;
}

static enum store_read
read_first(bool wait)
{
	const struct store_place *at = &w.records[0].place;
	unsigned char got[300];

	return w.store->class->read(w.store, at->segment, at->offset, got, sizeof(got),
				    wait);
}

START_TEST(who_does_not_wait_for_the_disk_has_it_asked)
{
	uint64_t offset;

	append_many(50, 300);
	offset = w.records[0].place.offset;
	w.disk->disk.pread_now = nothing_now;
	w.disk->disk.ahead = note_ahead;
	ck_assert_int_eq(read_first(false), STORE_READ_LATER);
	ck_assert(asked_from <= offset && asked_to >= offset + 300);
	ck_assert_int_eq(read_first(true), STORE_READ);
	w.store->class->status(w.store, &w.status);
	ck_assert_int_eq(w.status.state, STORE_GOOD);
	/* Where nobody knows what is in memory, it is read. */
	w.disk->disk.pread_now = w.disk->disk.pread;
	ck_assert_int_eq(read_first(false), STORE_READ);
}
END_TEST

static unsigned reads;

static ssize_t
count_now(struct disk *d, int fd, void *ret, size_t len, uint64_t offset)
{
	reads++;
	return d->pread(d, fd, ret, len, offset);
}

static void
read_all(void)
{
	w.disk->disk.pread_now = count_now;
	for (unsigned i = 0; i < w.n; i++) {
		const struct store_place *at = &w.records[i].place;
		unsigned char got[100];

		ck_assert_int_eq(w.store->class->read(w.store, at->segment, at->offset,
						      got, 100, false),
				 STORE_READ);
		ck_assert_mem_eq(got, world_payload(w.records[i].content, 100), 100);
	}
}

/* But not of the segment that is being written, where something may still come behind what was
 * read. */
START_TEST(small_bodies_that_follow_each_other_are_read_together)
{
	unsigned last = 0;

	append_many(50, 100);
	reads = 0;
	read_all();
	for (unsigned i = 0; i < w.n; i++)
		last += w.records[i].place.segment == w.status.last_segment;
	ck_assert_uint_ge(reads, last);
	ck_assert_uint_lt(reads, last + w.n / 4);
	append_many(50, 100);
	read_all();
}
END_TEST

/* The tail, two spares, and what is kept for TRIM; then no more, until there is
 * room. */
START_TEST(a_full_disk_is_told_before_it_is_full)
{
	unsigned n = 0;

	w.disk->room = 8 * WORLD_SEGMENT;
	while (n < 100 && w.status.state == STORE_GOOD) {
		append_many(1, 300);
		n++;
	}
	ck_assert_int_eq(w.status.state, STORE_LOW);
	ck_assert(strstr(w.status.error, "No space left"));
	while (world_append(&w, 300, true) && n < 200)
		n++;
	ck_assert_uint_gt(n, 60);
	ck_assert_uint_lt(n, 100);
	world_settle(&w);
	ck_assert_int_eq(w.status.state, STORE_LOW);
	ck_assert_uint_eq(w.status.synced, w.status.last_seq);

	ck_assert(world_trim(&w, 4));
	world_settle(&w);
	ck_assert_int_eq(w.status.state, STORE_GOOD);
	ck_assert_ptr_null(w.status.error);
	append_many(3, 300);
}
END_TEST

START_TEST(room_is_looked_for_again_in_time)
{
	w.disk->room = 1;
	append_many(10, 600);
	ck_assert_int_eq(w.status.state, STORE_LOW);
	w.disk->room = 0;
	ck_assert_uint_gt(store_step_keep(w.store, w.now_ns), w.now_ns);
	w.store->class->status(w.store, &w.status);
	ck_assert_int_eq(w.status.state, STORE_LOW);
	ck_assert_uint_eq(store_step_keep(w.store, w.now_ns + 1000000000), UINT64_MAX);
	w.store->class->status(w.store, &w.status);
	ck_assert_int_eq(w.status.state, STORE_GOOD);
}
END_TEST

/* Wherever the power goes, also while it starts; and there is never more room. */
START_TEST(it_starts_on_a_full_disk)
{
	for (unsigned seed = 1; seed <= 300; seed++) {
		world_done(&w);
		world_init(&w, seed);
		w.disk->room = 6 * WORLD_SEGMENT;
		ck_assert_int_eq(world_open(&w, 0), STORE_OPENED);
		while (world_append(&w, 1 + world_random(&w, 900), true))
			world_settle(&w);
		for (int i = 0; i < 6; i++) {
			world_trim(&w, w.status.first_segment + world_random(&w, 2));
			for (unsigned n = world_random(&w, 12); n > 0; n--)
				world_append(&w, 1 + world_random(&w, 300), n % 2);
			if (seed % 2)
				world_settle(&w);
			if (seed % 8 == 7) /* in order */
				w.store->class->close(w.store);
			world_kill(&w);
			if (seed % 3)
				pretend_lose_power(w.disk);
			w.disk->stop_at = w.disk->calls + 1 + world_random(&w, 40);
			if (world_open(&w, w.status.synced) != STORE_OPENED) {
				pretend_lose_power(w.disk);
				w.disk->stop_at = 0;
				ck_assert_msg(
					world_open(&w, w.status.synced) == STORE_OPENED,
					"seed %u, %d: %s", seed, i, w.report.error);
			}
			w.disk->stop_at = 0;
		}
	}
}
END_TEST

/* The file that has this name; its name is lost when it gets another one. */
static const struct pretend_file *
spare(uint64_t number)
{
	char name[SEGMENT_NAME];

	segment_spare_name(number, name);
	return pretend_find(w.disk, name);
}

static const struct pretend_file *
segment(uint64_t number)
{
	char name[SEGMENT_NAME];

	segment_name(number, name);
	return pretend_find(w.disk, name);
}

static unsigned
spares(void)
{
	unsigned n = 0;

	for (uint64_t number = 0; number < 100; number++)
		n += spare(number) != NULL;
	return n;
}

START_TEST(a_start_goes_on_in_a_spare_of_the_run_before)
{
	const struct pretend_file *first = spare(1), *second = spare(2);

	ck_assert_ptr_nonnull(first);
	ck_assert_ptr_nonnull(second);
	append_many(1, 100);
	world_kill(&w);
	ck_assert_int_eq(world_open(&w, w.status.synced), STORE_OPENED);
	ck_assert_ptr_eq(segment(2), first);
	ck_assert_ptr_null(spare(1));
	ck_assert_ptr_eq(spare(2), second); /* the next one */
	append_many(20, 600);
	ck_assert_uint_eq(spares(), SPARES);
	world_kill(&w);
	pretend_lose_power(w.disk);
	ck_assert_int_eq(world_open(&w, w.status.synced), STORE_OPENED);
}
END_TEST

START_TEST(a_start_keeps_as_many_spares_as_are_made)
{
	append_many(100, 300);
	ck_assert(world_trim(&w, w.status.last_segment));
	world_settle(&w);
	ck_assert_uint_gt(spares(), SPARES + 1);
	world_kill(&w);
	w.disk->room = 1; /* none for others */
	ck_assert_int_eq(world_open(&w, w.status.synced), STORE_OPENED);
	ck_assert_uint_eq(spares(), SPARES); /* and one has become a segment */
	w.disk->room = 0;
	append_many(20, 600);
	ck_assert_uint_eq(spares(), SPARES);
}
END_TEST

/* Goes on to the next segment, and counts the calls for the spare that is missing then. */
static unsigned long
calls_for_a_spare(bool sync)
{
	uint64_t segment = w.n > 0 ? w.records[w.n - 1].place.segment : 1;
	unsigned long before;

	do {
		ck_assert(world_append(&w, 600, sync));
		world_flush(&w);
		while (store_step_commit(w.store))
			;
	} while (w.records[w.n - 1].place.segment == segment);
	files_of(w.store)->sync_soon = false; /* its sync is not meant */
	before = w.disk->calls;
	while (store_step_keep(w.store, w.now_ns) == w.now_ns)
		;
	return w.disk->calls - before;
}

START_TEST(a_spare_is_made_zero_where_somebody_waits_for_syncs)
{
	unsigned long zeros = calls_for_a_spare(true);

	ck_assert_uint_eq(calls_for_a_spare(false), zeros); /* a moment ago somebody did */
	ck_assert_uint_eq(calls_for_a_spare(false), zeros - 2); /* no write, no sync */
	ck_assert_uint_eq(calls_for_a_spare(true), zeros);
}
END_TEST

/* Calls for one small record, without the sync. */
static unsigned long
calls_for_a_record(void)
{
	unsigned long before = w.disk->calls;

	ck_assert(world_append(&w, 100, false));
	world_flush(&w);
	return w.disk->calls - before;
}

/* The first small write to a file that has only its room is behind one of zeros. */
START_TEST(a_fresh_segment_is_cleared_ahead)
{
	struct spare *sp;

	calls_for_a_spare(true);
	while (calls_for_a_spare(false), !files_of(w.store)->current->fresh)
		ck_assert_uint_lt(w.status.last_segment, 20);
	sp = files_of(w.store)->current;
	ck_assert_uint_eq(sp->cleared, WORLD_SEGMENT);
	ck_assert_uint_eq(calls_for_a_record(), 1);
	sp->cleared = 0; /* as if no more had been */
	ck_assert_uint_eq(calls_for_a_record(), 2);
	ck_assert_uint_eq(calls_for_a_record(), 1);
	sp->fresh = false;
	sp->cleared = 0;
	ck_assert_uint_eq(calls_for_a_record(), 1);
	world_settle(&w);
	world_kill(&w);
	ck_assert_int_eq(world_open(&w, w.status.synced), STORE_OPENED);
}
END_TEST

/* What is as large as the zeros would be goes without them. */
START_TEST(large_writes_are_not_behind_zeros)
{
	static unsigned char payload[300 << 10];
	char dir[] = "/tmp/qb-check-files-XXXXXX", path[96];
	struct store_files_options options = {.segment_bytes = 2 << 20};
	struct iovec part = {payload, sizeof(payload)};
	struct store_files_report report;
	struct store_place place;
	struct store *store;
	struct spare *sp;

	options.dir = mkdtemp(dir);
	ck_assert_int_eq(store_files_open(&options, &store, &report), STORE_OPENED);
	sp = files_of(store)->current;
	sp->fresh = true;
	ck_assert(store->class->append(store, &part, 1, false, &place));
	store->class->flush(store);
	ck_assert(store_step_commit(store));
	ck_assert_uint_eq(sp->cleared, 0);
	part.iov_len = 8;
	ck_assert(store->class->append(store, &part, 1, false, &place));
	store->class->flush(store);
	ck_assert_uint_eq(sp->cleared, 512 << 10);
	store->class->free(store);
	snprintf(path, sizeof(path), "%s/journal-0000000000000001.qbj", dir);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

/* Only that what is written fails counts. */
START_TEST(zeros_that_have_no_room_are_left)
{
	while (calls_for_a_spare(false), !files_of(w.store)->current->fresh)
		ck_assert_uint_lt(w.status.last_segment, 20);
	files_of(w.store)->current->cleared = 0;
	w.disk->fail_at = w.disk->calls + 1;
	w.disk->fail_errno = ENOSPC;
	ck_assert_uint_eq(calls_for_a_record(), 2);
	ck_assert(w.disk->failed);
	ck_assert_uint_eq(written(), w.status.last_seq);
	ck_assert_int_ne(w.status.state, STORE_FAILED);
	world_settle(&w);
	world_kill(&w);
	ck_assert_int_eq(world_open(&w, w.status.synced), STORE_OPENED);
}
END_TEST

/* No new ones are made while there are such, and not all of them are kept. */
START_TEST(what_was_trimmed_are_spares)
{
	append_many(100, 300);
	ck_assert(world_trim(&w, w.status.last_segment));
	world_settle(&w);
	ck_assert_uint_eq(spares(), SPARES + SPARES_USED);
}
END_TEST

static void
append_into(uint64_t last)
{
	while (w.status.last_segment < last) {
		ck_assert(world_append(&w, 600, true));
		world_flush(&w);
		while (store_step_commit(w.store))
			;
		w.store->class->status(w.store, &w.status);
	}
}

/* Or that would be taken from the one that its file is by then. */
START_TEST(a_segment_gives_its_room_back_before_it_is_another)
{
	uint64_t ended;

	append_many(1, 100);
	world_kill(&w);
	ck_assert_int_eq(world_open(&w, w.status.synced), STORE_OPENED);
	ended = w.status.last_segment - 1;
	append_into(ended + 2);
	ck_assert(world_trim(&w, w.status.last_segment));
	w.disk->room = 1; /* for nothing: those that were trimmed are used again */
	append_into(ended + 3);
	w.disk->room = 0;
	world_settle(&w);
	world_kill(&w);
	ck_assert_int_eq(world_open(&w, w.status.synced), STORE_OPENED);
}
END_TEST

/* It gets its END where it is, and gives back the room that nobody will use. */
START_TEST(what_is_on_disk_is_not_written_anew)
{
	const struct pretend_file *first = segment(1);

	append_many(20, 100);
	world_kill(&w);
	ck_assert_int_eq(world_open(&w, w.status.synced), STORE_OPENED);
	ck_assert_ptr_eq(segment(1), first);
	store_step_keep(w.store, w.now_ns);
	ck_assert_uint_lt(first->size, 20 * 100 + 20 * 40 + 200);
	world_kill(&w);
	pretend_lose_power(w.disk);
	ck_assert_int_eq(world_open(&w, w.status.synced), STORE_OPENED);
	ck_assert_uint_eq(w.n, 20);
}
END_TEST

START_TEST(what_a_failed_sync_left_in_memory_is_written_anew)
{
	const struct pretend_file *first = segment(1);

	append_many(3, 100);
	ck_assert(world_append(&w, 100, true));
	world_flush(&w);
	w.disk->fail_at = w.disk->calls + 2; /* the sync */
	w.disk->fail_errno = EIO;
	store_step_commit(w.store);
	ck_assert(w.disk->failed);
	world_kill(&w);
	pretend_restart(w.disk);
	ck_assert_int_eq(world_open(&w, w.status.synced), STORE_OPENED);
	ck_assert_uint_eq(w.n, 4);
	ck_assert_ptr_ne(segment(1), first);
	world_kill(&w);
	pretend_lose_power(w.disk);
	ck_assert_int_eq(world_open(&w, w.records[3].place.seq), STORE_OPENED);
	ck_assert_uint_eq(w.n, 4);
}
END_TEST

START_TEST(a_spare_of_another_size_is_removed)
{
	static const char other[WORLD_SEGMENT / 2];

	append_many(1, 100);
	world_kill(&w);
	pretend_remove(w.disk, "spare-1.qbj");
	pretend_remove(w.disk, "spare-2.qbj");
	pretend_put(w.disk, "spare-7.qbj", other, sizeof(other));
	ck_assert_int_eq(world_open(&w, w.status.synced), STORE_OPENED);
	ck_assert_ptr_null(spare(7));
	ck_assert_uint_eq(segment(2)->size, WORLD_SEGMENT);
}
END_TEST

START_TEST(a_large_spare_is_filled_piece_by_piece)
{
	char dir[] = "/tmp/qb-check-files-XXXXXX", path[96];
	struct store_files_options options = {.segment_bytes = 4 << 20};
	struct store_files_report report;
	struct store *large;
	struct stat st;
	int pieces = 1;

	options.dir = mkdtemp(dir);
	ck_assert_int_eq(store_files_open(&options, &large, &report), STORE_OPENED);
	snprintf(path, sizeof(path), "%s/journal-0000000000000001.qbj", dir);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_size, 1 << 20); /* until the others are ready */
	while (store_step_keep(large, 77) == 77)
		pieces++;
	ck_assert_int_eq(
		pieces,
		SPARES * 4 - (SPARES - 1)); /* the last of one, the first of the next */
	large->class->free(large);
	unlink(path);
	for (int i = 1; i <= SPARES; i++) {
		snprintf(path, sizeof(path), "%s/spare-%d.qbj", dir, i);
		ck_assert_int_eq(unlink(path), 0);
	}
	rmdir(dir);
}
END_TEST

/* Room for some small records, and none that has to have a file of its own. */
START_TEST(room_is_asked_for_before_it_is_used)
{
	const struct store_class *class = w.store->class;

	w.disk->room = 6 * WORLD_SEGMENT;
	ck_assert(class->room(w.store, 100));
	ck_assert(class->room(w.store, 5 * WORLD_SEGMENT / 4));
	ck_assert(world_append(&w, 5 * WORLD_SEGMENT / 4, true));
	ck_assert(!class->room(w.store, 5 * WORLD_SEGMENT / 4));
	world_settle(&w);
	ck_assert_int_eq(w.status.state, STORE_GOOD);
	while (class->room(w.store, 300))
		ck_assert(world_append(&w, 300, true));
	world_settle(&w);
	ck_assert_int_eq(w.status.state, STORE_LOW);
	/* A segment is kept in reserve. */
	for (int i = 0; i < WORLD_SEGMENT / 400; i++)
		ck_assert(world_append(&w, 300, true));
	world_settle(&w);
	ck_assert_int_ne(w.status.state, STORE_FAILED);
}
END_TEST

START_TEST(a_failed_sync_is_final)
{
	append_many(3, 50);
	ck_assert(world_append(&w, 20, true));
	world_flush(&w);
	w.disk->fail_at = w.disk->calls + 2;
	w.disk->fail_errno = EIO;
	store_step_commit(w.store);
	w.store->class->status(w.store, &w.status);
	ck_assert_int_eq(w.status.state, STORE_FAILED);
	ck_assert_str_eq(w.status.error,
			 "fdatasync pretended/journal-0000000000000001.qbj: "
			 "Input/output error");
	world_append(&w, 20, true);
	world_settle(&w);
	ck_assert_uint_eq(w.status.synced, 3);
	ck_assert(!w.store->class->close(w.store));
}
END_TEST

/* Some of what was trimmed are spares; all that comes after the first one that stays is still there, too. */
START_TEST(what_cannot_be_removed_is_removed_later)
{
	uint64_t stays = 1 + SPARES_USED, last;
	char error[STORE_TEXT];

	append_many(100, 300);
	last = w.status.last_segment;
	ck_assert(world_trim(&w, last));
	w.disk->fails = "p_unlink";
	w.disk->fail_errno = EROFS;
	world_settle(&w);
	ck_assert_int_eq(w.status.state, STORE_LOW);
	snprintf(error, sizeof(error),
		 "cannot remove pretended/journal-%016" PRIu64
		 ".qbj: Read-only file system",
		 stays);
	ck_assert_str_eq(w.status.error, error);
	ck_assert(!is_there(stays - 1) && is_there(stays) && is_there(last - 1));
	ck_assert_uint_eq(w.status.leaving, last - stays);
	append_many(1, 100); /* all else goes on */
	ck_assert_uint_eq(w.status.synced, w.status.last_seq);
	w.disk->fails = NULL;
	store_step_keep(w.store, w.now_ns + LOW_RETRY_NS / 2);
	ck_assert(is_there(stays));
	store_step_keep(w.store, w.now_ns + LOW_RETRY_NS);
	ck_assert(!is_there(stays) && !is_there(last - 1) && is_there(last));
	w.store->class->status(w.store, &w.status);
	ck_assert_int_eq(w.status.state, STORE_GOOD);
	ck_assert_uint_eq(w.status.leaving, 0);
}
END_TEST

static void
remove_spares(void)
{
	char name[SEGMENT_NAME];

	for (uint64_t number = 0; number < 100; number++) {
		segment_spare_name(number, name);
		if (pretend_find(w.disk, name))
			pretend_remove(w.disk, name);
	}
}

START_TEST(a_start_goes_on_with_what_it_cannot_remove)
{
	uint64_t last, leaving;

	append_many(400, 300);
	last = w.status.last_segment;
	ck_assert(world_trim(&w, last));
	w.disk->fails = "p_unlink";
	w.disk->fail_errno = ENOSPC;
	world_settle(&w);
	leaving = w.status.leaving;
	ck_assert_uint_gt(leaving, 2 * SPARES + SPARES_USED);
	world_kill(&w);
	remove_spares();
	ck_assert_int_eq(world_open(&w, w.status.synced), STORE_OPENED);
	ck_assert_uint_eq(w.status.first_segment, last);
	ck_assert_uint_eq(w.status.leaving, leaving);
	world_settle(&w); /* some more are spares */
	ck_assert(is_there(last - 1));
	ck_assert_int_eq(w.status.state, STORE_LOW);
	w.disk->fails = NULL;
	store_step_keep(w.store, w.now_ns + LOW_RETRY_NS);
	ck_assert(!is_there(last - 1) && is_there(last));
	w.store->class->status(w.store, &w.status);
	ck_assert_int_eq(w.status.state, STORE_GOOD);
	world_kill(&w);
	pretend_lose_power(w.disk);
	ck_assert_int_eq(world_open(&w, w.status.synced), STORE_OPENED);
	ck_assert_uint_eq(w.status.first_segment, last);
}
END_TEST

START_TEST(a_failed_write_names_its_place)
{
	append_many(1, 40);
	ck_assert(world_append(&w, 20, true));
	world_flush(&w);
	w.disk->fail_at = w.disk->calls + 1;
	w.disk->fail_errno = EIO;
	store_step_commit(w.store);
	w.store->class->status(w.store, &w.status);
	ck_assert_int_eq(w.status.state, STORE_FAILED);
	ck_assert_str_eq(w.status.error,
			 "write pretended/journal-0000000000000001.qbj, offset 128: "
			 "Input/output error");
}
END_TEST

START_TEST(a_write_at_once_that_fails_is_told_too)
{
	w.disk->fail_at = w.disk->calls + 1;
	w.disk->fail_errno = EIO;
	ck_assert(world_append(&w, 20, false));
	world_flush(&w);
	ck_assert(may_have_news());
	ck_assert_uint_eq(written(), 0);
	ck_assert_int_eq(w.status.state, STORE_FAILED);
	ck_assert(world_append(&w, 20, false));
	world_flush(&w);
	world_settle(&w);
	ck_assert_uint_eq(written(), 0);
}
END_TEST

START_TEST(a_folder_in_use_is_refused)
{
	struct store_files_options options = {.dir = "pretended",
					      .disk = &w.disk->disk,
					      .segment_bytes = WORLD_SEGMENT};
	struct store_files_report report;
	struct store *other;

	ck_assert_int_eq(store_files_open(&options, &other, &report), STORE_IN_USE);
	ck_assert_str_eq(report.error,
			 "another broker uses pretended: it has the folder locked");
}
END_TEST

/* Segments that were trimmed become spares when there is no room for new ones; the
 * power goes at any call. */
START_TEST(segments_are_used_again)
{
	bool more = true;

	for (unsigned long n = 1; more; n++)
		for (unsigned seed = 1; seed <= 4; seed++) {
			world_done(&w);
			world_init(&w, seed);
			w.disk->room = 4 * WORLD_SEGMENT;
			w.disk->stop_at = n;
			more = world_open(&w, 0) != STORE_OPENED;
			for (int i = 0; i < 60 && !more; i++) {
				if (!world_append(&w, 900, true))
					world_trim(&w, w.status.last_segment);
				world_settle(&w);
				more = w.status.state == STORE_FAILED;
			}
			world_kill(&w);
			pretend_lose_power(w.disk);
			w.disk->room = 0;
			ck_assert_msg(world_open(&w, w.status.synced) == STORE_OPENED,
				      "%s", w.report.error);
		}
}
END_TEST

START_TEST(a_part_of_a_record_is_lent_or_moved)
{
	for (unsigned i = 0; i < 40; i++) {
		append_many(
			1, 1 + 100 * i); /* some are larger than what goes on at once */
		ck_assert(world_append_again(&w, w.n / 2, i % 2));
		append_many(1, 10);
	}
	world_kill(&w);
	ck_assert_int_eq(world_open(&w, w.status.written), STORE_OPENED);
	ck_assert_uint_eq(w.next_read, 120);
}
END_TEST

START_TEST(what_is_moved_is_looked_at)
{
	char name[SEGMENT_NAME];

	append_many(1, 600);
	segment_name(w.records[0].place.segment, name);
	pretend_find(w.disk, name)->now[w.records[0].place.offset + 300] ^= 1;
	ck_assert(world_append_again(&w, 0, true));
	world_settle(&w);
	ck_assert_int_eq(w.status.state, STORE_FAILED);
	ck_assert_ptr_nonnull(strstr(w.status.error, name));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("files");
	TCase *tcase = tcase_create("files");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_new_journal_is_empty_and_good);
	tcase_add_test(tcase, records_come_back_over_many_segments);
	tcase_add_test(tcase, a_closed_journal_says_so_and_goes_on);
	tcase_add_test(tcase, one_sync_is_for_all_that_wait);
	tcase_add_test(tcase, what_need_not_be_synced_is_written_at_once);
	tcase_add_test(tcase, the_end_of_a_segment_is_the_threads);
	tcase_add_test(tcase, a_write_at_once_that_fails_is_told_too);
	tcase_add_test(tcase, what_nobody_waits_for_is_synced_in_time);
	tcase_add_test(tcase, what_is_written_is_synced_in_time_whatever_else_is_done);
	tcase_add_test(tcase, news_are_told_once);
	tcase_add_test(tcase, a_record_larger_than_a_segment_has_its_own);
	tcase_add_test(tcase, what_was_trimmed_is_removed);
	tcase_add_test(tcase, nobody_waits_for_a_trim);
	tcase_add_test(tcase, the_end_of_a_segment_is_synced_early);
	tcase_add_test(tcase, small_bodies_that_follow_each_other_are_read_together);
	tcase_add_test(tcase, who_does_not_wait_for_the_disk_has_it_asked);
	tcase_add_test(tcase, what_was_written_can_be_read);
	tcase_add_test(tcase, a_full_disk_is_told_before_it_is_full);
	tcase_add_test(tcase, room_is_looked_for_again_in_time);
	tcase_add_test(tcase, it_starts_on_a_full_disk);
	tcase_add_test(tcase, a_start_goes_on_in_a_spare_of_the_run_before);
	tcase_add_test(tcase, a_start_keeps_as_many_spares_as_are_made);
	tcase_add_test(tcase, a_spare_is_made_zero_where_somebody_waits_for_syncs);
	tcase_add_test(tcase, a_fresh_segment_is_cleared_ahead);
	tcase_add_test(tcase, large_writes_are_not_behind_zeros);
	tcase_add_test(tcase, zeros_that_have_no_room_are_left);
	tcase_add_test(tcase, what_was_trimmed_are_spares);
	tcase_add_test(tcase, a_segment_gives_its_room_back_before_it_is_another);
	tcase_add_test(tcase, what_is_on_disk_is_not_written_anew);
	tcase_add_test(tcase, what_a_failed_sync_left_in_memory_is_written_anew);
	tcase_add_test(tcase, a_spare_of_another_size_is_removed);
	tcase_add_test(tcase, a_large_spare_is_filled_piece_by_piece);
	tcase_add_test(tcase, room_is_asked_for_before_it_is_used);
	tcase_add_test(tcase, a_failed_sync_is_final);
	tcase_add_test(tcase, what_cannot_be_removed_is_removed_later);
	tcase_add_test(tcase, a_start_goes_on_with_what_it_cannot_remove);
	tcase_add_test(tcase, a_failed_write_names_its_place);
	tcase_add_test(tcase, a_folder_in_use_is_refused);
	tcase_add_test(tcase, segments_are_used_again);
	tcase_add_test(tcase, a_part_of_a_record_is_lent_or_moved);
	tcase_add_test(tcase, what_is_moved_is_looked_at);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
