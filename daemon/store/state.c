/* SPDX-License-Identifier: MIT
 *
 * What the threads tell each other. All of it is called with the lock held, and who is woken is so when
 * it is not held any more: else it would only come to wait for it, and a thread that loses its processor
 * in a system call would hold up the loop with it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/store/files_int.h"

void
files_unlock(struct store_files *s)
{
	bool keeper = s->wake_keeper, loop = s->wake_loop;
	uint64_t one = 1;

	s->wake_keeper = s->wake_loop = false;
	pthread_mutex_unlock(&s->lock);
	if (keeper)
		pthread_cond_signal(&s->to_keep);
	/* It is below its limit: it is written to once for each time that it is read, or so. */
	if (loop)
		(void)!write(s->wake_fd, &one, sizeof(one));
}

void
files_wake(struct store_files *s)
{
	pthread_cond_broadcast(&s->changed);
	s->wake_loop |= !s->told;
	s->told = true;
}

void
files_kick(struct store_files *s)
{
	s->kick = s->wake_keeper = true;
}

bool
files_no_room(int error)
{
	return error == ENOSPC || error == EDQUOT;
}

void
files_low(struct store_files *s, int error)
{
	if (s->failed || s->low)
		return;
	s->low = true;
	snprintf(s->error, sizeof(s->error), "%s another segment in %s: %s",
		 files_no_room(error) ? "no room for" : "cannot make", s->dir,
		 strerror(error));
	files_wake(s);
}

void
files_stuck(struct store_files *s, const struct chunk *c, int error)
{
	char name[SEGMENT_NAME];

	if (s->failed)
		return;
	s->stuck = s->low = true;
	segment_name(c->segment, name);
	snprintf(s->error, sizeof(s->error),
		 "no room to write %s/%s, offset %" PRIu64 ": %s", s->dir, name,
		 c->offset, strerror(error));
	files_kick(s); /* what is being made takes room as well */
	files_wake(s);
}

void
files_stays(struct store_files *s, uint64_t segment, int error)
{
	char name[SEGMENT_NAME];

	s->stays[0] = '\0';
	if (!error)
		return;
	segment_name(segment, name);
	snprintf(s->stays, sizeof(s->stays), "cannot remove %s/%s: %s", s->dir, name,
		 strerror(error));
}

void
files_fail(struct store_files *s, const char *what, const char *file, int error)
{
	if (s->failed)
		return; /* the first one is the cause */
	s->failed = true;
	snprintf(s->error, sizeof(s->error), "%s %s/%s: %s", what, s->dir, file,
		 strerror(error));
	pthread_cond_signal(&s->to_commit);
	files_kick(s);
	files_wake(s);
}

void
files_fail_segment(struct store_files *s, const char *what, uint64_t segment,
		   uint64_t offset, int error)
{
	char name[SEGMENT_NAME], where[SEGMENT_NAME + 40];

	segment_name(segment, name);
	snprintf(where, sizeof(where), "%s, offset %" PRIu64, name, offset);
	files_fail(s, what, offset ? where : name, error);
}
