/* SPDX-License-Identifier: MIT
 * What the driver of the chaos test does to the queues while the others use them. */
#include <config.h>

#include <check.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/chaos.h"

#define OPTIONS 8

static void
ok(qb *q, qb_result result)
{
	ck_assert_msg(result == QB_OK, "%s: %s", qb_result_name(result), qb_error(q));
}

void
chaos_declare(qb *q)
{
	static const char *const immortal = "max_crashes=0", *const patient =
								     "max_attempts=0";
	const char *const options[CHAOS_QUEUES][OPTIONS] = {
		{"maxsize=40", immortal, patient},
		{"maxsize=40", immortal, patient, "order=priority"},
		{"max_bytes=50000", immortal, patient, "order=lifo"},
		{"maxsize=40", "max_crashes=2", "max_attempts=4", "lease_ms=100",
		 "retry_delay_ms=5", "max_dead=0"},
		{"maxsize=40", immortal, patient},
		{"maxsize=40", immortal, patient},
	};

	for (int i = 0; i < CHAOS_QUEUES; i++)
		ok(q, qb_declare(q, world.queues[i], options[i], 0, NULL));
}

void
chaos_pause(qb *q, unsigned queue, unsigned how)
{
	ok(q, qb_pause(q, world.queues[queue], how != 1, how != 0));
}

void
chaos_resume(qb *q, unsigned queue)
{
	ok(q, qb_resume(q, world.queues[queue], 1, 1));
}

void
chaos_kick(qb *q, unsigned most)
{
	ok(q, qb_kick(q, world.queues[CHAOS_FRAGILE], 0, most, NULL));
}

static void
purge_one(qb *q, uint64_t id)
{
	const char *queue = world.queues[CHAOS_FRAGILE];
	struct chaos_event e = {.at_ns = chaos_now_ns(),
				.id = id,
				.life = world.n_lives,
				.kind = IS_DEAD,
				.queue = CHAOS_FRAGILE};
	qb_item *item;

	ok(q, qb_show(q, queue, id, &item));
	memcpy(&e.stamp, qb_item_body(item), sizeof(e.stamp));
	qb_item_free(item);
	ck_assert_int_eq(write(world.events, &e, sizeof(e)), sizeof(e));
	ok(q, qb_dead_purge(q, queue, id, NULL));
}

void
chaos_purge_dead(qb *q)
{
	unsigned rows;

	do {
		qb_table *t;

		ok(q, qb_browse(q, world.queues[CHAOS_FRAGILE], "dead", 0, &t));
		rows = qb_table_rows(t);
		for (unsigned i = 0; i < rows; i++) {
			int64_t id = 0;

			ck_assert_int_eq(qb_table_number(t, i, "id", &id), 1);
			purge_one(q, (uint64_t)id);
		}
		qb_table_free(t);
	} while (rows > 0);
}
