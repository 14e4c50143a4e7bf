/* SPDX-License-Identifier: MIT
 * put: one item, or every line of the input, as fast as the broker takes them. */
#include <config.h>

#include "ctl/ctl.h"
#include "ctl/input.h"
#include "ctl/out.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define WINDOW	     4096
#define WINDOW_BYTES (16 << 20)

struct put {
	struct ctl *ctl;
	const char *body; /* NULL: standard input */
	bool lines;
	qb_put_options *options;
	int64_t timeout_ms;
	struct progress progress;
	uint64_t bytes, items; /* so far, from the input */
	uint64_t started;      /* items that were given to the library */
	size_t unconfirmed;    /* bytes, at most */
};

enum { AT = 256, TTL, KEEP, UNIQUE, WINDOW_TIME, ON_DUPLICATE };

static const struct argp_option options[] = {
	{"lines", 'l', NULL, 0, "Every line of the input is an item", 0},
	{"ctype", 'c', "NUMBER", 0, "A content type for the consumer, 0 to 255", 0},
	{"priority", 'p', "NUMBER", 0,
	 "Lower comes first, in a queue with order=priority", 0},
	{"delay", 'd', "SECONDS", 0, "Nobody gets the item before this time has passed",
	 0},
	{"at", AT, "TIME", 0, "Nobody gets it before TIME, in seconds since 1970", 0},
	{"ttl", TTL, "SECONDS", 0, "Drop the item when nobody holds it after this time",
	 0},
	{"keep", KEEP, NULL, 0, "Then it is dead, and kept, instead of being dropped", 0},
	{"group", 'g', "NAME", 0, "The item is of this group of the queue", 0},
	{"key", 'k', "NAME", 0, "No other put may have this key of the queue", 0},
	{"unique", UNIQUE, "SCOPE", 0,
	 "While the item is unfinished (the default), or queued", 0},
	{"window", WINDOW_TIME, "SECONDS", 0, "For so long, whatever becomes of it", 0},
	{"on-duplicate", ON_DUPLICATE, "WHAT", 0,
	 "If the key is taken: ignore (the default), reject or replace", 0},
	{"timeout", 't', "SECONDS", 0,
	 "Wait at most so long for room, for each item; 0: do not wait", 0},
	{0},
};

/* In the order of qb_unique and of qb_on_duplicate. */
static const char *const scopes[] = {"unfinished", "queued", NULL};
static const char *const outcomes[] = {"ignore", "reject", "replace", NULL};

static int
one_of(struct argp_state *state, const char *option, const char *arg,
       const char *const *words)
{
	for (int i = 0; words[i]; i++)
		if (strcmp(words[i], arg) == 0)
			return i;
	argp_error(state, "%s: '%s' is not known", option, arg);
	return 0;
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct put *put = state->input;

	switch (key) {
	case 'l': put->lines = true; return 0;
	case 'c':
		qb_put_options_set_ctype(put->options,
					 (uint8_t)args_number(state, "--ctype", arg,
							      UINT8_MAX));
		return 0;
	case 'p':
		qb_put_options_set_priority(
			put->options, (int32_t)args_signed(state, "--priority", arg,
							   INT32_MIN, INT32_MAX));
		return 0;
	case 'd':
		qb_put_options_set_delay(put->options,
					 args_seconds(state, "--delay", arg));
		return 0;
	case AT:
		qb_put_options_set_at(put->options, args_seconds(state, "--at", arg));
		return 0;
	case TTL:
		qb_put_options_set_ttl(put->options, args_seconds(state, "--ttl", arg));
		return 0;
	case KEEP: qb_put_options_set_keep(put->options, 1); return 0;
	case 'g': qb_put_options_set_group(put->options, arg); return 0;
	case 'k': qb_put_options_set_key(put->options, arg); return 0;
	case UNIQUE:
		qb_put_options_set_unique(put->options,
					  (qb_unique)one_of(state, "--unique", arg,
							    scopes));
		return 0;
	case WINDOW_TIME:
		qb_put_options_set_window(put->options,
					  args_seconds(state, "--window", arg));
		return 0;
	case ON_DUPLICATE:
		qb_put_options_set_on_duplicate(
			put->options, (qb_on_duplicate)one_of(state, "--on-duplicate",
							      arg, outcomes));
		return 0;
	case 't': put->timeout_ms = args_seconds(state, "--timeout", arg); return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num != 1)
			break;
		put->body = arg;
		return 0;
	case ARGP_KEY_END:
		if (put->lines && put->body)
			argp_error(state,
				   "--lines reads the input, but there is a BODY");
		break;
	default: break;
	}
	return args_queue(key, arg, state, put->ctl);
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "QUEUE [BODY]",
	.doc = "Puts an item: BODY, or all of the standard input. Waits while QUEUE is "
	       "full.\v"
	       "The newline is not part of a line; a last line that has none counts.",
	.children = args_children,
};

static int
put_body(struct put *put, const char *body, size_t len)
{
	struct ctl *ctl = put->ctl;
	uint64_t id;
	qb_result result = qb_put_with(ctl->q, ctl->queue, put->options, body, len,
				       put->timeout_ms, &id);

	if (result != QB_OK || !ctl->json)
		return ctl_result(ctl, result);
	return out_json(json_pack("{s:s, s:I, s:b}", "queue", ctl->queue, "id",
				  (json_int_t)id, "duplicate",
				  qb_was_duplicate(ctl->q)));
}

static int
input_error(const struct put *put, enum input_result result)
{
	if (result == INPUT_TOO_BIG)
		return ctl_error(put->ctl,
				 "item %" PRIu64 " is larger than %" PRIu64 " bytes",
				 put->items + 1, qb_max_item(put->ctl->q));
	return ctl_error(put->ctl, "standard input: %s", strerror(errno));
}

static int
put_input(struct put *put, struct input *in)
{
	enum input_result result;

	do {
		result = input_more(in, qb_max_item(put->ctl->q));
		progress_update(&put->progress, in->end, 0);
	} while (result == INPUT_DATA);
	progress_done(&put->progress);
	if (result != INPUT_END)
		return input_error(put, result);
	return put_body(put, in->data, in->end);
}

/* The pipelined put has no timeout: who asks for one waits for each answer. */
static qb_result
put_line(struct put *put, const char *line, size_t len)
{
	struct ctl *ctl = put->ctl;
	qb_result result = QB_OK;

	put->bytes += len + 1;
	put->items++;
	progress_update(&put->progress, put->bytes, put->items);
	if (put->timeout_ms != QB_FOREVER) {
		result = qb_put_with(ctl->q, ctl->queue, put->options, line, len,
				     put->timeout_ms, NULL);
	} else {
		put->unconfirmed += len;
		if (put->unconfirmed > WINDOW_BYTES) {
			put->unconfirmed = len;
			result = qb_flush(ctl->q, QB_FOREVER);
		}
		if (result == QB_OK)
			result = qb_put_start_with(ctl->q, ctl->queue, put->options,
						   line, len);
	}
	put->started += result == QB_OK;
	return result;
}

/* Waits for the answers to all lines, and tells what became of them. */
static int
end_lines(struct put *put, qb_result result)
{
	struct ctl *ctl = put->ctl;
	qb_result flushed = qb_flush(ctl->q, QB_FOREVER);
	uint64_t accepted = put->started - qb_failed_puts(ctl->q);
	char note[80];

	if (flushed != QB_OK)
		result = flushed;
	if (result == QB_OK && ctl->json)
		return out_json(json_pack("{s:s, s:I}", "queue", ctl->queue, "accepted",
					  (json_int_t)accepted));
	snprintf(note, sizeof(note), "; %" PRIu64 " of %" PRIu64 " lines were accepted",
		 accepted, put->items);
	return ctl_result_note(ctl, result, note);
}

static int
put_lines(struct put *put, struct input *in)
{
	struct ctl *ctl = put->ctl;
	enum input_result got = INPUT_DATA;
	qb_result result = qb_set_window(ctl->q, WINDOW);
	const char *line;
	size_t len;
	int status = CTL_DONE, ended;

	while (result == QB_OK) {
		got = input_line(in, qb_max_item(ctl->q), &line, &len);
		if (got == INPUT_DATA)
			result = put_line(put, line, len);
		else if (got == INPUT_WAIT)
			result = qb_flush(ctl->q, QB_FOREVER);
		else
			break;
	}
	progress_done(&put->progress);
	if (got == INPUT_FAILED || got == INPUT_TOO_BIG)
		status = input_error(put, got);
	ended = end_lines(put, result);
	return status ? status : ended;
}

int
cmd_put(struct ctl *ctl, int argc, char **argv)
{
	struct put put = {.ctl = ctl, .timeout_ms = QB_FOREVER};
	struct input in = {0};
	int status;

	put.options = qb_put_options_new();
	if (!put.options)
		return ctl_error(ctl, "no memory");
	args_parse(&argp, argc, argv, &put);
	status = ctl_connect(ctl);
	if (status) {
		qb_put_options_free(put.options);
		return status;
	}
	progress_init(&put.progress, ctl->queue);
	if (put.body)
		status = put_body(&put, put.body, strlen(put.body));
	else if (put.lines)
		status = put_lines(&put, &in);
	else
		status = put_input(&put, &in);
	input_done(&in);
	qb_put_options_free(put.options);
	return status;
}
