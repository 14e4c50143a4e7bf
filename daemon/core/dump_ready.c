/* SPDX-License-Identifier: MIT
 *
 * Of a dump, what is ready. See dump.h.
 */
#include "daemon/core/dump.h"

#include "daemon/core/engine_int.h"
#include "daemon/core/group.h"
#include "daemon/core/queue.h"

/* --- cursors ------------------------------------------------------------------------- */

struct cursor {
	struct heap_node node; /* in qe_dump.cursors, or qe.cursor_trash */
	struct dump_key key;   /* what it comes to next has this one at least */
	struct group *group;   /* a reference; NULL: queue.sorted */
};

static bool
key_before(struct dump_key a, struct dump_key b)
{
	return a.priority != b.priority ? a.priority < b.priority : a.place < b.place;
}

static struct dump_key
key_after(struct dump_key key)
{
	key.place++;
	return key;
}

static struct cursor *
cursor_at(struct heap_node *node)
{
	return list_entry(node, struct cursor, node);
}

static bool
cursor_before(const struct heap_node *a, const struct heap_node *b)
{
	const struct cursor *x = list_entry(a, const struct cursor, node);
	const struct cursor *y = list_entry(b, const struct cursor, node);

	if (key_before(x->key, y->key) || key_before(y->key, x->key))
		return key_before(x->key, y->key);
	return x < y;
}

static bool
add_cursor(struct qe *e, struct qe_dump *d, struct group *g)
{
	struct cursor *c = dump_take(e, sizeof(*c));

	if (!c)
		return false;
	*c = (struct cursor){.key = d->next, .group = g};
	if (g)
		g->refs++;
	heap_insert(&d->cursors, &c->node);
	return true;
}

static void
free_cursor(struct qe *e, struct cursor *c)
{
	if (c->group)
		group_unref(e, c->group);
	dump_give(e, c, sizeof(*c));
}

bool
dump_ready_begin(struct qe *e, struct qe_dump *d)
{
	heap_init(&d->cursors, cursor_before);
	return add_cursor(e, d, NULL);
}

void
dump_ready_end(struct qe *e, struct qe_dump *d)
{
	heap_discard(&d->cursors, &e->cursor_trash);
}

long
dump_sweep(struct qe *e, long steps)
{
	for (; steps > 0 && e->cursor_trash; steps--) {
		struct heap_node *node = heap_unpick(&e->cursor_trash);

		if (node)
			free_cursor(e, cursor_at(node));
	}
	return steps;
}

/* --- the walk ------------------------------------------------------------------------ */

static struct dump_key
key_of(const struct qe_dump *d, const struct qe_item *item)
{
	return (struct dump_key){d->order == QE_PRIORITY ? item->priority : 0,
				 item_place(item)};
}

/* A cursor for each group. After a purge all begins again: that a group has two then does not matter, for nothing
 * is given that comes before `next`. */
enum qe_result
dump_ready_enter(struct qe *e, struct queue *q, struct qe_dump *d)
{
	struct list *at = d->group ? &d->group->in_queue : q->groups.next;

	while (at != &q->groups) {
		struct group *g = list_entry(at, struct group, in_queue);

		if (!dump_step(d)) {
			dump_hold_group(e, d, g);
			return QE_OK;
		}
		if (!add_cursor(e, d, g))
			return QE_NOMEM;
		at = at->next;
	}
	dump_hold_group(e, d, NULL);
	d->stage = DUMP_GO;
	return QE_OK;
}

/* The first of a set with this key at least, or NULL. Of the sets of a queue that gives the youngest first, from their
 * other end. */
static struct qe_item *
first_from(const struct qe_dump *d, const struct heap *set, struct dump_key key)
{
	struct qe_item probe = {
		.priority =
			key.priority < INT32_MIN ? INT32_MIN : (int32_t)key.priority,
		.id = key.place,
	};
	struct heap_node *node = !set->first	       ? NULL
				 : d->order == QE_LIFO ? heap_until(set, &probe.heap)
						       : heap_from(set, &probe.heap);

	return node ? list_entry(node, struct qe_item, heap) : NULL;
}

/* To what the cursor comes next, if it is not beyond it already. */
static struct qe_item *
of_cursor(struct qe *e, struct queue *q, const struct qe_dump *d,
	  const struct cursor *c)
{
	struct dump_key key = key_before(c->key, d->next) ? d->next : c->key;

	if (!c->group)
		return first_from(d, &q->sorted, key);
	if (c->group->queue != q)
		return NULL;
	group_update(e, c->group);
	return first_from(d, &c->group->ready, key);
}

static void
move_cursor(struct qe_dump *d, struct cursor *c, struct dump_key key)
{
	heap_remove(&d->cursors, &c->node);
	c->key = key;
	heap_insert(&d->cursors, &c->node);
}

/* The first of all sets, whose cursor stays where it is. NULL: there is none, or it was interrupted. */
static struct qe_item *
first_of_sets(struct qe *e, struct queue *q, struct qe_dump *d)
{
	while (d->cursors.first && dump_step(d)) {
		struct cursor *c = cursor_at(d->cursors.first);
		struct qe_item *item = of_cursor(e, q, d, c);
		struct dump_key key;

		if (!item) {
			heap_remove(&d->cursors, &c->node);
			free_cursor(e, c);
			continue;
		}
		key = key_of(d, item);
		if (!key_before(c->key, key))
			return item;
		move_cursor(d, c, key);
	}
	return NULL;
}

/* The first of those that stand in a list, which is in order of ids. Likewise. */
static struct qe_item *
first_fresh(struct qe *e, struct queue *q, struct qe_dump *d)
{
	struct qe_item *item = d->at;
	struct list *at = q->fresh.next;

	if (item && item->state == ITEM_READY && !item->sorted && item_in(item) == q)
		at = &item->node;
	for (; at != &q->fresh; at = at->next) {
		item = list_entry(at, struct qe_item, node);
		if (item->id > d->until)
			break;
		dump_hold_item(e, d, item);
		if (!key_before(key_of(d, item), d->next))
			return item;
		if (!dump_step(d))
			break;
	}
	return NULL;
}

struct qe_item *
dump_ready_next(struct qe *e, struct queue *q, struct qe_dump *d)
{
	struct qe_item *set, *fresh, *item;

	do {
		set = first_of_sets(e, q, d);
		fresh = d->interrupted ? NULL : first_fresh(e, q, d);
		if (d->interrupted)
			return NULL;
		item = set;
		if (!set || (fresh && key_before(key_of(d, fresh), key_of(d, set))))
			item = fresh;
		if (!item)
			return NULL;
		d->next = key_after(key_of(d, item));
		if (item == set)
			move_cursor(d, cursor_at(d->cursors.first), d->next);
	} while (item->id > d->until);
	return item;
}
