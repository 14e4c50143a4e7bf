/* SPDX-License-Identifier: MIT
 *
 * What is known after each end of the broker, and at the end of the run.
 */
#include <string.h>

#include "tests/sim/sim.h"

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

/* What is said of the item is kept as well as that, at least. Where an item is that a crash may have put back is not
 * known until it is given. */
static enum sim_mode
mode_of(const struct sim_item *item)
{
	enum sim_mode mode = sim->queues[item->queue].mode,
		      target = sim->queues[SIM_TARGET].mode;

	return item->may_move && item->id == 0 && target < mode ? target : mode;
}

/* It is back where it was, perhaps. */
static void
crash_move(struct sim_item *item, enum sim_crash crash)
{
	if (item->queue != SIM_TARGET || !item->ever_moved ||
	    (is_kept(sim->queues[SIM_TARGET].mode, crash, item->move_step) &&
	     is_kept(sim->queues[SIM_SOURCE].mode, crash, item->move_step)))
		return;
	item->queue = SIM_SOURCE;
	item->may_move = true;
	item->id = 0;
}

static void
crash_item(struct sim_item *item, enum sim_crash crash)
{
	enum sim_mode mode = sim->queues[item->queue].mode, least = mode_of(item);
	bool kept = is_kept(mode, crash, item->put_step);

	item->delivery = 0; /* what comes from now on is not late */
	if (crash == CRASH_STOP)
		return;
	/* The record that it goes with has its new place, too. */
	if (item->may_move)
		kept = kept && sim->queues[SIM_TARGET].mode != SIM_MEMORY;
	if (item->queue == SIM_TARGET && item->ever_moved && item->answered)
		kept = kept || (mode == SIM_ASYNC &&
				sim->queues[SIM_SOURCE].mode == SIM_SYNC);
	if (item->put == SIM_CONFIRMED && !kept) {
		item->may_be_lost = true;
		item->id = 0;
		item->end_by_ns = SIM_NEVER;
		item->key.until_by_ns = SIM_NEVER;
	}
	if (item->put == SIM_ASKED &&
	    (mode == SIM_MEMORY ||
	     (item->may_move && sim->queues[SIM_TARGET].mode == SIM_MEMORY)))
		item->may_be_lost = true;
	if (item->gone != SIM_THERE && mode == SIM_MEMORY)
		item->not_counted =
			true; /* the answer is remembered, the count is not */
	if (item->gone == SIM_GONE && !is_kept(least, crash, item->gone_step))
		item->gone = SIM_MAYBE_GONE;
	if (!is_kept(mode, crash, item->died_step))
		item->died = false;
	if (!is_kept(mode, crash, item->nack_step))
		item->nacks = 0;
	crash_move(item, crash);
}

static void
crash_body(struct sim_body *body, enum sim_crash crash)
{
	enum sim_mode mode = mode_of(&sim->items[body->of]);

	if (body->put == SIM_CONFIRMED && !is_kept(mode, crash, body->step))
		body->put = SIM_ASKED;
	if (body->old == SIM_GONE && !is_kept(mode, crash, body->old_step))
		body->old = SIM_MAYBE_GONE;
}

static void
crash_leases(struct sim_hold *holds, unsigned n, uint64_t kept)
{
	for (unsigned i = 0; holds && i < n; i++) {
		const struct sim_item *item = &sim->items[holds[i].item];

		if (holds[i].lease.seq > kept ||
		    sim->queues[item->queue].mode == SIM_MEMORY)
			holds[i].lease.sure = false;
		if (holds[i].lease.touch_seq > kept)
			holds[i].lease.until_ns = holds[i].lease.least_ns;
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

/* What was not kept is as it was before, or as it is at first. */
static void
crash_queue(struct sim_queue *q, enum sim_crash crash)
{
	if (is_kept(q->mode, crash, q->pause.step))
		return;
	if (q->mode == SIM_MEMORY)
		q->pause.sure = q->pause.in = q->pause.out = false;
	else
		q->pause.sure = false;
}

void
check_crash(enum sim_crash crash, const struct store_status *status)
{
	uint64_t kept = crash == CRASH_STOP   ? UINT64_MAX
			: crash == CRASH_KILL ? status->written
					      : status->synced;

	if (kept == 0) /* it is in the first record */
		sim->epoch = 0;
	for (unsigned i = 0; i < sim->n_clients; i++)
		crash_client(&sim->clients[i], crash, kept);
	/* First of all bodies: an item may be in another queue then. */
	for (unsigned i = 0; crash != CRASH_STOP && i < sim->n_items; i++)
		crash_body(&sim->items[i].body, crash);
	for (unsigned i = 0; i < sim->n_items; i++)
		if (sim->items[i].body.of == i)
			crash_item(&sim->items[i], crash);
	for (unsigned i = 0; crash != CRASH_STOP && i < sim->o.queues; i++)
		crash_queue(&sim->queues[i], crash);
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
	q->expired = column(rows, len, "expired");
	q->paused = column(rows, len, "paused");
	q->bytes = column(rows, len, "bytes");
	if (q->accepted != gone + q->there)
		wrong("the counts of %s do not add up: %u accepted, %u gone, %u there",
		      q->name, (unsigned)q->accepted, (unsigned)gone,
		      (unsigned)q->there);
}

void
check_counts(const struct sim_request *r, const uint8_t *rows, size_t len)
{
	struct sim_queue *q = &sim->queues[r->queue];
	bool was_empty = q->empty;

	memset(q->states, 0, sizeof(q->states));
	q->there = q->accepted = q->finished = q->expired = q->paused = q->bytes = 0;
	if (len > 0)
		read_counts(q, rows, len);
	check_pause_shown(r, q->paused);
	check_size_shown(r, q->states[0] + q->states[1], q->bytes);
	q->empty = q->there == 0 && r->asked_step > q->changed_step;
	if (sim->o.heirs && r->queue == SIM_TARGET)
		q->empty = q->empty && sim->queues[SIM_SOURCE].empty &&
			   r->asked_step > sim->queues[SIM_SOURCE].empty_step;
	else if (q->empty && !was_empty)
		q->empty_step = sim->step;
}

bool
check_all_gone(void)
{
	if (sim->queues[SIM_SOURCE].moves.asked > 0)
		return false;
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
	unsigned accepted = 0, asked = 0, finished = 0, ended = 0, expired = 0,
		 moved = 0;

	for (unsigned i = 0; i < sim->n_items; i++) {
		const struct sim_item *item = &sim->items[i];

		moved += item->ever_moved;
		if (item->queue != queue)
			continue;
		accepted += item->put == SIM_CONFIRMED && !item->may_be_lost &&
			    !item->before_delete && !item->ever_moved;
		asked += item->put != SIM_REFUSED;
		finished += item->gone == SIM_GONE && !item->not_counted &&
			    !item->before_delete && !item->ever_moved;
		ended += item->gone != SIM_THERE;
		expired += !item->end_is_death && check_may_have_ended(item);
	}
	if (queue == SIM_SOURCE || queue == SIM_TARGET) {
		asked += moved;
		ended += moved;
		expired += moved;
	}
	if (q->accepted < accepted || q->accepted > asked)
		wrong("%s has accepted %u items, not %u to %u", q->name,
		      (unsigned)q->accepted, accepted, asked);
	if (q->finished < finished || q->finished > ended)
		wrong("%u items of %s are finished, not %u to %u",
		      (unsigned)q->finished, q->name, finished, ended);
	if (q->expired > expired)
		wrong("%u items of %s have expired, not %u at most",
		      (unsigned)q->expired, q->name, expired);
}

void
check_drained(void)
{
	for (unsigned i = 0; i < sim->n_items; i++) {
		const struct sim_item *item = &sim->items[i];

		sim->about = (int)i;
		if (item->put == SIM_CONFIRMED && !item->may_be_lost &&
		    item->gone == SIM_THERE &&
		    (item->end_is_death || !check_may_have_ended(item)))
			wrong("item %u is lost", i);
	}
	for (unsigned i = 0; i < sim->o.queues; i++)
		check_queue(i);
}
