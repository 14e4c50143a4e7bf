/* SPDX-License-Identifier: MIT
 *
 * See sweep.h.
 */
#include "daemon/core/sweep.h"

#include "daemon/core/dump.h"
#include "daemon/core/engine_int.h"
#include "daemon/core/fail.h"
#include "daemon/core/group.h"
#include "daemon/core/policy.h"
#include "daemon/core/queue.h"
#include "daemon/core/session.h"
#include "daemon/core/settle.h"
#include "daemon/core/unique.h"

/* A step takes up to so long, when nothing of the item is in a cache, and giving back a page takes
 * the system no more than that. Of bodies above MOST_BYTES that is done elsewhere. */
#define STEP_NS	   400
#define MOST_BYTES 262144

static long
forget(struct qe *e, struct qe_item *item)
{
	uint32_t bytes = item->body_len < MOST_BYTES ? item->body_len : MOST_BYTES;
	long steps = 1 + (long)(bytes / MEM_STEP);

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

/* One step towards the end of a queue whose items have all gone. */
static void
end_queue(struct qe *e, struct queue *q)
{
	struct list *group = list_first(&q->groups), *key = list_first(&q->keys);

	if (group)
		group_orphan(e, list_entry(group, struct group, in_queue));
	else if (key)
		unique_close(e, list_entry(key, struct unique, in_queue));
	else
		queue_free(e, q);
}

/* Forgets what was leased from queues that were deleted. */
static long
sweep_queues(struct qe *e, long steps)
{
	struct list *at;

	for (; steps > 0 && (at = list_first(&e->deleted)); steps--) {
		struct queue *q = list_entry(at, struct queue, ending);
		struct list *first = list_first(&q->holdings);

		if (!first) {
			list_remove(&q->ending);
			list_append(&e->emptied, &q->ending);
			continue;
		}

		struct holding *h = list_entry(first, struct holding, in_queue);
		struct list *lease = list_first(&h->leases);

		if (lease)
			steps -= forget(e, list_entry(lease, struct qe_item, node));
		else
			holding_free(e, h);
	}
	return steps;
}

static void
sweep_emptied(struct qe *e, long steps)
{
	struct list *at;

	for (; steps > 0 && (at = list_first(&e->emptied)); steps--)
		end_queue(e, list_entry(at, struct queue, ending));
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
	/* To unpick takes a step an item as well, counted with it: how many go in one share does not depend on where
	 * they lie, or no run of the simulation could be had again. */
	while (steps > 0 && e->trash_tree) {
		struct heap_node *node = heap_unpick(&e->trash_tree);

		if (node)
			steps -= 1 + forget(e, list_entry(node, struct qe_item, heap));
	}
	return steps;
}

void
sweep(struct qe *e)
{
	uint64_t keys = e->keys_cost;
	long steps = 1 + (long)(e->share_ns / STEP_NS);

	if (e->keep.restoring)
		return; /* what was read still points to queues that were deleted then */
	keep_clean(e);
	bodies_tick(e);
	if (e->policy_next != 0)
		steps = policy_sweep(e, steps);
	steps = sweep_sessions(e, steps);
	steps = sweep_queues(e, steps);
	steps = sweep_groups(e, steps);
	steps = sweep_trash(e, steps);
	steps = dump_sweep(e, steps);
	steps = mem_give_back(&e->mem, steps);
	sweep_emptied(e, steps); /* last: the trash still points to its queues */
	if (e->keys_cost < keys) /* there is more memory for those who wait for it */
		settle(e);
}

bool
sweep_left(const struct qe *e)
{
	return keep_clean_left(e) || bodies_left(e) || e->policy_next != 0 || !list_empty(&e->ended) ||
	       !list_empty(&e->deleted) || !list_empty(&e->emptied) ||
	       !list_empty(&e->purged) || !list_empty(&e->trash) || e->trash_tree ||
	       e->cursor_trash || e->mem.first_trash;
}
