/* SPDX-License-Identifier: MIT
 * Answers that wait until what they say is kept, by a store that says so when the test does; and by a clock that
 * goes on when the test says so, as one put goes on after a while whatever is owed. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "daemon/core/store.h"
#include "daemon/net/held.h"
#include "daemon/net/kept.h"
#include "tests/daemon/net_kit.h"
#include "tests/lib/run.h"

static const struct qp_str memory = {"memory", 6};
static struct store_status now;
static int news;
static uint64_t room_bytes; /* so much may be appended at once */
static int64_t clock_ms = 1000000;

/* --- the clock (-Wl,--wrap) -------------------------------------------------------- */

int __real_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t);

int
__wrap_clock_gettime(clockid_t id, struct timespec *t)
{
	if (id != CLOCK_MONOTONIC)
		return __real_clock_gettime(id, t);
	*t = (struct timespec){clock_ms / 1000, clock_ms % 1000 * 1000000};
	return 0;
}

/* --- the store ---------------------------------------------------------------------- */

static bool
append(struct store *s, const struct iovec *parts, unsigned n, bool sync,
       struct store_place *ret_place)
{
	*ret_place = (struct store_place){++now.last_seq, 1, 64};
	return true;
}

static void
flush(struct store *s)
{
}

static void
status(struct store *s, struct store_status *ret_status)
{
	*ret_status = now;
}

static bool
room(struct store *s, uint64_t bytes)
{
	return bytes <= room_bytes;
}

static const struct store_class class = {
	.append = append, .flush = flush, .status = status, .room = room};
static struct store store = {&class};

static void
heard(struct store *s)
{
	uint64_t n;

	(void)!read(news, &n, sizeof(n));
}

/* Records up to this one are kept. */
static void
keep(uint64_t seq)
{
	now.written = now.synced = seq;
	ck_assert_int_eq(write(news, &(uint64_t){1}, 8), 8);
	turn();
	turn();
}

static void
setup_held(void)
{
	setup();
	now = (struct store_status){
		.first_segment = 1, .last_segment = 1, .segment_bytes = 1 << 20};
	news = eventfd(0, EFD_NONBLOCK);
	room_bytes = UINT64_MAX;
	kept_hooks(server);
	ck_assert_int_eq(qe_restored(server->engine, 1, &store), QE_OK);
	ck_assert(held_begin(server, &store, news, heard));
}

static void
teardown_held(void)
{
	teardown();
	close(news);
}

static bool
hello(struct client *c)
{
	struct qp_request m = {.op = QP_OP_HELLO,
			       .rid = 1,
			       .version = 1,
			       .session = {"0123456789abcdef", 16}};
	struct answer a;

	QP_GIVE(&m.options, resume, 1);
	ask(c, &m, "", 0);
	answer(c, QP_OP_HELLO, &a);
	return QP_OPT(&a.reply.options, resumed);
}

/* q is kept, on disk. */
static struct client *
begin(void)
{
	struct qp_request m = {.op = QP_OP_DECLARE, .rid = 2, .queue = q};
	struct client *c = client_raw();

	ck_assert(!hello(c));
	QP_GIVE(&m.options, durable, ((struct qp_str){"sync", 4}));
	ask(c, &m, "", 0);
	keep(now.last_seq);
	expect(c, QP_OP_DECLARE, 2, QP_OK);
	return c;
}

static void
put_within(struct client *c, uint64_t rid, uint64_t timeout_ms)
{
	ask(c,
	    &(struct qp_request){
		    .op = QP_OP_PUT, .rid = rid, .queue = q, .timeout_ms = timeout_ms},
	    "x", 1);
}

static void
put_memory(struct client *c, uint64_t rid)
{
	ask(c, &(struct qp_request){.op = QP_OP_PUT, .rid = rid, .queue = memory}, "m",
	    1);
}

/* The second item is large. */
static void
put_two(struct client *c)
{
	static const uint8_t body[2001];
	int64_t lengths[] = {1, 2000};

	ask(c,
	    &(struct qp_request){.op = QP_OP_PUT_MANY,
				 .rid = 10,
				 .queue = q,
				 .lengths = {.n = 2, .numbers = lengths}},
	    body, sizeof(body));
}

/* That it was refused is an answer like any other; it is no put that waits and goes on. */
START_TEST(what_had_no_room_on_the_disk_is_refused_again)
{
	struct client *c = begin();
	struct qe_stats stats;
	struct answer a;

	room_bytes = 1000;
	put_two(c);
	for (int i = 0; i < 3; i++)
		turn();
	close(c->fd); /* the answer is lost */
	turn();
	keep(now.last_seq);
	free(c);
	room_bytes = UINT64_MAX;
	c = client_raw();
	ck_assert(hello(c));
	put_two(c);
	keep(now.last_seq);
	answer(c, QP_OP_PUT_MANY, &a);
	ck_assert_uint_eq(a.reply.results.n, 2);
	ck_assert_int_gt(qp_list_next_signed(&a.reply.results), 0);
	ck_assert_int_eq(qp_list_next_signed(&a.reply.results), -QP_NOSPACE);
	qe_stats(server->engine, &stats);
	ck_assert_uint_eq(stats.counters.accepted, 1);
	client_end(c);
}
END_TEST

/* What a client confirms is what has come, and all before it. */
START_TEST(an_answer_that_waited_is_not_confirmed_by_one_that_came_later)
{
	struct client *c = begin();
	struct qe_stats stats;

	put(c, 10, "x", 1);
	put_memory(c, 11);
	for (int i = 0; i < 3; i++)
		turn();
	read_some(c);
	if (c->len > 0) { /* it has come, and is confirmed */
		expect(c, QP_OP_PUT, 11, QP_OK);
		ask(c, &(struct qp_request){.op = QP_OP_CONFIRM, .last = 11}, "", 0);
	}
	close(c->fd); /* the answer to 10 is lost */
	turn();
	keep(now.last_seq);
	free(c);
	c = client_raw();
	ck_assert(hello(c));
	put(c, 10, "x", 1);
	keep(now.last_seq);
	expect(c, QP_OP_PUT, 10, QP_OK);
	qe_stats(server->engine, &stats);
	ck_assert_uint_eq(stats.counters.accepted, 2);
	client_end(c);
}
END_TEST

/* It is refused before its body is there. */
START_TEST(an_answer_that_waited_is_not_overtaken_by_the_refusal_of_a_large_body)
{
	static uint8_t large[300000];
	struct client *c = begin();

	server->limits.max_item = 1000;
	put(c, 10, "x", 1);
	put(c, 11, large, sizeof(large));
	for (int i = 0; i < 3; i++)
		turn();
	read_some(c);
	ck_assert_uint_eq(c->len, 0);
	keep(now.last_seq);
	expect(c, QP_OP_PUT, 10, QP_OK);
	expect(c, QP_OP_PUT, 11, QP_TOO_BIG);
	client_end(c);
}
END_TEST

/* What becomes of a kept item, because its holder has gone, is not what the next request asked for. */
START_TEST(memory_queues_do_not_wait_for_what_nobody_asked_for)
{
	struct client *c = begin(), *d = client_new();

	put(c, 10, "x", 1);
	keep(now.last_seq);
	expect(c, QP_OP_PUT, 10, QP_OK);
	get(d, 10, 0);
	keep(now.last_seq);
	expect_item(d, 10, "x", 1);
	client_end(d);
	put_memory(c, 11);
	expect(c, QP_OP_PUT, 11, QP_OK);
	client_end(c);
}
END_TEST

/* Changes alone may make the journal grow for as long as anybody likes. */
START_TEST(puts_do_not_wait_as_long_as_others_change_something)
{
	struct client *c = begin();
	int64_t end_ms = clock_ms + 20000;

	now.last_segment = 2;
	now.bytes = 1 << 30;
	turn();
	ck_assert_int_ne(qe_pace(server->engine), QE_ALL_GO_ON);
	put_within(c, 10, QP_FOREVER);
	while (c->len == 0 && clock_ms < end_ms) {
		clock_ms++;
		now.bytes += now.segment_bytes;
		keep(now.last_seq);
		ck_assert_int_ne(qe_pace(server->engine), QE_ALL_GO_ON);
		read_some(c);
	}
	expect(c, QP_OP_PUT, 10, QP_OK);
	client_end(c);
}
END_TEST

/* --- who waits for the journal ---------------------------------------------------- */

/* Nothing that changes a durable queue goes on. */
static void
owe(void)
{
	now.last_segment = 2;
	now.bytes = 1 << 30;
	turn();
	ck_assert_int_eq(qe_pace(server->engine), QE_CHANGES_WAIT);
}

static const char *
waiters(struct client *c, uint64_t cursor, const struct qp_str *queue, struct answer *a)
{
	struct qp_request m = {.op = QP_OP_WAITERS, .rid = 90, .cursor = cursor};
	static char rows[1 << 16];

	if (queue)
		m.queue = *queue;
	ask(c, &m, "", 0);
	answer(c, QP_OP_WAITERS, a);
	ck_assert_uint_eq(a->reply.rid, 90);
	rows[0] = 0;
	for (unsigned row = 0; row < a->reply.count; row++) {
		static const char *const names[] = {"queue",  "request", "waits_for",
						    "place",  "group",	 "items",
						    "left_ms"};

		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			strcat(rows, row_text(a, row, names[i]));
			strcat(rows, i < 6 ? " " : "; ");
		}
	}
	return rows;
}

START_TEST(who_waits_for_the_journal_is_shown_with_what_it_asks)
{
	struct qp_request many = {.op = QP_OP_PUT_MANY,
				  .rid = 20,
				  .queue = q,
				  .timeout_ms = 5000,
				  .lengths = {.n = 2, .numbers = (int64_t[]){1, 1}}};
	struct client *c = begin(), *d = client_new(), *e = client_new();
	struct answer a;

	put(c, 10, "x", 1);
	keep(now.last_seq);
	expect(c, QP_OP_PUT, 10, QP_OK);
	get(c, 11, 0);
	keep(now.last_seq);
	expect_item(c, 11, "x", 1);
	ck_assert_str_eq(waiters(e, 0, NULL, &a), "");

	owe();
	QP_GIVE(&many.options, group, ((struct qp_str){"g", 1}));
	ask(d, &many, "ab", 2);
	ask(c,
	    &(struct qp_request){
		    .op = QP_OP_ACK, .rid = 12, .id = 1, .delivery = 1, .epoch = EPOCH},
	    "", 0);
	put_memory(c, 13); /* behind it */
	ck_assert_str_eq(waiters(e, 0, NULL, &a), "q put journal 1 g 2 5000; "
						  "q ack journal 1 nil 1 nil; ");
	ck_assert_uint_eq(a.reply.cursor, 0);
	ck_assert_str_eq(row_text(&a, 0, "link"), "connected");
	ck_assert_str_ne(row_text(&a, 0, "since_ms"), "nil");
	ck_assert_str_eq(waiters(e, 0, &q, &a), "q put journal 1 g 2 5000; "
						"q ack journal 1 nil 1 nil; ");
	ck_assert_str_eq(waiters(e, UINT64_C(1) << 62 | 1, NULL, &a),
			 "q ack journal 1 nil 1 nil; ");
	ask(e, &(struct qp_request){.op = QP_OP_CLIENTS, .rid = 91}, "", 0);
	answer(e, QP_OP_CLIENTS, &a);
	ck_assert_uint_eq(a.reply.count, 3);
	ck_assert_str_eq(row_text(&a, 0, "waiting"), "1");
	ck_assert_str_eq(row_text(&a, 1, "waiting"), "1");
	ck_assert_str_eq(row_text(&a, 2, "waiting"), "0");

	now.bytes = 0;
	keep(now.last_seq);
	keep(now.last_seq);
	ck_assert_str_eq(waiters(e, 0, NULL, &a), "");
	client_end(c);
	client_end(d);
	client_end(e);
}
END_TEST

START_TEST(many_who_wait_for_the_journal_come_in_pages)
{
	static struct client *all[150];
	struct client *c = begin(), *e = client_new();
	unsigned total = 0, pages = 0;
	uint64_t cursor = 0;
	struct answer a;

	server->limits.max_connections = 200;
	for (int i = 0; i < 150; i++)
		all[i] = client_new();
	owe();
	for (int i = 0; i < 150; i++)
		put_within(all[i], 10, QP_FOREVER);
	do {
		(void)waiters(e, cursor, NULL, &a);
		ck_assert_int_eq(atoi(row_text(&a, 0, "place")), (int)total + 1);
		total += (unsigned)a.reply.count;
		pages++;
		ck_assert(a.reply.cursor == 0 || a.reply.cursor > cursor);
		cursor = a.reply.cursor;
	} while (cursor != 0);
	ck_assert_uint_eq(total, 150);
	ck_assert_uint_eq(pages, 2);
	for (int i = 0; i < 150; i++)
		client_end(all[i]);
	client_end(c);
	client_end(e);
}
END_TEST

/* Who looks what is the matter does not wait with the others. */
START_TEST(who_waits_for_the_disk_is_shown)
{
	struct qp_request m = {.op = QP_OP_QUEUES, .rid = 92};
	struct client *c = begin(), *e = client_new();
	struct answer a;

	put(c, 10, "x", 1);
	ask(e, &m, "", 0);
	answer(e, QP_OP_QUEUES, &a);
	ck_assert_str_eq(row_text(&a, 0, "ready"), "1");
	ck_assert_str_eq(waiters(e, 0, &q, &a), "");
	clock_ms += 99;
	ck_assert_str_eq(waiters(e, 0, NULL, &a), ""); /* not for long enough */
	clock_ms++;
	ck_assert_str_eq(waiters(e, 0, NULL, &a), "nil answer disk nil nil 0 nil; ");
	ck_assert_str_eq(row_text(&a, 0, "since_ms"), "100");
	keep(now.last_seq);
	expect(c, QP_OP_PUT, 10, QP_OK);
	ck_assert_str_eq(waiters(e, 0, NULL, &a), "");
	client_end(c);
	client_end(e);
}
END_TEST

/* It has to go on itself. */
START_TEST(who_does_not_read_is_shown)
{
	static const uint8_t body[60000];
	struct qp_request m = {.op = QP_OP_PEEK, .rid = 20, .queue = memory};
	struct client *c = begin(), *d = client_new(), *e = client_new();
	struct answer a;

	ask(c, &(struct qp_request){.op = QP_OP_PUT, .rid = 10, .queue = memory}, body,
	    sizeof(body));
	expect(c, QP_OP_PUT, 10, QP_OK);
	for (; m.rid < 40; m.rid++)
		ask(d, &m, "", 0);
	ck_assert_str_eq(waiters(e, 0, NULL, &a), "");
	clock_ms += 99;
	ck_assert_str_eq(waiters(e, 0, NULL, &a), "");
	clock_ms++;
	ck_assert_str_eq(waiters(e, 0, NULL, &a), "nil answer reader nil nil 0 nil; ");
	ck_assert_str_eq(row_text(&a, 0, "since_ms"), "100");
	ask(e, &(struct qp_request){.op = QP_OP_CLIENTS, .rid = 91}, "", 0);
	answer(e, QP_OP_CLIENTS, &a);
	ck_assert_str_eq(row_text(&a, 1, "waiting"), "1");
	ask(e, &(struct qp_request){.op = QP_OP_STATS, .rid = 92}, "", 0);
	answer(e, QP_OP_STATS, &a);
	ck_assert_str_eq(row_text(&a, 0, "reader_wait_ms"), "100");
	for (uint64_t rid = 20; rid < 40; rid++)
		expect(d, QP_OP_PEEK, rid, QP_OK);
	ck_assert_str_eq(waiters(e, 0, NULL, &a), "");
	client_end(c);
	client_end(d);
	client_end(e);
}
END_TEST

static void
guard_cb(evutil_socket_t fd, short what, void *arg)
{
	ck_abort_msg("nothing has the loop turn");
}

/* A turn as the daemon has it: without anything to do it sleeps until something wakes it, but for what looks each
 * second. */
static void
turn_or_sleep(void)
{
	struct event *guard = evtimer_new(base, guard_cb, NULL);
	struct timespec from, to;

	while (server_turn(server))
		event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	event_del(&server->sweep);
	ck_assert_int_eq(evtimer_add(guard, &(struct timeval){.tv_sec = 10}), 0);
	__real_clock_gettime(CLOCK_MONOTONIC, &from);
	event_base_loop(base, EVLOOP_ONCE);
	__real_clock_gettime(CLOCK_MONOTONIC, &to);
	clock_ms += (to.tv_sec - from.tv_sec) * 1000 +
		    (to.tv_nsec - from.tv_nsec + 999999) / 1000000;
	event_free(guard);
	server_turn(server);
}

/* While the disk writes for longer, nothing has the loop turn. */
START_TEST(a_put_goes_on_each_tenth_of_a_second_while_nothing_else_happens)
{
	struct client *c = begin(), *d = client_new();

	for (uint64_t i = 0; i < 50; i++)
		put(c, 10 + i, "x", 1);
	keep(now.last_seq);
	for (uint64_t i = 0; i < 50; i++)
		expect(c, QP_OP_PUT, 10 + i, QP_OK);
	owe();
	put_within(d, 20, QP_FOREVER);
	ck_assert(!TAILQ_EMPTY(&server->putting));
	for (int i = 0; !TAILQ_EMPTY(&server->putting); i++) {
		ck_assert_int_lt(i, 1000);
		turn_or_sleep();
	}
	ck_assert_int_ne(qe_pace(server->engine), QE_ALL_GO_ON);
	client_end(c);
	client_end(d);
}
END_TEST

/* Until the disk has written, no turn has anything to do: the loop sleeps. */
START_TEST(who_waits_for_the_journal_lets_no_turns_spin)
{
	struct client *c = begin();
	int turns = 0;

	for (uint64_t i = 0; i < 50; i++)
		put(c, 10 + i, "x", 1);
	keep(now.last_seq);
	owe();
	put_within(c, 60, QP_FOREVER);
	while (server_turn(server))
		ck_assert_int_lt(turns++, 20);
	for (int i = 0; i < 20; i++) {
		event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		ck_assert(!server_turn(server));
	}
	ck_assert(!TAILQ_EMPTY(&server->putting));
	client_end(c);
}
END_TEST

/* What was deleted long ago has nothing to do with who asks for what is not there. */
START_TEST(who_asks_for_what_is_not_there_does_not_wait_for_the_journal)
{
	struct qp_request m = {.op = QP_OP_DECLARE, .rid = 10, .queue = {"gone", 4}};
	struct client *c = begin(), *d = client_new();

	QP_GIVE(&m.options, durable, ((struct qp_str){"async", 5}));
	ask(c, &m, "", 0);
	ask(c, &(struct qp_request){.op = QP_OP_DELETE, .rid = 11, .queue = m.queue},
	    "", 0);
	keep(now.last_seq);
	expect(c, QP_OP_DECLARE, 10, QP_OK);
	expect(c, QP_OP_DELETE, 11, QP_OK);
	ask(d, &(struct qp_request){.op = QP_OP_SIZE, .rid = 10, .queue = memory}, "",
	    0);
	expect(d, QP_OP_SIZE, 10, QP_OK);
	owe();
	ask(d, &(struct qp_request){.op = QP_OP_JOIN, .rid = 11, .queue = memory}, "",
	    0);
	expect(d, QP_OP_JOIN, 11, QP_OK);
	client_end(c);
	client_end(d);
}
END_TEST

/* --- puts that cannot wait for it ------------------------------------------------- */

static void
expect_full(struct client *c, unsigned op, uint64_t rid)
{
	struct answer a;

	answer(c, op, &a);
	ck_assert_uint_eq(a.reply.rid, rid);
	ck_assert_int_eq(a.reply.status, QP_FULL);
	ck_assert_ptr_nonnull(memmem(a.reply.text.p, a.reply.text.len, "journal", 7));
}

static void
expect_accepted(uint64_t n)
{
	struct qe_stats stats;

	qe_stats(server->engine, &stats);
	ck_assert_uint_eq(stats.counters.accepted, n);
}

/* Many who wait before: one of them goes on each tenth of a second. */
#define CROWD 60
static struct client *crowd[CROWD];

static void
crowd_begin(void)
{
	server->limits.max_connections = CROWD + 4;
	for (int i = 0; i < CROWD; i++)
		crowd[i] = client_new();
	owe();
	for (int i = 0; i < CROWD; i++)
		put_within(crowd[i], 20, QP_FOREVER);
}

static void
crowd_end(void)
{
	for (int i = 0; i < CROWD; i++)
		client_end(crowd[i]);
}

/* What has been sent behind it is carried out in its order. */
START_TEST(a_put_that_may_not_wait_does_not_wait_for_the_journal)
{
	static uint8_t large[100000];
	struct client *c = begin();
	struct answer a;

	crowd_begin();
	put_within(c, 10, 0);
	put_memory(c, 11);
	put_two(c);
	put(c, 12, large, sizeof(large));
	put_memory(c, 13);
	expect_full(c, QP_OP_PUT, 10);
	expect(c, QP_OP_PUT, 11, QP_OK);
	answer(c, QP_OP_PUT_MANY, &a); /* each for itself */
	ck_assert_int_eq(a.reply.status, QP_OK);
	ck_assert_uint_eq(a.reply.results.n, 2);
	ck_assert_int_eq(qp_list_next_signed(&a.reply.results), -QP_FULL);
	ck_assert_int_eq(qp_list_next_signed(&a.reply.results), -QP_FULL);
	expect_full(c, QP_OP_PUT, 12);
	expect(c, QP_OP_PUT, 13, QP_OK);
	ck_assert(!TAILQ_EMPTY(&server->putting)); /* who may wait does */
	client_end(c);
	crowd_end();
}
END_TEST

START_TEST(a_put_waits_for_the_journal_no_longer_than_its_timeout)
{
	struct client *c = begin();
	uint64_t since_ns;

	crowd_begin();
	since_ns = server_now_ns();
	put_within(c, 10, 40);
	put_memory(c, 11);
	put_within(c, 12, 30);
	put_memory(c, 13);
	for (read_some(c); c->len == 0; read_some(c))
		turn_or_sleep();
	expect_full(c, QP_OP_PUT, 10);
	ck_assert_uint_ge(server_now_ns() - since_ns, 40 * 1000000);
	expect(c, QP_OP_PUT, 11, QP_OK);
	for (read_some(c); c->len == 0; read_some(c))
		turn_or_sleep();
	expect_full(c, QP_OP_PUT, 12);
	ck_assert_uint_ge(server_now_ns() - since_ns, 70 * 1000000);
	expect(c, QP_OP_PUT, 13, QP_OK);
	client_end(c);
	crowd_end();
}
END_TEST

/* It has one timeout, whatever it waits for. */
START_TEST(what_a_put_has_waited_for_the_journal_counts)
{
	struct qp_request m = {.op = QP_OP_DECLARE, .rid = 3, .queue = q};
	struct client *c = begin(), *e = client_new();
	struct answer a;

	QP_GIVE(&m.options, maxsize, 1);
	QP_GIVE(&m.options, update, 1);
	ask(c, &m, "", 0);
	put(c, 4, "x", 1);
	keep(now.last_seq);
	expect(c, QP_OP_DECLARE, 3, QP_OK);
	expect(c, QP_OP_PUT, 4, QP_OK);
	owe();
	put_within(c, 10, 1000000);
	while (!TAILQ_EMPTY(
		&server->putting)) /* it goes on after a tenth of a second */
		turn_or_sleep();
	(void)waiters(e, 0, NULL, &a);
	ck_assert_uint_eq(a.reply.count, 1);
	ck_assert_str_eq(row_text(&a, 0, "waits_for"), "queue");
	ck_assert_int_le(atoi(row_text(&a, 0, "left_ms")), 1000000 - 100);
	client_end(c);
	client_end(e);
}
END_TEST

/* It was not accepted, whatever becomes of what others have put. */
START_TEST(that_a_put_may_not_wait_for_the_journal_is_said_while_the_disk_stands_still)
{
	struct client *c = begin(), *d = client_new(), *e = client_new();
	struct answer a;

	owe();
	put_within(d, 20, QP_FOREVER);
	for (; !TAILQ_EMPTY(&server->putting); clock_ms++)
		turn();
	ck_assert_uint_gt(now.last_seq, now.synced);
	put_within(c, 10, 0);
	expect_full(c, QP_OP_PUT, 10);
	put_two(e);
	answer(e, QP_OP_PUT_MANY, &a);
	ck_assert_int_eq(qp_list_next_signed(&a.reply.results), -QP_FULL);
	read_some(d);
	ck_assert_uint_eq(d->len, 0);
	keep(now.last_seq);
	expect(d, QP_OP_PUT, 20, QP_OK);
	client_end(c);
	client_end(d);
	client_end(e);
}
END_TEST

/* It was accepted, and the answer was lost. */
START_TEST(a_put_that_comes_again_is_not_refused_for_the_journal)
{
	struct client *c = begin();

	put(c, 10, "x", 1);
	keep(now.last_seq);
	close(c->fd);
	turn();
	free(c);
	owe();
	c = client_raw();
	ck_assert(hello(c));
	put(c, 10, "x", 1);
	keep(now.last_seq);
	expect(c, QP_OP_PUT, 10, QP_OK);
	expect_accepted(1);
	client_end(c);
}
END_TEST

/* That no wait would help is said first. */
START_TEST(a_put_that_can_never_be_accepted_is_not_full_for_the_journal)
{
	struct qp_request m = {.op = QP_OP_SHUTDOWN, .rid = 3, .queue = q};
	struct client *c = begin();

	ask(c, &m, "", 0);
	keep(now.last_seq);
	expect(c, QP_OP_SHUTDOWN, 3, QP_OK);
	owe();
	put(c, 10, "x", 1);
	keep(now.last_seq);
	expect(c, QP_OP_PUT, 10, QP_SHUT_DOWN);
	client_end(c);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("held");

	tcase_add_checked_fixture(t, setup_held, teardown_held);
	tcase_add_test(t, what_had_no_room_on_the_disk_is_refused_again);
	tcase_add_test(t,
		       an_answer_that_waited_is_not_confirmed_by_one_that_came_later);
	tcase_add_test(t,
		       an_answer_that_waited_is_not_overtaken_by_the_refusal_of_a_large_body);
	tcase_add_test(t, memory_queues_do_not_wait_for_what_nobody_asked_for);
	tcase_add_test(t, puts_do_not_wait_as_long_as_others_change_something);
	tcase_add_test(t, who_waits_for_the_journal_is_shown_with_what_it_asks);
	tcase_add_test(t, many_who_wait_for_the_journal_come_in_pages);
	tcase_add_test(t, who_waits_for_the_journal_lets_no_turns_spin);
	tcase_add_test(t,
		       a_put_goes_on_each_tenth_of_a_second_while_nothing_else_happens);
	tcase_add_test(t, a_put_that_may_not_wait_does_not_wait_for_the_journal);
	tcase_add_test(t, a_put_waits_for_the_journal_no_longer_than_its_timeout);
	tcase_add_test(t, what_a_put_has_waited_for_the_journal_counts);
	tcase_add_test(t, that_a_put_may_not_wait_for_the_journal_is_said_while_the_disk_stands_still);
	tcase_add_test(t, a_put_that_comes_again_is_not_refused_for_the_journal);
	tcase_add_test(t, a_put_that_can_never_be_accepted_is_not_full_for_the_journal);
	tcase_add_test(t, who_asks_for_what_is_not_there_does_not_wait_for_the_journal);
	tcase_add_test(t, who_waits_for_the_disk_is_shown);
	tcase_add_test(t, who_does_not_read_is_shown);
	return run_case("held", t);
}
