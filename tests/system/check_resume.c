/* SPDX-License-Identifier: MIT
 * Links that are cut, over a proxy, between the real library and the real daemon: whatever was on its
 * way, each request has exactly one effect. */
#include <check.h>
#include <sys/uio.h>
#include <unistd.h>

#include "client/qbroker.h"
#include "tests/lib/daemon.h"
#include "tests/lib/proxy.h"
#include "tests/lib/run.h"

static struct daemon d = {.tcp = {"tcp://127.0.0.1:0"}};
static struct proxy p;
static qb *q, *direct; /* over the proxy, and not */

static void
ok(qb_result r)
{
	ck_assert_msg(r == QB_OK, "%s: %s", qb_result_name(r), qb_error(q));
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

/* --- a dialogue of everything ------------------------------------------------------- */

static unsigned started; /* callbacks that have come */

static void
note_put(qb *handle, uint64_t request, qb_result result, uint64_t id, qb_item *item,
	 void *arg)
{
	ck_assert_msg(result == QB_OK, "%s", qb_error(handle));
	*(uint64_t *)arg = id;
	started++;
}

static void
note_item(qb *handle, uint64_t request, qb_result result, uint64_t id, qb_item *item,
	  void *arg)
{
	ck_assert_msg(result == QB_OK, "%s", qb_error(handle));
	*(qb_item **)arg = item;
	started++;
}

static qb_item *
take(qb_ack_mode ack, const char *body)
{
	qb_item *item;

	ok(qb_get(q, "jobs", QB_FOREVER, ack, &item));
	ck_assert_str_eq(qb_item_body(item), body);
	ck_assert_uint_eq(qb_item_deliveries(item), 1);
	return item;
}

static void
one_by_one(void)
{
	uint64_t first, second;
	qb_item *item;

	ok(qb_put(q, "jobs", "a", 1, QB_FOREVER, &first));
	ok(qb_put(q, "jobs", "b", 1, 60000, &second));
	ck_assert_uint_gt(second, first);
	item = take(QB_MANUAL, "a");
	ck_assert_uint_eq(qb_item_id(item), first);
	ok(qb_ack(q, item));
	qb_item_free(item);
	item = take(QB_MANUAL, "b");
	ok(qb_release(q, item));
	qb_item_free(item);
	ok(qb_get(q, "jobs", 0, QB_MANUAL, &item));
	ck_assert_uint_eq(qb_item_id(item), second);
	ck_assert_uint_eq(qb_item_crashes(item), 0);
	qb_item_free(item);
	ok(qb_task_done(q, "jobs"));
	ok(qb_join(q, "jobs", 0));
}

static void
many(void)
{
	struct iovec bodies[3] = {{(void *)"c", 1}, {(void *)"d", 1}, {(void *)"e", 1}};
	int64_t ids[3];
	qb_item *items[3];
	unsigned n;

	ok(qb_put_many(q, "jobs", bodies, 3, 0, QB_FOREVER, ids));
	ck_assert_int_gt(ids[1], ids[0]);
	ck_assert_int_gt(ids[2], ids[1]);
	ok(qb_get_many(q, "jobs", QB_FOREVER, QB_MANUAL, 3, 3, 0, 0, items, &n));
	ck_assert_uint_eq(n, 3);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(qb_item_id(items[i]), (uint64_t)ids[i]);
	ok(qb_ack_many(q, items, 3));
	for (unsigned i = 0; i < 3; i++)
		qb_item_free(items[i]);
}

static void
pipelined(void)
{
	uint64_t id = 0;
	qb_item *item = NULL, *other;

	for (int i = 0; i < 5; i++)
		ok(qb_put_start(q, "jobs", &"fghij"[i], 1));
	ok(qb_flush(q, QB_FOREVER));
	for (int i = 0; i < 4; i++) {
		const char body[2] = {"fghi"[i], 0};

		other = take(i % 2 ? QB_AUTO : QB_MANUAL, body);
		if (i % 2 == 0)
			ok(qb_ack_start(q, other));
		qb_item_free(other);
	}
	started = 0;
	ok(qb_start_get(q, "jobs", QB_FOREVER, QB_MANUAL, note_item, &item, NULL));
	ok(qb_start_put(q, "jobs", "k", 1, QB_FOREVER, note_put, &id, NULL));
	ok(qb_wait(q, QB_FOREVER));
	ck_assert_uint_eq(started, 2);
	ck_assert_str_eq(qb_item_body(item), "j");
	ok(qb_ack(q, item));
	qb_item_free(item);
	item = take(QB_AUTO, "k");
	ck_assert_uint_eq(qb_item_id(item), id);
	qb_item_free(item);
	ok(qb_join(q, "jobs", QB_FOREVER)); /* also proves the last ack */
}

static void
looking(void)
{
	uint64_t size, count;
	qb_table *t;

	ok(qb_ping(q));
	ok(qb_put(q, "other", "x", 1, 0, NULL));
	ok(qb_size(q, "other", &size, NULL, NULL));
	ck_assert_uint_eq(size, 1);
	ok(qb_queues(q, NULL, &t));
	qb_table_free(t);
	ok(qb_purge(q, "other", &count));
	ck_assert_uint_eq(count, 1);
	ok(qb_delete(q, "other", 0));
}

static void
dialogue(void)
{
	one_by_one();
	many();
	pipelined();
	looking();
}

/* Each item was put once, given as often as it was asked for, and finished once. */
static void
check_books(int64_t rounds)
{
	ck_assert_int_eq(number("jobs", "accepted"), 11 * rounds);
	ck_assert_int_eq(number("jobs", "delivered"), 12 * rounds);
	ck_assert_int_eq(number("jobs", "finished"), 11 * rounds);
	ck_assert_int_eq(number("jobs", "released"), rounds);
	ck_assert_int_eq(number("jobs", "crashed"), 0);
	ck_assert_int_eq(number("jobs", "unfinished"), 0);
}

/* How many bytes a dialogue takes this way when nothing happens to it. */
static uint64_t
measure(enum proxy_way way)
{
	uint64_t bytes;

	ok(qb_open(p.address, &q));
	dialogue();
	bytes = proxy_counts(&p).bytes[way];
	qb_close(q);
	return bytes;
}

START_TEST(a_link_may_be_cut_after_every_byte)
{
	enum proxy_way way = _i % 2 ? PROXY_UP : PROXY_DOWN;
	int64_t rounds = 1;
	uint64_t all, after;

	over(_i / 2);
	all = measure(way);
	check_books(1);
	ck_assert_uint_gt(all, 500);
	for (after = 0; after < all; after++) {
		proxy_plan(&p, (struct proxy_rule){PROXY_CUT, way, after});
		q = NULL;
		if (qb_open(p.address, &q) != QB_OK) { /* HELLO was cut */
			qb_close(q);
			q = NULL;
			ok(qb_open(p.address, &q));
		}
		dialogue();
		rounds++;
		check_books(rounds);
		qb_close(q);
	}
	ck_assert_uint_ge(proxy_counts(&p).cuts, all);
	proxy_stop(&p);
}
END_TEST

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
	tcase_add_loop_test(t, a_link_may_be_cut_after_every_byte, 0, 4);
	tcase_add_test(t,
		       a_worker_that_is_killed_while_its_link_is_cut_is_seen_over_tcp);
	tcase_add_loop_test(t, a_worker_whose_link_comes_back_in_time_has_kept_its_item,
			    0, 2);
	tcase_add_loop_test(t, when_the_grace_is_over_the_item_is_others, 0, 2);
	tcase_add_test(t, a_wait_goes_on_with_the_next_broker);
	return run_long_case("resume", t, 60);
}
