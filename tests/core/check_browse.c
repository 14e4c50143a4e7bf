/* SPDX-License-Identifier: MIT
 *
 * The items of a queue, listed without being taken.
 */
#include "tests/core/engine_kit.h"

#include <stdio.h>
#include <string.h>

static struct qe_shown rows[100];
static unsigned n;

/* The bodies of the items, with spaces between them. */
static const char *
browse(const char *queue, enum qe_state state, unsigned skip, unsigned max)
{
	static char text[1000];

	text[0] = '\0';
	ck_assert_int_eq(qe_browse(e, now, name(queue), state, skip, rows, max, &n),
			 QE_OK);
	for (unsigned i = 0; i < n; i++) {
		strcat(text, i > 0 ? " " : "");
		strncat(text, qe_item_body(rows[i].item),
			qe_item_body_len(rows[i].item));
	}
	return text;
}

static void
give_back(const char *queue)
{
	ck_assert_int_eq(get(s1, 1, queue, NO_WAIT), QE_OK);
	ck_assert_int_eq(qe_release(e, now, s1, tag_of(got.item)), QE_OK);
}

START_TEST(ready_items_are_listed_in_the_order_of_the_queue)
{
	static const enum qe_order orders[] = {QE_FIFO, QE_LIFO, QE_PRIORITY};
	static const char *const names[] = {"fifo", "lifo", "priority"};
	static const char *const all[] = {"a b c d e f", "f e d c b a", "a d b e c f"};

	for (int i = 0; i < 3; i++) {
		declare_order(names[i], orders[i]);
		put_priority(names[i], "a", 0);
		put_grouped(names[i], "g", "b");
		put_priority(names[i], "c", 5);
		put_grouped(names[i], "h", "d");
		put_grouped(names[i], "g", "e");
		put_priority(names[i], "f", 7);
	}
	ck_assert_str_eq(browse("fifo", QE_STATE_READY, 0, 100), all[0]);
	give_back("fifo");
	ck_assert_str_eq(browse("fifo", QE_STATE_READY, 0, 100), all[0]);
	give_back("lifo");
	ck_assert_str_eq(browse("lifo", QE_STATE_READY, 0, 100), all[1]);
	ck_assert_str_eq(browse("lifo", QE_STATE_READY, 2, 3), "d c b");
	ck_assert_str_eq(browse("priority", QE_STATE_READY, 0, 100), "a b d e c f");
	ck_assert_str_eq(browse("priority", QE_STATE_READY, 5, 100), "f");
	ck_assert_str_eq(browse("priority", QE_STATE_READY, 6, 100), "");
	ck_assert_str_eq(browse("priority", QE_STATE_READY, 0, 0), "");
}
END_TEST

START_TEST(many_groups_are_merged)
{
	char group[8], body[8];

	for (int i = 0; i < 300; i++) {
		snprintf(group, sizeof(group), "g%d", i * 7 % 101);
		snprintf(body, sizeof(body), "%d", i);
		if (i % 3 == 0)
			put_ok("q", body);
		else
			put_grouped("q", group, body);
	}
	for (unsigned skip = 0; skip < 300; skip += 60) {
		(void)browse("q", QE_STATE_READY, skip, 60);
		ck_assert_uint_eq(n, 60);
		for (unsigned i = 0; i < n; i++) {
			snprintf(body, sizeof(body), "%u", skip + i);
			ck_assert_mem_eq(qe_item_body(rows[i].item), body,
					 strlen(body));
		}
	}
	ck_assert_str_eq(browse("q", QE_STATE_READY, 298, 100), "298 299");
}
END_TEST

START_TEST(delayed_items_say_when_they_are_due)
{
	put_timed("q", "a", now + 10, QE_NEVER);
	put_timed("q", "b", now + 5, now + 7);
	put_ok("q", "c");
	ck_assert_str_eq(browse("q", QE_STATE_DELAYED, 0, 100), "a b");
	ck_assert(rows[0].delayed && !rows[0].dead && !rows[0].leased);
	ck_assert_uint_eq(rows[0].due_ns, 10);
	ck_assert_uint_eq(rows[1].due_ns, 5);
	ck_assert_str_eq(browse("q", QE_STATE_DELAYED, 1, 100), "b");
}
END_TEST

START_TEST(leased_items_say_who_has_them)
{
	put_ok("q", "a");
	put_ok("q", "b");
	put_ok("q", "c");
	take(s1, "q", "a");
	take(s2, "q", "b");
	take(s1, "q", "c");
	ck_assert_str_eq(browse("q", QE_STATE_LEASED, 0, 100), "a c b");
	ck_assert(rows[0].leased && !rows[0].delayed);
	ck_assert_ptr_eq(rows[0].owner, rows[1].owner);
	ck_assert_str_eq(browse("q", QE_STATE_LEASED, 1, 1), "c");
	ck_assert_str_eq(browse("q", QE_STATE_LEASED, 2, 1), "b");
	ck_assert_str_eq(browse("q", QE_STATE_READY, 0, 100), "");
}
END_TEST

START_TEST(dead_items_are_listed_in_the_order_of_dying)
{
	struct qe_tag a, b;

	put_ok("q", "a");
	put_ok("q", "b");
	a = take(s1, "q", "a");
	b = take(s1, "q", "b");
	ck_assert_int_eq(qe_bury(e, now, s1, b, name("")), QE_OK);
	ck_assert_int_eq(qe_bury(e, now, s1, a, name("")), QE_OK);
	ck_assert_str_eq(browse("q", QE_STATE_DEAD, 0, 100), "b a");
	ck_assert(rows[0].dead);
	ck_assert_str_eq(browse("q", QE_STATE_DEAD, 1, 100), "a");
}
END_TEST

START_TEST(only_what_is_there_is_listed)
{
	ck_assert_int_eq(qe_browse(e, now, name("q"), QE_STATE_READY, 0, rows, 1, &n),
			 QE_NOT_FOUND);
	ck_assert_int_eq(qe_browse(e, now, name(""), QE_STATE_READY, 0, rows, 1, &n),
			 QE_INVALID);
	put_ok("q", "a");
	ck_assert_int_eq(qe_browse(e, now, name("q"), QE_STATE_READY, QE_MAX_SKIP + 1,
				   rows, 1, &n),
			 QE_INVALID);
	ck_assert_str_eq(browse("q", QE_STATE_READY, QE_MAX_SKIP, 100), "");
}
END_TEST

static void
add(TCase *tcase)
{
	tcase_add_test(tcase, ready_items_are_listed_in_the_order_of_the_queue);
	tcase_add_test(tcase, many_groups_are_merged);
	tcase_add_test(tcase, delayed_items_say_when_they_are_due);
	tcase_add_test(tcase, leased_items_say_who_has_them);
	tcase_add_test(tcase, dead_items_are_listed_in_the_order_of_dying);
	tcase_add_test(tcase, only_what_is_there_is_listed);
}

int
main(void)
{
	return kit_main("browse", add);
}
