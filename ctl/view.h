/* SPDX-License-Identifier: MIT
 * The items of a queue in one state, page by page: for the eye the columns of a view, or as JSON all
 * that is said of them. */
#ifndef CTL_VIEW_H
#define CTL_VIEW_H

#include "ctl/ctl.h"

#include <stdint.h>

enum kind { NUMBER, TIME, TEXT };

struct column {
	const char *title, *name;
	enum kind kind;
};

#define MAX_COLUMNS 11

struct view {
	const char *state;
	struct column columns[MAX_COLUMNS]; /* up to one without a title */
};

/* Prints up to `count` of them, without the first `skip`. Returns an exit status. */
int view_print(struct ctl *ctl, const struct view *view, uint64_t skip, uint64_t count);

#endif
