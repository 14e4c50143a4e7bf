/* SPDX-License-Identifier: MIT
 * Consumers that die: no item is lost, and each is with another consumer at once, in
 * its place. */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/daemon.h"
#include "tests/lib/run.h"
#include "tests/lib/wire.h"

#define LARGE (4 << 20)

static struct daemon d;

/* Reads the beginning of a large item and no more. */
static void
read_half(int line, void *arg)
{
	struct wire w;

	(void)arg;
	wire_begin_item(&w, d.address, "q");
	line_say(line, 'r');
	line_hear(line);
}

START_TEST(an_item_whose_reply_is_half_written_comes_back_to_its_place)
{
	uint8_t *body = malloc(LARGE);
	struct child dead;
	struct answer a;
	struct wire w;

	ck_assert_ptr_nonnull(body);
	for (size_t i = 0; i < LARGE; i++)
		body[i] = (uint8_t)(i * 7);
	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	wire_put(&w, "q", body, LARGE);
	wire_put_text(&w, "q", "second");
	child_start(&dead, read_half, NULL);
	ck_assert_int_eq(line_hear(dead.line), 'r');
	ck_assert_int_eq(queue_number(&w, "q", "leased"), 1);
	child_kill(&dead);
	wait_for_queue(&w, "q", "ready", 2);

	wire_start_get(&w, "q");
	wire_read(&w, QP_OP_GET, QP_OK, &a);
	ck_assert_uint_eq(a.body_len, LARGE);
	ck_assert_mem_eq(a.body, body, LARGE);
	ck_assert_uint_eq(a.reply.delivery, 2);
	ck_assert_uint_eq(a.reply.options.crashes, 1);
	answer_free(&a);
	ck_assert_uint_eq(wire_take_text(&w, "q", "second").crashes, 0);
	check_conservation(&w, "q");
	free(body);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

/* Takes two items and finishes neither. */
static void
take_two(int line, void *arg)
{
	struct wire w;

	(void)arg;
	wire_open(&w, d.address);
	wire_take_text(&w, "q", "1");
	wire_take_text(&w, "q", "2");
	line_say(line, 't');
	line_hear(line);
}

START_TEST(items_of_a_consumer_killed_at_work_come_back_in_their_order)
{
	struct child dead;
	struct wire w;
	struct taken item;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	wire_put_text(&w, "q", "1");
	wire_put_text(&w, "q", "2");
	wire_put_text(&w, "q", "3");
	child_start(&dead, take_two, NULL);
	ck_assert_int_eq(line_hear(dead.line), 't');
	child_kill(&dead);
	wait_for_queue(&w, "q", "leased", 0);

	item = wire_take_text(&w, "q", "1");
	ck_assert_uint_eq(item.crashes, 1);
	ck_assert_uint_eq(item.delivery, 2);
	ck_assert_uint_eq(wire_take_text(&w, "q", "2").crashes, 1);
	item = wire_take_text(&w, "q", "3");
	ck_assert_uint_eq(item.crashes, 0);
	ck_assert_uint_eq(item.delivery, 1);
	ck_assert_int_eq(queue_number(&w, "q", "crashed"), 2);
	check_conservation(&w, "q");
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(a_waiting_consumer_gets_the_item_of_the_killed_one_at_once)
{
	struct wire w, waiting;
	struct child dead;
	struct answer a;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	wire_open(&waiting, d.address);
	wire_put_text(&w, "q", "1");
	wire_put_text(&w, "q", "2");
	child_start(&dead, take_two, NULL);
	ck_assert_int_eq(line_hear(dead.line), 't');
	wire_start_get(&waiting, "q");
	wait_for_queue(&w, "q", "getters", 1);
	child_kill(&dead);
	wire_read(&waiting, QP_OP_GET, QP_OK, &a);
	ck_assert_str_eq((char *)a.body, "1");
	ck_assert_uint_eq(a.reply.options.crashes, 1);
	answer_free(&a);
	wire_close(&waiting);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

/* Sends the ack of its item, or with `arg` all of it but one byte, and reads no answer. */
static void
ack_and_wait(int line, void *arg)
{
	struct bytes b = {NULL, 0, 0};
	struct qp_request ack = {.op = QP_OP_ACK, .rid = 100};
	struct taken item;
	struct wire w;

	wire_open(&w, d.address);
	item = wire_take_text(&w, "q", "work");
	ack.id = item.id;
	ack.delivery = item.delivery;
	ack.epoch = w.epoch;
	bytes_request(&b, ack, NULL, 0);
	wire_write(&w, b.p, arg ? b.len - 1 : b.len);
	line_say(line, 'a');
	line_hear(line);
}

START_TEST(a_consumer_killed_while_acking_has_finished_its_item_or_not)
{
	struct child dead;
	struct wire w;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	wire_put_text(&w, "q", "work");
	child_start(&dead, ack_and_wait, &d);
	ck_assert_int_eq(line_hear(dead.line), 'a');
	child_kill(&dead);
	wait_for_queue(&w, "q", "ready", 1); /* the ack had not arrived */
	child_start(&dead, ack_and_wait, NULL);
	ck_assert_int_eq(line_hear(dead.line), 'a');
	wait_for_queue(&w, "q", "finished", 1); /* it has arrived */
	child_kill(&dead);
	wait_for_broker(&w, "sessions", 1);
	ck_assert_int_eq(queue_number(&w, "q", "unfinished"), 0);
	ck_assert_int_eq(queue_number(&w, "q", "crashed"), 1);
	check_conservation(&w, "q");
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(the_old_tag_of_an_item_that_came_back_is_stale)
{
	struct wire w, other;
	struct taken old, new;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	wire_open(&other, d.address);
	wire_put_text(&w, "q", "work");
	old = wire_take_text(&other, "q", "work");
	wire_close(&other);
	new = wire_take_text(&w, "q", "work");
	ck_assert_uint_eq(new.id, old.id);
	ck_assert_uint_eq(new.delivery, old.delivery + 1);
	ck_assert_int_eq(wire_ack(&w, old), QP_STALE);
	ck_assert_int_eq(wire_ack(&w, new), QP_OK);
	ck_assert_int_eq(wire_ack(&w, new), QP_STALE);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

/* Every verb of a holder, with a tag that was good once. */
START_TEST(no_verb_with_an_old_tag_changes_anything)
{
	static const enum qp_op verbs[] = {QP_OP_ACK,  QP_OP_RELEASE, QP_OP_NACK,
					   QP_OP_BURY, QP_OP_TOUCH,   QP_OP_UPDATE};
	struct wire w, other;
	struct taken old, new;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	wire_open(&other, d.address);
	wire_put_text(&w, "q", "work");
	old = wire_take_text(&w, "q", "work");
	ck_assert_int_eq(wire_status(&w, (struct qp_request){.op = QP_OP_RELEASE,
							     .id = old.id,
							     .delivery = old.delivery,
							     .epoch = w.epoch}),
			 QP_OK);
	new = wire_take_text(&other, "q", "work");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		struct qp_request m = {.op = verbs[i],
				       .id = old.id,
				       .delivery = old.delivery,
				       .epoch = w.epoch};

		ck_assert_int_eq(wire_status(&w, m), QP_STALE);
		ck_assert_int_eq(wire_status(&other, m), QP_STALE);
		m.delivery = new.delivery; /* another's */
		ck_assert_int_eq(wire_status(&w, m), QP_STALE);
		ck_assert_int_eq(queue_number(&w, "q", "leased"), 1);
	}
	ck_assert_int_eq(queue_number(&w, "q", "nacked"), 0);
	ck_assert_int_eq(queue_number(&w, "q", "released"), 1);
	ck_assert_int_eq(wire_ack(&other, new), QP_OK);
	wire_close(&other);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(a_reset_is_a_death_too)
{
	const struct linger reset = {.l_onoff = 1};
	struct wire w, other;

	d.tcp[0] = "tcp://127.0.0.1:0";
	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	wire_open(&other, d.tcp_address[0]);
	wire_put_text(&w, "q", "work");
	wire_take_text(&other, "q", "work");
	setsockopt(other.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	wire_close(&other);
	wait_for_queue(&w, "q", "ready", 1);
	ck_assert_uint_eq(wire_take_text(&w, "q", "work").crashes, 1);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(nobody_finishes_or_releases_the_item_of_another_session)
{
	struct qp_request release = {.op = QP_OP_RELEASE};
	struct wire w, other;
	struct taken item;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	wire_open(&other, d.address);
	wire_put_text(&w, "q", "work");
	item = wire_take_text(&w, "q", "work");
	ck_assert_int_eq(wire_ack(&other, item), QP_STALE);
	release.id = item.id;
	release.delivery = item.delivery;
	release.epoch = other.epoch;
	ck_assert_int_eq(wire_status(&other, release), QP_STALE);
	ck_assert_int_eq(wire_ack(&w, item), QP_OK);
	wire_close(&other);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

START_TEST(an_end_in_order_counts_no_crash)
{
	struct wire w, other;
	struct taken item;

	daemon_start(&d, NULL);
	wire_open(&w, d.address);
	wire_open(&other, d.address);
	wire_put_text(&w, "q", "work");
	wire_take_text(&other, "q", "work");
	ck_assert_int_eq(wire_status(&other, (struct qp_request){.op = QP_OP_CLOSE}),
			 QP_OK);
	wire_expect_closed(&other);
	item = wire_take_text(&w, "q", "work");
	ck_assert_uint_eq(item.crashes, 0);
	ck_assert_uint_eq(item.delivery, 2);
	wire_close(&other);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

RUN_TESTS("crash_consumer", an_item_whose_reply_is_half_written_comes_back_to_its_place,
	  items_of_a_consumer_killed_at_work_come_back_in_their_order,
	  a_waiting_consumer_gets_the_item_of_the_killed_one_at_once,
	  a_consumer_killed_while_acking_has_finished_its_item_or_not,
	  the_old_tag_of_an_item_that_came_back_is_stale,
	  no_verb_with_an_old_tag_changes_anything, a_reset_is_a_death_too,
	  nobody_finishes_or_releases_the_item_of_another_session,
	  an_end_in_order_counts_no_crash)
