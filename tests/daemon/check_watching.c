/* SPDX-License-Identifier: MIT
 * Who watches is told, and who does not read is told how much it has missed. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/daemon/net_kit.h"

static void
watch(struct client *c, const char *queue, bool stop)
{
	struct qp_request m = {.op = QP_OP_WATCH, .rid = 90};

	if (queue)
		m.queue = (struct qp_str){queue, (uint32_t)strlen(queue)};
	if (stop)
		QP_GIVE(&m.options, stop, 1);
	ask(c, &m, "", 0);
	expect(c, QP_OP_WATCH, 90, QP_OK);
}

static void
shut(struct client *c, const char *queue)
{
	struct qp_request m = {.op = QP_OP_SHUTDOWN,
			       .rid = 91,
			       .queue = {queue, (uint32_t)strlen(queue)}};

	ask(c, &m, "", 0);
	expect(c, QP_OP_SHUTDOWN, 91, QP_OK);
}

static bool
is(struct qp_str s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
}

static void
expect_event(struct client *c, const char *event, struct answer *a)
{
	answer(c, 0, a);
	ck_assert_uint_eq(a->reply.rid, 0);
	ck_assert_uint_eq(a->reply.notice, QP_NOTICE_EVENT);
	ck_assert_msg(is(a->reply.options.event, event), "%s, not %.*s", event,
		      (int)a->reply.options.event.len, a->reply.options.event.p);
	ck_assert_uint_gt(a->reply.options.at_ms, 1000000);
}

/* Nothing is on its way. */
static void
expect_silence(struct client *c)
{
	ask(c, &(struct qp_request){.op = QP_OP_PING, .rid = 99}, "", 0);
	expect(c, QP_OP_PING, 99, QP_OK);
}

START_TEST(events_go_to_who_watches_what_they_are_of)
{
	struct client *all = client_new(), *one = client_new(), *c = client_new();
	struct answer a;

	shut(c, "q");
	watch(all, NULL, false);
	watch(one, "r", false);
	shut(c, "q");
	shut(c, "r");
	expect_event(all, "shutdown", &a);
	ck_assert(is(a.reply.options.queue, "q"));
	expect_event(all, "shutdown", &a);
	ck_assert(is(a.reply.options.queue, "r"));
	expect_event(one, "shutdown", &a);
	ck_assert(is(a.reply.options.queue, "r"));
	watch(all, NULL, true);
	shut(c, "r");
	expect_silence(all);
	expect_event(one, "shutdown", &a);
	client_end(one);
	shut(c, "r");
	expect_silence(c);
	client_end(all);
	client_end(c);
}
END_TEST

START_TEST(a_client_that_dies_is_told_before_its_items_come_back)
{
	struct client *all = client_new(), *c = client_new();
	struct answer a;

	put(c, 2, "a", 1);
	expect(c, QP_OP_PUT, 2, QP_OK);
	get(c, 3, 0);
	expect_item(c, 3, "a", 1);
	watch(all, NULL, false);
	client_end(c);
	expect_event(all, "client_died", &a);
	ck_assert(QP_GIVEN(&a.reply.options, pid));
	expect_event(all, "crashed", &a);
	ck_assert_uint_eq(a.reply.options.id, 1);
	ck_assert(QP_GIVEN(&a.reply.options, worker));
	ck_assert_ptr_nonnull(memmem(a.reply.options.worker.p,
				     a.reply.options.worker.len, "(pid ", 5));
	ck_assert_uint_eq(a.reply.options.delivery, 1);
	ck_assert(is(a.reply.options.queue, "q"));
	client_end(all);
}
END_TEST

START_TEST(who_does_not_read_loses_events_and_is_told_how_many)
{
	struct client *slow = client_new(), *c = client_new();
	struct answer a;
	unsigned seen = 0;

	server->limits.output_high = 10000;
	watch(slow, NULL, false);
	for (int i = 0; i < 10000; i++)
		shut(c, "q");
	do {
		answer(slow, 0, &a);
		seen++;
	} while (is(a.reply.options.event, "shutdown"));
	ck_assert(is(a.reply.options.event, "lost"));
	ck_assert_uint_gt(a.reply.options.count, 0);
	ck_assert_uint_eq(seen - 1 + a.reply.options.count, 10000);
	client_end(slow);
	client_end(c);
}
END_TEST

START_TEST(what_the_engine_has_no_room_for_is_counted)
{
	struct client *all = client_new();
	struct answer a;
	struct qe_name name = {"q", 1};

	watch(all, "r", false);
	for (int i = 0; i < 5000; i++)
		ck_assert_int_eq(qe_shutdown(server->engine, server->now_ns, name,
					     false),
				 QE_OK);
	turn();
	expect_event(all, "lost", &a);
	ck_assert_uint_gt(a.reply.options.count, 1000);
	ck_assert_uint_lt(a.reply.options.count, 5000);
	client_end(all);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("watching");
	TCase *t = tcase_create("watching");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, events_go_to_who_watches_what_they_are_of);
	tcase_add_test(t, a_client_that_dies_is_told_before_its_items_come_back);
	tcase_add_test(t, who_does_not_read_loses_events_and_is_told_how_many);
	tcase_add_test(t, what_the_engine_has_no_room_for_is_counted);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
