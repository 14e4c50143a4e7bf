/* SPDX-License-Identifier: MIT
 *
 * See queue.h.
 */
#include "daemon/core/queue.h"

#include "daemon/core/dead.h"
#include "daemon/core/engine_int.h"
#include "daemon/core/group.h"
#include "daemon/core/policy.h"
#include "daemon/core/timing.h"
#include "daemon/core/unique.h"

#include <string.h>

/* The length of the UTF-8 sequence that begins with `lead`, 0 if none does. */
static size_t
sequence_len(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead < 0xc2 || lead > 0xf4)
		return 0;
	return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/* Decodes the sequence of `len` bytes; false if it is not well formed. */
static bool
decode(const unsigned char *p, size_t len, uint32_t *ret_char)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t c = len == 1 ? p[0] : p[0] & (0x7fu >> len);

	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return false;
		c = c << 6 | (p[i] & 0x3f);
	}
	*ret_char = c;
	return c >= smallest[len] && c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff);
}

bool
queue_name_valid(struct qe_name name)
{
	if (name.len < 1 || name.len > QE_MAX_NAME)
		return false;
	for (size_t i = 0, len; i < name.len; i += len) {
		const unsigned char *p = (const unsigned char *)name.p + i;
		uint32_t c;

		len = sequence_len(*p);
		if (len == 0 || len > name.len - i || !decode(p, len, &c))
			return false;
		if (c < 0x20 || (c >= 0x7f && c <= 0x9f))
			return false;
	}
	return true;
}

static bool
match_name(const void *value, const void *key)
{
	const struct queue *q = value;
	const struct qe_name *name = key;

	return q->name_len == name->len && memcmp(q->name, name->p, name->len) == 0;
}

static struct queue *
find_hashed(const struct qe *e, struct qe_name name, uint64_t *ret_hash)
{
	*ret_hash = 0;
	if (name.len < 1 || name.len > QE_MAX_NAME)
		return NULL;
	*ret_hash = hash_bytes(&e->key, name.p, name.len);
	return table_find(&e->names, *ret_hash, match_name, &name);
}

static inline bool
is_recent(const struct qe *e, struct qe_name name)
{
	return e->recent && match_name(e->recent, &name);
}

struct queue *
queue_find(const struct qe *e, struct qe_name name)
{
	uint64_t hash;

	return is_recent(e, name) ? e->recent : find_hashed(e, name, &hash);
}

struct queue *
queue_ask(struct qe *e, struct qe_name name)
{
	struct queue *q = queue_find(e, name);

	if (!q)
		keep_asked_gone(e);
	else if (q->durable || ids_are_unsure(e))
		keep_asked(e, q);
	return q;
}

size_t
queue_alloc_size(const struct queue *q)
{
	return sizeof(struct queue) + (q->roomy ? QE_MAX_NAME : q->name_len);
}

/* Keys that are taken for a time stay so when the queue becomes durable, or ceases to be. */
static void
keep_windows(struct qe *e, const struct queue *q)
{
	list_each (at, &q->keys) {
		struct unique *u = list_entry(at, struct unique, in_queue);

		if (!q->durable)
			kept_leave(e, &u->kept);
		else if (u->open)
			keep_window(e, u);
	}
}

void
queue_configure(struct qe *e, struct queue *q, const struct qe_declare *options)
{
	enum qe_order order = q->order;
	enum qe_durable durable = q->durable;

#define QE_QUEUE_OPTION(name, ctype, kind, text) \
	if (options->has_##name)                 \
		q->name = options->name;
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
	if (q->order != order)
		heap_init(&q->sorted, item_order(q->order));
	if (!q->durable && durable)
		keep_deleted(e, q);
	else if (q->durable != durable || (q->durable && q->order != order))
		keep_queue(e, q);
	if (!q->durable != !durable)
		keep_windows(e, q);
	timing_dead_changed(e, q);
}

static void
init_sets(struct queue *q)
{
	list_init(&q->fresh);
	list_init(&q->delayed);
	list_init(&q->dead);
	heap_init(&q->dead_ids, dead_id_before);
	heap_init(&q->due, timing_before);
	heap_init(&q->ends, timing_before);
	heap_init(&q->grouped, group_before);
	list_init(&q->groups);
	list_init(&q->joined);
	list_init(&q->woken);
	list_init(&q->keys);
	for (int i = 0; i < LINES; i++)
		list_init(&q->line[i]);
	list_init(&q->holdings);
	list_init(&q->starving);
	list_init(&q->touched);
	list_init(&q->ending);
	bodies_init_queue(&q->bodies);
	kept_init(&q->kept, KEPT_QUEUE);
	heap_init(&q->sorted, item_order(q->order));
}

/* Without its name, for which there is room. */
static struct queue *
queue_new(struct qe *e, uint64_t serial, size_t name_room)
{
	struct queue *q = mem_zalloc(&e->mem, 1, sizeof(*q) + name_room);

	if (!q)
		return NULL;
	if (serial > e->last_serial)
		e->last_serial = serial;
	q->serial = serial;
	q->due_ns = QE_NEVER;
	init_sets(q);
	heap_insert(&e->queues, &q->by_serial);
	return q;
}

/* There is room in the table of names. */
static void
give_name(struct qe *e, struct queue *q, struct qe_name name, uint64_t hash)
{
	q->hash = hash;
	q->name_len = name.len;
	memcpy(q->name, name.p, name.len);
	table_insert(&e->names, hash, q);
	e->n_queues++;
}

/* Makes a queue with a name that none has. */
static enum qe_result
queue_add(struct qe *e, struct qe_name name, uint64_t hash, struct queue **ret_queue)
{
	struct qe_declare options;
	struct queue *q;

	if (!queue_name_valid(name))
		return QE_INVALID;
	if (e->config.max_queues > 0 && e->n_queues >= e->config.max_queues)
		return QE_LIMIT;
	if (!table_reserve(&e->names, 1))
		return QE_NOMEM;
	q = queue_new(e, e->last_serial + 1, name.len);
	if (!q)
		return QE_NOMEM;
	give_name(e, q, name, hash);
	policy_for(e, name, &options);
	queue_configure(e, q, &options);
	*ret_queue = q;
	return QE_OK;
}

enum qe_result
queue_restore(struct qe *e, uint64_t number, struct queue **ret_queue)
{
	struct queue *q = queue_new(e, number, QE_MAX_NAME);

	if (!q)
		return QE_NOMEM;
	q->roomy = true;
	*ret_queue = q;
	return QE_OK;
}

enum qe_result
queue_restore_name(struct qe *e, struct queue *q, struct qe_name name)
{
	uint64_t hash;

	if (find_hashed(e, name, &hash))
		return QE_INVALID;
	if (!table_reserve(&e->names, 1))
		return QE_NOMEM;
	give_name(e, q, name, hash);
	return QE_OK;
}

void
queue_restore_end(struct qe *e, struct queue *q)
{
	kept_leave(e, &q->kept);
	if (q->name_len > 0)
		queue_unname(e, q);
	else
		heap_remove(&e->queues, &q->by_serial);
	q->deleted = true;
	list_append(&e->deleted, &q->ending);
}

struct queue *
queue_numbered(const struct qe *e, uint64_t number)
{
	struct queue probe = {.serial = number};
	struct heap_node *found = heap_from(&e->queues, &probe.by_serial);
	struct queue *q = found ? list_entry(found, struct queue, by_serial) : NULL;

	return q && q->serial == number ? q : NULL;
}

enum qe_result
queue_need(struct qe *e, struct qe_name name, struct queue **ret_queue,
	   bool *ret_created)
{
	struct queue *q = e->recent;
	enum qe_result result = QE_OK;
	bool created = false;
	uint64_t hash;

	if (!is_recent(e, name)) {
		q = find_hashed(e, name, &hash);
		created = !q;
		if (created)
			result = queue_add(e, name, hash, &q);
	}
	if (ret_created)
		*ret_created = created;
	if (result != QE_OK)
		return result;
	*ret_queue = e->recent = q;
	if (q->durable || ids_are_unsure(e))
		keep_asked(e, q);
	return QE_OK;
}

void
queue_unname(struct qe *e, struct queue *q)
{
	table_remove(&e->names, q->hash, q);
	heap_remove(&e->queues, &q->by_serial);
	e->n_queues--;
	list_remove(&q->starving);
	list_remove(&q->touched);
	q->deleted = true;
	if (e->recent == q)
		e->recent = NULL;
}

void
queue_free(struct qe *e, struct queue *q)
{
	assert(q->deleted && list_empty(&q->holdings) && list_empty(&q->groups));
	assert(list_empty(&q->keys));
	list_remove(&q->ending);
	list_remove(&q->bodies.hungry);
	assert(q->bodies.cost == 0 && q->bodies.absent == 0);
	kept_leave(e, &q->kept);
	mem_free(&e->mem, q, queue_alloc_size(q));
}

/* Which of the two comes first in the queue's order; `a` may be NULL. */
static struct qe_item *
earlier(const struct queue *q, struct qe_item *a, struct heap_node *b)
{
	if (a && q->sorted.before(&a->heap, b))
		return a;
	return list_entry(b, struct qe_item, heap);
}

struct qe_item *
queue_first(const struct queue *q)
{
	struct list *link = q->order == QE_LIFO ? q->fresh.prev : q->fresh.next;
	struct qe_item *first = NULL;

	if (link != &q->fresh)
		first = list_entry(link, struct qe_item, node);
	if (q->sorted.first)
		first = earlier(q, first, q->sorted.first);
	if (q->grouped.first)
		first = earlier(q, first, group_first(q->grouped.first));
	return first;
}

enum qe_result
queue_fetch(struct qe *e, struct queue *q)
{
	struct qe_item *item = queue_first(q);
	enum qe_result result;

	if (!item)
		return QE_OK;
	result = bodies_fetch_now(e, &item);
	if (result == QE_WAIT)
		bodies_want(e, q);
	return result;
}

bool
queue_drained(const struct queue *q)
{
	return q->shutdown != QE_OPEN && queue_size(q) == 0;
}

uint64_t
queue_size(const struct queue *q)
{
	return q->count[ITEM_READY] + q->count[ITEM_DELAYED];
}

uint64_t
queue_unfinished(const struct queue *q)
{
	return queue_size(q) + q->count[ITEM_LEASED];
}

bool
queue_may_order(const struct queue *q, enum qe_order order)
{
	return q->order == order || queue_unfinished(q) == 0;
}

bool
queue_may_keep(const struct queue *q, enum qe_durable durable)
{
	bool same = (q->durable == QE_NOT_DURABLE) == (durable == QE_NOT_DURABLE);

	return same || queue_unfinished(q) + q->count[ITEM_DEAD] == 0;
}

enum qe_result
queue_room(const struct queue *q, unsigned n, uint64_t bytes)
{
	if (q->maxsize > 0 && queue_size(q) + n > (uint64_t)q->maxsize)
		return QE_FULL_ITEMS;
	if (q->max_bytes > 0 && q->bytes + bytes > q->max_bytes)
		return QE_FULL_BYTES;
	return QE_OK;
}

void
queue_stats(const struct qe *e, const struct queue *q, struct qe_queue_stats *ret_stats)
{
	const struct qe_item *first = queue_first(q);

	*ret_stats = (struct qe_queue_stats){
		.name = {q->name, q->name_len},
		.ready = q->count[ITEM_READY],
		.delayed = q->count[ITEM_DELAYED],
		.leased = q->count[ITEM_LEASED],
		.dead = q->count[ITEM_DEAD],
		.bytes = q->bytes,
#define QE_QUEUE_OPTION(name, ctype, kind, text) .name = q->name,
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
		.getters = q->waiting[LINE_GET] + q->waiting[LINE_GET_MANY],
		.putters = q->waiting[LINE_PUT],
		.joiners = q->waiting[LINE_JOIN],
		.shutdown = q->shutdown,
		.paused_in = q->paused_in,
		.paused_out = q->paused_out,
		.next_ns = timing_next_ready(e, q),
		.oldest_ns = first ? item_age_ns(e, first) : 0,
		.counters = q->counters,
	};
}

bool
named_is(const struct named *key, const struct queue *q, const char *name, size_t len)
{
	return q == key->queue && len == key->name.len &&
	       memcmp(name, key->name.p, len) == 0;
}

uint64_t
named_hash(const struct qe *e, const struct named *key)
{
	return hash_pair(&e->key, key->queue->serial,
			 hash_bytes(&e->key, key->name.p, key->name.len));
}
