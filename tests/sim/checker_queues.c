/* SPDX-License-Identifier: MIT
 *
 * What must be true of what is done to whole queues: joined, purged, paused and the like.
 */
#include <string.h>

#include "tests/sim/sim.h"

/* --- joins ------------------------------------------------------------------------ */

bool
check_may_have_ended(const struct sim_item *item)
{
	return sim->now_ns >= item->end_ns;
}

bool
check_may_be_dead(const struct sim_item *item)
{
	return item->may_be_dead || (item->end_is_death && check_may_have_ended(item));
}

void
check_joined(struct sim_request *r)
{
	for (unsigned i = 0; i < sim->n_items; i++) {
		const struct sim_item *item = &sim->items[i];

		sim->about = (int)i;
		if (item->queue == (unsigned)r->queue &&
		    (r->n == 0 || item->group == r->n) && item->put == SIM_CONFIRMED &&
		    item->put_step < r->asked_step && !item->may_be_lost &&
		    !item->may_move && !check_may_have_ended(item) &&
		    !item->may_be_dead && item->gone == SIM_THERE)
			wrong("a join has ended, and item %u is unfinished", i);
	}
}

/* --- requests that may still be carried out ---------------------------------------- */

bool
check_coming(const struct sim_coming *coming)
{
	return coming->asked > 0 || coming->forgotten_life == sim->life;
}

static struct sim_coming *
coming_of(const struct sim_request *r)
{
	struct sim_queue *q = &sim->queues[r->queue];

	switch (r->op) {
	case QP_OP_PURGE: return &q->purges;
	case QP_OP_MOVE: return &q->moves;
	case QP_OP_DELETE: return &q->deletes;
	case QP_OP_CANCEL_GROUP: return &q->cancels[r->n];
	case QP_OP_PAUSE: return &q->pause.coming;
	default: return NULL;
	}
}

void
check_answered(const struct sim_request *r)
{
	struct sim_coming *coming = r->queue < 0 ? NULL : coming_of(r);

	if (coming)
		coming->asked--;
}

void
check_forgotten(const struct sim_request *r)
{
	struct sim_coming *coming = r->queue < 0 ? NULL : coming_of(r);

	if (!coming)
		return;
	coming->asked--;
	coming->forgotten_life = sim->life;
}

/* --- purges, groups that are cancelled ---------------------------------------------- */

bool
check_may_be_taken(const struct sim_item *item)
{
	const struct sim_queue *q = &sim->queues[item->queue];

	return check_coming(&q->purges) || check_coming(&q->deletes) ||
	       (item->group && check_coming(&q->cancels[item->group]));
}

/* Those of a group, or all. */
static void
may_be_gone(unsigned queue, unsigned group)
{
	for (unsigned i = 0; i < sim->n_items; i++) {
		struct sim_item *item = &sim->items[i];

		if (item->queue == queue && (group == 0 || item->group == group) &&
		    item->gone == SIM_THERE)
			item->gone = SIM_MAYBE_GONE;
	}
}

/* By a request about the queue. */
static void
is_taken(struct sim_item *item)
{
	item->gone = SIM_GONE;
	item->taken = true;
	item->gone_step = sim->step;
	item->not_counted = true;
}

void
check_purge_asked(unsigned queue)
{
	sim->queues[queue].purges.asked++;
	may_be_gone(queue, 0);
}

/* Nobody gets from it before the end. */
void
check_purged(struct sim_request *r)
{
	for (unsigned i = 0; !sim->healed && i < sim->n_items; i++) {
		struct sim_item *item = &sim->items[i];

		if (item->queue != (unsigned)r->queue || item->put != SIM_CONFIRMED ||
		    item->put_step >= r->asked_step || item->gone == SIM_GONE ||
		    check_may_be_dead(item))
			continue;
		is_taken(item);
	}
}

void
check_cancel_asked(unsigned queue, unsigned group)
{
	sim->queues[queue].cancels[group].asked++;
	may_be_gone(queue, group);
}

/* From now on none of them is given to anybody; but who holds one may finish it. */
void
check_cancelled(struct sim_request *r)
{
	for (unsigned i = 0; i < sim->n_items; i++) {
		struct sim_item *item = &sim->items[i];

		if (item->queue == (unsigned)r->queue && item->group == r->n &&
		    !item->may_move && item->put == SIM_CONFIRMED &&
		    item->put_step < r->asked_step && item->gone != SIM_GONE)
			is_taken(item);
	}
}

/* --- deletes --------------------------------------------------------------------- */

bool
check_may_be_deleted(const struct sim_request *r)
{
	const struct sim_queue *q = &sim->queues[r->queue];

	/* What the broker has remembered of a wait may be said in a later life. */
	return check_coming(&q->deletes) || q->delete_step >= r->asked_step ||
	       q->deletes.forgotten_life >= r->asked_life;
}

static void
leases_may_end(struct sim_hold *holds, unsigned n, unsigned queue)
{
	for (unsigned i = 0; holds && i < n; i++)
		if (sim->items[holds[i].item].queue == queue)
			holds[i].lease.sure = false;
}

/* Whether it is forced or not: the counts begin anew, and the new queue is not paused. */
void
check_delete_asked(unsigned queue, bool force)
{
	struct sim_queue *q = &sim->queues[queue];

	q->deletes.asked++;
	q->delete_step = sim->step;
	q->pause.sure = false;
	for (unsigned i = 0; i < sim->n_items; i++)
		if (sim->items[i].queue == queue)
			sim->items[i].before_delete = true;
	if (!force)
		return;
	may_be_gone(queue, 0);
	for (unsigned i = 0; i < sim->n_clients; i++) {
		struct sim_client *c = &sim->clients[i];

		leases_may_end(c->holds, c->n_holds, queue);
		for (unsigned k = 0; k < c->n_pending; k++)
			leases_may_end(c->pending[k].holds, c->pending[k].n, queue);
	}
}

bool
check_is_surely_there(const struct sim_item *item)
{
	return item->put == SIM_CONFIRMED && !item->may_be_lost &&
	       item->gone == SIM_THERE &&
	       (item->end_is_death || !check_may_have_ended(item));
}

void
check_deleted(struct sim_request *r)
{
	struct sim_queue *q = &sim->queues[r->queue];

	q->delete_step = sim->step;
	q->pause.sure = false;
	for (unsigned i = 0; i < sim->n_items; i++) {
		struct sim_item *item = &sim->items[i];

		sim->about = (int)i;
		if (item->queue != (unsigned)r->queue || item->put != SIM_CONFIRMED ||
		    item->put_step >= r->asked_step)
			continue;
		if (r->n == 0 && check_is_surely_there(item))
			wrong("%s was deleted, and item %u was there", q->name, i);
		if (r->n > 0 && item->gone != SIM_GONE)
			is_taken(item);
	}
}

/* --- moves ----------------------------------------------------------------------- */

void
check_move_asked(void)
{
	sim->queues[SIM_SOURCE].moves.asked++;
	for (unsigned i = 0; i < sim->n_items; i++) {
		struct sim_item *item = &sim->items[i];

		if (item->queue != SIM_SOURCE ||
		    (item->gone == SIM_GONE && !item->taken))
			continue;
		item->may_move = item->ever_moved = true;
	}
}

void
check_moved(void)
{
	check_changed(SIM_TARGET);
}

/* It is another item there, but for its body. */
static void
is_moved(struct sim_item *item, uint64_t id)
{
	if (id <= item->id)
		wrong("it was moved, and its id is %u, not above %u", (unsigned)id,
		      (unsigned)item->id);
	if (!sim->o.moves && !check_may_have_died(item))
		wrong("it was not moved, nor has it died");
	if (sim->o.heirs)
		item->end_by_ns = SIM_NEVER; /* what is dead has no end */
	item->queue = SIM_TARGET;
	item->may_move = item->plain = item->died = false;
	item->nacks = 0;
	item->move_step = item->put_step = sim->step;
	item->put = SIM_CONFIRMED;
	item->id = id;
	item->delivery = 0;
	item->group = 0; /* and its key is free */
}

bool
check_is_in(const struct sim_request *r, unsigned n, uint64_t id)
{
	struct sim_item *item = &sim->items[n];

	if (item->queue == (unsigned)r->queue)
		return true;
	if (item->may_move && r->queue == SIM_TARGET)
		is_moved(item, id);
	/* Else it was given before it was moved, and the reply was on its way. */
	else if (!item->ever_moved || r->queue != SIM_SOURCE ||
		 r->asked_step > item->move_step)
		wrong("item %u comes from another queue", n);
	return item->queue == (unsigned)r->queue;
}

/* --- pauses ---------------------------------------------------------------------- */

void
check_pause_asked(unsigned queue)
{
	sim->queues[queue].pause.coming.asked++;
	sim->queues[queue].pause.sure = false;
}

void
check_paused(const struct sim_request *r, enum qp_status status)
{
	struct sim_pause *p = &sim->queues[r->queue].pause;
	unsigned paused = status == QP_OK ? r->n : 0; /* it is not there: no */
	/* An answer is remembered for longer than what is in memory. */
	bool lost =
		r->asked_life != sim->life && sim->queues[r->queue].mode == SIM_MEMORY;

	p->sure = !check_coming(&p->coming) && !lost &&
		  !check_coming(&sim->queues[r->queue].deletes);
	p->in = paused & SIM_IN;
	p->out = paused & SIM_OUT;
	p->step = sim->step;
}

/* Since this was asked for, at least, it has been as it is now. */
static bool
pause_is_known(const struct sim_request *r)
{
	const struct sim_pause *p = &sim->queues[r->queue].pause;

	return p->sure && p->step < r->asked_step;
}

void
check_not_paused(const struct sim_request *r, unsigned direction)
{
	const struct sim_queue *q = &sim->queues[r->queue];

	if (pause_is_known(r) && (direction == SIM_IN ? q->pause.in : q->pause.out))
		wrong("%s is paused, and %s", q->name,
		      direction == SIM_IN ? "takes an item" : "gives an item");
}

void
check_said_paused(const struct sim_request *r, unsigned direction)
{
	const struct sim_queue *q = &sim->queues[r->queue];

	if (pause_is_known(r) && !(direction == SIM_IN ? q->pause.in : q->pause.out))
		wrong("%s is said to be paused, and is not", q->name);
}

void
check_pause_shown(const struct sim_request *r, uint64_t paused)
{
	const struct sim_queue *q = &sim->queues[r->queue];

	if (pause_is_known(r) &&
	    paused != (q->pause.in ? 1U : 0U) + (q->pause.out ? 2U : 0U))
		wrong("%s is paused in %d, out %d, and shown as paused %u", q->name,
		      q->pause.in, q->pause.out, (unsigned)paused);
}
