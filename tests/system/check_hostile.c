/* SPDX-License-Identifier: MIT
 * Clients that send what they must not: each is told why and closed only where
 * PROTOCOL.md says so; a bystander is served all along, and no memory stays behind. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "tests/lib/daemon.h"
#include "tests/lib/run.h"
#include "tests/lib/wire.h"

#define MAX_ITEM (1 << 20) /* as configured here */

static struct daemon d;
static struct wire bystander;
static int64_t memory;

static void
start(void)
{
	daemon_start(&d, "--set", "max_item=1M", NULL);
	wire_open(&bystander, d.address);
	wire_put_text(&bystander, "quiet", "x");
	ck_assert_int_eq(wire_ack(&bystander, wire_take_text(&bystander, "quiet", "x")),
			 QP_OK);
	memory = broker_number(&bystander, "memory");
}

static void
bystander_is_served(void)
{
	wire_put_text(&bystander, "quiet", "still here");
	ck_assert_int_eq(wire_ack(&bystander,
				  wire_take_text(&bystander, "quiet", "still here")),
			 QP_OK);
}

static void
stop(void)
{
	bystander_is_served();
	wait_for_broker(&bystander, "sessions", 1);
	wait_for_broker(&bystander, "connections", 1);
	wait_for_broker(&bystander, "memory", memory);
	wire_close(&bystander);
	daemon_stop(&d);
}

/* The broker must say why, in a frame of its own, and close. */
static void
expect_thrown_out(struct wire *w, enum qp_status status)
{
	struct answer a;

	wire_read(w, 0, status, &a);
	ck_assert_uint_eq(a.reply.rid, 0);
	ck_assert_uint_gt(a.reply.text.len, 0);
	answer_free(&a);
	wire_expect_closed(w);
	wire_close(w);
	bystander_is_served();
}

/* The broker must answer the request, and go on with the connection. */
static void
expect_refused(struct wire *w, uint64_t rid, enum qp_status status)
{
	struct answer a;

	wire_read(w, 0, status, &a);
	ck_assert_uint_eq(a.reply.rid, rid);
	ck_assert_uint_gt(a.reply.text.len, 0);
	answer_free(&a);
	wire_expect_silence(w);
	bystander_is_served();
}

static void
send_frame(struct wire *w, const void *head, size_t len, uint32_t body_len)
{
	struct bytes b = {NULL, 0, 0};

	bytes_frame(&b, head, len, body_len);
	wire_write(w, b.p, b.len);
	bytes_free(&b);
}

static void
send_lengths(struct wire *w, uint32_t head_len, uint32_t body_len)
{
	uint8_t lengths[QP_FRAME_BYTES];

	qp_frame_write(lengths, (struct qp_frame){head_len, body_len});
	wire_write(w, lengths, sizeof(lengths));
}

/* --- heads that are broken ------------------------------------------------------- */

#define HEAD(bytes) bytes, sizeof(bytes) - 1
#define FIFTEEN	    "\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91"

static const struct {
	const char *head;
	size_t len;
} broken[] = {
	{HEAD("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")},
	{HEAD("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")},
	{HEAD("\x00")},
	{HEAD("\xc1")},
	{HEAD("\xc0")},
	{HEAD("\x90")},
	{HEAD("\x91\x02")},
	{HEAD("\x92\x02")},
	{HEAD("\x92\x02\x01\x00")}, /* a byte behind the array */
	{HEAD("\x92\xa1\x02\x01")}, /* op is a string */
	{HEAD("\x92\x02\xc0")},	    /* rid is nil */
	{HEAD("\x92\x02\x00")},	    /* rid is 0 */
	{HEAD("\x92\x02\xff")},	    /* rid is -1 */
	{HEAD("\x92\x02\xcf\x80\x00\x00\x00\x00\x00\x00\x00")},
	{HEAD("\x82\x02\x01\x03\x04")}, /* a map */
	{HEAD("\x93\x02\x01\x81\xa1")}, /* truncated */
	{HEAD("\x94\x0a\x01\xa5job\x00")},
	{HEAD("\xdd\xff\xff\xff\xff\x02\x01")}, /* claims 2^32-1 elements */
	{HEAD("\xdd\x04\x00\x00\x00")},
	{HEAD("\x93\x02\x01\xdf\xff\xff\xff\xff")},
	{HEAD("\x93\x0a\x01\xdb\xff\xff\xff\xff")},
	{HEAD("\x93\x02\x01" FIFTEEN FIFTEEN "\x01")}, /* too deep */
	{HEAD("\x93\x02\x01\x81\xa1x" FIFTEEN FIFTEEN "\x01")},
};

START_TEST(a_broken_head_is_told_and_closed)
{
	struct wire w;

	start();
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
		wire_open(&w, d.address);
		send_frame(&w, broken[i].head, broken[i].len, 0);
		expect_thrown_out(&w, QP_MALFORMED);
		wire_connect(&w, d.address);
		send_frame(&w, broken[i].head, broken[i].len, 0);
		expect_thrown_out(&w, QP_MALFORMED);
	}
	stop();
}
END_TEST

START_TEST(a_bomb_of_depth_as_long_as_a_head_may_be_is_closed)
{
	static uint8_t head[QP_MAX_HEAD];
	struct wire w;

	start();
	memset(head, 0x91, sizeof(head));
	wire_open(&w, d.address);
	send_frame(&w, head, sizeof(head), 0);
	expect_thrown_out(&w, QP_MALFORMED);
	stop();
}
END_TEST

START_TEST(garbage_without_end_is_closed_at_its_first_frame)
{
	static char garbage[300000];
	struct wire w;

	d.tcp[0] = "tcp://127.0.0.1:0";
	start();
	memset(garbage, 'G', sizeof(garbage));
	for (int tcp = 0; tcp < 2; tcp++) {
		wire_open(&w, tcp ? d.tcp_address[0] : d.address);
		wire_try_write(&w, garbage, sizeof(garbage));
		expect_thrown_out(&w, QP_MALFORMED);
	}
	stop();
}
END_TEST

/* --- lengths --------------------------------------------------------------------- */

static const uint32_t bad_head_lengths[] = {0,	       QP_MAX_HEAD + 1, 1u << 24,
					    INT32_MAX, 1u << 31,	UINT32_MAX};

START_TEST(a_head_length_that_is_not_allowed_is_closed)
{
	struct wire w;

	start();
	for (size_t i = 0; i < sizeof(bad_head_lengths) / sizeof(uint32_t); i++) {
		wire_open(&w, d.address);
		send_lengths(&w, bad_head_lengths[i], 0);
		expect_thrown_out(&w, QP_MALFORMED);
		wire_connect(&w, d.address);
		send_lengths(&w, bad_head_lengths[i], UINT32_MAX);
		expect_thrown_out(&w, QP_MALFORMED);
	}
	wire_connect(&w, d.address);
	send_lengths(&w, QP_MAX_HEAD_HELLO + 1, 0);
	expect_thrown_out(&w, QP_MALFORMED);
	stop();
}
END_TEST

/* A PING with a map that fills the head up to `len` bytes. */
static void
send_filled_ping(struct wire *w, uint32_t len)
{
	static const uint8_t start_of_head[] = {0x93, 0x02, 0x09, 0x81,
						0xa1, 'x',  0xda};
	uint8_t *head = calloc(1, len);
	uint32_t filled = len - (uint32_t)sizeof(start_of_head) - 2;

	ck_assert_ptr_nonnull(head);
	memcpy(head, start_of_head, sizeof(start_of_head));
	head[sizeof(start_of_head)] = (uint8_t)(filled >> 8);
	head[sizeof(start_of_head) + 1] = (uint8_t)filled;
	send_frame(w, head, len, 0);
	free(head);
}

START_TEST(a_head_may_be_as_long_as_the_limit)
{
	struct wire w;

	start();
	wire_open(&w, d.address);
	for (uint32_t less = 0; less < 2; less++) {
		send_filled_ping(&w, QP_MAX_HEAD - less);
		wire_expect(&w, QP_OP_PING, 9, QP_OK);
	}
	wire_close(&w);
	stop();
}
END_TEST

static const uint32_t bad_body_lengths[] = {MAX_ITEM + 1, INT32_MAX, 1u << 31,
					    UINT32_MAX};

START_TEST(a_body_length_beyond_max_item_is_refused_before_the_body_comes)
{
	static const char head[] = "\x94\x0a\x05\xa1q\x00";
	struct wire w;

	start();
	for (size_t i = 0; i < sizeof(bad_body_lengths) / sizeof(uint32_t); i++) {
		struct answer a;

		wire_open(&w, d.address);
		send_frame(&w, HEAD(head), bad_body_lengths[i]);
		wire_read(&w, QP_OP_PUT, QP_TOO_BIG, &a);
		ck_assert_uint_eq(a.reply.rid, 5);
		answer_free(&a);
		ck_assert_int_eq(broker_number(&bystander, "memory") < memory + 65536,
				 1);
		bystander_is_served();
		wire_close(&w);
	}
	stop();
}
END_TEST

START_TEST(a_body_that_is_too_big_is_thrown_away_and_the_connection_lives_on)
{
	static const char head[] = "\x94\x0a\x05\xa1q\x00";
	uint8_t *body = calloc(1, MAX_ITEM + 1);
	struct wire w;

	ck_assert_ptr_nonnull(body);
	start();
	wire_open(&w, d.address);
	for (uint32_t over = 0; over < 2; over++) {
		send_frame(&w, HEAD(head), MAX_ITEM + over);
		wire_write(&w, body, MAX_ITEM + over);
		wire_expect(&w, QP_OP_PUT, 5, over ? QP_TOO_BIG : QP_OK);
		wire_expect_silence(&w);
	}
	ck_assert_int_eq(queue_number(&bystander, "q", "accepted"), 1);
	ck_assert_int_eq(wire_status(&bystander,
				     (struct qp_request){
					     .op = QP_OP_DELETE,
					     .queue = str("q"),
					     .options = {.present = QP_BIT(force),
							 .force = 1}}),
			 QP_OK);
	free(body);
	wire_close(&w);
	stop();
}
END_TEST

START_TEST(a_body_where_none_belongs_is_refused_and_thrown_away)
{
	static char body[100000];
	static const struct {
		const char *head;
		size_t len;
	} heads[] = {
		{HEAD("\x92\x02\x05")},		     /* PING */
		{HEAD("\x95\x0c\x05\xa1q\xc0\x00")}, /* GET */
		{HEAD("\x93\x15\x05\xa1q")},	     /* SIZE */
		{HEAD("\x92\x63\x05")},		     /* unknown */
		{HEAD("\x94\x0a\x05\xa0\x00")},	     /* PUT to a queue without a name */
	};
	struct wire w;

	start();
	wire_open(&w, d.address);
	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++)
		for (uint32_t len = 1; len <= sizeof(body); len *= 10) {
			struct answer a;

			send_frame(&w, heads[i].head, heads[i].len, len);
			wire_write(&w, body, len);
			ck_assert(wire_read_any(&w, 0, &a));
			ck_assert_uint_eq(a.reply.rid, 5);
			ck_assert(a.reply.status == QP_INVALID ||
				  a.reply.status == QP_UNKNOWN_OP);
			answer_free(&a);
			wire_expect_silence(&w);
		}
	wire_close(&w);
	stop();
}
END_TEST

/* --- order ----------------------------------------------------------------------- */

START_TEST(anything_before_hello_is_refused_and_closed)
{
	static const struct {
		const char *head;
		size_t len;
	} heads[] = {
		{HEAD("\x92\x02\x05")},		     /* PING */
		{HEAD("\x92\x03\x05")},		     /* CLOSE */
		{HEAD("\x95\x0c\x05\xa1q\xc0\x00")}, /* GET */
		{HEAD("\x92\x24\x05")},		     /* STATS */
		{HEAD("\x95\x0e\x00\x01\x01\x01")},  /* ACK without a reply */
		{HEAD("\x92\x63\x05")},		     /* unknown */
	};
	struct wire w;

	start();
	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
		wire_connect(&w, d.address);
		send_frame(&w, heads[i].head, heads[i].len, 0);
		expect_thrown_out(&w, QP_BAD_STATE);
	}
	stop();
}
END_TEST

START_TEST(a_body_before_hello_is_closed)
{
	static const char hello[] = "\x94\x01\x05\x01\xc4\x10"
				    "0123456789abcdef";
	static const uint32_t lengths[] = {1, 4096, MAX_ITEM, UINT32_MAX};
	struct wire w;

	start();
	for (size_t i = 0; i < 4; i++) {
		wire_connect(&w, d.address);
		send_frame(&w, HEAD(hello), lengths[i]);
		expect_thrown_out(&w, QP_MALFORMED);
	}
	stop();
}
END_TEST

START_TEST(a_second_hello_is_refused_and_the_first_session_goes_on)
{
	static const char hello[] = "\x94\x01\x05\x01\xc4\x10"
				    "0123456789abcdef";
	struct wire w;

	start();
	wire_open(&w, d.address);
	send_frame(&w, HEAD(hello), 0);
	expect_refused(&w, 5, QP_BAD_STATE);
	wire_close(&w);
	stop();
}
END_TEST

START_TEST(a_session_id_in_use_is_refused)
{
	static const char hello[] = "\x94\x01\x05\x01\xc4\x10"
				    "0123456789abcdef";
	struct wire w, thief;
	struct answer a;

	start();
	wire_connect(&w, d.address);
	send_frame(&w, HEAD(hello), 0);
	wire_expect(&w, QP_OP_HELLO, 5, QP_OK);
	wire_connect(&thief, d.address);
	send_frame(&thief, HEAD(hello), 0);
	wire_read(&thief, QP_OP_HELLO, QP_INVALID, &a);
	answer_free(&a);
	wire_expect_silence(&w);
	wire_close(&thief);
	wire_close(&w);
	stop();
}
END_TEST

RUN_TESTS("hostile", a_broken_head_is_told_and_closed,
	  a_bomb_of_depth_as_long_as_a_head_may_be_is_closed,
	  garbage_without_end_is_closed_at_its_first_frame,
	  a_head_length_that_is_not_allowed_is_closed,
	  a_head_may_be_as_long_as_the_limit,
	  a_body_length_beyond_max_item_is_refused_before_the_body_comes,
	  a_body_that_is_too_big_is_thrown_away_and_the_connection_lives_on,
	  a_body_where_none_belongs_is_refused_and_thrown_away,
	  anything_before_hello_is_refused_and_closed, a_body_before_hello_is_closed,
	  a_second_hello_is_refused_and_the_first_session_goes_on,
	  a_session_id_in_use_is_refused)
