/* SPDX-License-Identifier: MIT
 *
 * Events for those who watch.
 */
#include "tests/core/engine_kit.h"

#include <stdio.h>

#define MS UINT64_C(1000000)

static const char *const kinds[QE_EVENTS] = {
	[QE_EVENT_CRASHED] = "crashed",	  [QE_EVENT_TIMED_OUT] = "timed_out",
	[QE_EVENT_DEAD] = "dead",	  [QE_EVENT_FULL] = "full",
	[QE_EVENT_STALLED] = "stalled",	  [QE_EVENT_SHUTDOWN] = "shutdown",
	[QE_EVENT_REOPENED] = "reopened", [QE_EVENT_PAUSED] = "paused",
	[QE_EVENT_RESUMED] = "resumed",	  [QE_EVENT_LOST] = "lost",
};

/* All events since the last call: "KIND QUEUE ID DELIVERIES" each. */
static const char *
events(void)
{
	static char text[1024];
	struct qe_event event;
	size_t len = 0;

	text[0] = 0;
	while (qe_next_event(e, &event))
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"%s%s %.*s %d %u%s%.*s", len ? ", " : "",
					kinds[event.kind], (int)event.queue.len,
					event.queue.p, (int)event.id, event.deliveries,
					event.worker.len ? " " : "",
					(int)event.worker.len, event.worker.p);
	return text;
}

START_TEST(nothing_is_kept_while_nobody_watches)
{
	ck_assert_int_eq(qe_shutdown(e, now, name("q"), false), QE_OK);
	ck_assert_str_eq(events(), "");
	ck_assert_int_eq(qe_watch(e, true), QE_OK);
	ck_assert_str_eq(events(), "");
	ck_assert_int_eq(qe_reopen(e, now, name("q")), QE_OK);
	ck_assert_int_eq(qe_watch(e, false), QE_OK);
	ck_assert_str_eq(events(), "");
}
END_TEST

START_TEST(what_is_done_to_a_queue_is_told)
{
	ck_assert_int_eq(qe_watch(e, true), QE_OK);
	ck_assert_int_eq(qe_shutdown(e, now, name("q"), false), QE_OK);
	ck_assert_int_eq(qe_reopen(e, now, name("q")), QE_OK);
	ck_assert_int_eq(qe_reopen(e, now, name("q")), QE_OK);
	ck_assert_int_eq(qe_pause(e, now, name("q"),
				  &(struct qe_pause){.has_in = true, .in = true}),
			 QE_OK);
	ck_assert_int_eq(
		qe_pause(e, now, name("q"), &(struct qe_pause){.has_in = true}), QE_OK);
	ck_assert_str_eq(events(),
			 "shutdown q 0 0, reopened q 0 0, paused q 0 0, resumed q 0 0");
}
END_TEST

START_TEST(items_that_come_back_are_told_unless_they_are_given_back)
{
	struct qe_tag tag;

	ck_assert_int_eq(qe_watch(e, true), QE_OK);
	for (int i = 0; i < 3; i++)
		put_ok("q", "a");
	tag = take(s1, "q", "a");
	ck_assert_int_eq(qe_release(e, now, s1, tag), QE_OK);
	ck_assert_str_eq(events(), "");
	ck_assert_int_eq(qe_session_set_name(e, s3, name("w3")), QE_OK);
	take(s3, "q", "a");
	take(s3, "q", "a");
	qe_session_end(e, now, s3, QE_END_LOST);

	ck_assert_str_eq(events(), "crashed q 1 2 w3, crashed q 2 1 w3");
	ck_assert_int_eq(get_as(s1, 1, "q", (struct qe_get){.lease_ns = 10 * MS}),
			 QE_OK);
	tick_at(now + 10 * MS);
	ck_assert_str_eq(events(), "timed_out q 1 3");
}
END_TEST

START_TEST(an_item_that_dies_is_told)
{
	struct qe_declare once = {.has_max_crashes = true, .max_crashes = 1};
	struct qe_queue_stats stats;
	bool created;

	ck_assert_int_eq(qe_declare(e, now, name("q"), &once, &created, &stats), QE_OK);
	ck_assert_int_eq(qe_watch(e, true), QE_OK);
	put_ok("q", "a");
	take(s3, "q", "a");
	qe_session_end(e, now, s3, QE_END_LOST);
	ck_assert_str_eq(events(), "dead q 1 1");
}
END_TEST

START_TEST(the_first_put_that_waits_is_told)
{
	struct qe_declare one = {.has_maxsize = true, .maxsize = 1};
	struct qe_queue_stats stats;
	bool created;

	ck_assert_int_eq(qe_declare(e, now, name("q"), &one, &created, &stats), QE_OK);
	ck_assert_int_eq(qe_watch(e, true), QE_OK);
	put_ok("q", "a");
	ck_assert_str_eq(events(), "");
	ck_assert_int_eq(put(s1, 1, "q", "b", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(put(s2, 1, "q", "c", QE_NEVER), QE_WAIT);
	ck_assert_str_eq(events(), "full q 0 0");
	ck_assert_int_eq(qe_cancel(e, now, s1, 1), QE_OK);
	expect(s1, 1, QE_CANCELLED);
	ck_assert_int_eq(qe_cancel(e, now, s2, 1), QE_OK);
	expect(s2, 1, QE_CANCELLED);
	ck_assert_int_eq(put(s2, 1, "q", "c", QE_NEVER), QE_WAIT);
	ck_assert_str_eq(events(), "full q 0 0");
	ck_assert_int_eq(qe_cancel(e, now, s2, 1), QE_OK);
	expect(s2, 1, QE_CANCELLED);
}
END_TEST

START_TEST(a_join_that_stalled_is_told)
{
	struct qe_join join = {.deadline_ns = QE_NEVER, .stall_ns = 10 * MS};

	put_ok("q", "a");
	ck_assert_int_eq(qe_watch(e, true), QE_OK);
	ck_assert_int_eq(qe_join(e, now, s1, 1, name("q"), &join), QE_WAIT);
	tick_at(now + 20 * MS);
	expect(s1, 1, QE_STALLED);
	ck_assert_str_eq(events(), "stalled q 0 0");
}
END_TEST

START_TEST(what_there_is_no_room_for_is_counted)
{
	struct qe_event event;
	unsigned n = 0;

	ck_assert_int_eq(qe_watch(e, true), QE_OK);
	for (int i = 0; i < 5000; i++)
		ck_assert_int_eq(qe_shutdown(e, now, name("q"), false), QE_OK);
	while (qe_next_event(e, &event) && event.kind == QE_EVENT_SHUTDOWN)
		n++;
	ck_assert_int_eq(event.kind, QE_EVENT_LOST);
	ck_assert_uint_eq(n + event.lost, 5000);
	ck_assert_uint_gt(n, 100);
	ck_assert(!qe_next_event(e, &event));
	ck_assert_int_eq(qe_shutdown(e, now, name("q"), false), QE_OK);
	ck_assert_str_eq(events(), "shutdown q 0 0");
}
END_TEST

START_TEST(the_name_outlives_its_queue)
{
	ck_assert_int_eq(qe_watch(e, true), QE_OK);
	ck_assert_int_eq(qe_shutdown(e, now, name("gone"), false), QE_OK);
	ck_assert_int_eq(qe_delete(e, now, name("gone"), false), QE_OK);
	ck_assert_str_eq(events(), "shutdown gone 0 0");
}
END_TEST

static void
add(TCase *t)
{
	tcase_add_test(t, nothing_is_kept_while_nobody_watches);
	tcase_add_test(t, what_is_done_to_a_queue_is_told);
	tcase_add_test(t, items_that_come_back_are_told_unless_they_are_given_back);
	tcase_add_test(t, an_item_that_dies_is_told);
	tcase_add_test(t, the_first_put_that_waits_is_told);
	tcase_add_test(t, a_join_that_stalled_is_told);
	tcase_add_test(t, what_there_is_no_room_for_is_counted);
	tcase_add_test(t, the_name_outlives_its_queue);
}

int
main(void)
{
	return kit_main("watch", add);
}
