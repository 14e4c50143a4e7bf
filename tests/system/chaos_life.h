/* SPDX-License-Identifier: MIT
 * What the processes of the chaos test share: who this one is, how it writes down what
 * it sees. */
#ifndef QBROKER_TESTS_SYSTEM_CHAOS_LIFE_H
#define QBROKER_TESTS_SYSTEM_CHAOS_LIFE_H

#include <stdio.h>
#include <unistd.h>

#include "tests/system/chaos.h"

/* This process. */
struct chaos_self {
	const struct chaos_life *life;
	qb *q;
};
extern struct chaos_self me;

/* Says what went wrong where the test's output is, and ends. */
#define EXPECT(condition, result)                                                \
	do {                                                                     \
		if (!(condition)) {                                              \
			fprintf(stderr,                                          \
				"process %u, role %d, link %d, %s:%d: %s: %s\n", \
				me.life->number, (int)me.life->role,             \
				(int)me.life->link, __FILE__, __LINE__,          \
				qb_result_name(result), qb_error(me.q));         \
			_exit(9);                                                \
		}                                                                \
	} while (0)

unsigned below(unsigned n);

/* Whether the driver wants processes of this role to end. */
bool is_told_to_end(void);

/* An event that happens now. */
struct chaos_event event(enum chaos_event_kind kind, unsigned queue, uint64_t stamp);
void write_events(const struct chaos_event *events, unsigned n);

/* Lets some time pass. */
void rest(unsigned most_ms);

/* The three roles, until they are told to end: for workers that is a shutdown. */
void produce(void);
void work(void);
void join(void);

#endif
