/* SPDX-License-Identifier: MIT
 *
 * See bodies.h.
 */
#include "daemon/core/bodies.h"

#include "daemon/core/engine_int.h"
#include "daemon/core/group.h"
#include "daemon/core/queue.h"
#include "daemon/core/settle.h"
#include "daemon/core/store.h"

/* Shorter ones stay: the item would not be much smaller. */
#define BODY_LEAST 128

/* What the start left is read in such shares, so long apart: those who come meanwhile hardly notice. While nobody
 * comes they are larger. */
#define LEFT_BYTES ((int64_t)128 << 10)
#define LEFT_TIMES 4
#define LEFT_COST  512 /* each takes as long as reading so many bytes more */
#define LEFT_NS	   UINT64_C(1000000)

void
bodies_init(struct bodies *b)
{
	list_init(&b->queues);
	list_init(&b->hungry);
	list_init(&b->left);
}

void
bodies_init_queue(struct queue_bodies *b)
{
	list_init(&b->here);
	list_init(&b->placed);
	list_init(&b->ahead);
	list_init(&b->in_engine);
	list_init(&b->hungry);
}

/* What an item takes less when its body is away. */
static uint64_t
saved(size_t body_len)
{
	return mem_cost(offsetof(struct qe_item, body) + body_len) -
	       mem_cost(offsetof(struct qe_item, body));
}

/* --- what is where ------------------------------------------------------------------- */

static void
count_here(struct qe *e, struct kept_item *k, struct queue *q)
{
	uint64_t cost = saved(k->item->body_len);

	k->body_at = BODY_HERE;
	e->bodies.cost += cost;
	q->bodies.cost += cost;
	if (!list_empty(&q->bodies.in_engine))
		return;
	list_append(&e->bodies.queues, &q->bodies.in_engine);
	e->bodies.n_queues++;
}

static void
count_here_no_more(struct qe *e, const struct kept_item *k, struct queue *q)
{
	uint64_t cost = saved(k->item->body_len);

	e->bodies.cost -= cost;
	q->bodies.cost -= cost;
	if (q->bodies.cost > 0)
		return;
	list_remove(&q->bodies.in_engine);
	e->bodies.n_queues--;
}

void
bodies_away(struct qe *e, struct kept_item *k, struct queue *q)
{
	k->body_at = BODY_AWAY;
	q->bodies.absent++;
	e->bodies.n_absent++;
	e->bodies.absent_bytes += k->item->body_len;
}

void
bodies_leave(struct qe *e, struct queue *q, struct kept_item *k)
{
	if (!k->kept.due)
		list_remove(&k->kept.changed);
	switch ((enum body_at)k->body_at) {
	case BODY_STAYS: break;
	case BODY_HERE: count_here_no_more(e, k, q); break;
	case BODY_AWAY:
		q->bodies.absent--;
		e->bodies.n_absent--;
		e->bodies.absent_bytes -= k->item->body_len;
		break;
	}
	k->body_at = BODY_STAYS;
}

void
bodies_replaced(struct qe *e, struct queue *q, struct kept_item *k)
{
	struct bodies *b = &e->bodies;
	uint64_t id = k->item->id;

	bodies_leave(e, q, k);
	if (b->leaving.id == id)
		b->leaving.id = 0;
	if (b->reading.id == id)
		reading_end(e);
}

void
bodies_placed(struct qe *e, struct kept_item *k, const struct store_place *place)
{
	struct queue *q = item_queue(k->item);

	k->offset += (uint32_t)place->offset;
	k->kept.writing = (uint32_t)place->seq;
	bodies_leave(e, q, k);
	if (!bodies_may_leave(k->item->body_len))
		return;
	count_here(e, k, q);
	list_append(&q->bodies.placed, &k->kept.changed);
}

bool
bodies_written(const struct qe *e, const struct kept_item *k)
{
	/* Of 2^32 records the last ones are not written yet. */
	return (uint32_t)e->keep.open - k->kept.writing >
	       e->keep.open - 1 - e->bodies.written;
}

void
bodies_moved(struct qe *e, struct kept_item *k)
{
	struct queue_bodies *b = &item_queue(k->item)->bodies;

	if (k->body_at == BODY_HERE)
		list_append(bodies_written(e, k) ? &b->here : &b->placed,
			    &k->kept.changed);
}

struct body_place
bodies_leaves_queue(const struct qe_item *item)
{
	const struct kept_item *k = item->absent ? keep_of(item) : NULL;

	if (!k)
		return (struct body_place){0};
	return (struct body_place){.segment = k->kept.segment,
				   .entry = k->kept.bytes,
				   .offset = k->offset,
				   .sum = k->sum};
}

void
bodies_passed(struct qe *e, struct qe_item *item, const struct body_place *from)
{
	struct kept_item *k = item->absent ? keep_of(item) : NULL;

	if (!k)
		return;
	k->offset = from->offset;
	k->sum = from->sum;
	keep_place(e, &k->kept, from->segment, from->entry);
	bodies_away(e, k, item_queue(item));
}

bool
bodies_check(const struct kept_item *k)
{
	if (k->item->absent != (k->body_at == BODY_AWAY))
		return false;
	if (k->body_at != BODY_AWAY)
		return true;
	return k->kept.segment > 0 && item_queue(k->item)->durable;
}

/* --- how much may be here -------------------------------------------------------------- */

/* So much of it that puts find room, whatever else takes memory. */
static uint64_t
allowed(const struct qe *e, uint64_t limit)
{
	uint64_t most = e->config.body_memory;
	uint64_t others = e->mem.used - e->bodies.cost;
	uint64_t left = limit > others ? limit - others : 0;

	if (most == 0)
		return UINT64_MAX;
	return limit == 0 || most < left - left / 4 ? most : left - left / 4;
}

bool
bodies_too_many(const struct qe *e)
{
	return e->bodies.cost > allowed(e, e->config.memory_limit);
}

bool
bodies_may_leave(size_t body_len)
{
	return body_len >= BODY_LEAST;
}

void
bodies_restored(struct qe *e, struct kept_item *k)
{
	if (!k->item->absent)
		return;
	bodies_away(e, k, item_queue(k->item));
	list_append(&e->bodies.left, &k->kept.changed);
}

/* --- back -------------------------------------------------------------------- */

uint32_t
bodies_sum(const struct qe *e, const void *body, size_t len)
{
	return e->keep.sum_of ? e->keep.sum_of(0, body, len) : 0;
}

/* QE_OK; QE_WAIT: not without waiting, but soon; QE_LOST. */
static enum qe_result
read_back(struct qe *e, const struct kept_item *k, struct qe_item *item, bool wait)
{
	struct store *store = e->keep.store;
	enum store_read result = store->class->read(store, k->kept.segment, k->offset,
						    item->body, item->body_len, wait);

	if (result == STORE_READ_LATER)
		return QE_WAIT;
	if (result == STORE_READ && bodies_sum(e, item->body, item->body_len) == k->sum)
		return QE_OK;
	return bodies_unreadable(e);
}

enum qe_result
bodies_unreadable(struct qe *e)
{
	e->keep.lost = "a body could not be read from the journal as it was written";
	return QE_LOST;
}

void
bodies_come_back(struct qe *e, struct kept_item *k, struct qe_item *with, bool ahead)
{
	struct queue *q = item_queue(k->item);

	bodies_leave(e, q, k);
	item_swap(e, k->item, with);
	k->item = with;
	count_here(e, k, q);
	if (!k->kept.due)
		list_append(ahead ? &q->bodies.ahead : &q->bodies.here,
			    &k->kept.changed);
}

static enum qe_result
fetch_kept(struct qe *e, struct kept_item *k, bool wait, bool ahead)
{
	struct qe_item *item = k->item, *with;
	enum qe_result result;

	if (e->keep.lost || !e->keep.store)
		return QE_LOST;
	if (item->body_len > BODY_PIECE && (!wait || ahead))
		return reading_want(e, k);
	result = item_new_restored(e, item->body_len, &with);
	if (result != QE_OK)
		return result;
	result = read_back(e, k, with, wait);
	if (result != QE_OK) {
		qe_item_unref(e, with);
		return result;
	}
	bodies_come_back(e, k, with, ahead);
	return QE_OK;
}

static enum qe_result
fetch(struct qe *e, struct qe_item **item, bool wait, bool ahead)
{
	struct kept_item *k = keep_of(*item);
	enum qe_result result = fetch_kept(e, k, wait, ahead);

	*item = k->item;
	return result;
}

enum qe_result
bodies_fetch(struct qe *e, struct qe_item **item)
{
	return (*item)->absent ? fetch(e, item, true, false) : QE_OK;
}

enum qe_result
bodies_fetch_now(struct qe *e, struct qe_item **item)
{
	return (*item)->absent ? fetch(e, item, false, false) : QE_OK;
}

enum qe_result
bodies_fetch_soon(struct qe *e, struct qe_item **item)
{
	enum qe_result result = bodies_fetch_now(e, item);

	if (result == QE_WAIT)
		result = reading_want(e, keep_of(*item));
	return result == QE_WAIT ? QE_AGAIN : result;
}

enum qe_result
bodies_fetch_ahead(struct qe *e, struct qe_item **item, bool wait)
{
	return (*item)->absent ? fetch(e, item, wait, true) : QE_OK;
}

/* --- what the start left ---------------------------------------------------------------- */

static uint64_t
next_hungry(const struct qe *e)
{
	return list_empty(&e->bodies.hungry) ? QE_NEVER : e->bodies.try_ns;
}

static uint64_t
next_left(const struct qe *e)
{
	return list_empty(&e->bodies.left) ? QE_NEVER : e->bodies.left_ns;
}

/* Whether another of this length may be here. */
static bool
fits(const struct qe *e, size_t body_len)
{
	return e->bodies.cost + saved(body_len) <= allowed(e, e->config.memory_limit);
}

static int64_t
share_of_left(struct qe *e)
{
	const struct qe_counters *c = &e->counters;
	uint64_t before = e->bodies.busy;

	e->bodies.busy = c->accepted + c->delivered + c->finished;
	return e->bodies.busy == before ? LEFT_TIMES * LEFT_BYTES : LEFT_BYTES;
}

static void
read_left(struct qe *e)
{
	struct bodies *b = &e->bodies;
	int64_t share = share_of_left(e);
	struct list *at;

	b->left_ns = e->now_ns + LEFT_NS;
	while (share > 0 && (at = list_first(&b->left))) {
		struct kept_item *k = list_entry(at, struct kept_item, kept.changed);

		share -= LEFT_COST;
		if (keep_discarded(k)) {
			list_remove(at);
			continue;
		}
		if (!fits(e, k->item->body_len)) {
			b->left_ns =
				QE_NEVER; /* the others come when they are wanted */
			break;
		}
		if (fetch_kept(e, k, false, false) != QE_OK)
			break; /* it is on its way from the disk */
		share -= (int64_t)k->item->body_len;
	}
}

void
bodies_tick(struct qe *e)
{
	if (!e->keep.store || e->keep.lost)
		return;
	if (bodies_too_many(e))
		leaving_share(e);
	else
		e->bodies.vain = 0;
	if (e->bodies.reading.with) {
		reading_go_on(e);
		settle(e);
	}
	if (next_hungry(e) <= e->now_ns)
		ahead_read(e);
	if (next_left(e) <= e->now_ns)
		read_left(e);
}

bool
bodies_left(const struct qe *e)
{
	if (!e->keep.store || e->keep.lost)
		return false;
	return bodies_too_many(e) ? !leaving_in_vain(e) : bodies_next(e) <= e->now_ns;
}

uint64_t
bodies_next(const struct qe *e)
{
	const struct body_piece *r = &e->bodies.reading;
	uint64_t next = next_hungry(e), left = next_left(e);

	if (!e->keep.store || e->keep.lost)
		return QE_NEVER;
	if (left < next)
		next = left;
	return r->with && r->try_ns < next ? r->try_ns : next;
}
