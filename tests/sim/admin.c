/* SPDX-License-Identifier: MIT
 *
 * What the administrator does: what is about whole queues.
 */
#include <string.h>

#include "tests/sim/sim.h"

static void
ask_about(struct sim_client *c, enum qp_op op, unsigned queue, struct qp_request m)
{
	struct sim_request *r;

	m.op = op;
	m.queue = queue_name(queue);
	r = client_ask(c, &m, "", 0);
	if (r)
		r->queue = (int)queue;
}

static void
purge(struct sim_client *c)
{
	for (unsigned i = 0; i < sim->o.queues; i++)
		if (sim->queues[i].purged && c->n_pending < SIM_PENDING) {
			check_purge_asked(i);
			ask_about(c, QP_OP_PURGE, i, (struct qp_request){0});
		}
}

void
administer(struct sim_client *c)
{
	unsigned queue = below(sim->o.queues);

	if (c->n_pending >= (sim->healed ? 2 : 8))
		return;
	if (sim->healed) {
		ask_about(c, chance(1, 2) ? QP_OP_KICK : QP_OP_QUEUES, queue,
			  (struct qp_request){.max_items = 1000});
		return;
	}
	switch (below(6)) {
	case 0: purge(c); break;
	case 1:
		ask_about(c, QP_OP_KICK, queue, (struct qp_request){.max_items = 1000});
		break;
	case 2:
		ask_about(c, QP_OP_JOIN, queue,
			  (struct qp_request){.timeout_ms = below(500)});
		break;
	default: break;
	}
}
