/* SPDX-License-Identifier: MIT
 *
 * What the configuration says of queues: patterns, who wins, what a new configuration
 * changes and what it leaves alone.
 */
#include "tests/core/engine_kit.h"

#include <stdio.h>
#include <string.h>

#define MAXSIZE(n)                                  \
	{                                           \
		.has_maxsize = true, .maxsize = (n) \
	}
#define ORDER(o)                                \
	{                                       \
		.has_order = true, .order = (o) \
	}

static struct qe_rule rules[8];
static struct qe_config config;

/* One more rule; what was said before is weaker. */
static void
rule(const char *pattern, const char *source, struct qe_declare says)
{
	rules[config.n_rules++] = (struct qe_rule){name(pattern), name(source), says};
}

static void
configure(void)
{
	config.rules = rules;
	ck_assert_int_eq(qe_configure(e, now, &config), QE_OK);
	memset(rules, 0x55, sizeof(rules)); /* they have been copied */
	config = (struct qe_config){0};
}

static struct qe_policy
policy_of(const char *queue)
{
	struct qe_policy policy;

	ck_assert_int_eq(qe_policy(e, name(queue), &policy), QE_OK);
	return policy;
}

static void
source_is(const char *queue, enum qe_queue_option option, enum qe_policy_from from,
	  const char *text)
{
	struct qe_policy policy = policy_of(queue);

	ck_assert_int_eq(policy.sources[option].from, from);
	ck_assert_uint_eq(policy.sources[option].rule.len, strlen(text));
	if (text[0]) /* else it has no name, not even an empty one */
		ck_assert_mem_eq(policy.sources[option].rule.p, text, strlen(text));
}

static void
declare(const char *queue, struct qe_declare options, enum qe_result expected)
{
	struct qe_queue_stats stats;
	bool created;

	ck_assert_int_eq(qe_declare(e, now, name(queue), &options, &created, &stats),
			 expected);
}

START_TEST(patterns_have_stars_question_marks_and_backslashes)
{
	static const struct {
		const char *pattern, *yes, *no;
	} cases[] = {
		{"img", "img", "img2"},
		{"img.*", "img.", "img"},
		{"img.*", "img.a/b", "imgx"},
		{"*", "anything/at all", NULL},
		{"**", "x", NULL},
		{"?", "x", "xy"},
		{"a?c", "abc", "ac"},
		{"*.log", "a.log.log", "a.log."},
		{"a*b*c", "aXbYbZc", "aXbYbZ"},
		{"*a*", "bab", "bbb"},
		{"*ab", "aab", "aba"},
		{"\\*", "*", "x"},
		{"a\\?b", "a?b", "axb"},
		{"\\\\", "\\", "\\\\"},
		{"?\?", "\xc3\xa4", "x"},
		{"a*", "a", "b"},
		{"*\\*", "ab*", "ab"},
		{"*a?", "aaab", "aabb"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rule(cases[i].pattern, "s", (struct qe_declare)MAXSIZE(7));
		configure();
		ck_assert_msg(policy_of(cases[i].yes).has.maxsize == 7,
			      "'%s' does not match '%s'", cases[i].pattern,
			      cases[i].yes);
		ck_assert_msg(!cases[i].no || policy_of(cases[i].no).has.maxsize == 0,
			      "'%s' matches '%s'", cases[i].pattern, cases[i].no);
	}
}
END_TEST

START_TEST(a_pattern_of_many_stars_takes_no_longer_than_others)
{
	char pattern[256] = "", text[256];

	for (int i = 0; i < 120; i++)
		strcat(pattern, "*a");
	strcat(pattern, "b");
	memset(text, 'a', 255);
	text[255] = 0;
	rule(pattern, "s", (struct qe_declare)MAXSIZE(7));
	configure();
	ck_assert_int_eq(policy_of(text).has.maxsize, 0);
	text[254] = 'b';
	ck_assert_int_eq(policy_of(text).has.maxsize, 7);
}
END_TEST

START_TEST(of_the_rules_that_match_the_last_wins_for_each_option)
{
	config.maxsize = 100;
	rule("*", "all", (struct qe_declare)MAXSIZE(1));
	rule("a*", "a", (struct qe_declare)ORDER(QE_LIFO));
	rule("ab", "ab", (struct qe_declare)MAXSIZE(2));
	configure();
	put_ok("ab", "x");
	ck_assert_int_eq(stats_of("ab").maxsize, 2);
	ck_assert_int_eq(stats_of("ab").order, QE_LIFO);
	source_is("ab", QE_OPTION_maxsize, QE_FROM_RULE, "ab");
	source_is("ab", QE_OPTION_order, QE_FROM_RULE, "a");
	source_is("ab", QE_OPTION_max_bytes, QE_FROM_DEFAULT, "");
	ck_assert_int_eq(policy_of("not there").has.maxsize, 1);
	ck_assert_int_eq(put(s1, 1, "ab", "y", NO_WAIT), QE_OK);
	ck_assert_int_eq(put(s1, 1, "ab", "z", NO_WAIT), QE_FULL_ITEMS);
}
END_TEST

START_TEST(a_new_configuration_changes_queues_but_not_what_was_declared)
{
	put_ok("made", "x");
	declare("declared", (struct qe_declare)MAXSIZE(5), QE_OK);
	rule("*", "all",
	     (struct qe_declare){.has_maxsize = true,
				 .maxsize = 3,
				 .has_max_bytes = true,
				 .max_bytes = 9});
	configure();
	ck_assert_int_eq(stats_of("made").maxsize, 3);
	ck_assert_int_eq(stats_of("declared").maxsize, 5);
	ck_assert_uint_eq(stats_of("declared").max_bytes, 9);
	source_is("declared", QE_OPTION_maxsize, QE_FROM_DECLARE, "all");
	source_is("declared", QE_OPTION_max_bytes, QE_FROM_RULE, "all");

	/* To ask for what it has is to count on it. */
	declare("made", (struct qe_declare)MAXSIZE(3), QE_OK);
	declare("made", (struct qe_declare){.has_max_bytes = true, .max_bytes = 8},
		QE_MISMATCH);
	configure();
	ck_assert_int_eq(stats_of("made").maxsize, 3);
	ck_assert_uint_eq(stats_of("made").max_bytes, 0);
	ck_assert_uint_eq(stats_of("declared").max_bytes, 0);
	source_is("made", QE_OPTION_max_bytes, QE_FROM_DEFAULT, "");
}
END_TEST

START_TEST(a_larger_bound_lets_puts_go_on)
{
	rule("q", "s", (struct qe_declare)MAXSIZE(1));
	configure();
	put_ok("q", "a");
	ck_assert_int_eq(put(s1, 1, "q", "b", QE_NEVER), QE_WAIT);
	rule("q", "s", (struct qe_declare)MAXSIZE(2));
	configure();
	expect(s1, 1, QE_OK);
}
END_TEST

START_TEST(the_order_changes_while_the_queue_is_empty_and_else_at_the_next_chance)
{
	put_ok("q", "a");
	put_ok("q", "b");
	put_ok("empty", "a");
	take(s1, "empty", "a");
	ck_assert_int_eq(qe_task_done(e, now, s1, name("empty")), QE_OK);
	rule("*", "s", (struct qe_declare)ORDER(QE_LIFO));
	configure();
	ck_assert_int_eq(stats_of("empty").order, QE_LIFO);
	ck_assert_int_eq(stats_of("q").order, QE_FIFO);
	source_is("q", QE_OPTION_order, QE_FROM_BEFORE, "s");
	ck_assert_int_eq(policy_of("q").has.order, QE_FIFO);
	take(s1, "q", "a");
	take(s1, "q", "b");
	rule("*", "s", (struct qe_declare)ORDER(QE_LIFO));
	configure(); /* they are still unfinished */
	ck_assert_int_eq(stats_of("q").order, QE_FIFO);
	ck_assert_int_eq(qe_task_done(e, now, s1, name("q")), QE_OK);
	ck_assert_int_eq(qe_task_done(e, now, s1, name("q")), QE_OK);
	rule("*", "s", (struct qe_declare)ORDER(QE_LIFO));
	configure();
	source_is("q", QE_OPTION_order, QE_FROM_RULE, "s");
	put_ok("q", "a");
	put_ok("q", "b");
	take(s1, "q", "b");
}
END_TEST

START_TEST(many_queues_hear_of_it_in_shares)
{
	char text[16];
	int calls = 0;

	for (int i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "q%d", i);
		put_ok(text, "x");
	}
	rule("q*", "s", (struct qe_declare)MAXSIZE(3));
	configure();
	ck_assert_int_eq(stats_of("q0").maxsize, 3);
	ck_assert_int_eq(stats_of("q4999").maxsize, 0);
	put_ok("q-new", "x");
	ck_assert_int_eq(stats_of("q-new").maxsize, 3);
	for (; qe_next_deadline(e) == now; calls++)
		ck_assert_ptr_null(qe_check(e) ? qe_check(e)
					       : ((void)qe_tick(e, now), NULL));
	ck_assert_int_gt(calls, 5);
	ck_assert_int_lt(calls, 20);
	ck_assert_int_eq(stats_of("q4999").maxsize, 3);
}
END_TEST

START_TEST(names_that_are_not_valid_have_no_policy)
{
	struct qe_policy policy;

	ck_assert_int_eq(qe_policy(e, name("a\nb"), &policy), QE_INVALID);
	ck_assert_int_eq(qe_policy(e, name(""), &policy), QE_INVALID);
}
END_TEST

static void
add(TCase *tcase)
{
	tcase_add_test(tcase, patterns_have_stars_question_marks_and_backslashes);
	tcase_add_test(tcase, a_pattern_of_many_stars_takes_no_longer_than_others);
	tcase_add_test(tcase, of_the_rules_that_match_the_last_wins_for_each_option);
	tcase_add_test(tcase,
		       a_new_configuration_changes_queues_but_not_what_was_declared);
	tcase_add_test(tcase, a_larger_bound_lets_puts_go_on);
	tcase_add_test(
		tcase,
		the_order_changes_while_the_queue_is_empty_and_else_at_the_next_chance);
	tcase_add_test(tcase, many_queues_hear_of_it_in_shares);
	tcase_add_test(tcase, names_that_are_not_valid_have_no_policy);
}

int
main(void)
{
	return kit_main("policy", add);
}
