/* SPDX-License-Identifier: MIT
 * The chaos test's workers, which get items and finish them in all ways, and its joiners. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "tests/system/chaos_life.h"

/* What this process holds. */
static struct held {
	qb_item *item;
	uint64_t stamp;
	unsigned queue;
} held[CHAOS_HOLD];
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
	if (queue < CHAOS_MANUAL)
		held[n_held++] = (struct held){item, e.stamp, queue};
	else
		qb_item_free(item);
}

/* Leases of one queue end, some sooner than it says, some never. */
static qb_get_options *
make_options(unsigned queue)
{
	qb_get_options *options = qb_get_options_new();

	if (queue == CHAOS_FRAGILE && below(4) == 0)
		qb_get_options_set_lease(options, 1 + below(30));
	else if (queue == CHAOS_FRAGILE && below(4) == 0)
		qb_get_options_set_lease(options, QB_FOREVER);
	return options;
}

/* From this queue or those before and behind it. */
static qb_result
get_from_any(int64_t timeout, qb_item **ret, unsigned *ret_queue)
{
	unsigned first = below(*ret_queue + 1), which = 0;
	unsigned n = *ret_queue + 1 - first + below(CHAOS_MANUAL - *ret_queue);
	qb_any_mode mode = below(2) ? QB_STRICT : QB_ROUND_ROBIN;
	qb_result result = qb_get_any(me.q, &world.queues[first], n, mode, NULL,
				      timeout, QB_MANUAL, ret, &which);

	*ret_queue = first + which;
	return result;
}

static void
batch_was_got(qb *q, uint64_t request, qb_result result, qb_item *const *items,
	      unsigned n, void *arg)
{
	EXPECT(result == QB_OK || result == QB_EMPTY || result == QB_SHUT_DOWN, result);
	for (unsigned i = 0; i < n; i++)
		take(items[i], *(unsigned *)arg);
}

/* Two batches at the same time. */
static qb_result
get_batches(unsigned queue, const qb_get_options *options, int64_t timeout,
	    qb_ack_mode ack)
{
	qb_result result;

	for (int i = 0; i < 2; i++) {
		result = qb_start_get_many(me.q, world.queues[queue], options, timeout,
					   ack, CHAOS_HOLD / 2, 1, 0, below(5),
					   batch_was_got, &queue, NULL);
		EXPECT(result == QB_OK, result);
	}
	result = qb_wait(me.q, QB_FOREVER);
	EXPECT(result == QB_OK, result);
	return result;
}

/* What is got while items are held is not waited for long: others wait for these. */
static qb_result
get_some(void)
{
	bool home = n_held == 0 && below(2);
	unsigned queue = home ? me.life->home : below(CHAOS_QUEUES);
	int64_t timeout = home ? QB_FOREVER : below(20);
	qb_ack_mode ack = queue == CHAOS_AUTO	? QB_AUTO
			  : queue == CHAOS_NONE ? QB_NONE
						: QB_MANUAL;
	qb_get_options *options = make_options(queue);
	qb_item *items[CHAOS_HOLD];
	unsigned n = 1, how = below(5);
	qb_result result;

	if (how == 4 && n_held == 0) {
		result = get_batches(queue, options, below(20), ack);
		qb_get_options_free(options);
		return result;
	}

	if (how == 0 && queue < CHAOS_MANUAL)
		result = get_from_any(timeout, items, &queue);
	else if (how < 2)
		result = qb_get_with(me.q, world.queues[queue], options, timeout, ack,
				     items);
	else
		result = qb_get_many_with(me.q, world.queues[queue], options, timeout,
					  ack, CHAOS_HOLD - n_held, 1, 0, below(5),
					  items, &n);
	qb_get_options_free(options);
	EXPECT(result == QB_OK || result == QB_EMPTY || result == QB_SHUT_DOWN, result);
	for (unsigned i = 0; result == QB_OK && i < n; i++)
		take(items[i], queue);
	return result;
}

/* Only a lease that has an end can be over. */
static void
expect_held(const struct held *h, qb_result result)
{
	EXPECT(result == QB_OK || (result == QB_STALE && h->queue == CHAOS_FRAGILE),
	       result);
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
	if (held[i].queue == CHAOS_FRAGILE) /* it may be gone */
		return false;
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
	expect_held(&h, result);
	tell_ack(ACK_END, &h, mute ? CHAOS_UNKNOWN : (int)result);
	qb_item_free(h.item);
}

static void
finish_all(void)
{
	qb_item *items[CHAOS_HOLD];
	bool fragile = false;
	qb_result result;

	for (unsigned i = 0; i < n_held; i++) {
		fragile |= held[i].queue == CHAOS_FRAGILE;
		items[i] = held[i].item;
		tell_ack(ACK_BEGIN, &held[i], 0);
	}
	result = qb_ack_many(me.q, items, n_held);
	EXPECT(result == QB_OK || (result == QB_STALE && fragile), result);
	while (n_held > 0) {
		struct held h = let_go(0);

		tell_ack(ACK_END, &h, result == QB_OK ? QB_OK : CHAOS_UNKNOWN);
		qb_item_free(h.item);
	}
}

static void
give_back_one(void)
{
	struct held h = let_go(below(n_held));
	int64_t delay = below(2) ? QB_RETRY : (int64_t)below(30);
	unsigned how = below(h.queue == CHAOS_FRAGILE ? 3 : 2);
	qb_result result;

	if (how == 2)
		tell_ack(BURY_BEGIN, &h, 0);
	result = how == 0   ? qb_release(me.q, h.item)
		 : how == 1 ? qb_nack(me.q, h.item, delay, "chaos", below(2) == 0)
			    : qb_bury(me.q, h.item, "chaos");
	expect_held(&h, result);
	qb_item_free(h.item);
}

static void
touch_one(void)
{
	unsigned i = below(n_held);
	struct held h = held[i];
	int64_t lease = h.queue == CHAOS_FRAGILE ? below(200) : 0;
	qb_result result = qb_touch(me.q, h.item, lease, NULL, NULL);

	expect_held(&h, result);
	if (result == QB_STALE)
		qb_item_free(let_go(i).item);
}

void
work(void)
{
	qb_result result = QB_OK;

	while (result != QB_SHUT_DOWN || n_held > 0) {
		unsigned what = below(24);

		if (n_held == 0 || (n_held < CHAOS_HOLD && what < 8))
			result = get_some();
		else if (what < 16)
			finish_one();
		else if (what < 18)
			finish_all();
		else if (what < 20)
			give_back_one();
		else if (what < 22)
			touch_one();
		else
			rest(what == 22 ? 10 : 150);
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
