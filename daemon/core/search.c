/* SPDX-License-Identifier: MIT
 *
 * See search.h. What was looked at last is remembered so that it may go away meanwhile: by its
 * place in a tree, or by a reference. Delayed items come first, what came back last: so an item
 * whose time comes between two shares is not missed.
 */
#include "daemon/core/search.h"

#include "daemon/core/dead.h"
#include "daemon/core/engine_int.h"
#include "daemon/core/extra.h"
#include "daemon/core/group.h"
#include "daemon/core/queue.h"

#define SHARE 1000 /* items or groups, in one call: a few tenths of a millisecond */

enum stage { BEGIN, DUE, FRESH, SORTED, GROUPED, END };

static struct qe_item *
in_heap(struct heap_node *node)
{
	return list_entry(node, struct qe_item, heap);
}

static void
forget(struct qe *e, struct qe_search *s)
{
	if (s->at)
		qe_item_unref(e, s->at);
	if (s->group)
		group_unref(e, s->group);
	s->at = NULL;
	s->group = NULL;
}

void
qe_search_end(struct qe *e, struct qe_search *s)
{
	forget(e, s);
	*s = (struct qe_search){0};
}

/* Whether there is a step left in this share. */
static bool
step(struct qe_search *s)
{
	return s->steps > 0 && s->steps-- > 0;
}

/* Items with times, of groups too, by when these come. */
static struct qe_item *
search_due(const struct queue *q, uint64_t id, struct qe_search *s)
{
	struct qe_item probe_item = {.id = s->place};
	struct extra probe = {.due_ns = s->due_ns, .item = &probe_item};
	struct heap_node *at =
		s->within ? heap_from(&q->due, &probe.node) : q->due.first;

	for (s->within = false; at; at = heap_after(&q->due, at)) {
		const struct extra *x = list_entry(at, struct extra, node);

		if (x->item->id == id && !item_discarded(x->item))
			return x->item;
		if (step(s))
			continue;
		s->within = true;
		s->due_ns = x->due_ns;
		s->place = x->item->id;
		break;
	}
	return NULL;
}

/* From the end of the list, which is in order of ids, that is nearer. NULL: it is beyond both. */
static struct list *
nearer_end(const struct list *list, uint64_t id, struct qe_search *s)
{
	uint64_t first, last;

	if (list_empty(list))
		return NULL;
	first = list_entry(list->next, struct qe_item, node)->id;
	last = list_entry(list->prev, struct qe_item, node)->id;
	s->forward = id - first < last - id;
	if (id < first || id > last)
		return NULL;
	return s->forward ? list->next : list->prev;
}

/* Where it had got to; if that item has gone, from the end again. */
static struct list *
fresh_from(struct qe *e, struct queue *q, uint64_t id, struct qe_search *s)
{
	struct qe_item *item = s->at;
	bool there = item && item->id == s->place && item->state == ITEM_READY &&
		     !item->sorted && item_in(item) == q;

	forget(e, s);
	return there ? &item->node : nearer_end(&q->fresh, id, s);
}

static struct qe_item *
search_fresh(struct qe *e, struct queue *q, uint64_t id, struct qe_search *s)
{
	struct list *at = fresh_from(e, q, id, s);

	s->within = false;
	for (; at && at != &q->fresh; at = s->forward ? at->next : at->prev) {
		struct qe_item *item = list_entry(at, struct qe_item, node);

		if (item->id == id)
			return item;
		if (s->forward ? item->id > id : item->id < id)
			break;
		if (step(s))
			continue;
		s->within = true;
		s->place = item->id;
		s->at = item;
		qe_item_ref(item);
		break;
	}
	return NULL;
}

/* Where it usually is, then everywhere: it may have a priority, or a place of its own. */
static struct qe_item *
search_heap(const struct heap *heap, uint64_t id, struct qe_search *s)
{
	struct qe_item probe = {.priority = s->priority,
				.id = s->within ? s->place : id};
	struct heap_node *at = heap->first ? heap_from(heap, &probe.heap) : NULL;

	if (!s->within && !(at && in_heap(at)->id == id))
		at = heap->first;
	for (s->within = false; at; at = heap_after(heap, at)) {
		struct qe_item *item = in_heap(at);

		if (item->id == id)
			return item;
		if (step(s))
			continue;
		s->within = true;
		s->priority = item->priority;
		s->place = item_place(item);
		return NULL;
	}
	s->priority = 0;
	return NULL;
}

static struct qe_item *
search_groups(struct qe *e, struct queue *q, uint64_t id, struct qe_search *s)
{
	/* It may be there for this reference alone, and is gone on from. */
	struct group *held = s->group;
	struct list *at = held ? &held->in_queue : q->groups.next;
	struct qe_item *item = NULL;

	s->group = NULL;
	forget(e, s);
	for (; at != &q->groups && !item; at = at->next) {
		struct group *g = list_entry(at, struct group, in_queue);
		bool more = step(s);

		item = more ? search_heap(&g->ready, id, s) : NULL;
		if (item || (more && !s->within))
			continue;
		s->group = g;
		g->refs++;
		break;
	}
	if (held)
		group_unref(e, held);
	return item;
}

static struct qe_item *
search_stage(struct qe *e, struct queue *q, uint64_t id, struct qe_search *s)
{
	switch ((enum stage)s->stage) {
	case DUE: return search_due(q, id, s);
	case FRESH: return search_fresh(e, q, id, s);
	case SORTED: return search_heap(&q->sorted, id, s);
	case GROUPED: return search_groups(e, q, id, s);
	case BEGIN:
	case END: break;
	}
	return NULL;
}

/* With the steps that are left. */
static enum qe_result
search_queue(struct qe *e, struct queue *q, uint64_t id, struct qe_search *s,
	     struct qe_item **ret_item)
{
	if (s->stage == BEGIN || s->serial != q->serial || s->purges != q->purges) {
		forget(e, s);
		*s = (struct qe_search){.stage = DUE,
					.serial = q->serial,
					.purges = q->purges,
					.steps = s->steps};
	}
	for (; s->stage < END; s->stage++) {
		struct qe_item *item = search_stage(e, q, id, s);

		if (item) {
			qe_search_end(e, s);
			*ret_item = item;
			return QE_OK;
		}
		if (s->within || s->group)
			return QE_WAIT;
	}
	s->stage = BEGIN;
	return QE_NOT_FOUND;
}

enum qe_result
search_go_on(struct qe *e, struct queue *q, uint64_t id, struct qe_search *s,
	     struct qe_item **ret_item)
{
	s->steps = SHARE;
	return search_queue(e, q, id, s, ret_item);
}

/* The queue with this serial, or the next one that there is. */
static struct queue *
queue_from(const struct qe *e, uint64_t serial)
{
	struct queue probe = {.serial = serial};
	struct heap_node *found = heap_from(&e->queues, &probe.by_serial);

	return found ? list_entry(found, struct queue, by_serial) : NULL;
}

enum qe_result
qe_find(struct qe *e, uint64_t now_ns, uint64_t id, struct qe_search *s,
	struct qe_found *ret_found)
{
	enum qe_result result = QE_NOT_FOUND;
	struct qe_item *item = NULL;
	struct queue *q;

	e->now_ns = now_ns;
	s->steps = SHARE;
	while (result == QE_NOT_FOUND && (q = queue_from(e, s->serial))) {
		if (!step(s))
			return QE_WAIT;
		item = dead_find(q, id);
		result = item ? QE_OK : search_queue(e, q, id, s, &item);
		if (result == QE_NOT_FOUND)
			s->serial = q->serial + 1;
	}
	if (result == QE_WAIT)
		return QE_WAIT;
	qe_search_end(e, s);
	if (!item)
		return QE_NOT_FOUND;
	*ret_found = (struct qe_found){
		.state = item->state == ITEM_DEAD      ? QE_STATE_DEAD
			 : item->state == ITEM_DELAYED ? QE_STATE_DELAYED
						       : QE_STATE_READY,
		.queue = qe_item_queue(item),
	};
	return QE_OK;
}
