/* SPDX-License-Identifier: MIT
 * Pipelined puts: the window, the flush, what is reported and when. */
#include "client/client.h"
#include "tests/client/fixture.h"

#include <stdlib.h>
#include <string.h>

/* Every third item, alone or with others. */
static void
refuse_third(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	int64_t results[QP_MAX_BATCH_ITEMS];
	struct qp_reply reply = {.rid = r->m.rid};

	if (r->m.op == QP_OP_PUT && ++f->keep % 3 == 0) {
		fake_refuse(c, QP_SHUT_DOWN, r->m.rid, "shut down for the night");
		return;
	}
	if (r->m.op == QP_OP_PUT) {
		fake_answer(f, c, r);
		return;
	}
	for (unsigned i = 0; i < r->m.lengths.n; i++)
		results[i] = ++f->keep % 3 ? (int64_t)++f->next_id : -QP_SHUT_DOWN;
	reply.results = (struct qp_list){.n = r->m.lengths.n, .numbers = results};
	fake_reply(c, QP_OP_PUT_MANY, &reply, NULL, 0);
}

/* For puts, however many there are in a request. */
static void
on_puts(fake_handler *handler)
{
	fake.on[QP_OP_PUT] = fake.on[QP_OP_PUT_MANY] = handler;
}

START_TEST(puts_gather_until_a_flush)
{
	for (int i = 0; i < 60; i++)
		ok(qb_put_start(q, "jobs", "x", 1));
	ck_assert_uint_eq(qb_outstanding_puts(q), 60);
	ck_assert_uint_eq(fake.n_requests, 1);
	ok(qb_flush(q, QB_FOREVER));
	ck_assert_uint_eq(qb_outstanding_puts(q), 0);
	ck_assert_uint_eq(fake.n_requests, 2);
	ck_assert_int_eq(fake_request(&fake, 1)->m.op, QP_OP_PUT_MANY);
	ck_assert_uint_eq(fake_request(&fake, 1)->m.lengths.n, 60);
	ck_assert_uint_eq(fake_request(&fake, 1)->m.timeout_ms, QP_FOREVER);
	ok(qb_flush(q, 0));
}
END_TEST

START_TEST(what_cannot_go_with_the_others_goes_after_them)
{
	static char large[GATHER_BODY + 1];
	qb_put_options *options = qb_put_options_new();

	qb_put_options_set_priority(options, 5);
	ok(qb_put_start(q, "jobs", "ab", 2));
	ok(qb_put_start(q, "jobs", "", 0));
	ok(qb_put_start(q, "mail", "c", 1));
	ok(qb_put_start_with(q, "mail", options, "d", 1));
	ok(qb_put_start(q, "mail", "e", 1));
	ok(qb_put_start(q, "mail", "f", 1));
	ok(qb_put_start(q, "mail", large, sizeof(large)));
	ok(qb_flush(q, QB_FOREVER));
	ck_assert_uint_eq(fake.n_requests, 6);
	ck_assert_uint_eq(fake_request(&fake, 1)->m.lengths.n, 2);
	ck_assert_int_eq(fake_request(&fake, 1)->numbers[0], 2);
	ck_assert_int_eq(fake_request(&fake, 1)->numbers[1], 0);
	ck_assert_mem_eq(fake_request(&fake, 1)->body, "ab", 2);
	ck_assert_str_eq(fake_request(&fake, 2)->queue, "mail");
	ck_assert_int_eq(fake_request(&fake, 2)->m.op, QP_OP_PUT);
	ck_assert_mem_eq(fake_request(&fake, 3)->body, "d", 1);
	ck_assert_mem_eq(fake_request(&fake, 4)->body, "ef", 2);
	ck_assert_uint_eq(fake_request(&fake, 5)->body_len, sizeof(large));
	qb_put_options_free(options);
}
END_TEST

/* Else a crash between the two could lose an item: it was finished, and what came of it never
 * put. */
START_TEST(an_ack_never_overtakes_a_put)
{
	qb_item *item;

	ok(qb_get(q, "jobs", 0, QB_MANUAL, &item));
	ok(qb_put_start(q, "done", "a", 1));
	ok(qb_ack_start(q, item));
	ok(qb_put_start(q, "done", "b", 1));
	ok(qb_ack_start(q, item));
	ok(qb_flush(q, QB_FOREVER));
	ck_assert_int_eq(fake_request(&fake, 2)->m.op, QP_OP_PUT_MANY);
	fake_wait_requests(&fake, 4);
	ck_assert_int_eq(fake_request(&fake, 3)->m.op, QP_OP_ACK_MANY);
	qb_item_free(item);
}
END_TEST

/* Else it would be a duplicate of an item that was finished before. */
START_TEST(a_put_with_a_key_overtakes_no_ack)
{
	qb_put_options *options = qb_put_options_new();
	qb_item *item;

	qb_put_options_set_key(options, "k");
	ok(qb_get(q, "jobs", 0, QB_MANUAL, &item));
	ok(qb_put_start(q, "done", "a", 1));
	ok(qb_ack_start(q, item));
	ok(qb_put_start_with(q, "jobs", options, "b", 1));
	ok(qb_flush(q, QB_FOREVER));
	ck_assert_int_eq(fake_request(&fake, 2)->m.op, QP_OP_PUT);
	ck_assert_int_eq(fake_request(&fake, 3)->m.op, QP_OP_ACK);
	ck_assert_int_eq(fake_request(&fake, 4)->m.op, QP_OP_PUT);
	qb_item_free(item);
	qb_put_options_free(options);
}
END_TEST

START_TEST(a_get_comes_after_the_puts_before_it)
{
	qb_item *item;

	ok(qb_put_start(q, "jobs", "a", 1));
	ok(qb_get(q, "jobs", 0, QB_NONE, &item));
	ck_assert_int_eq(fake_request(&fake, 1)->m.op, QP_OP_PUT);
	ck_assert_int_eq(fake_request(&fake, 2)->m.op, QP_OP_GET);
	qb_item_free(item);
}
END_TEST

static void
too_few_results(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	static const int64_t one[] = {1};
	struct qp_reply reply = {.rid = r->m.rid, .results = {.n = 1, .numbers = one}};

	fake_reply(c, QP_OP_PUT_MANY, &reply, NULL, 0);
}

START_TEST(wrong_results_are_failures_of_all)
{
	on_puts(too_few_results);
	for (int i = 0; i < 5; i++)
		ok(qb_put_start(q, "jobs", "x", 1));
	ck_assert_int_eq(qb_flush(q, QB_FOREVER), QB_MALFORMED);
	ck_assert_uint_eq(qb_failed_puts(q), 5);
}
END_TEST

START_TEST(any_other_call_sends_what_gathered)
{
	ok(qb_put_start(q, "jobs", "x", 1));
	ok(qb_ping(q));
	ck_assert_int_eq(fake_request(&fake, 1)->m.op, QP_OP_PUT);
	ck_assert_int_eq(fake_request(&fake, 2)->m.op, QP_OP_PING);
}
END_TEST

START_TEST(enough_is_sent_without_asking)
{
	static char body[1000];

	ok(qb_set_window(q, 65536));
	for (size_t i = 0; i < 2 * SEND_BYTES / sizeof(body); i++)
		ok(qb_put_start(q, "jobs", body, sizeof(body)));
	fake_wait_requests(&fake, 3);
}
END_TEST

static void
count_items(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	f->keep += r->m.op == QP_OP_PUT ? 1 : (int)r->m.lengths.n;
	fake_answer(f, c, r);
}

START_TEST(the_window_bounds_what_is_outstanding)
{
	static const unsigned windows[] = {1, 2, 3, 7, 256, 1000, 65536};
	unsigned n = sizeof(windows) / sizeof(windows[0]);

	on_puts(count_items);
	for (size_t w = 0; w < n; w++) {
		ok(qb_set_window(q, windows[w]));
		for (unsigned i = 0; i < 3000; i++) {
			ok(qb_put_start(q, "jobs", &i, sizeof(i)));
			ck_assert_uint_le(qb_outstanding_puts(q), windows[w]);
		}
		ok(qb_flush(q, QB_FOREVER));
	}
	ck_assert_int_eq(fake.keep, (int)n * 3000);
	for (unsigned i = 0; i < 3000; i++)
		ck_assert_mem_eq(fake_request(&fake, 1 + i)->body, &i, sizeof(i));
}
END_TEST

START_TEST(a_smaller_window_counts_at_the_next_put)
{
	for (int i = 0; i < 200; i++)
		ok(qb_put_start(q, "jobs", "x", 1));
	ok(qb_set_window(q, 10));
	ok(qb_put_start(q, "jobs", "x", 1));
	ck_assert_uint_le(qb_outstanding_puts(q), 10);
}
END_TEST

START_TEST(refusals_are_reported_once_by_flush)
{
	on_puts(refuse_third);
	for (int i = 0; i < 7; i++)
		ok(qb_put_start(q, "jobs", "x", 1));
	ck_assert_int_eq(qb_flush(q, QB_FOREVER), QB_SHUT_DOWN);
	ck_assert_str_eq(qb_error(q), "the queue is shut down");
	ck_assert_uint_eq(qb_failed_puts(q), 2);
	ok(qb_flush(q, QB_FOREVER));
	ck_assert_uint_eq(qb_failed_puts(q), 2);
	ck_assert_int_eq(qb_close_wait(q, 1000), QB_OK);
	q = NULL;
}
END_TEST

START_TEST(the_next_put_reports_and_is_not_put)
{
	on_puts(refuse_third);
	for (int i = 0; i < 3; i++)
		ok(qb_put_start(q, "jobs", "x", 1));
	ok(qb_ping(q));
	ck_assert_int_eq(qb_put_start(q, "jobs", "y", 1), QB_SHUT_DOWN);
	ok(qb_put_start(q, "jobs", "z", 1));
	ok(qb_flush(q, QB_FOREVER));
	ck_assert_mem_eq(fake_request(&fake, 3)->body, "z", 1);
	ck_assert_uint_eq(fake.n_requests, 4);
}
END_TEST

START_TEST(a_put_that_waited_for_room_reports_too)
{
	on_puts(refuse_third);
	fake.keep = 2;
	ok(qb_set_window(q, 3));
	for (int i = 0; i < 3; i++)
		ok(qb_put_start(q, "jobs", "x", 1));
	ck_assert_int_eq(qb_put_start(q, "jobs", "y", 1), QB_SHUT_DOWN);
	ok(qb_flush(q, QB_FOREVER));
	ck_assert_uint_eq(fake.n_requests, 4);
}
END_TEST

START_TEST(close_reports_what_nobody_asked_for)
{
	on_puts(refuse_third);
	for (int i = 0; i < 3; i++)
		ok(qb_put_start(q, "jobs", "x", 1));
	ck_assert_int_eq(qb_close_wait(q, 10000), QB_SHUT_DOWN);
	q = NULL;
	ck_assert_int_eq(fake_request(&fake, 2)->m.op, QP_OP_CLOSE);
}
END_TEST

START_TEST(flush_gives_up_in_time_and_the_puts_go_on)
{
	on_puts(fake_ignore);
	ok(qb_put_start(q, "jobs", "x", 1));
	ok(qb_put_start(q, "jobs", "x", 1));
	ck_assert_int_eq(qb_flush(q, 0), QB_FULL);
	ck_assert_int_eq(qb_flush(q, 20), QB_FULL);
	ck_assert_str_eq(qb_error(q), "2 puts are still outstanding");
	ck_assert_uint_eq(qb_outstanding_puts(q), 2);
	ck_assert_uint_eq(qb_failed_puts(q), 0);
	ck_assert_int_ge(qb_fd(q), 0);
	ck_assert_int_eq(qb_close_wait(q, 0), QB_LOST);
	q = NULL;
}
END_TEST

START_TEST(puts_of_a_lost_connection_are_reported_once)
{
	for (int i = 0; i < 5; i++)
		ok(qb_put_start(q, "jobs", "x", 1));
	on_puts(fake_hang_up);
	ck_assert_int_eq(qb_flush(q, QB_FOREVER), QB_LOST);
	ck_assert_uint_eq(qb_failed_puts(q), 5);
	ck_assert_uint_eq(qb_outstanding_puts(q), 0);
	ok(qb_flush(q, QB_FOREVER));
	on_puts(NULL);
	ok(qb_put_start(q, "jobs", "x", 1));
	ok(qb_flush(q, QB_FOREVER));
	ck_assert_uint_eq(fake.n_conns, 2);
}
END_TEST

/* Answers what came only when it is a good deal, backwards. */
static struct fake_request late[100];

static void
answer_backwards(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	late[f->keep++] = *r;
	if (f->keep < 100)
		return;
	while (f->keep > 0)
		fake_answer(f, c, &late[--f->keep]);
}

START_TEST(confirmations_may_come_in_any_order)
{
	on_puts(answer_backwards);
	for (int i = 0; i < 100; i++)
		ok(qb_put_start(q, i % 2 ? "jobs" : "mail", "x", 1));
	ok(qb_flush(q, QB_FOREVER));
	ck_assert_uint_eq(qb_failed_puts(q), 0);
}
END_TEST

/* Writes much more than a socket holds while the client does the same. */
static void
answer_long(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	char text[QP_MAX_TEXT + 1];

	memset(text, 't', sizeof(text));
	text[QP_MAX_TEXT] = 0;
	fake_refuse(c, QP_FULL, r->m.rid, text);
}

START_TEST(both_ends_may_be_full)
{
	static char body[SEND_BYTES];

	on_puts(answer_long);
	ok(qb_set_window(q, 65536));
	for (int i = 0; i < 20000; i++) {
		qb_result r = qb_put_start(q, i % 2 ? "jobs" : "mail", body,
					   i % 100 ? 1 : sizeof(body));

		ck_assert(r == QB_OK || r == QB_FULL);
	}
	ck_assert_int_eq(qb_flush(q, QB_FOREVER), QB_FULL);
	ck_assert_uint_eq(qb_outstanding_puts(q), 0);
	ck_assert_uint_eq(qb_failed_puts(q), fake.n_requests - 1);
}
END_TEST

static void
refuse(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	fake_refuse(c, QP_TOO_BIG, r->m.rid, "too big");
}

START_TEST(a_body_is_sent_whole_even_if_the_refusal_overtakes_it)
{
	static const char big[8 << 20] = "big";

	fake.early = refuse;
	fake.on[QP_OP_PUT] = fake_ignore;
	ck_assert_int_eq(qb_put(q, "jobs", big, sizeof(big), QB_FOREVER, NULL),
			 QB_TOO_BIG);
	ck_assert_uint_eq(q->out.len, 0);
	ck_assert_uint_eq(fake_request(&fake, 1)->body_sum, fake_sum(big, sizeof(big)));
	ok(qb_ping(q));
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("pipeline");

	tcase_add_checked_fixture(t, open_broker, close_broker);
	tcase_add_test(t, puts_gather_until_a_flush);
	tcase_add_test(t, what_cannot_go_with_the_others_goes_after_them);
	tcase_add_test(t, an_ack_never_overtakes_a_put);
	tcase_add_test(t, a_put_with_a_key_overtakes_no_ack);
	tcase_add_test(t, a_get_comes_after_the_puts_before_it);
	tcase_add_test(t, wrong_results_are_failures_of_all);
	tcase_add_test(t, any_other_call_sends_what_gathered);
	tcase_add_test(t, enough_is_sent_without_asking);
	tcase_add_test(t, the_window_bounds_what_is_outstanding);
	tcase_add_test(t, a_smaller_window_counts_at_the_next_put);
	tcase_add_test(t, refusals_are_reported_once_by_flush);
	tcase_add_test(t, the_next_put_reports_and_is_not_put);
	tcase_add_test(t, a_put_that_waited_for_room_reports_too);
	tcase_add_test(t, close_reports_what_nobody_asked_for);
	tcase_add_test(t, flush_gives_up_in_time_and_the_puts_go_on);
	tcase_add_test(t, puts_of_a_lost_connection_are_reported_once);
	tcase_add_test(t, confirmations_may_come_in_any_order);
	tcase_add_test(t, both_ends_may_be_full);
	tcase_add_test(t, a_body_is_sent_whole_even_if_the_refusal_overtakes_it);
	return run_case(t);
}
