/* SPDX-License-Identifier: MIT
 *
 * A ring of buffers. Each has room for a block, and before it for the end of the one before.
 */
#include "daemon/store/ahead.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/disk.h"

#define BLOCK	((size_t)1 << 20)
#define BUFFERS 4

struct ahead {
	struct disk *disk;
	int fd;
	uint64_t size;
	void (*beside)(void *arg);
	void *arg;
	pthread_t thread;
	unsigned char *buffers[BUFFERS];
	uint64_t taken; /* blocks: the last one is the caller's */

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

static bool
read_block(struct ahead *a, uint64_t block)
{
	size_t len = len_of(a, block);

	return disk_read(a->disk, a->fd, a->buffers[block % BUFFERS] + BLOCK, len,
			 block * BLOCK) == (ssize_t)len;
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
ahead_start(struct disk *d, int fd, uint64_t size, void (*beside)(void *arg), void *arg)
{
	struct ahead *a = calloc(1, sizeof(*a));
	bool ok = true;

	if (!a)
		return NULL;
	a->disk = d;
	a->fd = fd;
	a->size = size;
	a->beside = beside;
	a->arg = arg;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
	for (int i = 0; i < BUFFERS; i++)
		ok = (a->buffers[i] = malloc(2 * BLOCK)) && ok;
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

uint64_t
ahead_next(const struct ahead *a)
{
	return a->taken * BLOCK;
}

unsigned char *
ahead_take(struct ahead *a, const unsigned char *before, size_t len, size_t *ret_len)
{
	unsigned char *bytes = a->buffers[a->taken % BUFFERS] + BLOCK;
	bool there;

	pthread_mutex_lock(&a->lock);
	while (!a->ended && a->read == a->taken)
		pthread_cond_wait(&a->changed, &a->lock);
	there = a->read > a->taken;
	pthread_mutex_unlock(&a->lock);
	if (!there)
		return NULL;
	if (len > 0)
		memcpy(bytes - len, before, len);
	*ret_len = len_of(a, a->taken);

	pthread_mutex_lock(&a->lock);
	a->returned = a->taken++;
	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->lock);
	return bytes;
}
