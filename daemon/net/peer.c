/* SPDX-License-Identifier: MIT
 * The kernel knows who connected; a copy of the socket in a forked child does not
 * change that. */
#include "daemon/net/peer.h"

#include <fcntl.h>
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

static bool
same_boot(const char *boot, size_t len)
{
	char own[64];
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, own, sizeof(own));

	if (fd >= 0)
		close(fd);
	if (n > 0 && own[n - 1] == '\n')
		n--;
	return n > 0 && (size_t)n == len && memcmp(own, boot, len) == 0;
}

int
peer_pidfd_here(const char *boot, size_t boot_len, uint64_t pidns, uint64_t pid)
{
	struct stat own;

	if (pid == 0 || pid > INT32_MAX || stat("/proc/self/ns/pid", &own) < 0 ||
	    own.st_ino != pidns || !same_boot(boot, boot_len))
		return -1;
	return (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
}

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
