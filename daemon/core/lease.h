/* SPDX-License-Identifier: MIT
 *
 * Leases that end by themselves, and touching, which puts the end off. A lease without an
 * end needs nothing of this. What it takes is in the item's record (extra.h), which
 * whoever gives the item has made sure of before.
 */
#ifndef QBROKER_CORE_LEASE_H
#define QBROKER_CORE_LEASE_H

#include "daemon/core/engine.h"

/* The session's lease with this tag, or NULL. */
struct qe_item *lease_find(struct qe *e, const struct qe_session *session,
			   struct qe_tag tag);

/* Has the lease that the item, which has a record, is in end after so long. */
void lease_limit(struct qe *e, struct qe_item *item, uint64_t lease_ns);

/* The time of a leased item has come: it goes back, or its holder is told. */
void lease_due(struct qe *e, struct qe_item *item);

#endif
