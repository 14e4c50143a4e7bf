/* SPDX-License-Identifier: MIT
 * What the broker says by itself. */
#include "client/client.h"
#include "tests/client/fixture.h"

#include <stdlib.h>
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

int
main(void)
{
	TCase *t = tcase_create("notices");

	tcase_add_checked_fixture(t, open_broker, close_broker);
	tcase_add_test(t, the_end_of_a_lease_is_told_to_who_asked);
	tcase_add_test(t, a_new_connection_asks_again);
	tcase_add_test(t, a_notice_with_a_body_breaks_the_protocol);
	tcase_add_test(t, a_fork_within_the_function_is_survived);
	return run_case(t);
}
