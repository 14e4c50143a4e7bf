/* SPDX-License-Identifier: MIT
 * Limits: who comes too many is told so, and everybody else goes on. */
#include <config.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/lib/daemon.h"
#include "tests/lib/run.h"
#include "tests/lib/wire.h"

static struct daemon d;

START_TEST(a_connection_beyond_max_connections_is_refused_with_a_sentence)
{
	struct wire w[4], late;
	struct answer a;

	d.tcp[0] = "tcp://127.0.0.1:0";
	daemon_start(&d, "--set", "max_connections=4", NULL);
	for (int i = 0; i < 4; i++)
		wire_open(&w[i], d.address);
	for (int tcp = 0; tcp < 2; tcp++) {
		wire_connect(&late, tcp ? d.tcp_address[0] : d.address);
		wire_read(&late, 0, QP_LIMIT, &a);
		ck_assert_uint_eq(a.reply.rid, 0);
		ck_assert_ptr_nonnull(memmem(a.reply.text.p, a.reply.text.len,
					     "max_connections", 15));
		answer_free(&a);
		wire_expect_closed(&late);
		wire_close(&late);
	}
	for (int i = 0; i < 4; i++)
		wire_expect_silence(&w[i]);
	wire_close(&w[0]);
	wait_for_broker(&w[1], "connections", 3);
	wire_open(&w[0], d.address);
	for (int i = 0; i < 4; i++)
		wire_close(&w[i]);
	daemon_stop(&d);
}
END_TEST

/* Two for each connection are not enough: lost sessions keep one of them. */
START_TEST(too_few_file_descriptors_are_told_at_start_and_by_a_reload)
{
	const unsigned fds = 3 * 50 + 64;

	d.max_fds = fds;
	d.config[0] = "max_connections = 50";
	daemon_start(&d, NULL);
	ck_assert_int_eq(daemon_count_log(&d, "event=few_fds"), 0);
	daemon_write_config(&d, "max_connections = 51", NULL);
	ck_assert_int_eq(kill(d.pid, SIGHUP), 0);
	daemon_wait_log(&d, "event=few_fds", 1);
	daemon_stop(&d);
	d.max_fds = fds;
	d.config[0] = "max_connections = 51";
	daemon_start(&d, NULL);
	ck_assert_int_eq(daemon_count_log(&d, "event=few_fds"), 1);
	daemon_stop(&d);
}
END_TEST

START_TEST(a_wait_beyond_max_waiters_is_refused_and_the_others_go_on)
{
	struct qp_request get = {.op = QP_OP_GET,
				 .rid = 100,
				 .queue = str("q"),
				 .timeout_ms = QP_FOREVER};
	struct qp_request join = {
		.op = QP_OP_JOIN, .rid = 200, .queue = str("p"), .timeout_ms = 1000000};
	struct wire w, other, producer;
	struct answer a;

	daemon_start(&d, "--set", "max_waiters=3", NULL);
	wire_open(&w, d.address);
	wire_open(&other, d.address);
	wire_open(&producer, d.address);
	wire_put_text(&other, "p", "unfinished");
	wire_send(&w, join, NULL, 0);
	for (; get.rid < 103; get.rid++)
		wire_send(&w, get, NULL, 0);
	wire_expect(&w, QP_OP_GET, 102, QP_LIMIT);
	wire_start_get(&other, "q"); /* another session's count is its own */
	wait_for_queue(&producer, "q", "getters", 3);
	for (int i = 0; i < 3; i++)
		wire_put_text(&producer, "q", "x");
	for (int i = 0; i < 2; i++) {
		wire_read(&w, QP_OP_GET, QP_OK, &a);
		ck_assert_uint_eq(a.reply.rid, 100 + (uint64_t)i);
		answer_free(&a);
	}
	wire_send(&w, get, NULL, 0);
	wait_for_queue(&producer, "q", "getters", 1);
	wire_close(&producer);
	wire_close(&other);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(a_queue_beyond_max_queues_is_refused)
{
	struct qp_request m = {.op = QP_OP_DECLARE, .queue = str("c")};
	struct wire w;

	daemon_start(&d, "--set", "max_queues=2", NULL);
	wire_open(&w, d.address);
	wire_put_text(&w, "a", "x");
	wire_put_text(&w, "b", "x");
	ck_assert_int_eq(wire_status(&w, m), QP_LIMIT);
	m = (struct qp_request){.op = QP_OP_PUT, .queue = str("c")};
	ck_assert_int_eq(wire_status(&w, m), QP_LIMIT);
	m = (struct qp_request){.op = QP_OP_DELETE, .queue = str("a")};
	QP_GIVE(&m.options, force, 1);
	ck_assert_int_eq(wire_status(&w, m), QP_OK);
	wire_put_text(&w, "c", "x");
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

/* Who looks on has said it before there was so little time. */
static void
start_with_hello_timeout(struct wire *w)
{
	daemon_start(&d, NULL);
	wire_open(w, d.address);
	daemon_write_config(&d, "hello_timeout = 300ms", NULL);
	ck_assert_int_eq(kill(d.pid, SIGHUP), 0);
	daemon_wait_log(&d, "event=reload ", 1);
}

START_TEST(who_does_not_say_hello_in_time_is_closed)
{
	struct wire silent, dribbling, w;
	int64_t start;

	start_with_hello_timeout(&w);
	start = now_ms();
	wire_connect(&silent, d.address);
	wire_connect(&dribbling, d.address);
	(void)wire_try_write(&dribbling, "\0\0\0", 3); /* it may be closed already */
	wait_for_broker(&w, "closed_hello_timeout", 2);
	ck_assert_int_ge(now_ms() - start, 300);
	wire_expect_closed(&silent);
	wire_expect_closed(&dribbling);
	ck_assert_int_eq(broker_number(&w, "connections"), 1);
	wire_expect_silence(&w);
	wire_close(&silent);
	wire_close(&dribbling);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(hello_byte_by_byte_does_not_gain_time)
{
	struct qp_request m = {.op = QP_OP_HELLO, .rid = 1, .version = 1};
	struct bytes b = {NULL, 0, 0};
	struct wire slow, w;
	int64_t next;
	size_t i = 0;

	start_with_hello_timeout(&w);
	wire_connect(&slow, d.address);
	m.session = (struct qp_str){"0123456789abcdef", 16};
	QP_GIVE(&m.options, client, str("a name, so that there are many bytes"));
	bytes_request(&b, m, NULL, 0);
	next = broker_number(&w, "uptime_ms");
	while (broker_number(&w, "closed_hello_timeout") == 0) {
		look_again(now_ms() + patience_ms(), "the broker's clock");
		if (broker_number(&w, "uptime_ms") < next)
			continue;
		/* all in all ten times the timeout, and the broker looks once a
		 * second */
		ck_assert_msg(++i < b.len, "there was time for all of HELLO");
		(void)!send(slow.fd, b.p + i - 1, 1, MSG_NOSIGNAL);
		next += 3300 / (int64_t)b.len;
	}
	bytes_free(&b);
	wire_close(&slow);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(a_frame_that_does_not_go_on_is_closed_and_an_idle_client_is_not)
{
	struct qp_request put = {.op = QP_OP_PUT, .rid = 5, .queue = str("q")};
	static uint8_t body[100000];
	struct wire idle, waiting, head, large, w;
	struct bytes b = {NULL, 0, 0};

	daemon_start(&d, "--set", "frame_timeout=300ms", NULL);
	wire_open(&w, d.address);
	wire_open(&idle, d.address);
	wire_open(&waiting, d.address);
	wire_open(&head, d.address);
	wire_open(&large, d.address);
	wire_start_get(&waiting, "nothing");
	bytes_request(&b, put, body, sizeof(body));
	wire_write(&head, b.p, 10);
	wire_write(&large, b.p, b.len / 2);
	wait_for_broker(&w, "closed_frame_timeout", 2);
	wire_expect_closed(&head);
	wire_expect_closed(&large);
	wire_expect_silence(&idle);
	wire_expect_silence(&waiting);
	bytes_free(&b);
	wire_close(&head);
	wire_close(&large);
	wire_close(&idle);
	wire_close(&waiting);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(max_item_is_told_by_hello_and_kept_to_the_byte)
{
	struct qp_request put = {.op = QP_OP_PUT, .queue = str("q")};
	static uint8_t body[1001];
	struct wire w;
	struct answer a;

	daemon_start(&d, "--set", "max_item=1000", NULL);
	wire_open(&w, d.address);
	ck_assert_uint_eq(w.max_item, 1000);
	wire_put(&w, "q", body, 1000);
	ck_assert_int_eq(wire_ask(&w, put, body, 1001, &a), QP_TOO_BIG);
	answer_free(&a);
	wire_expect_silence(&w);
	ck_assert_int_eq(queue_number(&w, "q", "ready"), 1);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

RUN_TESTS("limits", a_connection_beyond_max_connections_is_refused_with_a_sentence,
	  too_few_file_descriptors_are_told_at_start_and_by_a_reload,
	  a_wait_beyond_max_waiters_is_refused_and_the_others_go_on,
	  a_queue_beyond_max_queues_is_refused,
	  who_does_not_say_hello_in_time_is_closed,
	  hello_byte_by_byte_does_not_gain_time,
	  a_frame_that_does_not_go_on_is_closed_and_an_idle_client_is_not,
	  max_item_is_told_by_hello_and_kept_to_the_byte)
