/* SPDX-License-Identifier: MIT
 * What workers do most: put, get and ack one by one, many at once, pipelined and started. */
#include <sys/uio.h>

#include "tests/system/cuts.h"

static unsigned started; /* callbacks that have come */

static void
note_put(qb *handle, uint64_t request, qb_result result, uint64_t id, qb_item *item,
	 void *arg)
{
	ck_assert_msg(result == QB_OK, "%s", qb_error(handle));
	*(uint64_t *)arg = id;
	started++;
}

static void
note_item(qb *handle, uint64_t request, qb_result result, uint64_t id, qb_item *item,
	  void *arg)
{
	ck_assert_msg(result == QB_OK, "%s", qb_error(handle));
	*(qb_item **)arg = item;
	started++;
}

static qb_item *
take(qb_ack_mode ack, const char *body)
{
	qb_item *item;

	ok(qb_get(q, "jobs", QB_FOREVER, ack, &item));
	ck_assert_str_eq(qb_item_body(item), body);
	ck_assert_uint_eq(qb_item_deliveries(item), 1);
	return item;
}

static void
one_by_one(void)
{
	uint64_t first, second;
	qb_item *item;

	ok(qb_put(q, "jobs", "a", 1, QB_FOREVER, &first));
	ok(qb_put(q, "jobs", "b", 1, 60000, &second));
	ck_assert_uint_gt(second, first);
	item = take(QB_MANUAL, "a");
	ck_assert_uint_eq(qb_item_id(item), first);
	ok(qb_ack(q, item));
	qb_item_free(item);
	item = take(QB_MANUAL, "b");
	ok(qb_release(q, item));
	qb_item_free(item);
	ok(qb_get(q, "jobs", 0, QB_MANUAL, &item));
	ck_assert_uint_eq(qb_item_id(item), second);
	ck_assert_uint_eq(qb_item_crashes(item), 0);
	qb_item_free(item);
	ok(qb_task_done(q, "jobs"));
	ok(qb_join(q, "jobs", 0));
}

static void
many(void)
{
	struct iovec bodies[3] = {{(void *)"c", 1}, {(void *)"d", 1}, {(void *)"e", 1}};
	int64_t ids[3];
	qb_item *items[3];
	unsigned n;

	ok(qb_put_many(q, "jobs", bodies, 3, 0, QB_FOREVER, ids));
	ck_assert_int_gt(ids[1], ids[0]);
	ck_assert_int_gt(ids[2], ids[1]);
	ok(qb_get_many(q, "jobs", QB_FOREVER, QB_MANUAL, 3, 3, 0, 0, items, &n));
	ck_assert_uint_eq(n, 3);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(qb_item_id(items[i]), (uint64_t)ids[i]);
	ok(qb_ack_many(q, items, 3));
	for (unsigned i = 0; i < 3; i++)
		qb_item_free(items[i]);
}

static void
pipelined(void)
{
	uint64_t id = 0;
	qb_item *item = NULL, *other;

	for (int i = 0; i < 5; i++)
		ok(qb_put_start(q, "jobs", &"fghij"[i], 1));
	ok(qb_flush(q, QB_FOREVER));
	for (int i = 0; i < 4; i++) {
		const char body[2] = {"fghi"[i], 0};

		other = take(i % 2 ? QB_AUTO : QB_MANUAL, body);
		if (i % 2 == 0)
			ok(qb_ack_start(q, other));
		qb_item_free(other);
	}
	started = 0;
	ok(qb_start_get(q, "jobs", QB_FOREVER, QB_MANUAL, note_item, &item, NULL));
	ok(qb_start_put(q, "jobs", "k", 1, QB_FOREVER, note_put, &id, NULL));
	ok(qb_wait(q, QB_FOREVER));
	ck_assert_uint_eq(started, 2);
	ck_assert_str_eq(qb_item_body(item), "j");
	ok(qb_ack(q, item));
	qb_item_free(item);
	item = take(QB_AUTO, "k");
	ck_assert_uint_eq(qb_item_id(item), id);
	qb_item_free(item);
	ok(qb_join(q, "jobs", QB_FOREVER)); /* also proves the last ack */
}

static void
looking(void)
{
	uint64_t size, count;
	qb_table *t;

	ok(qb_ping(q));
	ok(qb_put(q, "other", "x", 1, 0, NULL));
	ok(qb_size(q, "other", &size, NULL, NULL));
	ck_assert_uint_eq(size, 1);
	ok(qb_queues(q, NULL, &t));
	qb_table_free(t);
	ok(qb_purge(q, "other", &count));
	ck_assert_uint_eq(count, 1);
	ok(qb_delete(q, "other", 0));
}

static void
talk(void)
{
	one_by_one();
	many();
	pipelined();
	looking();
}

const struct cut_dialogue cut_usual = {
	talk, {{"accepted", 11}, {"delivered", 12}, {"finished", 11}, {"released", 1}}};
