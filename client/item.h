/* SPDX-License-Identifier: MIT
 * An item that was received: metadata and body in one allocation, or the body mapped. */
#ifndef QBROKER_CLIENT_ITEM_H
#define QBROKER_CLIENT_ITEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/public.h"
#include "proto/message.h"

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
	int64_t age_ms, dead_ms, delay_ms, ttl_ms; /* shown: as the broker says; else -1 */
	void *mapped; /* the body, of a descriptor: `body` is empty then; NULL: none */
	size_t mapped_size;
	/* Behind the body; NULL: none. */
	const char *group, *reason, *error, *worker;
	_Alignas(max_align_t) unsigned char body
		[]; /* size bytes and a 0, then these strings */
};

/* An item with room for the body that `item` describes. `said`: of an item that is shown, what
 * the reply says of it; else NULL. NULL: no memory. */
qb_item *item_new(const struct qp_item *item, const struct qp_options *said);

/* The same with the body in a file, which was verified; it is mapped for reading, with a 0 byte behind
 * it. */
qb_item *item_map(const struct qp_item *item, const struct qp_options *said, int fd,
		  size_t len);

#endif
