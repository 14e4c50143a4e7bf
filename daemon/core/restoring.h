/* SPDX-License-Identifier: MIT
 *
 * A record on its way back from the store, for the two files that read entries: restore.c, and
 * restore_item.c for those of items.
 */
#ifndef QBROKER_CORE_RESTORING_H
#define QBROKER_CORE_RESTORING_H

#include "daemon/core/engine_int.h"
#include "daemon/core/extra.h"
#include "daemon/core/queue.h"
#include "daemon/core/store.h"

struct restoring {
	struct qe *e;
	struct entry in;
	const struct store_place *place;
	struct queue *recent; /* the one that was asked for last; NULL: none */
	const uint8_t *payload; /* of the record */
	uint64_t limit;		/* of memory */
	struct extra nobody; /* written to when there is no memory for one */
	enum qe_result result;
};

/* What is not what is expected: the record is refused. */
static inline void
nonsense(struct restoring *r)
{
	r->in.failed = true;
}

static inline bool
good(struct restoring *r, enum qe_result result)
{
	if (result == QE_OK && !r->in.failed)
		return true;
	if (result == QE_NOMEM)
		r->result = QE_NOMEM;
	nonsense(r);
	return false;
}

/* A time of the wall clock as one of the engine's, at least `least`. */
static inline uint64_t
read_time(struct restoring *r, uint64_t least)
{
	uint64_t at = entry_number(&r->in), wall = r->e->keep.wall_ns;

	if (at == 0)
		return QE_NEVER;
	return at > wall && at - wall > least ? at - wall : least;
}

/* Which may lie before the engine's time 0. */
static inline uint64_t
read_past(struct restoring *r)
{
	return entry_number(&r->in) - r->e->keep.wall_ns;
}

static inline struct qe_name
read_name(struct restoring *r)
{
	struct qe_name name = entry_text(&r->in);

	if (!queue_name_valid(name))
		nonsense(r);
	return name;
}

/* For restoring_queue() alone: another one than the last time. */
struct queue *restoring_other_queue(struct restoring *r, uint64_t number);

/* The queue with this number, made if there is none: one that was carried forward is described behind its
 * items. NULL: the record is refused. */
static inline struct queue *
restoring_queue(struct restoring *r, uint64_t number)
{
	struct queue *q = r->recent;

	if (q && q->serial == number && !q->deleted)
		return q;
	return restoring_other_queue(r, number);
}

/* Where the last full entry of something is, which began at `from`, if it is kept. */
void restoring_place(struct restoring *r, struct kept *k, const uint8_t *from);

/* The entries of items. */
void restore_item(struct restoring *r, const uint8_t *from);
void restore_state(struct restoring *r);
void restore_gone(struct restoring *r);

#endif
