/* SPDX-License-Identifier: MIT
 * The n-th allocation fails, for every n: nothing crashes, nothing leaks (with the
 * address sanitizer or valgrind), and the handle can be used again. */
#include "client/client.h"
#include "tests/client/fixture.h"

#include <stdlib.h>
#include <string.h>

static const char large[300000];

/* --- allocations that fail (-Wl,--wrap) -------------------------------------------- */

static __thread long countdown = -1; /* of this thread alone: not of the fake broker */

static bool
fails(void)
{
	return countdown >= 0 && countdown-- == 0;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

void *
__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}

/* --- the calls --------------------------------------------------------------------- */

static unsigned failures, callbacks;

/* A call may succeed, or say that memory was short or what became of that. */
static bool
went_well(qb_result r)
{
	if (r == QB_OK)
		return true;
	if (r != QB_NO_MEMORY && r != QB_LOST && r != QB_STALE) {
		countdown = -1; /* Check allocates too */
		ck_abort_msg("%s", qb_result_name(r));
	}
	failures++;
	return false;
}

static void
count(qb *handle, uint64_t request, qb_result result, uint64_t id, qb_item *item,
      void *arg)
{
	callbacks++;
	(void)went_well(result);
	qb_item_free(item);
}

static void
count_put(qb *handle, uint64_t request, qb_result result, const int64_t *ids,
	  unsigned n, void *arg)
{
	callbacks++;
	(void)went_well(result);
}

static void
count_got(qb *handle, uint64_t request, qb_result result, qb_item *const *items,
	  unsigned n, void *arg)
{
	callbacks++;
	(void)went_well(result);
	for (unsigned i = 0; i < n; i++)
		qb_item_free(items[i]);
}

static void
puts_of_all_kinds(void)
{
	struct iovec bodies[2] = {{(void *)"one", 3}, {(void *)large, 20000}};

	(void)went_well(qb_put(q, "jobs", "x", 1, 0, NULL));
	(void)went_well(qb_put(q, "jobs", large, sizeof(large), 0, NULL));
	(void)went_well(qb_put_many(q, "jobs", bodies, 2, 0, 0, NULL));
	for (int i = 0; i < 200; i++)
		(void)went_well(qb_put_start(q, "jobs", large, 500));
	(void)went_well(qb_flush(q, QB_FOREVER));
}

static void
gets_of_all_kinds(void)
{
	qb_item *items[2], *item;
	qb_table *table;
	unsigned n;

	if (went_well(qb_get(q, "jobs", 0, QB_MANUAL, &item))) {
		(void)went_well(qb_ack(q, item));
		(void)went_well(qb_ack_start(q, item));
		qb_item_free(item);
	}
	if (went_well(qb_get(q, "jobs", 0, QB_AUTO, &item)))
		qb_item_free(item);
	if (went_well(qb_get_many(q, "jobs", 0, QB_MANUAL, 2, 1, 0, 0, items, &n))) {
		(void)went_well(qb_ack_many(q, items, n));
		qb_item_free(items[0]);
		qb_item_free(items[1]);
	}
	if (went_well(qb_queues(q, NULL, &table)))
		qb_table_free(table);
}

static void
started_requests(void)
{
	struct iovec bodies[2] = {{(void *)"one", 3}, {(void *)large, 20000}};
	unsigned started = 0;

	callbacks = 0;
	for (int i = 0; i < 3; i++) {
		started += went_well(qb_start_put_many(q, "jobs", NULL, bodies, 2, 0, 0,
						       count_put, NULL, NULL));
		started += went_well(qb_start_get_many(q, "jobs", NULL, 0, QB_AUTO, 2,
						       1, 0, 0, count_got, NULL, NULL));
	}
	for (int i = 0; i < 80; i++) {
		started += went_well(
			qb_start_put(q, "jobs", large, 900, 0, count, NULL, NULL));
		started += went_well(
			qb_start_get(q, "jobs", 0, QB_AUTO, count, NULL, NULL));
		started += went_well(
			qb_start_get(q, "jobs", 5, QB_AUTO, count, NULL, NULL));
	}
	(void)went_well(qb_wait(q, QB_FOREVER));
	countdown = -1; /* Check allocates too */
	ck_assert_uint_eq(callbacks, started);
}

START_TEST(any_allocation_may_fail)
{
	unsigned n = 0;

	fake_init(&fake);
	fake_run(&fake);
	do {
		failures = 0;
		countdown = n++;
		if (went_well(qb_open(fake.address, &q))) {
			puts_of_all_kinds();
			gets_of_all_kinds();
			started_requests();
			ck_assert_int_eq(qb_ping(q), QB_OK);
		}
		countdown = -1;
		qb_close(q);
		ck_assert_uint_lt(n, 2000);
	} while (failures > 0);
	ck_assert_uint_gt(n, 15);
	fake_done(&fake);
}
END_TEST

START_TEST(a_request_without_memory_changes_nothing)
{
	open_broker();
	for (int i = 0; i < 2; i++) {
		countdown = 0;
		ck_assert_int_eq(qb_put(q, "jobs", large, i ? 1000 : 1, 0, NULL),
				 QB_NO_MEMORY);
		ck_assert_int_eq(qb_put(q, "jobs", "x", 1, 0, NULL), QB_OK);
	}
	ck_assert_uint_eq(fake.n_conns, 1);
	ck_assert_uint_eq(fake.n_requests, 3);
	close_broker();
}
END_TEST

/* An item that there is no memory for is given back, and the connection lives on. */
START_TEST(an_item_without_memory_goes_back)
{
	qb_item *items[2], *item;
	unsigned n;

	fake_init(&fake);
	fake_run(&fake);
	ck_assert_int_eq(qb_open(fake.address, &q), QB_OK);
	ck_assert_int_eq(qb_ping(q), QB_OK);
	countdown = 1; /* the output block, then the item */
	ck_assert_int_eq(qb_get(q, "jobs", 0, QB_MANUAL, &item), QB_NO_MEMORY);
	ck_assert_int_eq(countdown, -1);
	ck_assert_ptr_null(item);
	ck_assert_int_eq(qb_ping(q), QB_OK);
	ck_assert_int_eq(fake_request(&fake, 3)->m.op, QP_OP_RELEASE);
	ck_assert_uint_eq(fake_request(&fake, 3)->m.id, 11);
	countdown = 2; /* the array, then the first item */
	ck_assert_int_eq(qb_get_many(q, "jobs", 0, QB_MANUAL, 2, 1, 0, 0, items, &n),
			 QB_NO_MEMORY);
	ck_assert_int_eq(qb_ping(q), QB_OK);
	ck_assert_uint_eq(fake_request(&fake, 6)->m.id, 21);
	ck_assert_uint_eq(fake_request(&fake, 7)->m.id, 22);
	ck_assert_uint_eq(fake.n_conns, 1);
	qb_close(q);
	fake_done(&fake);
}
END_TEST

/* The gets of two requests are answered together; the first item was finished when it was given. */
static void
answer_together(struct fake *f, struct fake_conn *c, const struct fake_request *r)
{
	struct qp_item rows[2] = {{.id = 11, .delivery = 1, .length = 3},
				  {.id = 12, .delivery = 1, .length = 3}};
	struct qp_reply reply = {
		.rid = r->m.rid - 1, .item_rows = rows, .items = {.n = 2}};

	if (++f->keep < 2)
		return;
	fake_refuse(c, QP_EMPTY, r->m.rid - 2, "nothing here");
	fake_refuse(c, QP_EMPTY, r->m.rid + 1, "nothing here");
	fake_reply(c, QP_OP_GET_RUN, &reply, "onetwo", 6);
}

static void
note_result(qb *handle, uint64_t request, qb_result result, uint64_t id, qb_item *item,
	    void *arg)
{
	failures += result == QB_NO_MEMORY;
	qb_item_free(item);
}

START_TEST(of_gets_that_are_answered_together_each_gives_back_its_own)
{
	open_broker();
	failures = 0;
	fake.on[QP_OP_GET_RUN] = answer_together;
	for (int i = 0; i < 4; i++)
		ok(qb_start_get(q, "jobs", QB_FOREVER, i < 2 ? QB_NONE : QB_MANUAL,
				note_result, NULL, NULL));
	ok(qb_send(q));
	countdown = 0; /* the array of the items */
	ok(qb_wait(q, QB_FOREVER));
	ck_assert_int_eq(countdown, -1);
	ck_assert_uint_eq(failures, 2);
	ok(qb_ping(q));
	ck_assert_int_eq(fake_request(&fake, 3)->m.op, QP_OP_RELEASE);
	ck_assert_uint_eq(fake_request(&fake, 3)->m.id, 12);
	ck_assert_int_eq(fake_request(&fake, 4)->m.op, QP_OP_PING);
	close_broker();
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("memory");

	tcase_add_test(t, any_allocation_may_fail);
	tcase_add_test(t, a_request_without_memory_changes_nothing);
	tcase_add_test(t, an_item_without_memory_goes_back);
	tcase_add_test(t, of_gets_that_are_answered_together_each_gives_back_its_own);
	return run_case(t);
}
