/* SPDX-License-Identifier: MIT
 * An item that was received: metadata and body in one allocation, which small items that came
 * together share; or the body mapped. */
#ifndef QBROKER_CLIENT_ITEM_H
#define QBROKER_CLIENT_ITEM_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/public.h"
#include "proto/message.h"

#define SHELF_BYTES ((size_t)16 << 10) /* as much as one item may keep */
#define SHELF_ITEM  ((size_t)4 << 10)  /* larger ones have memory of their own */

/* Memory of several items, which is freed with the last of them: one allocation for each item was a third of
 * all that a consumer does for a small one. Any thread may free an item. */
struct shelf {
	atomic_uint items;
	alignas(max_align_t) unsigned char bytes[];
};

/* Where the next item goes, while items that come together are made. */
struct shelf_room {
	struct shelf *shelf; /* NULL: none was begun */
	size_t used, size;   /* of its bytes */
	size_t to_come;	     /* that all the items to come take, about */
};

struct qb_item {
	uint64_t id;
	uint64_t delivery;
	uint32_t crashes, nacks, timeouts;
	int32_t priority;
	uint8_t ctype;
	int64_t lease_ms; /* as its get said; QB_FOREVER: without an end */
	bool leased;	  /* to the session below */
	uint8_t session[QP_SESSION_BYTES];
	size_t size;
	struct shelf *shelf; /* NULL: its memory is its own */
	int64_t age_ms, dead_ms, delay_ms, ttl_ms; /* shown: as the broker says; else -1 */
	void *mapped; /* the body, of a descriptor: `body` is empty then; NULL: none */
	size_t mapped_size;
	/* Behind the body; NULL: none. */
	const char *group, *reason, *error, *worker;
	alignas(max_align_t) unsigned char body
		[]; /* size bytes and a 0, then these strings */
};

/* An item with room for the body that `item` describes. `said`: of an item that is shown, what
 * the reply says of it; else NULL. NULL: no memory. */
qb_item *item_new(const struct qp_item *item, const struct qp_options *said);

/* The same for one of `n` items that come together, with so many bytes in their bodies. */
struct shelf_room shelf_room(uint32_t n, size_t bodies);
qb_item *item_new_among(const struct qp_item *item, struct shelf_room *room);

/* The same with the body in a file, which was verified; it is mapped for reading, with a 0 byte behind
 * it. */
qb_item *item_map(const struct qp_item *item, const struct qp_options *said, int fd,
		  size_t len);

#endif
