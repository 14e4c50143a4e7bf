/* SPDX-License-Identifier: MIT
 *
 * Items whose bodies lie elsewhere: they count like others, and what they lie in is released once.
 */
#include "tests/core/engine_kit.h"

#include <string.h>

#define LEN 200000

struct body {
	struct qe_foreign foreign;
	int released;
};

static struct body one, two;

static void
release(struct qe_foreign *foreign)
{
	((struct body *)foreign)->released++;
}

static struct qe_item *
foreign_item(struct body *body)
{
	struct qe_item *item;

	*body = (struct body){.foreign = {release}};
	ck_assert_int_eq(qe_item_new_foreign(e, LEN, &body->foreign, &item), QE_OK);
	ck_assert_ptr_eq(qe_item_foreign(item), &body->foreign);
	ck_assert_uint_eq(qe_item_body_len(item), LEN);
	return item;
}

static enum qe_result
put_foreign(const char *queue, struct body *body)
{
	struct qe_item *item = foreign_item(body);

	return qe_put(e, now, s1, 1, name(queue), NO_WAIT, &item, 1, false, false,
		      &got);
}

static uint64_t
memory(void)
{
	struct qe_stats stats;

	qe_stats(e, &stats);
	return stats.memory;
}

START_TEST(the_body_counts_as_if_it_were_here)
{
	uint64_t before = memory(), with;
	struct qe_item *item = foreign_item(&one), *here;

	with = memory();
	ck_assert_uint_ge(with - before, LEN);
	qe_item_unref(e, item);
	ck_assert_int_eq(one.released, 1);
	ck_assert_uint_eq(memory(), before);
	ck_assert_int_eq(qe_item_new(e, LEN, &here), QE_OK);
	ck_assert_ptr_null(qe_item_foreign(here));
	ck_assert_uint_eq(memory(), with);
	qe_item_unref(e, here);
}
END_TEST

START_TEST(max_bytes_and_the_memory_limit_bound_it)
{
	struct qe_item *item;

	bound("q", 0, LEN);
	ck_assert_int_eq(put_foreign("q", &one), QE_OK);
	ck_assert_int_eq(put_foreign("q", &two), QE_FULL_BYTES);
	ck_assert_int_eq(two.released, 1);
	ck_assert_int_eq(one.released, 0);
	kit_limits((struct qe_config){.memory_limit = LEN / 2});
	ck_assert_int_eq(one.released, 1);
	two.released = 0;
	ck_assert_int_eq(qe_item_new_foreign(e, LEN, &two.foreign, &item),
			 QE_FULL_MEMORY);
	ck_assert_int_eq(two.released, 0);
}
END_TEST

START_TEST(it_is_released_when_the_last_who_sends_it_is_done)
{
	struct qe_item *item;

	ck_assert_int_eq(put_foreign("q", &one), QE_OK);
	ck_assert_int_eq(get(s2, 1, "q", NO_WAIT), QE_OK);
	item = qe_reply_item(&got, 0);
	ck_assert_ptr_eq(qe_item_foreign(item), &one.foreign);
	ck_assert_int_eq(qe_ack(e, now, s2, tag_of(item)), QE_OK);
	ck_assert_int_eq(one.released, 0);
	qe_reply_done(e, &got);
	ck_assert_int_eq(one.released, 1);
}
END_TEST

START_TEST(it_comes_back_with_its_item)
{
	ck_assert_int_eq(put_foreign("q", &one), QE_OK);
	ck_assert_int_eq(get(s2, 1, "q", NO_WAIT), QE_OK);
	qe_session_end(e, now, s2, QE_END_LOST);
	s2 = new_session(22);
	qe_reply_done(e, &got);
	ck_assert_int_eq(get(s2, 1, "q", NO_WAIT), QE_OK);
	ck_assert_ptr_eq(qe_item_foreign(qe_reply_item(&got, 0)), &one.foreign);
	ck_assert_uint_eq(qe_item_crashes(qe_reply_item(&got, 0)), 1);
	ck_assert_int_eq(one.released, 0);
}
END_TEST

/* Another body in the place of one that lies elsewhere, and the other way round. */
START_TEST(an_update_keeps_each_body_with_its_item)
{
	struct qe_item *old, *item;
	struct qe_tag tag;

	ck_assert_int_eq(put_foreign("q", &one), QE_OK);
	ck_assert_int_eq(get(s2, 1, "q", NO_WAIT), QE_OK);
	old = qe_reply_item(&got, 0);
	qe_item_ref(old);
	tag = tag_of(old);
	qe_reply_done(e, &got);
	ck_assert_int_eq(qe_update(e, now, s2, tag, new_item("small")), QE_OK);
	ck_assert_int_eq(one.released, 0);
	ck_assert_ptr_eq(qe_item_foreign(old), &one.foreign);
	qe_item_unref(e, old);
	ck_assert_int_eq(one.released, 1);
	tag = take(s2, "q", "small");
	item = foreign_item(&two);
	ck_assert_int_eq(qe_update(e, now, s2, tag, item), QE_OK);
	ck_assert_int_eq(get(s2, 1, "q", NO_WAIT), QE_OK);
	ck_assert_ptr_eq(qe_item_foreign(qe_reply_item(&got, 0)), &two.foreign);
	ck_assert_int_eq(two.released, 0);
}
END_TEST

static void
add(TCase *tcase)
{
	tcase_add_test(tcase, the_body_counts_as_if_it_were_here);
	tcase_add_test(tcase, max_bytes_and_the_memory_limit_bound_it);
	tcase_add_test(tcase, it_is_released_when_the_last_who_sends_it_is_done);
	tcase_add_test(tcase, it_comes_back_with_its_item);
	tcase_add_test(tcase, an_update_keeps_each_body_with_its_item);
}

int
main(void)
{
	return kit_main("foreign", add);
}
