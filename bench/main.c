/* SPDX-License-Identifier: MIT
 * The benchmark: rates of put, get with ack, and put-to-get, beside an echo server on
 * the same kind of socket. The machine's speed drifts, so broker and echo take turns,
 * and the ratio is the median of the turns' ratios. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"

#define MAX_ROUNDS 99

struct settings {
	const char *broker;
	int rounds;
	double scale; /* of the number of operations */
};

static const struct workload {
	const char *name;
	double (*work)(const struct job *);
	unsigned count_one,
		count_many; /* operations with 1 and with many outstanding */
} workloads[] = {
	{"put", work_put, 20000, 400000},
	{"get+ack", work_get, 20000, 300000},
	{"put-to-get", work_put_to_get, 20000, 300000},
};

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *values, int n)
{
	qsort(values, (size_t)n, sizeof(*values), compare);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static void
run_row(const struct settings *s, const struct workload *w, const char *broker,
	const char *echo, size_t size, unsigned outstanding)
{
	double rates[MAX_ROUNDS], floors[MAX_ROUNDS], ratios[MAX_ROUNDS];
	unsigned count = (unsigned)(s->scale *
				    (outstanding == 1 ? w->count_one : w->count_many));
	struct job job = {broker, size, outstanding, count < 1000 ? 1000 : count};
	struct job floor = job;

	floor.address = echo;
	for (int i = 0; i < s->rounds; i++) {
		floors[i] = work_echo(&floor);
		rates[i] = w->work(&job);
		ratios[i] = rates[i] / floors[i];
	}
	printf("%-11s %6zu B %6u %14.0f %14.0f %9.2f\n", w->name, size, outstanding,
	       median(rates, s->rounds), median(floors, s->rounds),
	       median(ratios, s->rounds));
	fflush(stdout);
}

static void
run_all(const struct settings *s, const char *broker, const char *echo)
{
	static const size_t sizes[] = {64, 512};
	static const unsigned outstanding[] = {1, 256};

	printf("median of %d rounds, Unix socket, operations per second\n\n",
	       s->rounds);
	printf("%-11s %8s %6s %14s %14s %9s\n", "workload", "size", "outst.", "qbroker",
	       "echo", "of echo");
	for (size_t w = 0; w < sizeof(workloads) / sizeof(workloads[0]); w++)
		for (int o = 0; o < 2; o++)
			for (int i = 0; i < 2; i++)
				run_row(s, &workloads[w], broker, echo, sizes[i],
					outstanding[o]);
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct settings *s = state->input;

	switch (key) {
	case 'b': s->broker = arg; return 0;
	case 'q':
		s->scale = 0.2;
		s->rounds = 3;
		return 0;
	case 'r':
		s->rounds = atoi(arg);
		if (s->rounds < 1 || s->rounds > MAX_ROUNDS)
			argp_error(state, "--rounds %s: 1 to %d are allowed", arg,
				   MAX_ROUNDS);
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

int
main(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"broker", 'b', "FILE", 0, "the qbrokerd to start (./qbrokerd)", 0},
		{"quick", 'q', NULL, 0, "a fifth of the operations, three rounds", 0},
		{"rounds", 'r', "N", 0, "rounds for each row (5)", 0},
		{0},
	};
	static const struct argp argp = {
		options, parse, NULL, "Compares qbroker with an echo server.", 0, 0, 0};
	struct settings s = {"./qbrokerd", 5, 1};
	char folder[] = "/tmp/qbroker-bench-XXXXXX", broker[128], echo[128];
	pid_t broker_pid, echo_pid;

	argp_parse(&argp, argc, argv, 0, NULL, &s);
	if (!mkdtemp(folder))
		die("no temporary folder");
	broker_pid = broker_start(s.broker, folder, broker, sizeof(broker));
	echo_pid = echo_start(folder, echo, sizeof(echo));
	run_all(&s, broker, echo);
	server_stop(echo_pid);
	server_stop(broker_pid);
	unlink(echo);
	rmdir(folder);
	return 0;
}
