/* SPDX-License-Identifier: MIT
 *
 * What connects the engine, the connections and the files in `state_dir`: what was kept is read back
 * before anybody is served, and what has no journal is written at an orderly stop. */
#ifndef QBROKER_JOURNAL_H
#define QBROKER_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/config.h"

struct disk;
struct server;
struct store;

#define EXIT_JOURNAL_DAMAGED 3
#define EXIT_JOURNAL_FAILED  4

struct journal {
	struct server *server;
	struct store *store; /* NULL: nothing is kept */
	const char *dir;
	struct disk *disk; /* NULL: the system's */
};

/* Restores the engine of the server, and has the server write. Does nothing without a state_dir.
 * `disk`: NULL; or a pretended one, then without threads: the test calls their steps.
 * Returns 0, or the exit status, with a sentence in `err`. */
int journal_open(struct journal *j, struct server *server, const struct config *config,
		 struct disk *disk, char *err, size_t errlen);

/* Keeps the rest, when nobody is served any more. Returns the exit status. */
int journal_close(struct journal *j);

/* Whether it has failed: nobody must be answered any more. */
bool journal_has_failed(const struct journal *j);

/* After the server has been freed. */
void journal_free(struct journal *j);

#endif
