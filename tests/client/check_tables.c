/* SPDX-License-Identifier: MIT
 * Tables: rows, pages, and rows that are broken. */
#include "tests/client/fixture.h"

#include <string.h>

START_TEST(stats_are_a_row_of_named_values)
{
	qb_table *t;
	int64_t n = 0;

	ok(qb_stats(q, &t));
	ck_assert_uint_eq(qb_table_rows(t), 1);
	ck_assert_int_eq(qb_table_number(t, 0, "ready", &n), 1);
	ck_assert_int_eq(n, 5);
	ck_assert_int_eq(qb_table_number(t, 0, "maxsize", &n), 1);
	ck_assert_int_eq(n, -3);
	ck_assert_str_eq(qb_table_string(t, 0, "version"), "x");
	ck_assert_int_eq(qb_table_number(t, 0, "version", &n), 0);
	ck_assert_int_eq(qb_table_number(t, 0, "none", &n), 0);
	ck_assert_int_eq(qb_table_number(t, 1, "ready", &n), 0);
	ck_assert_ptr_null(qb_table_string(t, 0, "ready"));
	ck_assert_str_eq(qb_table_name(t, 0, 1), "ready");
	ck_assert_ptr_null(qb_table_name(t, 0, 3));
	ck_assert_ptr_null(qb_table_name(t, 1, 0));
	qb_table_free(t);
	qb_table_free(NULL);
}
END_TEST

START_TEST(a_policy_is_a_row_for_each_option)
{
	qb_table *t;

	ok(qb_policy(q, "jobs", &t));
	ck_assert_str_eq(fake_request(&fake, 1)->queue, "jobs");
	ck_assert_uint_eq(qb_table_rows(t), 1);
	qb_table_free(t);
	ck_assert_int_eq(qb_policy(q, "", &t), QB_INVALID);
	ck_assert_ptr_null(t);
	ck_assert_uint_eq(fake.n_requests, 2);
}
END_TEST

/* Two pages of 100 and 50 rows. */
static void
answer_pages(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	unsigned first = (unsigned)r->m.cursor, n = first ? 50 : 100;
	struct qp_reply reply = {
		.rid = r->m.rid, .count = n, .cursor = first ? 0 : 100};
	struct qp_out rows;
	struct iovec parts[4];
	char body[16384], *p = body;

	qp_out_init(&rows);
	qp_row_array(&rows, n);
	for (unsigned i = 0; i < n; i++) {
		qp_row_begin(&rows, 2);
		qp_row_string(&rows, "queue", "q", 1);
		qp_row_number(&rows, "number", i == 7 ? UINT64_MAX : first + i);
	}
	for (int i = 0; i < qp_out_peek(&rows, parts, 4, SIZE_MAX); i++) {
		memcpy(p, parts[i].iov_base, parts[i].iov_len);
		p += parts[i].iov_len;
	}
	fake_reply(c, QP_OP_QUEUES, &reply, body, (size_t)(p - body));
	qp_out_done(&rows);
}

START_TEST(queues_follows_the_cursor)
{
	qb_table *t;
	int64_t n;

	fake.on[QP_OP_QUEUES] = answer_pages;
	ok(qb_queues(q, NULL, &t));
	ck_assert_uint_eq(qb_table_rows(t), 150);
	for (unsigned i = 0; i < 150; i++) {
		ck_assert_int_eq(qb_table_number(t, i, "number", &n), 1);
		if (i % 100 == 7)
			ck_assert_int_eq(n, INT64_MAX);
		else
			ck_assert_int_eq(n, i);
	}
	ck_assert_uint_eq(fake.n_requests, 3);
	ck_assert_ptr_null(fake_request(&fake, 1)->m.queue.p);
	qb_table_free(t);
	fake.on[QP_OP_QUEUES] = NULL;
	ok(qb_queues(q, "jobs", &t));
	ck_assert_str_eq(fake_request(&fake, 3)->queue, "jobs");
	qb_table_free(t);
}
END_TEST

/* Bodies that are no rows, one after the other. */
static void
answer_broken_rows(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	static const struct {
		const char *bytes;
		size_t len, count;
		uint64_t cursor;
	} bodies[] = {
		{"", 0, 0, 0},				    /* nothing */
		{"\x91", 1, 1, 0},			    /* a row is missing */
		{"\x91\x80\x80", 3, 1, 0},		    /* something behind */
		{"\xdd\xff\xff\xff\xff", 5, 1, 0},	    /* four billion rows */
		{"\x91\xdf\xff\xff\xff\xff\xa1q", 8, 1, 0}, /* four billion values */
		{"\x91\x81\x05\x05", 4, 1, 0}, /* a name that is a number */
		{"\x90", 1, 0, 5},	       /* no rows, but more follow */
		{"\x92\x80\x80", 3, 1, 0},     /* not as many as it says */
	};
	struct qp_reply reply = {.rid = r->m.rid,
				 .count = bodies[f->keep].count,
				 .cursor = bodies[f->keep].cursor};

	fake_reply(c, QP_OP_QUEUES, &reply, bodies[f->keep].bytes, bodies[f->keep].len);
}

START_TEST(broken_rows_are_malformed)
{
	qb_table *t;

	fake.keep = _i;
	fake.on[QP_OP_QUEUES] = answer_broken_rows;
	ck_assert_int_eq(qb_queues(q, NULL, &t), QB_MALFORMED);
	ck_assert_ptr_null(t);
	ck_assert_int_eq(qb_fd(q), -1);
	ok(qb_ping(q));
}
END_TEST

/* Empty pages with a cursor that rises, then one row. */
static void
answer_empty_pages(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	struct qp_reply reply = {.rid = r->m.rid, .cursor = r->m.cursor + 1};

	if (r->m.cursor == 3)
		reply = (struct qp_reply){.rid = r->m.rid, .count = 1};
	fake_reply(c, QP_OP_WAITERS, &reply, reply.count ? "\x91\x80" : "\x90",
		   1 + reply.count);
}

START_TEST(empty_pages_are_followed_as_long_as_the_cursor_rises)
{
	qb_table *t;

	fake.on[QP_OP_WAITERS] = answer_empty_pages;
	ok(qb_waiters(q, NULL, &t));
	ck_assert_uint_eq(qb_table_rows(t), 1);
	ck_assert_uint_eq(fake.n_requests, 5);
	qb_table_free(t);
}
END_TEST

START_TEST(who_is_there_is_asked_for)
{
	qb_table *t;

	ok(qb_clients(q, &t));
	qb_table_free(t);
	ok(qb_waiters(q, "jobs", &t));
	ck_assert_str_eq(fake_request(&fake, 2)->queue, "jobs");
	qb_table_free(t);
	ok(qb_who(q, 42, &t));
	ck_assert_uint_eq(fake_request(&fake, 3)->m.id, 42);
	ck_assert_uint_eq(qb_table_rows(t), 1);
	qb_table_free(t);
	ok(qb_holders(q, "jobs", &t));
	ck_assert_uint_eq(fake_request(&fake, 4)->m.id, 0);
	ck_assert(QP_GIVEN(&fake_request(&fake, 4)->m.options, queue));
	qb_table_free(t);
	ck_assert_int_eq(qb_who(q, 0, &t), QB_INVALID);
	ck_assert_ptr_null(t);
}
END_TEST

/* A page of a dump: what is said, and the bodies behind it. */
static void
answer_dump(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	static const struct {
		const char *bytes;
		size_t len, count;
	} pages[] = {
		{"\x92\x82\xa4size\x02\xa4"
		 "body\x02\x82\xa4size\x01\xa4"
		 "body\x01xyz",
		 30, 2},
		{"\x91\x82\xa4size\x09\xa4"
		 "body\x00",
		 14, 1}, /* too large for a page */
		{"\x91\x82\xa4size\x02\xa4"
		 "body\x03xy",
		 16, 1},
		{"\x91\x81\xa4size\x02xy", 10, 1},
		{"\x91\x82\xa4size\x02\xa4"
		 "body\xffxy",
		 16, 1}, /* -1 */
		{"", 0, 0},
	};
	struct qp_reply reply = {
		.rid = r->m.rid, .count = pages[f->keep].count, .cursor = 7};

	fake_reply(c, QP_OP_DUMP, &reply, pages[f->keep].bytes, pages[f->keep].len);
}

START_TEST(a_dump_has_the_bodies_of_its_rows)
{
	uint64_t cursor = 0;
	qb_table *t;
	size_t len;

	fake.keep = _i;
	fake.on[QP_OP_DUMP] = answer_dump;
	if (_i >= 2) {
		ck_assert_int_eq(qb_dump(q, "jobs", "ready", &cursor, &t),
				 QB_MALFORMED);
		ck_assert_ptr_null(t);
		ck_assert_uint_eq(cursor, 0);
		return;
	}
	ok(qb_dump(q, "jobs", "ready", &cursor, &t));
	ck_assert_uint_eq(cursor, 7);
	if (_i == 0) {
		ck_assert_mem_eq(qb_table_body(t, 0, &len), "xy", 2);
		ck_assert_uint_eq(len, 2);
		ck_assert_mem_eq(qb_table_body(t, 1, &len), "z", 1);
		ck_assert_uint_eq(len, 1);
	} else {
		ck_assert_ptr_null(qb_table_body(t, 0, &len));
	}
	ck_assert_ptr_null(qb_table_body(t, 2, &len));
	qb_table_free(t);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("tables");

	tcase_add_checked_fixture(t, open_broker, close_broker);
	tcase_add_test(t, stats_are_a_row_of_named_values);
	tcase_add_test(t, a_policy_is_a_row_for_each_option);
	tcase_add_test(t, queues_follows_the_cursor);
	tcase_add_test(t, empty_pages_are_followed_as_long_as_the_cursor_rises);
	tcase_add_test(t, who_is_there_is_asked_for);
	tcase_add_loop_test(t, broken_rows_are_malformed, 0, 8);
	tcase_add_loop_test(t, a_dump_has_the_bodies_of_its_rows, 0, 6);
	return run_case(t);
}
