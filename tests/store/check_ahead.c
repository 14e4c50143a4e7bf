/* SPDX-License-Identifier: MIT
 *
 * A file of records that is read ahead is read as one that is not: records of all lengths, whole ones and
 * others, and when something cannot be read.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/store/disk.h"
#include "daemon/store/reader.h"
#include "tests/lib/run.h"

#define SIZE  ((size_t)6 << 20)
#define MIB   ((uint32_t)1 << 20)
#define FIRST 64 /* where the records begin */
#define SEED  77
#define TURNS 100

static unsigned char *bytes;
static size_t used;
static unsigned n_records;
static int folder = -1;
static uint64_t broken_from; /* from there on nothing can be read */
static uint32_t chance;

static uint32_t
below(uint32_t n)
{
	chance = chance * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)chance * n >> 32);
}

/* Most are short; some are about as long as a block, or longer. */
static uint32_t
some_length(void)
{
	switch (below(40)) {
	case 0: return MIB - 50 + below(100);
	case 1: return MIB + below(MIB);
	case 2:
	case 3:
	case 4: return 1 + below(400000);
	default: return 1 + below(30000);
	}
}

static void
make(unsigned seed)
{
	size_t at = FIRST;

	chance = seed;
	free(bytes);
	bytes = calloc(1, SIZE);
	ck_assert_ptr_nonnull(bytes);
	n_records = 0;
	for (;;) {
		uint32_t len = some_length();

		if (at + record_size(len) > SIZE - 100000)
			break;
		memset(bytes + at + RECORD_HEADER, (int)below(256), len);
		record_start(bytes + at, len, ++n_records);
		record_finish(bytes + at, SEED, n_records - 1);
		at += record_size(len);
	}
	used = at;
}

static void
write_file(void)
{
	char path[200];
	int fd;

	if (folder < 0) {
		test_folder(path, sizeof(path));
		folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		ck_assert_int_ge(folder, 0);
	}
	fd = openat(folder, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, SIZE), SIZE);
	close(fd);
}

static ssize_t
read_until(struct disk *d, int fd, void *to, size_t len, uint64_t offset)
{
	if (offset + len <= broken_from)
		return disk_os.pread(d, fd, to, len, offset);
	if (offset < broken_from)
		return disk_os.pread(d, fd, to, broken_from - offset, offset);
	errno = EIO;
	return -1;
}

struct outcome {
	unsigned records;
	uint64_t end, found_at;
	uint64_t found; /* the number of the next one, 0: there is none */
	int error;
};

/* Each is as it was written. */
static struct outcome
read_file(bool ahead)
{
	struct disk disk = disk_os;
	struct outcome o = {.end = FIRST};
	struct record record;
	struct reader r;
	const unsigned char *got;

	disk.pread = read_until;
	ck_assert(reader_open(&r, &disk, folder, "file"));
	ck_assert_ptr_nonnull(reader_get(&r, 0, FIRST));
	if (ahead)
		reader_ahead(&r, FIRST, SEED, NULL, NULL);
	while ((got = reader_next(&r, o.end, SEED, &record)) &&
	       record.seq == o.records + 1) {
		ck_assert_int_eq(memcmp(got, bytes + o.end, RECORD_HEADER + record.len),
				 0);
		o.end += record_size(record.len);
		o.records++;
	}
	if (reader_find(&r, o.end + 8, SEED, o.records + 2, 0, &record, &o.found_at))
		o.found = record.seq;
	o.error = r.error;
	reader_done(&r);
	return o;
}

static struct outcome
read_both_ways(void)
{
	struct outcome plain = read_file(false), o = read_file(true);

	ck_assert_uint_eq(o.records, plain.records);
	ck_assert_uint_eq(o.end, plain.end);
	ck_assert_uint_eq(o.found, plain.found);
	if (o.found)
		ck_assert_uint_eq(o.found_at, plain.found_at);
	ck_assert_int_eq(o.error, plain.error);
	return o;
}

START_TEST(records_of_all_lengths_are_read)
{
	broken_from = UINT64_MAX;
	for (unsigned seed = 1; seed <= 20; seed++) {
		struct outcome o;

		make(seed);
		write_file();
		o = read_both_ways();
		ck_assert_uint_eq(o.records, n_records);
		ck_assert_uint_eq(o.end, used);
		ck_assert_uint_eq(o.found, 0);
	}
}
END_TEST

static size_t
some_header(void)
{
	unsigned n = below(n_records);
	size_t at = FIRST;
	struct record record;

	while (n-- > 0) {
		record_parse(bytes + at, &record);
		at += record_size(record.len);
	}
	return at;
}

/* In every second turn it is one of a header. */
START_TEST(a_wrong_byte_is_seen)
{
	broken_from = UINT64_MAX;
	make(21);
	for (unsigned turn = 0; turn < TURNS; turn++) {
		size_t at = turn % 2 ? some_header() + below(RECORD_HEADER)
				     : FIRST + below((uint32_t)(used - FIRST));
		unsigned char bit = (unsigned char)(1 << below(8));
		struct outcome o;

		bytes[at] ^= bit;
		write_file();
		o = read_both_ways();
		ck_assert_uint_le(o.end, at);
		bytes[at] ^= bit;
	}
}
END_TEST

START_TEST(what_cannot_be_read_is_said)
{
	make(22);
	write_file();
	for (unsigned turn = 0; turn < TURNS / 5; turn++) {
		struct outcome o;

		broken_from = FIRST + below((uint32_t)(used - FIRST));
		o = read_both_ways();
		ck_assert_int_eq(o.error, EIO);
		ck_assert_uint_le(o.end, broken_from);
	}
}
END_TEST

RUN_TESTS("ahead", records_of_all_lengths_are_read, a_wrong_byte_is_seen,
	  what_cannot_be_read_is_said)
