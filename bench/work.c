/* SPDX-License-Identifier: MIT
 * The workloads, through libqbroker as a user would write them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <client/qbroker.h>

#include "bench/bench.h"

#define QUEUE "bench"

static qb *
connect_to(const struct job *job)
{
	qb *q;
	qb_result r = qb_open(job->address, &q);

	if (r != QB_OK)
		die("%s: %s", job->address, q ? qb_error(q) : qb_result_text(r));
	qb_set_window(q, job->outstanding);
	return q;
}

static void
check(qb *q, qb_result r, const char *what)
{
	if (r != QB_OK)
		die("%s: %s", what, qb_error(q));
}

static void
put_all(qb *q, const struct job *job)
{
	char *body = calloc(1, job->size);

	for (unsigned i = 0; i < job->count; i++)
		if (job->outstanding == 1)
			check(q, qb_put(q, QUEUE, body, job->size, QB_FOREVER, NULL),
			      "put");
		else
			check(q, qb_put_start(q, QUEUE, body, job->size), "put");
	check(q, qb_flush(q, QB_FOREVER), "flush");
	free(body);
}

/* One at a time: the acknowledgement travels with the next request. */
static void
get_one_by_one(qb *q, const struct job *job)
{
	for (unsigned i = 0; i < job->count; i++) {
		qb_item *item;

		check(q, qb_get(q, QUEUE, QB_FOREVER, QB_MANUAL, &item), "get");
		check(q, qb_ack_start(q, item), "ack");
		qb_item_free(item);
	}
}

struct gets {
	unsigned to_start;
};

static void
got(qb *q, uint64_t request, qb_result r, uint64_t id, qb_item *item, void *arg)
{
	struct gets *gets = arg;

	check(q, r, "get");
	check(q, qb_ack_start(q, item), "ack");
	qb_item_free(item);
	if (gets->to_start > 0) {
		gets->to_start--;
		check(q, qb_start_get(q, QUEUE, QB_FOREVER, QB_MANUAL, got, gets, NULL),
		      "get");
	}
}

static void
get_many_outstanding(qb *q, const struct job *job)
{
	struct gets gets = {job->count - job->outstanding};

	for (unsigned i = 0; i < job->outstanding; i++)
		check(q,
		      qb_start_get(q, QUEUE, QB_FOREVER, QB_MANUAL, got, &gets, NULL),
		      "get");
	check(q, qb_wait(q, QB_FOREVER), "get");
}

/* Gets and acknowledges everything; at the end the broker has seen the last
 * acknowledgement. */
static void
get_all(qb *q, const struct job *job)
{
	if (job->outstanding == 1)
		get_one_by_one(q, job);
	else
		get_many_outstanding(q, job);
	check(q, qb_ping(q), "ping");
}

static void
empty(qb *q)
{
	qb_result r = qb_delete(q, QUEUE, 1);

	if (r != QB_NOT_FOUND)
		check(q, r, "delete");
}

double
work_put(const struct job *job)
{
	qb *q = connect_to(job);
	double start = seconds();

	put_all(q, job);
	start = seconds() - start;
	empty(q);
	qb_close(q);
	return job->count / start;
}

double
work_get(const struct job *job)
{
	qb *q = connect_to(job);
	struct job fill = *job;
	double start;

	fill.outstanding = 256;
	check(q, qb_set_window(q, 256), "window");
	put_all(q, &fill);
	start = seconds();
	get_all(q, job);
	start = seconds() - start;
	empty(q);
	qb_close(q);
	return job->count / start;
}

double
work_put_to_get(const struct job *job)
{
	qb *q = connect_to(job);
	double start = seconds();
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		put_all(q,
			job); /* the child's first call opens a connection of its own */
		_exit(qb_close_wait(q, 10000) != QB_OK);
	}
	get_all(q, job);
	start = seconds() - start;
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
		die("the producer failed");
	empty(q);
	qb_close(q);
	return job->count / start;
}
