/* SPDX-License-Identifier: MIT
 *
 * Opens the store, and hands on what is called from outside.
 */
#include "daemon/store/store_files.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "daemon/store/finish.h"

static void
init_shared(struct store_files *s)
{
	pthread_condattr_t monotonic;

	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&s->to_keep, &monotonic);
	pthread_cond_init(&s->to_commit, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_cond_init(&s->changed, NULL);
	chunks_init(&s->open);
	chunks_init(&s->pending);
	spares_init(&s->ready);
	spares_init(&s->assigned);
	spares_init(&s->retired);
}

static struct store_files *
files_new(const struct store_files_options *o)
{
	struct store_files *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->base.class = &files_class;
	s->disk = o->disk ? o->disk : &disk_os;
	s->folder = -1;
	s->segment_bytes = o->segment_bytes ? o->segment_bytes : STORE_SEGMENT_BYTES;
	s->nice_boost = o->nice_boost;
	s->sync_interval_ns = o->sync_interval_ms * NS_PER_MS;
	s->waited_before = true; /* who knows */
	init_shared(s);
	s->dir = strdup(o->dir);
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return s;
}

static enum store_result
lock_folder(struct recovery *rc, struct store_files *s)
{
	s->folder = s->disk->folder(s->disk, s->dir, true);
	rc->folder = s->folder;
	if (s->folder >= 0)
		return STORE_OPENED;
	if (errno != EWOULDBLOCK)
		return recover_failed(rc, "open", "");
	snprintf(rc->report->error, sizeof(rc->report->error),
		 "another broker uses %s: it has the folder locked", s->dir);
	return STORE_IN_USE;
}

static enum store_result
open_files(struct recovery *rc, struct store_files *s)
{
	enum store_result result;

	if (!s->dir || s->wake_fd < 0)
		return recover_failed(rc, "open", "");
	result = lock_folder(rc, s);
	if (result == STORE_OPENED)
		result = recover_read(rc);
	if (result == STORE_OPENED)
		result = finish_recovery(rc, s);
	if (result == STORE_OPENED && rc->options->threads && !threads_start(s))
		result = recover_failed(rc, "start threads for", "");
	return result;
}

enum store_result
store_files_open(const struct store_files_options *o, struct store **ret_store,
		 struct store_files_report *ret_report)
{
	struct recovery rc = {.options = o, .report = ret_report};
	struct store_files *s = files_new(o);
	enum store_result result;

	*ret_report = (struct store_files_report){0};
	if (!s) {
		errno = ENOMEM;
		return recover_failed(&rc, "open", "");
	}
	assert(s->segment_bytes % 8 == 0 &&
	       s->segment_bytes >= STORE_MIN_SEGMENT_BYTES);
	rc.disk = s->disk;
	result = open_files(&rc, s);
	ret_report->closed = rc.last == 0 || rc.closed;
	recover_done(&rc);
	if (result != STORE_OPENED) {
		s->base.class->free(&s->base);
		return result;
	}
	*ret_store = &s->base;
	return STORE_OPENED;
}

int
store_files_fd(struct store *s)
{
	return files_of(s)->wake_fd;
}

bool
store_step_commit(struct store *s)
{
	assert(!files_of(s)->threads);
	return committer_step(files_of(s));
}

uint64_t
store_step_keep(struct store *s, uint64_t now_ns)
{
	assert(!files_of(s)->threads);
	return keeper_step(files_of(s), now_ns);
}
