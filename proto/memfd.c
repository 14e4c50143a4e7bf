/* SPDX-License-Identifier: MIT
 * See memfd.h. */
#include "proto/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

int
qp_memfd_new(uint64_t len)
{
	int fd = memfd_create("qbroker", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 && ftruncate(fd, (off_t)len) != 0) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

int
qp_memfd_seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS, SEALS);
}

const char *
qp_memfd_fault(int fd, uint64_t len)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct statfs fs;
	struct stat st;

	if (seals < 0)
		return "is no file in memory";
	/* Huge pages have seals too, but there may be none when they are touched. */
	if (fstatfs(fd, &fs) != 0 || fs.f_type != TMPFS_MAGIC || fstat(fd, &st) != 0)
		return "is no file in memory of pages of the usual size";
	if ((seals & SEALS) != SEALS)
		return "is not sealed: F_SEAL_SEAL, SHRINK, GROW and WRITE are needed";
	if (st.st_size < 0 || (uint64_t)st.st_size != len)
		return "has another length than announced";
	return NULL;
}
