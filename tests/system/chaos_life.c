/* SPDX-License-Identifier: MIT
 * What all processes of the chaos test do, whatever their role. They may be killed
 * anywhere. */
#include <config.h>

#include "tests/system/chaos_life.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

struct chaos_world world;
struct chaos_self me;

unsigned
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

bool
is_told_to_end(void)
{
	return (int)me.life->role < atomic_load(world.no_more);
}

/* --- the events ------------------------------------------------------------------ */

struct chaos_event
event(enum chaos_event_kind kind, unsigned queue, uint64_t stamp)
{
	return (struct chaos_event){.at_ns = chaos_now_ns(),
				    .stamp = stamp,
				    .life = me.life->number,
				    .kind = (uint8_t)kind,
				    .queue = (uint8_t)queue};
}

void
write_events(const struct chaos_event *events, unsigned n)
{
	ssize_t len = (ssize_t)(n * sizeof(*events));

	if (write(world.events, events, (size_t)len) != len) {
		perror("events");
		_exit(8);
	}
}

/* Nobody puts into this queue. */
void
rest(unsigned most_ms)
{
	qb_item *none;
	qb_result result = qb_get(me.q, "rest", below(most_ms + 1), QB_MANUAL, &none);

	EXPECT(result == QB_EMPTY, result);
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

/* A link that is cut before HELLO was answered is the caller's affair: it tries again. */
static void
open_handle(void)
{
	qb_result result = qb_open(world.address[me.life->link], &me.q);

	for (int i = 0; (result == QB_LOST || result == QB_NO_BROKER) && i < 10; i++)
		result = qb_ping(me.q);
	EXPECT(result == QB_OK, result);
}

void
chaos_live(int line, void *life)
{
	me.life = life;
	srandom(me.life->seed);
	open_handle();
	if (me.life->forks)
		fork_a_child_that_lives_on(line);
	switch (me.life->role) {
	case CHAOS_PRODUCER: produce(); break;
	case CHAOS_WORKER: work(); break;
	case CHAOS_JOINER: join(); break;
	}
	if (qb_close_wait(me.q, QB_FOREVER) != QB_OK)
		_exit(7);
}
