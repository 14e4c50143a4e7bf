/* SPDX-License-Identifier: MIT
 * A request that takes several turns of the loop: an item is searched for among many. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/daemon/net_kit.h"
#include "tests/lib/run.h"

#define MANY 5000

static uint64_t last; /* the id of an item that is behind all others */

/* Each in a group of its own: there is no way but to look at all. */
static void
fill(struct client *c)
{
	struct qp_request m = {.op = QP_OP_PUT, .queue = q};
	struct answer a;
	char group[16];

	for (int i = 0; i < MANY; i++) {
		int len = snprintf(group, sizeof(group), "g%d", i);

		QP_GIVE(&m.options, group, ((struct qp_str){group, (uint32_t)len}));
		m.rid = 100;
		ask(c, &m, "x", 1);
		answer(c, QP_OP_PUT, &a);
		last = a.reply.id;
	}
}

static void
ask_delete(struct client *c, uint64_t rid, uint64_t id)
{
	ask(c,
	    &(struct qp_request){
		    .op = QP_OP_DELETE_ITEM, .rid = rid, .queue = q, .id = id},
	    "", 0);
}

static void
ask_ping(struct client *c, uint64_t rid)
{
	ask(c, &(struct qp_request){.op = QP_OP_PING, .rid = rid}, "", 0);
}

START_TEST(what_comes_behind_it_waits_and_others_do_not)
{
	struct client *c = client_new(), *other = client_new();

	fill(c);
	ask_ping(c, 1);
	ask_delete(c, 2, last);
	ask_ping(c, 3);
	ask_delete(c, 4, last);
	ask_ping(other, 5);
	turn();
	expect(other, QP_OP_PING, 5, QP_OK);
	expect(c, QP_OP_PING, 1, QP_OK);
	ck_assert_uint_eq(c->len, 0);
	expect(c, QP_OP_DELETE_ITEM, 2, QP_OK);
	expect(c, QP_OP_PING, 3, QP_OK);
	expect(c, QP_OP_DELETE_ITEM, 4, QP_NOT_FOUND);
	client_end(c);
	client_end(other);
}
END_TEST

START_TEST(who_looks_through_all_queues)
{
	static const struct qp_str other = {"other", 5};
	struct client *c = client_new();
	struct answer a;

	fill(c);
	ask(c, &(struct qp_request){.op = QP_OP_PUT, .rid = 1, .queue = other}, "x", 1);
	expect(c, QP_OP_PUT, 1, QP_OK);
	for (int i = 0; i < 2; i++) {
		const char *text =
			i ? "is finished or gone" : "waits in the queue other";

		ask(c, &(struct qp_request){.op = QP_OP_WHO, .rid = 2, .id = last + 1},
		    "", 0);
		ask_ping(c, 3);
		turn();
		ck_assert_uint_eq(c->len, 0);
		answer(c, QP_OP_WHO, &a);
		ck_assert_uint_eq(a.reply.status, QP_NOT_FOUND);
		ck_assert_ptr_nonnull(
			memmem(a.reply.text.p, a.reply.text.len, text, strlen(text)));
		expect(c, QP_OP_PING, 3, QP_OK);
		ask(c,
		    &(struct qp_request){.op = QP_OP_PURGE, .rid = 4, .queue = other},
		    "", 0);
		expect(c, QP_OP_PURGE, 4, QP_OK);
	}
	client_end(c);
}
END_TEST

START_TEST(it_ends_with_its_connection)
{
	struct client *c = client_new(), *other = client_new();

	fill(other);
	ask_delete(c, 2, last);
	turn();
	conn_close(TAILQ_FIRST(&server->conns), CLOSE_died);
	for (int i = 0; i < 20; i++)
		turn();
	ask_delete(other, 3, last);
	expect(other, QP_OP_DELETE_ITEM, 3, QP_OK);
	client_end(other);
	client_end(c);
}
END_TEST

START_TEST(it_ends_with_the_broker)
{
	struct client *c = client_new();

	fill(c);
	ask_delete(c, 2, last);
	turn();
	server_stop(server);
	turn();
	free(c);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("repeat");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, what_comes_behind_it_waits_and_others_do_not);
	tcase_add_test(t, who_looks_through_all_queues);
	tcase_add_test(t, it_ends_with_its_connection);
	tcase_add_test(t, it_ends_with_the_broker);
	return run_case("repeat", t);
}
