/* SPDX-License-Identifier: MIT
 * A durable queue that is much larger than the broker's memory: what waits is in the journal alone, comes in
 * order, and is there after the broker was killed. With QB_BACKLOG_MB=N in the environment so much of
 * it is put, and then got as fast as it comes; how fast that is, and how fast the files can be read from the
 * disk, is printed. A twenty-fifth of it may be in memory. */
#include <check.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/run.h"
#include "tests/lib/wire.h"
#include "tests/system/kept.h"

#define LEN    20000
#define ITEMS  8000 /* 160 MB */
#define BATCH  100
#define LIMIT  (32 << 20)
#define SHARE  25	  /* of what is put may be in memory: 50 GB in 2 GB */
#define BEFORE (16 << 20) /* what the broker may take beside */


static long limit; /* of the broker's memory, in bytes */

static void
start(void)
{
	char memory[64];

	snprintf(memory, sizeof(memory), "memory_limit=%ld", limit);
	daemon_start(&d, "--set", state, "--set", memory, "--set", "segment_size=16M",
		     "--set", "busy_poll_us=0", NULL);
}

static void
setup(void)
{
	const char *mb = getenv("QB_BACKLOG_MB");

	kept_begin();
	limit = LIMIT;
	if (mb && atol(mb) * (1000000 / SHARE) > limit)
		limit = atol(mb) * (1000000 / SHARE);
	start();
	ck_assert_int_eq(qb_open(d.address, &q), QB_OK);
}

static void
teardown(void)
{
	qb_close(q);
	q = NULL;
	if (d.pid)
		daemon_stop(&d);
	else
		daemon_forget(&d);
}

/* The most memory that it ever had, in bytes. */
static long
peak(void)
{
	char path[64], line[256];
	long kib = 0;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)d.pid);
	in = fopen(path, "re");
	ck_assert_ptr_nonnull(in);
	while (fgets(line, sizeof(line), in))
		if (sscanf(line, "VmHWM: %ld kB", &kib) == 1)
			break;
	fclose(in);
	return kib * 1024;
}

static void
is_small(void)
{
	if (!daemon_is_watched(&d))
		ck_assert_int_lt(peak(), limit + limit / 8 + BEFORE);
}

static void
write_body(unsigned n, char body[LEN])
{
	for (unsigned i = 0; i < LEN / sizeof(n); i++) {
		unsigned word = n * 2654435761u + i;

		memcpy(body + i * sizeof(word), &word, sizeof(word));
	}
}

static void
put_items(unsigned n)
{
	const char *options[] = {"durable=async", NULL};
	static char bodies[BATCH][LEN];
	struct iovec parts[BATCH];

	ok(qb_declare(q, "backlog", options, 0, NULL));
	for (unsigned i = 0; i < n; i += BATCH) {
		for (unsigned k = 0; k < BATCH; k++) {
			write_body(i + k, bodies[k]);
			parts[k] = (struct iovec){bodies[k], LEN};
		}
		ok(qb_put_many(q, "backlog", parts, BATCH, 0, QB_FOREVER, NULL));
	}
}

static void
is_item(unsigned i, qb_item *item)
{
	static char body[LEN];

	write_body(i, body);
	ck_assert_uint_eq(qb_item_size(item), LEN);
	ck_assert_msg(memcmp(qb_item_body(item), body, LEN) == 0,
		      "the body of item %u is another one", i);
	qb_item_free(item);
}

static void
get_items(unsigned from, unsigned n)
{
	qb_item *items[BATCH];
	unsigned got;

	for (unsigned i = from; i < from + n; i += got) {
		unsigned most = from + n - i < BATCH ? from + n - i : BATCH;

		ok(qb_get_many(q, "backlog", QB_FOREVER, QB_AUTO, most, 1, 0, 0, items,
			       &got));
		for (unsigned k = 0; k < got; k++)
			is_item(i + k, items[k]);
	}
}

START_TEST(a_backlog_is_larger_than_memory)
{
	put_items(ITEMS);
	is_small();
	get_items(0, 100);
	daemon_kill(&d);
	start();
	get_items(100, ITEMS / 2);
	is_small();
	put_items(ITEMS); /* while the front is read back */
	get_items(100 + ITEMS / 2, ITEMS - 100 - ITEMS / 2);
	get_items(0, ITEMS / 8);
	is_small();
}
END_TEST

/* --- files ------------------------------------------------------------------------- */

static void
each_segment(void (*each)(int fd))
{
	char pattern[160];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/state/journal-*.qbj", home);
	ck_assert_int_eq(glob(pattern, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		int fd = open(found.gl_pathv[i], O_RDWR | O_CLOEXEC);

		ck_assert_int_ge(fd, 0);
		each(fd);
		close(fd);
	}
	globfree(&found);
}

static void
damage(int fd)
{
	char bytes[65536];
	off_t at = 64;

	for (ssize_t n; (n = pread(fd, bytes, sizeof(bytes), at)) > 0; at += n) {
		memset(bytes, 'x', (size_t)n);
		ck_assert_int_eq(pwrite(fd, bytes, (size_t)n, at), n);
	}
}

START_TEST(a_body_that_is_not_what_was_written_ends_the_broker)
{
	qb_item *item = NULL;
	int status;

	put_items(ITEMS / 4);
	each_segment(damage);
	for (int i = 0; i < ITEMS / 4; i++) {
		if (qb_get(q, "backlog", 5000, QB_NONE, &item) != QB_OK)
			break;
		is_item((unsigned)i, item);
	}
	ck_assert_ptr_null(item);
	status = daemon_wait(&d);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 4);
	ck_assert_int_eq(daemon_count_log(&d, "a body could not be read"), 1);
}
END_TEST

static void
forget(int fd)
{
	ck_assert_int_eq(fsync(fd), 0);
	ck_assert_int_eq(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
}

#define LARGE	   (3 << 20)
#define LARGE_ONES 12

static void
is_large(unsigned i, qb_item *item)
{
	const char *body = qb_item_body(item);

	ck_assert_uint_eq(qb_item_size(item), LARGE);
	for (size_t at = 0; at < LARGE; at += 4096)
		ck_assert_int_eq(body[at], (char)('a' + i));
}

static uint64_t
put_large(unsigned i)
{
	char *body = malloc(LARGE);
	uint64_t id;

	memset(body, 'a' + (int)i, LARGE);
	ok(qb_put(q, "backlog", body, LARGE, QB_FOREVER, &id));
	free(body);
	return id;
}

/* Whatever asks for them, and is answered when they have come back. */
START_TEST(large_bodies_that_are_away_are_shown_moved_dumped_and_got)
{
	const char *options[] = {"durable=async", NULL};
	uint64_t ids[LARGE_ONES], cursor = 0, n = 0, dumped = 0;
	qb_table *table;
	qb_item *item;

	ok(qb_declare(q, "backlog", options, 0, NULL));
	for (unsigned i = 0; i < LARGE_ONES; i++)
		ids[i] = put_large(i);
	each_segment(forget);
	ok(qb_look(q, "backlog", ids[LARGE_ONES - 1], &item));
	is_large(LARGE_ONES - 1, item);
	qb_item_free(item);
	ok(qb_peek(q, "backlog", &item));
	is_large(0, item);
	qb_item_free(item);
	each_segment(forget);
	do {
		ok(qb_dump(q, "backlog", "ready", &cursor, &table));
		dumped += qb_table_rows(table);
		qb_table_free(table);
	} while (cursor > 0);
	ck_assert_uint_eq(dumped, LARGE_ONES);
	each_segment(forget);
	for (uint64_t moved = 0; moved < 3; moved += n)
		ok(qb_move(q, "backlog", "other", "ready", (unsigned)(3 - moved), &n));
	for (unsigned i = 0; i < LARGE_ONES; i++) {
		ok(qb_get(q, i < 3 ? "other" : "backlog", 0, QB_NONE, &item));
		is_large(i, item);
		qb_item_free(item);
	}
	ck_assert_int_eq(qb_get(q, "backlog", 0, QB_NONE, &item), QB_EMPTY);
}
END_TEST

/* --- how fast ---------------------------------------------------------------------- */

static void
read_whole(int fd)
{
	static char bytes[1 << 20];

	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	while (read(fd, bytes, sizeof(bytes)) > 0)
		;
}

struct span {
	int64_t began_ms;
	long cpu_ms; /* the broker's */
};

static struct span
begin(void)
{
	return (struct span){now_ms(), daemon_cpu_ms(&d)};
}

static void
say(const char *what, struct span since, long mb)
{
	int64_t took_ms = now_ms() - since.began_ms;

	printf("%s: %ld MB in %lld ms, %lld MB/s; the broker's processor: %ld ms\n",
	       what, mb, (long long)took_ms,
	       (long long)(mb * 1000 / (took_ms > 0 ? took_ms : 1)),
	       daemon_cpu_ms(&d) - since.cpu_ms);
}

#define OUTSTANDING 256

static unsigned n_started, n_came, n_all;

static void came(qb *handle, uint64_t request, qb_result result, uint64_t id,
		 qb_item *item, void *arg);

static void
start_get(void)
{
	n_started++;
	ok(qb_start_get(q, "backlog", QB_FOREVER, QB_NONE, came, NULL, NULL));
}

/* One word says which it is: more would be slower than the disk. */
static void
came(qb *handle, uint64_t request, qb_result result, uint64_t id, qb_item *item,
     void *arg)
{
	unsigned word = n_came++ * 2654435761u;

	(void)handle, (void)request, (void)id, (void)arg;
	ok(result);
	ck_assert_int_eq(memcmp(qb_item_body(item), &word, sizeof(word)), 0);
	qb_item_free(item);
	if (n_started < n_all)
		start_get();
}

static void
get_fast(unsigned n)
{
	n_all = n;
	while (n_started < OUTSTANDING && n_started < n)
		start_get();
	while (n_came < n)
		ok(qb_wait(q, QB_FOREVER));
}

START_TEST(a_backlog_is_read_about_as_fast_as_the_disk)
{
	long mb = atol(getenv("QB_BACKLOG_MB"));
	unsigned n = (unsigned)(mb * 1000000 / LEN / BATCH * BATCH);
	struct span since = begin();

	put_items(n);
	say("put", since, mb);
	each_segment(forget);
	since = begin();
	each_segment(read_whole);
	say("files read", since, mb);
	each_segment(forget);
	since = begin();
	get_fast(n);
	say("got", since, mb);
	printf("memory at most: %ld MB\n", peak() / 1000000);
	is_small();
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("backlog");

	tcase_add_checked_fixture(t, setup, teardown);
	if (getenv("QB_BACKLOG_MB")) {
		tcase_add_test(t, a_backlog_is_read_about_as_fast_as_the_disk);
		return run_long_case("backlog", t, 3600);
	}
	tcase_add_test(t, a_backlog_is_larger_than_memory);
	tcase_add_test(t, a_body_that_is_not_what_was_written_ends_the_broker);
	tcase_add_test(t, large_bodies_that_are_away_are_shown_moved_dumped_and_got);
	return run_case("backlog", t);
}
