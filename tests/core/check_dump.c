/* SPDX-License-Identifier: MIT
 *
 * All items of a queue in one state, page by page, whatever changes between the pages.
 */
#include "tests/core/engine_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS  4000
#define MOST   (4 * ITEMS)
#define GROUPS 50
#define PAGE   16
#define GONE   ((enum qe_state)9)
#define HOUR   UINT64_C(3600000000000)

/* What is known of an item, by its id. */
static struct known {
	int group; /* -1: none */
	int32_t priority;
	enum qe_state state;
	bool touched; /* since the walk began */
	unsigned given;
} known[MOST];
static uint64_t last; /* id */
static unsigned long random_state;
static enum qe_order order;

static unsigned
chance(unsigned below)
{
	random_state = random_state * 6364136223846793005 + 1442695040888963407;
	return (unsigned)(random_state >> 33) % below;
}

static void
put_one(void)
{
	int group = chance(2) ? (int)chance(GROUPS) : -1;
	int32_t priority = (int32_t)chance(5) - 2;
	struct qe_item *item = new_item("xy");
	uint64_t delay = chance(8) ? 0 : now + HOUR + chance(1000);
	char text[16];
	struct qe_reply reply;

	snprintf(text, sizeof(text), "g%d", group);
	if (group >= 0)
		ck_assert_int_eq(qe_item_set_group(e, now, item, name("q"), name(text)),
				 QE_OK);
	if (delay)
		ck_assert_int_eq(qe_item_set_times(e, item, delay, QE_NEVER), QE_OK);
	qe_item_set_priority(item, priority);
	ck_assert_int_eq(qe_put(e, now, s3, 1, name("q"), NO_WAIT, &item, 1, false,
				false, &reply),
			 QE_OK);
	last = reply.id;
	qe_reply_done(e, &reply);
	ck_assert_uint_lt(last, MOST);
	known[last] = (struct known){.group = group,
				     .priority = priority,
				     .state = delay ? QE_STATE_DELAYED : QE_STATE_READY,
				     .touched = true};
}

/* Takes the next item, and does one of some things with it. */
static void
take_one(void)
{
	struct qe_session *s = chance(2) ? s1 : s2;
	struct qe_reply reply;
	struct qe_tag tag;
	struct qe_get args = {.deadline_ns = NO_WAIT};

	if (qe_get(e, now, s, 1, name("q"), &args, &reply) != QE_OK)
		return;
	tag = tag_of(reply.item);
	qe_reply_done(e, &reply);
	known[tag.id].touched = true;
	known[tag.id].state = QE_STATE_LEASED;
	switch (chance(4)) {
	case 0:
		ck_assert_int_eq(qe_release(e, now, s, tag), QE_OK);
		known[tag.id].state = QE_STATE_READY;
		break;
	case 1:
		ck_assert_int_eq(qe_bury(e, now, s, tag, name("no")), QE_OK);
		known[tag.id].state = QE_STATE_DEAD;
		break;
	case 2:
		ck_assert_int_eq(qe_ack(e, now, s, tag), QE_OK);
		known[tag.id].state = GONE;
		break;
	default: now += UINT64_C(20000000); /* it is held; the next ones later */
	}
}

static bool
waits(uint64_t id)
{
	return known[id].state == QE_STATE_READY || known[id].state == QE_STATE_DELAYED;
}

static void
gone(uint64_t id)
{
	known[id].touched = true;
	known[id].state = GONE;
}

/* Any of those that are held. */
static void
finish_one(void)
{
	uint64_t id = 1 + chance((unsigned)last);
	struct qe_tag tag = {id, 1, EPOCH};

	for (tag.delivery = 1; tag.delivery < 4; tag.delivery++)
		if (qe_ack(e, now, s1, tag) == QE_OK ||
		    qe_ack(e, now, s2, tag) == QE_OK)
			gone(id);
}

static void
drop_group(void)
{
	int group = (int)chance(GROUPS);
	struct qe_cancelled cancelled;
	char text[16];

	snprintf(text, sizeof(text), "g%d", group);
	ck_assert_int_eq(qe_cancel_group(e, now, name("q"), name(text), &cancelled),
			 QE_OK);
	for (uint64_t id = 1; id <= last; id++)
		if (known[id].group == group && waits(id))
			gone(id);
}

static void
change_one(void)
{
	uint64_t n;

	switch (chance(12)) {
	case 0:
	case 1:
	case 2: put_one(); break;
	case 3: finish_one(); break;
	case 4:
		if (chance(40) == 0)
			drop_group();
		break;
	case 5: {
		uint64_t id = 1 + chance((unsigned)last);

		if (qe_kick(e, now, name("q"), id, 1, &n) == QE_OK) {
			known[id].touched = true;
			known[id].state = QE_STATE_READY; /* or gone, with its group */
		}
		break;
	}
	case 6:
		if (chance(400) == 0) {
			ck_assert_int_eq(qe_purge(e, now, name("q"), &n), QE_OK);
			for (uint64_t id = 1; id <= last; id++)
				if (waits(id))
					gone(id);
		}
		break;
	default: take_one();
	}
}

static void
fill(unsigned seed)
{
	random_state = seed;
	last = 0;
	memset(known, 0, sizeof(known));
	declare_order("q", order);
	for (int i = 0; i < ITEMS; i++) {
		put_one();
		if (chance(3) == 0)
			take_one();
	}
	for (uint64_t id = 1; id <= last; id++)
		known[id].touched = false;
}

static bool
comes_before(uint64_t a, uint64_t b)
{
	if (order == QE_PRIORITY && known[a].priority != known[b].priority)
		return known[a].priority < known[b].priority;
	return a < b;
}

/* What was there at the beginning, in this state: a bit for each. */
static unsigned
count_all(enum qe_state state, bool *was)
{
	unsigned n = 0;

	for (uint64_t id = 1; id <= last; id++) {
		was[id] = known[id].state == state;
		n += was[id];
	}
	return n;
}

static void
give(const struct qe_shown *rows, unsigned n, enum qe_state state, uint64_t *before)
{
	for (unsigned i = 0; i < n; i++) {
		uint64_t id = qe_item_id(rows[i].item);

		ck_assert_msg(state != QE_STATE_READY || *before == 0 ||
				      comes_before(*before, id),
			      "%lu comes after %lu", id, *before);
		ck_assert_msg(known[id].given == 0 || state == QE_STATE_LEASED,
			      "%lu comes twice", id);
		known[id].given++;
		*before = id;
		qe_item_unref(e, rows[i].item);
	}
}

/* Returns how many calls it took. */
static unsigned
walk_through(enum qe_state state, unsigned changes)
{
	struct qe_shown rows[PAGE];
	struct qe_dump *walk = NULL;
	unsigned n, calls = 0;
	uint64_t before = 0, most = last;
	enum qe_result result;

	do {
		result = qe_dump(e, now, name("q"), state, &walk, rows, PAGE, 19, &n);
		ck_assert(result == QE_OK || (result == QE_WAIT && n == 0));
		give(rows, n, state, &before);
		for (unsigned i = chance(changes + 1); i > 0; i--)
			change_one();
		if (calls % 32 == 0)
			ck_assert_ptr_null(qe_check(e));
		ck_assert_uint_lt(++calls, MOST);
	} while (walk);
	for (uint64_t id = most + 1; id <= last; id++)
		ck_assert_uint_eq(known[id].given, 0);
	return calls;
}

static const enum qe_state states[] = {QE_STATE_READY, QE_STATE_DELAYED,
				       QE_STATE_LEASED, QE_STATE_DEAD};
static const enum qe_order orders[] = {QE_FIFO, QE_LIFO, QE_PRIORITY};

static void
walk_and_compare(unsigned seed, unsigned changes)
{
	static bool was[MOST];

	order = orders[seed % 3];
	fill(seed);
	for (int i = 0; i < 4; i++) {
		uint64_t most = last;
		unsigned n = count_all(states[i], was);

		ck_assert(n > 100 || changes > 0);
		for (uint64_t id = 1; id <= last; id++) {
			known[id].touched = false;
			known[id].given = 0;
		}
		walk_through(states[i], changes);
		for (uint64_t id = 1; id <= most; id++)
			if (was[id] && !known[id].touched)
				ck_assert_msg(known[id].given == 1 ||
						      (known[id].given > 1 &&
						       states[i] == QE_STATE_LEASED),
					      "state %d: %lu was given %u times", i, id,
					      known[id].given);
		for (uint64_t id = 1; changes == 0 && id <= most; id++)
			ck_assert_uint_eq(known[id].given, was[id]);
	}
}

START_TEST(every_item_comes_once_in_its_order)
{
	walk_and_compare((unsigned)_i, 0);
}
END_TEST

START_TEST(what_does_not_change_comes_once_whatever_else_does)
{
	walk_and_compare((unsigned)_i, 6);
}
END_TEST

START_TEST(a_page_ends_when_it_is_large_enough)
{
	struct qe_shown rows[PAGE];
	struct qe_dump *walk = NULL;
	uint64_t ids[5];
	unsigned n;

	for (int i = 0; i < 5; i++)
		ids[i] = put_ok("q", "123456");
	ck_assert_int_eq(qe_dump(e, now, name("q"), QE_STATE_READY, &walk, rows, PAGE,
				 12, &n),
			 QE_OK);
	ck_assert_uint_eq(n, 2);
	qe_item_unref(e, rows[0].item);
	qe_item_unref(e, rows[1].item);
	/* What comes next is finished meanwhile, and memory is given back. */
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(qe_ack(e, now, s1, take(s1, "q", "123456")), QE_OK);
	ck_assert_int_eq(qe_dump(e, now, name("q"), QE_STATE_READY, &walk, rows, PAGE,
				 1, &n),
			 QE_OK);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(qe_item_id(rows[0].item), ids[3]);
	qe_item_unref(e, rows[0].item);
	ck_assert_ptr_nonnull(walk);
	qe_dump_end(e, walk);
	ck_assert_ptr_null(qe_check(e));
}
END_TEST

START_TEST(a_walk_ends_with_its_queue)
{
	struct qe_shown rows[PAGE];
	struct qe_dump *walk = NULL;
	unsigned n;

	ck_assert_int_eq(qe_dump(e, now, name("q"), QE_STATE_READY, &walk, rows, PAGE,
				 1, &n),
			 QE_NOT_FOUND);
	put_ok("q", "a");
	put_grouped("q", "g", "b");
	ck_assert_int_eq(qe_dump(e, now, name("q"), QE_STATE_READY, &walk, rows, PAGE,
				 1, &n),
			 QE_OK);
	qe_item_unref(e, rows[0].item);
	ck_assert_int_eq(qe_delete(e, now, name("q"), true), QE_OK);
	put_ok("q", "c");
	ck_assert_int_eq(qe_dump(e, now, name("q"), QE_STATE_READY, &walk, rows, PAGE,
				 1, &n),
			 QE_NOT_FOUND);
	ck_assert_uint_eq(n, 0);
	tick_at(now + 1);
	qe_dump_end(e, walk);
	ck_assert_ptr_null(qe_check(e));
}
END_TEST

START_TEST(one_that_is_given_up_is_freed_in_shares)
{
	struct qe_shown rows[PAGE];
	struct qe_dump *walk = NULL;
	unsigned n = 0, shares = 0;
	char group[16];

	for (int i = 0; i < 2000; i++) {
		snprintf(group, sizeof(group), "g%d", i);
		put_grouped("q", group, "x");
	}
	while (n == 0)
		(void)!qe_dump(e, now, name("q"), QE_STATE_READY, &walk, rows, PAGE, 1,
			       &n);
	qe_item_unref(e, rows[0].item);
	qe_dump_end(e, walk);
	while (qe_next_deadline(e) <= now) {
		ck_assert_ptr_null(qe_check(e));
		(void)qe_tick(e, now);
		shares++;
	}
	ck_assert_uint_gt(shares, 2);
}
END_TEST

static void
add(TCase *tcase)
{
	tcase_add_loop_test(tcase, every_item_comes_once_in_its_order, 0, 3);
	tcase_add_loop_test(tcase, what_does_not_change_comes_once_whatever_else_does,
			    0, 12);
	tcase_add_test(tcase, a_page_ends_when_it_is_large_enough);
	tcase_add_test(tcase, a_walk_ends_with_its_queue);
	tcase_add_test(tcase, one_that_is_given_up_is_freed_in_shares);
}

int
main(void)
{
	return kit_main("dump", add);
}
