/* SPDX-License-Identifier: MIT
 * What the broker says, without a socket: cut at every byte, and broken in every way.
 * And the table of outstanding requests. */
#include "client/client.h"
#include "client/item.h"
#include "tests/client/fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MANY_ITEMS 3

static qb handle;

struct seen {
	unsigned calls;
	qb_result result;
	unsigned n;
	size_t size;
	char first; /* byte of the last body */
};
static struct seen seen[16]; /* by rid */

static void
note(qb *h, const struct call *call, struct answer *answer)
{
	struct seen *s = &seen[call->rid];

	s->calls++;
	s->result = answer->result;
	s->n = answer->n;
	for (unsigned i = 0; i < answer->n; i++) {
		s->size += answer->items[i]->size;
		s->first = (char)answer->items[i]->body[0];
		ck_assert_int_eq(answer->items[i]->body[answer->items[i]->size], 0);
	}
	if (answer->n > 0 && call->rid == 4) { /* takes one of many */
		qb_item_free(answer->items[1]);
		answer->items[1] = NULL;
	}
}

/* Outstanding requests with the rids 1 to 6, in this order. */
static const unsigned ops[] = {QP_OP_PUT,      QP_OP_PUT,   QP_OP_GET,
			       QP_OP_GET_MANY, QP_OP_STATS, QP_OP_GET};
#define N_OPS 6

static void
start(void)
{
	memset(seen, 0, sizeof(seen));
	memset(&handle, 0, sizeof(handle));
	handle.fd = 0;
	call_table_init(&handle.calls);
	ck_assert(inbox_init(&handle.in));
	for (int i = 0; i < N_OPS; i++) {
		struct call *c = call_new(&handle.calls);

		c->op = (uint8_t)ops[i];
		c->finish = note;
		c->max_items = MANY_ITEMS;
		c->ack = QB_AUTO;
	}
}

static void
stop(void)
{
	inbox_abort(&handle, QB_LOST, "gone");
	inbox_done(&handle.in);
	call_table_done(&handle.calls);
	qp_out_done(&handle.out);
	for (int i = 1; i <= N_OPS; i++)
		ck_assert_uint_eq(seen[i].calls, 1);
}

/* Feeds bytes as if they had been received at most `step` at a time. */
static qb_result
feed(const uint8_t *bytes, size_t len, size_t step)
{
	while (len > 0) {
		size_t n = len < step ? len : step, done = 0;
		struct iovec places[2];
		int parts = inbox_space(&handle.in, places);
		qb_result r;

		for (int i = 0; i < parts; i++) {
			size_t piece = n - done;

			if (piece > places[i].iov_len)
				piece = places[i].iov_len;
			if (piece > 0)
				memcpy(places[i].iov_base, bytes + done, piece);
			done += piece;
		}
		ck_assert_uint_gt(done, 0);
		r = inbox_received(&handle, done);
		if (r != QB_OK)
			return r;
		bytes += done;
		len -= done;
	}
	return QB_OK;
}

/* --- the good ---------------------------------------------------------------------- */

static uint8_t *stream;
static size_t stream_len, body_size;

static void
flatten(struct qp_out *out)
{
	struct iovec part;

	free(stream);
	stream = malloc(out->len);
	stream_len = 0;
	while (qp_out_peek(out, &part, 1, SIZE_MAX) == 1) {
		memcpy(stream + stream_len, part.iov_base, part.iov_len);
		stream_len += part.iov_len;
		qp_out_consume(out, part.iov_len);
	}
	qp_out_done(out);
}

static void
append_body(struct qp_out *out, char byte, size_t len)
{
	char *body = malloc(len + 1);

	memset(body, byte, len);
	qp_out_append(out, body, len);
	free(body);
}

/* An answer to each of the requests, with bodies of `size`. */
static void
make_stream(size_t size)
{
	struct qp_item rows[MANY_ITEMS] = {{.id = 1, .delivery = 1, .length = size},
					   {.id = 2, .delivery = 1, .length = 0},
					   {.id = 3, .delivery = 1, .length = 5}};
	struct qp_reply m;
	struct qp_out out;

	body_size = size;
	qp_out_init(&out);
	memset(&m, 0, sizeof(m));
	m.rid = 3;
	m.id = m.delivery = 9;
	qp_reply_encode(&out, QP_OP_GET, &m, (uint32_t)size);
	append_body(&out, 'g', size);
	m.rid = 1;
	qp_reply_encode(&out, QP_OP_PUT, &m, 0);
	m.rid = 4;
	m.items.n = MANY_ITEMS;
	m.item_rows = rows;
	qp_reply_encode(&out, QP_OP_GET_MANY, &m, (uint32_t)size + 5);
	append_body(&out, 'm', size);
	append_body(&out, 'n', 5);
	qp_refusal_encode(&out, QP_FULL, 2, "no room");
	m.rid = 6;
	qp_reply_encode(&out, QP_OP_GET, &m, 0);
	m.rid = 5;
	m.count = 1;
	qp_reply_encode(&out, QP_OP_STATS, &m, (uint32_t)size);
	append_body(&out, 's', size);
	flatten(&out);
}

static void
expect_good(void)
{
	ck_assert_int_eq(seen[1].result, QB_OK);
	ck_assert_int_eq(seen[2].result, QB_FULL);
	ck_assert_uint_eq(seen[3].size, body_size);
	ck_assert_int_eq(seen[3].first, 'g');
	ck_assert_uint_eq(seen[4].n, MANY_ITEMS);
	ck_assert_uint_eq(seen[4].size, body_size + 5);
	ck_assert_int_eq(seen[4].first, 'n');
	ck_assert_uint_eq(seen[5].size, body_size);
	ck_assert_uint_eq(seen[6].n, 1);
	ck_assert_uint_eq(seen[6].size, 0);
	ck_assert_uint_eq(handle.calls.used, handle.calls.mutes);
}

START_TEST(replies_may_be_cut_at_every_byte)
{
	make_stream(100);
	for (size_t cut = 0; cut <= stream_len; cut++) {
		start();
		ck_assert_int_eq(feed(stream, cut, SIZE_MAX), QB_OK);
		ck_assert_int_eq(feed(stream + cut, stream_len - cut, SIZE_MAX), QB_OK);
		expect_good();
		stop();
	}
}
END_TEST

START_TEST(replies_may_come_in_pieces_of_any_size)
{
	static const size_t steps[] = {1, 2, 7, 1000, 131071, SIZE_MAX};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		make_stream(steps[i] < 1000 ? 5000 : 300000);
		start();
		ck_assert_int_eq(feed(stream, stream_len, steps[i]), QB_OK);
		expect_good();
		stop();
	}
}
END_TEST

START_TEST(a_connection_may_end_at_every_byte)
{
	make_stream(100);
	for (size_t cut = 0; cut <= stream_len; cut++) {
		start();
		ck_assert_int_eq(feed(stream, cut, SIZE_MAX), QB_OK);
		stop();
	}
}
END_TEST

/* --- the bad ----------------------------------------------------------------------- */

static const struct {
	const char *what;
	const char *bytes;
	size_t len;
} broken[] = {
#define BROKEN(what, bytes)                    \
	{                                      \
		what, bytes, sizeof(bytes) - 1 \
	}
	BROKEN("no head", "\0\0\0\0\0\0\0\0"),
	BROKEN("a head of 65537 bytes", "\0\1\0\1\0\0\0\0"),
	BROKEN("a head of 4 GiB", "\xff\xff\xff\xff\0\0\0\0"),
	BROKEN("a body above 2 GiB", "\0\0\0\5\x80\0\0\1\x94\0\3\1\1"),
	BROKEN("text", "HTTP/1.1 400 Bad Request\r\n\r\n"),
	BROKEN("a head that is no array", "\0\0\0\1\0\0\0\0\5"),
	BROKEN("an array without a rid", "\0\0\0\2\0\0\0\0\x91\0"),
	BROKEN("a rid that is text", "\0\0\0\4\0\0\0\0\x92\0\xa1x"),
	BROKEN("a rid that is not outstanding", "\0\0\0\4\0\0\0\0\x93\0\7\1"),
	BROKEN("an enormous rid", "\0\0\0\x0c\0\0\0\0\x93\0\xcf\x80\0\0\0\0\0\0\3\1"),
	BROKEN("success of rid 0", "\0\0\0\3\0\0\0\0\x92\0\0"),
	BROKEN("a put without its id", "\0\0\0\3\0\0\0\0\x92\0\1"),
	BROKEN("a put with the id 0", "\0\0\0\4\0\0\0\0\x93\0\1\0"),
	BROKEN("a put with text as its id", "\0\0\0\5\0\0\0\0\x93\0\1\xa1x"),
	BROKEN("a put with a body", "\0\0\0\4\0\0\0\1\x93\0\1\5x"),
	BROKEN("bytes behind the head", "\0\0\0\5\0\0\0\0\x93\0\1\5\5"),
	BROKEN("more fields than there are", "\0\0\0\5\0\0\0\0\x94\0\1\5\5"),
	BROKEN("a refusal with a body", "\0\0\0\5\0\0\0\1\x93\1\3\xa1xy"),
	BROKEN("a refusal without text", "\0\0\0\3\0\0\0\0\x92\1\3"),
	BROKEN("no items", "\0\0\0\4\0\0\0\0\x93\0\4\x90"),
	BROKEN("more items than asked for", "\0\0\0\x14\0\0\0\4\x93\0\4\x94\x93\1\1\1"
					    "\x93\2\1\1\x93\3\1\1\x93\4\1\1"),
	BROKEN("lengths above the body", "\0\0\0\x08\0\0\0\1\x93\0\4\x91\x93\1\1\2"),
	BROKEN("lengths below the body", "\0\0\0\x08\0\0\0\3\x93\0\4\x91\x93\1\1\2"),
	BROKEN("four billion items", "\0\0\0\x08\0\0\0\0\x93\0\4\xdd\xff\xff\xff\xff"),
	BROKEN("rows of more than 16 MiB", "\0\0\0\4\1\0\0\1\x93\0\5\1"),
};
#define N_BROKEN (int)(sizeof(broken) / sizeof(broken[0]))

START_TEST(broken_replies_are_malformed)
{
	for (int whole = 0; whole < 2; whole++) {
		start();
		ck_assert_msg(feed((const uint8_t *)broken[_i].bytes, broken[_i].len,
				   whole ? SIZE_MAX : 1) == QB_MALFORMED,
			      "%s", broken[_i].what);
		ck_assert_uint_gt(strlen(qb_error(&handle)), 0);
		stop();
	}
}
END_TEST

START_TEST(the_last_word_drops_the_connection)
{
	static const uint8_t word[] = "\0\0\0\7\0\0\0\0\x93\x12\0\xa3"
				      "bye";

	start();
	ck_assert_int_eq(feed(word, sizeof(word) - 1, 1), QB_LOST);
	ck_assert_str_eq(qb_error(&handle), "bye");
	stop();
}
END_TEST

START_TEST(an_unknown_status_is_not_taken_for_success)
{
	static const uint8_t word[] = "\0\0\0\6\0\0\0\0\x93\x63\1\xa2"
				      "ha";

	start();
	ck_assert_int_eq(feed(word, sizeof(word) - 1, 1), QB_OK);
	ck_assert_int_eq(seen[1].result, QB_MALFORMED);
	ck_assert_ptr_nonnull(strstr(qb_error(&handle), "99"));
	stop();
}
END_TEST

/* xorshift64* */
static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

START_TEST(mutated_replies_finish_every_request_once)
{
	uint64_t state = 20261122;
	int bad = 0;

	make_stream(60);
	printf("seed %llu\n", (unsigned long long)state);
	for (int i = 0; i < 20000; i++) {
		uint8_t copy[2048];
		size_t step = 1 + next_random(&state) % 200;

		ck_assert_uint_lt(stream_len, sizeof(copy));
		memcpy(copy, stream, stream_len);
		for (uint64_t n = 1 + next_random(&state) % 3; n > 0; n--)
			copy[next_random(&state) % stream_len] =
				(uint8_t)next_random(&state);
		start();
		bad += feed(copy, stream_len, step) != QB_OK;
		stop();
	}
	ck_assert_int_gt(bad, 5000);
	ck_assert_int_lt(bad, 20000);
}
END_TEST

/* --- the table --------------------------------------------------------------------- */

START_TEST(rids_go_round_those_that_are_still_outstanding)
{
	struct call_table t;
	uint64_t old[40];

	call_table_init(&t);
	for (int i = 0; i < 40; i++)
		old[i] = call_new(&t)->rid;
	for (int i = 0; i < 100000; i++) {
		struct call *c = call_new(&t);

		ck_assert_ptr_eq(call_find(&t, c->rid), c);
		call_remove(&t, c);
	}
	ck_assert_uint_le(t.mask, 127);
	for (int i = 0; i < 40; i++)
		ck_assert_uint_eq(call_find(&t, old[i])->rid, old[i]);
	ck_assert_ptr_null(call_find(&t, 0));
	ck_assert_ptr_null(call_find(&t, old[39] + 1));
	call_table_done(&t);
}
END_TEST

START_TEST(the_table_grows_and_gives_all_back_in_order)
{
	uint64_t cursor = 0, last = 0;
	struct call_table t;
	struct call c;
	unsigned n = 0;

	call_table_init(&t);
	ck_assert_ptr_null(call_find(&t, 1));
	ck_assert(!call_take(&t, &cursor, &c));
	for (int i = 0; i < 5000; i++)
		ck_assert_ptr_nonnull(call_new(&t));
	while (call_take(&t, &cursor, &c)) {
		ck_assert_uint_gt(c.rid, last);
		last = c.rid;
		n++;
	}
	ck_assert_uint_eq(n, 5000);
	ck_assert_uint_eq(t.used, 0);
	call_table_done(&t);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("inbox");

	tcase_add_test(t, replies_may_be_cut_at_every_byte);
	tcase_add_test(t, replies_may_come_in_pieces_of_any_size);
	tcase_add_test(t, a_connection_may_end_at_every_byte);
	tcase_add_loop_test(t, broken_replies_are_malformed, 0, N_BROKEN);
	tcase_add_test(t, the_last_word_drops_the_connection);
	tcase_add_test(t, an_unknown_status_is_not_taken_for_success);
	tcase_add_test(t, mutated_replies_finish_every_request_once);
	tcase_add_test(t, rids_go_round_those_that_are_still_outstanding);
	tcase_add_test(t, the_table_grows_and_gives_all_back_in_order);
	return run_case(t);
}
