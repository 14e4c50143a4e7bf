/* SPDX-License-Identifier: MIT
 * nice_boost: the broker's threads are preferred where the system allows it, and go on where it does not. */
#include <config.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/lib/daemon.h"
#include "tests/lib/run.h"
#include "tests/lib/wire.h"

#define CLIENTS 16
#define TRIES	1000

static struct daemon d;

static bool
may_be_preferred(void)
{
	bool may = setpriority(PRIO_PROCESS, 0, -5) == 0;

	ck_assert_int_eq(setpriority(PRIO_PROCESS, 0, 0), 0);
	return may;
}

static int
niceness(pid_t thread)
{
	return getpriority(PRIO_PROCESS, (id_t)thread);
}

/* All of them are there when its turn begins. */
static void
ask_at_once(struct wire w[CLIENTS])
{
	struct qp_request put = {.op = QP_OP_PUT, .rid = 7, .queue = str("q")};
	int status;

	ck_assert_int_eq(kill(d.pid, SIGSTOP), 0);
	ck_assert_int_eq(waitpid(d.pid, &status, WUNTRACED), d.pid);
	for (int i = 0; i < CLIENTS; i++)
		wire_send(&w[i], put, "x", 1);
	ck_assert_int_eq(kill(d.pid, SIGCONT), 0);
	for (int i = 0; i < CLIENTS; i++)
		wire_expect(&w[i], QP_OP_PUT, 7, QP_OK);
}

START_TEST(the_loop_is_preferred_while_many_ask_at_once)
{
	struct wire w[CLIENTS];
	int nice = may_be_preferred() ? -5 : 0, tries = 0;

	daemon_start(&d, "--set", "nice_boost=5", NULL);
	for (int i = 0; i < CLIENTS; i++)
		wire_open(&w[i], d.address);
	wire_put_text(&w[0], "q", "x");
	ck_assert_int_eq(niceness(d.pid), 0);
	do
		ask_at_once(w);
	while (niceness(d.pid) != nice && ++tries < TRIES);
	ck_assert_int_eq(niceness(d.pid), nice);
	if (nice == 0)
		daemon_wait_log(&d, "event=priority_refused", 1);
	for (tries = 0; niceness(d.pid) != 0 && tries < 100 * TRIES; tries++)
		wire_put_text(&w[0], "q", "x");
	ck_assert_int_eq(niceness(d.pid), 0);
	ck_assert_int_le(daemon_count_log(&d, "event=priority_refused"), 1);
	for (int i = 0; i < CLIENTS; i++)
		wire_close(&w[i]);
	daemon_stop(&d);
}
END_TEST

static int
threads_with(int nice)
{
	char path[64];
	struct dirent *e;
	DIR *dir;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)d.pid);
	ck_assert_ptr_nonnull(dir = opendir(path));
	while ((e = readdir(dir)))
		if (e->d_name[0] != '.' && niceness(atoi(e->d_name)) == nice)
			n++;
	closedir(dir);
	return n;
}

START_TEST(the_thread_that_syncs_is_preferred)
{
	struct wire w;
	char folder[96], state[128];
	int preferred = may_be_preferred() ? 1 : 0;

	test_folder(folder, sizeof(folder));
	snprintf(state, sizeof(state), "state_dir=%s/state", folder);
	daemon_start(&d, "--set", state, "--set", "durable=sync", "--set",
		     "nice_boost=5", NULL);
	wire_open(&w, d.address);
	wire_put_text(&w, "q", "x");
	ck_assert_int_eq(threads_with(-5), preferred);
	ck_assert_int_eq(niceness(d.pid), 0);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

RUN_TESTS("priority", the_loop_is_preferred_while_many_ask_at_once,
	  the_thread_that_syncs_is_preferred)
