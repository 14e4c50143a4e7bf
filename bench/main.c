/* SPDX-License-Identifier: MIT
 * The command line, and what must happen however the benchmark ends: the work is done in a
 * child; when that ends its servers and workers do, and then the folder is removed. */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/modes.h"
#include "bench/rounds.h"

#define FOLDER_LEN 60
#define DISK_LEN   400

static volatile sig_atomic_t child_pid;

enum long_option {
	OPTION_COMPARE = 256,
	OPTION_BUILD,
	OPTION_ONLY,
	OPTION_RESULTS,
	OPTION_SCRIPTS,
	OPTION_SMOKE,
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
	static const struct {
		unsigned rounds;
		int slice_ms;
	} defaults[] = {[EXTENT_SMOKE] = {1, 1},
			[EXTENT_QUICK] = {5, 50},
			[EXTENT_FULL] = {15, 100}},
	  comparing = {31, 50};
	unsigned rounds = defaults[s->extent].rounds;
	int slice_ms = defaults[s->extent].slice_ms;

	if (s->compare[0]) {
		rounds = comparing.rounds;
		slice_ms = comparing.slice_ms;
	}
	if (s->rounds == 0)
		s->rounds = rounds;
	if (s->slice_ns == 0)
		s->slice_ns = slice_ms * INT64_C(1000000);
}

/* Servers run in folders of their own, so paths must not depend on ours. */
static const char *
absolute(const char *path)
{
	char *full = path ? realpath(path, NULL) : NULL;

	if (path && !full)
		die("%s: %s", path, strerror(errno));
	return full;
}

static void
make_paths_absolute(struct settings *s)
{
	s->build = absolute(s->build);
	s->scripts = absolute(s->scripts);
	s->results = absolute(s->results);
	for (int i = 0; i < 2; i++)
		s->compare[i] = absolute(s->compare[i]);
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct settings *s = state->input;

	switch (key) {
	case 'r': s->rounds = parse_number(state, "rounds", arg, MAX_ROUNDS); return 0;
	case 'q': s->extent = EXTENT_QUICK; return 0;
	case OPTION_SMOKE: s->extent = EXTENT_SMOKE; return 0;
	case OPTION_RESULTS: s->results = arg; return 0;
	case OPTION_SCRIPTS: s->scripts = arg; return 0;
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
supervise(pid_t pid, const char *folder, const char *disk)
{
	struct sigaction stop = {.sa_handler = stop_child};
	int status = 0;

	child_pid = pid;
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGHUP, &stop, NULL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	child_pid = 0;
	/* Its servers and workers are ours now, and die. */
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	remove_folder(folder);
	if (*disk)
		remove_folder(disk);
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

static void
make_folder(char ret[FOLDER_LEN])
{
	const char *where = getenv("TMPDIR");

	/* The paths of Unix sockets are short. */
	if (!where || strlen(where) > FOLDER_LEN - sizeof("/qbroker-bench-XXXXXX"))
		where = "/tmp";
	snprintf(ret, FOLDER_LEN, "%s/qbroker-bench-XXXXXX", where);
	if (!mkdtemp(ret))
		die("%s: %s", ret, strerror(errno));
}

/* /tmp may be memory: what is to be on a disk is where the results are. */
static void
make_disk(const struct settings *s, char ret[DISK_LEN])
{
	snprintf(ret, DISK_LEN, "%s/disk-XXXXXX", s->results ? s->results : s->build);
	if (!mkdtemp(ret))
		die("%s: %s", ret, strerror(errno));
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
		{"results", OPTION_RESULTS, "FOLDER", 0,
		 "write results.json, results.md and results.tsv there", 0},
		{"scripts", OPTION_SCRIPTS, "FOLDER", 0, "where python_queues.py is",
		 0},
		{"smoke", OPTION_SMOKE, NULL, 0, "only see whether it works", 0},
		{"quick", 'q', NULL, 0, "fewer cases, fewer and shorter slices", 0},
		{"rounds", 'r', "N", 0, "rounds of slices", 0},
		{"slice", 's', "MS", 0, "about how long a slice takes", 0},
		{0},
	};
	static const struct argp argp = {options, parse, NULL, "Measures qbroker.",
					 0,	  0,	 0};
	char folder[FOLDER_LEN], disk[DISK_LEN] = "";
	static struct settings s = {.build = ".", .extent = EXTENT_FULL};
	pid_t pid;

	argp_parse(&argp, argc, argv, 0, NULL, &s);
	make_paths_absolute(&s);
	signal(SIGPIPE, SIG_IGN);
	make_folder(folder);
	s.folder = folder;
	if (!s.compare[0])
		make_disk(&s, disk);
	s.disk = disk;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = fork_bound();
	if (pid == 0) {
		if (s.compare[0])
			compare_builds(&s);
		else
			run_cases(&s);
		exit(EXIT_SUCCESS);
	}
	return supervise(pid, folder, disk);
}
