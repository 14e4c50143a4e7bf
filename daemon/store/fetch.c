/* SPDX-License-Identifier: MIT
 *
 * The loop's side again: reading back what was written. A few segments are open at a time. The system is told what
 * will be read next, so that it is in its memory by then; whoever does not want to wait for the disk is
 * only given what is there. Of many small bodies that follow each other a whole piece is read.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/files_int.h"

#define AHEAD \
	(UINT64_C(8) << 20) /* what the system is asked for, beyond what is read */
#define PIECE (UINT64_C(1) << 20)

#define READ_PIECE ((size_t)64 << 10) /* bytes */
#define READ_SMALL (READ_PIECE / 8)

static void
close_file(struct store_files *s, struct read_file *f)
{
	if (f->segment > 0)
		s->disk->close(s->disk, f->fd);
	*f = (struct read_file){0};
}

void
fetch_forget(struct store_files *s, uint64_t before)
{
	for (int i = 0; i < READ_FILES; i++)
		if (s->reading[i].segment < before)
			close_file(s, &s->reading[i]);
	if (s->piece.segment < before) {
		free(s->piece.bytes);
		s->piece = (struct read_piece){0};
	}
}

/* That of the segment, opened in the place of the one that was not used for longest. NULL: errno. */
static struct read_file *
file_of(struct store_files *s, uint64_t segment)
{
	struct read_file *oldest = &s->reading[0];
	char name[SEGMENT_NAME];
	int fd;

	for (int i = 0; i < READ_FILES; i++) {
		if (s->reading[i].segment == segment)
			return &s->reading[i];
		if (s->reading[i].used < oldest->used)
			oldest = &s->reading[i];
	}
	segment_name(segment, name);
	fd = s->disk->open(s->disk, s->folder, name);
	if (fd < 0)
		return NULL;
	close_file(s, oldest);
	*oldest = (struct read_file){.fd = fd, .segment = segment};
	return oldest;
}

/* Up to there, as far as the segment is used: in pieces, so that no call takes long. */
static void
ask(struct store_files *s, struct read_file *f, uint64_t to)
{
	uint64_t used = s->used_of[f->segment - s->first_segment];

	if (to > used)
		to = used;
	if (to > f->asked + 2 * PIECE)
		to = f->asked + 2 * PIECE;
	if (to <= f->asked || (to < f->asked + PIECE && to < used))
		return;
	s->disk->ahead(s->disk, f->fd, f->asked, to - f->asked);
	f->asked = to;
}

/* Of those who read in order most of it was asked for before; also what is in the next segment. */
static void
ask_ahead(struct store_files *s, struct read_file *f, uint64_t offset, uint64_t end)
{
	uint64_t used = s->used_of[f->segment - s->first_segment];
	bool in_order = offset >= f->next && offset - f->next < PIECE;
	struct read_file *next;

	f->near = offset >= f->next && offset - f->next < READ_SMALL;
	f->next = end;
	if (!s->disk->ahead || !in_order)
		return;
	if (f->asked < end)
		f->asked = end;
	ask(s, f, end + AHEAD);
	if (end + AHEAD <= used || f->segment == s->segment)
		return;
	next = file_of(s, f->segment + 1);
	if (!next)
		return; /* it is not there yet */
	next->used = s->reads;
	ask(s, next, end + AHEAD - used);
}

static enum store_read
unreadable(struct store_files *s, uint64_t segment, uint64_t offset, int error)
{
	pthread_mutex_lock(&s->lock);
	files_fail_segment(s, "read", segment, offset, error);
	pthread_mutex_unlock(&s->lock);
	return STORE_READ_FAILED;
}

/* What the system has in its memory. false: not all of it, or it does not say. */
static bool
read_now(struct store_files *s, struct read_file *f, uint64_t offset, void *ret,
	 size_t len)
{
	ssize_t n = s->disk->pread_now(s->disk, f->fd, ret, len, offset);

	if (n == (ssize_t)len)
		return true;
	if (n < 0 && errno != EAGAIN)
		return disk_read(s->disk, f->fd, ret, len, offset) == (ssize_t)len;
	if (s->disk->ahead)
		s->disk->ahead(s->disk, f->fd, offset, len);
	return false;
}

static bool
in_piece(const struct read_piece *p, uint64_t segment, uint64_t offset, size_t len)
{
	return p->segment == segment && offset >= p->offset &&
	       offset + len <= p->offset + p->len;
}

/* Whether the committer has gone on to another one: all of this one is written. */
static bool
is_complete(struct store_files *s, uint64_t segment)
{
	bool is;

	pthread_mutex_lock(&s->lock);
	is = segment < s->writing;
	pthread_mutex_unlock(&s->lock);
	return is;
}

/* Reads the piece that begins there, and has at least `len` bytes. false: it does not, for they
 * are to be waited for, or it would not be worth it. */
static bool
read_piece(struct store_files *s, const struct read_file *f, uint64_t offset,
	   size_t len)
{
	struct read_piece *p = &s->piece;
	uint64_t left = s->used_of[f->segment - s->first_segment] - offset;
	ssize_t n;

	if (!f->near || len > READ_SMALL || !s->disk->pread_now ||
	    !is_complete(s, f->segment))
		return false;
	if (!p->bytes)
		p->bytes = malloc(READ_PIECE);
	if (!p->bytes)
		return false;
	p->segment = 0;
	n = s->disk->pread_now(s->disk, f->fd, p->bytes,
			       left < READ_PIECE ? left : READ_PIECE, offset);
	if (n < (ssize_t)len)
		return false;
	p->segment = f->segment;
	p->offset = offset;
	p->len = (size_t)n;
	return true;
}

enum store_read
fetch_read(struct store_files *s, uint64_t segment, uint64_t offset, void *ret,
	   size_t len, bool wait)
{
	struct read_file *f;
	ssize_t n;

	assert(segment >= s->first_segment && segment <= s->segment);
	f = file_of(s, segment);
	if (!f)
		return unreadable(s, segment, 0, errno);
	f->used = ++s->reads;
	ask_ahead(s, f, offset, offset + len);
	if (in_piece(&s->piece, segment, offset, len) ||
	    read_piece(s, f, offset, len)) {
		memcpy(ret, s->piece.bytes + (offset - s->piece.offset), len);
		return STORE_READ;
	}
	if (!wait && s->disk->pread_now)
		return read_now(s, f, offset, ret, len) ? STORE_READ : STORE_READ_LATER;
	n = disk_read(s->disk, f->fd, ret, len, offset);
	if (n == (ssize_t)len)
		return STORE_READ;
	/* The file is shorter than what was written. */
	return unreadable(s, segment, offset, n < 0 ? errno : EIO);
}
