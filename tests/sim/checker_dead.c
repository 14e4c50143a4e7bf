/* SPDX-License-Identifier: MIT
 *
 * What must be true of items that die in SIM_SOURCE, where SIM_TARGET takes the dead.
 */
#include "tests/sim/sim.h"

bool
check_has_heir(const struct sim_item *item)
{
	return sim->o.heirs && item->queue == SIM_SOURCE;
}

/* How often its holders fail with it is not known: they may die with what they have not read. */
static bool
may_fail_too_often(void)
{
	return sim->o.max_attempts > 0 || sim->o.max_crashes > 0;
}

bool
check_may_leave_by_death(const struct sim_item *item)
{
	return check_has_heir(item) &&
	       (may_fail_too_often() || item->end_is_death || item->may_be_dead);
}

bool
check_may_have_died(const struct sim_item *item)
{
	return check_may_be_dead(item) || (check_has_heir(item) && may_fail_too_often());
}

/* From this life on nothing kept the other queue from taking the dead: what stays can be kicked. */
static bool
takes_all(unsigned since_life)
{
	return sim->fault_life < since_life && !sim->o.memory;
}

static void
is_dead(struct sim_item *item)
{
	if (!item->died)
		item->died_step = sim->step;
	item->died = true;
}

void
check_failed(const struct sim_request *r)
{
	struct sim_item *item = &sim->items[r->holds[0].item];

	if (!check_has_heir(item) || item->id != r->holds[0].id)
		return;
	/* Its answer may have been remembered for long. */
	if ((!item->died && item->nacks == 0) || r->asked_life < item->failed_life)
		item->failed_life = r->asked_life;
	if (r->op == QP_OP_BURY)
		is_dead(item);
	if (r->op != QP_OP_NACK)
		return;
	item->nack_step = sim->step;
	if (++item->nacks >= sim->o.max_attempts && sim->o.max_attempts > 0)
		is_dead(item);
}

void
check_given_alive(const struct sim_request *r, unsigned n)
{
	const struct sim_item *item = &sim->items[n];

	if (!check_has_heir(item))
		return;
	if (item->died && item->died_step < r->asked_step && takes_all(item->failed_life))
		wrong("item %u is given where it has died", n);
	if (item->end_is_death && item->end_by_ns < r->asked_ns && takes_all(1))
		wrong("item %u is given after its end", n);
}
