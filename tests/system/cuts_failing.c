/* SPDX-License-Identifier: MIT
 * What workers do with items beside finishing them: they fail, are dead and come back, their bodies
 * and leases change. */
#include "tests/system/cuts.h"

static qb_item *
take(uint64_t id, unsigned deliveries, unsigned nacks)
{
	qb_item *item;

	ok(qb_get(q, "jobs", QB_FOREVER, QB_MANUAL, &item));
	ck_assert_uint_eq(qb_item_id(item), id);
	ck_assert_uint_eq(qb_item_deliveries(item), deliveries);
	ck_assert_uint_eq(qb_item_nacks(item), nacks);
	return item;
}

static void
finish(qb_item *item)
{
	ok(qb_ack(q, item));
	qb_item_free(item);
}

/* Now, later, at the end of the queue. */
static void
nack(void)
{
	uint64_t id;
	qb_item *item;

	ok(qb_put(q, "jobs", "a", 1, QB_FOREVER, &id));
	item = take(id, 1, 0);
	ok(qb_nack(q, item, 0, "bad", 0));
	qb_item_free(item);
	item = take(id, 2, 1);
	ok(qb_nack(q, item, 1, "worse", 0));
	qb_item_free(item);
	item = take(id, 3, 2);
	ok(qb_nack(q, item, QB_RETRY, NULL, 1));
	qb_item_free(item);
	finish(take(id, 4, 3));
}

const struct cut_dialogue cut_nack = {
	nack, {{"accepted", 1}, {"delivered", 4}, {"finished", 1}, {"nacked", 3}}};

static void
bury(void)
{
	uint64_t id, n;
	qb_item *item;

	ok(qb_put(q, "jobs", "b", 1, QB_FOREVER, &id));
	item = take(id, 1, 0);
	ok(qb_bury(q, item, "hopeless"));
	qb_item_free(item);
	ok(qb_show(q, "jobs", id, &item));
	ck_assert_str_eq(qb_item_reason(item), "buried");
	ck_assert_str_eq(qb_item_error(item), "hopeless");
	qb_item_free(item);
	ok(qb_kick(q, "jobs", id, 1, &n));
	ck_assert_uint_eq(n, 1);
	item = take(id, 2, 0);
	ok(qb_bury(q, item, NULL));
	qb_item_free(item);
	ok(qb_kick(q, "jobs", 0, 10, &n));
	ck_assert_uint_eq(n, 1);
	item = take(id, 3, 0);
	ok(qb_bury(q, item, NULL));
	qb_item_free(item);
	ok(qb_dead_purge(q, "jobs", 0, &n));
	ck_assert_uint_eq(n, 1);
}

const struct cut_dialogue cut_bury = {
	bury,
	{{"accepted", 1}, {"delivered", 3}, {"buried", 3}, {"died", 3}, {"purged", 1}}};

static void
update(void)
{
	qb_get_options *options = qb_get_options_new();
	uint64_t id;
	int64_t left;
	qb_item *item;

	ok(qb_put_typed(q, "jobs", 1, "c", 1, QB_FOREVER, &id));
	qb_get_options_set_lease(options, 600000);
	ok(qb_get_with(q, "jobs", options, QB_FOREVER, QB_MANUAL, &item));
	qb_get_options_free(options);
	ck_assert_int_eq(qb_item_lease(item), 600000);
	ok(qb_touch(q, item, 1200000, &left, NULL));
	ck_assert_int_gt(left, 600000);
	ok(qb_touch(q, item, QB_FOREVER, &left, NULL));
	ck_assert_int_eq(left, QB_FOREVER);
	ok(qb_update(q, item, 2, "longer", 6));
	ck_assert_int_eq(qb_ack(q, item), QB_STALE);
	ck_assert_int_eq(qb_touch(q, item, 0, NULL, NULL), QB_STALE);
	qb_item_free(item);
	item = take(id, 2, 0);
	ck_assert_str_eq(qb_item_body(item), "longer");
	ck_assert_uint_eq(qb_item_ctype(item), 2);
	ok(qb_release(q, item));
	qb_item_free(item);
	finish(take(id, 3, 0));
}

const struct cut_dialogue cut_update = {
	update, {{"accepted", 1}, {"delivered", 3}, {"finished", 1}, {"released", 2}}};
