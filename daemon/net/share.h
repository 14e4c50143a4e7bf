/* SPDX-License-Identifier: MIT
 * How many bytes of a large body a connection may move in one loop turn. Where nobody else asks for
 * anything, as many as make a system call cheap; where others do, so few that they do
 * not notice: who asks for one thing at a time waits for a share each time. */
#ifndef QBROKER_DAEMON_NET_SHARE_H
#define QBROKER_DAEMON_NET_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHARE_LEAST    16384
#define SHARE_QUIET_NS UINT64_C(1000000) /* nobody has asked for so long: they are away */

struct share {		   /* all 0 at first */
	uint64_t asked_ns; /* server.asked_ns, when it had the last one */
	uint32_t bytes;	   /* of that */
};

/* `asked_ns`: when somebody asked last; `most`: bytes, a power of two. */
static inline size_t
share_next(struct share *s, uint64_t asked_ns, uint64_t now_ns, uint32_t most)
{
	if (now_ns - asked_ns < SHARE_QUIET_NS || s->bytes < SHARE_LEAST)
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
