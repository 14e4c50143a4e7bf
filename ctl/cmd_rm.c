/* SPDX-License-Identifier: MIT
 * rm: delete a queue. */
#include <config.h>

#include "ctl/ctl.h"

struct rm {
	struct ctl *ctl;
	bool force;
};

static const struct argp_option options[] = {
	{"force", 'f', NULL, 0, "Also with unfinished items or waiting clients", 0},
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
	return args_queue(key, arg, state, rm->ctl);
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "QUEUE",
	.doc = "Deletes QUEUE. While it has unfinished items, or clients that wait "
	       "on it, it stays, unless --force is given: then the items are gone, "
	       "and the clients are told so.",
	.children = args_children,
};

int
cmd_rm(struct ctl *ctl, int argc, char **argv)
{
	struct rm rm = {ctl, false};
	int status;

	args_parse(&argp, argc, argv, &rm);
	status = ctl_connect(ctl);
	if (status)
		return status;
	return ctl_result(ctl, qb_delete(ctl->q, ctl->queue, rm.force));
}
