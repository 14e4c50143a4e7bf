/* SPDX-License-Identifier: MIT
 * Large bodies from one process to another: filled by the one, read to the last word by the other.
 * Through the broker, as buffers; through shared memory that both have mapped, which is what it
 * costs to write and read so much; and through a pipe. The three take turns; what counts are the
 * medians, and the broker's relation to the others.
 *
 *	bench/qbroker-large ./qbrokerd [MEGABYTES [MEGABYTES-OF-AN-ITEM [ROUNDS]]] */
#include "bench/bench.h"
#include "client/qbroker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_ROUNDS 99
#define WAIT_MS	   60000

static char address[128];
static size_t item_size, n_items;

static void
fill(void *p, size_t i)
{
	uint64_t *words = p;

	for (size_t k = 0; k < item_size / 8; k++)
		words[k] = i + k;
}

/* Reads all of it, and says so if it is not what was written. */
static void
drain(const void *p, size_t i)
{
	const uint64_t *words = p;
	uint64_t n = item_size / 8, sum = 0;

	for (size_t k = 0; k < n; k++)
		sum += words[k];
	if (sum == n * i + n * (n - 1) / 2)
		return;
	fprintf(stderr, "large: an item is not what was put\n");
	exit(EXIT_FAILURE);
}

/* --- the three ways; each is run by the producer, and by its child, the consumer ------ */

struct way {
	const char *name;
	void (*produce)(void);
	void (*consume)(void);
	double times[MAX_ROUNDS];
};

static int line[2]; /* from the producer to the consumer */
static char *shared;

static void
produce_shared(void)
{
	for (size_t i = 0; i < n_items; i++) {
		fill(shared + i * item_size, i);
		if (write(line[1], "", 1) != 1)
			die("write: %s", strerror(errno));
	}
}

static void
consume_shared(void)
{
	char byte;

	for (size_t i = 0; i < n_items; i++) {
		if (read(line[0], &byte, 1) != 1)
			die("read: %s", strerror(errno));
		drain(shared + i * item_size, i);
	}
}

static void
produce_pipe(void)
{
	char *body = malloc(item_size);

	for (size_t i = 0; i < n_items; i++) {
		fill(body, i);
		for (size_t at = 0; at < item_size;) {
			ssize_t n = write(line[1], body + at, item_size - at);

			if (n <= 0)
				die("write: %s", strerror(errno));
			at += (size_t)n;
		}
	}
	free(body);
}

static void
consume_pipe(void)
{
	char *body = malloc(item_size);

	for (size_t i = 0; i < n_items; i++) {
		for (size_t at = 0; at < item_size;) {
			ssize_t n = read(line[0], body + at, item_size - at);

			if (n <= 0)
				die("read: %s", strerror(errno));
			at += (size_t)n;
		}
		drain(body, i);
	}
	free(body);
}

static qb *
connect_broker(void)
{
	qb *q;

	if (qb_open(address, &q) == QB_OK)
		return q;
	die("%s", q ? qb_error(q) : address);
}

static void
check(qb *q, qb_result r)
{
	if (r != QB_OK)
		die("%s", qb_error(q));
}

static void
produce_broker(void)
{
	qb *q = connect_broker();

	for (size_t i = 0; i < n_items; i++) {
		qb_buffer *b = qb_buffer_new(item_size);

		if (!b)
			die("qb_buffer_new: %s", strerror(errno));
		fill(qb_buffer_data(b), i);
		check(q, qb_put_buffer(q, "large", NULL, b, WAIT_MS, NULL));
	}
	qb_close(q);
}

static void
consume_broker(void)
{
	qb *q = connect_broker();
	qb_item *item;

	for (size_t i = 0; i < n_items; i++) {
		check(q, qb_get(q, "large", WAIT_MS, QB_MANUAL, &item));
		drain(qb_item_body(item), i);
		check(q, qb_ack(q, item));
		qb_item_free(item);
	}
	qb_close(q);
}

static struct way ways[] = {
	{.name = "broker", .produce = produce_broker, .consume = consume_broker},
	{.name = "shared memory", .produce = produce_shared, .consume = consume_shared},
	{.name = "pipe", .produce = produce_pipe, .consume = consume_pipe},
};
#define WAYS (sizeof(ways) / sizeof(*ways))

/* --- measuring ----------------------------------------------------------------------- */

static double
run(const struct way *way)
{
	int64_t begin;
	int status;
	pid_t pid;

	shared = shared_alloc(n_items * item_size);
	if (pipe(line) != 0)
		die("pipe: %s", strerror(errno));
	begin = now_ns();
	pid = fork_bound();
	if (pid == 0) {
		close(line[1]);
		way->consume();
		_exit(EXIT_SUCCESS);
	}
	way->produce();
	if (waitpid(pid, &status, 0) != pid || status != 0)
		exit(EXIT_FAILURE);
	/* The others give their memory back too. */
	shared_free(shared, n_items * item_size);
	begin = now_ns() - begin;
	close(line[0]);
	close(line[1]);
	return (double)begin / 1e9;
}

static pid_t
start_broker(const char *program, const char *folder)
{
	char max_item[64];
	pid_t pid;

	snprintf(address, sizeof(address), "unix:%s/socket", folder);
	snprintf(max_item, sizeof(max_item), "max_item=%zu", item_size);
	pid = fork();
	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		execl(program, program, "--listen", address, "--set", max_item, "--set",
		      "memory_limit=4G", "--set", "log_level=error", (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 500 && access(address + 5, F_OK) != 0; i++)
		usleep(10000);
	return pid;
}

static int
by_time(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return a < b ? -1 : a > b;
}

static double
median(struct way *way, int rounds)
{
	qsort(way->times, (size_t)rounds, sizeof(double), by_time);
	return way->times[rounds / 2];
}

static void
measure(int rounds)
{
	double broker;

	for (int round = -1; round < rounds; round++) /* the first does not count */
		for (size_t i = 0; i < WAYS; i++) {
			double time = run(&ways[i]);

			if (round >= 0)
				ways[i].times[round] = time;
		}
	broker = median(&ways[0], rounds);
	for (size_t i = 0; i < WAYS; i++) {
		double time = median(&ways[i], rounds);

		printf("%-14s %7.1f ms  %5.2f GB/s  %5.2f times the broker's\n",
		       ways[i].name, time * 1e3,
		       (double)(n_items * item_size) / time / 1e9, time / broker);
	}
}

int
main(int argc, char **argv)
{
	char folder[] = "/tmp/qbroker-large.XXXXXX";
	size_t total = (argc > 2 ? strtoul(argv[2], NULL, 10) : 400) * 1000000;
	int rounds = argc > 4 ? atoi(argv[4]) : 7;
	pid_t broker;

	item_size = (argc > 3 ? strtoul(argv[3], NULL, 10) : 50) * 1000000;
	if (argc < 2 || item_size == 0 || total < item_size || rounds < 1 ||
	    rounds > MAX_ROUNDS) {
		fprintf(stderr, "usage: %s QBROKERD [MB [MB-OF-AN-ITEM [ROUNDS]]]\n",
			argv[0]);
		return 2;
	}
	n_items = total / item_size;
	if (!mkdtemp(folder))
		die("%s: %s", folder, strerror(errno));
	broker = start_broker(argv[1], folder);
	printf("%zu items of %zu bytes, medians of %d rounds\n", n_items, item_size,
	       rounds);
	measure(rounds);
	kill(broker, SIGTERM);
	waitpid(broker, NULL, 0);
	unlink(address + 5);
	rmdir(folder);
	return EXIT_SUCCESS;
}
