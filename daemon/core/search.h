/* SPDX-License-Identifier: MIT
 *
 * Looks for the ready or delayed item that has an id. No index leads to it: that would take memory
 * of every item, for something that a hand does now and then. So all of the queue's sets are
 * looked through, in shares, and between two of these the queue may change.
 */
#ifndef QBROKER_CORE_SEARCH_H
#define QBROKER_CORE_SEARCH_H

#include "daemon/core/engine.h"

struct queue;

/* One more share. QE_OK, with the item; QE_NOT_FOUND; QE_WAIT: there is more to look at. */
enum qe_result search_go_on(struct qe *e, struct queue *q, uint64_t id,
			    struct qe_search *s, struct qe_item **ret_item) QE_MUST_USE;

#endif
