/* SPDX-License-Identifier: MIT
 * Waiting for a command without losing the item that it works on. */
#ifndef CTL_KEEP_H
#define CTL_KEEP_H

#include "ctl/ctl.h"
#include "ctl/tail.h"

#include <sys/types.h>

/* Waits for the end of a child, as waitpid(), whatever signals come, and passes on what it says.
 * A lease with an end is touched meanwhile; if that fails it is told, once. Returns 0 or an
 * errno. */
int keep_wait(const struct ctl *ctl, const qb_item *item, pid_t pid, struct tail *tail,
	      int *ret_status);

#endif
