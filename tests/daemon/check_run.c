/* SPDX-License-Identifier: MIT
 * GET_RUN: many gets in one frame, each a request of its own. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/daemon/net_kit.h"

static void
get_run(struct client *c, uint64_t rid, unsigned n, uint64_t timeout_ms,
	enum qp_ack ack)
{
	ask(c,
	    &(struct qp_request){.op = QP_OP_GET_RUN,
				 .rid = rid,
				 .queue = q,
				 .timeout_ms = timeout_ms,
				 .ack = ack,
				 .max_items = n},
	    "", 0);
}

/* A reply to `n` gets from `rid` on, with these one-byte bodies. */
static void
expect_run(struct client *c, uint64_t rid, const char *bodies)
{
	struct answer a;

	answer(c, QP_OP_GET_RUN, &a);
	ck_assert_uint_eq(a.reply.status, QP_OK);
	ck_assert_uint_eq(a.reply.rid, rid);
	ck_assert_uint_eq(a.reply.items.n, strlen(bodies));
	ck_assert_uint_eq(a.body_len, strlen(bodies));
	ck_assert_mem_eq(a.body, bodies, strlen(bodies));
}

static struct qe_stats
stats(void)
{
	struct qe_stats ret;

	qe_stats(server->engine, &ret);
	return ret;
}

START_TEST(what_is_there_comes_in_one_reply_and_the_rest_waits)
{
	struct client *c = client_new(), *producer = client_new();

	for (int i = 0; i < 3; i++)
		put(producer, 2 + (uint64_t)i, &"abc"[i], 1);
	for (uint64_t rid = 2; rid < 5; rid++)
		expect(producer, QP_OP_PUT, rid, QP_OK);
	get_run(c, 10, 5, QP_FOREVER, QP_ACK_MANUAL);
	expect_run(c, 10, "abc");
	ck_assert_uint_eq(stats().waiters, 2);
	put(producer, 5, "d", 1);
	put(producer, 6, "e", 1);
	turn();
	expect_run(c, 13, "d");
	expect_run(c, 14, "e");
	ck_assert_uint_eq(stats().leased, 5);
	client_end(c);
	ck_assert_uint_eq(stats().counters.crashed, 5);
	client_end(producer);
}
END_TEST

START_TEST(what_a_batch_gives_to_gets_that_wait_comes_in_one_reply)
{
	static const int64_t lengths[] = {1, 1, 1};
	struct client *c = client_new(), *producer = client_new();

	get_run(c, 10, 4, QP_FOREVER, QP_ACK_NONE);
	turn();
	ask(producer,
	    &(struct qp_request){.op = QP_OP_PUT_MANY,
				 .rid = 2,
				 .queue = q,
				 .lengths = {.n = 3, .numbers = lengths}},
	    "abc", 3);
	expect(producer, QP_OP_PUT_MANY, 2, QP_OK);
	expect_run(c, 10, "abc");
	ck_assert_uint_eq(stats().waiters, 1);
	ck_assert_uint_eq(stats().leased, 0);
	client_end(c);
	client_end(producer);
}
END_TEST

START_TEST(each_is_refused_and_cancelled_alone)
{
	struct client *c = client_new(), *producer = client_new();

	get_run(c, 10, 2, 0, QP_ACK_MANUAL);
	expect(c, QP_OP_GET_RUN, 10, QP_EMPTY);
	expect(c, QP_OP_GET_RUN, 11, QP_EMPTY);
	get_run(c, 20, 3, QP_FOREVER, QP_ACK_MANUAL);
	ask(c, &(struct qp_request){.op = QP_OP_CANCEL, .rid = 30, .target = 21}, "",
	    0);
	expect(c, QP_OP_CANCEL, 30, QP_OK);
	expect(c, QP_OP_GET_RUN, 21, QP_CANCELLED);
	put(producer, 31, "a", 1);
	put(producer, 32, "b", 1);
	expect_run(c, 20, "a");
	expect_run(c, 22, "b");
	client_end(c);
	client_end(producer);
}
END_TEST

START_TEST(too_many_and_rids_too_high_are_refused)
{
	struct client *c = client_new();

	get_run(c, 10, QP_MAX_RUN + 1, 0, QP_ACK_MANUAL);
	expect(c, QP_OP_GET_RUN, 10, QP_INVALID);
	get_run(c, INT64_MAX - 1, 3, 0, QP_ACK_MANUAL);
	expect(c, QP_OP_GET_RUN, INT64_MAX - 1, QP_INVALID);
	get_run(c, INT64_MAX - 1, 1, 0, QP_ACK_MANUAL);
	expect(c, QP_OP_GET_RUN, INT64_MAX - 1, QP_EMPTY);
	get_run(c, INT64_MAX - 1, 2, 0, QP_ACK_MANUAL);
	expect(c, QP_OP_GET_RUN, INT64_MAX - 1, QP_EMPTY);
	expect(c, QP_OP_GET_RUN, INT64_MAX, QP_EMPTY);
	client_end(c);
}
END_TEST

/* Each half as long as a batch may be, and a byte: the first frame has one of them. */
START_TEST(bodies_that_are_too_large_together_come_apart)
{
	static const char body[QP_MAX_BATCH_BYTES / 2 + 1];
	struct client *c = client_new();

	server->limits.max_item = sizeof(body);
	for (uint64_t rid = 2; rid < 4; rid++) {
		ask(c, &(struct qp_request){.op = QP_OP_PUT, .rid = rid, .queue = q},
		    body, sizeof(body));
		expect(c, QP_OP_PUT, rid, QP_OK);
	}
	get_run(c, 10, 2, 0, QP_ACK_NONE);
	while (c->len < QP_FRAME_BYTES) {
		turn();
		read_some(c);
	}
	ck_assert_uint_eq(qp_frame_read(c->in).body_len, sizeof(body));
	ck_assert_uint_eq(stats().counters.finished, 2);
	client_end(c);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("run");
	TCase *t = tcase_create("run");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, what_is_there_comes_in_one_reply_and_the_rest_waits);
	tcase_add_test(t, what_a_batch_gives_to_gets_that_wait_comes_in_one_reply);
	tcase_add_test(t, each_is_refused_and_cancelled_alone);
	tcase_add_test(t, too_many_and_rids_too_high_are_refused);
	tcase_add_test(t, bodies_that_are_too_large_together_come_apart);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed > 0;
}
