/* SPDX-License-Identifier: MIT
 * load: declares the queues and puts the items that dump has written. */
#include <config.h>

#include "ctl/base64.h"
#include "ctl/ctl.h"
#include "ctl/input.h"
#include "ctl/out.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW	     4096
#define WINDOW_BYTES (16 << 20)
#define MAX_OPTIONS  32
#define OPTION_LEN   320
#define LINE_REST    8192 /* bytes of a line beside the body */

/* As QUEUES has them. */
#define PAUSED_IN  1
#define PAUSED_OUT 2
#define IMMEDIATE  2

struct load {
	struct ctl *ctl;
	bool dead;
	uint64_t line;
	uint64_t queues, items, left_out; /* as far as they were read */
	uint64_t started;		  /* items given to the library */
	size_t unconfirmed;		  /* bytes, at most */
	json_t *later; /* what is done to queues when all has been put: their lines */
	bool ended;
};

static const struct argp_option options[] = {
	{"dead", 'd', NULL, 0, "Put the dead items too; they are ready then", 0},
	{0},
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct load *load = state->input;

	if (key == 'd') {
		load->dead = true;
		return 0;
	}
	return args_none(key, arg, state, load->ctl);
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Declares the queues and puts the items that 'qbrokerctl dump' has "
	       "written, in the order of the input; waits while a queue is full.\v"
	       "The items have new ids and no attempts. Dead ones are left "
	       "out without --dead.",
	.children = args_children,
};

static int
wrong(const struct load *load, const char *why)
{
	return ctl_error(load->ctl, "line %" PRIu64 ": %s", load->line, why);
}

static json_int_t
number(const json_t *line, const char *name, json_int_t usual)
{
	const json_t *value = json_object_get(line, name);

	return json_is_integer(value) ? json_integer_value(value) : usual;
}

/* --- a queue ------------------------------------------------------------------------- */

/* What there may be of: items that were held count for it too while they are put. */
static bool
is_bound(const char *option)
{
	return strcmp(option, "maxsize") == 0 || strcmp(option, "max_bytes") == 0;
}

/* Declares the options that are bounds, and those that are not. */
static int
declare(struct load *load, const char *queue, const json_t *declared, bool bounds,
	bool others, bool update, int *ret_created)
{
	char texts[MAX_OPTIONS][OPTION_LEN];
	const char *list[MAX_OPTIONS + 1], *name;
	json_t *value;
	size_t n = 0;

	json_object_foreach((json_t *)(uintptr_t)declared, name, value)
	{
		int len;

		if (!(is_bound(name) ? bounds : others))
			continue;
		len = json_is_string(value) ? snprintf(texts[n], OPTION_LEN, "%s=%s",
						       name, json_string_value(value))
					    : snprintf(texts[n], OPTION_LEN,
						       "%s=%" JSON_INTEGER_FORMAT, name,
						       json_integer_value(value));
		if (len < 0 || len >= OPTION_LEN || n + 1 == MAX_OPTIONS)
			return wrong(load, "too much is declared");
		list[n] = texts[n];
		n++;
	}
	list[n] = NULL;
	return ctl_result(load->ctl,
			  qb_declare(load->ctl->q, queue, list, update, ret_created));
}

/* One that is new has its bounds when all has been put. Nobody is given anything of one that was paused, from the
 * beginning. */
static int
load_queue(struct load *load, const char *queue, json_t *line)
{
	const json_t *declared = json_object_get(line, "declared");
	int created = 0, status;

	status = declare(load, queue, declared, false, true, false, &created);
	if (status == CTL_DONE && !created)
		status = declare(load, queue, declared, true, true, false, NULL);
	if (status == CTL_DONE && number(line, "paused", 0) & PAUSED_OUT)
		status = ctl_result(load->ctl, qb_pause(load->ctl->q, queue, 0, 1));
	if (status != CTL_DONE)
		return status;
	load->queues++;
	json_object_set_new(line, "created", json_boolean(created));
	return json_array_append(load->later, line) == 0
		       ? CTL_DONE
		       : ctl_error(load->ctl, "no memory");
}

static int
finish_queue(struct load *load, json_t *line)
{
	const char *queue = json_string_value(json_object_get(line, "queue"));
	json_int_t shutdown = number(line, "shutdown", 0);
	int status = CTL_DONE;

	if (json_is_true(json_object_get(line, "created")))
		status = declare(load, queue, json_object_get(line, "declared"), true,
				 false, true, NULL);
	if (status == CTL_DONE && number(line, "paused", 0) & PAUSED_IN)
		status = ctl_result(load->ctl, qb_pause(load->ctl->q, queue, 1, 0));
	if (status == CTL_DONE && shutdown)
		status = ctl_result(load->ctl, qb_shutdown(load->ctl->q, queue,
							   shutdown == IMMEDIATE));
	return status;
}

/* When all has been put. */
static int
finish_queues(struct load *load)
{
	int status = ctl_result(load->ctl, qb_flush(load->ctl->q, QB_FOREVER));
	json_t *line;
	size_t i;

	json_array_foreach(load->later, i, line)
	{
		if (status == CTL_DONE)
			status = finish_queue(load, line);
	}
	return status;
}

/* --- an item ------------------------------------------------------------------------- */

static bool
in_range(const json_t *line)
{
	json_int_t ctype = number(line, "ctype", 0),
		   priority = number(line, "priority", 0);

	return ctype >= 0 && ctype <= UINT8_MAX && priority >= INT32_MIN &&
	       priority <= INT32_MAX;
}

static const char *
text_of(const json_t *line, const char *name)
{
	return json_string_value(json_object_get(line, name));
}

static bool
is_word(const json_t *line, const char *name, const char *word)
{
	const char *text = text_of(line, name);

	return text && strcmp(text, word) == 0;
}

static void
set_key(qb_put_options *o, const json_t *line)
{
	json_int_t window = number(line, "window_ms", 0);

	if (!text_of(line, "key"))
		return;
	qb_put_options_set_key(o, text_of(line, "key"));
	if (text_of(line, "unique"))
		qb_put_options_set_unique(o, is_word(line, "unique", "queued")
						     ? QB_QUEUED
						     : QB_UNFINISHED);
	if (window > 0)
		qb_put_options_set_window(o, window);
	if (is_word(line, "on_duplicate", "reject"))
		qb_put_options_set_on_duplicate(o, QB_REJECT);
	else if (is_word(line, "on_duplicate", "replace"))
		qb_put_options_set_on_duplicate(o, QB_REPLACE);
}

static qb_put_options *
put_options(const json_t *line)
{
	qb_put_options *o = qb_put_options_new();
	const char *group = text_of(line, "group");
	json_int_t delay = number(line, "delay_ms", -1),
		   ttl = number(line, "ttl_ms", -1);

	if (!o)
		return NULL;
	qb_put_options_set_ctype(o, (uint8_t)number(line, "ctype", 0));
	qb_put_options_set_priority(o, (int32_t)number(line, "priority", 0));
	if (group)
		qb_put_options_set_group(o, group);
	if (delay >= 0)
		qb_put_options_set_delay(o, delay);
	if (ttl > 0)
		qb_put_options_set_ttl(o, ttl);
	if (is_word(line, "on_expire", "dead"))
		qb_put_options_set_keep(o, 1);
	set_key(o, line);
	return o;
}

static qb_result
start_put(struct load *load, const char *queue, const qb_put_options *o,
	  const void *body, size_t len)
{
	qb_result result = QB_OK;

	load->unconfirmed += len;
	if (load->unconfirmed > WINDOW_BYTES) {
		load->unconfirmed = len;
		result = qb_flush(load->ctl->q, QB_FOREVER);
	}
	if (result == QB_OK)
		result = qb_put_start_with(load->ctl->q, queue, o, body, len);
	load->started += result == QB_OK;
	return result;
}

static int
load_item(struct load *load, const char *queue, const json_t *line)
{
	const json_t *text = json_object_get(line, "body_base64");
	const char *state = json_string_value(json_object_get(line, "state"));
	qb_put_options *o;
	qb_result result;
	size_t len;
	void *body;

	if (!json_is_string(text) || !state)
		return wrong(load, "it is neither a queue nor an item");
	if (!in_range(line))
		return wrong(load, "ctype or priority is out of range");
	load->items++;
	if (strcmp(state, "dead") == 0 && !load->dead) {
		load->left_out++;
		return CTL_DONE;
	}
	body = base64_decode(json_string_value(text), json_string_length(text), &len);
	if (!body)
		return wrong(load,
			     errno == EINVAL ? "the body is not base64" : "no memory");
	o = put_options(line);
	result = o ? start_put(load, queue, o, body, len) : QB_NO_MEMORY;
	qb_put_options_free(o);
	free(body);
	return ctl_result(load->ctl, result);
}

/* --- the input ----------------------------------------------------------------------- */

/* Says how much there had to be. */
static int
load_end(struct load *load, const json_t *end)
{
	load->ended = true;
	if ((uint64_t)number(end, "items", -1) != load->items)
		return wrong(load, "items are missing before it");
	return finish_queues(load);
}

static int
load_line(struct load *load, const char *text, size_t len)
{
	json_t *line = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	const char *queue = json_string_value(json_object_get(line, "queue"));
	const json_t *declared = json_object_get(line, "declared"),
		     *end = json_object_get(line, "end");
	int status;

	load->line++;
	if (!line)
		status = wrong(load, "it is not JSON");
	else if (load->ended)
		status = wrong(load, "it follows the end of the dump");
	else if (end)
		status = load_end(load, end);
	else if (!queue)
		status = wrong(load, "it names no queue");
	else if (declared)
		status = load_queue(load, queue, line);
	else
		status = load_item(load, queue, line);
	json_decref(line);
	return status;
}

static int
load_lines(struct load *load, struct input *in)
{
	struct ctl *ctl = load->ctl;
	size_t max = qb_max_item(ctl->q) / 3 * 4 + LINE_REST, len;
	enum input_result got;
	const char *text;
	int status = ctl_result(ctl, qb_set_window(ctl->q, WINDOW));

	while (status == CTL_DONE) {
		got = input_line(in, max, &text, &len);
		if (got == INPUT_DATA)
			status = load_line(load, text, len);
		else if (got == INPUT_WAIT)
			status = ctl_result(ctl, qb_flush(ctl->q, QB_FOREVER));
		else if (got == INPUT_TOO_BIG)
			return wrong(load, "the next one is too long");
		else if (got == INPUT_FAILED)
			return ctl_error(ctl, "standard input: %s", strerror(errno));
		else
			break;
	}
	if (status == CTL_DONE && !load->ended)
		return ctl_error(ctl, "the input ends before the dump does");
	return status;
}

/* Waits for all answers, and says what became of the items, however it ended. */
static int
finish(struct load *load, int status)
{
	struct ctl *ctl = load->ctl;
	qb_result result = qb_flush(ctl->q, QB_FOREVER);
	uint64_t put = load->started - qb_failed_puts(ctl->q);

	if (result != QB_OK && status == CTL_DONE)
		status = ctl_result(ctl, result);
	if (ctl->json) {
		int printed = out_json(json_pack(
			"{s:I, s:I, s:I}", "queues", (json_int_t)load->queues, "put",
			(json_int_t)put, "left_out", (json_int_t)load->left_out));

		return status ? status : printed;
	}
	printf("%" PRIu64 " queues, %" PRIu64 " items put", load->queues, put);
	if (load->left_out)
		printf(", %" PRIu64 " dead ones left out", load->left_out);
	putchar('\n');
	return status;
}

int
cmd_load(struct ctl *ctl, int argc, char **argv)
{
	struct load load = {.ctl = ctl};
	struct input in = {0};
	int status;

	args_parse(&argp, argc, argv, &load);
	status = ctl_connect(ctl);
	if (status)
		return status;
	load.later = json_array();
	status = finish(&load, load_lines(&load, &in));
	json_decref(load.later);
	input_done(&in);
	return status;
}
