/* SPDX-License-Identifier: MIT
 * What the broker says by itself. */
#include "client/client.h"
#include "tests/client/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

struct seen {
	unsigned calls;
	uint64_t id;
	uint32_t deliveries;
	int64_t left_ms;
};

static void
note(qb *handle, uint64_t id, uint32_t deliveries, int64_t left_ms, void *arg)
{
	struct seen *seen = arg;

	*seen = (struct seen){seen->calls + 1, id, deliveries, left_ms};
	ck_assert_int_eq(qb_ping(handle), QB_BAD_STATE);
}

/* Answers, with notices before and behind: of a kind that nobody knows, and of a lease. */
static void
say_more(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	struct qp_options options = {0};

	fake_notice(c, (enum qp_notice)999, &options);
	fake_notice(c, QP_NOTICE_LEASE_ENDING, &options);
	QP_GIVE(&options, id, 42);
	QP_GIVE(&options, delivery, 3);
	QP_GIVE(&options, left_ms, 1500);
	fake_notice(c, QP_NOTICE_LEASE_ENDING, &options);
	fake_answer(f, c, r);
}

START_TEST(the_end_of_a_lease_is_told_to_who_asked)
{
	struct seen seen = {0};
	const struct qp_request *m;

	fake.on[QP_OP_SIZE] = say_more;
	ok(qb_size(q, "jobs", NULL, NULL, NULL));
	ok(qb_on_lease_ending(q, note, &seen));
	ok(qb_size(q, "jobs", NULL, NULL, NULL));
	ck_assert_uint_eq(seen.calls, 1);
	ck_assert_uint_eq(seen.id, 42);
	ck_assert_uint_eq(seen.deliveries, 3);
	ck_assert_int_eq(seen.left_ms, 1500);
	ck_assert(!QP_GIVEN(&fake_request(&fake, 0)->m.options, notices));
	m = &fake_request(&fake, 2)->m;
	ck_assert(m->op == QP_OP_PING && QP_OPT(&m->options, notices) == 1);

	ok(qb_on_lease_ending(q, note, &seen));
	ok(qb_on_lease_ending(q, NULL, NULL));
	ok(qb_size(q, "jobs", NULL, NULL, NULL));
	ck_assert_uint_eq(seen.calls, 1);
	m = &fake_request(&fake, 4)->m;
	ck_assert(m->op == QP_OP_PING && QP_GIVEN(&m->options, notices) &&
		  !m->options.notices);
}
END_TEST

START_TEST(a_new_connection_asks_again)
{
	struct seen seen = {0};

	ok(qb_on_lease_ending(q, note, &seen));
	fake.on[QP_OP_DELETE] = fake_hang_up;
	ck_assert_int_eq(qb_delete(q, "jobs", 0), QB_LOST);
	fake.on[QP_OP_SIZE] = say_more;
	ok(qb_size(q, "jobs", NULL, NULL, NULL));
	ck_assert_uint_eq(seen.calls, 1);
	ck_assert_uint_eq(QP_OPT(&fake_request(&fake, 3)->m.options, notices), 1);
}
END_TEST

static void
say_with_a_body(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	static const uint8_t frame[] = "\0\0\0\x05\0\0\0\x01\x94\0\0\x01\x80x";

	fake_write(c, frame, sizeof(frame) - 1);
}

START_TEST(a_notice_with_a_body_breaks_the_protocol)
{
	fake.on[QP_OP_PING] = say_with_a_body;
	ck_assert_int_eq(qb_ping(q), QB_MALFORMED);
	ck_assert_str_eq(qb_error(q), "the broker sent a notice with a body");
}
END_TEST

static void
fork_and_ping(qb *handle, uint64_t id, uint32_t deliveries, int64_t left_ms, void *arg)
{
	pid_t *pid = arg;

	*pid = fork();
	if (*pid == 0)
		ck_assert_int_eq(qb_send(handle), QB_LOST);
}

START_TEST(a_fork_within_the_function_is_survived)
{
	pid_t pid = -1;
	int status;

	fake.on[QP_OP_SIZE] = say_more;
	ok(qb_on_lease_ending(q, fork_and_ping, &pid));
	(void)qb_size(q, "jobs", NULL, NULL, NULL);
	if (pid == 0)
		_exit(0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	ok(qb_ping(q));
}
END_TEST

/* --- events ------------------------------------------------------------------------ */

static char told[512];

static void
hear(qb *handle, const qb_event *event, void *arg)
{
	size_t len = strlen(told);

	ck_assert_ptr_eq(arg, told);
	snprintf(told + len, sizeof(told) - len, "%s %s %s %s %d %u %d %d; ",
		 qb_event_name(event),
		 qb_event_queue(event) ? qb_event_queue(event) : "-",
		 qb_event_worker(event) ? qb_event_worker(event) : "-",
		 qb_event_client(event) ? qb_event_client(event) : "-",
		 (int)qb_event_id(event), qb_event_deliveries(event),
		 (int)qb_event_pid(event), (int)qb_event_count(event));
	ck_assert_int_eq(qb_ping(handle), QB_BAD_STATE);
}

static void
happen(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	struct qp_options item = {0}, client = {0}, lost = {0};

	QP_GIVE(&item, event, ((struct qp_str){"crashed", 7}));
	QP_GIVE(&item, queue, ((struct qp_str){"jobs", 4}));
	QP_GIVE(&item, id, 42);
	QP_GIVE(&item, delivery, 3);
	QP_GIVE(&item, worker, ((struct qp_str){"w (pid 5)", 9}));
	QP_GIVE(&client, event, ((struct qp_str){"client_died", 11}));
	QP_GIVE(&client, client, ((struct qp_str){"worker", 6}));
	QP_GIVE(&client, pid, 99);
	QP_GIVE(&lost, event, ((struct qp_str){"lost", 4}));
	QP_GIVE(&lost, count, 7);
	fake_answer(f, c, r);
	fake_notice(c, QP_NOTICE_EVENT, &item);
	fake_notice(c, QP_NOTICE_EVENT, &client);
	fake_notice(c, QP_NOTICE_EVENT, &lost);
	fake_notice(c, QP_NOTICE_EVENT, &(struct qp_options){0});
}

START_TEST(events_are_told_to_who_watches)
{
	told[0] = 0;
	fake.on[QP_OP_SIZE] = happen;
	ok(qb_size(q, "jobs", NULL, NULL, NULL));
	ok(qb_ping(q));
	ok(qb_watch(q, "jobs", hear, told));
	ck_assert_str_eq(fake_request(&fake, 3)->queue, "jobs");
	ok(qb_size(q, "jobs", NULL, NULL, NULL));
	ok(qb_ping(q));
	ck_assert_str_eq(told,
			 "crashed jobs w (pid 5) - 42 3 0 0; client_died - - worker 0 0 99 0; "
			 "lost - - - 0 0 0 7; ");
	ok(qb_watch(q, NULL, NULL, NULL));
	ck_assert(QP_GIVEN(&fake_request(&fake, 6)->m.options, stop));
	told[0] = 0;
	ok(qb_size(q, "jobs", NULL, NULL, NULL));
	ok(qb_ping(q));
	ck_assert_str_eq(told, "");
	ck_assert_int_eq(qb_watch(q, "", hear, told), QB_INVALID);
}
END_TEST

START_TEST(events_are_told_over_a_new_connection)
{
	told[0] = 0;
	ok(qb_watch(q, "jobs", hear, told));
	fake.on[QP_OP_DELETE] = fake_hang_up;
	ck_assert_int_eq(qb_delete(q, "jobs", 0), QB_LOST);
	fake.on[QP_OP_SIZE] = happen;
	ok(qb_size(q, "jobs", NULL, NULL, NULL));
	ok(qb_ping(q));
	ck_assert_str_eq(told,
			 "lost - - - 0 0 0 0; crashed jobs w (pid 5) - 42 3 0 0; client_died - - "
			 "worker 0 0 99 0; lost - - - 0 0 0 7; ");
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("notices");

	tcase_add_checked_fixture(t, open_broker, close_broker);
	tcase_add_test(t, the_end_of_a_lease_is_told_to_who_asked);
	tcase_add_test(t, a_new_connection_asks_again);
	tcase_add_test(t, a_notice_with_a_body_breaks_the_protocol);
	tcase_add_test(t, a_fork_within_the_function_is_survived);
	tcase_add_test(t, events_are_told_to_who_watches);
	tcase_add_test(t, events_are_told_over_a_new_connection);
	return run_case(t);
}
