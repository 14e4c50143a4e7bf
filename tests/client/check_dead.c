/* SPDX-License-Identifier: MIT
 * libqbroker.so and qbrokerd together: items that fail, are given up, changed, shown and
 * kicked. */
#include "tests/client/live.h"

#include <stdlib.h>
#include <string.h>

static qb_item *
take(const char *queue)
{
	qb_item *item;

	ok(qb_get(q, queue, 0, QB_MANUAL, &item));
	return item;
}

static int64_t
number_of(const char *queue, const char *name)
{
	int64_t number = -1;
	qb_table *table;

	ok(qb_queues(q, queue, &table));
	ck_assert(qb_table_number(table, 0, name, &number));
	qb_table_free(table);
	return number;
}

START_TEST(a_nacked_item_says_so_to_the_next)
{
	qb_item *item, *many[2];
	unsigned n;

	ok(qb_put(q, "jobs", "a", 1, 0, NULL));
	ok(qb_put(q, "jobs", "b", 1, 0, NULL));
	item = take("jobs");
	ok(qb_nack(q, item, QB_RETRY, "no such file", 0));
	says(QB_STALE, qb_nack(q, item, QB_RETRY, NULL, 0));
	qb_item_free(item);
	ok(qb_get_many(q, "jobs", 0, QB_MANUAL, 2, 2, 0, 0, many, &n));
	ck_assert_str_eq(qb_item_body(many[0]), "a");
	ck_assert_uint_eq(qb_item_nacks(many[0]), 1);
	ck_assert_uint_eq(qb_item_nacks(many[1]), 0);
	ck_assert_uint_eq(qb_item_crashes(many[0]), 0);
	ck_assert_uint_eq(qb_item_timeouts(many[0]), 0);
	ck_assert_ptr_null(qb_item_error(many[0]));
	ck_assert_int_eq(qb_item_age(many[0]), -1);
	ok(qb_nack(q, many[0], 0, NULL, 1)); /* behind b */
	ok(qb_release(q, many[1]));
	qb_item_free(many[0]);
	qb_item_free(many[1]);
	ok(qb_peek(q, "jobs", &item));
	ck_assert_str_eq(qb_item_body(item), "b");
	qb_item_free(item);
}
END_TEST

START_TEST(a_nack_may_wait)
{
	qb_item *item;

	ok(qb_put(q, "jobs", "a", 1, 0, NULL));
	item = take("jobs");
	ok(qb_nack(q, item, 50, NULL, 0));
	qb_item_free(item);
	says(QB_EMPTY, qb_get(q, "jobs", 0, QB_MANUAL, &item));
	ok(qb_get(q, "jobs", QB_FOREVER, QB_MANUAL, &item));
	ok(qb_nack(q, item, QB_FOREVER, NULL, 0));
	says(QB_INVALID, qb_nack(q, item, -2, NULL, 0));
	qb_item_free(item);
	ck_assert_int_eq(number_of("jobs", "delayed"), 1);
	ck_assert_int_eq(number_of("jobs", "nacked"), 2);
}
END_TEST

START_TEST(a_queue_may_say_when_to_try_again)
{
	static const char *const retry[] = {"retry_delay_ms=86400000", NULL};
	static const char *const wrong[] = {"retry_factor=99", NULL};
	qb_item *item;

	ok(qb_declare(q, "jobs", retry, 0, NULL));
	says(QB_INVALID, qb_declare(q, "jobs", wrong, 1, NULL));
	ok(qb_put(q, "jobs", "a", 1, 0, NULL));
	item = take("jobs");
	ok(qb_nack(q, item, QB_RETRY, NULL, 0));
	qb_item_free(item);
	ck_assert_int_eq(number_of("jobs", "delayed"), 1);
}
END_TEST

START_TEST(an_item_is_looked_at_wherever_it_is)
{
	qb_put_options *options = qb_put_options_new();
	uint64_t ready, delayed;
	qb_item *item, *held;

	ok(qb_put(q, "jobs", "held", 4, 0, NULL));
	ok(qb_get(q, "jobs", 0, QB_MANUAL, &held));
	ok(qb_put(q, "jobs", "ready", 5, 0, &ready));
	qb_put_options_set_delay(options, 600000);
	qb_put_options_set_ttl(options, 900000);
	qb_put_options_set_priority(options, -3);
	ok(qb_put_with(q, "jobs", options, "delayed", 7, 0, &delayed));
	qb_put_options_free(options);
	says(QB_NOT_FOUND, qb_show(q, "jobs", ready, &item));
	ok(qb_look(q, "jobs", ready, &item));
	ck_assert_mem_eq(qb_item_body(item), "ready", 5);
	ck_assert_int_eq(qb_item_delay(item), -1);
	ck_assert_int_eq(qb_item_ttl(item), -1);
	qb_item_free(item);
	ok(qb_look(q, "jobs", delayed, &item));
	ck_assert_mem_eq(qb_item_body(item), "delayed", 7);
	ck_assert_int_eq(qb_item_priority(item), -3);
	ck_assert(qb_item_delay(item) > 0 && qb_item_delay(item) <= 600000);
	ck_assert(qb_item_ttl(item) > 600000 && qb_item_ttl(item) <= 900000);
	qb_item_free(item);
	ok(qb_look(q, "jobs", qb_item_id(held), &item));
	ck_assert_mem_eq(qb_item_body(item), "held", 4);
	qb_item_free(item);
	says(QB_NOT_FOUND, qb_look(q, "jobs", delayed + 1, &item));
	says(QB_NOT_FOUND, qb_look(q, "others", ready, &item));
	ok(qb_ack(q, held));
	qb_item_free(held);
}
END_TEST

START_TEST(what_is_dead_is_shown_kicked_and_purged)
{
	char text[5001] = "";
	uint64_t id, n;
	qb_item *item, *shown;

	ok(qb_put(q, "jobs", "body", 4, 0, &id));
	item = take("jobs");
	ok(qb_show(other, "jobs", id, &shown));
	ck_assert_ptr_null(qb_item_reason(shown)); /* it is held */
	ck_assert_int_eq(qb_item_dead(shown), -1);
	qb_item_free(shown);
	ok(qb_bury(q, item, "hopeless"));
	says(QB_STALE, qb_bury(q, item, NULL));
	qb_item_free(item);
	ok(qb_join(q, "jobs", 0));
	ck_assert_int_eq(number_of("jobs", "dead"), 1);
	ok(qb_show(q, "jobs", id, &item));
	ck_assert_str_eq(qb_item_body(item), "body");
	ck_assert_str_eq(qb_item_reason(item), "buried");
	ck_assert_str_eq(qb_item_error(item), "hopeless");
	ck_assert_ptr_nonnull(qb_item_worker(item));
	ck_assert_int_ge(qb_item_age(item), qb_item_dead(item));
	ck_assert_int_ge(qb_item_dead(item), 0);
	says(QB_STALE, qb_ack(q, item));
	qb_item_free(item);

	ok(qb_kick(q, "jobs", id, 1, &n));
	ck_assert_uint_eq(n, 1);
	says(QB_NOT_FOUND, qb_kick(q, "jobs", id, 1, &n));
	item = take("jobs");
	memset(text, 'x', sizeof(text) - 1);
	memcpy(text + 903, "\xe2\x82\xac", 3); /* the cut is in the middle of it */
	ok(qb_nack(q, item, 0, text, 0));
	qb_item_free(item);
	item = take("jobs");
	ok(qb_bury(q, item, NULL));
	qb_item_free(item);
	ok(qb_show(q, "jobs", id, &item));
	ck_assert_uint_le(strlen(qb_item_error(item)), 4096);
	ck_assert_int_eq(qb_item_error(item)[0], 'x');
	qb_item_free(item);
	ok(qb_dead_purge(q, "jobs", 0, &n));
	ck_assert_uint_eq(n, 1);
	says(QB_NOT_FOUND, qb_show(q, "jobs", id, &item));
	says(QB_NOT_FOUND, qb_dead_purge(q, "jobs", id, &n));
	says(QB_NOT_FOUND, qb_kick(q, "nothing", 0, 1, &n));
	says(QB_INVALID, qb_kick(q, "jobs", 0, 0, &n));
	says(QB_INVALID, qb_show(q, "jobs", 0, &item));
	ck_assert_int_eq(number_of("jobs", "purged"), 1);
}
END_TEST

/* A counter that many processes would share: get, update. */
START_TEST(one_item_is_a_shared_value)
{
	static char large[100000];
	qb_item *item;

	ok(qb_put(q, "value", "0", 1, 0, NULL));
	for (int i = 1; i < 10; i++) {
		char digit = (char)('0' + i);

		item = take("value");
		says(QB_EMPTY,
		     qb_get(other, "value", 0, QB_MANUAL, &(qb_item *){NULL}));
		ok(qb_update(q, item, 7, &digit, 1));
		says(QB_STALE, qb_update(q, item, 7, &digit, 1));
		qb_item_free(item);
	}
	item = take("value");
	ck_assert_str_eq(qb_item_body(item), "9");
	ck_assert_uint_eq(qb_item_ctype(item), 7);
	memset(large, 'l', sizeof(large));
	ok(qb_update(q, item, 0, large, sizeof(large))); /* read in place */
	qb_item_free(item);
	item = take("value");
	ck_assert_uint_eq(qb_item_size(item), sizeof(large));
	ck_assert_mem_eq(qb_item_body(item), large, sizeof(large));
	ok(qb_update(q, item, 0, NULL, 0));
	qb_item_free(item);
	ck_assert_int_eq(number_of("value", "accepted"), 1);
	ck_assert_int_eq(number_of("value", "bytes"), 0);
}
END_TEST

START_TEST(a_larger_body_needs_room)
{
	static const char *const bound[] = {"max_bytes=10", NULL};
	qb_item *item;

	ok(qb_declare(q, "value", bound, 0, NULL));
	ok(qb_put(q, "value", "abcd", 4, 0, NULL));
	item = take("value");
	ok(qb_put(q, "value", "1234567", 7, 0, NULL));
	says(QB_FULL, qb_update(q, item, 0, "abcde", 5));
	says(QB_TOO_BIG, qb_update(q, item, 0, "abcdefghijk", 11));
	ok(qb_ack(q, item));
	qb_item_free(item);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("dead");

	tcase_add_checked_fixture(t, live_setup, live_teardown);
	tcase_add_test(t, a_nacked_item_says_so_to_the_next);
	tcase_add_test(t, a_nack_may_wait);
	tcase_add_test(t, a_queue_may_say_when_to_try_again);
	tcase_add_test(t, what_is_dead_is_shown_kicked_and_purged);
	tcase_add_test(t, an_item_is_looked_at_wherever_it_is);
	tcase_add_test(t, one_item_is_a_shared_value);
	tcase_add_test(t, a_larger_body_needs_room);
	return run_case("dead", t);
}
