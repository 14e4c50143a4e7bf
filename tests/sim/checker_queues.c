/* SPDX-License-Identifier: MIT
 *
 * What must be true of what is done to whole queues: joined, purged, paused and the like.
 */
#include <string.h>

#include "tests/sim/sim.h"

/* --- joins ------------------------------------------------------------------------ */

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
