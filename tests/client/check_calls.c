/* SPDX-License-Identifier: MIT
 * Every blocking call against a broker that answers well, and one that refuses. What
 * was sent is compared with what was asked for. */
#include "client/qbroker.h"
#include "tests/client/fixture.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The i-th request, after HELLO, which was `op` about "jobs". */
static const struct fake_request *
sent(unsigned i, enum qp_op op)
{
	const struct fake_request *r = fake_request(&fake, i);

	ck_assert_int_eq(r->m.op, op);
	if (r->m.queue.len)
		ck_assert_str_eq(r->queue, "jobs");
	return r;
}

START_TEST(open_says_who_calls)
{
	const struct fake_request *r = sent(0, QP_OP_HELLO);

	ck_assert_uint_eq(r->m.version, QP_PROTOCOL_VERSION);
	ck_assert_uint_eq(r->m.options.pid, (uint64_t)getpid());
	ck_assert_uint_gt(strlen(r->client), 0);
	ck_assert_str_eq(qb_server(q), "fake/1");
	ck_assert_uint_eq(qb_max_item(q), FAKE_MAX_ITEM);
	ck_assert_str_eq(qb_address(q), fake.address);
	ck_assert_str_eq(qb_error(q), "");
	ck_assert_int_ge(qb_fd(q), 0);
}
END_TEST

START_TEST(ping_is_a_round_trip)
{
	ok(qb_ping(q));
	sent(1, QP_OP_PING);
}
END_TEST

START_TEST(put_sends_the_body_and_gets_the_id)
{
	const struct fake_request *r;
	uint64_t id = 0;

	ok(qb_put(q, "jobs", "a\0b", 3, 1500, &id));
	ck_assert_uint_eq(id, 1);
	r = sent(1, QP_OP_PUT);
	ck_assert_uint_eq(r->m.timeout_ms, 1500);
	ck_assert_uint_eq(r->m.options.present, 0);
	ck_assert_uint_eq(r->body_len, 3);
	ck_assert_mem_eq(r->body, "a\0b", 3);
	ok(qb_put_typed(q, "jobs", 200, NULL, 0, QB_FOREVER, NULL));
	r = sent(2, QP_OP_PUT);
	ck_assert_uint_eq(r->m.timeout_ms, QP_FOREVER);
	ck_assert_uint_eq(r->m.options.ctype, 200);
	ck_assert_uint_eq(r->body_len, 0);
}
END_TEST

START_TEST(large_bodies_arrive_whole)
{
	static const size_t sizes[] = {16383, 16384, 65537, 131072, 5000000};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *body = malloc(sizes[i]);
		const struct fake_request *r;

		for (size_t j = 0; j < sizes[i]; j++)
			body[j] = (char)(j * 31 + j / 251);
		ok(qb_put(q, "jobs", body, sizes[i], QB_FOREVER, NULL));
		r = sent((unsigned)(1 + 2 * i), QP_OP_PUT);
		ck_assert_uint_eq(r->body_len, sizes[i]);
		ck_assert_uint_eq(r->body_sum, fake_sum(body, sizes[i]));
		ok(qb_put_start(q, "jobs", body, sizes[i]));
		ok(qb_flush(q, QB_FOREVER));
		r = sent((unsigned)(2 + 2 * i), QP_OP_PUT);
		ck_assert_uint_eq(r->body_sum, fake_sum(body, sizes[i]));
		free(body);
	}
}
END_TEST

START_TEST(put_many_gives_a_result_for_each)
{
	struct iovec bodies[3] = {{(void *)"one", 3}, {NULL, 0}, {(void *)"three", 5}};
	const struct fake_request *r;
	int64_t ids[3] = {0};

	ok(qb_put_many(q, "jobs", bodies, 3, 0, 10, ids));
	ck_assert_int_eq(ids[0], 1);
	ck_assert_int_eq(ids[2], 3);
	r = sent(1, QP_OP_PUT_MANY);
	ck_assert_uint_eq(r->m.lengths.n, 3);
	ck_assert_int_eq(r->numbers[1], 0);
	ck_assert_int_eq(r->numbers[2], 5);
	ck_assert_mem_eq(r->body, "onethree", 8);
	ck_assert(!QP_GIVEN(&r->m.options, atomic));
	ok(qb_put_many(q, "jobs", bodies, 3, 1, QB_FOREVER, NULL));
	r = sent(2, QP_OP_PUT_MANY);
	ck_assert_uint_eq(r->m.options.atomic, 1);
	ck_assert_uint_eq(r->m.timeout_ms, QP_FOREVER);
}
END_TEST

START_TEST(puts_carry_their_times)
{
	qb_put_options *options = qb_put_options_new();
	const struct fake_request *r;

	ck_assert_ptr_nonnull(options);
	qb_put_options_set_at(options, 5);
	qb_put_options_set_delay(options, 1500);
	qb_put_options_set_ttl(options, 60000);
	ok(qb_put_with(q, "jobs", options, "a", 1, 0, NULL));
	r = sent(1, QP_OP_PUT);
	ck_assert_uint_eq(QP_OPT(&r->m.options, delay_ms), 1500);
	ck_assert_uint_eq(QP_OPT(&r->m.options, ttl_ms), 60000);
	ck_assert(!QP_GIVEN(&r->m.options, at_ms));
	qb_put_options_set_at(options, 1700000000000);
	ok(qb_put_with(q, "jobs", options, "a", 1, 0, NULL));
	r = sent(2, QP_OP_PUT);
	ck_assert_uint_eq(QP_OPT(&r->m.options, at_ms), 1700000000000);
	ck_assert(!QP_GIVEN(&r->m.options, delay_ms));
	qb_put_options_free(options);
}
END_TEST

START_TEST(puts_carry_their_options)
{
	struct iovec bodies[2] = {{(void *)"a", 1}, {(void *)"b", 1}};
	qb_put_options *options = qb_put_options_new();
	const struct fake_request *r;

	ck_assert_ptr_nonnull(options);
	qb_put_options_set_priority(options, INT32_MIN);
	qb_put_options_set_ctype(options, 255);
	ok(qb_put_with(q, "jobs", options, "a", 1, 0, NULL));
	ok(qb_put_many_with(q, "jobs", options, bodies, 2, 1, 0, NULL));
	ok(qb_put_start_with(q, "jobs", options, "a", 1));
	qb_put_options_free(options);
	ok(qb_flush(q, QB_FOREVER));
	for (unsigned i = 1; i <= 3; i++) {
		r = sent(i, i == 2 ? QP_OP_PUT_MANY : QP_OP_PUT);
		ck_assert_int_eq(QP_OPT(&r->m.options, priority), INT32_MIN);
		ck_assert_uint_eq(QP_OPT(&r->m.options, ctype), 255);
		ck_assert_uint_eq(QP_OPT(&r->m.options, atomic), i == 2);
	}
	ok(qb_put_with(q, "jobs", NULL, "a", 1, 0, NULL));
	ck_assert_uint_eq(sent(4, QP_OP_PUT)->m.options.present, 0);
	qb_put_options_free(NULL);
}
END_TEST

START_TEST(put_many_says_which_was_refused_first)
{
	struct iovec bodies[3] = {{(void *)"a", 1}, {(void *)"b", 1}, {(void *)"c", 1}};
	int64_t ids[3];

	fake.on[QP_OP_PUT_MANY] = fake_refuse_some;
	ck_assert_int_eq(qb_put_many(q, "jobs", bodies, 3, 0, 0, ids), QB_FULL);
	ck_assert_int_eq(ids[0], 51);
	ck_assert_int_eq(ids[1], -QB_FULL);
	ck_assert_int_eq(ids[2], -QB_SHUT_DOWN);
	ck_assert_str_eq(qb_error(q),
			 "2 of 3 items were refused; the first was item 1: "
			 "there was no room in time");
	ck_assert_int_eq(qb_put_many(q, "jobs", bodies, 2, 0, 0, NULL), QB_MALFORMED);
	ck_assert_int_eq(qb_fd(q), -1);
}
END_TEST

START_TEST(get_gives_the_item_with_its_metadata)
{
	const struct fake_request *r;
	qb_item *item;

	ok(qb_get(q, "jobs", 250, QB_MANUAL, &item));
	r = sent(1, QP_OP_GET);
	ck_assert_uint_eq(r->m.timeout_ms, 250);
	ck_assert_int_eq(r->m.ack, QP_ACK_MANUAL);
	ck_assert_uint_eq(qb_item_id(item), 11);
	ck_assert_uint_eq(qb_item_size(item), 4);
	ck_assert_str_eq(qb_item_body(item), "body");
	ck_assert_uint_eq(qb_item_deliveries(item), 1);
	ck_assert_uint_eq(qb_item_crashes(item), 2);
	ck_assert_uint_eq(qb_item_ctype(item), 9);

	ok(qb_ack(q, item));
	r = sent(2, QP_OP_ACK);
	ck_assert_uint_gt(r->m.rid, 0);
	ck_assert_uint_eq(r->m.id, 11);
	ck_assert_uint_eq(r->m.delivery, 1);
	ck_assert_uint_eq(r->m.epoch, FAKE_EPOCH);

	ok(qb_release(q, item));
	ck_assert_uint_eq(sent(3, QP_OP_RELEASE)->m.id, 11);
	qb_item_free(item);
	qb_item_free(NULL);
}
END_TEST

START_TEST(auto_acks_at_once_without_a_reply)
{
	const struct fake_request *r;
	qb_item *items[5], *item;
	unsigned n;

	ok(qb_get(q, "jobs", 0, QB_AUTO, &item));
	r = sent(2, QP_OP_ACK);
	ck_assert_uint_eq(r->m.rid, 0);
	ck_assert_uint_eq(r->m.id, 11);
	ck_assert_uint_eq(r->m.epoch, FAKE_EPOCH);
	ck_assert_int_eq(qb_ack(q, item), QB_STALE);
	qb_item_free(item);

	ok(qb_get_many(q, "jobs", 0, QB_AUTO, 5, 1, 0, 0, items, &n));
	ck_assert_uint_eq(n, 2);
	r = sent(4, QP_OP_ACK_MANY);
	ck_assert_uint_eq(r->m.rid, 0);
	ck_assert_uint_eq(r->m.tags.n, 4);
	ck_assert_int_eq(r->numbers[2], 22);
	ck_assert_int_eq(r->numbers[3], 2);
	qb_item_free(items[0]);
	qb_item_free(items[1]);

	ok(qb_get(q, "jobs", 0, QB_NONE, &item));
	ck_assert_int_eq(sent(5, QP_OP_GET)->m.ack, QP_ACK_NONE);
	qb_item_free(item);
	ok(qb_ping(q));
	sent(6, QP_OP_PING);
}
END_TEST

START_TEST(get_many_gives_items_and_ack_many_finishes_them)
{
	const struct fake_request *r;
	qb_item *items[4];
	unsigned n;

	ok(qb_get_many(q, "jobs", 99, QB_MANUAL, 4, 2, 1000, 30, items, &n));
	r = sent(1, QP_OP_GET_MANY);
	ck_assert_uint_eq(r->m.timeout_ms, 99);
	ck_assert_uint_eq(r->m.max_items, 4);
	ck_assert_uint_eq(r->m.options.min_items, 2);
	ck_assert_uint_eq(r->m.options.max_bytes, 1000);
	ck_assert_uint_eq(r->m.options.linger_ms, 30);
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(qb_item_body(items[0]), "one");
	ck_assert_uint_eq(qb_item_ctype(items[0]), 4);
	ck_assert_str_eq(qb_item_body(items[1]), "tw");
	ck_assert_uint_eq(qb_item_id(items[1]), 22);
	ck_assert_uint_eq(qb_item_crashes(items[1]), 1);

	ok(qb_ack_many(q, items, 2));
	r = sent(2, QP_OP_ACK_MANY);
	ck_assert_uint_gt(r->m.rid, 0);
	ck_assert_uint_eq(r->m.tags.n, 4);
	ck_assert_int_eq(r->numbers[0], 21);
	ck_assert_int_eq(r->numbers[1], 1);
	ck_assert_int_eq(r->numbers[2], 22);
	qb_item_free(items[0]);
	qb_item_free(items[1]);
}
END_TEST

static void
say_stale(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	int64_t stale[1] = {0};
	struct qp_reply reply = {.rid = r->m.rid, .stale = {.n = 1, .numbers = stale}};

	fake_reply(c, QP_OP_ACK_MANY, &reply, NULL, 0);
}

START_TEST(ack_many_counts_what_was_stale)
{
	qb_item *items[3];
	unsigned n;

	ok(qb_get_many(q, "jobs", 0, QB_MANUAL, 2, 1, 0, 0, items, &n));
	ok(qb_peek(q, "jobs", &items[2]));
	fake.on[QP_OP_ACK_MANY] = say_stale;
	ck_assert_int_eq(qb_ack_many(q, items, 3), QB_STALE);
	ck_assert_str_eq(qb_error(q), "2 of 3 items were stale");
	ck_assert_uint_eq(sent(3, QP_OP_ACK_MANY)->m.tags.n, 4);
	ck_assert_int_eq(qb_ack_many(q, items + 2, 1), QB_STALE);
	for (int i = 0; i < 3; i++)
		qb_item_free(items[i]);
}
END_TEST

START_TEST(ack_start_travels_with_the_next_request)
{
	qb_item *item;

	ok(qb_get(q, "jobs", 0, QB_MANUAL, &item));
	ok(qb_ack_start(q, item));
	ok(qb_ping(q));
	ck_assert_uint_eq(sent(2, QP_OP_ACK)->m.rid, 0);
	sent(3, QP_OP_PING);
	ok(qb_ack_start(q, item));
	ok(qb_send(q));
	ck_assert_uint_eq(sent(4, QP_OP_ACK)->m.id, 11);
	ok(qb_ack_start(q, item));
	ok(qb_flush(q, 0));
	ck_assert_uint_eq(sent(5, QP_OP_ACK)->m.id, 11);
	qb_item_free(item);
}
END_TEST

START_TEST(many_ack_starts_do_not_gather_for_ever)
{
	qb_item *item;

	ok(qb_get(q, "jobs", 0, QB_MANUAL, &item));
	for (int i = 0; i < 200000; i++)
		ok(qb_ack_start(q, item));
	fake_wait_requests(&fake, 400);
	qb_item_free(item);
}
END_TEST

START_TEST(peek_leases_nothing)
{
	qb_item *item;

	ok(qb_peek(q, "jobs", &item));
	sent(1, QP_OP_PEEK);
	ck_assert_str_eq(qb_item_body(item), "body");
	ck_assert_uint_eq(qb_item_id(item), 11);
	ck_assert_int_eq(qb_ack(q, item), QB_STALE);
	ck_assert_int_eq(qb_ack_start(q, item), QB_STALE);
	ck_assert_int_eq(qb_release(q, item), QB_STALE);
	ck_assert_uint_eq(fake.n_requests, 2);
	qb_item_free(item);
}
END_TEST

START_TEST(task_done_join_and_the_rest_name_their_queue)
{
	uint64_t count = 0;

	ok(qb_task_done(q, "jobs"));
	sent(1, QP_OP_TASK_DONE);
	ok(qb_join(q, "jobs", 12));
	ck_assert_uint_eq(sent(2, QP_OP_JOIN)->m.timeout_ms, 12);
	ok(qb_purge(q, "jobs", &count));
	ck_assert_uint_eq(count, 3);
	ok(qb_purge(q, "jobs", NULL));
	sent(4, QP_OP_PURGE);
	ok(qb_delete(q, "jobs", 0));
	ck_assert(!QP_GIVEN(&sent(5, QP_OP_DELETE)->m.options, force));
	ok(qb_delete(q, "jobs", 1));
	ck_assert_uint_eq(sent(6, QP_OP_DELETE)->m.options.force, 1);
	ok(qb_shutdown(q, "jobs", 0));
	ck_assert(!QP_GIVEN(&sent(7, QP_OP_SHUTDOWN)->m.options, immediate));
	ok(qb_shutdown(q, "jobs", 1));
	ck_assert_uint_eq(sent(8, QP_OP_SHUTDOWN)->m.options.immediate, 1);
	ok(qb_reopen(q, "jobs"));
	sent(9, QP_OP_REOPEN);
}
END_TEST

START_TEST(size_gives_three_numbers)
{
	uint64_t qsize = 0, unfinished = 0;
	int64_t maxsize = 0;

	ok(qb_size(q, "jobs", &qsize, &unfinished, &maxsize));
	ck_assert_uint_eq(qsize, 5);
	ck_assert_uint_eq(unfinished, 6);
	ck_assert_int_eq(maxsize, -1);
	ok(qb_size(q, "jobs", NULL, NULL, NULL));
}
END_TEST

START_TEST(declare_reads_its_options)
{
	static const char *const options[] = {"maxsize=-2147483648",
					      "max_bytes=9007199254740992", NULL};
	static const char *const zero[] = {"max_bytes=0", NULL};
	const struct fake_request *r;
	int created = 0;

	ok(qb_declare(q, "jobs", options, 1, &created));
	ck_assert_int_eq(created, 1);
	r = sent(1, QP_OP_DECLARE);
	ck_assert_int_eq(r->m.options.maxsize, INT32_MIN);
	ck_assert_uint_eq(r->m.options.max_bytes, QP_MAX_COUNT);
	ck_assert_uint_eq(r->m.options.update, 1);
	ok(qb_declare(q, "jobs", NULL, 0, NULL));
	ck_assert_uint_eq(sent(2, QP_OP_DECLARE)->m.options.present, 0);
	ok(qb_declare(q, "jobs", zero, 0, NULL));
	ck_assert(QP_GIVEN(&sent(3, QP_OP_DECLARE)->m.options, max_bytes));
}
END_TEST

START_TEST(every_result_has_a_name_and_a_text)
{
	for (int r = QB_AGAIN; r <= QB_NOSPACE; r++) {
		ck_assert_str_ne(qb_result_name((qb_result)r), "UNKNOWN");
		ck_assert_ptr_nonnull(qb_result_text((qb_result)r));
	}
	ck_assert_str_eq(qb_result_name(QB_FULL), "FULL");
	ck_assert_str_eq(qb_result_name(QB_LOST), "LOST");
	ck_assert_str_eq(qb_result_name((qb_result)99), "UNKNOWN");
	ck_assert_str_eq(qb_result_name((qb_result)-99), "UNKNOWN");
	ck_assert_ptr_nonnull(qb_result_text((qb_result)99));
	ck_assert_uint_gt(strlen(qb_version()), 0);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("calls");

	tcase_add_checked_fixture(t, open_broker, close_broker);
	tcase_add_test(t, open_says_who_calls);
	tcase_add_test(t, ping_is_a_round_trip);
	tcase_add_test(t, put_sends_the_body_and_gets_the_id);
	tcase_add_test(t, large_bodies_arrive_whole);
	tcase_add_test(t, put_many_gives_a_result_for_each);
	tcase_add_test(t, puts_carry_their_times);
	tcase_add_test(t, puts_carry_their_options);
	tcase_add_test(t, put_many_says_which_was_refused_first);
	tcase_add_test(t, get_gives_the_item_with_its_metadata);
	tcase_add_test(t, auto_acks_at_once_without_a_reply);
	tcase_add_test(t, get_many_gives_items_and_ack_many_finishes_them);
	tcase_add_test(t, ack_many_counts_what_was_stale);
	tcase_add_test(t, ack_start_travels_with_the_next_request);
	tcase_add_test(t, many_ack_starts_do_not_gather_for_ever);
	tcase_add_test(t, peek_leases_nothing);
	tcase_add_test(t, task_done_join_and_the_rest_name_their_queue);
	tcase_add_test(t, size_gives_three_numbers);
	tcase_add_test(t, declare_reads_its_options);
	tcase_add_test(t, every_result_has_a_name_and_a_text);
	return run_case(t);
}
