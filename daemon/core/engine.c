/* SPDX-License-Identifier: MIT
 *
 * The engine as a whole: making and freeing it, its limits, its sizes, its clock. The
 * verbs are elsewhere: doc/architecture.md says where.
 */
#include "daemon/core/any.h"
#include "daemon/core/engine_int.h"
#include "daemon/core/join.h"
#include "daemon/core/policy.h"
#include "daemon/core/queue.h"
#include "daemon/core/restore.h"
#include "daemon/core/session.h"
#include "daemon/core/settle.h"
#include "daemon/core/sweep.h"
#include "daemon/core/timing.h"
#include "daemon/core/unique.h"
#include "daemon/core/waiter.h"
#include "daemon/core/watch.h"

#include <limits.h>

#define SHARE_NS  200000 /* of sweep(), unless qe_set_share() says otherwise */
#define DUE_SHARE 1000		    /* waits that one qe_tick() ends */
#define LATE_NS	  UINT64_C(1000000) /* what is late is looked at again */

static bool
queue_serial_before(const struct heap_node *a, const struct heap_node *b)
{
	return list_entry(a, const struct queue, by_serial)->serial <
	       list_entry(b, const struct queue, by_serial)->serial;
}

static void
init_sets(struct qe *e)
{
	struct table *tables[] = {&e->names, &e->ids,	 &e->leases, &e->holdings,
				  &e->rids,  &e->groups, &e->keys};
	struct list *lists[] = {&e->sessions, &e->finished, &e->touched, &e->starving,
				&e->ended,    &e->deleted,  &e->emptied, &e->purged,
				&e->trash,    &e->orphans};

	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		table_init(tables[i], &e->mem);
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		list_init(lists[i]);
	heap_init(&e->queues, queue_serial_before);
	heap_init(&e->serials, session_before);
	heap_init(&e->timers, waiter_timer_before);
	heap_init(&e->due, timing_queue_before);
	heap_init(&e->windows, unique_before);
	pool_init(&e->bare, &e->mem, offsetof(struct qe_item, body));
	keep_init(e);
	bodies_init(&e->bodies);
}

struct qe *
qe_new(const struct qe_config *config)
{
	struct qe *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->mem.used = mem_cost(sizeof(*e));
	e->share_ns = SHARE_NS;
	/* Clients know the epoch, but not where this process has its memory. */
	e->key.k0 = hash_mix(config->epoch ^ (uintptr_t)e);
	e->key.k1 = hash_mix(e->key.k0 + (uintptr_t)&e + (uintptr_t)qe_new);
	init_sets(e);
	if (policy_set(e, config) != QE_OK) {
		free(e);
		return NULL;
	}
	e->policy_next = 0; /* there is no queue */
	return e;
}

static struct queue *
first_queue(const struct qe *e)
{
	struct heap_node *first = e->queues.first;

	return first ? list_entry(first, struct queue, by_serial) : NULL;
}

void
qe_free(struct qe *e)
{
	struct queue *q;
	struct list *at;

	if (!e)
		return;
	/* What it takes leave of stays in the store. */
	e->keep.lost = "the engine has ended";
	restore_abandon(e);
	while ((at = list_first(&e->sessions)))
		qe_session_end(e, e->now_ns,
			       list_entry(at, struct qe_session, in_engine),
			       QE_END_CLOSED);
	while ((q = first_queue(e)))
		(void)!qe_delete(e, e->now_ns, (struct qe_name){q->name, q->name_len},
				 true);
	while (sweep_left(e))
		sweep(e);
	watch_done(e);
	keep_done(e);
	pool_done(&e->bare);
	table_done(&e->names);
	table_done(&e->ids);
	table_done(&e->leases);
	table_done(&e->holdings);
	table_done(&e->rids);
	table_done(&e->groups);
	table_done(&e->keys);
	policy_done(e);
	mem_give_back(&e->mem, LONG_MAX);
	mem_drop_spares(&e->mem);
	assert(e->mem.used == mem_cost(sizeof(*e)));
	free(e);
}

enum qe_result
qe_configure(struct qe *e, uint64_t now_ns, const struct qe_config *config)
{
	struct qe_config fresh = *config;
	enum qe_result result;

	fresh.epoch = e->config.epoch;
	fresh.can_keep = e->config.can_keep;
	result = policy_set(e, &fresh);
	e->now_ns = now_ns;
	if (result != QE_OK)
		return result;
	sweep(e);
	return QE_OK;
}

enum qe_result
qe_size(struct qe *e, struct qe_name queue, struct qe_size *ret_size)
{
	const struct queue *q = queue_ask(e, queue);
	struct qe_declare would_have = {0};

	if (!q && !queue_name_valid(queue))
		return QE_INVALID;
	if (!q)
		policy_for(e, queue, &would_have);
	*ret_size = (struct qe_size){
		.qsize = q ? queue_size(q) : 0,
		.unfinished = q ? queue_unfinished(q) : 0,
		.maxsize = q ? q->maxsize : would_have.maxsize,
	};
	return QE_OK;
}

enum qe_result
qe_queue_stats(struct qe *e, uint64_t now_ns, struct qe_name queue,
	       struct qe_queue_stats *ret_stats)
{
	const struct queue *q = queue_ask(e, queue);

	e->now_ns = now_ns;
	if (!q)
		return queue_name_valid(queue) ? QE_NOT_FOUND : QE_INVALID;
	queue_stats(e, q, ret_stats);
	return QE_OK;
}

bool
qe_next_queue(struct qe *e, uint64_t now_ns, uint64_t *cursor,
	      struct qe_queue_stats *ret_stats)
{
	struct queue probe = {.serial = *cursor + 1};
	struct heap_node *found = heap_from(&e->queues, &probe.by_serial);

	e->now_ns = now_ns;
	if (!found)
		return false;

	const struct queue *q = list_entry(found, struct queue, by_serial);

	*cursor = q->serial;
	queue_stats(e, q, ret_stats);
	return true;
}

void
qe_stats(const struct qe *e, struct qe_stats *ret_stats)
{
	*ret_stats = (struct qe_stats){
		.queues = e->n_queues,
		.sessions = e->n_sessions,
		.waiters = e->n_waiters,
		.memory = qe_memory(e),
		.ready = e->count[ITEM_READY],
		.delayed = e->count[ITEM_DELAYED],
		.leased = e->count[ITEM_LEASED],
		.dead = e->count[ITEM_DEAD],
		.absent = e->bodies.n_absent,
		.absent_bytes = e->bodies.absent_bytes,
		.counters = e->counters,
	};
}

uint64_t
qe_memory(const struct qe *e)
{
	return e->mem.used + e->mem.trash;
}

bool
qe_memory_fits(const struct qe *e, size_t bytes)
{
	uint64_t limit = e->config.memory_limit;

	return limit == 0 || e->mem.used + mem_cost(bytes) <= limit + limit / 4;
}

void
qe_memory_take(struct qe *e, size_t bytes)
{
	e->mem.used += mem_cost(bytes);
	e->callers_cost += mem_cost(bytes);
}

void
qe_memory_give(struct qe *e, size_t bytes)
{
	assert(e->callers_cost >= mem_cost(bytes));
	e->mem.used -= mem_cost(bytes);
	e->callers_cost -= mem_cost(bytes);
}

/* What is ready is given to a get that waited for more of it, or for its body; that comes, if late. */
static void
give_late(struct qe *e, struct waiter *w, struct queue *q)
{
	enum qe_result result = get_fetch(e, q, &w->get);

	if (result == QE_OK)
		waiter_give(e, w, q);
	else if (result == QE_WAIT)
		waiter_set_timer(e, w, e->now_ns + LATE_NS);
	else
		waiter_finish(e, w, result);
}

/* The body of its first item is on its way from the disk, and it is no use to look for it now. */
static bool
is_late(const struct qe *e, const struct queue *q)
{
	return q->bodies.absent > 0 && !list_empty(&q->bodies.hungry) &&
	       e->bodies.try_ns > e->now_ns && queue_given(q) > 0 &&
	       queue_first(q)->absent;
}

/* Ends a wait whose time has come. */
static void
run_out(struct qe *e, struct waiter *w)
{
	struct queue *q = w->slot.queue, *giver;

	if (q && w->request == QE_REQUEST_GET && is_late(e, q)) {
		waiter_set_timer(e, w, e->now_ns + LATE_NS);
		return;
	}
	waiter_settle_later(e, w);
	switch (w->line) {
	case LINE_GET:
	case LINE_GET_MANY:
		giver = q ? q : any_giver(w->get.any);
		if (giver && queue_given(giver) > 0)
			give_late(e, w, giver);
		else if (!q)
			waiter_finish(e, w, any_empty(w->get.any));
		else
			waiter_finish(e, w, q->paused_out ? QE_EMPTY_PAUSED : QE_EMPTY);
		break;
	case LINE_PUT:
		/* The reason is why the first in line does not move. */
		waiter_finish(e, w, put_blocked(e, q, &waiter_first(q, LINE_PUT)->put));
		break;
	case LINE_JOIN: join_due(e, w); break;
	case LINES: break;
	}
	settle(e);
}

/* The waiter whose time comes first, or NULL. */
static struct waiter *
first_timer(const struct qe *e)
{
	struct heap_node *first = e->timers.first;

	return first ? list_entry(first, struct waiter, timer) : NULL;
}

/* Lets go of keys whose time is over, and of their memory. */
static void
close_windows(struct qe *e)
{
	int closed = 0;

	while (closed < DUE_SHARE && unique_run(e))
		closed++;
	if (closed > 0)
		settle(e);
}

uint64_t
qe_tick(struct qe *e, uint64_t now_ns)
{
	struct waiter *w;

	e->now_ns = now_ns;
	/* First, so that who waits until now is still given what is ready from now on. */
	e->n_noticed = e->next_notice = 0;
	for (int i = 0; i < QE_TICK_ITEMS && timing_run(e); i++)
		;
	for (int i = 0; i < DUE_SHARE; i++) {
		w = first_timer(e);
		if (!w || w->timer_ns > now_ns)
			break;
		run_out(e, w);
	}
	close_windows(e);
	sweep(e);
	return qe_next_deadline(e);
}

void
qe_set_share(struct qe *e, uint64_t share_ns)
{
	e->share_ns = share_ns;
}

uint64_t
qe_next_deadline(const struct qe *e)
{
	const struct waiter *w = first_timer(e);
	uint64_t next_ns = timing_next(e);

	if (sweep_left(e))
		return e->now_ns;
	if (w && w->timer_ns < next_ns)
		next_ns = w->timer_ns;
	if (unique_next(e) < next_ns)
		next_ns = unique_next(e);
	if (bodies_next(e) < next_ns)
		next_ns = bodies_next(e);
	return next_ns > e->now_ns ? next_ns : e->now_ns;
}
