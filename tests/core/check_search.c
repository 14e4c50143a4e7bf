/* SPDX-License-Identifier: MIT
 *
 * An item that waits among many is searched for in shares, and between these the queue changes.
 */
#include "tests/core/engine_kit.h"

#include <stdio.h>

#define MANY   3500 /* more than three shares */
#define SHARES (MANY / 1000)

static struct qe_search search;
static uint64_t ids[MANY];

static enum qe_result
delete_share(uint64_t id)
{
	return qe_delete_item(e, now, name("q"), id, false, &search);
}

static enum qe_result
delete_item(uint64_t id)
{
	enum qe_result result;
	int shares = 0;

	while ((result = delete_share(id)) == QE_WAIT)
		ck_assert_int_le(++shares, 2 * SHARES);
	return result;
}

static void
run_sweep(void)
{
	while (qe_tick(e, now) == now)
		;
}

/* --- every set ------------------------------------------------------------------------- */

static void
plain(int i)
{
	ids[i] = put_ok("q", "x");
}

static void
with_delay(int i)
{
	ids[i] = put_timed("q", "x", now + 100 + (uint64_t)(i * 7 % MANY), QE_NEVER);
}

static void
with_end(int i)
{
	ids[i] = put_timed("q", "x", 0, now + 1000000 + (uint64_t)(i * 7 % MANY));
}

static void
in_groups(int i)
{
	char group[16];

	snprintf(group, sizeof(group), "g%d", i % (MANY / 2));
	ids[i] = put_grouped("q", group, "x");
}

static void
in_a_group(int i)
{
	ids[i] = put_grouped("q", "g", "x");
}

static void
to_the_tail(int i)
{
	plain(i);
	if (i % 2 == 0)
		return;
	ck_assert_int_eq(get(s1, 1, "q", NO_WAIT), QE_OK);
	ck_assert_int_eq(qe_nack(e, now, s1, tag_of(got.item),
				 &(struct qe_nack){.has_delay = true, .tail = true}),
			 QE_OK);
}

static void
with_priority(int i)
{
	ids[i] = put_priority("q", "x", i * 7 % MANY);
}

static void (*const kinds[])(int) = {plain,	 with_delay,  with_end,	    in_groups,
				     in_a_group, to_the_tail, with_priority};
#define KINDS ((int)(sizeof(kinds) / sizeof(*kinds)))

static uint64_t absent; /* what is not found at its place, nor anywhere */

static void
fill(int kind, enum qe_order order)
{
	declare_order("q", order);
	for (int i = 0; i < MANY; i++) {
		kinds[kind](i);
		if (i == MANY / 2)
			absent = put_ok("another", "x");
	}
}

START_TEST(it_is_found_wherever_it_stands)
{
	for (int order = QE_FIFO; order <= QE_PRIORITY; order++) {
		fill(_i, order);
		for (int i = 0; i < MANY; i += 123) {
			ck_assert_int_eq(delete_item(ids[i]), QE_OK);
			ck_assert_int_eq(delete_item(ids[i]), QE_NOT_FOUND);
		}
		ck_assert_int_eq(delete_item(ids[MANY - 1]), QE_OK);
		ck_assert_int_eq(qe_delete(e, now, name("q"), true), QE_OK);
		run_sweep();
	}
}
END_TEST

/* --- between two shares ---------------------------------------------------------------- */

/* A search that has come to the midst of the set. */
static void
begin(int kind)
{
	fill(kind, QE_FIFO);
	ck_assert_int_eq(delete_share(absent), QE_WAIT);
}

START_TEST(no_share_looks_at_all)
{
	begin(_i);
	ck_assert_int_eq(delete_item(absent), QE_NOT_FOUND);
	ck_assert_int_eq(delete_item(ids[MANY / 2]), QE_OK);
}
END_TEST

START_TEST(what_it_stands_at_may_be_taken)
{
	int n = 0;

	fill(0, QE_FIFO);
	ck_assert_int_eq(delete_share(ids[MANY / 2]), QE_WAIT);
	for (; n < MANY / 2; n++) {
		ck_assert_int_eq(get(s1, 1, "q", NO_WAIT), QE_OK);
		ck_assert_int_eq(qe_ack(e, now, s1, tag_of(got.item)), QE_OK);
	}
	ck_assert_int_eq(delete_item(ids[MANY / 2]), QE_OK);
	ck_assert_int_eq(delete_item(ids[MANY / 2]), QE_NOT_FOUND);
}
END_TEST

START_TEST(all_may_be_purged_and_put_anew)
{
	uint64_t count;

	begin(_i);
	ck_assert_int_eq(qe_purge(e, now, name("q"), &count), QE_OK);
	if (_i % 2)
		run_sweep();
	for (int i = 0; i < 10; i++)
		kinds[_i](i);
	ck_assert_int_eq(delete_item(absent), QE_NOT_FOUND);
	ck_assert_int_eq(delete_item(ids[5]), QE_OK);
}
END_TEST

START_TEST(the_queue_may_be_deleted)
{
	begin(_i);
	ck_assert_int_eq(qe_delete(e, now, name("q"), true), QE_OK);
	run_sweep();
	if (_i % 2)
		plain(0);
	ck_assert_int_eq(delete_item(absent), QE_NOT_FOUND);
}
END_TEST

START_TEST(groups_may_be_cancelled)
{
	struct qe_cancelled cancelled;
	char group[16];

	begin(3);
	for (int i = 0; i < MANY / 2 - 1; i++) {
		snprintf(group, sizeof(group), "g%d", i);
		ck_assert_int_eq(qe_cancel_group(e, now, name("q"), name(group),
						 &cancelled),
				 QE_OK);
	}
	run_sweep();
	ck_assert_int_eq(delete_item(absent), QE_NOT_FOUND);
	ck_assert_int_eq(delete_item(ids[MANY / 2]), QE_NOT_FOUND);
	ck_assert_int_eq(delete_item(ids[MANY / 2 - 1]), QE_OK);
}
END_TEST

START_TEST(a_delay_may_be_over)
{
	fill(1, QE_FIFO);
	ck_assert_int_eq(delete_share(ids[MANY / 2]), QE_WAIT);
	now += 2 * MANY;
	run_sweep();
	ck_assert_uint_eq(stats_of("q").delayed, 0);
	ck_assert_int_eq(delete_item(ids[MANY / 2]), QE_OK);
}
END_TEST

START_TEST(somebody_may_hold_it)
{
	fill(0, QE_FIFO);
	ck_assert_int_eq(delete_share(ids[MANY / 2]), QE_WAIT);
	for (int i = 0; i <= MANY / 2; i++)
		ck_assert_int_eq(get(s1, 1, "q", NO_WAIT), QE_OK);
	ck_assert_int_eq(delete_share(ids[MANY / 2]), QE_NOT_EMPTY);
}
END_TEST

START_TEST(it_may_be_given_up)
{
	begin(_i);
	qe_search_end(e, &search);
	qe_search_end(e, &search);
	ck_assert_uint_eq(search.stage, 0);
}
END_TEST

/* --- in all queues --------------------------------------------------------------------- */

/* "STATE QUEUE", or "" */
static const char *
where(uint64_t id)
{
	static char text[300];
	struct qe_found found;
	enum qe_result result;

	while ((result = qe_find(e, now, id, &search, &found)) == QE_WAIT)
		;
	text[0] = 0;
	if (result == QE_OK)
		snprintf(text, sizeof(text), "%d %.*s", (int)found.state,
			 (int)found.queue.len, found.queue.p);
	return text;
}

START_TEST(it_is_found_in_whatever_queue_and_state)
{
	uint64_t ready = put_ok("a", "x"), dead = put_ok("b", "x");
	uint64_t delayed = put_timed("c", "x", now + 10, QE_NEVER);
	uint64_t grouped = put_grouped("d", "g", "x");

	ck_assert_int_eq(qe_bury(e, now, s1, take(s1, "b", "x"), name("")), QE_OK);
	ck_assert_str_eq(where(ready), "0 a");
	ck_assert_str_eq(where(dead), "3 b");
	ck_assert_str_eq(where(delayed), "1 c");
	ck_assert_str_eq(where(grouped), "0 d");
	take(s1, "a", "x");
	ck_assert_str_eq(where(ready), "");
	ck_assert_str_eq(where(grouped + 1), "");
}
END_TEST

START_TEST(many_queues_are_looked_at_in_shares)
{
	struct qe_found found;
	char queue[16];
	uint64_t id = 0;

	fill(0, QE_FIFO);
	for (int i = 0; i < MANY; i++) {
		snprintf(queue, sizeof(queue), "q%d", i);
		id = put_ok(queue, "x");
	}
	ck_assert_int_eq(qe_find(e, now, id, &search, &found), QE_WAIT);
	ck_assert_int_eq(qe_delete(e, now, name("q"), true), QE_OK);
	run_sweep();
	ck_assert_int_eq(qe_find(e, now, id, &search, &found), QE_WAIT);
	snprintf(queue, sizeof(queue), "0 q%d", MANY - 1);
	ck_assert_str_eq(where(id), queue);
}
END_TEST

static void
add(TCase *tcase)
{
	tcase_add_loop_test(tcase, it_is_found_wherever_it_stands, 0, KINDS);
	tcase_add_loop_test(tcase, no_share_looks_at_all, 0, KINDS);
	tcase_add_test(tcase, what_it_stands_at_may_be_taken);
	tcase_add_loop_test(tcase, all_may_be_purged_and_put_anew, 0, KINDS);
	tcase_add_loop_test(tcase, the_queue_may_be_deleted, 0, KINDS);
	tcase_add_test(tcase, groups_may_be_cancelled);
	tcase_add_test(tcase, a_delay_may_be_over);
	tcase_add_test(tcase, somebody_may_hold_it);
	tcase_add_loop_test(tcase, it_may_be_given_up, 0, KINDS);
	tcase_add_test(tcase, it_is_found_in_whatever_queue_and_state);
	tcase_add_test(tcase, many_queues_are_looked_at_in_shares);
}

int
main(void)
{
	return kit_main("search", add);
}
