/* SPDX-License-Identifier: MIT
 * Clients, as sentences: from the rows of the library's tables. */
#ifndef QBROKER_CTL_WHO_H
#define QBROKER_CTL_WHO_H

#include "client/qbroker.h"

#include <stddef.h>
#include <stdint.h>

#define WHO_BYTES 512

/* "worker.py (pid 123 on 10.0.0.1, uid 1000)", from a row of any of qb_clients(),
 * qb_waiters() and qb_who(). Returns `buf`. */
const char *who_name(const qb_table *table, unsigned row, char buf[WHO_BYTES]);

/* A sentence about a lease, a row of qb_who(): who has it, since when, for how long
 * still. */
void who_lease(const qb_table *table, unsigned row, char buf[WHO_BYTES]);

/* Prints a sentence on a line; on a terminal on as many as it takes. */
void who_say(const char *sentence);

/* A number of a row, or `none` if it is not there. */
int64_t who_number(const qb_table *table, unsigned row, const char *name, int64_t none);

/* A string of a row, or `none`. */
const char *who_text(const qb_table *table, unsigned row, const char *name,
		     const char *none);

#endif
