/* SPDX-License-Identifier: MIT
 * See keep.h. */
#include <config.h>

#include "ctl/keep.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BLIND_MS \
	100 /* where the end of a process cannot be polled for (Linux before 5.3) */

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* Whether the child has ended, or is not there. */
static bool
has_ended(pid_t pid)
{
	siginfo_t info = {.si_pid = 0};

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
	       info.si_pid != 0;
}

/* Waits for the child's end, something from it, or the moment. */
static void
wait_once(int pidfd, struct tail *tail, int64_t until_ms)
{
	struct pollfd fds[] = {{pidfd, POLLIN, 0}, tail_poll(tail)};
	int64_t left = until_ms == INT64_MAX ? INT_MAX : until_ms - now_ms();

	if (pidfd < 0 && left > BLIND_MS)
		left = BLIND_MS;
	left = left < 0 ? 0 : left;
	if (poll(fds, 2, left < INT_MAX ? (int)left : INT_MAX) > 0 && fds[1].revents)
		tail_move(tail);
}

/* Touches the lease whenever a third of it has passed. false: the item may be another's. */
static bool
touch(const struct ctl *ctl, const qb_item *item, int64_t *until_ms)
{
	int64_t third = qb_item_lease(item) / 3;

	if (now_ms() < *until_ms)
		return true;
	*until_ms = now_ms() + (third > 0 ? third : 1);
	if (qb_touch(ctl->q, item, 0, NULL, NULL) == QB_OK)
		return true;
	ctl_error(ctl, "item %" PRIu64 " may be given to another now: %s",
		  qb_item_id(item), qb_error(ctl->q));
	return false;
}

int
keep_wait(const struct ctl *ctl, const qb_item *item, pid_t pid, struct tail *tail,
	  int *ret_status)
{
	bool ends = qb_item_lease(item) != QB_FOREVER;
	int64_t until_ms = ends ? now_ms() + qb_item_lease(item) / 3 : INT64_MAX;
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	while (!has_ended(pid)) {
		wait_once(pidfd, tail, until_ms);
		if (ends && !touch(ctl, item, &until_ms)) {
			ends = false;
			until_ms = INT64_MAX;
		}
	}
	if (pidfd >= 0)
		close(pidfd);
	tail_close(tail);
	while (waitpid(pid, ret_status, 0) < 0)
		if (errno != EINTR)
			return errno;
	return 0;
}
