/* SPDX-License-Identifier: MIT
 * The rows about who is there: over a connection, over a lost one, and what clients call
 * themselves. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/net/peer.h"
#include "tests/daemon/net_kit.h"

static uint8_t id[QP_SESSION_BYTES] = {0xab, 0xcd, 0x01, 0x02, 0x77};

/* A client of this name that can be resumed. */
static struct client *
begin(const char *name)
{
	struct qp_request m = {.op = QP_OP_HELLO,
			       .rid = 1,
			       .version = 1,
			       .session = {(char *)id, sizeof(id)}};
	struct client *c = client_raw();

	QP_GIVE(&m.options, resume, 1);
	QP_GIVE(&m.options, client, ((struct qp_str){name, (uint32_t)strlen(name)}));
	ask(c, &m, "", 0);
	expect(c, QP_OP_HELLO, 1, QP_OK);
	return c;
}

static void
look(struct client *c, enum qp_op op, uint64_t item, struct answer *ret)
{
	ask(c, &(struct qp_request){.op = op, .rid = 50, .id = item}, "", 0);
	answer(c, op, ret);
	ck_assert_uint_eq(ret->reply.rid, 50);
}

/* The value of a column in the last row. */
#define column(a, name)	   row_text(a, (unsigned)(a)->reply.count - 1, name)
#define has(a, name, text) ck_assert_str_eq(column(a, name), text)

START_TEST(a_client_says_and_the_kernel_knows_who_it_is)
{
	char pid[16], uid[16];
	struct client *c = begin("worker");
	struct answer a;

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	snprintf(uid, sizeof(uid), "%u", (unsigned)getuid());
	put(c, 2, "a", 1);
	expect(c, QP_OP_PUT, 2, QP_OK);
	get(c, 3, 0);
	expect_item(c, 3, "a", 1);
	get(c, 4, QP_FOREVER);
	look(c, QP_OP_CLIENTS, 0, &a);
	ck_assert_uint_eq(a.reply.count, 1);
	ck_assert_uint_eq(a.reply.cursor, 0);
	has(&a, "client", "worker");
	has(&a, "pid", pid);
	has(&a, "uid", uid);
	has(&a, "command", "check_who");
	has(&a, "host", "unix");
	has(&a, "port", "nil");
	has(&a, "session", "abcd0102");
	has(&a, "leases", "1");
	has(&a, "waiting", "1");
	has(&a, "link", "connected");
	has(&a, "lost_ms", "nil");
	look(c, QP_OP_WAITERS, 0, &a);
	ck_assert_uint_eq(a.reply.count, 1);
	has(&a, "queue", "q");
	has(&a, "request", "get");
	has(&a, "place", "1");
	has(&a, "left_ms", "nil");
	has(&a, "pid", pid);
	client_end(c);
}
END_TEST

START_TEST(who_holds_an_item_over_a_lost_link)
{
	struct client *c = begin("worker"), *other = client_new();
	struct answer a;

	put(c, 2, "a", 1);
	expect(c, QP_OP_PUT, 2, QP_OK);
	get(c, 3, 0);
	expect_item(c, 3, "a", 1);
	look(other, QP_OP_WHO, 1, &a);
	has(&a, "client", "worker");
	has(&a, "link", "connected");
	has(&a, "delivery", "1");
	has(&a, "left_ms", "nil");
	client_end(c);
	look(other, QP_OP_WHO, 1, &a);
	has(&a, "client", "worker");
	has(&a, "link", "lost");
	ck_assert_str_ne(column(&a, "lost_ms"), "nil");
	ck_assert_int_gt(atoi(column(&a, "grace_ms")), 1);
	client_end(other);
}
END_TEST

START_TEST(an_item_that_nobody_holds_is_not_found_and_the_text_says_why)
{
	struct client *c = begin("worker");
	struct answer a;

	put(c, 2, "a", 1);
	expect(c, QP_OP_PUT, 2, QP_OK);
	look(c, QP_OP_WHO, 1, &a);
	ck_assert_uint_eq(a.reply.status, QP_NOT_FOUND);
	ck_assert_mem_eq(a.reply.text.p, "nobody holds item 1: it waits in the queue q",
			 a.reply.text.len);
	look(c, QP_OP_WHO, 2, &a);
	ck_assert_uint_eq(a.reply.status, QP_NOT_FOUND);
	ck_assert_mem_eq(a.reply.text.p, "no item has had the id 2", 24);
	client_end(c);
}
END_TEST

START_TEST(what_a_client_calls_itself_is_shown_in_printable_characters)
{
	static const char *const names[][2] = {
		{"größe", "größe"},
		{"a\033[2Jb\nc", "a?[2Jb?c"},
		{"\xff\xfe", "??"},
		{"", "nil"},
	};
	struct client *c = begin(names[_i][0]);
	struct answer a;

	look(c, QP_OP_CLIENTS, 0, &a);
	has(&a, "client", names[_i][1]);
	client_end(c);
}
END_TEST

START_TEST(many_clients_come_in_pages)
{
	static struct client *clients[150];
	struct answer a;
	unsigned total = 0, pages = 0;
	struct qp_request m = {.op = QP_OP_CLIENTS, .rid = 50};

	server->limits.max_connections = 200;
	for (int i = 0; i < 150; i++)
		clients[i] = client_new();
	do {
		ask(clients[7], &m, "", 0);
		answer(clients[7], QP_OP_CLIENTS, &a);
		total += (unsigned)a.reply.count;
		pages++;
		ck_assert(a.reply.cursor == 0 || a.reply.cursor > m.cursor);
		m.cursor = a.reply.cursor;
	} while (m.cursor != 0);
	ck_assert_uint_eq(total, 150);
	ck_assert_uint_eq(pages, 2);
	for (int i = 0; i < 150; i++)
		client_end(clients[i]);
}
END_TEST

/* --- over a restart ------------------------------------------------------------------ */

static void
describe(pid_t pid, struct witness *ret)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	uint64_t known = 0;

	ck_assert_int_ge(pidfd, 0);
	ck_assert(peer_describe(pidfd, (uint64_t)pid, &known, ret));
	close(pidfd);
}

START_TEST(a_process_is_found_again_until_it_has_ended)
{
	struct witness child, other;
	pid_t pid = fork();
	bool gone = true;
	int pidfd;

	if (pid == 0) {
		pause();
		_exit(0);
	}
	describe(pid, &child);
	pidfd = peer_find(&child, &gone);
	ck_assert_int_ge(pidfd, 0);
	ck_assert(!gone);
	other = child;
	other.started++;
	ck_assert_int_lt(peer_find(&other, &gone), 0);
	ck_assert(gone);
	other = child;
	other.boot[0] ^= 1;
	ck_assert_int_lt(peer_find(&other, &gone), 0);
	ck_assert(gone);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_lt(peer_find(&child, &gone), 0);
	ck_assert(gone);
}
END_TEST

/* As at a start with more sessions than descriptors. */
START_TEST(who_cannot_be_looked_at_has_not_ended_for_that)
{
	struct rlimit limit;
	struct witness self;
	bool gone = true;
	int pidfd, last;

	describe(getpid(), &self);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	last = dup(0); /* the lowest that is free */
	ck_assert_int_ge(last, 0);
	close(last);
	for (int left = 0; left < 3; left++) {
		limit.rlim_cur = (rlim_t)(last + left);
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
		pidfd = peer_find(&self, &gone);
		ck_assert_msg(!gone, "with %d descriptors left", left);
		if (pidfd >= 0)
			close(pidfd);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("who");
	TCase *t = tcase_create("who");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_client_says_and_the_kernel_knows_who_it_is);
	tcase_add_test(t, who_holds_an_item_over_a_lost_link);
	tcase_add_test(t, an_item_that_nobody_holds_is_not_found_and_the_text_says_why);
	tcase_add_loop_test(
		t, what_a_client_calls_itself_is_shown_in_printable_characters, 0, 4);
	tcase_add_test(t, many_clients_come_in_pages);
	suite_add_tcase(s, t);
	t = tcase_create("over a restart");
	tcase_add_test(t, a_process_is_found_again_until_it_has_ended);
	tcase_add_test(t, who_cannot_be_looked_at_has_not_ended_for_that);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
