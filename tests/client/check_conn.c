/* SPDX-License-Identifier: MIT
 * Connections: made, refused, lost in every phase, silent brokers, and fork(). */
#include "client/client.h"
#include "client/clock.h"
#include "tests/client/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void
open_handle(void)
{
	ck_assert_int_eq(qb_open(fake.address, &q), QB_OK);
}

/* --- opening ----------------------------------------------------------------------- */

START_TEST(addresses_are_read)
{
	static const char *const good[] = {"unix:/x", "unix:x", "tcp://h:1",
					   "tcp://127.0.0.1:65535", "tcp://[::1]:7"};
	static const char *const bad[] = {"",
					  "x",
					  "unix:",
					  "tcp://",
					  "tcp://h",
					  "tcp://h:",
					  "tcp://:1",
					  "tcp://h:0",
					  "tcp://h:65536",
					  "tcp://h:1x",
					  "tcp://::1:5",
					  "tcp://[]:5",
					  "tcp://[::1]5",
					  "http://h:1",
					  "tcp://h:+5",
					  "tcp://h/p:5"};
	struct address a;
	char longest[400];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(address_parse(good[i], &a), "%s", good[i]);
	ck_assert_str_eq(a.host, "::1");
	ck_assert_str_eq(a.port, "7");
	ck_assert(!a.local);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!address_parse(bad[i], &a), "%s", bad[i]);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	memcpy(longest, "unix:", 5);
	ck_assert(!address_parse(longest, &a));
	longest[5 + sizeof(a.path)] = 0;
	ck_assert(!address_parse(longest, &a));
	longest[4 + sizeof(a.path)] = 0;
	ck_assert(address_parse(longest, &a));
}
END_TEST

START_TEST(a_bad_address_is_invalid)
{
	ck_assert_int_eq(qb_open("nonsense", &q), QB_INVALID);
	ck_assert_ptr_null(q);
	ck_assert_str_eq(qb_error(q), "");
}
END_TEST

START_TEST(the_environment_names_the_broker)
{
	setenv("QBROKER_ADDR", fake.address, 1);
	ck_assert_int_eq(qb_open(NULL, &q), QB_OK);
	ck_assert_str_eq(qb_address(q), fake.address);
	qb_close(q);
	setenv("QBROKER_ADDR", "", 1);
	(void)qb_open(NULL, &q);
	ck_assert_str_eq(qb_address(q), QB_DEFAULT_ADDRESS);
}
END_TEST

START_TEST(without_a_broker_there_is_a_handle_that_tries_again)
{
	fake_stop(&fake);
	ck_assert_int_eq(qb_open(fake.address, &q), QB_NO_BROKER);
	ck_assert_ptr_nonnull(q);
	ck_assert_ptr_nonnull(strstr(qb_error(q), fake.path));
	ck_assert_int_eq(qb_fd(q), -1);
	ck_assert_str_eq(qb_server(q), "");
	ck_assert_uint_eq(qb_max_item(q), 0);
	ck_assert_int_eq(qb_put(q, "jobs", "x", 1, 0, NULL), QB_NO_BROKER);
	ck_assert_int_eq(qb_put_start(q, "jobs", "x", 1), QB_NO_BROKER);
	ck_assert_int_eq(qb_process(q), QB_LOST);
	fake_run(&fake);
	ok(qb_put(q, "jobs", "x", 1, 0, NULL));
}
END_TEST

START_TEST(a_socket_without_permission_is_denied)
{
	pid_t child;
	int status;

	ck_assert_int_eq(chmod(fake.path, 0600), 0);
	ck_assert_int_eq(chmod(fake.dir, 0711), 0);
	child = fork();
	if (child == 0) { /* root may open everything */
		if (geteuid() == 0 && setuid(65534) != 0)
			_exit(2);
		chmod(fake.path, 0);
		_exit(qb_open(fake.address, &q) == QB_DENIED ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(tcp_reaches_a_broker_at_any_address_of_the_name)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);
	char address[64];

	fake_stop(&fake);
	fake.listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(fake.listen_fd, (struct sockaddr *)&addr, len), 0);
	ck_assert_int_eq(listen(fake.listen_fd, 4), 0);
	ck_assert_int_eq(getsockname(fake.listen_fd, (struct sockaddr *)&addr, &len),
			 0);
	fake_thread(&fake);
	snprintf(address, sizeof(address), "tcp://localhost:%d", ntohs(addr.sin_port));
	ck_assert_int_eq(qb_open(address, &q), QB_OK);
	ok(qb_put(q, "jobs", "x", 1, 0, NULL));
	ck_assert_int_eq(fcntl(qb_fd(q), F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(fcntl(qb_fd(q), F_GETFD), FD_CLOEXEC);
	qb_close(q);
	fake_stop(&fake);
	ck_assert_int_eq(qb_open(address, &q), QB_NO_BROKER);
	qb_close(q);
	ck_assert_int_eq(qb_open("tcp://name.invalid:1", &q), QB_NO_BROKER);
}
END_TEST

static void
refuse_hello(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	fake_refuse(c, QP_VERSION, r->m.rid, "version 9 at least");
}

static void
say_limit(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	fake_refuse(c, QP_LIMIT, 0, "too many connections");
	fake_close(c);
}

START_TEST(a_refused_hello_has_the_brokers_reason)
{
	fake.on[QP_OP_HELLO] = refuse_hello;
	ck_assert_int_eq(qb_open(fake.address, &q), QB_VERSION);
	ck_assert_str_eq(qb_error(q), "version 9 at least");
	ck_assert_int_eq(qb_fd(q), -1);
	fake.on[QP_OP_HELLO] = say_limit;
	ck_assert_int_eq(qb_ping(q), QB_LIMIT);
	ck_assert_str_eq(qb_error(q), "too many connections");
	fake.on[QP_OP_HELLO] = fake_hang_up;
	ck_assert_int_eq(qb_ping(q), QB_LOST);
	fake.on[QP_OP_HELLO] = NULL;
	ok(qb_ping(q));
}
END_TEST

static void
hello_from_another(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	struct fake_request other = *r;

	other.session[3] ^= 1;
	fake_answer(f, c, &other);
}

START_TEST(hello_for_another_session_is_malformed)
{
	fake.on[QP_OP_HELLO] = hello_from_another;
	ck_assert_int_eq(qb_open(fake.address, &q), QB_MALFORMED);
	ck_assert_int_eq(qb_fd(q), -1);
}
END_TEST

/* --- losing it --------------------------------------------------------------------- */

START_TEST(a_call_that_may_have_been_done_says_so_and_the_next_is)
{
	uint8_t session[QP_SESSION_BYTES];

	open_handle();
	memcpy(session, fake_request(&fake, 0)->session, sizeof(session));
	fake.on[QP_OP_PUT] = fake_hang_up;
	ck_assert_int_eq(qb_put(q, "jobs", "x", 1, QB_FOREVER, NULL), QB_LOST);
	ck_assert_str_eq(
		qb_error(q),
		"the session could not be resumed: the broker closed the connection");
	fake.on[QP_OP_PUT] = NULL;
	ok(qb_put(q, "jobs", "x", 1, QB_FOREVER, NULL));
	ck_assert_int_eq(fake_request(&fake, 2)->m.op, QP_OP_HELLO);
	ck_assert_mem_eq(fake_request(&fake, 2)->session, session, sizeof(session));
}
END_TEST

START_TEST(a_broker_that_went_away_between_calls_is_replaced)
{
	open_handle();
	fake_stop(&fake);
	fake_run(&fake);
	ok(qb_put(q, "jobs", "x", 1, QB_FOREVER, NULL));
	ok(qb_put(q, "jobs", "x", 1, QB_FOREVER, NULL));
}
END_TEST

static void
say_stopping(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	fake_refuse(c, QP_STOPPING, 0, "the broker is stopping");
	fake_close(c);
}

START_TEST(the_brokers_last_word_is_the_sentence)
{
	open_handle();
	fake.on[QP_OP_PUT] = say_stopping;
	ck_assert_int_eq(qb_put(q, "jobs", "x", 1, QB_FOREVER, NULL), QB_LOST);
	ck_assert_str_eq(qb_error(q),
			 "the session could not be resumed: the broker is stopping");
}
END_TEST

START_TEST(the_last_word_is_heard_when_writing_fails)
{
	open_handle();
	ok(qb_ping(q));
	fake_refuse(&fake.conns[0], QP_STOPPING, 0, "the broker is stopping");
	ck_assert_int_eq(shutdown(fake.conns[0].fd, SHUT_RDWR), 0);
	fake_wait_closed(&fake, 1);
	ok(qb_put(q, "jobs", "x", 1, QB_FOREVER, NULL)); /* it was not sent */
	ck_assert_str_eq(q->lost_why, "the broker is stopping");
}
END_TEST

/* Half a reply, then the end. */
static void
half_a_reply(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	static const uint8_t start[] = {0, 0, 0, 5, 0, 0, 4, 0, 0x94, 0};
	uint8_t frame[13 + 100] = {0, 0, 0, 5, 0, 0, 4, 0, 0x94, 0, 0, 5, 1};

	f->on[QP_OP_GET] = NULL;
	frame[10] = (uint8_t)r->m.rid;
	if (f->keep == 0)
		fake_write(c, start, sizeof(start));
	else
		fake_write(c, frame, sizeof(frame)); /* 100 bytes of 1024 */
	fake_close(c);
}

START_TEST(a_get_with_half_a_reply_is_sent_again)
{
	qb_item *item = (qb_item *)&item;

	open_handle();
	fake.keep = _i;
	fake.on[QP_OP_GET] = half_a_reply;
	ok(qb_get(q, "jobs", QB_FOREVER, QB_AUTO, &item));
	ck_assert_str_eq(qb_item_body(item), "body");
	qb_item_free(item);
	ck_assert_uint_eq(fake.n_conns, 2);
}
END_TEST

/* A body that stops in the middle. */
static void
stop_in_the_body(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	uint8_t frame[13 + 100] = {0, 0, 0, 5, 0, 0, 4, 0, 0x94, 0, 0, 5, 1};

	frame[10] = (uint8_t)r->m.rid;
	fake_write(c, frame, sizeof(frame));
}

START_TEST(a_body_that_stops_is_given_up)
{
	qb_item *item;

	open_handle();
	q->grace.wait_ms = 30;
	fake.on[QP_OP_GET] = stop_in_the_body;
	ck_assert_int_eq(qb_get(q, "jobs", 0, QB_AUTO, &item), QB_LOST);
	ck_assert_str_eq(qb_error(q), "the broker did not answer GET in time");
	ok(qb_ping(q));
}
END_TEST

START_TEST(items_of_a_session_that_was_not_resumed_are_stale)
{
	qb_item *item;

	open_handle();
	ok(qb_get(q, "jobs", 0, QB_MANUAL, &item));
	fake.on[QP_OP_PING] = fake_hang_up_once;
	ok(qb_ping(q));
	ck_assert_int_eq(qb_ack(q, item), QB_STALE);
	ck_assert_int_eq(qb_ack_start(q, item), QB_STALE);
	ck_assert_int_eq(qb_ack_many(q, &item, 1), QB_STALE);
	ok(qb_put(q, "jobs", "x", 1, 0, NULL));
	ck_assert_int_eq(qb_release(q, item), QB_STALE);
	ck_assert_int_eq(fake_request(&fake, 5)->m.op, QP_OP_PUT);
	ck_assert_uint_eq(fake.n_requests, 6);
	qb_item_free(item);
}
END_TEST

/* The first HELLO begins a session, the second is not answered, the third says that it is resumed. */
static void
resume_another(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	struct qp_reply reply = {.rid = r->m.rid,
				 .version = 1,
				 .epoch = FAKE_EPOCH,
				 .session = {(const char *)r->session,
					     sizeof(r->session)}};

	QP_GIVE(&reply.options, max_item, FAKE_MAX_ITEM);
	QP_GIVE(&reply.options, resumed, f->keep == 2);
	QP_GIVE(&reply.options, begun, 5 + (f->keep == 2 ? f->next_id : 0));
	if (f->keep++ == 1)
		fake_close(c);
	else
		fake_reply(c, QP_OP_HELLO, &reply, NULL, 0);
}

START_TEST(a_session_is_resumed_if_it_is_the_same)
{
	qb_result lost = _i == 0 ? QB_OK : QB_LOST;

	fake.on[QP_OP_HELLO] = resume_another;
	fake.on[QP_OP_PUT] = fake_hang_up_once;
	fake.next_id = (unsigned)_i;
	open_handle();
	ck_assert_int_eq(qb_put(q, "jobs", "x", 1, QB_FOREVER, NULL), lost);
	ck_assert_int_eq(fake.keep, 3);
	ck_assert_int_eq(fake_request(&fake, 3)->m.op, QP_OP_HELLO);
	ck_assert_uint_eq(QP_OPT(&fake_request(&fake, 0)->m.options, begun), 0);
	ck_assert_uint_eq(QP_OPT(&fake_request(&fake, 3)->m.options, begun), 5);
	if (lost)
		ck_assert_uint_eq(fake.n_requests, 4);
	else
		ck_assert_int_eq(fake_request(&fake, 4)->m.op, QP_OP_PUT);
}
END_TEST

START_TEST(items_of_another_handle_are_stale)
{
	qb_item *item;
	qb *other;

	open_handle();
	ck_assert_int_eq(qb_open(fake.address, &other), QB_OK);
	ok(qb_get(q, "jobs", 0, QB_MANUAL, &item));
	ck_assert_int_eq(qb_ack(other, item), QB_STALE);
	ok(qb_ack(q, item));
	qb_item_free(item);
	qb_close(other);
}
END_TEST

/* --- silence ----------------------------------------------------------------------- */

START_TEST(a_silent_broker_is_given_up_after_the_grace)
{
	qb_item *item;
	int64_t deadline;

	open_handle();
	q->grace.wait_ms = q->grace.call_ms = 30;
	for (int op = QP_OP_PING; op <= QP_OP_WHO; op++)
		fake.on[op] = fake_ignore;
	deadline = deadline_after(50);
	ck_assert_int_eq(qb_get(q, "jobs", 20, QB_AUTO, &item), QB_LOST);
	ck_assert_int_eq(deadline_left(deadline), 0);
	ck_assert_str_eq(qb_error(q), "the broker did not answer GET in time");
	ck_assert_int_eq(qb_fd(q), -1);
	ck_assert_int_eq(qb_ping(q), QB_LOST);
	ck_assert_int_eq(qb_put(q, "jobs", "x", 1, 0, NULL), QB_LOST);
}
END_TEST

static void
answer_and_fall_silent(struct fake *f, struct fake_conn *c,
		       const struct fake_request *r)
{
	f->silent = true;
	fake_answer(f, c, r);
}

START_TEST(a_broker_that_does_not_read_is_given_up_too)
{
	static char body[4 << 20];

	open_handle();
	q->grace.wait_ms = 30;
	fake.on[QP_OP_PING] = answer_and_fall_silent;
	ok(qb_ping(q));
	ck_assert_int_eq(qb_put(q, "jobs", body, sizeof(body), 0, NULL), QB_LOST);
	ck_assert_uint_eq(q->out.len, 0);
}
END_TEST

/* A broker that lets everybody come back, and drops whoever has something to say. */
static void
say_resumed(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	struct qp_reply reply = {.rid = r->m.rid,
				 .version = 1,
				 .epoch = FAKE_EPOCH,
				 .session = {(const char *)r->session,
					     sizeof(r->session)}};

	QP_GIVE(&reply.options, resumed, 1);
	fake_reply(c, QP_OP_HELLO, &reply, NULL, 0);
	if (f->keep)
		fake_close(c);
}

static void
hang_up_early(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	f->early = hang_up_early;
	fake_close(c);
}

START_TEST(a_link_that_is_lost_again_and_again_is_given_up)
{
	static char body[4 << 20];
	int64_t deadline;
	bool lost = false;

	open_handle();
	q->grace.wait_ms = q->grace.connect_ms = q->grace.call_ms = 100;
	fake.on[QP_OP_HELLO] = say_resumed;
	fake.on[QP_OP_PUT] = fake_hang_up;
	fake.on[QP_OP_PING] = fake_hang_up;
	fake.early = hang_up_early;
	fake.keep = _i >= 5;
	deadline = deadline_after(2500);
	if (_i % 5 == 0)
		ck_assert_int_eq(qb_put(q, "jobs", body, sizeof(body), 100, NULL),
				 QB_LOST);
	else if (_i % 5 == 1)
		ck_assert_int_eq(qb_put(q, "jobs", "x", 1, 100, NULL), QB_LOST);
	else if (_i % 5 == 2)
		ck_assert_int_eq(qb_ping(q), QB_LOST);
	else if (_i % 5 == 3)
		for (int i = 0; i < 2 * 256 && !lost; i++)
			lost = qb_put_start(q, "jobs", "x", 1) != QB_OK;
	else {
		ok(qb_put_start(q, "jobs", body, sizeof(body)));
		ck_assert_int_ne(qb_flush(q, 100), QB_OK);
	}
	ck_assert_int_gt(deadline_left(deadline), 0);
}
END_TEST

/* The broker is gone, or its host answers nothing any more. */
static void
hang_up_for_good(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	if (f->keep)
		f->accepts = false;
	else
		unlink(f->path);
	fake_close(c);
}

/* Neither the 10 s that a broker may take to answer, nor those that a connection may take, come on
 * top of it. */
START_TEST(a_wait_looks_for_another_link_in_its_own_time)
{
	int64_t timeout_ms = _i < 2 ? 100 : 1500;
	int64_t early = deadline_after(timeout_ms), late = deadline_after(6000);
	qb_item *item;

	open_handle();
	fake.keep = _i % 2;
	fake.on[QP_OP_GET] = hang_up_for_good;
	ck_assert_int_eq(qb_get(q, "jobs", timeout_ms, QB_AUTO, &item), QB_LOST);
	ck_assert_int_le(deadline_left(early), 1);
	ck_assert_int_gt(deadline_left(late), 0);
}
END_TEST

static void
refuse_some(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	if (f->keep++ < 5)
		fake_refuse(c, QP_LIMIT, r->m.rid, "too many connections");
	else
		fake_answer(f, c, r);
}

/* 5 pauses of at least 5, 10, 20, 40 and 80 ms. */
START_TEST(what_a_new_link_took_is_taken_from_the_timeout)
{
	qb_item *item;

	open_handle();
	fake_stop(&fake);
	fake.on[QP_OP_HELLO] = refuse_some;
	fake_run(&fake);
	ck_assert_int_eq(qb_process(q), QB_LOST);
	ok(qb_get(q, "jobs", 60000, QB_AUTO, &item));
	qb_item_free(item);
	ck_assert_int_eq(fake_request(&fake, 7)->m.op, QP_OP_GET);
	ck_assert_uint_le(fake_request(&fake, 7)->m.timeout_ms, 60000 - 70);
}
END_TEST

START_TEST(hello_without_an_answer_is_given_up)
{
	fake_stop(&fake);
	ck_assert_int_eq(qb_open(fake.address, &q), QB_NO_BROKER);
	q->grace.connect_ms = 30;
	fake.on[QP_OP_HELLO] = fake_ignore;
	fake_run(&fake);
	ck_assert_int_eq(qb_ping(q), QB_LOST);
	ck_assert_str_eq(qb_error(q), "the broker did not answer HELLO in time");
}
END_TEST

START_TEST(a_full_backlog_is_given_up)
{
	int fds[8], n = 0;

	fake_stop(&fake);
	ck_assert_int_eq(qb_open(fake.address, &q), QB_NO_BROKER);
	q->grace.connect_ms = 30;
	fake.accepts = false;
	fake_run(&fake);
	for (; n < 8; n++) { /* fills it */
		struct sockaddr_un addr = {.sun_family = AF_UNIX};

		strcpy(addr.sun_path, fake.path);
		fds[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(fds[n], (struct sockaddr *)&addr, sizeof(addr));
	}
	ck_assert_int_eq(qb_ping(q), QB_NO_BROKER);
	ck_assert_ptr_nonnull(strstr(qb_error(q), strerror(ETIMEDOUT)));
	while (n > 0)
		close(fds[--n]);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("conn");

	tcase_add_checked_fixture(t, start_broker, close_broker);
	tcase_add_test(t, addresses_are_read);
	tcase_add_test(t, a_bad_address_is_invalid);
	tcase_add_test(t, the_environment_names_the_broker);
	tcase_add_test(t, without_a_broker_there_is_a_handle_that_tries_again);
	tcase_add_test(t, a_socket_without_permission_is_denied);
	tcase_add_test(t, tcp_reaches_a_broker_at_any_address_of_the_name);
	tcase_add_test(t, a_refused_hello_has_the_brokers_reason);
	tcase_add_test(t, hello_for_another_session_is_malformed);
	tcase_add_test(t, a_call_that_may_have_been_done_says_so_and_the_next_is);
	tcase_add_test(t, a_broker_that_went_away_between_calls_is_replaced);
	tcase_add_test(t, the_brokers_last_word_is_the_sentence);
	tcase_add_test(t, the_last_word_is_heard_when_writing_fails);
	tcase_add_loop_test(t, a_get_with_half_a_reply_is_sent_again, 0, 2);
	tcase_add_test(t, items_of_a_session_that_was_not_resumed_are_stale);
	tcase_add_loop_test(t, a_session_is_resumed_if_it_is_the_same, 0, 2);
	tcase_add_test(t, items_of_another_handle_are_stale);
	tcase_add_test(t, a_body_that_stops_is_given_up);
	tcase_add_test(t, a_silent_broker_is_given_up_after_the_grace);
	tcase_add_test(t, a_broker_that_does_not_read_is_given_up_too);
	tcase_add_loop_test(t, a_link_that_is_lost_again_and_again_is_given_up, 0, 10);
	tcase_add_loop_test(t, a_wait_looks_for_another_link_in_its_own_time, 0, 4);
	tcase_add_test(t, what_a_new_link_took_is_taken_from_the_timeout);
	tcase_add_test(t, hello_without_an_answer_is_given_up);
	tcase_add_test(t, a_full_backlog_is_given_up);
	return run_case(t);
}
