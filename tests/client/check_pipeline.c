/* SPDX-License-Identifier: MIT
 * Pipelined puts: the window, the flush, what is reported and when. */
#include "client/client.h"
#include "tests/client/fixture.h"

#include <stdlib.h>
#include <string.h>

static void
refuse_third(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	if (++f->keep % 3)
		fake_answer(f, c, r);
	else
		fake_refuse(c, QP_SHUT_DOWN, r->m.rid, "shut down for the night");
}

START_TEST(puts_gather_until_a_flush)
{
	for (int i = 0; i < 100; i++)
		ok(qb_put_start(q, "jobs", "x", 1));
	ck_assert_uint_eq(qb_outstanding_puts(q), 100);
	ck_assert_uint_eq(fake.n_requests, 1);
	ok(qb_flush(q, QB_FOREVER));
	ck_assert_uint_eq(qb_outstanding_puts(q), 0);
	ck_assert_uint_eq(fake.n_requests, 101);
	ck_assert_uint_eq(fake_request(&fake, 50)->m.timeout_ms, QP_FOREVER);
	ok(qb_flush(q, 0));
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
	for (size_t i = 0; i < SEND_BYTES / sizeof(body); i++)
		ok(qb_put_start(q, "jobs", body, sizeof(body)));
	fake_wait_requests(&fake, 50);
}
END_TEST

START_TEST(the_window_bounds_what_is_outstanding)
{
	static const unsigned windows[] = {1, 2, 3, 7, 256, 1000};

	for (size_t w = 0; w < sizeof(windows) / sizeof(windows[0]); w++) {
		ok(qb_set_window(q, windows[w]));
		for (unsigned i = 0; i < 3000; i++) {
			ok(qb_put_start(q, "jobs", &i, sizeof(i)));
			ck_assert_uint_le(qb_outstanding_puts(q), windows[w]);
		}
		ok(qb_flush(q, QB_FOREVER));
	}
	ck_assert_uint_eq(fake.n_requests, 1 + 6 * 3000);
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
	fake.on[QP_OP_PUT] = refuse_third;
	for (int i = 0; i < 7; i++)
		ok(qb_put_start(q, "jobs", "x", 1));
	ck_assert_int_eq(qb_flush(q, QB_FOREVER), QB_SHUT_DOWN);
	ck_assert_str_eq(qb_error(q), "shut down for the night");
	ck_assert_uint_eq(qb_failed_puts(q), 2);
	ok(qb_flush(q, QB_FOREVER));
	ck_assert_uint_eq(qb_failed_puts(q), 2);
	ck_assert_int_eq(qb_close_wait(q, 1000), QB_OK);
	q = NULL;
}
END_TEST

START_TEST(the_next_put_reports_and_is_not_put)
{
	fake.on[QP_OP_PUT] = refuse_third;
	for (int i = 0; i < 3; i++)
		ok(qb_put_start(q, "jobs", "x", 1));
	ok(qb_ping(q));
	ck_assert_int_eq(qb_put_start(q, "jobs", "y", 1), QB_SHUT_DOWN);
	ok(qb_put_start(q, "jobs", "z", 1));
	ok(qb_flush(q, QB_FOREVER));
	ck_assert_mem_eq(fake_request(&fake, 5)->body, "z", 1);
	ck_assert_uint_eq(fake.n_requests, 6);
}
END_TEST

START_TEST(a_put_that_waited_for_room_reports_too)
{
	fake.on[QP_OP_PUT] = refuse_third;
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
	fake.on[QP_OP_PUT] = refuse_third;
	for (int i = 0; i < 3; i++)
		ok(qb_put_start(q, "jobs", "x", 1));
	ck_assert_int_eq(qb_close_wait(q, 10000), QB_SHUT_DOWN);
	q = NULL;
	ck_assert_int_eq(fake_request(&fake, 4)->m.op, QP_OP_CLOSE);
}
END_TEST

START_TEST(flush_gives_up_in_time_and_the_puts_go_on)
{
	fake.on[QP_OP_PUT] = fake_ignore;
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
	fake.on[QP_OP_PUT] = fake_hang_up;
	ck_assert_int_eq(qb_flush(q, QB_FOREVER), QB_LOST);
	ck_assert_uint_eq(qb_failed_puts(q), 5);
	ck_assert_uint_eq(qb_outstanding_puts(q), 0);
	ok(qb_flush(q, QB_FOREVER));
	fake.on[QP_OP_PUT] = NULL;
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
	fake.on[QP_OP_PUT] = answer_backwards;
	for (int i = 0; i < 100; i++)
		ok(qb_put_start(q, "jobs", "x", 1));
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

	fake.on[QP_OP_PUT] = answer_long;
	ok(qb_set_window(q, 65536));
	for (int i = 0; i < 20000; i++) {
		qb_result r = qb_put_start(q, "jobs", body, i % 100 ? 1 : sizeof(body));

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
