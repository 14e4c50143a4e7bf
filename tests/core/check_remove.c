/* SPDX-License-Identifier: MIT
 *
 * One item is deleted by its id, wherever it stands.
 */
#include "tests/core/engine_kit.h"

static struct qe_search search;

static enum qe_result
delete_item(const char *queue, uint64_t id, bool force)
{
	enum qe_result result;

	do
		result = qe_delete_item(e, now, name(queue), id, force, &search);
	while (result == QE_WAIT);
	return result;
}

static void
delete_ok(const char *queue, uint64_t id)
{
	ck_assert_int_eq(delete_item(queue, id, false), QE_OK);
	ck_assert_int_eq(delete_item(queue, id, false), QE_NOT_FOUND);
}

START_TEST(ready_items_are_deleted_and_counted)
{
	uint64_t ids[9];

	for (int i = 0; i < 9; i++)
		ids[i] = put_ok("q", "x");
	for (int i = 8; i > 0; i -= 2)
		delete_ok("q", ids[i]);
	delete_ok("q", ids[0]);
	ck_assert_uint_eq(stats_of("q").ready, 4);
	ck_assert_uint_eq(stats_of("q").bytes, 4);
	ck_assert_uint_eq(stats_of("q").counters.purged, 5);
}
END_TEST

START_TEST(it_is_found_in_every_order)
{
	static const enum qe_order orders[] = {QE_FIFO, QE_LIFO, QE_PRIORITY};
	static const char *const names[] = {"fifo", "lifo", "priority"};

	for (int i = 0; i < 3; i++) {
		uint64_t a, b, c;
		struct qe_tag tag;

		declare_order(names[i], orders[i]);
		a = put_priority(names[i], "a", 5);
		b = put_priority(names[i], "b", -5);
		c = put_priority(names[i], "c", 0);
		ck_assert_int_eq(get(s1, 1, names[i], NO_WAIT), QE_OK);
		tag = tag_of(got.item);
		ck_assert_int_eq(qe_release(e, now, s1, tag), QE_OK); /* sorted in */
		delete_ok(names[i], c);
		delete_ok(names[i], b);
		delete_ok(names[i], a);
	}
}
END_TEST

START_TEST(delayed_grouped_and_timed_ones_are_found)
{
	uint64_t timed = put_timed("q", "timed", 0, now + 100);
	uint64_t delayed = put_timed("q", "delayed", now + 10, QE_NEVER);
	uint64_t grouped = put_grouped("q", "g", "grouped");

	put_grouped("q", "h", "another");
	ck_assert_int_eq(join_group(s2, 7, "q", "g", QE_NEVER), QE_WAIT);
	delete_ok("q", delayed);
	delete_ok("q", grouped);
	expect(s2, 7, QE_OK);
	delete_ok("q", timed);
	ck_assert_uint_eq(stats_of("q").ready, 1);
	tick_at(now + 100);
}
END_TEST

START_TEST(the_dead_are_deleted_too)
{
	uint64_t id = put_ok("q", "a");

	ck_assert_int_eq(qe_bury(e, now, s1, take(s1, "q", "a"), name("")), QE_OK);
	delete_ok("q", id);
	ck_assert_uint_eq(stats_of("q").dead, 0);
	ck_assert_uint_eq(stats_of("q").counters.purged, 1);
}
END_TEST

START_TEST(what_is_held_is_deleted_by_force_alone)
{
	uint64_t id = put_ok("q", "a");
	struct qe_tag tag = take(s1, "q", "a");

	ck_assert_int_eq(join_group(s2, 7, "q", "", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(delete_item("q", id, false), QE_NOT_EMPTY);
	ck_assert_uint_eq(stats_of("q").leased, 1);
	ck_assert_int_eq(delete_item("q", id, true), QE_OK);
	expect(s2, 7, QE_OK);
	ck_assert_int_eq(qe_ack(e, now, s1, tag), QE_STALE);
	ck_assert_int_eq(delete_item("q", id, true), QE_NOT_FOUND);
	qe_session_end(e, now, s1, QE_END_LOST);
	tick_at(now);
	ck_assert_uint_eq(stats_of("q").ready, 0);
}
END_TEST

START_TEST(there_is_room_for_who_waits)
{
	struct qe_declare one = {.has_maxsize = true, .maxsize = 1};
	struct qe_queue_stats stats;
	bool created;
	uint64_t id;

	ck_assert_int_eq(qe_declare(e, now, name("q"), &one, &created, &stats), QE_OK);
	id = put_ok("q", "a");
	ck_assert_int_eq(put(s1, 5, "q", "b", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(delete_item("q", id, false), QE_OK);
	expect(s1, 5, QE_OK);
	take(s1, "q", "b");
}
END_TEST

START_TEST(only_an_item_of_the_queue_is_deleted)
{
	uint64_t id = put_ok("a", "x"), held = put_ok("b", "y");

	take(s1, "b", "y");
	ck_assert_int_eq(delete_item("b", id, true), QE_NOT_FOUND);
	ck_assert_int_eq(delete_item("a", held, true), QE_NOT_FOUND);
	ck_assert_int_eq(delete_item("a", held + 1, true), QE_NOT_FOUND);
	ck_assert_int_eq(delete_item("nothing", id, true), QE_NOT_FOUND);
	ck_assert_int_eq(delete_item("", id, true), QE_INVALID);
}
END_TEST

static void
add(TCase *tcase)
{
	tcase_add_test(tcase, ready_items_are_deleted_and_counted);
	tcase_add_test(tcase, it_is_found_in_every_order);
	tcase_add_test(tcase, delayed_grouped_and_timed_ones_are_found);
	tcase_add_test(tcase, the_dead_are_deleted_too);
	tcase_add_test(tcase, what_is_held_is_deleted_by_force_alone);
	tcase_add_test(tcase, there_is_room_for_who_waits);
	tcase_add_test(tcase, only_an_item_of_the_queue_is_deleted);
}

int
main(void)
{
	return kit_main("remove", add);
}
