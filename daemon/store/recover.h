/* SPDX-License-Identifier: MIT
 *
 * Reading the journal back: which records there are, and whether that is all that was
 * there.
 */
#ifndef QBROKER_STORE_RECOVER_H
#define QBROKER_STORE_RECOVER_H

#include "daemon/store/record.h"
#include "daemon/store/segment.h"
#include "daemon/store/store_files.h"

struct recovery {
	const struct store_files_options *options;
	struct store_files_report *report;
	struct disk *disk;
	int folder;

	uint64_t *numbers; /* of all segments that there are, rising */
	size_t n, cap;
	bool out_of_memory;
	bool no_room; /* something failed because of that */
	size_t run; /* the first of those that follow each other up to the last */

	/* What has been read so far. */
	unsigned char id[JOURNAL_ID];
	uint64_t last;	   /* segment; 0: there is none */
	uint64_t used;	   /* of it, in bytes */
	uint64_t certain;  /* so much of it is on disk, as a later record says */
	uint64_t mark_seq, mark; /* a record, and where it ends: `certain` once that one is */
	uint64_t *used_of; /* of each, beginning with numbers[run] */
	uint64_t seq;	   /* of the last record */
	uint32_t crc;	   /* its */
	uint64_t trim;	   /* the oldest segment that is needed */
	uint64_t stays;	   /* one before it, that cannot be removed; 0: none */
	bool ended;	   /* the last one, by END */
	bool closed;	   /* in order, by a record here: */
	uint64_t close_at;
	unsigned char close_record[RECORD_END_SIZE];
	uint64_t done_bytes, all_bytes;
};

/* Changes nothing on disk. Not STORE_OPENED: the report says why. */
enum store_result recover_read(struct recovery *rc);

/* Its first step: which segments there are. */
enum store_result recover_list(struct recovery *rc);

void recover_done(struct recovery *rc);

/* Says in the report where it is wrong. */
__attribute__((format(printf, 5, 6))) enum store_result recover_damaged(
	struct recovery *rc, uint64_t segment, uint64_t offset, uint64_t seq,
	const char *format, ...);

/* The same for what failed: errno. */
enum store_result recover_failed(struct recovery *rc, const char *what,
				 const char *file);

#endif
