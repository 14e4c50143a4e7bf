/* SPDX-License-Identifier: MIT
 * The command line, on top of argp: the global options, which every command takes too,
 * the QUEUE argument, and the values of options. */
#include <config.h>

#include "ctl/ctl.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SECONDS 9e12 /* the wire's 2^53 milliseconds */

static const struct argp_option global_options[] = {
	{"server", 's', "ADDRESS", 0, "The broker: unix:/path or tcp://host:port", -2},
	{"json", 'j', NULL, 0, "Print JSON", -2},
	{0},
};

static error_t
parse_global(int key, char *arg, struct argp_state *state)
{
	struct ctl *ctl = state->input;

	switch (key) {
	case 's':
		if (arg[0] == '\0')
			argp_error(state, "the address is empty");
		ctl->address = arg;
		return 0;
	case 'j': ctl->json = true; return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp global_argp = {
	.options = global_options,
	.parser = parse_global,
};

const struct argp_child args_children[] = {
	{&global_argp, 0, NULL, -2},
	{0},
};

void
args_parse(const struct argp *argp, int argc, char **argv, void *input)
{
	/* Every wrong argument has ended the program: what is left is no memory. */
	if (argp_parse(argp, argc, argv, ARGP_IN_ORDER, NULL, input) != 0)
		abort();
}

error_t
args_none(int key, char *arg, struct argp_state *state, struct ctl *ctl)
{
	switch (key) {
	case ARGP_KEY_INIT: state->child_inputs[0] = ctl; return 0;
	case ARGP_KEY_ARG: argp_error(state, "unexpected argument '%s'", arg); return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

error_t
args_queue(int key, char *arg, struct argp_state *state, struct ctl *ctl)
{
	if (key == ARGP_KEY_ARG && state->arg_num == 0) {
		ctl->queue = arg;
		return 0;
	}
	if (key == ARGP_KEY_END && !ctl->queue)
		argp_error(state, "which QUEUE?");
	return args_none(key, arg, state, ctl);
}

error_t
args_any_queue(int key, char *arg, struct argp_state *state, struct ctl *ctl)
{
	return key == ARGP_KEY_END ? 0 : args_queue(key, arg, state, ctl);
}

error_t
args_queue_parser(int key, char *arg, struct argp_state *state)
{
	return args_queue(key, arg, state, state->input);
}

error_t
args_none_parser(int key, char *arg, struct argp_state *state)
{
	return args_none(key, arg, state, state->input);
}

int64_t
args_seconds(const struct argp_state *state, const char *option, const char *text)
{
	char *end;
	double seconds;
	int64_t ms;

	/* strtod() alone would take inf, nan, hexadecimal and leading blanks. */
	if (text[0] == '-')
		argp_error(state, "%s: '%s' is negative", option, text);
	seconds = strtod(text, &end);
	if (text[strspn(text, "0123456789.")] != '\0' || end == text || *end != '\0')
		argp_error(state, "%s: '%s' is no number of seconds", option, text);
	if (seconds > MAX_SECONDS)
		argp_error(state, "%s: '%s' is too long", option, text);
	ms = (int64_t)(seconds * 1000.0);
	return (double)ms < seconds * 1000.0 ? ms + 1 : ms; /* 0 would be no wait */
}

uint64_t
args_number(const struct argp_state *state, const char *option, const char *text,
	    uint64_t max)
{
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end != '\0')
		argp_error(state, "%s: '%s' is no number", option, text);
	if (errno != 0 || number > max)
		argp_error(state, "%s: '%s' is more than %llu", option, text,
			   (unsigned long long)max);
	return number;
}

int64_t
args_signed(const struct argp_state *state, const char *option, const char *text,
	    int64_t min, int64_t max)
{
	const char *digits = text + (text[0] == '-');
	long long number;
	char *end;

	errno = 0;
	number = strtoll(text, &end, 10);
	if (!isdigit((unsigned char)digits[0]) || *end != '\0')
		argp_error(state, "%s: '%s' is no number", option, text);
	if (errno != 0 || number < min || number > max)
		argp_error(state, "%s: '%s' is not from %lld to %lld", option, text,
			   (long long)min, (long long)max);
	return number;
}
