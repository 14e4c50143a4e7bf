/* SPDX-License-Identifier: MIT
 * browse: list the items of a queue, without their bodies. */
#include <config.h>

#include "ctl/ctl.h"
#include "ctl/view.h"

#include <string.h>

#define ALL UINT64_MAX

struct browse {
	struct ctl *ctl;
	const struct view *view;
	uint64_t skip, count;
};

/* --- what is shown of a state -------------------------------------------------------- */

static const struct view views[] = {
	{"ready",
	 {{"ID", "id", NUMBER},
	  {"PRIORITY", "priority", NUMBER},
	  {"AGE", "age_ms", TIME},
	  {"GIVEN", "deliveries", NUMBER},
	  {"CRASHES", "crashes", NUMBER},
	  {"NACKS", "nacks", NUMBER},
	  {"SIZE", "size", NUMBER},
	  {"GROUP", "group", TEXT}}},
	{"delayed",
	 {{"ID", "id", NUMBER},
	  {"DUE IN", "due_ms", TIME},
	  {"PRIORITY", "priority", NUMBER},
	  {"AGE", "age_ms", TIME},
	  {"GIVEN", "deliveries", NUMBER},
	  {"NACKS", "nacks", NUMBER},
	  {"SIZE", "size", NUMBER},
	  {"GROUP", "group", TEXT}}},
	{"leased",
	 {{"ID", "id", NUMBER},
	  {"HELD", "held_ms", TIME},
	  {"AGE", "age_ms", TIME},
	  {"GIVEN", "deliveries", NUMBER},
	  {"SIZE", "size", NUMBER},
	  {"PID", "pid", NUMBER},
	  {"CLIENT", "client", TEXT},
	  {"GROUP", "group", TEXT}}},
	{"dead",
	 {{"ID", "id", NUMBER},
	  {"REASON", "reason", TEXT},
	  {"DEAD", "dead_ms", TIME},
	  {"AGE", "age_ms", TIME},
	  {"GIVEN", "deliveries", NUMBER},
	  {"SIZE", "size", NUMBER},
	  {"GROUP", "group", TEXT},
	  {"ERROR", "error", TEXT}}},
};

/* --- the command --------------------------------------------------------------------- */

static const struct argp_option options[] = {
	{"state", 'S', "STATE", 0, "ready (the default), delayed, leased or dead", 0},
	{"skip", 'k', "N", 0, "Leave out the first N, at most 10000", 0},
	{"count", 'n', "N", 0, "List at most N", 0},
	{0},
};

static const struct view *
find_view(const char *state, struct argp_state *argp_state)
{
	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++)
		if (strcmp(views[i].state, state) == 0)
			return &views[i];
	argp_error(argp_state,
		   "--state: '%s' is neither ready, delayed, leased nor dead", state);
	return &views[0];
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct browse *browse = state->input;

	switch (key) {
	case 'S': browse->view = find_view(arg, state); return 0;
	case 'k':
		browse->skip = args_number(state, "--skip", arg, QB_MAX_SKIP);
		return 0;
	case 'n':
		browse->count = args_number(state, "--count", arg, INT64_MAX);
		return 0;
	default: return args_queue(key, arg, state, browse->ctl);
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "QUEUE",
	.doc = "Lists the items of QUEUE and leaves them where they are: ready ones in "
	       "the order in which they would be given, leased ones by holder, dead "
	       "ones "
	       "in the order in which they died, delayed ones in no order. At most "
	       "10100 "
	       "are listed; what comes or goes meanwhile may be missed.",
	.children = args_children,
};

int
cmd_browse(struct ctl *ctl, int argc, char **argv)
{
	struct browse browse = {.ctl = ctl, .view = &views[0], .count = ALL};
	int status;

	args_parse(&argp, argc, argv, &browse);
	status = ctl_connect(ctl);
	return status ? status
		      : view_print(ctl, browse.view, browse.skip, browse.count);
}
