/* SPDX-License-Identifier: MIT
 *
 * The part of qe_check() that is about those who wait: the lines of a queue, and gets that
 * stand in many of them.
 */
#include "daemon/core/any.h"
#include "daemon/core/check.h"
#include "daemon/core/extra.h"
#include "daemon/core/queue.h"
#include "daemon/core/waiter.h"

/* The place of the waiter in the queue's line, and whether its first one: there it is
 * counted. */
static const struct wait_slot *
find_place(const struct waiter *w, const struct queue *q, bool *ret_first)
{
	const struct any *any = w->request == QE_REQUEST_GET ? w->get.any : NULL;

	*ret_first = true;
	if (!any)
		return &w->slot;
	for (unsigned i = 0; i < any->n; i++) {
		const struct wait_slot *slot = &any->slots[i].slot;

		if (slot->queue == q)
			return slot;
		if (slot->queue)
			*ret_first = false;
	}
	return NULL;
}

static const char *
check_any(struct census *c, const struct any *any)
{
	unsigned lines = 0;

	for (unsigned i = 0; i < any->n; i++)
		lines += any->slots[i].slot.queue != NULL;
	HOLDS(lines > 0 && lines == any->lines, "the lines of a get are counted");
	c->memory += mem_cost(any_size(any));
	return NULL;
}

static const char *
check_get(struct census *c, const struct get *get)
{
	bool ends = get->lease_ns > 0;

	for (unsigned i = 0; get->any && i < get->any->n; i++)
		ends |= get->any->slots[i].lease_ns > 0;
	HOLDS(ends == (get->spare != NULL), "a get has a record for a lease that ends");
	HOLDS(get->args.no_ack || get->any || get->holding,
	      "a get with leases knows where they go");
	c->memory += extra_cost(get->spare);
	return get->any ? check_any(c, get->any) : NULL;
}

static const char *
check_waiter(struct census *c, const struct queue *q, enum line line,
	     const struct wait_slot *slot)
{
	const struct waiter *w = slot->waiter;
	bool first;

	HOLDS(slot->queue == q && find_place(w, q, &first) == slot,
	      "a waiter knows its queue");
	HOLDS(!w->finished && w->line == line, "a waiter stands in its line");
	HOLDS(waiter_find(c->e, w->session, w->rid) == w, "a waiter is found by rid");
	if (!first)
		return NULL;
	c->waiters++;
	c->timers += w->timer_ns != QE_NEVER;
	c->promised += w->request == QE_REQUEST_GET && !w->get.args.no_ack;
	c->memory += mem_cost(waiter_size(w));
	return w->request == QE_REQUEST_GET ? check_get(c, &w->get) : NULL;
}

const char *
check_lines(struct census *c, const struct queue *q)
{
	uint64_t waiters = 0;

	for (int line = 0; line < LINES; line++) {
		uint64_t n = 0, last_seq = 0;

		list_each (at, &q->line[line]) {
			const struct wait_slot *slot =
				list_entry(at, struct wait_slot, node);

			PASS(check_waiter(c, q, line, slot));
			HOLDS(slot->waiter->seq > last_seq,
			      "a line is in order of arrival");
			last_seq = slot->waiter->seq;
			n++;
		}
		HOLDS(q->waiting[line] == n, "a line is counted");
		waiters += n;
	}
	HOLDS(q->waiters == waiters, "the waiters of a queue are counted");
	return NULL;
}
