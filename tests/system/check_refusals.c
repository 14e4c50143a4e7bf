/* SPDX-License-Identifier: MIT
 * Requests that are well-formed and wrong: each is answered with its status and a
 * sentence that names what is wrong, nothing is changed, and the connection lives
 * on. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "tests/lib/daemon.h"
#include "tests/lib/run.h"
#include "tests/lib/wire.h"

static struct daemon d;

#define HEAD(bytes) bytes, sizeof(bytes) - 1

struct refusal {
	const char *head; /* rid 5 */
	size_t len;
	enum qp_status status;
	const char *names; /* in the sentence; NULL: only that there is one */
};

static const struct refusal refusals[] = {
	/* operations */
	{HEAD("\x92\x00\x05"), QP_UNKNOWN_OP, "0"},
	{HEAD("\x92\x09\x05"), QP_UNKNOWN_OP, "9"},
	{HEAD("\x92\xcd\x03\xe8\x05"), QP_UNKNOWN_OP, "1000"},
	{HEAD("\x92\xcf\xff\xff\xff\xff\xff\xff\xff\xff\x05"), QP_UNKNOWN_OP,
	 "18446744073709551615"},
	{HEAD("\x94\x63\x05\x01\x81\xa1x\x01"), QP_UNKNOWN_OP, "99"},
	/* numbers of arguments */
	{HEAD("\x93\x02\x05\x01"), QP_INVALID, "PING"},
	{HEAD("\x92\x0a\x05"), QP_INVALID, "PUT"},
	{HEAD("\x93\x0c\x05\xa1q"), QP_INVALID, "GET"},
	{HEAD("\x96\x0c\x05\xa1q\x00\x00\x01"), QP_INVALID, "GET"},
	{HEAD("\x97\x0c\x05\xa1q\x00\x00\x80\x80"), QP_INVALID, "GET"},
	/* names of queues */
	{HEAD("\x94\x0a\x05\xa0\x00"), QP_INVALID, "queue"},
	{HEAD("\x94\x0a\x05\xa1\x00\x00"), QP_INVALID, "queue"},
	{HEAD("\x94\x0a\x05\xa1\x1f\x00"), QP_INVALID, "queue"},
	{HEAD("\x94\x0a\x05\xa1\x7f\x00"), QP_INVALID, "queue"},
	{HEAD("\x94\x0a\x05\xa2\xc2\x85\x00"), QP_INVALID, "queue"},
	{HEAD("\x94\x0a\x05\xa1\xff\x00"), QP_INVALID, "queue"},
	{HEAD("\x94\x0a\x05\xa2\xc0\x80\x00"), QP_INVALID, "queue"},
	{HEAD("\x94\x0a\x05\xa3\xed\xa0\x80\x00"), QP_INVALID, "queue"},
	{HEAD("\x94\x0a\x05\xc4\x01q\x00"), QP_INVALID, "queue"},
	{HEAD("\x94\x0a\x05\x07\x00"), QP_INVALID, "queue"},
	{HEAD("\x94\x0a\x05\xc0\x00"), QP_INVALID, "queue"},
	/* timeouts */
	{HEAD("\x94\x0a\x05\xa1q\xff"), QP_INVALID, "timeout"},
	{HEAD("\x94\x0a\x05\xa1q\xa1z"), QP_INVALID, "timeout"},
	{HEAD("\x94\x0a\x05\xa1q\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00"), QP_INVALID,
	 "timeout"},
	{HEAD("\x94\x0a\x05\xa1q\xcf\x00\x20\x00\x00\x00\x00\x00\x01"), QP_INVALID,
	 "timeout"},
	{HEAD("\x94\x12\x05\xa1q\xc3"), QP_INVALID, "timeout"},
	/* modes of acknowledgement */
	{HEAD("\x95\x0c\x05\xa1q\x00\x03"), QP_INVALID, "ack"},
	{HEAD("\x95\x0c\x05\xa1q\x00\xc0"), QP_INVALID, "ack"},
	/* numbers of items */
	{HEAD("\x96\x0d\x05\xa1q\x00\x00\x00"), QP_INVALID, "max_items"},
	{HEAD("\x96\x0d\x05\xa1q\x00\x00\xcd\x03\xe9"), QP_INVALID, "max_items"},
	{HEAD("\x97\x0d\x05\xa1q\x00\x00\x01\x81\xa9min_items\x02"), QP_INVALID,
	 "min_items"},
	{HEAD("\x97\x0d\x05\xa1q\x00\x00\x01\x81\xa9min_items\x00"), QP_INVALID,
	 "min_items"},
	/* batches */
	{HEAD("\x95\x0b\x05\xa1q\x00\x90"), QP_INVALID, "lengths"},
	{HEAD("\x95\x0b\x05\xa1q\x00\x91\x01"), QP_INVALID, "length"},
	{HEAD("\x95\x0b\x05\xa1q\x00\x91\xa1z"), QP_INVALID, "lengths"},
	{HEAD("\x95\x0b\x05\xa1q\x00\x91\xff"), QP_INVALID, "lengths"},
	{HEAD("\x95\x0b\x05\xa1q\x00\x92\xce\x80\x00\x00\x00\xce\x80\x00\x00\x00"),
	 QP_INVALID, "lengths"},
	{HEAD("\x95\x0b\x05\xa1q\x00\xdc\xff\xff"), QP_MALFORMED, NULL},
	{HEAD("\x94\x10\x05\x01\x90"), QP_INVALID, "tags"},
	{HEAD("\x94\x10\x05\x01\x93\x01\x01\x01"), QP_INVALID, "tags"},
	{HEAD("\x94\x10\x05\x01\x81\x01\x01"), QP_INVALID, "tags"},
	/* tags */
	{HEAD("\x95\x0e\x05\x00\x01\x01"), QP_INVALID, "id"},
	{HEAD("\x95\x0e\x05\xcf\x80\x00\x00\x00\x00\x00\x00\x00\x01\x01"), QP_INVALID,
	 "id"},
	{HEAD("\x95\x0e\x05\x01\xff\x01"), QP_INVALID, "delivery"},
	{HEAD("\x95\x0e\x05\x01\x01\xa1"
	      "e"),
	 QP_INVALID, "epoch"},
	{HEAD("\x95\x0e\x05\x01\x01\x01"), QP_STALE, NULL},
	{HEAD("\x95\x11\x05\x01\x01\x01"), QP_STALE, NULL},
	{HEAD("\x95\x0e\x05\xcf\x7f\xff\xff\xff\xff\xff\xff\xff\xcf\x00\x20\x00\x00\x00"
	      "\x00\x00\x00\x01"),
	 QP_STALE, NULL},
	/* options */
	{HEAD("\x95\x0a\x05\xa1q\x00\x01"), QP_INVALID, "map"},
	{HEAD("\x95\x0a\x05\xa1q\x00\x81\xa5"
	      "ctype\xcd\x01\x00"),
	 QP_INVALID, "ctype"},
	{HEAD("\x95\x0a\x05\xa1q\x00\x81\xa5"
	      "ctype\xa1z"),
	 QP_INVALID, "ctype"},
	{HEAD("\x94\x1e\x05\xa1q\x81\xa7maxsize\xce\x80\x00\x00\x00"), QP_INVALID,
	 "maxsize"},
	{HEAD("\x94\x1e\x05\xa1q\x81\xa9max_bytes\xff"), QP_INVALID, "max_bytes"},
	{HEAD("\x94\x1e\x05\xa1q\x81\xa6update\x01"), QP_INVALID, "update"},
	{HEAD("\x94\x1f\x05\xa1q\x81\xa5"
	      "force\xa1y"),
	 QP_INVALID, "force"},
	/* things that are not there */
	{HEAD("\x93\x13\x05\x63"), QP_NOT_FOUND, NULL},
	{HEAD("\x93\x0f\x05\xa4none"), QP_NOT_LEASED, NULL},
	{HEAD("\x93\x14\x05\xa4none"), QP_EMPTY, NULL},
	{HEAD("\x93\x1f\x05\xa4none"), QP_NOT_FOUND, NULL},
	{HEAD("\x93\x20\x05\xa4none"), QP_NOT_FOUND, NULL},
	{HEAD("\x93\x22\x05\xa4none"), QP_NOT_FOUND, NULL},
	{HEAD("\x94\x23\x05\xa4none\x00"), QP_NOT_FOUND, NULL},
};

static void
expect_refusal(const struct refusal *r)
{
	struct bytes b = {NULL, 0, 0};
	struct answer a;
	struct wire w;
	char text[QP_MAX_TEXT + 1];

	wire_open(&w, d.address);
	bytes_frame(&b, r->head, r->len, 0);
	wire_write(&w, b.p, b.len);
	bytes_free(&b);
	ck_assert(wire_read_any(&w, 0, &a));
	ck_assert_msg(a.reply.status == r->status, "refusal %zu: %s",
		      (size_t)(r - refusals), qp_status_name(a.reply.status));
	ck_assert_uint_eq(a.reply.rid, r->status == QP_MALFORMED ? 0 : 5);
	memcpy(text, a.reply.text.p, a.reply.text.len);
	text[a.reply.text.len] = 0;
	ck_assert_uint_gt(a.reply.text.len, 0);
	ck_assert_msg(!r->names || strstr(text, r->names), "refusal %zu: %s",
		      (size_t)(r - refusals), text);
	answer_free(&a);
	if (r->status == QP_MALFORMED)
		wire_expect_closed(&w);
	else
		wire_expect_silence(&w);
	wire_close(&w);
}

START_TEST(what_is_wrong_is_named_and_the_connection_lives_on)
{
	struct wire w;

	daemon_start(&d, NULL);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++)
		expect_refusal(&refusals[i]);
	wire_open(&w, d.address);
	ck_assert_int_eq(broker_number(&w, "accepted"), 0);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

static const struct {
	const char *head; /* rid 5 */
	size_t len;
} harmless[] = {
	/* an option that nobody knows, one that means nothing here, a key that is no
	 * string */
	{HEAD("\x93\x02\x05\x81\xa4what\x93\x01\x81\x01\x02\xc4\x01x")},
	{HEAD("\x93\x02\x05\x81\xa5"
	      "force\xc3")},
	{HEAD("\x93\x02\x05\x82\x01\x02\xc0\xc0")},
	{HEAD("\x93\x02\x05\x80")},
	/* numbers in longer formats than needed */
	{HEAD("\xdd\x00\x00\x00\x02\xcf\x00\x00\x00\x00\x00\x00\x00\x02"
	      "\xd3\x00\x00\x00\x00\x00\x00\x00\x05")},
};

START_TEST(what_means_nothing_is_ignored)
{
	struct wire w;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	for (size_t i = 0; i < sizeof(harmless) / sizeof(*harmless); i++) {
		struct bytes b = {NULL, 0, 0};

		bytes_frame(&b, harmless[i].head, harmless[i].len, 0);
		wire_write(&w, b.p, b.len);
		bytes_free(&b);
		wire_expect(&w, QP_OP_PING, 5, QP_OK);
	}
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(a_rid_that_waits_is_refused_and_goes_on_waiting)
{
	struct qp_request get = {.op = QP_OP_GET,
				 .rid = 77,
				 .queue = str("q"),
				 .timeout_ms = QP_FOREVER};
	struct wire w, other;
	struct answer a;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	wire_open(&other, d.address);
	wire_send(&w, get, NULL, 0);
	wire_send(&w, get, NULL, 0);
	wire_expect(&w, QP_OP_GET, 77, QP_INVALID);
	wire_put_text(&other, "q", "one");
	wire_put_text(&other, "q", "two");
	wire_read(&w, QP_OP_GET, QP_OK, &a);
	ck_assert_str_eq((char *)a.body, "one");
	answer_free(&a);
	wire_expect_silence(&w);
	wire_close(&other);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(an_ack_without_rid_gets_no_answer_whatever_comes_of_it)
{
	static const char stale[] = "\x95\x0e\x00\x01\x01\x01";
	static const char invalid[] = "\x95\x0e\x00\x00\x01\x01";
	static const char many[] = "\x94\x10\x00\x01\x92\x01\x01";
	struct bytes b = {NULL, 0, 0};
	struct wire w;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	bytes_frame(&b, HEAD(stale), 0);
	bytes_frame(&b, HEAD(many), 0);
	bytes_frame(&b, HEAD(invalid), 0);
	wire_write(&w, b.p, b.len);
	bytes_free(&b);
	wire_expect_silence(&w);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

RUN_TESTS("refusals", what_is_wrong_is_named_and_the_connection_lives_on,
	  what_means_nothing_is_ignored,
	  a_rid_that_waits_is_refused_and_goes_on_waiting,
	  an_ack_without_rid_gets_no_answer_whatever_comes_of_it)
