/* SPDX-License-Identifier: MIT
 *
 * qe_dump(): all items of a queue in one state, in shares between which the queue may change. In trees it is
 * known by a key what comes next, so it does not matter what has gone. In lists it is an item, with a reference; if that has
 * gone, the list is gone through from its beginning again, up to where it was.
 *
 * Ready items stand in many sets, each in its order: a cursor goes through each of them, and the cursors
 * are sorted by the keys of what they come to next.
 */
#include "daemon/core/bodies.h"
#include "daemon/core/dead.h"
#include "daemon/core/engine_int.h"
#include "daemon/core/extra.h"
#include "daemon/core/group.h"
#include "daemon/core/queue.h"
#include "daemon/core/session.h"

#define SHARE	    500 /* steps in one call: a few tenths of a millisecond */
#define FETCH_STEPS 20

/* A place in the order in which items are given out. */
struct key {
	int64_t priority; /* or what else comes before the place */
	uint64_t place;
};

struct cursor {
	struct heap_node node; /* in walk.cursors */
	struct key key;	       /* what it comes to next has this one at least */
	struct group *group;   /* a reference; NULL: queue.sorted */
};

enum stage { ENTER, GO, PLAIN };

struct qe_dump {
	uint64_t serial; /* of the queue */
	enum qe_state state;
	enum qe_order order;
	uint32_t purges, dead_purges;
	uint64_t until; /* ids above are too new */
	enum stage stage;
	unsigned steps;	     /* left in this call */
	bool interrupted;    /* there were none left */
	bool within;	     /* a holding, of which some have been given */
	struct key next;     /* all below has been given */
	struct heap cursors; /* ready */
	struct group *group; /* whose cursor is next to be made; a reference */
	struct qe_item *at;  /* in a list: it comes next; a reference */
};

/* Another number than a priority. */
#define HALF (UINT64_C(1) << 63)

static int64_t
to_rank(uint64_t number)
{
	return (int64_t)(number - HALF);
}

static uint64_t
from_rank(struct key key)
{
	return (uint64_t)key.priority + HALF;
}

static const struct key lowest = {INT64_MIN, 0};

static bool
key_before(struct key a, struct key b)
{
	return a.priority != b.priority ? a.priority < b.priority : a.place < b.place;
}

static struct key
key_after(struct key key)
{
	key.place++;
	return key;
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

/* --- its memory ---------------------------------------------------------------------- */

static void *
take_memory(struct qe *e, size_t size)
{
	void *p = mem_alloc(&e->mem, size);

	if (p)
		e->callers_cost += mem_cost(size);
	return p;
}

static void
give_memory(struct qe *e, void *p, size_t size)
{
	e->callers_cost -= mem_cost(size);
	mem_free(&e->mem, p, size);
}

static bool
add_cursor(struct qe *e, struct qe_dump *w, struct group *g)
{
	struct cursor *c = take_memory(e, sizeof(*c));

	if (!c)
		return false;
	*c = (struct cursor){.key = w->next, .group = g};
	if (g)
		g->refs++;
	heap_insert(&w->cursors, &c->node);
	return true;
}

static void
drop_cursor(struct qe *e, struct qe_dump *w, struct cursor *c)
{
	heap_remove(&w->cursors, &c->node);
	if (c->group)
		group_unref(e, c->group);
	give_memory(e, c, sizeof(*c));
}

static void
hold_item(struct qe *e, struct qe_item **held, struct qe_item *item)
{
	if (item)
		qe_item_ref(item);
	if (*held)
		qe_item_unref(e, *held);
	*held = item;
}

static void
hold_group(struct qe *e, struct qe_dump *w, struct group *g)
{
	if (g)
		g->refs++;
	if (w->group)
		group_unref(e, w->group);
	w->group = g;
}

void
qe_dump_end(struct qe *e, struct qe_dump *w)
{
	if (!w)
		return;
	while (w->cursors.first)
		drop_cursor(e, w, list_entry(w->cursors.first, struct cursor, node));
	hold_group(e, w, NULL);
	hold_item(e, &w->at, NULL);
	give_memory(e, w, sizeof(*w));
}

static struct qe_dump *
begin(struct qe *e, const struct queue *q, enum qe_state state)
{
	struct qe_dump *w = take_memory(e, sizeof(*w));

	if (!w)
		return NULL;
	*w = (struct qe_dump){
		.serial = q->serial,
		.state = state,
		.order = q->order,
		.purges = q->purges,
		.dead_purges = q->dead_purges,
		.until = e->last_id,
		.stage = state == QE_STATE_READY ? ENTER : GO,
		.next = lowest,
	};
	heap_init(&w->cursors, cursor_before);
	if (state == QE_STATE_READY && !add_cursor(e, w, NULL)) {
		qe_dump_end(e, w);
		return NULL;
	}
	return w;
}

static bool
step(struct qe_dump *w)
{
	w->interrupted |= w->steps == 0;
	return w->steps > 0 && w->steps-- > 0;
}

/* --- ready ones ---------------------------------------------------------------------- */

static struct key
key_of(const struct qe_dump *w, const struct qe_item *item)
{
	return (struct key){w->order == QE_PRIORITY ? item->priority : 0,
			    item_place(item)};
}

/* A cursor for each group. After a purge all begins again: that a group has two then does not matter, for nothing
 * is given that comes before `next`. */
static enum qe_result
enter_groups(struct qe *e, struct queue *q, struct qe_dump *w)
{
	struct list *at = w->group ? &w->group->in_queue : q->groups.next;

	while (at != &q->groups) {
		struct group *g = list_entry(at, struct group, in_queue);

		if (!step(w)) {
			hold_group(e, w, g);
			return QE_OK;
		}
		if (!add_cursor(e, w, g))
			return QE_NOMEM;
		at = at->next;
	}
	hold_group(e, w, NULL);
	w->stage = GO;
	return QE_OK;
}

/* The first of a set with this key at least, or NULL. Of the sets of a queue that gives the youngest first, from their
 * other end. */
static struct qe_item *
first_from(const struct qe_dump *w, const struct heap *set, struct key key)
{
	struct qe_item probe = {
		.priority =
			key.priority < INT32_MIN ? INT32_MIN : (int32_t)key.priority,
		.id = key.place,
	};
	struct heap_node *node = !set->first	       ? NULL
				 : w->order == QE_LIFO ? heap_until(set, &probe.heap)
						       : heap_from(set, &probe.heap);

	return node ? list_entry(node, struct qe_item, heap) : NULL;
}

/* To what the cursor comes next, if it is not beyond it already. */
static struct qe_item *
of_cursor(struct qe *e, struct queue *q, const struct qe_dump *w,
	  const struct cursor *c)
{
	struct key key = key_before(c->key, w->next) ? w->next : c->key;

	if (!c->group)
		return first_from(w, &q->sorted, key);
	if (c->group->queue != q)
		return NULL;
	group_update(e, c->group);
	return first_from(w, &c->group->ready, key);
}

static void
move_cursor(struct qe_dump *w, struct cursor *c, struct key key)
{
	heap_remove(&w->cursors, &c->node);
	c->key = key;
	heap_insert(&w->cursors, &c->node);
}

/* The first of all sets, whose cursor stays where it is. NULL: there is none, or it was interrupted. */
static struct qe_item *
first_of_sets(struct qe *e, struct queue *q, struct qe_dump *w)
{
	while (w->cursors.first && step(w)) {
		struct cursor *c = list_entry(w->cursors.first, struct cursor, node);
		struct qe_item *item = of_cursor(e, q, w, c);
		struct key key;

		if (!item) {
			drop_cursor(e, w, c);
			continue;
		}
		key = key_of(w, item);
		if (!key_before(c->key, key))
			return item;
		move_cursor(w, c, key);
	}
	return NULL;
}

/* The first of those that stand in a list, which is in order of ids. Likewise. */
static struct qe_item *
first_fresh(struct qe *e, struct queue *q, struct qe_dump *w)
{
	struct qe_item *item = w->at;
	struct list *at = q->fresh.next;

	if (item && item->state == ITEM_READY && !item->sorted && item->queue == q)
		at = &item->node;
	for (; at != &q->fresh; at = at->next) {
		item = list_entry(at, struct qe_item, node);
		if (item->id > w->until)
			break;
		hold_item(e, &w->at, item);
		if (!key_before(key_of(w, item), w->next))
			return item;
		if (!step(w))
			break;
	}
	return NULL;
}

static struct qe_item *
next_ready(struct qe *e, struct queue *q, struct qe_dump *w)
{
	struct qe_item *set, *fresh, *item;

	do {
		set = first_of_sets(e, q, w);
		fresh = w->interrupted ? NULL : first_fresh(e, q, w);
		if (w->interrupted)
			return NULL;
		item = set;
		if (!set || (fresh && key_before(key_of(w, fresh), key_of(w, set))))
			item = fresh;
		if (!item)
			return NULL;
		w->next = key_after(key_of(w, item));
		if (item == set)
			move_cursor(w,
				    list_entry(w->cursors.first, struct cursor, node),
				    w->next);
	} while (item->id > w->until);
	return item;
}

/* --- the others ---------------------------------------------------------------------- */

/* By when they are due. */
static struct qe_item *
next_delayed(struct queue *q, struct qe_dump *w)
{
	while (step(w)) {
		struct qe_item probe_item = {.id = w->next.place};
		struct extra probe = {.due_ns = from_rank(w->next),
				      .item = &probe_item};
		struct heap_node *at = heap_from(&q->due, &probe.node);
		struct extra *x;

		if (!at)
			return NULL;
		x = list_entry(at, struct extra, node);
		w->next = (struct key){to_rank(x->due_ns), x->item->id + 1};
		if (x->item->state == ITEM_DELAYED && x->item->id <= w->until &&
		    !item_discarded(x->item))
			return x->item;
	}
	return NULL;
}

/* Of the times at which leases were given only some bits are known. */
static bool
given_before(const struct qe_item *item, uint64_t than)
{
	uint64_t later = (item->given - than) & ((UINT64_C(1) << ITEM_GIVEN_BITS) - 1);

	return later >> (ITEM_GIVEN_BITS - 1) != 0;
}

/* The next lease. If that which came next has gone, those that were given when it was, or later: some of these
 * may have been given out already. */
static struct qe_item *
next_of_holding(struct qe *e, struct qe_dump *w, struct holding *h)
{
	struct qe_item *item = w->at;
	struct list *at = h->leases.next;

	if (item && item->state == ITEM_LEASED && item->holding == h)
		at = &item->node;
	for (; at != &h->leases; at = at->next) {
		item = list_entry(at, struct qe_item, node);
		hold_item(e, &w->at, item);
		if (!step(w))
			return NULL;
		if (item->id <= w->until &&
		    !(w->within && given_before(item, w->next.place)))
			return item;
	}
	return NULL;
}

static void
go_to_session(struct qe *e, struct qe_dump *w, uint64_t serial)
{
	w->next = (struct key){to_rank(serial), 0};
	w->within = false;
	hold_item(e, &w->at, NULL);
}

/* The item that is given out: what stands behind it comes next. */
static void
go_behind(struct qe *e, struct qe_dump *w, const struct holding *h,
	  const struct qe_item *item)
{
	const struct list *behind = item->node.next;

	if (behind == &h->leases) {
		go_to_session(e, w, from_rank(w->next) + 1);
		return;
	}
	w->next.place = item->given;
	w->within = true;
	hold_item(e, &w->at, list_entry(behind, struct qe_item, node));
}

/* Session by session. */
static struct qe_item *
next_leased(struct qe *e, struct queue *q, struct qe_dump *w)
{
	while (step(w)) {
		struct qe_session probe = {.serial = from_rank(w->next)};
		struct heap_node *found = heap_from(&e->serials, &probe.by_serial);
		struct qe_session *session;
		struct holding *h;
		struct qe_item *item;

		if (!found)
			return NULL;
		session = list_entry(found, struct qe_session, by_serial);
		if (session->serial != probe.serial)
			go_to_session(e, w, session->serial);
		h = holding_find(e, session, q);
		item = h ? next_of_holding(e, w, h) : NULL;
		if (item) {
			go_behind(e, w, h, item);
			return item;
		}
		if (!w->interrupted)
			go_to_session(e, w, session->serial + 1);
	}
	return NULL;
}

/* Those that died without memory for a record are in the list alone. */
static struct qe_item *
next_dead_plain(struct qe *e, struct queue *q, struct qe_dump *w)
{
	struct qe_item *item = w->at;
	struct list *at = q->dead.next;

	if (q->dead_plain == 0)
		return NULL;
	if (item && item->state == ITEM_DEAD && item->queue == q)
		at = item->node.next;
	for (; at != &q->dead && step(w); at = at->next) {
		item = list_entry(at, struct qe_item, node);
		hold_item(e, &w->at, item);
		if (!item->extra && item->id <= w->until)
			return item;
	}
	return NULL;
}

/* By their ids. */
static struct qe_item *
next_dead(struct qe *e, struct queue *q, struct qe_dump *w)
{
	struct qe_item probe_item = {.id = w->next.place};
	struct extra probe = {.item = &probe_item};
	struct heap_node *at =
		w->stage == GO ? heap_from(&q->dead_ids, &probe.node) : NULL;
	struct qe_item *item = at ? list_entry(at, struct extra, node)->item : NULL;

	if (item && item->id <= w->until) {
		w->next.place = item->id + 1;
		return item;
	}
	w->stage = PLAIN;
	return next_dead_plain(e, q, w);
}

/* --- the walk ------------------------------------------------------------------------ */

static struct qe_item *
next_item(struct qe *e, struct queue *q, struct qe_dump *w)
{
	switch (w->state) {
	case QE_STATE_READY: return next_ready(e, q, w);
	case QE_STATE_DELAYED: return next_delayed(q, w);
	case QE_STATE_LEASED: return next_leased(e, q, w);
	case QE_STATE_DEAD: return next_dead(e, q, w);
	}
	return NULL;
}

/* What is in the store alone is read back, which takes as long as many steps. Then another item is in its place. */
static enum qe_result
fetch(struct qe *e, struct qe_dump *w, struct qe_item **item)
{
	struct qe_item *was = *item;
	enum qe_result result = bodies_fetch(e, item);

	if (*item == was)
		return result;
	if (w->at == was)
		hold_item(e, &w->at, *item);
	w->steps -= w->steps < FETCH_STEPS ? w->steps : FETCH_STEPS;
	return result;
}

/* *ret_more: it is not at its end. */
static enum qe_result
give(struct qe *e, struct queue *q, struct qe_dump *w, struct qe_shown *rows,
     unsigned max, uint64_t max_bytes, unsigned *n, bool *ret_more)
{
	uint64_t bytes = 0;

	while (*n < max && bytes < max_bytes) {
		struct qe_item *item = next_item(e, q, w);
		enum qe_result result = item ? fetch(e, w, &item) : QE_OK;

		*ret_more = item || w->interrupted;
		if (!item || result != QE_OK)
			return result;
		bytes += item->body_len;
		qe_item_ref(item);
		rows[(*n)++] = item_shown(e, item);
	}
	return QE_OK;
}

/* Behind a purge nothing is left but what came since; a list would lead to what was purged. */
static void
look_at_purges(struct qe *e, const struct queue *q, struct qe_dump *w)
{
	bool dead = w->state == QE_STATE_DEAD, leased = w->state == QE_STATE_LEASED;

	if (leased ||
	    (dead ? w->dead_purges == q->dead_purges : w->purges == q->purges))
		return;
	w->purges = q->purges;
	w->dead_purges = q->dead_purges;
	hold_group(e, w, NULL);
	hold_item(e, &w->at, NULL);
}

enum qe_result
qe_dump(struct qe *e, uint64_t now_ns, struct qe_name queue, enum qe_state state,
	struct qe_dump **walk_at, struct qe_shown *rows, unsigned max,
	uint64_t max_bytes, unsigned *ret_n)
{
	struct queue *q = queue_ask(e, queue);
	struct qe_dump *w = *walk_at;
	enum qe_result result = QE_OK;
	bool more = true;

	e->now_ns = now_ns;
	*ret_n = 0;
	if (!q || (w && (q->serial != w->serial || q->order != w->order)))
		return queue_name_valid(queue) ? QE_NOT_FOUND : QE_INVALID;
	if (!w && !(w = *walk_at = begin(e, q, state)))
		return QE_NOMEM;
	w->steps = SHARE;
	w->interrupted = false;
	look_at_purges(e, q, w);
	if (w->stage == ENTER)
		result = enter_groups(e, q, w);
	if (result == QE_OK && w->stage != ENTER)
		result = give(e, q, w, rows, max, max_bytes, ret_n, &more);
	if (!more) {
		qe_dump_end(e, w);
		*walk_at = NULL;
	}
	return more && *ret_n == 0 && result == QE_OK ? QE_WAIT : result;
}
