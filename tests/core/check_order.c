/* SPDX-License-Identifier: MIT
 *
 * The order in which a queue gives its items, and the places of those that come back.
 */
#include "tests/core/engine_kit.h"

/* Gets everything: the bodies. */
static const char *
all_of(const char *queue)
{
	ck_assert_int_eq(get_many(s1, 7, queue, 1, 100, 0, NO_WAIT), QE_OK);
	return bodies();
}

START_TEST(a_queue_is_fifo_unless_it_is_declared_otherwise)
{
	put_ok("q", "a");
	put_priority("q", "b", -5);
	put_ok("q", "c");
	ck_assert_int_eq(stats_of("q").order, QE_FIFO);
	ck_assert_str_eq(all_of("q"), "a b c");
}
END_TEST

START_TEST(lifo_gives_the_youngest_first)
{
	struct qe_item *item;

	declare_order("q", QE_LIFO);
	put_ok("q", "a");
	put_priority("q", "b", 5);
	put_ok("q", "c");
	ck_assert_int_eq(qe_peek(e, name("q"), &item), QE_OK);
	ck_assert_uint_eq(qe_item_id(item), 3);
	qe_item_unref(e, item);
	ck_assert_str_eq(all_of("q"), "c b a");
}
END_TEST

START_TEST(priority_gives_the_lowest_first_and_fifo_inside_a_level)
{
	declare_order("q", QE_PRIORITY);
	put_priority("q", "z1", 0);
	put_priority("q", "y", 1);
	put_priority("q", "a", INT32_MIN);
	put_priority("q", "z2", 0);
	put_priority("q", "x", INT32_MAX);
	put_priority("q", "b", -1);
	put_priority("q", "z0", 0); /* its body is not compared */
	ck_assert_str_eq(all_of("q"), "a b z1 z2 z0 y x");
}
END_TEST

START_TEST(an_item_that_comes_back_has_its_place_in_a_stack)
{
	struct qe_tag c;

	declare_order("q", QE_LIFO);
	put_ok("q", "a");
	put_ok("q", "b");
	put_ok("q", "c");
	c = take(s1, "q", "c");
	take(s2, "q", "b");
	put_ok("q", "d");
	qe_session_end(e, now, s2, QE_END_LOST);
	ck_assert_int_eq(qe_release(e, now, s1, c), QE_OK);
	put_ok("q", "e");
	ck_assert_str_eq(all_of("q"), "e d c b a");
}
END_TEST

START_TEST(an_item_that_comes_back_has_its_place_in_its_level)
{
	struct qe_tag one, two;

	declare_order("q", QE_PRIORITY);
	put_priority("q", "one", 1);
	put_priority("q", "two", 1);
	put_priority("q", "three", 1);
	one = take(s1, "q", "one");
	two = take(s1, "q", "two");
	put_priority("q", "zero", 0);
	put_priority("q", "four", 1);
	ck_assert_int_eq(qe_release(e, now, s1, two), QE_OK);
	ck_assert_int_eq(qe_release(e, now, s1, one), QE_OK);
	ck_assert_str_eq(all_of("q"), "zero one two three four");
}
END_TEST

START_TEST(a_put_that_waits_keeps_its_turn_whatever_its_priority)
{
	struct qe_declare one = {.has_maxsize = true, .maxsize = 1, .update = true};
	struct qe_queue_stats stats;
	struct qe_item *item = new_item("urgent");
	struct qe_reply reply;
	bool created;

	declare_order("q", QE_PRIORITY);
	ck_assert_int_eq(qe_declare(e, now, name("q"), &one, &created, &stats), QE_OK);
	put_priority("q", "first", 0);
	ck_assert_int_eq(put(s1, 1, "q", "second", QE_NEVER), QE_WAIT);
	qe_item_set_priority(item, -9);
	ck_assert_int_eq(qe_put(e, now, s1, 2, name("q"), QE_NEVER, &item, 1, false,
				false, &reply),
			 QE_WAIT);
	take(s1, "q", "first");
	expect(s1, 1, QE_OK);
	expect_nothing();
	take(s1, "q", "second");
	expect(s1, 2, QE_OK);
	take(s1, "q", "urgent");
}
END_TEST

START_TEST(declare_compares_the_order)
{
	struct qe_declare lifo = {.has_order = true, .order = QE_LIFO};
	struct qe_declare fifo = {.has_order = true, .order = QE_FIFO};
	struct qe_declare nothing = {0};
	struct qe_queue_stats stats = {0};
	bool created;

	ck_assert_int_eq(qe_declare(e, now, name("q"), &lifo, &created, &stats), QE_OK);
	ck_assert(created);
	ck_assert_int_eq(stats_of("q").order, QE_LIFO);
	ck_assert_int_eq(qe_declare(e, now, name("q"), &lifo, &created, &stats), QE_OK);
	ck_assert_int_eq(qe_declare(e, now, name("q"), &nothing, &created, &stats),
			 QE_OK);
	ck_assert_int_eq(qe_declare(e, now, name("q"), &fifo, &created, &stats),
			 QE_MISMATCH);
	ck_assert_int_eq(stats.order, QE_LIFO);
	ck_assert_int_eq(stats_of("q").order, QE_LIFO);
}
END_TEST

START_TEST(the_order_changes_only_while_nothing_is_unfinished)
{
	struct qe_declare change = {.has_order = true,
				    .order = QE_PRIORITY,
				    .has_maxsize = true,
				    .maxsize = 5,
				    .update = true};
	struct qe_declare same = {.has_order = true, .update = true};
	struct qe_queue_stats stats;
	struct qe_tag tag;
	bool created;

	put_ok("q", "a");
	for (int leased = 0; leased < 2; leased++) {
		ck_assert_int_eq(qe_declare(e, now, name("q"), &change, &created,
					    &stats),
				 QE_NOT_EMPTY);
		ck_assert_int_eq(stats_of("q").order, QE_FIFO);
		ck_assert_int_eq(stats_of("q").maxsize, 0);
		ck_assert_int_eq(qe_declare(e, now, name("q"), &same, &created, &stats),
				 QE_OK);
		if (!leased)
			tag = take(s1, "q", "a");
	}
	ck_assert_int_eq(qe_ack(e, now, s1, tag), QE_OK);
	ck_assert_int_eq(qe_declare(e, now, name("q"), &change, &created, &stats),
			 QE_OK);
	ck_assert_int_eq(stats_of("q").order, QE_PRIORITY);
	put_priority("q", "b", 2);
	put_priority("q", "c", 1);
	ck_assert_str_eq(all_of("q"), "c b");
}
END_TEST

START_TEST(purge_drops_the_items_of_every_order)
{
	uint64_t count;

	for (int order = QE_FIFO; order <= QE_PRIORITY; order++) {
		declare_order("q", (enum qe_order)order);
		put_priority("q", "a", 2);
		put_priority("q", "b", 1);
		put_ok("q", "c");
		take(s1, "q", order == QE_FIFO ? "a" : "c");
		ck_assert_int_eq(qe_purge(e, now, name("q"), &count), QE_OK);
		ck_assert_uint_eq(count, 2);
		ck_assert_int_eq(qe_task_done(e, now, s1, name("q")), QE_OK);
	}
}
END_TEST

/* More than are kept in one tree (heap.c). */
START_TEST(many_priorities_are_sorted_found_and_purged)
{
	enum { MANY = 9000 };
	uint64_t count;

	declare_order("q", QE_PRIORITY);
	for (int i = 0; i < MANY; i++)
		put_priority("q", "x", i * 7919 % MANY);
	ck_assert_ptr_null(qe_check(e));
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(get(s2, 1, "q", NO_WAIT), QE_OK);
		ck_assert_int_eq(qe_item_priority(got.item), i);
		if (i % 2)
			ck_assert_int_eq(qe_ack(e, now, s2, tag_of(got.item)), QE_OK);
	}
	qe_session_end(e, now, s2, QE_END_CLOSED);
	tick_at(now);
	ck_assert_uint_eq(stats_of("q").ready, MANY - 50);
	ck_assert_ptr_null(qe_check(e));
	ck_assert_int_eq(qe_purge(e, now, name("q"), &count), QE_OK);
	ck_assert_uint_eq(count, MANY - 50);
}
END_TEST

static void
add(TCase *tcase)
{
	tcase_add_test(tcase, a_queue_is_fifo_unless_it_is_declared_otherwise);
	tcase_add_test(tcase, lifo_gives_the_youngest_first);
	tcase_add_test(tcase, priority_gives_the_lowest_first_and_fifo_inside_a_level);
	tcase_add_test(tcase, an_item_that_comes_back_has_its_place_in_a_stack);
	tcase_add_test(tcase, an_item_that_comes_back_has_its_place_in_its_level);
	tcase_add_test(tcase, a_put_that_waits_keeps_its_turn_whatever_its_priority);
	tcase_add_test(tcase, declare_compares_the_order);
	tcase_add_test(tcase, the_order_changes_only_while_nothing_is_unfinished);
	tcase_add_test(tcase, purge_drops_the_items_of_every_order);
	tcase_add_test(tcase, many_priorities_are_sorted_found_and_purged);
}

int
main(void)
{
	return kit_main("order", add);
}
