/* SPDX-License-Identifier: MIT
 * See closer.h. The numbers go through a pipe, whose end is the thread's end; what the two share belongs
 * to the thread. */
#include "daemon/net/closer.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/priority.h"

#define MOST 256

struct closer {
	int in, out;
	atomic_uint waiting;
};

static void *
work(void *arg)
{
	struct closer *c = arg;
	int fd;

	priority_end();
	while (read(c->out, &fd, sizeof(fd)) == sizeof(fd)) {
		close(fd);
		atomic_fetch_sub(&c->waiting, 1);
	}
	close(c->out);
	free(c);
	return NULL;
}

/* Signals are the loop's. */
static bool
start(struct closer *c)
{
	sigset_t all, before;
	pthread_attr_t detached;
	pthread_t thread;
	int error;

	sigfillset(&all);
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	error = pthread_create(&thread, &detached, work, c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&detached);
	return error == 0;
}

static struct closer *
closer_new(void)
{
	struct closer *c = malloc(sizeof(*c));
	int ends[2];

	if (!c)
		return NULL;
	if (pipe2(ends, O_CLOEXEC) != 0)
		goto err_after_malloc;
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	c->out = ends[0];
	c->in = ends[1];
	atomic_init(&c->waiting, 0);
	if (start(c))
		return c;
	close(ends[0]);
	close(ends[1]);
err_after_malloc:
	free(c);
	return NULL;
}

void
closer_close(struct closer **closer, int fd)
{
	if (!*closer)
		*closer = closer_new();
	if (!*closer) {
		close(fd);
		return;
	}
	atomic_fetch_add(&(*closer)->waiting, 1);
	if (write((*closer)->in, &fd, sizeof(fd)) == sizeof(fd))
		return;
	atomic_fetch_sub(&(*closer)->waiting, 1);
	close(fd);
}

unsigned
closer_waiting(const struct closer *closer)
{
	return closer ? atomic_load(&closer->waiting) : 0;
}

bool
closer_is_full(const struct closer *closer)
{
	return closer_waiting(closer) >= MOST;
}

void
closer_free(struct closer *closer)
{
	if (closer)
		close(closer->in);
}
