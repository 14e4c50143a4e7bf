/* SPDX-License-Identifier: MIT
 *
 * Items on their way back from the store: restore_item.c reads them, restored.c puts them into their
 * places.
 */
#ifndef QBROKER_CORE_RESTORE_H
#define QBROKER_CORE_RESTORE_H

#include "daemon/core/keep.h"

/* Frees an item that is being restored. */
void restore_drop(struct qe *e, struct kept_item *k);

/* The item is the last one in the list now: whether they are still in order. */
void restore_noted(struct qe *e, const struct kept_item *k);

/* Restoring has ended before its end, if it has: frees what did not take its place. */
void restore_abandon(struct qe *e);

#endif
