/* SPDX-License-Identifier: MIT
 *
 * A ring of buffers. Each has room for a block, and before it for the end of the one before, so that records are in
 * one piece.
 */
#include "daemon/store/ahead.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/disk.h"
#include "daemon/store/record.h"

#define BLOCK	((size_t)1 << 20)
#define BUFFERS 4
/* Bytes before a block: more than the header of a record, for who looks for one. */
#define LEAST 64

struct ahead {
	struct disk *disk;
	int fd;
	uint64_t size;
	void (*beside)(void *arg);
	void *arg;
	pthread_t thread;
	unsigned char *buffers[BUFFERS];
	struct ahead_block blocks[BUFFERS]; /* in them */
	uint64_t taken;			    /* blocks: the last one is the caller's */

	/* The thread's. */
	uint32_t seed;
	uint64_t record; /* where the next one begins; UINT64_MAX: nobody knows */
	uint64_t from;	 /* from there on all were whole */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Under the lock. */
	uint64_t read;	   /* blocks */
	uint64_t returned; /* blocks that may be overwritten */
	bool stop, ended;
};

static size_t
len_of(const struct ahead *a, uint64_t block)
{
	uint64_t left = a->size - block * BLOCK;

	return left < BLOCK ? left : BLOCK;
}

/* How much of what was before this place is needed behind it. */
static size_t
needed_before(const struct ahead *a, uint64_t at)
{
	uint64_t begun = a->record < at ? at - a->record : 0;

	if (begun < LEAST)
		return at < LEAST ? at : LEAST;
	return begun;
}

/* The end of the last block goes before this one. */
static bool
read_block(struct ahead *a, uint64_t block)
{
	unsigned char *to = a->buffers[block % BUFFERS] + AHEAD_ROOM;
	const struct ahead_block *last = &a->blocks[(block + BUFFERS - 1) % BUFFERS];
	uint64_t at = block * BLOCK;
	size_t len = len_of(a, block), before = needed_before(a, at);

	if (before > 0)
		memcpy(to - before, last->bytes + (last->len - before), before);
	a->blocks[block % BUFFERS] = (struct ahead_block){
		.bytes = to - before, .at = at - before, .len = before + len};
	return disk_read(a->disk, a->fd, to, len, at) == (ssize_t)len;
}

enum seen { WHOLE, BEGUN, TOO_LARGE, BROKEN };

/* `left`: how many bytes there are. */
static enum seen
look_at_record(const struct ahead *a, const unsigned char *bytes, uint64_t left,
	       uint64_t *ret_size)
{
	struct record r;

	if (left < RECORD_HEADER)
		return BEGUN;
	record_parse(bytes, &r);
	*ret_size = record_size(r.len);
	if (!record_is_possible(&r))
		return BROKEN;
	if (*ret_size > AHEAD_ROOM)
		return TOO_LARGE;
	if (left < RECORD_HEADER + r.len)
		return BEGUN;
	return record_crc(bytes, a->seed, r.len) == r.crc ? WHOLE : BROKEN;
}

/* Follows the records as far as they are in this block. Of one that is too large the caller sees for itself whether it
 * is whole. */
static void
look_at(struct ahead *a, struct ahead_block *b)
{
	uint64_t end = b->at + b->len, size = 0;
	enum seen seen = WHOLE;

	while (a->record < end && (seen == WHOLE || seen == TOO_LARGE)) {
		seen = look_at_record(a, b->bytes + (a->record - b->at),
				      end - a->record, &size);
		if (seen == WHOLE || seen == TOO_LARGE)
			a->record += size;
		if (seen == TOO_LARGE)
			a->from = a->record;
	}
	b->whole_from = a->from;
	b->whole_to = a->record;
	if (seen == BROKEN)
		a->record = a->from = UINT64_MAX;
}

/* Waits for a buffer. false: there is nothing more to do. */
static bool
may_read(struct ahead *a)
{
	bool may;

	pthread_mutex_lock(&a->lock);
	while (!a->stop && a->read - a->returned == BUFFERS)
		pthread_cond_wait(&a->changed, &a->lock);
	may = !a->stop && a->read * BLOCK < a->size;
	a->ended = !may;
	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->lock);
	return may;
}

static void *
read_main(void *arg)
{
	struct ahead *a = arg;

	while (may_read(a)) {
		bool ok = read_block(a, a->read);

		if (ok)
			look_at(a, &a->blocks[a->read % BUFFERS]);
		pthread_mutex_lock(&a->lock);
		a->read += ok;
		a->stop |= !ok;
		pthread_cond_signal(&a->changed);
		pthread_mutex_unlock(&a->lock);
		if (a->beside)
			a->beside(a->arg);
	}
	return NULL;
}

static void
free_all(struct ahead *a)
{
	for (int i = 0; i < BUFFERS; i++)
		free(a->buffers[i]);
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

/* Signals are the loop's. */
static bool
start_thread(struct ahead *a)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&a->thread, NULL, read_main, a);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error == 0;
}

struct ahead *
ahead_start(struct disk *d, int fd, uint64_t size, uint64_t at, uint32_t seed,
	    void (*beside)(void *arg), void *arg)
{
	struct ahead *a = calloc(1, sizeof(*a));
	bool ok = true;

	if (!a)
		return NULL;
	a->disk = d;
	a->fd = fd;
	a->size = size;
	a->record = a->from = at;
	a->seed = seed;
	a->beside = beside;
	a->arg = arg;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
	for (int i = 0; i < BUFFERS; i++)
		ok = (a->buffers[i] = malloc(AHEAD_ROOM + BLOCK)) && ok;
	if (ok && start_thread(a))
		return a;
	free_all(a);
	return NULL;
}

void
ahead_stop(struct ahead *a)
{
	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	a->stop = true;
	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->lock);
	pthread_join(a->thread, NULL);
	free_all(a);
}

bool
ahead_take(struct ahead *a, struct ahead_block *ret)
{
	bool there;

	pthread_mutex_lock(&a->lock);
	a->returned = a->taken;
	pthread_cond_signal(&a->changed);
	while (!a->ended && a->read == a->taken)
		pthread_cond_wait(&a->changed, &a->lock);
	there = a->read > a->taken;
	pthread_mutex_unlock(&a->lock);
	if (there)
		*ret = a->blocks[a->taken++ % BUFFERS];
	return there;
}
