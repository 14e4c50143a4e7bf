/* SPDX-License-Identifier: MIT
 *
 * Work on files for which nobody waits: spare segments, what was trimmed, the sync of
 * records about which nobody asks.
 */
#include <errno.h>
#include <stdlib.h>

#include "daemon/store/files_int.h"

#define FILL_BYTES (1 << 20)

static bool
failed(struct store_files *s, const char *what, const char *file)
{
	int error = errno;

	pthread_mutex_lock(&s->lock);
	files_fail(s, what, file, error);
	files_unlock(s);
	return false;
}

static bool
sync_folder(struct store_files *s)
{
	return s->disk->sync_folder(s->disk, s->folder) == 0 || failed(s, "fsync", "");
}

static void
close_retired(struct store_files *s)
{
	struct spare *sp;

	do {
		pthread_mutex_lock(&s->lock);
		sp = spares_pop(&s->retired);
		files_unlock(s);
		if (sp && sp->used)
			(void)s->disk->shorten(s->disk, sp->fd, sp->used);
		if (sp)
			spare_free(s, sp);
	} while (sp);
}

/* The longer the journal is, the more is written before all of it has been cleaned. */
static unsigned
wanted(const struct store_files *s)
{
	uint64_t more = (s->writing - s->kept_from) / SPARES_FOR;

	return SPARES + (more < SPARES_MORE ? (unsigned)more : SPARES_MORE);
}

/* How many are missing; of what there is already some more are taken, unless room is wanted. */
static unsigned
missing(struct store_files *s, bool used)
{
	unsigned n, most;

	pthread_mutex_lock(&s->lock);
	n = s->ready.n + (s->making != NULL);
	most = wanted(s) + (used && !s->low ? SPARES_USED : 0);
	n = s->failed || s->stuck || n >= most ? 0 : most - n;
	files_unlock(s);
	return n;
}

/* They are on disk, under their names. */
static void
are_ready(struct store_files *s, struct spares *list)
{
	struct spare *sp;

	pthread_mutex_lock(&s->lock);
	while ((sp = spares_pop(list)))
		spares_push(&s->ready, sp);
	files_unlock(s);
}

/* There is room again when the reserve is there, and everything could be written. */
static void
look_for_room(struct store_files *s)
{
	pthread_mutex_lock(&s->lock);
	if (s->low && s->ready.n >= wanted(s) && !s->stuck && !s->failed) {
		s->low = false;
		files_wake(s);
	}
	files_unlock(s);
}

/* A segment that is not needed any more becomes a spare. NULL: it is of another size,
 * or errno. */
static struct spare *
use_again(struct store_files *s, const char *name)
{
	struct disk *d = s->disk;
	struct spare *sp = calloc(1, sizeof(*sp));
	char spare[SEGMENT_NAME];
	uint64_t size;

	if (!sp)
		return NULL;
	sp->number = spare_number(s);
	segment_spare_name(sp->number, spare);
	sp->fd = d->open(d, s->folder, name);
	if (sp->fd < 0) {
		free(sp);
		return NULL;
	}
	if (d->size(d, sp->fd, &size) < 0 || size != s->segment_bytes ||
	    d->rename(d, s->folder, name, spare) < 0) {
		spare_free(s, sp);
		return NULL;
	}
	return sp;
}

/* In their order: those behind one that stays go with it, later, so that one number says which are left. Nothing is lost
 * by that. Returns why it stays, or 0. */
static int
remove_upto(struct store_files *s, uint64_t to, struct spares *ret_spares)
{
	unsigned wanted = missing(s, true);
	char name[SEGMENT_NAME];

	for (; s->removed < to; s->removed++) {
		struct spare *sp;

		segment_name(s->removed, name);
		sp = ret_spares->n < wanted ? use_again(s, name) : NULL;
		if (sp)
			spares_push(ret_spares, sp);
		else if (s->disk->unlink(s->disk, s->folder, name) < 0 &&
			 errno != ENOENT)
			return errno;
	}
	return 0;
}

/* The names of spares are on disk before they are used: else a crash could show a new
 * segment under an old name. */
static bool
remove_segments(struct store_files *s, uint64_t to, int *ret_error)
{
	uint64_t before = s->removed;
	struct spares list;
	bool ok;

	spares_init(&list);
	*ret_error = remove_upto(s, to, &list);
	ok = s->removed == before || sync_folder(s);
	if (ok)
		are_ready(s, &list);
	for (struct spare *sp; (sp = spares_pop(&list));)
		spare_free(s, sp);
	return ok;
}

bool
keeper_trim(struct store_files *s, uint64_t now_ns)
{
	uint64_t to;
	int error;

	pthread_mutex_lock(&s->lock);
	to = s->trim_seq && s->synced >= s->trim_seq && !s->failed ? s->trim_to : 0;
	if (s->held_from && to > s->held_from)
		to = s->held_from;
	if (to > s->kept_from)
		s->kept_from = to;
	files_unlock(s);
	if (to <= s->removed || now_ns < s->next_trim_ns)
		return true;
	s->next_try_ns = 0;
	close_retired(s); /* before their files are those of others */
	if (!remove_segments(s, to, &error))
		return false;
	s->next_trim_ns = error ? now_ns + LOW_RETRY_NS : 0;
	pthread_mutex_lock(&s->lock);
	s->gone_to = s->removed;
	files_stays(s, s->removed, error);
	files_wake(s); /* somebody may wait for that */
	files_unlock(s);
	return true;
}

static bool
low(struct store_files *s, int error)
{
	pthread_mutex_lock(&s->lock);
	files_low(s, error);
	files_unlock(s);
	return false;
}

/* It will not be a spare: nothing is in it. */
static void
give_up(struct store_files *s)
{
	struct spare *sp = s->making;
	char name[SEGMENT_NAME];

	segment_spare_name(sp->number, name);
	(void)s->disk->unlink(s->disk, s->folder, name);
	spare_free(s, sp);
	s->making = NULL;
}

/* Where nobody waits for a sync, zeros would be on disk for nothing: they are written shortly before what takes their place. */
static bool
begin_spare(struct store_files *s)
{
	bool zeros;

	pthread_mutex_lock(&s->lock);
	zeros = s->waited_here || s->waited_before;
	files_unlock(s);
	s->making = spare_make(s, s->segment_bytes);
	if (!s->making)
		return low(s, errno);
	s->making->fresh = !zeros;
	s->filled = zeros ? 0 : s->segment_bytes;
	return true;
}

/* Zeros the next piece. Not all at once: who syncs the journal meanwhile would wait for it. */
static bool
fill_piece(struct store_files *s)
{
	struct disk *d = s->disk;
	uint64_t left = s->segment_bytes - s->filled;
	uint64_t len = left < FILL_BYTES ? left : FILL_BYTES;
	char name[SEGMENT_NAME];
	bool written = disk_zero(d, s->making->fd, len, s->filled);

	s->filled += len;
	if (written && d->sync(d, s->making->fd) == 0)
		return true;

	int error = errno;

	segment_spare_name(s->making->number, name);
	give_up(s);
	errno = error;
	return written && !files_no_room(error) ? failed(s, "fdatasync", name)
						: low(s, error);
}

static bool
end_spare(struct store_files *s)
{
	struct spares list;

	if (!sync_folder(s)) {
		give_up(s);
		return false;
	}
	spares_init(&list);
	spares_push(&list, s->making);
	s->making = NULL;
	are_ready(s, &list);
	return true;
}

/* Goes on with a spare, or begins one. false: there is no room, or it failed. */
static bool
make_piece(struct store_files *s)
{
	return (s->making || begin_spare(s)) &&
	       (s->filled == s->segment_bytes || fill_piece(s)) &&
	       (s->filled < s->segment_bytes || end_spare(s));
}

static bool
is_stuck(struct store_files *s)
{
	bool stuck;

	pthread_mutex_lock(&s->lock);
	stuck = s->stuck;
	files_unlock(s);
	return stuck;
}

/* Returns whether a spare is half done. */
static bool
make_spares(struct store_files *s, uint64_t now_ns)
{
	if (is_stuck(s)) {
		if (s->making)
			give_up(s);
		return false;
	}
	if (now_ns < s->next_try_ns)
		return false;
	s->next_try_ns = 0;
	while (s->making || missing(s, false)) {
		if (!make_piece(s)) {
			s->next_try_ns = now_ns + LOW_RETRY_NS;
			return false;
		}
		if (s->making)
			return true;
	}
	return false;
}

/* Since when is there something that is not synced? */
static bool
sync_late(struct store_files *s, uint64_t now_ns)
{
	bool dirty, soon;

	pthread_mutex_lock(&s->lock);
	dirty = s->synced < s->written && !s->failed;
	soon = s->sync_soon;
	s->sync_soon = false;
	files_unlock(s);
	if (!dirty) {
		s->dirty_ns = 0;
		return true;
	}
	if (s->dirty_ns == 0)
		s->dirty_ns = now_ns ? now_ns : 1;
	if (!soon && now_ns < s->dirty_ns + s->sync_interval_ns)
		return true;
	s->dirty_ns = 0;
	if (!files_sync(s))
		return false;
	pthread_mutex_lock(&s->lock);
	if (s->synced < s->written) /* meanwhile; nobody will say so */
		s->dirty_ns = now_ns ? now_ns : 1;
	files_unlock(s);
	return true;
}

uint64_t
keeper_step(struct store_files *s, uint64_t now_ns)
{
	uint64_t next = UINT64_MAX;
	bool more;

	close_retired(s);
	if (!sync_late(s, now_ns) || !keeper_trim(s, now_ns))
		return next;
	more = make_spares(s, now_ns);
	look_for_room(s);
	if (more)
		return now_ns;
	if (s->dirty_ns)
		next = s->dirty_ns + s->sync_interval_ns;
	if (s->next_try_ns && s->next_try_ns < next)
		next = s->next_try_ns;
	if (s->next_trim_ns && s->next_trim_ns < next)
		next = s->next_trim_ns;
	return next;
}
