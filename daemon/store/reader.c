/* SPDX-License-Identifier: MIT
 *
 * A window over the file, as large as what is looked at needs it.
 */
#include "daemon/store/reader.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/core/store.h"
#include "daemon/store/ahead.h"
#include "daemon/store/disk.h"

#define WINDOW	   ((size_t)1 << 20)
#define FIND_TIMES 32 /* how often a file is read over to find a record in it */

bool
reader_open(struct reader *r, struct disk *d, int folder, const char *name)
{
	*r = (struct reader){.disk = d, .fd = d->open(d, folder, name)};
	if (r->fd < 0)
		return false;
	if (d->size(d, r->fd, &r->size) == 0)
		return true;
	d->close(d, r->fd);
	return false;
}

void
reader_ahead(struct reader *r, uint64_t at, uint32_t seed, void (*beside)(void *arg),
	     void *arg)
{
	if (r->size <= WINDOW)
		return;
	r->ahead = ahead_start(r->disk, r->fd, r->size, at, seed, beside, arg);
	if (r->ahead)
		r->len =
			0; /* what is in the window comes again, and it is known whether it is whole */
}

void
reader_done(struct reader *r)
{
	ahead_stop(r->ahead);
	free(r->own);
	r->disk->close(r->disk, r->fd);
}

static bool
grow(struct reader *r, size_t cap)
{
	unsigned char *bytes;

	if (cap <= r->cap)
		return true;
	bytes = malloc(cap);
	if (!bytes)
		return false;
	free(r->own);
	r->own = bytes;
	r->cap = cap;
	return true;
}

static bool
fill_window(struct reader *r, uint64_t offset, size_t len)
{
	ssize_t n;

	r->len = 0;
	r->whole_from = r->whole_to = 0;
	if (!grow(r, len > WINDOW ? len : WINDOW)) {
		r->error = ENOMEM;
		return false;
	}
	/* Less than a window, when what is behind it cannot be read. */
	n = r->disk->pread(r->disk, r->fd, r->own, r->cap, offset);
	if (n < (ssize_t)len)
		n = disk_read(r->disk, r->fd, r->own, len, offset);
	if (n < 0) {
		r->error = errno;
		return false;
	}
	r->bytes = r->own;
	r->at = offset;
	r->len = (size_t)n;
	return r->len >= len;
}

/* The window moves on over what is read ahead. false: these bytes are not in order, there are too many, or
 * nothing more comes. */
static bool
move_window(struct reader *r, uint64_t offset, size_t len)
{
	struct ahead_block b;

	if (len > AHEAD_ROOM || offset + len <= r->ahead_to)
		return false;
	do {
		r->len = 0;
		if (!ahead_take(r->ahead, &b))
			return false;
		r->bytes = b.bytes;
		r->at = b.at;
		r->len = b.len;
		r->whole_from = b.whole_from;
		r->whole_to = b.whole_to;
		r->ahead_to = b.at + b.len;
	} while (offset + len > r->ahead_to);
	return offset >= r->at;
}

const unsigned char *
reader_get(struct reader *r, uint64_t offset, size_t len)
{
	if (r->error || offset > r->size || len > r->size - offset)
		return NULL;
	if ((offset < r->at || offset + len > r->at + r->len) &&
	    !(r->ahead && move_window(r, offset, len)) && !fill_window(r, offset, len))
		return NULL;
	return r->bytes + (offset - r->at);
}

/* All its bytes, if it may be one. */
static const unsigned char *
get_record(struct reader *r, uint64_t offset, struct record *ret)
{
	const unsigned char *bytes = reader_get(r, offset, RECORD_HEADER);

	if (!bytes)
		return NULL;
	record_parse(bytes, ret);
	if (!record_is_possible(ret))
		return NULL;
	return reader_get(r, offset, RECORD_HEADER + (size_t)ret->len);
}

static const unsigned char *
if_whole(const unsigned char *bytes, uint32_t seed, const struct record *record)
{
	return bytes && record_crc(bytes, seed, record->len) == record->crc ? bytes
									    : NULL;
}

const unsigned char *
reader_record(struct reader *r, uint64_t offset, uint32_t seed, struct record *ret)
{
	return if_whole(get_record(r, offset, ret), seed, ret);
}

const unsigned char *
reader_next(struct reader *r, uint64_t offset, uint32_t seed, struct record *ret)
{
	const unsigned char *bytes = get_record(r, offset, ret);

	if (bytes && offset >= r->whole_from &&
	    offset + record_size(ret->len) <= r->whole_to)
		return bytes;
	return if_whole(bytes, seed, ret);
}

/* How many bytes are certain not to begin a record with one of these numbers: of those in the window, of
 * which the first is at `offset`. Most are zero, and this is a whole segment of them. */
static size_t
pass_over(const struct reader *r, uint64_t offset, uint64_t min_seq, uint64_t max_seq)
{
	const unsigned char *bytes = r->bytes + (offset - r->at);
	size_t left = r->len - (offset - r->at), at = 0;

	while (at + RECORD_HEADER <= left &&
	       record_seq(bytes + at) - min_seq > max_seq - min_seq)
		at += 8;
	return at;
}

bool
reader_find(struct reader *r, uint64_t offset, uint32_t seed, uint64_t min_seq,
	    uint64_t min_synced, struct record *ret, uint64_t *ret_offset)
{
	/* Each takes some room: a number that is much higher is none. */
	uint64_t max_seq = min_seq + (r->size - offset) / RECORD_END_SIZE + 1;
	/* And payloads may be full of what looks like one. */
	uint64_t budget = FIND_TIMES * r->size;

	for (; reader_get(r, offset, RECORD_HEADER); offset += 8) {
		size_t passed = pass_over(r, offset, min_seq, max_seq);
		const unsigned char *bytes;

		offset += passed;
		bytes = reader_get(r, offset, RECORD_HEADER);
		if (!bytes)
			break;
		record_parse(bytes, ret);
		if (ret->seq < min_seq || ret->seq > max_seq ||
		    ret->synced < min_synced)
			continue;
		if (!reader_record(r, offset, seed, ret)) {
			uint64_t cost = ret->len <= r->size ? ret->len : 0;

			if (r->error || cost > budget)
				break;
			budget -= cost;
			continue;
		}
		*ret_offset = offset;
		return true;
	}
	*ret_offset = offset;
	return false;
}
