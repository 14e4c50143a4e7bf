/* SPDX-License-Identifier: MIT
 * Puts and gets of many that are started, in a queue that has room for two items: a batch is accepted in
 * parts, and given in other ones. */
#include "tests/system/cuts.h"

static char got[16];
static unsigned n_got, n_put;
static int64_t last_id;

static void
note_put(qb *handle, uint64_t request, qb_result result, const int64_t *ids, unsigned n,
	 void *arg)
{
	ck_assert_msg(result == QB_OK, "%s", qb_error(handle));
	for (unsigned i = 0; i < n; i++) {
		ck_assert_int_gt(ids[i], last_id);
		last_id = ids[i];
	}
	n_put += n;
}

/* Finishes each as soon as it comes, and asks for more. */
static void
note_got(qb *handle, uint64_t request, qb_result result, qb_item *const *items,
	 unsigned n, void *arg)
{
	ck_assert_msg(result == QB_OK, "%s", qb_error(handle));
	for (unsigned i = 0; i < n; i++) {
		ck_assert_uint_eq(qb_item_deliveries(items[i]), 1);
		got[n_got++] = *(const char *)qb_item_body(items[i]);
		ok(qb_ack_start(handle, items[i]));
		qb_item_free(items[i]);
	}
	if (n_got < 8)
		ok(qb_start_get_many(handle, "jobs", NULL, QB_FOREVER, QB_MANUAL,
				     8 - n_got, 1, 0, 0, note_got, NULL, NULL));
}

static void
start_put(const char *bodies, int atomic)
{
	struct iovec parts[4];
	unsigned n = 0;

	for (; bodies[n]; n++)
		parts[n] = (struct iovec){(void *)(bodies + n), 1};
	ok(qb_start_put_many(q, "jobs", NULL, parts, n, atomic, QB_FOREVER, note_put,
			     NULL, NULL));
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
	n_got = n_put = 0;
	last_id = 0;
	memset(got, 0, sizeof(got));
	bound("maxsize=2");
	start_put("abcd", 0);
	start_put("ef", 1);
	start_put("gh", 0);
	ok(qb_start_get_many(q, "jobs", NULL, QB_FOREVER, QB_MANUAL, 3, 2, 0, 0,
			     note_got, NULL, NULL));
	ok(qb_wait(q, QB_FOREVER));
	ck_assert_str_eq(got, "abcdefgh");
	ck_assert_uint_eq(n_put, 8);
	ok(qb_join(q, "jobs", QB_FOREVER));
	bound("maxsize=0");
}

const struct cut_dialogue cut_batches = {
	talk, {{"accepted", 8}, {"delivered", 8}, {"finished", 8}}};
