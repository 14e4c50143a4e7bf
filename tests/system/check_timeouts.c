/* SPDX-License-Identifier: MIT
 * Waits end when they must: not early, not much too late, and at once when they are
 * cancelled. */
#include <config.h>

#include <stdlib.h>

#include "tests/lib/daemon.h"
#include "tests/lib/run.h"
#include "tests/lib/wire.h"

/* A loaded machine may be late by so much; a forgotten timer is later. */
#define LATE_MS (patience_ms() / 10)

static struct daemon d;

static void
full_queue(struct wire *w)
{
	struct qp_request m = {.op = QP_OP_DECLARE, .queue = str("full")};

	QP_GIVE(&m.options, maxsize, 1);
	ck_assert_int_eq(wire_status(w, m), QP_OK);
	wire_put_text(w, "full", "x");
}

static const struct {
	struct qp_request m;
	enum qp_status status;
} waits[] = {
	{{.op = QP_OP_GET, .queue = {"empty", 5}}, QP_EMPTY},
	{{.op = QP_OP_GET_MANY, .queue = {"empty", 5}, .max_items = 3}, QP_EMPTY},
	{{.op = QP_OP_PUT, .queue = {"full", 4}}, QP_FULL},
	{{.op = QP_OP_JOIN, .queue = {"full", 4}}, QP_TIMEOUT},
};

START_TEST(waits_end_at_their_timeout_and_not_before)
{
	static const uint64_t timeouts[] = {0, 1, 50, 400};
	struct wire w;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	full_queue(&w);
	for (size_t i = 0; i < sizeof(waits) / sizeof(*waits); i++)
		for (size_t k = 0; k < 4; k++) {
			struct qp_request m = waits[i].m;
			int64_t start = now_ms(), took;

			m.timeout_ms = timeouts[k];
			ck_assert_int_eq(wire_status(&w, m), waits[i].status);
			took = now_ms() - start;
			/* both clocks are cut to milliseconds */
			ck_assert_int_ge(took + 1, (int64_t)timeouts[k]);
			ck_assert_int_le(took, (int64_t)timeouts[k] + LATE_MS);
		}
	ck_assert_int_eq(broker_number(&w, "waiters"), 0);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(waits_end_in_the_order_of_their_timeouts_not_of_their_arrival)
{
	struct qp_request m = {.op = QP_OP_GET, .queue = str("empty")};
	struct bytes b = {NULL, 0, 0};
	struct wire w;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	for (m.rid = 100; m.rid < 105; m.rid++) {
		m.timeout_ms = 100 * (105 - m.rid);
		bytes_request(&b, m, NULL, 0);
	}
	wire_write(&w, b.p, b.len); /* all at once, or the first ones begin earlier */
	bytes_free(&b);
	for (uint64_t rid = 104; rid >= 100; rid--)
		wire_expect(&w, QP_OP_GET, rid, QP_EMPTY);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(the_longest_timeout_waits_and_is_served)
{
	struct qp_request m = {.op = QP_OP_GET, .queue = str("q")};
	struct wire w, other;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	wire_open(&other, d.address);
	m.rid = 100;
	m.timeout_ms = QP_MAX_COUNT;
	wire_send(&w, m, NULL, 0);
	wire_expect_silence(&w);
	wire_put_text(&other, "q", "x");
	wire_expect(&w, QP_OP_GET, 100, QP_OK);
	wire_close(&other);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(an_item_ends_a_wait_before_its_timeout)
{
	struct qp_request m = {
		.op = QP_OP_GET, .queue = str("q"), .timeout_ms = 1000000};
	struct wire w, other;
	uint64_t rid;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	wire_open(&other, d.address);
	rid = wire_send(&w, m, NULL, 0);
	wait_for_queue(&other, "q", "getters", 1);
	wire_put_text(&other, "q", "x");
	wire_expect(&w, QP_OP_GET, rid, QP_OK);
	wire_close(&other);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(cancel_ends_every_kind_of_wait)
{
	struct wire w;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	full_queue(&w);
	for (size_t i = 0; i < sizeof(waits) / sizeof(*waits); i++) {
		struct qp_request m = waits[i].m, cancel = {.op = QP_OP_CANCEL};
		uint64_t seen = 0;

		m.timeout_ms = QP_FOREVER;
		cancel.target = wire_send(&w, m, NULL, 0);
		wire_send(&w, cancel, NULL, 0);
		for (int k = 0; k < 2; k++) { /* in whatever order */
			struct answer a;

			ck_assert(wire_read_any(&w, 0, &a));
			seen |= a.reply.rid == cancel.target ? 1 : 2;
			ck_assert_int_eq(a.reply.status, a.reply.rid == cancel.target
								 ? QP_CANCELLED
								 : QP_OK);
			answer_free(&a);
		}
		ck_assert_uint_eq(seen, 3);
		ck_assert_int_eq(wire_status(&w, cancel), QP_NOT_FOUND);
	}
	ck_assert_int_eq(broker_number(&w, "waiters"), 0);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(nobody_cancels_the_wait_of_another_session)
{
	struct wire w, other;
	uint64_t rid;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	wire_open(&other, d.address);
	rid = wire_start_get(&w, "q");
	wait_for_queue(&other, "q", "getters", 1);
	ck_assert_int_eq(wire_status(&other, (struct qp_request){.op = QP_OP_CANCEL,
								 .target = rid}),
			 QP_NOT_FOUND);
	wire_put_text(&other, "q", "x");
	wire_expect(&w, QP_OP_GET, rid, QP_OK);
	wire_close(&other);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(a_put_that_waits_does_not_hold_up_an_ack_behind_it)
{
	struct qp_request put = {
		.op = QP_OP_PUT, .queue = str("full"), .timeout_ms = QP_FOREVER};
	struct wire w;
	struct taken item;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	wire_put_text(&w, "other", "work");
	item = wire_take_text(&w, "other", "work");
	full_queue(&w);
	wire_send(&w, put, "blocked", 7);
	ck_assert_int_eq(wire_ack(&w, item), QP_OK);
	ck_assert_int_eq(queue_number(&w, "full", "putters"), 1);
	wire_start_get(&w, "full");
	for (int i = 0; i < 2; i++) {
		struct answer a;

		ck_assert(wire_read_any(&w, 0, &a));
		ck_assert_int_eq(a.reply.status, QP_OK);
		answer_free(&a);
	}
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

RUN_TESTS("timeouts", waits_end_at_their_timeout_and_not_before,
	  waits_end_in_the_order_of_their_timeouts_not_of_their_arrival,
	  the_longest_timeout_waits_and_is_served,
	  an_item_ends_a_wait_before_its_timeout, cancel_ends_every_kind_of_wait,
	  nobody_cancels_the_wait_of_another_session,
	  a_put_that_waits_does_not_hold_up_an_ack_behind_it)
