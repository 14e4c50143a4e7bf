/* SPDX-License-Identifier: MIT
 *
 * How the log stays small: what the oldest segment is still needed for is written again at the
 * end, and the segment is removed. See keep.h.
 *
 * Nothing is written again while the log has less garbage than half of what is alive, and a segment; then a
 * share in each turn, four bytes and more for each one by which it grows beyond that. So before it has twice the size of what is
 * alive, and two segments, the oldest garbage has been reached, however much of what is before it is
 * alive. Only some shares are on their way at a time, so that the disk is not outrun; what they do not pay for is owed, and
 * clients wait for it (qe_pace()).
 *
 * When the disk is full, the segments that are kept in reserve are all that gets and acks can be written
 * to. Then cleaning goes on while there is garbage of an eighth of a segment, as fast as the disk takes it; and what is
 * written again fills segments to their ends, or that would cost more room than the garbage has.
 */
#include "daemon/core/engine_int.h"
#include "daemon/core/keep.h"
#include "daemon/core/queue.h"
#include "daemon/core/session.h"
#include "daemon/core/store.h"
#include "daemon/core/unique.h"

#include <stdlib.h>

#define PACE	    4		/* bytes written again for each that is too much */
#define SHARE_LEAST 131072	/* in one turn */
#define SHARE_WORK  (512 << 10) /* of these: what is copied, and */
#define ENTRY_WORK  512		/* so many bytes for each entry, */
#define ANSWER_WORK 8		/* and for each byte of answers */
#define FIRST_ROOM  16
#define SEGMENT_OWN 512 /* bytes of a segment that are no entries, and more */

/* So long after the store had no room it is asked again. */
#define ROOM_NS UINT64_C(1000000000)

static struct list *
list_of(const struct keep *keep, uint64_t segment)
{
	return &keep->segments[segment & (keep->room - 1)];
}

static bool
grow(struct keep *keep)
{
	size_t room = keep->room ? keep->room * 2 : FIRST_ROOM;
	struct list *segments = malloc(room * sizeof(*segments));

	if (!segments)
		return false;
	for (size_t i = 0; i < room; i++)
		list_init(&segments[i]);
	for (uint64_t i = keep->first; i <= keep->last; i++)
		list_append_all(&segments[i & (room - 1)], list_of(keep, i));
	free(keep->segments);
	keep->segments = segments;
	keep->room = room;
	return true;
}

bool
keep_segment(struct qe *e, uint64_t segment)
{
	struct keep *keep = &e->keep;
	uint64_t first = keep->first, last = keep->last;

	if (last == 0 || segment < first)
		first = segment;
	if (segment > last)
		last = segment;
	while (keep->room < last - first + 1)
		if (!grow(keep))
			return false;
	keep->first = first;
	keep->last = last;
	return true;
}

void
keep_place(struct qe *e, struct kept *k, uint64_t segment, uint64_t bytes)
{
	e->keep.live += bytes - k->bytes;
	k->bytes = (uint32_t)bytes;
	k->segment = (uint32_t)segment;
	list_remove(&k->in_segment);
	list_append(list_of(&e->keep, segment), &k->in_segment);
}

/* It will be written again, unless it is not worth it any more. */
static void
write_again(struct qe *e, struct kept *k)
{
	struct keep *keep = &e->keep;

	if (k->kind == KEPT_ITEM &&
	    keep_discarded(list_entry(k, struct kept_item, kept))) {
		keep_discard(e, list_entry(k, struct kept_item, kept));
		return; /* sweep() will forget it */
	}
	if (k->kind == KEPT_WINDOW && !list_entry(k, struct unique, kept)->open) {
		kept_leave(e, k);
		return;
	}
	k->whole = true;
	keep->changed_bytes += k->bytes;
	if (!k->due)
		keep_due(e, k);
	/* At the end of the list, so that the next share does not meet it again. */
	list_remove(&k->in_segment);
	list_append(list_of(keep, keep->first), &k->in_segment);
	keep->said = true;
}

/* Up to where nothing needs the segments. */
static uint64_t
needed_from(const struct keep *keep)
{
	uint64_t first = keep->first;

	while (first < keep->meta && list_empty(list_of(keep, first)))
		first++;
	return first;
}

static void
ask_bytes(struct keep *keep, struct store_status *ret)
{
	keep->store->class->status(keep->store, ret);
	keep->bytes = ret->bytes + ret->leaving * ret->segment_bytes;
}

static void
ask_store(struct keep *keep, struct store_status *ret)
{
	ask_bytes(keep, ret);
	keep->low = ret->state != STORE_GOOD;
	keep->segment_bytes = ret->segment_bytes;
	keep->large = ret->segment_bytes / KEEP_LARGE_OF < KEEP_LARGE
			      ? ret->segment_bytes / KEEP_LARGE_OF
			      : KEEP_LARGE;
}

/* Not while something is in the open record, which is trimmed behind: it may be what makes them needless, and must
 * not be lost in a crash where TRIM is not. */
static bool
may_trim(const struct keep *keep)
{
	return entries_len(&keep->record) == 0;
}

void
keep_trim(struct keep *keep)
{
	uint64_t first = needed_from(keep);
	struct store_status now;

	if (!may_trim(keep))
		return;
	keep->stuck =
		first > keep->first && !keep->store->class->trim(keep->store, first);
	if (first == keep->first || keep->stuck)
		return; /* there will be room */
	keep->first = first;
	keep->again = 0;
	keep->store->class->flush(keep->store);
	ask_bytes(keep, &now);
}

/* How large it may become before it is cleaned. */
static uint64_t
bound_of(const struct keep *keep, const struct store_status *now)
{
	uint64_t segments = now->last_segment + 1 - now->first_segment;

	if (keep->low)
		return keep->live + segments * SEGMENT_OWN + now->segment_bytes / 8;
	return keep->live + keep->live / 2 + now->segment_bytes;
}

/* By how much it is larger than that, but for what goes with the oldest segment. */
static uint64_t
excess_of(const struct keep *keep)
{
	uint64_t has = keep->bytes + entries_len(&keep->record);
	uint64_t may = keep->live + keep->live / 2 + keep->segment_bytes + keep->again;

	return has > may ? has - may : 0;
}

/* Bytes to be written again, with what has come since they were counted. */
static uint64_t
owed_now(const struct keep *keep)
{
	uint64_t excess = excess_of(keep);

	if (excess > keep->excess)
		return keep->owed + PACE * (excess - keep->excess);
	excess = PACE * (keep->excess - excess);
	return keep->owed > excess ? keep->owed - excess : 0;
}

/* Nothing is owed where nothing can be cleaned, or nobody would ever go on. What is more than a segment nobody could
 * prevent by waiting; it is not made up for at once. */
static void
count_owed(struct keep *keep, const struct store_status *now)
{
	uint64_t owed = owed_now(keep);

	keep->excess = excess_of(keep);
	keep->owed = owed < keep->segment_bytes ? owed : keep->segment_bytes;
	if (keep->low || keep->stuck || keep->first == now->last_segment ||
	    keep->bytes <= bound_of(keep, now))
		keep->owed = 0;
}

enum qe_pace
qe_pace(const struct qe *e)
{
	const struct keep *keep = &e->keep;
	uint64_t owed;

	if (!keep->store || keep->low || keep->lost)
		return QE_ALL_GO_ON;
	owed = owed_now(keep);
	if (owed <= keep->large)
		return QE_ALL_GO_ON;
	return owed <= keep->segment_bytes / 2 ? QE_PUTS_WAIT : QE_CHANGES_WAIT;
}

bool
qe_waits_for_store(const struct qe *e)
{
	return e->keep.waits;
}

/* The record that must be written before there is another share. */
static uint64_t
earlier_share(const struct keep *keep)
{
	unsigned n = keep->low ? 1 : KEEP_SHARES;

	return keep->shares[(keep->n_shares - n) % KEEP_SHARES];
}

/* How many bytes to write again in this turn. */
static uint64_t
share_of(const struct keep *keep, const struct store_status *now)
{
	uint64_t share = keep->owed > SHARE_LEAST ? keep->owed : SHARE_LEAST;

	if (now->bytes <= bound_of(keep, now) || keep->waits)
		return 0;
	return share > keep->large || keep->low ? keep->large : share;
}

/* How many bytes can be written again before the segment is full. */
static uint64_t
left_of(const struct keep *keep, const struct store_status *now)
{
	uint64_t before =
		entries_len(&keep->record) + keep->changed_bytes + SEGMENT_OWN;

	if (!keep->low)
		return UINT64_MAX;
	return now->left > before ? now->left - before : 0;
}

/* Of those a turn has a share of work that is bounded, whatever there is to be cleaned. */
static uint64_t
work_of(const struct kept *k)
{
	const struct kept_item *item;

	if (k->kind == KEPT_SESSION)
		return ENTRY_WORK + ANSWER_WORK * (uint64_t)k->bytes;
	if (k->kind != KEPT_ITEM)
		return ENTRY_WORK + k->bytes;
	item = list_entry(k, struct kept_item, kept);
	if (item->body_at == BODY_AWAY || item->item->body_len >= LARGE_AGAIN)
		return ENTRY_WORK; /* its body does not pass here */
	return ENTRY_WORK + k->bytes;
}

static struct kept *
first_of_oldest(const struct keep *keep)
{
	struct list *at = list_first(list_of(keep, keep->first));

	return at ? list_entry(at, struct kept, in_segment) : NULL;
}

/* What comes next in the oldest segment. NULL: all of it is being written. */
static struct kept *
next_to_clean(const struct keep *keep)
{
	struct kept *k = first_of_oldest(keep);

	return k && (k->whole || k->moving) ? NULL : k;
}

/* All that is left of the oldest segment is on its way to the disk. */
static bool
is_moving(const struct keep *keep)
{
	const struct kept *k = first_of_oldest(keep);

	return k && k->moving;
}

/* With what else is in the record it may be too much for a segment of the usual size, and need one of its own. If there
 * is no room for that it waits: to append it nevertheless would be the end. */
static bool
has_room(struct qe *e, uint64_t bytes, uint64_t segment_bytes)
{
	struct keep *keep = &e->keep;
	const struct store_class *class = keep->store->class;
	uint64_t all =
		entries_len(&keep->record) + keep->changed_bytes + bytes + SEGMENT_OWN;

	if (all <= segment_bytes || !class->room)
		return true;
	if (e->now_ns < keep->room_ns)
		return false;
	if (class->room(keep->store, all))
		return true;
	keep->room_ns = e->now_ns + ROOM_NS;
	return false;
}

/* Writes again what is worth a share, at least one thing. */
static void
clean(struct qe *e, uint64_t share, uint64_t left, uint64_t segment_bytes)
{
	struct keep *keep = &e->keep;
	uint64_t work = 0, cleaned = 0;
	struct kept *k;

	while (cleaned < share && (k = next_to_clean(keep))) {
		uint64_t bytes = k->bytes;

		work += work_of(k);
		if (cleaned > 0 && (bytes > left || work > SHARE_WORK))
			break; /* in a record of its own */
		if (!has_room(e, bytes, segment_bytes)) {
			keep->owed = 0;
			break;
		}
		left = bytes < left ? left - bytes : segment_bytes;
		write_again(e, k);
		cleaned += bytes;
	}
	if (cleaned > 0)
		keep->shares[keep->n_shares++ % KEEP_SHARES] = keep->open;
	keep->again += cleaned;
	keep->owed = keep->owed > cleaned ? keep->owed - cleaned : 0;
}

void
keep_clean(struct qe *e)
{
	struct keep *keep = &e->keep;
	uint64_t first = keep->first;
	struct store_status now;

	if (!keep->store || keep->lost || keep->last == 0)
		return;
	ask_store(keep, &now);
	large_written(e, now.written);
	keep_trim(keep);
	if (keep->first != first)
		ask_bytes(keep, &now);
	keep->waits = now.written < earlier_share(keep) || is_moving(keep) ||
		      (now.leaving > 0 && !keep->low);
	count_owed(keep, &now);
	if (keep->owed > 0 && !first_of_oldest(keep))
		keep->said =
			true; /* what is said last of ids is in there, and nothing else */
	if (keep->first < now.last_segment)
		clean(e, share_of(keep, &now), left_of(keep, &now), now.segment_bytes);
}

bool
keep_check(const struct qe *e)
{
	const struct keep *keep = &e->keep;
	uint64_t live = 0;

	for (uint64_t i = keep->first; i <= keep->last; i++)
		list_each (at, list_of(keep, i)) {
			const struct kept *k = list_entry(at, struct kept, in_segment);

			live += k->bytes;
			if (k->kind == KEPT_ITEM &&
			    !bodies_check(list_entry(k, struct kept_item, kept)))
				return false;
		}
	return live == keep->live && table_check(&keep->named);
}

bool
keep_clean_left(const struct qe *e)
{
	const struct keep *keep = &e->keep;

	return keep->store && !keep->lost && keep->last != 0 && !keep->stuck &&
	       may_trim(keep) && needed_from(keep) > keep->first;
}
