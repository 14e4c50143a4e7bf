/* SPDX-License-Identifier: MIT
 * waiters: which requests wait, since when, and whose they are. */
#include <config.h>

#include "ctl/ctl.h"
#include "ctl/out.h"
#include "ctl/who.h"

enum { QUEUE, REQUEST, FOR, PLACE, ITEMS, SINCE, LEFT, CLIENT, PID, HOST, COLUMNS };

static const char *const titles[COLUMNS] = {
	[QUEUE] = "QUEUE", [REQUEST] = "WAITS", [FOR] = "FOR",	 [PLACE] = "PLACE",
	[ITEMS] = "ITEMS", [SINCE] = "SINCE",	[LEFT] = "LEFT", [CLIENT] = "CLIENT",
	[PID] = "PID",	   [HOST] = "HOST",
};

static const char *const values[COLUMNS] = {
	[QUEUE] = "queue",  [REQUEST] = "request", [FOR] = "waits_for",
	[PLACE] = "place",  [ITEMS] = "items",	   [SINCE] = "since_ms",
	[LEFT] = "left_ms", [CLIENT] = "client",   [PID] = "pid",
	[HOST] = "host",
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	return args_any_queue(key, arg, state, state->input);
}

static const struct argp argp = {
	.parser = parse,
	.args_doc = "[QUEUE]",
	.doc = "Lists the requests that wait, in QUEUE or in all queues: what each is, "
	       "what it waits for (the queue, the journal of durable queues, the "
	       "disk, or its own client as the reader), its "
	       "place in its line, how many items it is about, since when it waits "
	       "and for how much longer ('-': for ever), and whose it is.",
	.children = args_children,
};

static const char *
cell(const void *arg, unsigned row, unsigned column, char buf[GRID_CELL])
{
	const qb_table *table = arg;
	int64_t number = who_number(table, row, values[column], -1);

	switch (column) {
	case QUEUE:
	case REQUEST:
	case FOR:
	case CLIENT:
	case HOST: return who_text(table, row, values[column], "-");
	case SINCE:
	case LEFT: return number < 0 ? "-" : grid_time(number, buf);
	default: return number < 0 ? "-" : grid_number(number, false, buf);
	}
}

int
cmd_waiters(struct ctl *ctl, int argc, char **argv)
{
	struct grid grid = {
		.titles = titles,
		.left = 1 << REQUEST | 1 << FOR | 1 << CLIENT,
		.columns = COLUMNS,
		.cell = cell,
	};
	qb_table *table;
	qb_result result;
	int status;

	args_parse(&argp, argc, argv, ctl);
	status = ctl_connect(ctl);
	if (status)
		return status;
	result = qb_waiters(ctl->q, ctl->queue, &table);
	if (result != QB_OK)
		return ctl_result(ctl, result);
	return grid_or_json(&grid, table, ctl->json);
}
