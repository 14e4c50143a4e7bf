/* SPDX-License-Identifier: MIT
 * Links that are lost, over a proxy, between the real library and the real daemon: who is gone, and
 * who is not. check_cuts.c cuts them in the middle of everything. */
#include <check.h>
#include <unistd.h>

#include "client/qbroker.h"
#include "tests/lib/daemon.h"
#include "tests/lib/proxy.h"
#include "tests/lib/run.h"

static struct daemon d = {.tcp = {"tcp://127.0.0.1:0"}};
static struct proxy p;
static qb *direct; /* not over the proxy */

static void
ok(qb_result r)
{
	ck_assert_msg(r == QB_OK, "%s: %s", qb_result_name(r), qb_error(direct));
}

static void
setup(void)
{
	d = (struct daemon){.tcp = {"tcp://127.0.0.1:0"}};
	daemon_start(&d, NULL);
}

static void
teardown(void)
{
	qb_close(direct);
	direct = NULL;
	daemon_stop(&d);
}

static void
over(int tcp)
{
	proxy_start(&p, tcp ? "tcp" : "unix", tcp ? d.tcp_address[0] : d.address);
	ck_assert_int_eq(qb_open(d.address, &direct), QB_OK);
}

static int64_t
number(const char *queue, const char *name)
{
	qb_table *t;
	int64_t n = -1;

	ok(qb_queues(direct, queue, &t));
	ck_assert_int_eq(qb_table_number(t, 0, name, &n), 1);
	qb_table_free(t);
	return n;
}

/* --- who is gone, and who is not ----------------------------------------------------- */

/* Gets an item over the proxy, says so, and acknowledges it when it is told to: says with
 * what result. */
static void
hold(int line, void *arg)
{
	qb_item *item;
	qb *own;
	int result;

	if (qb_open(p.address, &own) != QB_OK ||
	    qb_get(own, "jobs", QB_FOREVER, QB_MANUAL, &item) != QB_OK)
		_exit(1);
	line_say(line, 'x');
	if (line_hear(line) < 0)
		_exit(1);
	do
		result = (int)qb_ack(own, item);
	while (result == QB_NO_BROKER);
	line_say(line, (char)('0' + result));
	qb_close(own);
}

static void
wait_for(const char *name, int64_t n)
{
	for (int64_t end = now_ms() + patience_ms(); number("jobs", name) != n;)
		look_again(end, name);
}

/* A worker holds the item, and its link is cut for good. */
static void
hold_without_link(struct child *worker, int tcp)
{
	over(tcp);
	ok(qb_put(direct, "jobs", "x", 1, 0, NULL));
	child_start(worker, hold, NULL);
	ck_assert_int_eq(line_hear(worker->line), 'x');
	proxy_refuse(&p, true);
	proxy_apply_to_all(&p, PROXY_CUT);
	for (int64_t end = now_ms() + patience_ms(); proxy_counts(&p).open > 0;)
		look_again(end, "the link to be cut");
}

START_TEST(a_worker_that_is_killed_while_its_link_is_cut_is_seen_over_tcp)
{
	struct child worker;
	int64_t start;

	hold_without_link(&worker, 1);
	ck_assert_int_eq(number("jobs", "leased"), 1);
	start = now_ms();
	child_kill(&worker);
	wait_for("ready", 1);
	ck_assert_int_lt(now_ms() - start, 5000); /* the grace is 10 s */
	ck_assert_int_eq(number("jobs", "crashed"), 1);
	proxy_stop(&p);
}
END_TEST

START_TEST(a_worker_whose_link_comes_back_in_time_has_kept_its_item)
{
	struct child worker;

	hold_without_link(&worker, _i);
	proxy_refuse(&p, false);
	line_say(worker.line, 'x');
	ck_assert_int_eq(line_hear(worker.line), '0' + QB_OK);
	ck_assert_int_eq(number("jobs", "finished"), 1);
	ck_assert_int_eq(number("jobs", "crashed"), 0);
	child_kill(&worker);
	proxy_stop(&p);
}
END_TEST

START_TEST(when_the_grace_is_over_the_item_is_others)
{
	struct child worker;
	qb_item *item;
	int result;

	daemon_stop(&d);
	d = (struct daemon){.tcp = {"tcp://127.0.0.1:0"}};
	daemon_start(&d, "--set", "resume_grace=100ms", NULL);
	hold_without_link(&worker, _i);
	ok(qb_get(direct, "jobs", QB_FOREVER, QB_MANUAL, &item));
	ck_assert_uint_eq(qb_item_crashes(item), 1);
	proxy_refuse(&p, false);
	line_say(worker.line, 'x');
	result = line_hear(worker.line) - '0';
	/* Over TCP it may have been sent before the cut was noticed. */
	ck_assert(result == QB_STALE || result == QB_LOST);
	qb_item_free(item);
	child_kill(&worker);
	proxy_stop(&p);
}
END_TEST

/* The put was accepted, and nobody knows: the session has ended, another was begun with its id, and that
 * answer was lost too. The next HELLO resumes this one, and not that of the put. */
START_TEST(a_session_whose_beginning_was_not_heard_of_is_not_gone_on_with)
{
	qb_item *item;
	qb *own;

	daemon_stop(&d);
	d = (struct daemon){.tcp = {"tcp://127.0.0.1:0"}};
	daemon_start(&d, "--set", "resume_grace=1s", NULL);
	over(_i);
	ck_assert_int_eq(qb_open(p.address, &own), QB_OK);
	ok(qb_put(direct, "jobs", "x", 1, 0, NULL));
	ck_assert_int_eq(qb_get(own, "jobs", 0, QB_MANUAL, &item), QB_OK);
	proxy_refuse(&p, true);
	proxy_apply(&p, (struct proxy_rule){PROXY_CUT, PROXY_DOWN, 1});
	ck_assert_int_eq(qb_put_start(own, "jobs", "y", 1), QB_OK);
	ck_assert_int_eq(qb_send(own), QB_OK);
	wait_for("accepted", 2);
	wait_for("crashed", 1);
	proxy_refuse(&p, false);
	proxy_plan(&p, (struct proxy_rule){PROXY_CUT, PROXY_DOWN, 1});
	ck_assert_int_eq(qb_flush(own, QB_FOREVER), QB_LOST);
	ck_assert_uint_eq(proxy_counts(&p).cuts, 2);
	ck_assert_int_eq(number("jobs", "accepted"), 2);
	ck_assert_int_eq(qb_ack(own, item), QB_STALE);
	qb_item_free(item);
	qb_close(own);
	proxy_stop(&p);
}
END_TEST

/* A worker waits, the broker is killed, and the next one has the item. */
static void
get_one(int line, void *arg)
{
	qb_item *item;
	qb *own;

	if (qb_open(d.address, &own) != QB_OK)
		_exit(1);
	line_say(line, 'x');
	line_say(line, qb_get(own, "jobs", 60000, QB_AUTO, &item) == QB_OK ? 'y' : 'n');
	qb_close(own);
}

#define WAIT_MS	 2000
#define UNTIL_MS 1500 /* the link is cut again and again, until then */

static void
get_in_vain(int line, void *arg)
{
	int64_t start;
	qb_item *item;
	qb *own;

	if (qb_open(p.address, &own) != QB_OK)
		_exit(1);
	line_say(line, 'b');
	start = now_ms();
	if (qb_get(own, "jobs", WAIT_MS, QB_AUTO, &item) != QB_EMPTY)
		_exit(2);
	line_say(line, now_ms() - start < WAIT_MS ? 'e' : 'x'); /* early */
	qb_close(own);
}

/* Each time it is asked for what is left. From the beginning it would wait for WAIT_MS after the last cut. */
START_TEST(a_wait_whose_link_is_cut_ends_at_its_own_timeout)
{
	int64_t start, last_cut = 0;
	struct child worker;
	qb_item *none;

	over(_i);
	child_start(&worker, get_in_vain, NULL);
	ck_assert_int_eq(line_hear(worker.line), 'b'); /* its first link is not cut */
	start = now_ms();
	while (now_ms() < start + UNTIL_MS) {
		ck_assert_int_eq(qb_get(direct, "none", 100, QB_AUTO, &none), QB_EMPTY);
		last_cut = now_ms();
		proxy_apply_to_all(&p, PROXY_CUT);
	}
	ck_assert_int_eq(line_hear(worker.line), 'x');
	ck_assert_int_lt(now_ms() - last_cut, WAIT_MS);
	ck_assert_uint_gt(proxy_counts(&p).cuts, 3);
	child_join(&worker);
	proxy_stop(&p);
}
END_TEST

START_TEST(a_wait_goes_on_with_the_next_broker)
{
	struct child worker;

	ck_assert_int_eq(qb_open(d.address, &direct), QB_OK);
	child_start(&worker, get_one, NULL);
	ck_assert_int_eq(line_hear(worker.line), 'x');
	for (int64_t end = now_ms() + patience_ms();;) {
		qb_table *t;
		int64_t n = 0;

		if (qb_queues(direct, "jobs", &t) == QB_OK) {
			qb_table_number(t, 0, "getters", &n);
			qb_table_free(t);
		}
		if (n == 1)
			break;
		look_again(end, "the get to wait");
	}
	daemon_kill(&d);
	daemon_start(&d, NULL);
	ok(qb_put(direct, "jobs", "x", 1, QB_FOREVER, NULL));
	ck_assert_int_eq(line_hear(worker.line), 'y');
	child_kill(&worker);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("resume");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t,
		       a_worker_that_is_killed_while_its_link_is_cut_is_seen_over_tcp);
	tcase_add_loop_test(t, a_worker_whose_link_comes_back_in_time_has_kept_its_item,
			    0, 2);
	tcase_add_loop_test(t, when_the_grace_is_over_the_item_is_others, 0, 2);
	tcase_add_loop_test(
		t, a_session_whose_beginning_was_not_heard_of_is_not_gone_on_with, 0,
		2);
	tcase_add_loop_test(t, a_wait_whose_link_is_cut_ends_at_its_own_timeout, 0, 2);
	tcase_add_test(t, a_wait_goes_on_with_the_next_broker);
	return run_case("resume", t);
}
