/* SPDX-License-Identifier: MIT
 * mv: move items into another queue. */
#include <config.h>

#include "ctl/ctl.h"
#include "ctl/out.h"

#include <inttypes.h>
#include <string.h>

#define ALL UINT64_MAX

struct mv {
	struct ctl *ctl;
	const char *to, *state;
	uint64_t count;
};

static const struct argp_option options[] = {
	{"count", 'n', "N", 0, "At most so many of them (default: all)", 0},
	{"state", 'S', "STATE", 0, "ready (the default) or dead", 0},
	{0},
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct mv *mv = state->input;

	switch (key) {
	case 'n': mv->count = args_number(state, "--count", arg, INT64_MAX); return 0;
	case 'S':
		if (strcmp(arg, "ready") != 0 && strcmp(arg, "dead") != 0)
			argp_error(state, "--state: '%s' is neither ready nor dead",
				   arg);
		mv->state = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num == 1) {
			mv->to = arg;
			return 0;
		}
		break;
	case ARGP_KEY_END:
		if (mv->ctl->queue && !mv->to)
			argp_error(state, "into which queue?");
		break;
	default: break;
	}
	return args_queue(key, arg, state, mv->ctl);
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "FROM TO",
	.doc = "Moves the items of FROM into TO, from the front of the order, and "
	       "prints how many. Each step of up to 1000 items is one moment, the "
	       "whole "
	       "is not: others may put and get between two steps. It ends when there "
	       "is nothing left of what it began with, or TO is full. In TO they are "
	       "new items, with new ids and no failed attempts.",
	.children = args_children,
};

/* What comes meanwhile stays. */
static qb_result
move_all(const struct mv *mv, uint64_t *ret_moved)
{
	struct ctl *ctl = mv->ctl;
	uint64_t left = mv->count, n = 1;
	qb_result result = left < ALL ? QB_OK : ctl_count(ctl, mv->state, &left);

	*ret_moved = 0;
	while (result == QB_OK && left > 0 && n > 0) {
		result = qb_move(ctl->q, ctl->queue, mv->to, mv->state,
				 left < QB_MAX_BATCH ? (unsigned)left : QB_MAX_BATCH,
				 &n);
		if (result != QB_OK)
			break;
		*ret_moved += n;
		left -= n;
	}
	return result;
}

int
cmd_mv(struct ctl *ctl, int argc, char **argv)
{
	struct mv mv = {.ctl = ctl, .state = "ready", .count = ALL};
	uint64_t moved;
	char note[64];
	qb_result result;
	int status;

	args_parse(&argp, argc, argv, &mv);
	status = ctl_connect(ctl);
	if (status)
		return status;
	result = move_all(&mv, &moved);
	snprintf(note, sizeof(note), " (%" PRIu64 " were moved before)", moved);
	if (result != QB_OK)
		return ctl_result_note(ctl, result, moved > 0 ? note : "");
	if (ctl->json)
		return out_json(json_pack("{s:s, s:s, s:I}", "queue", ctl->queue, "to",
					  mv.to, "moved", (json_int_t)moved));
	printf("%" PRIu64 "\n", moved);
	return CTL_DONE;
}
