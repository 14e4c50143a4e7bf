/* SPDX-License-Identifier: MIT
 * What a command says on its standard error: passed on to ours, and the last lines kept. */
#ifndef CTL_TAIL_H
#define CTL_TAIL_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#define TAIL_BYTES 4096 /* what the broker keeps with an item */
#define TAIL_PART  512 /* a pipe that can be written to takes so much without waiting */

struct tail {
	int in, out; /* -1: its end; ours, -1 when it is broken */
	char part[TAIL_PART];
	size_t part_len, part_done; /* read, and of that written */
	char kept[2 * TAIL_BYTES + 1];
	size_t kept_len;
	bool cut; /* there was more before */
};

/* Makes a pipe, and gives its other end, which the command writes to. Returns an errno. */
int tail_open(struct tail *tail, int *ret_end);

/* What to poll for: one entry. */
struct pollfd tail_poll(const struct tail *tail);

/* Reads or writes a part after such a poll. */
void tail_move(struct tail *tail);

/* The command has ended: takes what it left, without waiting for what still holds its
 * standard error, and closes the pipe. */
void tail_close(struct tail *tail);

/* The last lines, at most TAIL_BYTES, without the last newline; "" if it said nothing. */
const char *tail_text(struct tail *tail);

#endif
