/* SPDX-License-Identifier: MIT
 *
 * The end of items that nobody should be given any more: when they fail too often or have
 * expired. What becomes of them is up to their queue.
 */
#ifndef QBROKER_CORE_DEAD_H
#define QBROKER_CORE_DEAD_H

#include "daemon/core/engine.h"
#include "daemon/core/item.h"

struct queue;

/* Why one more delivery of the item makes no sense; QE_ALIVE: it may be given again. */
enum qe_death dead_reason(const struct queue *q, const struct qe_item *item);

/* The item, which waits or is leased, is dead from now on, or another queue's: the caller goes
 * on with settle(). */
void item_die(struct qe *e, struct qe_item *item, enum qe_death why);

/* The item's time is over: it is gone, or dies. As above. */
void item_expire(struct qe *e, struct qe_item *item);

/* The order of queue.dead_ids. */
bool dead_id_before(const struct heap_node *a, const struct heap_node *b);

/* The dead item of the queue with this id, or NULL. (dead_admin.c) */
struct qe_item *dead_find(const struct queue *q, uint64_t id);

/* Whether there are more than max_dead. */
bool dead_too_many(const struct queue *q);

/* The item that died first falls out. */
void dead_drop_first(struct qe *e, struct queue *q);

#endif
