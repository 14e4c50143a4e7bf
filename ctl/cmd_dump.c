/* SPDX-License-Identifier: MIT
 * dump: queues and their items as JSON, one a line, for load. */
#include <config.h>

#include "ctl/base64.h"
#include "ctl/ctl.h"
#include "ctl/out.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MOST (QB_MAX_SKIP + 100) /* items of a state: what BROWSE can list */

struct dump {
	struct ctl *ctl;
	const char **queues;
	size_t n;
	uint64_t items;
};

/* The order in which load puts them: what was given before goes first. */
static const char *const states[] = {"leased", "ready", "delayed", "dead"};
#define STATES (sizeof(states) / sizeof(states[0]))

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
	       "What comes or goes meanwhile may be missing or there although it is "
	       "finished: 'qbrokerctl pause' holds a queue still. At most 10100 items "
	       "of "
	       "a queue can be in one state. 'qbrokerctl load' reads it.",
	.children = args_children,
};

/* --- one line ------------------------------------------------------------------------ */

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
add_number(json_t *line, const char *name, int64_t number, int64_t usual)
{
	if (number != usual)
		json_object_set_new(line, name, json_integer(number));
}

static json_t *
item_line(const char *queue, const char *state, const qb_item *item)
{
	json_t *line = json_pack("{s:s, s:s, s:o}", "queue", queue, "state", state,
				 "body_base64",
				 base64_json(qb_item_body(item), qb_item_size(item)));

	if (!line)
		return NULL;
	add_number(line, "ctype", qb_item_ctype(item), 0);
	add_number(line, "priority", qb_item_priority(item), 0);
	if (qb_item_group(item))
		json_object_set_new(line, "group", json_string(qb_item_group(item)));
	add_number(line, "delay_ms", qb_item_delay(item), -1);
	add_number(line, "ttl_ms", qb_item_ttl(item), -1);
	add_number(line, "deliveries", qb_item_deliveries(item), 0);
	add_number(line, "crashes", qb_item_crashes(item), 0);
	add_number(line, "nacks", qb_item_nacks(item), 0);
	add_number(line, "timeouts", qb_item_timeouts(item), 0);
	return line;
}

/* --- a queue ------------------------------------------------------------------------- */

/* The ids of the items in this state; for free(). */
static qb_result
list_ids(const struct ctl *ctl, const char *queue, const char *state, int64_t **ret_ids,
	 unsigned *ret_n)
{
	int64_t *ids = malloc(MOST * sizeof(*ids));
	qb_table *table;
	qb_result result = QB_OK;
	unsigned n = 0, rows = 1;

	if (!ids)
		return QB_NO_MEMORY;
	while (rows > 0 && n <= QB_MAX_SKIP) {
		result = qb_browse(ctl->q, queue, state, n, &table);
		if (result != QB_OK)
			break;
		rows = qb_table_rows(table);
		for (unsigned i = 0; i < rows; i++)
			qb_table_number(table, i, "id", &ids[n++]);
		qb_table_free(table);
	}
	*ret_ids = ids;
	*ret_n = n;
	return result;
}

static int
dump_item(struct dump *dump, const char *queue, const char *state, int64_t id)
{
	qb_item *item;
	qb_result result = qb_look(dump->ctl->q, queue, (uint64_t)id, &item);
	int status;

	if (result == QB_NOT_FOUND)
		return CTL_DONE; /* finished meanwhile */
	if (result != QB_OK)
		return ctl_result(dump->ctl, result);
	dump->items++;
	status = out_json(item_line(queue, state, item));
	qb_item_free(item);
	return status;
}

static int
dump_state(struct dump *dump, const char *queue, const char *state)
{
	int64_t *ids = NULL;
	unsigned n = 0;
	qb_result result = list_ids(dump->ctl, queue, state, &ids, &n);
	int status = result == QB_OK ? CTL_DONE : ctl_result(dump->ctl, result);

	for (unsigned i = 0; i < n && status == CTL_DONE; i++)
		status = dump_item(dump, queue, state, ids[i]);
	free(ids);
	return status;
}

static int
dump_queue(struct dump *dump, const char *queue)
{
	struct ctl *ctl = dump->ctl;
	qb_table *policy;
	qb_result result = qb_policy(ctl->q, queue, &policy);
	int status;

	if (result != QB_OK)
		return ctl_result(ctl, result);
	status = out_json(json_pack("{s:s, s:o}", "queue", queue, "declared",
				    declared_options(policy)));
	qb_table_free(policy);
	for (size_t i = 0; i < STATES && status == CTL_DONE; i++)
		status = dump_state(dump, queue, states[i]);
	return status;
}

/* --- all of them --------------------------------------------------------------------- */

static int
check_queue(const struct ctl *ctl, const qb_table *table, unsigned row)
{
	int64_t number;

	for (size_t i = 0; i < STATES; i++)
		if (qb_table_number(table, row, states[i], &number) && number > MOST)
			return ctl_error(ctl,
					 "queue %s has %" PRId64
					 " %s items, more than the %d of one state "
					 "that can be listed",
					 qb_table_string(table, row, "queue"), number,
					 states[i], MOST);
	return CTL_DONE;
}

/* Before anything is written. Without names: all queues. */
static int
check_queues(struct dump *dump, qb_table **ret_all)
{
	struct ctl *ctl = dump->ctl;
	qb_table *table;
	int status = CTL_DONE;

	for (size_t i = 0; i < (dump->n ? dump->n : 1) && status == CTL_DONE; i++) {
		qb_result result =
			qb_queues(ctl->q, dump->n ? dump->queues[i] : NULL, &table);

		if (result != QB_OK)
			return ctl_result(ctl, result);
		for (unsigned row = 0; row < qb_table_rows(table) && status == CTL_DONE;
		     row++)
			status = check_queue(ctl, table, row);
		if (dump->n)
			qb_table_free(table);
		else
			*ret_all = table;
	}
	return status;
}

int
cmd_dump(struct ctl *ctl, int argc, char **argv)
{
	struct dump dump = {.ctl = ctl};
	qb_table *all = NULL;
	size_t n;
	int status;

	dump.queues = calloc((size_t)argc + 1, sizeof(*dump.queues));
	if (!dump.queues)
		return ctl_error(ctl, "no memory");
	args_parse(&argp, argc, argv, &dump);
	status = ctl_connect(ctl);
	if (status == CTL_DONE)
		status = check_queues(&dump, &all);
	n = all ? qb_table_rows(all) : dump.n;
	for (size_t i = 0; i < n && status == CTL_DONE; i++)
		status = dump_queue(&dump,
				    all ? qb_table_string(all, (unsigned)i, "queue")
					: dump.queues[i]);
	if (status == CTL_DONE)
		status = out_json(json_pack("{s:{s:I, s:I}}", "end", "queues",
					    (json_int_t)n, "items",
					    (json_int_t)dump.items));
	if (all)
		qb_table_free(all);
	free(dump.queues);
	return status;
}
