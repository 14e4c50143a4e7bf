/* SPDX-License-Identifier: MIT
 * What is confirmed as `async` is on disk in time, seen from outside: the library of tests/faults notes when the
 * broker writes and syncs. A put was written before it was confirmed, so each write is looked at.
 *
 * A machine that has other things to do may let any of them be late, but not most of them: that is what is
 * bounded closely. */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/qbroker.h"
#include "tests/lib/daemon.h"
#include "tests/lib/run.h"

#define INTERVAL_MS 50
#define SLACK_MS    40 /* less than another interval */
#define ROUNDS	    20
#define MOST	    4096
#define NS_PER_MS   1000000

static struct daemon d;
static qb *q;
static int notes; /* the pipe into which they come */

/* Since when there is a write that is not synced, and how long it took until what was written was: from the write to
 * the begin of the sync, and to its end. */
static int64_t dirty_ns;
static int64_t begun_ns[MOST], synced_ns[MOST];
static unsigned n;

static void
ok(qb_result r)
{
	ck_assert_msg(r == QB_OK, "%s: %s", qb_result_name(r), qb_error(q));
}

static void
setup(void)
{
	static char folder[96], state[128], library[4200], log[160], where[160];
	static const char *options[] = {"durable=async", NULL};
	char *here = getcwd(NULL, 0);

	d = (struct daemon){0};
	n = 0;
	dirty_ns = 0;
	test_folder(folder, sizeof(folder));
	snprintf(log, sizeof(log), "%s/notes", folder);
	ck_assert_int_eq(mkfifo(log, 0600), 0);
	notes = open(log, O_RDWR | O_NONBLOCK);
	ck_assert_int_ge(notes, 0);
	snprintf(log, sizeof(log), "QB_FAULT_LOG=%s/notes", folder);
	snprintf(where, sizeof(where), "QB_FAULT_FOLDER=%s/state", folder);
	snprintf(state, sizeof(state), "state_dir=%s/state", folder);
	snprintf(library, sizeof(library), "LD_PRELOAD=%s/tests/faults/.libs/fault.so",
		 here);
	free(here);
	d.env[0] = library;
	d.env[1] = log;
	d.env[2] = where;
	d.env[3] = "ASAN_OPTIONS=verify_asan_link_order=0";
	ck_assert_int_eq(mkdir(strchr(where, '=') + 1, 0700), 0);
	daemon_start(&d, "--set", state, "--set", "segment_size=4M", NULL);
	ck_assert_int_eq(qb_open(d.address, &q), QB_OK);
	ok(qb_declare(q, "jobs", options, 0, NULL));
}

static void
teardown(void)
{
	qb_close(q);
	close(notes);
	daemon_stop(&d);
}

static void
hear(const char *line)
{
	long long begin, end;
	char call[8], name[64];

	ck_assert_int_eq(sscanf(line, "%7s %63s %lld %lld", call, name, &begin, &end),
			 4);
	if (strncmp(name, "journal-", 8) != 0)
		return; /* a spare */
	if (strcmp(call, "write") == 0) {
		if (!dirty_ns)
			dirty_ns = end;
	} else if (dirty_ns && begin >= dirty_ns && n < MOST) {
		begun_ns[n] = begin - dirty_ns;
		synced_ns[n++] = end - dirty_ns;
		dirty_ns = 0;
	}
}

/* What has been noted by now. A note is not torn, but may have come in part. */
static void
hear_notes(void)
{
	static char lines[65536];
	static size_t have;
	ssize_t len;
	char *end;

	while ((len = read(notes, lines + have, sizeof(lines) - 1 - have)) > 0) {
		char *at = lines;

		have += (size_t)len;
		lines[have] = '\0';
		for (; (end = strchr(at, '\n')); at = end + 1) {
			*end = '\0';
			hear(at);
		}
		have -= (size_t)(at - lines);
		memmove(lines, at, have);
	}
}

/* Until everything that was written is synced, and something was. */
static void
wait_for_sync(unsigned before)
{
	struct pollfd fd = {.fd = notes, .events = POLLIN};

	for (hear_notes(); n == before || dirty_ns; hear_notes())
		ck_assert_msg(poll(&fd, 1, patience_ms()) == 1, "it is never synced");
}

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void
expect_in_time(void)
{
	ck_assert_uint_ge(n, ROUNDS);
	qsort(begun_ns, n, sizeof(*begun_ns), compare);
	qsort(synced_ns, n, sizeof(*synced_ns), compare);
	printf("%u syncs: begun %lld ms after what they are of, at most %lld; done "
	       "after %lld, at most "
	       "%lld\n",
	       n, (long long)begun_ns[n / 2] / NS_PER_MS,
	       (long long)begun_ns[n - 1] / NS_PER_MS,
	       (long long)synced_ns[n / 2] / NS_PER_MS,
	       (long long)synced_ns[n - 1] / NS_PER_MS);
	ck_assert_int_le(begun_ns[n / 2], (INTERVAL_MS + SLACK_MS) * NS_PER_MS);
	ck_assert_int_le(begun_ns[n - 1],
			 (INTERVAL_MS + (int64_t)patience_ms()) * NS_PER_MS);
}

START_TEST(a_single_put_is_synced_in_time)
{
	hear_notes();
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned before = n;

		ok(qb_put(q, "jobs", "x", 1, QB_FOREVER, NULL));
		wait_for_sync(before);
	}
	expect_in_time();
}
END_TEST

/* What comes later does not put off the sync of what came before. */
START_TEST(puts_without_a_pause_are_synced_in_time)
{
	hear_notes();
	while (n < ROUNDS) {
		ok(qb_put(q, "jobs", "x", 1, QB_FOREVER, NULL));
		hear_notes();
	}
	wait_for_sync(n - 1);
	expect_in_time();
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("async");

	if (access("tests/faults/.libs/fault.so", R_OK) < 0)
		return 77;
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_single_put_is_synced_in_time);
	tcase_add_test(t, puts_without_a_pause_are_synced_in_time);
	return run_case("async", t);
}
