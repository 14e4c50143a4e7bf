/* SPDX-License-Identifier: MIT
 *
 * What must be true of what clients do with the items that they hold.
 */
#include "tests/sim/sim.h"

/* The answer was remembered for longer than the item was in memory; it may have been put again. */
static bool
was_lost(const struct sim_hold *h)
{
	const struct sim_item *item = &sim->items[h->item];

	return item->id != h->id && check_may_be_in_memory(item);
}

/* --- updates --------------------------------------------------------------------- */

void
check_new_body(unsigned item, unsigned len)
{
	sim->items[sim->n_items++] = (struct sim_item){
		.queue = SIM_QUEUES, .len = len, .holder = -1, .body = {.of = item}};
}

/* It has another body for certain: the one that its holder had, and those that were there before, are old. */
static void
is_updated(const struct sim_request *r, const struct sim_hold *h)
{
	for (unsigned i = 0; i < sim->n_items; i++) {
		struct sim_body *body = &sim->items[i].body;

		if (body->of != h->item || i == (unsigned)r->item ||
		    body->old == SIM_GONE)
			continue;
		if (i != h->body &&
		    (body->put != SIM_CONFIRMED || body->step >= r->asked_step))
			continue;
		body->old = SIM_GONE;
		body->old_step = sim->step;
	}
}

/* The body alone is asked for, and the item is where it is. */
static void
check_no_room_for_update(const struct sim_request *r, const struct qp_reply *reply)
{
	unsigned queue = sim->items[r->holds[0].item].queue;
	const struct sim_queue *q = &sim->queues[queue];
	struct sim_request about = *r;

	about.queue = (int)queue;
	if (reply->status == QP_TOO_BIG) {
		if (!q->max_bytes || sim->items[r->item].len <= q->max_bytes)
			wrong("a body of %u bytes is too big for %s",
			      sim->items[r->item].len, q->name);
	} else {
		check_said_full(&about, reply);
	}
}

static bool
may_be_kept(const struct sim_item *item)
{
	return sim->queues[item->queue].mode != SIM_MEMORY ||
	       (item->ever_moved && sim->queues[SIM_TARGET].mode != SIM_MEMORY);
}

/* There is no room for it: the item is held as it was. */
static bool
is_still_held(struct sim_client *c, const struct sim_request *r,
	      const struct qp_reply *reply)
{
	struct sim_item *item = &sim->items[r->holds[0].item];
	bool full = reply->status == QP_FULL || reply->status == QP_TOO_BIG;

	if (full)
		check_no_room_for_update(r, reply);
	else if (reply->status != QP_NOSPACE || !may_be_kept(item) ||
		 sim->fault_life < r->asked_life)
		return false;
	if (item->holder < 0 && item->delivery == r->holds[0].delivery)
		item->holder = (int)c->number;
	c->holds[c->n_holds++] = r->holds[0];
	return true;
}

void
check_updated(struct sim_client *c, const struct sim_request *r,
	      const struct qp_reply *reply)
{
	enum qp_status status = reply->status;

	struct sim_body *body = &sim->items[r->item].body;
	bool sure = r->holds[0].lease.sure;

	sim->about = (int)r->holds[0].item;
	if (is_still_held(c, r, reply)) {
		body->put = SIM_REFUSED;
		return;
	}
	check_ended(c, &r->holds[0], false, status);
	if (status == QP_OK && was_lost(&r->holds[0]))
		return;
	if (status == QP_OK) {
		check_body_is_there(body);
		is_updated(r, &r->holds[0]);
	} else if (sure) {
		if (body->put == SIM_CONFIRMED)
			wrong("an update of item %u was stale, and is there",
			      r->holds[0].item);
		body->put = SIM_REFUSED;
	}
}

/* --- touches --------------------------------------------------------------------- */

static uint64_t
end_of(const struct sim_request *touch)
{
	return touch->lease_ms ? touch->asked_ns + touch->lease_ms * MS : SIM_NEVER;
}

/* Until it is answered the lease may have the old end, or the new one. */
void
check_touch_asked(struct sim_client *c, const struct sim_request *r, struct sim_hold *h)
{
	trace(TRACE_TOUCH, c->number, h->item, r->lease_ms, 0);
	if (h->lease.until_ns > end_of(r))
		h->lease.until_ns = end_of(r);
	if (h->lease.least_ns > h->lease.until_ns)
		h->lease.least_ns = h->lease.until_ns;
}

static struct sim_hold *
still_held(struct sim_client *c, const struct sim_hold *before)
{
	for (unsigned i = 0; i < c->n_holds; i++)
		if (c->holds[i].id == before->id &&
		    c->holds[i].delivery == before->delivery)
			return &c->holds[i];
	return NULL;
}

static bool
another_touch(const struct sim_client *c, const struct sim_hold *h)
{
	for (unsigned i = 0; i < c->n_pending; i++)
		if (c->pending[i].op == QP_OP_TOUCH &&
		    c->pending[i].holds[0].id == h->id)
			return true;
	return false;
}

void
check_touched(struct sim_client *c, const struct sim_request *r,
	      const struct qp_reply *reply)
{
	const struct sim_hold *before = &r->holds[0];
	const struct sim_item *item = &sim->items[before->item];
	struct sim_hold *h = still_held(c, before);
	uint64_t left_ms = QP_OPT(&reply->options, left_ms);

	/* What is sent again may come behind the end of the lease, which a later touch may have set that
	 * was carried out before. */
	if (!r->again || h)
		check_ended(c, r->again ? h : before, false, reply->status);
	if (reply->status != QP_OK)
		return;
	if (QP_GIVEN(&reply->options, left_ms) != (r->lease_ms > 0) ||
	    left_ms > r->lease_ms)
		wrong("item %u is touched for %u ms, and has %u", before->item,
		      (unsigned)r->lease_ms, (unsigned)left_ms);
	/* Unless it was put again, after a crash of which the queue in memory knows nothing. */
	if (item->taken && item->gone == SIM_GONE && item->gone_step < r->asked_step &&
	    item->put_step <= item->gone_step && !QP_OPT(&reply->options, cancelled))
		wrong("item %u is touched as if nobody had cancelled it", before->item);
	if (QP_OPT(&reply->options, cancelled) && item->gone == SIM_THERE)
		wrong("item %u is said to be cancelled", before->item);
	if (!h || another_touch(c, h))
		return;
	h->lease.until_ns = end_of(r);
	h->lease.touch_seq = broker_status().last_seq;
}

/* --- ends of work ---------------------------------------------------------------- */

void
check_end_asked(struct sim_client *c, const struct sim_hold *h, enum qp_op op)
{
	bool finishes = op == QP_OP_ACK || op == QP_OP_ACK_MANY;
	struct sim_item *item = &sim->items[h->item];

	if (item->holder == (int)c->number)
		item->holder = -1;
	if (finishes && item->gone == SIM_THERE)
		item->gone = SIM_MAYBE_GONE;
	if (op == QP_OP_BURY) { /* nothing else lets items die without an heir, but their ends */
		item->may_be_dead = true;
		item->may_move |= check_has_heir(item);
		item->ever_moved |= item->may_move;
	}
}

void
check_ended(struct sim_client *c, const struct sim_hold *h, bool finishes,
	    enum qp_status status)
{
	struct sim_item *item = &sim->items[h->item];

	sim->about = (int)h->item;
	if (status == QP_STALE) {
		if (h->lease.sure && sim->now_ns < h->lease.until_ns)
			wrong("client %u: its lease of item %u is gone", c->number,
			      h->item);
		return;
	}
	if (status != QP_OK)
		wrong("client %u: item %u cannot be ended: %s", c->number, h->item,
		      qp_status_name(status));
	if (!finishes || was_lost(h))
		return;
	if (item->gone != SIM_GONE)
		item->gone_step = sim->step;
	item->gone = SIM_GONE;
	check_changed(item->queue);
}
