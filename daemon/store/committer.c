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
#define SLOW_WRITE_NS UINT64_C(5000000)
#define SHY_NS	      UINT64_C(10000000000)

static bool
failed(struct store_files *s, const char *what, uint64_t segment, uint64_t offset)
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

static void
publish_written(struct store_files *s, const struct chunk *last, bool async, bool sync)
{
	pthread_mutex_lock(&s->lock);
	if (s->written == s->synced && !sync)
		files_kick(s); /* it has to be synced within a time */
	s->written = last->last_seq;
	s->told_written = last->told_seq;
	if (!last->end) {
		s->written_bytes = last->offset + last->len;
		s->written_seq = last->last_seq;
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

/* Writes the chunks of one segment, as many as go into one call. NULL: it failed. */
static struct chunk *
write_some(struct store_files *s, struct chunk *c, uint64_t synced, bool *sync)
{
	struct iovec iov[MAX_IOV];
	struct chunk *last = c;
	uint64_t offset = c->offset;
	bool async = false;
	int n = 0;

	for (; c && !c->end && !c->parts && n < MAX_IOV; c = c->next) {
		assert(c->segment == s->writing);
		finish_records(s, c, synced);
		iov[n++] = (struct iovec){c->bytes, c->len};
		*sync |= c->sync;
		async |= c->async;
		last = c;
	}
	if (!disk_write_all(s->disk, s->current->fd, iov, n, offset)) {
		failed(s, "write", s->writing, offset);
		return NULL;
	}
	publish_written(s, last, async, *sync);
	return last;
}

/* NULL: it failed. */
static struct chunk *
write_large(struct store_files *s, struct chunk *c, uint64_t synced, bool *sync)
{
	if (!large_write(s, c, synced))
		return NULL;
	*sync |= c->sync;
	publish_written(s, c, c->async, *sync);
	return c;
}

/* END is made first, for the header of the successor says its CRC; and written last. */
static bool
go_on(struct store_files *s, struct chunk *end)
{
	struct segment_header h = {.number = s->writing + 1,
				   .first_seq = end->last_seq + 1};
	const char *what;
	struct spare *next;

	if (!files_sync(s))
		return false;
	pthread_mutex_lock(&s->lock);
	next = spares_pop(&s->assigned);
	files_unlock(s);
	memcpy(h.id, s->id, sizeof(h.id));
	h.crc_before = record_finish(end->bytes, s->seed, end->last_seq - 1);
	if (!spare_to_segment(s->disk, s->folder, next, &h, &what)) {
		failed(s, what, h.number, 0);
		spare_free(s, next);
		return false;
	}
	if (!disk_write(s->disk, s->current->fd, end->bytes, end->len, end->offset)) {
		failed(s, "write", s->writing, end->offset);
		spare_free(s, next);
		return false;
	}
	publish_written(s, end, false, true);
	if (!files_sync(s)) {
		spare_free(s, next);
		return false;
	}
	pthread_mutex_lock(&s->lock);
	spares_push(&s->retired, s->current);
	s->current = next;
	s->writing = h.number;
	s->written_bytes = SEGMENT_HEADER;
	files_kick(s);
	files_unlock(s);
	s->seed = segment_seed(s->id, h.number);
	return true;
}

static bool
commit(struct store_files *s, struct chunk *c, uint64_t synced, bool sync)
{
	while (c) {
		if (c->end) {
			if (!go_on(s, c))
				return false;
			synced = c->last_seq;
		} else {
			c = c->parts ? write_large(s, c, synced, &sync)
				     : write_some(s, c, synced, &sync);
			if (!c)
				return false;
		}
		c = c->next;
	}
	return !sync || files_sync(s);
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
bool
committer_write_here(struct store_files *s, struct chunk *first)
{
	uint64_t synced, began_ns = 0, now_ns;
	bool sync = false, syncing;

	if (!is_idle(s, &syncing, &synced))
		return false;
	if (syncing && (began_ns = files_now_ns()) < s->shy_ns)
		return false;
	for (struct chunk *c = first; c; c = c->next)
		c->async = false; /* who would be woken is here */
	do
		first = write_some(s, first, synced, &sync);
	while (first && (first = first->next));
	if (syncing && (now_ns = files_now_ns()) - began_ns > SLOW_WRITE_NS)
		s->shy_ns = now_ns + SHY_NS;
	return true; /* also when it has failed: that is told */
}

static void
has_committed(struct store_files *s)
{
	pthread_mutex_lock(&s->lock);
	s->committing = false;
	files_unlock(s);
}

bool
committer_step(struct store_files *s)
{
	struct chunks list;
	uint64_t synced;
	bool sync, has_failed;

	chunks_init(&list);
	pthread_mutex_lock(&s->lock);
	chunks_move(&list, &s->pending);
	sync = s->want_sync;
	s->want_sync = false;
	s->committing = list.first || sync;
	synced = s->synced;
	has_failed = s->failed;
	files_unlock(s);
	if (!list.first && !sync)
		return false;
	if (!has_failed)
		commit(s, list.first, synced, sync);
	large_end(s);
	has_committed(s);
	chunks_free(&list);
	return true;
}
