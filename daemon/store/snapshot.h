/* SPDX-License-Identifier: MIT
 *
 * memory.qbs: what memory queues had at an orderly stop, in one file of records
 * (doc/store-format.md). It is there whole or not at all. Who calls this has the folder
 * locked: it has the journal open.
 */
#ifndef QBROKER_STORE_SNAPSHOT_H
#define QBROKER_STORE_SNAPSHOT_H

#include "daemon/store/store_files.h"

/* A store to append to; nothing is kept of it before close() has said true. Knows no
 * segments: `trim` and `read` are not called. NULL: the report says why. */
struct store *snapshot_new(const char *dir, struct disk *disk,
			   struct store_files_report *ret_report);

/* Reads it back: with `dir`, `disk`, `on_record`, `progress` and `arg` of the options.
 * STORE_OPENED without records: there is none. */
enum store_result snapshot_read(const struct store_files_options *options,
				struct store_files_report *ret_report);

/* It has been loaded. false: errno. */
bool snapshot_remove(const char *dir, struct disk *disk);

#endif
