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

/* How long a record may be from now on, or there is no room for it; 0: as long as it likes. */
void log_set_most(struct store *s, uint64_t bytes);

/* Whether what is appended from now on is not written, until it is said that it is not slow. */
void log_set_slow(struct store *s, bool slow);

/* What reading does from now on: it fails, or a bit of what is read is wrong. */
enum log_broken { BROKEN_NOTHING, BROKEN_READ, BROKEN_BYTE };
void log_set_broken(struct store *s, enum log_broken broken);

/* Whether reading takes long from now on: who does not wait is given nothing. */
void log_set_cold(struct store *s, bool cold);

/* How often it was read from, and at most how much at once; and with waiting for that. */
uint64_t log_reads(const struct store *s);
size_t log_most_read(const struct store *s);
uint64_t log_waits(const struct store *s);

/* What was appended to it so far: records, and bytes of these that the engine's thread copied; that were lent, and
 * moved from another record. */
struct log_work {
	uint64_t records, copied, lent, moved;
};
struct log_work log_work(const struct store *s);

struct store_status log_status(struct store *s);

/* The payload of the last record. */
const void *log_last(const struct store *s, size_t *ret_len);

/* For an engine that was restored from it: reads from it, and changes nothing. */
struct store *log_view(struct store *s);
void log_view_free(struct store *s);

/* How many records it has; the payload of one of them. */
size_t log_records(const struct store *s);

/* Restores the first `n` records into an engine that is new. `view` of the log, or NULL: the engine need
 * not read what is in the log alone. */
enum qe_result log_restore(const struct store *s, size_t n, struct qe *e, uint64_t now,
			   struct store *view);

/* The same, but for its end: nothing has taken its place yet. */
enum qe_result log_read(const struct store *s, size_t n, struct qe *e, uint64_t now);

/* The same of all records, which are a snapshot. */
enum qe_result log_restore_snapshot(const struct store *s, struct qe *e, uint64_t now);

/* NULL, or in which way the durable queues of the two are not the same. `snapshot`: those that are not
 * durable. */
const char *log_compare(struct qe *a, struct qe *b, uint64_t now, bool snapshot);

#endif
