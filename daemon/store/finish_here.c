/* SPDX-License-Identifier: MIT
 *
 * The end of reading back where the disk has no room for another segment: the last one is gone on in.
 * What was read of it is written again in its own place, so that the sync that follows covers it, also
 * if an earlier one had failed; behind it are zeros, so that nothing of a torn tail can follow
 * what will be written there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/disk.h"
#include "daemon/store/finish.h"

#define PIECE_BYTES ((size_t)1 << 20)

static bool
is_zero(const unsigned char *bytes, size_t len)
{
	return len == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0);
}

/* `keep`: how many bytes of the piece stay. What is zero already is not written. */
static bool
again(struct recovery *rc, int fd, unsigned char *bytes, size_t len, size_t keep,
      uint64_t at)
{
	struct disk *d = rc->disk;
	ssize_t n = disk_read(d, fd, bytes, len, at);

	if (n >= 0 && (size_t)n < len)
		errno = EIO;
	if (n != (ssize_t)len)
		return false;
	if (!is_zero(bytes + keep, len - keep)) {
		memset(bytes + keep, 0, len - keep);
		keep = len;
	}
	return keep == 0 || disk_write(d, fd, bytes, keep, at);
}

/* Writes the first `used` bytes again, zeros up to the end, and syncs. */
static bool
write_again(struct recovery *rc, int fd, uint64_t used, uint64_t size)
{
	unsigned char *bytes = malloc(PIECE_BYTES);
	bool ok = bytes != NULL;

	for (uint64_t at = 0; ok && at < size;) {
		size_t len = size - at < PIECE_BYTES ? size - at : PIECE_BYTES;
		uint64_t left = used > at ? used - at : 0;

		ok = again(rc, fd, bytes, len, left < len ? left : len, at);
		at += len;
	}
	free(bytes);
	return ok && rc->disk->sync(rc->disk, fd) == 0;
}

/* Returns the file of the segment, or -1; the report says why. */
static int
open_again(struct recovery *rc, uint64_t number, uint64_t used, uint64_t *ret_size)
{
	struct disk *d = rc->disk;
	char name[SEGMENT_NAME];
	int fd;

	segment_name(number, name);
	fd = d->open(d, rc->folder, name);
	if (fd >= 0 && d->size(d, fd, ret_size) == 0 &&
	    write_again(rc, fd, used ? used : *ret_size, *ret_size))
		return fd;
	(void)recover_failed(rc, "write again", name);
	if (fd >= 0)
		d->close(d, fd);
	return -1;
}

/* A successor that holds nothing; what else was made for the start in vain. */
static enum store_result
remove_unused(struct recovery *rc)
{
	struct disk *d = rc->disk;
	char name[SEGMENT_NAME];

	segment_name(rc->last + 1, name);
	if (d->unlink(d, rc->folder, name) < 0 && errno != ENOENT)
		return recover_failed(rc, "unlink", name);
	if (d->sync_folder(d, rc->folder) < 0)
		return recover_failed(rc, "fsync", "");
	return STORE_OPENED;
}

/* CLOSE is taken back. */
static void
reopen(struct recovery *rc)
{
	if (!rc->closed)
		return;
	rc->closed = false;
	rc->used = rc->close_at;
	rc->seq--;
}

enum store_result
finish_here(struct recovery *rc, struct store_files *s)
{
	bool empty = rc->used == SEGMENT_HEADER;
	enum store_result result = remove_unused(rc);
	uint64_t size;
	int fd;

	if (result != STORE_OPENED)
		return result;
	reopen(rc);
	if (empty && rc->last > rc->numbers[rc->run]) {
		/* Its END may not be on disk either. */
		fd = open_again(rc, rc->last - 1, 0, &size);
		if (fd < 0)
			return STORE_ERROR;
		rc->disk->close(rc->disk, fd);
	}
	s->current = malloc(sizeof(*s->current));
	if (!s->current) {
		errno = ENOMEM;
		return recover_failed(rc, "open", "");
	}
	*s->current =
		(struct spare){.fd = open_again(rc, rc->last, rc->used, &s->size)};
	if (s->current->fd >= 0)
		return STORE_OPENED;
	free(s->current);
	s->current = NULL;
	return STORE_ERROR;
}
