/* SPDX-License-Identifier: MIT
 *
 * qe_check(): everything that must hold between two calls, counted again from nothing.
 * It only looks.
 */
#include "daemon/core/check.h"

#include "daemon/core/group.h"
#include "daemon/core/policy.h"
#include "daemon/core/queue.h"
#include "daemon/core/session.h"
#include "daemon/core/settle.h"
#include "daemon/core/sweep.h"
#include "daemon/core/timing.h"
#include "daemon/core/waiter.h"
#include "daemon/core/watch.h"

static const char *
check_timing(const struct qe_item *item, struct sum *sum)
{
	const struct extra *x = item->extra;
	bool leased = item->state == ITEM_LEASED;

	HOLDS(x || item->state != ITEM_DELAYED, "who is delayed knows until when");
	if (!x)
		return NULL;
	HOLDS(x->item == item, "a record of times knows its item");
	HOLDS(x->due_ns == timing_due(x), "a timer is set to what comes first");
	HOLDS(leased || (x->ends_ns == QE_NEVER && x->lease_ns == 0),
	      "only leases end");
	HOLDS(x->warn_ns == QE_NEVER || x->warn_ns <= x->ends_ns,
	      "a notice comes before the end");
	sum->due += x->due_ns != QE_NEVER;
	return NULL;
}

const char *
check_item(const struct queue *q, const struct qe_item *item, enum item_state state,
	   struct sum *sum)
{
	HOLDS(item->state == state, "an item's state is that of its set");
	HOLDS(item_queue(item) == q, "an item points to its queue");
	PASS(check_timing(item, sum));
	HOLDS(item->refs > 0, "an accepted item is referenced");
	HOLDS(!item->absent || q->durable, "a body that is away is in the store");
	sum->n++;
	sum->bytes += item->body_len;
	sum->cost += item_cost(item);
	return NULL;
}

static const char *
check_ready(const struct queue *q, const struct qe_item *item, bool sorted,
	    struct sum *sum)
{
	PASS(check_item(q, item, ITEM_READY, sum));
	HOLDS(item->sorted == sorted, "a ready item knows which set it is in");
	HOLDS(sorted || item->id > sum->last_id, "fresh items are in order");
	HOLDS(sorted || item->deliveries == 0, "fresh items were never delivered");
	HOLDS(sorted || q->order != QE_PRIORITY, "priorities are sorted");
	sum->last_id = item->id;
	return NULL;
}

static const char *
check_sorted(const struct queue *q, const struct heap_node *node, struct sum *sum)
{
	if (!node)
		return NULL;
	PASS(check_sorted(q, node->left, sum));
	PASS(check_ready(q, list_entry(node, const struct qe_item, heap), true, sum));
	return check_sorted(q, node->right, sum);
}

static const char *
check_ready_set(struct census *c, const struct queue *q)
{
	struct sum fresh = {0}, sorted = {0}, delayed = {0};

	list_each (at, &q->fresh)
		PASS(check_ready(q, list_entry(at, const struct qe_item, node), false,
				 &fresh));
	PASS(check_sorted(q, q->sorted.root, &sorted));
	PASS(check_sorted(q, q->sorted.young, &sorted));
	HOLDS(heap_check(&q->sorted) == sorted.n, "the sorted items are in order");
	PASS(check_groups(c, q, &sorted, &delayed));
	HOLDS(q->count[ITEM_READY] == fresh.n + sorted.n, "ready items are counted");
	list_each (at, &q->delayed)
		PASS(check_item(q, list_entry(at, const struct qe_item, node),
				ITEM_DELAYED, &delayed));
	HOLDS(q->count[ITEM_DELAYED] == delayed.n, "delayed items are counted");
	HOLDS(q->delayed_bytes == delayed.bytes, "delayed bodies are counted");
	HOLDS(q->bytes == fresh.bytes + sorted.bytes + delayed.bytes,
	      "bodies are counted");
	HOLDS(q->cost == fresh.cost + sorted.cost + delayed.cost, "memory is counted");
	HOLDS(heap_check(&q->due) != (size_t)-1, "what is due is in order");
	c->timed += heap_check(&q->due);
	c->timers_set += fresh.due + sorted.due + delayed.due;
	c->cost += q->cost;
	return NULL;
}

static const char *
check_dead(struct census *c, const struct queue *q)
{
	struct sum dead = {0};
	uint64_t plain = 0;

	list_each (at, &q->dead) {
		const struct qe_item *item = list_entry(at, const struct qe_item, node);

		PASS(check_item(q, item, ITEM_DEAD, &dead));
		HOLDS(item->death != QE_ALIVE, "a dead item knows why");
		plain += !item->extra;
	}
	HOLDS(q->count[ITEM_DEAD] == dead.n, "dead items are counted");
	HOLDS(q->dead_cost == dead.cost, "dead memory is counted");
	HOLDS(q->dead_plain == plain, "dead items without a record are counted");
	HOLDS(heap_check(&q->dead_ids) + plain == dead.n, "dead items have an id");
	c->cost += dead.cost;
	return NULL;
}

static const char *
check_due(struct census *c, const struct queue *q)
{
	const struct heap *heaps[] = {&q->due, &q->ends};
	uint64_t first_ns = QE_NEVER, due_ns;

	for (int i = 0; i < 2; i++) {
		if (!heaps[i]->first)
			continue;
		due_ns = list_entry(heaps[i]->first, const struct extra, node)->due_ns;
		if (due_ns < first_ns)
			first_ns = due_ns;
	}
	if (timing_dead_due(q) < first_ns)
		first_ns = timing_dead_due(q);
	HOLDS(q->due_ns == first_ns, "a queue knows what is due first");
	c->due += first_ns != QE_NEVER;
	return NULL;
}

/* So many leased items are in groups, and were cancelled. */
static const char *
check_grouped_leases(const struct qe *e, const struct queue *q, uint64_t n,
		     uint64_t marked)
{
	const struct list *lists[] = {&q->groups, &e->purged};

	for (int i = 0; i < 2; i++)
		list_each (at, lists[i]) {
			const struct group *g = list_entry(at, struct group, in_queue);

			n -= g->queue == q ? g->count[ITEM_LEASED] : 0;
			marked -= g->queue == q ? g->marked : 0;
		}
	HOLDS(n == 0 && marked == 0, "leased items of groups are counted");
	return NULL;
}

static const char *
check_holdings(struct census *c, const struct queue *q)
{
	const struct qe *e = c->e;
	struct sum leased = {0};
	uint64_t grouped = 0, marked = 0;

	list_each (at, &q->holdings) {
		const struct holding *h = list_entry(at, struct holding, in_queue);

		HOLDS(h->queue == q, "a holding points to its queue");
		HOLDS(h->pins > 0 || !list_empty(&h->leases) ||
			      h == h->session->recent || q->deleted,
		      "a holding is needed");
		HOLDS(holding_find(e, h->session, q) == h, "a holding is found");
		c->memory += mem_cost(sizeof(*h));
		list_each (lease, &h->leases) {
			const struct qe_item *item =
				list_entry(lease, struct qe_item, node);

			PASS(check_item(q, item, ITEM_LEASED, &leased));
			HOLDS(item_holding(item) == h, "a lease points to its holding");
			HOLDS(item->deliveries > 0, "a leased item was delivered");
			HOLDS(table_find(&e->leases, item_hash(e, item->id), item_match,
					 &item->id) == item,
			      "a lease is found by its id");
			grouped += item_group(item) != NULL;
			marked += group_cancelled(item);
		}
	}
	c->leases += leased.n;
	PASS(check_grouped_leases(c->e, q, grouped, marked));
	if (q->deleted)
		return NULL;
	HOLDS(q->count[ITEM_LEASED] == leased.n, "leased items are counted");
	HOLDS(q->leased_cost == leased.cost, "leased memory is counted");
	HOLDS(heap_check(&q->ends) == leased.due,
	      "leases with an end are in the heap for it");
	c->cost += leased.cost;
	return NULL;
}

/* Nobody waits who could be served. */
static const char *
check_settled(struct census *c, const struct queue *q)
{
	const struct waiter *put = waiter_first(q, LINE_PUT);
	const struct waiter *many = waiter_first(q, LINE_GET_MANY);
	uint64_t ready = queue_given(q);
	enum qe_result why = put ? put_blocked(c->e, q, &put->put) : QE_OK;

	HOLDS(ready == 0 || q->waiting[LINE_GET] == 0 || queue_first(q)->absent,
	      "no get waits beside an item");
	HOLDS(!many || !get_ripe(&many->get, ready) || queue_first(q)->absent,
	      "no get of many waits for nothing");
	HOLDS(!many || many->lingers == (ready >= many->get.args.min_items),
	      "a get of many lingers when it has its fewest");
	HOLDS(!put || (why != QE_OK && why != QE_TOO_BIG), "no put waits beside room");
	HOLDS(queue_unfinished(q) > 0 || q->waiting[LINE_JOIN] == 0,
	      "no join waits for nothing");
	HOLDS(q->shutdown == QE_OPEN || q->waiting[LINE_PUT] == 0,
	      "no put waits after a shutdown");
	HOLDS(!queue_drained(q) || q->waiters == q->waiting[LINE_JOIN],
	      "only joins wait when nothing will come");
	HOLDS(list_empty(&q->starving) == (why != QE_FULL_MEMORY),
	      "who waits for memory is on the list for it");
	HOLDS(list_empty(&q->touched), "no queue is left unsettled");
	HOLDS(list_empty(&q->woken), "no join of a group waits for nothing");
	c->starving += why == QE_FULL_MEMORY;
	return NULL;
}

static const char *
check_queue(struct census *c, const struct queue *q)
{
	const struct qe_counters *n = &q->counters;
	uint64_t left = 0;

	for (int state = 0; state < ITEM_STATES; state++) {
		left += q->count[state];
		c->count[state] += q->count[state];
	}
	HOLDS(n->accepted == n->finished + n->expired + n->purged + n->moved_out +
				     n->dropped + left,
	      "no item of a queue appears or disappears");
	c->memory += mem_cost(queue_alloc_size(q));
	PASS(check_ready_set(c, q));
	PASS(check_dead(c, q));
	PASS(check_due(c, q));
	PASS(check_holdings(c, q));
	PASS(check_lines(c, q));
	PASS(check_keys(c, q));
	return check_settled(c, q);
}

static const char *
check_queues(struct census *c, const struct heap_node *node, uint64_t *n)
{
	if (!node)
		return NULL;

	const struct queue *q = list_entry(node, const struct queue, by_serial);

	++*n;
	HOLDS(!q->deleted, "a queue with a name is not deleted");
	HOLDS(queue_find(c->e, (struct qe_name){q->name, q->name_len}) == q,
	      "a queue is found by its name");
	PASS(check_queue(c, q));
	PASS(check_queues(c, node->left, n));
	return check_queues(c, node->right, n);
}

static uint64_t
list_count(const struct list *head)
{
	uint64_t n = 0;

	list_each (at, head)
		n++;
	return n;
}

static const char *
check_session(struct census *c, const struct qe_session *session)
{
	uint64_t waiting = 0, leased = 0;

	c->memory += mem_cost(sizeof(*session));
	if (session->name)
		c->memory += mem_cost(sizeof(*session->name));
	list_each (at, &session->waiters) {
		const struct waiter *w = list_entry(at, struct waiter, in_session);

		HOLDS(w->session == session, "a waiter points to its session");
		waiting += !w->finished;
		c->finished += w->finished;
		if (w->finished)
			c->memory += mem_cost(waiter_size(w));
	}
	HOLDS(session->waiting == waiting, "the waiters of a session are counted");
	list_each (at, &session->holdings) {
		HOLDS(list_entry(at, struct holding, in_session)->session == session,
		      "a holding points to its session");
		c->holdings++;
		leased +=
			list_count(&list_entry(at, struct holding, in_session)->leases);
	}
	HOLDS(session->leased == leased, "the leases of a session are counted");
	return NULL;
}

static const char *
check_sessions(struct census *c)
{
	uint64_t n = 0;

	list_each (at, &c->e->sessions) {
		PASS(check_session(c, list_entry(at, struct qe_session, in_engine)));
		n++;
	}
	HOLDS(heap_check(&c->e->serials) == n, "sessions are in order");
	HOLDS(n == c->e->n_sessions && n == c->e->ids.n, "sessions are counted");
	list_each (at, &c->e->ended) {
		const struct qe_session *session =
			list_entry(at, struct qe_session, in_engine);

		HOLDS(list_empty(&session->waiters), "no request outlives its session");
		PASS(check_session(c, session));
	}
	return NULL;
}

static const char *
check_deleted(struct census *c)
{
	const struct list *lists[] = {&c->e->deleted, &c->e->emptied};

	for (int i = 0; i < 2; i++)
		list_each (at, lists[i]) {
			const struct queue *q = list_entry(at, struct queue, ending);

			HOLDS(q->deleted && q->waiters == 0,
			      "nobody waits for a deleted queue");
			PASS(check_queue(c, q));
		}
	return NULL;
}

static const char *
check_tables(struct census *c)
{
	const struct qe *e = c->e;
	const struct table *tables[] = {&e->names, &e->ids,    &e->leases, &e->holdings,
					&e->rids,  &e->groups, &e->keys};

	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
		const struct table *t = tables[i];

		HOLDS(table_check(t), "a table is sound");
		c->memory += table_cost(t);
	}
	HOLDS(e->names.n == e->n_queues, "the table of names is complete");
	HOLDS(e->leases.n == c->leases, "the table of leases is complete");
	HOLDS(e->leases.promised == c->promised, "waiting gets have their leases kept");
	HOLDS(e->holdings.n == c->holdings, "the table of holdings is complete");
	HOLDS(e->rids.n == c->waiters, "the table of waiting requests is complete");
	HOLDS(e->groups.n == c->groups, "the table of groups is complete");
	HOLDS(e->keys.n == c->keys, "the table of keys is complete");
	return NULL;
}

static const char *
check_totals(const struct census *c)
{
	const struct qe *e = c->e;
	const struct qe_counters *n = &e->counters;
	uint64_t left = 0;

	for (int state = 0; state < ITEM_STATES; state++) {
		HOLDS(e->count[state] == c->count[state], "states sum up over queues");
		left += e->count[state];
	}
	HOLDS(n->accepted == n->finished + n->expired + n->purged + n->moved_out +
				     n->dropped + left,
	      "no item appears or disappears");
	HOLDS(e->n_waiters == c->waiters, "waiters are counted");
	HOLDS(heap_check(&e->timers) == c->timers, "who has a deadline has a timer");
	HOLDS(c->timed == c->timers_set,
	      "what has a time to come is in the heap for it");
	HOLDS(heap_check(&e->due) == c->due, "queues with times are in their heap");
	HOLDS(list_count(&e->starving) == c->starving, "who starves is listed once");
	HOLDS(list_count(&e->finished) == c->finished, "answers have a session");
	HOLDS(list_empty(&e->touched), "nothing is left unsettled");
	HOLDS(heap_check(&e->windows) == c->windows, "windows are in their heap");
	HOLDS(e->keys_cost == c->keys_cost, "the memory of keys is counted");
	HOLDS(keep_check(e), "what the log is needed for is counted");
	HOLDS(e->accepted_cost == c->cost, "the memory of items is counted");
	HOLDS(e->mem.used == c->memory + e->accepted_cost + e->other_cost +
				     e->answers_cost + e->callers_cost +
				     policy_cost(e) + keep_cost(e) + mem_cost(sizeof(*e)),
	      "all memory is counted");
	return NULL;
}

const char *
qe_check(const struct qe *e)
{
	struct census c = {.e = e};
	uint64_t n = 0;

	HOLDS(heap_check(&e->queues) == e->n_queues, "the heap of queues is sound");
	PASS(check_queues(&c, e->queues.root, &n));
	PASS(check_queues(&c, e->queues.young, &n));
	HOLDS(n == e->n_queues, "queues are counted");
	PASS(check_deleted(&c));
	PASS(check_sessions(&c));
	PASS(check_left_groups(&c));
	c.memory += e->events ? mem_cost(watch_size(e)) : 0;
	PASS(check_tables(&c));
	return check_totals(&c);
}
