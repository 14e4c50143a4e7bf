/* SPDX-License-Identifier: MIT
 *
 * What the parts of a salvage share: the list of the old files (salvage_parts.c), the reading of
 * them (salvage.c), the new folder (salvage_new.c).
 */
#ifndef QBROKER_STORE_SALVAGE_INT_H
#define QBROKER_STORE_SALVAGE_INT_H

#include "daemon/store/gaps.h"
#include "daemon/store/recover.h"
#include "daemon/store/salvage.h"

/* A file that may be a segment of the journal. */
struct part {
	uint64_t name;	   /* the number in its name */
	uint64_t number;   /* that of the segment */
	bool has_header;   /* a good one, of this journal */
	enum gap_kind why; /* else */
	struct segment_header header;
	uint64_t size;
};

struct salvage {
	const struct salvage_options *options;
	struct salvage_report *report;
	struct recovery rc; /* for its list of segments */
	struct store_files_report read;
	struct part *parts;
	unsigned char id[JOURNAL_ID];
	uint64_t until; /* the last record that counts */
	uint64_t trim;	/* segments before this one do not */

	bool writing;
	uint64_t number; /* of the segment that was read last; 0: none */
	uint64_t seq;	 /* of the last whole record; 0: not known */
	bool ended;	 /* that was END; the journal goes on */
	struct gaps gaps;

	struct store *store;
	uint64_t unwritten;
};

/* Fills `parts`, by rising numbers, and chooses the journal's id. */
enum store_result salvage_list(struct salvage *s);

/* errno. */
enum store_result salvage_failed(struct salvage *s, const char *what,
				 const char *where);

enum store_result salvage_no_memory(struct salvage *s);

/* An empty journal, without threads. Not STORE_OPENED: the report says why. */
enum store_result new_journal(const struct salvage_options *o, struct store **ret_store,
			      struct salvage_report *report);

/* memory.qbs, if there is one: up to the first record that is not whole. */
enum store_result copy_snapshot(const struct salvage_options *o,
				struct salvage_report *report);

#endif
