/* SPDX-License-Identifier: MIT
 * ls: the table of queues. */
#include <config.h>

#include "ctl/ctl.h"
#include "ctl/out.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct ls {
	struct ctl *ctl;
	bool names;
};

struct list {
	const qb_table *table;
	const unsigned *order;
	bool narrow;
};

enum { NAME, READY, DELAYED, LEASED, DEAD, GETTERS, PUTTERS, MAXSIZE, STATE, COLUMNS };

static const char *const titles[COLUMNS] = {
	[NAME] = "QUEUE",      [READY] = "READY",     [DELAYED] = "DELAYED",
	[LEASED] = "LEASED",   [DEAD] = "DEAD",	      [GETTERS] = "GETTERS",
	[PUTTERS] = "PUTTERS", [MAXSIZE] = "MAXSIZE", [STATE] = "STATE",
};

static const char *const values[COLUMNS] = {
	[NAME] = "queue",      [READY] = "ready",     [DELAYED] = "delayed",
	[LEASED] = "leased",   [DEAD] = "dead",	      [GETTERS] = "getters",
	[PUTTERS] = "putters", [MAXSIZE] = "maxsize", [STATE] = "shutdown",
};

static const struct argp_option options[] = {
	{"names", 'n', NULL, 0, "Print the names alone, one on a line", 0},
	{0},
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct ls *ls = state->input;

	if (key == 'n') {
		ls->names = true;
		return 0;
	}
	return args_none(key, arg, state, ls->ctl);
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Lists the queues: their items by state (ready to be got, delayed, "
	       "leased to a client, dead), the gets and puts that wait, the bound, "
	       "and whether they are open, paused or shut down. With --json everything "
	       "that the broker "
	       "says of them.",
	.children = args_children,
};

static const char *
cell(const void *arg, unsigned row, unsigned column, char buf[GRID_CELL])
{
	static const char *const states[] = {"open", "shut", "shut-now"};
	static const char *const pauses[] = {"open", "paused-in", "paused-out",
					     "paused"};
	const struct list *list = arg;
	unsigned at = list->order[row];
	const char *name;
	int64_t number = 0, paused = 0;

	if (column == NAME) {
		name = qb_table_string(list->table, at, "queue");
		return name ? name : "?";
	}
	if (!qb_table_number(list->table, at, values[column], &number))
		return "?";
	if (column == STATE && number == 0 &&
	    qb_table_number(list->table, at, "paused", &paused))
		return paused >= 0 && paused <= 3 ? pauses[paused] : "?";
	if (column == STATE)
		return number >= 0 && number <= 2 ? states[number] : "?";
	if (column == MAXSIZE && number <= 0)
		return "-";
	return grid_number(number, list->narrow, buf);
}

static int
name_cmp(const void *a, const void *b, void *arg)
{
	const char *first = qb_table_string(arg, *(const unsigned *)a, "queue");
	const char *second = qb_table_string(arg, *(const unsigned *)b, "queue");

	return strcmp(first ? first : "", second ? second : "");
}

static int
print_json(const struct list *list)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < qb_table_rows(list->table); i++)
		json_array_append_new(array, out_row(list->table, list->order[i]));
	return out_json(array);
}

static int
print_text(const struct ls *ls, struct list *list)
{
	struct grid grid = {
		.titles = titles,
		.columns = COLUMNS,
		.rows = qb_table_rows(list->table),
		.cell = cell,
		.arg = list,
	};
	unsigned lines;
	char buf[GRID_CELL];

	if (!ls->names) {
		list->narrow = grid_terminal(STDOUT_FILENO, &grid.width, &lines);
		grid_print(stdout, &grid, "\n");
		return CTL_DONE;
	}
	for (unsigned i = 0; i < grid.rows; i++)
		puts(cell(list, i, NAME, buf));
	return CTL_DONE;
}

int
cmd_ls(struct ctl *ctl, int argc, char **argv)
{
	struct ls ls = {ctl, false};
	struct list list = {0};
	qb_table *table;
	unsigned *order;
	qb_result result;
	int status;

	args_parse(&argp, argc, argv, &ls);
	status = ctl_connect(ctl);
	if (status)
		return status;
	result = qb_queues(ctl->q, NULL, &table);
	if (result != QB_OK)
		return ctl_result(ctl, result);
	order = calloc((size_t)qb_table_rows(table) + 1, sizeof(*order));
	if (order) {
		for (unsigned i = 0; i < qb_table_rows(table); i++)
			order[i] = i;
		qsort_r(order, qb_table_rows(table), sizeof(*order), name_cmp, table);
		list.table = table;
		list.order = order;
		status = ctl->json ? print_json(&list) : print_text(&ls, &list);
	} else {
		status = ctl_error(ctl, "no memory");
	}
	free(order);
	qb_table_free(table);
	return status;
}
