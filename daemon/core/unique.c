/* SPDX-License-Identifier: MIT
 *
 * See unique.h and, for the functions of the interface, engine.h.
 */
#include "daemon/core/unique.h"

#include "daemon/core/engine_int.h"
#include "daemon/core/group.h"
#include "daemon/core/queue.h"

#include <string.h>

/* --- making, finding, freeing ------------------------------------------------------ */

static bool
match_unique(const void *value, const void *key)
{
	const struct unique *u = value;

	return named_is(key, u->queue, u->name, u->name_len);
}

static size_t
alloc_size(size_t name_len)
{
	return sizeof(struct unique) + name_len;
}

size_t
unique_size(const struct unique *u)
{
	return alloc_size(u->name_len);
}

uint64_t
unique_cost(const struct unique *u)
{
	return mem_cost(unique_size(u)) + 4 * sizeof(struct table_slot);
}

static struct unique *
unique_new(struct qe *e, struct queue *q, struct qe_name name, uint64_t hash)
{
	struct unique *u;

	if (!table_reserve(&e->keys, 1))
		return NULL;
	u = mem_alloc(&e->mem, alloc_size(name.len));
	if (!u)
		return NULL;
	*u = (struct unique){
		.queue = q, .hash = hash, .ends_ns = QE_NEVER, .name_len = name.len};
	memcpy(u->name, name.p, name.len);
	kept_init(&u->kept, KEPT_WINDOW);
	list_init(&u->in_queue);
	list_append(&q->keys, &u->in_queue);
	table_insert(&e->keys, hash, u);
	e->keys_cost += unique_cost(u);
	return u;
}

static struct unique *
unique_need(struct qe *e, struct queue *q, struct qe_name name)
{
	struct named key = {q, name};
	uint64_t hash = named_hash(e, &key);
	struct unique *u = table_find(&e->keys, hash, match_unique, &key);

	return u ? u : unique_new(e, q, name, hash);
}

static void
unique_unref(struct qe *e, struct unique *u)
{
	assert(u->refs > 0);
	if (--u->refs > 0)
		return;
	assert(!u->holder && !u->open);
	table_remove(&e->keys, u->hash, u);
	list_remove(&u->in_queue);
	e->keys_cost -= unique_cost(u);
	mem_free(&e->mem, u, unique_size(u));
}

enum qe_result
unique_set(struct qe *e, struct qe_item *item, struct queue *q, const struct qe_key *key)
{
	struct extra *x = extra_need(e, item);
	struct unique *u;

	if (!x)
		return QE_NOMEM;
	assert(item->state == ITEM_NEW && !x->key);
	u = unique_need(e, q, key->name);
	if (!u)
		return QE_NOMEM;
	u->refs++;
	x->key = u;
	x->window_ns = key->window_ns;
	x->scope = (uint8_t)key->scope;
	x->on_duplicate = (uint8_t)key->on_duplicate;
	return QE_OK;
}

enum qe_result
qe_item_set_key(struct qe *e, uint64_t now_ns, struct qe_item *item,
		struct qe_name queue, const struct qe_key *key)
{
	struct queue *q;
	enum qe_result result;

	e->now_ns = now_ns;
	if (!queue_name_valid(key->name))
		return QE_INVALID;
	result = queue_need(e, queue, &q, NULL);
	return result == QE_OK ? unique_set(e, item, q, key) : result;
}

bool
qe_item_key(const struct qe_item *item, struct qe_key *ret_key)
{
	const struct extra *x = item->extra;
	const struct unique *u = x ? x->key : NULL;

	if (!u || (u->holder != item && !(u->open && u->id == item->id)))
		return false;
	*ret_key = (struct qe_key){
		.name = {u->name, u->name_len},
		.scope = (enum qe_scope)x->scope,
		.window_ns = x->window_ns,
		.on_duplicate = (enum qe_on_duplicate)x->on_duplicate,
	};
	return true;
}

/* --- who has it -------------------------------------------------------------------- */

/* The item that holds the key and has not been discarded, or NULL. */
static struct qe_item *
live_holder(const struct unique *u)
{
	return u->holder && !item_discarded(u->holder) ? u->holder : NULL;
}

uint64_t
unique_taken(const struct qe *e, const struct qe_item *item)
{
	const struct unique *u = item->extra->key;
	const struct qe_item *holder = live_holder(u);

	if (holder)
		return holder->id;
	return u->open && u->ends_ns > e->now_ns ? u->id : 0;
}

struct qe_item *
unique_waits(const struct qe_item *item)
{
	struct qe_item *holder = live_holder(item->extra->key);

	return holder && holder->state != ITEM_LEASED ? holder : NULL;
}

static bool
in_scope(const struct qe_item *item)
{
	switch ((enum qe_scope)item->extra->scope) {
	case QE_QUEUED: return item->state == ITEM_READY || item->state == ITEM_DELAYED;
	case QE_UNFINISHED:
		return item->state == ITEM_READY || item->state == ITEM_DELAYED ||
		       item->state == ITEM_LEASED;
	case QE_WINDOW: break;
	}
	return false;
}

void
unique_moved(struct qe *e, struct qe_item *item)
{
	struct unique *u = item->extra->key;
	bool holds = in_scope(item);

	if (holds && !live_holder(u))
		u->holder = item;
	else if (!holds && u->holder == item)
		u->holder = NULL;
	/* If another one has it, this one came back too late, and has no key any more. */
	if (item->state == ITEM_GONE || (holds && u->holder != item))
		unique_unset(e, item);
}

void
unique_unset(struct qe *e, struct qe_item *item)
{
	struct unique *u = item->extra->key;

	if (u->holder == item)
		u->holder = NULL;
	item->extra->key = NULL;
	unique_unref(e, u);
}

void
unique_replace(struct qe_item *old, struct qe_item *item)
{
	assert(item->extra->key->holder == old);
	item->extra->key->holder = item;
}

/* --- windows ----------------------------------------------------------------------- */

bool
unique_before(const struct heap_node *a, const struct heap_node *b)
{
	const struct unique *x = list_entry(a, const struct unique, timer);
	const struct unique *y = list_entry(b, const struct unique, timer);

	return x->ends_ns != y->ends_ns ? x->ends_ns < y->ends_ns : x->id < y->id;
}

void
unique_close(struct qe *e, struct unique *u)
{
	assert(u->open);
	heap_remove(&e->windows, &u->timer);
	kept_leave(e, &u->kept);
	u->open = false;
	unique_unref(e, u);
}

void
unique_accepted(struct qe *e, const struct qe_item *item)
{
	struct unique *u = item->extra->key;
	uint64_t window_ns = item->extra->window_ns;

	if (window_ns == 0)
		return;
	u->refs++;
	if (u->open) /* over, and unique_run() has not come by yet */
		unique_close(e, u);
	u->id = item->id;
	u->ends_ns =
		window_ns < QE_NEVER - e->now_ns ? e->now_ns + window_ns : QE_NEVER;
	u->open = true;
	heap_insert(&e->windows, &u->timer);
	if (u->queue->durable)
		keep_window(e, u);
}

enum qe_result
unique_restore(struct qe *e, struct queue *q, struct qe_name name, uint64_t id,
	       uint64_t ends_ns, struct unique **ret_unique)
{
	struct unique *u = unique_need(e, q, name);

	if (!u)
		return QE_NOMEM;
	u->refs++;
	if (u->open)
		unique_close(e, u);
	u->id = id;
	u->ends_ns = ends_ns;
	u->open = true;
	heap_insert(&e->windows, &u->timer);
	*ret_unique = u;
	return QE_OK;
}

uint64_t
unique_next(const struct qe *e)
{
	const struct heap_node *first = e->windows.first;

	return first ? list_entry(first, const struct unique, timer)->ends_ns
		     : QE_NEVER;
}

bool
unique_run(struct qe *e)
{
	if (unique_next(e) > e->now_ns || !e->windows.first)
		return false;
	unique_close(e, list_entry(e->windows.first, struct unique, timer));
	return true;
}
