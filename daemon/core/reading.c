/* SPDX-License-Identifier: MIT
 *
 * Reading a large body back, a piece in each turn, so that none has more of it. One at a time; whoever wants
 * another meanwhile waits for its turn. It goes on by itself once somebody wanted it. See bodies.h.
 */
#include "daemon/core/bodies.h"
#include "daemon/core/engine_int.h"
#include "daemon/core/queue.h"
#include "daemon/core/settle.h"
#include "daemon/core/store.h"

/* As in ahead.c. */
#define TRY_NS	   UINT64_C(1000000)
#define MOST_TRIES 50

enum qe_result
reading_want(struct qe *e, struct kept_item *k)
{
	struct body_piece *r = &e->bodies.reading;
	struct qe_item *with;
	enum qe_result result;

	if (r->with)
		return QE_WAIT;
	if (!keep_name(e, k))
		return QE_NOMEM;
	result = item_new_restored(e, k->item->body_len, &with);
	if (result != QE_OK)
		return result;
	*r = (struct body_piece){.id = k->item->id, .with = with};
	return QE_WAIT;
}

void
reading_end(struct qe *e)
{
	struct body_piece *r = &e->bodies.reading;

	if (r->with)
		qe_item_unref(e, r->with);
	r->with = NULL;
}

/* All of it is there. */
static void
come_back(struct qe *e, struct kept_item *k)
{
	struct body_piece *r = &e->bodies.reading;

	if (r->sum != k->sum) {
		(void)bodies_unreadable(e);
		return;
	}
	bodies_come_back(e, k, r->with, true);
	r->with = NULL;
	e->bodies.try_ns = 0; /* who waited for it goes on at once */
	settle_later(e, item_queue(k->item));
}

/* Where it is may have changed since the last piece; what is there has not. */
static void
read_piece(struct qe *e, struct kept_item *k)
{
	struct body_piece *r = &e->bodies.reading;
	struct store *store = e->keep.store;
	char *to = (char *)qe_item_body(r->with) + r->done;
	size_t len = k->item->body_len - r->done;

	if (len > BODY_PIECE)
		len = BODY_PIECE;
	switch (store->class->read(store, k->kept.segment, k->offset + r->done, to, len,
				   r->tries >= MOST_TRIES)) {
	case STORE_READ:
		if (e->keep.sum_of)
			r->sum = e->keep.sum_of(r->sum, to, len);
		r->done += len;
		r->tries = 0;
		r->try_ns = 0;
		if (r->done == k->item->body_len)
			come_back(e, k);
		break;
	case STORE_READ_LATER:
		r->tries++;
		r->try_ns = e->now_ns + TRY_NS;
		break;
	case STORE_READ_FAILED: (void)bodies_unreadable(e); break;
	}
}

void
reading_go_on(struct qe *e)
{
	struct body_piece *r = &e->bodies.reading;
	struct kept_item *k = r->with ? keep_named(e, r->id) : NULL;

	if (!k || k->body_at != BODY_AWAY)
		reading_end(e);
	else if (r->try_ns <= e->now_ns)
		read_piece(e, k);
}
