/* SPDX-License-Identifier: MIT
 * The daemon's life: it starts, reloads, stops and dies; and who else wants its
 * socket. */
#include <config.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/daemon.h"
#include "tests/lib/run.h"
#include "tests/lib/wire.h"

static struct daemon d;

START_TEST(sigterm_tells_every_client_and_ends_in_order)
{
	struct wire idle, waiting, holding, silent;
	struct answer a;
	int status;

	daemon_start(&d, NULL);
	wire_open(&idle, d.address);
	wire_open(&waiting, d.address);
	wire_open(&holding, d.address);
	wire_connect(&silent, d.address);
	wire_put_text(&holding, "held", "x");
	wire_take_text(&holding, "held", "x");
	wire_start_get(&waiting, "q");
	wait_for_queue(&idle, "q", "getters", 1);
	wait_for_broker(&idle, "connections", 4);
	ck_assert_int_eq(kill(d.pid, SIGTERM), 0);
	for (int i = 0; i < 4; i++) {
		struct wire *all[] = {&idle, &waiting, &holding, &silent};

		wire_read(all[i], 0, QP_STOPPING, &a);
		ck_assert_uint_eq(a.reply.rid, 0);
		answer_free(&a);
		wire_expect_closed(all[i]);
		wire_close(all[i]);
	}
	status = daemon_wait(&d);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	ck_assert_int_ne(access(d.socket, F_OK), 0);
	daemon_forget(&d);
}
END_TEST

START_TEST(sigint_ends_in_order_too)
{
	int status;

	daemon_start(&d, NULL);
	ck_assert_int_eq(kill(d.pid, SIGINT), 0);
	status = daemon_wait(&d);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	daemon_forget(&d);
}
END_TEST

START_TEST(a_client_that_does_not_read_cannot_prevent_the_end)
{
	struct qp_request get = {.op = QP_OP_GET, .queue = str("q")};
	static uint8_t body[1 << 20];
	struct wire w, stuck;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	wire_open(&stuck, d.address);
	for (int i = 0; i < 4; i++) {
		wire_put(&w, "q", body, sizeof(body));
		wire_send(&stuck, get, NULL, 0);
	}
	wait_for_queue(&w, "q", "leased", 4);
	daemon_stop(&d);
	wire_close(&stuck);
	wire_close(&w);
}
END_TEST

START_TEST(sighup_takes_over_a_changed_option)
{
	struct wire w;

	d.config[0] = "max_item = 1000";
	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	ck_assert_uint_eq(w.max_item, 1000);
	daemon_write_config(&d, "max_item = 2000", "log_level = debug", NULL);
	ck_assert_int_eq(kill(d.pid, SIGHUP), 0);
	daemon_wait_log(&d, "event=reload", 1);
	wire_expect_silence(&w);
	wire_close(&w);
	wire_open(&w, d.address);
	ck_assert_uint_eq(w.max_item, 2000);
	daemon_wait_log(&d, "event=hello", 1);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(sighup_with_a_broken_file_keeps_the_old_values)
{
	struct wire w;

	d.config[0] = "max_item = 1000";
	daemon_start(&d, NULL);
	daemon_write_config(&d, "max_item = 2000", "max_connections = many", NULL);
	ck_assert_int_eq(kill(d.pid, SIGHUP), 0);
	daemon_wait_log(&d, "event=reload_failed", 1);
	ck_assert_int_gt(daemon_count_log(&d, "max_connections"), 0);
	wire_open(&w, d.address);
	ck_assert_uint_eq(w.max_item, 1000);
	daemon_write_config(&d, "max_item = 3000", NULL);
	ck_assert_int_eq(kill(d.pid, SIGHUP), 0);
	daemon_wait_log(&d, "event=reload ", 1);
	wire_close(&w);
	wire_open(&w, d.address);
	ck_assert_uint_eq(w.max_item, 3000);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(a_lower_memory_limit_after_a_reload_holds_for_what_comes)
{
	struct qp_request put = {.op = QP_OP_PUT, .queue = str("q")};
	static uint8_t body[65536];
	struct wire w;
	struct answer a;

	d.config[0] = "memory_limit = 16M";
	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	for (int i = 0; i < 100; i++)
		wire_put(&w, "q", body, sizeof(body));
	daemon_write_config(&d, "memory_limit = 4M", NULL);
	ck_assert_int_eq(kill(d.pid, SIGHUP), 0);
	daemon_wait_log(&d, "event=reload ", 1);
	ck_assert_int_eq(wire_ask(&w, put, body, sizeof(body), &a), QP_FULL);
	answer_free(&a);
	ck_assert_int_eq(queue_number(&w, "q", "ready"), 100);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

/* A second daemon with the first one's socket. */
static int
rival_status(const char *address)
{
	struct daemon rival = {.no_unix = true};
	int status;

	daemon_launch(&rival, "--listen", address, NULL);
	status = daemon_wait(&rival);
	ck_assert_int_eq(daemon_count_log(&rival, "event=ready"), 0);
	ck_assert_int_gt(daemon_count_log(&rival, "socket"), 0);
	daemon_forget(&rival);
	return status;
}

START_TEST(a_second_daemon_on_the_same_socket_refuses_to_start)
{
	struct wire w;
	int status;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	status = rival_status(d.address);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	wire_expect_silence(&w);
	wire_close(&w);
	wire_open(&w, d.address); /* the file is still the first one's */
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(a_file_that_is_no_socket_is_left_alone)
{
	struct daemon none = {.no_unix = true};
	char path[128], address[140];
	FILE *f;
	int status;

	daemon_start(&d, NULL);
	snprintf(path, sizeof(path), "%s/precious", d.folder);
	snprintf(address, sizeof(address), "unix:%s", path);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs("data", f);
	fclose(f);
	daemon_launch(&none, "--listen", address, NULL);
	status = daemon_wait(&none);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fgetc(f), 'd');
	fclose(f);
	daemon_forget(&none);
	daemon_stop(&d);
}
END_TEST

START_TEST(after_a_kill_the_next_daemon_takes_over_the_stale_socket)
{
	struct wire w;
	uint64_t epoch;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	epoch = w.epoch;
	wire_put_text(&w, "q", "gone");
	daemon_kill(&d);
	wire_expect_closed(&w);
	wire_close(&w);
	ck_assert_int_eq(access(d.socket, F_OK), 0);
	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	ck_assert_uint_ne(w.epoch, epoch);
	ck_assert_int_eq(queue_number(&w, "q", "ready"), -1);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(a_tag_of_an_earlier_run_is_stale)
{
	struct wire w;
	struct taken old;
	uint64_t epoch;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	epoch = w.epoch;
	wire_put_text(&w, "q", "x");
	old = wire_take_text(&w, "q", "x");
	wire_close(&w);
	daemon_kill(&d);
	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	wire_put_text(&w, "q", "x");
	ck_assert_uint_eq(wire_take_text(&w, "q", "x").id, old.id);
	w.epoch = epoch;
	ck_assert_int_eq(wire_ack(&w, old), QP_STALE);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(the_socket_has_its_mode_and_the_address_is_logged)
{
	struct stat st;

	d.tcp[0] = "tcp://127.0.0.1:0";
	daemon_start(&d, "--set", "socket_mode=0600", NULL);
	ck_assert_int_eq(stat(d.socket, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(daemon_count_log(&d, d.address), 1);
	ck_assert_ptr_null(strstr(d.tcp_address[0], ":0"));
	daemon_stop(&d);
}
END_TEST

START_TEST(an_address_that_others_can_reach_is_refused_unless_it_is_meant)
{
	struct daemon open = {.no_unix = true};
	int status;

	daemon_launch(&open, "--listen", "tcp://0.0.0.0:0", NULL);
	status = daemon_wait(&open);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	ck_assert_int_gt(daemon_count_log(&open, "allow_remote"), 0);
	daemon_start(&open, "--listen", "tcp://0.0.0.0:0", "--set", "allow_remote=yes",
		     NULL);
	daemon_stop(&open);
}
END_TEST

RUN_TESTS("lifecycle", sigterm_tells_every_client_and_ends_in_order,
	  sigint_ends_in_order_too, a_client_that_does_not_read_cannot_prevent_the_end,
	  sighup_takes_over_a_changed_option,
	  sighup_with_a_broken_file_keeps_the_old_values,
	  a_lower_memory_limit_after_a_reload_holds_for_what_comes,
	  a_second_daemon_on_the_same_socket_refuses_to_start,
	  a_file_that_is_no_socket_is_left_alone,
	  after_a_kill_the_next_daemon_takes_over_the_stale_socket,
	  a_tag_of_an_earlier_run_is_stale,
	  the_socket_has_its_mode_and_the_address_is_logged,
	  an_address_that_others_can_reach_is_refused_unless_it_is_meant)
