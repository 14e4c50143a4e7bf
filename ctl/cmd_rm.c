/* SPDX-License-Identifier: MIT
 * rm: delete a queue, or an item. */
#include <config.h>

#include "ctl/ctl.h"

struct rm {
	struct ctl *ctl;
	uint64_t id; /* of an item; 0: the queue */
	bool force;
};

static const struct argp_option options[] = {
	{"force", 'f', NULL, 0,
	 "Also with unfinished items or waiting clients; an item also if it is held",
	 0},
	{"item", 'i', "ID", 0, "Delete this item instead of the queue", 0},
	{0},
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct rm *rm = state->input;

	if (key == 'f') {
		rm->force = true;
		return 0;
	}
	if (key == 'i') {
		rm->id = args_number(state, "--item", arg, INT64_MAX);
		if (rm->id == 0)
			argp_error(state, "--item: no item has the id 0");
		return 0;
	}
	return args_queue(key, arg, state, rm->ctl);
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "QUEUE",
	.doc = "Deletes QUEUE. While it has unfinished items, or clients that wait "
	       "on it, it stays, unless --force is given: then the items are gone, "
	       "and the clients are told so. With --item that item is deleted alone, "
	       "unless somebody holds it.",
	.children = args_children,
};

int
cmd_rm(struct ctl *ctl, int argc, char **argv)
{
	struct rm rm = {.ctl = ctl};
	int status;

	args_parse(&argp, argc, argv, &rm);
	status = ctl_connect(ctl);
	if (status)
		return status;
	if (rm.id > 0)
		return ctl_result(ctl,
				  qb_delete_item(ctl->q, ctl->queue, rm.id, rm.force));
	return ctl_result(ctl, qb_delete(ctl->q, ctl->queue, rm.force));
}
