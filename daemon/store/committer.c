/* SPDX-License-Identifier: MIT
 *
 * Writes what was appended: all that is there at once, and one sync for all of it. Goes
 * on to the next segment in the order that a crash at any moment can be read from
 * (doc/store-format.md). All but the function for the loop is the committer's thread, or a test's
 * step.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "daemon/store/bytes.h"
#include "daemon/store/files_int.h"
#include "daemon/store/record.h"

#define MAX_IOV	      64
#define PARTS	      16 /* of a segment: each is synced when it is full */
#define CLEAR_BYTES   ((uint64_t)256 << 10)
#define SLOW_WRITE_NS UINT64_C(5000000)
#define SHY_NS	      UINT64_C(10000000000)

bool
committer_failed(struct store_files *s, const char *what, uint64_t segment,
		 uint64_t offset)
{
	int error = errno;

	pthread_mutex_lock(&s->lock);
	files_fail_segment(s, what, segment, offset, error);
	files_unlock(s);
	return false;
}

static void
now_synced(struct store_files *s, uint64_t upto, uint64_t told)
{
	if (s->synced < s->trim_seq && upto >= s->trim_seq)
		files_kick(s); /* there is something to remove */
	s->synced = upto;
	s->told_synced = told;
}

/* One at a time: a failure of the disk is reported to one of those who sync a file, and
 * what the other one is told means nothing. */
bool
files_sync(struct store_files *s)
{
	uint64_t upto, told, segment;
	struct spare *current;
	int error = 0;
	bool ok;

	pthread_mutex_lock(&s->lock);
	while (s->syncing)
		pthread_cond_wait(&s->changed, &s->lock);
	upto = s->written;
	told = s->told_written;
	current = s->current;
	segment = s->writing;
	s->syncing = !s->failed && s->synced < upto;
	if (s->syncing) {
		files_unlock(s);
		if (s->disk->sync(s->disk, current->fd) < 0)
			error = errno;
		pthread_mutex_lock(&s->lock);
		s->syncing = false;
		if (error)
			files_fail_segment(s, "fdatasync", segment, 0, error);
		else
			now_synced(s, upto, told);
		files_wake(s);
	}
	ok = !s->failed;
	files_unlock(s);
	return ok;
}

/* Under the lock. All who write wait at the end of a segment until it is on disk: so most of it is by then. And before
 * a TRIM is, what it says is not removed. */
static bool
passes_mark(const struct store_files *s, const struct chunk *last)
{
	uint64_t part = s->segment_bytes / PARTS, end = last->offset + last->len;

	return (s->written < s->trim_seq && last->last_seq >= s->trim_seq) ||
	       (!last->end && s->written_bytes / part < end / part);
}

static void
publish_written(struct store_files *s, const struct chunk *last, bool async, bool sync)
{
	pthread_mutex_lock(&s->lock);
	if (!sync && passes_mark(s, last)) {
		s->sync_soon = true;
		files_kick(s);
	}
	if (s->written == s->synced && !sync)
		files_kick(s); /* it has to be synced within a time */
	s->written = last->last_seq;
	s->told_written = last->told_seq;
	if (!last->end) {
		s->written_bytes = last->offset + last->len;
		s->written_seq = last->last_seq;
		s->waited_here |= sync;
	}
	if (async)
		files_wake(s); /* somebody waits for this */
	files_unlock(s);
}

static void
finish_records(struct store_files *s, struct chunk *c, uint64_t synced)
{
	for (size_t at = 0; at < c->len;) {
		record_finish(c->bytes + at, s->seed, synced);
		at += record_size(get_le32(c->bytes + at + 4));
	}
}

static enum committed
not_written(struct store_files *s, const char *what, uint64_t segment, uint64_t offset)
{
	if (files_no_room(errno))
		return NO_ROOM;
	(void)committer_failed(s, what, segment, offset);
	return FAILED;
}

/* The system keeps a file in pages as large as the writes that were the first to its places; small ones cost it more
 * than copying what is written, then and when it is synced. So zeros go ahead in larger pieces. Where much is written
 * nearly all are overwritten before a sync. */
static bool
clear_ahead(struct store_files *s, uint64_t offset, uint64_t len)
{
	struct spare *sp = s->current;
	uint64_t from = offset > sp->cleared ? offset : sp->cleared;
	uint64_t to = (offset + len + CLEAR_BYTES - 1) / CLEAR_BYTES * CLEAR_BYTES;

	if (!sp->fresh || len >= CLEAR_BYTES || offset + len <= sp->cleared)
		return true;
	if (to > s->segment_bytes)
		to = s->segment_bytes;
	sp->cleared = to;
	return to <= from || disk_zero(s->disk, sp->fd, to - from, from) ||
	       files_no_room(errno); /* what is to be written may have it */
}

/* Writes the chunks of one segment, as many as go into one call: those up to *ret_last. */
static enum committed
write_some(struct store_files *s, struct chunk *c, uint64_t synced, bool *sync,
	   struct chunk **ret_last)
{
	struct iovec iov[MAX_IOV];
	uint64_t offset = c->offset;
	bool async = false;
	int n = 0;

	for (; c && !c->end && !c->parts && n < MAX_IOV; c = c->next) {
		assert(c->segment == s->writing);
		finish_records(s, c, synced);
		iov[n++] = (struct iovec){c->bytes, c->len};
		*sync |= c->sync;
		async |= c->async;
		*ret_last = c;
	}
	if (!clear_ahead(s, offset, (*ret_last)->offset + (*ret_last)->len - offset) ||
	    !disk_write_all(s->disk, s->current->fd, iov, n, offset))
		return not_written(s, "write", s->writing, offset);
	publish_written(s, *ret_last, async, *sync);
	return COMMITTED;
}

static enum committed
write_large(struct store_files *s, struct chunk *c, uint64_t synced, bool *sync)
{
	enum committed result = large_write(s, c, synced);

	if (result != COMMITTED)
		return result;
	*sync |= c->sync;
	publish_written(s, c, c->async, *sync);
	return COMMITTED;
}

/* The successor has its header and its name. `crc`: of the record before its first one. */
static enum committed
name_next(struct store_files *s, uint64_t first_seq, uint32_t crc)
{
	struct segment_header h = {
		.number = s->writing + 1, .first_seq = first_seq, .crc_before = crc};
	struct call call;

	if (s->next_named)
		return COMMITTED;
	memcpy(h.id, s->id, sizeof(h.id));
	s->next_named = spare_to_segment(s->disk, s->folder, s->next, &h, &call);
	if (s->next_named)
		return COMMITTED;
	if (!call.sync)
		return not_written(s, call.what, h.number, 0);
	(void)committer_failed(s, call.what, h.number, 0);
	return FAILED;
}

static void
enter_next(struct store_files *s)
{
	pthread_mutex_lock(&s->lock);
	spares_push(&s->retired, s->current);
	s->current = s->next;
	s->writing++;
	s->written_bytes = SEGMENT_HEADER;
	s->waited_before = s->waited_here;
	s->waited_here = false;
	files_kick(s);
	files_unlock(s);
	s->next = NULL;
	s->next_named = false;
	s->seed = segment_seed(s->id, s->writing);
}

/* END is made first, for the header of the successor says its CRC; and written last. */
static enum committed
go_on(struct store_files *s, struct chunk *end)
{
	enum committed result;
	uint32_t crc;

	if (!files_sync(s))
		return FAILED;
	if (!s->next) {
		pthread_mutex_lock(&s->lock);
		s->next = spares_pop(&s->assigned);
		files_unlock(s);
	}
	crc = record_finish(end->bytes, s->seed, end->last_seq - 1);
	result = name_next(s, end->last_seq + 1, crc);
	if (result != COMMITTED)
		return result;
	if (!disk_write(s->disk, s->current->fd, end->bytes, end->len, end->offset))
		return not_written(s, "write", s->writing, end->offset);
	publish_written(s, end, false, true);
	if (!files_sync(s))
		return FAILED;
	enter_next(s);
	return COMMITTED;
}

/* The first of the chunks, and those behind it that are written with it: up to *ret_last. */
static enum committed
write_first(struct store_files *s, struct chunk *c, uint64_t synced, bool *sync,
	    struct chunk **ret_last)
{
	*ret_last = c;
	if (c->end)
		return go_on(s, c);
	if (c->parts)
		return write_large(s, c, synced, sync);
	return write_some(s, c, synced, sync, ret_last);
}

/* What is written is moved to `done`. */
static enum committed
commit(struct store_files *s, struct chunks *list, struct chunks *done, uint64_t synced,
       bool *sync)
{
	while (list->first) {
		struct chunk *c = list->first, *last;
		enum committed result = write_first(s, c, synced, sync, &last);

		if (result != COMMITTED)
			return result;
		if (c->end)
			synced = c->last_seq;
		chunks_take(done, list, last);
	}
	return COMMITTED;
}

/* Where what is written takes other room than what is there, the room of a spare may do. */
static enum committed
commit_all(struct store_files *s, struct chunks *list, struct chunks *done,
	   uint64_t synced, bool *sync)
{
	enum committed result;
	int error;

	do {
		result = commit(s, list, done, synced, sync);
		error = errno;
	} while (result == NO_ROOM && spare_give_up(s, error));
	errno = error;
	return result;
}

/* Whether the committer has nothing to do; only who asks gives it something. `syncing`: the keeper syncs, as
 * it does most of the time when much is written. */
static bool
is_idle(struct store_files *s, bool *ret_syncing, uint64_t *ret_synced)
{
	bool idle;

	pthread_mutex_lock(&s->lock);
	idle = !s->committing && !s->pending.first && !s->want_sync && !s->failed;
	*ret_syncing = s->syncing;
	*ret_synced = s->synced;
	files_unlock(s);
	return idle;
}

/* Where a write waits for a sync that runs, that is seen from how long it takes; then the loop leaves such
 * writes to the committer for some time. */
void
committer_write_here(struct store_files *s, struct chunks *list, struct chunks *done)
{
	uint64_t synced, began_ns = 0, now_ns;
	bool sync = false, syncing;

	if (!is_idle(s, &syncing, &synced))
		return;
	if (syncing && (began_ns = files_now_ns()) < s->shy_ns)
		return;
	for (struct chunk *c = list->first; c; c = c->next)
		c->async = false; /* who would be woken is here */
	(void)commit(s, list, done, synced, &sync);
	for (struct chunk *c = list->first; c; c = c->next)
		c->async = true;
	if (syncing && (now_ns = files_now_ns()) - began_ns > SLOW_WRITE_NS)
		s->shy_ns = now_ns + SHY_NS;
}

/* What is left of the list, for which there was no room, or that nobody wants any more, comes before what has
 * been appended meanwhile. `error`: of a write for which there was no room, or 0. */
static bool
has_committed(struct store_files *s, struct chunks *list, int error)
{
	bool stuck;

	pthread_mutex_lock(&s->lock);
	s->committing = false;
	if (s->low && !error)
		files_kick(s); /* the reserve may be made again */
	s->stuck = false;
	if (error && s->closing)
		files_fail_segment(s, "write", list->first->segment,
				   list->first->offset, error);
	else if (error)
		files_stuck(s, list->first, error);
	stuck = s->stuck;
	if (stuck) {
		chunks_move(list, &s->pending);
		chunks_move(&s->pending, list);
	}
	files_unlock(s);
	return !stuck;
}

/* The threads say how long it took, for the next one. */
static void
sync_done(struct store_files *s, const struct chunks *done)
{
	uint64_t began_ns = s->threads ? files_now_ns() : 0, bytes = 0;

	if (!files_sync(s) || !s->threads)
		return;
	for (const struct chunk *c = done->first; c; c = c->next)
		bytes += c->len;
	pthread_mutex_lock(&s->lock);
	gather_synced(&s->gather, began_ns, files_now_ns(), bytes, s->pending_bytes);
	files_unlock(s);
}

bool
committer_step(struct store_files *s)
{
	enum committed result = FAILED;
	struct chunks list, done;
	uint64_t synced;
	int error = 0;
	bool sync;

	chunks_init(&list);
	chunks_init(&done);
	pthread_mutex_lock(&s->lock);
	chunks_move(&list, &s->pending);
	s->pending_bytes = 0;
	s->pending_sync = false;
	sync = s->want_sync;
	s->want_sync = false;
	s->committing = list.first || sync;
	synced = s->synced;
	if (!s->failed)
		result = COMMITTED;
	files_unlock(s);
	if (!list.first && !sync)
		return false;
	if (result == COMMITTED)
		result = commit_all(s, &list, &done, synced, &sync);
	if (result == NO_ROOM)
		error = errno;
	if (result != FAILED && sync)
		sync_done(s, &done);
	large_end(s);
	sync = has_committed(s, &list, error);
	chunks_free(&done);
	chunks_free(&list);
	return sync;
}
