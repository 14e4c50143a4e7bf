/* SPDX-License-Identifier: MIT
 *
 * What the tests of the engine share: an engine with three sessions, a clock, and short
 * names for what is done all the time.
 */
#ifndef QBROKER_TESTS_CORE_ENGINE_KIT_H
#define QBROKER_TESTS_CORE_ENGINE_KIT_H

#include "daemon/core/engine.h"

#include <check.h>

#define EPOCH	77
#define NO_WAIT 0

extern struct qe *e;
extern struct qe_session *s1, *s2, *s3;
extern uint64_t now;

/* The last answer, from a call or out of qe_next_reply(). */
extern struct qe_reply got;

/* A fixture. The engine has no limits; kit_limits() makes it anew with some. After the
 * test the engine must be sound, without unread answers, and its memory given back. */
void kit_setup(void);
void kit_teardown(void);
void kit_limits(struct qe_config config);

/* Runs the tests of `add` with the fixture; the result is main's. */
int kit_main(const char *suite_name, void (*add)(TCase *tcase));

struct qe_name name(const char *text);
struct qe_session *new_session(uint8_t id);
struct qe_item *new_item(const char *body);

/* A put of one item: its result. */
enum qe_result put(struct qe_session *s, uint64_t rid, const char *queue,
		   const char *body, uint64_t deadline);

/* A put of the bodies "a b c". */
enum qe_result put_many(struct qe_session *s, uint64_t rid, const char *queue,
			const char *bodies, uint64_t deadline, bool atomic);

/* Gives a queue these options; its bounds alone. */
void declare_as(const char *queue, struct qe_declare declare);
void bound(const char *queue, int64_t maxsize, uint64_t max_bytes);

/* A queue with an order, which must be new or empty. */
void declare_order(const char *queue, enum qe_order order);

/* Puts that must be accepted at once; the id. */
uint64_t put_priority(const char *queue, const char *body, int32_t priority);
uint64_t put_timed(const char *queue, const char *body, uint64_t ready,
		   uint64_t expires);
uint64_t put_ok(const char *queue, const char *body);
uint64_t put_grouped(const char *queue, const char *group, const char *body);

/* Likewise of an item of the caller's, which is dead when it has expired. */
uint64_t put_mortal(const char *queue, struct qe_item *item, uint64_t expires);

/* A get of one item: its result. */
enum qe_result get(struct qe_session *s, uint64_t rid, const char *queue,
		   uint64_t deadline);

/* Any get. */
enum qe_result get_as(struct qe_session *s, uint64_t rid, const char *queue,
		      struct qe_get args);

/* Any get from many queues. */
enum qe_result get_any_as(struct qe_session *s, uint64_t rid, const struct qe_any *any,
			  struct qe_get args);

/* A get of at least `min` and at most `max` items. */
enum qe_result get_many(struct qe_session *s, uint64_t rid, const char *queue,
			unsigned min, unsigned max, uint64_t linger, uint64_t deadline);

/* A get that must be answered at once with this body; the tag. */
struct qe_tag take(struct qe_session *s, const char *queue, const char *body);
struct qe_tag tag_of(const struct qe_item *item);

/* A join of one group of the queue, or of all of it (""): its result. */
enum qe_result join_group(struct qe_session *s, uint64_t rid, const char *queue,
			  const char *group, uint64_t deadline);

/* The bodies of the answer `got`, with spaces between them; gives the answer back. */
const char *bodies(void);

/* The next answer must be this one; it is left in `got`, and given back at the next
 * call of the kit. */
void expect(struct qe_session *s, uint64_t rid, enum qe_result result);

/* There must be no answer. */
void expect_nothing(void);

/* The i-th result of the put of many in `got`. */
int64_t result_of(unsigned i);

struct qe_queue_stats stats_of(const char *queue);

/* Moves the clock, and calls qe_tick(). */
void tick_at(uint64_t time);

#endif
