/* SPDX-License-Identifier: MIT
 *
 * A store on a pretended disk, and what has to be in it: which records were appended,
 * how far they were said to be kept, and from where on they are needed. Without
 * threads: each step is called.
 */
#ifndef QBROKER_TESTS_STORE_WORLD_H
#define QBROKER_TESTS_STORE_WORLD_H

#include "daemon/store/store_files.h"
#include "tests/store/pretend.h"

#define WORLD_RECORDS 4096
#define WORLD_SEGMENT STORE_MIN_SEGMENT_BYTES

struct world_record {
	struct store_place place;
	size_t len;
	unsigned content;
	unsigned char *lent; /* what the store may read until it is freed, or NULL */
};

struct world {
	struct pretend *disk;
	struct store *store; /* NULL: not open */
	struct store_files_report report;
	struct store_status status; /* the last one */
	struct world_record records[WORLD_RECORDS];
	unsigned n;
	uint64_t needed; /* seq: records before it were trimmed, or are going to be */
	uint64_t now_ns;
	unsigned next_read; /* index of the record that has to come next */
	unsigned random;
};

void world_init(struct world *w, unsigned seed);
void world_done(struct world *w);

/* An empty store that is open, with its spares. */
void world_begin(struct world *w);

unsigned world_random(struct world *w, unsigned below);

/* Opens the store, and compares what is read back: records that follow each other, all
 * that are needed up to `kept` at least. What was lost is forgotten. */
enum store_result world_open(struct world *w, uint64_t kept);

/* The process is gone. */
void world_kill(struct world *w);

/* What a record with this content and length says; until the next call. */
const unsigned char *world_payload(unsigned content, size_t len);

bool world_append(struct world *w, size_t len, bool sync);

/* Appends the i-th record once more: a part of it is copied, one is moved from where that is, one is lent. It must
 * be written, and not trimmed. */
bool world_append_again(struct world *w, unsigned i, bool sync);
void world_flush(struct world *w);
bool world_trim(struct world *w, uint64_t segment);

/* All that there is to do, one after the other. */
void world_settle(struct world *w);

/* So many random steps, until the store has failed. */
void world_run(struct world *w, unsigned steps);

#endif
