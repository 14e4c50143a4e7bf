/* SPDX-License-Identifier: MIT
 * Many processes at once, some of them killed at random: whatever happens, the books
 * are right. The seed is printed; QB_SEED sets another. */
#include <config.h>

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "client/qbroker.h"
#include "tests/lib/daemon.h"
#include "tests/lib/run.h"
#include "tests/lib/wire.h"

#define PRODUCERS 8
#define EACH	  2000
#define ITEMS	  (PRODUCERS * EACH)
#define CONSUMERS 6
#define BATCH	  20
#define KILLS	  150

static struct daemon d;
static unsigned seed;

/* What the consumers have seen, in memory that all processes share. */
struct books {
	atomic_uint seen[ITEMS];     /* times that it was got */
	atomic_uint finished[ITEMS]; /* times that finishing it was confirmed */
	atomic_uint producers, consumers;
};
static struct books *books;

static void
start(void)
{
	const char *env = getenv("QB_SEED");

	seed = env ? (unsigned)strtoul(env, NULL, 10) : 3;
	printf("seed %u\n", seed);
	fflush(stdout); /* a test that fails writes nothing more */
	srandom(seed);
	books = mmap(NULL, sizeof(*books), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(books, MAP_FAILED);
	daemon_start(&d, NULL);
}

static qb *
open_handle(void)
{
	qb *q;

	ck_assert_int_eq(qb_open(d.address, &q), QB_OK);
	return q;
}

/* --- producers ------------------------------------------------------------------- */

static void
put_batch(qb *q, unsigned first, unsigned n)
{
	unsigned numbers[BATCH];
	struct iovec bodies[BATCH];

	for (unsigned i = 0; i < n; i++) {
		numbers[i] = first + i;
		bodies[i] = (struct iovec){&numbers[i], sizeof(numbers[i])};
	}
	ck_assert_int_eq(qb_put_many(q, "q", bodies, n, random() % 2, QB_FOREVER, NULL),
			 QB_OK);
}

/* Puts its EACH numbers, one by one, pipelined, or in batches. */
static void
produce(int line, void *arg)
{
	unsigned me = atomic_fetch_add(&books->producers, 1);
	unsigned next = me * EACH, end = next + EACH;
	qb *q = open_handle();

	(void)line, (void)arg;
	srandom(seed * 1000 + me);
	while (next < end) {
		unsigned n = 1 + (unsigned)random() % BATCH;

		n = n < end - next ? n : end - next;
		if (random() % 3 == 0) {
			put_batch(q, next, n);
			next += n;
			continue;
		}
		for (; n > 0; n--, next++)
			ck_assert_int_eq(random() % 2
						 ? qb_put(q, "q", &next, sizeof(next),
							  QB_FOREVER, NULL)
						 : qb_put_start(q, "q", &next,
								sizeof(next)),
					 QB_OK);
	}
	ck_assert_int_eq(qb_close_wait(q, QB_FOREVER), QB_OK);
}

/* --- consumers ------------------------------------------------------------------- */

static unsigned
see(qb_item *item)
{
	unsigned number;

	ck_assert_uint_eq(qb_item_size(item), sizeof(number));
	memcpy(&number, qb_item_body(item), sizeof(number));
	ck_assert_uint_lt(number, ITEMS);
	atomic_fetch_add(&books->seen[number], 1);
	return number;
}

static qb_result
consume_one(qb *q)
{
	qb_item *item;
	unsigned number;
	qb_result result = qb_get(q, "q", QB_FOREVER, QB_MANUAL, &item);

	if (result != QB_OK)
		return result;
	number = see(item);
	if (random() % 10 == 0) {
		ck_assert_int_eq(qb_release(q, item), QB_OK);
		ck_assert_int_eq(qb_ack(q, item), QB_STALE);
	} else {
		ck_assert_int_eq(random() % 2 ? qb_ack(q, item) : qb_task_done(q, "q"),
				 QB_OK);
		atomic_fetch_add(&books->finished[number], 1);
	}
	qb_item_free(item);
	return QB_OK;
}

static qb_result
consume_many(qb *q)
{
	qb_item *items[BATCH];
	unsigned numbers[BATCH], n = 0;
	unsigned max = 1 + (unsigned)random() % BATCH;
	qb_result result = qb_get_many(q, "q", QB_FOREVER, QB_MANUAL, max, 1, 0,
				       random() % 3, items, &n);

	if (result != QB_OK)
		return result;
	for (unsigned i = 0; i < n; i++)
		numbers[i] = see(items[i]);
	ck_assert_int_eq(qb_ack_many(q, items, n), QB_OK);
	for (unsigned i = 0; i < n; i++) {
		atomic_fetch_add(&books->finished[numbers[i]], 1);
		qb_item_free(items[i]);
	}
	return QB_OK;
}

static void
consume(int line, void *arg)
{
	qb *q = open_handle();
	qb_result result;

	(void)line, (void)arg;
	srandom(seed * 2000 + atomic_fetch_add(&books->consumers, 1));
	do
		result = random() % 2 ? consume_one(q) : consume_many(q);
	while (result == QB_OK);
	ck_assert_int_eq(result, QB_SHUT_DOWN);
	qb_close(q);
}

/* --- the tests ------------------------------------------------------------------- */

/* Kills consumers, each time when some more items were finished, and starts others
 * instead. */
static void
kill_at_random(struct wire *w, struct child *consumers)
{
	int64_t deadline = now_ms() + patience_ms(), finished = 0;

	for (int i = 0; i < KILLS; i++) {
		struct child *victim = &consumers[random() % CONSUMERS];

		finished += random() % (ITEMS / KILLS);
		while (queue_number(w, "q", "finished") < finished)
			ck_assert_msg(now_ms() < deadline, "nothing goes on");
		child_kill(victim);
		child_start(victim, consume, NULL);
	}
}

static void
check_books(struct wire *w)
{
	unsigned again = 0;

	ck_assert_int_eq(queue_number(w, "q", "accepted"), ITEMS);
	ck_assert_int_eq(queue_number(w, "q", "finished"), ITEMS);
	ck_assert_int_eq(queue_number(w, "q", "unfinished"), 0);
	check_conservation(w, "q");
	for (unsigned i = 0; i < ITEMS; i++) {
		unsigned seen = atomic_load(&books->seen[i]);
		unsigned finished = atomic_load(&books->finished[i]);

		ck_assert_msg(seen >= 1, "item %u was never worked on", i);
		ck_assert_msg(finished <= 1, "item %u was finished %u times", i,
			      finished);
		again += seen > 1;
	}
	printf("%u of %u items were worked on more than once\n", again, ITEMS);
}

START_TEST(no_item_is_lost_or_finished_twice_while_consumers_are_killed)
{
	static const char *const options[] = {"maxsize=300", "max_crashes=0", NULL};
	struct child producers[PRODUCERS], consumers[CONSUMERS];
	struct wire w;
	qb *q;

	start();
	wire_open(&w, d.address);
	q = open_handle();
	ck_assert_int_eq(qb_declare(q, "q", options, 0, NULL), QB_OK);
	for (int i = 0; i < CONSUMERS; i++)
		child_start(&consumers[i], consume, NULL);
	for (int i = 0; i < PRODUCERS; i++)
		child_start(&producers[i], produce, NULL);
	kill_at_random(&w, consumers);
	for (int i = 0; i < PRODUCERS; i++)
		child_join(&producers[i]);
	ck_assert_int_eq(qb_join(q, "q", patience_ms()), QB_OK);
	ck_assert_int_eq(qb_shutdown(q, "q", 0), QB_OK);
	for (int i = 0; i < CONSUMERS; i++)
		child_join(&consumers[i]);
	ck_assert_int_gt(queue_number(&w, "q", "crashed"), 0);
	check_books(&w);
	qb_close(q);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

/* --- everything at once ---------------------------------------------------------- */

#define CLIENTS	   8
#define OPERATIONS 1500

static qb_result
declare_something(qb *q, const char *queue)
{
	static const char *const options[3][2] = {
		{"maxsize=5", NULL}, {"maxsize=50", NULL}, {"max_bytes=100", NULL}};

	return qb_declare(q, queue, options[random() % 3], random() % 2, NULL);
}

static qb_result
put_something(qb *q, const char *queue)
{
	struct iovec bodies[3] = {{(void *)(uintptr_t) "abcdef", 6},
				  {(void *)(uintptr_t) "", 0},
				  {(void *)(uintptr_t) "x", 1}};

	if (random() % 2)
		return qb_put(q, queue, "body", 4, random() % 3, NULL);
	return qb_put_many(q, queue, bodies, 3, random() % 2, random() % 3, NULL);
}

static qb_result
get_something(qb *q, const char *queue)
{
	qb_item *item;
	qb_result result = random() % 4 ? qb_get(q, queue, random() % 3,
						 (qb_ack_mode)(random() % 3), &item)
					: qb_peek(q, queue, &item);

	if (result == QB_OK && random() % 3 == 0)
		result = random() % 2 ? qb_ack(q, item) : qb_release(q, item);
	qb_item_free(item);
	return result;
}

static qb_result
do_something(qb *q)
{
	static const char *const queues[] = {"a", "b", "c"};
	const char *queue = queues[random() % 3];

	switch (random() % 16) {
	case 0: return declare_something(q, queue);
	case 1: return qb_delete(q, queue, random() % 2);
	case 2: return qb_purge(q, queue, NULL);
	case 3: return qb_shutdown(q, queue, random() % 2);
	case 4:
	case 5: return qb_reopen(q, queue);
	case 6: return qb_join(q, queue, random() % 3);
	case 7: return qb_task_done(q, queue);
	case 8: return qb_size(q, queue, NULL, NULL, NULL);
	case 9:
	case 10:
	case 11:
	case 12: return put_something(q, queue);
	default: return get_something(q, queue);
	}
}

/* Whatever the others do: an answer of the broker, and one that fits these calls. */
static bool
may_happen(qb_result result)
{
	return (result >= QB_OK && result <= QB_NOT_LEASED) || result == QB_TOO_BIG ||
	       result == QB_NOT_EMPTY || result == QB_DELETED;
}

static void
do_everything(int line, void *arg)
{
	qb *q = open_handle();

	(void)line, (void)arg;
	srandom(seed * 3000 + atomic_fetch_add(&books->producers, 1));
	for (int i = 0; i < OPERATIONS; i++) {
		qb_result result = do_something(q);

		ck_assert_msg(may_happen(result), "%s: %s", qb_result_name(result),
			      qb_error(q));
	}
	qb_close(q);
}

START_TEST(everything_at_once_from_many_processes_keeps_the_books)
{
	static const char *const queues[] = {"a", "b", "c"};
	struct child clients[CLIENTS];
	struct wire w;

	start();
	wire_open(&w, d.address);
	for (int i = 0; i < CLIENTS; i++)
		child_start(&clients[i], do_everything, NULL);
	for (int i = 0; i < CLIENTS; i++)
		child_join(&clients[i]);
	wait_for_broker(&w, "sessions", 1);
	for (int i = 0; i < 3; i++) {
		if (queue_number(&w, queues[i], "ready") < 0)
			continue;
		check_conservation(&w, queues[i]);
		ck_assert_int_eq(queue_number(&w, queues[i], "leased"), 0);
	}
	ck_assert_int_eq(broker_number(&w, "waiters"), 0);
	wire_close(&w);
	daemon_stop(&d);
}
END_TEST

RUN_TESTS("stress", no_item_is_lost_or_finished_twice_while_consumers_are_killed,
	  everything_at_once_from_many_processes_keeps_the_books)
