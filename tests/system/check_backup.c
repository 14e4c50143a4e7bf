/* SPDX-License-Identifier: MIT
 * qbrokerctl backup: a copy of the journal that is made while the broker is at work has what was confirmed
 * before, and another broker goes on from it. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/run.h"
#include "tests/system/kept.h"

#define PRODUCERS 3
#define CONSUMERS 2
#define MOST	  200000 /* items of a producer */

static struct daemon second;
static char copied[128];
static const char *to; /* the folder of the copy */

static void
start(void)
{
	daemon_start(&d, "--set", state, "--set", "busy_poll_us=0", "--set",
		     "segment_size=64K", NULL);
}

static void
setup(void)
{
	const char *options[] = {"durable=async", NULL};

	kept_begin();
	second = (struct daemon){0};
	snprintf(copied, sizeof(copied), "state_dir=%s/copy", home);
	to = copied + strlen("state_dir=");
	start();
	ck_assert_int_eq(qb_open(d.address, &q), QB_OK);
	ok(qb_declare(q, "jobs", options, 0, NULL));
}

static void
teardown(void)
{
	qb_close(q);
	q = NULL;
	if (d.pid)
		daemon_stop(&d);
	if (second.pid)
		daemon_stop(&second);
}

static const char *
path(const char *name)
{
	static char text[192];

	snprintf(text, sizeof(text), "%s/%s", home, name);
	return text;
}

static bool
is_there(const char *name)
{
	return access(path(name), F_OK) == 0;
}

/* --- qbrokerctl ---------------------------------------------------------------------- */

/* What it says goes into the file `said`. A fault that is set is meant for it. */
static pid_t
start_backup(const char *address, const char *into)
{
	const char *out = path("said");
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	for (int i = 0; i < 4 && d.env[i]; i++)
		putenv((char *)(uintptr_t)d.env[i]);
	setenv("QB_FAULT_FOLDER", home, 1); /* the copy is in it */
	if (!freopen(out, "w", stdout) || dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
		_exit(99);
	execl("./qbrokerctl", "qbrokerctl", "-s", address, "backup", into, NULL);
	_exit(99);
}

static int
exit_status(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static const char *
said(void)
{
	static char text[2048];
	FILE *f = fopen(path("said"), "r");

	ck_assert_ptr_nonnull(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = 0;
	fclose(f);
	return text;
}

static void
backup(void)
{
	ck_assert_msg(exit_status(start_backup(d.address, to)) == 0, "%s", said());
}

/* The copy is whole; where it was repaired it is still one. */
static void
nothing_is_damaged(void)
{
	const char *program = getenv("QBROKERD");
	char command[512];

	snprintf(command, sizeof(command),
		 "exec >'%s/said' 2>&1; %s --repair '%s/copy' '%s/repaired'; cat "
		 "'%s/repaired/backup.qbb'",
		 home, program ? program : "./qbrokerd", home, home, home);
	ck_assert_int_eq(system(command), 0);
	ck_assert_msg(strstr(said(), "nothing is lost") && strstr(said(), "record "),
		      "%s", said());
}

/* --- at work ------------------------------------------------------------------------- */

/* What the processes say of themselves. */
static struct books {
	atomic_bool stop;
	atomic_int confirmed[PRODUCERS];	 /* items, from 0 on */
	atomic_uchar finishing[PRODUCERS][MOST]; /* its ack was asked for */
} * books;

static void
produce(int line, void *arg)
{
	int me = *(int *)arg;
	char text[400];
	qb *own;

	(void)line;
	if (qb_open(d.address, &own) != QB_OK)
		_exit(1);
	memset(text, 'x', sizeof(text));
	for (int i = 0; i < MOST && !books->stop; i++) {
		snprintf(text, sizeof(text), "%d %d", me, i);
		if (qb_put(own, "jobs", text, sizeof(text), QB_FOREVER, NULL) != QB_OK)
			_exit(2);
		books->confirmed[me] = i + 1;
	}
	qb_close(own);
}

static void
read_item(const qb_item *item, int *ret_producer, int *ret_i)
{
	ck_assert_int_eq(sscanf(qb_item_body(item), "%d %d", ret_producer, ret_i), 2);
	ck_assert_int_lt(*ret_producer, PRODUCERS);
	ck_assert_int_lt(*ret_i, MOST);
}

static void
consume(int line, void *arg)
{
	qb_item *item;
	int producer, i;
	qb *own;

	(void)line;
	(void)arg;
	if (qb_open(d.address, &own) != QB_OK)
		_exit(1);
	while (!books->stop) {
		qb_result r = qb_get(own, "jobs", 50, QB_MANUAL, &item);

		if (r == QB_EMPTY)
			continue;
		if (r != QB_OK)
			_exit(2);
		read_item(item, &producer, &i);
		books->finishing[producer][i] = 1;
		if (qb_ack(own, item) != QB_OK)
			_exit(3);
		qb_item_free(item);
	}
	qb_close(own);
}

static void
wait_for_confirmed(int n)
{
	for (int64_t end = now_ms() + patience_ms(); books->confirmed[0] < n;)
		look_again(end, "puts");
}

/* Takes everything out of the second broker. */
static void
take_all(unsigned char *ret_got)
{
	qb_item *item;
	int producer, i;
	qb *other;

	ck_assert_int_eq(qb_open(second.address, &other), QB_OK);
	while (qb_get(other, "jobs", 0, QB_AUTO, &item) == QB_OK) {
		read_item(item, &producer, &i);
		ck_assert_uint_eq(qb_item_size(item), 400);
		ck_assert_msg(!ret_got[producer * MOST + i], "%d %d is there twice",
			      producer, i);
		ret_got[producer * MOST + i] = 1;
		qb_item_free(item);
	}
	qb_close(other);
}

START_TEST(what_was_confirmed_before_is_in_a_backup_under_load)
{
	struct child producers[PRODUCERS], consumers[CONSUMERS];
	const char *sync[] = {"durable=sync", NULL};
	static unsigned char got[PRODUCERS * MOST], finishing[PRODUCERS * MOST];
	int before[PRODUCERS], goes_on;

	if (_i == 1)
		ok(qb_declare(q, "jobs", sync, 1, NULL));
	books = mmap(NULL, sizeof(*books), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(books, MAP_FAILED);
	for (int i = 0; i < PRODUCERS; i++)
		child_start(&producers[i], produce, &i);
	wait_for_confirmed(200);
	for (int i = 0; i < CONSUMERS; i++)
		child_start(&consumers[i], consume, NULL);
	wait_for_confirmed(1000);
	for (int i = 0; i < PRODUCERS; i++)
		before[i] = books->confirmed[i];
	backup();
	memcpy(finishing, books->finishing, sizeof(finishing));
	goes_on = books->confirmed[0];
	wait_for_confirmed(goes_on + 100);
	books->stop = true;
	for (int i = 0; i < PRODUCERS; i++)
		child_join(&producers[i]);
	for (int i = 0; i < CONSUMERS; i++)
		child_join(&consumers[i]);
	nothing_is_damaged();
	daemon_start(&second, "--set", copied, NULL);
	take_all(got);
	for (int p = 0; p < PRODUCERS; p++)
		for (int i = 0; i < before[p]; i++)
			ck_assert_msg(got[p * MOST + i] || finishing[p * MOST + i],
				      "%d %d was confirmed, and is lost", p, i);
}
END_TEST

/* --- who goes on from it ------------------------------------------------------------- */

static qb_item *
take(qb *from)
{
	qb_item *item;
	qb_result r = qb_get(from, "jobs", 0, QB_MANUAL, &item);

	ck_assert_msg(r == QB_OK, "%s", qb_error(from));
	return item;
}

/* Also when the one on the copy was started twice: it is itself from then on. */
START_TEST(a_broker_on_a_backup_is_another_one)
{
	qb_item *held, *again;
	int64_t ids[2];
	qb *other;
	uint64_t id;

	ok(qb_put(q, "jobs", "x", 1, 0, NULL));
	held = take(q);
	backup();
	daemon_start(&second, "--set", copied, NULL);
	ck_assert_int_eq(qb_open(second.address, &other), QB_OK);
	again = take(other); /* nobody holds it there */
	ck_assert_uint_eq(qb_item_id(again), qb_item_id(held));
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(qb_put(other, "jobs", "y", 1, 0, &id), QB_OK);
		ids[i] = (int64_t)id;
		daemon_kill(&second);
		daemon_start(&second, "--set", copied, NULL);
	}
	ck_assert_int_gt(ids[0], (int64_t)1 << 40);
	ck_assert_int_gt(ids[1], ids[0]);
	ck_assert_int_lt(ids[1], (int64_t)1 << 41);
	ck_assert_int_eq(qb_ack(other, again), QB_OK); /* its session is resumed */
	ok(qb_ack(q, held));
	qb_item_free(held);
	qb_item_free(again);
	qb_close(other);
}
END_TEST

/* --- what does not become one -------------------------------------------------------- */

/* What the mark of a copy says that has begun and not ended. */
static bool
is_unfinished(void)
{
	char line[64] = "";
	FILE *f = fopen(path("copy/backup.qbb"), "r");

	if (f) {
		(void)!fgets(line, sizeof(line), f);
		fclose(f);
	}
	return strstr(line, "unfinished") != NULL;
}

/* As soon as the copying has begun. */
static void
stop_in_the_middle(pid_t pid)
{
	int64_t end = now_ms() + patience_ms();

	while (!is_unfinished())
		ck_assert_msg(now_ms() < end, "there is no copy: %s", said());
	kill(pid, SIGSTOP);
	ck_assert_int_eq(waitpid(pid, NULL, WUNTRACED), pid);
}

START_TEST(a_backup_that_was_cut_off_is_refused)
{
	static char body[1 << 20];
	int status;
	pid_t pid;

	for (int i = 0; i < 64; i++)
		ok(qb_put(q, "jobs", body, sizeof(body), QB_FOREVER, NULL));
	kept_fault("sync@journal-:1:SLOW"); /* or it may have ended before it is seen */
	pid = start_backup(d.address, to);
	memset(d.env, 0, sizeof(d.env));
	stop_in_the_middle(pid);
	ck_assert(is_unfinished());
	daemon_kill(&d);
	daemon_launch(&second, "--set", copied, NULL);
	status = daemon_wait(&second);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	ck_assert_int_eq(daemon_count_log(&second, "did not come to its end"), 1);
	daemon_forget(&second);
	start();
	kill(pid, SIGCONT);
	ck_assert_int_eq(exit_status(pid), 1);
	ck_assert_msg(strstr(said(), "the connection was lost meanwhile"), "%s",
		      said());
	ck_assert(!is_there("copy"));
	backup();
}
END_TEST

static void
churn(void)
{
	static char body[1000];
	qb_item *item;

	for (int i = 0; i < 500; i++) {
		ok(qb_put(q, "jobs", body, sizeof(body), QB_FOREVER, NULL));
		ok(qb_get(q, "jobs", 0, QB_MANUAL, &item));
		ok(qb_ack(q, item));
		qb_item_free(item);
	}
}

START_TEST(segments_stay_while_they_are_copied_and_go_then)
{
	static const char first[] = "state/journal-0000000000000001.qbj";
	int64_t end = now_ms() + patience_ms();
	qb_table *t;
	qb *other;

	ck_assert_int_eq(qb_open(d.address, &other), QB_OK);
	ck_assert_int_eq(qb_backup_begin(other, &t), QB_OK);
	qb_table_free(t);
	ck_assert_int_eq(qb_backup_begin(q, &t), QB_LIMIT);
	ck_assert_ptr_nonnull(strstr(qb_error(q), "makes a backup already"));
	ck_assert_int_eq(qb_backup_end(q), QB_NOT_FOUND);
	churn();
	ck_assert(is_there(first));
	if (_i == 0)
		ck_assert_int_eq(qb_backup_end(other), QB_OK);
	else
		qb_close(other);
	while (is_there(first))
		look_again(end, "the first segment");
	churn();
	if (_i == 0)
		qb_close(other);
	ck_assert_int_eq(number("jobs", "ready"), 0);
}
END_TEST

static void
is_refused(const char *address, const char *into, int status, const char *why)
{
	ck_assert_int_eq(exit_status(start_backup(address, into)), status);
	ck_assert_msg(strstr(said(), why), "%s", said());
}

START_TEST(what_cannot_be_copied_is_said)
{

	second.tcp[0] = "tcp://127.0.0.1:0";
	daemon_start(&second, NULL);
	is_refused(second.tcp_address[0], to, 4, "a backup is made by root");
	is_refused(second.address, to, 2, "the broker has no state_dir");
	is_refused(d.address, home, 1, "is not empty");
	is_refused(d.address, "/proc/none", 1, "/proc/none");
	ck_assert(!is_there("copy"));
	backup();
	is_refused(d.address, to, 1, "is not empty");
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("backup");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, what_was_confirmed_before_is_in_a_backup_under_load, 0,
			    2);
	tcase_add_test(t, a_broker_on_a_backup_is_another_one);
	tcase_add_test(t, a_backup_that_was_cut_off_is_refused);
	tcase_add_loop_test(t, segments_stay_while_they_are_copied_and_go_then, 0, 2);
	tcase_add_test(t, what_cannot_be_copied_is_said);
	return run_case("backup", t);
}
