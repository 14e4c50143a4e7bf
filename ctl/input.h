/* SPDX-License-Identifier: MIT
 * Standard input, whole or line by line, and the progress bar that watches it. */
#ifndef CTL_INPUT_H
#define CTL_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct input {
	char *data;
	size_t size;	/* of the memory */
	size_t start;	/* first byte that was not handed out */
	size_t end;	/* behind the last byte that was read */
	size_t scanned; /* up to here there is no newline */
	bool waited;	/* INPUT_WAIT was said */
	bool eof;
};

enum input_result {
	INPUT_DATA,
	INPUT_END,     /* nothing is left */
	INPUT_WAIT,    /* the next call waits until more is typed or sent */
	INPUT_FAILED,  /* errno says why */
	INPUT_TOO_BIG, /* more than `max` bytes */
};

/* INPUT_DATA: the next line without its newline, valid until the next call. A last one
 * without a newline counts, unless it is empty. Before it waits it says so, once. */
enum input_result input_line(struct input *in, size_t max, const char **ret_data,
			     size_t *ret_len);

/* Reads more into data[start..end): at most `max` bytes altogether. */
enum input_result input_more(struct input *in, size_t max);

void input_done(struct input *in);

/* --- progress (progress.c) ------------------------------------------------------------ */

struct progress {
	const char *label;
	bool shown; /* something stands on the line */
	bool on;    /* stderr is a terminal */
	int64_t start_ns;
	int64_t next_ns;
	uint64_t total; /* bytes of the input, 0 if not known */
};

void progress_init(struct progress *p, const char *label);

/* After a second, and then a few times a second, draws the bar. */
void progress_update(struct progress *p, uint64_t bytes, uint64_t items);

/* Wipes it. */
void progress_done(struct progress *p);

#endif
