/* SPDX-License-Identifier: MIT
 * A file system that is full for real: a small one of its own for each test, seen by the test and its
 * broker alone. Puts into durable queues are refused and say what to do, all else goes on, and nothing
 * that was confirmed is lost, however the broker ends meanwhile. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/run.h"
#include "tests/system/kept.h"

#define DISK_MIB 32
#define MOST	 100000 /* items in the books */
#define LARGE	 200000 /* bytes of the largest body but those of large_body() */

/* The last one writes to another place what is written again, if it is not told. */
enum { TMPFS, EXT4, BTRFS, DISKS };
static const char *const disks[] = {"tmpfs", "ext4", "btrfs"};
static const char *const makers[] = {"", "mkfs.ext4 -q -F",
				     "mkfs.btrfs -q -f -m single"};
static const int mib[] = {DISK_MIB, DISK_MIB, 128}; /* btrfs has to be so large */
static const char *const durabilities[] = {"durable=async", "durable=sync"};

/* Loops go over the durabilities, each on another disk if there are two. */
static int usable[DISKS], n_usable;

static uint64_t dice;

/* What was confirmed, by the number that stands in the body. */
static struct entry {
	uint64_t id;
	uint32_t len;
	bool there;
} books[MOST];
static uint32_t n_books, n_there;
static char body[8 << 20];

/* --- a disk ------------------------------------------------------------------------ */

static bool
own_mounts(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static bool
mount_image(int kind, const char *folder)
{
	char command[400];

	snprintf(command, sizeof(command),
		 "PATH=$PATH:/sbin:/usr/sbin; truncate -s %dM '%s.img' && "
		 "%s '%s.img' >/dev/null && mount -o loop '%s.img' '%s'",
		 mib[kind], folder, makers[kind], folder, folder, folder);
	return system(command) == 0;
}

static bool
mount_disk(int kind, const char *folder)
{
	char size[32];

	if (!own_mounts())
		return false;
	if (kind != TMPFS)
		return mount_image(kind, folder);
	snprintf(size, sizeof(size), "size=%dm", DISK_MIB);
	return mount("none", folder, "tmpfs", 0, size) == 0;
}

/* In a process of its own, with which the mount goes. */
static bool
can_mount(int kind)
{
	char folder[] = "/tmp/qbroker-full.XXXXXX", image[40];
	pid_t child;
	int status = -1;

	if (!mkdtemp(folder))
		return false;
	child = fork();
	if (child == 0)
		_exit(mount_disk(kind, folder) ? 0 : 1);
	if (child > 0)
		waitpid(child, &status, 0);
	snprintf(image, sizeof(image), "%s.img", folder);
	unlink(image);
	rmdir(folder);
	return status == 0;
}

/* There may be a little less than what was said. */
static void
write_file(const char *name, uint64_t size)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", home, name);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	ck_assert_int_ge(fd, 0);
	while (fallocate(fd, 0, 0, (off_t)size) < 0) {
		ck_assert_msg(errno == EINTR || errno == ENOSPC, "%s: %m", path);
		if (errno == ENOSPC)
			size -= 1 << 20;
		ck_assert_uint_gt(size, 1 << 20);
	}
	close(fd);
}

/* What is left is as much on all of them. */
static void
write_filler(void)
{
	struct statvfs fs;
	uint64_t room;

	ck_assert_int_eq(statvfs(home, &fs), 0);
	room = fs.f_bavail * fs.f_frsize;
	if (room > DISK_MIB << 20)
		write_file("ballast", room - (DISK_MIB << 20));
	write_file("filler", 8 << 20);
}

static void
remove_filler(void)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/filler", home);
	ck_assert_int_eq(unlink(path), 0);
}

/* --- the broker -------------------------------------------------------------------- */

static void
start(void)
{
	daemon_start(&d, "--set", state, "--set", "busy_poll_us=0", "--set",
		     "segment_size=1M", NULL);
}

static void
begin_on(int kind, const char *durability)
{
	const char *options[] = {durability, NULL};

	kept_begin();
	ck_assert(mount_disk(kind, home));
	write_filler();
	start();
	ck_assert_int_eq(qb_open(d.address, &q), QB_OK);
	ok(qb_declare(q, "jobs", options, 0, NULL));
	n_books = n_there = 0;
	dice = 1;
}

static void
begin(int at)
{
	begin_on(usable[at % n_usable], durabilities[at % 2]);
}

static void
finish(void)
{
	qb_close(q);
	daemon_stop(&d);
	ck_assert_int_eq(umount2(home, MNT_DETACH), 0);
}

static void
restart(void)
{
	daemon_kill(&d);
	start();
}

/* --- items ------------------------------------------------------------------------- */

static uint64_t
roll(uint64_t below)
{
	dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (dice >> 33) % below;
}

static qb_result
put(uint32_t len)
{
	uint64_t id;
	qb_result r;

	ck_assert_uint_lt(n_books, MOST);
	memcpy(body, &n_books, sizeof(n_books));
	/* It may wait for the journal; on a full disk it is refused at once. */
	r = qb_put(q, "jobs", body, len, QB_FOREVER, &id);
	if (r == QB_OK) {
		books[n_books++] = (struct entry){.id = id, .len = len, .there = true};
		n_there++;
	}
	return r;
}

/* Many small ones, some large ones; most of the bytes are in those. */
static uint32_t
some_len(void)
{
	return 8 + (uint32_t)roll(roll(4) ? 300 : LARGE);
}

static bool
journal_is(const char *state_name)
{
	qb_table *t;
	bool is;

	ok(qb_stats(q, &t));
	is = strcmp(qb_table_string(t, 0, "journal"), state_name) == 0;
	qb_table_free(t);
	return is;
}

/* A put may be refused while the last segment that there is room for is being made. */
static void
fill(void)
{
	qb_result r;

	do
		r = put(some_len());
	while (r == QB_OK || (r == QB_NOSPACE && !journal_is("low")));
	ck_assert_msg(r == QB_NOSPACE, "%s: %s", qb_result_name(r), qb_error(q));
}

static struct entry *
entry_of(const qb_item *item)
{
	uint32_t n;

	ck_assert_uint_ge(qb_item_size(item), sizeof(n));
	memcpy(&n, qb_item_body(item), sizeof(n));
	ck_assert_uint_lt(n, n_books);
	ck_assert_msg(books[n].there, "item %u was finished before", n);
	ck_assert_uint_eq(books[n].id, qb_item_id(item));
	ck_assert_uint_eq(books[n].len, qb_item_size(item));
	return &books[n];
}

static void
finish_one(void)
{
	qb_item *item;

	ok(qb_get(q, "jobs", 0, QB_MANUAL, &item));
	entry_of(item)->there = false;
	n_there--;
	ok(qb_ack(q, item));
	qb_item_free(item);
}

static void
finish_all(void)
{
	while (n_there > 0)
		finish_one();
	ck_assert_int_eq(number("jobs", "ready"), 0);
}

/* Looks until a put is accepted. */
static void
wait_for_room(void)
{
	int64_t end = now_ms() + patience_ms();
	qb_result r;

	while ((r = put(8)) == QB_NOSPACE)
		look_again(end, "room");
	ok(r);
}

/* --- tests ------------------------------------------------------------------------- */

static void
expect_low(void)
{
	qb_table *t;

	ok(qb_stats(q, &t));
	ck_assert_str_eq(qb_table_string(t, 0, "journal"), "low");
	ck_assert_ptr_nonnull(strstr(qb_table_string(t, 0, "journal_error"),
				     "No space left on device"));
	qb_table_free(t);
	ck_assert_int_gt(daemon_count_log(&d, "event=journal_low"), 0);
}

START_TEST(a_full_disk_refuses_puts_and_says_what_to_do)
{
	begin(_i);
	fill();
	ck_assert_msg(strstr(qb_error(q), "state_dir") != NULL, "%s", qb_error(q));
	expect_low();
	ok(qb_put(q, "memory", "x", 1, 0, NULL));
	remove_filler();
	wait_for_room();
	ck_assert_int_gt(daemon_count_log(&d, "event=journal_good"), 0);
	finish_all();
	finish();
}
END_TEST

START_TEST(room_comes_back_as_items_are_finished)
{
	begin(_i);
	fill();
	for (int i = 0; i < 20 || put(8) == QB_NOSPACE; i++)
		finish_one();
	ck_assert_uint_gt(n_there, 10); /* it does not take all of them */
	finish_all();
	fill();
	finish_all();
	finish();
}
END_TEST

/* Each takes some hundred items and dies. */
static void
take_and_leave(void)
{
	qb_item *items[300];
	unsigned n;
	qb *own;

	ck_assert_int_eq(qb_open(d.address, &own), QB_OK);
	ck_assert_int_eq(qb_get_many(own, "jobs", 0, QB_MANUAL, 300, 1, UINT64_MAX, 0,
				     items, &n),
			 QB_OK);
	while (n > 0)
		qb_item_free(items[--n]);
	qb_close(own);
}

/* What they write is many times what was kept in reserve; QB_ROUNDS says how often (150). */
START_TEST(workers_may_come_and_go_for_as_long_as_they_like)
{
	const char *rounds = getenv("QB_ROUNDS");

	begin(_i);
	fill();
	for (int i = rounds ? atoi(rounds) : 150; i > 0; i--)
		take_and_leave();
	finish_all();
	finish();
}
END_TEST

/* One that needs a file of its own, which there is no room for; a small one has room. */
START_TEST(a_body_that_has_no_room_is_refused_alone)
{
	begin(_i);
	while (put(8 << 20) == QB_OK)
		;
	ok(put(8));
	ck_assert_int_eq(put(8 << 20), QB_NOSPACE);
	ok(put(8));
	restart();
	finish_all();
	finish();
}
END_TEST

START_TEST(a_broker_that_is_killed_on_a_full_disk_starts_on_it)
{
	begin(_i);
	fill();
	for (int i = 0; i < 3; i++) {
		restart();
		ck_assert_int_eq(number("jobs", "ready"), n_there);
		finish_one();
	}
	remove_filler();
	wait_for_room();
	finish_all();
	finish();
}
END_TEST

/* What is in queues in memory cannot be written: that is said, and nothing else is lost. */
START_TEST(a_broker_that_is_stopped_on_a_full_disk_keeps_what_is_durable)
{
	int status;

	begin(_i);
	fill();
	for (int i = 0; i < 4; i++)
		ok(qb_put(q, "memory", body, sizeof(body), 0, NULL));
	ck_assert_int_eq(kill(d.pid, SIGTERM), 0);
	status = daemon_wait(&d);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 1);
	ck_assert_int_eq(daemon_count_log(&d, "event=snapshot_failed"), 1);
	ck_assert_int_eq(daemon_count_log(&d, "event=journal_failed"), 0);
	start();
	ck_assert_int_eq(number("jobs", "ready"), n_there);
	finish_all();
	ok(put(8));
	finish_all();
	finish();
}
END_TEST

static void
some_step(void)
{
	qb_item *item;

	switch (roll(12)) {
	case 0:
		ok(qb_get(q, "jobs", 0, QB_MANUAL, &item));
		entry_of(item);
		ok(qb_release(q, item));
		qb_item_free(item);
		break;
	case 1: take_and_leave(); break;
	case 2:
	case 3:
	case 4: finish_one(); break;
	case 5:
		if (roll(20) == 0)
			restart();
		break;
	default: (void)put(some_len()); break;
	}
}

static void
fill_and_clean(void)
{
	const char *seed = getenv("QB_SEED"), *cycles = getenv("QB_CYCLES");

	dice = seed ? strtoull(seed, NULL, 10) : 1;
	printf("QB_SEED=%llu\n", (unsigned long long)dice);
	for (int i = cycles ? atoi(cycles) : 2; i > 0; i--) {
		fill();
		for (int j = 0; j < 300; j++)
			some_step();
		while (n_there > 20)
			finish_one();
	}
	restart();
	finish_all();
	finish();
}

START_TEST(nothing_is_lost_however_often_it_is_full)
{
	begin(_i);
	fill_and_clean();
}
END_TEST

START_TEST(nothing_is_lost_on_a_full_btrfs)
{
	begin_on(BTRFS, "durable=sync");
	fill_and_clean();
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("full");
	const int n = 2;
	bool on_btrfs = false;

	for (int i = 0; i < DISKS; i++) {
		if (!can_mount(i))
			printf("SKIP: %s cannot be mounted here\n", disks[i]);
		else if (i == BTRFS)
			on_btrfs = true;
		else
			usable[n_usable++] = i;
	}
	if (n_usable == 0)
		return 77;
	tcase_add_loop_test(t, a_full_disk_refuses_puts_and_says_what_to_do, 0, n);
	tcase_add_loop_test(t, room_comes_back_as_items_are_finished, 0, n);
	tcase_add_loop_test(t, workers_may_come_and_go_for_as_long_as_they_like, 0, n);
	tcase_add_loop_test(t, a_body_that_has_no_room_is_refused_alone, 0, n);
	tcase_add_loop_test(t, a_broker_that_is_killed_on_a_full_disk_starts_on_it, 0,
			    n);
	tcase_add_loop_test(
		t, a_broker_that_is_stopped_on_a_full_disk_keeps_what_is_durable, 0, n);
	tcase_add_loop_test(t, nothing_is_lost_however_often_it_is_full, 0, n);
	if (on_btrfs)
		tcase_add_test(t, nothing_is_lost_on_a_full_btrfs);
	return run_case("full", t);
}
