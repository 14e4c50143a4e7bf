/* SPDX-License-Identifier: MIT
 * What has to do with more than one queue, or with queues themselves. */
#include <sys/uio.h>

#include "tests/system/cuts.h"

static const char *const both[] = {"jobs", "spare"};

static void
note(qb *handle, uint64_t request, qb_result result, uint64_t which, qb_item *item,
     void *arg)
{
	(void)request, (void)arg;
	ck_assert_msg(result == QB_OK, "%s", qb_error(handle));
	ck_assert_uint_eq(which, 1);
	ck_assert_str_eq(qb_item_body(item), "d");
	qb_item_free(item);
}

static void
note_cancelled(qb *handle, uint64_t request, qb_result result, uint64_t id,
	       qb_item *item, void *arg)
{
	(void)handle, (void)request, (void)id, (void)item, (void)arg;
	ck_assert_int_eq(result, QB_CANCELLED);
}

static void
take_any(const char *body, unsigned queue)
{
	qb_item *item;
	unsigned which;

	ok(qb_get_any(q, both, 2, QB_ROUND_ROBIN, NULL, QB_FOREVER, QB_MANUAL, &item,
		      &which));
	ck_assert_str_eq(qb_item_body(item), body);
	ck_assert_uint_eq(which, queue);
	ok(qb_ack(q, item));
	qb_item_free(item);
}

static void
get_any(void)
{
	uint64_t request;

	ok(qb_put(q, "jobs", "a", 1, 0, NULL));
	ok(qb_put(q, "jobs", "b", 1, 0, NULL));
	ok(qb_put(q, "spare", "c", 1, 0, NULL));
	take_any("a", 0);
	take_any("c", 1);
	take_any("b", 0);
	ok(qb_start_get_any(q, both, 2, QB_STRICT, NULL, QB_FOREVER, QB_AUTO, note,
			    NULL, NULL));
	ok(qb_put(q, "spare", "d", 1, 0, NULL));
	ok(qb_wait(q, QB_FOREVER));
	ok(qb_start_get(q, "jobs", QB_FOREVER, QB_MANUAL, note_cancelled, NULL,
			&request));
	ok(qb_cancel(q, request));
	ok(qb_wait(q, QB_FOREVER));
}

const struct cut_dialogue cut_get_any = {
	get_any, {{"accepted", 2}, {"delivered", 2}, {"finished", 2}}};

static void
move(void)
{
	struct iovec bodies[3] = {{(void *)"e", 1}, {(void *)"f", 1}, {(void *)"g", 1}};
	qb_item *items[3];
	uint64_t count;
	unsigned n;

	ok(qb_put_many(q, "jobs", bodies, 3, 1, QB_FOREVER, NULL));
	ok(qb_get(q, "jobs", 0, QB_MANUAL, items));
	ok(qb_bury(q, items[0], NULL));
	qb_item_free(items[0]);
	ok(qb_move(q, "jobs", "spare", "ready", 1, &count));
	ck_assert_uint_eq(count, 1);
	ok(qb_move(q, "jobs", "spare", "dead", 10, &count));
	ck_assert_uint_eq(count, 1);
	ok(qb_move(q, "jobs", "spare", NULL, 10, &count));
	ck_assert_uint_eq(count, 1);
	ok(qb_get_many(q, "spare", 0, QB_MANUAL, 3, 3, 0, 0, items, &n));
	ck_assert_uint_eq(n, 3);
	ck_assert_str_eq(qb_item_body(items[0]), "f");
	ck_assert_str_eq(qb_item_body(items[1]), "e");
	ck_assert_str_eq(qb_item_body(items[2]), "g");
	ok(qb_ack_many(q, items, 3));
	for (unsigned i = 0; i < 3; i++)
		qb_item_free(items[i]);
}

const struct cut_dialogue cut_move = {move,
				      {{"accepted", 3},
				       {"delivered", 1},
				       {"buried", 1},
				       {"died", 1},
				       {"moved_out", 3}}};

static void
administer(void)
{
	static const char *const options[] = {"maxsize=1", NULL};
	qb_item *none;
	uint64_t count;
	int created;

	ok(qb_declare(q, "made", options, 0, &created));
	ck_assert_int_eq(created, 1);
	ok(qb_put(q, "made", "x", 1, 0, NULL));
	ok(qb_pause(q, "made", 1, 1));
	ck_assert_int_eq(qb_get(q, "made", 0, QB_MANUAL, &none), QB_EMPTY);
	ok(qb_resume(q, "made", 1, 1));
	ck_assert_int_eq(qb_put(q, "made", "y", 1, 0, NULL), QB_FULL);
	ok(qb_shutdown(q, "made", 0));
	ck_assert_int_eq(qb_put(q, "made", "y", 1, 0, NULL), QB_SHUT_DOWN);
	ok(qb_reopen(q, "made"));
	ok(qb_purge(q, "made", &count));
	ck_assert_uint_eq(count, 1);
	ok(qb_drain(q, "made", QB_FOREVER));
	ok(qb_delete(q, "made", 0));
}

const struct cut_dialogue cut_administer = {administer, {{NULL, 0}}};
