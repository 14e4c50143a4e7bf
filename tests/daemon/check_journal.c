/* SPDX-License-Identifier: MIT
 * The connections, the engine and the journal together, on a pretended disk: how the broker ends. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "daemon/journal.h"
#include "daemon/store/store_files.h"
#include "tests/daemon/net_kit.h"
#include "tests/lib/run.h"
#include "tests/store/pretend.h"

static struct pretend *disk;
static struct journal journal;
static struct config config = {.sync_interval_ms = 50, .segment_size = 65536};

static void
start(void)
{
	char err[256];

	config.state_dir = (char[]){"pretended"};
	setup();
	server->limits.restart_grace_ms = 30000;
	ck_assert_int_eq(
		journal_open(&journal, server, &config, &disk->disk, err, sizeof(err)),
		0);
}

/* The process is gone. */
static void
end(void)
{
	teardown();
	journal_free(&journal);
	pretend_restart(disk);
}

/* All that there is to write, and to sync. */
static void
commit(void)
{
	static uint64_t now_ns;

	turn();
	store_step_commit(journal.store);
	for (int i = 0; i < 2; i++)
		store_step_keep(journal.store, now_ns += 1000000000);
	turn();
}

static struct client *
hello(void)
{
	struct qp_request m = {.op = QP_OP_HELLO,
			       .rid = 1,
			       .version = 1,
			       .session = {"0123456789abcdef", 16}};
	struct client *c = client_raw();

	QP_GIVE(&m.options, resume, 1);
	ask(c, &m, "", 0);
	expect(c, QP_OP_HELLO, 1, QP_OK);
	return c;
}

/* A broker, and a client of it that has declared q: it is durable. */
static struct client *
start_durable(void)
{
	struct qp_request m = {.op = QP_OP_DECLARE, .rid = 2, .queue = q};
	struct client *c;

	start();
	c = hello();
	QP_GIVE(&m.options, durable, ((struct qp_str){"sync", 4}));
	ask(c, &m, "", 0);
	commit();
	expect(c, QP_OP_DECLARE, 2, QP_OK);
	return c;
}

/* q is durable, and an item was put that is not on its way to the disk yet. */
static void
put_and_wait(void)
{
	struct client *c = start_durable();

	put(c, 10, "x", 1);
	turn();
	free(c);
}

/* The next broker is asked again: what it confirms is there. */
static void
put_again(void)
{
	struct client *c;
	struct qe_stats stats;

	start();
	c = hello();
	put(c, 10, "x", 1);
	commit();
	expect(c, QP_OP_PUT, 10, QP_OK);
	qe_stats(server->engine, &stats);
	ck_assert_uint_eq(stats.ready, 1);
	client_end(c);
	end();
}

START_TEST(a_failed_journal_leaves_no_answers_about_what_it_does_not_have)
{
	disk = pretend_new(1);
	put_and_wait();
	disk->fail_at = disk->calls + 1;
	disk->fail_errno = EIO;
	commit();
	ck_assert(journal_has_failed(&journal));
	ck_assert_int_eq(journal_close(&journal), EXIT_JOURNAL_FAILED);
	end();
	put_again();
	pretend_free(disk);
}
END_TEST

START_TEST(a_stop_that_is_cut_short_leaves_no_answers_about_what_is_lost)
{
	bool more = true;

	for (unsigned long n = 1; more; n++) {
		disk = pretend_new((unsigned)n);
		put_and_wait();
		disk->stop_at = disk->calls + n;
		(void)journal_close(&journal);
		more = disk->calls >= disk->stop_at;
		disk->stop_at = 1;
		end();
		if (n % 2)
			pretend_lose_power(disk);
		put_again();
		pretend_free(disk);
	}
}
END_TEST

/* Written, but nobody has asked for it to be on disk yet. */
static uint64_t
put_and_lose_power(uint64_t rid)
{
	struct client *c;
	struct answer a;

	start();
	c = hello();
	put(c, rid, "x", 1);
	for (int i = 0; i < 3; i++) {
		turn();
		store_step_commit(journal.store);
	}
	answer(c, QP_OP_PUT, &a);
	ck_assert_uint_eq(a.reply.status, QP_OK);
	free(c);
	disk->stop_at = 1;
	end();
	pretend_lose_power(disk);
	return a.reply.id;
}

START_TEST(no_id_is_given_twice_whatever_is_lost)
{
	for (unsigned seed = 1; seed <= 20; seed++) {
		struct qp_request m = {.op = QP_OP_DECLARE, .rid = 2, .queue = q};
		struct client *c;
		uint64_t first;

		disk = pretend_new(seed);
		start();
		c = hello();
		QP_GIVE(&m.options, durable, ((struct qp_str){"async", 5}));
		ask(c, &m, "", 0);
		commit();
		expect(c, QP_OP_DECLARE, 2, QP_OK);
		client_end(c);
		commit();
		end();
		first = put_and_lose_power(10);
		ck_assert_uint_ne(put_and_lose_power(11), first);
		pretend_free(disk);
	}
}
END_TEST

/* A queue in memory waits for no disk, but the first ids of a run are those of the run before if that was killed
 * before it could say that it had given any. */
START_TEST(who_puts_into_memory_is_told_no_id_before_it_is_reserved)
{
	struct qp_request m = {.op = QP_OP_PUT, .rid = 10, .queue = {"memory", 6}};
	struct client *c;

	disk = pretend_new(1);
	client_end(start_durable());
	commit();
	end();
	start();
	c = hello();
	ask(c, &m, "x", 1);
	turn();
	read_some(c);
	ck_assert_uint_eq(c->len, 0);
	store_step_commit(journal.store);
	expect(c, QP_OP_PUT, 10, QP_OK);
	m.rid = 11;
	ask(c, &m, "x", 1);
	expect(c, QP_OP_PUT, 11, QP_OK);
	client_end(c);
	end();
	pretend_free(disk);
}
END_TEST

/* Who was told to stop after an hour without an event does not take that hour for the time since the link
 * was lost. */
START_TEST(a_stop_after_a_long_silence_ends_no_session)
{
	struct client *c;

	disk = pretend_new(1);
	start();
	c = hello();
	server->now_ns -= UINT64_C(3600000000000);
	server_stop(server);
	expect(c, 0, 0, QP_STOPPING);
	event_active(&server->grace, EV_TIMEOUT, 1); /* it was set for another one */
	turn();
	ck_assert(!TAILQ_EMPTY(&server->sessions));
	client_end(c);
	end();
	pretend_free(disk);
}
END_TEST

#define GETS 8

/* From rid 20 on. */
static void
get_all(struct client *c, struct answer answers[GETS])
{
	for (uint64_t i = 0; i < GETS; i++)
		ask(c, &(struct qp_request){.op = QP_OP_GET, .rid = 20 + i, .queue = q},
		    "", 0);
	commit();
	for (int i = 0; i < GETS; i++) {
		answer(c, QP_OP_GET, &answers[i]);
		ck_assert_uint_eq(answers[i].reply.status, QP_OK);
	}
}

static void
release(struct client *c, uint64_t rid, const struct answer *item)
{
	ask(c,
	    &(struct qp_request){.op = QP_OP_RELEASE,
				 .rid = rid,
				 .id = item->reply.id,
				 .delivery = item->reply.delivery,
				 .epoch = server->epoch},
	    "", 0);
	commit();
	expect(c, QP_OP_RELEASE, rid, QP_OK);
}

/* Its first answer was about a lease that has ended. The next broker knows which was the last, or it would give
 * other items, and nobody would know of those that the session holds. */
START_TEST(a_get_that_was_carried_out_again_has_one_answer)
{
	struct answer first[GETS], second[GETS], third[GETS];
	struct client *c;
	struct qe_stats stats;

	disk = pretend_new(1);
	c = start_durable();
	for (uint64_t i = 0; i < 2 * GETS; i++) {
		put(c, 100 + i, "x", 1);
		commit();
		expect(c, QP_OP_PUT, 100 + i, QP_OK);
	}
	get_all(c, first);
	for (uint64_t i = 0; i < GETS; i++)
		release(c, 40 + i, &first[i]);
	client_end(c);
	commit();
	c = hello();
	get_all(c, second);
	client_end(c);
	commit();
	end();
	start();
	c = hello();
	get_all(c, third);
	qe_stats(server->engine, &stats);
	ck_assert_uint_eq(stats.leased, GETS);
	for (int i = 0; i < GETS; i++)
		ck_assert_uint_eq(third[i].reply.id, second[i].reply.id);
	client_end(c);
	end();
	pretend_free(disk);
}
END_TEST

/* A broker that is killed before that is written gives the lease back to its holder, who believes that it is
 * gone and would never end it. */
static void
hears_of_a_lost_lease_later(const struct qp_request *taken)
{
	struct qp_request ack = {.op = QP_OP_ACK, .rid = 30, .delivery = 1};
	struct client *c, *other;
	struct answer a;

	disk = pretend_new(1);
	c = start_durable();
	other = client_new();
	put(c, 10, "x", 1);
	get(c, 11, 0);
	commit();
	expect(c, QP_OP_PUT, 10, QP_OK);
	answer(c, QP_OP_GET, &a);
	ack.id = a.reply.id;
	ack.epoch = server->epoch;
	ask(other, taken, "", 0);
	turn();
	ask(c, &ack, "", 0);
	turn();
	read_some(c);
	ck_assert_uint_eq(c->len, 0);
	commit();
	expect(other, (unsigned)taken->op, taken->rid, QP_OK);
	expect(c, QP_OP_ACK, 30, QP_STALE);
	client_end(other);
	client_end(c);
	end();
	pretend_free(disk);
}

START_TEST(who_has_lost_a_lease_hears_of_it_when_that_is_kept)
{
	struct qp_request m = {.op = QP_OP_DELETE, .rid = 20, .queue = q};

	QP_GIVE(&m.options, force, 1);
	hears_of_a_lost_lease_later(&m);
	m.op = QP_OP_DELETE_ITEM;
	m.id = 1;
	hears_of_a_lost_lease_later(&m);
}
END_TEST

static void
expect_nothing_yet(struct client *c, const struct qp_request *m)
{
	ask(c, m, "", 0);
	turn();
	read_some(c);
	ck_assert_uint_eq(c->len, 0);
}

/* A broker that is killed before that is written has the queue, and its items. */
START_TEST(that_a_queue_is_gone_is_said_when_that_is_kept)
{
	struct qp_request gone = {.op = QP_OP_DELETE, .rid = 20, .queue = q};
	struct qp_request size = {.op = QP_OP_SIZE, .rid = 21, .queue = q};
	struct qp_request join = {.op = QP_OP_JOIN, .rid = 22, .queue = q};
	struct client *c, *other, *third;

	QP_GIVE(&gone.options, force, 1);
	disk = pretend_new(1);
	c = start_durable();
	other = client_new();
	third = client_new();
	put(c, 10, "x", 1);
	commit();
	expect(c, QP_OP_PUT, 10, QP_OK);
	ask(c, &gone, "", 0);
	turn();
	expect_nothing_yet(other, &gone);
	expect_nothing_yet(third, &size);
	expect_nothing_yet(third, &join);
	commit();
	expect(c, QP_OP_DELETE, 20, QP_OK);
	expect(other, QP_OP_DELETE, 20, QP_NOT_FOUND);
	expect(third, QP_OP_SIZE, 21, QP_OK);
	expect(third, QP_OP_JOIN, 22, QP_OK);
	client_end(third);
	client_end(other);
	client_end(c);
	end();
	pretend_free(disk);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("journal");

	tcase_add_test(t, a_failed_journal_leaves_no_answers_about_what_it_does_not_have);
	tcase_add_test(t, a_stop_that_is_cut_short_leaves_no_answers_about_what_is_lost);
	tcase_add_test(t, a_stop_after_a_long_silence_ends_no_session);
	tcase_add_test(t, a_get_that_was_carried_out_again_has_one_answer);
	tcase_add_test(t, who_has_lost_a_lease_hears_of_it_when_that_is_kept);
	tcase_add_test(t, that_a_queue_is_gone_is_said_when_that_is_kept);
	tcase_add_test(t, no_id_is_given_twice_whatever_is_lost);
	tcase_add_test(t, who_puts_into_memory_is_told_no_id_before_it_is_reserved);
	return run_case("journal", t);
}
