/* SPDX-License-Identifier: MIT
 * Memory and file descriptors run out: the broker says so, serves what it can, and
 * recovers. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/daemon.h"
#include "tests/lib/run.h"
#include "tests/lib/wire.h"

#define BODY 65536

static struct daemon d;
static uint8_t body[BODY];

static enum qp_status
put(struct wire *w, uint64_t timeout_ms, char *ret_text)
{
	struct qp_request m = {
		.op = QP_OP_PUT, .queue = str("q"), .timeout_ms = timeout_ms};
	struct answer a;
	enum qp_status status = wire_ask(w, m, body, BODY, &a);

	snprintf(ret_text, QP_MAX_TEXT + 1, "%.*s", (int)a.reply.text.len,
		 status == QP_OK ? "" : a.reply.text.p);
	answer_free(&a);
	return status;
}

/* Puts until the broker takes no more; returns the number of items. */
static int
fill(struct wire *w)
{
	char text[QP_MAX_TEXT + 1] = "";
	int n = 0;

	while (put(w, 0, text) == QP_OK)
		ck_assert_int_lt(++n, 1000);
	ck_assert_msg(strstr(text, "memory") != NULL, "%s", text);
	return n;
}

START_TEST(a_put_beyond_the_memory_limit_is_full_and_names_memory)
{
	char text[QP_MAX_TEXT + 1];
	struct wire w;

	daemon_start(&d, "--set", "memory_limit=4M", NULL);
	wire_open(&w, d.address);
	ck_assert_int_ge(fill(&w), 48);
	ck_assert_int_eq(put(&w, 0, text), QP_FULL);
	ck_assert_int_eq(put(&w, 20, text), QP_FULL);
	ck_assert_int_le(broker_number(&w, "memory"), (4 << 20) * 9 / 8);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(a_put_without_memory_is_told_of_dead_items)
{
	struct qp_request bury = {.op = QP_OP_BURY};
	char text[QP_MAX_TEXT + 1];
	struct answer a;
	struct wire w;

	daemon_start(&d, "--set", "memory_limit=4M", NULL);
	wire_open(&w, d.address);
	fill(&w);
	wire_start_get(&w, "q");
	wire_read(&w, QP_OP_GET, QP_OK, &a);
	bury.id = a.reply.id;
	bury.delivery = a.reply.delivery;
	bury.epoch = w.epoch;
	answer_free(&a);
	ck_assert_int_eq(wire_status(&w, bury), QP_OK);
	ck_assert_int_eq(put(&w, 0, text), QP_FULL);
	ck_assert_msg(strstr(text, "1 dead items keep some of it") != NULL, "%s", text);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(gets_and_acks_are_served_above_the_memory_limit_and_make_room)
{
	char text[QP_MAX_TEXT + 1];
	struct answer a;
	struct wire w;
	int n;

	daemon_start(&d, "--set", "memory_limit=4M", NULL);
	wire_open(&w, d.address);
	n = fill(&w);
	for (int i = 0; i < n; i++) {
		wire_start_get(&w, "q");
		wire_read(&w, QP_OP_GET, QP_OK, &a);
		ck_assert_uint_eq(a.body_len, BODY);
		answer_free(&a);
	}
	ck_assert_int_eq(put(&w, 0, text), QP_FULL); /* held items take memory too */
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(wire_status(&w,
					     (struct qp_request){.op = QP_OP_TASK_DONE,
								 .queue = str("q")}),
				 QP_OK);
	ck_assert_int_eq(fill(&w), n);
	check_conservation(&w, "q");
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(a_put_that_waits_for_memory_is_accepted_when_there_is_room)
{
	struct qp_request m = {
		.op = QP_OP_PUT, .queue = str("q"), .timeout_ms = QP_FOREVER};
	struct wire w, blocked;
	struct answer a;
	uint64_t rid;

	daemon_start(&d, "--set", "memory_limit=4M", NULL);
	wire_open(&w, d.address);
	wire_open(&blocked, d.address);
	fill(&w);
	rid = wire_send(&blocked, m, body, BODY);
	wait_for_queue(&w, "q", "putters", 1);
	for (int i = 0; i < 2; i++) {
		struct qp_request get = {
			.op = QP_OP_GET, .queue = str("q"), .ack = QP_ACK_NONE};

		ck_assert_int_eq(wire_ask(&w, get, NULL, 0, &a), QP_OK);
		answer_free(&a);
	}
	wire_expect(&blocked, QP_OP_PUT, rid, QP_OK);
	wire_close(&blocked);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(memory_is_counted_to_zero_when_all_is_gone)
{
	struct qp_request delete = {.op = QP_OP_DELETE, .queue = str("q")};
	struct qp_request purge = {.op = QP_OP_PURGE, .queue = str("q")};
	struct wire w;
	int64_t before;

	daemon_start(&d, "--set", "memory_limit=16M", NULL);
	wire_open(&w, d.address);
	wire_put_text(&w, "q", "x"); /* the tables have their smallest size now */
	ck_assert_int_eq(wire_ack(&w, wire_take_text(&w, "q", "x")), QP_OK);
	ck_assert_int_eq(wire_status(&w, delete), QP_OK);
	before = broker_number(&w, "memory");
	fill(&w);
	ck_assert_int_eq(wire_status(&w, purge), QP_OK);
	ck_assert_int_eq(wire_status(&w, delete), QP_OK);
	wait_for_broker(&w, "memory", before);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(memory_goes_back_to_the_system_after_a_peak)
{
	struct qp_request purge = {.op = QP_OP_PURGE, .queue = str("q")};
	struct wire w;
	long peak;
	int64_t deadline = now_ms() + patience_ms();

	daemon_start(&d, "--set", "memory_limit=256M", NULL);
	wire_open(&w, d.address);
	for (int i = 0; i < 2000; i++) {
		wire_put(&w, "q", body, BODY);
		wire_put(&w, "q", body, 100);
	}
	peak = daemon_resident(&d);
	ck_assert_int_gt(peak, 2000l * BODY);
	ck_assert_int_eq(wire_status(&w, purge), QP_OK);
	while (!daemon_is_watched(&d) && daemon_resident(&d) > peak / 4)
		look_again(deadline, "the memory to go back");
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(memory_between_items_that_stay_goes_back_too)
{
	struct qp_request purge = {.op = QP_OP_PURGE, .queue = str("q")};
	struct wire w;
	long peak;
	int64_t deadline = now_ms() + patience_ms();

	daemon_start(&d, "--set", "memory_limit=256M", NULL);
	wire_open(&w, d.address);
	for (int i = 0; i < 2000; i++) {
		wire_put(&w, "q", body, BODY);
		if (i % 2 == 0)
			wire_put(&w, "kept", body, 2000);
	}
	peak = daemon_resident(&d);
	ck_assert_int_eq(wire_status(&w, purge), QP_OK);
	while (!daemon_is_watched(&d) && daemon_resident(&d) > peak / 2)
		look_again(deadline, "the memory to go back");
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

#define IDLE 400

START_TEST(an_idle_connection_takes_less_than_4_kib)
{
	static struct wire w[IDLE];
	long before;

	daemon_start(&d, NULL);
	wire_open(&w[0], d.address);
	wire_put_text(&w[0], "q", "x");
	wire_take_text(&w[0], "q", "x");
	before = daemon_resident(&d);
	for (int i = 1; i < IDLE; i++)
		wire_open(&w[i], d.address);
	for (int i = 0; i < IDLE; i++) {
		wire_put_text(&w[i], "q", "x");
		wire_take_text(&w[i], "q", "x");
	}
	if (!daemon_is_watched(&d))
		ck_assert_int_lt((daemon_resident(&d) - before) / IDLE, 4096);
	for (int i = 0; i < IDLE; i++)
		wire_close(&w[i]);
	daemon_stop(&d);
}
END_TEST

#define FDS 40

START_TEST(without_file_descriptors_accepting_pauses_and_nothing_spins)
{
	struct wire w[FDS], admin;
	struct answer a;
	long cpu;
	int64_t uptime;
	int open = 0;

	d.max_fds = FDS;
	daemon_start(&d, NULL);
	wire_open(&admin, d.address);
	while (open < FDS)
		wire_connect(&w[open++], d.address);
	daemon_wait_log(&d, "event=accept_paused", 1);
	wire_put_text(&admin, "q", "served");
	wire_take_text(&admin, "q", "served");

	/* for a second of the broker's own clock it has next to nothing to do */
	uptime = broker_number(&admin, "uptime_ms");
	cpu = daemon_cpu_ms(&d);
	wire_send(&admin,
		  (struct qp_request){
			  .op = QP_OP_GET, .queue = str("none"), .timeout_ms = 1000},
		  NULL, 0);
	wire_read(&admin, QP_OP_GET, QP_EMPTY, &a);
	answer_free(&a);
	ck_assert_int_lt(daemon_cpu_ms(&d) - cpu, 200);
	ck_assert_int_ge(broker_number(&admin, "uptime_ms") - uptime, 1000);
	ck_assert_int_eq(daemon_count_log(&d, "event=accept_paused"), 1);

	/* Those in the backlog are served when others go. (Valgrind accepts a
	 * connection for which it has no descriptor, and closes it.) */
	for (int i = 0; i < open / 2; i++)
		wire_close(&w[i]);
	for (int i = open / 2; i < open && !daemon_is_watched(&d); i++) {
		wire_hello(&w[i]);
		wire_close(&w[i]);
	}
	wire_close(&admin);
	daemon_stop(&d);
}
END_TEST

RUN_TESTS("memory", a_put_beyond_the_memory_limit_is_full_and_names_memory,
	  a_put_without_memory_is_told_of_dead_items,
	  gets_and_acks_are_served_above_the_memory_limit_and_make_room,
	  a_put_that_waits_for_memory_is_accepted_when_there_is_room,
	  memory_is_counted_to_zero_when_all_is_gone,
	  memory_goes_back_to_the_system_after_a_peak,
	  memory_between_items_that_stay_goes_back_too,
	  an_idle_connection_takes_less_than_4_kib,
	  without_file_descriptors_accepting_pauses_and_nothing_spins)
