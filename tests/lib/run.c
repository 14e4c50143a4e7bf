/* SPDX-License-Identifier: MIT
 * Runs Check tests, and what they need around them: folders, time, processes. */
#include <config.h>

#include "tests/lib/run.h"

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 30000
#define TEST_S	    60 /* more than any single wait */

/* What `make check` gives Check's short timeouts; the waits here are long already. */
#define USUAL_MULTIPLIER 4

static char root[64];

int
run_case(const char *name, TCase *t)
{
	return run_long_case(name, t, 0);
}

int
run_long_case(const char *name, TCase *t, int seconds)
{
	Suite *s = suite_create(name);
	SRunner *sr = srunner_create(s);
	int failed;

	signal(SIGPIPE, SIG_IGN);
	snprintf(root, sizeof(root), "/tmp/qbroker-test.XXXXXX");
	if (!mkdtemp(root)) {
		perror(root);
		return 99;
	}
	tcase_set_timeout(t, TEST_S + seconds);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	remove_tree(root);
	return failed != 0;
}

int
run_tests(const char *name, const TTest **tests, size_t n)
{
	TCase *t = tcase_create(name);

	for (size_t i = 0; i < n; i++)
		tcase_add_test(t, tests[i]);
	return run_case(name, t);
}

void
test_folder(char *ret_path, size_t size)
{
	int len = snprintf(ret_path, size, "%s/XXXXXX", root);

	ck_assert_uint_lt((size_t)len, size);
	ck_assert_msg(mkdtemp(ret_path) != NULL, "%s", ret_path);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	remove(path);
	return 0;
}

void
remove_tree(const char *path)
{
	nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int
patience_ms(void)
{
	const char *multiplier = getenv("CK_TIMEOUT_MULTIPLIER");
	int times = multiplier ? atoi(multiplier) / USUAL_MULTIPLIER : 1;

	return PATIENCE_MS * (times > 0 ? times : 1);
}

int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void
look_again(int64_t deadline_ms, const char *what)
{
	ck_assert_msg(now_ms() < deadline_ms, "waited in vain for %s", what);
	poll(NULL, 0, 2);
}

/* Every assertion, also one that holds, writes to a file that Check shares with all
 * processes of the test: two that write at once, or one that is killed while it writes,
 * make it unreadable. A child's failure is told by its exit status. */
static void
leave_check(void)
{
	char link[64], target[128];
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	ssize_t len;

	for (int fd = STDERR_FILENO + 1; fd < 64; fd++) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		len = readlink(link, target, sizeof(target) - 1);
		target[len > 0 ? len : 0] = '\0';
		if (strstr(target, "/check_") && strstr(target, " (deleted)"))
			dup2(null, fd);
	}
	close(null);
}

void
child_start(struct child *c, void (*work)(int line, void *arg), void *arg)
{
	int pair[2];
	pid_t parent = getpid();

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	c->pid = fork();
	ck_assert_int_ge(c->pid, 0);
	if (c->pid == 0) {
		close(pair[0]);
		leave_check();
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			work(pair[1], arg);
		_exit(0);
	}
	close(pair[1]);
	c->line = pair[0];
}

void
line_say(int line, char c)
{
	ck_assert_int_eq(send(line, &c, 1, MSG_NOSIGNAL), 1);
}

int
line_hear(int line)
{
	struct pollfd p = {.fd = line, .events = POLLIN};
	char c;

	ck_assert_msg(poll(&p, 1, patience_ms()) == 1, "the other process is silent");
	return recv(line, &c, 1, 0) == 1 ? c : -1;
}

void
child_kill(struct child *c)
{
	ck_assert_int_eq(kill(c->pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(c->pid, NULL, 0), c->pid);
}

void
child_join(struct child *c)
{
	int status;

	ck_assert_int_eq(waitpid(c->pid, &status, 0), c->pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		      "a child ended with wait status %d", status);
	close(c->line);
}
