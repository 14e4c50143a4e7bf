/* SPDX-License-Identifier: MIT
 * policy: what a queue has, and who says so. */
#include <config.h>

#include "ctl/ctl.h"
#include "ctl/out.h"

#include <string.h>

static const struct argp argp = {
	.parser = args_queue_parser,
	.args_doc = "QUEUE",
	.doc = "Shows each option of QUEUE, its value, and where that comes from: "
	       "declared by a client, a section of the broker's configuration, or the "
	       "default. For a queue that does not exist: what it would have.",
	.children = args_children,
};

static const char *
text_of(const qb_table *table, unsigned row, const char *name, char buf[GRID_CELL])
{
	const char *text = qb_table_string(table, row, name);
	int64_t number;

	if (text)
		return text[0] ? text : "-";
	if (!qb_table_number(table, row, name, &number))
		return "?";
	return grid_number(number, false, buf);
}

static void
print_text(const qb_table *table)
{
	static const char *const columns[] = {"option", "value"};
	int widths[] = {(int)strlen("OPTION"), (int)strlen("VALUE")};
	char option[GRID_CELL], value[GRID_CELL], source[GRID_CELL];

	for (unsigned row = 0; row < qb_table_rows(table); row++)
		for (int i = 0; i < 2; i++) {
			size_t len = strlen(text_of(table, row, columns[i], value));

			widths[i] = (int)len > widths[i] ? (int)len : widths[i];
		}
	printf("%-*s %*s  SOURCE\n", widths[0], "OPTION", widths[1], "VALUE");
	for (unsigned row = 0; row < qb_table_rows(table); row++)
		printf("%-*s %*s  %s\n", widths[0],
		       text_of(table, row, "option", option), widths[1],
		       text_of(table, row, "value", value),
		       text_of(table, row, "source", source));
}

int
cmd_policy(struct ctl *ctl, int argc, char **argv)
{
	qb_table *table;
	qb_result result;
	int status;

	args_parse(&argp, argc, argv, ctl);
	status = ctl_connect(ctl);
	if (status)
		return status;
	result = qb_policy(ctl->q, ctl->queue, &table);
	if (result != QB_OK)
		return ctl_result(ctl, result);
	if (ctl->json)
		status = out_json(out_rows(table));
	else
		print_text(table);
	qb_table_free(table);
	return status;
}
