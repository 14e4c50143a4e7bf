/* SPDX-License-Identifier: MIT
 *
 * After a change: who that waits can go on now? Every verb ends with settle(), and
 * between the calls of the engine nobody waits who could be served.
 */
#ifndef QBROKER_CORE_SETTLE_H
#define QBROKER_CORE_SETTLE_H

#include "daemon/core/engine.h"

struct queue;

/* The next settle() looks at the queue. */
void settle_later(struct qe *e, struct queue *q);

/* Serves those who can be served: of the queues that were touched, then of those that
 * wait for memory. */
void settle(struct qe *e);

/* settle_later() and settle(). */
void settle_queue(struct qe *e, struct queue *q);

/* Whether the memory limit has room for the first putter of the queue, or, if none
 * waits, for a new one. */
bool settle_memory(const struct qe *e, const struct queue *q, uint64_t cost);

#endif
