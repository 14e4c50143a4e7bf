/* SPDX-License-Identifier: MIT
 * who: who holds an item. */
#include <config.h>

#include "ctl/ctl.h"
#include "ctl/out.h"
#include "ctl/who.h"

struct who {
	struct ctl *ctl;
	uint64_t id;
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct who *who = state->input;

	if (key == ARGP_KEY_ARG && state->arg_num == 0) {
		who->id = args_number(state, "ID", arg, INT64_MAX);
		if (who->id == 0)
			argp_error(state, "ID: no item has the id 0");
		return 0;
	}
	if (key == ARGP_KEY_END && who->id == 0)
		argp_error(state, "which ID?");
	return args_none(key, arg, state, who->ctl);
}

static const struct argp argp = {
	.parser = parse,
	.args_doc = "ID",
	.doc = "Says who holds the item with this id, and since when. Exits with 3 if "
	       "nobody does.",
	.children = args_children,
};

int
cmd_who(struct ctl *ctl, int argc, char **argv)
{
	struct who who = {ctl, 0};
	char sentence[WHO_BYTES];
	qb_table *table;
	qb_result result;
	int status;

	args_parse(&argp, argc, argv, &who);
	status = ctl_connect(ctl);
	if (status)
		return status;
	result = qb_who(ctl->q, who.id, &table);
	if (result != QB_OK)
		return ctl_result(ctl, result);
	if (ctl->json) {
		status = out_json(out_row(table, 0));
	} else {
		who_lease(table, 0, sentence);
		who_say(sentence);
	}
	qb_table_free(table);
	return status;
}
