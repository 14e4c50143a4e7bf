/* SPDX-License-Identifier: MIT
 * purge: drop what waits. */
#include <config.h>

#include "ctl/ctl.h"
#include "ctl/out.h"

static const struct argp argp = {
	.parser = args_queue_parser,
	.args_doc = "QUEUE",
	.doc = "Drops the items of QUEUE that wait, and prints how many. Items that "
	       "are "
	       "held stay with their holders.",
	.children = args_children,
};

int
cmd_purge(struct ctl *ctl, int argc, char **argv)
{
	qb_result result;
	uint64_t count;
	int status;

	args_parse(&argp, argc, argv, ctl);
	status = ctl_connect(ctl);
	if (status)
		return status;
	result = qb_purge(ctl->q, ctl->queue, &count);
	if (result != QB_OK)
		return ctl_result(ctl, result);
	return out_count(ctl, "purged", count);
}
