/* SPDX-License-Identifier: MIT
 * join: Queue.join(). */
#include <config.h>

#include "ctl/ctl.h"

struct join {
	struct ctl *ctl;
	const char *group; /* NULL: all of the queue */
	int64_t timeout_ms;
};

static const struct argp_option options[] = {
	{"timeout", 't', "SECONDS", 0, "Wait at most so long; 0: do not wait", 0},
	{"group", 'g', "NAME", 0, "Wait for the items of this group alone", 0},
	{0},
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct join *join = state->input;

	switch (key) {
	case 't': join->timeout_ms = args_seconds(state, "--timeout", arg); return 0;
	case 'g': join->group = arg; return 0;
	default: return args_queue(key, arg, state, join->ctl);
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "QUEUE",
	.doc = "Waits until every item of QUEUE is finished: none waits, none is "
	       "held. Exits with 3 if the timeout runs out first.",
	.children = args_children,
};

int
cmd_join(struct ctl *ctl, int argc, char **argv)
{
	struct join join = {.ctl = ctl, .timeout_ms = QB_FOREVER};
	int status;

	args_parse(&argp, argc, argv, &join);
	status = ctl_connect(ctl);
	if (status)
		return status;
	return ctl_result(ctl, qb_join_group(ctl->q, ctl->queue, join.group,
					     join.timeout_ms));
}
