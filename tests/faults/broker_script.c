/* SPDX-License-Identifier: MIT
 *
 * broker_script run FOLDER OPERATIONS SEED PROGRAM [ARGUMENT…]
 * broker_script list FOLDER PROGRAM [ARGUMENT…]
 *
 * Starts the broker PROGRAM with its state in FOLDER and has clients work, or lists what it has; then
 * ends it: `list` and, for odd seeds, `run` with SIGKILL, else with SIGTERM. The exit
 * status is the broker's; 128 and the signal when it was killed by another. Its socket and
 * log are beside the folder.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/faults/broker_script.h"

#define MAX_ARGUMENTS 40

struct broker {
	char address[4200], log[4200];
	char state[4200], **arguments;
	pid_t pid;
	int status; /* when `pid` is 0 */
};

void
say(const char *format, ...)
{
	char line[400];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof line - 1, format, args);
	va_end(args);
	line[len++] = '\n';
	if (write(1, line, (size_t)len) != len)
		exit(1);
}

unsigned
below(uint64_t *seed, unsigned bound)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(*seed >> 33) % bound;
}

size_t
size_of(unsigned worker, unsigned n)
{
	size_t size = 24 + (size_t)n * WORKERS + worker;

	return n % 24 == 23 ? size + 12000 : size; /* some are larger than others */
}

void
make_body(char *ret, size_t size)
{
	uint64_t seed = size;

	for (size_t i = 0; i < size; i++)
		ret[i] = (char)('a' + below(&seed, 26));
}

bool
is_body(const void *body, size_t size)
{
	static char wanted[MAX_BODY];

	if (size > sizeof wanted)
		return false;
	make_body(wanted, size);
	return memcmp(body, wanted, size) == 0;
}

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool
has_ended(struct broker *b)
{
	int status;

	if (b->pid != 0 && waitpid(b->pid, &status, WNOHANG) == b->pid) {
		b->pid = 0;
		b->status = WIFEXITED(status) ? WEXITSTATUS(status)
					      : 128 + WTERMSIG(status);
	}
	return b->pid == 0;
}

static void
start(struct broker *b)
{
	pid_t parent = getpid();

	b->pid = fork();
	if (b->pid == 0) {
		int log = open(b->log, O_CREAT | O_APPEND | O_WRONLY, 0600);
		int null = open("/dev/null", O_WRONLY);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent || log < 0 || dup2(null, 1) < 0 ||
		    dup2(log, 2) < 0)
			_exit(99);
		execv(b->arguments[0], b->arguments);
		_exit(99);
	}
}

/* Waits until it answers. */
static bool
is_ready(struct broker *b)
{
	int64_t end = now_ms() + WAIT_MS;

	while (!has_ended(b) && now_ms() < end) {
		qb *q;
		qb_result result = qb_open(b->address, &q);

		qb_close(q);
		if (result == QB_OK)
			return true;
		poll(NULL, 0, 1);
	}
	return false;
}

/* Ends it and returns its status: 0 when it was this signal. */
static int
end(struct broker *b, int signal)
{
	int64_t last = now_ms() + WAIT_MS;

	if (has_ended(b))
		return b->status;
	kill(b->pid, signal);
	while (!has_ended(b)) {
		if (now_ms() > last)
			kill(b->pid, SIGKILL);
		poll(NULL, 0, 1);
	}
	return b->status == 128 + signal ? 0 : b->status;
}

/* Waits until the workers, of whom there are `n`, have ended, or the broker has by itself: then
 * they are killed. */
static int
watch(struct broker *b, pid_t *workers, int n)
{
	for (int left = n; left > 0;) {
		if (has_ended(b))
			break;
		for (int i = 0; i < n; i++)
			if (workers[i] != 0 &&
			    waitpid(workers[i], NULL, WNOHANG) != 0) {
				workers[i] = 0;
				left--;
			}
		poll(NULL, 0, 1);
	}
	for (int i = 0; i < n; i++)
		if (workers[i] != 0) {
			kill(workers[i], SIGKILL);
			waitpid(workers[i], NULL, 0);
		}
	return has_ended(b) ? b->status : 0;
}

static int
run(struct broker *b, unsigned operations, unsigned seed)
{
	pid_t workers[WORKERS];

	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i] = fork();
		if (workers[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			work(b->address, i, operations, seed);
		}
	}
	int status = watch(b, workers, WORKERS);
	return b->pid == 0 ? status : end(b, seed % 2 ? SIGKILL : SIGTERM);
}

/* The broker's arguments are the caller's and where its state, log and socket are. */
static void
prepare(struct broker *b, const char *folder, char **arguments, int n)
{
	static char *all[MAX_ARGUMENTS];
	static char listen[] = "--listen", set[] = "--set";

	snprintf(b->address, sizeof b->address, "unix:%s.sock", folder);
	snprintf(b->log, sizeof b->log, "%s.log", folder);
	snprintf(b->state, sizeof b->state, "state_dir=%s", folder);
	if (n > MAX_ARGUMENTS - 6)
		exit(2);
	memcpy(all, arguments, (size_t)n * sizeof *all);
	all[n++] = listen;
	all[n++] = b->address;
	all[n++] = set;
	all[n++] = b->state;
	b->arguments = all;
}

int
main(int argc, char **argv)
{
	bool runs = argc > 5 && strcmp(argv[1], "run") == 0;
	bool lists = argc > 3 && strcmp(argv[1], "list") == 0;
	int first = runs ? 5 : 3;
	struct broker b = {0};

	if (!runs && !lists) {
		fprintf(stderr, "usage: broker_script run FOLDER OPERATIONS SEED "
				"PROGRAM…, or list FOLDER PROGRAM…\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	prepare(&b, argv[2], argv + first, argc - first);
	start(&b);
	if (!is_ready(&b))
		return b.pid == 0 && b.status != 0 ? b.status : 98;
	if (runs)
		return run(&b, (unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]));
	bool listed = list_items(b.address);
	int status = end(&b, SIGKILL);
	return listed || status != 0 ? status : 97;
}
