/* SPDX-License-Identifier: MIT
 *
 * What is interrupted or done in part is gone on with.
 */
#include "daemon/store/disk.h"

#include <errno.h>

/* Passes over the first `done` bytes. */
static void
advance(struct iovec **iov, int *n, size_t done)
{
	while (*n && done >= (*iov)->iov_len) {
		done -= (*iov)->iov_len;
		(*iov)++;
		(*n)--;
	}
	if (*n) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + done;
		(*iov)->iov_len -= done;
	}
}

bool
disk_write_all(struct disk *d, int fd, struct iovec *iov, int n, uint64_t offset)
{
	while (n) {
		ssize_t done = d->pwritev(d, fd, iov, n, offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done == 0)
			errno = EIO; /* it would go on for ever */
		if (done <= 0)
			return false;
		offset += (uint64_t)done;
		advance(&iov, &n, (size_t)done);
	}
	return true;
}

bool
disk_write(struct disk *d, int fd, const void *bytes, size_t len, uint64_t offset)
{
	struct iovec iov = {(void *)bytes, len};

	return disk_write_all(d, fd, &iov, 1, offset);
}

bool
disk_zero(struct disk *d, int fd, uint64_t len, uint64_t offset)
{
	static const char zeros[1 << 20];

	while (len > 0) {
		size_t part = len < sizeof(zeros) ? len : sizeof(zeros);

		if (!disk_write(d, fd, zeros, part, offset))
			return false;
		offset += part;
		len -= part;
	}
	return true;
}

ssize_t
disk_read(struct disk *d, int fd, void *ret, size_t len, uint64_t offset)
{
	size_t have = 0;

	while (have < len) {
		ssize_t n =
			d->pread(d, fd, (char *)ret + have, len - have, offset + have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}
