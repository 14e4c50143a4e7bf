/* SPDX-License-Identifier: MIT
 * What the benchmark's parts know of each other. Every workload runs in processes of
 * its own against a server in another, over a Unix socket, and says how many operations
 * it made in how many seconds. */
#ifndef QBROKER_BENCH_H
#define QBROKER_BENCH_H

#include <stddef.h>
#include <sys/types.h>

struct job {
	const char *address; /* qbroker's, or the echo server's path */
	size_t size;	     /* bytes of a body */
	unsigned outstanding;
	unsigned count; /* operations */
};

/* Each runs one workload and returns operations per second. They end the program when
 * something fails. */
double work_put(const struct job *job);
double work_get(
	const struct job *job); /* with acks; the items are put first, untimed */
double work_put_to_get(
	const struct job *job); /* one producer and one consumer at once */
double work_echo(const struct job *job);

/* Starts qbrokerd on a Unix socket in `folder`, or the echo server. The address is
 * copied to `ret_address`. server_stop() ends it and waits for it. */
pid_t broker_start(const char *program, const char *folder, char *ret_address,
		   size_t len);
pid_t echo_start(const char *folder, char *ret_path, size_t len);
void server_stop(pid_t pid);

double seconds(void);
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
