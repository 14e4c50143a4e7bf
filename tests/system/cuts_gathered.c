/* SPDX-License-Identifier: MIT
 * Requests that share frames, in a queue that has room for two items: puts and gets are answered in
 * parts. */
#include "tests/system/cuts.h"

#define MOST 8

static qb_item *items[MOST];
static unsigned taken;

/* Finishes each as soon as it comes; the acks gather. */
static void
note_item(qb *handle, uint64_t request, qb_result result, uint64_t id, qb_item *item,
	  void *arg)
{
	ck_assert_msg(result == QB_OK, "%s", qb_error(handle));
	ck_assert_ptr_null(*(qb_item **)arg);
	*(qb_item **)arg = item;
	ok(qb_ack_start(handle, item));
	taken++;
}

static void
start_puts(const char *bodies)
{
	for (size_t i = 0; bodies[i]; i++)
		ok(qb_put_start(q, "jobs", bodies + i, 1));
}

static void
start_gets(const char *bodies)
{
	taken = 0;
	for (size_t i = 0; bodies[i]; i++) {
		items[i] = NULL;
		ok(qb_start_get(q, "jobs", i % 4 ? QB_FOREVER : 60000, QB_MANUAL,
				note_item, &items[i], NULL));
	}
}

static void
take_all(const char *bodies)
{
	ok(qb_wait(q, QB_FOREVER));
	ok(qb_flush(q, QB_FOREVER));
	ck_assert_uint_eq(taken, strlen(bodies));
	for (size_t i = 0; bodies[i]; i++) {
		ck_assert_int_eq(*(const char *)qb_item_body(items[i]), bodies[i]);
		ck_assert_uint_eq(qb_item_deliveries(items[i]), 1);
		qb_item_free(items[i]);
	}
}

static void
bound(const char *maxsize)
{
	const char *const options[] = {maxsize, NULL};

	ok(qb_declare(q, "jobs", options, 1, NULL));
}

static void
talk(void)
{
	bound("maxsize=2");
	start_puts("abcdefg");
	start_gets("abcdefg");
	take_all("abcdefg");
	start_gets("hijkl");
	(void)qb_send(q); /* what is lost now is sent again later */
	start_puts("hijkl");
	take_all("hijkl");
	ok(qb_join(q, "jobs", QB_FOREVER));
	bound("maxsize=0");
}

const struct cut_dialogue cut_gathered = {
	talk, {{"accepted", 12}, {"delivered", 12}, {"finished", 12}}};
