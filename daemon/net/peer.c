/* SPDX-License-Identifier: MIT
 * The kernel knows who connected; a copy of the socket in a forked child does not
 * change that. */
#include "daemon/net/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/net/address.h"

#ifndef SO_PEERPIDFD /* Linux 6.5; older headers do not name it */
#define SO_PEERPIDFD 77
#endif

#ifndef SO_PASSRIGHTS /* Linux 6.16 */
#define SO_PASSRIGHTS 83
#endif

void
peer_may_pass(int fd, bool may)
{
	int value = may;

	(void)setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &value, sizeof(value));
}

void
peer_identify(int fd, struct peer *ret)
{
	struct sockaddr_storage sa;
	struct ucred cred;
	socklen_t sa_len = sizeof(sa), cred_len = sizeof(cred);
	char text[ADDRESS_LEN];

	*ret = (struct peer){.local = false};
	if (getpeername(fd, (struct sockaddr *)&sa, &sa_len) < 0)
		return;
	if (sa.ss_family != AF_UNIX) {
		address_format(text, sizeof(text), (struct sockaddr *)&sa, sa_len);
		memcpy(ret->address, text, strnlen(text, sizeof(ret->address) - 1));
		return;
	}
	ret->local = true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &cred_len) < 0)
		return;
	ret->uid = cred.uid;
	ret->pid = cred.pid;
}

/* Before Linux 6.5, by number: when the process has ended already its number may be
 * another's, whose end says nothing; the end of file still does. */
static int
pidfd_by_number(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.pid <= 0)
		return -1;
	return (int)syscall(SYS_pidfd_open, peer.pid, 0);
}

/* What is in a small file, as a string; its length, 0 if it cannot be read. */
static size_t
read_file(const char *path, char *ret, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, size - 1);

	if (fd >= 0)
		close(fd);
	if (n > 0 && ret[n - 1] == '\n')
		n--;
	ret[n > 0 ? n : 0] = 0;
	return n > 0 ? (size_t)n : 0;
}

static size_t
read_boot(char ret[64])
{
	return read_file("/proc/sys/kernel/random/boot_id", ret, 64);
}

static bool
same_boot(const char *boot, size_t len)
{
	char own[64];
	size_t n = read_boot(own);

	return n > 0 && n == len && memcmp(own, boot, len) == 0;
}

/* 0: unknown. */
static uint64_t
own_pidns(void)
{
	struct stat own;

	return stat("/proc/self/ns/pid", &own) < 0 ? 0 : own.st_ino;
}

int
peer_pidfd_here(const char *boot, size_t boot_len, uint64_t pidns, uint64_t pid)
{
	if (pid == 0 || pid > INT32_MAX || own_pidns() != pidns ||
	    !same_boot(boot, boot_len))
		return -1;
	return (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
}

/* --- over a restart -------------------------------------------------------------- */

/* The 22nd field; behind the name, which may hold anything, that is the 20th. 0: unknown. */
static uint64_t
started(uint64_t pid)
{
	char path[64], stat[1024], *at;

	snprintf(path, sizeof(path), "/proc/%" PRIu64 "/stat", pid);
	if (read_file(path, stat, sizeof(stat)) == 0)
		return 0;
	at = strrchr(stat, ')');
	for (int i = 0; at && i < 20; i++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at, NULL, 10) : 0;
}

static bool
has_ended(int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	return poll(&p, 1, 0) != 0;
}

/* What all processes of this machine, and namespace, have in common. */
static const struct witness *
own(void)
{
	static struct witness own;

	if (own.pidns == 0 && read_boot(own.boot) > 0)
		own.pidns = own_pidns();
	return &own;
}

bool
peer_describe(int pidfd, uint64_t pid, uint64_t *known, struct witness *ret)
{
	*ret = *own();
	ret->pid = pid;
	ret->started = *known > 0 ? *known : started(pid);
	/* Asked last: as long as it is there its number is nobody else's. */
	if (ret->pidns == 0 || ret->started == 0 || (*known == 0 && has_ended(pidfd)))
		return false;
	*known = ret->started;
	return true;
}

int
peer_find(const struct witness *witness, bool *ret_gone)
{
	const struct witness *here = own();
	uint64_t since;
	int pidfd;

	*ret_gone = here->boot[0] != 0 && strcmp(here->boot, witness->boot) != 0;
	if (*ret_gone || here->pidns != witness->pidns)
		return -1;
	pidfd = (int)syscall(SYS_pidfd_open, (pid_t)witness->pid, 0);
	*ret_gone = pidfd < 0 && errno == ESRCH;
	if (pidfd < 0 || (since = started(witness->pid)) == witness->started)
		return pidfd;
	/* Its number is another's, unless that could not be read. */
	*ret_gone = since > 0 || has_ended(pidfd);
	close(pidfd);
	return -1;
}

/* --- at the socket --------------------------------------------------------------- */

int
peer_pidfd(int fd)
{
	int domain, pidfd;
	socklen_t len = sizeof(domain);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 ||
	    domain != AF_UNIX)
		return -1;
	len = sizeof(pidfd);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) < 0)
		return pidfd_by_number(fd);
	return pidfd;
}
