/* SPDX-License-Identifier: MIT
 *
 * qe_snapshot(): all that no journal has, as the same entries.
 */
#include "daemon/core/engine_int.h"
#include "daemon/core/group.h"
#include "daemon/core/keep.h"
#include "daemon/core/queue.h"
#include "daemon/core/session.h"
#include "daemon/core/store.h"
#include "daemon/core/unique.h"

#define RECORD_BYTES (1 << 20)

struct snapshot {
	struct qe *e;
	struct store *store;
	struct entries record;
	bool failed;
};

static void
close_record(struct snapshot *s)
{
	struct store_place place;
	unsigned n;
	const struct iovec *parts = entries_parts(&s->record, &n);

	if (s->record.failed || !parts ||
	    (n > 0 && !s->store->class->append(s->store, parts, n, false, &place)))
		s->failed = true;
	entries_empty(&s->record);
}

static void
next_entry(struct snapshot *s)
{
	if (entries_len(&s->record) > RECORD_BYTES)
		close_record(s);
}

static void
write_item(struct snapshot *s, struct qe_item *item)
{
	keep_write_item(s->e, &s->record, item);
	next_entry(s);
}

static void
write_list(struct snapshot *s, const struct list *items)
{
	list_each (at, items)
		write_item(s, list_entry(at, struct qe_item, node));
}

static void
write_heap(struct snapshot *s, const struct heap *items)
{
	for (struct heap_node *at = items->first; at; at = heap_after(items, at))
		write_item(s, list_entry(at, struct qe_item, heap));
}

static void
write_groups(struct snapshot *s, const struct queue *q)
{
	list_each_safe (at, &q->groups) {
		struct group *g = list_entry(at, struct group, in_queue);

		write_heap(s, &g->ready);
		write_list(s, &g->delayed);
	}
}

static void
write_items(struct snapshot *s, const struct queue *q)
{
	write_list(s, &q->fresh);
	write_heap(s, &q->sorted);
	write_groups(s, q);
	write_list(s, &q->delayed);
	write_list(s, &q->dead);
	list_each (at, &q->holdings)
		write_list(s, &list_entry(at, struct holding, in_queue)->leases);
	list_each (at, &q->keys) {
		const struct unique *u = list_entry(at, const struct unique, in_queue);

		if (u->open)
			keep_write_window(s->e, &s->record, u);
		next_entry(s);
	}
}

bool
qe_snapshot(struct qe *e, uint64_t now_ns, struct store *store)
{
	struct snapshot s = {.e = e, .store = store};

	e->now_ns = now_ns;
	keep_write_meta(e, &s.record);
	list_each (at, &e->sessions) {
		keep_write_session(e, &s.record,
				   list_entry(at, struct qe_session, in_engine));
		next_entry(&s);
	}
	for (struct heap_node *at = e->queues.first; at && !s.failed;
	     at = heap_after(&e->queues, at)) {
		const struct queue *q = list_entry(at, const struct queue, by_serial);

		if (q->durable)
			continue;
		keep_write_queue(e, &s.record, q);
		write_items(&s, q);
	}
	close_record(&s);
	entries_done(&s.record);
	return !s.failed;
}
