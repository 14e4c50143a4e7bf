/* SPDX-License-Identifier: MIT
 * The proxy of the tests (lib/proxy.h) does what it is told: what the tests of cut
 * links show rests on it. */
#include <config.h>

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/lib/daemon.h"
#include "tests/lib/proxy.h"
#include "tests/lib/wire.h"

#define BODY 100000

static struct daemon d = {.tcp = {"tcp://127.0.0.1:0"}};
static struct proxy p;
static char body[BODY];

static void
start(int kind)
{
	memset(body, 'x', sizeof(body));
	daemon_start(&d, NULL);
	proxy_start(&p, kind ? "tcp" : "unix", kind ? d.tcp_address[0] : d.address);
}

static void
stop(void)
{
	proxy_stop(&p);
	daemon_stop(&d);
}

/* How many bytes come until the end. */
static size_t
count_bytes(struct wire *w)
{
	char bytes[4096];
	size_t sum = 0;
	ssize_t n;

	for (;;) {
		struct pollfd in = {.fd = w->fd, .events = POLLIN};

		ck_assert_int_eq(poll(&in, 1, patience_ms()), 1);
		n = recv(w->fd, bytes, sizeof(bytes), 0);
		if (n <= 0)
			return sum;
		sum += (size_t)n;
	}
}

START_TEST(a_dialogue_goes_through)
{
	struct proxy_counts counts;
	struct wire w, direct;

	start(_i);
	wire_open(&direct, d.address);
	wire_open(&w, p.address);
	wire_put(&w, "q", body, BODY);
	wire_put_text(&w, "q", "text");
	ck_assert_int_eq(queue_number(&direct, "q", "ready"), 2);
	counts = proxy_counts(&p);
	ck_assert_uint_eq(counts.connections, 1);
	ck_assert_uint_eq(counts.cuts, 0);
	ck_assert_uint_gt(counts.bytes[PROXY_UP], BODY);
	ck_assert_uint_gt(counts.bytes[PROXY_DOWN], 0);
	wire_close(&w);
	for (int64_t end = now_ms() + patience_ms(); proxy_counts(&p).open > 0;)
		look_again(end, "the proxy to close");
	wait_for_broker(&direct, "connections", 1);
	wire_close(&direct);
	stop();
}
END_TEST

START_TEST(of_a_cut_connection_exactly_so_many_bytes_have_come)
{
	static const uint64_t lengths[] = {1, 7, 200, 50000};
	struct wire direct, w;

	start(_i);
	wire_open(&direct, d.address);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		wire_put(&direct, "q", body, BODY);
		wire_open(&w, p.address);
		proxy_apply(&p, (struct proxy_rule){PROXY_CUT, PROXY_DOWN, lengths[i]});
		wire_start_get(&w, "q");
		ck_assert_uint_eq(count_bytes(&w), lengths[i]);
		wire_close(&w);
		wait_for_queue(&direct, "q", "ready", 1);
		ck_assert_int_eq(wire_status(&direct,
					     (struct qp_request){.op = QP_OP_PURGE,
								 .queue = str("q")}),
				 QP_OK);
	}
	ck_assert_uint_eq(proxy_counts(&p).cuts, 4);
	wire_close(&direct);
	stop();
}
END_TEST

START_TEST(a_cut_in_the_middle_of_a_request_is_the_end_for_the_broker)
{
	struct wire direct, w;

	start(_i);
	wire_open(&direct, d.address);
	wire_open(&w, p.address);
	proxy_apply(&p, (struct proxy_rule){PROXY_CUT, PROXY_UP, BODY / 2});
	wire_send(&w,
		  (struct qp_request){
			  .op = QP_OP_PUT, .queue = str("q"), .timeout_ms = QP_FOREVER},
		  body, 1000); /* comes through */
	wait_for_queue(&direct, "q", "accepted", 1);
	proxy_plan(&p, (struct proxy_rule){PROXY_CUT, PROXY_UP, 0});
	proxy_apply(&p, (struct proxy_rule){PROXY_CUT, PROXY_UP, 10});
	wire_try_write(&w, body, BODY);
	count_bytes(&w);
	wait_for_broker(&direct, "sessions", 1);
	wire_close(&w);
	wire_connect(&w, p.address); /* as it was planned */
	wire_expect_closed(&w);
	wire_close(&w);
	wire_open(&w, p.address);
	ck_assert_int_eq(queue_number(&w, "q", "accepted"), 1);
	wire_close(&w);
	wire_close(&direct);
	stop();
}
END_TEST

START_TEST(a_half_closed_connection_goes_on_the_other_way)
{
	struct wire direct, w;

	start(_i);
	wire_open(&direct, d.address);
	wire_open(&w, p.address);
	proxy_apply(&p, (struct proxy_rule){PROXY_HALF_CLOSE, PROXY_DOWN, 0});
	wire_expect_closed(&w);
	wire_send(&w, (struct qp_request){.op = QP_OP_DECLARE, .queue = str("q")}, NULL,
		  0);
	wait_for_queue(&direct, "q", "ready", 0);
	wire_close(&w);
	wait_for_broker(&direct, "sessions", 1);
	wire_close(&direct);
	stop();
}
END_TEST

START_TEST(a_stalled_connection_is_silent_and_may_go_on)
{
	struct pollfd in = {.events = POLLIN};
	struct wire direct, w;
	uint64_t rid, up;

	start(_i);
	wire_open(&direct, d.address);
	wire_open(&w, p.address);
	proxy_apply(&p, (struct proxy_rule){PROXY_STALL, PROXY_DOWN, 0});
	rid = wire_send(&w, (struct qp_request){.op = QP_OP_PING}, NULL, 0);
	ck_assert_int_eq(wire_status(&direct, (struct qp_request){.op = QP_OP_PING}),
			 QP_OK);
	up = proxy_counts(&p).bytes[PROXY_UP]; /* it has had a turn */
	ck_assert_uint_eq(proxy_counts(&p).bytes[PROXY_UP], up);
	in.fd = w.fd;
	ck_assert_int_eq(poll(&in, 1, 0), 0);
	proxy_apply(&p, (struct proxy_rule){PROXY_GO, PROXY_DOWN, 0});
	wire_expect(&w, QP_OP_PING, rid, QP_OK);
	wire_close(&w);
	wire_close(&direct);
	stop();
}
END_TEST

START_TEST(random_cuts_and_refusals_end_when_they_are_told_to)
{
	struct wire direct, w;

	start(_i);
	wire_open(&direct, d.address);
	proxy_cut_at_random(&p, 1, 1000);
	for (int i = 0; i < 20; i++) {
		wire_connect(&w, p.address);
		for (int n = 0; n < 5 && wire_try_write(&w, body, 1000) == 1000; n++)
			;
		shutdown(w.fd, SHUT_WR);
		count_bytes(&w);
		wire_close(&w);
	}
	ck_assert_uint_gt(proxy_counts(&p).cuts, 10);
	proxy_cut_at_random(&p, 0, 0);
	proxy_refuse(&p, true);
	wire_connect(&w, p.address);
	wire_expect_closed(&w);
	wire_close(&w);
	proxy_refuse(&p, false);
	wire_open(&w, p.address);
	wire_put_text(&w, "q", "text");
	wire_close(&w);
	wire_close(&direct);
	stop();
}
END_TEST

int
main(void)
{
	static const TTest *const *const tests[] = {
		&a_dialogue_goes_through,
		&of_a_cut_connection_exactly_so_many_bytes_have_come,
		&a_cut_in_the_middle_of_a_request_is_the_end_for_the_broker,
		&a_half_closed_connection_goes_on_the_other_way,
		&a_stalled_connection_is_silent_and_may_go_on,
		&random_cuts_and_refusals_end_when_they_are_told_to};
	TCase *t = tcase_create("proxy");

	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		tcase_add_loop_test(t, *tests[i], 0, 2); /* unix and tcp */
	return run_case("proxy", t);
}
