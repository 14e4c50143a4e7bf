/* SPDX-License-Identifier: MIT
 * What the processes of the chaos test do: they use queues in all ways, at random, and
 * write down what they begin and what they are told. They may be killed anywhere. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/run.h"
#include "tests/system/chaos.h"

#define BATCH 6
#define HOLD  8
#define LARGE 3000

struct chaos_world world;

/* An item that this process holds. */
struct held {
	qb_item *item;
	uint64_t stamp;
	unsigned queue;
};

/* This process. */
static struct {
	const struct chaos_life *life;
	qb *q;
	uint64_t next_stamp;
	struct held held[HOLD];
	unsigned n_held;
} me;

/* Says what went wrong where the test's output is, and ends. */
#define EXPECT(condition, result)                                                     \
	do {                                                                          \
		if (!(condition)) {                                                   \
			fprintf(stderr,                                               \
				"process %u, role %d, link %d, line %d: %s: %s\n",    \
				me.life->number, (int)me.life->role,                  \
				(int)me.life->link, __LINE__, qb_result_name(result), \
				qb_error(me.q));                                      \
			_exit(9);                                                     \
		}                                                                     \
	} while (0)

static unsigned
below(unsigned n)
{
	return (unsigned)random() % n;
}

int64_t
chaos_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static bool
is_told_to_end(void)
{
	return (int)me.life->role < atomic_load(world.no_more);
}

/* Whether the connection was lost, which only happens to those whose link is cut. */
static bool
is_lost(qb_result result)
{
	if (result != QB_LOST && result != QB_NO_BROKER)
		return false;
	EXPECT(me.life->link >= CHAOS_CUT_UNIX, result);
	return true;
}

/* --- the events ------------------------------------------------------------------ */

static struct chaos_event
event(enum chaos_event_kind kind, unsigned queue, uint64_t stamp)
{
	return (struct chaos_event){.at_ns = chaos_now_ns(),
				    .stamp = stamp,
				    .life = me.life->number,
				    .kind = (uint8_t)kind,
				    .queue = (uint8_t)queue};
}

static void
write_events(const struct chaos_event *events, unsigned n)
{
	ssize_t len = (ssize_t)(n * sizeof(*events));

	if (write(world.events, events, (size_t)len) != len) {
		perror("events");
		_exit(8);
	}
}

static void
tell_end(enum chaos_event_kind kind, unsigned queue, uint64_t stamp, qb_result result,
	 uint64_t id)
{
	struct chaos_event e = event(kind, queue, stamp);

	e.result = (int16_t)result;
	e.id = id;
	write_events(&e, 1);
}

/* --- producers ------------------------------------------------------------------- */

struct body {
	uint64_t stamp;
	char more[LARGE];
};

/* Mostly small; some are large enough that many a cut goes through them. */
static struct iovec
make_body(struct body *body)
{
	body->stamp = (uint64_t)me.life->number << 32 | me.next_stamp++;
	return (struct iovec){body, sizeof(body->stamp) + below(below(5) ? 50 : LARGE)};
}

static qb_put_options *
make_options(void)
{
	qb_put_options *options = qb_put_options_new();

	qb_put_options_set_priority(options, (int32_t)below(3));
	if (below(10) == 0)
		qb_put_options_set_delay(options, below(30));
	return options;
}

static void
expect_put(qb_result result)
{
	EXPECT(result == QB_OK || result == QB_FULL || is_lost(result), result);
}

static void
put_one(unsigned queue, int64_t timeout)
{
	static struct body body;
	struct iovec whole = make_body(&body);
	struct chaos_event e = event(PUT_BEGIN, queue, body.stamp);
	qb_put_options *options = make_options();
	uint64_t id = 0;
	qb_result result;

	write_events(&e, 1);
	result = qb_put_with(me.q, world.queues[queue], options, whole.iov_base,
			     whole.iov_len, timeout, &id);
	expect_put(result);
	tell_end(PUT_END, queue, body.stamp, result, result == QB_OK ? id : 0);
	qb_put_options_free(options);
}

/* Of a batch that is refused, or lost, as a whole no item has a result of its own. */
static void
put_batch(unsigned queue, int64_t timeout)
{
	static struct body bodies[BATCH];
	struct iovec whole[BATCH];
	struct chaos_event events[BATCH];
	int64_t ids[BATCH] = {0};
	unsigned n = 1 + below(BATCH);
	qb_result result;

	for (unsigned i = 0; i < n; i++) {
		whole[i] = make_body(&bodies[i]);
		events[i] = event(PUT_BEGIN, queue, bodies[i].stamp);
	}
	write_events(events, n);
	result = qb_put_many(me.q, world.queues[queue], whole, n, below(2) == 0,
			     timeout, ids);
	expect_put(result);
	for (unsigned i = 0; i < n; i++) {
		events[i] = event(PUT_END, queue, bodies[i].stamp);
		events[i].id = ids[i] > 0 ? (uint64_t)ids[i] : 0;
		events[i].result = ids[i] > 0	? QB_OK
				   : ids[i] < 0 ? (int16_t)-ids[i]
						: (int16_t)result;
	}
	write_events(events, n);
}

/* Pipelined puts: of a flush that is not OK nobody knows which of them it is about. */
static void
put_pipelined(unsigned queue)
{
	static struct body body;
	uint64_t first = (uint64_t)me.life->number << 32 | me.next_stamp;
	unsigned n = 1 + below(2 * BATCH);
	qb_result result = QB_OK, flushed;

	for (unsigned i = 0; i < n; i++) {
		struct iovec whole = make_body(&body);
		struct chaos_event e = event(PUT_BEGIN, queue, body.stamp);
		qb_result started;

		write_events(&e, 1);
		started = qb_put_start(me.q, world.queues[queue], whole.iov_base,
				       whole.iov_len);
		result = result != QB_OK ? result : started;
	}
	flushed = qb_flush(me.q, QB_FOREVER);
	result = result != QB_OK ? result : flushed;
	EXPECT(result == QB_OK || is_lost(result), result);
	for (unsigned i = 0; i < n; i++)
		tell_end(PUT_END, queue, first + i, result, 0);
}

/* Lets some time pass. Nobody puts into this queue. */
static void
rest(unsigned most_ms)
{
	qb_item *none;
	qb_result result = qb_get(me.q, "rest", below(most_ms + 1), QB_MANUAL, &none);

	EXPECT(result == QB_EMPTY || is_lost(result), result);
}

static void
produce(void)
{
	while (!is_told_to_end()) {
		for (unsigned n = below(30); n > 0 && !is_told_to_end(); n--) {
			bool home = below(3) > 0;
			unsigned queue = home ? me.life->home : below(CHAOS_QUEUES);
			int64_t timeout = home ? QB_FOREVER : below(30);

			switch (below(5)) {
			case 0: put_batch(queue, timeout); break;
			case 1: put_pipelined(me.life->home); break;
			default: put_one(queue, timeout);
			}
		}
		rest(200);
	}
}

/* --- workers --------------------------------------------------------------------- */

static void
take(qb_item *item, unsigned queue)
{
	struct chaos_event e = event(GOT, queue, 0);
	qb_result none = QB_OK;

	EXPECT(qb_item_size(item) >= sizeof(e.stamp), none);
	memcpy(&e.stamp, qb_item_body(item), sizeof(e.stamp));
	e.id = qb_item_id(item);
	e.delivery = qb_item_deliveries(item);
	write_events(&e, 1);
	me.held[me.n_held++] = (struct held){item, e.stamp, queue};
}

/* What is got while items are held is not waited for long: others wait for these. */
static qb_result
get_some(void)
{
	bool home = me.n_held == 0 && below(2);
	unsigned queue = home ? me.life->home : below(CHAOS_QUEUES);
	int64_t timeout = home ? QB_FOREVER : below(20);
	qb_item *items[HOLD];
	unsigned n = 0;
	qb_result result;

	if (below(2)) {
		result = qb_get(me.q, world.queues[queue], timeout, QB_MANUAL, items);
		n = result == QB_OK;
	} else {
		result = qb_get_many(me.q, world.queues[queue], timeout, QB_MANUAL,
				     HOLD - me.n_held, 1, 0, below(5), items, &n);
	}
	EXPECT(result == QB_OK || result == QB_EMPTY || result == QB_SHUT_DOWN ||
		       is_lost(result),
	       result);
	for (unsigned i = 0; result == QB_OK && i < n; i++)
		take(items[i], queue);
	return result;
}

static struct held
let_go(unsigned i)
{
	struct held h = me.held[i];

	memmove(&me.held[i], &me.held[i + 1], (--me.n_held - i) * sizeof(h));
	return h;
}

static void
tell_ack(enum chaos_event_kind kind, const struct held *h, int result)
{
	struct chaos_event e = event(kind, h->queue, h->stamp);

	e.id = qb_item_id(h->item);
	e.delivery = qb_item_deliveries(h->item);
	e.result = (int16_t)result;
	write_events(&e, 1);
}

/* task_done finishes the oldest item of the queue. After a lost connection the oldest
 * may be another than this process believes. */
static bool
may_say_task_done(unsigned i)
{
	for (unsigned k = 0; k < i; k++)
		if (me.held[k].queue == me.held[i].queue)
			return false;
	return me.life->link < CHAOS_CUT_UNIX && below(3) == 0;
}

static void
finish_one(void)
{
	unsigned i = below(me.n_held);
	bool task_done = may_say_task_done(i), mute = !task_done && below(8) == 0;
	struct held h = let_go(i);
	qb_result result;

	tell_ack(ACK_BEGIN, &h, 0);
	result = task_done ? qb_task_done(me.q, world.queues[h.queue])
		 : mute	   ? qb_ack_start(me.q, h.item)
			   : qb_ack(me.q, h.item);
	EXPECT(result == QB_OK || result == QB_STALE || is_lost(result), result);
	tell_ack(ACK_END, &h, mute ? CHAOS_UNKNOWN : (int)result);
	qb_item_free(h.item);
}

/* Of a call for many that is not OK nobody says which items were stale. */
static void
finish_all(void)
{
	qb_item *items[HOLD];
	qb_result result;

	for (unsigned i = 0; i < me.n_held; i++) {
		items[i] = me.held[i].item;
		tell_ack(ACK_BEGIN, &me.held[i], 0);
	}
	result = qb_ack_many(me.q, items, me.n_held);
	EXPECT(result == QB_OK || result == QB_STALE || is_lost(result), result);
	while (me.n_held > 0) {
		struct held h = let_go(0);

		tell_ack(ACK_END, &h,
			 result == QB_STALE ? CHAOS_SOME_STALE : (int)result);
		qb_item_free(h.item);
	}
}

static void
release_one(void)
{
	struct held h = let_go(below(me.n_held));
	qb_result result = qb_release(me.q, h.item);

	EXPECT(result == QB_OK || result == QB_STALE || is_lost(result), result);
	qb_item_free(h.item);
}

static void
work(void)
{
	qb_result result = QB_OK;

	while (result != QB_SHUT_DOWN || me.n_held > 0) {
		unsigned what = below(20);

		if (me.n_held == 0 || (me.n_held < HOLD && what < 8))
			result = get_some();
		else if (what < 16)
			finish_one();
		else if (what < 18)
			finish_all();
		else if (what < 19)
			release_one();
		else
			rest(10);
	}
}

/* --- joiners --------------------------------------------------------------------- */

static void
join(void)
{
	while (!is_told_to_end()) {
		unsigned queue = below(CHAOS_QUEUES);
		int64_t timeout = below(2) ? QB_FOREVER : below(300);
		struct chaos_event e = event(JOIN_BEGIN, queue, 0);
		qb_result result;

		write_events(&e, 1);
		result = qb_join(me.q, world.queues[queue], timeout);
		EXPECT(result == QB_OK || is_lost(result) ||
			       (result == QB_TIMEOUT && timeout != QB_FOREVER),
		       result);
		tell_end(JOIN_END, queue, (uint64_t)e.at_ns, result, 0);
		rest(20);
	}
}

/* The child holds copies of all descriptors until the driver closes its end of the
 * line, long after this process has ended. */
static void
fork_a_child_that_lives_on(int line)
{
	pid_t pid = fork();
	char end;

	if (pid < 0)
		_exit(6);
	if (pid == 0)
		_exit(recv(line, &end, 1, 0) != 0);
}

void
chaos_live(int line, void *life)
{
	qb_result result;

	me.life = life;
	srandom(me.life->seed);
	result = qb_open(world.address[me.life->link], &me.q);
	EXPECT(result == QB_OK || is_lost(result), result);
	if (me.life->forks)
		fork_a_child_that_lives_on(line);
	switch (me.life->role) {
	case CHAOS_PRODUCER: produce(); break;
	case CHAOS_WORKER: work(); break;
	case CHAOS_JOINER: join(); break;
	}
	result = qb_close_wait(me.q, QB_FOREVER);
	if (result != QB_OK && result != QB_LOST && result != QB_NO_BROKER)
		_exit(7);
}
