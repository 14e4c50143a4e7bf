/* SPDX-License-Identifier: MIT
 * fork(): children that use the handle, do not, or are born in a callback. */
#include "client/client.h"
#include "tests/client/fixture.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs `body` in a child; its failures are this test's. */
#define in_child(body)                                                             \
	do {                                                                       \
		pid_t child_pid = fork();                                          \
		int child_status;                                                  \
		if (child_pid == 0) {                                              \
			body;                                                      \
			_exit(0);                                                  \
		}                                                                  \
		ck_assert_int_gt(child_pid, 0);                                    \
		ck_assert_int_eq(waitpid(child_pid, &child_status, 0), child_pid); \
		ck_assert_int_eq(child_status, 0);                                 \
	} while (0)
#define expect(condition)                          \
	do {                                       \
		if (!(condition))                  \
			_exit(__LINE__ % 200 + 1); \
	} while (0)

static unsigned callbacks;

static void
count(qb *handle, uint64_t request, qb_result result, uint64_t id, qb_item *item,
      void *arg)
{
	callbacks++;
	qb_item_free(item);
}

START_TEST(a_child_gets_a_connection_of_its_own)
{
	qb_item *item;

	ok(qb_get(q, "jobs", 0, QB_MANUAL, &item));
	in_child({
		expect(qb_fd(q) == -1);
		expect(qb_events(q) == 0);
		expect(strcmp(qb_item_body(item), "body") == 0);
		expect(qb_ack(q, item) == QB_STALE);
		expect(qb_put(q, "jobs", "c", 1, 0, NULL) == QB_OK);
		expect(qb_ack(q, item) == QB_STALE);
		qb_item_free(item);
		qb_close(q);
	});
	ck_assert_uint_eq(fake.n_conns, 2);
	ck_assert_int_eq(fake_request(&fake, 2)->m.op, QP_OP_HELLO);
	ck_assert_uint_eq(fake_request(&fake, 2)->conn, 1);
	ck_assert_mem_ne(fake_request(&fake, 2)->session,
			 fake_request(&fake, 0)->session, QP_SESSION_BYTES);
	ck_assert_uint_ne(fake_request(&fake, 2)->m.options.pid, (uint64_t)getpid());
	ck_assert_int_eq(fake_request(&fake, 4)->m.op, QP_OP_CLOSE);
	ck_assert_uint_eq(fake_request(&fake, 4)->conn, 1);
	ok(qb_ack(q, item));
	ck_assert_uint_eq(fake_request(&fake, 5)->conn, 0);
	ck_assert_uint_eq(fake.n_requests, 6);
	qb_item_free(item);
}
END_TEST

START_TEST(a_child_that_does_not_use_it_disturbs_nothing)
{
	ok(qb_put_start(q, "jobs", "p", 1));
	in_child({});
	in_child({ expect(qb_close_wait(q, QB_FOREVER) == QB_OK); });
	ck_assert_uint_eq(fake.n_requests, 1);
	ok(qb_flush(q, QB_FOREVER));
	ck_assert_uint_eq(fake.n_requests, 2);
	ck_assert_uint_eq(fake.n_conns, 1);
}
END_TEST

START_TEST(what_is_outstanding_stays_with_the_parent)
{
	qb_item *item;

	callbacks = 0;
	ok(qb_get(q, "jobs", 0, QB_MANUAL, &item));
	ok(qb_ack_start(q, item));
	ok(qb_start_get(q, "jobs", QB_FOREVER, QB_AUTO, count, NULL, NULL));
	ok(qb_put_start(q, "jobs", "p", 1));
	in_child({
		expect(qb_outstanding_puts(q) == 0);
		expect(qb_flush(q, QB_FOREVER) == QB_OK);
		expect(qb_wait(q, QB_FOREVER) == QB_OK);
		expect(qb_put_start(q, "jobs", "c", 1) == QB_OK);
		expect(qb_flush(q, QB_FOREVER) == QB_OK);
		expect(callbacks == 0);
		qb_close(q);
		expect(callbacks == 0);
	});
	ck_assert_uint_eq(fake.n_requests, 5); /* the child's: HELLO, PUT, CLOSE */
	ok(qb_wait(q, QB_FOREVER));
	ok(qb_flush(q, QB_FOREVER));
	ck_assert_uint_eq(callbacks, 1);
	ck_assert_int_eq(fake_request(&fake, 6)->m.op, QP_OP_ACK);
	qb_item_free(item);
}
END_TEST

static void
fork_in_callback(qb *handle, uint64_t request, qb_result result, uint64_t id,
		 qb_item *item, void *arg)
{
	pid_t *pid = arg;

	qb_item_free(item);
	callbacks++;
	if (*pid != -1)
		return;
	*pid = fork();
	if (*pid == 0 && fake.keep)
		expect(qb_start_get(handle, "jobs", 0, QB_AUTO, count, NULL, NULL) ==
		       QB_LOST);
}

START_TEST(a_fork_within_a_callback_is_survived)
{
	pid_t pid = -1;
	int status;
	qb_result r;

	callbacks = 0;
	fake.keep = _i % 2; /* whether the child uses the handle within the callback */
	for (int i = 0; i < 5; i++)
		ok(qb_start_get(q, "jobs", _i / 2 ? QB_FOREVER : 0, QB_AUTO,
				fork_in_callback, &pid, NULL));
	r = qb_wait(q, QB_FOREVER);
	if (pid == 0) {
		expect(callbacks == 1);
		expect(qb_put(q, "jobs", "c", 1, 0, NULL) == QB_OK);
		qb_close(q);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(r, QB_OK);
	ck_assert_uint_eq(callbacks, 5);
}
END_TEST

START_TEST(without_a_page_the_pid_tells_a_fork)
{
	fork_guard_done(&q->guard);
	ok(qb_ping(q));
	in_child({
		expect(qb_fd(q) == -1);
		expect(qb_ping(q) == QB_OK);
		qb_close(q);
	});
	ok(qb_ping(q));
	ck_assert_uint_eq(fake.n_conns, 2);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("fork");

	tcase_add_checked_fixture(t, open_broker, close_broker);
	tcase_add_test(t, a_child_gets_a_connection_of_its_own);
	tcase_add_test(t, a_child_that_does_not_use_it_disturbs_nothing);
	tcase_add_test(t, what_is_outstanding_stays_with_the_parent);
	tcase_add_loop_test(t, a_fork_within_a_callback_is_survived, 0, 4);
	tcase_add_test(t, without_a_page_the_pid_tells_a_fork);
	return run_case(t);
}
