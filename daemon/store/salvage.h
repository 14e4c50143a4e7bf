/* SPDX-License-Identifier: MIT
 *
 * What is left of a damaged journal: all its records that are whole, in their order, in
 * a new one. The damaged one is not changed.
 */
#ifndef QBROKER_STORE_SALVAGE_H
#define QBROKER_STORE_SALVAGE_H

#include "daemon/store/store_files.h"

struct salvage_options {
	const char *from, *to;		  /* to: is made, or has nothing in it */
	struct disk *from_disk, *to_disk; /* NULL: the system's */
	uint64_t segment_bytes;		  /* of the new one; 0: STORE_SEGMENT_BYTES */
	/* A sentence about something that is not as it was written. */
	void (*say)(void *arg, const char *text);
	void *arg;
};

struct salvage_report {
	char error[STORE_TEXT];	 /* why it could not be done */
	uint64_t records, bytes; /* in the new journal */
	uint64_t last;		 /* record of it */
	bool lost;		 /* something is, or may be */
};

/* STORE_OPENED: it is done. Else the report says why, and there may be a part of a
 * new journal. */
enum store_result store_salvage(const struct salvage_options *options,
				struct salvage_report *ret_report);

#endif
