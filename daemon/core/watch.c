/* SPDX-License-Identifier: MIT
 *
 * See watch.h, and qe_watch() in engine.h.
 */
#include "daemon/core/watch.h"

#include "daemon/core/queue.h"

#include <string.h>

#define RING 1024 /* events between two looks; a power of two */

struct record {
	struct qe_event event; /* without its queue */
	uint8_t name_len;
	char name[QE_MAX_NAME];
	struct qe_text worker;
};

/* next <= end; what is between them has not been taken. */
struct events {
	uint64_t next, end, lost;
	struct record records[RING];
};

size_t
watch_size(const struct qe *e)
{
	return e->events ? sizeof(*e->events) : 0;
}

void
watch_done(struct qe *e)
{
	if (e->events)
		mem_free(&e->mem, e->events, sizeof(*e->events));
	e->events = NULL;
}

enum qe_result
qe_watch(struct qe *e, bool wanted)
{
	if (!wanted) {
		watch_done(e);
		return QE_OK;
	}
	if (e->events)
		return QE_OK;
	e->events = mem_alloc(&e->mem, sizeof(*e->events));
	if (!e->events)
		return QE_NOMEM;
	e->events->next = e->events->end = e->events->lost = 0;
	return QE_OK;
}

void
watch_add(struct qe *e, enum qe_event_kind kind, const struct queue *q,
	  const struct qe_item *item, struct qe_name worker)
{
	struct events *ring = e->events;
	struct record *r = &ring->records[ring->end % RING];

	if (ring->end - ring->next == RING) {
		ring->lost++;
		return;
	}
	ring->end++;
	r->event = (struct qe_event){.kind = kind};
	if (item) {
		r->event.id = item->id;
		r->event.deliveries = item->deliveries;
	}
	r->name_len = (uint8_t)q->name_len;
	memcpy(r->name, q->name, q->name_len);
	r->worker.len = (uint8_t)worker.len;
	memcpy(r->worker.p, worker.p, worker.len);
}

bool
qe_next_event(struct qe *e, struct qe_event *ret_event)
{
	struct events *ring = e->events;
	const struct record *r;

	if (!ring)
		return false;
	if (ring->next == ring->end) {
		*ret_event =
			(struct qe_event){.kind = QE_EVENT_LOST, .lost = ring->lost};
		ring->lost = 0;
		return ret_event->lost > 0;
	}
	r = &ring->records[ring->next++ % RING];
	*ret_event = r->event;
	ret_event->queue = (struct qe_name){r->name, r->name_len};
	ret_event->worker = (struct qe_name){r->worker.p, r->worker.len};
	return true;
}
