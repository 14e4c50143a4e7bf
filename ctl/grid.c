/* SPDX-License-Identifier: MIT
 * Tables for the eye: columns as wide as they must be, names cut to what is left. Names
 * are UTF-8, whatever the locale says. */
#include <config.h>

#include "ctl/ctl.h"
#include "ctl/out.h"

#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#define MAX_COLUMNS 12
#define MIN_NAME    8

/* The columns of a terminal that a character takes; *ret_len: its bytes. What cannot be
 * shown has width -1. */
static int
char_width(const char *text, size_t *ret_len)
{
	mbstate_t state = {0};
	wchar_t c;
	size_t len = mbrtowc(&c, text, strlen(text), &state);

	*ret_len = 1;
	if (len == 0 || len > strlen(text))
		return -1;
	*ret_len = len;
	return wcwidth(c);
}

static unsigned
text_width(const char *text)
{
	unsigned width = 0;
	size_t len;

	for (; *text; text += len) {
		int columns = char_width(text, &len);

		width += columns < 0 ? 1 : (unsigned)columns;
	}
	return width;
}

/* Prints the characters of a text that lie between two columns. */
static void
print_part(FILE *file, const char *text, unsigned from, unsigned to)
{
	unsigned at = 0;
	size_t len;

	for (; *text; text += len) {
		int columns = char_width(text, &len);

		at += columns < 0 ? 1 : (unsigned)columns;
		if (at > to)
			return;
		if (at <= from)
			continue;
		if (columns < 0)
			fputc('?', file);
		else
			fwrite(text, 1, len, file);
	}
}

/* Both ends of a long name stay: names differ at the end and belong together by the
 * beginning. */
static void
print_name(FILE *file, const char *text, unsigned width)
{
	unsigned all = text_width(text), head = (width - 1) / 2, printed = all;

	if (all <= width) {
		print_part(file, text, 0, all);
	} else {
		print_part(file, text, 0, head);
		fputs("…", file);
		print_part(file, text, all - (width - head - 1), all);
		printed = width;
	}
	fprintf(file, "%*s", (int)(width - printed), "");
}

static void
measure(const struct grid *grid, unsigned widths[MAX_COLUMNS])
{
	unsigned others = 0;
	char buf[GRID_CELL];

	for (unsigned c = 0; c < grid->columns; c++) {
		widths[c] = text_width(grid->titles[c]);
		for (unsigned r = 0; r < grid->rows; r++) {
			unsigned w = text_width(grid->cell(grid->arg, r, c, buf));

			widths[c] = w > widths[c] ? w : widths[c];
		}
		others += c > 0 ? widths[c] + 1 : 0;
	}
	if (grid->width == 0 || widths[0] + others <= grid->width)
		return;
	widths[0] = grid->width > others + MIN_NAME ? grid->width - others : MIN_NAME;
}

void
grid_print(FILE *file, const struct grid *grid, const char *end)
{
	unsigned widths[MAX_COLUMNS];
	char buf[GRID_CELL];

	measure(grid, widths);
	for (unsigned line = 0; line <= grid->rows; line++) {
		for (unsigned c = 0; c < grid->columns; c++) {
			const char *text =
				line == 0 ? grid->titles[c]
					  : grid->cell(grid->arg, line - 1, c, buf);

			if (c > 0)
				fputc(' ', file);
			if (c == 0 || grid->left >> c & 1)
				print_name(file, text, widths[c]);
			else
				fprintf(file, "%*s", (int)widths[c], text);
		}
		fputs(end, file);
	}
}

const char *
grid_number(int64_t number, bool narrow, char buf[GRID_CELL])
{
	static const char units[] = "MGTPE";
	double value = (double)number / 1e6;
	unsigned unit = 0;

	if (!narrow || number < 10000000) {
		snprintf(buf, GRID_CELL, "%" PRId64, number);
		return buf;
	}
	for (; value >= 9999.95 && units[unit + 1]; unit++)
		value /= 1000;
	snprintf(buf, GRID_CELL, "%.1f%c", value, units[unit]);
	return buf;
}

const char *
grid_time(int64_t ms, char buf[GRID_CELL])
{
	static const struct {
		int64_t below_ms, unit_ms;
		const char *unit;
	} steps[] = {{120000, 1000, "s"},
		     {7200000, 60000, "min"},
		     {172800000, 3600000, "h"},
		     {INT64_MAX, 86400000, "d"}};
	int i = 0;

	while (ms >= steps[i].below_ms && i < 3)
		i++;
	snprintf(buf, GRID_CELL, "%.*f %s", ms / steps[i].unit_ms < 10,
		 (double)ms / (double)steps[i].unit_ms, steps[i].unit);
	return buf;
}

bool
grid_terminal(int fd, unsigned *ret_columns, unsigned *ret_lines)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) != 0)
		return false;
	/* A terminal that does not say is taken for the usual one. */
	*ret_columns = size.ws_col ? size.ws_col : 80;
	*ret_lines = size.ws_row ? size.ws_row : 24;
	return true;
}

int
grid_or_json(struct grid *grid, qb_table *table, bool json)
{
	int status = CTL_DONE;
	unsigned lines;

	grid->arg = table;
	grid->rows = qb_table_rows(table);
	grid_terminal(STDOUT_FILENO, &grid->width, &lines);
	if (json)
		status = out_json(out_rows(table));
	else
		grid_print(stdout, grid, "\n");
	qb_table_free(table);
	return status;
}
