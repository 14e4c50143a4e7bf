/* SPDX-License-Identifier: MIT
 *
 * Events for those who watch: a ring that is there only while somebody does. Where something
 * worth telling happens, off the ways of a plain put, get and ack, it costs one
 * comparison when nobody watches.
 */
#ifndef QBROKER_CORE_WATCH_H
#define QBROKER_CORE_WATCH_H

#include "daemon/core/engine_int.h"

struct queue;

/* Adds an event to the ring, or counts it as lost when that is full. `item` may be
 * NULL, `worker`, who held it last, empty. */
void watch_add(struct qe *e, enum qe_event_kind kind, const struct queue *q,
	       const struct qe_item *item, struct qe_name worker);

static inline void
watch_note(struct qe *e, enum qe_event_kind kind, const struct queue *q)
{
	if (e->events)
		watch_add(e, kind, q, NULL, (struct qe_name){"", 0});
}

static inline void
watch_note_item(struct qe *e, enum qe_event_kind kind, const struct qe_item *item,
		struct qe_name worker)
{
	if (e->events)
		watch_add(e, kind, item_in(item), item, worker);
}

/* What the ring takes, and frees it. */
size_t watch_size(const struct qe *e);
void watch_done(struct qe *e);

#endif
