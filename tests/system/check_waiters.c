/* SPDX-License-Identifier: MIT
 * Ten thousand requests that wait on one queue. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/daemon.h"
#include "tests/lib/run.h"
#include "tests/lib/wire.h"

#define CONNECTIONS 100
#define EACH	    100
#define WAITERS	    (CONNECTIONS * EACH)

/* However many wait, another client is answered in this time. A daemon that walks over
 * all of them for each that it serves or loses needs far longer. */
#define RESPONSE_MS (patience_ms() / 30)

static struct daemon d;

/* EACH gets wait on each connection; each connection's stand behind those of the one
 * before. */
static void
make_waiters(struct wire *w, struct wire *admin, uint64_t timeout_ms)
{
	struct qp_request m = {
		.op = QP_OP_GET, .queue = str("q"), .timeout_ms = timeout_ms};

	for (int i = 0; i < CONNECTIONS; i++) {
		struct bytes b = {NULL, 0, 0};

		wire_open(&w[i], d.address);
		for (uint64_t k = 1; k <= EACH; k++) {
			m.rid = 100 + k;
			bytes_request(&b, m, NULL, 0);
		}
		wire_write(&w[i], b.p, b.len);
		bytes_free(&b);
		if (admin)
			wait_for_queue(admin, "q", "getters", (i + 1) * EACH);
	}
}

static void
put_numbers(struct wire *w, int n)
{
	char text[16];

	for (int i = 0; i < n; i++) {
		int len = snprintf(text, sizeof(text), "%d", i);

		wire_put(w, "q", text, (size_t)len);
	}
}

static void
expect_prompt_ping(struct wire *w)
{
	int64_t start = now_ms();

	wire_expect_silence(w);
	ck_assert_int_le(now_ms() - start, RESPONSE_MS);
}

START_TEST(ten_thousand_waiters_are_served_in_order_of_arrival)
{
	struct wire w[CONNECTIONS], admin;
	struct answer a;

	daemon_start(&d, NULL);
	wire_open(&admin, d.address);
	make_waiters(w, &admin, QP_FOREVER);
	expect_prompt_ping(&admin);
	put_numbers(&admin, WAITERS);
	for (int i = 0; i < WAITERS; i++) {
		wire_read(&w[i / EACH], QP_OP_GET, QP_OK, &a);
		ck_assert_uint_eq(a.reply.rid, 100 + (uint64_t)(i % EACH) + 1);
		ck_assert_int_eq(atoi((char *)a.body), i);
		ck_assert_uint_eq(a.reply.delivery, 1);
		answer_free(&a);
	}
	ck_assert_int_eq(queue_number(&admin, "q", "leased"), WAITERS);
	for (int i = 0; i < CONNECTIONS; i++)
		wire_close(&w[i]);
	expect_prompt_ping(&admin);
	wait_for_queue(&admin, "q", "ready", WAITERS);
	check_conservation(&admin, "q");
	wire_close(&admin);
	daemon_stop(&d);
}
END_TEST

static void
hold_waiters(int line, void *arg)
{
	struct wire w[CONNECTIONS];

	(void)arg;
	make_waiters(w, NULL, QP_FOREVER);
	line_hear(line);
}

START_TEST(ten_thousand_waiters_that_die_at_once_hold_up_nobody)
{
	struct wire admin, survivor;
	struct child dead;
	struct answer a;

	daemon_start(&d, NULL);
	wire_open(&admin, d.address);
	wire_open(&survivor, d.address);
	child_start(&dead, hold_waiters, NULL);
	wait_for_queue(&admin, "q", "getters", WAITERS);
	wire_start_get(&survivor, "q");
	wait_for_queue(&admin, "q", "getters", WAITERS + 1);
	child_kill(&dead);
	expect_prompt_ping(&admin);
	wire_put_text(&admin, "q", "for the survivor");
	wire_read(&survivor, QP_OP_GET, QP_OK, &a);
	ck_assert_str_eq((char *)a.body, "for the survivor");
	answer_free(&a);
	expect_prompt_ping(&admin);
	wait_for_queue(&admin, "q", "getters", 0);
	wait_for_broker(&admin, "waiters", 0);
	wire_close(&survivor);
	wire_close(&admin);
	daemon_stop(&d);
}
END_TEST

START_TEST(ten_thousand_waits_that_run_out_together_hold_up_nobody)
{
	struct wire w[CONNECTIONS], admin;
	struct answer a;

	daemon_start(&d, NULL);
	wire_open(&admin, d.address);
	make_waiters(w, NULL, 500);
	for (int i = 0; i < WAITERS; i++) {
		wire_read(&w[i / EACH], QP_OP_GET, QP_EMPTY, &a);
		answer_free(&a);
		if (i % 500 == 0)
			expect_prompt_ping(&admin);
	}
	ck_assert_int_eq(broker_number(&admin, "waiters"), 0);
	for (int i = 0; i < CONNECTIONS; i++)
		wire_close(&w[i]);
	wire_close(&admin);
	daemon_stop(&d);
}
END_TEST

START_TEST(all_waiters_of_many_connections_wake_when_the_queue_is_shut_down)
{
	struct wire w[CONNECTIONS], admin;
	struct qp_request m = {.op = QP_OP_SHUTDOWN, .queue = str("q")};

	daemon_start(&d, NULL);
	wire_open(&admin, d.address);
	make_waiters(w, NULL, QP_FOREVER);
	wait_for_queue(&admin, "q", "getters", WAITERS);
	ck_assert_int_eq(wire_status(&admin, m), QP_OK);
	for (int i = 0; i < WAITERS; i++)
		wire_expect(&w[i / EACH], QP_OP_GET, 100 + (uint64_t)(i % EACH) + 1,
			    QP_SHUT_DOWN);
	for (int i = 0; i < CONNECTIONS; i++)
		wire_close(&w[i]);
	wire_close(&admin);
	daemon_stop(&d);
}
END_TEST

RUN_TESTS("waiters", ten_thousand_waiters_are_served_in_order_of_arrival,
	  ten_thousand_waiters_that_die_at_once_hold_up_nobody,
	  ten_thousand_waits_that_run_out_together_hold_up_nobody,
	  all_waiters_of_many_connections_wake_when_the_queue_is_shut_down)
