/* SPDX-License-Identifier: MIT
 *
 * See engine_kit.h.
 */
#include "tests/core/engine_kit.h"

#include <stdlib.h>
#include <string.h>

struct qe *e;
struct qe_session *s1, *s2, *s3;
uint64_t now;
struct qe_reply got;
static bool has_got;

static void
forget(void)
{
	if (has_got)
		qe_reply_done(e, &got);
	has_got = false;
}

void
kit_limits(struct qe_config config)
{
	if (e)
		qe_free(e);
	config.epoch = EPOCH;
	e = qe_new(&config);
	ck_assert_ptr_nonnull(e);
	s1 = new_session(1);
	s2 = new_session(2);
	s3 = new_session(3);
}

void
kit_setup(void)
{
	now = 1000;
	kit_limits((struct qe_config){0});
}

void
kit_teardown(void)
{
	forget();
	expect_nothing();
	qe_free(e); /* asserts that nothing is left */
	e = NULL;
}

int
kit_main(const char *suite_name, void (*add)(TCase *tcase))
{
	Suite *suite = suite_create(suite_name);
	TCase *tcase = tcase_create(suite_name);
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, kit_setup, kit_teardown);
	add(tcase);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

struct qe_name
name(const char *text)
{
	return (struct qe_name){text, strlen(text)};
}

struct qe_session *
new_session(uint8_t id)
{
	uint8_t bytes[16] = {id};
	struct qe_session *session;

	ck_assert_int_eq(qe_session_new(e, now, bytes, NULL, &session), QE_OK);
	return session;
}

static struct qe_item *
item_from(const char *body, size_t len)
{
	struct qe_item *item;

	ck_assert_int_eq(qe_item_new(e, len, &item), QE_OK);
	memcpy(qe_item_body(item), body, len);
	return item;
}

struct qe_item *
new_item(const char *body)
{
	return item_from(body, strlen(body));
}

static enum qe_result
remember(enum qe_result result)
{
	has_got = result == QE_OK;
	return result;
}

enum qe_result
put(struct qe_session *s, uint64_t rid, const char *queue, const char *body,
    uint64_t deadline)
{
	struct qe_item *item = new_item(body);

	forget();
	return remember(qe_put(e, now, s, rid, name(queue), deadline, &item, 1, false,
			       false, &got));
}

enum qe_result
put_many(struct qe_session *s, uint64_t rid, const char *queue, const char *list,
	 uint64_t deadline, bool atomic)
{
	struct qe_item *items[QE_MAX_BATCH];
	unsigned n = 0;

	forget();
	while (*list) {
		size_t len = strcspn(list, " ");

		items[n++] = item_from(list, len);
		list += len + strspn(list + len, " ");
	}
	return remember(qe_put(e, now, s, rid, name(queue), deadline, items, n, true,
			       atomic, &got));
}

void
declare_as(const char *queue, struct qe_declare declare)
{
	struct qe_queue_stats stats;
	bool created;

	declare.update = true;
	ck_assert_int_eq(qe_declare(e, now, name(queue), &declare, &created, &stats),
			 QE_OK);
}

void
bound(const char *queue, int64_t maxsize, uint64_t max_bytes)
{
	declare_as(queue, (struct qe_declare){.has_maxsize = true,
					      .has_max_bytes = true,
					      .maxsize = maxsize,
					      .max_bytes = max_bytes});
}

void
declare_order(const char *queue, enum qe_order order)
{
	declare_as(queue, (struct qe_declare){.has_order = true, .order = order});
}

uint64_t
put_priority(const char *queue, const char *body, int32_t priority)
{
	struct qe_item *item = new_item(body);

	forget();
	qe_item_set_priority(item, priority);
	ck_assert_int_eq(remember(qe_put(e, now, s1, 1000000, name(queue), NO_WAIT,
					 &item, 1, false, false, &got)),
			 QE_OK);
	return got.id;
}

static uint64_t
put_item_ok(const char *queue, struct qe_item *item)
{
	forget();
	ck_assert_int_eq(remember(qe_put(e, now, s1, 1000000, name(queue), NO_WAIT,
					 &item, 1, false, false, &got)),
			 QE_OK);
	return got.id;
}

uint64_t
put_timed(const char *queue, const char *body, uint64_t ready, uint64_t expires)
{
	struct qe_item *item = new_item(body);

	ck_assert_int_eq(qe_item_set_times(e, item, ready, expires), QE_OK);
	return put_item_ok(queue, item);
}

uint64_t
put_mortal(const char *queue, struct qe_item *item, uint64_t expires)
{
	ck_assert_int_eq(qe_item_set_times(e, item, 0, expires), QE_OK);
	qe_item_keep_expired(item);
	return put_item_ok(queue, item);
}

uint64_t
put_ok(const char *queue, const char *body)
{
	ck_assert_int_eq(put(s1, 1000000, queue, body, NO_WAIT), QE_OK);
	ck_assert_uint_gt(got.id, 0);
	return got.id;
}

uint64_t
put_grouped(const char *queue, const char *group, const char *body)
{
	struct qe_item *item = new_item(body);

	forget();
	ck_assert_int_eq(qe_item_set_group(e, now, item, name(queue), name(group)),
			 QE_OK);
	ck_assert_int_eq(remember(qe_put(e, now, s1, 1000000, name(queue), NO_WAIT,
					 &item, 1, false, false, &got)),
			 QE_OK);
	return got.id;
}

enum qe_result
join_group(struct qe_session *s, uint64_t rid, const char *queue, const char *group,
	   uint64_t deadline)
{
	struct qe_join args = {.deadline_ns = deadline, .group = name(group)};

	return qe_join(e, now, s, rid, name(queue), &args);
}

enum qe_result
get_as(struct qe_session *s, uint64_t rid, const char *queue, struct qe_get args)
{
	forget();
	return remember(qe_get(e, now, s, rid, name(queue), &args, &got));
}

enum qe_result
get_any_as(struct qe_session *s, uint64_t rid, const struct qe_any *any,
	   struct qe_get args)
{
	forget();
	return remember(qe_get_any(e, now, s, rid, any, &args, &got));
}

enum qe_result
get(struct qe_session *s, uint64_t rid, const char *queue, uint64_t deadline)
{
	return get_as(s, rid, queue, (struct qe_get){.deadline_ns = deadline});
}

enum qe_result
get_many(struct qe_session *s, uint64_t rid, const char *queue, unsigned min,
	 unsigned max, uint64_t linger, uint64_t deadline)
{
	return get_as(s, rid, queue,
		      (struct qe_get){.deadline_ns = deadline,
				      .many = true,
				      .min_items = min,
				      .max_items = max,
				      .max_bytes = 1 << 20,
				      .linger_ns = linger});
}

struct qe_tag
tag_of(const struct qe_item *item)
{
	return (struct qe_tag){qe_item_id(item), qe_item_deliveries(item), EPOCH};
}

struct qe_tag
take(struct qe_session *s, const char *queue, const char *body)
{
	struct qe_tag tag;

	ck_assert_int_eq(get(s, 1000001, queue, NO_WAIT), QE_OK);
	tag = tag_of(got.item);
	ck_assert_str_eq(bodies(), body);
	return tag;
}

const char *
bodies(void)
{
	static char text[8192];
	size_t at = 0;

	ck_assert(has_got);
	text[0] = '\0';
	for (unsigned i = 0; i < got.n; i++) {
		struct qe_item *item = qe_reply_item(&got, i);
		size_t len = qe_item_body_len(item);

		ck_assert_uint_lt(at + len + 2, sizeof(text));
		if (i > 0)
			text[at++] = ' ';
		memcpy(text + at, qe_item_body(item), len);
		at += len;
		text[at] = '\0';
	}
	forget();
	return text;
}

void
expect(struct qe_session *s, uint64_t rid, enum qe_result result)
{
	forget();
	has_got = qe_next_reply(e, &got);
	ck_assert_msg(has_got, "there is no answer");
	ck_assert_ptr_eq(got.session, s);
	ck_assert_uint_eq(got.rid, rid);
	ck_assert_int_eq(got.result, result);
}

void
expect_nothing(void)
{
	const char *broken = qe_check(e);

	forget();
	ck_assert_msg(!broken, "%s", broken ? broken : "");
	ck_assert_msg(!qe_next_reply(e, &got), "an answer that nobody expects");
}

int64_t
result_of(unsigned i)
{
	ck_assert(has_got && got.request == QE_REQUEST_PUT && got.many);
	ck_assert_uint_lt(i, got.n);
	return got.results[i];
}

struct qe_queue_stats
stats_of(const char *queue)
{
	struct qe_queue_stats stats;

	ck_assert_int_eq(qe_queue_stats(e, now, name(queue), &stats), QE_OK);
	return stats;
}

void
tick_at(uint64_t time)
{
	now = time;
	(void)qe_tick(e, now);
}
