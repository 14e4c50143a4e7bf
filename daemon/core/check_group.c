/* SPDX-License-Identifier: MIT
 *
 * qe_check(), what concerns groups and keys.
 */
#include "daemon/core/check.h"

#include "daemon/core/group.h"
#include "daemon/core/queue.h"
#include "daemon/core/unique.h"
#include "daemon/core/waiter.h"

static void
add(struct sum *to, const struct sum *from)
{
	to->n += from->n;
	to->bytes += from->bytes;
	to->cost += from->cost;
	to->due += from->due;
}

static const char *
check_member(const struct group *g, const struct qe_item *item, enum item_state state,
	     struct sum *sum)
{
	PASS(check_item(g->queue, item, state, sum));
	HOLDS(item_group(item) == g, "an item stands in its own group");
	HOLDS(!group_cancelled(item), "what was cancelled does not wait");
	return NULL;
}

static const char *
check_ready(const struct group *g, const struct heap_node *node, struct sum *sum)
{
	if (!node)
		return NULL;
	PASS(check_ready(g, node->left, sum));
	PASS(check_member(g, list_entry(node, const struct qe_item, heap), ITEM_READY,
			  sum));
	return check_ready(g, node->right, sum);
}

static const char *
check_waiters(const struct group *g)
{
	list_each (at, &g->joins) {
		const struct waiter *w = list_entry(at, struct waiter, in_group);

		HOLDS(w->group == g && w->line == LINE_JOIN, "a join knows its group");
	}
	list_each (at, &g->puts) {
		const struct waiter *w = list_entry(at, struct waiter, in_group);

		HOLDS(w->group == g && w->line == LINE_PUT, "a put knows its group");
	}
	HOLDS(list_empty(&g->joins) == list_empty(&g->joined),
	      "a group that is joined is in the list for it");
	HOLDS(list_empty(&g->joins) || group_unfinished(g) > 0,
	      "no join of a group waits for nothing");
	return NULL;
}

static const char *
check_group(const struct group *g, struct sum *ready, struct sum *delayed)
{
	PASS(check_ready(g, g->ready.root, ready));
	PASS(check_ready(g, g->ready.young, ready));
	HOLDS(heap_check(&g->ready) == ready->n, "a group's items are in order");
	list_each (at, &g->delayed)
		PASS(check_member(g, list_entry(at, const struct qe_item, node),
				  ITEM_DELAYED, delayed));
	HOLDS(g->count[ITEM_READY] == ready->n && g->count[ITEM_DELAYED] == delayed->n,
	      "a group's items are counted");
	HOLDS(g->bytes == ready->bytes + delayed->bytes &&
		      g->delayed_bytes == delayed->bytes &&
		      g->cost == ready->cost + delayed->cost,
	      "a group's bodies are counted");
	HOLDS(g->refs >= ready->n + delayed->n + g->count[ITEM_LEASED] && g->refs > 0,
	      "a group is kept while it is needed");
	return check_waiters(g);
}

const char *
check_groups(struct census *c, const struct queue *q, struct sum *ready,
	     struct sum *delayed)
{
	uint64_t leading = 0;

	list_each (at, &q->groups) {
		const struct group *g = list_entry(at, struct group, in_queue);
		struct sum own_ready = {0}, own_delayed = {0};

		HOLDS(g->queue == q && g->purges == q->purges,
		      "a group of the queue is up to date");
		PASS(check_group(g, &own_ready, &own_delayed));
		leading += own_ready.n > 0;
		add(ready, &own_ready);
		add(delayed, &own_delayed);
		c->groups++;
		c->memory += mem_cost(group_size(g));
	}
	HOLDS(heap_check(&q->grouped) == leading, "groups are in order");
	return NULL;
}

const char *
check_keys(struct census *c, const struct queue *q)
{
	list_each (at, &q->keys) {
		const struct unique *u = list_entry(at, struct unique, in_queue);

		HOLDS(u->queue == q && u->refs > 0, "a key is kept while it is needed");
		HOLDS(!u->holder || (u->holder->extra && u->holder->extra->key == u),
		      "who holds a key has it");
		HOLDS(!u->open || u->id > 0, "a window is that of an item");
		c->keys++;
		c->windows += u->open;
		c->keys_cost += unique_cost(u);
		c->memory += mem_cost(unique_size(u));
	}
	return NULL;
}

/* What was dropped with its group is due until it is forgotten. */
static void
count_left(struct census *c, const struct qe_item *item)
{
	const struct extra *x = item->extra;

	c->timers_set +=
		x && x->due_ns != QE_NEVER && x->purges == item_in(item)->purges;
}

static void
count_trash(struct census *c, const struct heap_node *node)
{
	for (; node; node = node->right) {
		count_trash(c, node->left);
		count_left(c, list_entry(node, const struct qe_item, heap));
	}
}

const char *
check_left_groups(struct census *c)
{
	const struct qe *e = c->e;

	list_each (at, &e->purged) {
		const struct group *g = list_entry(at, struct group, in_queue);

		HOLDS(g->purges != g->queue->purges && list_empty(&g->joins),
		      "a group that was left behind is out of date");
		c->groups++;
		c->memory += mem_cost(group_size(g));
	}
	list_each (at, &e->orphans) {
		const struct group *g = list_entry(at, struct group, in_queue);

		HOLDS(!g->queue && g->refs > 0, "a group without a queue is in use");
		c->memory += mem_cost(group_size(g));
	}
	list_each (at, &e->trash)
		count_left(c, list_entry(at, const struct qe_item, node));
	count_trash(c, e->trash_tree);
	return NULL;
}
