/* SPDX-License-Identifier: MIT
 * size: Queue.qsize(). */
#include <config.h>

#include "ctl/ctl.h"
#include "ctl/out.h"

#include <inttypes.h>

static const struct argp argp = {
	.parser = args_queue_parser,
	.args_doc = "QUEUE",
	.doc = "Prints how many items of QUEUE wait, ready or delayed. With --json "
	       "also "
	       "how many are unfinished, those that are held included, and the bound.",
	.children = args_children,
};

int
cmd_size(struct ctl *ctl, int argc, char **argv)
{
	uint64_t qsize, unfinished;
	int64_t maxsize;
	qb_result result;
	int status;

	args_parse(&argp, argc, argv, ctl);
	status = ctl_connect(ctl);
	if (status)
		return status;
	result = qb_size(ctl->q, ctl->queue, &qsize, &unfinished, &maxsize);
	if (result != QB_OK)
		return ctl_result(ctl, result);
	if (ctl->json)
		return out_json(json_pack("{s:s, s:I, s:I, s:I}", "queue", ctl->queue,
					  "qsize", (json_int_t)qsize, "unfinished",
					  (json_int_t)unfinished, "maxsize",
					  (json_int_t)maxsize));
	printf("%" PRIu64 "\n", qsize);
	return CTL_DONE;
}
