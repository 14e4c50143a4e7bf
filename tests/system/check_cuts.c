/* SPDX-License-Identifier: MIT
 * Links that are cut, over a proxy, between the real library and the real daemon: whatever was on its
 * way, each request has exactly one effect. */
#include "tests/lib/daemon.h"
#include "tests/lib/proxy.h"
#include "tests/lib/run.h"
#include "tests/system/cuts.h"

static const struct cut_dialogue *const dialogues[] = {
	&cut_usual,   &cut_gathered, &cut_nack,	      &cut_bury,
	&cut_update,  &cut_keys,     &cut_groups,     &cut_times,
	&cut_get_any, &cut_move,     &cut_administer, &cut_batches};
#define N_DIALOGUES (int)(sizeof(dialogues) / sizeof(*dialogues))

qb *q;

static struct daemon d = {.tcp = {"tcp://127.0.0.1:0"}};
static struct proxy p;
static qb *direct; /* not over the proxy */

static void
check_number(const qb_table *t, const char *column, int64_t n)
{
	int64_t is = -1;

	ck_assert_int_eq(qb_table_number(t, 0, column, &is), 1);
	ck_assert_msg(is == n, "%s is %jd and not %jd", column, (intmax_t)is,
		      (intmax_t)n);
}

/* Each request has had its effect once, in each of so many dialogues. */
static void
check_books(const struct cut_dialogue *dialogue, int64_t rounds)
{
	qb_table *t;

	ck_assert_int_eq(qb_queues(direct, "jobs", &t), QB_OK);
	for (int i = 0; i < CUTS_COLUMNS && dialogue->counts[i].column; i++)
		check_number(t, dialogue->counts[i].column,
			     rounds * dialogue->counts[i].n);
	check_number(t, "crashed", 0);
	check_number(t, "unfinished", 0);
	check_number(t, "dead", 0);
	check_number(t, "getters", 0);
	qb_table_free(t);
}

/* How many bytes a dialogue takes this way when nothing happens to it. */
static uint64_t
measure(const struct cut_dialogue *dialogue, enum proxy_way way)
{
	uint64_t bytes;

	ok(qb_open(p.address, &q));
	dialogue->talk();
	bytes = proxy_counts(&p).bytes[way];
	qb_close(q);
	return bytes;
}

static void
talk_and_be_cut(const struct cut_dialogue *dialogue, enum proxy_way way, uint64_t after)
{
	proxy_plan(&p, (struct proxy_rule){PROXY_CUT, way, after});
	q = NULL;
	if (qb_open(p.address, &q) != QB_OK) { /* HELLO was cut */
		qb_close(q);
		q = NULL;
		ok(qb_open(p.address, &q));
	}
	dialogue->talk();
	qb_close(q);
}

START_TEST(a_link_may_be_cut_after_every_byte)
{
	const struct cut_dialogue *dialogue = dialogues[_i / 4];
	enum proxy_way way = _i % 2 ? PROXY_UP : PROXY_DOWN;
	uint64_t all, after;

	daemon_start(&d, NULL);
	proxy_start(&p, _i / 2 % 2 ? "tcp" : "unix",
		    _i / 2 % 2 ? d.tcp_address[0] : d.address);
	ck_assert_int_eq(qb_open(d.address, &direct), QB_OK);
	ck_assert_int_eq(qb_declare(direct, "jobs", NULL, 0, NULL), QB_OK);
	all = measure(dialogue, way);
	check_books(dialogue, 1);
	ck_assert_uint_gt(all, 100);
	for (after = 0; after < all; after++) {
		talk_and_be_cut(dialogue, way, after);
		check_books(dialogue, 2 + (int64_t)after);
	}
	ck_assert_uint_ge(proxy_counts(&p).cuts, all);
	qb_close(direct);
	proxy_stop(&p);
	daemon_stop(&d);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("cuts");

	/* Each over Unix sockets and TCP, cut either way. */
	tcase_add_loop_test(t, a_link_may_be_cut_after_every_byte, 0, 4 * N_DIALOGUES);
	return run_long_case("cuts", t, 60);
}
