/* SPDX-License-Identifier: MIT
 * The built qbrokerd as a child of a test. Its stderr goes to a file, so that nothing
 * needs to read it for the daemon to go on. */
#include <config.h>

#include "tests/lib/daemon.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/run.h"

#define MAX_ARGS 64

struct arguments {
	char *v[MAX_ARGS];
	int n;
};

static void
add(struct arguments *args, const char *arg)
{
	ck_assert_int_lt(args->n, MAX_ARGS - 1);
	args->v[args->n] = strdup(arg);
	ck_assert_ptr_nonnull(args->v[args->n]);
	args->v[++args->n] = NULL;
}

static void
add_program(struct arguments *args)
{
	const char *program = getenv("QBROKERD");
	char *copy = strdup(program ? program : "./qbrokerd"), *rest;

	for (char *word = strtok_r(copy, " ", &rest); word;
	     word = strtok_r(NULL, " ", &rest))
		add(args, word);
	free(copy);
}

static void
write_lines(const char *path, const char *const *lines, size_t n)
{
	FILE *out = fopen(path, "we");

	ck_assert_msg(out != NULL, "%s", path);
	for (size_t i = 0; i < n && lines[i]; i++)
		fprintf(out, "%s\n", lines[i]);
	ck_assert_int_eq(fclose(out), 0);
}

void
daemon_write_config(struct daemon *d, ...)
{
	const char *lines[32] = {NULL};
	size_t n = 0;
	va_list ap;

	va_start(ap, d);
	while (n < 31 && (lines[n] = va_arg(ap, const char *)))
		n++;
	va_end(ap);
	write_lines(d->config_path, lines, n);
}

static void
make_folder(struct daemon *d)
{
	if (d->folder[0])
		return;
	test_folder(d->folder, sizeof(d->folder));
	snprintf(d->socket, sizeof(d->socket), "%s/socket", d->folder);
	snprintf(d->address, sizeof(d->address), "unix:%s", d->socket);
	snprintf(d->config_path, sizeof(d->config_path), "%s/conf", d->folder);
	snprintf(d->log_path, sizeof(d->log_path), "%s/log", d->folder);
	write_lines(d->config_path, d->config, 8);
}

/* What the machine or a service manager has set for the test is not meant for the
 * daemon. */
static void
clean_environment(const struct daemon *d)
{
	static const char *const foreign[] = {"NOTIFY_SOCKET",	"LISTEN_FDS",
					      "LISTEN_PID",	"LISTEN_FDNAMES",
					      "WATCHDOG_USEC",	"WATCHDOG_PID",
					      "JOURNAL_STREAM", "QBROKER_ADDR"};

	for (size_t i = 0; i < sizeof(foreign) / sizeof(*foreign); i++)
		unsetenv(foreign[i]);
	for (size_t i = 0; i < 4 && d->env[i]; i++)
		putenv((char *)(uintptr_t)d->env[i]);
}

static void
run_child(const struct daemon *d, struct arguments *args, pid_t parent)
{
	int log = open(d->log_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
	struct rlimit fds = {d->max_fds, d->max_fds};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || log < 0 || dup2(log, STDERR_FILENO) < 0 ||
	    (d->max_fds && setrlimit(RLIMIT_NOFILE, &fds) != 0))
		_exit(126);
	clean_environment(d);
	signal(SIGPIPE, SIG_DFL);
	syscall(SYS_close_range, 3, ~0u, 0);
	execv(args->v[0], args->v);
	dprintf(STDERR_FILENO, "cannot run %s\n", args->v[0]);
	_exit(127);
}

static void
launch(struct daemon *d, va_list ap)
{
	struct arguments args = {{NULL}, 0};
	pid_t parent = getpid();

	make_folder(d);
	unlink(d->log_path); /* of the daemon before */
	add_program(&args);
	add(&args, "--config");
	add(&args, d->config_path);
	if (!d->no_unix) {
		add(&args, "--listen");
		add(&args, d->address);
	}
	for (size_t i = 0; i < 2 && d->tcp[i]; i++) {
		add(&args, "--listen");
		add(&args, d->tcp[i]);
	}
	for (const char *arg; (arg = va_arg(ap, const char *));)
		add(&args, arg);
	d->pid = fork();
	ck_assert_int_ge(d->pid, 0);
	if (d->pid == 0)
		run_child(d, &args, parent);
	while (args.n > 0)
		free(args.v[--args.n]);
}

/* The whole log, to be freed; empty when there is none. */
static char *
read_log(const struct daemon *d)
{
	FILE *in = fopen(d->log_path, "re");
	size_t room = 1 << 20, len = 0;
	char *text = malloc(room);

	ck_assert_ptr_nonnull(text);
	if (in) {
		len = fread(text, 1, room - 1, in);
		fclose(in);
	}
	text[len] = 0;
	return text;
}

static void
show_log(const struct daemon *d)
{
	char *text = read_log(d);
	size_t len = strlen(text);

	fprintf(stderr, "--- the daemon's log\n%s",
		len > 8000 ? text + len - 8000 : text);
	free(text);
}

int
daemon_count_log(struct daemon *d, const char *text)
{
	char *log = read_log(d);
	int n = 0;

	for (char *at = log; (at = strstr(at, text)); at++)
		n++;
	free(log);
	return n;
}

void
daemon_wait_log(struct daemon *d, const char *text, int times)
{
	int64_t deadline = now_ms() + patience_ms();

	while (daemon_count_log(d, text) < times) {
		siginfo_t info = {.si_pid = 0};

		if (waitid(P_PID, (id_t)d->pid, &info, WEXITED | WNOHANG | WNOWAIT) ||
		    info.si_pid || now_ms() >= deadline) {
			show_log(d);
			ck_abort_msg("%s: waited in vain for %s",
				     info.si_pid ? "the daemon has ended" : "bounded",
				     text);
		}
		look_again(deadline + 1000, text);
	}
}

/* The n-th TCP address that it listens on, with the port that it got. */
static void
find_tcp(struct daemon *d, int n)
{
	char *log = read_log(d), *at = log;

	for (int i = 0; i <= n && at; i++)
		at = strstr(i ? at + 1 : at, "address=tcp://");
	ck_assert_msg(at != NULL, "the daemon does not say where it listens");
	ck_assert_int_eq(sscanf(at, "address=%63[^ \n]", d->tcp_address[n]), 1);
	free(log);
}

void
daemon_start(struct daemon *d, ...)
{
	va_list ap;

	va_start(ap, d);
	launch(d, ap);
	va_end(ap);
	daemon_wait_log(d, "event=ready", 1);
	for (int i = 0; i < 2 && d->tcp[i]; i++)
		find_tcp(d, i);
}

void
daemon_launch(struct daemon *d, ...)
{
	va_list ap;

	va_start(ap, d);
	launch(d, ap);
	va_end(ap);
}

int
daemon_wait(struct daemon *d)
{
	int64_t deadline = now_ms() + patience_ms();
	int status;
	pid_t pid;

	while ((pid = waitpid(d->pid, &status, WNOHANG)) == 0) {
		if (now_ms() >= deadline)
			show_log(d);
		look_again(deadline, "the daemon's end");
	}
	ck_assert_int_eq(pid, d->pid);
	d->pid = 0;
	if (daemon_count_log(d, "Sanitizer") || daemon_count_log(d, "runtime error")) {
		show_log(d);
		ck_abort_msg("a sanitizer has something to say");
	}
	return status;
}

void
daemon_stop(struct daemon *d)
{
	int status;

	ck_assert_int_eq(kill(d->pid, SIGTERM), 0);
	status = daemon_wait(d);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		show_log(d);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		      "the daemon ended with wait status %d", status);
	daemon_forget(d);
}

void
daemon_forget(struct daemon *d)
{
	remove_tree(d->folder);
	*d = (struct daemon){.pid = 0};
}

void
daemon_kill(struct daemon *d)
{
	ck_assert_int_eq(kill(d->pid, SIGKILL), 0);
	daemon_wait(d);
}

static char *
skip_words(char *at, int n)
{
	for (; n > 0; n--) {
		at += strspn(at, " \t");
		at += strcspn(at, " \t");
	}
	return at;
}

/* The n-th number, from 0, behind `after` in a file below /proc/PID. */
static long
proc_number(const struct daemon *d, const char *file, const char *after, int n)
{
	char path[64], text[4096];
	FILE *in;
	size_t len;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)d->pid, file);
	in = fopen(path, "re");
	ck_assert_msg(in != NULL, "%s", path);
	len = fread(text, 1, sizeof(text) - 1, in);
	text[len] = 0;
	fclose(in);

	char *at = strstr(text, after);

	ck_assert_msg(at != NULL, "%s has no %s", path, after);
	return strtol(skip_words(at + strlen(after), n), NULL, 10);
}

long
daemon_cpu_ms(const struct daemon *d)
{
	long ticks =
		proc_number(d, "stat", ") ", 11) + proc_number(d, "stat", ") ", 12);

	return ticks * 1000 / sysconf(_SC_CLK_TCK);
}

long
daemon_resident(const struct daemon *d)
{
	return proc_number(d, "status", "VmRSS:", 0) * 1024;
}

bool
daemon_is_watched(const struct daemon *d)
{
	char path[64], line[512];
	bool watched = false;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)d->pid);
	in = fopen(path, "re");
	ck_assert_msg(in != NULL, "%s", path);
	while (fgets(line, sizeof(line), in))
		watched |= strstr(line, "libasan") || strstr(line, "vgpreload");
	fclose(in);
	return watched;
}
