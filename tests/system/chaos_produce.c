/* SPDX-License-Identifier: MIT
 * The chaos test's producers: they put one by one, in batches and pipelined, with and
 * without patience. */
#include <config.h>

#include <stdlib.h>

#include "tests/system/chaos_life.h"

#define BATCH 6
#define LARGE 3000

static uint64_t n_stamps; /* that this process has given */

struct body {
	uint64_t stamp;
	char more[LARGE];
};

/* Mostly small; some are large enough that many a cut goes through them. */
static struct iovec
make_body(struct body *body)
{
	body->stamp = (uint64_t)me.life->number << 32 | n_stamps++;
	return (struct iovec){body, sizeof(body->stamp) + below(below(5) ? 50 : LARGE)};
}

static qb_put_options *
make_options(unsigned group)
{
	qb_put_options *options = qb_put_options_new();

	qb_put_options_set_group(options, world.groups[group]);

	qb_put_options_set_priority(options, (int32_t)below(3));
	if (below(10) == 0)
		qb_put_options_set_delay(options, below(30));
	return options;
}

static void
expect_put(qb_result result)
{
	EXPECT(result == QB_OK || result == QB_FULL, result);
}

static void
put_one(unsigned queue, int64_t timeout)
{
	static struct body body;
	struct iovec whole = make_body(&body);
	unsigned group = below(2) * below(1 + CHAOS_GROUPS);
	qb_put_options *options = make_options(group);
	struct chaos_event e = event(PUT_BEGIN, queue, body.stamp);
	uint64_t id = 0;
	qb_result result;

	write_events(&e, 1);
	result = qb_put_with(me.q, world.queues[queue], options, whole.iov_base,
			     whole.iov_len, timeout, &id);
	expect_put(result);
	e = event(PUT_END, queue, body.stamp);
	e.group = (uint8_t)group;
	e.result = (int16_t)result;
	e.id = result == QB_OK ? id : 0;
	write_events(&e, 1);
	qb_put_options_free(options);
}

static struct batch {
	unsigned queue, n;
	struct body bodies[BATCH];
	struct iovec whole[BATCH];
} batches[3];

static void
begin_batch(struct batch *b, unsigned queue)
{
	struct chaos_event events[BATCH];

	b->queue = queue;
	b->n = 1 + below(BATCH);
	for (unsigned i = 0; i < b->n; i++) {
		b->whole[i] = make_body(&b->bodies[i]);
		events[i] = event(PUT_BEGIN, queue, b->bodies[i].stamp);
	}
	write_events(events, b->n);
}

/* Of a batch that is refused as a whole no item has a result of its own. */
static void
end_batch(const struct batch *b, qb_result result, const int64_t *ids)
{
	struct chaos_event events[BATCH];

	expect_put(result);
	for (unsigned i = 0; i < b->n; i++) {
		int64_t id = ids ? ids[i] : 0;

		events[i] = event(PUT_END, b->queue, b->bodies[i].stamp);
		events[i].id = id > 0 ? (uint64_t)id : 0;
		events[i].result = id > 0   ? QB_OK
				   : id < 0 ? (int16_t)-id
					    : (int16_t)result;
	}
	write_events(events, b->n);
}

static void
put_batch(unsigned queue, int64_t timeout)
{
	struct batch *b = batches;
	int64_t ids[BATCH] = {0};
	qb_result result;

	begin_batch(b, queue);
	result = qb_put_many(me.q, world.queues[queue], b->whole, b->n, below(2) == 0,
			     timeout, ids);
	end_batch(b, result, ids);
}

static void
batch_was_put(qb *q, uint64_t request, qb_result result, const int64_t *ids, unsigned n,
	      void *arg)
{
	end_batch(arg, result, ids);
}

/* Several at the same time. */
static void
put_batches(unsigned queue, int64_t timeout)
{
	qb_result result;

	for (unsigned i = 0; i < 3; i++) {
		struct batch *b = &batches[i];

		begin_batch(b, queue);
		result = qb_start_put_many(me.q, world.queues[queue], NULL, b->whole,
					   b->n, below(2) == 0, timeout, batch_was_put,
					   b, NULL);
		EXPECT(result == QB_OK, result);
	}
	result = qb_wait(me.q, QB_FOREVER);
	EXPECT(result == QB_OK, result);
}

static void
put_pipelined(unsigned queue)
{
	static struct body body;
	uint64_t first = (uint64_t)me.life->number << 32 | n_stamps;
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
	EXPECT(result == QB_OK, result);
	for (unsigned i = 0; i < n; i++) {
		struct chaos_event e = event(PUT_END, queue, first + i);

		e.result = (int16_t)result;
		write_events(&e, 1);
	}
}

void
produce(void)
{
	while (!is_told_to_end()) {
		for (unsigned n = below(30); n > 0 && !is_told_to_end(); n--) {
			bool home = below(3) > 0;
			unsigned queue = home ? me.life->home : below(CHAOS_QUEUES);
			int64_t timeout = home ? QB_FOREVER : below(30);

			switch (below(6)) {
			case 0: put_batch(queue, timeout); break;
			case 1: put_pipelined(me.life->home); break;
			case 2: put_batches(queue, timeout); break;
			default: put_one(queue, timeout);
			}
		}
		rest(200);
	}
}
