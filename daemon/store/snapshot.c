/* SPDX-License-Identifier: MIT
 *
 * One file, written by who calls: nobody is served any more, or not yet.
 */
#include "daemon/store/snapshot.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/disk.h"
#include "daemon/store/record.h"
#include "daemon/store/segment.h"

#define NAME	     "memory.qbs"
#define TMP	     "memory.qbs.tmp"
#define BUFFER_BYTES ((size_t)1 << 20)

struct snapshot {
	struct store base;
	struct disk *disk;
	int folder, fd;
	uint64_t seq, written; /* records; bytes in the file */
	uint32_t seed;
	unsigned char *bytes;
	size_t len, cap;
	int error; /* errno of the first failure; 0 */
	char text[STORE_TEXT];
};

static struct snapshot *
snapshot_of(struct store *s)
{
	return (struct snapshot *)s;
}

static bool
failed(struct snapshot *s, const char *what)
{
	if (!s->error) {
		s->error = errno;
		snprintf(s->text, sizeof(s->text), "%s %s: %s", what, TMP,
			 strerror(errno));
	}
	return false;
}

static bool
write_out(struct snapshot *s)
{
	if (s->error)
		return false;
	if (!disk_write(s->disk, s->fd, s->bytes, s->len, s->written))
		return failed(s, "write");
	s->written += s->len;
	s->len = 0;
	return true;
}

/* Room for so many bytes more. */
static bool
make_room(struct snapshot *s, size_t size)
{
	unsigned char *grown;

	if (s->cap - s->len >= size)
		return true;
	if (!write_out(s))
		return false;
	if (s->cap >= size)
		return true;
	grown = malloc(size);
	if (!grown)
		return false;
	free(s->bytes);
	s->bytes = grown;
	s->cap = size;
	return true;
}

static bool
snapshot_append(struct store *base, const struct iovec *parts, unsigned n, bool sync,
		struct store_place *ret_place)
{
	struct snapshot *s = snapshot_of(base);
	unsigned char *at, *to;
	uint64_t len = 0;

	for (unsigned i = 0; i < n; i++)
		len += parts[i].iov_len;
	assert(len > 0 && len <= STORE_MAX_RECORD);
	if (!make_room(s, record_size(len)))
		return false;
	at = s->bytes + s->len;
	to = at + RECORD_HEADER;
	for (unsigned i = 0; i < n; i++)
		to = mempcpy(to, parts[i].iov_base, parts[i].iov_len);
	record_start(at, (uint32_t)len, ++s->seq);
	record_finish(at, s->seed, 0);
	*ret_place = (struct store_place){
		.seq = s->seq, .offset = s->written + s->len + RECORD_HEADER};
	s->len += record_size(len);
	return true;
}

static void
snapshot_flush(struct store *base)
{
}

static void
snapshot_status(struct store *base, struct store_status *ret)
{
	struct snapshot *s = snapshot_of(base);

	*ret = (struct store_status){.state = s->error ? STORE_FAILED : STORE_GOOD,
				     .last_seq = s->seq,
				     .bytes = s->written + s->len,
				     .error = s->error ? s->text : NULL};
}

static bool
snapshot_close(struct store *base)
{
	struct snapshot *s = snapshot_of(base);
	unsigned char payload = RECORD_CLOSE;
	const struct iovec part = {&payload, 1};
	struct store_place place;

	if (!snapshot_append(base, &part, 1, false, &place) || !write_out(s))
		return false;
	if (s->disk->sync(s->disk, s->fd) < 0)
		return failed(s, "fdatasync");
	if (s->disk->rename(s->disk, s->folder, TMP, NAME) < 0)
		return failed(s, "rename");
	if (s->disk->sync_folder(s->disk, s->folder) < 0)
		return failed(s, "fsync of the folder of");
	return true;
}

static void
snapshot_free(struct store *base)
{
	struct snapshot *s = snapshot_of(base);

	if (s->fd >= 0)
		s->disk->close(s->disk, s->fd);
	if (s->folder >= 0)
		s->disk->close(s->disk, s->folder);
	free(s->bytes);
	free(s);
}

static const struct store_class snapshot_class = {
	.append = snapshot_append,
	.flush = snapshot_flush,
	.status = snapshot_status,
	.close = snapshot_close,
	.free = snapshot_free,
};

/* A new file, and its header in the buffer. */
static bool
begin(struct snapshot *s, const char *dir)
{
	struct segment_header h = {.number = 0, .first_seq = 1};

	s->bytes = malloc(BUFFER_BYTES);
	if (!s->bytes)
		return false;
	s->cap = BUFFER_BYTES;
	s->folder = s->disk->folder(s->disk, dir, false);
	if (s->folder < 0)
		return false;
	if (s->disk->unlink(s->disk, s->folder, TMP) < 0 && errno != ENOENT)
		return false;
	s->fd = s->disk->create(s->disk, s->folder, TMP);
	if (s->fd < 0 || s->disk->random(s->disk, h.id, sizeof(h.id)) < 0)
		return false;
	segment_header_encode(&h, s->bytes);
	s->len = SEGMENT_HEADER;
	s->seed = segment_seed(h.id, 0);
	return true;
}

struct store *
snapshot_new(const char *dir, struct disk *disk, struct store_files_report *ret_report)
{
	struct snapshot *s = calloc(1, sizeof(*s));

	*ret_report = (struct store_files_report){0};
	if (s) {
		s->base.class = &snapshot_class;
		s->disk = disk ? disk : &disk_os;
		s->folder = s->fd = -1;
		if (begin(s, dir))
			return &s->base;
	}
	snprintf(ret_report->error, sizeof(ret_report->error), "create %s/%s: %s", dir,
		 TMP, strerror(errno));
	if (s)
		snapshot_free(&s->base);
	return NULL;
}

bool
snapshot_remove(const char *dir, struct disk *disk)
{
	struct disk *d = disk ? disk : &disk_os;
	int folder = d->folder(d, dir, false);
	bool ok;

	if (folder < 0)
		return false;
	ok = (d->unlink(d, folder, NAME) == 0 || errno == ENOENT) &&
	     d->sync_folder(d, folder) == 0;
	d->close(d, folder);
	return ok;
}
