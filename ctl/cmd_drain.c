/* SPDX-License-Identifier: MIT
 * drain: take no more, and wait until everything is finished. */
#include <config.h>

#include "ctl/ctl.h"
#include "ctl/out.h"

struct drain {
	struct ctl *ctl;
	int64_t timeout_ms;
};

static const struct argp_option options[] = {
	{"timeout", 't', "SECONDS", 0, "Wait at most so long; 0: do not wait", 0},
	{0},
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct drain *drain = state->input;

	if (key == 't') {
		drain->timeout_ms = args_seconds(state, "--timeout", arg);
		return 0;
	}
	return args_queue(key, arg, state, drain->ctl);
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "QUEUE",
	.doc = "Pauses QUEUE for puts, waits until every item that it has is finished, "
	       "and says so. Exits with 3 if the timeout runs out first. The queue "
	       "stays paused; 'qbrokerctl resume QUEUE --in' opens it again.",
	.children = args_children,
};

int
cmd_drain(struct ctl *ctl, int argc, char **argv)
{
	struct drain drain = {ctl, QB_FOREVER};
	qb_result result;
	int status;

	args_parse(&argp, argc, argv, &drain);
	status = ctl_connect(ctl);
	if (status)
		return status;
	result = qb_drain(ctl->q, ctl->queue, drain.timeout_ms);
	if (result != QB_OK)
		return ctl_result_note(ctl, result,
				       result == QB_TIMEOUT
					       ? "; the queue stays paused for puts"
					       : "");
	if (ctl->json)
		return out_json(json_pack("{s:s, s:b}", "queue", ctl->queue, "drained", 1));
	printf("%s is drained: every item is finished, puts wait\n", ctl->queue);
	return CTL_DONE;
}
