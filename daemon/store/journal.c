/* SPDX-License-Identifier: MIT
 *
 * The loop's side: where each record will be is known when it is appended. Nothing here
 * touches a file but to read, to make room for a record that is larger than a segment,
 * and to write a little that nobody wants synced, when no thread is at it.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/store/files_int.h"
#include "daemon/store/record.h"

#define CHUNK_BYTES ((size_t)128 << 10)
#define HERE_BYTES  ((size_t)256 << 10) /* to write more lasts longer than to wake a thread */

static struct chunk *
chunk_new(struct store_files *s, size_t cap)
{
	struct chunk *c = cap == CHUNK_BYTES ? s->unused : NULL;

	if (c)
		s->unused = NULL;
	else
		c = malloc(sizeof(*c) + cap);
	if (!c)
		return NULL;
	*c = (struct chunk){.segment = s->segment, .offset = s->used, .cap = cap};
	return c;
}

static struct chunk *
last_chunk(struct store_files *s)
{
	if (!s->open.first)
		return NULL;
	return (struct chunk *)((char *)s->open.end - offsetof(struct chunk, next));
}

/* Where the next `size` bytes of the segment go. NULL: no memory. */
static struct chunk *
chunk_for(struct store_files *s, size_t size)
{
	struct chunk *c = last_chunk(s);

	if (c && c->segment == s->segment && !c->end && !c->parts &&
	    c->cap - c->len >= size)
		return c;
	c = chunk_new(s, size > CHUNK_BYTES ? size : CHUNK_BYTES);
	if (c)
		chunks_push(&s->open, c);
	return c;
}

void
journal_add(struct store_files *s, struct chunk *c, unsigned char *at, uint32_t len,
	    bool told)
{
	uint64_t size = record_size(len);

	record_head(at, len, ++s->seq);
	if (told)
		s->told_seq = s->seq;
	c->last_seq = s->seq;
	c->told_seq = s->told_seq;
	c->len += size;
	s->used += size;
	s->used_of[s->segment - s->first_segment] = s->used;
	s->bytes += size;
}

/* The next record of the segment, without its payload. */
static unsigned char *
start_record(struct store_files *s, struct chunk *c, uint32_t len, bool told)
{
	unsigned char *at = c->bytes + c->len;

	journal_add(s, c, at, len, told);
	record_start(at, len, s->seq);
	return at + RECORD_HEADER;
}

static bool
grow_used_of(struct store_files *s)
{
	size_t n = s->segment - s->first_segment + 1, cap = s->used_cap * 2;
	uint64_t *grown;

	if (n < s->used_cap)
		return true;
	grown = realloc(s->used_of, cap * sizeof(*grown));
	if (!grown)
		return false;
	s->used_of = grown;
	s->used_cap = cap;
	return true;
}

/* Ends this segment; the next one has room for a record of `size` bytes. */
static bool
next_segment(struct store_files *s, uint64_t size)
{
	uint64_t all = room_size(s, size);
	struct chunk *c = grow_used_of(s) ? chunk_new(s, RECORD_END_SIZE) : NULL;
	struct spare *sp;

	if (!c)
		return false;
	sp = room_take(s, &all);
	if (!sp) {
		free(c);
		return false;
	}
	pthread_mutex_lock(&s->lock);
	spares_push(&s->assigned, sp);
	files_unlock(s);

	*start_record(s, c, 1, false) = RECORD_END;
	c->end = true;
	chunks_push(&s->open, c);
	s->segment++;
	s->used = SEGMENT_HEADER;
	s->used_of[s->segment - s->first_segment] = s->used;
	s->bytes += s->used;
	s->size = all;
	return true;
}

static uint64_t
len_of(const struct iovec *parts, unsigned n)
{
	uint64_t len = 0;

	for (unsigned i = 0; i < n; i++)
		len += parts[i].iov_len;
	assert(len > 0 && len <= STORE_MAX_RECORD);
	return len;
}

bool
journal_make_room(struct store_files *s, uint64_t len, uint64_t keep_free)
{
	uint64_t size = record_size(len);

	return !s->closed &&
	       (s->used + size + keep_free <= s->size || next_segment(s, size));
}

/* `keep_free`: what must be left of a segment. `told`: the caller knows of it. */
static bool
append_record(struct store_files *s, const struct iovec *parts, unsigned n, bool sync,
	      uint64_t keep_free, bool told, struct store_place *ret_place)
{
	uint64_t len = len_of(parts, n);
	unsigned char *to;
	struct chunk *c;

	if (!journal_make_room(s, len, keep_free))
		return false;
	c = chunk_for(s, record_size(len));
	if (!c)
		return false;
	*ret_place = (struct store_place){.seq = s->seq + 1,
					  .segment = s->segment,
					  .offset = s->used + RECORD_HEADER};
	to = start_record(s, c, (uint32_t)len, told);
	for (unsigned i = 0; i < n; i++)
		to = mempcpy(to, parts[i].iov_base, parts[i].iov_len);
	if (sync)
		c->sync = true;
	else
		c->async = true;
	return true;
}

static bool
files_append(struct store *base, const struct iovec *parts, unsigned n, bool sync,
	     struct store_place *ret_place)
{
	return append_record(files_of(base), parts, n, sync,
			     SEGMENT_FOR_TRIM + SEGMENT_FOOT, true, ret_place);
}

static bool
files_append_large(struct store *base, const struct store_part *parts, unsigned n,
		   bool sync, struct store_place *ret_place)
{
	return large_append(files_of(base), parts, n, sync, ret_place);
}

/* Whether it is better written here: nobody waits for the disk, and it is not much. */
static bool
is_for_here(const struct chunks *list)
{
	size_t len = 0;

	for (const struct chunk *c = list->first; c; c = c->next) {
		len += c->len;
		if (c->sync || c->end || c->parts || len > HERE_BYTES)
			return false;
	}
	return true;
}

/* The chunks were written. */
static void
use_again(struct store_files *s, struct chunks *list)
{
	struct chunk *c = list->first;

	if (!s->unused && c->cap == CHUNK_BYTES) {
		list->first = c->next;
		s->unused = c;
	}
	chunks_free(list);
}

static void
files_flush(struct store *base)
{
	struct store_files *s = files_of(base);
	struct chunks written;
	bool wake;

	if (!s->open.first)
		return;
	if (is_for_here(&s->open)) {
		chunks_init(&written);
		committer_write_here(s, &s->open, &written);
		if (written.first)
			use_again(s, &written);
		if (!s->open.first)
			return;
	}
	pthread_mutex_lock(&s->lock);
	for (struct chunk *c = s->open.first; c; c = c->next) {
		s->pending_bytes += c->len;
		s->pending_sync |= c->sync;
	}
	chunks_move(&s->pending, &s->open);
	wake = !s->gathering || gather_has(&s->gather, s->pending_bytes);
	files_unlock(s);
	if (wake)
		pthread_cond_signal(&s->to_commit);
}

void
store_files_heard(struct store *base)
{
	struct store_files *s = files_of(base);
	uint64_t count;

	/* First: what is told from here on is told again. */
	(void)!read(s->wake_fd, &count, sizeof(count));
	pthread_mutex_lock(&s->lock);
	s->told = false;
	files_unlock(s);
}

static uint64_t
left_of(const struct store_files *s)
{
	uint64_t needed = s->used + RECORD_HEADER + 8 + SEGMENT_FOR_TRIM + SEGMENT_FOOT;

	return s->size > needed ? s->size - needed : 0;
}

/* Not those that stay for a copy, for as long as it takes. */
static uint64_t
leaving(const struct store_files *s)
{
	uint64_t to = s->trim_to;

	if (s->held_from && to > s->held_from)
		to = s->held_from;
	return to > s->gone_to && !s->failed ? to - s->gone_to : 0;
}

static void
files_status(struct store *base, struct store_status *ret)
{
	struct store_files *s = files_of(base);

	pthread_mutex_lock(&s->lock);
	*ret = (struct store_status){
		.state = s->failed		   ? STORE_FAILED
			 : s->low || s->stays[0] ? STORE_LOW
						   : STORE_GOOD,
		.last_seq = s->told_seq,
		.written = s->told_written,
		.synced = s->told_synced,
		.first_segment = s->first_segment,
		.last_segment = s->segment,
		.bytes = s->bytes,
		.leaving = leaving(s),
		.segment_bytes = s->segment_bytes,
		.left = left_of(s),
	};
	if (ret->state != STORE_GOOD) {
		memcpy(s->told_error, s->failed || s->low ? s->error : s->stays,
		       sizeof(s->error));
		ret->error = s->told_error;
	}
	files_unlock(s);
}

/* The loop's books: the segments before this one are gone. */
static void
forget_before(struct store_files *s, uint64_t segment)
{
	size_t gone = segment - s->first_segment;

	for (size_t i = 0; i < gone; i++)
		s->bytes -= s->used_of[i];
	memmove(s->used_of, s->used_of + gone,
		(s->segment - segment + 1) * sizeof(*s->used_of));
	s->first_segment = segment;
	fetch_forget(s, segment);
}

static bool
files_trim(struct store *base, uint64_t segment)
{
	struct store_files *s = files_of(base);
	unsigned char payload[RECORD_MAX_OWN];
	const struct iovec part = {payload, record_trim_encode(segment, payload)};
	struct store_place place;

	assert(segment <= s->segment);
	if (segment <= s->first_segment)
		return true;
	/* Nobody waits for it: the keeper syncs it. */
	if (!append_record(s, &part, 1, false, SEGMENT_FOOT, false, &place))
		return false;
	forget_before(s, segment);
	pthread_mutex_lock(&s->lock);
	s->trim_to = segment;
	s->trim_seq = place.seq;
	files_unlock(s);
	return true;
}

static enum store_read
files_read(struct store *base, uint64_t segment, uint64_t offset, void *ret, size_t len,
	   bool wait)
{
	return fetch_read(files_of(base), segment, offset, ret, len, wait);
}

/* Of END nothing is copied: it says that the next segment is there. */
static void
files_hold(struct store *base, struct store_copy *ret)
{
	struct store_files *s = files_of(base);

	pthread_mutex_lock(&s->lock);
	s->held_from = s->kept_from;
	*ret = (struct store_copy){
		.first = s->kept_from, .last = s->writing, .bytes = s->written_bytes,
		.seq = s->written_seq};
	files_unlock(s);
}

static void
files_release(struct store *base)
{
	struct store_files *s = files_of(base);

	pthread_mutex_lock(&s->lock);
	s->held_from = 0;
	files_kick(s); /* there may be something to remove */
	files_unlock(s);
}

static void
files_stop(struct store *base)
{
	threads_stop(files_of(base));
}

/* Everything that was appended is on disk, or it failed. */
static bool
settle(struct store_files *s)
{
	bool done;

	files_flush(&s->base);
	pthread_mutex_lock(&s->lock);
	s->want_sync = true;
	pthread_cond_signal(&s->to_commit);
	while (s->threads && !s->failed && s->synced < s->seq)
		pthread_cond_wait(&s->changed, &s->lock);
	files_unlock(s);
	while (!s->threads && committer_step(s))
		;
	pthread_mutex_lock(&s->lock);
	done = !s->failed && s->synced == s->seq;
	files_unlock(s);
	return done;
}

/* CLOSE is written when all else is on disk: whoever reads it knows that it is. */
static bool
files_close(struct store *base)
{
	struct store_files *s = files_of(base);
	unsigned char payload = RECORD_CLOSE;
	const struct iovec part = {&payload, 1};
	struct store_place place;

	pthread_mutex_lock(&s->lock);
	s->closing = true;
	files_unlock(s);
	if (!settle(s))
		return false;
	if (!append_record(s, &part, 1, true, RECORD_END_SIZE, false, &place)) {
		pthread_mutex_lock(&s->lock);
		files_fail(s, "close", "", ENOMEM);
		files_unlock(s);
		return false;
	}
	s->closed = true;
	return settle(s);
}

static void
free_spares(struct store_files *s, struct spares *list)
{
	struct spare *sp;

	while ((sp = spares_pop(list)))
		spare_free(s, sp);
}

static void
files_free(struct store *base)
{
	struct store_files *s = files_of(base);

	threads_stop(s);
	free(s->unused);
	chunks_free(&s->open);
	chunks_free(&s->pending);
	free_spares(s, &s->ready);
	free_spares(s, &s->assigned);
	free_spares(s, &s->retired);
	if (s->current)
		spare_free(s, s->current);
	if (s->next)
		spare_free(s, s->next);
	if (s->making)
		spare_free(s, s->making);
	if (s->large)
		spare_free(s, s->large);
	fetch_forget(s, UINT64_MAX);
	if (s->folder >= 0)
		s->disk->close(s->disk, s->folder);
	if (s->wake_fd >= 0)
		close(s->wake_fd);
	pthread_cond_destroy(&s->to_commit);
	pthread_cond_destroy(&s->to_keep);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s->used_of);
	free(s->dir);
	free(s);
}

const struct store_class files_class = {
	.append = files_append,
	.append_large = files_append_large,
	.room = room_for,
	.flush = files_flush,
	.status = files_status,
	.trim = files_trim,
	.read = files_read,
	.hold = files_hold,
	.release = files_release,
	.stop = files_stop,
	.close = files_close,
	.free = files_free,
};
