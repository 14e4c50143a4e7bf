/* SPDX-License-Identifier: MIT
 * The failures for which Python's own queues between processes have no answer, each
 * with what happens there: an item lost, a ghost, or everybody waiting for ever. Two
 * kinds are meant: multiprocessing.Queue, a pipe with locks that its processes share
 * and a thread in each producer that feeds it, and a queue.Queue that a manager's
 * process serves over sockets. Clients are processes that use libqbroker.
 *
 * One more is shown where the clock is a variable (core/check_lease_end,
 * a_job_of_a_day_without_a_heartbeat_keeps_its_item): where clients must send
 * heartbeats, or a job may take so long and no longer, the item of a long one is given
 * to a second worker while the first still works. */
#include <config.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/qbroker.h"
#include "tests/lib/daemon.h"
#include "tests/lib/proxy.h"
#include "tests/lib/run.h"
#include "tests/lib/wire.h"

#define LARGE (4 << 20)

static struct daemon d;

static qb *
open_handle(void)
{
	qb *q;

	ck_assert_int_eq(qb_open(d.address, &q), QB_OK);
	return q;
}

static void
put_text(qb *q, const char *text)
{
	ck_assert_int_eq(qb_put(q, "q", text, strlen(text), QB_FOREVER, NULL), QB_OK);
}

/* Gets the next item, which must be this text, and must have lost so many holders. */
static qb_item *
get_text(qb *q, const char *text, unsigned crashes)
{
	qb_item *item;

	ck_assert_int_eq(qb_get(q, "q", patience_ms(), QB_MANUAL, &item), QB_OK);
	ck_assert_str_eq(qb_item_body(item), text);
	ck_assert_uint_eq(qb_item_crashes(item), crashes);
	return item;
}

static void
finish(qb *q, qb_item *item)
{
	ck_assert_int_eq(qb_ack(q, item), QB_OK);
	qb_item_free(item);
}

/* --- a consumer is killed while it is blocked in get ------------------------------ */

static void
block_in_get(int line, void *arg)
{
	qb_item *item;

	(void)line, (void)arg;
	qb_get(open_handle(), "q", QB_FOREVER, QB_MANUAL, &item);
}

/* multiprocessing.Queue: the dead process keeps the lock that readers share, and every
 * other get waits for ever. A manager: the thread that served the dead process still
 * waits in get, takes the next item, and has nobody to give it to: the item is lost. */
START_TEST(a_consumer_killed_while_blocked_in_get_takes_no_item_with_it)
{
	struct child dead;
	struct wire w;
	qb_item *item;
	qb *q;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	q = open_handle();
	child_start(&dead, block_in_get, NULL);
	wait_for_queue(&w, "q", "getters", 1);
	child_kill(&dead);
	put_text(q, "work"); /* whether the broker has seen the end already or not */
	ck_assert_int_eq(qb_get(q, "q", patience_ms(), QB_MANUAL, &item), QB_OK);
	ck_assert_str_eq(qb_item_body(item), "work");
	finish(q, item);
	ck_assert_int_eq(queue_number(&w, "q", "unfinished"), 0);
	wait_for_queue(&w, "q", "getters", 0);
	qb_close(q);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

/* --- a consumer is killed between get and task_done ------------------------------- */

static void
hold_one(int line, void *arg)
{
	qb_item *item;

	(void)arg;
	ck_assert_int_eq(qb_get(open_handle(), "q", QB_FOREVER, QB_MANUAL, &item),
			 QB_OK);
	line_say(line, 'h');
	line_hear(line);
}

static void
join_and_say(int line, void *arg)
{
	qb *q = open_handle();

	(void)arg;
	ck_assert_int_eq(qb_join(q, "q", QB_FOREVER), QB_OK);
	line_say(line, 'j');
	qb_close(q);
}

/* Both: the item is gone with its worker, nobody will ever call task_done for it, and
 * join waits for ever. */
START_TEST(a_consumer_killed_before_task_done_leaves_no_join_hanging)
{
	struct child dead, joiner;
	struct wire w;
	qb_item *item;
	qb *q;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	q = open_handle();
	put_text(q, "job");
	child_start(&dead, hold_one, NULL);
	ck_assert_int_eq(line_hear(dead.line), 'h');
	child_start(&joiner, join_and_say, NULL);
	wait_for_queue(&w, "q", "joiners", 1);
	child_kill(&dead);
	item = get_text(q, "job", 1);
	ck_assert_int_eq(queue_number(&w, "q", "joiners"), 1);
	finish(q, item);
	ck_assert_int_eq(line_hear(joiner.line), 'j');
	child_join(&joiner);
	qb_close(q);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

/* --- a consumer is killed, and its forked child lives on --------------------------- */

static void
hold_with_idle_child(int line, void *arg)
{
	qb_item *item;
	qb *q;

	ck_assert_int_eq(qb_open(arg, &q), QB_OK);
	ck_assert_int_eq(qb_get(q, "q", QB_FOREVER, QB_MANUAL, &item), QB_OK);
	if (fork() == 0) {
		char end;

		line_say(line, 'c');
		_exit((int)recv(line, &end, 1, 0)); /* until the test closes its end */
	}
	for (;;)
		pause();
}

/* A manager could not even know: the forked child holds the socket, so that no end of
 * file comes. With multiprocessing.Queue nothing is noticed in any case. */
START_TEST(a_killed_consumer_is_seen_although_its_forked_child_lives_on)
{
	struct child dead;
	qb *q;

	d.tcp[0] = "tcp://127.0.0.1:0";
	daemon_start(&d, NULL);
	q = open_handle();
	put_text(q, "job");
	child_start(&dead, hold_with_idle_child, _i ? d.tcp_address[0] : d.address);
	ck_assert_int_eq(line_hear(dead.line), 'c');
	child_kill(&dead);
	finish(q, get_text(q, "job", 1));
	close(dead.line);
	qb_close(q);
	daemon_stop(&d);
}
END_TEST

/* --- a producer is killed while it is blocked in put ------------------------------- */

static void
block_in_put(int line, void *arg)
{
	(void)line, (void)arg;
	qb_put(open_handle(), "q", "ghost", 5, QB_FOREVER, NULL);
}

/* A manager: the thread that served the dead process goes on waiting, and puts the item
 * when there is room, long after. multiprocessing.Queue: put has returned before the
 * feeding thread has written anything; what it had not yet written is lost, or is half
 * in the pipe, which nobody can read any more, and the lock for writing stays locked. */
START_TEST(a_producer_killed_while_blocked_in_put_leaves_no_ghost)
{
	static const char *const options[] = {"maxsize=1", NULL};
	struct child dead;
	struct wire w;
	qb_item *item;
	qb *q;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	q = open_handle();
	ck_assert_int_eq(qb_declare(q, "q", options, 0, NULL), QB_OK);
	put_text(q, "first");
	child_start(&dead, block_in_put, NULL);
	wait_for_queue(&w, "q", "putters", 1);
	child_kill(&dead);
	wait_for_queue(&w, "q", "putters", 0);
	finish(q, get_text(q, "first", 0));
	ck_assert_int_eq(qb_get(q, "q", 0, QB_MANUAL, &item), QB_EMPTY);
	put_text(q, "second"); /* others can put */
	finish(q, get_text(q, "second", 0));
	ck_assert_int_eq(queue_number(&w, "q", "accepted"), 2);
	qb_close(q);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

/* --- one of several readers is killed while it reads ------------------------------- */

/* Has received the beginning of a large item, and no more, when it is killed. */
static void
read_half(int line, void *arg)
{
	struct wire w;

	(void)arg;
	wire_begin_item(&w, d.address, "q");
	line_say(line, 'r');
	line_hear(line);
}

/* Says the first byte and the crashes of the item that it gets. */
static void
get_and_say(int line, void *arg)
{
	qb *q = open_handle();
	qb_item *item;

	(void)arg;
	ck_assert_int_eq(qb_get(q, "q", QB_FOREVER, QB_MANUAL, &item), QB_OK);
	line_say(line, *(const char *)qb_item_body(item));
	line_say(line, (char)('0' + qb_item_crashes(item)));
	finish(q, item);
	qb_close(q);
}

/* multiprocessing.Queue: the dead reader held the lock, and it has taken the first half
 * of an item out of the pipe: even without the lock the next reader would take the
 * second half for an item. */
START_TEST(readers_go_on_when_one_of_them_is_killed_while_it_reads)
{
	char *body = malloc(LARGE);
	struct child dead, readers[2];
	struct wire w;
	qb *q;

	ck_assert_ptr_nonnull(body);
	memset(body, 'x', LARGE);
	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	q = open_handle();
	ck_assert_int_eq(qb_put(q, "q", body, LARGE, QB_FOREVER, NULL), QB_OK);
	child_start(&dead, read_half, NULL);
	ck_assert_int_eq(line_hear(dead.line), 'r');
	for (int i = 0; i < 2; i++) {
		child_start(&readers[i], get_and_say, NULL);
		wait_for_queue(&w, "q", "getters", i + 1);
	}
	child_kill(&dead);
	ck_assert_int_eq(line_hear(readers[0].line), 'x');
	ck_assert_int_eq(line_hear(readers[0].line), '1');
	put_text(q, "y");
	ck_assert_int_eq(line_hear(readers[1].line), 'y');
	ck_assert_int_eq(line_hear(readers[1].line), '0');
	for (int i = 0; i < 2; i++)
		child_join(&readers[i]);
	ck_assert_int_eq(qb_join(q, "q", 0), QB_OK);
	free(body);
	qb_close(q);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

/* --- the link is cut while an answer is on its way --------------------------------- */

/* After so many bytes of the answer: none, half a frame's lengths, all of them, a part
 * of the head; and in the middle of the request. */
static const struct proxy_rule cuts[] = {
	{PROXY_CUT, PROXY_DOWN, 0},	   {PROXY_CUT, PROXY_DOWN, 3},
	{PROXY_CUT, PROXY_DOWN, 8},	   {PROXY_CUT, PROXY_DOWN, 10},
	{PROXY_HALF_CLOSE, PROXY_DOWN, 9}, {PROXY_CUT, PROXY_UP, 5}};

/* A manager: what get had taken is gone with the answer; of a put nobody knows whether
 * it happened, and whoever puts again may have put twice. (multiprocessing.Queue has no
 * links.) */
START_TEST(a_link_cut_with_the_answer_in_flight_loses_and_repeats_nothing)
{
	struct proxy p;
	struct wire w;
	qb_item *item;
	qb *q;

	d.tcp[0] = "tcp://127.0.0.1:0";
	daemon_start(&d, NULL);
	proxy_start(&p, _i ? "tcp" : "unix", _i ? d.tcp_address[0] : d.address);
	wire_open(&w, d.address);
	ck_assert_int_eq(qb_open(p.address, &q), QB_OK);
	for (int i = 0; i < (int)(sizeof(cuts) / sizeof(*cuts)); i++) {
		proxy_apply(&p, cuts[i]);
		put_text(q, "job");
		proxy_apply(&p, cuts[i]);
		item = get_text(q, "job", 0);
		ck_assert_uint_eq(qb_item_deliveries(item), 1);
		proxy_apply(&p, cuts[i]);
		finish(q, item);
		ck_assert_int_eq(qb_ping(q), QB_OK);
		ck_assert_int_eq(queue_number(&w, "q", "accepted"), i + 1);
		ck_assert_int_eq(queue_number(&w, "q", "finished"), i + 1);
	}
	ck_assert_uint_ge(proxy_counts(&p).connections, 10);
	qb_close(q);
	wire_close(&w);
	proxy_stop(&p);
	daemon_stop(&d);
}
END_TEST

/* --- the broker is started again while clients wait -------------------------------- */

/* A manager: whoever waits gets an EOFError, and its proxies are of no use for the
 * manager that is started instead. (With multiprocessing.Queue there is nothing that
 * could be started again.) */
START_TEST(clients_that_wait_go_on_when_the_broker_is_started_again)
{
	struct child readers[2];
	struct wire w;
	qb *q;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	q = open_handle();
	for (int i = 0; i < 2; i++)
		child_start(&readers[i], get_and_say, NULL);
	wait_for_queue(&w, "q", "getters", 2);
	daemon_kill(&d);
	wire_close(&w);
	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	wait_for_queue(&w, "q", "getters", 2);
	put_text(q, "x");
	put_text(q, "x");
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(line_hear(readers[i].line), 'x');
		ck_assert_int_eq(line_hear(readers[i].line), '0');
		child_join(&readers[i]);
	}
	ck_assert_int_eq(qb_join(q, "q", 0), QB_OK);
	qb_close(q);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

int
main(void)
{
	static const TTest *const *const tests[] = {
		&a_consumer_killed_while_blocked_in_get_takes_no_item_with_it,
		&a_consumer_killed_before_task_done_leaves_no_join_hanging,
		&a_producer_killed_while_blocked_in_put_leaves_no_ghost,
		&readers_go_on_when_one_of_them_is_killed_while_it_reads,
		&clients_that_wait_go_on_when_the_broker_is_started_again};
	TCase *t = tcase_create("failures");

	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		tcase_add_test(t, *tests[i]);
	/* Over a Unix socket and over TCP. */
	tcase_add_loop_test(
		t, a_killed_consumer_is_seen_although_its_forked_child_lives_on, 0, 2);
	tcase_add_loop_test(
		t, a_link_cut_with_the_answer_in_flight_loses_and_repeats_nothing, 0,
		2);
	return run_case("failures", t);
}
