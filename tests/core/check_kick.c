/* SPDX-License-Identifier: MIT
 *
 * What is done with dead items: they are shown, kicked back, purged.
 */
#include "tests/core/engine_kit.h"

#include <string.h>

/* An item that is dead; its id. */
static uint64_t
bury(const char *queue, const char *body)
{
	uint64_t id = put_ok(queue, body);
	struct qe_tag tag = take(s1, queue, body);

	ck_assert_int_eq(qe_bury(e, now, s1, tag, name("")), QE_OK);
	return id;
}

static uint64_t
kick(const char *queue, uint64_t id, unsigned max)
{
	uint64_t n;

	ck_assert_int_eq(qe_kick(e, now, name(queue), id, max, &n), QE_OK);
	return n;
}

/* As take(), but the item is in `got`. */
static struct qe_tag
see(struct qe_session *s, const char *queue, const char *body)
{
	ck_assert_int_eq(get(s, 1, queue, NO_WAIT), QE_OK);
	ck_assert_uint_eq(qe_item_body_len(got.item), strlen(body));
	ck_assert_mem_eq(qe_item_body(got.item), body, strlen(body));
	return tag_of(got.item);
}

START_TEST(a_kicked_item_is_in_its_original_place_as_if_never_tried)
{
	uint64_t id = put_ok("q", "a");

	put_ok("q", "b");
	ck_assert_int_eq(qe_nack(e, now, s1, take(s1, "q", "a"), &(struct qe_nack){0}),
			 QE_OK);
	ck_assert_int_eq(qe_bury(e, now, s1, take(s1, "q", "a"), name("x")), QE_OK);
	ck_assert_uint_eq(kick("q", id, 1), 1);
	ck_assert_uint_eq(stats_of("q").dead, 0);
	see(s1, "q", "a");
	ck_assert_uint_eq(qe_item_nacks(got.item), 0);
	ck_assert_uint_eq(qe_item_deliveries(got.item), 3); /* tags stay apart */
	ck_assert_int_eq(qe_item_death(got.item), QE_DEATH_BURIED);
	ck_assert_uint_eq(qe_item_error(got.item).len, 1);
	take(s1, "q", "b");
}
END_TEST

START_TEST(those_that_died_first_are_kicked_first)
{
	uint64_t n;

	bury("q", "a");
	bury("q", "b");
	bury("q", "c");
	ck_assert_uint_eq(kick("q", 0, 2), 2);
	take(s1, "q", "a");
	take(s1, "q", "b");
	ck_assert_int_eq(get(s1, 1, "q", NO_WAIT), QE_EMPTY);
	ck_assert_uint_eq(kick("q", 0, 1000), 1);
	ck_assert_uint_eq(kick("q", 0, 1000), 0);
	ck_assert_int_eq(qe_kick(e, now, name("q"), 0, 0, &n), QE_INVALID);
	ck_assert_int_eq(qe_kick(e, now, name("q"), 0, 1001, &n), QE_INVALID);
}
END_TEST

START_TEST(kicked_items_go_to_who_waits)
{
	uint64_t id = bury("q", "a");

	ck_assert_int_eq(get(s2, 3, "q", QE_NEVER), QE_WAIT);
	ck_assert_uint_eq(kick("q", id, 1), 1);
	expect(s2, 3, QE_OK);
}
END_TEST

START_TEST(a_kicked_item_has_no_times_any_more)
{
	uint64_t id = put_mortal("q", new_item("a"), now + 5);

	tick_at(now + 5);
	ck_assert_uint_eq(stats_of("q").dead, 1);
	ck_assert_uint_eq(kick("q", id, 1), 1);
	tick_at(now + 5);
	ck_assert_uint_eq(stats_of("q").ready, 1);
}
END_TEST

START_TEST(what_was_cancelled_is_dropped_by_a_kick)
{
	struct qe_cancelled cancelled;

	put_grouped("q", "g", "a");
	ck_assert_int_eq(qe_bury(e, now, s1, take(s1, "q", "a"), name("")), QE_OK);
	put_grouped("q", "g", "b"); /* the group is still there */
	ck_assert_int_eq(qe_cancel_group(e, now, name("q"), name("g"), &cancelled),
			 QE_OK);
	ck_assert_uint_eq(cancelled.dropped, 1);
	ck_assert_uint_eq(stats_of("q").dead, 1);
	ck_assert_uint_eq(kick("q", 0, 10), 1);
	ck_assert_uint_eq(stats_of("q").ready, 0);
	ck_assert_uint_eq(stats_of("q").counters.dropped, 2);
}
END_TEST

START_TEST(nothing_is_kicked_that_is_not_there)
{
	uint64_t id = put_ok("q", "a"), n;

	ck_assert_int_eq(qe_kick(e, now, name("q"), id, 1, &n), QE_NOT_FOUND);
	ck_assert_int_eq(qe_kick(e, now, name("q"), 99, 1, &n), QE_NOT_FOUND);
	ck_assert_int_eq(qe_kick(e, now, name("r"), 0, 1, &n), QE_NOT_FOUND);
	ck_assert_int_eq(qe_kick(e, now, name(""), 0, 1, &n), QE_INVALID);
	ck_assert_int_eq(qe_dead_purge(e, now, name("q"), id, &n), QE_NOT_FOUND);
	id = bury("r", "a");
	ck_assert_int_eq(qe_kick(e, now, name("q"), id, 1, &n), QE_NOT_FOUND);
	ck_assert_int_eq(qe_shutdown(e, now, name("r"), true), QE_OK);
	ck_assert_int_eq(qe_kick(e, now, name("r"), id, 1, &n), QE_SHUT_DOWN);
	ck_assert_uint_eq(stats_of("r").dead, 1); /* a shutdown leaves the dead */
}
END_TEST

START_TEST(the_dead_are_purged_one_by_one_or_all)
{
	uint64_t a = bury("q", "a"), b = bury("q", "b"), n;

	bury("q", "c");
	put_ok("q", "d");
	ck_assert_int_eq(qe_dead_purge(e, now, name("q"), b, &n), QE_OK);
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(qe_dead_purge(e, now, name("q"), b, &n), QE_NOT_FOUND);
	ck_assert_uint_eq(kick("q", a, 1), 1);
	ck_assert_int_eq(qe_dead_purge(e, now, name("q"), 0, &n), QE_OK);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(stats_of("q").dead, 0);
	ck_assert_uint_eq(stats_of("q").ready, 2);
	ck_assert_uint_eq(stats_of("q").counters.purged, 2);
	ck_assert_uint_eq(stats_of("q").counters.died, 3);
}
END_TEST

START_TEST(many_dead_items_are_found_by_id)
{
	static uint64_t ids[300];
	struct qe_shown shown;

	for (unsigned i = 0; i < 300; i++)
		ids[i] = bury("q", "a");
	for (unsigned i = 0; i < 300; i++) {
		uint64_t id = ids[(i * 7) % 300];

		ck_assert_int_eq(qe_show(e, now, name("q"), id, &shown), QE_OK);
		ck_assert_uint_eq(qe_item_id(shown.item), id);
		qe_item_unref(e, shown.item);
		ck_assert_uint_eq(kick("q", id, 1), 1);
	}
	ck_assert_uint_eq(stats_of("q").ready, 300);
}
END_TEST

START_TEST(leased_items_are_shown_too)
{
	struct qe_shown shown;
	struct qe_tag tag;

	put_ok("q", "a");
	now += 5 * UINT64_C(1000000000);
	tag = take(s1, "q", "a");
	ck_assert_int_eq(qe_show(e, now, name("q"), tag.id, &shown), QE_OK);
	ck_assert(!shown.dead);
	ck_assert_uint_ge(shown.age_ns, 4990000000);
	ck_assert_uint_le(shown.age_ns, now);
	ck_assert_uint_eq(shown.dead_ns, 0);
	qe_item_unref(e, shown.item);
	ck_assert_int_eq(qe_show(e, now, name("r"), tag.id, &shown), QE_NOT_FOUND);
	put_ok("r", "a");
	ck_assert_int_eq(qe_show(e, now, name("r"), tag.id, &shown), QE_NOT_FOUND);
}
END_TEST

static void
add(TCase *tcase)
{
	tcase_add_test(tcase, a_kicked_item_is_in_its_original_place_as_if_never_tried);
	tcase_add_test(tcase, those_that_died_first_are_kicked_first);
	tcase_add_test(tcase, kicked_items_go_to_who_waits);
	tcase_add_test(tcase, a_kicked_item_has_no_times_any_more);
	tcase_add_test(tcase, what_was_cancelled_is_dropped_by_a_kick);
	tcase_add_test(tcase, nothing_is_kicked_that_is_not_there);
	tcase_add_test(tcase, the_dead_are_purged_one_by_one_or_all);
	tcase_add_test(tcase, many_dead_items_are_found_by_id);
	tcase_add_test(tcase, leased_items_are_shown_too);
}

int
main(void)
{
	return kit_main("kick", add);
}
