/* SPDX-License-Identifier: MIT
 *
 * Who is there, who waits, who holds what.
 */
#include "tests/core/engine_kit.h"

#include <stdio.h>
#include <string.h>

#define MS UINT64_C(1000000)

static struct qe_waiter_stats rows[32];
static int owners[3];

/* All who wait, in pages of `max`: "REQUEST QUEUE PLACE ITEMS" each. */
static const char *
all_waiters(unsigned max)
{
	static const char *const names[] = {"put", "get", "join"};
	static char text[1024];
	uint64_t cursor = 0, before;
	size_t len = 0;

	text[0] = 0;
	do {
		unsigned n = qe_waiters(e, now, (before = cursor, &cursor), rows, max);

		ck_assert_uint_le(n, max);
		ck_assert(cursor == 0 || cursor > before);
		for (unsigned i = 0; i < n; i++)
			len += (size_t)snprintf(text + len, sizeof(text) - len,
						"%s%s %.*s %u %u", len ? ", " : "",
						names[rows[i].request],
						(int)rows[i].queue.len, rows[i].queue.p,
						rows[i].place, rows[i].items);
	} while (cursor != 0);
	return text;
}

static void
end_waits(void)
{
	ck_assert_int_eq(qe_delete(e, now, name("q"), true), QE_OK);
	ck_assert_int_eq(qe_delete(e, now, name("r"), true), QE_OK);
	while (qe_next_reply(e, &got))
		qe_reply_done(e, &got);
}

START_TEST(waiters_are_shown_line_by_line_whatever_the_page)
{
	struct qe_declare one = {.has_maxsize = true, .maxsize = 1};
	struct qe_queue_stats stats;
	bool created;

	ck_assert_str_eq(all_waiters(10), "");
	ck_assert_int_eq(qe_declare(e, now, name("q"), &one, &created, &stats), QE_OK);
	ck_assert_int_eq(get(s1, 1, "r", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get_many(s1, 2, "r", 3, 5, 0, QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get(s2, 1, "r", QE_NEVER), QE_WAIT);
	put_ok("q", "a");
	ck_assert_int_eq(put(s3, 1, "q", "b", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(put_many(s3, 2, "q", "c d", QE_NEVER, false), QE_WAIT);
	ck_assert_int_eq(join_group(s2, 2, "q", "", QE_NEVER), QE_WAIT);
	for (unsigned max = 1; max < 9; max++)
		ck_assert_str_eq(all_waiters(max), "put q 1 1, put q 2 2, join q 1 0, "
						   "get r 1 1, get r 2 1, get r 1 3");
	end_waits();
}
END_TEST

START_TEST(a_waiter_says_since_when_and_for_how_long)
{
	uint64_t cursor = 0;
	unsigned n;

	put_grouped("q", "g", "a");
	ck_assert_int_eq(join_group(s1, 1, "q", "g", now + 100 * MS), QE_WAIT);
	now += 30 * MS;
	ck_assert_int_eq(join_group(s1, 2, "q", "", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(get(s1, 3, "r", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(qe_queue_waiters(e, now, name("q"), &cursor, rows, 5, &n),
			 QE_OK);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(cursor, 0);
	ck_assert_uint_eq(rows[0].since_ns, 30 * MS);
	ck_assert_uint_eq(rows[0].left_ns, 70 * MS);
	ck_assert_uint_eq(rows[0].group.len, 1);
	ck_assert_uint_eq(rows[1].since_ns, 0);
	ck_assert_uint_eq(rows[1].left_ns, QE_NEVER);
	ck_assert_uint_eq(rows[1].group.len, 0);
	ck_assert_ptr_eq(rows[1].owner, qe_session_owner(s1));
	ck_assert_int_eq(qe_queue_waiters(e, now, name("none"), &cursor, rows, 5, &n),
			 QE_NOT_FOUND);
	ck_assert_int_eq(qe_queue_waiters(e, now, name(""), &cursor, rows, 5, &n),
			 QE_INVALID);
	end_waits();
}
END_TEST

START_TEST(a_walk_over_very_many_queues_is_done_in_shares)
{
	char text[16];
	uint64_t cursor = 0;
	unsigned calls = 1;

	for (int i = 0; i < 2500; i++) {
		snprintf(text, sizeof(text), "q%d", i);
		ck_assert_int_eq(qe_shutdown(e, now, name(text), false), QE_OK);
	}
	put_ok("last", "a");
	ck_assert_int_eq(join_group(s1, 1, "last", "", QE_NEVER), QE_WAIT);
	while (qe_waiters(e, now, &cursor, rows, 5) == 0) {
		ck_assert_uint_ne(cursor, 0);
		calls++;
	}
	ck_assert_uint_eq(calls, 3);
	ck_assert_mem_eq(rows[0].queue.p, "last", 4);
	ck_assert_int_eq(qe_cancel(e, now, s1, 1), QE_OK);
	expect(s1, 1, QE_CANCELLED);
}
END_TEST

START_TEST(nobody_behind_the_last_place_is_shown)
{
	uint64_t cursor = 0;
	unsigned n, total = 0;

	for (uint64_t rid = 1; rid <= QE_MAX_PLACE + 5; rid++)
		ck_assert_int_eq(get(s1, rid, "q", QE_NEVER), QE_WAIT);
	do {
		ck_assert_int_eq(qe_queue_waiters(e, now, name("q"), &cursor, rows, 32,
						  &n),
				 QE_OK);
		total += n;
	} while (cursor != 0);
	ck_assert_uint_eq(total, QE_MAX_PLACE);
	ck_assert_int_eq(qe_delete(e, now, name("q"), true), QE_OK);
	while (qe_next_reply(e, &got))
		qe_reply_done(e, &got);
}
END_TEST

START_TEST(sessions_are_walked_over_with_what_they_hold)
{
	struct qe_session_stats s;
	struct qe_session *session;
	uint64_t cursor = 0;
	uint8_t id[16] = {99};

	ck_assert_int_eq(qe_session_new(e, now, id, owners, &session), QE_OK);
	put_ok("q", "a");
	put_ok("r", "b");
	take(session, "q", "a");
	take(session, "r", "b");
	ck_assert_int_eq(get(session, 1, "q", QE_NEVER), QE_WAIT);
	for (int i = 0; i < 3; i++) {
		ck_assert(qe_next_session(e, &cursor, &s));
		ck_assert_uint_eq(s.leased + s.waiting, 0);
	}
	ck_assert(qe_next_session(e, &cursor, &s));
	ck_assert_ptr_eq(s.owner, owners);
	ck_assert_mem_eq(s.id, id, 16);
	ck_assert_uint_eq(s.leased, 2);
	ck_assert_uint_eq(s.waiting, 1);
	ck_assert(!qe_next_session(e, &cursor, &s));
	qe_session_end(e, now, session, QE_END_LOST);
	cursor = 0;
	for (int i = 0; i < 3; i++)
		ck_assert(qe_next_session(e, &cursor, &s));
	ck_assert(!qe_next_session(e, &cursor, &s));
}
END_TEST

START_TEST(who_holds_an_item_and_since_when)
{
	struct qe_session *session;
	struct qe_lease_stats lease;
	uint8_t id[16] = {99};
	uint64_t first = put_ok("q", "a"), second = put_ok("q", "b");

	ck_assert_int_eq(qe_session_new(e, now, id, owners, &session), QE_OK);
	now += 5000 * MS;
	take(session, "q", "a");
	now += 3000 * MS;
	ck_assert_int_eq(qe_who(e, now, first, &lease), QE_OK);
	ck_assert_ptr_eq(lease.owner, owners);
	ck_assert_uint_eq(lease.id, first);
	ck_assert_uint_eq(lease.delivery, 1);
	ck_assert_uint_eq(lease.left_ns, QE_NEVER);
	ck_assert_mem_eq(lease.queue.p, "q", 1);
	ck_assert_uint_ge(lease.held_ns, 3000 * MS);
	ck_assert_uint_le(lease.held_ns, 3000 * MS + (1 << 28));
	ck_assert_int_eq(qe_who(e, now, second, &lease), QE_NOT_FOUND);
	ck_assert_int_eq(qe_who(e, now, second + 1, &lease), QE_EMPTY);
	qe_session_end(e, now, session, QE_END_LOST);
	ck_assert_int_eq(qe_who(e, now, first, &lease), QE_NOT_FOUND);
	take(s1, "q", "a");
	ck_assert_int_eq(qe_delete(e, now, name("q"), true), QE_OK);
	ck_assert_int_eq(qe_who(e, now, first, &lease), QE_NOT_FOUND);
}
END_TEST

START_TEST(the_longest_leases_of_a_queue_come_first_whoever_has_them)
{
	struct qe_session *const holders[] = {s1, s2, s1, s3, s2, s1};
	struct qe_lease_stats leases[6];
	unsigned n;

	for (int i = 0; i < 6; i++)
		put_ok("q", "a");
	for (int i = 0; i < 6; i++) {
		take(holders[i], "q", "a");
		now += 1000 * MS;
	}
	for (unsigned max = 0; max <= 6; max++) {
		ck_assert_int_eq(qe_holders(e, now, name("q"), leases, max, &n), QE_OK);
		ck_assert_uint_eq(n, max);
		for (unsigned i = 0; i < n; i++)
			ck_assert_uint_eq(leases[i].id, i + 1);
	}
	ck_assert_int_eq(qe_holders(e, now, name("r"), leases, 6, &n), QE_NOT_FOUND);
	ck_assert_int_eq(qe_holders(e, now, name(""), leases, 6, &n), QE_INVALID);
}
END_TEST

START_TEST(a_queue_says_when_a_delayed_item_is_ready)
{
	ck_assert_int_eq(qe_shutdown(e, now, name("q"), false), QE_OK);
	ck_assert_int_eq(qe_reopen(e, now, name("q")), QE_OK);
	ck_assert_uint_eq(stats_of("q").next_ns, QE_NEVER);
	put_timed("q", "b", now + 50 * MS, QE_NEVER);
	put_timed("q", "a", now + 20 * MS, QE_NEVER);
	now += 5 * MS;
	ck_assert_uint_eq(stats_of("q").next_ns, 15 * MS);
	put_timed("q", "c", 0, now + 10 * MS);
	ck_assert_uint_eq(stats_of("q").next_ns, QE_NEVER);
	tick_at(now + 10 * MS);
	ck_assert_uint_eq(stats_of("q").next_ns, 5 * MS);
}
END_TEST

START_TEST(a_lease_whose_session_has_ended_has_no_owner)
{
	struct qe_session *session;
	struct qe_lease_stats lease;
	uint8_t id[16] = {99};
	uint64_t last = 0;

	ck_assert_int_eq(qe_session_new(e, now, id, owners, &session), QE_OK);
	for (int i = 0; i < 20000; i++) {
		last = put_ok("q", "a");
		take(session, "q", "a");
	}
	qe_session_end(e, now, session, QE_END_LOST); /* gives back in shares */
	ck_assert_int_eq(qe_who(e, now, last, &lease), QE_OK);
	ck_assert_ptr_null(lease.owner);
}
END_TEST

static void
add(TCase *t)
{
	tcase_add_test(t, waiters_are_shown_line_by_line_whatever_the_page);
	tcase_add_test(t, a_waiter_says_since_when_and_for_how_long);
	tcase_add_test(t, a_walk_over_very_many_queues_is_done_in_shares);
	tcase_add_test(t, nobody_behind_the_last_place_is_shown);
	tcase_add_test(t, sessions_are_walked_over_with_what_they_hold);
	tcase_add_test(t, who_holds_an_item_and_since_when);
	tcase_add_test(t, the_longest_leases_of_a_queue_come_first_whoever_has_them);
	tcase_add_test(t, a_queue_says_when_a_delayed_item_is_ready);
	tcase_add_test(t, a_lease_whose_session_has_ended_has_no_owner);
}

int
main(void)
{
	return kit_main("inspect", add);
}
