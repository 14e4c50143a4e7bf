/* SPDX-License-Identifier: MIT
 *
 * Who writes, when the store has its threads: on files, with a disk that waits where the test says.
 */
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/store/disk.h"
#include "daemon/store/store_files.h"
#include "tests/lib/run.h"

#define SEGMENT_BYTES ((uint64_t)64 << 10)
#define SLOW_MS	      20

static struct store *store;
static pthread_t loop;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
/* Under the lock. */
static bool hold, waits, slow;
static unsigned by_loop, by_others; /* writes to segments */

static bool
is_segment(int fd)
{
	char link[64], path[PATH_MAX] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return readlink(link, path, sizeof(path) - 1) > 0 && strstr(path, "/journal-");
}

/* Does not return while it is held. */
static int
sync_slowly(struct disk *d, int fd)
{
	if (is_segment(fd)) {
		pthread_mutex_lock(&lock);
		waits = hold;
		while (hold)
			pthread_cond_wait(&changed, &lock);
		waits = false;
		pthread_mutex_unlock(&lock);
	}
	return disk_os.sync(d, fd);
}

static ssize_t
write_slowly(struct disk *d, int fd, const struct iovec *iov, int n, uint64_t offset)
{
	int64_t until_ms = now_ms() + SLOW_MS;
	bool slowly;

	pthread_mutex_lock(&lock);
	if (is_segment(fd))
		*(pthread_equal(pthread_self(), loop) ? &by_loop : &by_others) += 1;
	slowly = slow;
	pthread_mutex_unlock(&lock);
	while (slowly && now_ms() < until_ms)
		;
	return disk_os.pwritev(d, fd, iov, n, offset);
}

static void
set(bool *what, bool to)
{
	pthread_mutex_lock(&lock);
	*what = to;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static bool
sync_waits(void)
{
	bool is;

	pthread_mutex_lock(&lock);
	is = waits;
	pthread_mutex_unlock(&lock);
	return is;
}

static enum store_result
on_record(void *arg, const void *payload, size_t len, const struct store_place *place,
	  char *err, size_t errlen)
{
	return STORE_OPENED;
}

static void
open_store(void)
{
	static struct disk disk;
	static char folder[200];
	static struct store_files_report report;
	struct store_files_options options = {.dir = folder,
					      .disk = &disk,
					      .segment_bytes = SEGMENT_BYTES,
					      .sync_interval_ms = 1,
					      .threads = true,
					      .on_record = on_record};

	disk = disk_os;
	disk.sync = sync_slowly;
	disk.pwritev = write_slowly;
	test_folder(folder, sizeof(folder));
	loop = pthread_self();
	ck_assert_int_eq(store_files_open(&options, &store, &report), STORE_OPENED);
	by_loop = by_others = 0;
}

static uint64_t
put(void)
{
	struct iovec part = {(char[]){"record"}, 6};
	struct store_place place;

	ck_assert(store->class->append(store, &part, 1, false, &place));
	store->class->flush(store);
	return place.seq;
}

static uint64_t
written(void)
{
	struct store_status status;

	store->class->status(store, &status);
	return status.written;
}

static void
wait_for_sync(void)
{
	int64_t deadline_ms = now_ms() + patience_ms();

	while (!sync_waits())
		look_again(deadline_ms, "a sync");
}

START_TEST(the_loop_writes_while_the_keeper_syncs)
{
	open_store();
	set(&hold, true);
	ck_assert_uint_eq(put(), written());
	wait_for_sync();
	ck_assert_uint_eq(put(), written());
	ck_assert_uint_eq(by_loop, 2);
	ck_assert_uint_eq(by_others, 0);
	set(&hold, false);
	ck_assert(store->class->close(store));
	store->class->free(store);
}
END_TEST

/* One that waits for the sync is the last for some time. */
START_TEST(the_loop_does_not_wait_for_a_sync_twice)
{
	int64_t deadline_ms = now_ms() + patience_ms();
	uint64_t last;

	open_store();
	set(&hold, true);
	put();
	wait_for_sync();
	set(&slow, true);
	put();
	set(&slow, false);
	ck_assert_uint_eq(by_loop, 2);
	last = put();
	while (written() < last)
		look_again(deadline_ms, "the other thread's write");
	ck_assert_uint_eq(by_loop, 2);
	ck_assert_uint_eq(by_others, 1);
	set(&hold, false);
	ck_assert(store->class->close(store));
	store->class->free(store);
}
END_TEST

RUN_TESTS("threads", the_loop_writes_while_the_keeper_syncs,
	  the_loop_does_not_wait_for_a_sync_twice)
