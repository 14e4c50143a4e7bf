/* SPDX-License-Identifier: MIT
 *
 * Records of which the loop does not touch all bytes. It notes where the parts are; whoever writes the record
 * reads them there, in pieces, and may take as long as the disk does. The header comes last, for
 * it has the CRC of all.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/bytes.h"
#include "daemon/store/crc32c.h"
#include "daemon/store/files_int.h"
#include "daemon/store/record.h"

#define PIECE  65536 /* bytes that are gathered, and written at once */
#define DIRECT 32768 /* a part of so many is written from where it is */

/* --- the loop's side --------------------------------------------------------------- */

static bool
is_copied(const struct store_part *part)
{
	return part->bytes && !part->stays;
}

/* Of all parts, and of those that are copied. */
static uint64_t
lens(const struct store_part *parts, unsigned n, size_t *ret_copied)
{
	uint64_t len = 0;

	*ret_copied = 0;
	for (unsigned i = 0; i < n; i++) {
		len += parts[i].len;
		if (is_copied(&parts[i]))
			*ret_copied += parts[i].len;
	}
	assert(len > 0 && len <= STORE_MAX_RECORD);
	return len;
}

/* NULL: no memory. */
static struct chunk *
chunk_new(const struct store_files *s, const struct store_part *parts, unsigned n,
	  size_t copied, size_t padding)
{
	static const unsigned char zeros[8];
	struct chunk *c = malloc(sizeof(*c) + RECORD_HEADER + copied);
	struct store_part *own = malloc((n + 1) * sizeof(*own));
	unsigned char *to;

	if (!c || !own) {
		free(c);
		free(own);
		return NULL;
	}
	*c = (struct chunk){.segment = s->segment,
			    .offset = s->used,
			    .parts = own,
			    .n_parts = n + 1};
	to = c->bytes + RECORD_HEADER;
	for (unsigned i = 0; i < n; i++) {
		own[i] = parts[i];
		if (!is_copied(&parts[i]))
			continue;
		own[i].bytes = to;
		to = mempcpy(to, parts[i].bytes, parts[i].len);
	}
	own[n] = (struct store_part){.bytes = zeros, .len = padding};
	return c;
}

bool
large_append(struct store_files *s, const struct store_part *parts, unsigned n,
	     bool sync, struct store_place *ret_place)
{
	size_t copied;
	uint64_t len = lens(parts, n, &copied);
	struct chunk *c;

	if (!journal_make_room(s, len, SEGMENT_FOR_TRIM + SEGMENT_FOOT))
		return false;
	c = chunk_new(s, parts, n, copied, record_size(len) - RECORD_HEADER - len);
	if (!c)
		return false;
	c->sync = sync;
	c->async = !sync;
	*ret_place = (struct store_place){.seq = s->seq + 1,
					  .segment = s->segment,
					  .offset = s->used + RECORD_HEADER};
	chunks_push(&s->open, c);
	journal_add(s, c, c->bytes, (uint32_t)len, true);
	return true;
}

/* --- who writes it ----------------------------------------------------------------- */

struct writing {
	struct store_files *s;
	uint64_t offset; /* where the next bytes go */
	uint32_t crc;
	size_t n;    /* gathered, and not written yet */
	int no_room; /* the error of a write for which there was none, or 0 */
	unsigned char bytes[PIECE];
};

static bool
write_here(struct writing *w, const void *bytes, size_t len)
{
	struct store_files *s = w->s;

	if (!disk_write(s->disk, s->current->fd, bytes, len, w->offset)) {
		if (!files_no_room(errno))
			return committer_failed(s, "write", s->writing, w->offset);
		w->no_room = errno;
		return false;
	}
	w->offset += len;
	return true;
}

static bool
write_gathered(struct writing *w)
{
	size_t n = w->n;

	w->n = 0;
	return n == 0 || write_here(w, w->bytes, n);
}

static bool
write_bytes(struct writing *w, const unsigned char *bytes, size_t len)
{
	if (len >= DIRECT)
		return write_gathered(w) && write_here(w, bytes, len);
	if (len > PIECE - w->n && !write_gathered(w))
		return false;
	memcpy(w->bytes + w->n, bytes, len);
	w->n += len;
	return true;
}

/* Opens the segment that it is moved from, if it is not open. */
static bool
open_source(struct store_files *s, const struct store_part *part)
{
	struct read_file *f = &s->moved_from;
	char name[SEGMENT_NAME];

	if (f->segment == part->segment)
		return true;
	large_end(s);
	segment_name(part->segment, name);
	f->fd = s->disk->open(s->disk, s->folder, name);
	if (f->fd < 0)
		return committer_failed(s, "open", part->segment, 0);
	f->segment = part->segment;
	return true;
}

/* The next piece of what is moved, behind what is gathered. 0: it failed. */
static size_t
read_piece(struct writing *w, const struct store_part *part, size_t done)
{
	struct store_files *s = w->s;
	size_t len = part->len - done, room;
	ssize_t n;

	if (w->n == PIECE && !write_gathered(w))
		return 0;
	room = PIECE - w->n;
	if (len > room)
		len = room;
	n = disk_read(s->disk, s->moved_from.fd, w->bytes + w->n, len,
		      part->offset + done);
	if (n == (ssize_t)len)
		return len;
	if (n >= 0) /* the file is shorter than what was written */
		errno = EIO;
	(void)committer_failed(s, "read", part->segment, part->offset + done);
	return 0;
}

static bool
move(struct writing *w, const struct store_part *part)
{
	uint32_t sum = 0;

	if (!open_source(w->s, part))
		return false;
	for (size_t done = 0, n; done < part->len; done += n) {
		n = read_piece(w, part, done);
		if (n == 0)
			return false;
		sum = crc32c(sum, w->bytes + w->n, n);
		w->crc = crc32c(w->crc, w->bytes + w->n, n);
		w->n += n;
	}
	errno = EIO;
	return sum == part->sum ||
	       committer_failed(w->s, "read", part->segment, part->offset);
}

static bool
write_parts(struct writing *w, const struct chunk *c)
{
	for (unsigned i = 0; i < c->n_parts; i++) {
		const struct store_part *part = &c->parts[i];
		bool is_payload = i + 1 < c->n_parts;

		if (!part->bytes) {
			if (!move(w, part))
				return false;
			continue;
		}
		if (is_payload)
			w->crc = crc32c(w->crc, part->bytes, part->len);
		if (!write_bytes(w, part->bytes, part->len))
			return false;
	}
	return write_gathered(w);
}

enum committed
large_write(struct store_files *s, struct chunk *c, uint64_t synced)
{
	struct writing w;
	bool ok;

	assert(c->segment == s->writing);
	w.s = s;
	w.n = 0;
	w.no_room = 0;
	w.offset = c->offset + RECORD_HEADER;
	w.crc = record_begin_crc(c->bytes, s->seed, synced);
	ok = write_parts(&w, c);
	if (ok) {
		assert(w.offset == c->offset + c->len);
		put_le32(c->bytes, w.crc);
		w.offset = c->offset;
		ok = write_here(&w, c->bytes, RECORD_HEADER);
	}
	errno = w.no_room;
	return ok ? COMMITTED : w.no_room ? NO_ROOM : FAILED;
}

void
large_end(struct store_files *s)
{
	if (s->moved_from.segment > 0)
		s->disk->close(s->disk, s->moved_from.fd);
	s->moved_from = (struct read_file){0};
}
