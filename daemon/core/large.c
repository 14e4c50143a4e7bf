/* SPDX-License-Identifier: MIT
 *
 * See large.h.
 */
#include "daemon/core/large.h"

#include "daemon/core/engine_int.h"
#include "daemon/core/keep.h"
#include "daemon/core/store.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 16

/* Room for one more. false: no memory. */
static bool
grow(void **array, size_t *room, size_t n, size_t size)
{
	size_t more = *room ? 2 * *room : FIRST_ROOM;
	void *p;

	if (n < *room)
		return true;
	p = realloc(*array, more * size);
	if (!p)
		return false;
	*array = p;
	*room = more;
	return true;
}

bool
large_lend(struct qe *e, struct qe_item *item)
{
	struct large *l = &e->keep.large_ones;
	void *lent = l->lent;

	if (!grow(&lent, &l->lent_room, l->n_lent, sizeof(*l->lent)))
		return false;
	l->lent = lent;
	l->lent[l->n_lent++] = (struct large_lent){.item = item};
	qe_item_ref(item);
	return true;
}

bool
large_move(struct qe *e, struct kept_item *k, size_t bytes, size_t end)
{
	struct large *l = &e->keep.large_ones;
	void *moves = l->moves;

	if (!keep_name(e, k) ||
	    !grow(&moves, &l->moves_room, l->n_moves, sizeof(*l->moves)))
		return false;
	l->moves = moves;
	l->moves[l->n_moves++] = (struct large_move){.id = k->item->id,
						     .offset = end - k->item->body_len,
						     .bytes = (uint32_t)bytes};
	k->kept.whole = false;
	k->kept.moving = true;
	return true;
}

void
large_appended(struct qe *e, const struct store_place *place)
{
	struct large *l = &e->keep.large_ones;

	for (size_t i = l->n_lent; i > 0 && l->lent[i - 1].seq == 0; i--)
		l->lent[i - 1].seq = place->seq;
	for (size_t i = l->n_moves; i > 0 && l->moves[i - 1].seq == 0; i--) {
		struct large_move *m = &l->moves[i - 1];

		m->seq = place->seq;
		m->segment = place->segment;
		m->offset += place->offset;
	}
}

/* Unless the item has ended, or been written in another way since. */
static void
end_move(struct qe *e, const struct large_move *m)
{
	struct kept_item *k = keep_named(e, m->id);

	if (!k || !k->kept.moving)
		return;
	k->kept.moving = false;
	k->offset = (uint32_t)m->offset;
	keep_place(e, &k->kept, m->segment, m->bytes);
	k->kept.writing = (uint32_t)m->seq;
}

static bool
is_written(uint64_t seq, uint64_t written)
{
	return seq > 0 && seq <= written;
}

void
large_written(struct qe *e, uint64_t written)
{
	struct large *l = &e->keep.large_ones;
	size_t n = 0;

	for (; n < l->n_lent && is_written(l->lent[n].seq, written); n++)
		qe_item_unref(e, l->lent[n].item);
	if (n > 0) {
		l->n_lent -= n;
		memmove(l->lent, l->lent + n, l->n_lent * sizeof(*l->lent));
	}
	for (n = 0; n < l->n_moves && is_written(l->moves[n].seq, written); n++)
		end_move(e, &l->moves[n]);
	if (n > 0) {
		l->n_moves -= n;
		memmove(l->moves, l->moves + n, l->n_moves * sizeof(*l->moves));
	}
}

void
large_done(struct qe *e)
{
	struct large *l = &e->keep.large_ones;

	if (l->n_lent > 0 && e->keep.store->class->stop)
		e->keep.store->class->stop(e->keep.store);
	for (size_t i = 0; i < l->n_lent; i++)
		qe_item_unref(e, l->lent[i].item);
	free(l->lent);
	free(l->moves);
}
