/* SPDX-License-Identifier: MIT
 * What large bodies, and work that nobody waits for, may have of the loop. Where nobody else asks for anything, as much as
 * makes it cheap; where others do, so little that they do not notice. That is not only a matter of how long they wait: who
 * sends and who gets a large body need a processor for each share as well, and where there are few, the others
 * lack it. */
#ifndef QBROKER_DAEMON_NET_SHARE_H
#define QBROKER_DAEMON_NET_SHARE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHARE_LEAST	65536		  /* bytes of one body in one turn: some 20 us */
#define SHARE_QUIET_NS	UINT64_C(1000000) /* nobody has asked for so long: they are away */
#define SHARE_WANTED_NS UINT64_C(100000)  /* somebody asked so lately: the next is near */
#define SHARE_APART_NS	UINT64_C(100000)  /* so far are shares from each other then */

/* How long work that nobody waits for may go on in a turn, at least. */
#define SHARE_WORK_QUIET_NS UINT64_C(200000)
#define SHARE_WORK_BUSY_NS  UINT64_C(5000)
#define SHARE_WORK_MOST_NS  UINT64_C(400000)

struct share {		   /* all 0 at first */
	uint64_t asked_ns; /* server.asked_ns, when it had the last one */
	uint32_t bytes;	   /* of that */
};

static inline bool
share_is_quiet(uint64_t asked_ns, uint64_t now_ns)
{
	return now_ns - asked_ns >= SHARE_QUIET_NS;
}

/* How many of the bodies that are on their way may have a share in this turn; one had it `moved_ns`. */
static inline unsigned
share_bulk(uint64_t asked_ns, uint64_t moved_ns, uint64_t now_ns)
{
	if (share_is_quiet(asked_ns, now_ns))
		return UINT_MAX;
	return now_ns - asked_ns >= SHARE_WANTED_NS || now_ns - moved_ns >= SHARE_APART_NS;
}

/* `turn_ns`: what the turn took otherwise. As much can be given back as others fill meanwhile; where they ask, a
 * quarter of that time is enough, and who asks at half of full load does not fall behind. */
static inline uint64_t
share_of_work(uint64_t asked_ns, uint64_t now_ns, uint64_t turn_ns)
{
	uint64_t share_ns = share_is_quiet(asked_ns, now_ns) ? SHARE_WORK_QUIET_NS + turn_ns
							     : SHARE_WORK_BUSY_NS + turn_ns / 4;

	return share_ns < SHARE_WORK_MOST_NS ? share_ns : SHARE_WORK_MOST_NS;
}

/* `asked_ns`: when somebody asked last; `most`: bytes, a power of two. */
static inline size_t
share_next(struct share *s, uint64_t asked_ns, uint64_t now_ns, uint32_t most)
{
	if (!share_is_quiet(asked_ns, now_ns) || s->bytes < SHARE_LEAST)
		s->bytes = SHARE_LEAST;
	else if (s->bytes < most)
		s->bytes *= 2;
	s->asked_ns = asked_ns;
	return s->bytes;
}

/* Whether it has had one since anybody asked. */
static inline bool
share_had(const struct share *s, uint64_t asked_ns)
{
	return s->bytes > 0 && s->asked_ns == asked_ns;
}

#endif
