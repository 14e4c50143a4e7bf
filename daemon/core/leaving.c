/* SPDX-License-Identifier: MIT
 *
 * Bodies leave: of the queue that has most the one that is wanted last, as far as that is known, until the
 * others may stay; a large one piece by piece. See bodies.h.
 */
#include "daemon/core/bodies.h"

#include "daemon/core/engine_int.h"
#include "daemon/core/queue.h"
#include "daemon/core/settle.h"
#include "daemon/core/store.h"

/* In one turn. */
#define SHARE_BYTES (UINT64_C(2) << 20)
#define SHARE_ITEMS 1000
#define QUEUES	    16 /* of which the one with most is taken */

/* Has the body, with this sum, leave. false: no memory. */
static bool
send_away(struct qe *e, struct kept_item *k, uint32_t sum)
{
	struct qe_item *item = k->item, *bare;
	struct queue *q = item_queue(item);

	if (item_new_absent(e, item->body_len, &bare) != QE_OK)
		return false;
	k->sum = sum;
	bodies_leave(e, q, k);
	item_swap(e, item, bare);
	k->item = bare;
	bodies_away(e, k, q);
	return true;
}

/* Those that are written by now may leave. */
static void
note_written(struct qe *e, struct queue *q)
{
	struct list *at;

	for (int i = 0; i < SHARE_ITEMS && (at = list_first(&q->bodies.placed)); i++) {
		if (!bodies_written(e, list_entry(at, struct kept_item, kept.changed)))
			break;
		list_remove(at);
		list_append(&q->bodies.here, at);
	}
}

/* The one that is wanted last, as far as that is known. */
static struct kept_item *
next_to_leave(const struct queue *q)
{
	const struct list *here = &q->bodies.here, *ahead = &q->bodies.ahead;
	struct list *at = q->order == QE_LIFO ? here->next : here->prev;

	if (at == here)
		at = ahead->prev;
	return at == ahead ? NULL : list_entry(at, struct kept_item, kept.changed);
}

/* One that is on its way to somebody would not be free. */
static void
keep_for_longer(struct queue *q, struct kept_item *k)
{
	list_remove(&k->kept.changed);
	list_append(q->order == QE_LIFO ? &q->bodies.here : q->bodies.here.next,
		    &k->kept.changed);
}

/* The one that has begun to, if it still may. */
static struct kept_item *
goes_on(struct qe *e)
{
	struct body_piece *leaving = &e->bodies.leaving;
	struct kept_item *k = leaving->id ? keep_named(e, leaving->id) : NULL;

	if (k && k->body_at == BODY_HERE && !k->kept.due && bodies_written(e, k) &&
	    k->item->refs == 1 && !keep_discarded(k))
		return k;
	leaving->id = 0;
	return NULL;
}

/* Its next piece is summed up; after the last one it leaves. Returns how many bytes that were. */
static uint64_t
leave_in_pieces(struct qe *e, struct kept_item *k)
{
	struct body_piece *leaving = &e->bodies.leaving;
	const char *body = keep_body(e, k->item);
	size_t len = k->item->body_len - leaving->done;

	if (!body)
		return 0;
	if (len > BODY_PIECE)
		len = BODY_PIECE;
	if (e->keep.sum_of)
		leaving->sum = e->keep.sum_of(leaving->sum, body + leaving->done, len);
	leaving->done += len;
	if (leaving->done < k->item->body_len)
		return len;
	leaving->id = 0;
	return send_away(e, k, leaving->sum) ? len : 0;
}

/* Has the body leave, or begin to. false: no memory. */
static bool
leave_now(struct qe *e, struct kept_item *k)
{
	const void *body;

	if (k->item->body_len > BODY_PIECE) {
		if (!keep_name(e, k))
			return false;
		e->bodies.leaving = (struct body_piece){.id = k->item->id};
		return true;
	}
	body = keep_body(e, k->item);
	return body && send_away(e, k, bodies_sum(e, body, k->item->body_len));
}

/* Returns how many bytes left, 1 if one has begun to; `share` is what may. */
static uint64_t
leave_queue(struct qe *e, struct queue *q, uint64_t share)
{
	uint64_t before = e->bodies.cost, least = before > share ? before - share : 0;
	struct kept_item *k;

	note_written(e, q);
	for (int i = 0; i < SHARE_ITEMS && e->bodies.cost > least &&
			bodies_too_many(e) && !e->bodies.leaving.id;
	     i++) {
		k = next_to_leave(q);
		if (!k)
			break;
		if (keep_discarded(k))
			bodies_leave(e, q, k);
		else if (k->item->refs > 1)
			keep_for_longer(q, k);
		else if (!leave_now(e, k))
			break;
	}
	return before - e->bodies.cost + (e->bodies.leaving.id ? 1 : 0);
}

/* Of some queues the one that has most; the others have their turn later. */
static struct queue *
next_queue(struct bodies *b)
{
	struct queue *most = NULL;

	for (int i = 0; i < QUEUES && (uint64_t)i < b->n_queues; i++) {
		struct list *at = list_first(&b->queues);
		struct queue *q = list_entry(at, struct queue, bodies.in_engine);

		list_remove(at);
		list_append(&b->queues, at);
		if (!most || q->bodies.cost > most->bodies.cost)
			most = q;
	}
	return most;
}

bool
leaving_in_vain(const struct qe *e)
{
	return e->bodies.vain > e->bodies.n_queues;
}

void
leaving_share(struct qe *e)
{
	struct bodies *b = &e->bodies;
	struct store_status now;
	uint64_t left = 0;

	e->keep.store->class->status(e->keep.store, &now);
	e->bodies.written = now.written;
	large_written(e, now.written); /* they can leave */
	b->vain = 0;
	while (left < SHARE_BYTES && bodies_too_many(e) && !leaving_in_vain(e)) {
		struct kept_item *k = goes_on(e);
		uint64_t n = k ? leave_in_pieces(e, k)
			       : leave_queue(e, next_queue(b), SHARE_BYTES - left);

		b->vain = n > 0 ? 0 : b->vain + QUEUES;
		left += n;
	}
	if (left > 0)
		settle(e);
}
