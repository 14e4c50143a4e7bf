/* SPDX-License-Identifier: MIT
 * Runs Check tests: one process for each, a folder that is removed at the end, and
 * bounds of time that grow with a CK_TIMEOUT_MULTIPLIER above the usual (valgrind,
 * sanitizers). */
#ifndef QBROKER_TESTS_LIB_RUN_H
#define QBROKER_TESTS_LIB_RUN_H

#include <check.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The body of main(): runs the tests and returns the exit status. */
int run_tests(const char *name, const TTest **tests, size_t n);

#define RUN_TESTS(name, ...)                                                   \
	int main(void)                                                         \
	{                                                                      \
		const TTest *tests[] = {__VA_ARGS__};                          \
		return run_tests(name, tests, sizeof(tests) / sizeof(*tests)); \
	}

/* The same for a case that has fixtures or loops. */
int run_case(const char *name, TCase *t);

/* The same for tests that take so many seconds if all goes well. */
int run_long_case(const char *name, TCase *t, int seconds);

/* Writes the path of a new folder inside the one that run_case() removes. */
void test_folder(char *ret_path, size_t size);

/* Removes a folder with all that is in it. */
void remove_tree(const char *path);

/* How long a test waits for what must come: milliseconds, as long as nobody would want
 * to wait. */
int patience_ms(void);

/* The monotonic clock in milliseconds. */
int64_t now_ms(void);

/* Waits a short moment between two looks at something that tells nobody when it
 * changes; fails the test when `deadline_ms` is over. */
void look_again(int64_t deadline_ms, const char *what);

/* A process of the test's own: runs `work(line, arg)` and exits. It dies with the test.
 * `line` is its end of a socket pair, the parent's end is in the struct. */
struct child {
	pid_t pid;
	int line;
};
void child_start(struct child *c, void (*work)(int line, void *arg), void *arg);

/* Sends one byte; waits for one byte, and returns it, or -1 when the other end is
 * closed. */
void line_say(int line, char c);
int line_hear(int line);

/* SIGKILL, and waits until the process is gone. The line stays open, for those to whom
 * it was handed on. */
void child_kill(struct child *c);

/* Waits until it has ended by itself, with exit status 0. */
void child_join(struct child *c);

#endif
