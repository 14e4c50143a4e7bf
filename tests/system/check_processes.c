/* SPDX-License-Identifier: MIT
 * Several processes, through libqbroker, as its users see them: join, shutdown, waits
 * over processes. */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/qbroker.h"
#include "tests/lib/daemon.h"
#include "tests/lib/run.h"
#include "tests/lib/wire.h"

static struct daemon d;

static qb *
open_handle(void)
{
	qb *q;

	ck_assert_int_eq(qb_open(d.address, &q), QB_OK);
	return q;
}

static void
put_text(qb *q, const char *queue, const char *text)
{
	ck_assert_int_eq(qb_put(q, queue, text, strlen(text), QB_FOREVER, NULL), QB_OK);
}

/* Works until the queue is shut down; says how many items it finished as its last
 * byte. */
static void
work(int line, void *arg)
{
	qb *q = open_handle();
	qb_item *item;
	char n = 0;

	(void)arg;
	line_say(line, 'r');
	while (qb_get(q, "jobs", QB_FOREVER, QB_MANUAL, &item) == QB_OK) {
		ck_assert_int_eq(qb_ack(q, item), QB_OK);
		qb_item_free(item);
		n++;
	}
	line_say(line, n);
	qb_close(q);
}

START_TEST(join_in_one_process_waits_for_the_workers_of_others)
{
	struct child workers[3];
	int finished = 0;
	qb *q;

	daemon_start(&d, NULL);
	q = open_handle();
	for (int i = 0; i < 3; i++) {
		child_start(&workers[i], work, NULL);
		ck_assert_int_eq(line_hear(workers[i].line), 'r');
	}
	for (int i = 0; i < 60; i++)
		put_text(q, "jobs", "job");
	ck_assert_int_eq(qb_join(q, "jobs", QB_FOREVER), QB_OK);
	ck_assert_int_eq(qb_shutdown(q, "jobs", 0), QB_OK);
	for (int i = 0; i < 3; i++) {
		finished += line_hear(workers[i].line);
		child_join(&workers[i]);
	}
	ck_assert_int_eq(finished, 60);
	qb_close(q);
	daemon_stop(&d);
}
END_TEST

static void
join_and_say(int line, void *arg)
{
	qb *q = open_handle();

	(void)arg;
	line_say(line, 'r');
	ck_assert_int_eq(qb_join(q, "jobs", QB_FOREVER), QB_OK);
	line_say(line, 'j');
	qb_close(q);
}

START_TEST(a_joiner_that_dies_is_forgotten)
{
	struct child joiner;
	struct wire w;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	wire_put_text(&w, "jobs", "job");
	child_start(&joiner, join_and_say, NULL);
	wait_for_queue(&w, "jobs", "joiners", 1);
	child_kill(&joiner);
	wait_for_queue(&w, "jobs", "joiners", 0);
	ck_assert_int_eq(wire_ack(&w, wire_take_text(&w, "jobs", "job")), QP_OK);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

/* Waits in get, or with `arg` in put, until the shutdown says so. */
static void
see_shutdown(int line, void *arg)
{
	qb *q = open_handle();
	qb_item *item;
	qb_result result = arg ? qb_put(q, "full", "x", 1, QB_FOREVER, NULL)
			       : qb_get(q, "empty", QB_FOREVER, QB_MANUAL, &item);

	line_say(line, result == QB_SHUT_DOWN ? 's' : '?');
	qb_close(q);
}

START_TEST(a_shutdown_is_seen_by_all_who_wait_in_other_processes)
{
	static const char *const options[] = {"maxsize=1", NULL};
	struct child getters[3], putters[3];
	struct wire w;
	qb *q;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	q = open_handle();
	ck_assert_int_eq(qb_declare(q, "full", options, 0, NULL), QB_OK);
	put_text(q, "full", "first");
	for (int i = 0; i < 3; i++) {
		child_start(&getters[i], see_shutdown, NULL);
		child_start(&putters[i], see_shutdown, &d);
	}
	wait_for_queue(&w, "empty", "getters", 3);
	wait_for_queue(&w, "full", "putters", 3);
	ck_assert_int_eq(qb_shutdown(q, "empty", 0), QB_OK);
	ck_assert_int_eq(qb_shutdown(q, "full", 0), QB_OK);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(line_hear(getters[i].line), 's');
		ck_assert_int_eq(line_hear(putters[i].line), 's');
		child_join(&getters[i]);
		child_join(&putters[i]);
	}
	wire_take_text(&w, "full", "first"); /* what was there drains */
	qb_close(q);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

/* --- fork ------------------------------------------------------------------------ */

/* The handle of the process that forks, as its child inherits it. */
static qb *inherited;

/* In the forked child: works on with the inherited handle, with a session of its
 * own. */
static void
use_inherited(int line, void *arg)
{
	qb_item *item;

	(void)arg;
	ck_assert_int_eq(qb_get(inherited, "q", QB_FOREVER, QB_MANUAL, &item), QB_OK);
	ck_assert_mem_eq(qb_item_body(item), "second", 7);
	line_say(line, 'c');
	ck_assert_int_eq(line_hear(line), 'a');
	ck_assert_int_eq(qb_ack(inherited, item), QB_OK);
	qb_item_free(item);
	qb_close(inherited);
	line_say(line, 'd');
}

/* What stands between the test and the forked child: it holds "first" and is killed.
 * `line` is handed on, so that the test can talk with the child. */
static void
hold_and_fork(int line, void *arg)
{
	qb_item *item;
	pid_t pid;

	inherited = open_handle();
	ck_assert_int_eq(qb_get(inherited, "q", QB_FOREVER, QB_MANUAL, &item), QB_OK);
	ck_assert_mem_eq(qb_item_body(item), "first", 6);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		use_inherited(line, arg);
		_exit(0);
	}
	for (;;)
		pause();
}

START_TEST(a_killed_parents_item_comes_back_although_its_forked_child_lives_on)
{
	struct child parent;
	struct wire w;
	struct taken item;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	wire_put_text(&w, "q", "first");
	wire_put_text(&w, "q", "second");
	child_start(&parent, hold_and_fork, NULL);
	ck_assert_int_eq(line_hear(parent.line), 'c');
	ck_assert_int_eq(queue_number(&w, "q", "leased"), 2);
	child_kill(&parent);
	item = wire_take_text(&w, "q", "first");
	ck_assert_uint_eq(item.crashes, 1);
	ck_assert_int_eq(queue_number(&w, "q", "ready"),
			 0); /* the child's is its own */
	line_say(parent.line, 'a');
	ck_assert_int_eq(line_hear(parent.line), 'd');
	wait_for_queue(&w, "q", "unfinished", 1);
	ck_assert_int_eq(wire_ack(&w, item), QP_OK);
	check_conservation(&w, "q");
	close(parent.line);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

/* The child of a fork that never calls the library ends; the parent must not notice. */
static void
do_nothing(int line, void *arg)
{
	(void)line, (void)arg;
}

START_TEST(a_forked_child_that_ends_does_not_disturb_its_parents_session)
{
	struct child idle;
	qb_item *item;

	daemon_start(&d, NULL);
	inherited = open_handle();
	put_text(inherited, "q", "x");
	ck_assert_int_eq(qb_get(inherited, "q", 0, QB_MANUAL, &item), QB_OK);
	child_start(&idle, do_nothing, NULL);
	child_join(&idle);
	ck_assert_int_eq(qb_ack(inherited, item), QB_OK);
	qb_item_free(item);
	qb_close(inherited);
	daemon_stop(&d);
}
END_TEST

static void
use_and_close(int line, void *arg)
{
	uint64_t n;

	(void)line, (void)arg;
	ck_assert_int_eq(qb_size(inherited, "q", &n, NULL, NULL), QB_OK);
	ck_assert_int_eq(qb_task_done(inherited, "q"), QB_NOT_LEASED);
	qb_close(inherited);
}

START_TEST(a_forked_child_that_uses_the_handle_does_not_disturb_its_parents_session)
{
	struct child user;
	qb_item *item;

	daemon_start(&d, NULL);
	inherited = open_handle();
	put_text(inherited, "q", "x");
	ck_assert_int_eq(qb_get(inherited, "q", 0, QB_MANUAL, &item), QB_OK);
	child_start(&user, use_and_close, NULL);
	child_join(&user);
	ck_assert_int_eq(qb_ack(inherited, item), QB_OK);
	qb_item_free(item);
	qb_close(inherited);
	daemon_stop(&d);
}
END_TEST

RUN_TESTS("processes", join_in_one_process_waits_for_the_workers_of_others,
	  a_joiner_that_dies_is_forgotten,
	  a_shutdown_is_seen_by_all_who_wait_in_other_processes,
	  a_killed_parents_item_comes_back_although_its_forked_child_lives_on,
	  a_forked_child_that_ends_does_not_disturb_its_parents_session,
	  a_forked_child_that_uses_the_handle_does_not_disturb_its_parents_session)
