/* SPDX-License-Identifier: MIT
 *
 * The store (daemon/core/store.h) that is made of files: the journal of
 * doc/store-format.md. What was appended is written and synced by one thread, all that
 * has come meanwhile at once; another one keeps spare segments ready, removes what was
 * trimmed and syncs what nobody waits for. Or by none: then a test calls their steps.
 * A little that need not be synced is written by who appends, when they have nothing to do.
 * It does not log: what is worth a line is handed out.
 */
#ifndef QBROKER_STORE_FILES_H
#define QBROKER_STORE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/core/store.h"

#define STORE_SEGMENT_BYTES	(UINT64_C(64) << 20)
#define STORE_MIN_SEGMENT_BYTES 4096
#define STORE_TEXT		512

struct disk;

enum store_result {
	STORE_OPENED,
	STORE_ERROR,   /* it cannot be done now */
	STORE_DAMAGED, /* a file is not as it was written; it is named */
	STORE_IN_USE,  /* another broker has it */
};

/* A record that was read back. Not STORE_OPENED: it is refused, and `err` says why;
 * reading ends with that. */
typedef enum store_result store_record_cb(void *arg, const void *payload, size_t len,
					  const struct store_place *place, char *err,
					  size_t errlen);

struct store_files_options {
	const char *dir;	   /* made when it is missing; not what is above it */
	struct disk *disk;	   /* NULL: the system's */
	uint64_t segment_bytes;	   /* multiple of 8; 0: STORE_SEGMENT_BYTES */
	unsigned sync_interval_ms; /* from write to sync, when nobody waits */
	bool threads;
	unsigned nice_boost; /* steps of niceness for the thread that syncs, where the system allows it */
	store_record_cb *on_record;
	void (*progress)(void *arg, uint64_t done_bytes,
			 uint64_t all_bytes); /* or NULL */
	/* Called, or NULL, by a thread that reads ahead, often, while this one is handed records. */
	void (*beside)(void *arg);
	void *arg; /* of all three */
};

struct store_files_report {
	char error[STORE_TEXT]; /* why it was not opened */
	char cut[STORE_TEXT];	/* a torn tail that was cut off, or empty */
	bool closed; /* the broker before stopped in order, or there was none */
	uint64_t records, bytes; /* read back */
};

/* Locks the folder, reads back all records, in order, and gets ready to append. */
enum store_result store_files_open(const struct store_files_options *options,
				   struct store **ret_store,
				   struct store_files_report *ret_report);

/* Is readable when status() may have something new, until store_files_heard() is called, before
 * status(): who else asks for that does not take the news away. */
int store_files_fd(struct store *s);
void store_files_heard(struct store *s);

/* What the first thread does, once: false if there was nothing to do, or no room for it. Without
 * threads only. */
bool store_step_commit(struct store *s);

/* What the other one does, once. Until when (in ns of the monotonic clock that `now_ns`
 * is of) nothing more is to do, unless something happens; UINT64_MAX: until then. */
uint64_t store_step_keep(struct store *s, uint64_t now_ns);

#endif
