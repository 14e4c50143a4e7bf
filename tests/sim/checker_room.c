/* SPDX-License-Identifier: MIT
 *
 * What must be true of bounds: that there was room for what was accepted, and none where that was said.
 */
#include "tests/sim/sim.h"

/* So much of the broker's memory is not of items, at most, and an item takes so much beside its body, at
 * least and at most, with its key, its times and its place in tables. */
#define OTHER_MEMORY 60000
#define ITEM_LEAST   64
#define ITEM_MOST    600

/* --- how much there is ------------------------------------------------------------ */

struct amount {
	unsigned items;
	uint64_t bytes;
};

/* Nobody has given any of its items, so that it is known what waits. */
static bool
nobody_gets(const struct sim_queue *q)
{
	return (q->maxsize || q->max_bytes) && q->purged && !sim->healed;
}

/* A put that has no answer yet may have given it this body. */
static bool
may_replace(const struct sim_item *other, const struct sim_item *item)
{
	return other->put == SIM_ASKED && other->key.replaces &&
	       other->queue == item->queue && other->key.name == item->key.name;
}

/* Of the bodies that the item may have: the shortest, the longest. */
static void
body_lengths(unsigned n, unsigned *ret_least, unsigned *ret_most)
{
	*ret_least = *ret_most = sim->items[n].len;
	for (unsigned i = n + 1; i < sim->n_items; i++) {
		unsigned len = sim->items[i].len;

		if (sim->items[i].body.of != n &&
		    !may_replace(&sim->items[i], &sim->items[n]))
			continue;
		if (*ret_least > len)
			*ret_least = len;
		if (*ret_most < len)
			*ret_most = len;
	}
}

/* It was there, for certain, before this was asked for, and is still. */
static bool
was_surely_there(const struct sim_request *r, unsigned n)
{
	const struct sim_item *item = &sim->items[n];

	return item->put_step < r->asked_step && check_is_surely_there(item);
}

/* It may have been there, or have waited for room, when this was asked for or since. Those that wait may be
 * those of puts that waited in front of it, and were refused later. */
static bool
may_be_there(const struct sim_request *r, unsigned n)
{
	const struct sim_item *item = &sim->items[n];

	if (item->put == SIM_REFUSED)
		return item->refused_step >= r->asked_step;
	return item->gone != SIM_GONE || item->taken ||
	       item->gone_step >= r->asked_step;
}

static bool
is_asked_for(const struct sim_request *r, unsigned n)
{
	return r->item >= 0 && n >= (unsigned)r->item && n < (unsigned)r->item + r->n;
}

/* What a queue has for certain, without the item that was just accepted. */
static struct amount
least_in(const struct sim_request *r, unsigned without)
{
	struct amount sum = {0, 0};
	unsigned least, most;

	for (unsigned i = 0; i < sim->n_items; i++) {
		const struct sim_item *item = &sim->items[i];

		if (item->queue != (unsigned)r->queue || i == without ||
		    !was_surely_there(r, i) || check_may_be_dead(item) ||
		    item->before_delete)
			continue;
		body_lengths(i, &least, &most);
		sum.items++;
		sum.bytes += least;
	}
	return sum;
}

/* What a queue may have, with what is asked for. */
static struct amount
most_in(const struct sim_request *r)
{
	struct amount sum = {0, 0};
	unsigned least, most;

	for (unsigned i = 0; i < sim->n_items; i++) {
		if (sim->items[i].queue != (unsigned)r->queue ||
		    (!is_asked_for(r, i) && !may_be_there(r, i)))
			continue;
		body_lengths(i, &least, &most);
		sum.items++;
		sum.bytes += most;
	}
	return sum;
}

/* --- the bounds of queues --------------------------------------------------------- */

uint64_t
check_bytes_asked(const struct sim_request *r)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < r->n; i++)
		bytes += sim->items[(unsigned)r->item + i].len;
	return bytes;
}

void
check_has_room(const struct sim_request *r, unsigned n)
{
	const struct sim_queue *q = &sim->queues[r->queue];
	unsigned len = sim->items[n].len;
	struct amount there;

	if (q->max_bytes && len > q->max_bytes)
		wrong("item %u has %u bytes, and %s takes %u at most", n, len, q->name,
		      q->max_bytes);
	check_has_memory(r, n);
	if (!nobody_gets(q))
		return;
	there = least_in(r, n);
	if (q->maxsize && there.items >= q->maxsize)
		wrong("item %u is taken by %s, which has %u of %u", n, q->name,
		      there.items, q->maxsize);
	if (q->max_bytes && there.bytes + len > q->max_bytes)
		wrong("item %u is taken by %s, and its bytes are then %u, of %u", n,
		      q->name, (unsigned)there.bytes + len, q->max_bytes);
}

void
check_size_shown(const struct sim_request *r, uint64_t waiting, uint64_t bytes)
{
	const struct sim_queue *q = &sim->queues[r->queue];

	if (!nobody_gets(q) || sim->o.ends)
		return;
	if (q->maxsize && waiting > q->maxsize)
		wrong("%s has %u items, of %u", q->name, (unsigned)waiting, q->maxsize);
	if (q->max_bytes && bytes > q->max_bytes)
		wrong("%s has %u bytes, of %u", q->name, (unsigned)bytes, q->max_bytes);
}

/* --- memory ----------------------------------------------------------------------- */

/* The bodies of durable queues may be away. */
void
check_has_memory(const struct sim_request *r, unsigned n)
{
	uint64_t sum = ITEM_LEAST + sim->items[n].len;
	bool alone = true;
	unsigned least, most;

	if (!sim->o.memory || sim->o.body_memory)
		return;
	for (unsigned i = 0; i < sim->n_items; i++) {
		if (i == n || sim->items[i].body.of != i || !was_surely_there(r, i))
			continue;
		body_lengths(i, &least, &most);
		sum += ITEM_LEAST + least;
		alone = false;
	}
	if (sum > sim->o.memory && !alone)
		wrong("item %u is accepted, and all take %u bytes then, of %u", n,
		      (unsigned)sum, sim->o.memory);
}

static void
is_said_no_memory(const struct sim_request *r)
{
	uint64_t sum = OTHER_MEMORY;

	for (unsigned i = 0; i < sim->n_items; i++)
		if (sim->items[i].body.of != i || is_asked_for(r, i) ||
		    may_be_there(r, i))
			sum += ITEM_MOST + sim->items[i].len;
	if (!sim->o.memory || sum <= sim->o.memory)
		wrong("there is said to be no memory, and all that is there takes %u "
		      "of "
		      "%u at most",
		      (unsigned)sum, sim->o.memory);
}

/* --- what is said to be full ------------------------------------------------------ */

static void
is_said_full(const struct sim_queue *q, const char *of, uint64_t most, uint64_t bound)
{
	if (bound == 0 || most <= bound)
		wrong("%s is said to be full, and has %u %s at most, of %u", q->name,
		      (unsigned)most, of, (unsigned)bound);
}

void
check_said_full(const struct sim_request *r, const struct qp_reply *reply)
{
	const struct sim_queue *q = &sim->queues[r->queue];

	if (work_says(reply, "has maxsize") && r->op != QP_OP_UPDATE)
		is_said_full(q, "items", most_in(r).items, q->maxsize);
	else if (work_says(reply, "has max_bytes"))
		is_said_full(q, "bytes", most_in(r).bytes, q->max_bytes);
	else if (work_says(reply, "memory_limit"))
		is_said_no_memory(r);
	else if (work_says(reply, "journal") && q->mode != SIM_MEMORY)
		return; /* how much has to be cleaned only the broker knows */
	else if (reply->status == QP_FULL && !r->again)
		wrong("%s is said to be full, and not why", q->name);
}
