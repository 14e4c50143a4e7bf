/* SPDX-License-Identifier: MIT
 * Connections over socketpairs, with the real engine and the loop turned by hand:
 * frames cut at every byte, many at once, large bodies, readers that stop, ends of all
 * kinds. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/net/deliver.h"
#include "tests/daemon/net_kit.h"

START_TEST(a_dialogue_cut_at_every_byte_is_understood)
{
	struct client *c = client_new();
	uint8_t *bytes;
	size_t len;

	bytes = request_bytes(
		&(struct qp_request){.op = QP_OP_PUT, .rid = 2, .queue = q}, "hello", 5,
		&len);
	for (size_t cut = 1; cut < len; cut++) {
		send_bytes(c, bytes, cut);
		send_bytes(c, bytes + cut, len - cut);
		expect(c, QP_OP_PUT, 2, QP_OK);
		get(c, 3, 0);
		expect_item(c, 3, "hello", 5);
	}
	for (size_t i = 0; i < len; i++)
		send_bytes(c, bytes + i, 1);
	expect(c, QP_OP_PUT, 2, QP_OK);
	free(bytes);
	client_end(c);
}
END_TEST

START_TEST(many_requests_in_one_write_are_all_answered)
{
	struct client *c = client_new();
	size_t len, one;
	uint8_t *all = malloc(1 << 20), *bytes;

	len = 0;
	for (uint64_t rid = 1; rid <= 2000; rid++) {
		bytes = request_bytes(
			&(struct qp_request){.op = QP_OP_PUT, .rid = rid, .queue = q},
			"0123456789", 10, &one);
		memcpy(all + len, bytes, one);
		len += one;
		free(bytes);
	}
	send_bytes(c, all, len);
	for (uint64_t rid = 1; rid <= 2000; rid++)
		expect(c, QP_OP_PUT, rid, QP_OK);
	free(all);
	client_end(c);
}
END_TEST

START_TEST(large_bodies_come_back_as_they_went)
{
	static const size_t sizes[] = {0,     1,     4096,  4097,   65527,
				       65528, 65536, 65537, 262144, 1 << 20};
	struct client *c = client_new();
	uint8_t *body = malloc(1 << 20);

	for (size_t i = 0; i < 1 << 20; i++)
		body[i] = (uint8_t)(i * 7 + i / 256);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		put(c, 2, body, sizes[i]);
		get(c, 3, 0);
		expect(c, QP_OP_PUT, 2, QP_OK);
		expect_item(c, 3, body, sizes[i]);
	}
	free(body);
	client_end(c);
}
END_TEST

START_TEST(a_body_that_is_too_big_is_thrown_away_and_the_connection_lives)
{
	struct client *c = client_new();
	uint8_t *body = calloc(1, (1 << 20) + 1);

	put(c, 2, body, (1 << 20) + 1);
	expect(c, QP_OP_PUT, 2, QP_TOO_BIG);
	ask(c, &(struct qp_request){.op = QP_OP_PING, .rid = 3}, body, 70000);
	expect(c, QP_OP_PING, 3, QP_INVALID);
	ask(c, &(struct qp_request){.op = QP_OP_PING, .rid = 4}, "", 0);
	expect(c, QP_OP_PING, 4, QP_OK);
	free(body);
	client_end(c);
}
END_TEST

START_TEST(a_wait_does_not_hold_up_what_comes_behind_it)
{
	struct client *c = client_new(), *d = client_new();

	get(c, 2, QP_FOREVER);
	ask(c, &(struct qp_request){.op = QP_OP_PING, .rid = 3}, "", 0);
	expect(c, QP_OP_PING, 3, QP_OK);
	put(d, 2, "x", 1);
	expect(d, QP_OP_PUT, 2, QP_OK);
	expect_item(c, 2, "x", 1);
	client_end(c);
	client_end(d);
}
END_TEST

START_TEST(what_a_dead_client_held_goes_to_the_next_and_says_so)
{
	struct client *c = client_new(), *d = client_new();
	struct answer a;

	put(c, 2, "x", 1);
	expect(c, QP_OP_PUT, 2, QP_OK);
	get(c, 3, 0);
	expect_item(c, 3, "x", 1);
	get(d, 2, QP_FOREVER);
	client_end(c);
	answer(d, QP_OP_GET, &a);
	ck_assert_uint_eq(a.reply.delivery, 2);
	ck_assert_uint_eq(QP_OPT(&a.reply.options, crashes), 1);
	client_end(d);
}
END_TEST

START_TEST(an_orderly_close_counts_no_crash_and_is_answered_last)
{
	struct client *c = client_new(), *d = client_new();
	struct answer a;

	put(c, 2, "x", 1);
	get(c, 3, 0);
	expect(c, QP_OP_PUT, 2, QP_OK);
	expect_item(c, 3, "x", 1);
	ask(c, &(struct qp_request){.op = QP_OP_CLOSE, .rid = 4}, "", 0);
	expect(c, QP_OP_CLOSE, 4, QP_OK);
	expect_closed(c);
	get(d, 2, 0);
	answer(d, QP_OP_GET, &a);
	ck_assert_uint_eq(QP_OPT(&a.reply.options, crashes), 0);
	client_end(c);
	client_end(d);
}
END_TEST

START_TEST(a_dead_producer_leaves_no_ghost_and_no_half_item)
{
	struct client *c = client_new(), *d = client_new();
	size_t len;
	uint8_t *bytes, *body = calloc(1, 500000);
	struct qe_stats before, after;

	ask(d,
	    &(struct qp_request){.op = QP_OP_DECLARE,
				 .rid = 2,
				 .queue = q,
				 .options = {.present = QP_BIT(maxsize),
					     .maxsize = 1}},
	    "", 0);
	expect(d, QP_OP_DECLARE, 2, QP_OK);
	put(d, 3, "first", 5);
	expect(d, QP_OP_PUT, 3, QP_OK);
	qe_stats(server->engine, &before);
	ask(c,
	    &(struct qp_request){
		    .op = QP_OP_PUT, .rid = 2, .queue = q, .timeout_ms = QP_FOREVER},
	    "ghost", 5);
	bytes = request_bytes(
		&(struct qp_request){.op = QP_OP_PUT, .rid = 3, .queue = q}, body,
		500000, &len);
	send_bytes(c, bytes, len / 2);
	client_end(c);
	qe_stats(server->engine, &after);
	ck_assert_uint_eq(after.waiters, 0);
	ck_assert_uint_lt(after.memory,
			  before.memory + 4096); /* tables may have grown */
	get(d, 4, 0);
	expect_item(d, 4, "first", 5);
	get(d, 5, 0);
	expect(d, QP_OP_GET, 5, QP_EMPTY);
	free(bytes);
	free(body);
	client_end(d);
}
END_TEST

START_TEST(a_reader_that_stops_is_not_read_and_gets_everything_later)
{
	struct client *c = client_new(), *d = client_new();
	uint8_t *body = calloc(1, 60000), *bytes;
	size_t len, sent = 0, peeks = 0;
	struct conn *conn = TAILQ_FIRST(&server->conns);

	put(d, 2, body, 60000);
	expect(d, QP_OP_PUT, 2, QP_OK);
	/* Peeks, until neither side takes any more. */
	for (int idle = 0; idle < 50;) {
		ssize_t n;

		bytes = request_bytes(&(struct qp_request){.op = QP_OP_PEEK,
							   .rid = peeks + 10,
							   .queue = q},
				      "", 0, &len);
		n = send(c->fd, bytes, len, MSG_NOSIGNAL);
		ck_assert(n == (ssize_t)len || n < 0);
		free(bytes);
		peeks += n > 0;
		sent += n > 0 ? (size_t)n : 0;
		idle = n > 0 ? 0 : idle + 1;
		turn();
		ck_assert_uint_lt(conn->out.len, 100000 + 2 * 60000);
		ck_assert_uint_lt(peeks, 1000000);
	}
	ck_assert(conn->paused);
	ask(d, &(struct qp_request){.op = QP_OP_PING, .rid = 3}, "", 0);
	expect(d, QP_OP_PING, 3, QP_OK);
	for (size_t i = 0; i < peeks; i++)
		expect(c, QP_OP_PEEK, i + 10, QP_OK);
	ck_assert(!conn->paused);
	free(body);
	client_end(c);
	client_end(d);
}
END_TEST

/* Whoever asked for more than he reads, and has gone: the rest is handled, in shares, and no item is kept by him. */
START_TEST(what_was_sent_before_the_end_is_handled_though_answers_are_due)
{
	static uint8_t body[60000];
	struct qp_request peek = {.op = QP_OP_PEEK, .queue = q};
	struct qp_request last = {.op = QP_OP_PUT, .rid = 99, .queue = {"said", 4}};
	struct client *c = client_new();
	struct qe_queue_stats said;
	struct qe_stats stats;
	int turns = 0;

	put(c, 2, body, sizeof(body));
	expect(c, QP_OP_PUT, 2, QP_OK);
	for (peek.rid = 10; peek.rid < 40; peek.rid++)
		ask(c, &peek, "", 0);
	get(c, 50, 0);
	ask(c, &last, "last", 4);
	ck_assert_int_eq(qe_queue_stats(server->engine, server->now_ns,
					(struct qe_name){"said", 4}, &said),
			 QE_NOT_FOUND); /* not read */
	close(c->fd);
	for (; server->n_conns > 0; turns++) {
		ck_assert_int_lt(turns, 100);
		turn();
	}
	ck_assert_int_gt(turns, 3);
	for (int i = 0; i < 5; i++)
		turn();
	qe_stats(server->engine, &stats);
	ck_assert_uint_eq(stats.leased, 0);
	ck_assert_uint_eq(stats.ready, 2);
	free(c);
}
END_TEST

#define BATCHES 40

START_TEST(what_waits_for_a_reader_that_stops_counts_as_memory)
{
	struct client *slow = client_new(), *d = client_new();
	uint8_t *body = calloc(100, 4096);
	int64_t lengths[100];
	struct qe_stats stats;

	for (int i = 0; i < 100; i++)
		lengths[i] = 4096;
	for (uint64_t rid = 2; rid < 2 + BATCHES; rid++)
		ask(slow,
		    &(struct qp_request){.op = QP_OP_GET_MANY,
					 .rid = rid,
					 .queue = q,
					 .timeout_ms = QP_FOREVER,
					 .ack = QP_ACK_NONE,
					 .max_items = 100,
					 .options = {.present = QP_BIT(min_items),
						     .min_items = 100}},
		    "", 0);
	for (uint64_t rid = 2; rid < 2 + BATCHES; rid++) {
		ask(d,
		    &(struct qp_request){.op = QP_OP_PUT_MANY,
					 .rid = rid,
					 .queue = q,
					 .lengths = {.n = 100, .numbers = lengths}},
		    body, 409600);
		expect(d, QP_OP_PUT_MANY, rid, QP_OK);
	}
	qe_stats(server->engine, &stats);
	ck_assert_uint_eq(stats.counters.finished, 100 * BATCHES);
	ck_assert_uint_gt(TAILQ_FIRST(&server->conns)->out.len, BATCHES * 300000);
	ck_assert_uint_gt(stats.memory + 1000000, TAILQ_FIRST(&server->conns)->out.len);
	for (uint64_t rid = 2; rid < 2 + BATCHES; rid++) {
		struct answer a;

		answer(slow, QP_OP_GET_MANY, &a);
		ck_assert_uint_eq(a.reply.rid, rid);
		ck_assert_uint_eq(a.body_len, 409600);
	}
	free(body);
	client_end(slow);
	client_end(d);
}
END_TEST

#define TABLES 500

START_TEST(a_turn_answers_a_share_however_much_was_asked_for)
{
	struct client *c = client_new();
	struct conn *conn = TAILQ_FIRST(&server->conns);
	size_t len = 0, one;
	uint8_t *all = malloc(1 << 20), *bytes;
	char name[200];

	memset(name, 'n', sizeof(name));
	for (uint64_t rid = 1; rid <= 100; rid++) {
		name[0] = (char)(' ' + rid % 90);
		name[1] = (char)(' ' + rid / 90);
		ask(c,
		    &(struct qp_request){.op = QP_OP_DECLARE,
					 .rid = rid,
					 .queue = {name, sizeof(name)}},
		    "", 0);
		expect(c, QP_OP_DECLARE, rid, QP_OK);
	}
	server->limits.output_high = 1 << 30;
	for (uint64_t rid = 1; rid <= TABLES; rid++) {
		bytes = request_bytes(&(struct qp_request){.op = QP_OP_QUEUES,
							   .rid = rid},
				      "", 0, &one);
		memcpy(all + len, bytes, one);
		len += one;
		free(bytes);
	}
	ck_assert_int_eq(send(c->fd, all, len, 0), (ssize_t)len);
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	ck_assert_uint_gt(conn->out.len, 0);
	ck_assert_uint_lt(conn->out.len, 400000);
	ck_assert(server_turn(server));
	for (uint64_t rid = 1; rid <= TABLES; rid++)
		expect(c, QP_OP_QUEUES, rid, QP_OK);
	ck_assert(!server_turn(server));
	free(all);
	client_end(c);
}
END_TEST

/* Somebody has asked at `asked_ns`. Returns how much of the body a turn reads then. */
static size_t
moved(struct conn *conn, uint64_t asked_ns)
{
	size_t before = conn->in.body_got;

	server->asked_ns = asked_ns;
	turn();
	return conn->in.body_got - before;
}

START_TEST(a_large_body_moves_in_what_others_leave)
{
	struct client *c = client_new();
	struct conn *conn = TAILQ_FIRST(&server->conns);
	uint8_t *body = calloc(1, 10 << 20);
	size_t len;
	uint8_t *bytes = request_bytes(
		&(struct qp_request){.op = QP_OP_PUT, .rid = 2, .queue = q}, body, 10 << 20,
		&len);

	server->limits.max_item = 10 << 20;
	send_bytes(c, bytes, 200000);
	turn();
	ck_assert_ptr_nonnull(conn->in.body);
	server->asked_ns = 0;
	while (moved(conn, 0) > 0)
		;
	ck_assert_int_eq(send(c->fd, bytes + 200000, 150000, 0), 150000);
	server->bulk.moved_ns = server->now_ns = server_now_ns();
	ck_assert_uint_eq(moved(conn, server->now_ns), 0);
	server->bulk.moved_ns = 0;
	ck_assert_uint_eq(moved(conn, server_now_ns()), SHARE_LEAST);
	ck_assert_uint_gt(moved(conn, 0), 0);
	for (size_t at = 350000; at < len; at += 150000)
		send_bytes(c, bytes + at, len - at < 150000 ? len - at : 150000);
	expect(c, QP_OP_PUT, 2, QP_OK);
	free(bytes);
	free(body);
	client_end(c);
}
END_TEST

START_TEST(a_client_that_rests_can_end_before_its_next_turn)
{
	struct client *c = client_new();
	uint8_t *body = calloc(1, 300000);

	put(c, 2, body, 300000);
	expect(c, QP_OP_PUT, 2, QP_OK);
	for (uint64_t rid = 3; rid < 40; rid++) {
		size_t len;
		uint8_t *bytes = request_bytes(
			&(struct qp_request){.op = QP_OP_PEEK, .rid = rid, .queue = q},
			"", 0, &len);

		ck_assert_int_eq(send(c->fd, bytes, len, 0), (ssize_t)len);
		free(bytes);
	}
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	close(c->fd);
	for (int i = 0; i < MAX_TURNS && server->n_conns > 0; i++)
		turn();
	ck_assert_uint_eq(server->n_conns, 0);
	free(body);
	free(c);
}
END_TEST

START_TEST(before_hello_nothing_else_is_taken)
{
	struct client *c = client_raw();

	ask(c, &(struct qp_request){.op = QP_OP_PING, .rid = 1}, "", 0);
	expect(c, 0, 0, QP_BAD_STATE);
	expect_closed(c);
	client_end(c);
	c = client_raw();
	send_bytes(c, "\x00\x00\x10\x01\x00\x00\x00\x00", 8);
	expect(c, 0, 0, QP_MALFORMED);
	expect_closed(c);
	client_end(c);
	c = client_raw();
	send_bytes(c, "\x00\x00\x00\x10\x00\x00\x00\x01", 8);
	expect(c, 0, 0, QP_MALFORMED);
	expect_closed(c);
	client_end(c);
}
END_TEST

START_TEST(before_hello_a_connection_costs_little_whatever_it_sends)
{
	static const uint8_t session[QP_SESSION_BYTES];
	struct client *c = client_raw();
	struct conn *conn = TAILQ_FIRST(&server->conns);
	size_t sent = 0, len;
	uint8_t *bytes =
		request_bytes(&(struct qp_request){.op = QP_OP_HELLO,
						   .rid = 1,
						   .version = 0,
						   .session = {(const char *)session,
							       QP_SESSION_BYTES}},
			      "", 0, &len);

	for (int i = 0; i < MAX_TURNS; i++) {
		if (send(c->fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len)
			sent++;
		else
			break;
		turn();
		ck_assert_uint_lt(conn->in.len + conn->out.len, 10000);
	}
	ck_assert_uint_gt(sent, 300);
	ck_assert_uint_lt(sent, MAX_TURNS);
	for (size_t i = 0; i < sent; i++)
		expect(c, QP_OP_HELLO, 1, QP_INVALID);
	free(bytes);
	client_end(c);
}
END_TEST

START_TEST(a_broken_frame_closes_only_its_own_connection)
{
	static const struct {
		const char *bytes;
		size_t len;
	} broken[] = {
		{"\0\0\0\0\0\0\0\0", 8},
		{"\0\1\0\1\0\0\0\0", 8},
		{"\377\377\377\377\377\377\377\377", 8},
		{"\0\0\0\1\0\0\0\0\300", 9},
		{"\0\0\0\5\0\0\0\0\335\4\0\0\0", 13},
	};
	struct client *d = client_new();

	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		struct client *c = client_new();

		send_bytes(c, broken[i].bytes, broken[i].len);
		expect(c, 0, 0, QP_MALFORMED);
		expect_closed(c);
		client_end(c);
		ask(d, &(struct qp_request){.op = QP_OP_PING, .rid = 2}, "", 0);
		expect(d, QP_OP_PING, 2, QP_OK);
	}
	client_end(d);
}
END_TEST

START_TEST(a_connection_too_many_is_told_so)
{
	struct client *c[4], *d;

	for (int i = 0; i < 4; i++)
		c[i] = client_new();
	d = client_raw();
	expect(d, 0, 0, QP_LIMIT);
	expect_closed(d);
	client_end(d);
	for (int i = 0; i < 4; i++)
		client_end(c[i]);
	ck_assert_uint_eq(server->n_conns, 0);
}
END_TEST

START_TEST(stopping_is_said_to_everybody)
{
	struct client *c = client_new(), *d = client_raw();

	get(c, 2, QP_FOREVER);
	server_stop(server);
	expect(c, 0, 0, QP_STOPPING);
	expect_closed(c);
	expect(d, 0, 0, QP_STOPPING);
	expect_closed(d);
	ck_assert_uint_eq(server->n_conns, 0);
	client_end(c);
	client_end(d);
}
END_TEST

START_TEST(batches_are_split_and_joined)
{
	static const int64_t lengths[] = {3, 0, 5};
	struct client *c = client_new();
	struct answer a;
	struct qp_item item;

	ask(c,
	    &(struct qp_request){.op = QP_OP_PUT_MANY,
				 .rid = 2,
				 .queue = q,
				 .lengths = {.n = 3, .numbers = lengths}},
	    "abcdefgh", 8);
	answer(c, QP_OP_PUT_MANY, &a);
	ck_assert_uint_eq(a.reply.results.n, 3);
	ask(c,
	    &(struct qp_request){.op = QP_OP_PUT_MANY,
				 .rid = 3,
				 .queue = q,
				 .lengths = {.n = 3, .numbers = lengths}},
	    "abcdefg", 7);
	expect(c, QP_OP_PUT_MANY, 3, QP_INVALID);
	ask(c,
	    &(struct qp_request){
		    .op = QP_OP_GET_MANY, .rid = 4, .queue = q, .max_items = 10},
	    "", 0);
	answer(c, QP_OP_GET_MANY, &a);
	ck_assert_uint_eq(a.reply.items.n, 3);
	ck_assert_uint_eq(a.body_len, 8);
	ck_assert_mem_eq(a.body, "abcdefgh", 8);
	for (int i = 0; i < 3; i++) {
		item = qp_item_next(&a.reply.items);
		ck_assert_int_eq((int64_t)item.length, lengths[i]);
		ck_assert_uint_eq(item.delivery, 1);
	}
	client_end(c);
}
END_TEST

/* Says something by itself to the only session. */
static void
notice(uint64_t left_ms)
{
	struct qp_options options = {0};

	QP_GIVE(&options, left_ms, left_ms);
	deliver_notice(TAILQ_FIRST(&server->sessions), QP_NOTICE_LEASE_ENDING,
		       &options);
}

/* Sends without turning the loop. */
static void
send_request(struct client *c, const struct qp_request *m, const char *body)
{
	size_t len;
	uint8_t *bytes = request_bytes(m, body, strlen(body), &len);

	ck_assert_int_eq(send(c->fd, bytes, len, 0), (ssize_t)len);
	free(bytes);
}

/* In whichever order the loop comes to them. */
START_TEST(a_get_does_not_overtake_one_that_waited)
{
	const struct qp_request again = {
		.op = QP_OP_GET, .rid = 3, .queue = q, .timeout_ms = QP_FOREVER};
	struct client *c = client_new(), *d = client_new();

	get(c, 2, QP_FOREVER);
	turn(); /* or the system will name its connection first */
	if (_i == 0)
		send_request(c, &again, "");
	for (uint64_t rid = 2; rid < 4; rid++)
		send_request(d,
			     &(struct qp_request){
				     .op = QP_OP_PUT, .rid = rid, .queue = q},
			     rid == 2 ? "first" : "second");
	if (_i == 1)
		send_request(c, &again, "");
	turn();
	expect_item(c, 2, "first", 5);
	expect_item(c, 3, "second", 6);
	client_end(c);
	client_end(d);
}
END_TEST

START_TEST(notices_go_to_who_asked_and_reads)
{
	struct client *c = client_new();
	struct qp_request ping = {.op = QP_OP_PING, .rid = 2};
	struct answer a;

	notice(1);
	QP_GIVE(&ping.options, notices, 1);
	ask(c, &ping, "", 0);
	expect(c, QP_OP_PING, 2, QP_OK);
	notice(2);
	answer(c, 0, &a);
	ck_assert_uint_eq(a.reply.notice, QP_NOTICE_LEASE_ENDING);
	ck_assert_uint_eq(a.reply.options.left_ms, 2);
	server->limits.output_high = 100;
	for (uint64_t i = 0; i < 1000; i++)
		notice(i);
	ck_assert_uint_lt(server->dirty.tqh_first->out.len, 200);
	turn(); /* a reader that has stopped would miss them */
	ping.options.notices = 0;
	ask(c, &ping, "", 0);
	for (uint64_t i = 0; answer(c, QP_OP_PING, &a), a.reply.rid == 0; i++)
		ck_assert_uint_eq(a.reply.options.left_ms, i);
	notice(3);
	ping.options.present = 0;
	ask(c, &ping, "", 0);
	expect(c, QP_OP_PING, 2, QP_OK);
	client_end(c);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("net");
	TCase *t = tcase_create("net");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_dialogue_cut_at_every_byte_is_understood);
	tcase_add_test(t, many_requests_in_one_write_are_all_answered);
	tcase_add_test(t, large_bodies_come_back_as_they_went);
	tcase_add_test(t,
		       a_body_that_is_too_big_is_thrown_away_and_the_connection_lives);
	tcase_add_test(t, a_wait_does_not_hold_up_what_comes_behind_it);
	tcase_add_test(t, what_a_dead_client_held_goes_to_the_next_and_says_so);
	tcase_add_test(t, an_orderly_close_counts_no_crash_and_is_answered_last);
	tcase_add_test(t, a_dead_producer_leaves_no_ghost_and_no_half_item);
	tcase_add_test(t, a_reader_that_stops_is_not_read_and_gets_everything_later);
	tcase_add_test(t,
		       what_was_sent_before_the_end_is_handled_though_answers_are_due);
	tcase_add_test(t, what_waits_for_a_reader_that_stops_counts_as_memory);
	tcase_add_test(t, a_turn_answers_a_share_however_much_was_asked_for);
	tcase_add_test(t, a_large_body_moves_in_what_others_leave);
	tcase_add_test(t, a_client_that_rests_can_end_before_its_next_turn);
	tcase_add_test(t, before_hello_nothing_else_is_taken);
	tcase_add_test(t, before_hello_a_connection_costs_little_whatever_it_sends);
	tcase_add_test(t, a_broken_frame_closes_only_its_own_connection);
	tcase_add_test(t, a_connection_too_many_is_told_so);
	tcase_add_test(t, stopping_is_said_to_everybody);
	tcase_add_test(t, batches_are_split_and_joined);
	tcase_add_loop_test(t, a_get_does_not_overtake_one_that_waited, 0, 2);
	tcase_add_test(t, notices_go_to_who_asked_and_reads);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
