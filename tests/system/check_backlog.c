/* SPDX-License-Identifier: MIT
 * A durable queue that is much larger than the broker's memory: what waits is in the journal alone, comes in
 * order, and is there after the broker was killed. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/qbroker.h"
#include "tests/lib/daemon.h"
#include "tests/lib/run.h"
#include "tests/lib/wire.h"

#define LEN    20000
#define ITEMS  8000 /* 160 MB */
#define LIMIT  (32 << 20)
#define BEFORE (16 << 20) /* what the broker may take beside */

static struct daemon d;
static char state[128];
static qb *q;

static void
ok(qb_result r)
{
	ck_assert_msg(r == QB_OK, "%s: %s", qb_result_name(r), qb_error(q));
}

static void
start(void)
{
	daemon_start(&d, "--set", state, "--set", "memory_limit=32M", "--set",
		     "segment_size=16M", "--set", "busy_poll_us=0", NULL);
}

static void
setup(void)
{
	char folder[96];

	d = (struct daemon){0};
	test_folder(folder, sizeof(folder));
	snprintf(state, sizeof(state), "state_dir=%s/state", folder);
	start();
	ck_assert_int_eq(qb_open(d.address, &q), QB_OK);
}

static void
teardown(void)
{
	qb_close(q);
	q = NULL;
	daemon_stop(&d);
}

/* The most that it ever had, in bytes. */
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
small(void)
{
	if (!daemon_is_watched(&d))
		ck_assert_int_lt(peak(), LIMIT + LIMIT / 8 + BEFORE);
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
put_all(void)
{
	const char *options[] = {"durable=async", NULL};
	char body[LEN];

	ok(qb_declare(q, "backlog", options, 0, NULL));
	for (unsigned i = 0; i < ITEMS; i++) {
		write_body(i, body);
		ok(qb_put(q, "backlog", body, LEN, QB_FOREVER, NULL));
	}
}

static void
get_some(unsigned from, unsigned n)
{
	char body[LEN];
	qb_item *item;

	for (unsigned i = from; i < from + n; i++) {
		ok(qb_get(q, "backlog", QB_FOREVER, QB_AUTO, &item));
		write_body(i, body);
		ck_assert_uint_eq(qb_item_size(item), LEN);
		ck_assert_msg(memcmp(qb_item_body(item), body, LEN) == 0,
			      "the body of item %u is another one", i);
		qb_item_free(item);
	}
}

START_TEST(a_backlog_is_larger_than_memory)
{
	put_all();
	small();
	get_some(0, 100);
	daemon_kill(&d);
	start();
	get_some(100, ITEMS / 2);
	small();
	put_all(); /* while the front is read back */
	get_some(100 + ITEMS / 2, ITEMS - 100 - ITEMS / 2);
	get_some(0, ITEMS / 8);
	small();
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("backlog");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_backlog_is_larger_than_memory);
	return run_case("backlog", t);
}
