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
#include <unistd.h>

#define BLIND_MS \
	100 /* where the end of a process cannot be polled for (Linux before 5.3) */

/* Waits until the child has ended, or so long. Returns whether the time is over. */
static bool
wait_for(int pidfd, pid_t pid, int64_t ms)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	siginfo_t info = {.si_pid = 0};
	int64_t part;

	if (pidfd >= 0)
		return poll(&p, 1, ms < INT_MAX ? (int)ms : INT_MAX) == 0;
	for (; ms > 0; ms -= part) {
		part = ms < BLIND_MS ? ms : BLIND_MS;
		poll(NULL, 0, (int)part);
		waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
		if (info.si_pid != 0)
			return false;
	}
	return true;
}

/* Touches the lease whenever a third of it has passed, until the child has ended. A signal that
 * comes between makes it two thirds. */
static void
keep(const struct ctl *ctl, const qb_item *item, pid_t pid)
{
	int64_t third = qb_item_lease(item) / 3;
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	siginfo_t info;

	do {
		info.si_pid = 0;
		if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
		    info.si_pid != 0)
			break;
	} while (!wait_for(pidfd, pid, third > 0 ? third : 1) ||
		 qb_touch(ctl->q, item, 0, NULL, NULL) == QB_OK);
	if (info.si_pid == 0)
		ctl_error(ctl, "item %" PRIu64 " may be given to another now: %s",
			  qb_item_id(item), qb_error(ctl->q));
	if (pidfd >= 0)
		close(pidfd);
}

int
keep_wait(const struct ctl *ctl, const qb_item *item, pid_t pid, int *ret_status)
{
	if (qb_item_lease(item) != QB_FOREVER)
		keep(ctl, item, pid);
	while (waitpid(pid, ret_status, 0) < 0)
		if (errno != EINTR)
			return errno;
	return 0;
}
