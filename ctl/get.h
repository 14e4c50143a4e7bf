/* SPDX-License-Identifier: MIT
 * What the two ways of get share: printing items, and running a command for each. */
#ifndef CTL_GET_H
#define CTL_GET_H

#include "ctl/out.h"
#include "ctl/receive.h"

struct get {
	struct receive receive;
	uint64_t n; /* 0: until stopped */
	bool raw;
	char **command; /* NULL: print */
	uint64_t done;	/* items printed, or finished by the command */
};

/* Runs the command for each item. Returns the exit status. */
int get_exec(struct get *get);

/* What the end of the items means: `result` is that of receive_items(). */
int get_end(const struct get *get, qb_result result);

#endif
