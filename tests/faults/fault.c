/* SPDX-License-Identifier: MIT
 *
 * Loaded with LD_PRELOAD: lets the N-th call that changes one folder fail, be short or be the last
 * one of the process. Counts over all threads, and only files of that folder, which
 * strace's own injection cannot.
 *
 *   QB_FAULT_FOLDER=…              the folder
 *   QB_FAULT=CALL:N:WHAT[:TIMES]   CALL: any, write, sync, allocate, rename, unlink, open; with
 *                                  @NAME only those of files whose names begin so;
 *                                  WHAT: KILL, EIO, ENOSPC, EINTR, SHORT, SLOW (it takes two
 *                                  seconds), HANG (for good); from the N-th on
 *                                  TIMES times (1); 0: for good. N 0: as soon as there is a file FOLDER.now
 *   QB_FAULT=moment:N:KILL         qbrokerd is killed N microseconds after its start
 *   QB_FAULT_FD=…                  "CALL NAME LENGTH\n" is written there when it first happens; the
 *                                  length is 0 of what is no write
 *   QB_FAULT_LOG=…                 into this file, or pipe, each write and sync of a file of the folder is
 *                                  noted when it is done: "write NAME BEGIN END" or "sync …", in ns of
 *                                  the monotonic clock
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SLOW_S 2

enum what { PASS, KILL, FAIL, SHORT, SLOW, HANG };

static char folder[PATH_MAX];
static char call_name[48], *file_name; /* file_name: how it begins; NULL: any */
static long from, times;
static enum what action;
static int error, told_fd = -1, log_fd = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long count; /* under the lock */

static void *
die_later(void *arg)
{
	usleep((useconds_t)from);
	if (told_fd >= 0)
		dprintf(told_fd, "moment %ld 0\n", from);
	kill(getpid(), SIGKILL);
	return NULL;
}

__attribute__((constructor)) static void
read_settings(void)
{
	const char *where = getenv("QB_FAULT_FOLDER"), *fault = getenv("QB_FAULT");
	const char *fd = getenv("QB_FAULT_FD"), *log = getenv("QB_FAULT_LOG");
	char word[16], *at;

	if (where == NULL || realpath(where, folder) == NULL)
		return;
	if (log != NULL)
		log_fd = open(log, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fault == NULL)
		return;
	times = 1;
	if (sscanf(fault, "%47[^:]:%ld:%15[^:]:%ld", call_name, &from, word, &times) <
	    3)
		return;
	at = strchr(call_name, '@');
	if (at) {
		*at = '\0';
		file_name = at + 1;
	}
	if (fd != NULL)
		told_fd = atoi(fd);
	error = strcmp(word, "ENOSPC") == 0  ? ENOSPC
		: strcmp(word, "EINTR") == 0 ? EINTR
					     : EIO;
	action = strcmp(word, "KILL") == 0    ? KILL
		 : strcmp(word, "SHORT") == 0 ? SHORT
		 : strcmp(word, "SLOW") == 0  ? SLOW
		 : strcmp(word, "HANG") == 0  ? HANG
					      : FAIL;
	if (strcmp(call_name, "moment") == 0 &&
	    strstr(program_invocation_short_name, "qbrokerd")) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, die_later, NULL) == 0)
			pthread_detach(thread);
	}
}

static bool
is_within(const char *path)
{
	size_t len = strlen(folder);

	return strncmp(path, folder, len) == 0 &&
	       (path[len] == '/' || path[len] == '\0');
}

/* The path of what is open as `fd` and, if there is a name, of what has that name in it. */
static bool
find_path(int fd, const char *name, char ret[PATH_MAX])
{
	char link[64];
	ssize_t len = 0;
	int saved = errno;

	if (!name || name[0] != '/') {
		snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
		len = fd < 0 ? -1 : readlink(link, ret, PATH_MAX / 2);
		errno = saved;
		if (len < 0)
			return false;
		ret[len] = '\0';
	}
	if (name)
		snprintf(ret + len, (size_t)(PATH_MAX - len), len ? "/%s" : "%s", name);
	return true;
}

/* Whether the call is one of those that count. */
static bool
is_meant(const char *call, int fd, const char *name, char path[PATH_MAX])
{
	const char *base;

	if (action == PASS ||
	    (strcmp(call_name, "any") != 0 && strcmp(call_name, call) != 0) ||
	    !find_path(fd, name, path) || !is_within(path))
		return false;
	base = strrchr(path, '/') + 1;
	return !file_name || strncmp(base, file_name, strlen(file_name)) == 0;
}

/* Counts a call. No later one goes on before it is told of the first that is struck: it may fail as well, and the
 * process end by that, and nobody would know why. */
static bool
is_struck(const char *call, const char *path, size_t len)
{
	bool struck;
	long n;

	pthread_mutex_lock(&lock);
	n = ++count;
	struck = n >= from && (times == 0 || n < from + times);
	if (told_fd >= 0 && n == from)
		dprintf(told_fd, "%s %s %zu\n", call, strrchr(path, '/') + 1, len);
	pthread_mutex_unlock(&lock);
	return struck;
}

static bool
is_time(void)
{
	char path[PATH_MAX + 8];

	snprintf(path, sizeof path, "%s.now", folder);
	return from > 0 || access(path, F_OK) == 0;
}

/* What becomes of a call on the folder. Does not come back if the process is to end. */
static enum what
strike(const char *call, int fd, const char *name, size_t len)
{
	char path[PATH_MAX];

	if (!is_meant(call, fd, name, path) || !is_time() ||
	    !is_struck(call, path, len))
		return PASS;
	if (action == KILL) {
		kill(getpid(), SIGKILL);
		for (;;)
			pause();
	}
	while (action == HANG)
		pause();
	if (action == SLOW) {
		sleep(SLOW_S);
		return PASS;
	}
	errno = error;
	return action;
}

static long long
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Notes what is done, and returns what it returned. */
static ssize_t
noted(const char *call, int fd, long long begun, ssize_t result)
{
	char path[PATH_MAX];
	int saved = errno;

	if (log_fd >= 0 && find_path(fd, NULL, path) && is_within(path))
		dprintf(log_fd, "%s %s %lld %lld\n", call, strrchr(path, '/') + 1,
			begun, now_ns());
	errno = saved;
	return result;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define WRITES(fd, len, all, half)                                                \
	do {                                                                      \
		enum what what = strike("write", fd, NULL, len);                  \
		long long begun = now_ns();                                       \
		if (what == FAIL)                                                 \
			return -1;                                                \
		return noted("write", fd, begun, what == SHORT ? (half) : (all)); \
	} while (0)

#define SYNCS(fd, all)                                       \
	do {                                                 \
		long long begun = now_ns();                  \
		if (strike("sync", fd, NULL, 0) == FAIL)     \
			return -1;                           \
		return (int)noted("sync", fd, begun, (all)); \
	} while (0)

#define CHANGES(call, fd, name, all)                        \
	do {                                                \
		enum what what = strike(call, fd, name, 0); \
		return what == FAIL ? -1 : (all);           \
	} while (0)

static size_t
len_of(const struct iovec *iov, int n)
{
	size_t len = 0;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	return len;
}

ssize_t
write(int fd, const void *data, size_t len)
{
	WRITES(fd, len, REAL(write)(fd, data, len),
	       REAL(write)(fd, data, (len + 1) / 2));
}

ssize_t
pwrite(int fd, const void *data, size_t len, off_t offset)
{
	WRITES(fd, len, REAL(pwrite)(fd, data, len, offset),
	       REAL(pwrite)(fd, data, (len + 1) / 2, offset));
}

ssize_t
writev(int fd, const struct iovec *iov, int n)
{
	WRITES(fd, len_of(iov, n), REAL(writev)(fd, iov, n),
	       REAL(write)(fd, iov[0].iov_base, (iov[0].iov_len + 1) / 2));
}

ssize_t
pwritev(int fd, const struct iovec *iov, int n, off_t offset)
{
	WRITES(fd, len_of(iov, n), REAL(pwritev)(fd, iov, n, offset),
	       REAL(pwrite)(fd, iov[0].iov_base, (iov[0].iov_len + 1) / 2, offset));
}

int
fsync(int fd)
{
	SYNCS(fd, REAL(fsync)(fd));
}

int
fdatasync(int fd)
{
	SYNCS(fd, REAL(fdatasync)(fd));
}

int
fallocate(int fd, int mode, off_t offset, off_t len)
{
	CHANGES("allocate", fd, NULL, REAL(fallocate)(fd, mode, offset, len));
}

int
posix_fallocate(int fd, off_t offset, off_t len)
{
	if (strike("allocate", fd, NULL, 0) == FAIL)
		return error;
	return REAL(posix_fallocate)(fd, offset, len);
}

int
ftruncate(int fd, off_t len)
{
	CHANGES("allocate", fd, NULL, REAL(ftruncate)(fd, len));
}

int
rename(const char *old, const char *new)
{
	CHANGES("rename", -1, new, REAL(rename)(old, new));
}

int
renameat(int old_dir, const char *old, int new_dir, const char *new)
{
	CHANGES("rename", new_dir, new, REAL(renameat)(old_dir, old, new_dir, new));
}

int
renameat2(int old_dir, const char *old, int new_dir, const char *new,
	  unsigned int flags)
{
	CHANGES("rename", new_dir, new,
		REAL(renameat2)(old_dir, old, new_dir, new, flags));
}

int
unlink(const char *name)
{
	CHANGES("unlink", -1, name, REAL(unlink)(name));
}

int
unlinkat(int dir, const char *name, int flags)
{
	CHANGES("unlink", dir, name, REAL(unlinkat)(dir, name, flags));
}

/* Only what makes a file is counted: what reads changes nothing. */
int
open(const char *name, int flags, ...)
{
	va_list args;
	mode_t mode;

	if (!(flags & O_CREAT))
		return REAL(open)(name, flags);
	va_start(args, flags);
	mode = va_arg(args, mode_t);
	va_end(args);
	CHANGES("open", -1, name, REAL(open)(name, flags, mode));
}

int
openat(int dir, const char *name, int flags, ...)
{
	va_list args;
	mode_t mode;

	if (flags & O_DIRECT) { /* what is on the disk is not what it is to be taken for */
		errno = EINVAL;
		return -1;
	}
	if (!(flags & O_CREAT))
		return REAL(openat)(dir, name, flags);
	va_start(args, flags);
	mode = va_arg(args, mode_t);
	va_end(args);
	CHANGES("open", dir, name, REAL(openat)(dir, name, flags, mode));
}
