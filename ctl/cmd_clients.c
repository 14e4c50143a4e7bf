/* SPDX-License-Identifier: MIT
 * clients: who is connected, what they hold and wait for. */
#include <config.h>

#include "ctl/ctl.h"
#include "ctl/out.h"
#include "ctl/who.h"

enum { CLIENT, PID, USER, COMMAND, HOST, SINCE, HELD, WAITING, LINK, COLUMNS };

static const char *const titles[COLUMNS] = {
	[CLIENT] = "CLIENT",   [PID] = "PID",	    [USER] = "UID",
	[COMMAND] = "COMMAND", [HOST] = "HOST",	    [SINCE] = "SINCE",
	[HELD] = "HELD",       [WAITING] = "WAITS", [LINK] = "LINK",
};

static const char *const values[COLUMNS] = {
	[PID] = "pid",	 [USER] = "uid",    [COMMAND] = "command",
	[HOST] = "host", [HELD] = "leases", [WAITING] = "waiting",
};

static const struct argp argp = {
	.parser = args_none_parser,
	.doc = "Lists the clients: their processes, since when they are connected, how "
	       "many items they hold and how many of their requests wait, and whether "
	       "the connection is there (up), or how long ago it was lost.",
	.children = args_children,
};

static const char *
cell(const void *arg, unsigned row, unsigned column, char buf[GRID_CELL])
{
	const qb_table *table = arg;
	int64_t lost_ms = who_number(table, row, "lost_ms", -1);
	char lost[GRID_CELL];

	switch (column) {
	case CLIENT: return who_text(table, row, "client", "-");
	case COMMAND:
	case HOST: return who_text(table, row, values[column], "-");
	case SINCE: return grid_time(who_number(table, row, "since_ms", 0), buf);
	case LINK:
		if (lost_ms < 0)
			return "up";
		snprintf(buf, GRID_CELL, "lost %.20s", grid_time(lost_ms, lost));
		return buf;
	default: break;
	}
	if (who_number(table, row, values[column], -1) < 0)
		return "-";
	return grid_number(who_number(table, row, values[column], 0), false, buf);
}

int
cmd_clients(struct ctl *ctl, int argc, char **argv)
{
	struct grid grid = {
		.titles = titles,
		.left = 1 << COMMAND | 1 << HOST,
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
	result = qb_clients(ctl->q, &table);
	if (result != QB_OK)
		return ctl_result(ctl, result);
	return grid_or_json(&grid, table, ctl->json);
}
