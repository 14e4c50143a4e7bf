/* SPDX-License-Identifier: MIT
 *
 * The engine against the model (model.h): random operations over a fake clock, many
 * short runs with small numbers, so that all corners are met. After every step results,
 * answers and sizes are compared, and qe_check() must find nothing. The environment may
 * say QB_SEED, the seed of the first run, and QB_STEPS, the number of steps in all.
 */
#include "tests/core/log_kit.h"
#include "tests/core/model_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUN_STEPS     1000
#define RESTORE_STEPS 50
#define WALL	      (UINT64_C(1700000000) << 30) /* of the engine's time 0 */

struct run run;
static uint64_t absent, fetched; /* what was met of bodies that leave and come back */
uint64_t met[VERBS][RESULTS];

static const char *const verb_names[VERBS] = {"put",
					      "put of many",
					      "atomic put",
					      "get",
					      "get of many",
					      "get from many",
					      "join",
					      "cancel",
					      "ack",
					      "task_done",
					      "release",
					      "touch",
					      "nack",
					      "bury",
					      "update",
					      "kick",
					      "dead_purge",
					      "move",
					      "delete_item",
					      "browse",
					      "show",
					      "peek",
					      "declare",
					      "delete",
					      "purge",
					      "shutdown",
					      "pause",
					      "reopen",
					      "item_new",
					      "session_new",
					      "put of the rest",
					      "item_set_group",
					      "item_set_key",
					      "duplicate of put",
					      "cancel of a group",
					      "answer of put",
					      "answer of get",
					      "answer of join",
					      "one put of many"};

#define BIT(result) (1u << QE_##result)
#define FULL                                                                 \
	(BIT(FULL_ITEMS) | BIT(FULL_BYTES) | BIT(FULL_MEMORY) | BIT(FULL_PAUSED))
#define WAITING	    (BIT(OK) | BIT(WAIT) | BIT(LIMIT) | BIT(INVALID))
#define PUTTING	    (WAITING | BIT(SHUT_DOWN))
#define GETTING	    (WAITING | BIT(SHUT_DOWN) | BIT(EMPTY) | BIT(EMPTY_PAUSED))
#define ENDED	    (BIT(OK) | BIT(CANCELLED) | BIT(DELETED))

/* What a long run must have met; what is never met is not tested. */
static const unsigned must_meet[VERBS] = {
	[PUT] = PUTTING | FULL | BIT(TOO_BIG) | BIT(DUPLICATE),
	[PUT_MANY] = PUTTING,
	[PUT_ATOMIC] = PUTTING | FULL | BIT(TOO_BIG),
	[GET] = GETTING,
	[GET_MANY] = GETTING,
	[GET_ANY] = GETTING,
	[JOIN] = WAITING | BIT(TIMEOUT),
	[CANCEL] = BIT(OK) | BIT(NOT_FOUND),
	[ACK] = BIT(OK) | BIT(STALE),
	[TASK_DONE] = BIT(OK) | BIT(NOT_LEASED),
	[RELEASE] = BIT(OK) | BIT(STALE),
	[TOUCH] = BIT(OK) | BIT(STALE),
	[NACK] = BIT(OK) | BIT(STALE),
	[BURY] = BIT(OK) | BIT(STALE),
	[UPDATE] = BIT(OK) | BIT(STALE) | BIT(TOO_BIG) | BIT(FULL_BYTES) |
		   BIT(FULL_MEMORY),
	[KICK] = BIT(OK) | BIT(NOT_FOUND) | BIT(SHUT_DOWN),
	[DEAD_PURGE] = BIT(OK) | BIT(NOT_FOUND),
	[MOVE] = BIT(OK) | BIT(NOT_FOUND) | BIT(INVALID) | BIT(SHUT_DOWN) | BIT(LIMIT) |
		 BIT(FULL_ITEMS) | BIT(FULL_BYTES) | BIT(TOO_BIG),
	[DELETE_ITEM] = BIT(OK) | BIT(NOT_FOUND) | BIT(NOT_EMPTY),
	[BROWSE] = BIT(OK) | BIT(NOT_FOUND),
	[SHOW] = BIT(OK) | BIT(NOT_FOUND),
	[PEEK] = BIT(OK) | BIT(EMPTY),
	[DECLARE] = BIT(OK) | BIT(MISMATCH) | BIT(LIMIT) | BIT(NOT_EMPTY),
	[DELETE] = BIT(OK) | BIT(NOT_FOUND) | BIT(NOT_EMPTY),
	[PURGE] = BIT(OK) | BIT(NOT_FOUND),
	[SHUTDOWN] = BIT(OK) | BIT(LIMIT),
	[PAUSE] = BIT(OK) | BIT(NOT_FOUND),
	[REOPEN] = BIT(OK) | BIT(NOT_FOUND),
	[ITEM] = BIT(OK) | BIT(FULL_MEMORY),
	[SESSION] = BIT(OK) | BIT(INVALID),
	[PUT_REST] = BIT(OK) | BIT(WAIT),
	[SET_GROUP] = BIT(OK) | BIT(LIMIT),
	[SET_KEY] = BIT(OK) | BIT(LIMIT),
	[DUPLICATES] = BIT(OK) | BIT(DUPLICATE),
	[CANCEL_GROUP] = BIT(OK) | BIT(NOT_FOUND),
	[ANSWER_PUT] = ENDED | FULL | BIT(SHUT_DOWN) | BIT(TOO_BIG) | BIT(DUPLICATE),
	[ANSWER_GET] = ENDED | BIT(EMPTY) | BIT(EMPTY_PAUSED) | BIT(SHUT_DOWN),
	[ANSWER_JOIN] = ENDED | BIT(TIMEOUT) | BIT(STALLED) | BIT(DEAD),
	[ONE_OF_MANY] = ENDED | BIT(UNDECIDED) | FULL | BIT(SHUT_DOWN) | BIT(TOO_BIG),
};

uint64_t
below(uint64_t n)
{
	/* xorshift64*: the same numbers everywhere. */
	run.rng ^= run.rng >> 12;
	run.rng ^= run.rng << 25;
	run.rng ^= run.rng >> 27;
	return (run.rng * 0x2545f4914f6cdd1d >> 16) % n;
}

bool
chance(unsigned percent)
{
	return below(100) < percent;
}

static uint64_t
from_environment(const char *name, uint64_t or_else)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : or_else;
}

/* Queues that are made by their first use are all FIFO. */
static void
declare_order(int queue)
{
	struct qe_declare order = {.has_order = true, .order = (enum qe_order)below(3)};
	struct qe_queue_stats stats;
	bool created;

	ck_assert_int_eq(qe_declare(run.e, run.m.now, queue_name(queue), &order,
				    &created, &stats),
			 m_declare(&run.m, queue, &order, &created));
}

/* FNV-1a. */
static uint32_t
sum_of(uint32_t sum, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ p[i]) * 16777619;
	return sum;
}

static void
describe(void *owner, qe_emit *emit, void *to)
{
	(void)owner;
	emit(to, "note", 4);
}

static void
no_answers(void *owner, qe_emit *emit, void *to)
{
	(void)owner, (void)emit, (void)to;
}

static void
some_begun(uint64_t rid, int64_t *results, unsigned n, qe_emit *emit, void *to)
{
	ck_assert_int_eq(results[n - 1], -QE_UNDECIDED);
	emit(to, &rid, sizeof(rid));
}

static const struct qe_hooks log_hooks = {.describe = describe,
					  .answers = no_answers,
					  .begun = some_begun,
					  .body = foreign_body};

static void
say_ring(struct qe_config *config)
{
	static const char *const patterns[M_QUEUES] = {"a", "b", "j*s*", "d"};
	static struct qe_rule rules[M_QUEUES];

	config->durable = QE_ASYNC;
	config->rules = rules;
	config->n_rules = (unsigned)run.n_queues;
	for (int i = 0; i < run.n_queues; i++) {
		struct qe_name next = queue_name((i + 1) % run.n_queues);
		struct qe_declare *says = &rules[i].says;

		rules[i] = (struct qe_rule){
			.pattern = {patterns[i], strlen(patterns[i])},
			.source = {"ring", 4},
			.says = {.has_dead_to = true, .dead_to.len = (uint8_t)next.len},
		};
		memcpy(says->dead_to.p, next.p, next.len);
	}
}

static void
begin(uint64_t seed)
{
	struct qe_config config = {.epoch = 5, .can_keep = true};
	uint8_t id[16] = {0, 7};

	memset(&run, 0, sizeof(run));
	run.seed = seed;
	run.rng = seed * 0x9e3779b97f4a7c15 | 1;
	run.n_queues = 1 + (int)below(M_QUEUES);
	run.n_sessions = 1 + (int)below(M_SESSIONS);
	run.puts = 15 + (unsigned)below(40);
	run.timed = chance(50) ? 0 : (unsigned)below(101);
	run.grouped = chance(50) ? 0 : (unsigned)below(101);
	run.leases = chance(40) ? 0 : (unsigned)below(101);
	run.keyed = chance(50) ? 0 : (unsigned)below(101);
	run.ring = seed % 4 == 3;
	run.deaths = !run.ring && chance(50) ? 0 : (unsigned)below(101);
	run.most_len = 60;
	config.maxsize = chance(50) ? 0 : (int64_t)below(6);
	config.max_bytes = chance(70) ? 0 : 50 + below(200);
	if (chance(30)) {
		config.memory_limit = 100000 + below(100000);
		config.max_bytes = 0;
		run.most_len = 12000;
		run.puts = 40;
	}
	if (config.memory_limit == 0 && chance(50)) {
		config.body_memory = 1 + below(3000);
		config.max_bytes *= 10;
		run.most_len = 600;
	}
	config.max_waiters = chance(70) ? 0 : 3;
	if (run.deaths > 0) {
		config.max_attempts = below(5);
		config.max_crashes = below(4);
		config.max_dead = below(8);
		config.dead_ttl_ms = below(2);
		config.retry_factor = 100;
	}
	if (run.ring)
		say_ring(&config);
	run.m.config = config;
	run.m.now = 1 + below(100);
	run.e = qe_new(&config);
	ck_assert_ptr_nonnull(run.e);
	run.log = log_new(2000 + below(10000));
	qe_set_hooks(run.e, &log_hooks);
	qe_set_sum(run.e, sum_of);
	qe_set_wall(run.e, WALL);
	ck_assert_int_eq(qe_restored(run.e, run.m.now, run.log), QE_OK);
	ck_assert_int_eq(qe_session_new(run.e, run.m.now, id, &run.sessions[0],
					&run.sessions[0]),
			 QE_OK);
	run.m.alive[0] = true;
	for (int i = 0; i < run.n_queues; i++)
		if (chance(50))
			declare_order(i);
}

/* What a purge of many items left behind. The model knows no shares. Nothing else is due
 * when this is done. */
static void
finish_sweeping(void)
{
	for (int i = 0; i < 100 && m_next_deadline(&run.m) > run.m.now &&
			qe_next_deadline(run.e) <= run.m.now;
	     i++)
		(void)qe_tick(run.e, run.m.now);
}

/* An engine that reads what this one wrote has the same durable queues; one that reads a snapshot
 * the others. */
static void
compare_restored(void)
{
	struct qe_config config = run.m.config;
	struct store *snapshot = log_new(UINT64_MAX), *view = log_view(run.log);
	struct qe *e;

	qe_commit(run.e);
	AGREE(!qe_store_lost(run.e));
	e = qe_new(&config);
	qe_set_wall(e, WALL);
	qe_set_sum(e, sum_of);
	AGREE(log_restore(run.log, log_records(run.log), e, run.m.now, view) == QE_OK);
	AGREE(qe_configure(e, run.m.now, &config) == QE_OK); /* for what was configured since */
	ck_assert_msg(!qe_check(e), "QB_SEED=%" PRIu64 " step %" PRIu64 ": %s", run.seed,
		      run.step, qe_check(e));
	ck_assert_msg(!log_compare(run.e, e, run.m.now, false),
		      "QB_SEED=%" PRIu64 " step %" PRIu64 ": %s", run.seed, run.step,
		      log_compare(run.e, e, run.m.now, false));
	qe_free(e);
	e = qe_new(&config);
	qe_set_wall(e, WALL);
	AGREE(qe_snapshot(run.e, run.m.now, snapshot));
	AGREE(log_restore_snapshot(snapshot, e, run.m.now) == QE_OK);
	AGREE(qe_configure(e, run.m.now, &config) == QE_OK);
	ck_assert_msg(!qe_check(e), "QB_SEED=%" PRIu64 " step %" PRIu64 ": snapshot: %s",
		      run.seed, run.step, qe_check(e));
	ck_assert_msg(!log_compare(run.e, e, run.m.now, true),
		      "QB_SEED=%" PRIu64 " step %" PRIu64 ": snapshot: %s", run.seed, run.step,
		      log_compare(run.e, e, run.m.now, true));
	qe_free(e);
	log_free(snapshot);
	log_view_free(view);
}

static void
end(void)
{
	fetched += log_reads(run.log);
	for (unsigned i = 0; i < HELD; i++)
		qe_reply_done(run.e, &run.held[i]);
	qe_reply_done(run.e, &run.begun);
	qe_free(run.e);
	log_free(run.log);
	AGREE(run.foreign == 0);
}

/* Bodies leave and come back when the loop turns, which changes nothing else. */
static void
note_bodies(void)
{
	struct qe_stats stats;

	finish_sweeping();
	qe_stats(run.e, &stats);
	absent += stats.absent;
}

START_TEST(random_operations_do_what_the_model_does)
{
	uint64_t seed = from_environment("QB_SEED", 1);
	uint64_t steps = from_environment("QB_STEPS", 3000000);

	printf("QB_SEED=%" PRIu64 " QB_STEPS=%" PRIu64 "\n", seed, steps);
	for (uint64_t done = 0; done < steps; done += RUN_STEPS) {
		begin(seed++);
		for (run.step = 1; run.step <= RUN_STEPS; run.step++) {
			random_operation();
			finish_sweeping();
			drain_replies();
			compare_state();
			if (chance(10))
				qe_commit(run.e);
			note_bodies();
			if (run.step % RESTORE_STEPS == 0)
				compare_restored();
		}
		end();
	}
	for (int verb = 0; steps >= 1000000 && verb < VERBS; verb++)
		for (int result = 0; result < RESULTS; result++)
			ck_assert_msg(!(must_meet[verb] & 1u << result) ||
					      met[verb][result] > 0,
				      "%s never had the result %d", verb_names[verb],
				      result);
	ck_assert(steps < 1000000 || (absent > 0 && fetched > 0));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("model");
	TCase *tcase = tcase_create("model");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 0); /* as long as QB_STEPS takes */
	tcase_add_test(tcase, random_operations_do_what_the_model_does);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
