/* SPDX-License-Identifier: MIT
 * Clients that ask and do not read: they are not read from any more, so that what waits
 * for them stays bounded; others are served; and when they read, every answer comes. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "tests/lib/daemon.h"
#include "tests/lib/run.h"
#include "tests/lib/wire.h"

static struct daemon d;

static void
start(struct wire *admin, struct wire *slow)
{
	daemon_start(&d, "--set", "output_high=256K", "--set", "output_low=64K", NULL);
	wire_open(admin, d.address);
	wire_open(slow, d.address);
}

static void
others_are_served(struct wire *admin)
{
	wire_put_text(admin, "other", "x");
	ck_assert_int_eq(wire_ack(admin, wire_take_text(admin, "other", "x")), QP_OK);
}

/* The rest of the requests, while the answers are read. */
struct writing {
	struct wire *w;
	const struct bytes *b;
	size_t sent;
};

static void
go_on_writing(struct writing *s)
{
	s->sent += wire_try_write(s->w, s->b->p + s->sent, s->b->len - s->sent);
}

#define PINGS 90000

START_TEST(a_client_that_does_not_read_is_not_read_from)
{
	struct bytes b = {NULL, 0, 0};
	struct wire admin, slow;
	struct writing rest = {&slow, &b, 0};
	long before;

	start(&admin, &slow);
	before = daemon_resident(&d);
	for (uint64_t i = 1; i <= PINGS; i++)
		bytes_request(&b, (struct qp_request){.op = QP_OP_PING, .rid = i}, NULL,
			      0);
	rest.sent = wire_write_until_stopped(&slow, &b, wire_expect_silence, &admin);
	ck_assert_msg(rest.sent < b.len, "the broker has read all of %zu bytes", b.len);
	ck_assert_int_lt(daemon_resident(&d) - before, 8 << 20);
	others_are_served(&admin);
	for (uint64_t i = 1; i <= PINGS; i++) {
		go_on_writing(&rest);
		wire_expect(&slow, QP_OP_PING, i, QP_OK);
	}
	wire_expect_silence(&slow);
	bytes_free(&b);
	wire_close(&slow);
	wire_close(&admin);
	daemon_stop(&d);
}
END_TEST

#define PEEKS 40000
#define BODY  65536

START_TEST(large_answers_wait_within_the_bound_and_all_come)
{
	struct qp_request peek = {.op = QP_OP_PEEK, .queue = str("q")};
	uint8_t *body = malloc(BODY);
	struct bytes b = {NULL, 0, 0};
	struct wire admin, slow;
	struct writing rest = {&slow, &b, 0};
	long before;

	ck_assert_ptr_nonnull(body);
	memset(body, 'p', BODY);
	start(&admin, &slow);
	wire_put(&admin, "q", body, BODY);
	before = daemon_resident(&d);
	for (peek.rid = 1; peek.rid <= PEEKS; peek.rid++)
		bytes_request(&b, peek, NULL, 0);
	rest.sent = wire_write_until_stopped(&slow, &b, wire_expect_silence, &admin);
	ck_assert_msg(rest.sent < b.len, "the broker has read all of %zu bytes", b.len);
	ck_assert_int_lt(daemon_resident(&d) - before, 8 << 20);
	others_are_served(&admin);
	for (uint64_t i = 1; i <= 4000; i++) {
		struct answer a;

		go_on_writing(&rest);
		wire_read(&slow, QP_OP_PEEK, QP_OK, &a);
		ck_assert_uint_eq(a.reply.rid, i);
		ck_assert_uint_eq(a.body_len, BODY);
		answer_free(&a);
	}
	free(body);
	bytes_free(&b);
	wire_close(&slow);
	wire_close(&admin);
	daemon_stop(&d);
}
END_TEST

#define ITEMS 2000

START_TEST(gets_that_are_not_read_leave_the_other_items_to_others)
{
	struct qp_request get = {.op = QP_OP_GET, .queue = str("q")};
	uint8_t *body = calloc(1, BODY);
	struct bytes b = {NULL, 0, 0};
	struct wire admin, slow;
	struct writing rest = {&slow, &b, 0};
	struct answer a;
	uint64_t last = 0;

	ck_assert_ptr_nonnull(body);
	start(&admin, &slow);
	for (int i = 0; i < ITEMS; i++)
		wire_put(&admin, "q", body, BODY);
	for (get.rid = 1; get.rid <= ITEMS / 2; get.rid++)
		bytes_request(&b, get, NULL, 0);
	rest.sent = wire_write_until_stopped(&slow, &b, wire_expect_silence, &admin);

	/* what fits the bounds and the kernel's buffers, and not all that was asked
	 * for */
	ck_assert_int_lt(queue_number(&admin, "q", "leased"), ITEMS / 4);
	wire_start_get(&admin, "q");
	wire_read(&admin, QP_OP_GET, QP_OK, &a);
	answer_free(&a);
	for (uint64_t i = 1; i <= ITEMS / 2; i++) {
		go_on_writing(&rest);
		wire_read(&slow, QP_OP_GET, QP_OK, &a);
		ck_assert_uint_eq(a.reply.rid, i);
		ck_assert_uint_gt(a.reply.id, last);
		last = a.reply.id;
		answer_free(&a);
	}
	ck_assert_int_eq(queue_number(&admin, "q", "leased"), ITEMS / 2 + 1);
	free(body);
	bytes_free(&b);
	wire_close(&slow);
	wire_close(&admin);
	daemon_stop(&d);
}
END_TEST

START_TEST(a_client_that_does_not_read_and_dies_gives_its_items_back)
{
	struct qp_request get = {.op = QP_OP_GET, .queue = str("q")};
	uint8_t *body = calloc(1, BODY);
	struct bytes b = {NULL, 0, 0};
	struct wire admin, slow;

	ck_assert_ptr_nonnull(body);
	start(&admin, &slow);
	for (int i = 0; i < 100; i++)
		wire_put(&admin, "q", body, BODY);
	for (get.rid = 1; get.rid <= 100; get.rid++)
		bytes_request(&b, get, NULL, 0);
	wire_write_until_stopped(&slow, &b, wire_expect_silence, &admin);
	ck_assert_int_gt(queue_number(&admin, "q", "leased"), 0);
	wire_close(&slow);
	wait_for_queue(&admin, "q", "ready", 100);
	ck_assert_int_eq(broker_number(&admin, "connections"), 1);
	check_conservation(&admin, "q");
	free(body);
	bytes_free(&b);
	wire_close(&admin);
	daemon_stop(&d);
}
END_TEST

/* Lets so many milliseconds go by for the broker. */
static void
let_pass(struct wire *admin, int64_t ms)
{
	int64_t until = broker_number(admin, "uptime_ms") + ms;

	while (broker_number(admin, "uptime_ms") < until)
		look_again(now_ms() + patience_ms(), "the broker's clock");
}

START_TEST(a_client_that_was_paused_is_not_closed_for_the_body_that_it_had_begun)
{
	struct qp_request put = {.op = QP_OP_PUT, .rid = 999, .queue = str("large")};
	static uint8_t body[BODY], large[200000];
	struct bytes b = {NULL, 0, 0};
	struct wire admin, slow;
	struct answer a;

	daemon_start(&d, "--set", "output_high=256K", "--set", "output_low=64K",
		     "--set", "frame_timeout=3s", NULL);
	wire_open(&admin, d.address);
	wire_open(&slow, d.address);
	for (int i = 0; i < 30; i++)
		wire_start_get(&slow, "q");
	bytes_request(&b, put, large, sizeof(large));
	wire_write(&slow, b.p, b.len / 2);
	wait_for_queue(&admin, "q", "getters", 30);
	for (int i = 0; i < 30; i++)
		wire_put(&admin, "q", body, BODY);
	let_pass(&admin, 4000); /* paused, for longer than frame_timeout */
	for (int i = 0; i < 30; i++) {
		wire_read(&slow, QP_OP_GET, QP_OK, &a);
		answer_free(&a);
	}
	let_pass(&admin, 1200); /* not paused; the broker looks once a second */
	wire_write(&slow, b.p + b.len / 2, b.len - b.len / 2);
	wire_expect(&slow, QP_OP_PUT, 999, QP_OK);
	bytes_free(&b);
	wire_close(&slow);
	wire_close(&admin);
	daemon_stop(&d);
}
END_TEST

RUN_TESTS("slow_reader", a_client_that_does_not_read_is_not_read_from,
	  large_answers_wait_within_the_bound_and_all_come,
	  gets_that_are_not_read_leave_the_other_items_to_others,
	  a_client_that_does_not_read_and_dies_gives_its_items_back,
	  a_client_that_was_paused_is_not_closed_for_the_body_that_it_had_begun)
