/* SPDX-License-Identifier: MIT
 * libqbroker.so and qbrokerd together: looking after queues and their items. */
#include "tests/client/live.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
put(const char *queue, const char *body)
{
	ok(qb_put(q, queue, body, strlen(body), 0, NULL));
}

static int64_t
number(const char *queue, const char *column)
{
	qb_table *t;
	int64_t n = -1;

	ok(qb_queues(q, queue, &t));
	ck_assert(qb_table_number(t, 0, column, &n));
	qb_table_free(t);
	return n;
}

START_TEST(a_queue_is_paused_and_goes_on)
{
	qb_item *item;

	says(QB_NOT_FOUND, qb_pause(q, "jobs", 1, 1));
	put("jobs", "a");
	ok(qb_pause(q, "jobs", 1, 0));
	ck_assert_int_eq(number("jobs", "paused"), 1);
	says(QB_FULL, qb_put(q, "jobs", "b", 1, 0, NULL));
	ck_assert_ptr_nonnull(strstr(qb_error(q), "paused"));
	ok(qb_pause(q, "jobs", 0, 1));
	ck_assert_int_eq(number("jobs", "paused"), 3);
	says(QB_EMPTY, qb_get(q, "jobs", 0, QB_AUTO, &item));
	ck_assert_ptr_nonnull(strstr(qb_error(q), "paused"));
	ok(qb_resume(q, "jobs", 1, 0));
	ck_assert_int_eq(number("jobs", "paused"), 2);
	put("jobs", "b");
	ok(qb_resume(q, "jobs", 1, 1));
	ok(qb_get(q, "jobs", 0, QB_AUTO, &item));
	qb_item_free(item);
}
END_TEST

START_TEST(items_are_moved_into_another_queue)
{
	qb_item *item;
	uint64_t n;

	says(QB_NOT_FOUND, qb_move(q, "jobs", "other", NULL, 1, &n));
	put("jobs", "a");
	put("jobs", "b");
	ok(qb_move(q, "jobs", "other", NULL, 1000, &n));
	ck_assert_uint_eq(n, 2);
	ok(qb_move(q, "jobs", "other", "dead", 1, NULL));
	ck_assert_int_eq(number("other", "ready"), 2);
	ok(qb_get(q, "other", 0, QB_AUTO, &item));
	ck_assert_mem_eq(qb_item_body(item), "a", 1);
	qb_item_free(item);
	says(QB_INVALID, qb_move(q, "jobs", "jobs", NULL, 1, &n));
	says(QB_INVALID, qb_move(q, "jobs", "", NULL, 1, &n));
	says(QB_INVALID, qb_move(q, "jobs", "other", "delayed", 1, &n));
	says(QB_INVALID, qb_move(q, "jobs", "other", NULL, 1001, &n));
	ok(qb_shutdown(q, "other", 0));
	says(QB_SHUT_DOWN, qb_move(q, "jobs", "other", NULL, 1, &n));
}
END_TEST

START_TEST(one_item_is_deleted)
{
	qb_item *item;
	uint64_t id;

	says(QB_NOT_FOUND, qb_delete_item(q, "jobs", 1, 0));
	put("jobs", "a");
	ok(qb_get(q, "jobs", 0, QB_MANUAL, &item));
	id = qb_item_id(item);
	says(QB_NOT_EMPTY, qb_delete_item(q, "jobs", id, 0));
	ck_assert_ptr_nonnull(strstr(qb_error(q), "holds item"));
	ck_assert_ptr_nonnull(strstr(qb_error(q), "(pid "));
	ok(qb_delete_item(q, "jobs", id, 1));
	says(QB_STALE, qb_ack(q, item));
	qb_item_free(item);
	says(QB_NOT_FOUND, qb_delete_item(q, "jobs", id, 1));
	ck_assert_ptr_nonnull(strstr(qb_error(q), "no item"));
	says(QB_INVALID, qb_delete_item(q, "jobs", 0, 1));
	ok(qb_put(q, "jobs", "b", 1, 0, &id));
	ok(qb_delete_item(q, "jobs", id, 0));
	ck_assert_int_eq(number("jobs", "purged"), 2);
}
END_TEST

START_TEST(items_are_browsed)
{
	qb_table *table;
	qb_item *item;
	int64_t value;

	says(QB_NOT_FOUND, qb_browse(q, "jobs", "ready", 0, &table));
	put("jobs", "a");
	put("jobs", "bb");
	ok(qb_get(q, "jobs", 0, QB_MANUAL, &item));
	ok(qb_browse(q, "jobs", "ready", 0, &table));
	ck_assert_uint_eq(qb_table_rows(table), 1);
	ck_assert(qb_table_number(table, 0, "size", &value) && value == 2);
	ck_assert(!qb_table_number(table, 0, "pid", &value));
	qb_table_free(table);
	ok(qb_browse(q, "jobs", "leased", 0, &table));
	ck_assert_uint_eq(qb_table_rows(table), 1);
	ck_assert(qb_table_number(table, 0, "pid", &value) && value == getpid());
	ck_assert(qb_table_number(table, 0, "held_ms", &value));
	qb_table_free(table);
	says(QB_INVALID, qb_browse(q, "jobs", "lost", 0, &table));
	says(QB_INVALID, qb_browse(q, "jobs", "ready", QB_MAX_SKIP + 1, &table));
	qb_item_free(item);
}
END_TEST

START_TEST(drain_waits_until_nothing_is_unfinished)
{
	qb_item *item;

	says(QB_NOT_FOUND, qb_drain(q, "jobs", 0));
	put("jobs", "a");
	says(QB_INVALID, qb_drain(q, "jobs", -1));
	ck_assert_int_eq(number("jobs", "paused"), 0);
	says(QB_TIMEOUT, qb_drain(q, "jobs", 0));
	ck_assert_int_eq(number("jobs", "paused"), 1);
	ok(qb_get(other, "jobs", 0, QB_AUTO, &item));
	qb_item_free(item);
	ok(qb_drain(q, "jobs", QB_FOREVER));
	says(QB_FULL, qb_put(q, "jobs", "b", 1, 0, NULL));
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("admin");

	tcase_add_checked_fixture(t, live_setup, live_teardown);
	tcase_add_test(t, a_queue_is_paused_and_goes_on);
	tcase_add_test(t, items_are_moved_into_another_queue);
	tcase_add_test(t, one_item_is_deleted);
	tcase_add_test(t, items_are_browsed);
	tcase_add_test(t, drain_waits_until_nothing_is_unfinished);
	return run_case("admin", t);
}
