/* SPDX-License-Identifier: MIT
 * The command line, and what must happen however the benchmark ends: the work is done in a
 * child; when that ends its servers and workers do, and then the folder is removed. */
#include <argp.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/modes.h"
#include "bench/rounds.h"

static volatile sig_atomic_t child_pid;

enum long_option {
	OPTION_COMPARE = 256,
	OPTION_BUILD,
	OPTION_ONLY,
};

static unsigned
parse_number(struct argp_state *state, const char *name, const char *arg, unsigned most)
{
	char *end;
	unsigned long n = strtoul(arg, &end, 10);

	if (*end || n < 1 || n > most)
		argp_error(state, "--%s %s: 1 to %u are allowed", name, arg, most);
	return (unsigned)n;
}

static void
set_defaults(struct settings *s)
{
	if (s->rounds == 0)
		s->rounds = s->compare[0] ? 31 : s->quick ? 5 : 9;
	if (s->slice_ns == 0)
		s->slice_ns = s->compare[0] || s->quick ? 50000000 : 100000000;
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct settings *s = state->input;

	switch (key) {
	case 'r': s->rounds = parse_number(state, "rounds", arg, MAX_ROUNDS); return 0;
	case 'q': s->quick = true; return 0;
	case 's':
		s->slice_ns =
			parse_number(state, "slice", arg, 1000) * INT64_C(1000000);
		return 0;
	case OPTION_BUILD: s->build = arg; return 0;
	case OPTION_ONLY: s->only = arg; return 0;
	case OPTION_COMPARE: s->compare[0] = arg; return 0;
	case ARGP_KEY_ARG:
		if (!s->compare[0] || s->compare[1])
			return ARGP_ERR_UNKNOWN;
		s->compare[1] = arg;
		return 0;
	case ARGP_KEY_END:
		if (s->compare[0] && !s->compare[1])
			argp_error(state, "--compare: two build folders are needed");
		set_defaults(s);
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static void
stop_child(int signal_number)
{
	if (child_pid > 0)
		kill((pid_t)child_pid, SIGKILL);
}

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int
supervise(pid_t pid, const char *folder)
{
	struct sigaction stop = {.sa_handler = stop_child};
	int status = 0;

	child_pid = pid;
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGHUP, &stop, NULL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"compare", OPTION_COMPARE, "BUILD-A BUILD-B", 0,
		 "compare two builds of qbroker", 0},
		{"build", OPTION_BUILD, "FOLDER", 0, "where qbroker was built (.)", 0},
		{"only", OPTION_ONLY, "TEXT", 0, "only cases with this in their names",
		 0},
		{"quick", 'q', NULL, 0, "fewer cases, fewer and shorter slices", 0},
		{"rounds", 'r', "N", 0, "rounds of slices", 0},
		{"slice", 's', "MS", 0, "about how long a slice takes", 0},
		{0},
	};
	static const struct argp argp = {options, parse, NULL, "Measures qbroker.",
					 0,	  0,	 0};
	char folder[] = "/tmp/qbroker-bench-XXXXXX";
	struct settings s = {.folder = folder, .build = "."};
	pid_t pid;

	argp_parse(&argp, argc, argv, 0, NULL, &s);
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(folder))
		die("no temporary folder: %s", strerror(errno));
	pid = fork_bound();
	if (pid == 0) {
		if (s.compare[0])
			compare_builds(&s);
		else
			run_cases(&s);
		exit(EXIT_SUCCESS);
	}
	return supervise(pid, folder);
}
