/* SPDX-License-Identifier: MIT
 *
 * A store in memory, and what an engine that was restored from it must have in common with the
 * one that wrote it.
 */
#ifndef QBROKER_TESTS_CORE_LOG_KIT_H
#define QBROKER_TESTS_CORE_LOG_KIT_H

#include "daemon/core/engine.h"
#include "daemon/core/store.h"

/* A new store, whose segments have so many bytes. Everything is synced at once. */
struct store *log_new(uint64_t segment_bytes);
void log_free(struct store *s);

/* What it says of itself from now on. */
void log_set_state(struct store *s, enum store_state state);

/* How many records it has; the payload of one of them. */
size_t log_records(const struct store *s);

/* Restores the first `n` records into an engine that is new. */
enum qe_result log_restore(const struct store *s, size_t n, struct qe *e, uint64_t now);

/* NULL, or in which way the durable queues of the two are not the same. `snapshot`: those that are not
 * durable. */
const char *log_compare(struct qe *a, struct qe *b, uint64_t now, bool snapshot);

#endif
