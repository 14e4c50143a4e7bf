/* SPDX-License-Identifier: MIT
 * How many bytes of a large body a connection may move in one loop turn. Where nobody else asks for
 * anything, as many as make a system call cheap; where others do, so few that they do
 * not notice: who asks for one thing at a time waits for a share each time. */
#ifndef QBROKER_DAEMON_NET_SHARE_H
#define QBROKER_DAEMON_NET_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHARE_LEAST 16384

struct share {		/* all 0 at first */
	uint64_t asked; /* server.asked, when it had the last one */
	uint32_t bytes; /* of that */
};

/* `asked`: how many reads have brought requests by now; `most`: bytes, a power of two. */
static inline size_t
share_next(struct share *s, uint64_t asked, uint32_t most)
{
	if (s->asked != asked || s->bytes < SHARE_LEAST)
		s->bytes = SHARE_LEAST;
	else if (s->bytes < most)
		s->bytes *= 2;
	s->asked = asked;
	return s->bytes;
}

/* Whether it has had one since anybody asked. */
static inline bool
share_had(const struct share *s, uint64_t asked)
{
	return s->bytes > 0 && s->asked == asked;
}

#endif
