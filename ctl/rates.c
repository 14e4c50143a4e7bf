/* SPDX-License-Identifier: MIT
 * Samples of all queues, and what happened between two of them. */
#include <config.h>

#include "ctl/rates.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t
number(const qb_table *table, unsigned row, const char *name)
{
	int64_t value;

	return qb_table_number(table, row, name, &value) ? value : 0;
}

static int
name_cmp(const void *a, const void *b)
{
	const struct rate *first = a, *second = b;

	return strcmp(first->queue, second->queue);
}

static int
busy_cmp(const void *a, const void *b)
{
	const struct rate *first = a, *second = b;
	double x = first->puts + first->gets, y = second->puts + second->gets;

	return x == y ? name_cmp(a, b) : x < y ? 1 : -1;
}

static void
read_row(const qb_table *table, unsigned row, struct rate *ret_rate)
{
	const char *name = qb_table_string(table, row, "queue");

	*ret_rate = (struct rate){
		.queue = name ? name : "",
		.accepted = number(table, row, "accepted"),
		.delivered = number(table, row, "delivered"),
		.ready = number(table, row, "ready"),
		.leased = number(table, row, "leased"),
		.getters = number(table, row, "getters"),
		.putters = number(table, row, "putters"),
	};
}

/* Counters begin at 0 with the queue, also with one that was deleted and made again. */
static void
set_rates(struct rate *now, const struct rate *before, double seconds)
{
	int64_t accepted = before ? before->accepted : 0;
	int64_t delivered = before ? before->delivered : 0;

	if (now->accepted < accepted || now->delivered < delivered)
		accepted = delivered = 0;
	now->puts = (double)(now->accepted - accepted) / seconds;
	now->gets = (double)(now->delivered - delivered) / seconds;
}

static void
compare(struct rates *now, struct rates *before)
{
	double seconds = (double)(now->time_ns - before->time_ns) / 1e9;

	qsort(before->rows, before->n, sizeof(*before->rows), name_cmp);
	for (unsigned i = 0; i < now->n; i++) {
		struct rate *row = &now->rows[i];

		set_rates(row,
			  bsearch(row, before->rows, before->n, sizeof(*row), name_cmp),
			  seconds);
		now->puts += row->puts;
		now->gets += row->gets;
	}
}

static qb_result
sample_broker(struct rates *rates, qb *q)
{
	qb_table *table;
	qb_result result = qb_stats(q, &table);

	if (result != QB_OK)
		return result;
	rates->uptime_ms = number(table, 0, "uptime_ms");
	rates->connections = number(table, 0, "connections");
	qb_table_free(table);
	return QB_OK;
}

qb_result
rates_sample(struct rates *rates, qb *q)
{
	struct rates now = {.samples = rates->samples + 1};
	struct timespec time;
	qb_result result = sample_broker(&now, q);

	if (result == QB_OK)
		result = qb_queues(q, NULL, &now.table);
	if (result != QB_OK)
		return result;
	clock_gettime(CLOCK_MONOTONIC, &time);
	now.time_ns = (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
	now.n = qb_table_rows(now.table);
	now.rows = calloc((size_t)now.n + 1, sizeof(*now.rows));
	if (!now.rows) {
		qb_table_free(now.table);
		return QB_NO_MEMORY;
	}
	for (unsigned i = 0; i < now.n; i++)
		read_row(now.table, i, &now.rows[i]);
	if (rates->samples > 0)
		compare(&now, rates);
	qsort(now.rows, now.n, sizeof(*now.rows), busy_cmp);
	rates_done(rates);
	*rates = now;
	return QB_OK;
}

void
rates_done(struct rates *rates)
{
	free(rates->rows);
	qb_table_free(rates->table);
	*rates = (struct rates){0};
}
