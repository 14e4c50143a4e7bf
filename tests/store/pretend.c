/* SPDX-License-Identifier: MIT
 *
 * File descriptors are numbers of files; the folder is a number that no file has.
 */
#include "tests/store/pretend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER	  100000
#define FIRST_FD  1000
#define FIRST_DISK 50000 /* of those that read what is on disk */
#define SECTOR	  512
#define MIN_BYTES ((size_t)4 << 10)
#define MAX_BYTES ((size_t)1 << 20)

static struct pretend *
pretend_of(struct disk *d)
{
	return (struct pretend *)d;
}

unsigned
pretend_random(struct pretend *p, unsigned below)
{
	p->random = p->random * 1664525 + 1013904223;
	return (unsigned)((uint64_t)(p->random >> 8) * below >> 24);
}

/* false: this call fails. */
static bool
call(struct pretend *p, const char *what)
{
	p->calls++;
	if (p->stop_at && p->calls >= p->stop_at) {
		errno = EIO;
		return false;
	}
	if (p->calls == p->fail_at || (p->fails && strcmp(p->fails, what) == 0)) {
		p->failed = true;
		p->failed_in = what;
		errno = p->fail_errno;
		return false;
	}
	return true;
}

/* It takes its time. */
static void
meanwhile(struct pretend *p)
{
	if (p->meanwhile)
		p->meanwhile(p->arg);
}

static struct pretend_file *
file_of(struct pretend *p, int fd)
{
	return &p->files[fd - FIRST_FD];
}

static struct pretend_name *
name_in(struct pretend_name *names, const char *name)
{
	for (int i = 0; i < PRETEND_FILES; i++)
		if (strcmp(names[i].name, name) == 0)
			return &names[i];
	return NULL;
}

static void
set_name(struct pretend_name *names, const char *name, int file)
{
	struct pretend_name *at = name_in(names, name);

	if (!at)
		at = name_in(names, "");
	if (!at)
		abort();
	strcpy(at->name, name);
	at->file = file;
}

static void
unset_name(struct pretend_name *names, const char *name)
{
	name_in(names, name)->name[0] = 0;
}

static void
changed(struct pretend *p, const char *from, const char *to, int file)
{
	struct pretend_change *c = &p->changes[p->n_changes++];

	if (p->n_changes == PRETEND_CHANGES)
		abort();
	strcpy(c->from, from);
	strcpy(c->to, to);
	c->file = file;
}

static unsigned char *
larger(unsigned char *bytes, size_t room, size_t all)
{
	bytes = realloc(bytes, all);
	memset(bytes + room, 0, all - room);
	return bytes;
}

static void
grow(struct pretend_file *f, size_t size)
{
	size_t all = f->room ? f->room : MIN_BYTES;

	while (all < size)
		all *= 2;
	if (all > MAX_BYTES)
		abort();
	if (all > f->room) {
		f->now = larger(f->now, f->room, all);
		f->safe = larger(f->safe, f->room, all);
		f->clean = larger(f->clean, f->room / SECTOR, all / SECTOR);
		f->room = all;
	}
	if (size > f->size)
		f->size = size;
}

static uint64_t
used(struct pretend *p)
{
	uint64_t sum = 0;

	for (int i = 0; i < PRETEND_FILES; i++)
		if (p->names[i].name[0])
			sum += p->files[p->names[i].file].size;
	return sum;
}

/* What is written again takes other room until it is synced. */
static uint64_t
copied(struct pretend *p)
{
	uint64_t sum = 0;

	for (int i = 0; i < PRETEND_FILES; i++)
		if (p->names[i].name[0])
			sum += p->files[p->names[i].file].copied;
	return sum;
}

/* How many of `len` bytes there is room for; -1: for none. */
static ssize_t
room_for(struct pretend *p, struct pretend_file *f, size_t len)
{
	uint64_t taken = used(p) + copied(p);

	if (!p->room || !p->copies)
		return (ssize_t)len;
	if (taken >= p->room && len > 0) {
		errno = ENOSPC;
		return -1;
	}
	if (len > p->room - taken)
		len = p->room - taken;
	f->copied += len;
	return (ssize_t)len;
}

static bool
has_room(struct pretend *p, const struct pretend_file *f, uint64_t size)
{
	if (!p->room || size <= f->size || used(p) + size - f->size <= p->room)
		return true;
	errno = ENOSPC;
	return false;
}

static int
p_folder(struct disk *d, const char *path, bool lock)
{
	struct pretend *p = pretend_of(d);

	if (!call(p, __func__))
		return -1;
	if (lock && p->locked) {
		errno = EWOULDBLOCK;
		return -1;
	}
	p->locked |= lock;
	p->open_files++;
	return lock ? FOLDER : FOLDER + 1;
}

static int
p_list(struct disk *d, int folder, void (*each)(void *arg, const char *name), void *arg)
{
	struct pretend *p = pretend_of(d);
	char name[PRETEND_NAME];

	if (!call(p, __func__))
		return -1;
	for (int i = 0; i < PRETEND_FILES; i++)
		if (p->names[i].name[0]) {
			strcpy(name, p->names[i].name);
			each(arg, name);
		}
	return 0;
}

static int
p_sync_folder(struct disk *d, int folder)
{
	struct pretend *p = pretend_of(d);

	if (!call(p, __func__))
		return -1;
	memcpy(p->safe_names, p->names, sizeof(p->names));
	p->n_changes = 0;
	return 0;
}

static int
p_rename(struct disk *d, int folder, const char *from, const char *to)
{
	struct pretend *p = pretend_of(d);
	struct pretend_name *at = name_in(p->names, from);
	int file;

	if (!call(p, __func__))
		return -1;
	if (!at) {
		errno = ENOENT;
		return -1;
	}
	file = at->file;
	unset_name(p->names, from);
	set_name(p->names, to, file);
	changed(p, from, to, file);
	return 0;
}

static int
p_unlink(struct disk *d, int folder, const char *name)
{
	struct pretend *p = pretend_of(d);
	struct pretend_name *at = name_in(p->names, name);

	if (!call(p, __func__))
		return -1;
	if (!at) {
		errno = ENOENT;
		return -1;
	}
	changed(p, name, "", at->file);
	unset_name(p->names, name);
	return 0;
}

static int
opened(struct pretend *p, int file)
{
	p->open_files++;
	return FIRST_FD + file;
}

static int
p_open(struct disk *d, int folder, const char *name)
{
	struct pretend *p = pretend_of(d);
	struct pretend_name *at = name_in(p->names, name);

	if (!call(p, __func__))
		return -1;
	if (!at) {
		errno = ENOENT;
		return -1;
	}
	return opened(p, at->file);
}

static int
p_open_disk(struct disk *d, int folder, const char *name)
{
	int fd = p_open(d, folder, name);

	return fd < 0 ? fd : fd - FIRST_FD + FIRST_DISK;
}

static int
p_create(struct disk *d, int folder, const char *name)
{
	struct pretend *p = pretend_of(d);

	if (!call(p, __func__))
		return -1;
	if (name_in(p->names, name)) {
		errno = EEXIST;
		return -1;
	}
	if (p->n_files == PRETEND_FILES)
		abort();
	grow(&p->files[p->n_files], 0);
	set_name(p->names, name, p->n_files);
	changed(p, "", name, p->n_files);
	return opened(p, p->n_files++);
}

static int
p_size(struct disk *d, int fd, uint64_t *ret_size)
{
	struct pretend *p = pretend_of(d);

	if (!call(p, __func__))
		return -1;
	*ret_size = file_of(p, fd)->size;
	return 0;
}

static int
p_allocate(struct disk *d, int fd, uint64_t size)
{
	struct pretend *p = pretend_of(d);

	if (!call(p, __func__) || !has_room(p, file_of(p, fd), size))
		return -1;
	grow(file_of(p, fd), size);
	return 0;
}

static int
p_shorten(struct disk *d, int fd, uint64_t size)
{
	struct pretend *p = pretend_of(d);
	struct pretend_file *f = file_of(p, fd);

	if (!call(p, __func__))
		return -1;
	if (size >= f->size)
		return 0;
	memset(f->now + size, 0, f->size - size);
	memset(f->clean + size / SECTOR, 0, (f->size - 1) / SECTOR - size / SECTOR + 1);
	f->size = size;
	return 0;
}

/* How much of what was asked is done. 0: it is interrupted. */
static size_t
piece(struct pretend *p, size_t len)
{
	if (!p->in_pieces || len == 0 || pretend_random(p, 2))
		return len;
	return pretend_random(p, 3) ? 1 + pretend_random(p, (unsigned)len) : 0;
}

static ssize_t
p_pread(struct disk *d, int fd, void *ret, size_t len, uint64_t offset)
{
	struct pretend *p = pretend_of(d);
	bool disk = fd >= FIRST_DISK;
	struct pretend_file *f = file_of(p, disk ? fd - FIRST_DISK + FIRST_FD : fd);
	size_t size = disk ? f->safe_size : f->size;
	size_t n = offset >= size ? 0 : size - offset;

	if (!call(p, __func__))
		return -1;
	n = piece(p, len < n ? len : n);
	if (n == 0 && offset < size && len) {
		errno = EINTR;
		return -1;
	}
	memcpy(ret, (disk ? f->safe : f->now) + offset, n);
	return (ssize_t)n;
}

static ssize_t
p_pwritev(struct disk *d, int fd, const struct iovec *iov, int n, uint64_t offset)
{
	struct pretend *p = pretend_of(d);
	struct pretend_file *f = file_of(p, fd);
	size_t all = 0, done, left;
	ssize_t fits;

	for (int i = 0; i < n; i++)
		all += iov[i].iov_len;
	meanwhile(p);
	if (!call(p, __func__) || !has_room(p, f, offset + all) ||
	    (fits = room_for(p, f, all)) < 0)
		return -1;
	left = done = piece(p, (size_t)fits);
	if (done == 0) {
		errno = EINTR;
		return -1;
	}
	grow(f, offset + done);
	memset(f->clean + offset / SECTOR, 0,
	       (offset + done - 1) / SECTOR - offset / SECTOR + 1);
	for (; left; iov++) {
		size_t len = iov->iov_len < left ? iov->iov_len : left;

		memcpy(f->now + offset, iov->iov_base, len);
		offset += len;
		left -= len;
	}
	return (ssize_t)done;
}

/* As the kernel does it: what a failed sync could not write is taken for written from
 * then on, until it is written again. */
static int
p_sync(struct disk *d, int fd)
{
	struct pretend *p = pretend_of(d);
	struct pretend_file *f = file_of(p, fd);

	meanwhile(p);
	if (!call(p, __func__)) {
		memset(f->clean, 1, f->room / SECTOR);
		return -1;
	}
	for (size_t at = 0; at < f->size; at += SECTOR)
		if (!f->clean[at / SECTOR])
			memcpy(f->safe + at, f->now + at, SECTOR);
	if (f->size < f->safe_size)
		memset(f->safe + f->size, 0, f->safe_size - f->size);
	f->safe_size = f->size;
	f->copied = 0;
	return 0;
}

static void
p_close(struct disk *d, int fd)
{
	struct pretend *p = pretend_of(d);

	p->open_files--;
	if (fd == FOLDER)
		p->locked = false;
}

static int
p_random(struct disk *d, void *ret, size_t len)
{
	struct pretend *p = pretend_of(d);

	if (!call(p, __func__))
		return -1;
	for (size_t i = 0; i < len; i++)
		((unsigned char *)ret)[i] = (unsigned char)pretend_random(p, 256);
	return 0;
}

struct pretend *
pretend_new(unsigned seed)
{
	struct pretend *p = calloc(1, sizeof(*p));

	p->random = seed;
	p->disk = (struct disk){
		.folder = p_folder,
		.list = p_list,
		.sync_folder = p_sync_folder,
		.rename = p_rename,
		.unlink = p_unlink,
		.open = p_open,
		.open_disk = p_open_disk,
		.create = p_create,
		.size = p_size,
		.allocate = p_allocate,
		.shorten = p_shorten,
		.pread = p_pread,
		.pwritev = p_pwritev,
		.sync = p_sync,
		.close = p_close,
		.random = p_random,
	};
	return p;
}

static void
free_file(struct pretend_file *f)
{
	free(f->now);
	free(f->safe);
	free(f->clean);
	*f = (struct pretend_file){0};
}

void
pretend_free(struct pretend *p)
{
	for (int i = 0; i < p->n_files; i++)
		free_file(&p->files[i]);
	free(p);
}

/* Numbers of files that no name leads to are used again. */
static void
tidy(struct pretend *p)
{
	bool named[PRETEND_FILES] = {false};

	for (int i = 0; i < PRETEND_FILES; i++) {
		if (p->names[i].name[0])
			named[p->names[i].file] = true;
		if (p->safe_names[i].name[0])
			named[p->safe_names[i].file] = true;
	}
	for (unsigned i = 0; i < p->n_changes; i++)
		named[p->changes[i].file] = true;
	for (int i = 0; i < p->n_files; i++)
		if (!named[i])
			free_file(&p->files[i]);
	while (p->n_files && !named[p->n_files - 1])
		p->n_files--;
}

void
pretend_restart(struct pretend *p)
{
	p->open_files = 0;
	p->locked = false;
	p->calls = p->fail_at = p->stop_at = 0;
	tidy(p);
}

static void
lose_bytes(struct pretend *p, struct pretend_file *f)
{
	if (!f->now)
		return;
	for (size_t at = 0; at < f->size; at += SECTOR) {
		if (!f->clean[at / SECTOR] && pretend_random(p, 2))
			memcpy(f->safe + at, f->now + at, SECTOR);
	}
	if (f->size != f->safe_size && pretend_random(p, 2))
		f->safe_size = f->size;
	memset(f->safe + f->safe_size, 0, f->room - f->safe_size);
	memcpy(f->now, f->safe, f->room);
	f->size = f->safe_size;
	memset(f->clean, 0, f->room / SECTOR);
	f->copied = 0;
}

void
pretend_lose_power(struct pretend *p)
{
	/* All up to a moment, or any that can be without the others. */
	unsigned upto = pretend_random(p, p->n_changes + 1);
	bool any = pretend_random(p, 2);

	for (unsigned i = 0; i < p->n_changes; i++) {
		struct pretend_change *c = &p->changes[i];
		struct pretend_name *from =
			c->from[0] ? name_in(p->safe_names, c->from) : NULL;

		if (any ? pretend_random(p, 2) : i >= upto)
			continue;
		if (c->from[0] && (!from || from->file != c->file))
			continue;
		if (from)
			from->name[0] = 0;
		if (c->to[0])
			set_name(p->safe_names, c->to, c->file);
	}
	memcpy(p->names, p->safe_names, sizeof(p->names));
	p->n_changes = 0;
	for (int i = 0; i < p->n_files; i++)
		lose_bytes(p, &p->files[i]);
	pretend_restart(p);
}

struct pretend_file *
pretend_find(struct pretend *p, const char *name)
{
	struct pretend_name *at = name_in(p->names, name);

	return at ? &p->files[at->file] : NULL;
}

void
pretend_put(struct pretend *p, const char *name, const void *bytes, size_t len)
{
	struct pretend_file *f = pretend_find(p, name);

	if (!f) {
		f = &p->files[p->n_files];
		grow(f, 0);
		set_name(p->names, name, p->n_files);
		set_name(p->safe_names, name, p->n_files++);
	}
	grow(f, len);
	memset(f->now, 0, f->room);
	memcpy(f->now, bytes, len);
	memcpy(f->safe, f->now, f->room);
	f->size = f->safe_size = len;
}

void
pretend_remove(struct pretend *p, const char *name)
{
	unset_name(p->names, name);
	unset_name(p->safe_names, name);
}
