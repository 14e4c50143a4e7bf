/* SPDX-License-Identifier: MIT
 *
 * Work that is done in small shares: giving back the leases of sessions that have
 * ended, freeing what was deleted or purged, all of which has been counted before, and
 * telling queues of a new configuration.
 */
#ifndef QBROKER_CORE_SWEEP_H
#define QBROKER_CORE_SWEEP_H

#include "daemon/core/engine.h"

/* Does one share. */
void sweep(struct qe *e);

/* Whether there is more to do. */
bool sweep_left(const struct qe *e);

#endif
