/* SPDX-License-Identifier: MIT
 *
 * How leases come back: which attempt failed and why, and what becomes of the item: it is
 * ready again, now or after a delay, dead, or gone.
 */
#ifndef QBROKER_CORE_FAIL_H
#define QBROKER_CORE_FAIL_H

#include "daemon/core/engine.h"
#include "daemon/core/item.h"

/* Gives a lease back: to its original place, after the delay that its queue wants if the
 * attempt failed; or it dies, or is dropped, or forgotten with its queue. `cause`: released,
 * crashed or timed_out. The caller goes on with settle(). */
void lease_return(struct qe *e, struct qe_item *item, enum item_cause cause);

#endif
