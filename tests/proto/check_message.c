/* SPDX-License-Identifier: MIT
 * Requests and replies against byte strings written by hand from PROTOCOL.md, in both
 * directions. */
#include "proto/message.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SESSION "0123456789abcdef"

/* A frame written by hand: what must come out of the encoder, and what must go into the
 * decoder. */
#define HEAD(bytes) bytes, sizeof(bytes) - 1

static char *encoded; /* the frame's bytes, from the last flatten() */

static size_t
flatten(struct qp_out *out)
{
	struct iovec parts[64];
	size_t len = 0;
	int n = qp_out_peek(out, parts, 64, SIZE_MAX);

	ck_assert(!out->failed);
	free(encoded);
	encoded = malloc(out->len + 1);
	for (int i = 0; i < n; i++) {
		memcpy(encoded + len, parts[i].iov_base, parts[i].iov_len);
		len += parts[i].iov_len;
	}
	ck_assert_uint_eq(len, out->len);
	qp_out_done(out);
	return len;
}

static void
expect_frame(struct qp_out *out, const char *head, size_t head_len, uint32_t body_len)
{
	size_t len = flatten(out);
	struct qp_frame f = qp_frame_read((uint8_t *)encoded);

	ck_assert_uint_eq(f.head_len, head_len);
	ck_assert_uint_eq(f.body_len, body_len);
	ck_assert_uint_eq(len, head_len + QP_FRAME_BYTES);
	ck_assert_mem_eq(encoded + QP_FRAME_BYTES, head, head_len);
}

static struct qp_request
decode(const char *head, size_t len)
{
	struct qp_request m = {.rid = 0}; /* what is not decoded is left alone */
	struct qp_error e;
	bool ok = qp_request_decode(head, len, &m, &e);

	ck_assert_msg(ok, "%s", ok ? "" : e.text);
	return m;
}

static void
expect_refused(const char *head, size_t len, enum qp_status status, uint64_t rid,
	       const char *words)
{
	struct qp_request m;
	struct qp_error e;

	ck_assert(!qp_request_decode(head, len, &m, &e));
	ck_assert_uint_eq(e.status, status);
	ck_assert_uint_eq(e.rid, rid);
	ck_assert_msg(strstr(e.text, words) != NULL, "'%s' in '%s'", words, e.text);
}

START_TEST(the_frame_is_two_big_endian_lengths)
{
	uint8_t bytes[QP_FRAME_BYTES];

	qp_frame_write(bytes, (struct qp_frame){0x01020304, 0xfffefdfc});
	ck_assert_mem_eq(bytes, "\x01\x02\x03\x04\xff\xfe\xfd\xfc", 8);
	ck_assert_uint_eq(qp_frame_read(bytes).head_len, 0x01020304);
	ck_assert_uint_eq(qp_frame_read(bytes).body_len, 0xfffefdfc);
}
END_TEST

static const struct {
	const char *head;
	size_t len;
	uint32_t body_len;
	struct qp_request m;
} requests[] = {
	{HEAD("\x92\x02\x01"), 0, {.op = QP_OP_PING, .rid = 1}},
	{HEAD("\x92\x03\x02"), 0, {.op = QP_OP_CLOSE, .rid = 2}},
	{HEAD("\x94\x0a\x07\xa4jobs\xc0"),
	 5,
	 {.op = QP_OP_PUT, .rid = 7, .queue = {"jobs", 4}, .timeout_ms = QP_FOREVER}},
	{HEAD("\x94\x0a\xcd\x01\x00\xa4jobs\x00"),
	 0,
	 {.op = QP_OP_PUT, .rid = 256, .queue = {"jobs", 4}}},
	{HEAD("\x95\x0c\x08\xa4jobs\xcd\x03\xe8\x02"),
	 0,
	 {.op = QP_OP_GET,
	  .rid = 8,
	  .queue = {"jobs", 4},
	  .timeout_ms = 1000,
	  .ack = QP_ACK_NONE}},
	{HEAD("\x95\x0e\x00\x2a\x03\xce\xff\xff\xff\xff"),
	 0,
	 {.op = QP_OP_ACK, .id = 42, .delivery = 3, .epoch = UINT32_MAX}},
	{HEAD("\x93\x0f\x09\xa4jobs"),
	 0,
	 {.op = QP_OP_TASK_DONE, .rid = 9, .queue = {"jobs", 4}}},
	{HEAD("\x95\x11\x0a\x2a\x01\x05"),
	 0,
	 {.op = QP_OP_RELEASE, .rid = 10, .id = 42, .delivery = 1, .epoch = 5}},
	{HEAD("\x95\x18\x0a\x2a\x01\x05"),
	 0,
	 {.op = QP_OP_TOUCH, .rid = 10, .id = 42, .delivery = 1, .epoch = 5}},
	{HEAD("\x95\x16\x0a\x2a\x01\x05"),
	 0,
	 {.op = QP_OP_NACK, .rid = 10, .id = 42, .delivery = 1, .epoch = 5}},
	{HEAD("\x95\x17\x0a\x2a\x01\x05"),
	 0,
	 {.op = QP_OP_BURY, .rid = 10, .id = 42, .delivery = 1, .epoch = 5}},
	{HEAD("\x95\x19\x0a\x2a\x01\x05"),
	 7,
	 {.op = QP_OP_UPDATE, .rid = 10, .id = 42, .delivery = 1, .epoch = 5}},
	{HEAD("\x94\x29\x0a\xa4jobs\x02"),
	 0,
	 {.op = QP_OP_KICK, .rid = 10, .queue = {"jobs", 4}, .max_items = 2}},
	{HEAD("\x95\x26\x0a\xa4jobs\xa3\x6f\x6c\x64\x02"),
	 0,
	 {.op = QP_OP_MOVE,
	  .rid = 10,
	  .queue = {"jobs", 4},
	  .to = {"old", 3},
	  .max_items = 2}},
	{HEAD("\x94\x28\x0a\xa4jobs\x2a"),
	 0,
	 {.op = QP_OP_DELETE_ITEM, .rid = 10, .queue = {"jobs", 4}, .id = 42}},
	{HEAD("\x93\x2a\x0a\xa4jobs"),
	 0,
	 {.op = QP_OP_DEAD_PURGE, .rid = 10, .queue = {"jobs", 4}}},
	{HEAD("\x94\x2b\x0a\xa4jobs\x2a"),
	 0,
	 {.op = QP_OP_SHOW, .rid = 10, .queue = {"jobs", 4}, .id = 42}},
	{HEAD("\x94\x12\x0b\xa4jobs\x00"),
	 0,
	 {.op = QP_OP_JOIN, .rid = 11, .queue = {"jobs", 4}}},
	{HEAD("\x93\x13\x0c\x0b"), 0, {.op = QP_OP_CANCEL, .rid = 12, .target = 11}},
	{HEAD("\x93\x14\x0d\xa4jobs"),
	 0,
	 {.op = QP_OP_PEEK, .rid = 13, .queue = {"jobs", 4}}},
	{HEAD("\x93\x15\x0d\xa4jobs"),
	 0,
	 {.op = QP_OP_SIZE, .rid = 13, .queue = {"jobs", 4}}},
	{HEAD("\x94\x1b\x0d\xa4jobs\xa1g"),
	 0,
	 {.op = QP_OP_CANCEL_GROUP,
	  .rid = 13,
	  .queue = {"jobs", 4},
	  .group = {"g", 1}}},
	{HEAD("\x93\x20\x0d\xa4jobs"),
	 0,
	 {.op = QP_OP_PURGE, .rid = 13, .queue = {"jobs", 4}}},
	{HEAD("\x93\x22\x0d\xa4jobs"),
	 0,
	 {.op = QP_OP_REOPEN, .rid = 13, .queue = {"jobs", 4}}},
	{HEAD("\x94\x23\x0e\xc0\x05"), 0, {.op = QP_OP_QUEUES, .rid = 14, .cursor = 5}},
	{HEAD("\x94\x23\x0e\xa4jobs\x00"),
	 0,
	 {.op = QP_OP_QUEUES, .rid = 14, .queue = {"jobs", 4}}},
	{HEAD("\x92\x24\x0f"), 0, {.op = QP_OP_STATS, .rid = 15}},
	{HEAD("\x93\x2c\x13\xa4jobs"),
	 0,
	 {.op = QP_OP_POLICY, .rid = 19, .queue = {"jobs", 4}}},
	{HEAD("\x93\x2d\x10\x07"), 0, {.op = QP_OP_CLIENTS, .rid = 16, .cursor = 7}},
	{HEAD("\x94\x2e\x11\xc0\x00"), 0, {.op = QP_OP_WAITERS, .rid = 17}},
	{HEAD("\x93\x2f\x12\x2a"), 0, {.op = QP_OP_WHO, .rid = 18, .id = 42}},
	{HEAD("\x93\x2f\x12\xc0"), 0, {.op = QP_OP_WHO, .rid = 18}},
	{HEAD("\x92\x32\x0f"), 0, {.op = QP_OP_BACKUP, .rid = 15}},
	{HEAD("\x92\x34\x0f"), 0, {.op = QP_OP_RELOAD, .rid = 15}},
	{HEAD("\x94\x33\x0f\xa4jobs\x07"),
	 0,
	 {.op = QP_OP_DUMP, .rid = 15, .queue = {"jobs", 4}, .cursor = 7}},
	{HEAD("\x93\x30\x13\xa4jobs"),
	 0,
	 {.op = QP_OP_WATCH, .rid = 19, .queue = {"jobs", 4}}},
};

START_TEST(requests_are_encoded_as_the_protocol_says)
{
	struct qp_out out;

	qp_out_init(&out);
	qp_request_encode(&out, &requests[_i].m, requests[_i].body_len);
	expect_frame(&out, requests[_i].head, requests[_i].len, requests[_i].body_len);
}
END_TEST

START_TEST(requests_are_decoded_as_the_protocol_says)
{
	struct qp_request m = decode(requests[_i].head, requests[_i].len);
	const struct qp_request *want = &requests[_i].m;

	ck_assert_uint_eq(m.op, want->op);
	ck_assert_uint_eq(m.rid, want->rid);
	ck_assert_uint_eq(m.timeout_ms, want->timeout_ms);
	ck_assert_uint_eq(m.ack, want->ack);
	ck_assert_uint_eq(m.id, want->id);
	ck_assert_uint_eq(m.delivery, want->delivery);
	ck_assert_uint_eq(m.epoch, want->epoch);
	ck_assert_uint_eq(m.target, want->target);
	ck_assert_uint_eq(m.cursor, want->cursor);
	ck_assert_uint_eq(m.queue.len, want->queue.len);
	ck_assert_mem_eq(m.queue.p ? m.queue.p : "", want->queue.p ? want->queue.p : "",
			 want->queue.len);
	ck_assert_uint_eq(m.to.len, want->to.len);
	ck_assert_mem_eq(m.to.p ? m.to.p : "", want->to.p ? want->to.p : "",
			 want->to.len);
	ck_assert(want->group.len == 0 ||
		  (m.group.len == want->group.len &&
		   memcmp(m.group.p, want->group.p, m.group.len) == 0));
	ck_assert_uint_eq(m.options.present, 0);
}
END_TEST

START_TEST(hello_carries_version_session_and_what_the_client_says_of_itself)
{
	static const char head[] = "\x95\x01\x01\x01\xc4\x10" SESSION "\x82\xa6"
				   "client\xa2me\xa3pid\xcd\x04\xd2";
	struct qp_request m = decode(HEAD(head));
	struct qp_out out;

	ck_assert_uint_eq(m.version, 1);
	ck_assert_mem_eq(m.session.p, SESSION, 16);
	ck_assert(QP_GIVEN(&m.options, client) && QP_GIVEN(&m.options, pid));
	ck_assert_mem_eq(m.options.client.p, "me", 2);
	ck_assert_uint_eq(m.options.pid, 1234);
	qp_out_init(&out);
	qp_request_encode(&out, &m, 0);
	expect_frame(&out, HEAD(head), 0);
}
END_TEST

START_TEST(put_carries_its_times)
{
	static const char head[] = "\x95\x0a\x07\xa4jobs\x00\x83\xa8"
				   "delay_ms\xcd\x05\xdc\xa6"
				   "ttl_ms\x0a\xa9"
				   "on_expire\xa4"
				   "drop";
	struct qp_request m = decode(HEAD(head));
	struct qp_out out;

	ck_assert_uint_eq(QP_OPT(&m.options, delay_ms), 1500);
	ck_assert_uint_eq(QP_OPT(&m.options, ttl_ms), 10);
	ck_assert(m.options.on_expire.len == 4);
	qp_out_init(&out);
	qp_request_encode(&out, &m, 1);
	expect_frame(&out, HEAD(head), 1);
	expect_refused(HEAD("\x95\x0a\x07\xa4jobs\x00\x81\xa6"
			    "ttl_ms\x00"),
		       QP_INVALID, 7, "option ttl_ms must be an integer from 1");
}
END_TEST

START_TEST(options_that_are_negative_numbers_or_strings)
{
	static const char put[] = "\x95\x0a\x07\xa4jobs\x00\x81\xa8"
				  "priority\xd2\x80\x00\x00\x00";
	static const char declare[] = "\x94\x1e\x08\xa4jobs\x81\xa5"
				      "order\xa4lifo";
	struct qp_request m = decode(HEAD(put));
	struct qp_out out;

	ck_assert_int_eq(QP_OPT(&m.options, priority), INT32_MIN);
	qp_out_init(&out);
	qp_request_encode(&out, &m, 1);
	expect_frame(&out, HEAD(put), 1);
	m = decode(HEAD(declare));
	ck_assert(QP_GIVEN(&m.options, order) && m.options.order.len == 4);
	ck_assert_mem_eq(m.options.order.p, "lifo", 4);
	qp_out_init(&out);
	qp_request_encode(&out, &m, 0);
	expect_frame(&out, HEAD(declare), 0);
	expect_refused(HEAD("\x95\x0a\x07\xa4jobs\x00\x81\xa8"
			    "priority\xce\x80\x00\x00\x00"),
		       QP_INVALID, 7,
		       "option priority must be an integer from -2147483648");
	expect_refused(HEAD("\x94\x1e\x08\xa4jobs\x81\xa5"
			    "order\x01"),
		       QP_INVALID, 8, "option order must be a str");
}
END_TEST

START_TEST(a_body_in_shared_memory_is_announced)
{
	static const char put[] = "\x95\x0a\x07\xa4jobs\x00\x81\xa5"
				  "memfd\xce\x00\x02\x00\x00";
	static const char ping[] = "\x93\x02\x07\x83\xa6"
				   "memfds\xc3\xac"
				   "takes_memfds\xc2\xac"
				   "sends_memfds\xc3";
	static const char got[] = "\x95\x00\x07\x2a\x01\x81\xa5"
				  "memfd\xce\x80\x00\x00\x00";
	struct qp_request m = decode(HEAD(put));
	struct qp_reply reply;
	struct qp_error e;
	struct qp_out out;

	ck_assert_uint_eq(QP_OPT(&m.options, memfd), 131072);
	qp_out_init(&out);
	qp_request_encode(&out, &m, 0);
	expect_frame(&out, HEAD(put), 0);
	m = decode(HEAD(ping));
	ck_assert(QP_OPT(&m.options, memfds));
	ck_assert(QP_GIVEN(&m.options, takes_memfds) && !m.options.takes_memfds);
	ck_assert(QP_GIVEN(&m.options, sends_memfds) && m.options.sends_memfds);
	ck_assert(qp_reply_decode(HEAD(got), QP_OP_GET, &reply, &e));
	ck_assert_uint_eq(QP_OPT(&reply.options, memfd), QP_MAX_BODY);
	expect_refused(HEAD("\x95\x0a\x07\xa4jobs\x00\x81\xa5"
			    "memfd\xcd\xff\xff"),
		       QP_INVALID, 7,
		       "option memfd must be an integer from 65536 to 2147483648");
}
END_TEST

START_TEST(pause_carries_its_ways)
{
	static const char head[] = "\x94\x25\x08\xa4jobs\x82\xa2in\xc3\xa3out\xc2";
	struct qp_request m = decode(HEAD(head));
	struct qp_out out;

	ck_assert(QP_GIVEN(&m.options, in) && m.options.in);
	ck_assert(QP_GIVEN(&m.options, out) && !m.options.out);
	qp_out_init(&out);
	qp_request_encode(&out, &m, 0);
	expect_frame(&out, HEAD(head), 0);
}
END_TEST

START_TEST(get_any_carries_its_queues)
{
	static const char head[] =
		"\x96\x1a\x0a\x92\xa4jobs\xa1x\xcd\x03\xe8\x00\x81\xa4"
		"mode\xabround_robin";
	static const struct qp_str names[] = {{"jobs", 4}, {"x", 1}};
	struct qp_request m = decode(HEAD(head));
	struct qp_out out;
	char many[6 + QP_MAX_ANY + 1 + 2];

	ck_assert_uint_eq(m.queues.n, 2);
	for (int i = 0; i < 2; i++) {
		struct qp_str name = qp_names_next(&m.queues);

		ck_assert_uint_eq(name.len, names[i].len);
		ck_assert_mem_eq(name.p, names[i].p, name.len);
	}
	ck_assert_mem_eq(m.options.mode.p, "round_robin", 11);
	m.queues.names = names;
	qp_out_init(&out);
	qp_request_encode(&out, &m, 0);
	expect_frame(&out, HEAD(head), 0);
	expect_refused(HEAD("\x95\x1a\x0a\x90\x00\x00"), QP_INVALID, 10,
		       "queues must be an array of 1 to 64 names");
	expect_refused(HEAD("\x95\x1a\x0a\x92\xa1x\xa0\x00\x00"), QP_INVALID, 10,
		       "queues must be an array of 1 to 64 names");
	memset(many, 0xc0, sizeof(many)); /* 65 elements */
	memcpy(many, "\x95\x1a\x0a\xdc\x00\x41", 6);
	memcpy(many + sizeof(many) - 2, "\x00\x00", 2);
	expect_refused(many, sizeof(many), QP_INVALID, 10,
		       "queues must be an array of 1 to 64 names");
}
END_TEST

START_TEST(put_many_carries_its_lengths_and_options)
{
	static const char head[] =
		"\x96\x0b\x01\xa4jobs\xc0\x93\x01\xcd\x01\x2c\x00\x81\xa6"
		"atomic\xc3";
	struct qp_request m = decode(HEAD(head));
	int64_t lengths[] = {1, 300, 0};
	struct qp_out out;

	ck_assert_uint_eq(m.lengths.n, 3);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(qp_list_next(&m.lengths), (uint64_t)lengths[i]);
	ck_assert(QP_GIVEN(&m.options, atomic) && m.options.atomic);
	m.lengths.numbers = lengths;
	qp_out_init(&out);
	qp_request_encode(&out, &m, 301);
	expect_frame(&out, HEAD(head), 301);
}
END_TEST

START_TEST(get_many_and_declare_carry_their_options)
{
	struct qp_request m =
		decode(HEAD("\x97\x0d\x01\xa4jobs\x05\x00\x64\x82\xa9min_items\x0a"
			    "\xa9linger_ms\x14"));

	ck_assert_uint_eq(m.max_items, 100);
	ck_assert_uint_eq(m.options.min_items, 10);
	ck_assert_uint_eq(m.options.linger_ms, 20);
	m = decode(HEAD("\x94\x1e\x01\xa4jobs\x82\xa7maxsize\xff\xa6update\xc2"));
	ck_assert(QP_GIVEN(&m.options, maxsize) && m.options.maxsize == -1);
	ck_assert(QP_GIVEN(&m.options, update) && !m.options.update);
	ck_assert(!QP_GIVEN(&m.options, max_bytes));
}
END_TEST

START_TEST(ack_many_carries_pairs)
{
	struct qp_request m = decode(HEAD("\x94\x10\x00\x05\x94\x2a\x01\x2b\x02"));

	ck_assert_uint_eq(m.rid, 0);
	ck_assert_uint_eq(m.tags.n, 4);
	ck_assert_uint_eq(qp_list_next(&m.tags), 42);
	ck_assert_uint_eq(qp_list_next(&m.tags), 1);
	expect_refused(HEAD("\x94\x10\x01\x05\x93\x2a\x01\x2b"), QP_INVALID, 1, "tags");
	expect_refused(HEAD("\x94\x10\x01\x05\x90"), QP_INVALID, 1, "tags");
}
END_TEST

START_TEST(unknown_options_are_ignored_whatever_they_hold)
{
	struct qp_request m =
		decode(HEAD("\x93\x02\x01\x83\xa3xyz\x92\x01\x02\x05\xc0\x92\x01\x02"
			    "\x81\x01\x02"));

	ck_assert_uint_eq(m.op, QP_OP_PING);
	ck_assert_uint_eq(m.options.present, 0);
}
END_TEST

START_TEST(a_wrong_argument_is_invalid_and_named)
{
	expect_refused(HEAD("\x94\x0a\x01\xa0\xc0"), QP_INVALID, 1, "queue");
	expect_refused(HEAD("\x94\x0a\x01\xa2\x61\x01\xc0"), QP_INVALID, 1, "queue");
	expect_refused(HEAD("\x94\x0a\x01\xa2\xc3\x28\xc0"), QP_INVALID, 1, "queue");
	expect_refused(HEAD("\x94\x0a\x01\x05\xc0"), QP_INVALID, 1, "queue");
	expect_refused(HEAD("\x94\x0a\x01\xa4jobs\xff"), QP_INVALID, 1, "timeout");
	expect_refused(HEAD("\x94\x0a\x01\xa4jobs\xcf\x00\x20\x00\x00\x00\x00\x00\x01"),
		       QP_INVALID, 1, "timeout");
	expect_refused(HEAD("\x95\x0c\x01\xa4jobs\xc0\x03"), QP_INVALID, 1, "ack");
	expect_refused(HEAD("\x93\x0a\x01\xa4jobs"), QP_INVALID, 1, "2 arguments");
	expect_refused(HEAD("\x95\x0a\x01\xa4jobs\xc0\x05"), QP_INVALID, 1,
		       "map of options");
	expect_refused(HEAD("\x95\x0a\x01\xa4jobs\xc0\x81\xa5"
			    "ctype\xcd\x01\x00"),
		       QP_INVALID, 1, "ctype must be an integer from 0 to 255");
	expect_refused(HEAD("\x94\x1f\x01\xa4jobs\x81\xa5"
			    "force\x01"),
		       QP_INVALID, 1, "force must be true or false");
}
END_TEST

START_TEST(an_unknown_operation_keeps_its_rid)
{
	expect_refused(HEAD("\x93\xcd\x01\x00\x05\x01"), QP_UNKNOWN_OP, 5, "256");
	expect_refused(HEAD("\x92\x00\x05"), QP_UNKNOWN_OP, 5, "0");
}
END_TEST

START_TEST(a_broken_head_is_malformed)
{
	expect_refused(HEAD("\x94\x0a\x01\xa4job"), QP_MALFORMED, 0, "well-formed");
	expect_refused(HEAD("\x92\x02\x01\x00"), QP_MALFORMED, 0, "well-formed");
	expect_refused(HEAD("\xc0"), QP_MALFORMED, 0, "op and rid");
	expect_refused(HEAD("\x91\x02"), QP_MALFORMED, 0, "");
	expect_refused(HEAD("\x92\x02\x00"), QP_MALFORMED, 0, "rid 0");
	expect_refused(HEAD("\x92\x02\xcf\x80\x00\x00\x00\x00\x00\x00\x00"),
		       QP_MALFORMED, 0, "rid");
	expect_refused(HEAD("\xdd\x04\x00\x00\x00"), QP_MALFORMED, 0, "");
}
END_TEST

START_TEST(every_cut_of_every_request_is_refused_and_nothing_is_read_beyond_it)
{
	for (size_t len = 1; len < requests[_i].len; len++) {
		struct qp_request m;
		struct qp_error e;
		char *copy = malloc(len);

		memcpy(copy, requests[_i].head, len);
		ck_assert(!qp_request_decode(copy, len, &m, &e));
		ck_assert_uint_eq(e.status, QP_MALFORMED);
		free(copy);
	}
}
END_TEST

static struct qp_reply
decode_reply(enum qp_op op, const char *head, size_t len)
{
	struct qp_reply m;
	struct qp_error e;
	uint64_t rid;
	bool ok = qp_reply_decode(head, len, op, &m, &e);

	ck_assert_msg(ok, "%s", ok ? "" : e.text);
	ck_assert(qp_reply_rid(head, len, &rid));
	ck_assert_uint_eq(rid, m.rid);
	return m;
}

static void
expect_reply(enum qp_op op, const struct qp_reply *m, const char *head, size_t len)
{
	struct qp_out out;

	qp_out_init(&out);
	qp_reply_encode(&out, op, m, 0);
	expect_frame(&out, head, len, 0);
}

START_TEST(replies_are_written_and_read_as_the_protocol_says)
{
	struct qp_reply m = decode_reply(QP_OP_PUT, HEAD("\x93\x00\x07\xcd\x01\x00"));

	ck_assert_uint_eq(m.id, 256);
	expect_reply(QP_OP_PUT, &m, HEAD("\x93\x00\x07\xcd\x01\x00"));

	m = decode_reply(QP_OP_GET, HEAD("\x95\x00\x08\x2a\x03\x81\xa7"
					 "crashes\x02"));
	ck_assert_uint_eq(m.id, 42);
	ck_assert_uint_eq(m.delivery, 3);
	ck_assert_uint_eq(m.options.crashes, 2);
	expect_reply(QP_OP_GET, &m,
		     HEAD("\x95\x00\x08\x2a\x03\x81\xa7"
			  "crashes\x02"));

	m = decode_reply(QP_OP_SIZE, HEAD("\x95\x00\x01\x05\x06\xff"));
	ck_assert(m.qsize == 5 && m.unfinished == 6 && m.maxsize == -1);
	expect_reply(QP_OP_SIZE, &m, HEAD("\x95\x00\x01\x05\x06\xff"));

	m = decode_reply(QP_OP_DECLARE, HEAD("\x93\x00\x01\xc3"));
	ck_assert(m.created);
	expect_reply(QP_OP_DECLARE, &m, HEAD("\x93\x00\x01\xc3"));

	m = decode_reply(QP_OP_QUEUES, HEAD("\x94\x00\x01\x64\x65"));
	ck_assert(m.count == 100 && m.cursor == 101);
	expect_reply(QP_OP_QUEUES, &m, HEAD("\x94\x00\x01\x64\x65"));

	m = decode_reply(QP_OP_POLICY, HEAD("\x93\x00\x01\x04"));
	ck_assert_uint_eq(m.count, 4);
	expect_reply(QP_OP_POLICY, &m, HEAD("\x93\x00\x01\x04"));
}
END_TEST

START_TEST(get_and_touch_carry_how_long_a_lease_is)
{
	static const char get[] = "\x96\x0c\x08\xa4jobs\x00\x00\x81\xa8"
				  "lease_ms\xcd\x03\xe8";
	static const char given[] = "\x95\x00\x08\x2a\x03\x81\xa8"
				    "lease_ms\xcd\x03\xe8";
	static const char touched[] = "\x93\x00\x08\x81\xa7"
				      "left_ms\x05";
	struct qp_request m = decode(HEAD(get));
	struct qp_reply reply;
	struct qp_out out;

	ck_assert_uint_eq(QP_OPT(&m.options, lease_ms), 1000);
	qp_out_init(&out);
	qp_request_encode(&out, &m, 0);
	expect_frame(&out, HEAD(get), 0);
	reply = decode_reply(QP_OP_GET, HEAD(given));
	ck_assert_uint_eq(QP_OPT(&reply.options, lease_ms), 1000);
	expect_reply(QP_OP_GET, &reply, HEAD(given));
	reply = decode_reply(QP_OP_TOUCH, HEAD(touched));
	ck_assert_uint_eq(QP_OPT(&reply.options, left_ms), 5);
	expect_reply(QP_OP_TOUCH, &reply, HEAD(touched));
}
END_TEST

START_TEST(nack_and_kick_carry_their_options)
{
	static const char nack[] = "\x96\x16\x08\x2a\x01\x05\x83\xa8"
				   "delay_ms\x00\xa5"
				   "error\xa2no\xa4"
				   "tail\xc3";
	static const char kick[] = "\x95\x29\x08\xa4jobs\x01\x81\xa2"
				   "id\x2a";
	struct qp_request m = decode(HEAD(nack));
	struct qp_out out;

	ck_assert(QP_GIVEN(&m.options, delay_ms));
	ck_assert_uint_eq(m.options.delay_ms, 0);
	ck_assert_uint_eq(m.options.error.len, 2);
	ck_assert_uint_eq(QP_OPT(&m.options, tail), 1);
	qp_out_init(&out);
	qp_request_encode(&out, &m, 0);
	expect_frame(&out, HEAD(nack), 0);
	m = decode(HEAD(kick));
	ck_assert_uint_eq(QP_OPT(&m.options, id), 42);
	qp_out_init(&out);
	qp_request_encode(&out, &m, 0);
	expect_frame(&out, HEAD(kick), 0);
}
END_TEST

START_TEST(what_is_shown_says_how_it_failed)
{
	static const char shown[] = "\x95\x00\x08\x2a\x03\x87\xa7"
				    "crashes\x01\xa5"
				    "nacks\x02\xa8"
				    "timeouts\x03\xa6"
				    "reason\xa6"
				    "buried\xa6"
				    "worker\xa1w\xa6"
				    "age_ms\x09\xa7"
				    "dead_ms\x05";
	struct qp_reply m = decode_reply(QP_OP_SHOW, HEAD(shown));

	ck_assert_uint_eq(QP_OPT(&m.options, crashes), 1);
	ck_assert_uint_eq(QP_OPT(&m.options, nacks), 2);
	ck_assert_uint_eq(QP_OPT(&m.options, timeouts), 3);
	ck_assert_uint_eq(m.options.reason.len, 6);
	ck_assert_uint_eq(QP_OPT(&m.options, dead_ms), 5);
	ck_assert(!QP_GIVEN(&m.options, error));
}
END_TEST

START_TEST(lists_in_replies_are_written_and_read)
{
	int64_t results[] = {41, -2, 42};
	struct qp_item rows[] = {
		{.id = 7, .delivery = 1, .length = 3},
		{.id = 8, .delivery = 2, .length = 0, .ctype = 9, .group = {"g", 1}}};
	struct qp_reply m = {.rid = 1, .results = {.n = 3, .numbers = results}};
	static const char items[] =
		"\x93\x00\x01\x92\x93\x07\x01\x03\x94\x08\x02\x00\x82\xa5"
		"ctype\x09\xa5"
		"group\xa1g";
	struct qp_item item;

	expect_reply(QP_OP_PUT_MANY, &m, HEAD("\x93\x00\x01\x93\x29\xfe\x2a"));
	m = decode_reply(QP_OP_PUT_MANY, HEAD("\x93\x00\x01\x93\x29\xfe\x2a"));
	ck_assert_uint_eq(m.results.n, 3);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(qp_list_next_signed(&m.results), results[i]);

	m = (struct qp_reply){.rid = 1, .items = {.n = 2}, .item_rows = rows};
	expect_reply(QP_OP_GET_MANY, &m, HEAD(items));
	m = decode_reply(QP_OP_GET_MANY, HEAD(items));
	item = qp_item_next(&m.items);
	ck_assert(item.id == 7 && item.length == 3 && item.group.len == 0);
	item = qp_item_next(&m.items);
	ck_assert(item.id == 8 && item.delivery == 2 && item.ctype == 9 &&
		  item.group.len == 1 && item.group.p[0] == 'g');
}
END_TEST

START_TEST(refusals_carry_their_text_cut_to_its_bound)
{
	struct qp_out out;
	struct qp_reply m;
	struct qp_error e;
	char text[2000];

	qp_out_init(&out);
	qp_refusal_encode(&out, QP_FULL, 9, "no");
	expect_frame(&out, HEAD("\x93\x02\x09\xa2no"), 0);
	m = decode_reply(QP_OP_PUT, HEAD("\x93\x02\x09\xa2no"));
	ck_assert_uint_eq(m.status, QP_FULL);
	ck_assert_mem_eq(m.text.p, "no", 2);

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = 0;
	qp_refusal_encode(&out, QP_INVALID, 1, text);
	ck_assert_uint_eq(flatten(&out), QP_FRAME_BYTES + 3 + 3 + QP_MAX_TEXT);
	ck_assert(!qp_reply_decode(HEAD("\x93\x00\x00\xa2no"), 0, &m, &e));
	ck_assert(qp_reply_decode(HEAD("\x93\x13\x00\xa2no"), 0, &m, &e));
}
END_TEST

START_TEST(notices_are_written_and_read_as_the_protocol_says)
{
	static const char head[] = "\x94\x00\x00\x01\x84\xa2"
				   "id\x2a\xa8"
				   "delivery\x03\xa5"
				   "queue\xa4jobs\xa7"
				   "left_ms\xcd\x03\xe8";
	struct qp_reply m = decode_reply((enum qp_op)0, HEAD(head));
	struct qp_error e;
	struct qp_out out;

	ck_assert_uint_eq(m.status, QP_OK);
	ck_assert_uint_eq(m.notice, QP_NOTICE_LEASE_ENDING);
	ck_assert_uint_eq(m.options.id, 42);
	ck_assert_uint_eq(m.options.delivery, 3);
	ck_assert_uint_eq(m.options.left_ms, 1000);
	qp_out_init(&out);
	qp_notice_encode(&out, QP_NOTICE_LEASE_ENDING, &m.options);
	expect_frame(&out, HEAD(head), 0);
	m.options.present = 0;
	qp_notice_encode(&out, (enum qp_notice)7, &m.options);
	expect_frame(&out, HEAD("\x94\x00\x00\x07\x80"), 0);
	ck_assert(!qp_reply_decode(HEAD("\x93\x00\x00\x01"), 0, &m, &e));
	ck_assert(!qp_reply_decode(HEAD("\x94\x00\x00\x00\x80"), 0, &m, &e));
	ck_assert(!qp_reply_decode(HEAD("\x94\x00\x00\x01\x90"), 0, &m, &e));
	ck_assert(!qp_reply_decode(HEAD("\x94\x00\x05\x01\x80"), 0, &m, &e));
}
END_TEST

/* A request is sent again as it was, but for its timeout. */
START_TEST(a_request_is_repeated_with_another_timeout)
{
	static const uint64_t timeouts[] = {0, 127, 128, 70000, QP_FOREVER};
	struct qp_request m = {.rid = 300, .queue = {"jobs", 4}, .max_items = 5};
	struct qp_out out;

	QP_GIVE(&m.options, ctype, 9);
	for (unsigned op = 1; op < 64; op++) {
		if (op != QP_OP_PUT && op != QP_OP_GET_MANY && op != QP_OP_JOIN &&
		    op != QP_OP_PEEK)
			continue;
		for (size_t i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++) {
			char *frame, *again;
			size_t len;

			m.op = (enum qp_op)op;
			m.timeout_ms = 1000;
			qp_out_init(&out);
			qp_request_encode(&out, &m, 7);
			(void)flatten(&out);
			frame = encoded;
			encoded = NULL;
			qp_request_repeat(&out, (uint8_t *)frame, timeouts[i]);
			len = flatten(&out);
			again = encoded;
			encoded = NULL;
			m.timeout_ms = timeouts[i];
			qp_request_encode(&out, &m, 7);
			ck_assert_uint_eq(flatten(&out), len);
			ck_assert_mem_eq(encoded, again, len);
			free(frame);
			free(again);
		}
	}
}
END_TEST

START_TEST(broken_replies_are_refused)
{
	struct qp_reply m;
	struct qp_error e;

	ck_assert(!qp_reply_decode(HEAD("\x92\x00\x01"), QP_OP_PUT, &m, &e));
	ck_assert(!qp_reply_decode(HEAD("\x93\x00\x01\x00"), QP_OP_PUT, &m, &e));
	ck_assert(!qp_reply_decode(HEAD("\x94\x00\x01\x05\x05"), QP_OP_PUT, &m, &e));
	ck_assert(!qp_reply_decode(HEAD("\x93\x00\x01\x05\x00"), QP_OP_PUT, &m, &e));
	ck_assert(!qp_reply_decode(HEAD("\x93\x02\x01\x05"), QP_OP_PUT, &m, &e));
	ck_assert(!qp_reply_decode(HEAD("\xdd\xff\xff\xff\xff\x00\x01"), QP_OP_GET_MANY,
				   &m, &e));
}
END_TEST

START_TEST(names_are_utf8_without_control_characters)
{
	char longest[257];

	memset(longest, 'a', sizeof(longest));
	ck_assert(qp_valid_name(longest, 255));
	ck_assert(!qp_valid_name(longest, 256));
	ck_assert(!qp_valid_name("", 0));
	ck_assert(qp_valid_name("Gr\xc3\xbc\xc3\x9f", 6));
	ck_assert(qp_valid_name("\xf0\x9f\x90\x87", 4));
	ck_assert(!qp_valid_name("a\x1f", 2));
	ck_assert(!qp_valid_name("a\0b", 3));
	ck_assert(!qp_valid_name("\x7f", 1));
	ck_assert_msg(!qp_valid_name("\xc2\x85", 2), "U+0085 is a control character");
	ck_assert_msg(!qp_valid_name("\xc0\xaf", 2), "not the shortest form");
	ck_assert_msg(!qp_valid_name("\xe0\x80\xaf", 3), "not the shortest form");
	ck_assert_msg(!qp_valid_name("\xed\xa0\x80", 3), "a surrogate");
	ck_assert_msg(!qp_valid_name("\xf4\x90\x80\x80", 4), "beyond U+10FFFF");
	ck_assert_msg(!qp_valid_name("\xe2\x82", 2), "cut short");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("message");
	TCase *t = tcase_create("message");
	SRunner *sr = srunner_create(s);
	int failed, n = sizeof(requests) / sizeof(requests[0]);

	tcase_set_timeout(t, 60);
	tcase_add_test(t, the_frame_is_two_big_endian_lengths);
	tcase_add_loop_test(t, requests_are_encoded_as_the_protocol_says, 0, n);
	tcase_add_loop_test(t, requests_are_decoded_as_the_protocol_says, 0, n);
	tcase_add_test(
		t, hello_carries_version_session_and_what_the_client_says_of_itself);
	tcase_add_test(t, put_carries_its_times);
	tcase_add_test(t, a_request_is_repeated_with_another_timeout);
	tcase_add_test(t, get_and_touch_carry_how_long_a_lease_is);
	tcase_add_test(t, nack_and_kick_carry_their_options);
	tcase_add_test(t, what_is_shown_says_how_it_failed);
	tcase_add_test(t, options_that_are_negative_numbers_or_strings);
	tcase_add_test(t, a_body_in_shared_memory_is_announced);
	tcase_add_test(t, pause_carries_its_ways);
	tcase_add_test(t, get_any_carries_its_queues);
	tcase_add_test(t, put_many_carries_its_lengths_and_options);
	tcase_add_test(t, get_many_and_declare_carry_their_options);
	tcase_add_test(t, ack_many_carries_pairs);
	tcase_add_test(t, unknown_options_are_ignored_whatever_they_hold);
	tcase_add_test(t, a_wrong_argument_is_invalid_and_named);
	tcase_add_test(t, an_unknown_operation_keeps_its_rid);
	tcase_add_test(t, a_broken_head_is_malformed);
	tcase_add_loop_test(
		t, every_cut_of_every_request_is_refused_and_nothing_is_read_beyond_it,
		0, n);
	tcase_add_test(t, replies_are_written_and_read_as_the_protocol_says);
	tcase_add_test(t, lists_in_replies_are_written_and_read);
	tcase_add_test(t, refusals_carry_their_text_cut_to_its_bound);
	tcase_add_test(t, notices_are_written_and_read_as_the_protocol_says);
	tcase_add_test(t, broken_replies_are_refused);
	tcase_add_test(t, names_are_utf8_without_control_characters);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
