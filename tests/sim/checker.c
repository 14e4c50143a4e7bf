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
check_new_item(struct sim_client *c, unsigned queue, unsigned len, uint64_t ready_ns)
{
	sim->items[sim->n_items++] = (struct sim_item){
		.queue = queue,
		.len = len,
		.producer = c->number,
		.incarnation = c->incarnation,
		.ready_ns = ready_ns,
		.plain = ready_ns == 0,
		.holder = -1,
		.gone = sim->queues[queue].purging ? SIM_MAYBE_GONE : SIM_THERE,
	};
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
		if (sim->items[i].id == id)
			wrong("the id %u is that of item %u and of item %u",
			      (unsigned)id, i, n);
	item->id = id;
}

static void
has_changed(unsigned queue)
{
	sim->queues[queue].empty = false;
	sim->queues[queue].changed_step = sim->step;
}

/* It is there now. */
static void
is_there(struct sim_item *item)
{
	if (item->put != SIM_CONFIRMED || item->may_be_lost)
		item->put_step = sim->step;
	item->put = SIM_CONFIRMED;
	item->may_be_lost = false;
	has_changed(item->queue);
}

static bool
may_be_refused(void)
{
	return sim->o.disk_full || sim->o.disk_error;
}

static void
is_refused(struct sim_item *item, unsigned n, enum qp_status status)
{
	if (status != QP_NOSPACE || !may_be_refused())
		wrong("item %u was refused: %s", n, qp_status_name(status));
	if (item->put == SIM_CONFIRMED && !item->may_be_lost)
		wrong("item %u was refused, and is there", n);
	item->put = SIM_REFUSED;
}

void
check_put(struct sim_client *c, const struct sim_request *r, unsigned n, int64_t result)
{
	struct sim_item *item = &sim->items[n];
	bool lost;

	sim->about = (int)n;
	if (result <= 0) {
		is_refused(item, n, (enum qp_status) - result);
		return;
	}
	trace(TRACE_ACCEPTED, c->number, n, (uint64_t)result, 0);
	has_id(n, (uint64_t)result);
	/* An answer is remembered for longer than what is in memory. */
	lost = item->may_be_lost && sim->queues[item->queue].mode == SIM_MEMORY;
	is_there(item);
	item->may_be_lost = lost;
	sim->confirmed++;
	/* One of many that was refused, in an answer that was lost with the broker, is tried anew. */
	if (r->again && may_be_refused())
		return;
	if (r->rid > c->last_put[r->queue].rid &&
	    (uint64_t)result < c->last_put[r->queue].id)
		wrong("item %u was accepted before an earlier one", n);
	c->last_put[r->queue].rid = r->rid;
	c->last_put[r->queue].id = (uint64_t)result;
}

/* --- gets ------------------------------------------------------------------------ */

static const struct sim_hold *
hold_of(const struct sim_client *c, unsigned item)
{
	for (unsigned i = 0; i < c->n_holds; i++)
		if (c->holds[i].item == item)
			return &c->holds[i];
	return NULL;
}

static void
has_one_holder(unsigned n)
{
	const struct sim_item *item = &sim->items[n];
	const struct sim_client *other;
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
	if (newest->life == sim->life && newest->incarnation == item->incarnation &&
	    (newest->get < get) != (newest->put < n))
		wrong("item %u is not in its order", n);
	*newest = (struct sim_newest){get, n, item->incarnation, sim->life};
}

/* The record of a lease may be lost, and the item then be given with the same tag again. What the
 * session asks for with the tag from before is then about the new lease. */
static bool
has_had(const struct sim_client *c, unsigned n)
{
	for (unsigned i = 0; i < c->n_pending; i++)
		for (unsigned k = 0; c->pending[i].holds && k < c->pending[i].n; k++)
			if (c->pending[i].holds[k].item == n)
				return true;
	return hold_of(c, n) != NULL;
}

/* The reply was on its way for so long that the item has been given to somebody else since. */
static bool
is_late(const struct sim_client *c, const struct sim_request *r, unsigned n,
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

	if (item->gone == SIM_GONE)
		wrong("item %u is given after it was finished", n);
	has_one_holder(n);
	if (item->plain && delivery == 1 && !r->again)
		is_in_order(c, r, n);
	item->holder = (int)c->number;
	item->delivery = delivery;
	item->given_ns = sim->now_ns;
}

void
check_got(struct sim_client *c, const struct sim_request *r, uint64_t id,
	  uint64_t delivery, const uint8_t *body, size_t len)
{
	unsigned n = item_of(body, len);
	struct sim_item *item = &sim->items[n];
	struct sim_lease lease = {.sure = !has_had(c, n),
				  .until_ns = SIM_NEVER,
				  .seq = broker_status().last_seq};

	sim->about = (int)n;
	trace(TRACE_GOT, c->number, n, id, delivery);
	sim->deliveries++;
	if (item->queue != (unsigned)r->queue)
		wrong("item %u comes from another queue", n);
	if (item->put == SIM_REFUSED)
		wrong("item %u was refused, and is given", n);
	if (sim->now_ns < item->ready_ns)
		wrong("item %u is given early", n);
	has_id(n, id);
	if (!is_late(c, r, n, delivery))
		is_given(c, r, n, delivery);
	is_there(item);
	if (r->lease_ms)
		lease.until_ns = r->asked_ns + r->lease_ms * MS;
	c->holds[c->n_holds++] = (struct sim_hold){n, id, delivery, c->epoch, lease};
	has_changed(item->queue);
}

/* --- ends of work ---------------------------------------------------------------- */

void
check_end_asked(struct sim_client *c, const struct sim_hold *h, bool finishes)
{
	struct sim_item *item = &sim->items[h->item];

	if (item->holder == (int)c->number)
		item->holder = -1;
	if (finishes && item->gone == SIM_THERE)
		item->gone = SIM_MAYBE_GONE;
	if (!finishes)
		item->may_be_dead = true;
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
	if (!finishes)
		return;
	item->gone = SIM_GONE;
	item->gone_step = sim->step;
	has_changed(item->queue);
}

void
check_joined(struct sim_request *r)
{
	for (unsigned i = 0; i < sim->n_items; i++) {
		const struct sim_item *item = &sim->items[i];

		sim->about = (int)i;
		if (item->queue == (unsigned)r->queue && item->put == SIM_CONFIRMED &&
		    item->put_step < r->asked_step && !item->may_be_lost &&
		    !item->may_be_dead && item->gone == SIM_THERE)
			wrong("a join has ended, and item %u is unfinished", i);
	}
}

/* --- purges ---------------------------------------------------------------------- */

void
check_purge_asked(unsigned queue)
{
	sim->queues[queue].purging++;
	for (unsigned i = 0; i < sim->n_items; i++)
		if (sim->items[i].queue == queue && sim->items[i].gone == SIM_THERE)
			sim->items[i].gone = SIM_MAYBE_GONE;
}

/* Nobody gets from it before the end. */
void
check_purged(struct sim_request *r)
{
	sim->queues[r->queue].purging--;
	for (unsigned i = 0; !sim->healed && i < sim->n_items; i++) {
		struct sim_item *item = &sim->items[i];

		if (item->queue != (unsigned)r->queue || item->put != SIM_CONFIRMED ||
		    item->put_step >= r->asked_step || item->gone == SIM_GONE)
			continue;
		item->gone = SIM_GONE;
		item->gone_step = sim->step;
		item->not_counted = true;
	}
}

/* --- sessions and lives ---------------------------------------------------------- */

void
check_session_lost(struct sim_client *c)
{
	for (unsigned i = 0; i < c->n_holds; i++)
		if (sim->items[c->holds[i].item].holder == (int)c->number)
			sim->items[c->holds[i].item].holder = -1;
}

static bool
is_kept(enum sim_mode mode, enum sim_crash crash, unsigned step)
{
	return mode == SIM_SYNC ||
	       (mode == SIM_ASYNC && (crash == CRASH_KILL || step < sim->safe_step));
}

static void
crash_item(struct sim_item *item, enum sim_crash crash)
{
	enum sim_mode mode = sim->queues[item->queue].mode;

	item->delivery = 0; /* what comes from now on is not late */
	if (crash == CRASH_STOP)
		return;
	if (item->put == SIM_CONFIRMED && !is_kept(mode, crash, item->put_step)) {
		item->may_be_lost = true;
		item->id = 0;
	}
	if (item->put == SIM_ASKED && mode == SIM_MEMORY)
		item->may_be_lost = true;
	if (item->gone != SIM_THERE && mode == SIM_MEMORY)
		item->not_counted =
			true; /* the answer is remembered, the count is not */
	if (item->gone == SIM_GONE && !is_kept(mode, crash, item->gone_step))
		item->gone = SIM_MAYBE_GONE;
}

static void
crash_leases(struct sim_hold *holds, unsigned n, uint64_t kept)
{
	for (unsigned i = 0; holds && i < n; i++) {
		const struct sim_item *item = &sim->items[holds[i].item];

		if (holds[i].lease.seq > kept ||
		    sim->queues[item->queue].mode == SIM_MEMORY)
			holds[i].lease.sure = false;
	}
}

static void
crash_client(struct sim_client *c, enum sim_crash crash, uint64_t kept)
{
	uint64_t stop_ns = sim->stop_ns ? sim->stop_ns : sim->now_ns;

	if (c->may_end_ns <= sim->now_ns || c->session_seq > kept ||
	    sim->now_ns - stop_ns >= sim->o.resume_grace_ms * MS)
		c->may_end_ns = 0;
	else
		c->may_end_ns = sim->now_ns + sim->o.restart_grace_ms * MS;
	memset(c->last_put, 0, sizeof(c->last_put));
	if (crash == CRASH_STOP)
		return;
	crash_leases(c->holds, c->n_holds, kept);
	for (unsigned i = 0; i < c->n_pending; i++)
		crash_leases(c->pending[i].holds, c->pending[i].n, kept);
}

void
check_crash(enum sim_crash crash, const struct store_status *status)
{
	uint64_t kept = crash == CRASH_STOP   ? UINT64_MAX
			: crash == CRASH_KILL ? status->written
					      : status->synced;

	for (unsigned i = 0; i < sim->n_clients; i++)
		crash_client(&sim->clients[i], crash, kept);
	for (unsigned i = 0; i < sim->n_items; i++)
		crash_item(&sim->items[i], crash);
}

/* --- the end --------------------------------------------------------------------- */

static uint64_t
column(const uint8_t *rows, size_t len, const char *name)
{
	struct qp_reader r;
	uint32_t pairs;

	qp_reader_init(&r, rows, len);
	if (qp_read_array(&r) != 1)
		wrong("QUEUES has not one row");
	pairs = qp_read_map(&r);
	for (uint32_t i = 0; i < pairs && !r.failed; i++) {
		struct qp_str key = qp_read_str(&r);

		if (key.len == strlen(name) && memcmp(key.p, name, key.len) == 0)
			return qp_read_uint(&r);
		qp_read_skip(&r);
	}
	wrong("QUEUES has no %s", name);
}

static void
read_counts(struct sim_queue *q, const uint8_t *rows, size_t len)
{
	static const char *const ways[] = {"finished", "expired", "purged", "moved_out",
					   "dropped"},
				 *const states[] = {"ready", "delayed", "leased",
						    "dead"};
	uint64_t gone = 0;

	for (unsigned i = 0; i < 4; i++)
		q->there += q->states[i] = column(rows, len, states[i]);
	for (unsigned i = 0; i < 5; i++)
		gone += column(rows, len, ways[i]);
	q->accepted = column(rows, len, "accepted");
	q->finished = column(rows, len, "finished");
	if (q->accepted != gone + q->there)
		wrong("the counts of %s do not add up", q->name);
}

void
check_counts(const struct sim_request *r, const uint8_t *rows, size_t len)
{
	struct sim_queue *q = &sim->queues[r->queue];

	q->there = q->accepted = q->finished = 0;
	if (len > 0)
		read_counts(q, rows, len);
	q->empty = q->there == 0 && r->asked_step > q->changed_step;
}

bool
check_all_gone(void)
{
	for (unsigned i = 0; i < sim->o.queues; i++)
		if (!sim->queues[i].empty)
			return false;
	for (unsigned i = 0; i < sim->n_clients; i++) {
		const struct sim_client *c = &sim->clients[i];

		if (c->n_holds > 0 || (c->kind == SIM_PRODUCER && c->n_pending > 0))
			return false;
	}
	return true;
}

void
check_waiting(void)
{
	for (unsigned i = 0; i < sim->o.queues; i++)
		if (!sim->queues[i].empty)
			wrong("%s has still %u items: %u ready, %u delayed, %u leased, "
			      "%u dead",
			      sim->queues[i].name, (unsigned)sim->queues[i].there,
			      (unsigned)sim->queues[i].states[0],
			      (unsigned)sim->queues[i].states[1],
			      (unsigned)sim->queues[i].states[2],
			      (unsigned)sim->queues[i].states[3]);
	wrong("somebody does not finish what is held");
}

static void
check_queue(unsigned queue)
{
	const struct sim_queue *q = &sim->queues[queue];
	unsigned accepted = 0, asked = 0, finished = 0, ended = 0;

	for (unsigned i = 0; i < sim->n_items; i++) {
		const struct sim_item *item = &sim->items[i];

		if (item->queue != queue)
			continue;
		accepted += item->put == SIM_CONFIRMED && !item->may_be_lost;
		asked += item->put != SIM_REFUSED;
		finished += item->gone == SIM_GONE && !item->not_counted;
		ended += item->gone != SIM_THERE;
	}
	if (q->accepted < accepted || q->accepted > asked)
		wrong("%s has accepted %u items, not %u to %u", q->name,
		      (unsigned)q->accepted, accepted, asked);
	if (q->finished < finished || q->finished > ended)
		wrong("%u items of %s are finished, not %u to %u",
		      (unsigned)q->finished, q->name, finished, ended);
}

void
check_drained(void)
{
	for (unsigned i = 0; i < sim->n_items; i++) {
		const struct sim_item *item = &sim->items[i];

		sim->about = (int)i;
		if (item->put == SIM_CONFIRMED && !item->may_be_lost &&
		    item->gone == SIM_THERE)
			wrong("item %u is lost", i);
	}
	for (unsigned i = 0; i < sim->o.queues; i++)
		check_queue(i);
}
