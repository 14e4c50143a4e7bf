/* SPDX-License-Identifier: MIT
 * The loop's niceness while many ask at once. Each test is a process of its own, so nothing has to be put back. */
#include <check.h>

#include <dirent.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/net/closer.h"
#include "daemon/priority.h"

#define STEPS 3
#define NOW   (PRIORITY_STAY_NS * 100)

static void
become_somebody(void)
{
	struct rlimit none = {0, 0};

	ck_assert_int_eq(setrlimit(RLIMIT_NICE, &none), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(setuid(65534), 0);
}

/* root may lack the right, in a container. */
static bool
may_be_preferred(void)
{
	return setpriority(PRIO_PROCESS, 0, 9) == 0 &&
	       setpriority(PRIO_PROCESS, 0, 8) == 0;
}

static void
start(struct priority *p, unsigned steps)
{
	log_open(false, LOG_LEVEL_ERROR);
	ck_assert_int_eq(setpriority(PRIO_PROCESS, 0, 10), 0);
	priority_init(p, steps);
}

static int
niceness(void)
{
	return getpriority(PRIO_PROCESS, 0);
}

START_TEST(who_is_asked_by_many_is_preferred_for_a_while)
{
	struct priority p;

	if (!may_be_preferred())
		return;
	start(&p, STEPS);
	priority_turn(&p, PRIORITY_CROWD - 1, NOW);
	ck_assert_int_eq(niceness(), 10);
	priority_turn(&p, 2 * PRIORITY_CROWD - 1, NOW);
	ck_assert_int_eq(niceness(), 10 - STEPS);
	priority_turn(&p, 2 * PRIORITY_CROWD, NOW + PRIORITY_STAY_NS);
	ck_assert_int_eq(niceness(), 10 - STEPS);
	priority_turn(&p, 2 * PRIORITY_CROWD + 1, NOW + PRIORITY_STAY_NS + 1);
	ck_assert_int_eq(niceness(), 10);
	priority_turn(&p, 3 * PRIORITY_CROWD + 1, NOW + 2 * PRIORITY_STAY_NS);
	ck_assert_int_eq(niceness(), 10 - STEPS);
}
END_TEST

START_TEST(what_is_not_allowed_is_left)
{
	struct priority p;

	start(&p, STEPS);
	become_somebody();
	priority_turn(&p, PRIORITY_CROWD, NOW);
	ck_assert_int_eq(niceness(), 10);
	priority_turn(&p, 2 * PRIORITY_CROWD, NOW);
	ck_assert_int_eq(niceness(), 10);
	ck_assert(!p.raised);
}
END_TEST

START_TEST(nobody_is_preferred_by_no_step)
{
	struct priority p;

	start(&p, 0);
	priority_turn(&p, PRIORITY_CROWD, NOW);
	ck_assert_int_eq(niceness(), 10);
}
END_TEST

START_TEST(there_are_no_steps_beyond_the_last)
{
	struct priority p;

	start(&p, 39);
	ck_assert_int_eq(p.preferred, PRIO_MIN);
}
END_TEST

/* Of the one thread beside this one. */
static int
niceness_of_the_other(void)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	int n = 0, found = 0;

	ck_assert_ptr_nonnull(tasks);
	while ((entry = readdir(tasks))) {
		int id = atoi(entry->d_name);

		if (id == 0 || id == getpid())
			continue;
		found = getpriority(PRIO_PROCESS, (id_t)id);
		n++;
	}
	closedir(tasks);
	ck_assert_int_eq(n, 1);
	return found;
}

/* A thread has the niceness of who starts it, for as long as it lives. */
START_TEST(a_thread_that_is_started_meanwhile_is_not_preferred)
{
	struct closer *closer = NULL;
	struct priority p;
	int ends[2];

	if (!may_be_preferred())
		return;
	start(&p, STEPS);
	priority_turn(&p, PRIORITY_CROWD, NOW);
	ck_assert_int_eq(niceness(), 10 - STEPS);
	ck_assert_int_eq(pipe(ends), 0);
	closer_close(&closer, ends[0]);
	while (closer_waiting(closer) > 0)
		sched_yield();
	ck_assert_int_eq(niceness_of_the_other(), 10);
	ck_assert_int_eq(niceness(), 10 - STEPS);
	close(ends[1]);
	closer_free(closer);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("priority");
	TCase *t = tcase_create("priority");
	SRunner *r;
	int failed;

	tcase_add_test(t, who_is_asked_by_many_is_preferred_for_a_while);
	tcase_add_test(t, what_is_not_allowed_is_left);
	tcase_add_test(t, nobody_is_preferred_by_no_step);
	tcase_add_test(t, a_thread_that_is_started_meanwhile_is_not_preferred);
	tcase_add_test(t, there_are_no_steps_beyond_the_last);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed > 0;
}
