/* SPDX-License-Identifier: MIT
 * Delays and lives of items end when they must: not early, not much too late, whoever put
 * them. */
#include <config.h>

#include <time.h>

#include "tests/lib/daemon.h"
#include "tests/lib/run.h"
#include "tests/lib/wire.h"

/* A loaded machine may be late by so much; a forgotten timer is later. */
#define LATE_MS (patience_ms() / 10)

static struct daemon d;

static struct qp_request
a_put(const char *queue)
{
	return (struct qp_request){.op = QP_OP_PUT, .queue = str(queue)};
}

static void
accepted(struct wire *w, struct qp_request m, const char *body)
{
	struct answer a;

	ck_assert_int_eq(wire_ask(w, m, body, 1, &a), QP_OK);
	answer_free(&a);
}

static uint64_t
wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

START_TEST(delays_end_at_their_time_and_not_before)
{
	static const uint64_t delays[] = {0, 1, 50, 400};
	struct wire w;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	for (size_t i = 0; i < 4; i++) {
		struct qp_request m = a_put("q");
		int64_t start, took;

		QP_GIVE(&m.options, delay_ms, delays[i]);
		start = now_ms();
		accepted(&w, m, "x");
		wire_take_text(&w, "q", "x");
		took = now_ms() - start;
		/* both clocks are cut to milliseconds */
		ck_assert_int_ge(took + 1, (int64_t)delays[i]);
		ck_assert_int_le(took, (int64_t)delays[i] + LATE_MS);
	}
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(at_ms_is_a_moment_of_the_wall_clock)
{
	struct qp_request m = a_put("q");
	uint64_t at_ms = wall_ms() + 200;
	struct wire w;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	QP_GIVE(&m.options, at_ms, at_ms);
	accepted(&w, m, "x");
	wire_take_text(&w, "q", "x");
	ck_assert_uint_ge(wall_ms() + 1, at_ms);
	QP_GIVE(&m.options, at_ms, at_ms); /* that is over */
	accepted(&w, m, "y");
	ck_assert_int_eq(queue_number(&w, "q", "ready"), 1);
	QP_GIVE(&m.options, at_ms, QP_MAX_COUNT);
	accepted(&w, m, "z");
	ck_assert_int_eq(queue_number(&w, "q", "delayed"), 1);
	check_conservation(&w, "q");
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(items_are_given_in_the_order_of_their_times_not_of_their_arrival)
{
	struct qp_request get = {
		.op = QP_OP_GET, .queue = str("q"), .timeout_ms = QP_FOREVER};
	struct bytes b = {NULL, 0, 0};
	struct answer a;
	struct wire w;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	for (unsigned i = 0; i < 5; i++) {
		struct qp_request m = a_put("q");
		char body = (char)('a' + i);

		m.rid = 100 + i;
		QP_GIVE(&m.options, delay_ms, 100 * (5 - i));
		bytes_request(&b, m, &body, 1);
	}
	for (get.rid = 200; get.rid < 205; get.rid++)
		bytes_request(&b, get, NULL, 0);
	/* All at once: the times begin together, and somebody waits whenever one ends. */
	wire_write(&w, b.p, b.len);
	bytes_free(&b);
	for (uint64_t rid = 100; rid < 105; rid++)
		wire_expect(&w, QP_OP_PUT, rid, QP_OK);
	for (int i = 4; i >= 0; i--) {
		wire_read(&w, QP_OP_GET, QP_OK, &a);
		ck_assert_int_eq(a.body[0], 'a' + i);
		answer_free(&a);
	}
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

static void
put_delayed(int line, void *arg)
{
	struct qp_request m = a_put("q");
	struct wire w;

	(void)arg;
	wire_open(&w, d.address);
	QP_GIVE(&m.options, delay_ms, 300);
	accepted(&w, m, "x");
	line_say(line, 'x');
	line_hear(line);
}

START_TEST(a_delayed_item_survives_its_producer)
{
	struct child producer;
	struct wire w;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	child_start(&producer, put_delayed, NULL);
	ck_assert_int_eq(line_hear(producer.line), 'x');
	child_kill(&producer);
	wait_for_broker(&w, "sessions", 1);
	ck_assert_int_eq(queue_number(&w, "q", "unfinished"), 1);
	wire_take_text(&w, "q", "x");
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(join_ends_when_the_last_item_expires)
{
	struct qp_request join = {
		.op = QP_OP_JOIN, .queue = str("q"), .timeout_ms = QP_FOREVER};
	struct qp_request m = a_put("q");
	int64_t start = now_ms();
	struct wire w;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	QP_GIVE(&m.options, on_expire, str("drop"));
	QP_GIVE(&m.options, ttl_ms, 100);
	accepted(&w, m, "x");
	QP_GIVE(&m.options, ttl_ms, 200);
	QP_GIVE(&m.options, delay_ms, 5000);
	accepted(&w, m, "y");
	ck_assert_int_eq(wire_status(&w, join), QP_OK);
	ck_assert_int_ge(now_ms() - start + 1, 200);
	ck_assert_int_eq(queue_number(&w, "q", "expired"), 2);
	check_conservation(&w, "q");
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(times_that_make_no_sense_are_refused)
{
	struct qp_request m = a_put("q");
	struct wire w;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	QP_GIVE(&m.options, delay_ms, 1);
	QP_GIVE(&m.options, at_ms, 1);
	ck_assert_int_eq(wire_status(&w, m), QP_INVALID);
	m = a_put("q");
	QP_GIVE(&m.options, ttl_ms, 0);
	ck_assert_int_eq(wire_status(&w, m), QP_INVALID);
	m = a_put("q");
	QP_GIVE(&m.options, delay_ms, QP_MAX_COUNT + 1);
	ck_assert_int_eq(wire_status(&w, m), QP_INVALID);
	m = a_put("q");
	QP_GIVE(&m.options, on_expire, str("keep"));
	ck_assert_int_eq(wire_status(&w, m), QP_INVALID);
	ck_assert_int_eq(queue_number(&w, "q", "accepted"), -1);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

RUN_TESTS("delays", delays_end_at_their_time_and_not_before,
	  at_ms_is_a_moment_of_the_wall_clock,
	  items_are_given_in_the_order_of_their_times_not_of_their_arrival,
	  a_delayed_item_survives_its_producer, join_ends_when_the_last_item_expires,
	  times_that_make_no_sense_are_refused)
