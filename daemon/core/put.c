/* SPDX-License-Identifier: MIT
 *
 * qe_put(), and puts on their way (put.h).
 */
#include "daemon/core/put.h"

#include "daemon/core/dead.h"
#include "daemon/core/engine_int.h"
#include "daemon/core/group.h"
#include "daemon/core/queue.h"
#include "daemon/core/settle.h"
#include "daemon/core/timing.h"
#include "daemon/core/unique.h"
#include "daemon/core/waiter.h"
#include "daemon/core/watch.h"

#include <string.h>

static bool
has_delay(const struct qe_item *item)
{
	return item->extra && item->extra->ready_ns > 0;
}

static void
put_measure(struct put *put)
{
	for (unsigned i = put->next; i < put->n; i++) {
		put->bytes += put->items[i]->body_len;
		put->cost += item_cost(put->items[i]);
		put->delayed |= has_delay(put->items[i]);
	}
}

/* Whether all is accepted at one moment. */
static bool
whole(const struct put *put)
{
	return !put->many || put->atomic;
}

static bool
too_big(const struct queue *q, unsigned n, uint64_t bytes)
{
	return (q->max_bytes > 0 && bytes > q->max_bytes) ||
	       (q->maxsize > 0 && n > (uint64_t)q->maxsize);
}

/* Whether waiting gets take `n` more items as soon as they are there. */
static bool
given_at_once(const struct queue *q, unsigned n, uint64_t bytes)
{
	const struct waiter *w = waiter_first(q, LINE_GET_MANY);
	uint64_t ready = q->count[ITEM_READY] + n;

	if (q->paused_out)
		return false;
	if (ready == n && q->waiting[LINE_GET] >= n)
		return true;
	return w && ready <= w->get.args.max_items && get_ripe(&w->get, ready) &&
	       q->bytes - q->delayed_bytes + bytes <= w->get.args.max_bytes;
}

/* What has a delay needs room for it, also when getters wait. */
static enum qe_result
room(const struct qe *e, const struct queue *q, unsigned n, uint64_t bytes,
     uint64_t cost, bool delayed)
{
	enum qe_result result = queue_room(q, n, bytes);

	if (q->paused_in)
		return QE_FULL_PAUSED;
	if (result != QE_OK && (delayed || !given_at_once(q, n, bytes)))
		return result;
	if (q->durable && !keep_room(e, n, bytes))
		return QE_NO_SPACE;
	return settle_memory(e, q, cost) ? QE_OK : QE_FULL_MEMORY;
}

static enum qe_result
room_for_all(const struct qe *e, const struct queue *q, const struct put *put)
{
	unsigned n = put->n - put->next;

	if (too_big(q, n, put->bytes))
		return QE_TOO_BIG;
	return room(e, q, n, put->bytes, put->cost, put->delayed);
}

static enum qe_result
room_for_next(const struct qe *e, const struct queue *q, const struct put *put)
{
	const struct qe_item *item = put->items[put->next];

	if (too_big(q, 1, item->body_len))
		return QE_TOO_BIG;
	return room(e, q, 1, item->body_len, item_cost(item), has_delay(item));
}

static void
accept_timed(struct qe *e, struct qe_item *item)
{
	item_move(e, item, timing_later(e, item) ? ITEM_DELAYED : ITEM_READY,
		  CAUSE_accepted);
	if (item->extra->key)
		unique_accepted(e, item);
	if (timing_over(e, item)) /* it has waited for too long */
		item_expire(e, item);
}

/* What the next `n` items need beside themselves. */
static inline enum qe_result
reserve(struct qe *e, const struct queue *q, unsigned n)
{
	return q->durable ? keep_reserve(e, n) : QE_OK;
}

/* Returns its id: it may be gone by then. */
static inline uint64_t
accept(struct qe *e, struct queue *q, struct qe_item *item)
{
	uint64_t id = ++e->last_id;

	assert(!item_group(item) || item_group(item)->queue == q);
	item->id = id;
	item->accepted = e->now_ns >> ITEM_ACCEPTED_SHIFT;
	item->owner.queue = q;
	if (item->extra)
		accept_timed(e, item);
	else
		item_accept(e, item);
	return id;
}

static void
accept_next(struct qe *e, struct queue *q, struct put *put)
{
	uint64_t id = accept(e, q, put->items[put->next]);

	if (put->many)
		put->results[put->next] = (int64_t)id;
	else
		put->id = id;
	put->next++;
	put->accepted++;
}

static void
refuse_next(struct qe *e, struct put *put, enum qe_result result)
{
	qe_item_unref(e, put->items[put->next]);
	if (put->many)
		put->results[put->next] = -(int64_t)result;
	put->next++;
}

/* The item of a put that has a key which is taken, or NULL. A put of many has none. */
static inline struct qe_item *
duplicate(const struct qe *e, const struct put *put)
{
	struct qe_item *item = put->items[0];

	if (put->many || put->next > 0 || !item->extra || !item->extra->key)
		return NULL;
	return unique_taken(e, item) > 0 ? item : NULL;
}

/* What becomes of it: QE_OK: the item that is there is the answer, with a new body if that is
 * wanted; QE_DUPLICATE; QE_FULL_*, QE_TOO_BIG: there is no room for the new body. */
static enum qe_result
judge_duplicate(const struct qe *e, const struct queue *q, const struct qe_item *item)
{
	const struct qe_item *old = unique_waits(item);
	uint64_t more;

	switch ((enum qe_on_duplicate)item->extra->on_duplicate) {
	case QE_IGNORE: return QE_OK;
	case QE_REJECT: return QE_DUPLICATE;
	case QE_REPLACE: break;
	}
	if (!old)
		return QE_DUPLICATE;
	if (too_big(q, 1, item->body_len))
		return QE_TOO_BIG;
	if (q->durable && !keep_room(e, 1, item->body_len))
		return QE_NO_SPACE;
	more = item->body_len > old->body_len ? item->body_len - old->body_len : 0;
	if (more > 0 && q->max_bytes > 0 && q->bytes + more > q->max_bytes)
		return QE_FULL_BYTES;
	return more == 0 || settle_memory(e, q, more) ? QE_OK : QE_FULL_MEMORY;
}

/* The same, and it is done. */
static enum qe_result
put_duplicate(struct qe *e, const struct queue *q, struct put *put)
{
	struct qe_item *item = put->items[0], *old = unique_waits(item);
	enum qe_result result = judge_duplicate(e, q, item);

	if (result != QE_OK)
		return result;
	put->id = unique_taken(e, item);
	put->dup = true;
	put->next++;
	if (item->extra->on_duplicate == QE_REPLACE)
		item_replace(e, old, item);
	else
		qe_item_unref(e, item);
	return QE_OK;
}

enum qe_result
put_advance(struct qe *e, struct queue *q, struct put *put)
{
	enum qe_result result = QE_OK;

	if (duplicate(e, put))
		return put_duplicate(e, q, put);
	if (whole(put)) {
		result = room_for_all(e, q, put);
		if (result == QE_OK)
			result = reserve(e, q, put->n);
		while (result == QE_OK && put->next < put->n)
			accept_next(e, q, put);
		return result;
	}
	while (put->next < put->n) {
		result = room_for_next(e, q, put);
		if (result == QE_OK)
			result = reserve(e, q, 1);
		if (result == QE_OK)
			accept_next(e, q, put);
		else if (result == QE_TOO_BIG)
			refuse_next(e, put, result);
		else
			return result;
	}
	return QE_OK;
}

enum qe_result
put_blocked(const struct qe *e, const struct queue *q, const struct put *put)
{
	const struct qe_item *item = duplicate(e, put);

	if (item)
		return judge_duplicate(e, q, item);
	return whole(put) ? room_for_all(e, q, put) : room_for_next(e, q, put);
}

bool
put_is_full(enum qe_result result)
{
	return result == QE_FULL_ITEMS || result == QE_FULL_BYTES ||
	       result == QE_FULL_MEMORY || result == QE_FULL_PAUSED ||
	       result == QE_FULL_JOURNAL;
}

static void
free_results(struct qe *e, struct put *put)
{
	answer_free(e, put->results, put->n * sizeof(*put->results));
	put->results = NULL;
}

void
put_answer(struct qe *e, struct put *put, enum qe_result result, struct qe_reply *reply)
{
	while (put->next < put->n)
		refuse_next(e, put, result);
	/* What was refused for itself is told item by item. */
	if (!whole(put) && (put->accepted > 0 || put_is_full(result)))
		result = QE_OK;
	if (result != QE_OK)
		free_results(e, put);
	*reply = (struct qe_reply){.request = QE_REQUEST_PUT,
				   .result = result,
				   .many = put->many,
				   .dup = put->dup,
				   .n = put->results ? put->n : 0,
				   .id = put->id,
				   .results = put->results};
}

bool
put_begun(const struct put *put)
{
	return !whole(put) && put->accepted > 0;
}

void
put_drop(struct qe *e, struct put *put)
{
	for (; put->next < put->n; put->next++)
		qe_item_unref(e, put->items[put->next]);
	free_results(e, put);
}

/* Hands the put over to a waiter in the queue's line. The answer may be there at once,
 * when some items were refused for themselves, or getters took what had no room. */
static enum qe_result
wait_for_room(struct qe *e, struct qe_session *session, uint64_t rid, struct queue *q,
	      uint64_t deadline_ns, struct put *put, struct qe_reply *ret_reply)
{
	struct waiter *w;
	enum qe_result result = waiter_new(e, session, rid, put->n, &w);

	if (result != QE_OK)
		return result;
	memcpy(w->items, put->items, put->n * sizeof(*w->items));
	w->put = *put;
	w->put.items = w->items;
	*put = (struct put){0};
	w->request = QE_REQUEST_PUT;
	w->group = item_group(w->items[w->put.next]);
	waiter_start(e, w, q, LINE_PUT, deadline_ns);
	keep_begun(e, q, w); /* on an earlier connection */
	settle_queue(e, q);
	if (waiter_first(q, LINE_PUT) == w)
		watch_note(e, QE_EVENT_FULL, q);
	return waiter_answer(e, w, ret_reply);
}

/* Accepts what there is room for now, and refuses the rest. */
static void
put_what_fits(struct qe *e, struct queue *q, struct put *put, struct qe_reply *reply)
{
	struct waiter *before = waiter_first(q, LINE_PUT);
	enum qe_result result = QE_OK;
	unsigned at;

	if (before)
		result = put_blocked(e, q, &before->put);
	else
		do {
			at = put->next;
			result = put_advance(e, q, put);
			settle_queue(e, q);
		} while (result != QE_OK && put->next > at);
	put_answer(e, put, result, reply);
}

/* There is room, and nobody waits for it. */
static enum qe_result
accept_all(struct qe *e, struct queue *q, struct put *put, struct qe_reply *ret_reply)
{
	enum qe_result result = reserve(e, q, put->n);

	if (result != QE_OK)
		return result;
	while (put->next < put->n)
		accept_next(e, q, put);
	settle_queue(e, q);
	put_answer(e, put, QE_OK, ret_reply);
	return QE_OK;
}

static bool
need_results(struct qe *e, struct put *put)
{
	if (put->many && !put->results)
		put->results = answer_alloc(e, put->n * sizeof(*put->results));
	return !put->many || put->results;
}

static enum qe_result
put_into(struct qe *e, struct qe_session *session, uint64_t rid, struct queue *q,
	 uint64_t deadline_ns, struct put *put, struct qe_reply *ret_reply)
{
	struct waiter *before = waiter_first(q, LINE_PUT);
	enum qe_result result;

	if (duplicate(e, put)) {
		result = put_duplicate(e, q, put);
		if (result == QE_OK) {
			settle_queue(e, q);
			put_answer(e, put, QE_OK, ret_reply);
		}
		if (!put_is_full(result))
			return result;
	} else {
		result = room_for_all(e, q, put);
		if (result == QE_TOO_BIG && whole(put))
			return result;
	}
	if (!need_results(e, put))
		return QE_NOMEM;
	if (!before && result == QE_OK)
		return accept_all(e, q, put, ret_reply);
	if (deadline_ns > e->now_ns)
		return wait_for_room(e, session, rid, q, deadline_ns, put, ret_reply);
	if (!whole(put)) {
		put_what_fits(e, q, put, ret_reply);
		return ret_reply->result;
	}
	return before ? put_blocked(e, q, &before->put) : result;
}

/* It makes the journal grow, and has waited in vain for a moment at which it may. That nothing of it was accepted stays
 * so whatever is kept of the queue, and is not to wait for the disk. */
static enum qe_result
refuse_late(struct qe *e, const struct queue *q, struct put *put,
	    struct qe_reply *ret_reply)
{
	if (whole(put) && too_big(q, put->n, put->bytes))
		return QE_TOO_BIG;
	if (!whole(put) && !need_results(e, put))
		return QE_NOMEM;
	if (put->accepted == 0)
		keep_asked_nothing(e);
	if (whole(put))
		return QE_FULL_JOURNAL;
	put_answer(e, put, QE_FULL_JOURNAL, ret_reply);
	return ret_reply->result;
}

static enum qe_result
put_in_time(struct qe *e, struct qe_session *session, uint64_t rid, struct queue *q,
	    uint64_t deadline_ns, struct put *put, struct qe_reply *ret_reply)
{
	if (deadline_ns != QE_LATE)
		return put_into(e, session, rid, q, deadline_ns, put, ret_reply);
	if (q->durable && qe_pace(e) != QE_ALL_GO_ON)
		return refuse_late(e, q, put, ret_reply);
	return put_into(e, session, rid, q, 0, put, ret_reply);
}

/* What every put asks first, and its queue. */
static inline enum qe_result
put_queue(struct qe *e, const struct qe_session *session, uint64_t rid,
	  struct qe_name queue, struct queue **ret_queue)
{
	enum qe_result result = waiter_check(e, session, rid);

	if (result == QE_OK)
		result = queue_need(e, queue, ret_queue, NULL);
	if (result == QE_OK && (*ret_queue)->shutdown != QE_OPEN)
		result = QE_SHUT_DOWN;
	return result;
}

/* The most common put, without detours: one item of which nothing is said, that there is room for
 * and nobody waits before. */
static inline bool
put_plain(struct qe *e, struct queue *q, struct qe_item *item, struct qe_reply *reply)
{
	if (item->extra || waiter_first(q, LINE_PUT) || too_big(q, 1, item->body_len) ||
	    room(e, q, 1, item->body_len, item_cost(item), false) != QE_OK ||
	    reserve(e, q, 1) != QE_OK)
		return false;
	*reply = (struct qe_reply){
		.request = QE_REQUEST_PUT, .result = QE_OK, .id = accept(e, q, item)};
	settle_queue(e, q);
	return true;
}

enum qe_result
qe_put(struct qe *e, uint64_t now_ns, struct qe_session *session, uint64_t rid,
       struct qe_name queue, uint64_t deadline_ns, struct qe_item **items, unsigned n,
       bool many, bool atomic, struct qe_reply *ret_reply)
{
	struct put put = {.items = items, .n = n, .many = many, .atomic = atomic};
	struct queue *q;
	enum qe_result result;

	e->now_ns = now_ns;
	result = n < 1 || n > (many ? QE_MAX_BATCH : 1)
			 ? QE_INVALID
			 : put_queue(e, session, rid, queue, &q);
	if (result == QE_OK && !many && deadline_ns != QE_LATE &&
	    put_plain(e, q, items[0], ret_reply))
		return QE_OK;
	if (result == QE_OK) {
		put_measure(&put);
		result = put_in_time(e, session, rid, q, deadline_ns, &put, ret_reply);
	}
	if (result != QE_OK && result != QE_WAIT)
		put_drop(e, &put);
	return result;
}

enum qe_result
qe_put_rest(struct qe *e, uint64_t now_ns, struct qe_session *session, uint64_t rid,
	    struct qe_name queue, uint64_t deadline_ns, struct qe_reply *begun,
	    struct qe_item **items, struct qe_reply *ret_reply)
{
	struct put put = {
		.items = items, .n = begun->n, .many = true, .results = begun->results};
	struct queue *q;
	enum qe_result result;

	e->now_ns = now_ns;
	*begun = (struct qe_reply){.request = QE_REQUEST_PUT};
	for (; put.next < put.n && put.results[put.next] != -QE_UNDECIDED; put.next++)
		put.accepted += put.results[put.next] > 0;
	assert(put.accepted > 0 && put.next < put.n);
	result = put_queue(e, session, rid, queue, &q);
	if (result == QE_OK) {
		put_measure(&put);
		result = put_in_time(e, session, rid, q, deadline_ns, &put, ret_reply);
	}
	if (result == QE_OK || result == QE_WAIT)
		return result;
	put_answer(e, &put, result, ret_reply);
	return ret_reply->result;
}
