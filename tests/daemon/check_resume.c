/* SPDX-License-Identifier: MIT
 * Sessions that outlive their connection: what was answered is answered again, what was not is
 * done now, and nothing twice. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/core/log_kit.h"
#include "tests/daemon/net_kit.h"

static uint8_t id[QP_SESSION_BYTES] = {0xaa};

static uint64_t begun; /* as the last HELLO was answered */
static uint64_t meant; /* by the next one, or 0 */

/* Says HELLO with the session of this file. Whether it was resumed. */
static bool
hello(struct client *c)
{
	struct qp_request m = {.op = QP_OP_HELLO,
			       .rid = 1,
			       .version = 1,
			       .session = {(char *)id, sizeof(id)}};
	struct answer a;

	QP_GIVE(&m.options, resume, 1);
	if (meant)
		QP_GIVE(&m.options, begun, meant);
	ask(c, &m, "", 0);
	answer(c, QP_OP_HELLO, &a);
	ck_assert_uint_eq(a.reply.status, QP_OK);
	begun = QP_OPT(&a.reply.options, begun);
	return QP_OPT(&a.reply.options, resumed);
}

static struct client *
begin(void)
{
	struct client *c = client_raw();

	ck_assert(!hello(c));
	return c;
}

/* The link is cut, and replies on their way are lost. */
static void
cut(struct client *c)
{
	client_end(c);
}

static struct client *
resume(void)
{
	struct client *c = client_raw();

	ck_assert(hello(c));
	return c;
}

static struct qe_queue_stats
stats(void)
{
	struct qe_queue_stats s;

	ck_assert_int_eq(qe_queue_stats(server->engine, server->now_ns,
					(struct qe_name){q.p, q.len}, &s),
			 QE_OK);
	return s;
}

static void
ask_op(struct client *c, enum qp_op op, uint64_t rid)
{
	ask(c,
	    &(struct qp_request){
		    .op = op, .rid = rid, .queue = q, .timeout_ms = QP_FOREVER},
	    "", 0);
}

static void
confirm(struct client *c, uint64_t last)
{
	ask(c, &(struct qp_request){.op = QP_OP_CONFIRM, .last = last}, "", 0);
}

static void
ack(struct client *c, uint64_t rid, const struct answer *item)
{
	ask(c,
	    &(struct qp_request){.op = QP_OP_ACK,
				 .rid = rid,
				 .id = item->reply.id,
				 .delivery = item->reply.delivery,
				 .epoch = EPOCH},
	    "", 0);
}

static void
bound(struct client *c, int64_t maxsize)
{
	struct qp_request m = {.op = QP_OP_DECLARE, .rid = 99, .queue = q};

	QP_GIVE(&m.options, maxsize, maxsize);
	QP_GIVE(&m.options, update, 1);
	ask(c, &m, "", 0);
	expect(c, QP_OP_DECLARE, 99, QP_OK);
}

START_TEST(a_put_that_was_answered_has_its_first_id_and_says_dup)
{
	struct client *c = begin();
	struct answer a;
	uint64_t first;

	put(c, 2, "x", 1);
	answer(c, QP_OP_PUT, &a);
	first = a.reply.id;
	ck_assert(!QP_GIVEN(&a.reply.options, dup));
	cut(c);
	for (int i = 0; i < 3; i++) {
		c = resume();
		put(c, 2, "x", 1);
		answer(c, QP_OP_PUT, &a);
		ck_assert_uint_eq(a.reply.id, first);
		ck_assert(QP_OPT(&a.reply.options, dup));
		cut(c);
	}
	ck_assert_uint_eq(stats().counters.accepted, 1);
}
END_TEST

START_TEST(a_get_that_was_answered_gives_the_same_item_with_its_tag)
{
	struct client *c = begin();
	struct answer a, again;

	put(c, 2, "x", 1);
	put(c, 3, "y", 1);
	expect(c, QP_OP_PUT, 2, QP_OK);
	expect(c, QP_OP_PUT, 3, QP_OK);
	get(c, 4, QP_FOREVER);
	answer(c, QP_OP_GET, &a);
	cut(c);
	ck_assert_uint_eq(stats().leased, 1);
	c = resume();
	get(c, 4, QP_FOREVER);
	answer(c, QP_OP_GET, &again);
	ck_assert_uint_eq(again.reply.id, a.reply.id);
	ck_assert_uint_eq(again.reply.delivery, a.reply.delivery);
	ck_assert_uint_eq(again.body_len, 1);
	ck_assert_int_eq(again.body[0], 'x');
	ack(c, 5, &again);
	expect(c, QP_OP_ACK, 5, QP_OK);
	cut(c);
	c = resume();
	ack(c, 5, &again);
	expect(c, QP_OP_ACK, 5, QP_OK);
	ck_assert_uint_eq(stats().counters.finished, 1);
	ck_assert_uint_eq(stats().counters.crashed, 0);
	client_end(c);
}
END_TEST

START_TEST(gets_of_a_run_are_remembered_one_by_one)
{
	struct client *c = begin();
	struct answer a;

	put(c, 2, "x", 1);
	put(c, 3, "y", 1);
	expect(c, QP_OP_PUT, 2, QP_OK);
	expect(c, QP_OP_PUT, 3, QP_OK);
	ask(c,
	    &(struct qp_request){.op = QP_OP_GET_RUN,
				 .rid = 4,
				 .queue = q,
				 .timeout_ms = QP_FOREVER,
				 .max_items = 3},
	    "", 0);
	answer(c, QP_OP_GET_RUN, &a);
	ck_assert_uint_eq(a.reply.items.n, 2);
	cut(c);
	c = resume();
	for (uint64_t rid = 4; rid < 7; rid++)
		get(c, rid, QP_FOREVER);
	expect_item(c, 4, "x", 1);
	expect_item(c, 5, "y", 1);
	ck_assert_uint_eq(stats().getters, 1);
	put(c, 7, "z", 1);
	expect(c, QP_OP_PUT, 7, QP_OK);
	expect_item(c, 6, "z", 1);
	ck_assert_uint_eq(stats().leased, 3);
	ck_assert_uint_eq(stats().counters.delivered, 3);
	client_end(c);
}
END_TEST

START_TEST(a_get_from_many_that_was_answered_gives_the_same_of_the_same_queue)
{
	const struct qp_str queues[] = {{"empty", 5}, q, {"other", 5}};
	struct qp_request m = {.op = QP_OP_GET_ANY,
			       .rid = 3,
			       .queues = {.n = 3, .names = queues},
			       .timeout_ms = QP_FOREVER};
	struct client *c = begin(), *other = client_new();
	struct answer a, again;

	ask(c, &m, "", 0);
	turn();
	ck_assert_uint_eq(stats().getters, 1);
	cut(c);
	ck_assert_uint_eq(stats().getters, 0);
	c = resume();
	ask(c, &m, "", 0);
	turn();
	put(other, 2, "x", 1);
	put(other, 3, "y", 1);
	answer(c, QP_OP_GET_ANY, &a);
	ck_assert_uint_eq(QP_OPT(&a.reply.options, which), 1);
	cut(c);
	for (int i = 0; i < 2; i++) {
		c = resume();
		ask(c, &m, "", 0);
		answer(c, QP_OP_GET_ANY, &again);
		ck_assert_uint_eq(again.reply.id, a.reply.id);
		ck_assert_uint_eq(again.reply.delivery, a.reply.delivery);
		ck_assert_uint_eq(QP_OPT(&again.reply.options, which), 1);
		ck_assert_int_eq(again.body[0], 'x');
		if (i == 0)
			cut(c);
	}
	ck_assert_uint_eq(stats().leased, 1);
	ack(c, 5, &again);
	expect(c, QP_OP_ACK, 5, QP_OK);
	client_end(c);
	client_end(other);
}
END_TEST

START_TEST(what_waited_leaves_the_lines_and_waits_again)
{
	struct client *c = begin(), *other = client_new();

	get(c, 2, QP_FOREVER);
	turn();
	ck_assert_uint_eq(stats().getters, 1);
	cut(c);
	ck_assert_uint_eq(stats().getters, 0);
	put(other, 2, "x", 1);
	expect(other, QP_OP_PUT, 2, QP_OK);
	ck_assert_uint_eq(stats().ready, 1);
	c = resume();
	get(c, 2, QP_FOREVER);
	expect_item(c, 2, "x", 1);
	client_end(c);
	client_end(other);
}
END_TEST

/* The answer came between the loss of the link and its notice. */
START_TEST(an_answer_that_was_on_its_way_is_remembered)
{
	struct client *c = begin(), *other = client_new();
	struct answer a;

	get(c, 2, QP_FOREVER);
	turn();
	put(other, 2, "x", 1);
	expect(other, QP_OP_PUT, 2, QP_OK);
	cut(c);
	ck_assert_uint_eq(stats().leased, 1);
	c = resume();
	get(c, 2, QP_FOREVER);
	answer(c, QP_OP_GET, &a);
	ck_assert_uint_eq(a.reply.delivery, 1);
	client_end(c);
	client_end(other);
}
END_TEST

START_TEST(the_new_connection_takes_over_from_one_that_is_half_dead)
{
	struct client *old = begin(), *c;

	put(old, 2, "x", 1);
	expect(old, QP_OP_PUT, 2, QP_OK);
	get(old, 3, 0);
	expect_item(old, 3, "x", 1);
	get(old, 4, QP_FOREVER);
	c = resume();
	expect_closed(old);
	ck_assert_uint_eq(stats().leased, 1);
	ck_assert_uint_eq(stats().getters, 0);
	put(c, 5, "y", 1);
	expect(c, QP_OP_PUT, 5, QP_OK);
	get(c, 4, 0);
	expect_item(c, 4, "y", 1);
	client_end(c);
	client_end(old);
	ck_assert_uint_eq(server->closed_by[CLOSE_taken_over], 1);
}
END_TEST

START_TEST(refusals_and_counts_are_the_same_again)
{
	struct client *c = begin();
	struct answer a;

	put(c, 2, "x", 1);
	expect(c, QP_OP_PUT, 2, QP_OK);
	ask_op(c, QP_OP_PURGE, 3);
	ask_op(c, QP_OP_TASK_DONE, 4);
	get(c, 5, 0);
	ask_op(c, QP_OP_JOIN, 6);
	answer(c, QP_OP_PURGE, &a);
	expect(c, QP_OP_TASK_DONE, 4, QP_NOT_LEASED);
	expect(c, QP_OP_GET, 5, QP_EMPTY);
	expect(c, QP_OP_JOIN, 6, QP_OK);
	put(c, 7, "y", 1);
	expect(c, QP_OP_PUT, 7, QP_OK);
	cut(c);
	c = resume();
	ask_op(c, QP_OP_PURGE, 3);
	ask_op(c, QP_OP_TASK_DONE, 4);
	get(c, 5, 0);
	ask_op(c, QP_OP_JOIN, 6);
	answer(c, QP_OP_PURGE, &a);
	ck_assert_uint_eq(a.reply.count, 1);
	expect(c, QP_OP_TASK_DONE, 4, QP_NOT_LEASED);
	expect(c, QP_OP_GET, 5, QP_EMPTY);
	expect(c, QP_OP_JOIN, 6, QP_OK);
	ck_assert_uint_eq(stats().ready, 1);
	client_end(c);
}
END_TEST

static struct qp_request
for_item(enum qp_op op, uint64_t rid, const struct answer *item)
{
	return (struct qp_request){.op = op,
				   .rid = rid,
				   .id = item->reply.id,
				   .delivery = item->reply.delivery,
				   .epoch = EPOCH};
}

START_TEST(a_nack_and_an_update_have_one_effect)
{
	struct client *c = begin();
	struct qp_request m;
	struct answer a;

	put(c, 2, "x", 1);
	expect(c, QP_OP_PUT, 2, QP_OK);
	get(c, 3, 0);
	answer(c, QP_OP_GET, &a);
	m = for_item(QP_OP_NACK, 4, &a);
	ask(c, &m, "", 0);
	expect(c, QP_OP_NACK, 4, QP_OK);
	cut(c);
	c = resume();
	ask(c, &m, "", 0);
	expect(c, QP_OP_NACK, 4, QP_OK);
	ck_assert_uint_eq(stats().counters.nacked, 1);

	get(c, 5, 0);
	answer(c, QP_OP_GET, &a);
	ck_assert_uint_eq(QP_OPT(&a.reply.options, nacks), 1);
	m = for_item(QP_OP_UPDATE, 6, &a);
	ask(c, &m, "longer", 6);
	expect(c, QP_OP_UPDATE, 6, QP_OK);
	cut(c);
	c = resume();
	ask(c, &m, "longer", 6);
	expect(c, QP_OP_UPDATE, 6, QP_OK);
	ck_assert_uint_eq(stats().bytes, 6);
	ck_assert_uint_eq(stats().counters.released, 1);
	get(c, 7, 0);
	answer(c, QP_OP_GET, &a);
	ck_assert_uint_eq(a.reply.delivery, 3);
	m = for_item(QP_OP_BURY, 8, &a);
	ask(c, &m, "", 0);
	expect(c, QP_OP_BURY, 8, QP_OK);
	m = (struct qp_request){
		.op = QP_OP_KICK, .rid = 9, .queue = q, .max_items = 10};
	ask(c, &m, "", 0);
	answer(c, QP_OP_KICK, &a);
	ck_assert_uint_eq(a.reply.count, 1);
	cut(c);
	c = resume();
	ask(c, &m, "", 0);
	answer(c, QP_OP_KICK, &a);
	ck_assert_uint_eq(a.reply.count, 1);
	client_end(c);
}
END_TEST

/* A put that was answered is a duplicate if it was one then. */
START_TEST(keys_and_groups_say_the_same_again)
{
	struct client *c = begin();
	struct qp_request m = {.op = QP_OP_PUT, .queue = q, .timeout_ms = QP_FOREVER};
	struct qp_request cancel = {
		.op = QP_OP_CANCEL_GROUP, .rid = 5, .queue = q, .group = {"g", 1}};
	struct answer a;

	QP_GIVE(&m.options, key, ((struct qp_str){"k", 1}));
	QP_GIVE(&m.options, group, ((struct qp_str){"g", 1}));
	for (int i = 0; i < 2; i++) {
		for (m.rid = 2; m.rid < 4; m.rid++) {
			ask(c, &m, "x", 1);
			answer(c, QP_OP_PUT, &a);
			ck_assert(QP_OPT(&a.reply.options, duplicate) == (m.rid == 3));
			ck_assert(QP_OPT(&a.reply.options, dup) == (i == 1));
		}
		get(c, 4, QP_FOREVER);
		answer(c, QP_OP_GET, &a);
		ck_assert_mem_eq(a.reply.options.group.p, "g", 1);
		ask(c, &cancel, "", 0);
		answer(c, QP_OP_CANCEL_GROUP, &a);
		ck_assert_uint_eq(a.reply.count, 0);
		ck_assert_uint_eq(QP_OPT(&a.reply.options, held), 1);
		if (i == 0) {
			cut(c);
			c = resume();
		}
	}
	ck_assert_uint_eq(stats().counters.accepted, 1);
	client_end(c);
}
END_TEST

static void
put_many(struct client *c, uint64_t rid)
{
	static const int64_t lengths[] = {1, 1, 1};

	ask(c,
	    &(struct qp_request){.op = QP_OP_PUT_MANY,
				 .rid = rid,
				 .queue = q,
				 .timeout_ms = QP_FOREVER,
				 .lengths = {.n = 3, .numbers = lengths}},
	    "abc", 3);
}

static void
expect_results(struct client *c, uint64_t rid, int64_t first, bool dup)
{
	struct answer a;
	int64_t before = 0;

	answer(c, QP_OP_PUT_MANY, &a);
	ck_assert_uint_eq(a.reply.rid, rid);
	ck_assert_uint_eq(a.reply.status, QP_OK);
	ck_assert_uint_eq(a.reply.results.n, 3);
	ck_assert(dup == QP_OPT(&a.reply.options, dup));
	for (int i = 0; i < 3; i++) {
		int64_t result = qp_list_next_signed(&a.reply.results);

		ck_assert_int_gt(result, before);
		ck_assert(i > 0 || result == first);
		before = result;
	}
}

START_TEST(a_put_of_many_goes_on_with_the_rest)
{
	struct client *c = begin(), *other = client_new();

	bound(c, 1);
	put_many(c, 2);
	turn();
	ck_assert_uint_eq(stats().ready, 1);
	ck_assert_uint_eq(stats().putters, 1);
	cut(c);
	ck_assert_uint_eq(stats().putters, 0);
	for (int i = 0; i < 2; i++) { /* cut again before anything has changed */
		c = resume();
		put_many(c, 2);
		turn();
		ck_assert_uint_eq(stats().putters, 1);
		cut(c);
	}
	c = resume();
	put_many(c, 2);
	get(other, 2, 0);
	expect_item(other, 2, "a", 1);
	get(other, 3, 0);
	expect_item(other, 3, "b", 1);
	expect_results(c, 2, 1, false);
	cut(c);
	c = resume();
	put_many(c, 2);
	expect_results(c, 2, 1, true);
	ck_assert_uint_eq(stats().counters.accepted, 3);
	client_end(c);
	client_end(other);
}
END_TEST

static void
ask_many(struct client *c, uint64_t rid)
{
	ask(c,
	    &(struct qp_request){
		    .op = QP_OP_GET_MANY, .rid = rid, .queue = q, .max_items = 10},
	    "", 0);
}

static void
get_many(struct client *c, uint64_t rid, struct answer *a)
{
	ask_many(c, rid);
	answer(c, QP_OP_GET_MANY, a);
	ck_assert_uint_eq(a->reply.status, QP_OK);
}

/* The broker has no memory for the body of what is sent again: it still says what it has. */
START_TEST(a_put_of_many_that_cannot_go_on_says_what_was_accepted)
{
	static const char body[12 << 20];
	static const int64_t lengths[] = {1, sizeof(body) - 1};
	struct client *c = begin(), *other = client_new();
	struct qp_request m = {.op = QP_OP_PUT_MANY,
			       .rid = 2,
			       .queue = q,
			       .timeout_ms = QP_FOREVER,
			       .lengths = {.n = 2, .numbers = lengths}};
	struct answer a;

	server->limits.max_item = sizeof(body);
	bound(c, 1);
	ask(c, &m, body, sizeof(body));
	turn();
	cut(c);
	ck_assert_uint_eq(stats().ready, 1);
	for (uint64_t rid = 2; rid < 7; rid++) {
		struct qp_request full = {
			.op = QP_OP_PUT, .rid = rid, .queue = {"full", 4}};

		ask(other, &full, body, sizeof(body));
		expect(other, QP_OP_PUT, rid, QP_OK);
	}
	for (int i = 0; i < 2; i++) {
		c = resume();
		ask(c, &m, body, sizeof(body));
		answer(c, QP_OP_PUT_MANY, &a);
		ck_assert_uint_eq(a.reply.status, QP_OK);
		ck_assert_int_eq(qp_list_next_signed(&a.reply.results), 1);
		ck_assert_int_eq(qp_list_next_signed(&a.reply.results), -QP_FULL);
		cut(c);
	}
	client_end(other);
}
END_TEST

START_TEST(a_get_of_many_gives_again_what_is_still_leased)
{
	struct client *c = begin();
	struct answer a;
	struct qp_item item;
	int64_t tags[4];

	put_many(c, 2);
	expect_results(c, 2, 1, false);
	get_many(c, 3, &a);
	ck_assert_uint_eq(a.reply.items.n, 3);
	tags[0] = 2;
	tags[1] = 1;
	tags[2] = 77;
	tags[3] = 1;
	for (int i = 0; i < 2; i++) {
		ask(c,
		    &(struct qp_request){.op = QP_OP_ACK_MANY,
					 .rid = 4,
					 .epoch = EPOCH,
					 .tags = {.n = 4, .numbers = tags}},
		    "", 0);
		answer(c, QP_OP_ACK_MANY, &a);
		ck_assert_uint_eq(a.reply.stale.n, 1);
		ck_assert_uint_eq(qp_list_next(&a.reply.stale), 1);
		cut(c);
		c = resume();
		get_many(c, 3, &a);
		ck_assert_uint_eq(a.reply.items.n, 2);
		item = qp_item_next(&a.reply.items);
		ck_assert_uint_eq(item.id, 1);
		ck_assert_uint_eq(item.delivery, 1);
		ck_assert_mem_eq(a.body, "ac", 2);
	}
	client_end(c);
}
END_TEST

static struct store *kept;

static uint64_t
absent(void)
{
	struct qe_stats s;

	qe_stats(server->engine, &s);
	return s.absent;
}

/* "abc" many times, in three items of a durable queue, in memory for no longer than needed. */
static struct client *
begin_kept(void)
{
	struct qp_request m = {.op = QP_OP_DECLARE, .rid = 2, .queue = q};
	static const struct qe_config config = {
		.epoch = EPOCH, .can_keep = true, .body_memory = 1};
	static uint8_t body[200];
	struct client *c = begin();

	kept = log_new(1 << 20);
	ck_assert_int_eq(qe_restored(server->engine, server->now_ns, kept), QE_OK);
	ck_assert_int_eq(qe_configure(server->engine, server->now_ns, &config), QE_OK);
	QP_GIVE(&m.options, durable, ((struct qp_str){"async", 5}));
	ask(c, &m, "", 0);
	expect(c, QP_OP_DECLARE, 2, QP_OK);
	for (uint64_t i = 0; i < 3; i++) {
		memset(body, 'a' + (int)i, sizeof(body));
		put(c, 3 + i, body, sizeof(body));
		expect(c, QP_OP_PUT, 3 + i, QP_OK);
	}
	return c;
}

/* What is held leaves; nothing can be read without waiting for the disk. */
static void
leave(uint64_t n)
{
	qe_commit(server->engine);
	for (int i = 0; absent() < n && i < MAX_TURNS; i++)
		turn();
	ck_assert_uint_eq(absent(), n);
	log_set_cold(kept, true);
}

/* The answer has come, after the disk, for which the loop did not wait. */
static void
answer_when_read(struct client *c, unsigned op, struct answer *ret)
{
	for (int i = 0; i < 10; i++)
		turn();
	read_some(c);
	ck_assert_uint_eq(c->len, 0);
	log_set_cold(kept, false);
	answer(c, op, ret);
	ck_assert_uint_eq(log_waits(kept), 0);
}

START_TEST(what_is_given_again_is_read_back_first)
{
	struct client *c = begin_kept();
	struct answer a;

	get(c, 6, QP_FOREVER);
	answer(c, QP_OP_GET, &a);
	get_many(c, 7, &a);
	ck_assert_uint_eq(a.reply.items.n, 2);
	cut(c);
	leave(3);
	c = resume();
	get(c, 6, QP_FOREVER);
	answer_when_read(c, QP_OP_GET, &a);
	ck_assert_uint_eq(a.body_len, 200);
	ck_assert_int_eq(a.body[199], 'a');
	leave(3);
	ask_many(c, 7);
	answer_when_read(c, QP_OP_GET_MANY, &a);
	ck_assert_uint_eq(a.reply.items.n, 2);
	ck_assert_int_eq(a.body[199], 'b');
	ck_assert_int_eq(a.body[399], 'c');
	client_end(c);
}
END_TEST

/* It goes on for as long as that takes, and no longer. */
START_TEST(what_cannot_be_read_without_waiting_is_waited_for)
{
	struct client *c = begin_kept();
	struct answer a;

	get(c, 6, QP_FOREVER);
	answer(c, QP_OP_GET, &a);
	cut(c);
	leave(3);
	c = resume();
	get(c, 6, QP_FOREVER);
	turn();
	TAILQ_FIRST(&server->conns)->replay_ns = 1;
	answer(c, QP_OP_GET, &a);
	ck_assert_int_eq(a.body[199], 'a');
	ck_assert_uint_gt(log_waits(kept), 0);
	client_end(c);
}
END_TEST

START_TEST(a_get_whose_item_is_gone_is_carried_out_again)
{
	struct client *c = begin();
	struct qp_request m = {
		.op = QP_OP_GET, .rid = 4, .queue = q, .ack = QP_ACK_NONE};

	put(c, 2, "x", 1);
	put(c, 3, "y", 1);
	expect(c, QP_OP_PUT, 2, QP_OK);
	expect(c, QP_OP_PUT, 3, QP_OK);
	ask(c, &m, "", 0);
	expect_item(c, 4, "x", 1);
	cut(c);
	c = resume();
	ask(c, &m, "", 0);
	expect_item(c, 4, "y", 1);
	client_end(c);
}
END_TEST

START_TEST(what_is_confirmed_takes_no_memory)
{
	struct client *c = begin();
	struct session *session = TAILQ_FIRST(&server->sessions);

	for (uint64_t rid = 2; rid < 1000; rid++) {
		put(c, rid, "", 0);
		expect(c, QP_OP_PUT, rid, QP_OK);
		if (rid % 50 == 0)
			confirm(c, rid);
	}
	ck_assert_uint_le(session->answers.room, 64);
	confirm(c, 999);
	turn();
	ck_assert_uint_eq(session->answers.given, session->answers.first);
	cut(c);
	c = resume();
	put(c, 999, "", 0); /* it breaks its word: that is another put */
	expect(c, QP_OP_PUT, 999, QP_OK);
	ck_assert_uint_eq(stats().counters.accepted, 999);
	client_end(c);
}
END_TEST

/* Whatever the last reply was, the client may say so. */
START_TEST(a_reply_that_is_not_remembered_confirms_those_before_it)
{
	struct client *c = begin();
	struct session *session = TAILQ_FIRST(&server->sessions);
	struct answer a;

	for (uint64_t rid = 2; rid < 2 + 20 * ANSWERS_LOOK; rid += 2) {
		put(c, rid, "", 0);
		expect(c, QP_OP_PUT, rid, QP_OK);
		ask_op(c, _i == 0 ? QP_OP_SIZE : QP_OP_PEEK, rid + 1);
		answer(c, _i == 0 ? QP_OP_SIZE : QP_OP_PEEK, &a);
		if (rid % 32 == 0)
			confirm(c, rid + 1);
	}
	ck_assert_uint_le(session->answers.room, 64);
	client_end(c);
}
END_TEST

/* It needs no room, and none may be asked for. */
START_TEST(a_large_put_that_was_answered_is_answered_without_memory)
{
	static const char body[12 << 20];
	struct client *c = begin();
	struct answer a;
	uint64_t first;

	server->limits.max_item = sizeof(body);
	put(c, 2, body, sizeof(body));
	answer(c, QP_OP_PUT, &a);
	first = a.reply.id;
	for (uint64_t rid = 3; rid < 7; rid++) {
		put(c, rid, body, sizeof(body));
		expect(c, QP_OP_PUT, rid, QP_OK);
	}
	put(c, 7, body, sizeof(body));
	expect(c, QP_OP_PUT, 7, QP_FULL);
	cut(c);
	for (int i = 0; i < 2; i++) {
		c = resume();
		put(c, 2, body, sizeof(body));
		answer(c, QP_OP_PUT, &a);
		ck_assert_uint_eq(a.reply.status, QP_OK);
		ck_assert_uint_eq(a.reply.id, first);
		ck_assert(QP_OPT(&a.reply.options, dup));
		ask_op(c, QP_OP_PING, 8);
		expect(c, QP_OP_PING, 8, QP_OK);
		cut(c);
	}
	ck_assert_uint_eq(stats().counters.accepted, 5);
}
END_TEST

/* What is wanted is said by HELLO, and by what is sent again. */
START_TEST(a_lower_max_item_does_not_refuse_what_was_accepted)
{
	static const uint32_t lengths[] = {10, 300000};
	static char body[300000];

	for (int i = 0; i < 2; i++) {
		struct client *c;
		struct answer a;

		id[1] = (uint8_t)i;
		c = begin();
		put(c, 2, body, lengths[i]);
		expect(c, QP_OP_PUT, 2, QP_OK);
		cut(c);
		server->limits.max_item = 9;
		c = resume();
		put(c, 2, body, lengths[i]);
		answer(c, QP_OP_PUT, &a);
		ck_assert_uint_eq(a.reply.status, QP_OK);
		ck_assert(QP_OPT(&a.reply.options, dup));
		put(c, 3, body, lengths[i]);
		expect(c, QP_OP_PUT, 3, QP_TOO_BIG);
		client_end(c);
		server->limits.max_item = 1 << 20;
	}
	id[1] = 0;
	ck_assert_uint_eq(stats().counters.accepted, 2);
}
END_TEST

START_TEST(a_ping_that_asks_for_notices_asks_again)
{
	struct client *c = begin();
	struct session *session = TAILQ_FIRST(&server->sessions);
	struct qp_request m = {.op = QP_OP_PING, .rid = 2};

	QP_GIVE(&m.options, notices, 1);
	ask(c, &m, "", 0);
	expect(c, QP_OP_PING, 2, QP_OK);
	cut(c);
	c = resume();
	ask(c, &m, "", 0);
	expect(c, QP_OP_PING, 2, QP_OK);
	ck_assert(session->notices);
	client_end(c);
}
END_TEST

/* Old answers are kept until what was sent again has been, however often the link is cut. */
START_TEST(answers_of_all_connections_are_remembered_until_one_is_confirmed)
{
	struct client *c = begin();
	struct session *session = TAILQ_FIRST(&server->sessions);

	put(c, 9, "", 0);
	put(c, 5, "", 0);
	put(c, 7, "", 0);
	expect(c, QP_OP_PUT, 9, QP_OK);
	cut(c);
	c = resume();
	put(c, 7, "", 0);
	put(c, 10, "", 0);
	expect(c, QP_OP_PUT, 7, QP_OK);
	expect(c, QP_OP_PUT, 10, QP_OK);
	cut(c);
	c = resume();
	for (uint64_t rid = 5; rid <= 10; rid++) {
		if (rid == 6 || rid == 8)
			continue;
		put(c, rid, "", 0);
		expect(c, QP_OP_PUT, rid, QP_OK);
	}
	ck_assert_uint_eq(stats().counters.accepted, 4);
	ck_assert_uint_eq(session->answers.n_old, 4);
	confirm(c, 0);
	turn();
	ck_assert_uint_eq(session->answers.n_old, 0);
	client_end(c);
}
END_TEST

START_TEST(a_session_that_lost_an_answer_cannot_be_resumed)
{
	struct client *c = begin();
	struct session *session = TAILQ_FIRST(&server->sessions);
	struct answer a;

	put(c, 2, "", 0);
	get(c, 3, 0);
	expect(c, QP_OP_PUT, 2, QP_OK);
	answer(c, QP_OP_GET, &a);
	for (int i = 0; i <= ANSWERS_MAX; i++)
		answers_add(&session->answers, server->engine,
			    &(struct record){.rid = 4, .op = QP_OP_PING});
	cut(c);
	ck_assert_uint_eq(stats().leased, 1);
	c = begin();
	ck_assert_uint_eq(stats().leased, 0);
	ck_assert_uint_eq(stats().counters.crashed, 1);
	client_end(c);
}
END_TEST

/* The loop is turned until the session has ended. */
static void
wait_for_the_end(void)
{
	for (int i = 0; i < MAX_TURNS * 100 && !TAILQ_EMPTY(&server->sessions); i++)
		turn();
	ck_assert(TAILQ_EMPTY(&server->sessions));
}

START_TEST(when_the_grace_is_over_the_items_come_back)
{
	struct client *c = begin();

	server->limits.resume_grace_ms = 20;
	put(c, 2, "x", 1);
	get(c, 3, 0);
	turn();
	cut(c);
	ck_assert_uint_eq(stats().leased, 1);
	wait_for_the_end();
	ck_assert_uint_eq(stats().leased, 0);
	ck_assert_uint_eq(stats().ready, 1);
	ck_assert_uint_eq(stats().counters.crashed, 1);
	c = begin(); /* not resumed */
	client_end(c);
}
END_TEST

START_TEST(a_session_has_a_number_of_its_own)
{
	struct client *c = begin();
	uint64_t first = begun;

	cut(c);
	c = resume();
	ck_assert_uint_eq(begun, first);
	server->limits.resume_grace_ms = 20;
	cut(c);
	wait_for_the_end();
	server->limits.resume_grace_ms = 10000;
	cut(begin());
	ck_assert_uint_ne(begun, first);
	client_end(resume()); /* of the second one */
	ck_assert_uint_ne(begun, first);
}
END_TEST

/* After a crash a broker may have lost that a session has ended, and the one that its client had
 * begun then. */
START_TEST(a_session_that_is_not_the_one_that_is_meant_ends)
{
	struct client *c = begin(), *before = c;
	uint64_t first = begun;
	struct qe_stats stats;

	put(c, 2, "x", 1);
	get(c, 3, 0);
	expect(c, QP_OP_PUT, 2, QP_OK);
	expect_item(c, 3, "x", 1);
	if (_i == 0)
		cut(c);
	meant = first + 1;
	c = client_raw();
	ck_assert(!hello(c));
	ck_assert_uint_ne(begun, first);
	qe_stats(server->engine, &stats);
	ck_assert_uint_eq(stats.leased, 0);
	ck_assert_uint_eq(stats.ready, 1);
	meant = begun;
	cut(c);
	c = resume();
	ck_assert_uint_eq(begun, meant);
	client_end(c);
	if (_i == 1)
		client_end(before);
	meant = 0;
}
END_TEST

START_TEST(without_grace_or_promise_the_end_of_the_link_is_the_end)
{
	struct client *c = begin();

	server->limits.resume_grace_ms = 0;
	put(c, 2, "x", 1);
	get(c, 3, 0);
	turn();
	cut(c);
	ck_assert(TAILQ_EMPTY(&server->sessions));
	server->limits.resume_grace_ms = 10000;
	c = client_new();
	cut(c);
	ck_assert(TAILQ_EMPTY(&server->sessions));
}
END_TEST

START_TEST(a_session_in_use_is_refused_to_who_does_not_resume)
{
	struct client *c = begin(), *other = client_raw();

	ask(other,
	    &(struct qp_request){.op = QP_OP_HELLO,
				 .rid = 1,
				 .version = 1,
				 .session = {(char *)id, sizeof(id)}},
	    "", 0);
	expect(other, QP_OP_HELLO, 1, QP_INVALID);
	client_end(c);
	client_end(other);
}
END_TEST

START_TEST(no_more_sessions_without_a_link_than_connections)
{
	for (int i = 0; i < 10; i++) {
		struct client *c;

		id[1] = (uint8_t)i;
		c = begin();
		cut(c);
	}
	ck_assert_uint_eq(server->n_lost, server->limits.max_connections);
	id[1] = 0;
	client_end(begin()); /* the first is gone */
	id[1] = 9;
	client_end(resume());
	id[1] = 0;
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("resume");
	TCase *t = tcase_create("resume");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_put_that_was_answered_has_its_first_id_and_says_dup);
	tcase_add_test(t, a_get_that_was_answered_gives_the_same_item_with_its_tag);
	tcase_add_test(
		t, a_get_from_many_that_was_answered_gives_the_same_of_the_same_queue);
	tcase_add_test(t, gets_of_a_run_are_remembered_one_by_one);
	tcase_add_test(t, what_waited_leaves_the_lines_and_waits_again);
	tcase_add_test(t, an_answer_that_was_on_its_way_is_remembered);
	tcase_add_test(t, the_new_connection_takes_over_from_one_that_is_half_dead);
	tcase_add_test(t, refusals_and_counts_are_the_same_again);
	tcase_add_test(t, a_nack_and_an_update_have_one_effect);
	tcase_add_test(t, keys_and_groups_say_the_same_again);
	tcase_add_test(t, a_put_of_many_goes_on_with_the_rest);
	tcase_add_test(t, a_put_of_many_that_cannot_go_on_says_what_was_accepted);
	tcase_add_test(t, a_get_of_many_gives_again_what_is_still_leased);
	tcase_add_test(t, what_is_given_again_is_read_back_first);
	tcase_add_test(t, what_cannot_be_read_without_waiting_is_waited_for);
	tcase_add_test(t, a_get_whose_item_is_gone_is_carried_out_again);
	tcase_add_test(t, what_is_confirmed_takes_no_memory);
	tcase_add_loop_test(t, a_reply_that_is_not_remembered_confirms_those_before_it,
			    0, 2);
	tcase_add_test(t, a_large_put_that_was_answered_is_answered_without_memory);
	tcase_add_test(t, a_lower_max_item_does_not_refuse_what_was_accepted);
	tcase_add_test(t, a_ping_that_asks_for_notices_asks_again);
	tcase_add_test(
		t, answers_of_all_connections_are_remembered_until_one_is_confirmed);
	tcase_add_test(t, a_session_that_lost_an_answer_cannot_be_resumed);
	tcase_add_test(t, when_the_grace_is_over_the_items_come_back);
	tcase_add_test(t, a_session_has_a_number_of_its_own);
	tcase_add_loop_test(t, a_session_that_is_not_the_one_that_is_meant_ends, 0, 2);
	tcase_add_test(t, without_grace_or_promise_the_end_of_the_link_is_the_end);
	tcase_add_test(t, a_session_in_use_is_refused_to_who_does_not_resume);
	tcase_add_test(t, no_more_sessions_without_a_link_than_connections);
	suite_add_tcase(suite, t);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
