/* SPDX-License-Identifier: MIT
 * declare: make a queue with its options, or change them. */
#include <config.h>

#include "ctl/ctl.h"
#include "ctl/out.h"

#include <stdlib.h>
#include <string.h>

struct declare {
	struct ctl *ctl;
	bool update;
	unsigned n;
	const char **options; /* room for all arguments and a NULL */
};

static const struct argp_option options[] = {
	{"update", 'u', NULL, 0, "Change the options of a queue that exists", 0},
	{0},
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct declare *declare = state->input;

	if (key == 'u') {
		declare->update = true;
		return 0;
	}
	if (key == ARGP_KEY_ARG && state->arg_num > 0) {
		if (!strchr(arg, '='))
			argp_error(state, "'%s' is no option=value", arg);
		declare->options[declare->n++] = arg;
		return 0;
	}
	return args_queue(key, arg, state, declare->ctl);
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "QUEUE [OPTION=VALUE...]",
	.doc = "Makes QUEUE. If it exists, its options must be those given, or, with "
	       "--update, become those given.\v"
	       "maxsize=N    most items that may wait; 0: any number\n"
	       "max_bytes=N  most bytes of their bodies; 0: any number\n"
	       "lease_ms=N   ends leases after so many milliseconds; 0: never\n"
	       "max_attempts=N  an item is dead after so many failed attempts; 0: "
	       "never\n"
	       "max_crashes=N  or so many holders that died; 0: any number\n"
	       "retry_delay_ms=N  how long it waits after the first failed attempt\n"
	       "retry_factor=N  for which percentage of that after each further one\n"
	       "retry_max_ms=N  but not longer; 0: any time\n"
	       "max_dead=N   most dead items that are kept; 0: any number\n"
	       "dead_ttl_ms=N  for so many milliseconds; 0: for ever\n"
	       "dead_to=QUEUE  takes them instead\n"
	       "durable=none|async|sync  what of it outlives the broker: nothing; "
	       "what was put, if its process ends; or if the machine does\n"
	       "order=fifo|lifo|priority  which item comes first: the oldest, the "
	       "youngest, the oldest of those with the lowest priority",
	.children = args_children,
};

int
cmd_declare(struct ctl *ctl, int argc, char **argv)
{
	struct declare declare = {.ctl = ctl};
	qb_result result;
	int created = 0, status;

	declare.options = calloc((size_t)argc + 1, sizeof(char *));
	if (!declare.options)
		return ctl_error(ctl, "no memory");
	args_parse(&argp, argc, argv, &declare);
	status = ctl_connect(ctl);
	if (status == CTL_DONE) {
		result = qb_declare(ctl->q, ctl->queue, declare.options, declare.update,
				    &created);
		status = ctl_result(ctl, result);
	}
	free(declare.options);
	if (status == CTL_DONE && ctl->json)
		return out_json(json_pack("{s:s, s:b}", "queue", ctl->queue, "created",
					  created));
	return status;
}
