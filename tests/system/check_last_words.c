/* SPDX-License-Identifier: MIT
 * What a process had sent before its end is handled, however much it has not been told; and its end is seen while it is
 * not read, as then what it holds goes back. While the disk stands still, too; and who waits for that can be seen. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/run.h"
#include "tests/lib/wire.h"
#include "tests/system/kept.h"

#define LARGE 65536
#define PEEKS 400 /* that ask for more than the broker keeps for who does not read */
#define UPDATES \
	100 /* of a large item: far more than may be owed, and less than output_high */

static struct wire w;

static void
say_more(struct bytes *b, unsigned peeks)
{
	struct qp_request peek = {.op = QP_OP_PEEK, .queue = str("large")};
	struct qp_request put = {.op = QP_OP_PUT, .queue = str("said")};

	for (unsigned i = 0; i < peeks; i++) {
		peek.rid = 100 + i;
		bytes_request(b, peek, NULL, 0);
	}
	put.rid = 99;
	bytes_request(b, put, "last", 4);
}

static void
ask_for_much(int line, void *arg)
{
	struct bytes b = {0};
	struct wire own;

	(void)arg;
	wire_open(&own, d.address);
	wire_take_text(&own, "held", "item");
	say_more(&b, PEEKS);
	wire_write(&own, b.p, b.len);
	line_say(line, 's');
	line_hear(line);
}

START_TEST(what_was_sent_before_the_end_is_handled_though_answers_are_due)
{
	static const uint8_t body[LARGE];
	struct child dead;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	wire_put(&w, "large", body, sizeof(body));
	wire_put_text(&w, "held", "item");
	child_start(&dead, ask_for_much, NULL);
	ck_assert_int_eq(line_hear(dead.line), 's');
	ck_assert_int_le(queue_number(&w, "said", "ready"), 0); /* it is not read */
	child_kill(&dead);
	wait_for_queue(&w, "held", "ready", 1);
	ck_assert_int_eq(queue_number(&w, "said", "ready"), 1);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

/* --- while the journal does not get on ------------------------------------------------- */

/* Changes an item again and again, without an end, so that whoever changes something waits. */
static void
fill_journal(int line, void *arg)
{
	static uint8_t body[LARGE];
	struct qp_request get = {.op = QP_OP_GET, .queue = str("kept")};
	struct qp_request update = {.op = QP_OP_UPDATE};
	struct wire own;

	(void)arg;
	wire_open(&own, d.address);
	update.id = wire_put(&own, "kept", body, sizeof(body));
	update.epoch = own.epoch;
	line_say(line, 'p');
	ck_assert_int_eq(line_hear(line), 'g');
	for (update.delivery = 1; update.delivery <= UPDATES; update.delivery++) {
		wire_send(&own, get, NULL, 0);
		wire_send(&own, update, body, sizeof(body));
	}
	line_hear(line);
}

/* Takes an item, and waits with a change, behind which there is a put. What else it has asked of the queue shows that it
 * has to do with that. */
static void
wait_for_journal(struct wire *own)
{
	wire_take_text(own, "held", "item");
	wire_send(own, (struct qp_request){.op = QP_OP_REOPEN, .queue = str("kept")},
		  NULL, 0);
	wire_send(own, (struct qp_request){.op = QP_OP_PURGE, .queue = str("kept")},
		  NULL, 0);
	wire_send(own, (struct qp_request){.op = QP_OP_PUT, .queue = str("said")},
		  "last", 4);
}

static void
wait_and_die(int line, void *arg)
{
	struct wire own;

	(void)arg;
	wire_open(&own, d.address);
	wait_for_journal(&own);
	line_hear(line);
}

/* How many connections wait for the journal. */
static unsigned
journal_waits(void)
{
	qb_table *table;
	unsigned n = 0;

	ok(qb_waiters(q, NULL, &table));
	for (unsigned i = 0; i < qb_table_rows(table); i++)
		n += strcmp(qb_table_string(table, i, "waits_for"), "journal") == 0;
	qb_table_free(table);
	return n;
}

static void
await_journal_waits(unsigned n)
{
	int64_t deadline = now_ms() + patience_ms();

	while (journal_waits() != n)
		look_again(deadline, "who waits for the journal");
}

static void
stop_disk(void)
{
	char path[160];

	snprintf(path, sizeof(path), "%s.now", state + strlen("state_dir="));
	fclose(fopen(path, "w"));
}

static void
start(void)
{
	daemon_start(&d, "--set", state, "--set", "segment_size=1M", NULL);
	ck_assert_int_eq(qb_open(d.address, &q), QB_OK);
}

/* A broker whose disk has stopped for good, and one client that waits for it. */
static void
begin_without_disk(struct child *filler)
{
	static const char *const options[] = {"durable=sync", NULL};

	kept_begin();
	d.tcp[0] = "tcp://127.0.0.1:0";
	start();
	ok(qb_declare(q, "kept", options, 0, NULL));
	qb_close(q);
	daemon_kill(&d); /* there is a folder now */
	kept_fault("sync@journal-:0:HANG:0");
	start();
	ok(qb_put(q, "held", "item", 4, QB_FOREVER, NULL));
	child_start(filler, fill_journal, NULL);
	ck_assert_int_eq(line_hear(filler->line), 'p');
	stop_disk();
	line_say(filler->line, 'g');
	await_journal_waits(1);
}

static void
expect_given_back(struct child *filler)
{
	int64_t deadline = now_ms() + patience_ms();

	while (number("held", "ready") != 1)
		look_again(deadline, "the item that was held");
	ck_assert_int_eq(number("said", "ready"), 1);
	child_kill(filler);
	qb_close(q);
	daemon_kill(&d);
	daemon_forget(&d);
}

START_TEST(a_killed_process_that_waited_for_the_journal_holds_nothing)
{
	struct child filler, dead;

	begin_without_disk(&filler);
	child_start(&dead, wait_and_die, NULL);
	await_journal_waits(2);
	child_kill(&dead);
	expect_given_back(&filler);
}
END_TEST

START_TEST(who_closed_the_connection_while_it_waited_for_the_journal_holds_nothing)
{
	struct child filler;

	begin_without_disk(&filler);
	wire_open(&w, d.tcp_address[0]);
	wait_for_journal(&w);
	await_journal_waits(2);
	wire_close(&w);
	expect_given_back(&filler);
}
END_TEST

/* Who asks why nothing is answered is answered. */
START_TEST(while_the_disk_stands_still_it_is_said_who_waits_for_it)
{
	int64_t deadline = now_ms() + patience_ms(), waits = -1;
	struct child filler;
	qb_table *table;
	unsigned n = 0;

	begin_without_disk(&filler);
	ok(qb_queues(q, NULL, &table));
	ck_assert_uint_eq(qb_table_rows(table), 2);
	qb_table_free(table);
	ok(qb_waiters(q, "kept", &table));
	ck_assert_uint_ge(qb_table_rows(table), 1);
	ck_assert_str_eq(qb_table_string(table, 0, "waits_for"), "journal");
	qb_table_free(table);
	ok(qb_holders(q, "kept", &table)); /* who fills may have taken the item again */
	ck_assert_uint_le(qb_table_rows(table), 1);
	qb_table_free(table);
	for (; n == 0; look_again(deadline, "who waits for the disk")) {
		ok(qb_waiters(q, NULL, &table));
		for (unsigned i = 0; i < qb_table_rows(table); i++) {
			if (strcmp(qb_table_string(table, i, "waits_for"), "disk") != 0)
				continue;
			ck_assert_str_eq(qb_table_string(table, i, "request"),
					 "answer");
			ck_assert_ptr_null(qb_table_string(table, i, "queue"));
			ck_assert_int_eq(qb_table_number(table, i, "since_ms", &waits),
					 1);
			n++;
		}
		qb_table_free(table);
	}
	ck_assert_uint_eq(n, 1);
	ck_assert_int_ge(waits, 100);
	ok(qb_stats(q, &table));
	ck_assert_int_eq(qb_table_number(table, 0, "disk_wait_ms", &waits), 1);
	ck_assert_int_ge(waits, 100);
	qb_table_free(table);
	child_kill(&filler);
	qb_close(q);
	daemon_kill(&d);
	daemon_forget(&d);
}
END_TEST

RUN_TESTS("last words", what_was_sent_before_the_end_is_handled_though_answers_are_due,
	  a_killed_process_that_waited_for_the_journal_holds_nothing,
	  who_closed_the_connection_while_it_waited_for_the_journal_holds_nothing,
	  while_the_disk_stands_still_it_is_said_who_waits_for_it)
