/* SPDX-License-Identifier: MIT
 * Starts and stops the servers. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/bench.h"

void
die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("bench: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(EXIT_FAILURE);
}

double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
run_broker(const char *program, const char *address, int log_fd)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(log_fd, STDERR_FILENO);
	execl(program, program, "--listen", address, (char *)NULL);
	_exit(127);
}

/* Reads the broker's log until it serves. */
static void
wait_until_ready(int fd)
{
	FILE *log = fdopen(fd, "r");
	char line[2048];

	while (log && fgets(line, sizeof(line), log))
		if (strstr(line, "event=ready")) {
			fclose(log);
			return;
		}
	die("the broker did not start");
}

pid_t
broker_start(const char *program, const char *folder, char *ret_address, size_t len)
{
	int ends[2];
	pid_t pid;

	snprintf(ret_address, len, "unix:%s/qbrokerd.sock", folder);
	if (pipe2(ends, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		die("%s", strerror(errno));
	if (pid == 0)
		run_broker(program, ret_address, ends[1]);
	close(ends[1]);
	wait_until_ready(ends[0]);
	return pid;
}

void
server_stop(pid_t pid)
{
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}
