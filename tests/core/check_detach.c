/* SPDX-License-Identifier: MIT
 *
 * A session whose link is lost: what it holds stays, what it waited for is forgotten, and a put of
 * many that was accepted in part goes on where it was.
 */
#include "tests/core/engine_kit.h"
#include "tests/lib/alloc_fail.h"

static struct qe_item *rest[8];

/* Goes on with the put of many in `got`; the undecided bodies are those from `from` on. */
static enum qe_result
put_rest(struct qe_session *s, uint64_t rid, const char *queue, unsigned from,
	 uint64_t deadline)
{
	struct qe_reply begun = got;
	enum qe_result result;

	got = (struct qe_reply){.request = QE_REQUEST_PUT};
	for (unsigned i = from; i < begun.n; i++)
		rest[i] = new_item("r");
	ALLOC_WATCH(result, qe_put_rest(e, now, s, rid, name(queue), deadline, &begun,
					rest, &got));
	return result;
}

static void
bounded(const char *queue, int64_t maxsize)
{
	struct qe_declare declare = {.has_maxsize = true, .maxsize = maxsize};
	struct qe_queue_stats stats;
	bool created;

	ck_assert_int_eq(qe_declare(e, now, name(queue), &declare, &created, &stats),
			 QE_OK);
}

START_TEST(leases_stay_and_their_tags_are_valid)
{
	struct qe_item *item;
	struct qe_tag tag;

	put_ok("q", "a");
	tag = take(s1, "q", "a");
	qe_session_detach(e, now, s1);
	ck_assert_uint_eq(stats_of("q").leased, 1);
	ck_assert_int_eq(qe_leased(e, s2, tag, &item), QE_STALE);
	ck_assert_int_eq(qe_leased(e, s1, tag, &item), QE_OK);
	ck_assert_uint_eq(qe_item_id(item), tag.id);
	qe_item_unref(e, item);
	ck_assert_int_eq(qe_ack(e, now, s1, tag), QE_OK);
	ck_assert_int_eq(qe_leased(e, s1, tag, &item), QE_STALE);
}
END_TEST

START_TEST(what_waits_leaves_the_lines_at_once)
{
	struct qe_tag tag;

	bounded("q", 1);
	put_ok("q", "a");
	put_ok("j", "b");
	ck_assert_int_eq(put(s1, 1, "q", "ghost", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get(s1, 2, "empty", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(join_group(s1, 3, "j", "", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get(s2, 1, "empty", QE_NEVER), QE_WAIT);
	qe_session_detach(e, now, s1);
	expect_nothing();
	tag = take(s2, "q", "a");
	ck_assert_int_eq(qe_ack(e, now, s2, tag), QE_OK);
	ck_assert_uint_eq(stats_of("q").ready, 0);
	put_ok("empty", "c");
	expect(s2, 1, QE_OK);
	/* The same request may come again. */
	ck_assert_int_eq(get(s1, 2, "empty", QE_NEVER), QE_WAIT);
}
END_TEST

START_TEST(those_behind_it_go_on)
{
	bounded("q", 2);
	put_ok("q", "a");
	ck_assert_int_eq(put_many(s1, 1, "q", "b c", QE_NEVER, true), QE_WAIT);
	ck_assert_int_eq(put(s2, 1, "q", "d", QE_NEVER), QE_WAIT);
	qe_session_detach(e, now, s1);
	expect(s2, 1, QE_OK);
}
END_TEST

START_TEST(an_answer_that_was_not_taken_still_comes)
{
	ck_assert_int_eq(get(s1, 1, "q", QE_NEVER), QE_WAIT);
	put_ok("q", "a");
	qe_session_detach(e, now, s1);
	expect(s1, 1, QE_OK);
	ck_assert_uint_eq(stats_of("q").leased, 1);
}
END_TEST

START_TEST(a_put_of_many_goes_on_with_the_rest)
{
	int64_t first;

	bounded("q", 1);
	ck_assert_int_eq(put_many(s1, 1, "q", "a b c", QE_NEVER, false), QE_WAIT);
	qe_session_detach(e, now, s1);
	expect(s1, 1, QE_OK);
	first = result_of(0);
	ck_assert_int_gt(first, 0);
	ck_assert_int_eq(result_of(1), -QE_UNDECIDED);
	ck_assert_int_eq(result_of(2), -QE_UNDECIDED);
	ck_assert_uint_eq(stats_of("q").putters, 0);
	ck_assert_int_eq(put_rest(s1, 1, "q", 1, QE_NEVER), QE_WAIT);
	take(s2, "q", "a");
	take(s2, "q", "r");
	expect(s1, 1, QE_OK);
	ck_assert_uint_eq(got.n, 3);
	ck_assert_int_eq(result_of(0), first);
	ck_assert_int_gt(result_of(1), first);
	ck_assert_int_gt(result_of(2), result_of(1));
}
END_TEST

START_TEST(without_memory_the_rest_is_refused_item_by_item)
{
	enum qe_result result;

	bounded("q", 1);
	ck_assert_int_eq(put_many(s1, 1, "q", "a b", QE_NEVER, false), QE_WAIT);
	alloc_fail.all_after = true;
	alloc_fail.at = 1;
	ALLOC_WATCH(result, (qe_session_detach(e, now, s1), QE_OK));
	ck_assert_int_eq(result, QE_OK);
	ck_assert(!alloc_fail.failed);
	alloc_fail.at = 0;
	expect(s1, 1, QE_OK);
	alloc_fail.at = alloc_fail.count + 1;
	ck_assert_int_eq(put_rest(s1, 1, "q", 1, QE_NEVER), QE_OK);
	alloc_fail.at = 0;
	ck_assert_int_gt(result_of(0), 0);
	ck_assert_int_eq(result_of(1), -QE_NOMEM);
}
END_TEST

static void
add(TCase *tcase)
{
	tcase_add_test(tcase, leases_stay_and_their_tags_are_valid);
	tcase_add_test(tcase, what_waits_leaves_the_lines_at_once);
	tcase_add_test(tcase, those_behind_it_go_on);
	tcase_add_test(tcase, an_answer_that_was_not_taken_still_comes);
	tcase_add_test(tcase, a_put_of_many_goes_on_with_the_rest);
	tcase_add_test(tcase, without_memory_the_rest_is_refused_item_by_item);
}

int
main(void)
{
	return kit_main("detach", add);
}
