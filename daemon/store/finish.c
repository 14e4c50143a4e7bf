/* SPDX-License-Identifier: MIT
 *
 * The end of reading back: a segment to go on in, and what was read is certain to be on
 * disk. As everywhere the successor comes first, then the END of the one before it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/disk.h"
#include "daemon/store/finish.h"

#define COPY_BYTES  ((size_t)1 << 20)
#define FIRST_BYTES ((uint64_t)1 << 20)

struct needless {
	struct disk *disk;
	int folder;
	uint64_t segment_bytes;
	struct spares kept;
	unsigned most; /* of them */
	uint64_t next_spare;
	int error;
};

/* A spare of an earlier run is zero, or was written to before, so what is written to it is synced sooner
 * than in a new one. NULL: it is of another size, or there is no room for it after all. */
static struct spare *
keep_spare(struct needless *n, const char *name)
{
	struct spare *sp = n->kept.n < n->most ? calloc(1, sizeof(*sp)) : NULL;
	uint64_t size;

	if (!sp || !segment_spare_parse(name, &sp->number)) {
		free(sp);
		return NULL;
	}
	sp->fd = n->disk->open(n->disk, n->folder, name);
	if (sp->fd >= 0 && n->disk->size(n->disk, sp->fd, &size) == 0 &&
	    size == n->segment_bytes && n->disk->allocate(n->disk, sp->fd, size) == 0)
		return sp;
	if (sp->fd >= 0)
		n->disk->close(n->disk, sp->fd);
	free(sp);
	return NULL;
}

static void
remove_needless(void *arg, const char *name)
{
	struct needless *n = arg;
	struct spare *sp;

	if (!segment_name_needless(name))
		return;
	sp = keep_spare(n, name);
	if (sp) {
		spares_push(&n->kept, sp);
		if (n->next_spare <= sp->number)
			n->next_spare = sp->number + 1;
	} else if (n->disk->unlink(n->disk, n->folder, name) < 0 && errno != ENOENT)
		n->error = errno;
}

/* All but so many spares, in the first of which to go on: to remove one takes the system 10 ms, and to make it again the
 * disk twice its size. */
static enum store_result
remove_leftovers(struct recovery *rc, struct store_files *s, unsigned most)
{
	struct needless n = {.disk = rc->disk,
			     .folder = rc->folder,
			     .segment_bytes = s->segment_bytes,
			     .most = most};
	bool kept;
	int listed;

	spares_init(&n.kept);
	listed = rc->disk->list(rc->disk, rc->folder, remove_needless, &n);
	kept = n.kept.n > 0;
	s->next_spare = n.next_spare;
	s->current = spares_pop(&n.kept);
	for (struct spare *sp; (sp = spares_pop(&n.kept));)
		spares_push(&s->ready, sp);
	if (listed < 0)
		return recover_failed(rc, "list", "");
	if (n.error) {
		errno = n.error;
		return recover_failed(rc, "unlink", "");
	}
	/* As in the keeper: it may have been a segment, and its name not be on disk. */
	if (kept && rc->disk->sync_folder(rc->disk, rc->folder) < 0)
		return recover_failed(rc, "fsync", "");
	return STORE_OPENED;
}

/* Segments before the one that TRIM names. Only now, when TRIM is on disk for sure: if it were lost
 * after them, they would be missing. From one that cannot be removed on they are left to the keeper. */
static void
remove_trimmed(struct recovery *rc)
{
	char name[SEGMENT_NAME];

	for (size_t i = 0; i < rc->n && rc->numbers[i] < rc->trim; i++) {
		segment_name(rc->numbers[i], name);
		if (rc->disk->unlink(rc->disk, rc->folder, name) < 0 &&
		    errno != ENOENT) {
			rc->stays = rc->numbers[i];
			return;
		}
	}
}

/* What of a segment is written anew: so much of what was read, and END behind it, if it is not
 * among that. */
struct anew {
	char name[SEGMENT_NAME], tmp[SEGMENT_NAME + 4];
	uint64_t len;
	const unsigned char *end; /* RECORD_END_SIZE bytes, or NULL */
};

static struct anew
anew(uint64_t segment, uint64_t len, const unsigned char *end)
{
	struct anew a = {.len = len, .end = end};

	segment_name(segment, a.name);
	snprintf(a.tmp, sizeof(a.tmp), "%s.tmp", a.name);
	return a;
}

static bool
copy(struct recovery *rc, int from, int to, const struct anew *a)
{
	unsigned char *bytes = malloc(COPY_BYTES);
	uint64_t at = 0;
	bool ok = bytes != NULL;

	while (ok && at < a->len) {
		size_t len = a->len - at < COPY_BYTES ? a->len - at : COPY_BYTES;
		ssize_t n = disk_read(rc->disk, from, bytes, len, at);

		if (n >= 0 && (size_t)n < len)
			errno = EIO;
		ok = n == (ssize_t)len && disk_write(rc->disk, to, bytes, len, at);
		at += len;
	}
	free(bytes);
	return ok && (!a->end || disk_write(rc->disk, to, a->end, RECORD_END_SIZE, at));
}

static enum store_result
write_anew(struct recovery *rc, const struct anew *a)
{
	struct disk *d = rc->disk;
	enum store_result result = STORE_OPENED;
	int from = d->open(d, rc->folder, a->name), to = -1;

	if (from < 0)
		return recover_failed(rc, "open", a->name);
	to = d->create(d, rc->folder, a->tmp);
	if (to < 0)
		result = recover_failed(rc, "create", a->tmp);
	else if (!copy(rc, from, to, a))
		result = recover_failed(rc, "copy to", a->tmp);
	else if (d->sync(d, to) < 0)
		result = recover_failed(rc, "fdatasync", a->tmp);
	if (to >= 0)
		d->close(d, to);
	d->close(d, from);
	return result;
}

/* Behind all that was read, which is on disk. But CLOSE may not be: it is written once more. */
static bool
write_end(struct recovery *rc, int fd, const unsigned char end[RECORD_END_SIZE])
{
	unsigned char bytes[2 * RECORD_END_SIZE];
	size_t len = rc->closed ? RECORD_END_SIZE : 0;

	memcpy(bytes, rc->close_record, len);
	memcpy(bytes + len, end, RECORD_END_SIZE);
	return disk_write(rc->disk, fd, bytes, len + RECORD_END_SIZE, rc->used - len);
}

/* Its room behind END is given back by the keeper: of a segment this takes 10 ms. If it does not come about, nothing
 * is wrong. */
static void
shorten_later(struct recovery *rc, struct store_files *s, int fd)
{
	struct spare *sp = malloc(sizeof(*sp));

	if (!sp) {
		rc->disk->close(rc->disk, fd);
		return;
	}
	*sp = (struct spare){.fd = fd, .used = rc->used + RECORD_END_SIZE};
	spares_push(&s->retired, sp);
}

/* The segment stays as it is, with END. */
static enum store_result
end_in_place(struct recovery *rc, struct store_files *s, const char *name,
	     const unsigned char end[RECORD_END_SIZE])
{
	struct disk *d = rc->disk;
	enum store_result result = STORE_OPENED;
	int fd = d->open(d, rc->folder, name);

	if (fd < 0)
		return recover_failed(rc, "open", name);
	if (!write_end(rc, fd, end))
		result = recover_failed(rc, "write", name);
	else if (d->sync(d, fd) < 0)
		result = recover_failed(rc, "fdatasync", name);
	if (result == STORE_OPENED)
		shorten_later(rc, s, fd);
	else
		d->close(d, fd);
	return result;
}

/* There is no spare: a small segment, which is zero soon. Until it is full the keeper has others ready. */
static bool
make_first(struct store_files *s)
{
	if (s->size > FIRST_BYTES)
		s->size = FIRST_BYTES;
	s->current = spare_make(s, s->size);
	if (!s->current)
		return false;
	s->current->fresh = false;
	return disk_zero(s->disk, s->current->fd, s->size, 0);
}

static enum store_result
make_successor(struct recovery *rc, struct store_files *s, uint64_t number)
{
	struct segment_header h = {
		.number = number, .first_seq = rc->seq + 1, .crc_before = rc->crc};
	char name[SEGMENT_NAME];
	struct call call;

	segment_name(number, name);
	memcpy(h.id, rc->id, sizeof(h.id));
	s->size = s->segment_bytes;
	if (!s->current && !make_first(s))
		return recover_failed(rc, "make room for", name);
	if (!spare_to_segment(rc->disk, rc->folder, s->current, &h, &call))
		return recover_failed(rc, call.what, name);
	return STORE_OPENED;
}

static enum store_result
rename_anew(struct recovery *rc, const struct anew *a)
{
	if (rc->disk->rename(rc->disk, rc->folder, a->tmp, a->name) < 0)
		return recover_failed(rc, "rename", a->tmp);
	if (rc->disk->sync_folder(rc->disk, rc->folder) < 0)
		return recover_failed(rc, "fsync", "");
	return STORE_OPENED;
}

/* The last segment that holds records gets its END; the next one is made. */
static enum store_result
end_last(struct recovery *rc, struct store_files *s)
{
	unsigned char end[RECORD_END_SIZE];
	struct anew last = anew(rc->last, rc->used, end);
	uint64_t seq = rc->seq + 1;
	uint32_t crc =
		record_make_own(end, RECORD_END, segment_seed(rc->id, rc->last), seq);
	bool stays = rc->closed || is_on_disk(rc, last.name, rc->certain, rc->used);
	enum store_result result = stays ? STORE_OPENED : write_anew(rc, &last);

	rc->seq = seq;
	rc->crc = crc;
	if (result == STORE_OPENED)
		result = make_successor(rc, s, rc->last + 1);
	if (result == STORE_OPENED)
		result = stays ? end_in_place(rc, s, last.name, end)
			       : rename_anew(rc, &last);
	rc->used_of[rc->last - rc->numbers[rc->run]] = rc->used + sizeof(end);
	return result;
}

/* A last segment without records is made again: nothing says that its header is on disk, nor that the END
 * before it is, if any is; what will be behind it would be after something that is not whole. */
static enum store_result
begin_empty(struct recovery *rc, struct store_files *s)
{
	enum store_result result = STORE_OPENED;
	uint64_t number = rc->last - 1, used;
	struct anew before;

	if (rc->last > rc->numbers[rc->run]) {
		used = rc->used_of[number - rc->numbers[rc->run]];
		before = anew(number, used, NULL);
		if (is_on_disk(rc, before.name, used - RECORD_END_SIZE, used))
			return make_successor(rc, s, rc->last);
		result = write_anew(rc, &before);
		if (result == STORE_OPENED)
			result = rename_anew(rc, &before);
	}
	return result == STORE_OPENED ? make_successor(rc, s, rc->last) : result;
}

/* What the loop knows of segments that hold records, and of the one to go on in, of which so much is
 * used. */
static bool
take_books(struct recovery *rc, struct store_files *s, uint64_t number, uint64_t used)
{
	uint64_t first = rc->trim ? rc->trim : number;
	size_t n = number - first + 1;

	s->used_cap = n + 8;
	s->used_of = calloc(s->used_cap, sizeof(*s->used_of));
	if (!s->used_of)
		return false;
	for (uint64_t i = first; i < number; i++)
		s->used_of[i - first] = rc->used_of[i - rc->numbers[rc->run]];
	s->used_of[n - 1] = used;
	for (size_t i = 0; i < n; i++)
		s->bytes += s->used_of[i];
	s->first_segment = s->kept_from = s->trim_to = first;
	s->removed = s->gone_to = rc->stays ? rc->stays : first;
	s->trim_seq = rc->stays ? rc->seq : 0;
	s->segment = s->writing = number;
	s->used = s->written_bytes = used;
	s->seq = s->written = s->written_seq = s->synced = rc->seq;
	s->told_seq = s->told_written = s->told_synced = rc->seq;
	memcpy(s->id, rc->id, sizeof(s->id));
	s->seed = segment_seed(s->id, number);
	return true;
}

/* A segment of its own for what will be written. */
static enum store_result
finish_with_next(struct recovery *rc, struct store_files *s, uint64_t *ret_number)
{
	bool empty = rc->last && rc->used == SEGMENT_HEADER;

	*ret_number = empty ? rc->last : rc->last + 1;
	if (rc->last == 0 && rc->disk->random(rc->disk, rc->id, sizeof(rc->id)) < 0)
		return recover_failed(rc, "random numbers for", "");
	if (rc->last == 0)
		return make_successor(rc, s, *ret_number);
	return empty ? begin_empty(rc, s) : end_last(rc, s);
}

/* There was no room for it. What spares have may be needed. */
static enum store_result
finish_without_next(struct recovery *rc, struct store_files *s)
{
	enum store_result result;
	struct spare *sp;

	if (s->current)
		spare_free(s, s->current);
	while ((sp = spares_pop(&s->ready)))
		spare_free(s, sp);
	result = remove_leftovers(rc, s, 1);
	if (s->current)
		spares_push(&s->ready, s->current);
	s->current = NULL;
	return result == STORE_OPENED ? finish_here(rc, s) : result;
}

enum store_result
finish_recovery(struct recovery *rc, struct store_files *s)
{
	uint64_t number, seq = rc->seq, used = SEGMENT_HEADER;
	enum store_result result = remove_leftovers(rc, s, SPARES + 1);

	if (result == STORE_OPENED)
		result = finish_with_next(rc, s, &number);
	if (result != STORE_OPENED && rc->no_room && rc->last) {
		rc->seq = seq;
		result = finish_without_next(rc, s);
		number = rc->last;
		used = rc->used;
	}
	if (result == STORE_OPENED)
		remove_trimmed(rc);
	if (result == STORE_OPENED && !take_books(rc, s, number, used)) {
		errno = ENOMEM;
		result = recover_failed(rc, "open", "");
	}
	if (result == STORE_OPENED && rc->no_room)
		keeper_step(s, 0); /* what room there is now is for segments */
	return result;
}
