/* SPDX-License-Identifier: MIT
 * Leases with an end: not early, not much too late, put off by who touches in time. */
#include <config.h>

#include "tests/lib/daemon.h"
#include "tests/lib/run.h"
#include "tests/lib/wire.h"

/* A loaded machine may be late by so much; a forgotten timer is later. */
#define LATE_MS (patience_ms() / 10)

static struct daemon d;

/* Gets the item "x" with a lease of this length. */
static struct taken
take_for(struct wire *w, uint64_t lease_ms)
{
	struct qp_request m = {.op = QP_OP_GET, .queue = str("q")};
	struct taken taken = {0};
	struct answer a;

	QP_GIVE(&m.options, lease_ms, lease_ms);
	ck_assert_int_eq(wire_ask(w, m, NULL, 0, &a), QP_OK);
	ck_assert_uint_eq(QP_OPT(&a.reply.options, lease_ms), lease_ms);
	taken.id = a.reply.id;
	taken.delivery = a.reply.delivery;
	answer_free(&a);
	return taken;
}

START_TEST(a_lease_ends_at_its_time_and_not_before)
{
	static const int64_t leases[] = {1, 50, 400};
	struct wire slow, other;

	daemon_start(&d, NULL);
	wire_open(&slow, d.address);
	wire_open(&other, d.address);
	for (size_t i = 0; i < 3; i++) {
		int64_t start, took;
		struct taken was, is;

		wire_put_text(&slow, "q", "x");
		start = now_ms();
		was = take_for(&slow, (uint64_t)leases[i]);
		is = wire_take_text(&other, "q", "x");
		took = now_ms() - start;
		ck_assert_int_ge(took + 1, leases[i]); /* clocks are cut to ms */
		ck_assert_int_le(took, leases[i] + LATE_MS);
		ck_assert_uint_eq(is.delivery, was.delivery + 1);
		ck_assert_int_eq(wire_ack(&slow, was), QP_STALE);
		ck_assert_int_eq(wire_ack(&other, is), QP_OK);
	}
	ck_assert_int_eq(queue_number(&slow, "q", "timed_out"), 3);
	ck_assert_int_eq(queue_number(&slow, "q", "crashed"), 0);
	check_conservation(&slow, "q");
	wire_close(&slow);
	wire_close(&other);
	daemon_stop(&d);
}
END_TEST

/* The next frame must say that this lease ends. */
static void
expect_notice(struct wire *w, struct taken taken, uint64_t most_ms)
{
	struct answer a;

	wire_read(w, QP_OP_PING, QP_OK, &a);
	ck_assert_uint_eq(a.reply.rid, 0);
	ck_assert_uint_eq(a.reply.notice, QP_NOTICE_LEASE_ENDING);
	ck_assert_uint_eq(QP_OPT(&a.reply.options, id), taken.id);
	ck_assert_uint_eq(QP_OPT(&a.reply.options, delivery), taken.delivery);
	ck_assert_uint_le(QP_OPT(&a.reply.options, left_ms), most_ms);
	ck_assert_uint_eq(a.reply.options.queue.len, 1);
	answer_free(&a);
}

START_TEST(who_touches_when_the_broker_says_so_keeps_the_item)
{
	struct qp_request ping = {.op = QP_OP_PING}, touch = {.op = QP_OP_TOUCH};
	uint64_t lease_ms = (uint64_t)patience_ms() / 10;
	struct taken taken;
	struct answer a;
	struct wire w;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	QP_GIVE(&ping.options, notices, 1);
	ck_assert_int_eq(wire_status(&w, ping), QP_OK);
	wire_put_text(&w, "q", "x");
	taken = take_for(&w, lease_ms);
	touch.id = taken.id;
	touch.delivery = taken.delivery;
	touch.epoch = w.epoch;
	for (int i = 0; i < 3; i++) {
		expect_notice(&w, taken, lease_ms / 2);
		ck_assert_int_eq(wire_ask(&w, touch, NULL, 0, &a), QP_OK);
		ck_assert_uint_eq(QP_OPT(&a.reply.options, left_ms), lease_ms);
		answer_free(&a);
	}
	ck_assert_int_eq(wire_ack(&w, taken), QP_OK);
	ck_assert_int_eq(queue_number(&w, "q", "timed_out"), 0);
	touch.rid = 0;
	ck_assert_int_eq(wire_status(&w, touch), QP_STALE);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(a_queue_has_a_lease_for_all_gets_that_say_nothing)
{
	struct qp_request declare = {.op = QP_OP_DECLARE, .queue = str("q")};
	struct qp_request many = {
		.op = QP_OP_GET_MANY, .queue = str("q"), .max_items = 2};
	struct answer a;
	struct wire w;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	QP_GIVE(&declare.options, lease_ms, 100);
	ck_assert_int_eq(wire_status(&w, declare), QP_OK);
	ck_assert_int_eq(queue_number(&w, "q", "lease_ms"), 100);
	declare.rid = 0;
	QP_GIVE(&declare.options, lease_ms, 101);
	ck_assert_int_eq(wire_status(&w, declare), QP_MISMATCH);
	wire_put_text(&w, "q", "x");
	wire_put_text(&w, "q", "y");
	ck_assert_int_eq(wire_ask(&w, many, NULL, 0, &a), QP_OK);
	ck_assert_uint_eq(a.reply.items.n, 2);
	ck_assert_uint_eq(QP_OPT(&a.reply.options, lease_ms), 100);
	answer_free(&a);
	wait_for_queue(&w, "q", "timed_out", 2);
	take_for(&w, 0); /* without an end all the same */
	wire_take_text(&w, "q", "y");
	wait_for_queue(&w, "q", "timed_out", 3);
	ck_assert_int_eq(queue_number(&w, "q", "leased"), 1);
	check_conservation(&w, "q");
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

RUN_TESTS("leases", a_lease_ends_at_its_time_and_not_before,
	  who_touches_when_the_broker_says_so_keeps_the_item,
	  a_queue_has_a_lease_for_all_gets_that_say_nothing)
