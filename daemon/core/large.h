/* SPDX-License-Identifier: MIT
 *
 * Bodies that do not pass through the loop on their way into the store (store.append_large()). One that is in memory and
 * large is lent: the item stays until it is written. One that is in the store alone, and is carried
 * forward, is moved by the store; until that is written the item's place is the old one, so that its
 * body can be read all the time, and the old segment stays.
 */
#ifndef QBROKER_CORE_LARGE_H
#define QBROKER_CORE_LARGE_H

#include "daemon/core/engine.h"

struct kept_item;
struct store_place;

/* From so many bytes on a body is lent: of a new item, and of one that is carried forward. */
#define LARGE_LENT  65536
#define LARGE_AGAIN 2048

/* Of the engine: in the order of their records; those of the open one have the number 0. */
struct large {
	struct large_lent {
		struct qe_item *item; /* a reference */
		uint64_t seq;
	} * lent;
	size_t n_lent, lent_room;
	struct large_move {
		uint64_t id; /* of an item with kept.moving, unless that has ended */
		uint64_t seq;
		uint64_t segment, offset; /* where its body will be */
		uint32_t bytes;		  /* of its full entry */
	} * moves;
	size_t n_moves, moves_room;
};

/* The item's body may stand in the open record without being copied. false: no memory. */
bool large_lend(struct qe *e, struct qe_item *item);

/* The full entry of an item without its body, which takes so many bytes and ends with that at `end`, is in the
 * open record. false: no memory. */
bool large_move(struct qe *e, struct kept_item *k, size_t bytes,
		size_t end) QE_MUST_USE;

/* The open record has this place; records up to this one are written. */
void large_appended(struct qe *e, const struct store_place *place);
void large_written(struct qe *e, uint64_t written);

/* Before the engine ends: nothing is lent any more. */
void large_done(struct qe *e);

#endif
