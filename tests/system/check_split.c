/* SPDX-License-Identifier: MIT
 * Frames in pieces: however the bytes of a dialogue arrive, the answers are the
 * same. */
#include <config.h>

#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "tests/lib/daemon.h"
#include "tests/lib/run.h"
#include "tests/lib/wire.h"

#define LARGE 70000 /* a body that is not gathered with its head */

static struct daemon d;

/* One request of the dialogue, and the status that answers it. */
struct line {
	struct qp_request m;
	const char *body;
	enum qp_status status;
	const char *item; /* what the reply's body must be; NULL: nothing */
};

static const int64_t lengths[] = {1, 0, 2};
static const int64_t tags[] = {1, 1, 2, 1};

#define Q .queue = {"q", 1}

static const struct line lines[] = {
	{{.op = QP_OP_PING}, "", QP_OK, NULL},
	{{.op = QP_OP_PUT, Q}, "hello", QP_OK, NULL},
	{{.op = QP_OP_PUT_MANY, Q, .lengths = {.n = 3, .numbers = lengths}},
	 "abc",
	 QP_OK,
	 NULL},
	{{.op = QP_OP_PEEK, Q}, "", QP_OK, "hello"},
	{{.op = QP_OP_GET, Q, .timeout_ms = QP_FOREVER}, "", QP_OK, "hello"},
	{{.op = QP_OP_GET_MANY, Q, .max_items = 10}, "", QP_OK, "abc"},
	{{.op = QP_OP_TASK_DONE, Q}, "", QP_OK, NULL},
	{{.op = QP_OP_ACK, .id = INT64_MAX, .delivery = 1}, "", QP_STALE, NULL},
	{{.op = QP_OP_ACK_MANY, .tags = {.n = 4, .numbers = tags}}, "", QP_OK, NULL},
	{{.op = QP_OP_JOIN, Q}, "", QP_TIMEOUT, NULL},
	{{.op = QP_OP_TASK_DONE, Q}, "", QP_OK, NULL},
	{{.op = QP_OP_TASK_DONE, Q}, "", QP_OK, NULL},
	{{.op = QP_OP_TASK_DONE, Q}, "", QP_OK, NULL},
	{{.op = QP_OP_TASK_DONE, Q}, "", QP_NOT_LEASED, NULL},
	{{.op = QP_OP_JOIN, Q, .timeout_ms = QP_FOREVER}, "", QP_OK, NULL},
	{{.op = QP_OP_SIZE, Q}, "", QP_OK, NULL},
	{{.op = QP_OP_CANCEL, .target = 77}, "", QP_NOT_FOUND, NULL},
	{{.op = QP_OP_GET, Q}, "", QP_EMPTY, NULL},
	{{.op = (enum qp_op)0}, "", QP_UNKNOWN_OP, NULL}, /* see add_line() */
	{{.op = QP_OP_CLOSE}, "", QP_OK, NULL},
};
#define N_LINES (sizeof(lines) / sizeof(*lines))

static void
add_line(struct bytes *b, size_t i)
{
	struct qp_request m = lines[i].m;

	m.rid = i + 1;
	if (lines[i].status == QP_UNKNOWN_OP) {
		uint8_t head[] = {0x92, 0x63, (uint8_t)m.rid};

		bytes_frame(b, head, sizeof(head), 0);
		return;
	}
	bytes_request(b, m, lines[i].body, strlen(lines[i].body));
}

static void
add_dialogue(struct bytes *b)
{
	for (size_t i = 0; i < N_LINES; i++)
		add_line(b, i);
}

static void
expect_dialogue(struct wire *w)
{
	for (size_t i = 0; i < N_LINES; i++) {
		struct answer a;

		wire_read(w, lines[i].m.op, lines[i].status, &a);
		ck_assert_uint_eq(a.reply.rid, i + 1);
		ck_assert_str_eq((char *)a.body, lines[i].item ? lines[i].item : "");
		answer_free(&a);
	}
	wire_expect_closed(w);
}

/* Writes, and waits until the broker has taken every byte out of the socket. */
static void
write_and_see_read(struct wire *w, const void *p, size_t len)
{
	int64_t deadline = now_ms() + patience_ms();
	int unread;

	wire_write(w, p, len);
	while (ioctl(w->fd, SIOCOUTQ, &unread) == 0 && unread > 0)
		ck_assert_msg(now_ms() < deadline, "the broker does not read");
}

START_TEST(a_dialogue_may_be_split_at_every_byte)
{
	struct bytes b = {NULL, 0, 0};
	struct wire w;

	daemon_start(&d, NULL);
	add_dialogue(&b);
	for (size_t at = 1; at < b.len; at++) {
		wire_open(&w, d.address);
		write_and_see_read(&w, b.p, at);
		wire_write(&w, b.p + at, b.len - at);
		expect_dialogue(&w);
		wire_close(&w);
	}
	bytes_free(&b);
	daemon_stop(&d);
}
END_TEST

START_TEST(a_dialogue_may_come_byte_by_byte)
{
	struct bytes b = {NULL, 0, 0};
	struct wire w;

	daemon_start(&d, NULL);
	add_dialogue(&b);
	wire_open(&w, d.address);
	for (size_t i = 0; i < b.len; i++)
		write_and_see_read(&w, b.p + i, 1);
	expect_dialogue(&w);
	wire_close(&w);
	bytes_free(&b);
	daemon_stop(&d);
}
END_TEST

START_TEST(hello_itself_may_be_split_at_every_byte)
{
	static const char session[] = "0123456789abcdef";
	struct qp_request m = {.op = QP_OP_HELLO, .rid = 1, .version = 1};
	struct bytes b = {NULL, 0, 0};

	daemon_start(&d, NULL);
	m.session = (struct qp_str){session, 16};
	bytes_request(&b, m, NULL, 0);
	for (size_t at = 1; at < b.len; at++) {
		struct wire w;

		wire_connect(&w, d.address);
		write_and_see_read(&w, b.p, at);
		wire_write(&w, b.p + at, b.len - at);
		wire_expect(&w, QP_OP_HELLO, 1, QP_OK);
		ck_assert_int_eq(wire_status(&w, (struct qp_request){.op = QP_OP_CLOSE,
								     .rid = 2}),
				 QP_OK);
		wire_expect_closed(&w);
		wire_close(&w);
	}
	bytes_free(&b);
	daemon_stop(&d);
}
END_TEST

/* A put with a large body and a ping, cut in two at `at`. */
static void
put_large_cut_at(const struct bytes *b, size_t at, const char *body)
{
	struct answer a;
	struct wire w;

	wire_open(&w, d.address);
	write_and_see_read(&w, b->p, at);
	wire_write(&w, b->p + at, b->len - at);
	wire_expect(&w, QP_OP_PUT, 1, QP_OK);
	wire_expect(&w, QP_OP_PING, 2, QP_OK);
	wire_start_get(&w, "large");
	wire_read(&w, QP_OP_GET, QP_OK, &a);
	ck_assert_uint_eq(a.body_len, LARGE);
	ck_assert_mem_eq(a.body, body, LARGE);
	answer_free(&a);
	ck_assert_int_eq(wire_status(&w, (struct qp_request){.op = QP_OP_TASK_DONE,
							     .queue = str("large")}),
			 QP_OK);
	wire_close(&w);
}

START_TEST(a_large_body_may_be_split_anywhere)
{
	struct qp_request put = {.op = QP_OP_PUT, .rid = 1, .queue = str("large")};
	struct bytes b = {NULL, 0, 0};
	static char body[LARGE];

	for (size_t i = 0; i < LARGE; i++)
		body[i] = (char)(i % 251);
	daemon_start(&d, NULL);
	bytes_request(&b, put, body, LARGE);
	bytes_request(&b, (struct qp_request){.op = QP_OP_PING, .rid = 2}, NULL, 0);
	for (size_t at = 1; at < 40; at++)
		put_large_cut_at(&b, at, body);
	for (size_t at = 40; at < b.len - 40; at += 1499)
		put_large_cut_at(&b, at, body);
	for (size_t at = b.len - 40; at < b.len; at++)
		put_large_cut_at(&b, at, body);
	bytes_free(&b);
	daemon_stop(&d);
}
END_TEST

START_TEST(random_pieces_of_many_dialogues_give_the_same_answers)
{
	const char *env = getenv("QB_SEED");
	unsigned seed = env ? (unsigned)strtoul(env, NULL, 10) : 2;

	printf("seed %u\n", seed);
	fflush(stdout); /* a test that fails writes nothing more */
	srandom(seed);
	daemon_start(&d, NULL);
	for (int round = 0; round < 200; round++) {
		struct bytes b = {NULL, 0, 0};
		struct wire w;

		add_dialogue(&b);
		wire_open(&w, d.address);
		for (size_t at = 0, n; at < b.len; at += n) {
			n = 1 + (size_t)random() % 40;
			n = n < b.len - at ? n : b.len - at;
			if (random() % 2)
				wire_write(&w, b.p + at, n);
			else
				write_and_see_read(&w, b.p + at, n);
		}
		expect_dialogue(&w);
		wire_close(&w);
		bytes_free(&b);
	}
	daemon_stop(&d);
}
END_TEST

START_TEST(ten_thousand_requests_in_one_write_are_answered_in_order)
{
	struct qp_request put = {.op = QP_OP_PUT, Q};
	struct qp_request get = {.op = QP_OP_GET, Q, .ack = QP_ACK_NONE};
	struct bytes b = {NULL, 0, 0};
	struct wire w;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	for (uint64_t i = 0; i < 5000; i++) {
		put.rid = 2 * i + 1;
		get.rid = 2 * i + 2;
		bytes_request(&b, put, &i, sizeof(i));
		bytes_request(&b, get, NULL, 0);
	}
	wire_write(&w, b.p, b.len);
	for (uint64_t i = 0; i < 5000; i++) {
		struct answer a;

		wire_expect(&w, QP_OP_PUT, 2 * i + 1, QP_OK);
		wire_read(&w, QP_OP_GET, QP_OK, &a);
		ck_assert_uint_eq(a.reply.rid, 2 * i + 2);
		ck_assert_mem_eq(a.body, &i, sizeof(i));
		answer_free(&a);
	}
	bytes_free(&b);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

RUN_TESTS("split", a_dialogue_may_be_split_at_every_byte,
	  a_dialogue_may_come_byte_by_byte, hello_itself_may_be_split_at_every_byte,
	  a_large_body_may_be_split_anywhere,
	  random_pieces_of_many_dialogues_give_the_same_answers,
	  ten_thousand_requests_in_one_write_are_answered_in_order)
