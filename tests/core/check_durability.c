/* SPDX-License-Identifier: MIT
 *
 * Which queues are durable, and when that changes.
 */
#include "tests/core/engine_kit.h"

#include <string.h>

#define DURABLE(d)                                  \
	(struct qe_declare)                         \
	{                                           \
		.has_durable = true, .durable = (d) \
	}

static void
setup(void)
{
	kit_limits((struct qe_config){.can_keep = true});
}

static enum qe_result
declare(const char *queue, struct qe_declare options)
{
	struct qe_queue_stats stats;
	bool created;

	return qe_declare(e, now, name(queue), &options, &created, &stats);
}

static enum qe_result
update(const char *queue, enum qe_durable durable)
{
	struct qe_declare options = DURABLE(durable);

	options.update = true;
	return declare(queue, options);
}

/* All queues become like this, but for what was declared. */
static enum qe_result
configure(enum qe_durable durable)
{
	struct qe_rule rule = {name("*"), name("a rule"), DURABLE(durable)};

	return qe_configure(e, now, &(struct qe_config){.rules = &rule, .n_rules = 1});
}

static enum qe_policy_from
source_of(const char *queue)
{
	struct qe_policy policy;

	ck_assert_int_eq(qe_policy(e, name(queue), &policy), QE_OK);
	return policy.sources[QE_OPTION_durable].from;
}

START_TEST(a_queue_is_not_durable_unless_it_is_declared)
{
	struct qe_declare sync = DURABLE(QE_SYNC), async = DURABLE(QE_ASYNC);
	struct qe_queue_stats stats = {0};
	bool created;

	setup();
	put_ok("plain", "a");
	ck_assert_int_eq(stats_of("plain").durable, QE_NOT_DURABLE);
	ck_assert_int_eq(declare("q", sync), QE_OK);
	ck_assert_int_eq(stats_of("q").durable, QE_SYNC);
	ck_assert_int_eq(declare("q", sync), QE_OK);
	ck_assert_int_eq(declare("q", (struct qe_declare){0}), QE_OK);
	ck_assert_int_eq(qe_declare(e, now, name("q"), &async, &created, &stats),
			 QE_MISMATCH);
	ck_assert_int_eq(stats.durable, QE_SYNC);
	ck_assert_int_eq(source_of("q"), QE_FROM_DECLARE);
}
END_TEST

/* Ready, delayed, leased, dead: each of them is an item. */
static void
fill(const char *queue, int state)
{
	if (state == 1)
		put_timed(queue, "a", now + 1000, QE_NEVER);
	else
		put_ok(queue, "a");
	if (state >= 2) {
		struct qe_tag tag = take(s1, queue, "a");

		if (state == 3)
			ck_assert_int_eq(qe_bury(e, now, s1, tag, name("")), QE_OK);
	}
}

START_TEST(it_becomes_durable_or_ceases_to_be_only_without_items)
{
	static const enum qe_durable kinds[] = {QE_NOT_DURABLE, QE_ASYNC, QE_SYNC};
	enum qe_durable has = kinds[_i % 3];

	setup();
	ck_assert_int_eq(declare("q", DURABLE(has)), QE_OK);
	fill("q", _i / 3);
	for (int i = 0; i < 3; i++) {
		bool may = (has == QE_NOT_DURABLE) == (kinds[i] == QE_NOT_DURABLE);
		enum qe_durable before = stats_of("q").durable;

		ck_assert_int_eq(update("q", kinds[i]), may ? QE_OK : QE_NOT_EMPTY);
		ck_assert_int_eq(stats_of("q").durable, may ? kinds[i] : before);
	}
	ck_assert_int_eq(qe_delete(e, now, name("q"), true), QE_OK);
}
END_TEST

START_TEST(a_refused_change_changes_nothing_else)
{
	struct qe_declare options = DURABLE(QE_SYNC);
	struct qe_queue_stats stats = {.durable = QE_SYNC};
	bool created;

	setup();
	put_ok("q", "a");
	options.update = options.has_maxsize = true;
	options.maxsize = 7;
	ck_assert_int_eq(qe_declare(e, now, name("q"), &options, &created, &stats),
			 QE_NOT_EMPTY);
	ck_assert_int_eq(stats.durable, QE_NOT_DURABLE);
	ck_assert_int_eq(stats_of("q").maxsize, 0);
	take(s1, "q", "a");
	ck_assert_int_eq(qe_task_done(e, now, s1, name("q")), QE_OK);
	ck_assert_int_eq(declare("q", options), QE_OK);
	ck_assert_int_eq(stats_of("q").durable, QE_SYNC);
	ck_assert_int_eq(update("q", QE_NOT_DURABLE), QE_OK);
	ck_assert_int_eq(stats_of("q").durable, QE_NOT_DURABLE);
}
END_TEST

START_TEST(a_rule_changes_queues_without_items_and_others_between_async_and_sync)
{
	setup();
	ck_assert_int_eq(declare("own", DURABLE(QE_ASYNC)), QE_OK);
	put_ok("full", "a");
	put_ok("empty", "a");
	take(s1, "empty", "a");
	ck_assert_int_eq(qe_task_done(e, now, s1, name("empty")), QE_OK);
	ck_assert_int_eq(configure(QE_ASYNC), QE_OK);
	ck_assert_int_eq(stats_of("empty").durable, QE_ASYNC);
	ck_assert_int_eq(source_of("empty"), QE_FROM_RULE);
	ck_assert_int_eq(stats_of("full").durable, QE_NOT_DURABLE);
	ck_assert_int_eq(source_of("full"), QE_FROM_BEFORE);
	put_ok("empty", "a");
	put_ok("new", "a");
	ck_assert_int_eq(stats_of("new").durable, QE_ASYNC);
	ck_assert_int_eq(configure(QE_SYNC), QE_OK);
	ck_assert_int_eq(stats_of("empty").durable, QE_SYNC);
	ck_assert_int_eq(stats_of("full").durable, QE_NOT_DURABLE);
	ck_assert_int_eq(stats_of("own").durable, QE_ASYNC);
	ck_assert_int_eq(configure(QE_NOT_DURABLE), QE_OK);
	ck_assert_int_eq(stats_of("empty").durable, QE_SYNC);
	ck_assert_int_eq(source_of("empty"), QE_FROM_BEFORE);
}
END_TEST

START_TEST(an_engine_that_can_keep_nothing_refuses_what_is_durable)
{
	struct qe_config config = {.durable = QE_ASYNC};

	ck_assert_int_eq(declare("q", DURABLE(QE_SYNC)), QE_INVALID);
	ck_assert_int_eq(qe_queue_stats(e, now, name("q"), &(struct qe_queue_stats){0}),
			 QE_NOT_FOUND);
	ck_assert_int_eq(declare("q", DURABLE(QE_NOT_DURABLE)), QE_OK);
	ck_assert_int_eq(update("q", QE_ASYNC), QE_INVALID);
	ck_assert_int_eq(configure(QE_SYNC), QE_INVALID);
	ck_assert_int_eq(configure(QE_NOT_DURABLE), QE_OK);
	config.can_keep = true; /* not while it runs */
	ck_assert_int_eq(qe_configure(e, now, &config), QE_INVALID);
	config.can_keep = false;
	ck_assert_ptr_null(qe_new(&config));
}
END_TEST

static void
add(TCase *tcase)
{
	tcase_add_test(tcase, a_queue_is_not_durable_unless_it_is_declared);
	tcase_add_loop_test(
		tcase, it_becomes_durable_or_ceases_to_be_only_without_items, 0, 12);
	tcase_add_test(tcase, a_refused_change_changes_nothing_else);
	tcase_add_test(
		tcase,
		a_rule_changes_queues_without_items_and_others_between_async_and_sync);
	tcase_add_test(tcase, an_engine_that_can_keep_nothing_refuses_what_is_durable);
}

int
main(void)
{
	return kit_main("durability", add);
}
