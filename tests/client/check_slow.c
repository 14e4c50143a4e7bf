/* SPDX-License-Identifier: MIT
 * Time that passes quickly: every look at the clock finds it six seconds on, and every
 * second poll() that may not wait finds nothing. Large bodies on a slow link must
 * arrive all the same. */
#include "client/client.h"
#include "tests/client/fixture.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char large[12000000] = "large"; /* it needs many reads on any machine */

/* --- the clock (-Wl,--wrap) -------------------------------------------------------- */

static __thread bool slow; /* this thread, not the fake broker's */
static int64_t seconds;
static unsigned empty_polls;
static bool empty_next;

int __real_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t);
int __real_poll(struct pollfd *p, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *p, nfds_t n, int timeout);

int
__wrap_clock_gettime(clockid_t id, struct timespec *t)
{
	if (!slow)
		return __real_clock_gettime(id, t);
	seconds += 6;
	*t = (struct timespec){.tv_sec = seconds};
	return 0;
}

int
__wrap_poll(struct pollfd *p, nfds_t n, int timeout)
{
	if (!slow)
		return __real_poll(p, n, timeout);
	empty_next = !empty_next;
	if (timeout == 0 && !empty_next) {
		empty_polls++;
		return 0;
	}
	return __real_poll(p, n, -1);
}

/* --- the tests --------------------------------------------------------------------- */

static void
setup(void)
{
	open_broker();
	ok(qb_set_busy_poll(q, 0)); /* it looks at the clock */
	slow = true;
	empty_polls = 0;
	empty_next = false;
}

static void
teardown(void)
{
	slow = false;
	close_broker();
}

static void
give_large(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	struct qp_reply reply = {.rid = r->m.rid, .id = 1, .delivery = 1};

	fake_reply(c, QP_OP_GET, &reply, large, sizeof(large));
}

START_TEST(a_large_item_may_take_its_time_to_arrive)
{
	qb_item *item;

	fake.on[QP_OP_GET] = give_large;
	ck_assert_msg(qb_get(q, "jobs", 0, QB_MANUAL, &item) == QB_OK, "%s",
		      qb_error(q));
	ck_assert_uint_eq(qb_item_size(item), sizeof(large));
	ck_assert_uint_ge(empty_polls, 1);
	qb_item_free(item);
}
END_TEST

START_TEST(a_large_item_may_take_its_time_to_leave)
{
	int64_t before = seconds;

	ck_assert_msg(qb_put(q, "jobs", large, sizeof(large), QB_FOREVER, NULL) ==
			      QB_OK,
		      "%s", qb_error(q));
	ck_assert_int_gt(seconds - before, 20);
	ck_assert_uint_eq(fake_request(&fake, 1)->body_sum,
			  fake_sum(large, sizeof(large)));
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("slow");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_large_item_may_take_its_time_to_arrive);
	tcase_add_test(t, a_large_item_may_take_its_time_to_leave);
	return run_case(t);
}
