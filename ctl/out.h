/* SPDX-License-Identifier: MIT
 * Output: errors, JSON documents, tables for the eye, and items byte for byte. */
#ifndef CTL_OUT_H
#define CTL_OUT_H

#include "client/qbroker.h"
#include "ctl/ctl.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* An error line on stderr: "qbrokerctl: WHERE: MESSAGE", or as JSON with its name. */
void out_error(bool json, const char *name, const char *where, const char *message);

/* Prints a JSON document and a newline on stdout, and drops the reference. NULL stands
 * for a document for which there was no memory. Returns an exit status. */
int out_json(json_t *document);

/* Prints how many items of the queue something was done to, as JSON under this name. Returns an exit
 * status. */
int out_count(const struct ctl *ctl, const char *name, uint64_t count);

/* A row of a table of the library as a JSON object, with everything that it has. */
json_t *out_row(const qb_table *table, unsigned row);

/* All its rows, as an array of these. */
json_t *out_rows(const qb_table *table);

/* Flushes stdout. Returns an exit status, with the error printed when bytes were
 * lost. */
int out_flush(bool json);

/* --- tables for the eye (grid.c) ----------------------------------------------------- */

#define GRID_CELL 32

/* A table whose first column is text, cut in the middle when the line would be longer
 * than `width` (0: never cut); the others are aligned to the right. cell() returns the
 * text of a cell, which may be in `buf`. */
struct grid {
	const char *const *titles;
	unsigned left; /* bits: columns of text, aligned to the left too */
	unsigned columns;
	unsigned rows;
	unsigned width;
	const char *(*cell)(const void *arg, unsigned row, unsigned column,
			    char buf[GRID_CELL]);
	const void *arg;
};

/* `end` closes each line: "\n", on a screen with what clears the next. */
void grid_print(FILE *file, const struct grid *grid, const char *end);

/* Prints a table of the library, on a terminal as wide as that, or with `json` its rows as they are,
 * and frees it. The grid gets its rows and argument here. Returns an exit status. */
int grid_or_json(struct grid *grid, qb_table *table, bool json);

/* A number; with `narrow` in at most 7 characters, as 12.3M, if it has more. */
const char *grid_number(int64_t number, bool narrow, char buf[GRID_CELL]);

/* A time, as somebody would say it: "0.3 s", "12 min". */
const char *grid_time(int64_t ms, char buf[GRID_CELL]);

/* The terminal's size; false if `fd` is none. */
bool grid_terminal(int fd, unsigned *ret_columns, unsigned *ret_lines);

/* --- items (items.c) ----------------------------------------------------------------- */

enum items_format {
	ITEMS_LINES, /* each body with a newline behind it */
	ITEMS_RAW,   /* bodies and nothing else */
	ITEMS_JSON,  /* each item as a JSON object on a line */
};

/* Writes items to stdout, past stdio. *ret_written: how many of them, from the first,
 * are out with their last byte. Returns 0, or the errno that stopped it: EINTR when a
 * caught signal did. */
int items_write(qb_item *const *items, unsigned n, enum items_format format,
		unsigned *ret_written);

#endif
