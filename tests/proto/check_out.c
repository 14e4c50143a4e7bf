/* SPDX-License-Identifier: MIT
 * The output list: order, references, partial consumption, moving. */
#include "proto/frame.h"
#include "proto/out.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static int released;

static void
count_release(void *owner, void *arg)
{
	released += *(int *)arg;
}

static void
expect_bytes(const struct qp_out *out, const char *want)
{
	struct iovec parts[16];
	char got[256];
	size_t len = 0;
	int n = qp_out_peek(out, parts, 16, SIZE_MAX);

	for (int i = 0; i < n; i++) {
		memcpy(got + len, parts[i].iov_base, parts[i].iov_len);
		len += parts[i].iov_len;
	}
	ck_assert_uint_eq(len, strlen(want));
	ck_assert_uint_eq(out->len, len);
	ck_assert_mem_eq(got, want, len);
}

START_TEST(copies_and_references_keep_their_order)
{
	struct qp_out out;
	int one = 1;

	qp_out_init(&out);
	released = 0;
	qp_out_append(&out, "ab", 2);
	qp_out_refer(&out, "CD", 2, count_release, &one);
	qp_out_append(&out, "ef", 2);
	expect_bytes(&out, "abCDef");
	qp_out_consume(&out, 3);
	expect_bytes(&out, "Def");
	ck_assert_int_eq(released, 0);
	qp_out_consume(&out, 1);
	ck_assert_int_eq(released, 1);
	expect_bytes(&out, "ef");
	qp_out_consume(&out, 2);
	ck_assert_ptr_null(out.first);
	ck_assert_ptr_null(out.last);
	qp_out_append(&out, "x", 1);
	expect_bytes(&out, "x");
	qp_out_done(&out);
}
END_TEST

START_TEST(what_was_not_sent_is_released_once)
{
	struct qp_out out;
	int one = 1;

	qp_out_init(&out);
	released = 0;
	qp_out_refer(&out, "CD", 2, count_release, &one);
	qp_out_refer(&out, "", 0, count_release, &one);
	qp_out_done(&out);
	ck_assert_int_eq(released, 2);
}
END_TEST

START_TEST(what_was_appended_last_is_cut_off)
{
	struct qp_out out, tail;
	struct qp_mark mark;
	int one = 1;

	qp_out_init(&out);
	qp_out_init(&tail);
	released = 0;
	mark = qp_out_mark(&out);
	qp_out_append(&out, "ab", 2);
	qp_out_cut(&out, &mark, &tail);
	expect_bytes(&out, "");
	expect_bytes(&tail, "ab");
	qp_out_append(&out, "xy", 2);
	qp_out_consume(&out, 1);
	mark = qp_out_mark(&out);
	qp_out_append(&out, "cd", 2);
	qp_out_refer(&out, "EF", 2, count_release, &one);
	qp_out_append(&out, "gh", 2);
	qp_out_cut(&out, &mark, &tail);
	expect_bytes(&out, "y");
	expect_bytes(&tail, "abcdEFgh");
	qp_out_append(&out, "z", 1);
	expect_bytes(&out, "yz");
	mark = qp_out_mark(&out);
	qp_out_cut(&out, &mark, &tail);
	qp_out_move(&out, &tail);
	expect_bytes(&out, "yzabcdEFgh");
	ck_assert_int_eq(released, 0);
	qp_out_consume(&out, 10);
	ck_assert_int_eq(released, 1);
	ck_assert_ptr_null(out.first);
	qp_out_done(&out);
}
END_TEST

START_TEST(a_reference_that_came_first_is_cut_off)
{
	struct qp_out out, tail;
	struct qp_mark mark;
	int one = 1;

	qp_out_init(&out);
	qp_out_init(&tail);
	released = 0;
	mark = qp_out_mark(&out);
	qp_out_refer(&out, "AB", 2, count_release, &one);
	qp_out_append(&out, "cd", 2);
	qp_out_cut(&out, &mark, &tail);
	ck_assert_ptr_null(out.first);
	ck_assert_ptr_null(out.last);
	expect_bytes(&tail, "ABcd");
	qp_out_refer(&out, "EF", 2, count_release, &one);
	mark = qp_out_mark(&out);
	qp_out_append(&out, "gh", 2);
	qp_out_cut(&out, &mark, &tail);
	expect_bytes(&out, "EF");
	expect_bytes(&tail, "ABcdgh");
	qp_out_done(&tail);
	qp_out_done(&out);
	ck_assert_int_eq(released, 2);
}
END_TEST

/* What a mark pins, appended to another list. */
static void
expect_again(const struct qp_mark *mark, size_t offset, const char *want)
{
	struct qp_out again;

	qp_out_init(&again);
	qp_out_repeat(&again, mark, offset, strlen(want));
	expect_bytes(&again, want);
	qp_out_done(&again);
}

START_TEST(what_is_pinned_can_be_read_again_after_it_was_sent)
{
	struct qp_out out;
	struct qp_mark first, second, third;
	static char large[20000];

	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = 0;
	qp_out_init(&out);
	first = qp_out_mark(&out);
	qp_out_append(&out, "ab", 2);
	qp_out_pin(&out, &first);
	second = qp_out_mark(&out);
	qp_out_append(&out, "cd", 2);
	qp_out_refer(&out, "EF", 2, NULL, NULL);
	qp_out_append(&out, "gh", 2);
	qp_out_pin(&out, &second);
	third = qp_out_mark(&out);
	qp_out_append(&out, large, sizeof(large) - 1); /* there is no room for it */
	qp_out_pin(&out, &third);
	ck_assert(qp_mark_unsent(&first));
	qp_out_consume(&out, 3);
	ck_assert(!qp_mark_unsent(&first));
	ck_assert(!qp_mark_unsent(&second));
	ck_assert(qp_mark_unsent(&third));
	qp_out_consume(&out, out.len);
	ck_assert_ptr_null(out.last);
	expect_again(&first, 0, "ab");
	expect_again(&second, 0, "cdEFgh");
	expect_again(&second, 3, "Fg");
	ck_assert_uint_eq(third.offset, 0);
	ck_assert_mem_eq(qp_mark_bytes(&third), large, sizeof(large) - 1);
	qp_unpin(&first);
	expect_again(&second, 0, "cdEFgh");
	qp_unpin(&second);
	qp_unpin(&third);
	qp_out_done(&out);
}
END_TEST

START_TEST(what_was_not_sent_may_stay_pinned)
{
	struct qp_out out;
	struct qp_mark mark;

	qp_out_init(&out);
	mark = qp_out_mark(&out);
	qp_out_append(&out, "ab", 2);
	qp_out_pin(&out, &mark);
	qp_out_done(&out);
	expect_again(&mark, 1, "b");
	qp_unpin(&mark);
}
END_TEST

START_TEST(an_empty_reference_is_released_when_it_is_reached)
{
	struct qp_out out;
	int one = 1;

	qp_out_init(&out);
	released = 0;
	qp_out_append(&out, "a", 1);
	qp_out_refer(&out, "", 0, count_release, &one);
	qp_out_append(&out, "b", 1);
	expect_bytes(&out, "ab");
	qp_out_consume(&out, 1);
	ck_assert_int_eq(released, 1);
	qp_out_consume(&out, 1);
	qp_out_done(&out);
}
END_TEST

START_TEST(peeking_stops_at_its_bounds)
{
	struct qp_out out;
	struct iovec parts[2];

	qp_out_init(&out);
	qp_out_refer(&out, "abc", 3, NULL, NULL);
	qp_out_refer(&out, "def", 3, NULL, NULL);
	qp_out_refer(&out, "ghi", 3, NULL, NULL);
	ck_assert_int_eq(qp_out_peek(&out, parts, 2, SIZE_MAX), 2);
	ck_assert_int_eq(qp_out_peek(&out, parts, 2, 4), 2);
	ck_assert_uint_eq(parts[1].iov_len, 1);
	ck_assert_int_eq(qp_out_peek(&out, parts, 2, 0), 0);
	qp_out_done(&out);
}
END_TEST

START_TEST(moving_empties_the_one_and_extends_the_other)
{
	struct qp_out a, b;

	qp_out_init(&a);
	qp_out_init(&b);
	qp_out_append(&b, "cd", 2);
	qp_out_move(&a, &b);
	expect_bytes(&a, "cd");
	qp_out_append(&b, "ef", 2);
	qp_out_move(&a, &b);
	qp_out_move(&a, &b);
	expect_bytes(&a, "cdef");
	ck_assert_uint_eq(b.len, 0);
	qp_out_append(&a, "g", 1);
	expect_bytes(&a, "cdefg");
	qp_out_done(&a);
}
END_TEST

START_TEST(a_reserve_larger_than_a_block_is_contiguous)
{
	struct qp_out out;
	uint8_t *p;

	qp_out_init(&out);
	qp_out_append(&out, "a", 1);
	p = qp_out_reserve(&out, 100000);
	ck_assert_ptr_nonnull(p);
	memset(p, 'x', 100000);
	qp_out_commit(&out, 100000);
	ck_assert_uint_eq(out.len, 100001);
	qp_out_consume(&out, 100001);
	ck_assert_uint_eq(out.len, 0);
	qp_out_done(&out);
}
END_TEST

static const struct qp_file file = {.fd = 42, .len = 1000};

/* A frame with a head of three bytes, in a list of its own. */
static void
encode_frame(struct qp_out *frame)
{
	uint8_t bytes[QP_FRAME_BYTES + 3] = "________abc";

	qp_frame_write(bytes, (struct qp_frame){3, 0});
	qp_out_init(frame);
	qp_out_append(frame, bytes, sizeof(bytes));
}

START_TEST(a_frame_with_a_descriptor_is_sent_by_itself)
{
	struct qp_out out, frame;
	struct iovec parts[4];
	int one = 1;

	released = 0;
	qp_out_init(&out);
	qp_out_append(&out, "before", 6);
	encode_frame(&frame);
	qp_out_pass(&out, &frame, &file, count_release, &one);
	qp_out_append(&out, "after", 5);
	ck_assert_uint_eq(out.len, 6 + 11 + 5);
	ck_assert_int_eq(qp_out_peek(&out, parts, 4, SIZE_MAX), 1);
	ck_assert_uint_eq(parts[0].iov_len, 6);
	qp_out_consume(&out, 6);
	ck_assert_int_eq(qp_out_peek(&out, parts, 4, SIZE_MAX), 0);
	ck_assert_int_eq(qp_out_first(&out)->kind, QP_PASS);
	ck_assert_ptr_eq(qp_out_first(&out)->file, &file);
	qp_out_consume(&out, 1); /* with it went the descriptor */
	ck_assert_int_eq(qp_out_peek(&out, parts, 4, SIZE_MAX), 2);
	ck_assert_uint_eq(parts[0].iov_len, 10);
	ck_assert_int_eq(released, 0);
	qp_out_consume(&out, 10);
	ck_assert_int_eq(released, 1);
	expect_bytes(&out, "after");
	qp_out_done(&out);
}
END_TEST

START_TEST(a_file_is_sent_by_itself_and_in_parts)
{
	struct qp_out out;
	struct iovec parts[4];
	int one = 1;

	released = 0;
	qp_out_init(&out);
	qp_out_refer_file(&out, &file, count_release, &one);
	qp_out_append(&out, "after", 5);
	ck_assert_uint_eq(out.len, 1005);
	ck_assert_int_eq(qp_out_peek(&out, parts, 4, SIZE_MAX), 0);
	ck_assert_int_eq(qp_out_first(&out)->kind, QP_FILE);
	qp_out_consume(&out, 400);
	ck_assert_uint_eq(qp_file_offset(qp_out_first(&out)), 400);
	ck_assert_uint_eq(qp_out_first(&out)->len, 600);
	qp_out_consume(&out, 600);
	ck_assert_int_eq(released, 1);
	expect_bytes(&out, "after");
	qp_out_refer_file(&out, &file, count_release, &one);
	qp_out_done(&out);
	ck_assert_int_eq(released, 2);
}
END_TEST

/* From a file, or from memory where it is there too. */
START_TEST(a_descriptor_that_cannot_be_sent_becomes_bytes)
{
	static const char bytes[1000] = "body";
	const struct qp_file in_memory = {.fd = 42, .len = 1000, .bytes = bytes};
	const struct qp_file *f = _i ? &in_memory : &file;
	struct qp_out out, frame;
	struct iovec parts[4];
	int one = 1;

	released = 0;
	qp_out_init(&out);
	encode_frame(&frame);
	qp_out_pass(&out, &frame, f, count_release, &one);
	qp_out_append(&out, "after", 5);
	qp_out_unpass(&out);
	ck_assert_uint_eq(out.len, 11 + 1000 + 5);
	ck_assert_int_eq(qp_out_peek(&out, parts, 4, SIZE_MAX), _i ? 3 : 1);
	ck_assert_uint_eq(qp_frame_read(parts[0].iov_base).body_len, 1000);
	ck_assert_uint_eq(qp_frame_read(parts[0].iov_base).head_len, 3);
	qp_out_consume(&out, 11);
	ck_assert_int_eq(released, 0);
	ck_assert_int_eq(qp_out_first(&out)->kind, _i ? QP_BYTES : QP_FILE);
	qp_out_consume(&out, 1000);
	ck_assert_int_eq(released, 1);
	expect_bytes(&out, "after");
	qp_out_done(&out);
}
END_TEST

START_TEST(a_frame_that_is_pinned_keeps_its_file)
{
	struct qp_out out, frame;
	struct qp_mark mark;

	qp_out_init(&out);
	qp_out_append(&out, "before", 6);
	mark = qp_out_mark(&out);
	encode_frame(&frame);
	qp_out_pass(&out, &frame, &file, NULL, NULL);
	qp_out_pin(&out, &mark);
	qp_out_append(&out, "after", 5);
	ck_assert_ptr_eq(qp_mark_file(&mark), &file);
	ck_assert(qp_mark_unsent(&mark));
	qp_out_consume(&out, 6 + 11 + 5);
	ck_assert_ptr_eq(qp_mark_file(&mark), &file);
	ck_assert_mem_eq(qp_mark_bytes(&mark) + QP_FRAME_BYTES, "abc", 3);
	qp_unpin(&mark);
	qp_out_done(&out);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("out");
	TCase *t = tcase_create("out");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, copies_and_references_keep_their_order);
	tcase_add_test(t, what_was_not_sent_is_released_once);
	tcase_add_test(t, what_was_appended_last_is_cut_off);
	tcase_add_test(t, a_reference_that_came_first_is_cut_off);
	tcase_add_test(t, what_is_pinned_can_be_read_again_after_it_was_sent);
	tcase_add_test(t, what_was_not_sent_may_stay_pinned);
	tcase_add_test(t, an_empty_reference_is_released_when_it_is_reached);
	tcase_add_test(t, peeking_stops_at_its_bounds);
	tcase_add_test(t, moving_empties_the_one_and_extends_the_other);
	tcase_add_test(t, a_reserve_larger_than_a_block_is_contiguous);
	tcase_add_test(t, a_frame_with_a_descriptor_is_sent_by_itself);
	tcase_add_test(t, a_file_is_sent_by_itself_and_in_parts);
	tcase_add_loop_test(t, a_descriptor_that_cannot_be_sent_becomes_bytes, 0, 2);
	tcase_add_test(t, a_frame_that_is_pinned_keeps_its_file);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
