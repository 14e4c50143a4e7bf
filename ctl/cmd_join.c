/* SPDX-License-Identifier: MIT
 * join: Queue.join(). */
#include <config.h>

#include "ctl/ctl.h"
#include "ctl/out.h"

struct join {
	struct ctl *ctl;
	const char *group; /* NULL: all of the queue */
	int64_t timeout_ms, stall_ms;
	bool strict;
};

enum { STALL = 256, STRICT };

static const struct argp_option options[] = {
	{"timeout", 't', "SECONDS", 0, "Wait at most so long; 0: do not wait", 0},
	{"group", 'g', "NAME", 0, "Wait for the items of this group alone", 0},
	{"stall", STALL, "SECONDS", 0,
	 "Fail when for so long items were ready and nobody worked", 0},
	{"strict", STRICT, NULL, 0, "Fail if items died meanwhile", 0},
	{0},
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct join *join = state->input;

	switch (key) {
	case 't': join->timeout_ms = args_seconds(state, "--timeout", arg); return 0;
	case 'g': join->group = arg; return 0;
	case STALL: join->stall_ms = args_seconds(state, "--stall", arg); return 0;
	case STRICT: join->strict = true; return 0;
	default: return args_queue(key, arg, state, join->ctl);
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "QUEUE",
	.doc = "Waits until every item of QUEUE is finished: none waits, none is "
	       "held. Exits with 3 if the timeout runs out first, and with 1 if it "
	       "fails.",
	.children = args_children,
};

int
cmd_join(struct ctl *ctl, int argc, char **argv)
{
	struct join join = {
		.ctl = ctl, .timeout_ms = QB_FOREVER, .stall_ms = QB_FOREVER};
	qb_result result;
	uint64_t died;
	int status;

	args_parse(&argp, argc, argv, &join);
	status = ctl_connect(ctl);
	if (status)
		return status;
	result = qb_join_with(ctl->q, ctl->queue, join.group, join.timeout_ms,
			      join.stall_ms, join.strict, &died);
	if (result != QB_OK || !ctl->json)
		return ctl_result(ctl, result);
	return out_json(
		json_pack("{s:s, s:I}", "queue", ctl->queue, "died", (json_int_t)died));
}
