/* SPDX-License-Identifier: MIT
 *
 * Who is there, who waits, who holds what: walks that change nothing, and whose answers depend
 * on nothing's being kept. A call does a bounded share, and a cursor says where the next one goes
 * on, however much comes and goes between them.
 */
#include "daemon/core/engine_int.h"
#include "daemon/core/group.h"
#include "daemon/core/queue.h"
#include "daemon/core/session.h"
#include "daemon/core/waiter.h"

#include <string.h>

#define QUEUES_SHARE   1000 /* queues that one call looks at */
#define HOLDINGS_SHARE 1000 /* sessions, likewise */

/* How long it is until then. */
static uint64_t
left(const struct qe *e, uint64_t end_ns)
{
	if (end_ns == QE_NEVER)
		return QE_NEVER;
	return end_ns > e->now_ns ? end_ns - e->now_ns : 0;
}

bool
qe_next_session(const struct qe *e, uint64_t *cursor,
		struct qe_session_stats *ret_stats)
{
	struct qe_session probe = {.serial = *cursor + 1};
	struct heap_node *found = heap_from(&e->serials, &probe.by_serial);
	const struct qe_session *session;

	if (!found)
		return false;
	session = list_entry(found, const struct qe_session, by_serial);
	*cursor = session->serial;
	*ret_stats = (struct qe_session_stats){
		.owner = session->owner,
		.leased = session->leased,
		.waiting = session->waiting,
	};
	memcpy(ret_stats->id, session->id, sizeof(ret_stats->id));
	return true;
}

static struct qe_lease_stats
lease_stats(const struct qe *e, const struct qe_item *item)
{
	const struct queue *q = item_holding(item)->queue;

	return (struct qe_lease_stats){
		.id = item->id,
		.delivery = item->deliveries,
		.queue = {q->name, q->name_len},
		.owner = item_holding(item)->session->owner,
		.held_ns = item_held_ns(e, item),
		.left_ns = left(e, item->extra ? item->extra->ends_ns : QE_NEVER),
	};
}

enum qe_result
qe_who(struct qe *e, uint64_t now_ns, uint64_t id, struct qe_lease_stats *ret_stats)
{
	const struct qe_item *item =
		table_find(&e->leases, item_hash(e, id), item_match, &id);

	e->now_ns = now_ns;
	if (!item || item_holding(item)->queue->deleted)
		return id > e->last_id ? QE_EMPTY : QE_NOT_FOUND;
	*ret_stats = lease_stats(e, item);
	return QE_OK;
}

/* Adds the leases of a holding, which stand in it in their order, to those that have lasted
 * for longest. */
static void
merge_leases(const struct qe *e, const struct holding *h, struct qe_lease_stats *list,
	     unsigned max, unsigned *n)
{
	list_each (at, &h->leases) {
		const struct qe_item *item = list_entry(at, const struct qe_item, node);
		uint64_t held_ns = item_held_ns(e, item);
		unsigned i = *n;

		if (i == max && (i == 0 || list[i - 1].held_ns >= held_ns))
			return;
		i = i == max ? max - 1 : (*n)++;
		for (; i > 0 && list[i - 1].held_ns < held_ns; i--)
			list[i] = list[i - 1];
		list[i] = lease_stats(e, item);
	}
}

enum qe_result
qe_holders(struct qe *e, uint64_t now_ns, struct qe_name queue,
	   struct qe_lease_stats *ret_stats, unsigned max, unsigned *ret_n)
{
	const struct queue *q = queue_find(e, queue);
	unsigned n = 0, holdings = 0;

	e->now_ns = now_ns;
	if (!q)
		return queue_name_valid(queue) ? QE_NOT_FOUND : QE_INVALID;
	list_each (at, &q->holdings) {
		if (holdings++ == HOLDINGS_SHARE)
			break;
		merge_leases(e, list_entry(at, const struct holding, in_queue),
			     ret_stats, max, &n);
	}
	*ret_n = n;
	return QE_OK;
}

/* --- those who wait -------------------------------------------------------------- */

/* A place in a line. As a number: serial | line | index; all lines of a queue, then those
 * of the next. */
struct place {
	uint64_t serial; /* of the queue */
	unsigned line;
	unsigned index; /* from 0 */
};

#define LINE_BITS  3
#define INDEX_BITS 14

static_assert(LINES <= 1 << LINE_BITS, "a cursor has room for the line");
static_assert(QE_MAX_PLACE < 1 << INDEX_BITS, "a cursor has room for the place");

static uint64_t
to_cursor(struct place at)
{
	return at.serial << (LINE_BITS + INDEX_BITS) | (uint64_t)at.line << INDEX_BITS |
	       at.index;
}

static struct place
from_cursor(uint64_t cursor)
{
	return (struct place){
		.serial = cursor >> (LINE_BITS + INDEX_BITS),
		.line = cursor >> INDEX_BITS & ((1 << LINE_BITS) - 1),
		.index = cursor & ((1 << INDEX_BITS) - 1),
	};
}

static void
describe(const struct qe *e, const struct wait_slot *slot, unsigned index,
	 struct qe_waiter_stats *ret)
{
	const struct waiter *w = slot->waiter;
	const struct queue *q = slot->queue;

	*ret = (struct qe_waiter_stats){
		.owner = w->session->owner,
		.request = w->request,
		.queue = {q->name, q->name_len},
		.place = index + 1,
		.since_ns = e->now_ns - w->since_ns,
		.left_ns = left(e, w->deadline_ns),
		.items = 1,
	};
	if (w->group)
		ret->group = (struct qe_name){w->group->name, w->group->name_len};
	if (w->request == QE_REQUEST_PUT)
		ret->items = w->put.n - w->put.next;
	else if (w->request == QE_REQUEST_GET && w->get.args.many)
		ret->items = w->get.args.min_items;
	else if (w->request == QE_REQUEST_JOIN)
		ret->items = 0;
}

/* Adds what stands in the line from at->index on; returns whether that was all. */
static bool
walk_line(const struct qe *e, const struct queue *q, struct place *at,
	  struct qe_waiter_stats *ret, unsigned max, unsigned *n)
{
	unsigned index = 0;

	list_each (node, &q->line[at->line]) {
		if (index >= QE_MAX_PLACE)
			return true;
		if (index >= at->index) {
			if (*n == max)
				return false;
			describe(e, list_entry(node, struct wait_slot, node), index,
				 &ret[(*n)++]);
			at->index++;
		}
		index++;
	}
	return true;
}

static bool
walk_queue(const struct qe *e, const struct queue *q, struct place *at,
	   struct qe_waiter_stats *ret, unsigned max, unsigned *n)
{
	for (; q->waiters > 0 && at->line < LINES; at->line++, at->index = 0)
		if (!walk_line(e, q, at, ret, max, n))
			return false;
	return true;
}

/* The queue with this serial, or the next one; then `at` is its beginning. */
static const struct queue *
queue_at(const struct qe *e, struct place *at)
{
	struct queue probe = {.serial = at->serial};
	struct heap_node *found = heap_from(&e->queues, &probe.by_serial);
	const struct queue *q =
		found ? list_entry(found, const struct queue, by_serial) : NULL;

	if (q && q->serial != at->serial)
		*at = (struct place){.serial = q->serial};
	return q;
}

unsigned
qe_waiters(struct qe *e, uint64_t now_ns, uint64_t *cursor,
	   struct qe_waiter_stats *ret_stats, unsigned max)
{
	struct place at = from_cursor(*cursor);
	const struct queue *q;
	unsigned n = 0;

	e->now_ns = now_ns;
	for (int i = 0; i < QUEUES_SHARE; i++) {
		q = queue_at(e, &at);
		if (!q) {
			*cursor = 0;
			return n;
		}
		if (!walk_queue(e, q, &at, ret_stats, max, &n))
			break;
		at = (struct place){.serial = at.serial + 1};
	}
	*cursor = to_cursor(at);
	return n;
}

enum qe_result
qe_queue_waiters(struct qe *e, uint64_t now_ns, struct qe_name queue, uint64_t *cursor,
		 struct qe_waiter_stats *ret_stats, unsigned max, unsigned *ret_n)
{
	const struct queue *q = queue_find(e, queue);
	struct place at = from_cursor(*cursor);
	unsigned n = 0;

	e->now_ns = now_ns;
	if (!q)
		return queue_name_valid(queue) ? QE_NOT_FOUND : QE_INVALID;
	if (at.serial != q->serial) /* the first call, or it has been made anew */
		at = (struct place){.serial = q->serial};
	*cursor = walk_queue(e, q, &at, ret_stats, max, &n) ? 0 : to_cursor(at);
	*ret_n = n;
	return QE_OK;
}
