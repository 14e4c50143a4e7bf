/* SPDX-License-Identifier: MIT
 * Requests that finish in a callback: exactly once, whatever happens. */
#include "client/client.h"
#include "client/item.h"
#include "tests/client/fixture.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct seen { /* what a callback was told */
	unsigned calls;
	uint64_t request, id;
	qb_result result;
	char error[128];
	char body[16];
	qb_item *keep;
};

static void
note(qb *handle, uint64_t request, qb_result result, uint64_t id, qb_item *item,
     void *arg)
{
	struct seen *seen = arg;

	seen->calls++;
	seen->request = request;
	seen->result = result;
	seen->id = id;
	snprintf(seen->error, sizeof(seen->error), "%s", qb_error(handle));
	if (!item)
		return;
	ck_assert_int_eq(result, QB_OK);
	snprintf(seen->body, sizeof(seen->body), "%s",
		 (const char *)qb_item_body(item));
	if (seen->keep)
		qb_item_free(seen->keep);
	seen->keep = item;
}

/* The caller's event loop, until `calls` callbacks have come. */
static void
loop_until(const unsigned *count, unsigned calls)
{
	while (*count < calls) {
		struct pollfd p = {.fd = qb_fd(q), .events = qb_events(q)};

		ck_assert_int_gt(poll(&p, 1, -1), 0);
		ok(qb_process(q));
	}
}

START_TEST(started_requests_finish_in_the_callers_loop)
{
	struct seen put = {0}, get = {0}, ack = {0}, join = {0};
	uint64_t request = 0;

	ck_assert_int_eq(qb_events(q), POLLIN);
	ok(qb_start_put(q, "jobs", "x", 1, 5, note, &put, &request));
	ok(qb_start_get(q, "jobs", QB_FOREVER, QB_MANUAL, note, &get, NULL));
	ck_assert_int_eq(qb_events(q), POLLIN | POLLOUT);
	ck_assert_uint_eq(fake.n_requests, 1);
	loop_until(&get.calls, 1);
	ck_assert_uint_eq(put.calls, 1);
	ck_assert_uint_eq(put.request, request);
	ck_assert_uint_eq(put.id, 1);
	ck_assert_int_eq(get.result, QB_OK);
	ck_assert_str_eq(get.body, "body");
	ok(qb_start_ack(q, get.keep, note, &ack, NULL));
	ok(qb_start_join(q, "jobs", 7, note, &join, NULL));
	ok(qb_send(q));
	ck_assert_int_eq(qb_events(q), POLLIN);
	loop_until(&join.calls, 1);
	ck_assert_uint_eq(ack.calls, 1);
	ck_assert_uint_eq(fake_request(&fake, 3)->m.id, 11);
	ck_assert_uint_eq(fake_request(&fake, 4)->m.timeout_ms, 7);
	qb_item_free(get.keep);
}
END_TEST

static void
answer_two(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	struct qp_item rows[2] = {{.id = 11, .delivery = 1, .length = 3},
				  {.id = 12, .delivery = 1, .length = 3}};
	struct qp_reply reply = {
		.rid = r->m.rid, .item_rows = rows, .items = {.n = 2}};

	fake_reply(c, QP_OP_GET_RUN, &reply, "onetwo", 6);
	if (r->m.max_items > 2)
		fake_refuse(c, QP_EMPTY, r->m.rid + 2, "nothing more");
}

START_TEST(gets_that_wait_share_frames_and_finish_one_by_one)
{
	struct seen seen[4] = {0};
	uint64_t rids[4];

	fake.on[QP_OP_GET_RUN] = answer_two;
	for (int i = 0; i < 3; i++)
		ok(qb_start_get(q, "jobs", QB_FOREVER, QB_MANUAL, note, &seen[i],
				&rids[i]));
	ok(qb_start_get(q, "mail", QB_FOREVER, QB_MANUAL, note, &seen[3], &rids[3]));
	ck_assert_uint_eq(fake.n_requests, 1);
	ok(qb_wait(q, QB_FOREVER));
	ck_assert_uint_eq(fake.n_requests, 3);
	ck_assert_int_eq(fake_request(&fake, 1)->m.op, QP_OP_GET_RUN);
	ck_assert_uint_eq(fake_request(&fake, 1)->m.max_items, 3);
	ck_assert_int_eq(fake_request(&fake, 2)->m.op, QP_OP_GET);
	for (int i = 0; i < 4; i++) {
		ck_assert_uint_eq(seen[i].calls, 1);
		ck_assert_uint_eq(seen[i].request, rids[i]);
	}
	ck_assert_str_eq(seen[0].body, "one");
	ck_assert_str_eq(seen[1].body, "two");
	ck_assert_int_eq(seen[2].result, QB_EMPTY);
	ck_assert_str_eq(seen[2].error, "nothing more");
	ck_assert_str_eq(seen[3].body, "body");
	for (int i = 0; i < 4; i++)
		qb_item_free(seen[i].keep);
}
END_TEST

static void
answer_two_and_hang_up(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	answer_two(f, c, r);
	fake_close(c);
}

/* The rest is sent again by itself. */
START_TEST(what_is_left_of_gets_that_shared_a_frame_is_sent_again)
{
	static const char *const bodies[] = {"one", "two", "", "body", "body"};
	struct seen seen[5] = {0};

	fake.on[QP_OP_GET_RUN] = answer_two_and_hang_up;
	for (int i = 0; i < 5; i++)
		ok(qb_start_get(q, "jobs", QB_FOREVER, QB_MANUAL, note, &seen[i],
				NULL));
	ok(qb_wait(q, QB_FOREVER));
	ck_assert_uint_eq(fake.n_conns, 2);
	for (int i = 0; i < 5; i++) {
		ck_assert_uint_eq(seen[i].calls, 1);
		ck_assert_str_eq(seen[i].body, bodies[i]);
	}
	for (unsigned i = 3; i < 5; i++) { /* behind GET_RUN and the second HELLO */
		ck_assert_int_eq(fake_request(&fake, i)->m.op, QP_OP_GET);
		ck_assert_str_eq(fake_request(&fake, i)->queue, "jobs");
		ck_assert_uint_eq(fake_request(&fake, i)->m.timeout_ms, QP_FOREVER);
	}
	for (int i = 0; i < 5; i++)
		qb_item_free(seen[i].keep);
}
END_TEST

static void
answer_too_many(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	struct qp_item rows[3] = {{.id = 11, .delivery = 1},
				  {.id = 12, .delivery = 1},
				  {.id = 13, .delivery = 1}};
	struct qp_reply reply = {
		.rid = r->m.rid, .item_rows = rows, .items = {.n = 3}};

	fake_reply(c, QP_OP_GET_RUN, &reply, "", 0);
}

START_TEST(a_reply_for_more_gets_than_there_are_is_malformed)
{
	struct seen seen[2] = {0};

	fake.on[QP_OP_GET_RUN] = answer_too_many;
	for (int i = 0; i < 2; i++)
		ok(qb_start_get(q, "jobs", QB_FOREVER, QB_MANUAL, note, &seen[i],
				NULL));
	ck_assert_int_eq(qb_wait(q, QB_FOREVER), QB_MALFORMED);
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(seen[i].calls, 1);
		ck_assert_int_eq(seen[i].result, QB_MALFORMED);
	}
}
END_TEST

#define OUTSTANDING 64

static void
answer_all(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	struct qp_item rows[OUTSTANDING];
	struct qp_reply reply = {.rid = r->m.rid,
				 .item_rows = rows,
				 .items = {.n = (uint32_t)r->m.max_items}};

	ck_assert_uint_le(r->m.max_items, OUTSTANDING);
	for (unsigned i = 0; i < r->m.max_items; i++)
		rows[i] = (struct qp_item){.id = r->m.rid + i, .delivery = 1};
	fake_reply(c, QP_OP_GET_RUN, &reply, "", 0);
}

/* `arg` are the gets that are still to be started. */
static void
get_another(qb *handle, uint64_t request, qb_result result, uint64_t id, qb_item *item,
	    void *arg)
{
	unsigned *left = arg;

	ck_assert_int_eq(result, QB_OK);
	qb_item_free(item);
	if (*left == 0)
		return;
	--*left;
	ck_assert_int_eq(qb_start_get(handle, "jobs", QB_FOREVER, QB_MANUAL,
				      get_another, left, NULL),
			 QB_OK);
}

/* All answers are there at once, and the broker need not wait until all are used. */
START_TEST(a_quarter_of_the_gets_is_asked_for_again_at_once)
{
	unsigned left = OUTSTANDING;

	fake.on[QP_OP_GET_RUN] = answer_all;
	for (int i = 0; i < OUTSTANDING; i++)
		ok(qb_start_get(q, "jobs", QB_FOREVER, QB_MANUAL, get_another, &left,
				NULL));
	ok(qb_wait(q, QB_FOREVER));
	ck_assert_uint_eq(fake.n_requests, 6);
	ck_assert_uint_eq(fake_request(&fake, 1)->m.max_items, OUTSTANDING);
	for (unsigned i = 2; i < 6; i++) {
		ck_assert_int_eq(fake_request(&fake, i)->m.op, QP_OP_GET_RUN);
		ck_assert_uint_eq(fake_request(&fake, i)->m.max_items, OUTSTANDING / 4);
	}
}
END_TEST

START_TEST(wait_ends_when_all_have_finished)
{
	struct seen seen = {0};

	for (int i = 0; i < 1000; i++)
		ok(qb_start_put(q, "jobs", "x", 1, QB_FOREVER, note, &seen, NULL));
	ok(qb_wait(q, QB_FOREVER));
	ck_assert_uint_eq(seen.calls, 1000);
	ok(qb_wait(q, 0));
}
END_TEST

START_TEST(a_blocking_call_finishes_what_was_started_before)
{
	struct seen seen = {0};

	fake.on[QP_OP_GET] = fake_answer;
	ok(qb_start_get(q, "jobs", 0, QB_AUTO, note, &seen, NULL));
	ok(qb_ping(q));
	ck_assert_uint_eq(seen.calls, 1);
	ok(qb_ping(q));
	ck_assert_int_eq(fake_request(&fake, 3)->m.op, QP_OP_ACK);
	ck_assert_int_eq(qb_ack(q, seen.keep), QB_STALE);
	qb_item_free(seen.keep);
}
END_TEST

START_TEST(wait_gives_up_in_time)
{
	struct seen seen = {0};

	fake.on[QP_OP_GET] = fake_ignore;
	ok(qb_start_get(q, "jobs", QB_FOREVER, QB_AUTO, note, &seen, NULL));
	ck_assert_int_eq(qb_wait(q, 20), QB_AGAIN);
	ck_assert_uint_eq(seen.calls, 0);
	qb_close(q);
	q = NULL;
	ck_assert_uint_eq(seen.calls, 1);
	ck_assert_int_eq(seen.result, QB_LOST);
	ck_assert_str_eq(seen.error, "the handle was closed");
}
END_TEST

START_TEST(cancel_ends_a_wait)
{
	struct seen seen = {0};
	uint64_t request;

	fake.on[QP_OP_GET] = fake_ignore;
	fake.on[QP_OP_CANCEL] = fake_cancel;
	ok(qb_start_get(q, "jobs", QB_FOREVER, QB_AUTO, note, &seen, &request));
	ok(qb_cancel(q, request));
	ck_assert_uint_eq(seen.calls, 0);
	ok(qb_wait(q, QB_FOREVER));
	ck_assert_uint_eq(seen.calls, 1);
	ck_assert_int_eq(seen.result, QB_CANCELLED);
	ck_assert_str_eq(seen.error, "cancelled");
	ck_assert_uint_eq(fake_request(&fake, 2)->m.target, request);
	ck_assert_int_eq(qb_cancel(q, request), QB_NOT_FOUND);
	ck_assert_int_eq(qb_cancel(q, 0), QB_NOT_FOUND);
	ck_assert_int_eq(qb_cancel(q, 99), QB_NOT_FOUND);
	ok(qb_put_start(q, "jobs", "x", 1));
	ck_assert_int_eq(qb_cancel(q, request + 2), QB_NOT_FOUND);
}
END_TEST

static void
cancel_too_late(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	fake_refuse(c, QP_NOT_FOUND, r->m.rid, "no such request waits");
}

START_TEST(a_result_on_the_way_beats_the_cancel)
{
	struct seen seen = {0};
	uint64_t request;

	fake.on[QP_OP_CANCEL] = cancel_too_late;
	ok(qb_start_put(q, "jobs", "x", 1, QB_FOREVER, note, &seen, &request));
	ok(qb_cancel(q, request));
	ok(qb_wait(q, QB_FOREVER));
	ok(qb_ping(q));
	ck_assert_uint_eq(seen.calls, 1);
	ck_assert_int_eq(seen.result, QB_OK);
}
END_TEST

static void
refuse(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	fake_refuse(c, QP_EMPTY, r->m.rid, "nothing here");
}

START_TEST(refusals_reach_the_callback)
{
	struct seen seen = {0};

	fake.on[QP_OP_GET] = refuse;
	ok(qb_start_get(q, "jobs", 0, QB_AUTO, note, &seen, NULL));
	ok(qb_wait(q, QB_FOREVER));
	ck_assert_uint_eq(seen.calls, 1);
	ck_assert_int_eq(seen.result, QB_EMPTY);
	ck_assert_str_eq(seen.error, "nothing here");
}
END_TEST

START_TEST(a_blocking_call_keeps_its_own_sentence)
{
	struct seen seen = {0};

	fake.on[QP_OP_GET] = refuse;
	fake.on[QP_OP_PUT] = fake_ignore;
	fake.on[QP_OP_JOIN] = cancel_too_late;
	ok(qb_start_get(q, "jobs", 0, QB_AUTO, note, &seen, NULL));
	ck_assert_int_eq(qb_join(q, "jobs", 0), QB_NOT_FOUND);
	ck_assert_str_eq(qb_error(q), "no such request waits");
	ck_assert_str_eq(seen.error, "nothing here");
}
END_TEST

START_TEST(a_session_that_was_not_resumed_finishes_every_put_once)
{
	struct seen seen[50] = {0};

	fake.on[QP_OP_PUT] = fake_ignore;
	fake.on[QP_OP_JOIN] = fake_hang_up_once;
	for (int i = 0; i < 50; i++)
		ok(qb_start_put(q, "jobs", "x", 1, QB_FOREVER, note, &seen[i], NULL));
	ok(qb_send(q));
	ok(qb_join(q, "jobs", QB_FOREVER));
	for (int i = 0; i < 50; i++) {
		ck_assert_uint_eq(seen[i].calls, 1);
		ck_assert_int_eq(seen[i].result, QB_LOST);
		ck_assert_str_eq(seen[i].error, "the session could not be resumed: the "
						"broker closed the connection");
	}
	ok(qb_wait(q, QB_FOREVER));
}
END_TEST

START_TEST(without_a_broker_requests_stay_outstanding)
{
	struct seen seen = {0};

	fake.on[QP_OP_GET] = fake_ignore;
	ok(qb_start_get(q, "jobs", QB_FOREVER, QB_AUTO, note, &seen, NULL));
	ok(qb_send(q));
	fake_stop(&fake);
	ck_assert_int_eq(qb_process(q), QB_LOST);
	ck_assert_int_eq(qb_fd(q), -1);
	ck_assert_int_eq(qb_events(q), 0);
	ck_assert_int_eq(qb_process(q), QB_LOST);
	ck_assert_int_eq(qb_wait(q, 0), QB_NO_BROKER);
	ck_assert_uint_eq(seen.calls, 0);
	fake.on[QP_OP_GET] = NULL;
	fake_run(&fake);
	ok(qb_process(q));
	ck_assert_int_ge(qb_fd(q), 0);
	ok(qb_wait(q, QB_FOREVER));
	ck_assert_uint_eq(seen.calls, 1);
	ck_assert_int_eq(seen.result, QB_OK);
	qb_item_free(seen.keep);
}
END_TEST

START_TEST(bad_arguments_start_nothing)
{
	struct seen seen = {0};
	qb_item item = {.id = 5};

	ck_assert_int_eq(qb_start_put(q, "", "x", 1, 0, note, &seen, NULL), QB_INVALID);
	ck_assert_int_eq(qb_start_put(q, "jobs", "x", 1, -1, note, &seen, NULL),
			 QB_INVALID);
	ck_assert_int_eq(qb_start_put(q, "jobs", "x", 1, 0, NULL, NULL, NULL),
			 QB_INVALID);
	ck_assert_int_eq(qb_start_put(q, "jobs", "x", FAKE_MAX_ITEM + 1, 0, note, &seen,
				      NULL),
			 QB_TOO_BIG);
	ck_assert_int_eq(qb_start_get(q, "jobs", 0, (qb_ack_mode)9, note, &seen, NULL),
			 QB_INVALID);
	ck_assert_int_eq(qb_start_get(q, "jobs", -3, QB_AUTO, note, &seen, NULL),
			 QB_INVALID);
	ck_assert_int_eq(qb_start_join(q, "jobs", -3, note, &seen, NULL), QB_INVALID);
	ck_assert_int_eq(qb_start_join(q, NULL, 0, note, &seen, NULL), QB_INVALID);
	ck_assert_int_eq(qb_start_ack(q, NULL, note, &seen, NULL), QB_INVALID);
	ck_assert_int_eq(qb_start_ack(q, &item, note, &seen, NULL), QB_STALE);
	ok(qb_wait(q, QB_FOREVER));
	ok(qb_ping(q));
	ck_assert_uint_eq(seen.calls, 0);
	ck_assert_uint_eq(fake.n_requests, 2);
}
END_TEST

/* --- from within a callback -------------------------------------------------------- */

static unsigned links;

/* Starts the next of a chain of requests. */
static void
chain(qb *handle, uint64_t request, qb_result result, uint64_t id, qb_item *item,
      void *arg)
{
	qb_item_free(item);
	ck_assert_int_eq(result, QB_OK);
	if (++links < 100)
		ck_assert_int_eq(qb_start_get(handle, "jobs", 0, QB_AUTO, chain, NULL,
					      NULL),
				 QB_OK);
}

START_TEST(a_callback_may_start_requests)
{
	links = 0;
	ok(qb_start_get(q, "jobs", 0, QB_AUTO, chain, NULL, NULL));
	ok(qb_wait(q, QB_FOREVER));
	ck_assert_uint_eq(links, 100);
}
END_TEST

static void
try_everything(qb *handle, uint64_t request, qb_result result, uint64_t id,
	       qb_item *item, void *arg)
{
	qb_item *got;

	qb_item_free(item);
	ck_assert_int_eq(qb_put(handle, "jobs", "x", 1, 0, NULL), QB_BAD_STATE);
	ck_assert_int_eq(qb_get(handle, "jobs", 0, QB_AUTO, &got), QB_BAD_STATE);
	ck_assert_int_eq(qb_flush(handle, 0), QB_BAD_STATE);
	ck_assert_int_eq(qb_wait(handle, 0), QB_BAD_STATE);
	ck_assert_int_eq(qb_process(handle), QB_BAD_STATE);
	ck_assert_int_eq(qb_close_wait(handle, 0), QB_BAD_STATE);
	ck_assert_int_eq(qb_send(handle), result == QB_LOST ? QB_LOST : QB_OK);
	ck_assert_int_eq(qb_put_start(handle, "jobs", "x", 1),
			 result == QB_LOST ? QB_LOST : QB_OK);
	ck_assert_int_eq(qb_start_get(handle, "jobs", 0, QB_AUTO, note, arg, NULL),
			 result == QB_LOST ? QB_LOST : QB_OK);
}

START_TEST(a_callback_must_not_wait)
{
	struct seen seen = {0};

	ok(qb_start_get(q, "jobs", 0, QB_AUTO, try_everything, &seen, NULL));
	ok(qb_wait(q, QB_FOREVER));
	ck_assert_uint_eq(seen.calls, 1);
	ok(qb_flush(q, QB_FOREVER));
	qb_item_free(seen.keep);
}
END_TEST

START_TEST(a_callback_makes_no_connection)
{
	struct seen seen = {0};

	fake.on[QP_OP_GET] = fake_ignore;
	ok(qb_start_get(q, "jobs", 0, QB_AUTO, try_everything, &seen, NULL));
	ok(qb_close_wait(q, 0));
	q = NULL;
	ck_assert_uint_eq(seen.calls, 0);
	ck_assert_uint_eq(fake.n_conns, 1);
}
END_TEST

static uint64_t other_request;

static void
cancel_the_other(qb *handle, uint64_t request, qb_result result, uint64_t id,
		 qb_item *item, void *arg)
{
	ck_assert_int_eq(qb_cancel(handle, other_request), QB_OK);
}

START_TEST(a_callback_may_cancel)
{
	struct seen seen = {0};

	fake.on[QP_OP_GET] = fake_ignore;
	fake.on[QP_OP_CANCEL] = fake_cancel;
	ok(qb_start_put(q, "jobs", "x", 1, 0, cancel_the_other, NULL, NULL));
	ok(qb_start_get(q, "jobs", QB_FOREVER, QB_AUTO, note, &seen, &other_request));
	ok(qb_wait(q, QB_FOREVER));
	ck_assert_int_eq(seen.result, QB_CANCELLED);
	ck_assert_uint_eq(seen.calls, 1);
}
END_TEST

/* Starts two gets, which gather; then the broker breaks the protocol. */
static struct seen after_end;

static void
cancel_the_last(qb *handle, uint64_t request, qb_result result, uint64_t id,
		qb_item *item, void *arg)
{
	links++;
	ck_assert_int_eq(result, QB_MALFORMED);
	ck_assert_int_eq(qb_cancel(handle, other_request), QB_LOST);
}

static void
start_two(qb *handle, uint64_t request, qb_result result, uint64_t id, qb_item *item,
	  void *arg)
{
	qb_item_free(item);
	ck_assert_int_eq(qb_start_get(handle, "jobs", 5, QB_AUTO, cancel_the_last, NULL,
				      NULL),
			 QB_OK);
	ck_assert_int_eq(qb_start_get(handle, "jobs", 5, QB_AUTO, note, &after_end,
				      &other_request),
			 QB_OK);
}

static void
answer_and_break(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	static const uint8_t reply[] = {0, 0, 0, 4, 0, 0, 0, 0, 0x93, 0,
					2, 1, 0, 0, 0, 0, 0, 0, 0,    0};

	fake_write(c, reply, sizeof(reply));
}

START_TEST(what_gathered_may_be_cancelled_when_all_is_over)
{
	links = 0;
	after_end = (struct seen){0};
	fake.on[QP_OP_PUT] = answer_and_break;
	ok(qb_start_put(q, "jobs", "x", 1, 5, start_two, NULL, NULL));
	ck_assert_int_eq(qb_wait(q, QB_FOREVER), QB_MALFORMED);
	ck_assert_uint_eq(links, 1);
	ck_assert_uint_eq(after_end.calls, 1);
	ck_assert_int_eq(after_end.result, QB_MALFORMED);
}
END_TEST

#define WAIT_MS	   60000
#define WITHOUT_MS 50

static void
start_one(qb *handle, uint64_t request, qb_result result, uint64_t id, qb_item *item,
	  void *arg)
{
	ck_assert_int_eq(
		qb_start_get(handle, "jobs", WAIT_MS, QB_AUTO, note, arg, NULL), QB_OK);
}

static void
answer_and_hang_up(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	fake_answer(f, c, r);
	fake_close(c);
}

/* The put's answer is read when the next one cannot be written. */
START_TEST(a_get_that_gathered_without_a_link_waits_no_longer_for_it)
{
	struct seen seen = {0}, put = {0};

	fake.on[QP_OP_PUT] = answer_and_hang_up;
	ok(qb_start_put(q, "jobs", "x", 1, 5, start_one, &seen, NULL));
	ok(qb_send(q));
	fake_wait_requests(&fake, 2);
	fake_stop(&fake);
	ok(qb_start_put(q, "jobs", "y", 1, 5, note, &put, NULL));
	ck_assert_int_eq(qb_wait(q, WITHOUT_MS), QB_NO_BROKER);
	fake.on[QP_OP_PUT] = NULL;
	fake_run(&fake);
	ok(qb_wait(q, QB_FOREVER));
	ck_assert_int_eq(seen.result, QB_OK);
	ck_assert_int_eq(put.result, QB_OK);
	ck_assert_int_eq(fake_request(&fake, 4)->m.op, QP_OP_GET);
	ck_assert_uint_le(fake_request(&fake, 4)->m.timeout_ms, WAIT_MS - WITHOUT_MS);
	qb_item_free(seen.keep);
}
END_TEST

START_TEST(a_long_wait_does_not_hold_up_many_requests)
{
	struct seen get = {0}, puts = {0};

	fake.on[QP_OP_GET] = fake_ignore;
	ok(qb_start_get(q, "jobs", QB_FOREVER, QB_AUTO, note, &get, NULL));
	for (int i = 0; i < 1000; i++) {
		ok(qb_start_put(q, "jobs", "x", 1, 0, note, &puts, NULL));
		ok(qb_put(q, "jobs", "x", 1, 0, NULL));
	}
	ck_assert_uint_eq(puts.calls, 1000);
	ck_assert_uint_eq(get.calls, 0);
	ck_assert_uint_le(q->calls.mask, 127);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("async");

	tcase_add_checked_fixture(t, open_broker, close_broker);
	tcase_add_test(t, started_requests_finish_in_the_callers_loop);
	tcase_add_test(t, gets_that_wait_share_frames_and_finish_one_by_one);
	tcase_add_test(t, what_is_left_of_gets_that_shared_a_frame_is_sent_again);
	tcase_add_test(t, a_reply_for_more_gets_than_there_are_is_malformed);
	tcase_add_test(t, a_quarter_of_the_gets_is_asked_for_again_at_once);
	tcase_add_test(t, wait_ends_when_all_have_finished);
	tcase_add_test(t, a_blocking_call_finishes_what_was_started_before);
	tcase_add_test(t, wait_gives_up_in_time);
	tcase_add_test(t, cancel_ends_a_wait);
	tcase_add_test(t, a_result_on_the_way_beats_the_cancel);
	tcase_add_test(t, refusals_reach_the_callback);
	tcase_add_test(t, a_blocking_call_keeps_its_own_sentence);
	tcase_add_test(t, a_session_that_was_not_resumed_finishes_every_put_once);
	tcase_add_test(t, without_a_broker_requests_stay_outstanding);
	tcase_add_test(t, bad_arguments_start_nothing);
	tcase_add_test(t, a_callback_may_start_requests);
	tcase_add_test(t, a_callback_must_not_wait);
	tcase_add_test(t, a_callback_makes_no_connection);
	tcase_add_test(t, a_callback_may_cancel);
	tcase_add_test(t, what_gathered_may_be_cancelled_when_all_is_over);
	tcase_add_test(t, a_get_that_gathered_without_a_link_waits_no_longer_for_it);
	tcase_add_test(t, a_long_wait_does_not_hold_up_many_requests);
	return run_case(t);
}
