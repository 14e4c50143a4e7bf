/* SPDX-License-Identifier: MIT
 * shutdown: Queue.shutdown() of Python 3.13. */
#include <config.h>

#include "ctl/ctl.h"

struct shutdown {
	struct ctl *ctl;
	bool immediate;
};

static const struct argp_option options[] = {
	{"immediate", 'i', NULL, 0, "Drop the items that wait", 0},
	{0},
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct shutdown *shutdown = state->input;

	if (key == 'i') {
		shutdown->immediate = true;
		return 0;
	}
	return args_queue(key, arg, state, shutdown->ctl);
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "QUEUE",
	.doc = "Ends QUEUE: puts are refused from now on, gets are served until it "
	       "is empty, and refused then.",
	.children = args_children,
};

int
cmd_shutdown(struct ctl *ctl, int argc, char **argv)
{
	struct shutdown shutdown = {ctl, false};
	int status;

	args_parse(&argp, argc, argv, &shutdown);
	status = ctl_connect(ctl);
	if (status)
		return status;
	return ctl_result(ctl, qb_shutdown(ctl->q, ctl->queue, shutdown.immediate));
}
