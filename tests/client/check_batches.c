/* SPDX-License-Identifier: MIT
 * Puts and gets of many that are started: several of them under way, each finished once. */
#include "client/item.h"
#include "tests/client/fixture.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define MOST 8

struct seen { /* what a callback was told */
	unsigned calls, n;
	uint64_t request;
	qb_result result;
	char error[128];
	bool known; /* of a put: what became of each */
	int64_t ids[MOST];
	qb_item *items[MOST];
};

static struct iovec abc[3] = {{(void *)"a", 1}, {NULL, 0}, {(void *)"ccc", 3}};

static void
note(qb *handle, struct seen *seen, uint64_t request, qb_result result, unsigned n)
{
	ck_assert_uint_le(n, MOST);
	seen->calls++;
	seen->request = request;
	seen->result = result;
	seen->n = n;
	snprintf(seen->error, sizeof(seen->error), "%s", qb_error(handle));
}

static void
note_put(qb *handle, uint64_t request, qb_result result, const int64_t *ids, unsigned n,
	 void *arg)
{
	struct seen *seen = arg;

	note(handle, seen, request, result, n);
	seen->known = ids != NULL;
	if (ids)
		memcpy(seen->ids, ids, n * sizeof(*ids));
}

static void
note_get(qb *handle, uint64_t request, qb_result result, qb_item *const *items,
	 unsigned n, void *arg)
{
	struct seen *seen = arg;

	note(handle, seen, request, result, n);
	ck_assert_int_eq(n > 0, result == QB_OK);
	for (unsigned i = 0; i < n; i++)
		seen->items[i] = items[i];
}

static void
free_items(struct seen *seen)
{
	for (unsigned i = 0; i < seen->n; i++)
		qb_item_free(seen->items[i]);
	seen->n = 0;
}

static qb_result
start_put(struct seen *seen, int64_t timeout_ms, uint64_t *ret_request)
{
	return qb_start_put_many(q, "jobs", NULL, abc, 3, 0, timeout_ms, note_put, seen,
				 ret_request);
}

static qb_result
start_get(struct seen *seen, qb_ack_mode ack, uint64_t *ret_request)
{
	return qb_start_get_many(q, "jobs", NULL, QB_FOREVER, ack, 5, 1, 0, 0, note_get,
				 seen, ret_request);
}

START_TEST(several_batches_are_under_way_and_finish_in_the_callers_loop)
{
	struct seen put[2] = {0}, get[2] = {0};
	uint64_t requests[4];

	for (int i = 0; i < 2; i++) {
		ok(start_put(&put[i], 5, &requests[i]));
		ok(start_get(&get[i], QB_MANUAL, &requests[2 + i]));
	}
	ck_assert_uint_eq(fake.n_requests, 1);
	while (get[1].calls == 0) {
		struct pollfd p = {.fd = qb_fd(q), .events = qb_events(q)};

		ck_assert_int_gt(poll(&p, 1, -1), 0);
		ok(qb_process(q));
	}
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(put[i].calls, 1);
		ck_assert_int_eq(put[i].result, QB_OK);
		ck_assert_uint_eq(put[i].request, requests[i]);
		ck_assert_uint_eq(put[i].n, 3);
		ck_assert_int_eq(put[i].ids[2], 3 * i + 3);
		ck_assert_uint_eq(get[i].calls, 1);
		ck_assert_uint_eq(get[i].request, requests[2 + i]);
		ck_assert_uint_eq(get[i].n, 2);
		ck_assert_str_eq(qb_item_body(get[i].items[0]), "one");
		ck_assert_str_eq(qb_item_body(get[i].items[1]), "tw");
		ok(qb_ack_many(q, get[i].items, 2));
		free_items(&get[i]);
	}
}
END_TEST

START_TEST(they_ask_what_the_calls_that_wait_ask)
{
	qb_put_options *put_options = qb_put_options_new();
	qb_get_options *get_options = qb_get_options_new();
	const struct fake_request *r;
	struct seen seen = {0};

	qb_put_options_set_priority(put_options, -7);
	qb_get_options_set_lease(get_options, 1234);
	ok(qb_start_put_many(q, "jobs", put_options, abc, 3, 1, 9, note_put, &seen,
			     NULL));
	ok(qb_start_get_many(q, "mail", get_options, 99, QB_NONE, 4, 2, 1000, 30,
			     note_get, &seen, NULL));
	ok(qb_wait(q, QB_FOREVER));
	free_items(&seen);
	r = fake_request(&fake, 1);
	ck_assert_int_eq(r->m.op, QP_OP_PUT_MANY);
	ck_assert_str_eq(r->queue, "jobs");
	ck_assert_uint_eq(r->m.timeout_ms, 9);
	ck_assert_uint_eq(r->m.options.atomic, 1);
	ck_assert_int_eq(r->m.options.priority, -7);
	ck_assert_int_eq(r->numbers[2], 3);
	ck_assert_mem_eq(r->body, "accc", 4);
	r = fake_request(&fake, 2);
	ck_assert_int_eq(r->m.op, QP_OP_GET_MANY);
	ck_assert_str_eq(r->queue, "mail");
	ck_assert_uint_eq(r->m.timeout_ms, 99);
	ck_assert_uint_eq(r->m.max_items, 4);
	ck_assert_uint_eq(r->m.ack, QP_ACK_NONE);
	ck_assert_uint_eq(r->m.options.min_items, 2);
	ck_assert_uint_eq(r->m.options.max_bytes, 1000);
	ck_assert_uint_eq(r->m.options.linger_ms, 30);
	ck_assert_uint_eq(r->m.options.lease_ms, 1234);
	qb_put_options_free(put_options);
	qb_get_options_free(get_options);
}
END_TEST

START_TEST(bodies_are_the_callers_again_at_once)
{
	static char large[40001];
	const struct iovec bodies[2] = {{large, 40000}, {large, 1}};
	struct seen seen = {0};
	uint64_t sum;

	memset(large, 'x', sizeof(large));
	sum = fake_sum(large, sizeof(large));
	ok(qb_start_put_many(q, "jobs", NULL, bodies, 2, 0, 0, note_put, &seen, NULL));
	memset(large, 'y', sizeof(large));
	ok(qb_wait(q, QB_FOREVER));
	ck_assert_uint_eq(fake_request(&fake, 1)->body_len, sizeof(large));
	ck_assert_uint_eq(fake_request(&fake, 1)->body_sum, sum);
}
END_TEST

START_TEST(each_item_has_its_result)
{
	struct seen seen = {0};

	fake.on[QP_OP_PUT_MANY] = fake_refuse_some;
	ok(start_put(&seen, 0, NULL));
	ok(qb_wait(q, QB_FOREVER));
	ck_assert_int_eq(seen.result, QB_FULL);
	ck_assert_uint_eq(seen.n, 3);
	ck_assert(seen.known);
	ck_assert_int_eq(seen.ids[0], 51);
	ck_assert_int_eq(seen.ids[1], -QB_FULL);
	ck_assert_int_eq(seen.ids[2], -QB_SHUT_DOWN);
	ck_assert_str_eq(seen.error, "2 of 3 items were refused; the first was item 1: "
				     "there was no room in time");
}
END_TEST

static void
give_too_few(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	int64_t results[2] = {51, 52};
	struct qp_reply reply = {.rid = r->m.rid,
				 .results = {.n = 2, .numbers = results}};

	fake_reply(c, QP_OP_PUT_MANY, &reply, NULL, 0);
}

START_TEST(results_for_other_items_are_malformed)
{
	struct seen seen = {0};

	fake.on[QP_OP_PUT_MANY] = give_too_few;
	ok(start_put(&seen, 0, NULL));
	ok(qb_wait(q, QB_FOREVER));
	ck_assert_int_eq(seen.result, QB_MALFORMED);
	ck_assert_uint_eq(seen.n, 3);
	ck_assert(!seen.known);
}
END_TEST

static void
refuse(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	fake_refuse(c, r->m.op == QP_OP_PUT_MANY ? QP_FULL : QP_EMPTY, r->m.rid,
		    "not now");
}

START_TEST(a_refusal_is_of_all)
{
	struct seen put = {0}, get = {0};

	fake.on[QP_OP_PUT_MANY] = fake.on[QP_OP_GET_MANY] = refuse;
	ok(start_put(&put, 0, NULL));
	ok(start_get(&get, QB_MANUAL, NULL));
	ok(qb_wait(q, QB_FOREVER));
	ck_assert_int_eq(put.result, QB_FULL);
	ck_assert_str_eq(put.error, "not now");
	ck_assert_uint_eq(put.n, 3);
	ck_assert(!put.known);
	ck_assert_int_eq(get.result, QB_EMPTY);
	ck_assert_str_eq(get.error, "not now");
	ck_assert_uint_eq(get.n, 0);
}
END_TEST

START_TEST(with_auto_the_library_finishes_all)
{
	struct seen seen = {0};

	ok(start_get(&seen, QB_AUTO, NULL));
	ok(qb_wait(q, QB_FOREVER));
	ck_assert_int_eq(qb_ack(q, seen.items[0]), QB_STALE);
	free_items(&seen);
	ok(qb_ping(q));
	ck_assert_int_eq(fake_request(&fake, 2)->m.op, QP_OP_ACK_MANY);
	ck_assert_uint_eq(fake_request(&fake, 2)->m.rid, 0);
	ck_assert_int_eq(fake_request(&fake, 2)->numbers[0], 21);
	ck_assert_int_eq(fake_request(&fake, 2)->numbers[2], 22);
}
END_TEST

START_TEST(cancel_ends_a_wait)
{
	struct seen put = {0}, get = {0};
	uint64_t requests[2];

	fake.on[QP_OP_PUT_MANY] = fake.on[QP_OP_GET_MANY] = fake_ignore;
	fake.on[QP_OP_CANCEL] = fake_cancel;
	ok(start_put(&put, QB_FOREVER, &requests[0]));
	ok(start_get(&get, QB_MANUAL, &requests[1]));
	ck_assert_int_eq(qb_wait(q, 10), QB_AGAIN);
	for (int i = 0; i < 2; i++)
		ok(qb_cancel(q, requests[i]));
	ok(qb_wait(q, QB_FOREVER));
	ck_assert_int_eq(put.result, QB_CANCELLED);
	ck_assert(!put.known);
	ck_assert_int_eq(get.result, QB_CANCELLED);
	ck_assert_uint_eq(put.calls + get.calls, 2);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(qb_cancel(q, requests[i]), QB_NOT_FOUND);
}
END_TEST

/* Of a put nobody knows then whether it was carried out; a get is simply done again. */
START_TEST(a_session_that_was_not_resumed_finishes_each_once)
{
	struct seen put[3] = {0}, get = {0};

	fake.on[QP_OP_PUT_MANY] = fake_ignore;
	fake.on[QP_OP_GET_MANY] = fake_hang_up_once;
	for (int i = 0; i < 3; i++)
		ok(start_put(&put[i], QB_FOREVER, NULL));
	ok(start_get(&get, QB_MANUAL, NULL));
	ok(qb_wait(q, QB_FOREVER));
	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(put[i].calls, 1);
		ck_assert_int_eq(put[i].result, QB_LOST);
		ck_assert(!put[i].known);
	}
	ck_assert_uint_eq(get.calls, 1);
	ck_assert_int_eq(get.result, QB_OK);
	free_items(&get);
	ck_assert_uint_eq(fake.n_conns, 2);
}
END_TEST

START_TEST(closing_the_handle_finishes_each_once)
{
	struct seen put = {0}, get = {0};

	fake.on[QP_OP_PUT_MANY] = fake.on[QP_OP_GET_MANY] = fake_ignore;
	ok(start_put(&put, QB_FOREVER, NULL));
	ok(start_get(&get, QB_MANUAL, NULL));
	ok(qb_send(q));
	qb_close(q);
	q = NULL;
	ck_assert_int_eq(put.result, QB_LOST);
	ck_assert_int_eq(get.result, QB_LOST);
	ck_assert_uint_eq(put.calls + get.calls, 2);
}
END_TEST

/* --- the next one in the callback -------------------------------------------------- */

/* `arg` are those that are still to be started. */
static void
put_next(qb *handle, uint64_t request, qb_result result, const int64_t *ids, unsigned n,
	 void *arg)
{
	unsigned *left = arg;

	ck_assert_int_eq(result, QB_OK);
	ck_assert_int_eq(qb_put_many(handle, "jobs", abc, 3, 0, 0, NULL), QB_BAD_STATE);
	if (*left == 0)
		return;
	--*left;
	ok(qb_start_put_many(handle, "jobs", NULL, abc, 3, 0, 0, put_next, left, NULL));
}

static void
get_next(qb *handle, uint64_t request, qb_result result, qb_item *const *items,
	 unsigned n, void *arg)
{
	unsigned *left = arg;

	ck_assert_int_eq(result, QB_OK);
	for (unsigned i = 0; i < n; i++) {
		ok(qb_ack_start(handle, items[i]));
		qb_item_free(items[i]);
	}
	if (*left == 0)
		return;
	--*left;
	ok(qb_start_get_many(handle, "jobs", NULL, 0, QB_MANUAL, 2, 1, 0, 0, get_next,
			     left, NULL));
}

START_TEST(a_callback_starts_the_next)
{
	unsigned puts = 50, gets = 50;

	for (int i = 0; i < 2; i++) {
		ok(qb_start_put_many(q, "jobs", NULL, abc, 3, 0, 0, put_next, &puts,
				     NULL));
		ok(qb_start_get_many(q, "jobs", NULL, 0, QB_MANUAL, 2, 1, 0, 0,
				     get_next, &gets, NULL));
	}
	ok(qb_wait(q, QB_FOREVER));
	ck_assert_uint_eq(puts + gets, 0);
	ok(qb_ping(q));
	ck_assert_uint_eq(fake.next_id, 3 * 52);
	ck_assert_uint_eq(fake.n_conns, 1);
}
END_TEST

START_TEST(bad_arguments_start_nothing)
{
	static char large[1 << 20];
	struct iovec many[17];
	struct seen s = {0};

	for (int i = 0; i < 17; i++)
		many[i] = (struct iovec){large, sizeof(large)};
#define REFUSED(result, call) ck_assert_int_eq(call, result)
	REFUSED(QB_INVALID,
		qb_start_put_many(q, "", NULL, abc, 3, 0, 0, note_put, &s, NULL));
	REFUSED(QB_INVALID,
		qb_start_put_many(q, "jobs", NULL, abc, 0, 0, 0, note_put, &s, NULL));
	REFUSED(QB_INVALID, qb_start_put_many(q, "jobs", NULL, abc, 1001, 0, 0,
					      note_put, &s, NULL));
	REFUSED(QB_INVALID,
		qb_start_put_many(q, "jobs", NULL, NULL, 3, 0, 0, note_put, &s, NULL));
	REFUSED(QB_INVALID,
		qb_start_put_many(q, "jobs", NULL, abc, 3, 0, -1, note_put, &s, NULL));
	REFUSED(QB_INVALID,
		qb_start_put_many(q, "jobs", NULL, abc, 3, 0, 0, NULL, NULL, NULL));
	REFUSED(QB_TOO_BIG,
		qb_start_put_many(q, "jobs", NULL, many, 17, 0, 0, note_put, &s, NULL));
	REFUSED(QB_INVALID, qb_start_get_many(q, NULL, NULL, 0, QB_AUTO, 2, 1, 0, 0,
					      note_get, &s, NULL));
	REFUSED(QB_INVALID, qb_start_get_many(q, "jobs", NULL, 0, QB_AUTO, 1001, 1, 0,
					      0, note_get, &s, NULL));
	REFUSED(QB_INVALID, qb_start_get_many(q, "jobs", NULL, 0, QB_AUTO, 2, 3, 0, 0,
					      note_get, &s, NULL));
	REFUSED(QB_INVALID, qb_start_get_many(q, "jobs", NULL, 0, QB_AUTO, 2, 1, 0, -1,
					      note_get, &s, NULL));
	REFUSED(QB_INVALID, qb_start_get_many(q, "jobs", NULL, 0, (qb_ack_mode)7, 2, 1,
					      0, 0, note_get, &s, NULL));
	REFUSED(QB_INVALID, qb_start_get_many(q, "jobs", NULL, 0, QB_AUTO, 2, 1, 0, 0,
					      NULL, NULL, NULL));
	ok(qb_wait(q, QB_FOREVER));
	ok(qb_ping(q));
	ck_assert_uint_eq(s.calls, 0);
	ck_assert_uint_eq(fake.n_requests, 2);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("batches");

	tcase_add_checked_fixture(t, open_broker, close_broker);
	tcase_add_test(t, several_batches_are_under_way_and_finish_in_the_callers_loop);
	tcase_add_test(t, they_ask_what_the_calls_that_wait_ask);
	tcase_add_test(t, bodies_are_the_callers_again_at_once);
	tcase_add_test(t, each_item_has_its_result);
	tcase_add_test(t, results_for_other_items_are_malformed);
	tcase_add_test(t, a_refusal_is_of_all);
	tcase_add_test(t, with_auto_the_library_finishes_all);
	tcase_add_test(t, cancel_ends_a_wait);
	tcase_add_test(t, a_session_that_was_not_resumed_finishes_each_once);
	tcase_add_test(t, closing_the_handle_finishes_each_once);
	tcase_add_test(t, a_callback_starts_the_next);
	tcase_add_test(t, bad_arguments_start_nothing);
	return run_case(t);
}
