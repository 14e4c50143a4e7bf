/* SPDX-License-Identifier: MIT
 *
 * Reading bodies back before they are asked for: of the items that gets will be given next a window is
 * kept in memory. What of it is known to be there, queue.bodies.near, gets smaller with each item that is
 * given; at half of it the queue is hungry, and is looked through from its first item on. See bodies.h.
 */
#include "daemon/core/bodies.h"

#include "daemon/core/engine_int.h"
#include "daemon/core/queue.h"
#include "daemon/core/walk.h"

#define WINDOW	     (UINT64_C(4) << 20)
#define WINDOW_ITEMS 2000

/* In one turn, of all queues together. */
#define SHARE_BYTES (INT64_C(1) << 20)
#define READ_COST   2048 /* reading one takes at least as long as so many bytes */

/* Of little memory a quarter: what was read ahead had to leave again. */
static uint64_t
window(const struct qe *e)
{
	uint64_t most = e->config.body_memory / 4;

	return most > 0 && most < WINDOW ? most : WINDOW;
}

/* What an item takes of the window. */
static uint64_t
weight(const struct qe_item *item)
{
	return item->body_len > WINDOW / WINDOW_ITEMS ? item->body_len
						      : WINDOW / WINDOW_ITEMS;
}

void
bodies_given(struct qe *e, struct queue *q, const struct qe_item *item)
{
	struct queue_bodies *b = &q->bodies;
	uint64_t taken = weight(item);

	b->near = b->near > taken ? b->near - taken : 0;
	if (b->near < window(e) / 2 && list_empty(&b->hungry))
		list_append(&e->bodies.hungry, &b->hungry);
}

/* Reads what is absent of the window, as far as the share goes. Returns whether that was all. */
static bool
fill(struct qe *e, struct queue *q, struct walk_cursor *cursors, int64_t *share)
{
	struct qe_item *item;
	struct walk walk;
	uint64_t near = 0;

	walk_begin(&walk, q, cursors);
	while (near < window(e) && (item = walk_next(&walk))) {
		bool absent = item->absent;

		if (absent && *share <= 0)
			return false;
		if (absent && bodies_too_many(e))
			break;
		if (bodies_fetch_ahead(e, &item) != QE_OK)
			break; /* a get says so */
		near += weight(item);
		if (absent)
			*share -= READ_COST + (int64_t)item->body_len;
	}
	q->bodies.near = near;
	return true;
}

void
ahead_read(struct qe *e)
{
	int64_t share = SHARE_BYTES;
	struct list *at;

	while (share > 0 && (at = list_first(&e->bodies.hungry))) {
		struct queue *q = list_entry(at, struct queue, bodies.hungry);
		size_t n = walk_cursors(q, WINDOW_ITEMS);
		struct walk_cursor *cursors = mem_alloc(&e->mem, n * sizeof(*cursors));
		bool done = !cursors || fill(e, q, cursors, &share);

		share -= READ_COST;
		list_remove(at);
		if (!done) /* it goes on when the others had their turn */
			list_append(&e->bodies.hungry, at);
		mem_free(&e->mem, cursors, n * sizeof(*cursors));
	}
}
