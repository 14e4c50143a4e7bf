/* SPDX-License-Identifier: MIT
 * What puts can say of their items: keys, groups, times. */
#include <sys/uio.h>

#include "tests/system/cuts.h"

static qb_put_options *options;
static uint64_t id; /* of the last put */

static qb_result
put(const char *body)
{
	return qb_put_with(q, "jobs", options, body, strlen(body), QB_FOREVER, &id);
}

static void
take(const char *body)
{
	qb_item *item;

	ok(qb_get(q, "jobs", QB_FOREVER, QB_MANUAL, &item));
	ck_assert_str_eq(qb_item_body(item), body);
	ok(qb_ack(q, item));
	qb_item_free(item);
}

static void
keys(void)
{
	uint64_t first;

	options = qb_put_options_new();
	qb_put_options_set_key(options, "k");
	ok(put("a"));
	ck_assert_int_eq(qb_was_duplicate(q), 0);
	first = id;
	ok(put("b"));
	ck_assert_int_eq(qb_was_duplicate(q), 1);
	ck_assert_uint_eq(id, first);
	qb_put_options_set_on_duplicate(options, QB_REJECT);
	ck_assert_int_eq(put("c"), QB_DUPLICATE);
	qb_put_options_set_on_duplicate(options, QB_REPLACE);
	ok(put("other"));
	ck_assert_int_eq(qb_was_duplicate(q), 1);
	ck_assert_uint_eq(id, first);
	take("other");
	for (int i = 0; i < 2; i++)
		ok(qb_put_start_with(q, "jobs", options, "d", 1));
	ok(qb_flush(q, QB_FOREVER));
	take("d");
	ck_assert_int_eq(qb_join(q, "jobs", 0), QB_OK);
	qb_put_options_free(options);
}

const struct cut_dialogue cut_keys = {
	keys, {{"accepted", 2}, {"delivered", 2}, {"finished", 2}}};

/* Two wait when their group is cancelled, and one is held. */
static void
groups(void)
{
	struct iovec bodies[3] = {{(void *)"e", 1}, {(void *)"f", 1}, {(void *)"g", 1}};
	uint64_t dropped, held;
	int cancelled;
	qb_item *item;

	options = qb_put_options_new();
	qb_put_options_set_group(options, "g");
	ok(qb_put_many_with(q, "jobs", options, bodies, 3, 1, QB_FOREVER, NULL));
	ck_assert_int_eq(qb_join_group(q, "jobs", "g", 0), QB_TIMEOUT);
	ok(qb_get(q, "jobs", QB_FOREVER, QB_MANUAL, &item));
	ck_assert_str_eq(qb_item_group(item), "g");
	ok(qb_cancel_group(q, "jobs", "g", &dropped, &held));
	ck_assert_uint_eq(dropped, 2);
	ck_assert_uint_eq(held, 1);
	ok(qb_touch(q, item, 0, NULL, &cancelled));
	ck_assert_int_eq(cancelled, 1);
	ok(qb_release(q, item));
	qb_item_free(item);
	ok(qb_join_group(q, "jobs", "g", QB_FOREVER));
	qb_put_options_free(options);
}

const struct cut_dialogue cut_groups = {
	groups, {{"accepted", 3}, {"delivered", 1}, {"released", 1}, {"dropped", 3}}};

static void
times(void)
{
	options = qb_put_options_new();
	qb_put_options_set_delay(options, 1);
	ok(put("h"));
	take("h");
	qb_put_options_set_delay(options, 3600000);
	ok(put("i"));
	ok(qb_delete_item(q, "jobs", id, 0));
	ck_assert_int_eq(qb_delete_item(q, "jobs", id, 0), QB_NOT_FOUND);
	qb_put_options_set_delay(options, 0);
	qb_put_options_set_ttl(options, 1);
	ok(put("j"));
	ok(qb_join_with(q, "jobs", NULL, QB_FOREVER, QB_FOREVER, 1, NULL));
	qb_put_options_free(options);
}

const struct cut_dialogue cut_times = {times,
				       {{"accepted", 3},
					{"delivered", 1},
					{"finished", 1},
					{"purged", 1},
					{"expired", 1}}};
