/* SPDX-License-Identifier: MIT
 * Standard input, past stdio, which would not say when it is about to wait. */
#include <config.h>

#include "ctl/input.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_SIZE (256 * 1024)

/* Reads more behind what is there. INPUT_END: there is no more. */
static enum input_result
fill(struct input *in)
{
	ssize_t len;
	size_t size;
	char *data;

	if (in->eof)
		return INPUT_END;
	if (in->start > 0) {
		memmove(in->data, in->data + in->start, in->end - in->start);
		in->end -= in->start;
		in->scanned -= in->start;
		in->start = 0;
	}
	if (in->end == in->size) {
		size = in->size ? in->size * 2 : FIRST_SIZE;
		data = realloc(in->data, size);
		if (!data)
			return INPUT_FAILED;
		in->data = data;
		in->size = size;
	}
	do {
		len = read(STDIN_FILENO, in->data + in->end, in->size - in->end);
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		return INPUT_FAILED;
	in->eof = len == 0;
	in->end += (size_t)len;
	return len == 0 ? INPUT_END : INPUT_DATA;
}

static enum input_result
hand_out(struct input *in, size_t len, size_t skip, const char **ret_data,
	 size_t *ret_len)
{
	*ret_data = in->data + in->start;
	*ret_len = len;
	in->start += len + skip;
	in->scanned = in->start;
	return INPUT_DATA;
}

static bool
would_wait(void)
{
	struct pollfd fd = {STDIN_FILENO, POLLIN, 0};

	return poll(&fd, 1, 0) == 0;
}

enum input_result
input_line(struct input *in, size_t max, const char **ret_data, size_t *ret_len)
{
	enum input_result result;
	char *newline;

	for (;;) {
		newline = in->end > in->scanned ? memchr(in->data + in->scanned, '\n',
							 in->end - in->scanned)
						: NULL;
		if (newline && (size_t)(newline - in->data) - in->start > max)
			return INPUT_TOO_BIG;
		if (newline)
			return hand_out(in, (size_t)(newline - in->data) - in->start, 1,
					ret_data, ret_len);
		in->scanned = in->end;
		if (in->end - in->start > max)
			return INPUT_TOO_BIG;
		if (!in->eof && !in->waited && would_wait()) {
			in->waited = true;
			return INPUT_WAIT;
		}
		in->waited = false;
		result = fill(in);
		if (result == INPUT_END && in->end > in->start)
			return hand_out(in, in->end - in->start, 0, ret_data, ret_len);
		if (result != INPUT_DATA)
			return result;
	}
}

enum input_result
input_more(struct input *in, size_t max)
{
	enum input_result result = fill(in);

	return result == INPUT_DATA && in->end - in->start > max ? INPUT_TOO_BIG
								 : result;
}

void
input_done(struct input *in)
{
	free(in->data);
	*in = (struct input){0};
}
