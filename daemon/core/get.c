/* SPDX-License-Identifier: MIT
 *
 * qe_get(), qe_peek() and the verbs that end a lease.
 */
#include "daemon/core/get.h"

#include "daemon/core/engine_int.h"
#include "daemon/core/extra.h"
#include "daemon/core/group.h"
#include "daemon/core/lease.h"
#include "daemon/core/queue.h"
#include "daemon/core/session.h"
#include "daemon/core/settle.h"
#include "daemon/core/timing.h"
#include "daemon/core/waiter.h"

#define MS	    UINT64_C(1000000)
#define PATIENCE_NS (1000 * MS)

/* What reply.items points into; it remembers how large it is. */
struct batch {
	size_t cap;
	struct qe_item *items[];
};

static struct batch *
batch_new(struct qe *e, size_t cap)
{
	struct batch *b = answer_alloc(e, sizeof(*b) + cap * sizeof(struct qe_item *));

	if (b)
		b->cap = cap;
	return b;
}

static void
batch_free(struct qe *e, struct qe_item **items)
{
	struct batch *b = list_entry(items, struct batch, items);

	answer_free(e, b, sizeof(*b) + b->cap * sizeof(struct qe_item *));
}

/* The record was reserved: it is the item's, or the one that the get brought. */
static void
limit(struct qe *e, struct qe_item *item, struct get *get)
{
	if (!item->extra) {
		extra_attach(e, item, get->spare);
		get->spare = NULL;
	}
	lease_limit(e, item, get->lease_ns);
}

/* Gives the queue's first item; the reply has a reference to it. */
static void
give(struct qe *e, struct queue *q, struct get *get, struct qe_item *item)
{
	if (q->bodies.absent > 0)
		bodies_given(e, q, item);
	item->deliveries++;
	if (get->args.no_ack) {
		item_count(e, q, CAUSE_delivered);
		item_move(e, item, ITEM_GONE, CAUSE_finished);
	} else {
		item_lease(e, item, get->holding);
		if (get->lease_ns > 0)
			limit(e, item, get);
		qe_item_ref(item);
	}
}

bool
get_ripe(const struct get *get, uint64_t n)
{
	return n >= get->args.max_items ||
	       (n >= get->args.min_items && get->args.linger_ns == 0);
}

/* How many items may be given: what is ready, as far as memory goes. */
static uint64_t
batch_size(struct qe *e, const struct queue *q, const struct get *get,
	   struct batch **ret_batch)
{
	uint64_t n = q->count[ITEM_READY];

	*ret_batch = NULL;
	if (!get->args.many || n == 1)
		return 1;
	if (n > get->args.max_items)
		n = get->args.max_items;
	if (n == 1 || (!get->args.no_ack && !table_reserve(&e->leases, n)))
		return 1;
	*ret_batch = batch_new(e, n);
	return *ret_batch ? n : 1;
}

/* As qe_get.max_said counts it. */
static uint64_t
said_of(const struct qe_item *item)
{
	return QE_SAID + (item_group(item) ? item_group(item)->name_len : 0);
}

enum qe_result
get_fetch_away(struct qe *e, struct queue *q, struct get *get)
{
	enum qe_result result;
	unsigned here;

	if (!get->args.many || get->args.min_items == 1)
		return queue_fetch(e, q);
	result = ahead_fetch(e, q, get->args.min_items, get->args.max_bytes, &here);
	if (result != QE_WAIT)
		return result;
	if (here > get->here || get->patience_ns == 0) {
		get->here = here;
		get->patience_ns = e->now_ns + PATIENCE_NS;
	}
	return e->now_ns < get->patience_ns ? QE_WAIT : queue_fetch(e, q);
}

/* They are here, unless they had to leave again before the rest came. */
static enum qe_result
fetch_next(struct qe *e, const struct get *get, unsigned n, struct qe_item **item)
{
	return n < get->args.min_items ? bodies_fetch(e, item) : bodies_fetch_now(e, item);
}

void
get_give(struct qe *e, struct queue *q, struct get *get, struct qe_reply *reply)
{
	struct batch *batch;
	struct qe_item *item = queue_first(q), *next;
	uint64_t n = batch_size(e, q, get, &batch), bytes = item->body_len;
	uint64_t said = n > 1 ? said_of(item) : 0;

	give(e, q, get, item);
	*reply = (struct qe_reply){.request = QE_REQUEST_GET,
				   .run = get->args.run,
				   .many = get->args.many,
				   .n = 1};
	if (batch)
		batch->items[0] = item;
	while (reply->n < n) {
		next = queue_first(q);
		bytes += next->body_len;
		said += said_of(next);
		if (bytes > get->args.max_bytes ||
		    (get->args.max_said > 0 && said > get->args.max_said))
			break;
		if (fetch_next(e, get, reply->n, &next) != QE_OK ||
		    (get->lease_ns > 0 && !extra_need(e, next)))
			break;
		give(e, q, get, next);
		batch->items[reply->n++] = next;
	}
	if (reply->n > 1) {
		reply->items = batch->items;
		return;
	}
	reply->item = item;
	if (batch)
		batch_free(e, batch->items);
}

struct qe_item *
qe_reply_item(const struct qe_reply *reply, unsigned i)
{
	assert(i < reply->n);
	return reply->items ? reply->items[i] : reply->item;
}

int64_t *
qe_results_new(struct qe *e, unsigned n)
{
	return answer_alloc(e, n * sizeof(int64_t));
}

void
qe_reply_done(struct qe *e, struct qe_reply *reply)
{
	if (reply->request == QE_REQUEST_GET) {
		for (unsigned i = 0; i < reply->n; i++)
			qe_item_unref(e, qe_reply_item(reply, i));
		if (reply->items)
			batch_free(e, reply->items);
	} else if (reply->request == QE_REQUEST_PUT) {
		answer_free(e, reply->results, reply->n * sizeof(*reply->results));
	}
	*reply = (struct qe_reply){.request = reply->request};
}

/* Whether others wait for the first body. */
static bool
waits_behind(const struct queue *q)
{
	return q->bodies.absent > 0 && q->waiting[LINE_GET] > 0;
}

/* Whether the get takes what is ready without waiting. */
static bool
gets_now(const struct qe *e, const struct queue *q, const struct qe_get *args)
{
	struct get get = {.args = *args};

	if (queue_given(q) == 0)
		return false;
	if (waits_behind(q) && (args->here || args->deadline_ns > e->now_ns))
		return false;
	if (!args->many || args->deadline_ns <= e->now_ns || q->shutdown != QE_OPEN)
		return true;
	return q->waiting[LINE_GET_MANY] == 0 && get_ripe(&get, q->count[ITEM_READY]);
}

uint64_t
get_lease_length(const struct queue *q, const struct qe_get *get)
{
	if ((get->lease_ns | q->lease_ms) == 0 || get->no_ack)
		return 0;
	if (get->lease_ns > 0)
		return get->lease_ns < QE_NEVER ? get->lease_ns : 0;
	return q->lease_ms < QE_NEVER / MS ? q->lease_ms * MS : 0;
}

static enum qe_result
wait_for_items(struct qe *e, struct qe_session *session, uint64_t rid, struct queue *q,
	       struct get *get, struct qe_reply *ret_reply)
{
	struct waiter *w;
	enum qe_result result;

	if (get->lease_ns > 0 && !(get->spare = extra_new(e)))
		return QE_NOMEM;
	result = waiter_new(e, session, rid, 0, &w);
	if (result != QE_OK) {
		extra_drop(e, get->spare);
		return result;
	}
	w->get = *get;
	w->request = QE_REQUEST_GET;
	waiter_start(e, w, q, get->args.many ? LINE_GET_MANY : LINE_GET,
		     get->args.deadline_ns);
	settle_queue(e, q); /* it may begin to linger, or have a putter go on */
	return waiter_answer(e, w, ret_reply);
}

enum qe_result
get_from(struct qe *e, struct qe_session *session, uint64_t rid, struct queue *q,
	 const struct qe_get *args, struct qe_reply *ret_reply)
{
	struct get get = {.args = *args};
	bool now = gets_now(e, q, args);
	enum qe_result result = QE_OK;

	if (!now && queue_drained(q))
		return QE_SHUT_DOWN;
	if (!now && args->here && waits_behind(q))
		return QE_AGAIN;
	if (!now && args->deadline_ns <= e->now_ns)
		return q->paused_out ? QE_EMPTY_PAUSED : QE_EMPTY;
	if (!args->no_ack) {
		get.holding = holding_need(e, session, q);
		if (!get.holding || !table_reserve(&e->leases, 1))
			return QE_NOMEM;
	}
	get.lease_ns = get_lease_length(q, args);
	if (now)
		result = get_fetch(e, q, &get); /* until its bodies are here, however late */
	if (result == QE_WAIT && args->here)
		return QE_AGAIN;
	if (!now || result == QE_WAIT)
		return wait_for_items(e, session, rid, q, &get, ret_reply);
	if (result != QE_OK)
		return result;
	if (get.lease_ns > 0 && !extra_need(e, queue_first(q)))
		return QE_NOMEM;
	get_give(e, q, &get, ret_reply);
	settle_queue(e, q);
	return QE_OK;
}

enum qe_result
qe_get(struct qe *e, uint64_t now_ns, struct qe_session *session, uint64_t rid,
       struct qe_name queue, const struct qe_get *get, struct qe_reply *ret_reply)
{
	struct queue *q;
	enum qe_result result = waiter_check(e, session, rid);

	e->now_ns = now_ns;
	if (result != QE_OK)
		return result;
	if (get->many && (get->max_items < 1 || get->max_items > QE_MAX_BATCH ||
			  get->min_items < 1 || get->min_items > get->max_items))
		return QE_INVALID;
	result = queue_need(e, queue, &q, NULL);
	if (result != QE_OK)
		return result;
	timing_catch_up(e, q);
	return get_from(e, session, rid, q, get, ret_reply);
}

enum qe_result
get_shown(struct qe *e, struct qe_item *item, struct qe_item **ret_item)
{
	enum qe_result result = bodies_fetch_soon(e, &item);

	if (result != QE_OK)
		return result;
	qe_item_ref(item);
	*ret_item = item;
	return QE_OK;
}

enum qe_result
qe_peek(struct qe *e, struct qe_name queue, struct qe_item **ret_item)
{
	struct queue *q = queue_ask(e, queue);
	struct qe_item *item = q ? queue_first(q) : NULL;

	if (!q && !queue_name_valid(queue))
		return QE_INVALID;
	if (!item)
		return QE_EMPTY;
	return get_shown(e, item, ret_item);
}

enum qe_result
qe_fetch_leased(struct qe *e, const struct qe_session *session, struct qe_tag tag)
{
	struct qe_item *item = lease_find(e, session, tag);

	return item ? bodies_fetch_soon(e, &item) : QE_STALE;
}

enum qe_result
qe_leased(struct qe *e, const struct qe_session *session, struct qe_tag tag,
	  struct qe_item **ret_item)
{
	struct qe_item *item = lease_find(e, session, tag);
	enum qe_result result = item ? bodies_fetch(e, &item) : QE_STALE;

	if (result != QE_OK)
		return result;
	qe_item_ref(item);
	*ret_item = item;
	return QE_OK;
}

static void
finish_lease(struct qe *e, struct qe_item *item)
{
	struct queue *q = item_holding(item)->queue;

	item_finish(e, item);
	qe_item_unref(e, item);
	settle_queue(e, q);
}

enum qe_result
qe_ack(struct qe *e, uint64_t now_ns, struct qe_session *session, struct qe_tag tag)
{
	struct qe_item *item = lease_find(e, session, tag);

	e->now_ns = now_ns;
	if (!item)
		return QE_STALE;
	finish_lease(e, item);
	return QE_OK;
}

enum qe_result
qe_task_done(struct qe *e, uint64_t now_ns, struct qe_session *session,
	     struct qe_name queue)
{
	struct queue *q = queue_ask(e, queue);
	struct holding *h = q ? holding_find(e, session, q) : NULL;
	struct list *first = h ? list_first(&h->leases) : NULL;

	e->now_ns = now_ns;
	if (!q && !queue_name_valid(queue))
		return QE_INVALID;
	if (!first)
		return QE_NOT_LEASED;
	finish_lease(e, list_entry(first, struct qe_item, node));
	return QE_OK;
}
