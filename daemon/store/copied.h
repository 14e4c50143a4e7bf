/* SPDX-License-Identifier: MIT
 *
 * The file in a folder of the journal that says that it is a backup (doc/store-format.md): up to which
 * record it was another broker that wrote, or that the copying did not come to its end.
 */
#ifndef QBROKER_STORE_COPIED_H
#define QBROKER_STORE_COPIED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/store/store_files.h"

/* *ret_seq: the number of the last record of the copy; 0: it is none. Not STORE_OPENED: it must not be used, and `err` says
 * why. */
enum store_result copied_read(const char *dir, uint64_t *ret_seq, char *err,
			      size_t errlen);

/* Says so of a folder. false: errno. */
bool copied_write(const char *dir, uint64_t seq);

#endif
