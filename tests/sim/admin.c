/* SPDX-License-Identifier: MIT
 *
 * What the administrator does: what is about whole queues.
 */
#include <string.h>

#include "tests/sim/sim.h"

static struct sim_request *
ask_about(struct sim_client *c, enum qp_op op, unsigned queue, struct qp_request m)
{
	struct sim_request *r;

	m.op = op;
	m.queue = queue_name(queue);
	r = client_ask(c, &m, "", 0);
	if (r)
		r->queue = (int)queue;
	return r;
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

/* `paused`: SIM_IN and SIM_OUT. One request at a time, so that it is known which was the last. */
static void
pause_queue(struct sim_client *c, unsigned queue, unsigned paused)
{
	struct qp_request m = {0};
	struct sim_request *r;

	if (sim->queues[queue].pause.coming.asked > 0)
		return;
	QP_GIVE(&m.options, in, (paused & SIM_IN) != 0);
	QP_GIVE(&m.options, out, (paused & SIM_OUT) != 0);
	r = ask_about(c, QP_OP_PAUSE, queue, m);
	if (!r)
		return;
	r->n = paused;
	check_pause_asked(queue);
}

/* What is paused goes on: else it does not come to its end. */
static void
go_on(struct sim_client *c, unsigned queue)
{
	const struct sim_pause *p = &sim->queues[queue].pause;

	if (sim->o.pauses && !(p->sure && !p->in && !p->out) && chance(1, 3))
		pause_queue(c, queue, 0);
}

/* All, or a group. */
static void
join(struct sim_client *c, unsigned queue)
{
	unsigned group = sim->o.groups ? below(SIM_GROUPS + 1) : 0;
	struct qp_request m = {.timeout_ms = below(500)};
	struct sim_request *r;

	if (group)
		QP_GIVE(&m.options, group, group_name(group));
	r = ask_about(c, QP_OP_JOIN, queue, m);
	if (r)
		r->n = group;
}

static void
cancel(struct sim_client *c, unsigned queue)
{
	unsigned group = 1 + below(SIM_GROUPS);
	struct sim_request *r =
		ask_about(c, QP_OP_CANCEL_GROUP, queue,
			  (struct qp_request){.group = group_name(group)});

	if (!r)
		return;
	r->n = group;
	check_cancel_asked(queue, group);
}

static void
delete_queue(struct sim_client *c, unsigned queue)
{
	bool force = chance(1, 2);
	struct qp_request m = {0};
	struct sim_request *r;

	QP_GIVE(&m.options, force, force);
	r = ask_about(c, QP_OP_DELETE, queue, m);
	if (!r)
		return;
	r->n = force;
	check_delete_asked(queue, force);
}

/* Of what is ready, or dead. */
static void
move(struct sim_client *c)
{
	struct qp_request m = {.to = queue_name(SIM_TARGET),
			       .max_items = 1 + below(20)};

	if (chance(1, 3))
		QP_GIVE(&m.options, state, ((struct qp_str){"dead", 4}));
	if (ask_about(c, QP_OP_MOVE, SIM_SOURCE, m))
		check_move_asked();
}

void
administer(struct sim_client *c)
{
	unsigned queue = below(sim->o.queues);

	if (c->n_pending >= (sim->healed ? 2 : 8))
		return;
	if (sim->healed) {
		go_on(c, queue);
		ask_about(c, chance(1, 2) ? QP_OP_KICK : QP_OP_QUEUES, queue,
			  (struct qp_request){.max_items = 1000});
		return;
	}
	switch (below(12)) {
	case 0:
	case 1: purge(c); break;
	case 2:
	case 3:
		ask_about(c, QP_OP_KICK, queue, (struct qp_request){.max_items = 1000});
		break;
	case 4:
	case 5: join(c, queue); break;
	case 6:
		if (sim->o.pauses)
			pause_queue(c, queue, chance(1, 2) ? 0 : below(4));
		break;
	case 7: ask_about(c, QP_OP_QUEUES, queue, (struct qp_request){0}); break;
	case 8:
		if (sim->o.groups)
			cancel(c, queue);
		break;
	case 9:
		if (sim->o.deletes && chance(1, 3))
			delete_queue(c, queue);
		break;
	case 10:
		if (sim->o.moves)
			move(c);
		break;
	default: break;
	}
}
