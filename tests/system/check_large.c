/* SPDX-License-Identifier: MIT
 * Much of everything in durable queues: many queues, large bodies, more puts than anybody reads the
 * answers of. QB_QUEUES says how many queues (2000). */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/run.h"
#include "tests/lib/wire.h"
#include "tests/system/kept.h"

#define LARGE ((size_t)64 << 20)
#define PUTS  100000


static void
start(void)
{
	daemon_start(&d, "--set", state, "--set", "output_high=256K", "--set",
		     "output_low=64K", NULL);
}

static void
setup(void)
{
	kept_begin();
	start();
	ck_assert_int_eq(qb_open(d.address, &q), QB_OK);
}

static void
teardown(void)
{
	qb_close(q);
	daemon_stop(&d);
}

static void
restart(void)
{
	int64_t before;

	daemon_kill(&d);
	before = now_ms();
	start();
	printf("started in %lld ms, resident %ld KiB\n", (long long)(now_ms() - before),
	       daemon_resident(&d) >> 10);
}

static void
declare(const char *queue, const char *durable)
{
	const char *options[] = {durable, NULL};

	ok(qb_declare(q, queue, options, 0, NULL));
}

/* --- many queues --------------------------------------------------------------------- */

static const char *
name_of(unsigned i)
{
	static char name[24];

	snprintf(name, sizeof(name), "queue.%u", i);
	return name;
}

START_TEST(many_durable_queues_outlive_a_killed_broker)
{
	const char *wanted = getenv("QB_QUEUES");
	unsigned n = wanted ? (unsigned)atoi(wanted) : 2000;
	qb_table *t;
	int64_t ready;

	for (unsigned i = 0; i < n; i++)
		declare(name_of(i), i % 10 ? "durable=async" : "durable=sync");
	for (unsigned i = 0; i < n; i++)
		ok(qb_put_start(q, name_of(i), &i, sizeof(i)));
	ok(qb_flush(q, QB_FOREVER));
	restart();
	if (!daemon_is_watched(&d))
		ck_assert_int_lt(daemon_resident(&d), (16 << 20) + (long)n * 4096);
	ok(qb_queues(q, NULL, &t));
	ck_assert_uint_eq(qb_table_rows(t), n);
	for (unsigned i = 0; i < n; i++) {
		ck_assert_int_eq(qb_table_number(t, i, "ready", &ready), 1);
		ck_assert_int_eq(ready, 1);
	}
	qb_table_free(t);
	for (unsigned i = 0; i < n; i++) {
		qb_item *item;

		ok(qb_get(q, name_of(i), 0, QB_AUTO, &item));
		ck_assert_mem_eq(qb_item_body(item), &i, sizeof(i));
		qb_item_free(item);
	}
}
END_TEST

/* --- large bodies -------------------------------------------------------------------- */

START_TEST(a_body_of_64_mib_outlives_a_killed_broker)
{
	char *body = malloc(LARGE);
	qb_item *item;

	ck_assert_ptr_nonnull(body);
	for (size_t i = 0; i < LARGE; i++)
		body[i] = (char)(i * 2654435761u >> 13);
	declare("jobs", "durable=sync");
	ok(qb_put(q, "jobs", body, LARGE, QB_FOREVER, NULL));
	restart();
	ok(qb_get(q, "jobs", 0, QB_MANUAL, &item));
	ck_assert_uint_eq(qb_item_size(item), LARGE);
	ck_assert_int_eq(memcmp(qb_item_body(item), body, LARGE), 0);
	ok(qb_ack(q, item));
	qb_item_free(item);
	free(body);
}
END_TEST

/* --- who does not read --------------------------------------------------------------- */

static void
others_are_served(struct wire *other)
{
	wire_put_text(other, "memory", "x");
	ck_assert_int_eq(wire_ack(other, wire_take_text(other, "memory", "x")), QP_OK);
}

/* And all that it waits for is on disk. */
static void
others_put(struct wire *other)
{
	others_are_served(other);
	ck_assert_uint_gt(wire_put_text(other, "durable", "x"), 0);
}

START_TEST(who_puts_and_never_reads_takes_bounded_memory_and_delays_nobody)
{
	static const char body[200];
	struct qp_request put = {.op = QP_OP_PUT, .queue = str("jobs")};
	struct wire slow, other;
	struct bytes b = {NULL, 0, 0};
	size_t sent;
	long before;

	declare("jobs", "durable=sync");
	declare("durable", "durable=sync");
	wire_open(&slow, d.address);
	wire_open(&other, d.address);
	for (put.rid = 1000; put.rid < 1000 + PUTS; put.rid++)
		bytes_request(&b, put, body, sizeof(body));
	before = daemon_resident(&d);
	sent = wire_write_until_stopped(&slow, &b, others_put, &other);
	ck_assert_msg(sent < b.len, "the broker has read all of %zu bytes", b.len);
	if (!daemon_is_watched(&d))
		ck_assert_int_lt(daemon_resident(&d) - before, 64 << 20);
	for (uint64_t rid = 1000; rid < 1000 + PUTS; rid++) {
		sent += wire_try_write(&slow, b.p + sent, b.len - sent);
		wire_expect(&slow, QP_OP_PUT, rid, QP_OK);
	}
	wire_close(&slow);
	wire_close(&other);
	restart();
	wire_open(&other, d.address);
	ck_assert_int_eq(queue_number(&other, "jobs", "ready"), PUTS);
	wire_close(&other);
	bytes_free(&b);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("large");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, many_durable_queues_outlive_a_killed_broker);
	tcase_add_test(t, a_body_of_64_mib_outlives_a_killed_broker);
	tcase_add_test(t,
		       who_puts_and_never_reads_takes_bounded_memory_and_delays_nobody);
	return run_long_case("large", t, 60);
}
