/* SPDX-License-Identifier: MIT
 * pause, resume: let puts, gets or both wait, and go on. */
#include <config.h>

#include "ctl/ctl.h"

struct ways {
	struct ctl *ctl;
	bool in, out;
};

static const struct argp_option options[] = {
	{"in", 'i', NULL, 0, "For puts alone", 0},
	{"out", 'o', NULL, 0, "For gets alone", 0},
	{0},
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct ways *ways = state->input;

	switch (key) {
	case 'i': ways->in = true; return 0;
	case 'o': ways->out = true; return 0;
	default: return args_queue(key, arg, state, ways->ctl);
	}
}

static int
run(struct ctl *ctl, const struct argp *argp, int argc, char **argv,
    qb_result (*call)(qb *q, const char *queue, int in, int out))
{
	struct ways ways = {ctl, false, false};
	int status;

	args_parse(argp, argc, argv, &ways);
	if (!ways.in && !ways.out)
		ways.in = ways.out = true;
	status = ctl_connect(ctl);
	if (status)
		return status;
	return ctl_result(ctl, call(ctl->q, ctl->queue, ways.in, ways.out));
}

static const struct argp pause_argp = {
	.options = options,
	.parser = parse,
	.args_doc = "QUEUE",
	.doc = "Pauses QUEUE, without options both ways: puts wait as if it were full, "
	       "gets as if it were empty. Items that are held can be finished, and "
	       "come back.",
	.children = args_children,
};

int
cmd_pause(struct ctl *ctl, int argc, char **argv)
{
	return run(ctl, &pause_argp, argc, argv, qb_pause);
}

static const struct argp resume_argp = {
	.options = options,
	.parser = parse,
	.args_doc = "QUEUE",
	.doc = "Lets QUEUE go on after a pause, without options both ways. Those who "
	       "wait are served in their order.",
	.children = args_children,
};

int
cmd_resume(struct ctl *ctl, int argc, char **argv)
{
	return run(ctl, &resume_argp, argc, argv, qb_resume);
}
