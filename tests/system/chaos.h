/* SPDX-License-Identifier: MIT
 * The chaos test's parts: processes that use queues until they are killed and write
 * down what they see (chaos_life.c), the queues (chaos_queues.c), and the books that must be right
 * over all of it (chaos_books.c). check_chaos.c starts, stops and kills. */
#ifndef QBROKER_TESTS_SYSTEM_CHAOS_H
#define QBROKER_TESTS_SYSTEM_CHAOS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/qbroker.h"

#define CHAOS_GROUPS 3	  /* in each queue; their numbers are 1 to 3, 0 is none */
#define CHAOS_HOLD   8	  /* items that a worker gets at once and holds, at most */
#define CHAOS_LIVES  8192 /* processes in one run, at most */

/* Nobody alive loses an item of the first three. In CHAOS_FRAGILE leases end, and items die and are
 * kicked back. Items of the last two are finished without their workers: one that is killed may have
 * taken some with it, and of CHAOS_NONE so may a link. */
enum chaos_queue {
	CHAOS_FIFO,
	CHAOS_PRIORITY,
	CHAOS_LIFO,
	CHAOS_FRAGILE,
	CHAOS_AUTO,
	CHAOS_NONE,
	CHAOS_QUEUES
};
#define CHAOS_MANUAL (CHAOS_FRAGILE + 1) /* so many queues have items to finish */

/* An item of CHAOS_FRAGILE that failed less often has not been dead, unless it was buried. */
#define CHAOS_ATTEMPTS_SURVIVED 2

enum chaos_role { CHAOS_PRODUCER, CHAOS_WORKER, CHAOS_JOINER };

/* How a process reaches the broker; the last two through proxies that cut. */
enum chaos_link { CHAOS_UNIX, CHAOS_TCP, CHAOS_CUT_UNIX, CHAOS_CUT_TCP, CHAOS_LINKS };

/* One process. */
struct chaos_life {
	uint32_t number; /* from 0 */
	enum chaos_role role;
	enum chaos_link link;
	unsigned seed;
	unsigned home; /* the queue where it may wait for ever */
	bool forks;    /* has a child that holds its socket and lives on */
};

/* What all processes know, set before the first of them is started. */
struct chaos_world {
	const char *queues[CHAOS_QUEUES];
	const char *groups[1 + CHAOS_GROUPS];
	const char *address[CHAOS_LINKS];
	int events;		  /* the file, open for appending */
	atomic_int *no_more;	  /* shared: roles below this end */
	struct chaos_life *lives; /* by number */
	unsigned n_lives;
};
extern struct chaos_world world;

enum chaos_event_kind {
	PUT_BEGIN,
	PUT_END, /* with the result, and the id with QB_OK */
	GOT,
	ACK_BEGIN,
	ACK_END, /* with the result */
	BURY_BEGIN,
	IS_DEAD, /* at the end, when it is purged */
	JOIN_BEGIN,
	JOIN_END, /* with the result, and the beginning as the stamp */
};

#define CHAOS_UNKNOWN (-100) /* a result: nobody waited for it */

/* One thing that one process knows. Written with one write() at the end of the file, so
 * that it is there as a whole or not at all, whoever is killed. */
struct chaos_event {
	int64_t at_ns;	/* before what begins, after what ended */
	uint64_t stamp; /* of the item: its producer and a number */
	uint64_t id;
	uint32_t delivery;
	uint32_t life; /* whose */
	uint8_t kind, queue;
	uint8_t group; /* of a put or a join */
	int16_t result;
	uint32_t order; /* in the file; filled in when it is read */
};

/* What came of it all. */
struct chaos_sums {
	unsigned confirmed, refused, unknown; /* puts */
	unsigned got, finished, again;	      /* items; got more than once */
	unsigned dead;
	unsigned there[CHAOS_QUEUES]; /* items that somebody saw */
	unsigned joins;		      /* that ended with QB_OK */
};

/* A process's whole life: until it is killed, or has no more to do. */
void chaos_live(int line, void *life);

/* Reads the file and fails the test when anything is not as it must be. All items have been
 * finished, or were purged when they were dead. */
struct chaos_sums chaos_check(const char *path);

/* What the driver does to the queues (chaos_queues.c). A pause is, by `how`, 0 to 2, of puts, of
 * gets, or of both. */
void chaos_declare(qb *q);
void chaos_pause(qb *q, unsigned queue, unsigned how);
void chaos_resume(qb *q, unsigned queue);
void chaos_kick(qb *q, unsigned most);

/* Writes down the items that are dead, and purges them. */
void chaos_purge_dead(qb *q);

int64_t chaos_now_ns(void);

#endif
