/* SPDX-License-Identifier: MIT
 *
 * Whether what was read back of a segment is on disk. It may have come from memory that a failed sync left
 * behind: such pages are taken for written, and no other sync writes them. So the segment is synced,
 * and what is on the disk then is read past the system's memory and compared.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/store/disk.h"
#include "daemon/store/finish.h"

#define BLOCK ((size_t)1 << 20)
#define ALIGN 4096 /* of what is read past the memory */

static bool
same_block(struct disk *d, int fd, int direct, unsigned char *bytes, uint64_t at,
	   size_t len)
{
	return d->pread(d, direct, bytes, BLOCK, at) >= (ssize_t)len &&
	       disk_read(d, fd, bytes + BLOCK, len, at) == (ssize_t)len &&
	       memcmp(bytes, bytes + BLOCK, len) == 0;
}

static bool
same(struct disk *d, int fd, int direct, uint64_t from, uint64_t to)
{
	unsigned char *bytes = aligned_alloc(ALIGN, 2 * BLOCK);
	bool is = bytes != NULL;

	for (uint64_t at = from & ~(uint64_t)(ALIGN - 1); is && at < to; at += BLOCK)
		is = same_block(d, fd, direct, bytes, at,
				to - at < BLOCK ? to - at : BLOCK);
	free(bytes);
	return is;
}

bool
is_on_disk(struct recovery *rc, const char *name, uint64_t from, uint64_t to)
{
	struct disk *d = rc->disk;
	int fd, direct;
	bool is;

	if (!d->open_disk)
		return false;
	fd = d->open(d, rc->folder, name);
	direct = d->open_disk(d, rc->folder, name);
	is = fd >= 0 && direct >= 0 && d->sync(d, fd) == 0 &&
	     same(d, fd, direct, from, to);
	if (direct >= 0)
		d->close(d, direct);
	if (fd >= 0)
		d->close(d, fd);
	return is;
}
