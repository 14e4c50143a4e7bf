/* SPDX-License-Identifier: MIT
 *
 * The two threads: loops around their steps, and when to sleep.
 */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include "daemon/store/files_int.h"

#define NS_PER_S UINT64_C(1000000000)

uint64_t
files_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static struct timespec
timespec_of(uint64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S),
				 .tv_nsec = (long)(ns % NS_PER_S)};
}

/* Until there is something to write or, where there was no room for it, it is time. */
static void
committer_wait(struct store_files *s)
{
	struct timespec t = timespec_of(files_now_ns() + LOW_RETRY_NS);
	int result = 0;

	while (!s->stop && result != ETIMEDOUT) {
		if (s->stuck && !s->closing)
			result = pthread_cond_timedwait(&s->to_commit, &s->lock, &t);
		else if (!s->pending.first && !s->want_sync)
			pthread_cond_wait(&s->to_commit, &s->lock);
		else
			break;
	}
}

/* One sync is to do for all who are about to come. */
static void
wait_for_others(struct store_files *s)
{
	struct timespec t = timespec_of(s->gather.until_ns);
	int result = 0;

	s->gathering = s->pending_sync &&
		       gather_waits(&s->gather, s->pending_bytes, files_now_ns());
	if (!s->gathering)
		return;
	while (!s->stop && !s->want_sync && result != ETIMEDOUT &&
	       !gather_has(&s->gather, s->pending_bytes))
		result = pthread_cond_timedwait(&s->to_commit, &s->lock, &t);
	s->gathering = false;
}

/* All who wait for the sync wait for this thread to hear of its end, and cannot use the processor before. On Linux the
 * niceness is the thread's. */
static void
prefer_this_thread(unsigned steps)
{
	if (steps > 0) /* where it is not allowed, it is not */
		(void)setpriority(PRIO_PROCESS, 0,
				  getpriority(PRIO_PROCESS, 0) - (int)steps);
}

static void *
commit_main(void *arg)
{
	struct store_files *s = arg;
	bool stop;

	prefer_this_thread(s->nice_boost);
	do {
		pthread_mutex_lock(&s->lock);
		committer_wait(s);
		wait_for_others(s);
		stop = s->stop;
		pthread_mutex_unlock(&s->lock);
		if (!stop)
			committer_step(s);
	} while (!stop);
	return NULL;
}

/* Until something happens, or it is time. */
static void
keeper_wait(struct store_files *s, uint64_t until_ns)
{
	struct timespec t = timespec_of(until_ns);
	int result = 0;

	while (!s->stop && !s->kick && result != ETIMEDOUT)
		result = until_ns == UINT64_MAX
				 ? pthread_cond_wait(&s->to_keep, &s->lock)
				 : pthread_cond_timedwait(&s->to_keep, &s->lock, &t);
	s->kick = false;
	s->keeping = true;
}

static void *
keep_main(void *arg)
{
	struct store_files *s = arg;
	bool stop;

	do {
		uint64_t next = keeper_step(s, files_now_ns());

		pthread_mutex_lock(&s->lock);
		s->keeping = s->making != NULL;
		pthread_cond_broadcast(&s->changed);
		keeper_wait(s, next);
		stop = s->stop;
		pthread_mutex_unlock(&s->lock);
	} while (!stop);
	return NULL;
}

void
threads_stop(struct store_files *s)
{
	if (!s->threads)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_signal(&s->to_commit);
	pthread_cond_signal(&s->to_keep);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->committer, NULL);
	pthread_join(s->keeper, NULL);
	s->threads = false;
}

static int
start(struct store_files *s)
{
	int error = pthread_create(&s->committer, NULL, commit_main, s);

	if (error)
		return error;
	s->keeping = true;
	error = pthread_create(&s->keeper, NULL, keep_main, s);
	if (error) {
		pthread_mutex_lock(&s->lock);
		s->stop = true;
		pthread_cond_signal(&s->to_commit);
		pthread_mutex_unlock(&s->lock);
		pthread_join(s->committer, NULL);
	}
	return error;
}

/* Signals are the loop's. */
bool
threads_start(struct store_files *s)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	errno = start(s);
	s->threads = errno == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return s->threads;
}
