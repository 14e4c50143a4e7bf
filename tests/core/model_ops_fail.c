/* SPDX-License-Identifier: MIT
 *
 * Random operations on items that fail, and on dead ones.
 */
#include "tests/core/model_run.h"

#include <string.h>

/* Mostly nothing is said. */
static struct qe_name
any_error(void)
{
	static const char text[] =
		"something that is longer than the smallest allocation";

	return (struct qe_name){text, chance(70) ? 0 : 1 + below(sizeof(text) - 1)};
}

/* So that the model knows whether there is room for what is said. */
static void
note_memory(void)
{
	run.m.memory = qe_memory(run.e);
}

void
op_nack(void)
{
	int session = any_session();
	struct qe_tag tag = any_tag(session);
	struct qe_nack nack = {.error = any_error(),
			       .has_delay = chance(40),
			       .delay_ns = below(10),
			       .tail = chance(30)};

	note_memory();
	agree(NACK, qe_nack(run.e, run.m.now, run.sessions[session], tag, &nack),
	      m_nack(&run.m, session, tag, &nack));
}

/* Seldom where nobody is to die. */
void
op_bury(void)
{
	int session = any_session();
	struct qe_tag tag = any_tag(session);
	struct qe_name error = any_error();

	if (!chance(run.deaths ? 30 : 2))
		return;
	note_memory();
	agree(BURY, qe_bury(run.e, run.m.now, run.sessions[session], tag, error),
	      m_bury(&run.m, session, tag, error.len));
}

void
op_update(void)
{
	int session = any_session();
	struct qe_tag tag = any_tag(session);
	struct m_item as;
	struct qe_item *item = make_item(&as);

	if (!item)
		return;
	agree(UPDATE, qe_update(run.e, run.m.now, run.sessions[session], tag, item),
	      m_update(&run.m, session, tag, &as));
}

static uint64_t
any_dead(int queue)
{
	const struct model *m = &run.m;
	uint64_t id = 1 + below(m->last_id + 2);

	for (unsigned i = 0; chance(90) && i < m->n_dead; i++)
		if (m->dead[i].queue == queue)
			id = m->dead[i].id;
	return id;
}

void
op_kick(void)
{
	int queue = any_queue();
	uint64_t id = chance(50) ? 0 : any_dead(queue), count, count_too;
	unsigned max = 1 + (unsigned)below(4);
	enum qe_result result =
		qe_kick(run.e, run.m.now, queue_name(queue), id, max, &count);

	if (agree(KICK, result, m_kick(&run.m, queue, id, max, &count_too)) == QE_OK)
		AGREE(count == count_too);
}

void
op_dead_purge(void)
{
	int queue = any_queue();
	uint64_t id = chance(60) ? any_dead(queue) : 0, count, count_too;
	enum qe_result result =
		qe_dead_purge(run.e, run.m.now, queue_name(queue), id, &count);

	if (agree(DEAD_PURGE, result, m_dead_purge(&run.m, queue, id, &count_too)) ==
	    QE_OK)
		AGREE(count == count_too);
}

void
op_move(void)
{
	int queue = any_queue(), to = any_queue();
	bool dead = chance(run.deaths ? 40 : 5);
	unsigned max = 1 + (unsigned)below(4);
	uint64_t count, count_too;
	enum qe_result result =
		qe_move(run.e, run.m.now, queue_name(queue), queue_name(to),
			dead ? QE_STATE_DEAD : QE_STATE_READY, max, &count);

	if (agree(MOVE, result, m_move(&run.m, queue, to, dead, max, &count_too)) ==
	    QE_OK)
		AGREE(count == count_too);
}

static enum qe_result
delete_item(int queue, uint64_t id, bool force)
{
	struct qe_search search = {0};
	enum qe_result result;

	do
		result = qe_delete_item(run.e, run.m.now, queue_name(queue), id, force,
					&search);
	while (result == QE_WAIT);
	return result;
}

void
op_delete_item(void)
{
	const struct model *m = &run.m;
	int queue = any_queue();
	uint64_t id = any_dead(queue);
	bool force = chance(50);

	if (m->n_items > 0 && chance(70)) {
		const struct m_item *item = &m->items[below(m->n_items)];

		id = item->id;
		queue = chance(90) ? item->queue : queue;
	}
	agree(DELETE_ITEM, delete_item(queue, id, force),
	      m_delete_item(&run.m, queue, id, force));
}

/* Ready items are taken from the model in its order, from a copy. */
static void
expect_ready(int queue, const struct qe_shown *rows, unsigned n, unsigned skip,
	     unsigned max)
{
	static struct model copy;
	struct m_item *as;
	unsigned at = 0;

	copy = run.m;
	for (; (as = m_first(&copy, queue)) && at < skip + max; at++) {
		if (at >= skip)
			AGREE(at - skip < n &&
			      qe_item_id(rows[at - skip].item) == as->id);
		m_remove_item(&copy, as);
	}
	AGREE(n == (at > skip ? at - skip : 0));
}

void
op_browse(void)
{
	int queue = any_queue();
	unsigned skip = (unsigned)below(5), max = (unsigned)below(6), n, skipped;
	enum qe_state state = (enum qe_state)below(4);
	struct qe_shown rows[5];
	enum qe_result result = qe_browse(run.e, run.m.now, queue_name(queue), state,
					  skip, rows, max, &n);
	const uint64_t counts[] = {m_ready(&run.m, queue), m_delayed(&run.m, queue),
				   m_leased(&run.m, queue), m_dead(&run.m, queue)};

	if (agree(BROWSE, result, run.m.queues[queue].exists ? QE_OK : QE_NOT_FOUND) !=
	    QE_OK)
		return;
	skipped = counts[state] < skip ? (unsigned)counts[state] : skip;
	AGREE(n == (counts[state] - skipped < max ? counts[state] - skipped : max));
	if (state == QE_STATE_READY)
		expect_ready(queue, rows, n, skip, max);
}

void
op_show(void)
{
	int queue = any_queue();
	uint64_t id = any_dead(queue);
	struct m_item *as = m_find_dead(&run.m, queue, id);
	struct qe_shown shown;
	bool dead = as != NULL;
	enum qe_result result =
		qe_show(run.e, run.m.now, queue_name(queue), id, &shown);

	for (unsigned i = 0; !as && i < run.m.n_items; i++)
		if (run.m.items[i].id == id && run.m.items[i].queue == queue &&
		    run.m.items[i].holder != NOBODY)
			as = &run.m.items[i];
	if (agree(SHOW, result, as ? QE_OK : QE_NOT_FOUND) != QE_OK)
		return;
	AGREE(shown.dead == dead);
	AGREE(shown.dead_ns == (dead ? run.m.now - as->died_at : 0));
	AGREE(qe_item_nacks(shown.item) == as->nacks);
	AGREE(qe_item_death(shown.item) == as->death);
	AGREE(qe_item_body_len(shown.item) == as->len);
	qe_item_unref(run.e, shown.item);
}

void
say_retries(struct qe_declare *declare)
{
	static const uint64_t factors[] = {100, 200, 1000};

	declare->has_retry_delay_ms = chance(50);
	declare->retry_delay_ms = below(2);
	declare->has_retry_factor = chance(50);
	declare->retry_factor = factors[below(3)];
	declare->has_retry_max_ms = chance(50);
	declare->retry_max_ms = below(20);
}
