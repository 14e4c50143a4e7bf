/* SPDX-License-Identifier: MIT
 * cancel: call the items of a group off. */
#include <config.h>

#include "ctl/ctl.h"
#include "ctl/out.h"

#include <inttypes.h>

struct cancel {
	struct ctl *ctl;
	const char *group;
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct cancel *cancel = state->input;

	if (key == ARGP_KEY_ARG && state->arg_num == 1) {
		cancel->group = arg;
		return 0;
	}
	if (key == ARGP_KEY_END && cancel->ctl->queue && !cancel->group)
		argp_error(state, "which GROUP?");
	return args_queue(key, arg, state, cancel->ctl);
}

static const struct argp argp = {
	.parser = parse,
	.args_doc = "QUEUE GROUP",
	.doc = "Drops the items of GROUP that wait, and prints how many. Items that "
	       "are "
	       "held stay with their holders, and are dropped when they come back.",
	.children = args_children,
};

int
cmd_cancel(struct ctl *ctl, int argc, char **argv)
{
	struct cancel cancel = {.ctl = ctl};
	uint64_t dropped, held;
	qb_result result;
	int status;

	args_parse(&argp, argc, argv, &cancel);
	status = ctl_connect(ctl);
	if (status)
		return status;
	result = qb_cancel_group(ctl->q, ctl->queue, cancel.group, &dropped, &held);
	if (result != QB_OK)
		return ctl_result(ctl, result);
	if (ctl->json)
		return out_json(json_pack("{s:s, s:s, s:I, s:I}", "queue", ctl->queue,
					  "group", cancel.group, "dropped",
					  (json_int_t)dropped, "held",
					  (json_int_t)held));
	printf("%" PRIu64 "\n", dropped);
	return CTL_DONE;
}
