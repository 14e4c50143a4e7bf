/* SPDX-License-Identifier: MIT
 * What a session was answered, as memory: it counts, it is bounded, it is given back. */
#include <check.h>
#include <string.h>

#include "daemon/net/answers.h"
#include "tests/lib/run.h"

#define LIMIT 100000

static struct qe *e;
static struct answers a;
static uint64_t empty; /* the memory of an engine in which nothing is */

static void
setup(void)
{
	struct qe_config config = {.epoch = 1, .memory_limit = LIMIT};

	e = qe_new(&config);
	ck_assert_ptr_nonnull(e);
	empty = qe_memory(e);
	a = (struct answers){0};
}

static void
teardown(void)
{
	ck_assert_ptr_null(qe_check(e));
	answers_done(&a, e);
	ck_assert_uint_eq(qe_memory(e), empty);
	ck_assert_ptr_null(qe_check(e));
	qe_free(e);
}

static void
add(uint64_t first, uint64_t last)
{
	for (uint64_t rid = first; rid <= last; rid++)
		answers_add(&a, e, &(struct record){.rid = rid, .op = QP_OP_PUT});
}

static void
add_list(uint64_t rid, enum qp_op op, uint16_t n)
{
	struct record answer = {.rid = rid, .op = (uint8_t)op, .n = n};

	ck_assert(answers_new_list(&a, e, &answer));
	memset(answer.leases, 0, n * sizeof(int64_t));
	answers_add(&a, e, &answer);
}

START_TEST(a_ring_counts_when_it_grows)
{
	uint64_t before;

	ck_assert_uint_eq(qe_memory(e), empty);
	add(1, 1);
	before = qe_memory(e);
	ck_assert_uint_gt(before, empty);
	ck_assert_uint_le(before, empty + 256);
	add(2, 8);
	ck_assert_uint_eq(qe_memory(e), before);
	add(9, 1000);
	ck_assert_uint_ge(qe_memory(e), empty + 1000 * sizeof(struct record));
	answers_confirm(&a, e, 0);
	for (uint64_t rid = 256; rid < 1000; rid += 200)
		answers_confirm(&a, e, rid);
	answers_confirm(&a, e, 1000);
	ck_assert_uint_eq(qe_memory(e), empty);
}
END_TEST

START_TEST(lists_count_until_they_are_confirmed)
{
	uint64_t before;

	add(1, 1);
	before = qe_memory(e);
	add_list(2, QP_OP_GET_MANY, 1000);
	add_list(3, QP_OP_ACK_MANY, 1000);
	ck_assert_uint_ge(qe_memory(e), before + 24000);
	answers_confirm(&a, e, 2);
	ck_assert_uint_ge(qe_memory(e), before + 8000);
	ck_assert_uint_lt(qe_memory(e), before + 9000);
	answers_confirm(&a, e, 3);
	ck_assert_uint_eq(qe_memory(e), before);
}
END_TEST

START_TEST(old_answers_count_until_they_are_taken_or_confirmed)
{
	struct record answer;

	add(1, 100);
	add_list(101, QP_OP_GET_MANY, 1000);
	for (int i = 0; i < 2; i++) {
		ck_assert(answers_resume(&a, e));
		ck_assert_uint_ge(qe_memory(e), empty + 101 * sizeof(answer) + 16000);
		ck_assert_uint_le(qe_memory(e), empty + 101 * sizeof(answer) + 16064);
	}
	ck_assert(answers_take(&a, 101, &answer));
	record_free_list(e, &answer);
	ck_assert_uint_le(qe_memory(e), empty + 101 * sizeof(answer) + 32);
	answers_confirm(&a, e, 0);
	ck_assert_uint_eq(qe_memory(e), empty);
}
END_TEST

/* The session cannot be resumed then: the alternative is to refuse everybody's items. */
START_TEST(a_ring_above_the_limit_is_given_up)
{
	add(1, 10000);
	ck_assert(a.missing);
	ck_assert_uint_le(qe_memory(e), LIMIT + LIMIT / 4);
	ck_assert(!answers_resume(&a, e));
}
END_TEST

START_TEST(a_small_ring_needs_no_room_in_the_limit)
{
	struct qe_item *item;
	struct record list = {.op = QP_OP_GET_MANY, .n = 1000};

	ck_assert_int_eq(qe_item_new(e, LIMIT, &item), QE_OK);
	qe_memory_take(e, LIMIT);
	add(1, 64);
	ck_assert(!a.missing);
	add(65, 65);
	ck_assert(a.missing);
	ck_assert(!record_new_list(e, &list));
	qe_memory_give(e, LIMIT);
	qe_item_unref(e, item);
}
END_TEST

/* A client that gets many and confirms what it has can resume as one that gets one. */
START_TEST(lists_of_few_answers_need_no_room_in_the_limit)
{
	qe_memory_take(e, 2 * LIMIT);
	for (uint64_t rid = 1; rid <= 64; rid++)
		add_list(rid, QP_OP_GET_MANY, 3);
	ck_assert(!a.missing);
	ck_assert(!answers_new_list(&a, e,
				    &(struct record){.op = QP_OP_GET_MANY, .n = 3}));
	ck_assert(answers_resume(&a, e));
	ck_assert(!answers_new_list(&a, e,
				    &(struct record){.op = QP_OP_ACK_MANY, .n = 3}));
	answers_confirm(&a, e, 0);
	add_list(65, QP_OP_ACK_MANY, 3);
	ck_assert(answers_resume(&a, e));
	qe_memory_give(e, 2 * LIMIT);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("answers");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_ring_counts_when_it_grows);
	tcase_add_test(t, lists_count_until_they_are_confirmed);
	tcase_add_test(t, old_answers_count_until_they_are_taken_or_confirmed);
	tcase_add_test(t, a_ring_above_the_limit_is_given_up);
	tcase_add_test(t, a_small_ring_needs_no_room_in_the_limit);
	tcase_add_test(t, lists_of_few_answers_need_no_room_in_the_limit);
	return run_case("answers", t);
}
