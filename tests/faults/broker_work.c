/* SPDX-License-Identifier: MIT
 *
 * A worker of broker_script: one client that puts, gets and finishes, one operation after the
 * other. When the broker is gone it leaves its last operation without an answer.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/faults/broker_script.h"

#define MAX_HELD 6
#define GROUPS	 3

struct worker {
	qb *q;
	unsigned number, n; /* n: of the operation */
	unsigned sizes;	    /* how many items it has named */
	uint64_t seed;
	qb_item *held[MAX_HELD];
	unsigned held_n;
	char queue[16]; /* of the operation */
};

typedef void operation(struct worker *w);

/* Says how an operation ended. Does not come back when nobody knows. */
static bool
answered(struct worker *w, qb_result result)
{
	if (result == QB_LOST || result == QB_NO_BROKER || result == QB_STOPPING)
		exit(0);
	if (result == QB_OK)
		return true;
	say("NO %u.%u %s", w->number, w->n, qb_result_name(result));
	return false;
}

static void
done(struct worker *w, qb_result result)
{
	if (answered(w, result))
		say("OK %u.%u", w->number, w->n);
}

static size_t
new_body(struct worker *w, char *ret)
{
	size_t size = size_of(w->number, w->sizes++);

	make_body(ret, size);
	return size;
}

static void
put(struct worker *w)
{
	static char body[MAX_BODY];
	size_t size = new_body(w, body);
	qb_put_options *options = qb_put_options_new();
	unsigned how = below(&w->seed, 8);
	int priority = (int)below(&w->seed, 5) - 2;
	char group[16] = "-", key[16] = "-";
	int64_t delay = how == 1 ? 3600000 : how == 2 ? 1 : 0;
	uint64_t id;

	qb_put_options_set_priority(options, priority);
	qb_put_options_set_delay(options, delay);
	if (how == 3 || how == 4) {
		snprintf(group, sizeof group, "g%u", below(&w->seed, GROUPS));
		qb_put_options_set_group(options, group);
	}
	if (how == 5) {
		snprintf(key, sizeof key, "k%u", below(&w->seed, 3));
		qb_put_options_set_key(options, key);
	}
	say("TRY %u.%u put %s %zu %d %s %s %d", w->number, w->n, w->queue, size,
	    priority, group, key, (int)delay);
	qb_result result =
		qb_put_with(w->q, w->queue, options, body, size, WAIT_MS, &id);
	qb_put_options_free(options);
	if (answered(w, result))
		say("OK %u.%u %llu %d", w->number, w->n, (unsigned long long)id,
		    qb_was_duplicate(w->q));
}

static void
put_many(struct worker *w)
{
	static char bodies[4][MAX_BODY];
	struct iovec iov[4];
	int64_t ids[4];
	char line[100] = "";

	for (int i = 0; i < 4; i++) {
		iov[i].iov_base = bodies[i];
		iov[i].iov_len = new_body(w, bodies[i]);
		snprintf(line + strlen(line), sizeof line - strlen(line), " %zu",
			 iov[i].iov_len);
	}
	say("TRY %u.%u many %s%s", w->number, w->n, w->queue, line);
	if (answered(w, qb_put_many(w->q, w->queue, iov, 4, 1, WAIT_MS, ids)))
		say("OK %u.%u %lld %lld %lld %lld", w->number, w->n, (long long)ids[0],
		    (long long)ids[1], (long long)ids[2], (long long)ids[3]);
}

static void
get(struct worker *w)
{
	qb_item *item;

	if (w->held_n == MAX_HELD)
		return;
	say("TRY %u.%u get %s", w->number, w->n, w->queue);
	if (!answered(w, qb_get(w->q, w->queue, 0, QB_MANUAL, &item)))
		return;
	say("OK %u.%u %zu %d %u", w->number, w->n, qb_item_size(item),
	    is_body(qb_item_body(item), qb_item_size(item)), qb_item_deliveries(item));
	w->held[w->held_n++] = item;
}

/* One of the items that it holds, which it holds no more. */
static qb_item *
take_held(struct worker *w)
{
	unsigned place = below(&w->seed, w->held_n);
	qb_item *item = w->held[place];

	w->held[place] = w->held[--w->held_n];
	return item;
}

static void
ack(struct worker *w)
{
	if (w->held_n == 0)
		return;
	qb_item *item = take_held(w);
	say("TRY %u.%u ack %zu", w->number, w->n, qb_item_size(item));
	done(w, qb_ack(w->q, item));
	qb_item_free(item);
}

static void
ack_all(struct worker *w)
{
	char line[100] = "";

	if (w->held_n == 0)
		return;
	for (unsigned i = 0; i < w->held_n; i++)
		snprintf(line + strlen(line), sizeof line - strlen(line), " %zu",
			 qb_item_size(w->held[i]));
	say("TRY %u.%u ack%s", w->number, w->n, line);
	done(w, qb_ack_many(w->q, w->held, w->held_n));
	while (w->held_n > 0)
		qb_item_free(w->held[--w->held_n]);
}

static void
give_back(struct worker *w)
{
	static const int64_t delays[] = {0, 1, 3600000};
	unsigned how = below(&w->seed, 4);

	if (w->held_n == 0)
		return;
	qb_item *item = take_held(w);
	size_t size = qb_item_size(item);
	if (how == 0) {
		say("TRY %u.%u bury %zu", w->number, w->n, size);
		done(w, qb_bury(w->q, item, "no good"));
	} else if (how == 1) {
		say("TRY %u.%u release %zu", w->number, w->n, size);
		done(w, qb_release(w->q, item));
	} else {
		int64_t delay = delays[below(&w->seed, 3)];
		int tail = how == 3;

		say("TRY %u.%u nack %zu %d %d", w->number, w->n, size, (int)delay,
		    tail);
		done(w, qb_nack(w->q, item, delay, "try again", tail));
	}
	qb_item_free(item);
}

static void
kick(struct worker *w)
{
	uint64_t count;

	say("TRY %u.%u kick %s", w->number, w->n, w->queue);
	done(w, qb_kick(w->q, w->queue, 0, 2, &count));
}

static void
cancel(struct worker *w)
{
	char group[16];

	snprintf(group, sizeof group, "g%u", below(&w->seed, GROUPS));
	say("TRY %u.%u cancel %s %s", w->number, w->n, w->queue, group);
	done(w, qb_cancel_group(w->q, w->queue, group, NULL, NULL));
}

static void
purge(struct worker *w)
{
	say("TRY %u.%u purge %s", w->number, w->n, w->queue);
	done(w, qb_purge(w->q, w->queue, NULL));
}

/* Each as often as it stands here. */
static operation *const operations_of_all[] = {
	put,	  put, put, put, put, put, put,	 put,  put,	  put,
	put_many, get, get, get, get, get, get,	 get,  ack,	  ack,
	ack,	  ack, ack, ack, ack, ack, kick, kick, give_back, give_back,
};

/* Queues that are written at once, in order of arrival and of priority, and one that is written when there is time. */
static void
declare(struct worker *w, const char *name, const char *durable, const char *order)
{
	char queue[32], durable_is[32], order_is[32];
	const char *options[] = {durable_is, order_is, NULL};

	snprintf(queue, sizeof queue, "%s-%u", name, w->number);
	snprintf(durable_is, sizeof durable_is, "durable=%s", durable);
	snprintf(order_is, sizeof order_is, "order=%s", order);
	say("TRY %u.%u declare %s %s %s", w->number, w->n, queue, durable, order);
	done(w, qb_declare(w->q, queue, options, 1, NULL));
	w->n++;
}

static void
choose_queue(struct worker *w)
{
	static const char *const names[] = {"fifo", "fifo", "prio", "async"};

	snprintf(w->queue, sizeof w->queue, "%s-%u", names[below(&w->seed, 4)],
		 w->number);
}

_Noreturn void
work(const char *address, unsigned worker, unsigned operations, uint64_t seed)
{
	struct worker w = {.number = worker, .seed = seed * 1000 + worker};

	if (qb_open(address, &w.q) != QB_OK)
		exit(0);
	declare(&w, "fifo", "sync", "fifo");
	declare(&w, "prio", "sync", "priority");
	declare(&w, "async", "async", "fifo");
	for (unsigned i = 0; i < operations; i++) {
		unsigned rare = below(&w.seed, 60);
		unsigned which = below(&w.seed, sizeof operations_of_all /
							sizeof *operations_of_all);

		choose_queue(&w);
		operation *one = rare == 0   ? purge
				 : rare <= 2 ? cancel
				 : rare <= 5 ? ack_all
					     : operations_of_all[which];
		one(&w);
		w.n++;
	}
	exit(0); /* what it holds, it holds until the broker gives it up */
}
