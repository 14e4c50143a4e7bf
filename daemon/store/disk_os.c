/* SPDX-License-Identifier: MIT
 *
 * The disk that there is.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/store/disk.h"

static void
close_keeping_errno(int fd)
{
	int e = errno;

	close(fd);
	errno = e;
}

/* The name of a new folder is kept by the folder above it. */
static int
sync_above(int folder)
{
	int fd = openat(folder, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC), result;

	if (fd < 0)
		return -1;
	result = fsync(fd);
	close_keeping_errno(fd);
	return result;
}

static int
os_folder(struct disk *d, const char *path, bool lock)
{
	bool made = mkdir(path, 0700) == 0;
	int fd;

	if (!made && errno != EEXIST)
		return -1;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if ((made && sync_above(fd) < 0) ||
	    (lock && flock(fd, LOCK_EX | LOCK_NB) < 0)) {
		close_keeping_errno(fd);
		return -1;
	}
	return fd;
}

static int
read_folder(struct disk *d, const char *path, bool lock)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && lock && flock(fd, LOCK_EX | LOCK_NB) < 0) {
		close_keeping_errno(fd);
		return -1;
	}
	return fd;
}

static int
os_list(struct disk *d, int folder, void (*each)(void *arg, const char *name),
	void *arg)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), result;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			close_keeping_errno(fd);
		return -1;
	}
	for (errno = 0; (entry = readdir(dir)); errno = 0)
		each(arg, entry->d_name);
	result = errno ? -1 : 0;
	closedir(dir);
	return result;
}

static int
os_sync_folder(struct disk *d, int folder)
{
	int result;

	while ((result = fsync(folder)) < 0 && errno == EINTR)
		;
	return result;
}

static int
os_rename(struct disk *d, int folder, const char *from, const char *to)
{
	return renameat(folder, from, folder, to);
}

static int
os_unlink(struct disk *d, int folder, const char *name)
{
	return unlinkat(folder, name, 0);
}

static int
os_open(struct disk *d, int folder, const char *name)
{
	return openat(folder, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
}

static int
read_open(struct disk *d, int folder, const char *name)
{
	return openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

/* What is written again shall take no other room: that it has its room is what the reserve is for. btrfs does so
 * for files that ask for it while they are empty, others do anyway, or cannot. */
static void
write_in_place(int fd)
{
	int flags;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 || (flags & FS_NOCOW_FL))
		return;
	flags |= FS_NOCOW_FL;
	(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static int
os_open_disk(struct disk *d, int folder, const char *name)
{
	return openat(folder, name, O_RDONLY | O_DIRECT | O_CLOEXEC | O_NOFOLLOW);
}

static int
os_create(struct disk *d, int folder, const char *name)
{
	int fd = openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0)
		write_in_place(fd);
	return fd;
}

static int
os_size(struct disk *d, int fd, uint64_t *ret_size)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -1;
	*ret_size = (uint64_t)st.st_size;
	return 0;
}

static int
os_shorten(struct disk *d, int fd, uint64_t size)
{
	int result;

	while ((result = ftruncate(fd, (off_t)size)) < 0 && errno == EINTR)
		;
	return result;
}

static int
os_allocate(struct disk *d, int fd, uint64_t size)
{
	int result;

	while ((result = fallocate(fd, 0, 0, (off_t)size)) < 0 && errno == EINTR)
		;
	if (result < 0 && errno == EOPNOTSUPP) /* zeros take the room as well */
		result = disk_zero(d, fd, size, 0) ? 0 : -1;
	return result;
}

static ssize_t
os_pread(struct disk *d, int fd, void *ret, size_t len, uint64_t offset)
{
	return pread(fd, ret, len, (off_t)offset);
}

static ssize_t
os_pread_now(struct disk *d, int fd, void *ret, size_t len, uint64_t offset)
{
	struct iovec part = {ret, len};

	return preadv2(fd, &part, 1, (off_t)offset, RWF_NOWAIT);
}

static void
os_ahead(struct disk *d, int fd, uint64_t offset, uint64_t len)
{
	(void)posix_fadvise(fd, (off_t)offset, (off_t)len, POSIX_FADV_WILLNEED);
}

static ssize_t
os_pwritev(struct disk *d, int fd, const struct iovec *iov, int n, uint64_t offset)
{
	return pwritev(fd, iov, n, (off_t)offset);
}

static int
os_sync(struct disk *d, int fd)
{
	int result;

	while ((result = fdatasync(fd)) < 0 && errno == EINTR)
		;
	return result;
}

static void
os_close(struct disk *d, int fd)
{
	close_keeping_errno(fd);
}

static int
os_random(struct disk *d, void *ret, size_t len)
{
	return getentropy(ret, len);
}

struct disk disk_os = {
	.folder = os_folder,
	.list = os_list,
	.sync_folder = os_sync_folder,
	.rename = os_rename,
	.unlink = os_unlink,
	.open = os_open,
	.open_disk = os_open_disk,
	.create = os_create,
	.size = os_size,
	.allocate = os_allocate,
	.shorten = os_shorten,
	.pread = os_pread,
	.pread_now = os_pread_now,
	.ahead = os_ahead,
	.pwritev = os_pwritev,
	.sync = os_sync,
	.close = os_close,
	.random = os_random,
};

struct disk disk_os_read = {
	.folder = read_folder,
	.list = os_list,
	.open = read_open,
	.size = os_size,
	.pread = os_pread,
	.close = os_close,
};
