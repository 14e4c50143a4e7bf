/* SPDX-License-Identifier: MIT
 *
 * Loaded with LD_PRELOAD: lets the N-th call that changes one folder fail, be short or be the last
 * one of the process. Counts over all threads, and only files of that folder, which
 * strace's own injection cannot.
 *
 *   QB_FAULT_FOLDER=…              the folder
 *   QB_FAULT=CALL:N:WHAT[:TIMES]   CALL: any, write, sync, allocate, rename, unlink, open;
 *                                  WHAT: KILL, EIO, ENOSPC, EINTR, SHORT, SLOW (it takes two
 *                                  seconds); from the N-th on
 *                                  TIMES times (1); 0: for good
 *   QB_FAULT_FD=…                  a byte is written there when it happens
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define SLOW_S 2

enum what { PASS, KILL, FAIL, SHORT, SLOW };

static char folder[PATH_MAX];
static char call_name[16];
static long from, times;
static enum what action;
static int error, told_fd = -1;
static atomic_long count;

__attribute__((constructor)) static void
read_settings(void)
{
	const char *where = getenv("QB_FAULT_FOLDER"), *fault = getenv("QB_FAULT");
	const char *fd = getenv("QB_FAULT_FD");
	char word[16];

	if (where == NULL || fault == NULL || realpath(where, folder) == NULL)
		return;
	times = 1;
	if (sscanf(fault, "%15[^:]:%ld:%15[^:]:%ld", call_name, &from, word, &times) <
	    3)
		return;
	if (fd != NULL)
		told_fd = atoi(fd);
	error = strcmp(word, "ENOSPC") == 0  ? ENOSPC
		: strcmp(word, "EINTR") == 0 ? EINTR
					     : EIO;
	action = strcmp(word, "KILL") == 0    ? KILL
		 : strcmp(word, "SHORT") == 0 ? SHORT
		 : strcmp(word, "SLOW") == 0  ? SLOW
					      : FAIL;
}

static bool
is_within(const char *path)
{
	size_t len = strlen(folder);

	return strncmp(path, folder, len) == 0 &&
	       (path[len] == '/' || path[len] == '\0');
}

static bool
fd_is_within(int fd)
{
	char link[64], path[PATH_MAX];
	ssize_t len;
	int saved = errno;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof path - 1);
	errno = saved;
	if (len < 0)
		return false;
	path[len] = '\0';
	return is_within(path);
}

static bool
name_is_within(int dirfd, const char *name)
{
	return name[0] == '/' ? is_within(name) : dirfd >= 0 && fd_is_within(dirfd);
}

/* What becomes of a call on the folder. Does not come back if the process is to end. */
static enum what
strike(const char *call)
{
	long n;

	if (action == PASS ||
	    (strcmp(call_name, "any") != 0 && strcmp(call_name, call) != 0))
		return PASS;
	n = atomic_fetch_add(&count, 1) + 1;
	if (n < from || (times > 0 && n >= from + times))
		return PASS;
	if (told_fd >= 0 && n == from)
		dprintf(told_fd, "!");
	if (action == KILL) {
		kill(getpid(), SIGKILL);
		for (;;)
			pause();
	}
	if (action == SLOW) {
		sleep(SLOW_S);
		return PASS;
	}
	errno = error;
	return action;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define WRITES(fd, all, half)                                               \
	do {                                                                \
		enum what what = fd_is_within(fd) ? strike("write") : PASS; \
		return what == FAIL ? -1 : what == SHORT ? (half) : (all);  \
	} while (0)

#define CHANGES(call, within, all)                               \
	do {                                                     \
		enum what what = (within) ? strike(call) : PASS; \
		return what == FAIL ? -1 : (all);                \
	} while (0)

ssize_t
write(int fd, const void *data, size_t len)
{
	WRITES(fd, REAL(write)(fd, data, len), REAL(write)(fd, data, (len + 1) / 2));
}

ssize_t
pwrite(int fd, const void *data, size_t len, off_t offset)
{
	WRITES(fd, REAL(pwrite)(fd, data, len, offset),
	       REAL(pwrite)(fd, data, (len + 1) / 2, offset));
}

ssize_t
writev(int fd, const struct iovec *iov, int n)
{
	WRITES(fd, REAL(writev)(fd, iov, n),
	       REAL(write)(fd, iov[0].iov_base, (iov[0].iov_len + 1) / 2));
}

ssize_t
pwritev(int fd, const struct iovec *iov, int n, off_t offset)
{
	WRITES(fd, REAL(pwritev)(fd, iov, n, offset),
	       REAL(pwrite)(fd, iov[0].iov_base, (iov[0].iov_len + 1) / 2, offset));
}

int
fsync(int fd)
{
	CHANGES("sync", fd_is_within(fd), REAL(fsync)(fd));
}

int
fdatasync(int fd)
{
	CHANGES("sync", fd_is_within(fd), REAL(fdatasync)(fd));
}

int
fallocate(int fd, int mode, off_t offset, off_t len)
{
	CHANGES("allocate", fd_is_within(fd), REAL(fallocate)(fd, mode, offset, len));
}

int
posix_fallocate(int fd, off_t offset, off_t len)
{
	if (fd_is_within(fd) && strike("allocate") == FAIL)
		return error;
	return REAL(posix_fallocate)(fd, offset, len);
}

int
ftruncate(int fd, off_t len)
{
	CHANGES("allocate", fd_is_within(fd), REAL(ftruncate)(fd, len));
}

int
rename(const char *old, const char *new)
{
	CHANGES("rename", name_is_within(-1, new), REAL(rename)(old, new));
}

int
renameat(int old_dir, const char *old, int new_dir, const char *new)
{
	CHANGES("rename", name_is_within(new_dir, new),
		REAL(renameat)(old_dir, old, new_dir, new));
}

int
renameat2(int old_dir, const char *old, int new_dir, const char *new,
	  unsigned int flags)
{
	CHANGES("rename", name_is_within(new_dir, new),
		REAL(renameat2)(old_dir, old, new_dir, new, flags));
}

int
unlink(const char *name)
{
	CHANGES("unlink", name_is_within(-1, name), REAL(unlink)(name));
}

int
unlinkat(int dir, const char *name, int flags)
{
	CHANGES("unlink", name_is_within(dir, name), REAL(unlinkat)(dir, name, flags));
}

/* Only what makes a file is counted: what reads changes nothing. */
int
open(const char *name, int flags, ...)
{
	bool makes = (flags & O_CREAT) != 0;
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = makes ? va_arg(args, mode_t) : 0;
	va_end(args);
	CHANGES("open", makes && name_is_within(-1, name),
		REAL(open)(name, flags, mode));
}

int
openat(int dir, const char *name, int flags, ...)
{
	bool makes = (flags & O_CREAT) != 0;
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = makes ? va_arg(args, mode_t) : 0;
	va_end(args);
	CHANGES("open", makes && name_is_within(dir, name),
		REAL(openat)(dir, name, flags, mode));
}
