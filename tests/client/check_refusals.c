/* SPDX-License-Identifier: MIT
 * What the broker refuses, and what is refused before anything is sent. */
#include "tests/client/fixture.h"

#include <stdlib.h>
#include <string.h>

/* --- refusals ---------------------------------------------------------------------- */

static void
refuse(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	fake_refuse(c, (enum qp_status)f->keep, r->m.rid, "because");
}

START_TEST(refusals_come_with_the_brokers_sentence)
{
	struct iovec one = {(void *)"x", 1};
	qb_item *item = NULL;
	qb_table *table;
	unsigned n;

	for (int op = QP_OP_PUT; op <= QP_OP_WHO; op++)
		fake.on[op] = refuse;
#define refused(status, call)                             \
	do {                                              \
		fake.keep = QP_##status;                  \
		ck_assert_int_eq((call), QB_##status);    \
		ck_assert_str_eq(qb_error(q), "because"); \
	} while (0)
	refused(FULL, qb_put(q, "jobs", "x", 1, 0, NULL));
	refused(NOSPACE, qb_put(q, "jobs", "x", 1, 0, NULL));
	refused(TOO_BIG, qb_put_many(q, "jobs", &one, 1, 0, 0, NULL));
	refused(EMPTY, qb_get(q, "jobs", 0, QB_AUTO, &item));
	ck_assert_ptr_null(item);
	refused(SHUT_DOWN, qb_get_many(q, "jobs", 0, QB_AUTO, 2, 1, 0, 0, &item, &n));
	ck_assert_uint_eq(n, 0);
	refused(EMPTY, qb_peek(q, "jobs", &item));
	refused(NOT_LEASED, qb_task_done(q, "jobs"));
	refused(TIMEOUT, qb_join(q, "jobs", 0));
	refused(LIMIT, qb_size(q, "jobs", NULL, NULL, NULL));
	refused(LIMIT, qb_policy(q, "jobs", &table));
	ck_assert_ptr_null(table);
	refused(MISMATCH, qb_declare(q, "jobs", NULL, 0, NULL));
	refused(NOT_EMPTY, qb_delete(q, "jobs", 0));
	refused(NOT_FOUND, qb_purge(q, "jobs", NULL));
	refused(NOT_FOUND, qb_cancel_group(q, "jobs", "g", NULL, NULL));
	refused(TIMEOUT, qb_join_group(q, "jobs", "g", 0));
	refused(DENIED, qb_shutdown(q, "jobs", 0));
	refused(UNKNOWN_OP, qb_reopen(q, "jobs"));
	refused(NOT_FOUND, qb_queues(q, "jobs", &table));
	ck_assert_ptr_null(table);
	refused(NO_MEMORY, qb_stats(q, &table));
	ck_assert_int_ge(qb_fd(q), 0);
}
END_TEST

START_TEST(stale_acks_are_reported)
{
	qb_item *item;

	ok(qb_get(q, "jobs", 0, QB_MANUAL, &item));
	fake.keep = QP_STALE;
	fake.on[QP_OP_ACK] = fake.on[QP_OP_RELEASE] = refuse;
	ck_assert_int_eq(qb_ack(q, item), QB_STALE);
	ck_assert_int_eq(qb_release(q, item), QB_STALE);
	qb_item_free(item);
}
END_TEST

/* --- bad arguments ----------------------------------------------------------------- */

#define invalid(call, names)                                                  \
	do {                                                                  \
		ck_assert_int_eq((call), QB_INVALID);                         \
		ck_assert_msg(strstr(qb_error(q), names), "%s", qb_error(q)); \
	} while (0)

START_TEST(bad_queue_names_are_refused_before_anything_is_sent)
{
	char longest[257];

	memset(longest, 'n', 256);
	longest[256] = 0;
	invalid(qb_put(q, NULL, "x", 1, 0, NULL), "NULL");
	invalid(qb_put(q, "", "x", 1, 0, NULL), "empty");
	invalid(qb_put(q, longest, "x", 1, 0, NULL), "255");
	invalid(qb_put(q, "a\nb", "x", 1, 0, NULL), "a\nb");
	invalid(qb_put(q, "\xff", "x", 1, 0, NULL), "UTF-8");
	invalid(qb_put_start(q, "", "x", 1), "empty");
	invalid(qb_join(q, "", 0), "empty");
	invalid(qb_purge(q, "", NULL), "empty");
	ck_assert_uint_eq(fake.n_requests, 1);
	longest[255] = 0;
	ok(qb_put(q, longest, "x", 1, 0, NULL));
}
END_TEST

START_TEST(bad_group_names_are_refused_before_anything_is_sent)
{
	qb_put_options *options = qb_put_options_new();
	struct iovec one = {(void *)"x", 1};
	char longest[257];

	memset(longest, 'n', 256);
	longest[256] = 0;
	qb_put_options_set_group(options, longest);
	invalid(qb_put_with(q, "jobs", options, "x", 1, 0, NULL),
		"group's name has more");
	invalid(qb_put_many_with(q, "jobs", options, &one, 1, 0, 0, NULL), "255");
	qb_put_options_set_group(options, "");
	invalid(qb_put_start_with(q, "jobs", options, "x", 1), "empty");
	invalid(qb_join_group(q, "jobs", "a\nb", 0), "a\nb");
	invalid(qb_cancel_group(q, "jobs", NULL, NULL, NULL), "NULL");
	ck_assert_uint_eq(fake.n_requests, 1);
	longest[255] = 0;
	qb_put_options_set_group(options, longest);
	ok(qb_put_with(q, "jobs", options, "x", 1, 0, NULL));
	qb_put_options_set_group(options, NULL);
	ok(qb_put_with(q, "jobs", options, "x", 1, 0, NULL));
	qb_put_options_free(options);
}
END_TEST

START_TEST(bad_numbers_are_refused_before_anything_is_sent)
{
	struct iovec one = {(void *)"x", 1};
	qb_item *item;
	unsigned n;

	invalid(qb_put(q, "jobs", "x", 1, -5, NULL), "-5");
	invalid(qb_put(q, "jobs", NULL, 1, 0, NULL), "NULL");
	invalid(qb_put_many(q, "jobs", &one, 0, 0, 0, NULL), "n is 0");
	invalid(qb_put_many(q, "jobs", &one, 1001, 0, 0, NULL), "1001");
	invalid(qb_put_many(q, "jobs", NULL, 1, 0, 0, NULL), "NULL");
	invalid(qb_put_many(q, "jobs", &one, 1, 0, INT64_MIN, NULL), "timeout_ms");
	invalid(qb_get(q, "jobs", -1, QB_AUTO, &item), "-1");
	invalid(qb_get(q, "jobs", 0, (qb_ack_mode)3, &item), "ack is 3");
	invalid(qb_get_many(q, "jobs", 0, QB_AUTO, 0, 1, 0, 0, &item, &n), "max_items");
	invalid(qb_get_many(q, "jobs", 0, QB_AUTO, 1001, 1, 0, 0, &item, &n), "1001");
	invalid(qb_get_many(q, "jobs", 0, QB_AUTO, 1, 0, 0, 0, &item, &n), "min_items");
	invalid(qb_get_many(q, "jobs", 0, QB_AUTO, 3, 4, 0, 0, &item, &n),
		"from 1 to 3");
	invalid(qb_get_many(q, "jobs", 0, QB_AUTO, 1, 1, 0, -2, &item, &n),
		"linger_ms");
	invalid(qb_join(q, "jobs", -1), "-1");
	invalid(qb_flush(q, -1), "-1");
	invalid(qb_wait(q, -1), "-1");
	invalid(qb_ack(q, NULL), "NULL");
	invalid(qb_ack_many(q, NULL, 1), "NULL");
	invalid(qb_ack_many(q, &item, 0), "n is 0");
	item = NULL;
	invalid(qb_ack_many(q, &item, 1), "NULL");
	invalid(qb_set_window(q, 0), "window");
	invalid(qb_set_window(q, 65537), "65537");
	ck_assert_uint_eq(fake.n_requests, 1);
}
END_TEST

START_TEST(what_is_too_big_is_refused_before_anything_is_sent)
{
	static char big[1 << 20];
	struct iovec bodies[17];

	ck_assert_int_eq(qb_put(q, "jobs", big, FAKE_MAX_ITEM + 1, 0, NULL),
			 QB_TOO_BIG);
	ck_assert_ptr_nonnull(strstr(qb_error(q), "67108865"));
	ck_assert_int_eq(qb_put_start(q, "jobs", big, FAKE_MAX_ITEM + 1), QB_TOO_BIG);
	for (int i = 0; i < 17; i++)
		bodies[i] = (struct iovec){big, sizeof(big)};
	bodies[16].iov_len = 1;
	ck_assert_int_eq(qb_put_many(q, "jobs", bodies, 17, 0, 0, NULL), QB_TOO_BIG);
	ck_assert_uint_eq(fake.n_requests, 1);
	ok(qb_put_many(q, "jobs", bodies, 16, 0, 0, NULL));
	ck_assert_uint_eq(fake_request(&fake, 1)->body_len, 16 << 20);
}
END_TEST

START_TEST(the_clients_name_is_set_at_the_next_connect)
{
	char longest[257];
	qb *other;

	memset(longest, 'n', 256);
	longest[256] = 0;
	invalid(qb_set_name(q, NULL), "NULL");
	invalid(qb_set_name(q, longest), "255");
	invalid(qb_set_name(q, "a\tb"), "UTF-8");
	ok(qb_set_name(q, "worker 7"));
	fake_stop(&fake);
	ck_assert_int_eq(qb_open(fake.address, &other), QB_NO_BROKER);
	ok(qb_set_name(other, "worker 8"));
	fake_run(&fake);
	ck_assert_int_eq(qb_ping(other), QB_OK);
	ck_assert_str_eq(fake_request(&fake, 1)->client, "worker 8");
	qb_close(other);
}
END_TEST

START_TEST(declare_refuses_options_that_it_cannot_read)
{
	static const char *const wrong[] = {"maxsize",
					    "maxsize=",
					    "maxsize=1x",
					    "maxsize= 1",
					    "maxsize=2147483648",
					    "max_bytes=-1",
					    "max_bytes=9007199254740993",
					    "size=1",
					    "maxsizes=1",
					    "",
					    "max_bytes=99999999999999999999"};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		const char *const options[] = {wrong[i], NULL};

		ck_assert_int_eq(qb_declare(q, "jobs", options, 0, NULL), QB_INVALID);
		ck_assert_ptr_nonnull(strstr(qb_error(q), wrong[i]));
	}
	ck_assert_uint_eq(fake.n_requests, 1);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("refusals");

	tcase_add_checked_fixture(t, open_broker, close_broker);
	tcase_add_test(t, declare_refuses_options_that_it_cannot_read);
	tcase_add_test(t, refusals_come_with_the_brokers_sentence);
	tcase_add_test(t, stale_acks_are_reported);
	tcase_add_test(t, bad_queue_names_are_refused_before_anything_is_sent);
	tcase_add_test(t, bad_group_names_are_refused_before_anything_is_sent);
	tcase_add_test(t, bad_numbers_are_refused_before_anything_is_sent);
	tcase_add_test(t, what_is_too_big_is_refused_before_anything_is_sent);
	tcase_add_test(t, the_clients_name_is_set_at_the_next_connect);
	return run_case(t);
}
