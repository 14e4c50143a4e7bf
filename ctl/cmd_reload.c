/* SPDX-License-Identifier: MIT
 * reload: the broker reads its configuration again. */
#include <config.h>

#include "ctl/ctl.h"
#include "ctl/out.h"
#include "ctl/who.h"

static const struct argp argp = {
	.parser = args_none_parser,
	.doc = "Has the broker read its configuration again, and prints which options have "
	       "changed, and which wait for a restart. Fails if it cannot be applied; "
	       "then nothing has changed.",
	.children = args_children,
};

static const char *
names(const qb_table *table, const char *column)
{
	const char *text = who_text(table, 0, column, "");

	return *text ? text : "none";
}

int
cmd_reload(struct ctl *ctl, int argc, char **argv)
{
	qb_table *table;
	qb_result result;
	int status;

	args_parse(&argp, argc, argv, ctl);
	status = ctl_connect(ctl);
	if (status)
		return status;
	result = qb_reload(ctl->q, &table);
	if (result != QB_OK)
		return ctl_result(ctl, result);
	if (ctl->json)
		status = out_json(json_pack(
			"{s:s, s:s}", "changed", who_text(table, 0, "changed", ""),
			"after_restart", who_text(table, 0, "after_restart", "")));
	else
		printf("changed: %s; after a restart: %s\n", names(table, "changed"),
		       names(table, "after_restart"));
	qb_table_free(table);
	return status;
}
