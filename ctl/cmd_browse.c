/* SPDX-License-Identifier: MIT
 * browse: list the items of a queue, without their bodies. */
#include <config.h>

#include "ctl/ctl.h"
#include "ctl/out.h"
#include "ctl/who.h"

#include <string.h>

#define ALL UINT64_MAX

struct browse {
	struct ctl *ctl;
	const struct view *view;
	uint64_t skip, count;
};

/* --- what is shown of a state -------------------------------------------------------- */

enum kind { NUMBER, TIME, TEXT };

struct column {
	const char *title, *name;
	enum kind kind;
};

#define MAX_COLUMNS 9

static const struct view {
	const char *state;
	struct column columns[MAX_COLUMNS]; /* up to one without a title */
} views[] = {
	{"ready",
	 {{"ID", "id", NUMBER},
	  {"PRIORITY", "priority", NUMBER},
	  {"AGE", "age_ms", TIME},
	  {"GIVEN", "deliveries", NUMBER},
	  {"CRASHES", "crashes", NUMBER},
	  {"NACKS", "nacks", NUMBER},
	  {"SIZE", "size", NUMBER},
	  {"GROUP", "group", TEXT}}},
	{"delayed",
	 {{"ID", "id", NUMBER},
	  {"DUE IN", "due_ms", TIME},
	  {"PRIORITY", "priority", NUMBER},
	  {"AGE", "age_ms", TIME},
	  {"GIVEN", "deliveries", NUMBER},
	  {"NACKS", "nacks", NUMBER},
	  {"SIZE", "size", NUMBER},
	  {"GROUP", "group", TEXT}}},
	{"leased",
	 {{"ID", "id", NUMBER},
	  {"HELD", "held_ms", TIME},
	  {"AGE", "age_ms", TIME},
	  {"GIVEN", "deliveries", NUMBER},
	  {"SIZE", "size", NUMBER},
	  {"PID", "pid", NUMBER},
	  {"CLIENT", "client", TEXT},
	  {"GROUP", "group", TEXT}}},
	{"dead",
	 {{"ID", "id", NUMBER},
	  {"REASON", "reason", TEXT},
	  {"DEAD", "dead_ms", TIME},
	  {"AGE", "age_ms", TIME},
	  {"GIVEN", "deliveries", NUMBER},
	  {"SIZE", "size", NUMBER},
	  {"GROUP", "group", TEXT},
	  {"ERROR", "error", TEXT}}},
};

struct shown {
	const struct view *view;
	const qb_table *table;
};

static const char *
cell(const void *arg, unsigned row, unsigned column, char buf[GRID_CELL])
{
	const struct shown *shown = arg;
	const struct column *c = &shown->view->columns[column];
	int64_t number;

	if (c->kind == TEXT)
		return who_text(shown->table, row, c->name, "-");
	if (!qb_table_number(shown->table, row, c->name, &number))
		return "-";
	return c->kind == TIME ? grid_time(number, buf)
			       : grid_number(number, false, buf);
}

static void
print_page(const struct view *view, const qb_table *table, unsigned rows)
{
	const char *titles[MAX_COLUMNS];
	struct shown shown = {view, table};
	struct grid grid = {
		.titles = titles, .rows = rows, .cell = cell, .arg = &shown};

	for (; grid.columns < MAX_COLUMNS; grid.columns++) {
		const struct column *c = &view->columns[grid.columns];

		if (!c->title)
			break;
		titles[grid.columns] = c->title;
		if (c->kind == TEXT)
			grid.left |= 1U << grid.columns;
	}
	grid_print(stdout, &grid, "\n");
}

/* --- the command --------------------------------------------------------------------- */

/* Prints up to `most` rows behind `skip`, and says how many there were. */
static qb_result
run_page(const struct browse *browse, uint64_t skip, uint64_t most, json_t *all,
	 unsigned *ret_rows)
{
	const struct ctl *ctl = browse->ctl;
	qb_table *table;
	qb_result result = qb_browse(ctl->q, ctl->queue, browse->view->state,
				     (unsigned)skip, &table);
	unsigned rows;

	if (result != QB_OK)
		return result;
	rows = qb_table_rows(table);
	if (rows > most)
		rows = (unsigned)most;
	if (!all && (rows > 0 || skip == browse->skip))
		print_page(browse->view, table, rows);
	for (unsigned i = 0; all && i < rows; i++)
		json_array_append_new(all, out_row(table, i));
	qb_table_free(table);
	*ret_rows = rows;
	return QB_OK;
}

static int
run(const struct browse *browse)
{
	struct ctl *ctl = browse->ctl;
	json_t *all = ctl->json ? json_array() : NULL;
	uint64_t left = browse->count, skip = browse->skip;
	qb_result result = QB_OK;
	unsigned rows = 1;

	for (; rows > 0 && left > 0 && skip <= QB_MAX_SKIP;
	     skip += rows, left -= rows) {
		result = run_page(browse, skip, left, all, &rows);
		if (result != QB_OK)
			break;
	}
	if (result == QB_OK)
		return ctl->json ? out_json(all) : CTL_DONE;
	json_decref(all);
	return ctl_result(ctl, result);
}

static const struct argp_option options[] = {
	{"state", 'S', "STATE", 0, "ready (the default), delayed, leased or dead", 0},
	{"skip", 'k', "N", 0, "Leave out the first N, at most 10000", 0},
	{"count", 'n', "N", 0, "List at most N", 0},
	{0},
};

static const struct view *
find_view(const char *state, struct argp_state *argp_state)
{
	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++)
		if (strcmp(views[i].state, state) == 0)
			return &views[i];
	argp_error(argp_state,
		   "--state: '%s' is neither ready, delayed, leased nor dead", state);
	return &views[0];
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct browse *browse = state->input;

	switch (key) {
	case 'S': browse->view = find_view(arg, state); return 0;
	case 'k':
		browse->skip = args_number(state, "--skip", arg, QB_MAX_SKIP);
		return 0;
	case 'n':
		browse->count = args_number(state, "--count", arg, INT64_MAX);
		return 0;
	default: return args_queue(key, arg, state, browse->ctl);
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "QUEUE",
	.doc = "Lists the items of QUEUE and leaves them where they are: ready ones in "
	       "the order in which they would be given, leased ones by holder, dead "
	       "ones "
	       "in the order in which they died, delayed ones in no order. At most "
	       "10100 "
	       "are listed; what comes or goes meanwhile may be missed.",
	.children = args_children,
};

int
cmd_browse(struct ctl *ctl, int argc, char **argv)
{
	struct browse browse = {.ctl = ctl, .view = &views[0], .count = ALL};
	int status;

	args_parse(&argp, argc, argv, &browse);
	status = ctl_connect(ctl);
	return status ? status : run(&browse);
}
