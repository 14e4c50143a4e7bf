/* SPDX-License-Identifier: MIT
 *
 * See sweep.h.
 */
#include "daemon/core/sweep.h"

#include "daemon/core/engine_int.h"
#include "daemon/core/group.h"
#include "daemon/core/queue.h"
#include "daemon/core/session.h"
#include "daemon/core/settle.h"

/* Steps of one share. One takes up to 400 ns, when nothing of the item is in a cache,
 * and freeing a large body takes the system no more than that for every page. */
#define SHARE	   500
#define STEP_BYTES 4096

static long
forget(struct qe *e, struct qe_item *item)
{
	long steps = 1 + (long)(item->body_len / STEP_BYTES);

	item_forget(e, item);
	return steps;
}

/* Gives back what sessions hold that have ended. Returns the steps that are left. */
static long
sweep_sessions(struct qe *e, long steps)
{
	struct list *at, *lease;

	for (; steps > 0 && (at = list_first(&e->ended)); steps--) {
		struct qe_session *session =
			list_entry(at, struct qe_session, in_engine);
		struct list *first = list_first(&session->holdings);

		if (!first) {
			session_free(e, session);
			continue;
		}

		struct holding *h = list_entry(first, struct holding, in_session);

		holding_pin(h);
		for (; steps > 0 && (lease = list_first(&h->leases)); steps--)
			lease_return(e, list_entry(lease, struct qe_item, node),
				     session->cause);
		holding_unpin(e, h);
		settle(e);
	}
	return steps;
}

/* Forgets what was leased from queues that were deleted. */
static void
sweep_queues(struct qe *e, long steps)
{
	struct list *at;

	for (; steps > 0 && (at = list_first(&e->deleted)); steps--) {
		struct queue *q = list_entry(at, struct queue, ending);
		struct list *first = list_first(&q->holdings);

		if (!first && list_empty(&q->groups)) {
			queue_free(e, q);
			continue;
		}
		if (!first) {
			group_orphan(e, list_entry(list_first(&q->groups), struct group,
						   in_queue));
			continue;
		}

		struct holding *h = list_entry(first, struct holding, in_queue);
		struct list *lease = list_first(&h->leases);

		if (lease)
			steps -= forget(e, list_entry(lease, struct qe_item, node));
		else
			holding_free(e, h);
	}
}

static long
sweep_groups(struct qe *e, long steps)
{
	struct list *at;

	for (; steps > 0 && (at = list_first(&e->purged)); steps--)
		group_update(e, list_entry(at, struct group, in_queue));
	return steps;
}

static long
sweep_trash(struct qe *e, long steps)
{
	struct list *at;

	while (steps > 0 && (at = list_first(&e->trash))) {
		list_remove(at);
		steps -= forget(e, list_entry(at, struct qe_item, node));
	}
	for (; steps > 0 && e->trash_tree; steps--) {
		struct heap_node *node = heap_unpick(&e->trash_tree);

		if (node)
			steps -= forget(e, list_entry(node, struct qe_item, heap));
	}
	return steps;
}

void
sweep(struct qe *e)
{
	long steps = SHARE;

	steps = sweep_sessions(e, steps);
	steps = sweep_groups(e, steps);
	steps = sweep_trash(e, steps);
	sweep_queues(e, steps); /* last: the trash still points to its queues */
}

bool
sweep_left(const struct qe *e)
{
	return !list_empty(&e->ended) || !list_empty(&e->deleted) ||
	       !list_empty(&e->purged) || !list_empty(&e->trash) || e->trash_tree;
}
