/* SPDX-License-Identifier: MIT
 *
 * From what was read back to a store that appends.
 */
#ifndef QBROKER_STORE_FINISH_H
#define QBROKER_STORE_FINISH_H

#include "daemon/store/files_int.h"
#include "daemon/store/recover.h"

/* Removes what is needless, ends the last segment, begins the next. Not STORE_OPENED:
 * the report says why. */
enum store_result finish_recovery(struct recovery *rc, struct store_files *s);

/* finish_here.c: in place of that, when there is no room for the next one: goes on in the last. */
enum store_result finish_here(struct recovery *rc, struct store_files *s);

/* on_disk.c: whether these bytes of the file, as they were read, are on disk now. false: they are not, or
 * nobody can know. */
bool is_on_disk(struct recovery *rc, const char *name, uint64_t from, uint64_t to);

#endif
