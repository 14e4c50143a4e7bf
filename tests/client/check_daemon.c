/* SPDX-License-Identifier: MIT
 * libqbroker.so and qbrokerd together, over a Unix socket and over TCP: what the two
 * must agree on. What the broker promises is tested in tests/system/. */
#include "tests/client/live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *address;

static void
setup(void)
{
	broker = (struct daemon){.tcp = {"tcp://127.0.0.1:0"}};
	daemon_start(&broker, NULL);
}

static void
connect_over(int tcp)
{
	address = tcp ? broker.tcp_address[0] : broker.address;
	ck_assert_int_eq(qb_open(address, &q), QB_OK);
	ck_assert_int_eq(qb_open(address, &other), QB_OK);
}

static uint64_t from_which;
static qb_item *any_item;

static void
note_any(qb *handle, uint64_t request, qb_result result, uint64_t id, qb_item *item,
	 void *arg)
{
	from_which = id;
	any_item = item;
}

START_TEST(one_get_waits_for_many_queues)
{
	static const char *const queues[] = {"a", "b", "c"}, *same[] = {"a", "a"};
	qb_item *item;
	unsigned which;

	connect_over(_i);
	for (int i = 0; i < 2; i++)
		for (int k = 1; k < 3; k++)
			ok(qb_put(q, queues[k], queues[k], 1, 0, NULL));
	for (unsigned i = 0; i < 4; i++) {
		ok(qb_get_any(q, queues, 3, i < 2 ? QB_ROUND_ROBIN : QB_STRICT, NULL, 0,
			      i % 2 ? QB_AUTO : QB_MANUAL, &item, &which));
		ck_assert_uint_eq(which, 1 + i % 2);
		ck_assert_str_eq(qb_item_body(item), queues[which]);
		qb_item_free(item);
	}
	says(QB_EMPTY,
	     qb_get_any(q, queues, 3, QB_STRICT, NULL, 10, QB_AUTO, &item, &which));
	ck_assert_ptr_null(item);
	ok(qb_start_get_any(q, queues, 3, QB_STRICT, NULL, QB_FOREVER, QB_MANUAL,
			    note_any, NULL, NULL));
	ok(qb_send(q));
	ok(qb_put(other, "c", "x", 1, 0, NULL));
	while (!any_item)
		ok(qb_wait(q, 20000));
	ck_assert_uint_eq(from_which, 2);
	ok(qb_ack(q, any_item));
	qb_item_free(any_item);
	any_item = NULL;
	says(QB_INVALID,
	     qb_get_any(q, same, 2, QB_STRICT, NULL, 0, QB_AUTO, &item, NULL));
	says(QB_INVALID,
	     qb_get_any(q, queues, 0, QB_STRICT, NULL, 0, QB_AUTO, &item, NULL));
	says(QB_INVALID,
	     qb_get_any(q, queues, 3, (qb_any_mode)7, NULL, 0, QB_AUTO, &item, NULL));
}
END_TEST

START_TEST(an_item_is_delayed_and_expires)
{
	qb_put_options *options = qb_put_options_new();
	qb_item *item;

	connect_over(_i);
	qb_put_options_set_delay(options, 50);
	ok(qb_put_with(q, "jobs", options, "a", 1, 0, NULL));
	says(QB_EMPTY, qb_peek(q, "jobs", &item));
	ok(qb_get(other, "jobs", QB_FOREVER, QB_AUTO, &item));
	qb_item_free(item);
	qb_put_options_set_ttl(options, 50);
	qb_put_options_set_at(options, INT64_C(1) << 50);
	ok(qb_put_with(q, "jobs", options, "b", 1, 0, NULL));
	ok(qb_join(q, "jobs", QB_FOREVER));
	says(QB_EMPTY, qb_get(q, "jobs", 0, QB_AUTO, &item));
	qb_put_options_set_delay(options, -1);
	says(QB_INVALID, qb_put_with(q, "jobs", options, "c", 1, 0, NULL));
	ck_assert_ptr_nonnull(strstr(qb_error(q), "delay_ms"));
	qb_put_options_free(options);
}
END_TEST

START_TEST(a_queue_has_an_order_and_items_a_priority)
{
	static const char *const by_priority[] = {"order=priority", NULL};
	static const char *const lifo[] = {"order=lifo", NULL};
	static const char *const nonsense[] = {"order=random", NULL};
	static const struct {
		const char *body;
		int32_t priority;
	} puts[] = {{"b", 0}, {"d", INT32_MAX}, {"a", INT32_MIN}, {"c", 0}};
	qb_put_options *options = qb_put_options_new();
	qb_item *item;

	connect_over(_i);
	ok(qb_declare(q, "jobs", by_priority, 0, NULL));
	for (size_t i = 0; i < 4; i++) {
		qb_put_options_set_priority(options, puts[i].priority);
		ok(qb_put_with(q, "jobs", options, puts[i].body, 1, 0, NULL));
	}
	says(QB_MISMATCH, qb_declare(q, "jobs", lifo, 0, NULL));
	ck_assert_str_eq(qb_error(q), "the queue has order priority, not lifo");
	says(QB_NOT_EMPTY, qb_declare(q, "jobs", lifo, 1, NULL));
	ck_assert_ptr_nonnull(strstr(qb_error(q), "order"));
	says(QB_INVALID, qb_declare(q, "jobs", nonsense, 1, NULL));
	ok(qb_peek(q, "jobs", &item));
	ck_assert_int_eq(qb_item_priority(item), INT32_MIN);
	qb_item_free(item);
	for (char want = 'a'; want <= 'd'; want++) {
		ok(qb_get(other, "jobs", 0, QB_AUTO, &item));
		ck_assert_int_eq(*(const char *)qb_item_body(item), want);
		qb_item_free(item);
	}
	ok(qb_join(other, "jobs", QB_FOREVER));
	ok(qb_declare(q, "jobs", lifo, 1, NULL));
	qb_put_options_free(options);
}
END_TEST

START_TEST(a_queue_is_durable_only_where_there_is_a_place)
{
	static const char *const sync[] = {"durable=sync", NULL};
	static const char *const none[] = {"durable=none", NULL};
	static const char *const nonsense[] = {"durable=yes", NULL};

	connect_over(0);
	says(QB_INVALID, qb_declare(q, "jobs", sync, 0, NULL));
	ck_assert_str_eq(qb_error(q),
			 "durable=sync needs the broker's option state_dir");
	says(QB_INVALID, qb_declare(q, "jobs", nonsense, 0, NULL));
	ck_assert_str_eq(qb_error(q), "option durable must be none, async or sync");
	ok(qb_declare(q, "jobs", none, 0, NULL));
}
END_TEST

START_TEST(a_queue_becomes_durable_while_it_has_no_items)
{
	static const char *const sync[] = {"durable=sync", NULL};
	static const char *const none[] = {"durable=none", NULL};
	char place[64], option[96];

	daemon_stop(&broker);
	test_folder(place, sizeof(place));
	snprintf(option, sizeof(option), "state_dir = %s", place);
	broker = (struct daemon){.config = {option}};
	daemon_start(&broker, NULL);
	connect_over(0);
	ok(qb_declare(q, "jobs", sync, 0, NULL));
	says(QB_MISMATCH, qb_declare(q, "jobs", none, 0, NULL));
	ck_assert_str_eq(qb_error(q), "the queue has durable sync, not none");
	ok(qb_put(q, "jobs", "a", 1, 0, NULL));
	says(QB_NOT_EMPTY, qb_declare(q, "jobs", none, 1, NULL));
	ck_assert_ptr_nonnull(strstr(qb_error(q), "durable cannot change"));
	ok(qb_purge(q, "jobs", NULL));
	ok(qb_declare(q, "jobs", none, 1, NULL));
	daemon_stop(&broker);
	remove_tree(place);
	setup();
}
END_TEST

START_TEST(groups_are_joined_and_cancelled)
{
	struct iovec bodies[3] = {{(void *)"a", 1}, {(void *)"b", 1}, {(void *)"c", 1}};
	qb_put_options *options = qb_put_options_new();
	uint64_t dropped, held;
	qb_item *items[3], *item;
	unsigned n;

	connect_over(_i);
	qb_put_options_set_group(options, "job");
	ok(qb_put_many_with(q, "jobs", options, bodies, 3, 1, 0, NULL));
	ok(qb_put(q, "jobs", "x", 1, 0, NULL));
	ok(qb_get_many(q, "jobs", 0, QB_MANUAL, 2, 2, 0, 0, items, &n));
	ck_assert_str_eq(qb_item_group(items[1]), "job");
	says(QB_TIMEOUT, qb_join_group(other, "jobs", "job", 0));
	ok(qb_join_group(other, "jobs", "another", 0));
	ok(qb_cancel_group(other, "jobs", "job", &dropped, &held));
	ck_assert_uint_eq(dropped, 1);
	ck_assert_uint_eq(held, 2);
	ok(qb_release(q, items[0]));
	says(QB_TIMEOUT, qb_join_group(other, "jobs", "job", 0));
	ok(qb_ack(q, items[1]));
	ok(qb_join_group(other, "jobs", "job", 0));
	ok(qb_get(q, "jobs", 0, QB_AUTO, &item));
	ck_assert_ptr_null(qb_item_group(item));
	ok(qb_join(other, "jobs", QB_FOREVER));
	says(QB_NOT_FOUND, qb_cancel_group(other, "none", "job", NULL, NULL));
	ok(qb_cancel_group(other, "jobs", "job", NULL, NULL));
	qb_item_free(items[0]);
	qb_item_free(items[1]);
	qb_item_free(item);
	qb_put_options_free(options);
}
END_TEST

START_TEST(a_join_says_that_nobody_works)
{
	uint64_t died = 9;
	qb_item *item;

	connect_over(_i);
	ok(qb_put(q, "jobs", "a", 1, 0, NULL));
	ok(qb_put(q, "jobs", "b", 1, 0, NULL));
	says(QB_STALLED, qb_join_with(q, "jobs", NULL, QB_FOREVER, 20, 0, &died));
	ck_assert_str_eq(qb_error(q), "nothing has happened for 20 ms: ready 2, "
				      "delayed 0, held 0, and nobody gets");
	ck_assert_uint_eq(died, 0);
	says(QB_TIMEOUT, qb_join_with(q, "jobs", NULL, 0, 20, 0, NULL));
	says(QB_INVALID, qb_join_with(q, "jobs", NULL, 0, -1, 0, NULL));
	ok(qb_get(other, "jobs", 0, QB_MANUAL, &item));
	says(QB_TIMEOUT, qb_join_with(q, "jobs", NULL, 60, 20, 1, NULL));
	ok(qb_ack(other, item));
	qb_item_free(item);
	ok(qb_get(other, "jobs", 0, QB_AUTO, &item));
	qb_item_free(item);
	ok(qb_join_with(q, "jobs", NULL, QB_FOREVER, 20, 1, &died));
	ck_assert_uint_eq(died, 0);
}
END_TEST

START_TEST(a_key_is_taken_by_one_item)
{
	struct iovec bodies[2] = {{(void *)"a", 1}, {(void *)"b", 1}};
	qb_put_options *options = qb_put_options_new();
	uint64_t first, id;
	qb_item *item;

	connect_over(_i);
	qb_put_options_set_key(options, "k");
	ok(qb_put_with(q, "jobs", options, "a", 1, 0, &first));
	ck_assert(!qb_was_duplicate(q));
	ok(qb_put_with(other, "jobs", options, "b", 1, 0, &id));
	ck_assert(qb_was_duplicate(other));
	ck_assert_uint_eq(id, first);
	says(QB_INVALID, qb_put_many_with(q, "jobs", options, bodies, 2, 0, 0, NULL));
	ck_assert_ptr_nonnull(strstr(qb_error(q), "key"));
	qb_put_options_set_on_duplicate(options, QB_REPLACE);
	ok(qb_put_with(other, "jobs", options, "new", 3, 0, &id));
	ck_assert_uint_eq(id, first);
	ok(qb_get(q, "jobs", 0, QB_MANUAL, &item));
	ck_assert_str_eq(qb_item_body(item), "new");
	says(QB_DUPLICATE, qb_put_with(other, "jobs", options, "c", 1, 0, NULL));
	qb_put_options_set_on_duplicate(options, QB_REJECT);
	says(QB_DUPLICATE, qb_put_with(other, "jobs", options, "c", 1, 0, NULL));
	ok(qb_put_start_with(q, "jobs", options, "c", 1));
	says(QB_DUPLICATE, qb_flush(q, QB_FOREVER));
	ok(qb_ack(q, item));
	qb_item_free(item);
	qb_put_options_set_unique(options, QB_QUEUED);
	qb_put_options_set_window(options, 86400000);
	ok(qb_put_with(other, "jobs", options, "c", 1, 0, NULL));
	ok(qb_get(q, "jobs", 0, QB_AUTO, &item));
	qb_item_free(item);
	says(QB_DUPLICATE, qb_put_with(q, "jobs", options, "d", 1, 0, NULL));
	qb_put_options_set_window(options, 0);
	says(QB_INVALID, qb_put_with(q, "jobs", options, "d", 1, 0, NULL));
	ck_assert_ptr_nonnull(strstr(qb_error(q), "window_ms"));
	qb_put_options_set_window(options, 1);
	qb_put_options_set_unique(options, (qb_unique)9);
	says(QB_INVALID, qb_put_with(q, "jobs", options, "d", 1, 0, NULL));
	ck_assert_str_eq(qb_error(q), "option unique must be queued or unfinished");
	qb_put_options_set_key(options, "");
	says(QB_INVALID, qb_put_with(q, "jobs", options, "d", 1, 0, NULL));
	ck_assert_ptr_nonnull(strstr(qb_error(q), "key's name is empty"));
	qb_put_options_free(options);
}
END_TEST

START_TEST(a_key_is_free_for_a_pipelined_put_behind_the_ack)
{
	qb_put_options *options = qb_put_options_new();
	uint64_t unfinished;
	qb_item *item;

	connect_over(_i);
	qb_put_options_set_key(options, "k");
	ok(qb_put_with(q, "jobs", options, "a", 1, 0, NULL));
	ok(qb_get(q, "jobs", 0, QB_MANUAL, &item));
	ok(qb_ack_start(q, item));
	ok(qb_put_start_with(q, "jobs", options, "b", 1));
	ok(qb_flush(q, QB_FOREVER));
	ok(qb_size(q, "jobs", NULL, &unfinished, NULL));
	ck_assert_uint_eq(unfinished, 1);
	qb_item_free(item);
	qb_put_options_free(options);
}
END_TEST

/* The head of a reply has an end. */
START_TEST(a_thousand_items_with_long_groups_come_in_several_requests)
{
	static qb_item *items[QB_MAX_BATCH];
	qb_put_options *options = qb_put_options_new();
	char group[256];
	unsigned n, got = 0;

	connect_over(_i);
	memset(group, 'g', 255);
	group[255] = 0;
	qb_put_options_set_group(options, group);
	for (int i = 0; i < QB_MAX_BATCH; i++)
		ok(qb_put_start_with(q, "jobs", options, "", 0));
	ok(qb_flush(q, QB_FOREVER));
	for (; got < QB_MAX_BATCH; got += n) {
		ok(qb_get_many(other, "jobs", 0, QB_AUTO, QB_MAX_BATCH, 1, 0, 0, items,
			       &n));
		ck_assert_uint_gt(n, 150);
		for (unsigned i = 0; i < n; i++) {
			ck_assert_str_eq(qb_item_group(items[i]), group);
			qb_item_free(items[i]);
		}
	}
	qb_put_options_free(options);
}
END_TEST

START_TEST(an_item_is_put_got_given_back_and_finished)
{
	uint64_t id, qsize, unfinished;
	qb_item *item;

	connect_over(_i);
	ok(qb_put_typed(q, "jobs", 7, "hello", 5, QB_FOREVER, &id));
	ok(qb_peek(q, "jobs", &item));
	ck_assert_uint_eq(qb_item_id(item), id);
	ck_assert_uint_eq(qb_item_deliveries(item), 0);
	says(QB_STALE, qb_ack(q, item));
	qb_item_free(item);

	ok(qb_get(q, "jobs", 0, QB_MANUAL, &item));
	ck_assert_str_eq(qb_item_body(item), "hello");
	ck_assert_uint_eq(qb_item_ctype(item), 7);
	ok(qb_size(q, "jobs", &qsize, &unfinished, NULL));
	ck_assert_uint_eq(qsize, 0);
	ck_assert_uint_eq(unfinished, 1);
	says(QB_TIMEOUT, qb_join(q, "jobs", 0));
	ok(qb_release(q, item));
	says(QB_STALE, qb_ack(q, item));
	qb_item_free(item);

	ok(qb_get(q, "jobs", 0, QB_MANUAL, &item));
	ck_assert_uint_eq(qb_item_deliveries(item), 2);
	ok(qb_ack(q, item));
	says(QB_STALE, qb_ack(q, item));
	qb_item_free(item);
	ok(qb_join(q, "jobs", QB_FOREVER));
	says(QB_EMPTY, qb_get(q, "jobs", 20, QB_AUTO, &item));
	says(QB_NOT_LEASED, qb_task_done(q, "jobs"));
}
END_TEST

START_TEST(the_largest_item_survives_the_way)
{
	size_t len;
	qb_item *item;
	char *body;

	connect_over(_i);
	len = (size_t)qb_max_item(q);
	body = malloc(len);
	ck_assert_ptr_nonnull(body);
	for (size_t i = 0; i < len; i++)
		body[i] = (char)(i * 7 + i / 999);
	says(QB_TOO_BIG, qb_put(q, "jobs", body, len + 1, 0, NULL));
	ok(qb_put(q, "jobs", body, len, QB_FOREVER, NULL));
	ok(qb_put_start(q, "jobs", body, len));
	ok(qb_flush(q, QB_FOREVER));
	for (int i = 0; i < 2; i++) {
		ok(qb_get(q, "jobs", 0, QB_AUTO, &item));
		ck_assert_uint_eq(qb_item_size(item), len);
		ck_assert(memcmp(qb_item_body(item), body, len) == 0);
		qb_item_free(item);
	}
	ok(qb_join(q, "jobs", QB_FOREVER));
	free(body);
}
END_TEST

START_TEST(a_thousand_items_go_in_one_request)
{
	static char bytes[2000];
	static struct iovec bodies[QB_MAX_BATCH];
	static qb_item *items[QB_MAX_BATCH];
	static int64_t ids[QB_MAX_BATCH];
	unsigned n;

	connect_over(_i);
	for (int i = 0; i < 2000; i++)
		bytes[i] = (char)(i * 31 + i / 256);
	for (int i = 0; i < QB_MAX_BATCH; i++)
		bodies[i] = (struct iovec){bytes + i, (size_t)i};
	ok(qb_put_many(q, "jobs", bodies, QB_MAX_BATCH, _i, QB_FOREVER, ids));
	ok(qb_get_many(q, "jobs", 0, QB_MANUAL, QB_MAX_BATCH, 1, 0, 0, items, &n));
	ck_assert_uint_eq(n, QB_MAX_BATCH);
	for (unsigned i = 0; i < n; i++) {
		ck_assert_uint_eq(qb_item_id(items[i]), (uint64_t)ids[i]);
		ck_assert_uint_eq(qb_item_size(items[i]), i);
		ck_assert(memcmp(qb_item_body(items[i]), bytes + i, i) == 0);
	}
	ok(qb_ack_many(q, items, 500));
	says(QB_STALE, qb_ack_many(q, items + 250, 500));
	ck_assert_str_eq(qb_error(q), "250 of 500 items were stale");
	for (unsigned i = 750; i < n; i++)
		ok(qb_ack_start(q, items[i]));
	ok(qb_join(q, "jobs", 0));
	for (unsigned i = 0; i < n; i++)
		qb_item_free(items[i]);
}
END_TEST

START_TEST(a_full_queue_refuses_by_its_timeout)
{
	static const char *const two[] = {"maxsize=2", NULL};
	static const char *const three[] = {"maxsize=3", NULL};
	struct iovec bodies[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
	int64_t ids[3];
	int created = 0;

	connect_over(_i);
	ok(qb_declare(q, "jobs", two, 0, &created));
	ck_assert_int_eq(created, 1);
	says(QB_MISMATCH, qb_declare(q, "jobs", three, 0, NULL));
	says(QB_FULL, qb_put_many(q, "jobs", bodies, 3, 0, 0, ids));
	ck_assert_int_gt(ids[1], ids[0]);
	ck_assert_int_eq(ids[2], -QB_FULL);
	says(QB_FULL, qb_put(q, "jobs", "x", 1, 0, NULL));
	says(QB_FULL, qb_put(q, "jobs", "x", 1, 20, NULL));
	says(QB_TOO_BIG, qb_put_many(q, "jobs", bodies, 3, 1, 0, ids));
}
END_TEST

static void
note_size(qb *handle, uint64_t request, qb_result result, uint64_t id, qb_item *item,
	  void *arg)
{
	size_t **next = arg;

	ck_assert_int_eq(result, QB_OK);
	*(*next)++ = qb_item_size(item);
	ck_assert_int_eq(((const char *)qb_item_body(item))[qb_item_size(item) - 1], 'z');
	ok(qb_ack_start(handle, item));
	qb_item_free(item);
}

/* Some of their bodies share a frame, others are passed by themselves. */
START_TEST(started_gets_take_items_of_all_sizes)
{
	static const size_t sizes[] = {1, 300000, 2, 3, 200000, 400000, 4};
	size_t got[7], *next = got;
	qb_buffer *buffer;

	connect_over(_i);
	for (int i = 0; i < 7; i++) {
		buffer = qb_buffer_new(sizes[i]);
		memset(qb_buffer_data(buffer), 'z', sizes[i]);
		ok(qb_put_buffer(q, "jobs", NULL, buffer, 0, NULL));
	}
	for (int i = 0; i < 7; i++)
		ok(qb_start_get(q, "jobs", QB_FOREVER, QB_MANUAL, note_size, &next,
				NULL));
	ok(qb_wait(q, QB_FOREVER));
	for (int i = 0; i < 7; i++)
		ck_assert_uint_eq(got[i], sizes[i]);
	ok(qb_join(q, "jobs", 10000));
}
END_TEST

START_TEST(pipelined_puts_learn_of_a_shutdown_once)
{
	static const char *const two[] = {"maxsize=2", NULL};
	uint64_t count;

	connect_over(_i);
	ok(qb_declare(q, "jobs", two, 0, NULL));
	for (int i = 0; i < 10; i++)
		ok(qb_put_start(q, "jobs", "x", 1));
	says(QB_FULL, qb_flush(q, 20));
	ck_assert_uint_eq(qb_outstanding_puts(q), 10); /* they are told together */
	ck_assert_int_eq(qb_shutdown(other, "jobs", 0), QB_OK);
	says(QB_SHUT_DOWN, qb_flush(q, QB_FOREVER));
	ck_assert_uint_eq(qb_failed_puts(q), 8);
	ok(qb_flush(q, 0));
	ok(qb_reopen(q, "jobs"));
	ok(qb_purge(q, "jobs", &count));
	ck_assert_uint_eq(count, 2);
}
END_TEST

START_TEST(pipelined_puts_keep_their_order)
{
	qb_item *item;

	connect_over(_i);
	for (int i = 0; i < 20000; i++)
		ok(qb_put_start(q, "jobs", &i, sizeof(i)));
	ok(qb_flush(q, QB_FOREVER));
	for (int i = 0; i < 20000; i++) {
		ok(qb_get(q, "jobs", 0, QB_NONE, &item));
		ck_assert_mem_eq(qb_item_body(item), &i, sizeof(i));
		qb_item_free(item);
	}
}
END_TEST

static unsigned calls;
static qb_result last;

static void
note(qb *handle, uint64_t request, qb_result result, uint64_t id, qb_item *item,
     void *arg)
{
	calls++;
	last = result;
	qb_item_free(item);
}

START_TEST(started_requests_are_cancelled_served_and_deleted)
{
	uint64_t request;

	connect_over(_i);
	calls = 0;
	ok(qb_start_get(q, "jobs", QB_FOREVER, QB_AUTO, note, NULL, &request));
	ok(qb_send(q));
	ok(qb_cancel(q, request));
	ok(qb_wait(q, QB_FOREVER));
	ck_assert_int_eq(last, QB_CANCELLED);
	ok(qb_start_get(q, "jobs", QB_FOREVER, QB_AUTO, note, NULL, NULL));
	ok(qb_start_put(q, "jobs", "x", 1, 0, note, NULL, NULL));
	ok(qb_wait(q, QB_FOREVER));
	ck_assert_uint_eq(calls, 3);
	ck_assert_int_eq(last, QB_OK);
	ok(qb_start_join(q, "jobs", QB_FOREVER, note, NULL, NULL));
	ok(qb_wait(q, QB_FOREVER));
	ck_assert_int_eq(last, QB_OK);
	ok(qb_start_get(q, "jobs", QB_FOREVER, QB_AUTO, note, NULL, NULL));
	ok(qb_ping(q));
	ck_assert_int_eq(qb_delete(other, "jobs", 0), QB_NOT_EMPTY);
	ck_assert_int_eq(qb_delete(other, "jobs", 1), QB_OK);
	ok(qb_wait(q, QB_FOREVER));
	ck_assert_int_eq(last, QB_DELETED);
	ck_assert_uint_eq(calls, 5);
}
END_TEST

START_TEST(tables_have_every_queue_in_order)
{
	char name[16];
	qb_table *t;
	int64_t n = 0;

	connect_over(_i);
	for (int i = 0; i < 250; i++) {
		snprintf(name, sizeof(name), "q%d", i);
		ok(qb_declare(q, name, NULL, 0, NULL));
	}
	ok(qb_queues(q, NULL, &t));
	ck_assert_uint_eq(qb_table_rows(t), 250);
	for (unsigned i = 0; i < 250; i++) {
		snprintf(name, sizeof(name), "q%u", i);
		ck_assert_str_eq(qb_table_string(t, i, "queue"), name);
		ck_assert_int_eq(qb_table_number(t, i, "ready", &n), 1);
	}
	qb_table_free(t);
	ok(qb_queues(q, "q7", &t));
	ck_assert_uint_eq(qb_table_rows(t), 1);
	qb_table_free(t);
	says(QB_NOT_FOUND, qb_queues(q, "none", &t));
	ok(qb_stats(q, &t));
	ck_assert_int_eq(qb_table_number(t, 0, "queues", &n), 1);
	ck_assert_int_eq(n, 250);
	ck_assert_int_eq(qb_table_number(t, 0, "pid", &n), 1);
	ck_assert_int_eq(n, broker.pid);
	qb_table_free(t);
}
END_TEST

START_TEST(children_have_sessions_of_their_own)
{
	qb_item *item;
	int status;

	connect_over(_i);
	ok(qb_put(q, "jobs", "x", 1, 0, NULL));
	if (fork() == 0) /* dies with the item */
		_exit(qb_get(q, "jobs", 0, QB_MANUAL, &item) != QB_OK);
	ck_assert_int_gt(wait(&status), 0);
	ck_assert_int_eq(status, 0);
	ok(qb_get(q, "jobs", QB_FOREVER, QB_MANUAL, &item));
	ck_assert_uint_eq(qb_item_crashes(item), 1);
	ck_assert_uint_eq(qb_item_deliveries(item), 2);
	if (fork() == 0)
		_exit(qb_ack(q, item) != QB_STALE || qb_ping(q) != QB_OK);
	ck_assert_int_gt(wait(&status), 0);
	ck_assert_int_eq(status, 0);
	ok(qb_ack(q, item));
	qb_item_free(item);
}
END_TEST

START_TEST(what_waits_goes_on_with_the_next_broker)
{
	qb_item *item;

	connect_over(0);
	ok(qb_put(q, "jobs", "x", 1, 0, NULL));
	ok(qb_get(q, "jobs", 0, QB_MANUAL, &item));
	calls = 0;
	ok(qb_start_get(q, "jobs", QB_FOREVER, QB_AUTO, note, NULL, NULL));
	ok(qb_put_start(q, "jobs", "x", 1));
	daemon_kill(&broker);
	daemon_start(&broker, NULL);
	ok(qb_wait(q, QB_FOREVER));
	ck_assert_uint_eq(calls, 1);
	ck_assert_int_eq(last, QB_OK);
	ok(qb_flush(q, QB_FOREVER));
	says(QB_STALE, qb_ack(q, item));
	daemon_kill(&broker);
	says(QB_LOST, qb_process(q));
	says(QB_NO_BROKER, qb_ping(q));
	daemon_start(&broker, NULL);
	ok(qb_ping(q));
	says(QB_STALE, qb_ack(q, item));
	qb_item_free(item);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("daemon");

	tcase_add_checked_fixture(t, setup, live_teardown);
	tcase_add_loop_test(t, an_item_is_put_got_given_back_and_finished, 0, 2);
	tcase_add_loop_test(t, one_get_waits_for_many_queues, 0, 2);
	tcase_add_loop_test(t, an_item_is_delayed_and_expires, 0, 2);
	tcase_add_loop_test(t, groups_are_joined_and_cancelled, 0, 2);
	tcase_add_loop_test(t, a_join_says_that_nobody_works, 0, 2);
	tcase_add_loop_test(t, a_key_is_taken_by_one_item, 0, 2);
	tcase_add_loop_test(t, a_key_is_free_for_a_pipelined_put_behind_the_ack, 0, 2);
	tcase_add_loop_test(
		t, a_thousand_items_with_long_groups_come_in_several_requests, 0, 2);
	tcase_add_loop_test(t, a_queue_has_an_order_and_items_a_priority, 0, 2);
	tcase_add_test(t, a_queue_is_durable_only_where_there_is_a_place);
	tcase_add_test(t, a_queue_becomes_durable_while_it_has_no_items);
	tcase_add_loop_test(t, the_largest_item_survives_the_way, 0, 2);
	tcase_add_loop_test(t, a_thousand_items_go_in_one_request, 0, 2);
	tcase_add_loop_test(t, a_full_queue_refuses_by_its_timeout, 0, 2);
	tcase_add_loop_test(t, started_gets_take_items_of_all_sizes, 0, 2);
	tcase_add_loop_test(t, pipelined_puts_learn_of_a_shutdown_once, 0, 2);
	tcase_add_loop_test(t, pipelined_puts_keep_their_order, 0, 2);
	tcase_add_loop_test(t, started_requests_are_cancelled_served_and_deleted, 0, 2);
	tcase_add_loop_test(t, tables_have_every_queue_in_order, 0, 2);
	tcase_add_loop_test(t, children_have_sessions_of_their_own, 0, 2);
	tcase_add_test(t, what_waits_goes_on_with_the_next_broker);
	return run_case("daemon", t);
}
