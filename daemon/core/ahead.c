/* SPDX-License-Identifier: MIT
 *
 * Reading bodies back before they are asked for: of the items that gets will be given next a window is
 * kept in memory. What of it is known to be there, queue.bodies.near, gets smaller with each item that is
 * given; at half of it the queue is hungry, and is looked through from its first item on. See bodies.h.
 */
#include "daemon/core/bodies.h"

#include "daemon/core/engine_int.h"
#include "daemon/core/queue.h"
#include "daemon/core/settle.h"
#include "daemon/core/walk.h"

#define WINDOW	     (UINT64_C(4) << 20)
#define WINDOW_ITEMS 2000

/* In one turn, of all queues together. */
#define SHARE_BYTES (INT64_C(1) << 20)
#define READ_COST   2048 /* reading one takes at least as long as so many bytes */

/* What is not in the system's memory is tried again after so long; so often, then it is waited for. */
#define TRY_NS	   UINT64_C(1000000)
#define MOST_TRIES 50
#define MOST_AWAY  64

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
bodies_want(struct qe *e, struct queue *q)
{
	if (list_empty(&q->bodies.hungry))
		list_append(&e->bodies.hungry, &q->bodies.hungry);
}

void
bodies_given(struct qe *e, struct queue *q, const struct qe_item *item)
{
	struct queue_bodies *b = &q->bodies;
	uint64_t taken = weight(item);

	b->near = b->near > taken ? b->near - taken : 0;
	if (b->near < window(e) / 2)
		bodies_want(e, q);
}

/* Reads what is absent of the window, as far as the share goes. QE_OK: that was all, or there is no room for
 * more; QE_WAIT: it goes on, perhaps not at once. */
static enum qe_result
fill(struct qe *e, struct queue *q, struct walk *walk, int64_t *share)
{
	enum qe_result result;
	struct qe_item *item;
	uint64_t near = 0;

	while (near < window(e) && (item = walk_next(walk))) {
		bool absent = item->absent;

		if (absent && *share <= 0)
			return QE_WAIT;
		if (absent && near > 0 && bodies_too_many(e))
			break;
		result = bodies_fetch_ahead(e, &item, e->bodies.tries >= MOST_TRIES);
		if (result != QE_OK)
			return result;
		near += weight(item);
		if (!absent)
			continue;
		*share -= READ_COST + (int64_t)item->body_len;
		e->bodies.tries = 0;
	}
	q->bodies.near = near;
	return QE_OK;
}

/* The same with what it takes. Without memory somebody else will have to wait for the bodies. */
static enum qe_result
fill_queue(struct qe *e, struct queue *q, int64_t *share)
{
	enum qe_result result;
	struct walk walk;

	if (!walk_begin(&walk, e, q, WINDOW_ITEMS))
		return QE_NOMEM;
	result = fill(e, q, &walk, share);
	walk_end(&walk, e);
	return result;
}

/* What is away is only looked for so often, for that may be in vain. */
static enum qe_result
fetch_some(struct qe *e, struct walk *walk, unsigned n, uint64_t max_bytes,
	   unsigned *ret_here)
{
	uint64_t bytes = 0;
	unsigned here = 0, away = 0;
	struct qe_item *item;

	while (here + away < n && away < MOST_AWAY && (item = walk_next(walk))) {
		enum qe_result result;

		bytes += item->body_len;
		if (bytes > max_bytes && here + away > 0)
			break;
		result = bodies_fetch_now(e, &item);
		if (result != QE_OK && result != QE_WAIT)
			return result;
		here += result == QE_OK;
		away += result == QE_WAIT;
	}
	*ret_here = here;
	return away > 0 ? QE_WAIT : QE_OK;
}

enum qe_result
ahead_fetch(struct qe *e, struct queue *q, unsigned n, uint64_t max_bytes,
	    unsigned *ret_here)
{
	enum qe_result result;
	struct walk walk;

	if (!walk_begin(&walk, e, q, n))
		return QE_NOMEM;
	result = fetch_some(e, &walk, n, max_bytes, ret_here);
	walk_end(&walk, e);
	if (result == QE_WAIT) {
		bodies_want(e, q);
		if (e->bodies.try_ns <= e->now_ns)
			e->bodies.try_ns = e->now_ns + TRY_NS;
	}
	return result;
}

void
ahead_read(struct qe *e)
{
	struct bodies *b = &e->bodies;
	int64_t share = SHARE_BYTES;
	struct list *at;

	b->try_ns = 0;
	while (share > 0 && b->try_ns == 0 && (at = list_first(&b->hungry))) {
		struct queue *q = list_entry(at, struct queue, bodies.hungry);
		enum qe_result result = fill_queue(e, q, &share);

		list_remove(at);
		if (result == QE_WAIT) /* it goes on when the others had their turn */
			list_append(&b->hungry, at);
		if (result == QE_WAIT && share > 0) {
			b->try_ns = e->now_ns + TRY_NS;
			b->tries += !b->reading.with; /* that one comes in time */
		}
		share -= READ_COST;
		settle_later(e, q);
	}
	settle(e);
}
