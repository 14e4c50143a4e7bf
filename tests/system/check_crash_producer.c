/* SPDX-License-Identifier: MIT
 * Producers that die: what was confirmed stays, what was not leaves no ghost and no
 * memory behind. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "tests/lib/daemon.h"
#include "tests/lib/run.h"
#include "tests/lib/wire.h"

static struct daemon d;

static void
declare(struct wire *w, const char *queue, int maxsize)
{
	struct qp_request m = {.op = QP_OP_DECLARE, .queue = str(queue)};

	QP_GIVE(&m.options, maxsize, maxsize);
	ck_assert_int_eq(wire_status(w, m), QP_OK);
}

static void
expect_empty(struct wire *w, const char *queue)
{
	ck_assert_int_eq(wire_status(w, (struct qp_request){.op = QP_OP_GET,
							    .queue = str(queue)}),
			 QP_EMPTY);
}

static void
block_in_put(int line, void *arg)
{
	struct qp_request m = {
		.op = QP_OP_PUT, .queue = str("q"), .timeout_ms = QP_FOREVER};
	struct wire w;

	(void)arg;
	wire_open(&w, d.address);
	wire_send(&w, m, "item", 4);
	line_hear(line);
}

START_TEST(a_living_producer_behind_the_killed_one_is_served)
{
	struct qp_request m = {
		.op = QP_OP_PUT, .queue = str("q"), .timeout_ms = QP_FOREVER};
	struct wire w, living;
	struct child dead;
	uint64_t rid;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	wire_open(&living, d.address);
	declare(&w, "q", 1);
	wire_put_text(&w, "q", "first");
	child_start(&dead, block_in_put, NULL);
	wait_for_queue(&w, "q", "putters", 1);
	rid = wire_send(&living, m, "alive", 5);
	wait_for_queue(&w, "q", "putters", 2);
	child_kill(&dead);
	wait_for_queue(&w, "q", "putters", 1);
	wire_take_text(&w, "q", "first");
	wire_expect(&living, QP_OP_PUT, rid, QP_OK);
	wire_take_text(&w, "q", "alive");
	wire_close(&living);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

static void
block_in_put_many(int line, void *arg)
{
	static const int64_t lengths[] = {1, 1, 1, 1};
	struct qp_request m = {.op = QP_OP_PUT_MANY,
			       .queue = str("q"),
			       .timeout_ms = QP_FOREVER,
			       .lengths = {.n = 4, .numbers = lengths}};
	struct wire w;

	if (arg)
		QP_GIVE(&m.options, atomic, 1);
	wire_open(&w, d.address);
	wire_send(&w, m, "abcd", 4);
	line_hear(line);
}

START_TEST(of_a_batch_whose_producer_was_killed_only_the_accepted_items_stay)
{
	struct child dead;
	struct wire w;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	declare(&w, "q", 2);
	child_start(&dead, block_in_put_many, NULL);
	wait_for_queue(&w, "q", "ready", 2);
	child_kill(&dead);
	wait_for_queue(&w, "q", "putters", 0);
	wire_take_text(&w, "q", "a");
	wire_take_text(&w, "q", "b");
	expect_empty(&w, "q");
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(of_an_atomic_batch_whose_producer_was_killed_nothing_stays)
{
	struct child dead;
	struct wire w;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	declare(&w, "q", 4);
	wire_put_text(&w, "q", "before");
	child_start(&dead, block_in_put_many, &d);
	wait_for_queue(&w, "q", "putters", 1);
	child_kill(&dead);
	wait_for_queue(&w, "q", "putters", 0);
	wire_take_text(&w, "q", "before");
	expect_empty(&w, "q");
	ck_assert_int_eq(queue_number(&w, "q", "accepted"), 1);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

/* Sends the head of a request with a body of a mebibyte, and half of the body. */
static void
send_half_a_body(int line, void *arg)
{
	const int64_t length = 1 << 20;
	struct qp_request m = {
		.op = QP_OP_PUT, .queue = str("q"), .timeout_ms = QP_FOREVER};
	struct bytes b = {NULL, 0, 0};
	struct wire w;

	if (arg) {
		m.op = QP_OP_PUT_MANY;
		m.lengths = (struct qp_list){.n = 1, .numbers = &length};
	}
	m.rid = 7;
	bytes_request(&b, m, NULL, 0);
	qp_frame_write(b.p, (struct qp_frame){(uint32_t)b.len - 8, 1 << 20});
	wire_open(&w, d.address);
	wire_write(&w, b.p, b.len);
	memset(b.p, 'x', b.len);
	for (size_t sent = 0; sent < 1 << 19; sent += b.len)
		wire_write(&w, b.p, b.len);
	line_say(line, 's');
	line_hear(line);
}

START_TEST(half_a_body_of_a_killed_producer_is_not_accepted_and_its_memory_comes_back)
{
	int64_t before;
	struct wire w;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	declare(&w, "q", 0);
	before = broker_number(&w, "memory");
	for (int many = 0; many < 2; many++) {
		struct child dead;
		int64_t deadline = now_ms() + patience_ms();

		child_start(&dead, send_half_a_body, many ? &d : NULL);
		ck_assert_int_eq(line_hear(dead.line), 's');
		while (broker_number(&w, "memory") < before + (1 << 20))
			look_again(deadline, "the memory of the body");
		child_kill(&dead);
		wait_for_broker(&w, "memory", before);
	}
	expect_empty(&w, "q");
	ck_assert_int_eq(queue_number(&w, "q", "accepted"), 0);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

static void
put_and_wait(int line, void *arg)
{
	struct wire w;

	(void)arg;
	wire_open(&w, d.address);
	wire_put_text(&w, "q", "confirmed");
	line_say(line, 'p');
	line_hear(line);
}

START_TEST(what_was_confirmed_stays_when_its_producer_is_killed)
{
	struct child dead;
	struct wire w;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	child_start(&dead, put_and_wait, NULL);
	ck_assert_int_eq(line_hear(dead.line), 'p');
	child_kill(&dead);
	wait_for_broker(&w, "sessions", 1);
	ck_assert_uint_eq(wire_take_text(&w, "q", "confirmed").crashes, 0);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(what_was_accepted_stays_when_its_producer_dies_before_the_reply)
{
	struct child dead;
	struct wire w;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	child_start(&dead, block_in_put, NULL); /* it never reads the reply */
	wait_for_queue(&w, "q", "accepted", 1);
	child_kill(&dead);
	wait_for_broker(&w, "sessions", 1);
	wire_take_text(&w, "q", "item");
	expect_empty(&w, "q");
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

RUN_TESTS("crash_producer", a_living_producer_behind_the_killed_one_is_served,
	  of_a_batch_whose_producer_was_killed_only_the_accepted_items_stay,
	  of_an_atomic_batch_whose_producer_was_killed_nothing_stays,
	  half_a_body_of_a_killed_producer_is_not_accepted_and_its_memory_comes_back,
	  what_was_confirmed_stays_when_its_producer_is_killed,
	  what_was_accepted_stays_when_its_producer_dies_before_the_reply)
