/* SPDX-License-Identifier: MIT
 * The journal stays below twice what is alive and two segments while many clients put thousands of small items at once, as
 * fast as they can, and others finish them; those of one queue stay. Nobody is held up for good by that.
 * QB_SEED gives another order of things, QB_PUTS more of them. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/lib/run.h"
#include "tests/system/kept.h"

#define SEGMENT	  (UINT64_C(1) << 20)
#define BATCH	  1000
#define LEN	  64
#define ENTRY	  72 /* bytes of an entry with such a body, and some more */
#define PUTTERS	  12
#define GETTERS	  8
#define BEFORE	  100 /* batches that stay, */
#define ONE_STAYS 32  /* and of the others one of so many */
#define FINISHED  "finished"

static unsigned puts_of_one = 100;
static uint64_t seed;

static void
put_batch(qb *to, const char *queue)
{
	static char body[LEN];
	static struct iovec bodies[BATCH];

	for (unsigned i = 0; i < BATCH; i++)
		bodies[i] = (struct iovec){body, LEN};
	ck_assert_int_eq(qb_put_many(to, queue, bodies, BATCH, 1, QB_FOREVER, NULL),
			 QB_OK);
}

static void
put_all(int line, void *arg)
{
	unsigned short of[3] = {(unsigned short)seed, (unsigned short)(uintptr_t)arg,
				1};
	qb *to;

	(void)line;
	ck_assert_int_eq(qb_open(d.address, &to), QB_OK);
	for (unsigned i = 0; i < puts_of_one; i++)
		put_batch(to, nrand48(of) % ONE_STAYS == 0 ? "stays" : "goes");
	qb_close(to);
}

static void
get_all(int line, void *arg)
{
	qb_item *items[BATCH];
	qb_result result;
	unsigned n;
	qb *from;

	(void)line, (void)arg;
	ck_assert_int_eq(qb_open(d.address, &from), QB_OK);
	while ((result = qb_get_many(from, "goes", QB_FOREVER, QB_MANUAL, BATCH, 1, 0,
				     0, items, &n)) == QB_OK) {
		ck_assert_int_eq(qb_ack_many(from, items, n), QB_OK);
		while (n > 0)
			qb_item_free(items[--n]);
	}
	ck_assert_int_eq(result, QB_SHUT_DOWN);
	qb_close(from);
}

/* Of all segments, which have their sizes from the beginning. */
static uint64_t
folder_bytes(void)
{
	char path[512];
	DIR *folder;
	struct dirent *entry;
	struct stat st;
	uint64_t bytes = 0;

	snprintf(path, sizeof(path), "%s/state", home);
	folder = opendir(path);
	ck_assert_ptr_nonnull(folder);
	while ((entry = readdir(folder))) {
		snprintf(path, sizeof(path), "%s/state/%s", home, entry->d_name);
		if (strncmp(entry->d_name, "journal-", 8) == 0 && stat(path, &st) == 0)
			bytes += (uint64_t)st.st_size;
	}
	closedir(folder);
	return bytes;
}

static uint64_t
alive(void)
{
	return (uint64_t)(number("stays", "ready") + number("goes", "ready") +
			  number("goes", "leased")) *
	       ENTRY;
}

/* The most of the folder in parts of what is allowed. Of such small segments some eighth is left over at their ends, as no
 * record is divided. */
struct most {
	double part;
	uint64_t bytes, live;
};

/* What is alive changes while one looks. The last segment is not full, and one may not have been removed yet. */
static void
look(struct most *most)
{
	uint64_t before = alive(), bytes = folder_bytes(), live = alive();
	double part;

	if (live < before)
		live = before;
	part = 0.875 * (double)bytes / (double)(2 * live + 4 * SEGMENT);
	if (part > most->part)
		*most = (struct most){part, bytes, live};
}

/* Who waits for the journal can be seen, with the queue. */
static unsigned
waits_seen(void)
{
	const char *queue, *client;
	qb_table *table;
	unsigned n = 0;

	ok(qb_waiters(q, NULL, &table));
	for (unsigned i = 0; i < qb_table_rows(table); i++) {
		if (strcmp(qb_table_string(table, i, "waits_for"), "journal") != 0)
			continue;
		queue = qb_table_string(table, i, "queue");
		client = qb_table_string(table, i, "client");
		ck_assert_ptr_nonnull(client);
		ck_assert(!queue || strcmp(queue, "goes") == 0 ||
			  strcmp(queue, "stays") == 0);
		n += queue != NULL;
	}
	qb_table_free(table);
	return n;
}

static bool
has_ended(struct child *c)
{
	siginfo_t info = {0};

	return waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == c->pid;
}

START_TEST(the_journal_stays_within_its_bound_while_small_items_are_put)
{
	static const char *const modes[] = {"durable=async", "durable=sync"};
	const char *options[] = {modes[_i], "maxsize=20000", NULL};
	struct child putters[PUTTERS], getters[GETTERS];
	struct most most = {0};
	int64_t began = now_ms(), wait, longest = 0;
	unsigned seen = 0;

	ok(qb_declare(q, "goes", options, 0, NULL));
	options[1] = NULL;
	ok(qb_declare(q, "stays", options, 0, NULL));
	for (int i = 0; i < BEFORE; i++)
		put_batch(q, "stays");
	for (unsigned i = 0; i < GETTERS; i++)
		child_start(&getters[i], get_all, NULL);
	for (uintptr_t i = 0; i < PUTTERS; i++)
		child_start(&putters[i], put_all, (void *)i);
	for (unsigned i = 0; i < PUTTERS; i++) {
		while (!has_ended(&putters[i])) {
			look(&most);
			seen += waits_seen();
			wait = now_ms();
			ok(qb_put(q, "memory", "x", 1, QB_FOREVER, NULL));
			if (now_ms() - wait > longest)
				longest = now_ms() - wait;
		}
		child_join(&putters[i]);
	}
	ok(qb_shutdown(q, "goes", 0));
	for (unsigned i = 0; i < GETTERS; i++)
		child_join(&getters[i]);
	printf("%s, QB_SEED=%llu: at most %.2f of what is allowed, %.1f MB with %.1f "
	       "MB alive; %u batches in %lld ms; "
	       "a put into memory took %lld ms at most; %u waits were seen\n",
	       modes[_i], (unsigned long long)seed, most.part, (double)most.bytes / 1e6,
	       (double)most.live / 1e6, PUTTERS * puts_of_one,
	       (long long)(now_ms() - began), (long long)longest, seen);
	fflush(stdout);
	ck_assert(most.part < 1);
	ck_assert_uint_gt(seen, 0);
}
END_TEST

static void
setup(void)
{
	kept_begin();
	daemon_start(&d, "--set", state, "--set", "segment_size=1M", NULL);
	ck_assert_int_eq(qb_open(d.address, &q), QB_OK);
}

static void
teardown(void)
{
	qb_close(q);
	daemon_stop(&d);
}

int
main(void)
{
	TCase *t = tcase_create("bound");

	seed = getenv("QB_SEED") ? strtoull(getenv("QB_SEED"), NULL, 0) : 1;
	if (getenv("QB_PUTS"))
		puts_of_one = (unsigned)strtoul(getenv("QB_PUTS"), NULL, 0);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(
		t, the_journal_stays_within_its_bound_while_small_items_are_put, 0, 2);
	return run_long_case("bound", t, 60);
}
