/* SPDX-License-Identifier: MIT
 *
 * What the engine writes to a store: that the log stays small, what answers wait for, and what a
 * store without room means. That what comes back is right is the model's (check_model).
 */
#include "daemon/core/engine_int.h"
#include "tests/core/engine_kit.h"
#include "tests/core/log_kit.h"

#include <string.h>

#define SEGMENT 65536

static struct store *kept;

static void
keeps(void)
{
	kit_limits((struct qe_config){.can_keep = true});
	kept = log_new(SEGMENT);
	ck_assert_int_eq(qe_restored(e, now, kept), QE_OK);
	declare_as("q", (struct qe_declare){.has_durable = true, .durable = QE_SYNC});
	declare_as("a", (struct qe_declare){.has_durable = true, .durable = QE_ASYNC});
	qe_commit(e);
	(void)qe_after(e);
}

/* The store goes before the engine is looked at a last time. */
static void
keeps_no_more(void)
{
	kit_limits((struct qe_config){0});
	log_free(kept);
}

/* What is kept is all that is left. */
static void
starts_again(void)
{
	struct qe *after = qe_new(&(struct qe_config){.can_keep = true});

	ck_assert_int_eq(log_restore(kept, log_records(kept), after, now, NULL), QE_OK);
	kit_limits((struct qe_config){0});
	qe_free(e);
	e = after;
	ck_assert_int_eq(qe_session_new(e, now, (const uint8_t *)"0123456789abcdef", e,
					&s1),
			 QE_OK);
}

static void
turn(void)
{
	tick_at(++now);
	qe_commit(e);
	(void)qe_after(e);
}

static uint64_t
put_sized(const char *queue, size_t len, uint64_t ready)
{
	struct qe_item *item;
	struct qe_reply reply;

	ck_assert_int_eq(qe_item_new(e, len, &item), QE_OK);
	memset(qe_item_body(item), 'x', len);
	if (ready)
		ck_assert_int_eq(qe_item_set_times(e, item, ready, QE_NEVER), QE_OK);
	ck_assert_int_eq(qe_put(e, now, s1, 1, name(queue), NO_WAIT, &item, 1, false,
				false, &reply),
			 QE_OK);
	return reply.id;
}

START_TEST(the_log_is_bounded_whatever_is_delayed_dead_or_held)
{
	uint64_t most = 0, bytes;

	keeps();
	for (int i = 0; i < 900; i++) {
		put_sized("q", 1000, _i == 0 ? QE_NEVER - 1 : 0);
		if (_i > 0) {
			ck_assert_int_eq(get(s2, 1, "q", NO_WAIT), QE_OK);
			if (_i == 2)
				ck_assert_int_eq(qe_bury(e, now, s2, tag_of(got.item),
							 name("")),
						 QE_OK);
			qe_reply_done(e, &got);
		}
		turn();
	}
	for (int i = 0; i < 20000; i++) {
		put_sized("a", 500, 0);
		ck_assert_int_eq(get(s3, 1, "a", NO_WAIT), QE_OK);
		turn(); /* it is written with its body */
		ck_assert_int_eq(qe_ack(e, now, s3, tag_of(got.item)), QE_OK);
		qe_reply_done(e, &got);
		turn();
		bytes = log_status(kept).bytes;
		if (bytes > most)
			most = bytes;
	}
	ck_assert_uint_le(most, 2 * 900 * 1100 + 2 * SEGMENT);
	ck_assert_uint_gt(log_status(kept).first_segment, 10);
	keeps_no_more();
}
END_TEST

START_TEST(nothing_is_left_of_what_was_finished)
{
	keeps();
	for (int i = 0; i < 1000; i++) {
		put_sized("q", 1000, 0);
		turn();
	}
	ck_assert_uint_gt(log_status(kept).last_segment -
				   log_status(kept).first_segment,
			   10);
	for (int i = 0; i < 1000; i++) {
		ck_assert_int_eq(get(s1, 1, "q", NO_WAIT), QE_OK);
		ck_assert_int_eq(qe_ack(e, now, s1, tag_of(got.item)), QE_OK);
		qe_reply_done(e, &got);
		turn();
	}
	turn();
	ck_assert_uint_le(log_status(kept).last_segment -
				   log_status(kept).first_segment,
			   2);
	keeps_no_more();
}
END_TEST

START_TEST(what_was_purged_goes_without_another_request)
{
	uint64_t count;

	keeps();
	for (int i = 0; i < 1000; i++) {
		put_sized("q", 1000, 0);
		turn();
	}
	ck_assert_int_eq(qe_purge(e, now, name("q"), &count), QE_OK);
	qe_commit(e);
	/* The caller's loop turns when the store has news. */
	for (size_t n = 0; n < log_records(kept);) {
		n = log_records(kept);
		while (qe_tick(e, now) <= now)
			;
		qe_commit(e);
	}
	ck_assert_uint_le(log_status(kept).last_segment -
				   log_status(kept).first_segment,
			   2);
	keeps_no_more();
}
END_TEST

/* What the answer to a put has to wait for. */
static struct qe_after
after_put(const char *queue)
{
	put_ok(queue, "x");
	return qe_after(e);
}

START_TEST(answers_wait_for_what_they_depend_on)
{
	struct qe_after after;
	const uint64_t first = 1; /* reserves ids */
	uint64_t open;

	keeps();
	open = log_status(kept).last_seq + 1;
	after = after_put("q");
	ck_assert_uint_eq(after.synced, open);
	after = after_put("memory");
	ck_assert_uint_eq(after.synced, first);
	ck_assert_uint_eq(after.written, 0);
	after = after_put("a");
	ck_assert_uint_eq(after.synced, first);
	ck_assert_uint_eq(after.written, open);
	qe_commit(e);
	ck_assert_uint_eq(log_status(kept).last_seq, open);
	/* A get waits for the put, and for its own lease to be written. */
	ck_assert_int_eq(get(s2, 1, "q", NO_WAIT), QE_OK);
	after = qe_after(e);
	ck_assert_uint_eq(after.synced, open);
	ck_assert_uint_eq(after.written, open + 1);
	qe_reply_done(e, &got);
	qe_commit(e);
	after = after_put("memory");
	ck_assert_uint_eq(after.synced | after.written, 0);
	keeps_no_more();
}
END_TEST

/* While the disk stands still others are given more ids than those before left over. */
START_TEST(no_id_is_told_before_it_is_reserved)
{
	struct qe_after after;

	keeps();
	qe_commit(e);
	log_set_slow(kept, true);
	e->last_id += 600000;
	put_ok("memory", "x");
	qe_commit(e);
	after = qe_after(e);
	ck_assert_uint_eq(after.synced | after.written, 0);
	e->last_id += 200000;
	after = after_put("memory");
	ck_assert_uint_eq(after.synced, log_status(kept).last_seq);
	log_set_slow(kept, false);
	qe_commit(e);
	after = after_put("memory");
	ck_assert_uint_eq(after.synced | after.written, 0);
	keeps_no_more();
}
END_TEST

START_TEST(who_waited_hears_of_it_when_it_is_kept)
{
	struct qe_reply reply;
	uint64_t open;

	keeps();
	ck_assert_int_eq(get(s1, 7, "q", QE_NEVER), QE_WAIT);
	qe_commit(e);
	(void)qe_after(e);
	open = log_status(kept).last_seq + 1;
	put_ok("q", "x");
	(void)qe_after(e);
	ck_assert(qe_next_reply(e, &reply));
	ck_assert_uint_eq(reply.after.synced, open);
	ck_assert_uint_eq(reply.after.written, open);
	qe_reply_done(e, &reply);
	qe_commit(e);
	ck_assert_uint_eq(log_status(kept).last_seq, open);
	keeps_no_more();
}
END_TEST

START_TEST(puts_are_refused_while_there_is_no_room_and_nothing_else)
{
	keeps();
	put_ok("q", "x");
	put_ok("memory", "x");
	turn();
	log_set_state(kept, STORE_LOW);
	turn();
	ck_assert_int_eq(put(s1, 1, "q", "y", NO_WAIT), QE_NO_SPACE);
	ck_assert_int_eq(put(s1, 1, "q", "y", QE_NEVER), QE_NO_SPACE);
	ck_assert_int_eq(put_many(s1, 1, "q", "y z", QE_NEVER, true), QE_NO_SPACE);
	put_ok("memory", "y");
	ck_assert_int_eq(get(s2, 1, "q", NO_WAIT), QE_OK);
	ck_assert_int_eq(qe_ack(e, now, s2, tag_of(got.item)), QE_OK);
	qe_reply_done(e, &got);
	turn();
	ck_assert(!qe_store_lost(e));
	log_set_state(kept, STORE_GOOD);
	turn();
	put_ok("q", "y");
	keeps_no_more();
}
END_TEST

/* The key "k" with a window, or with another body in its place. */
static enum qe_result
put_keyed(const char *queue, enum qe_on_duplicate on_duplicate, struct qe_reply *ret)
{
	struct qe_key key = {.name = name("k"),
			     .scope = QE_WINDOW,
			     .window_ns = 1000000000,
			     .on_duplicate = on_duplicate};
	struct qe_item *item = new_item("keyed");

	ck_assert_int_eq(qe_item_set_key(e, now, item, name(queue), &key), QE_OK);
	return qe_put(e, now, s1, 1, name(queue), NO_WAIT, &item, 1, false, false, ret);
}

START_TEST(a_body_is_not_replaced_while_there_is_no_room)
{
	struct qe_key key = {.name = name("k"),
			     .scope = QE_UNFINISHED,
			     .on_duplicate = QE_REPLACE};
	struct qe_item *item;
	struct qe_reply reply;

	keeps();
	for (int i = 0; i < 2; i++) {
		item = new_item("another");
		ck_assert_int_eq(qe_item_set_key(e, now, item, name("q"), &key), QE_OK);
		ck_assert_int_eq(qe_put(e, now, s1, 1, name("q"), NO_WAIT, &item, 1,
					false, false, &reply),
				 i ? QE_NO_SPACE : QE_OK);
		log_set_state(kept, STORE_LOW);
		turn();
	}
	keeps_no_more();
}
END_TEST

START_TEST(windows_that_were_open_when_the_queue_became_durable_are_kept)
{
	struct qe_declare durable = {
		.update = true, .has_durable = true, .durable = QE_SYNC};
	struct qe_reply reply;
	struct qe_tag tag;

	keeps();
	ck_assert_int_eq(put_keyed("m", QE_REJECT, &reply), QE_OK);
	tag = take(s1, "m", "keyed");
	ck_assert_int_eq(qe_ack(e, now, s1, tag), QE_OK);
	declare_as("m", durable);
	turn();
	starts_again();
	ck_assert_int_eq(put_keyed("m", QE_REJECT, &reply), QE_DUPLICATE);
	keeps_no_more();
}
END_TEST

START_TEST(an_order_that_a_rule_gave_is_kept)
{
	const struct qe_rule rule = {.pattern = name("q"),
				     .source = name("a file"),
				     .says = {.has_order = true, .order = QE_LIFO}};

	keeps();
	ck_assert_int_eq(qe_configure(e, now,
				      &(struct qe_config){.rules = &rule, .n_rules = 1}),
			 QE_OK);
	put_ok("q", "first");
	put_ok("q", "last");
	turn();
	starts_again();
	ck_assert_int_eq(stats_of("q").order, QE_LIFO);
	keeps_no_more();
}
END_TEST

START_TEST(a_dead_item_whose_group_was_cancelled_is_not_kicked_after_a_restart_either)
{
	struct qe_cancelled cancelled;
	uint64_t count;
	struct qe_tag tag;

	keeps();
	put_grouped("q", "g", "a");
	tag = take(s1, "q", "a");
	ck_assert_int_eq(qe_cancel_group(e, now, name("q"), name("g"), &cancelled),
			 QE_OK);
	ck_assert_uint_eq(cancelled.held, 1);
	ck_assert_int_eq(qe_bury(e, now, s1, tag, name("")), QE_OK);
	turn(); /* only now is the item written, behind the cancel */
	starts_again();
	ck_assert_int_eq(qe_kick(e, now, name("q"), 0, 1, &count), QE_OK);
	ck_assert_uint_eq(stats_of("q").ready, 0);
	ck_assert_uint_eq(stats_of("q").counters.dropped, 1);
	keeps_no_more();
}
END_TEST

/* Here, or in another queue. */
START_TEST(an_update_of_an_item_whose_end_has_come_is_what_is_kept)
{
	struct qe_tag tag;
	uint64_t count;

	keeps();
	if (_i == 1)
		declare_as("q", (struct qe_declare){.update = true,
						    .has_dead_to = true,
						    .dead_to = {.len = 1, .p = "a"}});
	put_mortal("q", new_item("a"), now + 10);
	tag = take(s1, "q", "a");
	turn();
	now += 10;
	ck_assert_int_eq(qe_update(e, now, s1, tag, new_item("longer")), QE_OK);
	turn();
	starts_again();
	ck_assert_uint_eq(stats_of("q").dead, 1 - _i);
	ck_assert_int_eq(qe_kick(e, now, name("q"), 0, 1, &count), QE_OK);
	take(s1, _i == 1 ? "a" : "q", "longer");
	keeps_no_more();
}
END_TEST

/* The start was cut short: the server's sessions end before the engine does. */
START_TEST(what_was_read_of_a_deleted_queue_can_be_given_up)
{
	struct qe *after = qe_new(&(struct qe_config){.can_keep = true});
	struct qe_session *session;
	struct qe_reply reply;

	keeps();
	declare_as("m", (struct qe_declare){.has_durable = true, .durable = QE_SYNC});
	ck_assert_int_eq(put_keyed("m", QE_REJECT, &reply), QE_OK);
	turn();
	ck_assert_int_eq(qe_delete(e, now, name("m"), true), QE_OK);
	turn();
	ck_assert_int_eq(log_read(kept, log_records(kept), after, now), QE_OK);
	ck_assert_int_eq(qe_session_new(after, now, (const uint8_t *)"0123456789abcdef",
					after, &session),
			 QE_OK);
	qe_session_end(after, now, session, QE_END_LOST);
	qe_free(after);
	keeps_no_more();
}
END_TEST

/* It was given without one. */
START_TEST(an_end_that_a_lease_was_given_later_is_kept)
{
	struct qe_touched touched;
	struct qe_queue_stats stats;

	keeps();
	put_sized("q", 8, 0);
	ck_assert_int_eq(get(s2, 1, "q", NO_WAIT), QE_OK);
	ck_assert_int_eq(qe_touch(e, now, s2, tag_of(got.item), 1000, &touched), QE_OK);
	qe_reply_done(e, &got);
	turn();
	starts_again();
	tick_at(now += 2000);
	ck_assert_int_eq(qe_queue_stats(e, now, name("q"), &stats), QE_OK);
	ck_assert_uint_eq(stats.leased, 0);
	ck_assert_uint_eq(stats.counters.timed_out, 1);
	keeps_no_more();
}
END_TEST

START_TEST(ids_and_numbers_are_never_used_again)
{
	uint64_t id;

	keeps();
	turn();
	id = put_ok("memory", "lost with the broker");
	turn();
	starts_again();
	ck_assert_uint_gt(put_ok("memory", "x"), id);
	keeps_no_more();
}
END_TEST

static void
come_and_go(int n)
{
	for (int i = 0; i < n; i++) {
		put_sized("a", 500, 0);
		ck_assert_int_eq(get(s3, 1, "a", NO_WAIT), QE_OK);
		turn();
		ck_assert_int_eq(qe_ack(e, now, s3, tag_of(got.item)), QE_OK);
		qe_reply_done(e, &got);
		turn();
		ck_assert_ptr_null(qe_store_lost(e));
	}
}

/* The disk has room for segments, but not for a larger one. */
START_TEST(what_is_larger_than_a_segment_is_written_again_when_there_is_room)
{
	uint64_t segment;

	keeps();
	put_sized("q", 3 * SEGMENT, QE_NEVER - 1);
	turn();
	segment = log_status(kept).last_segment;
	log_set_most(kept, SEGMENT);
	come_and_go(3000);
	ck_assert_uint_eq(log_status(kept).first_segment, segment);
	log_set_most(kept, 0);
	now += UINT64_C(1000000000);
	come_and_go(1000);
	ck_assert_uint_gt(log_status(kept).first_segment, segment);
	ck_assert_uint_le(log_status(kept).bytes, 2 * 3 * SEGMENT + 2 * SEGMENT);
	keeps_no_more();
}
END_TEST

/* Of a broker that does not come to its start, say: its engine takes leave of all items. */
START_TEST(an_engine_that_ends_takes_nothing_out_of_the_log)
{
	size_t records;

	keeps();
	for (int i = 0; i < 500; i++) {
		put_sized("q", 1000, 0);
		turn();
	}
	records = log_records(kept);
	ck_assert_uint_gt(log_status(kept).last_segment, 5);
	kit_limits((struct qe_config){0});
	ck_assert_uint_eq(log_status(kept).first_segment, 1);
	ck_assert_uint_eq(log_records(kept), records);
	log_free(kept);
}
END_TEST

static void
add_tests(TCase *tcase)
{
	tcase_add_loop_test(tcase, the_log_is_bounded_whatever_is_delayed_dead_or_held,
			    0, 3);
	tcase_add_test(tcase, nothing_is_left_of_what_was_finished);
	tcase_add_test(tcase, what_was_purged_goes_without_another_request);
	tcase_add_test(tcase, answers_wait_for_what_they_depend_on);
	tcase_add_test(tcase, no_id_is_told_before_it_is_reserved);
	tcase_add_test(tcase, who_waited_hears_of_it_when_it_is_kept);
	tcase_add_test(tcase, puts_are_refused_while_there_is_no_room_and_nothing_else);
	tcase_add_test(tcase, a_body_is_not_replaced_while_there_is_no_room);
	tcase_add_test(tcase,
		       windows_that_were_open_when_the_queue_became_durable_are_kept);
	tcase_add_test(tcase, an_order_that_a_rule_gave_is_kept);
	tcase_add_test(
		tcase,
		a_dead_item_whose_group_was_cancelled_is_not_kicked_after_a_restart_either);
	tcase_add_loop_test(
		tcase, an_update_of_an_item_whose_end_has_come_is_what_is_kept, 0, 2);
	tcase_add_test(tcase, what_was_read_of_a_deleted_queue_can_be_given_up);
	tcase_add_test(tcase, an_end_that_a_lease_was_given_later_is_kept);
	tcase_add_test(tcase, ids_and_numbers_are_never_used_again);
	tcase_add_test(
		tcase,
		what_is_larger_than_a_segment_is_written_again_when_there_is_room);
	tcase_add_test(tcase, an_engine_that_ends_takes_nothing_out_of_the_log);
}

int
main(void)
{
	return kit_main("keep", add_tests);
}
