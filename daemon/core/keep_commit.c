/* SPDX-License-Identifier: MIT
 *
 * qe_commit(): what has changed becomes a record of the store, and everything in it has its place there. See
 * keep.h and engine.h.
 */
#include "daemon/core/engine_int.h"
#include "daemon/core/keep.h"
#include "daemon/core/store.h"

/* So many ids, and numbers, are reserved at once; more when half of them are gone. */
#define IDS	  (UINT64_C(1) << 20)
#define IDS_SPARE (IDS / 4) /* more than one request takes */
#define NUMBERS	  (UINT64_C(1) << 16)

/* Whether enough ids and numbers are reserved, that nobody will be given after a restart. */
static bool
ids_left(const struct qe *e)
{
	return e->keep.ids >= e->last_id + IDS / 2 &&
	       e->keep.numbers >= e->last_serial + NUMBERS / 2;
}

static void
write_meta(struct qe *e)
{
	e->keep.ids = e->last_id + IDS;
	e->keep.numbers = e->last_serial + NUMBERS;
	keep_write_meta(e, &e->keep.record);
	if (e->keep.reserved)
		return; /* that one is on disk earlier */
	e->keep.reserved = e->keep.open;
	e->keep.sure_then = e->keep.ids - IDS_SPARE;
}

static void
look_reserved(struct keep *keep)
{
	struct store_status status;

	keep->store->class->status(keep->store, &status);
	if (status.synced < keep->reserved)
		return;
	keep->sure_ids = keep->sure_then;
	keep->reserved = 0;
}

/* It has been written; the next list that it is in, if any, is one of bodies. */
static void
note_place(struct qe *e, struct kept *k, const struct store_place *place)
{
	bool was_whole = k->whole;

	list_remove(&k->changed);
	k->due = k->whole = false;
	if (was_whole)
		keep_place(e, k, place->segment, k->writing);
	if (k->kind != KEPT_ITEM)
		return;
	if (was_whole)
		bodies_placed(e, list_entry(k, struct kept_item, kept), place);
	else
		bodies_moved(e, list_entry(k, struct kept_item, kept));
}

/* What has been written stands in the lists until it is known where. */
static void
note_places(struct qe *e, const struct store_place *place)
{
	for (int kind = 0; kind < KEPT_KINDS; kind++) {
		struct list *at;

		while ((at = list_first(&e->keep.changed[kind])))
			note_place(e, list_entry(at, struct kept, changed), place);
	}
}

/* false: no memory, or no room. */
static bool
append(struct qe *e, struct store_place *ret_place)
{
	struct keep *keep = &e->keep;
	struct entries *r = &keep->record;
	const struct store_class *class = keep->store->class;
	const struct store_part *large = NULL;
	const struct iovec *parts = NULL;
	unsigned n;

	if (r->large)
		large = entries_large_parts(r, &n);
	else
		parts = entries_parts(r, &n);
	if (r->failed || !(large || parts))
		return false;
	return (large ? class->append_large(keep->store, large, n, keep->sync,
					    ret_place)
		      : class->append(keep->store, parts, n, keep->sync, ret_place)) &&
	       keep_segment(e, ret_place->segment);
}

bool
qe_should_commit(const struct qe *e)
{
	return entries_len(&e->keep.record) + e->keep.changed_bytes > e->keep.large ||
	       e->keep.changed_n > KEEP_MANY;
}

const char *
qe_store_lost(const struct qe *e)
{
	return e->keep.lost;
}

void
qe_commit(struct qe *e)
{
	struct keep *keep = &e->keep;
	struct entries *r = &keep->record;
	struct store_place place;
	bool has_meta;

	if (!keep->store || keep->lost)
		return;
	if (keep->reserved)
		look_reserved(keep);
	if (!keep->said && entries_len(r) == 0 && ids_left(e))
		return;
	/* In each segment once, and if there would be nothing else: all of it has gone again, and somebody
	 * waits. */
	has_meta = !ids_left(e) || keep->meta != keep->last;
	if (has_meta)
		write_meta(e);
	keep_write_begun(e);
	keep_write_changed(e);
	if (entries_len(r) == 0)
		write_meta(e);
	if (!append(e, &place)) {
		keep->lost = "there is no memory, or no room, for what must be written";
		return;
	}
	if (has_meta)
		keep->meta = place.segment;
	large_appended(e, &place);
	note_places(e, &place);
	keep->store->class->flush(keep->store);
	keep->bytes += entries_len(r);
	keep->open = place.seq + 1;
	keep->sync = keep->said = false;
	keep->changed_bytes = keep->changed_n = 0;
	entries_empty(r);
	keep_trim(keep);
}
