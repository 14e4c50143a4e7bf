/* SPDX-License-Identifier: MIT
 * peek: look at the next item. */
#include <config.h>

#include "ctl/ctl.h"
#include "ctl/out.h"

#include <string.h>

struct peek {
	struct ctl *ctl;
	bool raw;
};

static const struct argp_option options[] = {
	{"raw", 'r', NULL, 0, "Print no newline behind the item", 0},
	{0},
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct peek *peek = state->input;

	if (key == 'r') {
		peek->raw = true;
		return 0;
	}
	return args_queue(key, arg, state, peek->ctl);
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "QUEUE",
	.doc = "Prints the item that the next get from QUEUE would be given, and "
	       "leaves it where it is. Exits with 3 if there is none.",
	.children = args_children,
};

int
cmd_peek(struct ctl *ctl, int argc, char **argv)
{
	struct peek peek = {ctl, false};
	enum items_format format;
	unsigned written;
	qb_result result;
	qb_item *item;
	int status, error;

	args_parse(&argp, argc, argv, &peek);
	status = ctl_connect(ctl);
	if (status)
		return status;
	result = qb_peek(ctl->q, ctl->queue, &item);
	if (result != QB_OK)
		return ctl_result(ctl, result);
	format = peek.raw ? ITEMS_RAW : ITEMS_LINES;
	error = items_write(&item, 1, ctl->json ? ITEMS_JSON : format, &written);
	qb_item_free(item);
	return error ? ctl_error(ctl, "standard output: %s", strerror(error))
		     : CTL_DONE;
}
