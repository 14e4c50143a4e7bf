/* SPDX-License-Identifier: MIT
 * Cases with queues on the disk. Each server has a folder of its own there, and syncs before
 * it confirms; what its queues are durable as is qbroker's business alone. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "bench/cases.h"

#define SYNC	  "durable=sync"
#define ASYNC	  "durable=async"
#define SEGMENT	  "journal-" /* so their names begin */
#define READ_SIZE 1048576
#define TIMED	  5000 /* puts in a slice, or p99 and p99.9 are of too few */

static struct entrant
kept_entrant(const struct settings *s, const struct bench_case *c, const char *label)
{
	struct entrant e = case_entrant(s, c, &driver_qbroker);

	e.label = label;
	e.disk = s->disk;
	return e;
}

static void
say_where(const struct settings *s, const struct bench_case *c)
{
	struct statfs fs;

	if (statfs(s->disk, &fs) == 0 && fs.f_type == TMPFS_MAGIC)
		fprintf(stderr, "bench: %s: %s is memory, not a disk\n", c->name,
			s->disk);
}

void
measure_sync(const struct settings *s, struct result *ret)
{
	static struct entrant e[DRIVERS];
	unsigned n = case_choose(s, ret->what, e);

	say_where(s, ret->what);
	for (unsigned i = 0; i < n; i++) {
		e[i].disk = s->disk;
		e[i].load.durable = SYNC;
	}
	measure_rates(s, e, n, ret);
}

void
measure_async(const struct settings *s, struct result *ret)
{
	static struct entrant e[2];

	say_where(s, ret->what);
	e[0] = kept_entrant(s, ret->what, "async");
	e[0].load.durable = ASYNC;
	e[1] = case_entrant(s, ret->what, &driver_qbroker);
	e[1].label = "memory";
	measure_rates(s, e, 2, ret);
}

/* --- beside a flood ------------------------------------------------------------------ */

static void
run_beside(struct entrant *e, struct result *r, unsigned entrant, unsigned round)
{
	double us[QUANTILES];
	int64_t ns;

	entrant_forget_times(e);
	if (e->out || !entrant_slice(e, PHASE_PUT, &ns))
		return;
	take_quantiles(e, PHASE_PUT, us);
	for (int i = 0; i < QUANTILES; i++)
		r->figure[i].series.value[entrant][round] = us[i];
	r->figure[QUANTILES].series.value[entrant][round] =
		e->flooded * 1e9 / (double)ns;
	entrant_slice(e, PHASE_GET, &ns);
}

/* What is asked is how long the broker keeps others waiting, so the producer that floods
 * takes no processor from the one that is measured. */
static void
prepare_beside(const struct settings *s, struct entrant e[3], struct result *ret)
{
	e[0] = kept_entrant(s, ret->what, "beside");
	e[0].flood = true;
	e[0].bulk = e[0].load;
	e[0].bulk.outstanding = 256;
	e[0].bulk.queue = "flood";
	e[0].bulk.durable = SYNC;
	e[0].bulk.yields = true;
	e[1] = kept_entrant(s, ret->what, "alone");
	e[2] = e[0];
	e[2].label = "elsewhere";
	e[2].elsewhere = &e[0].server;
}

void
measure_beside(const struct settings *s, struct result *ret)
{
	static struct entrant e[3];

	say_where(s, ret->what);
	prepare_beside(s, e, ret);
	case_start(s, e, 3, ret);
	case_figure(ret, "p50", "us");
	case_figure(ret, "p99", "us");
	case_figure(ret, "p99.9", "us");
	case_figure(ret, "flood", "items/s");
	rounds_calibrate(&e[1], 1, false, s->slice_ns);
	if (s->extent != EXTENT_SMOKE && e[1].count < TIMED)
		e[1].count = TIMED;
	e[0].count = e[2].count = e[1].count;
	for (unsigned i = 0; i < ret->figures; i++)
		ret->figure[i].series.rounds = s->rounds;
	for (unsigned round = 0; round < s->rounds; round++)
		for (unsigned i = 0; i < 3; i++)
			run_beside(&e[i], ret, i, round);
	case_stop(e, 3);
}

/* --- the start ----------------------------------------------------------------------- */

static void
read_file(int folder, const char *name, char *buffer)
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		die("%s: %s", name, strerror(errno));
	while ((n = read(fd, buffer, READ_SIZE)) > 0)
		;
	if (n < 0)
		die("%s: %s", name, strerror(errno));
	close(fd);
}

/* How long it takes to read all segments of a journal once: what the start reads too. Those
 * that are spare it does not. */
static int64_t
read_journal(const char *path)
{
	char *buffer = zalloc(READ_SIZE);
	DIR *d = opendir(path);
	struct dirent *entry;
	int64_t start_ns = now_ns();

	if (!d)
		die("%s: %s", path, strerror(errno));
	while ((entry = readdir(d)))
		if (strncmp(entry->d_name, SEGMENT, strlen(SEGMENT)) == 0)
			read_file(dirfd(d), entry->d_name, buffer);
	closedir(d);
	free(buffer);
	return now_ns() - start_ns;
}

static void
kill_server(struct entrant *e)
{
	end_child(e->server.pid);
	e->server.pid = 0;
}

static int64_t
start_again(struct entrant *e)
{
	int64_t start_ns = now_ns();

	if (!e->server.driver->start(&e->server))
		die("qbroker does not start again");
	return now_ns() - start_ns;
}

/* The kernel has nothing of the folder's files in its memory any more. */
static void
make_cold(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *entry;

	if (!d)
		die("%s: %s", path, strerror(errno));
	while ((entry = readdir(d))) {
		int fd = openat(dirfd(d), entry->d_name, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			continue;
		if (fsync(fd) == 0)
			(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		close(fd);
	}
	closedir(d);
}

/* After the broker was killed. The start comes first: the reading finds the files in the
 * memory of the kernel as the start did. */
static void
run_start(struct entrant *e, struct figure *f, unsigned round)
{
	kill_server(e);
	f->series.value[0][round] = (double)start_again(e) / 1e6;
	f->series.value[1][round] = (double)read_journal(e->server.data) / 1e6;
}

/* As after a loss of power. While the files are read there is no broker that makes spares. */
static void
run_cold_start(struct entrant *e, struct figure *f, unsigned round)
{
	kill_server(e);
	make_cold(e->server.data);
	f->series.value[0][round] = (double)start_again(e) / 1e6;
	kill_server(e);
	make_cold(e->server.data);
	f->series.value[1][round] = (double)read_journal(e->server.data) / 1e6;
}

void
measure_start(const struct settings *s, struct result *ret)
{
	static struct entrant e;
	struct order fill = {.kind = ORDER_FILL, .count = scaled(s, ret->what->amount)};
	struct figure *warm, *cold;

	say_where(s, ret->what);
	e = kept_entrant(s, ret->what, "start");
	e.load.durable = SYNC;
	case_start(s, &e, 1, ret);
	if (!entrant_order(&e, entrant_producer(&e), &fill))
		die("qbroker failed");
	ret->entrants = 2;
	ret->label[1] = "read";
	warm = case_figure(ret, "time", "ms");
	cold = case_figure(ret, "cold", "ms");
	warm->series.rounds = cold->series.rounds = s->rounds;
	for (unsigned round = 0; round < s->rounds; round++) {
		run_start(&e, warm, round);
		run_cold_start(&e, cold, round);
	}
	case_stop(&e, 1);
}
