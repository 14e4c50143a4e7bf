/* SPDX-License-Identifier: MIT
 *
 * See dead.h and, for the functions of the interface, engine.h.
 */
#include "daemon/core/dead.h"

#include "daemon/core/engine_int.h"
#include "daemon/core/extra.h"
#include "daemon/core/group.h"
#include "daemon/core/queue.h"
#include "daemon/core/session.h"
#include "daemon/core/settle.h"
#include "daemon/core/watch.h"

#include <string.h>

void
qe_item_keep_expired(struct qe_item *item)
{
	item->keep_expired = true;
}

enum qe_death
qe_item_death(const struct qe_item *item)
{
	return (enum qe_death)item->death;
}

enum qe_death
dead_reason(const struct queue *q, const struct qe_item *item)
{
	uint64_t attempts = (uint64_t)item->crashes + item->nacks + item->timeouts;

	if (q->max_crashes > 0 && item->crashes >= q->max_crashes)
		return QE_DEATH_CRASHES;
	if (q->max_attempts > 0 && attempts >= q->max_attempts)
		return QE_DEATH_ATTEMPTS;
	return QE_ALIVE;
}

/* The queue that takes the dead of this one, made if need be. NULL: there is none, or it
 * takes nothing, or nobody needs the item any more. */
static struct queue *
heir(struct qe *e, const struct queue *q, const struct qe_item *item)
{
	struct qe_name name = {q->dead_to.p, q->dead_to.len};
	struct queue *to;

	if (name.len == 0 || group_cancelled(item) ||
	    queue_need(e, name, &to, NULL) != QE_OK || to == q ||
	    to->shutdown == QE_SHUTDOWN_IMMEDIATE ||
	    (to->durable &&
	     (!keep_room(e, 1, item->body_len) || keep_reserve(e, 1) != QE_OK)))
		return NULL;
	return to;
}

bool
dead_too_many(const struct queue *q)
{
	return q->max_dead > 0 && q->count[ITEM_DEAD] > q->max_dead;
}

static void
drop_first(struct qe *e, struct queue *q)
{
	item_drop(e, list_entry(list_first(&q->dead), struct qe_item, node));
}

void
dead_drop_first(struct qe *e, struct queue *q)
{
	drop_first(e, q);
	settle_later(e, q); /* there is memory for those who wait for it */
	settle(e);
}

static void
bury(struct qe *e, struct queue *q, struct qe_item *item)
{
	/* It dies also when there is no memory to say when and why. */
	struct extra *x = extra_need(e, item);

	if (x)
		x->died_ns = e->now_ns;
	item_move(e, item, ITEM_DEAD, CAUSE_NONE);
	watch_note_item(e, QE_EVENT_DEAD, item, qe_item_worker(item));
	/* If there are still more, max_dead was lowered: timing_run() drops those. */
	if (dead_too_many(q))
		drop_first(e, q);
}

void
item_die(struct qe *e, struct qe_item *item, enum qe_death why)
{
	struct queue *q = item_queue(item), *to = heir(e, q, item);
	struct body_place from;

	if (item->state == ITEM_LEASED) {
		struct qe_name worker = session_name(item_holding(item)->session);

		if (worker.len > 0)
			(void)!extra_report(e, item, &worker, NULL);
	}
	/* Without its body it cannot be given to a queue in memory. */
	if (to && !to->durable && bodies_fetch(e, &item) != QE_OK)
		to = NULL;
	item->death = why & 7;
	item_count(e, q, CAUSE_died);
	if (item_group(item))
		item_group(item)->died++;
	if (to) {
		from = bodies_leaves_queue(item);
		item_move(e, item, ITEM_GONE, CAUSE_moved_out);
		if (item->extra)
			item->extra->expires_ns = QE_NEVER;
		item_renew(e, item, to);
		bodies_passed(e, item, &from);
		settle_later(e, to);
	} else {
		bury(e, q, item);
	}
	settle_later(e, q);
}

void
item_expire(struct qe *e, struct qe_item *item)
{
	if (item->keep_expired) {
		item_die(e, item, QE_DEATH_EXPIRED);
		return;
	}
	item_move(e, item, ITEM_GONE, CAUSE_expired);
	qe_item_unref(e, item);
}
