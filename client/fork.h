/* SPDX-License-Identifier: MIT
 * Has this process been forked since the guard was set? Answered without a system call,
 * by a page that the kernel wipes in the child. */
#ifndef QBROKER_CLIENT_FORK_H
#define QBROKER_CLIENT_FORK_H

#include <stdbool.h>
#include <sys/types.h>
#include <unistd.h>

struct fork_guard {
	volatile unsigned char *page; /* 0 in a child; NULL: the kernel cannot wipe */
	pid_t pid;
};

void fork_guard_init(struct fork_guard *guard);
void fork_guard_done(struct fork_guard *guard);

/* This process is the owner from now on. */
void fork_guard_set(struct fork_guard *guard);

static inline bool
fork_guard_forked(const struct fork_guard *guard)
{
	return guard->page ? *guard->page == 0 : guard->pid != getpid();
}

#endif
