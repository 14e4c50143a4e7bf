/* SPDX-License-Identifier: MIT
 * Errors and documents: text or JSON. */
#include <config.h>

#include "ctl/ctl.h"
#include "ctl/out.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* One line, and nothing in it that a terminal would obey. */
static void
print_line(const char *where, const char *message)
{
	char line[2048];

	snprintf(line, sizeof(line), "qbrokerctl: %s: %s", where, message);
	for (char *c = line; *c; c++) {
		if (iscntrl((unsigned char)*c))
			*c = '?';
	}
	fprintf(stderr, "%s\n", line);
}

void
out_error(bool json, const char *name, const char *where, const char *message)
{
	json_t *error;
	char *text = NULL;

	if (json) {
		error = json_pack("{s:s, s:o}", "error", name, "message",
				  json_sprintf("%s: %s", where, message));
		text = json_dumps(error, 0);
		json_decref(error);
	}
	if (text)
		fprintf(stderr, "%s\n", text);
	else
		print_line(where, message);
	free(text);
}

int
out_json(json_t *document)
{
	int failed = json_dumpf(document, stdout, 0);

	json_decref(document);
	if (failed && !ferror(stdout)) {
		out_error(true, "NO_MEMORY", "output", strerror(ENOMEM));
		return CTL_ERROR;
	}
	putchar('\n');
	return CTL_DONE;
}

int
out_count(const struct ctl *ctl, const char *name, uint64_t count)
{
	if (ctl->json)
		return out_json(json_pack("{s:s, s:I}", "queue", ctl->queue, name,
					  (json_int_t)count));
	printf("%" PRIu64 "\n", count);
	return CTL_DONE;
}

json_t *
out_row(const qb_table *table, unsigned row)
{
	json_t *object = json_object();
	const char *name, *text;
	int64_t number;

	for (unsigned i = 0; (name = qb_table_name(table, row, i)); i++) {
		if (qb_table_number(table, row, name, &number))
			json_object_set_new(object, name, json_integer(number));
		else if ((text = qb_table_string(table, row, name)))
			json_object_set_new(object, name, json_string(text));
	}
	return object;
}

json_t *
out_rows(const qb_table *table)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < qb_table_rows(table); i++)
		json_array_append_new(array, out_row(table, i));
	return array;
}

int
out_flush(bool json)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return CTL_DONE;
	out_error(json, "ERROR", "standard output", strerror(errno));
	return CTL_ERROR;
}
