/* SPDX-License-Identifier: MIT
 * stats: counters, and whether they add up. */
#include <config.h>

#include "ctl/ctl.h"
#include "ctl/out.h"

#include <inttypes.h>
#include <string.h>

struct stats {
	struct ctl *ctl;
	bool check;
};

static const struct argp_option options[] = {
	{"check", 'c', NULL, 0, "Check that no item is missing or counted twice", 0},
	{0},
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct stats *stats = state->input;

	if (key == 'c') {
		stats->check = true;
		return 0;
	}
	return args_any_queue(key, arg, state, stats->ctl);
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[QUEUE]",
	.doc = "Shows what the broker, or one queue, has counted.\v"
	       "The check is made for QUEUE, or for every queue: accepted = finished + "
	       "expired + purged + moved_out + dropped + ready + delayed + leased + "
	       "dead. Exits with 1 if that does not hold.",
	.children = args_children,
};

static void
print_row(const qb_table *table, unsigned row)
{
	const char *name, *text;
	int64_t number;
	size_t width = 0;

	for (unsigned i = 0; (name = qb_table_name(table, row, i)); i++)
		width = strlen(name) > width ? strlen(name) : width;
	for (unsigned i = 0; (name = qb_table_name(table, row, i)); i++) {
		text = qb_table_string(table, row, name);
		if (text)
			printf("%-*s  %s\n", (int)width, name, text);
		else if (qb_table_number(table, row, name, &number))
			printf("%-*s  %" PRId64 "\n", (int)width, name, number);
	}
}

/* Where the accepted items of a queue are, or what became of them. */
static int64_t
accounted(const qb_table *table, unsigned row)
{
	static const char *const fates[] = {"finished",	 "expired", "purged",
					    "moved_out", "dropped", "ready",
					    "delayed",	 "leased",  "dead"};
	int64_t number, sum = 0;

	for (size_t i = 0; i < sizeof(fates) / sizeof(fates[0]); i++) {
		if (qb_table_number(table, row, fates[i], &number))
			sum += number;
	}
	return sum;
}

static int
check(const struct ctl *ctl, const qb_table *table)
{
	unsigned rows = qb_table_rows(table), wrong = 0;
	const char *name;
	int64_t accepted, sum;

	for (unsigned i = 0; i < rows; i++) {
		name = qb_table_string(table, i, "queue");
		accepted = -1;
		qb_table_number(table, i, "accepted", &accepted);
		sum = accounted(table, i);
		if (accepted == sum)
			continue;
		wrong++;
		ctl_error(ctl,
			  "queue %s: accepted %" PRId64 ", but accounted for %" PRId64,
			  name ? name : "?", accepted, sum);
	}
	if (wrong)
		return CTL_ERROR;
	if (ctl->json)
		return out_json(json_pack("{s:i}", "checked", (int)rows));
	printf("%u %s: every accepted item is accounted for\n", rows,
	       rows == 1 ? "queue" : "queues");
	return CTL_DONE;
}

int
cmd_stats(struct ctl *ctl, int argc, char **argv)
{
	struct stats stats = {ctl, false};
	qb_table *table;
	qb_result result;
	int status;

	args_parse(&argp, argc, argv, &stats);
	status = ctl_connect(ctl);
	if (status)
		return status;
	if (ctl->queue || stats.check)
		result = qb_queues(ctl->q, ctl->queue, &table);
	else
		result = qb_stats(ctl->q, &table);
	if (result != QB_OK)
		return ctl_result(ctl, result);
	if (stats.check)
		status = check(ctl, table);
	else if (ctl->json)
		status = out_json(out_row(table, 0));
	else
		print_row(table, 0);
	qb_table_free(table);
	return status;
}
