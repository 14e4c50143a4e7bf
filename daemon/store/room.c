/* SPDX-License-Identifier: MIT
 *
 * The loop's side: where the next segment comes from, and whether there is room for it. All spares but one
 * are kept in reserve, for what makes room.
 */
#include <errno.h>
#include <stdlib.h>

#include "daemon/store/files_int.h"
#include "daemon/store/record.h"

#define MOST_SLACK (64 << 10)

/* The keeper may be about to have one: the last room there was, or what was trimmed. */
static void
wait_for_spare(struct store_files *s)
{
	s->base.class->flush(&s->base);
	if (!s->threads) {
		while (committer_step(s))
			;
		if (s->synced < s->trim_seq)
			(void)files_sync(s);
		(void)keeper_trim(s, 0);
		return;
	}
	pthread_mutex_lock(&s->lock);
	files_kick(s);
	files_unlock(s);
	pthread_mutex_lock(&s->lock);
	while (s->ready.n == 0 && !s->failed && !s->stuck &&
	       (s->kick || s->keeping || s->synced < s->trim_seq))
		pthread_cond_wait(&s->changed, &s->lock);
	files_unlock(s);
}

/* A file of the usual size. NULL: no room, or no memory. */
static struct spare *
take_spare(struct store_files *s)
{
	struct spare *sp;
	bool make;

	pthread_mutex_lock(&s->lock);
	sp = spares_pop(&s->ready);
	make = !sp && !s->failed && !s->low;
	files_kick(s);
	files_unlock(s);
	if (make)
		sp = spare_make(s, s->segment_bytes);
	if (make && !sp) {
		int error = errno;

		pthread_mutex_lock(&s->lock);
		files_low(s, error);
		files_unlock(s);
	}
	if (sp)
		return sp;
	wait_for_spare(s);
	pthread_mutex_lock(&s->lock);
	sp = spares_pop(&s->ready);
	files_unlock(s);
	return sp;
}

/* false: there was none. */
static bool
drop_large(struct store_files *s)
{
	char name[SEGMENT_NAME];

	if (!s->large)
		return false;
	segment_spare_name(s->large->number, name);
	(void)s->disk->unlink(s->disk, s->folder, name); /* the next start will */
	spare_free(s, s->large);
	s->large = NULL;
	return true;
}

/* There is a file of at least this size for a large record. */
static bool
make_large(struct store_files *s, uint64_t size)
{
	if (s->large && s->large_size >= size)
		return true;
	(void)drop_large(s);
	s->large = spare_make(s, size);
	s->large_size = size;
	return s->large != NULL;
}

struct spare *
room_take(struct store_files *s, uint64_t *size)
{
	struct spare *sp;

	if (*size == s->segment_bytes)
		return take_spare(s);
	sp = make_large(s, *size) ? s->large : NULL;
	*size = s->large_size;
	s->large = NULL;
	return sp;
}

uint64_t
room_size(const struct store_files *s, uint64_t size)
{
	uint64_t all = SEGMENT_HEADER + size + SEGMENT_FOR_TRIM + SEGMENT_FOOT;

	return all < s->segment_bytes ? s->segment_bytes : all;
}

/* Whether there is one spare beside those that are kept in reserve. The keeper may not have been as
 * fast as the loop. */
static bool
spare_to_use(struct store_files *s)
{
	struct spare *sp;
	bool enough, low;

	do {
		pthread_mutex_lock(&s->lock);
		enough = s->ready.n >= SPARES;
		low = s->low;
		files_unlock(s);
		if (enough || low)
			break;
		sp = spare_make(s, s->segment_bytes);
		if (sp) {
			pthread_mutex_lock(&s->lock);
			spares_push(&s->ready, sp);
			files_unlock(s);
		}
	} while (sp || drop_large(s));
	return enough && !low;
}

bool
room_for(struct store *base, uint64_t bytes)
{
	struct store_files *s = files_of(base);
	uint64_t slack = s->segment_bytes / 8, size, all;

	/* More may come to it before it is appended. */
	size = record_size(bytes) + (slack < MOST_SLACK ? slack : MOST_SLACK);
	if (s->used + size + SEGMENT_FOR_TRIM + SEGMENT_FOOT <= s->size)
		return true;
	all = room_size(s, size);
	return all == s->segment_bytes ? spare_to_use(s) : make_large(s, all);
}
