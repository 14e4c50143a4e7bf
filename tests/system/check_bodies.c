/* SPDX-License-Identifier: MIT
 * Bodies of every size, byte for byte, over every kind of socket; large ones delay
 * nobody. */
#include <config.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/daemon.h"
#include "tests/lib/run.h"
#include "tests/lib/wire.h"

#define MAX_ITEM (64 << 20) /* the default */

static struct daemon d;
static uint8_t *body; /* MAX_ITEM + 1 bytes that do not repeat soon */

static void
start(void)
{
	uint32_t x = 1;

	body = malloc(MAX_ITEM + 1);
	ck_assert_ptr_nonnull(body);
	for (size_t i = 0; i <= MAX_ITEM; i++) {
		x = x * 1664525 + 1013904223;
		body[i] = (uint8_t)(x >> 24);
	}
	daemon_start(&d, "--set", "memory_limit=512M", NULL);
}

static void
stop(void)
{
	daemon_stop(&d);
	free(body);
}

static void
there_and_back(struct wire *w, size_t len)
{
	struct answer a;
	uint64_t id = wire_put(w, "q", body, len);

	wire_start_get(w, "q");
	wire_read(w, QP_OP_GET, QP_OK, &a);
	ck_assert_uint_eq(a.reply.id, id);
	ck_assert_uint_eq(a.body_len, len);
	ck_assert(len == 0 || memcmp(a.body, body, len) == 0);
	answer_free(&a);
	ck_assert_int_eq(wire_status(w, (struct qp_request){.op = QP_OP_TASK_DONE,
							    .queue = str("q")}),
			 QP_OK);
}

static void
all_sizes(const char *address)
{
	static const size_t sizes[] = {0,      1,      4095,	4096,	     4097,
				       16383,  16384,  16385,	65527,	     65528,
				       65536,  65537,  65544,	65545,	     131072,
				       262144, 262145, 1 << 20, MAX_ITEM - 1};
	struct wire w;

	wire_open(&w, address);
	ck_assert_uint_eq(w.max_item, MAX_ITEM);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		there_and_back(&w, sizes[i]);
	wire_close(&w);
}

START_TEST(bodies_of_every_size_come_back_over_a_unix_socket)
{
	start();
	all_sizes(d.address);
	stop();
}
END_TEST

START_TEST(bodies_of_every_size_come_back_over_tcp)
{
	d.tcp[0] = "tcp://127.0.0.1:0";
	start();
	all_sizes(d.tcp_address[0]);
	stop();
}
END_TEST

static bool
has_ipv6(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	struct sockaddr_in6 addr = {.sin6_family = AF_INET6,
				    .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;

	close(fd);
	return ok;
}

START_TEST(bodies_of_every_size_come_back_over_ipv6)
{
	if (!has_ipv6())
		return;
	d.tcp[0] = "tcp://[::1]:0";
	start();
	all_sizes(d.tcp_address[0]);
	stop();
}
END_TEST

START_TEST(max_item_is_taken_to_the_byte_and_one_more_is_too_big)
{
	struct qp_request put = {.op = QP_OP_PUT, .queue = str("q")};
	struct wire w;
	struct answer a;

	start();
	wire_open(&w, d.address);
	there_and_back(&w, MAX_ITEM);
	ck_assert_int_eq(wire_ask(&w, put, body, MAX_ITEM + 1, &a), QP_TOO_BIG);
	answer_free(&a);
	there_and_back(&w, 10);
	ck_assert_int_eq(queue_number(&w, "q", "accepted"), 2);
	wire_close(&w);
	stop();
}
END_TEST

START_TEST(a_batch_of_many_sizes_comes_back_in_order)
{
	static int64_t lengths[1000];
	struct qp_request put = {.op = QP_OP_PUT_MANY, .queue = str("q")};
	struct qp_request get = {
		.op = QP_OP_GET_MANY, .queue = str("q"), .max_items = 1000};
	struct wire w;
	struct answer a;
	size_t sum = 0;

	start();
	wire_open(&w, d.address);
	for (int i = 0; i < 1000; i++) {
		lengths[i] = i % 7 == 0 ? 0 : i * 31 % 9000;
		sum += (size_t)lengths[i];
	}
	put.lengths = (struct qp_list){.n = 1000, .numbers = lengths};
	ck_assert_int_eq(wire_ask(&w, put, body, sum, &a), QP_OK);
	ck_assert_uint_eq(a.reply.results.n, 1000);
	answer_free(&a);
	ck_assert_int_eq(wire_ask(&w, get, NULL, 0, &a), QP_OK);
	ck_assert_uint_eq(a.reply.items.n, 1000);
	for (int i = 0; i < 1000; i++)
		ck_assert_uint_eq(qp_item_next(&a.reply.items).length,
				  (uint64_t)lengths[i]);
	ck_assert_uint_eq(a.body_len, sum);
	ck_assert_mem_eq(a.body, body, sum);
	answer_free(&a);
	wire_close(&w);
	stop();
}
END_TEST

START_TEST(a_batch_of_sixteen_mebibytes_fits_and_one_byte_more_does_not)
{
	int64_t lengths[] = {QP_MAX_BATCH_BYTES - 5, 5};
	struct qp_request put = {.op = QP_OP_PUT_MANY, .queue = str("q")};
	struct qp_request get = {
		.op = QP_OP_GET_MANY, .queue = str("q"), .max_items = 9};
	struct wire w;
	struct answer a;

	start();
	wire_open(&w, d.address);
	put.lengths = (struct qp_list){.n = 2, .numbers = lengths};
	ck_assert_int_eq(wire_ask(&w, put, body, QP_MAX_BATCH_BYTES, &a), QP_OK);
	answer_free(&a);
	ck_assert_int_eq(wire_ask(&w, get, NULL, 0, &a), QP_OK);
	ck_assert_uint_eq(a.body_len, QP_MAX_BATCH_BYTES);
	ck_assert_mem_eq(a.body, body, QP_MAX_BATCH_BYTES);
	answer_free(&a);
	lengths[1]++;
	ck_assert_int_eq(wire_ask(&w, put, body, QP_MAX_BATCH_BYTES + 1, &a),
			 QP_TOO_BIG);
	answer_free(&a);
	wire_expect_silence(&w);
	wire_close(&w);
	stop();
}
END_TEST

#define PINGS 1000

/* The other client's put and get, while a large body is on its way. */
static void
small_work(struct wire *w, int n)
{
	for (int i = 0; i < n; i++) {
		wire_expect_silence(w);
		wire_put_text(w, "small", "x");
		ck_assert_int_eq(wire_ack(w, wire_take_text(w, "small", "x")), QP_OK);
	}
}

START_TEST(a_large_body_that_dribbles_in_delays_nobody)
{
	struct qp_request put = {.op = QP_OP_PUT, .rid = 5, .queue = str("large")};
	struct bytes b = {NULL, 0, 0};
	struct wire large, w;
	size_t sent = 0, step = MAX_ITEM / PINGS;

	start();
	wire_open(&w, d.address);
	wire_open(&large, d.address);
	bytes_request(&b, put, body, MAX_ITEM);
	for (int i = 0; i < PINGS; i++) {
		wire_write(&large, b.p + sent, step);
		sent += step;
		small_work(&w, 1);
	}
	wire_write(&large, b.p + sent, b.len - sent);
	wire_expect(&large, QP_OP_PUT, 5, QP_OK);
	bytes_free(&b);
	wire_close(&large);
	wire_close(&w);
	stop();
}
END_TEST

/* Puts and gets the largest item, again and again. */
static void
large_work(int line, void *arg)
{
	struct wire w;

	(void)arg;
	wire_open(&w, d.address);
	line_say(line, 'r');
	for (int i = 0; i < 1000; i++)
		there_and_back(&w, MAX_ITEM);
}

/* One turn of the loop gives a large body at most about a millisecond; the machine may
 * be loaded, so what is measured is the middle of many. Waiting for a body of 64 MiB
 * takes far longer than this. */
#define MEDIAN_MS 10

static int
compare(const void *a, const void *b)
{
	return (int)(*(const int64_t *)a - *(const int64_t *)b);
}

START_TEST(large_bodies_at_full_speed_delay_small_requests_little)
{
	struct child large;
	int64_t took[300];
	struct wire w;

	start();
	child_start(&large, large_work, NULL);
	ck_assert_int_eq(line_hear(large.line), 'r');
	wire_open(&w, d.address);
	wait_for_queue(&w, "q", "leased", 1);
	for (int i = 0; i < 300; i++) {
		took[i] = now_ms();
		small_work(&w, 1);
		took[i] = now_ms() - took[i];
	}
	child_kill(&large);
	qsort(took, 300, sizeof(*took), compare);
	printf("median %d ms, worst %d ms\n", (int)took[150], (int)took[299]);
	ck_assert_int_le(took[150], MEDIAN_MS * (patience_ms() / 30000));
	wire_close(&w);
	stop();
}
END_TEST

RUN_TESTS("bodies", bodies_of_every_size_come_back_over_a_unix_socket,
	  bodies_of_every_size_come_back_over_tcp,
	  bodies_of_every_size_come_back_over_ipv6,
	  max_item_is_taken_to_the_byte_and_one_more_is_too_big,
	  a_batch_of_many_sizes_comes_back_in_order,
	  a_batch_of_sixteen_mebibytes_fits_and_one_byte_more_does_not,
	  a_large_body_that_dribbles_in_delays_nobody,
	  large_bodies_at_full_speed_delay_small_requests_little)
