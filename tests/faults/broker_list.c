/* SPDX-License-Identifier: MIT
 *
 * What is in all queues of a broker, as broker_script prints it:
 *   QUEUE name
 *   ITEM queue state id size body priority group nacks
 * `body`: 1 it is what its size says, 0 it is not, - it is in another state meanwhile. Ready
 * items come in the order in which they are given. One that becomes ready meanwhile may be
 * in two states, but none is missed.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/faults/broker_script.h"

static int64_t
number(const qb_table *table, unsigned row, const char *name)
{
	int64_t value = 0;

	return qb_table_number(table, row, name, &value) ? value : 0;
}

/* Compares the body of one item. */
static char
look_at(qb *q, const char *queue, uint64_t id)
{
	qb_item *item;

	if (qb_show(q, queue, id, &item) != QB_OK)
		return '-';
	bool good = is_body(qb_item_body(item), qb_item_size(item));
	qb_item_free(item);
	return good ? '1' : '0';
}

static bool
list_state(qb *q, const char *queue, const char *state)
{
	qb_table *table;
	unsigned rows;

	for (unsigned skip = 0;; skip += rows) {
		if (qb_browse(q, queue, state, skip, &table) != QB_OK)
			return false;
		rows = qb_table_rows(table);
		for (unsigned row = 0; row < rows; row++) {
			const char *group = qb_table_string(table, row, "group");
			uint64_t id = (uint64_t)number(table, row, "id");

			say("ITEM %s %s %llu %lld %c %lld %s %lld", queue, state,
			    (unsigned long long)id,
			    (long long)number(table, row, "size"),
			    look_at(q, queue, id),
			    (long long)number(table, row, "priority"),
			    group ? group : "-",
			    (long long)number(table, row, "nacks"));
		}
		qb_table_free(table);
		if (rows < 100)
			return true;
	}
}

static bool
list_queue(qb *q, const char *queue)
{
	static const char *const states[] = {"leased", "delayed", "ready", "dead"};

	say("QUEUE %s", queue);
	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		if (!list_state(q, queue, states[i]))
			return false;
	return true;
}

bool
list_items(const char *address)
{
	qb_table *queues;
	qb *q = NULL;
	bool good;

	good = qb_open(address, &q) == QB_OK && qb_queues(q, NULL, &queues) == QB_OK;
	if (!good) {
		qb_close(q);
		return false;
	}
	for (unsigned row = 0; good && row < qb_table_rows(queues); row++)
		good = list_queue(q, qb_table_string(queues, row, "queue"));
	qb_table_free(queues);
	qb_close(q);
	if (good)
		say("END");
	return good;
}
