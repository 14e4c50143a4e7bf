/* SPDX-License-Identifier: MIT
 * See view.h. */
#include <config.h>

#include "ctl/out.h"
#include "ctl/view.h"
#include "ctl/who.h"

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

/* Prints up to `most` rows behind `skip`, and says how many there were. */
static qb_result
print_some(const struct ctl *ctl, const struct view *view, uint64_t skip, uint64_t most,
	   bool first, json_t *all, unsigned *ret_rows)
{
	qb_table *table;
	qb_result result =
		qb_browse(ctl->q, ctl->queue, view->state, (unsigned)skip, &table);
	unsigned rows;

	if (result != QB_OK)
		return result;
	rows = qb_table_rows(table);
	if (rows > most)
		rows = (unsigned)most;
	if (!all && (rows > 0 || first))
		print_page(view, table, rows);
	for (unsigned i = 0; all && i < rows; i++)
		json_array_append_new(all, out_row(table, i));
	qb_table_free(table);
	*ret_rows = rows;
	return QB_OK;
}

int
view_print(struct ctl *ctl, const struct view *view, uint64_t skip, uint64_t count)
{
	json_t *all = ctl->json ? json_array() : NULL;
	uint64_t left = count, at = skip;
	qb_result result = QB_OK;
	unsigned rows = 1;

	for (; rows > 0 && left > 0 && at <= QB_MAX_SKIP; at += rows, left -= rows) {
		result = print_some(ctl, view, at, left, at == skip, all, &rows);
		if (result != QB_OK)
			break;
	}
	if (result == QB_OK)
		return ctl->json ? out_json(all) : CTL_DONE;
	json_decref(all);
	return ctl_result(ctl, result);
}
