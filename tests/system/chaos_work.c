/* SPDX-License-Identifier: MIT
 * The chaos test's workers, which get items and finish them in all ways, and its joiners. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "tests/system/chaos_life.h"

#define HOLD 8

/* What this process holds. */
static struct held {
	qb_item *item;
	uint64_t stamp;
	unsigned queue;
} held[HOLD];
static unsigned n_held;

static void
take(qb_item *item, unsigned queue)
{
	struct chaos_event e = event(GOT, queue, 0);
	qb_result none = QB_OK;

	EXPECT(qb_item_size(item) >= sizeof(e.stamp), none);
	memcpy(&e.stamp, qb_item_body(item), sizeof(e.stamp));
	e.id = qb_item_id(item);
	e.delivery = qb_item_deliveries(item);
	write_events(&e, 1);
	held[n_held++] = (struct held){item, e.stamp, queue};
}

/* What is got while items are held is not waited for long: others wait for these. */
static qb_result
get_some(void)
{
	bool home = n_held == 0 && below(2);
	unsigned queue = home ? me.life->home : below(CHAOS_QUEUES);
	int64_t timeout = home ? QB_FOREVER : below(20);
	qb_item *items[HOLD];
	unsigned n = 0;
	qb_result result;

	if (below(2)) {
		result = qb_get(me.q, world.queues[queue], timeout, QB_MANUAL, items);
		n = result == QB_OK;
	} else {
		result = qb_get_many(me.q, world.queues[queue], timeout, QB_MANUAL,
				     HOLD - n_held, 1, 0, below(5), items, &n);
	}
	EXPECT(result == QB_OK || result == QB_EMPTY || result == QB_SHUT_DOWN, result);
	for (unsigned i = 0; result == QB_OK && i < n; i++)
		take(items[i], queue);
	return result;
}

static struct held
let_go(unsigned i)
{
	struct held h = held[i];

	memmove(&held[i], &held[i + 1], (--n_held - i) * sizeof(h));
	return h;
}

static void
tell_ack(enum chaos_event_kind kind, const struct held *h, int result)
{
	struct chaos_event e = event(kind, h->queue, h->stamp);

	e.id = qb_item_id(h->item);
	e.delivery = qb_item_deliveries(h->item);
	e.result = (int16_t)result;
	write_events(&e, 1);
}

/* task_done finishes the oldest item of the queue. */
static bool
may_say_task_done(unsigned i)
{
	for (unsigned k = 0; k < i; k++)
		if (held[k].queue == held[i].queue)
			return false;
	return below(3) == 0;
}

static void
finish_one(void)
{
	unsigned i = below(n_held);
	bool task_done = may_say_task_done(i), mute = !task_done && below(8) == 0;
	struct held h = let_go(i);
	qb_result result;

	tell_ack(ACK_BEGIN, &h, 0);
	result = task_done ? qb_task_done(me.q, world.queues[h.queue])
		 : mute	   ? qb_ack_start(me.q, h.item)
			   : qb_ack(me.q, h.item);
	EXPECT(result == QB_OK, result);
	tell_ack(ACK_END, &h, mute ? CHAOS_UNKNOWN : (int)result);
	qb_item_free(h.item);
}

static void
finish_all(void)
{
	qb_item *items[HOLD];
	qb_result result;

	for (unsigned i = 0; i < n_held; i++) {
		items[i] = held[i].item;
		tell_ack(ACK_BEGIN, &held[i], 0);
	}
	result = qb_ack_many(me.q, items, n_held);
	EXPECT(result == QB_OK, result);
	while (n_held > 0) {
		struct held h = let_go(0);

		tell_ack(ACK_END, &h, (int)result);
		qb_item_free(h.item);
	}
}

static void
release_one(void)
{
	struct held h = let_go(below(n_held));
	qb_result result = qb_release(me.q, h.item);

	EXPECT(result == QB_OK, result);
	qb_item_free(h.item);
}

void
work(void)
{
	qb_result result = QB_OK;

	while (result != QB_SHUT_DOWN || n_held > 0) {
		unsigned what = below(20);

		if (n_held == 0 || (n_held < HOLD && what < 8))
			result = get_some();
		else if (what < 16)
			finish_one();
		else if (what < 18)
			finish_all();
		else if (what < 19)
			release_one();
		else
			rest(10);
	}
}

/* --- joiners --------------------------------------------------------------------- */

static void
join_once(unsigned queue, unsigned group, int64_t timeout)
{
	struct chaos_event e = event(JOIN_BEGIN, queue, 0);
	qb_result result;

	e.group = (uint8_t)group;
	e.stamp = (uint64_t)e.at_ns;
	write_events(&e, 1);
	result = group > 0 ? qb_join_group(me.q, world.queues[queue],
					   world.groups[group], timeout)
			   : qb_join(me.q, world.queues[queue], timeout);
	EXPECT(result == QB_OK || (result == QB_TIMEOUT && timeout != QB_FOREVER),
	       result);
	e.at_ns = chaos_now_ns();
	e.kind = JOIN_END;
	e.result = (int16_t)result;
	write_events(&e, 1);
}

void
join(void)
{
	while (!is_told_to_end()) {
		unsigned queue = below(CHAOS_QUEUES);
		unsigned group = below(2) * below(1 + CHAOS_GROUPS);

		join_once(queue, group, below(2) ? QB_FOREVER : below(300));
		rest(20);
	}
}
