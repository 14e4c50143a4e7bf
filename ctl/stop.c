/* SPDX-License-Identifier: MIT
 * Ending in order: a signal is remembered and interrupts what waits, and the command
 * then gives back what it holds. */
#include <config.h>

#include "ctl/ctl.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <time.h>

static volatile sig_atomic_t caught;

static void
remember(int number)
{
	caught = number;
}

/* What is ignored stays so: a shell does that to its jobs in the background. */
static void
catch_one(int number, const struct sigaction *action)
{
	struct sigaction old;

	sigaction(number, NULL, &old);
	if (old.sa_handler != SIG_IGN)
		sigaction(number, action, NULL);
}

void
stop_catch(void)
{
	/* SA_RESETHAND: whoever asks twice does not want to wait. No SA_RESTART: a
	 * write() into a full pipe ends. */
	struct sigaction action = {.sa_handler = remember, .sa_flags = SA_RESETHAND};

	sigemptyset(&action.sa_mask);
	catch_one(SIGINT, &action);
	catch_one(SIGTERM, &action);
}

int
stop_signal(void)
{
	return caught;
}

int
stop_poll(struct pollfd *fds, unsigned n, int64_t timeout_ms)
{
	struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000};
	sigset_t block, old;
	int ready;

	sigemptyset(&block);
	sigaddset(&block, SIGINT);
	sigaddset(&block, SIGTERM);
	sigprocmask(SIG_BLOCK, &block, &old);
	if (caught) {
		errno = EINTR;
		ready = -1;
	} else {
		ready = ppoll(fds, n, timeout_ms < 0 ? NULL : &timeout, &old);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	return ready;
}

void
stop_reraise(void)
{
	signal(caught, SIG_DFL);
	raise(caught);
}
