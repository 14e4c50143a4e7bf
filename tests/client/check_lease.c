/* SPDX-License-Identifier: MIT
 * libqbroker.so and qbrokerd together: leases that end, and who puts the end off. */
#include "tests/client/live.h"

#include <poll.h>

static qb_get_options *options;

static void
setup(void)
{
	live_setup();
	options = qb_get_options_new();
	ck_assert_ptr_nonnull(options);
}

static void
teardown(void)
{
	qb_get_options_free(options);
	live_teardown();
}

START_TEST(who_is_too_slow_loses_the_item)
{
	qb_item *slow, *item;

	ok(qb_put(q, "jobs", "a", 1, 0, NULL));
	qb_get_options_set_lease(options, 100);
	ok(qb_get_with(q, "jobs", options, 0, QB_MANUAL, &slow));
	ck_assert_int_eq(qb_item_lease(slow), 100);
	ok(qb_get(other, "jobs", QB_FOREVER, QB_MANUAL, &item));
	ck_assert_uint_eq(qb_item_deliveries(item), 2);
	ck_assert_int_eq(qb_item_lease(item), QB_FOREVER);
	says(QB_STALE, qb_touch(q, slow, 0, NULL, NULL));
	says(QB_STALE, qb_ack(q, slow));
	ok(qb_ack(other, item));
	qb_item_free(slow);
	qb_item_free(item);
}
END_TEST

START_TEST(touch_says_what_is_left)
{
	static const char *const lease[] = {"lease_ms=60000", NULL};
	qb_item *items[2], *item;
	int64_t left = 0;
	unsigned n;

	ok(qb_declare(q, "jobs", lease, 0, NULL));
	for (int i = 0; i < 4; i++)
		ok(qb_put(q, "jobs", "a", 1, 0, NULL));
	ok(qb_get_many(q, "jobs", 0, QB_MANUAL, 2, 2, 0, 0, items, &n));
	ck_assert_int_eq(qb_item_lease(items[1]), 60000);
	ok(qb_touch(q, items[1], 0, &left, NULL));
	ck_assert_int_eq(left, 60000);
	ok(qb_touch(q, items[1], 120000, &left, NULL));
	ck_assert_int_eq(left, 120000);
	ok(qb_touch(q, items[1], QB_FOREVER, &left, NULL));
	ck_assert_int_eq(left, QB_FOREVER);
	qb_item_free(items[0]);
	qb_item_free(items[1]);

	qb_get_options_set_lease(options, QB_FOREVER);
	ok(qb_get_with(q, "jobs", options, 0, QB_MANUAL, &item));
	ck_assert_int_eq(qb_item_lease(item), QB_FOREVER);
	ok(qb_touch(q, item, 0, &left, NULL));
	ck_assert_int_eq(left, QB_FOREVER);
	qb_item_free(item);
	qb_get_options_set_lease(options, 5000);
	ok(qb_get_many_with(q, "jobs", options, 0, QB_MANUAL, 1, 1, 0, 0, &item, &n));
	ck_assert_int_eq(qb_item_lease(item), 5000);
	qb_item_free(item);
}
END_TEST

START_TEST(touch_tells_of_a_group_that_was_cancelled)
{
	qb_put_options *grouped = qb_put_options_new();
	int cancelled = 1;
	int64_t left;
	qb_item *item;

	qb_put_options_set_group(grouped, "batch");
	ok(qb_put_with(q, "jobs", grouped, "a", 1, 0, NULL));
	ok(qb_get(q, "jobs", 0, QB_MANUAL, &item));
	ok(qb_touch(q, item, 0, NULL, &cancelled));
	ck_assert_int_eq(cancelled, 0);
	ok(qb_cancel_group(other, "jobs", "batch", NULL, NULL));
	ok(qb_touch(q, item, 60000, &left, &cancelled));
	ck_assert_int_eq(cancelled, 1);
	ck_assert_int_eq(left, 60000);
	ok(qb_ack(q, item));
	qb_item_free(item);
	qb_put_options_free(grouped);
}
END_TEST

static qb_item *held;
static unsigned touched, ending;

static void
count_touch(qb *handle, uint64_t request, qb_result result, uint64_t id, qb_item *item,
	    void *arg)
{
	ck_assert_msg(result == QB_OK, "%s", qb_error(handle));
	touched++;
}

static void
touch_it(qb *handle, uint64_t id, uint32_t deliveries, int64_t left_ms, void *arg)
{
	ck_assert_uint_eq(id, qb_item_id(held));
	ck_assert_uint_eq(deliveries, qb_item_deliveries(held));
	ending++;
	ck_assert_int_eq(qb_start_touch(handle, held, 0, count_touch, NULL, NULL),
			 QB_OK);
}

static void
take_it(qb *handle, uint64_t request, qb_result result, uint64_t id, qb_item *item,
	void *arg)
{
	ck_assert_int_eq(result, QB_OK);
	held = item;
}

START_TEST(who_listens_can_touch_in_time)
{
	ok(qb_on_lease_ending(q, touch_it, NULL));
	ok(qb_put(other, "jobs", "a", 1, 0, NULL));
	qb_get_options_set_lease(options, patience_ms() / 10);
	ok(qb_start_get_with(q, "jobs", options, 0, QB_MANUAL, take_it, NULL, NULL));
	while (touched < 3) {
		struct pollfd p = {.fd = qb_fd(q), .events = qb_events(q)};

		ck_assert_int_eq(poll(&p, 1, patience_ms()), 1);
		ok(qb_process(q));
	}
	ck_assert_uint_ge(ending, 3);
	ok(qb_ack(q, held));
	qb_item_free(held);
}
END_TEST

START_TEST(a_negative_lease_is_refused_before_anything_is_sent)
{
	qb_item *item;

	ok(qb_put(q, "jobs", "a", 1, 0, NULL));
	ok(qb_get(q, "jobs", 0, QB_MANUAL, &held));
	qb_get_options_set_lease(options, -1);
	says(QB_INVALID, qb_get_with(q, "jobs", options, 0, QB_MANUAL, &item));
	ck_assert_str_eq(qb_error(q), "lease_ms is -1: it must be 0 or more");
	says(QB_INVALID, qb_touch(q, held, -1, NULL, NULL));
	says(QB_INVALID, qb_start_touch(q, held, -1, count_touch, NULL, NULL));
	ok(qb_ack(q, held));
	qb_item_free(held);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("lease");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, who_is_too_slow_loses_the_item);
	tcase_add_test(t, touch_says_what_is_left);
	tcase_add_test(t, touch_tells_of_a_group_that_was_cancelled);
	tcase_add_test(t, who_listens_can_touch_in_time);
	tcase_add_test(t, a_negative_lease_is_refused_before_anything_is_sent);
	return run_case("lease", t);
}
