/* SPDX-License-Identifier: MIT
 * reopen: the way back from shutdown. */
#include <config.h>

#include "ctl/ctl.h"

static const struct argp argp = {
	.parser = args_queue_parser,
	.args_doc = "QUEUE",
	.doc = "Undoes the shutdown of QUEUE.",
	.children = args_children,
};

int
cmd_reopen(struct ctl *ctl, int argc, char **argv)
{
	int status;

	args_parse(&argp, argc, argv, ctl);
	status = ctl_connect(ctl);
	if (status)
		return status;
	return ctl_result(ctl, qb_reopen(ctl->q, ctl->queue));
}
