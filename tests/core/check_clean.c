/* SPDX-License-Identifier: MIT
 *
 * How much work one share of cleaning is, whatever there is to be cleaned: entries that are written again,
 * and bytes that are copied for that. Not how long it takes. And that it is enough.
 */
#include "tests/core/engine_kit.h"
#include "tests/core/log_kit.h"

#include <stdio.h>
#include <string.h>

#define SEGMENT (UINT64_C(8) << 20)
#define MARK	"a mark: " /* in each entry that stays; half an id of a session */

/* Of one turn. */
#define MOST_ENTRIES 1024
#define MOST_COPIED  (UINT64_C(1) << 20)

static struct store *kept;

static void
keeps(uint64_t body_memory)
{
	kit_limits((struct qe_config){.can_keep = true, .body_memory = body_memory});
	kept = log_new(SEGMENT);
	ck_assert_int_eq(qe_restored(e, now, kept), QE_OK);
	declare_as("stays",
		   (struct qe_declare){.has_durable = true, .durable = QE_SYNC});
	declare_as("goes",
		   (struct qe_declare){.has_durable = true, .durable = QE_ASYNC});
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

static unsigned
marks_in_last(void)
{
	size_t len;
	const char *at = log_last(kept, &len), *end = at + len;
	unsigned n = 0;

	while ((at = memmem(at, (size_t)(end - at), MARK, strlen(MARK)))) {
		at += strlen(MARK);
		n++;
	}
	return n;
}

/* What all turns so far had of cleaning, and the most of one. */
static struct {
	uint64_t turns, entries, copied, not_copied;
	uint64_t most_entries, most_copied;
} work;

static void
note(uint64_t *all, uint64_t *most, uint64_t n)
{
	*all += n;
	if (n > *most)
		*most = n;
}

/* What was asked for has a record of its own, so that the next one is cleaning alone. */
static void
turn(void)
{
	struct log_work before, after;

	qe_commit(e);
	(void)qe_after(e);
	before = log_work(kept);
	tick_at(++now);
	qe_commit(e);
	after = log_work(kept);
	if (after.records == before.records)
		return;
	work.turns++;
	note(&work.entries, &work.most_entries, marks_in_last());
	note(&work.copied, &work.most_copied, after.copied - before.copied);
	work.not_copied += after.lent - before.lent + after.moved - before.moved;
}

/* With the key, its window stays; else the item, if it is in that queue. */
static struct qe_item *
item_for(const char *queue, size_t len, bool keyed, uint64_t ready)
{
	static unsigned serial;
	char text[80];
	struct qe_key key = {.scope = QE_WINDOW, .window_ns = UINT64_C(3600000000000)};
	struct qe_item *item;

	ck_assert_int_eq(qe_item_new(e, len, &item), QE_OK);
	memset(qe_item_body(item), 0, len);
	if (ready > 0)
		ck_assert_int_eq(qe_item_set_times(e, item, ready, QE_NEVER), QE_OK);
	if (keyed) {
		snprintf(text, sizeof(text), MARK "%u", serial++);
		key.name = name(text);
		ck_assert_int_eq(qe_item_set_key(e, now, item, name(queue), &key),
				 QE_OK);
	} else if (queue[0] == 's') {
		memcpy(qe_item_body(item), MARK, strlen(MARK));
	}
	return item;
}

static void
put_n(const char *queue, unsigned n, size_t len, bool keyed, uint64_t ready)
{
	struct qe_item *items[QE_MAX_BATCH];
	struct qe_reply reply;

	for (unsigned i = 0; i < n; i++)
		items[i] = item_for(queue, len, keyed, ready);
	ck_assert_int_eq(qe_put(e, now, s1, 1, name(queue), NO_WAIT, items, n, n > 1,
				false, &reply),
			 QE_OK);
	qe_reply_done(e, &reply);
}

/* Gives them to the session, which may finish them. */
static void
get_n(const char *queue, unsigned n, struct qe_session *session, bool finish)
{
	struct qe_reply reply;
	struct qe_get args = {
		.many = true, .min_items = 1, .max_items = n, .max_bytes = UINT64_MAX};

	ck_assert_int_eq(qe_get(e, now, session, 1, name(queue), &args, &reply), QE_OK);
	ck_assert_uint_eq(reply.n, n);
	turn();
	for (unsigned i = 0; finish && i < n; i++)
		ck_assert_int_eq(qe_ack(e, now, session,
					tag_of(qe_reply_item(&reply, i))),
				 QE_OK);
	qe_reply_done(e, &reply);
	turn();
}

/* Items come and go until each segment that there was has been cleaned. */
static void
clean_all(unsigned batch, size_t len)
{
	uint64_t last = log_status(kept).last_segment, live = log_status(kept).bytes, most = 0;

	memset(&work, 0, sizeof(work));
	while (log_status(kept).first_segment <= last) {
		put_n("goes", batch, len, false, 0);
		turn();
		get_n("goes", batch, s1, true);
		if (log_status(kept).bytes > most)
			most = log_status(kept).bytes;
	}
	ck_assert_uint_le(most, 2 * live + 2 * SEGMENT);
	ck_assert_uint_le(work.most_entries, MOST_ENTRIES);
	ck_assert_uint_le(work.most_copied, MOST_COPIED);
}

START_TEST(of_many_small_items_some_have_their_turn)
{
	keeps(0);
	for (unsigned i = 0; i < 100; i++) {
		put_n("stays", QE_MAX_BATCH, 64, false, _i == 0 ? QE_NEVER - 1 : 0);
		if (_i == 1)
			get_n("stays", QE_MAX_BATCH, s2, false);
		turn();
	}
	clean_all(_i == 0 ? 1000 : 100, 64);
	ck_assert_uint_ge(work.entries, 100000);
	keeps_no_more();
}
END_TEST

START_TEST(of_many_keys_some_have_their_turn)
{
	keeps(0);
	for (unsigned i = 0; i < 100; i++) {
		put_n("stays", QE_MAX_BATCH, 8, true, 0);
		get_n("stays", QE_MAX_BATCH, s1, true);
	}
	clean_all(1000, 64);
	ck_assert_uint_ge(work.entries, 100000);
	keeps_no_more();
}
END_TEST

START_TEST(of_many_sessions_some_have_their_turn)
{
	uint8_t id[16] = MARK;
	struct qe_session *session;

	keeps(0);
	for (uint32_t i = 0; i < 100000; i++) {
		memcpy(id + 12, &i, sizeof(i));
		ck_assert_int_eq(qe_session_new(e, now, id, NULL, &session), QE_OK);
		put_n("stays", 1, 8, false, 0);
		get_n("stays", 1, session, false);
	}
	clean_all(1000, 64);
	ck_assert_uint_ge(work.entries, 200000);
	keeps_no_more();
}
END_TEST

/* However large they are, they are not copied by who cleans. */
START_TEST(bodies_that_are_not_small_are_lent_or_moved)
{
	static const struct {
		size_t len;
		unsigned n;
	} of[] = {{3000, 4000}, {65536, 200}, {1 << 20, 8}, {64 << 20, 1}};
	const size_t len = of[_i / 2].len;
	const unsigned n = of[_i / 2].n;
	const bool away = _i % 2;

	keeps(away ? 1 : 0);
	for (unsigned i = 0; i < n; i++) {
		put_n("stays", 1, len, false, QE_NEVER - 1);
		turn();
	}
	clean_all(100, 100);
	ck_assert_uint_ge(work.not_copied, n * len);
	ck_assert_uint_lt(work.copied, len * n / 4);
	ck_assert_uint_eq(log_reads(kept), 0);
	keeps_no_more();
}
END_TEST

START_TEST(a_record_is_closed_when_it_has_many_entries)
{
	keeps(0);
	put_n("goes", 999, 8, false, 0); /* and the queue */
	ck_assert(!qe_should_commit(e));
	put_n("goes", 1, 8, false, 0);
	ck_assert(qe_should_commit(e));
	qe_commit(e);
	ck_assert(!qe_should_commit(e));
	keeps_no_more();
}
END_TEST

/* All that the first segments have is items of one queue. */
static void
fill_segments(void)
{
	keeps(0);
	for (int i = 0; i < 2; i++) {
		put_n("stays", QE_MAX_BATCH, 8000, false, 0);
		qe_commit(e);
	}
	ck_assert_int_eq(qe_pause(e, now, name("stays"), &(struct qe_pause){0}), QE_OK);
	ck_assert_int_eq(qe_pause(e, now, name("goes"), &(struct qe_pause){0}), QE_OK);
	qe_commit(e);
	ck_assert_uint_gt(log_status(kept).last_segment, 1);
	ck_assert_uint_eq(log_status(kept).first_segment, 1);
}

/* Else it may be lost in a crash, when they have gone, and then so is what they had. */
START_TEST(segments_go_after_the_record_that_makes_them_needless)
{
	uint64_t dropped;

	fill_segments();
	ck_assert_int_eq(qe_purge(e, now, name("stays"), &dropped), QE_OK);
	ck_assert_uint_eq(dropped, 2 * QE_MAX_BATCH);
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(qe_purge(e, now, name("goes"), &dropped), QE_OK);
		tick_at(++now);
	}
	ck_assert_uint_eq(log_status(kept).first_segment, 1);
	qe_commit(e);
	ck_assert_uint_eq(log_status(kept).first_segment,
			  log_status(kept).last_segment);
	keeps_no_more();
}
END_TEST

static void
add_tests(TCase *tcase)
{
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, of_many_small_items_some_have_their_turn, 0, 2);
	tcase_add_test(tcase, of_many_keys_some_have_their_turn);
	tcase_add_test(tcase, of_many_sessions_some_have_their_turn);
	tcase_add_loop_test(tcase, bodies_that_are_not_small_are_lent_or_moved, 0, 8);
	tcase_add_test(tcase, a_record_is_closed_when_it_has_many_entries);
	tcase_add_test(tcase, segments_go_after_the_record_that_makes_them_needless);
}

int
main(void)
{
	return kit_main("clean", add_tests);
}
