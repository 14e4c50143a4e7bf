/* SPDX-License-Identifier: MIT
 *
 * Memory that runs out: a scenario with every verb is run again and again, each time
 * with another allocation that fails. A verb that answers QE_NOMEM has changed nothing,
 * and works when it is tried again.
 */
#include "tests/core/engine_kit.h"
#include "tests/lib/alloc_fail.h"

#include <stdlib.h>
#include <string.h>

#define QUEUES 12 /* enough for every table to grow */

/* What must not change. A queue that is not there yet counts as an empty one. */
struct view {
	struct qe_stats stats;
	struct qe_queue_stats queues[QUEUES];
};

static struct qe_name
queue_at(int i)
{
	static char text[4];

	text[0] = 'q';
	text[1] = (char)('a' + i);
	return (struct qe_name){text, 2};
}

static void
look(struct view *view)
{
	memset(view, 0, sizeof(*view));
	qe_stats(e, &view->stats);
	view->stats.memory = 0;
	view->stats.queues = 0;
	for (int i = 0; i < QUEUES; i++) {
		(void)!qe_queue_stats(e, now, queue_at(i), &view->queues[i]);
		view->queues[i].name = (struct qe_name){0};
		if (view->queues[i].next_ns ==
		    QE_NEVER) /* a queue may have been made */
			view->queues[i].next_ns = 0;
	}
}

static enum qe_result
finish(enum qe_result result, struct qe_reply *reply)
{
	if (result == QE_OK)
		qe_reply_done(e, reply);
	while (qe_next_reply(e, reply))
		qe_reply_done(e, reply);
	return result;
}

static enum qe_result
do_put(struct qe_session *s, uint64_t rid, int queue, unsigned n, bool many,
       bool atomic, uint64_t deadline)
{
	struct qe_item *items[8];
	struct qe_reply reply;
	enum qe_result result;

	for (unsigned i = 0; i < n; i++) {
		ALLOC_WATCH(result, qe_item_new(e, 5, &items[i]));
		if (result == QE_OK)
			continue;
		while (i-- > 0)
			qe_item_unref(e, items[i]);
		return result;
	}
	ALLOC_WATCH(result, qe_put(e, now, s, rid, queue_at(queue), deadline, items, n,
				   many, atomic, &reply));
	return finish(result, &reply);
}

/* That a get gave, and those of step_get(). */
static struct qe_tag last_lease, leases[QUEUES];

static enum qe_result
do_get(struct qe_session *s, uint64_t rid, int queue, unsigned min, unsigned max,
       uint64_t deadline, uint64_t lease)
{
	struct qe_get args = {.deadline_ns = deadline,
			      .lease_ns = lease,
			      .many = max > 1,
			      .min_items = min,
			      .max_items = max,
			      .max_bytes = 1000};
	struct qe_reply reply;
	enum qe_result result;

	ALLOC_WATCH(result, qe_get(e, now, s, rid, queue_at(queue), &args, &reply));
	if (result == QE_OK)
		last_lease = tag_of(qe_reply_item(&reply, 0));
	return finish(result, &reply);
}

static enum qe_result
step_session(int i)
{
	uint8_t id[16] = {(uint8_t)(100 + i)};
	struct qe_session *s;
	enum qe_result result;

	ALLOC_WATCH(result, qe_session_new(e, now, id, NULL, &s));
	return result;
}

static enum qe_result
step_wait_one(int i)
{
	return do_get(s1, (uint64_t)i, i, 1, 1, now + 1000, i % 2);
}

static enum qe_result
step_wait_many(int i)
{
	return do_get(s2, (uint64_t)i, i, 3, 5, QE_NEVER, i % 2);
}

/* From this queue and the next, which is made for it. */
static enum qe_result
step_wait_any(int i)
{
	char text[] = {'q', (char)('a' + (i + 1) % QUEUES)};
	struct qe_name queues[] = {queue_at(i), {text, 2}};
	struct qe_any any = {.queues = queues, .n = 2, .round_robin = true};
	struct qe_get args = {.deadline_ns = now + 1000, .lease_ns = (uint64_t)(i % 2)};
	struct qe_reply reply;
	enum qe_result result;

	ALLOC_WATCH(result,
		    qe_get_any(e, now, s2, 400 + (uint64_t)i, &any, &args, &reply));
	return finish(result, &reply);
}

static enum qe_result
step_put(int i)
{
	return do_put(s1, 50, i, 1, false, false, QE_NEVER);
}

static enum qe_result
step_put_atomic(int i)
{
	return do_put(s1, 50, i, 4, true, true, QE_NEVER);
}

/* An item with times has a record of its own. */
static enum qe_result
step_put_timed(int i)
{
	struct qe_item *item;
	struct qe_reply reply;
	enum qe_result result;

	ALLOC_WATCH(result, qe_item_new(e, 1, &item));
	if (result != QE_OK)
		return result;
	ALLOC_WATCH(result, qe_item_set_times(e, item, now + 5, now + 10));
	if (result != QE_OK) {
		qe_item_unref(e, item);
		return result;
	}
	ALLOC_WATCH(result, qe_put(e, now, s1, 50, queue_at(i), NO_WAIT, &item, 1,
				   false, false, &reply));
	return finish(result, &reply);
}

/* A group is made for its first item. */
static enum qe_result
step_put_grouped(int i)
{
	struct qe_item *item;
	struct qe_reply reply;
	enum qe_result result;

	ALLOC_WATCH(result, qe_item_new(e, 1, &item));
	if (result != QE_OK)
		return result;
	ALLOC_WATCH(result, qe_item_set_group(e, now, item, queue_at(i), queue_at(i)));
	if (result != QE_OK) {
		qe_item_unref(e, item);
		return result;
	}
	ALLOC_WATCH(result, qe_put(e, now, s1, 50, queue_at(i), NO_WAIT, &item, 1,
				   false, false, &reply));
	return finish(result, &reply);
}

/* And a key. */
static enum qe_result
step_put_keyed(int i)
{
	struct qe_key key = {.name = queue_at(i), .window_ns = 100};
	struct qe_item *item;
	struct qe_reply reply;
	enum qe_result result;

	ALLOC_WATCH(result, qe_item_new(e, 1, &item));
	if (result != QE_OK)
		return result;
	ALLOC_WATCH(result, qe_item_set_key(e, now, item, queue_at(i), &key));
	if (result != QE_OK) {
		qe_item_unref(e, item);
		return result;
	}
	ALLOC_WATCH(result, qe_put(e, now, s1, 50, queue_at(i), NO_WAIT, &item, 1,
				   false, false, &reply));
	return finish(result, &reply);
}

static enum qe_result
step_cancel_group(int i)
{
	struct qe_cancelled cancelled;
	struct qe_reply reply;
	enum qe_result result;

	ALLOC_WATCH(result,
		    qe_cancel_group(e, now, queue_at(i), queue_at(i), &cancelled));
	(void)finish(QE_CANCELLED, &reply);
	return result;
}

static enum qe_result
step_join_group(int i)
{
	struct qe_join join = {.deadline_ns = QE_NEVER, .group = queue_at(i)};
	enum qe_result result;

	ALLOC_WATCH(result, qe_join(e, now, s2, 300 + (uint64_t)i, queue_at(i), &join));
	return result;
}

static enum qe_result
step_declare(int i)
{
	struct qe_declare declare = {.has_maxsize = true, .maxsize = 6, .update = true};
	struct qe_queue_stats stats;
	bool created;
	enum qe_result result;

	ALLOC_WATCH(result,
		    qe_declare(e, now, queue_at(i), &declare, &created, &stats));
	return result;
}

static enum qe_result
step_watch(int i)
{
	enum qe_result result;

	ALLOC_WATCH(result, qe_watch(e, i == 0));
	return result;
}

static enum qe_result
step_configure(int i)
{
	struct qe_rule rule = {.pattern = queue_at(i),
			       .source = queue_at(i),
			       .says = {.has_max_bytes = true, .max_bytes = 1000}};
	struct qe_config config = {.epoch = EPOCH, .rules = &rule, .n_rules = 1};
	enum qe_result result;

	ALLOC_WATCH(result, qe_configure(e, now, &config));
	return result;
}

static enum qe_result
step_put_waits(int i)
{
	return do_put(s3, 100 + (uint64_t)i, i, 8, true, false, QE_NEVER);
}

static enum qe_result
step_join(int i)
{
	enum qe_result result;

	ALLOC_WATCH(result, qe_join(e, now, s2, 200 + (uint64_t)i, queue_at(i),
				    &(struct qe_join){.deadline_ns = QE_NEVER}));
	return result;
}

static enum qe_result
step_get(int i)
{
	enum qe_result result = do_get(s1, 50, i, 1, 1, NO_WAIT, 0);

	leases[i] = last_lease;
	return result;
}

static enum qe_result
step_get_leased(int i)
{
	return do_get(s1, 50, i, 1, 1, NO_WAIT, 1000);
}

/* The lease of step_get(), which has no end and so no record. */
static enum qe_result
step_touch(int i)
{
	struct qe_tag tag = leases[i];
	enum qe_result result;
	struct qe_touched touched;

	ALLOC_WATCH(result, qe_touch(e, now, s1, tag, 1000, &touched));
	ck_assert_int_ne(result, QE_STALE);
	return result;
}

/* Leases of a queue of their own. */
static struct qe_tag failing[QUEUES];

static enum qe_result
step_take(int i)
{
	struct qe_item *item;
	struct qe_reply reply;

	ck_assert_int_eq(qe_item_new(e, 1, &item), QE_OK);
	ck_assert_int_eq(qe_put(e, now, s1, 50, name("failing"), NO_WAIT, &item, 1,
				false, false, &reply),
			 QE_OK);
	ck_assert_int_eq(qe_get(e, now, s1, 50, name("failing"), &(struct qe_get){0},
				&reply),
			 QE_OK);
	failing[i] = tag_of(reply.item);
	qe_reply_done(e, &reply);
	return QE_OK;
}

static enum qe_result
step_nack(int i)
{
	struct qe_nack nack = {.error = name(i % 2 ? "error" : ""),
			       .has_delay = true,
			       .delay_ns = 100,
			       .tail = i % 3 == 0};
	enum qe_result result;

	ALLOC_WATCH(result, qe_nack(e, now, s1, failing[i], &nack));
	return result;
}

static enum qe_result
step_bury(int i)
{
	enum qe_result result;

	ALLOC_WATCH(result, qe_bury(e, now, s1, failing[i], name("error")));
	return result;
}

/* It is dead without memory, too. */
static enum qe_result
step_bury_silently(int i)
{
	enum qe_result result;

	ALLOC_WATCH(result, qe_bury(e, now, s1, failing[i], name("")));
	return result;
}

static enum qe_result
step_update(int i)
{
	struct qe_item *item;
	enum qe_result result;

	ALLOC_WATCH(result, qe_item_new(e, 100, &item));
	if (result == QE_OK)
		ALLOC_WATCH(result, qe_update(e, now, s1, failing[i], item));
	return result;
}

/* All dead items are found, those without a record too. */
static enum qe_result
step_kick(int i)
{
	struct qe_shown shown;
	uint64_t count;
	enum qe_result result;

	ALLOC_WATCH(result, qe_show(e, now, name("failing"), failing[i].id, &shown));
	ck_assert_int_eq(result, QE_OK);
	ck_assert(shown.dead);
	qe_item_unref(e, shown.item);
	ALLOC_WATCH(result, qe_kick(e, now, name("failing"), failing[i].id, 1, &count));
	ck_assert_int_eq(result, QE_OK);
	return result;
}

/* The first one makes the queue. */
static enum qe_result
step_move(int i)
{
	uint64_t count;
	enum qe_result result;

	ALLOC_WATCH(result, qe_move(e, now, name("failing"), name("moved"),
				    QE_STATE_READY, 1, &count));
	return result;
}

/* What was moved last is ready, and has another id. */
static enum qe_result
step_delete_item(int i)
{
	struct qe_item *item;
	uint64_t id;
	enum qe_result result;

	ck_assert_int_eq(qe_peek(e, name("moved"), &item), QE_OK);
	id = qe_item_id(item);
	qe_item_unref(e, item);
	ALLOC_WATCH(result, qe_delete_item(e, now, name("moved"), id, false,
					   &(struct qe_search){0}));
	ck_assert_int_eq(result, QE_OK);
	return result;
}

static enum qe_result
step_browse(int i)
{
	struct qe_shown rows[10];
	unsigned n;
	enum qe_result result;

	ALLOC_WATCH(result, qe_browse(e, now, name("failing"), QE_STATE_READY, 0, rows,
				      10, &n));
	return result;
}

static enum qe_result
step_get_many(int i)
{
	return do_get(s3, 50, i, 1, 3, NO_WAIT, i % 2 * 1000);
}

static enum qe_result
step_cancel(int i)
{
	struct qe_reply reply;
	enum qe_result result;

	ALLOC_WATCH(result, qe_cancel(e, now, s3, 100 + (uint64_t)i));
	(void)finish(QE_CANCELLED, &reply);
	return result;
}

static enum qe_result
step_shutdown(int i)
{
	struct qe_reply reply;
	enum qe_result result;

	ALLOC_WATCH(result, qe_shutdown(e, now, queue_at(i), false));
	(void)finish(QE_CANCELLED, &reply);
	return result;
}

static const struct step {
	enum qe_result (*run)(int i);
	int times;
	bool bends; /* without memory a get of many gives fewer, here or when woken */
} steps[] = {
	{step_session, QUEUES, false},
	{step_wait_one, QUEUES, false},
	{step_wait_many, QUEUES, false},
	{step_wait_any, QUEUES, false},
	{step_put, QUEUES, false},
	{step_put_atomic, QUEUES, true},
	{step_put_timed, QUEUES, false},
	{step_put_grouped, QUEUES, true},
	{step_join_group, QUEUES, false},
	{step_put_keyed, QUEUES, true},
	{step_declare, QUEUES, false},
	{step_put_waits, QUEUES, false},
	{step_join, QUEUES, false},
	{step_get, QUEUES, false},
	{step_touch, QUEUES, false},
	{step_get_leased, QUEUES, false},
	{step_get_many, QUEUES, true},
	{step_cancel, 2, false},
	{step_cancel_group, 4, false},
	{step_shutdown, 3, false},
	{step_configure, 3, false},
	{step_take, QUEUES, false},
	{step_nack, QUEUES, false},
	{step_take, QUEUES, false},
	{step_update, QUEUES, false},
	{step_take, QUEUES, false},
	{step_bury, QUEUES, false},
	{step_take, QUEUES, false},
	{step_bury_silently, QUEUES, true},
	{step_kick, QUEUES, false},
	{step_browse, 1, false},
	{step_move, 2, false},
	{step_watch, 1, false},
	{step_delete_item, 2, false},
};

/* Runs a step, once more if there was no memory for it. */
static void
run_step(const struct step *step, int i)
{
	struct view before, after;
	enum qe_result result;

	if (alloc_fail.failed) { /* before; from here on there is memory */
		ck_assert_int_ne(step->run(i), QE_NOMEM);
		return;
	}
	look(&before);
	result = step->run(i);
	if (!alloc_fail.failed)
		return;
	ck_assert_ptr_null(qe_check(e));
	alloc_fail.at = 0;
	if (step->bends && result == QE_OK)
		return;
	ck_assert_int_eq(result, QE_NOMEM);
	look(&after);
	ck_assert_mem_eq(&before, &after, sizeof(before));
	ck_assert_int_ne(step->run(i), QE_NOMEM);
	ck_assert_ptr_null(qe_check(e));
}

/* Returns whether an allocation failed. */
static bool
run_scenario(unsigned long at, bool all)
{
	uint64_t count;

	kit_limits((struct qe_config){0});
	alloc_fail.count = 0;
	alloc_fail.failed = false;
	alloc_fail.all_after = all;
	alloc_fail.at = at;
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		for (int k = 0; k < steps[i].times; k++)
			run_step(&steps[i], k);
	qe_session_end(e, now, s1, QE_END_LOST);
	ck_assert_int_eq(qe_purge(e, now, queue_at(1), &count), QE_OK);
	ck_assert_int_eq(qe_delete(e, now, queue_at(2), true), QE_OK);
	while (qe_next_reply(e, &got))
		qe_reply_done(e, &got);
	ck_assert_ptr_null(qe_check(e));
	return alloc_fail.failed;
}

START_TEST(a_verb_without_memory_changes_nothing)
{
	bool all = _i == 1;
	unsigned long n = 1;

	while (run_scenario(n, all))
		n++;
	ck_assert_uint_gt(n, 200); /* so many allocations were tried */
}
END_TEST

START_TEST(what_cannot_fail_takes_no_memory)
{
	enum qe_result result;
	struct qe_tag tag;
	uint64_t next;

	kit_limits((struct qe_config){.maxsize = 2});
	put_ok("a", "x");
	put_ok("a", "y");
	put_ok("b", "z");
	tag = take(s1, "a", "x");
	take(s1, "a", "y");
	take(s1, "b", "z");
	put_ok("a", "u");
	put_ok("a", "v");
	ck_assert_int_eq(put(s1, 1, "a", "w", QE_NEVER), QE_WAIT);
	ck_assert_int_eq(put(s2, 1, "a", "w", now + 5), QE_WAIT);
	ck_assert_int_eq(
		get_as(s2, 2, "b",
		       (struct qe_get){.deadline_ns = QE_NEVER, .lease_ns = 5}),
		QE_WAIT);
	ck_assert_int_eq(get_many(s2, 3, "b", 2, 4, 3, QE_NEVER), QE_WAIT);
	ck_assert_int_eq(qe_join(e, now, s2, 4, name("a"),
				 &(struct qe_join){.deadline_ns = QE_NEVER}),
			 QE_WAIT);

	alloc_fail.all_after = true;
	alloc_fail.at = 1;
	ALLOC_WATCH(result, qe_release(e, now, s1, tag));
	ck_assert_int_eq(result, QE_OK);
	ALLOC_WATCH(result, qe_task_done(e, now, s1, name("a")));
	ck_assert_int_eq(result, QE_OK);
	ALLOC_WATCH(result, (qe_session_end(e, now, s1, QE_END_LOST), QE_OK));
	expect(s2, 2, QE_OK);
	ALLOC_WATCH(next, qe_tick(e, now += 5));
	ck_assert_uint_eq(next, QE_NEVER);
	expect(s2, 1, QE_FULL_ITEMS);
	ALLOC_WATCH(result, qe_cancel(e, now, s2, 3));
	expect(s2, 3, QE_CANCELLED);
	ALLOC_WATCH(result, qe_purge(e, now, name("a"), &next));
	expect(s2, 4, QE_OK);
	ALLOC_WATCH(result, qe_shutdown(e, now, name("a"), true));
	ALLOC_WATCH(result, qe_reopen(e, now, name("a")));
	ALLOC_WATCH(result, qe_pause(e, now, name("a"),
				     &(struct qe_pause){.has_in = true, .in = true}));
	ALLOC_WATCH(result, qe_delete(e, now, name("b"), true));
	ck_assert_int_eq(result, QE_OK);
	ck_assert(!alloc_fail.failed);
}
END_TEST

START_TEST(a_put_of_many_needs_memory_for_its_results)
{
	struct qe_item *items[2] = {new_item("a"), new_item("b")};
	enum qe_result result;

	ck_assert_int_eq(get(s1, 1, "q", NO_WAIT), QE_EMPTY); /* makes the queue */
	alloc_fail.at = 1;
	ALLOC_WATCH(result, qe_put(e, now, s1, 1, name("q"), NO_WAIT, items, 2, true,
				   true, &got));
	ck_assert_int_eq(result, QE_NOMEM);
	ck_assert_uint_eq(stats_of("q").ready, 0);
}
END_TEST

START_TEST(a_get_of_many_that_waited_gives_one_item_without_memory)
{
	struct qe_item *items[3] = {new_item("a"), new_item("b"), new_item("c")};
	enum qe_result result;

	ck_assert_int_eq(get_many(s1, 1, "q", 1, 5, 0, QE_NEVER), QE_WAIT);
	alloc_fail.all_after = true;
	alloc_fail.at = 2; /* the first is for the results of the put */
	alloc_fail.count = 0;
	ALLOC_WATCH(result, qe_put(e, now, s2, 1, name("q"), NO_WAIT, items, 3, true,
				   false, &got));
	ck_assert_int_eq(result, QE_OK);
	ck_assert(alloc_fail.failed);
	qe_reply_done(e, &got);
	expect(s1, 1, QE_OK);
	ck_assert_str_eq(bodies(), "a");
	ck_assert_uint_eq(stats_of("q").ready, 2);
}
END_TEST

START_TEST(put_get_and_ack_allocate_nothing_but_the_item)
{
	struct qe_get args = {.deadline_ns = NO_WAIT};
	enum qe_result result;

	ck_assert_int_eq(qe_ack(e, now, s1, (put_ok("q", "a"), take(s1, "q", "a"))),
			 QE_OK);
	alloc_fail.count = 0;
	for (int i = 0; i < 100; i++) {
		struct qe_item *item = new_item("b");

		ALLOC_WATCH(result, qe_put(e, now, s1, 1, name("q"), NO_WAIT, &item, 1,
					   false, false, &got));
		ck_assert_int_eq(result, QE_OK);
		qe_reply_done(e, &got);
		ALLOC_WATCH(result, qe_get(e, now, s1, 1, name("q"), &args, &got));
		ck_assert_int_eq(result, QE_OK);
		ALLOC_WATCH(result, qe_ack(e, now, s1, tag_of(got.item)));
		ck_assert_int_eq(result, QE_OK);
		qe_reply_done(e, &got);
	}
	ck_assert_uint_eq(alloc_fail.count, 0);
}
END_TEST

START_TEST(no_engine_without_memory)
{
	struct qe *none;

	alloc_fail.at = 1;
	alloc_fail.count = 0;
	ALLOC_WATCH(none, qe_new(&(struct qe_config){0}));
	ck_assert_ptr_null(none);
}
END_TEST

static void
add(TCase *tcase)
{
	tcase_add_loop_test(tcase, a_verb_without_memory_changes_nothing, 0, 2);
	tcase_add_test(tcase, what_cannot_fail_takes_no_memory);
	tcase_add_test(tcase, a_put_of_many_needs_memory_for_its_results);
	tcase_add_test(tcase, a_get_of_many_that_waited_gives_one_item_without_memory);
	tcase_add_test(tcase, put_get_and_ack_allocate_nothing_but_the_item);
	tcase_add_test(tcase, no_engine_without_memory);
}

int
main(void)
{
	return kit_main("nomem", add);
}
