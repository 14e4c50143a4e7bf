/* SPDX-License-Identifier: MIT
 * dump: queues and their items as JSON, one a line, for load. A body is written as it comes out of the encoding, behind
 * all that is said of its item: large ones are not held twice. */
#include <config.h>

#include "ctl/base64.h"
#include "ctl/ctl.h"
#include "ctl/out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PART ((size_t)48 << 10) /* bytes of a body that are encoded at once */

struct dump {
	struct ctl *ctl;
	const char **queues;
	size_t n;
	uint64_t items;
};

/* The order in which load puts them: what was given before goes first, where the oldest come first. */
#define STATES 4
static const char *const states[STATES] = {"leased", "ready", "delayed", "dead"};
static const char *const states_lifo[STATES] = {"ready", "leased", "delayed", "dead"};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct dump *dump = state->input;

	if (key == ARGP_KEY_ARG) {
		dump->queues[dump->n++] = arg;
		return 0;
	}
	return args_none(key, arg, state, dump->ctl);
}

static const struct argp argp = {
	.parser = parse,
	.args_doc = "[QUEUE...]",
	.doc = "Writes the queues, or all that there are, and their items as JSON, one "
	       "a "
	       "line, and leaves them as they are.\v"
	       "What is put meanwhile is left out; what changes its state may be "
	       "missing, or there although it is finished: 'qbrokerctl pause' holds a "
	       "queue still. 'qbrokerctl load' reads it.",
	.children = args_children,
};

/* --- a queue ------------------------------------------------------------------------- */

static json_t *
declared_options(const qb_table *policy)
{
	json_t *options = json_object();
	const char *name, *source, *text;
	int64_t number;

	for (unsigned i = 0; i < qb_table_rows(policy); i++) {
		name = qb_table_string(policy, i, "option");
		source = qb_table_string(policy, i, "source");
		if (!name || !source || strcmp(source, "declared") != 0)
			continue;
		text = qb_table_string(policy, i, "value");
		if (text)
			json_object_set_new(options, name, json_string(text));
		else if (qb_table_number(policy, i, "value", &number))
			json_object_set_new(options, name, json_integer(number));
	}
	return options;
}

static void
add_unusual(json_t *line, const qb_table *table, unsigned row, const char *name)
{
	int64_t number;

	if (qb_table_number(table, row, name, &number) && number != 0)
		json_object_set_new(line, name, json_integer(number));
}

static int
dump_declaration(struct dump *dump, const char *queue, const qb_table *table,
		 unsigned row)
{
	qb_table *policy;
	qb_result result = qb_policy(dump->ctl->q, queue, &policy);
	json_t *line;

	if (result != QB_OK)
		return ctl_result(dump->ctl, result);
	line = json_pack("{s:s, s:o}", "queue", queue, "declared",
			 declared_options(policy));
	qb_table_free(policy);
	add_unusual(line, table, row, "paused");
	add_unusual(line, table, row, "shutdown");
	return out_json(line);
}

/* --- an item ------------------------------------------------------------------------- */

/* What is only said of it while it is there, and what the line says by other means. */
static bool
is_left_out(const char *name)
{
	static const char *const names[] = {"id",   "age_ms", "dead_ms", "worker",
					    "size", "body",   "error",	 "reason"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static json_t *
item_line(const char *queue, const char *state, const qb_table *table, unsigned row)
{
	json_t *line = json_pack("{s:s, s:s}", "queue", queue, "state", state);
	const char *name, *text;
	int64_t number;

	for (unsigned i = 0; line && (name = qb_table_name(table, row, i)); i++) {
		if (is_left_out(name))
			continue;
		if (qb_table_number(table, row, name, &number))
			json_object_set_new(line, name, json_integer(number));
		else if ((text = qb_table_string(table, row, name)))
			json_object_set_new(line, name, json_string(text));
	}
	return line;
}

static void
write_base64(const char *body, size_t len)
{
	static char out[BASE64_LEN(PART)];

	while (len > 0) {
		size_t part = len < PART ? len : PART;

		base64_encode(body, part, out);
		fwrite(out, 1, BASE64_LEN(part), stdout);
		body += part;
		len -= part;
	}
}

/* The line without its last brace, the body, and the brace. What cannot be written is seen at the end. */
static int
write_item(struct dump *dump, json_t *line, const void *body, size_t len)
{
	char *text = line ? json_dumps(line, 0) : NULL;

	json_decref(line);
	if (!text)
		return ctl_error(dump->ctl, "no memory");
	dump->items++;
	fwrite(text, 1, strlen(text) - 1, stdout);
	free(text);
	fputs(", \"body_base64\": \"", stdout);
	write_base64(body, len);
	fputs("\"}\n", stdout);
	return ferror(stdout) ? CTL_ERROR : CTL_DONE;
}

/* One that is too large for a page. */
static int
look_and_write(struct dump *dump, const char *queue, int64_t id, json_t *line)
{
	qb_item *item;
	qb_result result = qb_look(dump->ctl->q, queue, (uint64_t)id, &item);
	int status = CTL_DONE;

	if (result == QB_OK) {
		status = write_item(dump, line, qb_item_body(item), qb_item_size(item));
		qb_item_free(item);
		return status;
	}
	json_decref(line);
	return result == QB_NOT_FOUND ? CTL_DONE : ctl_result(dump->ctl, result);
}

static int
dump_item(struct dump *dump, const char *queue, const char *state,
	  const qb_table *table, unsigned row)
{
	json_t *line = item_line(queue, state, table, row);
	size_t len;
	const void *body = qb_table_body(table, row, &len);
	int64_t id;

	if (body || !qb_table_number(table, row, "id", &id))
		return write_item(dump, line, body, body ? len : 0);
	return look_and_write(dump, queue, id, line);
}

static int
dump_state(struct dump *dump, const char *queue, const char *state)
{
	uint64_t cursor = 0;
	int status = CTL_DONE;
	qb_table *table;

	do {
		qb_result result = qb_dump(dump->ctl->q, queue, state, &cursor, &table);

		if (result != QB_OK)
			return ctl_result(dump->ctl, result);
		for (unsigned i = 0; i < qb_table_rows(table) && status == CTL_DONE;
		     i++)
			status = dump_item(dump, queue, state, table, i);
		qb_table_free(table);
	} while (cursor != 0 && status == CTL_DONE);
	return status;
}

/* --- all of them --------------------------------------------------------------------- */

static int
dump_queue(struct dump *dump, const qb_table *table, unsigned row)
{
	const char *queue = qb_table_string(table, row, "queue");
	const char *order = qb_table_string(table, row, "order");
	bool lifo = order && strcmp(order, "lifo") == 0;
	int status;

	if (!queue)
		return ctl_error(dump->ctl, "the broker does not name a queue");
	status = dump_declaration(dump, queue, table, row);
	for (size_t i = 0; i < STATES && status == CTL_DONE; i++)
		status = dump_state(dump, queue, lifo ? states_lifo[i] : states[i]);
	return status;
}

static int
dump_table(struct dump *dump, const qb_table *table)
{
	int status = CTL_DONE;

	for (unsigned i = 0; i < qb_table_rows(table) && status == CTL_DONE; i++)
		status = dump_queue(dump, table, i);
	return status;
}

/* Asks for all that are named, before anything is written; without names, for all that there are. */
static int
dump_all(struct dump *dump, qb_table **tables, size_t n)
{
	struct ctl *ctl = dump->ctl;
	int status = CTL_DONE;
	size_t queues = 0;

	for (size_t i = 0; i < n; i++) {
		qb_result result =
			qb_queues(ctl->q, dump->n ? dump->queues[i] : NULL, &tables[i]);

		if (result != QB_OK)
			return ctl_result(ctl, result);
		queues += qb_table_rows(tables[i]);
	}
	for (size_t i = 0; i < n && status == CTL_DONE; i++)
		status = dump_table(dump, tables[i]);
	if (status != CTL_DONE)
		return status;
	return out_json(json_pack("{s:{s:I, s:I}}", "end", "queues", (json_int_t)queues,
				  "items", (json_int_t)dump->items));
}

int
cmd_dump(struct ctl *ctl, int argc, char **argv)
{
	struct dump dump = {.ctl = ctl};
	qb_table **tables = calloc((size_t)argc + 1, sizeof(*tables));
	size_t n = 0;
	int status;

	dump.queues = calloc((size_t)argc + 1, sizeof(*dump.queues));
	if (!dump.queues || !tables)
		return ctl_error(ctl, "no memory");
	args_parse(&argp, argc, argv, &dump);
	status = ctl_connect(ctl);
	n = dump.n ? dump.n : 1;
	if (status == CTL_DONE)
		status = dump_all(&dump, tables, n);
	for (size_t i = 0; i < n; i++)
		qb_table_free(tables[i]);
	free(tables);
	free(dump.queues);
	return status;
}
