/* SPDX-License-Identifier: MIT
 *
 * What must be true, judged from what clients asked and were told, and from when the
 * broker ended and how. Where it cannot be known what became of something, both are
 * allowed.
 */
#include <string.h>

#include "tests/sim/sim.h"

/* --- bodies ---------------------------------------------------------------------- */

struct label {
	uint32_t seed, item;
};

size_t
check_body(unsigned item, uint8_t *ret)
{
	struct label label = {(uint32_t)sim->o.seed, item};
	unsigned len = sim->items[item].len;

	memcpy(ret, &label, sizeof(label));
	for (unsigned i = sizeof(label); i < len; i++)
		ret[i] = (uint8_t)(item * 31 + i * 7);
	return len;
}

static unsigned
item_of(const uint8_t *body, size_t len)
{
	static uint8_t expected[SIM_BODY_MAX];
	struct label label = {0, 0};

	if (len >= sizeof(label))
		memcpy(&label, body, sizeof(label));
	if (label.seed != (uint32_t)sim->o.seed || label.item >= sim->n_items)
		wrong("a body of %zu bytes that nobody has put", len);
	if (len != check_body(label.item, expected) || memcmp(body, expected, len) != 0)
		wrong("the body of item %u has changed", label.item);
	return label.item;
}

/* --- puts ------------------------------------------------------------------------ */

void
check_new_item(struct sim_client *c, struct sim_item item)
{
	item.producer = c->number;
	item.put_queue = item.queue;
	item.incarnation = c->incarnation;
	item.plain = item.ready_ns == 0 && !item.end_is_death;
	item.holder = -1;
	item.before_delete = check_coming(&sim->queues[item.queue].deletes);
	item.gone = check_may_be_taken(&item) ? SIM_MAYBE_GONE : SIM_THERE;
	item.end_ns = item.ttl_ms ? sim->now_ns + item.ttl_ms * MS : SIM_NEVER;
	item.end_by_ns = SIM_NEVER;
	item.may_move = item.ever_moved =
		check_may_leave_by_death(&item) ||
		(item.queue == SIM_SOURCE && check_coming(&sim->queues[SIM_SOURCE].moves));
	item.body.of = sim->n_items;
	item.key.until_ns = sim->now_ns + item.key.window_ns;
	item.key.until_by_ns = SIM_NEVER;
	sim->items[sim->n_items++] = item;
}

void
check_again(const struct sim_request *r)
{
	for (unsigned i = 0; r->item >= 0 && i < r->n; i++)
		sim->items[(unsigned)r->item + i].again |= r->asked_life != sim->life;
}

/* For a client a broker without its old epoch is another one. */
static bool
had_id(const struct sim_item *item, uint64_t id)
{
	return item->was_id == id && item->was_epoch == sim->epoch;
}

static void
has_id(unsigned n, uint64_t id)
{
	struct sim_item *item = &sim->items[n];

	if (item->id == id)
		return;
	if (item->id != 0)
		wrong("item %u was put twice: as %u and %u", n, (unsigned)item->id,
		      (unsigned)id);
	for (unsigned i = 0; i < sim->n_items; i++)
		if (i != n && (sim->items[i].id == id || had_id(&sim->items[i], id)))
			wrong("the id %u is that of item %u and of item %u",
			      (unsigned)id, i, n);
	/* It was lost, and is put again: what was taken was the one before. */
	if (item->was_id && !had_id(item, id) && item->gone == SIM_GONE)
		item->gone = SIM_MAYBE_GONE;
	item->id = item->was_id = id;
	item->was_epoch = sim->epoch;
}

void
check_changed(unsigned queue)
{
	sim->queues[queue].empty = false;
	sim->queues[queue].changed_step = sim->step;
	if (sim->o.heirs && queue == SIM_SOURCE)
		sim->queues[SIM_TARGET].empty = false;
}

void
check_body_is_there(struct sim_body *body)
{
	if (body->put != SIM_CONFIRMED)
		body->step = sim->step;
	body->put = SIM_CONFIRMED;
}

/* It is there now. */
static void
is_there(struct sim_item *item)
{
	if (item->put != SIM_CONFIRMED || item->may_be_lost)
		item->put_step = sim->step;
	item->put = SIM_CONFIRMED;
	item->may_be_lost = false;
	check_body_is_there(&item->body);
	check_changed(item->queue);
}

static bool
is_too_big(const struct sim_request *r, const struct sim_queue *q)
{
	return (q->maxsize && r->n > q->maxsize) ||
	       (q->max_bytes && check_bytes_asked(r) > q->max_bytes);
}

/* Why there may be no room, or the wait for it may end. */
static bool
may_be_refused(const struct sim_request *r, const struct sim_item *item,
	       enum qp_status status)
{
	if (status == QP_DUPLICATE)
		return item->key.rejects || item->key.replaces;
	if (status == QP_DELETED)
		return check_may_be_deleted(r);
	if (status == QP_CANCELLED)
		return item->group && item->gone != SIM_THERE;
	if (status == QP_NOSPACE)
		return sim->queues[r->queue].mode != SIM_MEMORY &&
		       sim->fault_life >= r->asked_life;
	if (status == QP_TOO_BIG)
		return is_too_big(r, &sim->queues[r->queue]);
	return status == QP_FULL; /* whether it may be said why, see work.c */
}

static void
is_refused(const struct sim_request *r, struct sim_item *item, unsigned n,
	   enum qp_status status)
{
	if (!may_be_refused(r, item, status))
		wrong("item %u was refused: %s", n, qp_status_name(status));
	if (item->put == SIM_CONFIRMED && !item->may_be_lost)
		wrong("item %u was refused, and is there", n);
	item->put = SIM_REFUSED;
	item->refused_step = sim->step;
	if (status == QP_DUPLICATE && item->queue != SIM_QUEUES)
		check_duplicate(r, n, 0);
}

/* --- keys ------------------------------------------------------------------------ */

static bool
has_this_key(const struct sim_item *item, const struct sim_item *other)
{
	return item != other && item->queue != SIM_QUEUES &&
	       item->put_queue == other->put_queue && /* also if it was moved */
	       item->key.name == other->key.name;
}

/* For certain, and since before this was asked for. */
static bool
keeps_its_key(const struct sim_request *r, const struct sim_item *item)
{
	if (item->put != SIM_CONFIRMED || item->put_step >= r->asked_step ||
	    item->may_be_lost || item->before_delete || item->ever_moved)
		return false;
	if (sim->now_ns < item->key.until_ns)
		return true;
	return !item->key.queued && item->gone == SIM_THERE &&
	       !check_may_be_dead(item) && !check_may_have_ended(item);
}

/* It was accepted: nobody else has its key. */
static void
has_its_key(const struct sim_request *r, unsigned n)
{
	for (unsigned i = 0; sim->items[n].key.name && i < sim->n_items; i++)
		if (has_this_key(&sim->items[i], &sim->items[n]) &&
		    keeps_its_key(r, &sim->items[i]))
			wrong("item %u is accepted with the key of item %u", n, i);
}

bool
check_key_is_known(unsigned queue, unsigned key)
{
	for (unsigned i = 0; i < sim->n_items; i++) {
		const struct sim_item *item = &sim->items[i];

		if (item->key.name == key && item->put_queue == queue &&
		    !item->answered)
			return false;
	}
	return true;
}

/* It may have it. */
static bool
could_have_key(const struct sim_request *r, const struct sim_item *item)
{
	if (item->put == SIM_REFUSED)
		return false;
	/* Whose group was cancelled may be held. */
	return item->gone != SIM_GONE || item->taken ||
	       item->gone_step >= r->asked_step || item->key.until_by_ns >= r->asked_ns;
}

/* --- bodies that replace others ---------------------------------------------------- */

static const struct sim_hold *
hold_of(const struct sim_client *c, unsigned item)
{
	for (unsigned i = 0; i < c->n_holds; i++)
		if (c->holds[i].item == item)
			return &c->holds[i];
	return NULL;
}

/* The other item with the same key that has this id, or had it before the broker ended; `n`: there is none. */
static unsigned
with_id(unsigned n, uint64_t id)
{
	const struct sim_item *item = &sim->items[n];

	for (unsigned i = 0; i < sim->n_items; i++) {
		const struct sim_item *other = &sim->items[i];

		if (i != n && other->put_queue == item->put_queue &&
		    other->body.of == i && other->key.name == item->key.name &&
		    (other->id == id || (other->id == 0 && had_id(other, id))))
			return i;
	}
	return n;
}

/* It is not the body of another item any more. */
static void
is_its_own(unsigned n)
{
	struct sim_item *item = &sim->items[n];

	item->queue = item->put_queue;
	item->body.of = n;
	item->before_delete = true;
	item->gone = SIM_MAYBE_GONE;
}

/* That it has replaced a body was forgotten by a broker that ended, and it is put again, of another one: it
 * is the body of what has this id now. The ids of all that could have it are known (check_key_is_known()). */
static bool
is_put_anew(const struct sim_item *item, uint64_t id)
{
	const struct sim_item *other = &sim->items[item->body.of];

	return item->key.replaces && item->again && !item->answered && other->id != id &&
	       !had_id(other, id);
}

/* It was put to replace the body of another item, and that has this id. */
static unsigned
whose_body(unsigned b, uint64_t id)
{
	struct sim_item *item = &sim->items[b];
	unsigned n = item->body.of;

	if (n != b && is_put_anew(item, id))
		is_its_own(b);
	else if (n != b)
		return n;
	if (!item->key.replaces || item->id == id)
		return b;
	n = with_id(b, id);
	if (n != b) {
		trace(TRACE_REPLACED, n, b, id, 0);
		item->queue = SIM_QUEUES;
		item->body.of = n;
	}
	return n;
}

static void
is_not_held(const struct sim_request *r, unsigned n)
{
	const struct sim_item *item = &sim->items[n];
	const struct sim_client *c;
	const struct sim_hold *h;

	if (item->holder < 0 || item->given_ns >= r->asked_ns)
		return;
	c = &sim->clients[item->holder];
	h = hold_of(c, n);
	if (h && h->lease.sure && sim->now_ns < h->lease.until_ns &&
	    sim->now_ns < c->may_end_ns)
		wrong("the body of item %u is replaced, and client %u holds it", n,
		      c->number);
}

/* Those that it had before are old. */
static void
has_replaced(const struct sim_request *r, unsigned n, uint64_t id)
{
	struct sim_item *item = &sim->items[n];
	unsigned other = whose_body(n, id);

	if (other == n || sim->items[other].was_id != id)
		wrong("item %u is said to have replaced the body of %u", n,
		      (unsigned)id);
	if (!could_have_key(r, &sim->items[other]))
		wrong("item %u is said to have replaced the body of item %u", n, other);
	/* An answer is remembered for longer than what is in memory. */
	if (r->asked_life != sim->life)
		return;
	is_not_held(r, other);
	check_body_is_there(&item->body);
	for (unsigned i = 0; i < sim->n_items; i++) {
		struct sim_body *body = &sim->items[i].body;

		if (i == n || body->of != other || body->old == SIM_GONE ||
		    body->put != SIM_CONFIRMED || body->step >= r->asked_step)
			continue;
		body->old = SIM_GONE;
		body->old_step = sim->step;
	}
}

/* --- duplicates --------------------------------------------------------------- */

/* Where nobody gets, what has a key waits, unless it is a window's. */
static bool
may_be_held(const struct sim_item *item)
{
	return !sim->queues[item->queue].purged || sim->healed ||
	       item->key.window_ns > 0;
}

void
check_duplicate(const struct sim_request *r, unsigned n, uint64_t id)
{
	struct sim_item *item = &sim->items[n];
	bool found = false;

	sim->about = (int)n;
	if (item->key.replaces && id != 0)
		has_replaced(r, n, id);
	item->answered = true;
	if (item->key.replaces && id != 0)
		return;
	if (item->key.name == 0 || (item->put == SIM_CONFIRMED && !item->may_be_lost))
		wrong("item %u is said to be a duplicate, of %u", n, (unsigned)id);
	item->put = SIM_REFUSED;
	for (unsigned i = 0; i < sim->n_items; i++) {
		const struct sim_item *other = &sim->items[i];

		if (has_this_key(other, item) && could_have_key(r, other) &&
		    (!item->key.replaces || may_be_held(other)) &&
		    (id == 0 || other->id == 0 || other->id == id || other->ever_moved))
			found = true;
	}
	if (!found)
		wrong("the key of item %u is said to be that of %u", n, (unsigned)id);
}

/* --- answers to puts ------------------------------------------------------------- */

bool
check_may_be_in_memory(const struct sim_item *item)
{
	return sim->queues[item->queue].mode == SIM_MEMORY ||
	       (item->ever_moved && sim->queues[SIM_TARGET].mode == SIM_MEMORY);
}

void
check_put(struct sim_client *c, const struct sim_request *r, unsigned n, int64_t result)
{
	struct sim_item *item = &sim->items[n];
	bool lost;

	sim->about = (int)n;
	item->answered = true;
	if (result <= 0) {
		is_refused(r, item, n, (enum qp_status) - result);
		return;
	}
	trace(TRACE_ACCEPTED, c->number, n, (uint64_t)result, 0);
	if (item->queue == SIM_QUEUES && r->asked_life == sim->life)
		wrong("item %u has replaced the body of another, and is accepted", n);
	if (item->queue == SIM_QUEUES)
		is_its_own(n);
	if (item->queue == (unsigned)r->queue)
		has_id(n, (uint64_t)result);
	else if ((uint64_t)result >= item->id)
		wrong("item %u was moved before it was put", n);
	/* An answer is remembered for longer than what is in memory. */
	lost = item->may_be_lost && check_may_be_in_memory(item);
	is_there(item);
	item->may_be_lost = lost;
	if (item->ttl_ms && item->end_by_ns == SIM_NEVER &&
	    (!sim->o.heirs || item->queue == (unsigned)r->queue))
		item->end_by_ns = sim->now_ns + item->ttl_ms * MS;
	if (item->key.until_by_ns == SIM_NEVER)
		item->key.until_by_ns = sim->now_ns + item->key.window_ns;
	has_its_key(r, n);
	check_has_room(r, n);
	sim->confirmed++;
	check_not_paused(r, SIM_IN);
	/* What was refused, in an answer that was lost with the broker, is tried anew. */
	if (r->asked_life != sim->life)
		return;
	if (r->rid > c->last_put[r->queue].rid &&
	    (uint64_t)result < c->last_put[r->queue].id)
		wrong("item %u was accepted before an earlier one", n);
	c->last_put[r->queue].rid = r->rid;
	c->last_put[r->queue].id = (uint64_t)result;
}

/* --- gets ------------------------------------------------------------------------ */

static void
has_one_holder(unsigned n)
{
	const struct sim_item *item = &sim->items[n];
	struct sim_client *other;
	const struct sim_hold *h;

	if (item->holder < 0)
		return;
	other = &sim->clients[item->holder];
	h = hold_of(other, n);
	if (h && h->lease.sure && sim->now_ns < h->lease.until_ns &&
	    sim->now_ns < other->may_end_ns)
		wrong("item %u is given, and client %u holds it", n, other->number);
}

/* For the first time, by this broker: the earlier of two gets has what was put earlier. */
static void
is_in_order(struct sim_client *c, const struct sim_request *r, unsigned n)
{
	const struct sim_item *item = &sim->items[n];
	struct sim_newest *newest = &c->newest[item->queue][item->producer];

	uint64_t get = r->rid << 16;

	if (newest->get >> 16 == r->rid)
		get = newest->get + 1; /* of many items, in their order */
	/* What was refused by a broker that ended before it could say so is put behind others. */
	if (newest->life == sim->life && newest->incarnation == item->incarnation &&
	    ((newest->get < get) != (newest->id < item->id) ||
	     (!item->again && (newest->get < get) != (newest->put < n))))
		wrong("item %u is not in its order", n);
	if (!item->again)
		*newest = (struct sim_newest){get, n, item->id, item->incarnation,
					      sim->life};
}

/* The record of a lease may be lost, and the item then be given with the same tag again. What the
 * session asks for with the tag from before is then about the new lease. */
static bool
has_had(struct sim_client *c, unsigned n)
{
	for (unsigned i = 0; i < c->n_pending; i++)
		for (unsigned k = 0; c->pending[i].holds && k < c->pending[i].n; k++)
			if (c->pending[i].holds[k].item == n)
				return true;
	return hold_of(c, n) != NULL;
}

/* The reply was on its way for so long that the item has been given to somebody else since. */
static bool
is_late(struct sim_client *c, const struct sim_request *r, unsigned n,
	uint64_t delivery)
{
	const struct sim_item *item = &sim->items[n];

	if (delivery >= item->delivery)
		return false;
	if (!has_had(c, n) &&
	    (!r->lease_ms || r->asked_ns + r->lease_ms * MS > item->given_ns))
		wrong("client %d was given an item that another one held",
		      item->holder);
	return true;
}

/* Somebody has it now. */
static void
is_given(struct sim_client *c, const struct sim_request *r, unsigned n,
	 uint64_t delivery)
{
	struct sim_item *item = &sim->items[n];

	if (item->gone == SIM_GONE && (!item->taken || item->gone_step < r->asked_step))
		wrong("item %u is given after it was gone", n);
	check_given_alive(r, n);
	has_one_holder(n);
	if (item->plain && delivery == 1 && !r->again)
		is_in_order(c, r, n);
	item->holder = (int)c->number;
	item->delivery = delivery;
	item->given_ns = sim->now_ns;
}

static void
is_given_with(const struct sim_request *r, unsigned n, struct sim_body *body)
{
	if (body->put == SIM_REFUSED)
		wrong("item %u is given with a body that was refused", n);
	if (body->old == SIM_GONE && body->old_step < r->asked_step)
		wrong("item %u is given with a body that was replaced", n);
	if (body != &sim->items[n].body)
		check_body_is_there(body);
}

void
check_got(struct sim_client *c, const struct sim_request *r, uint64_t id,
	  uint64_t delivery, const uint8_t *body, size_t len)
{
	unsigned b = item_of(body, len), n = whose_body(b, id);
	struct sim_item *item = &sim->items[n];
	struct sim_lease lease = {.sure = !has_had(c, n) && !check_may_be_deleted(r),
				  .until_ns = SIM_NEVER,
				  .seq = broker_status().last_seq};

	sim->about = (int)n;
	trace(TRACE_GOT, c->number, n, id, delivery);
	sim->deliveries++;
	is_given_with(r, n, &sim->items[b].body);
	if (!check_is_in(r, n, id)) {
		lease.sure = false;
		lease.until_ns = lease.least_ns = 0;
		c->holds[c->n_holds++] =
			(struct sim_hold){n, b, id, delivery, c->epoch, lease};
		return;
	}
	if (item->put == SIM_REFUSED)
		wrong("item %u was refused, and is given", n);
	if (sim->now_ns < item->ready_ns && !check_may_be_dead(item))
		wrong("item %u is given early", n);
	if (item->end_by_ns < r->asked_ns && !check_may_have_died(item))
		wrong("item %u is given after its end", n);
	check_not_paused(r, SIM_OUT);
	has_id(n, id);
	if (!is_late(c, r, n, delivery))
		is_given(c, r, n, delivery);
	is_there(item);
	if (r->lease_ms)
		lease.until_ns = r->asked_ns + r->lease_ms * MS;
	lease.least_ns = lease.until_ns;
	c->holds[c->n_holds++] = (struct sim_hold){n, b, id, delivery, c->epoch, lease};
	check_changed(item->queue);
}
