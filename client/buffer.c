/* SPDX-License-Identifier: MIT
 * Memory for one large body, which can be handed over without a copy. */
#include "client/buffer.h"
#include "proto/memfd.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t
mapped_size(const qb_buffer *b)
{
	return b->file.len > 0 ? b->file.len : 1;
}

/* All pages at once, large ones where the system gives them to files in memory (shmem_enabled): a fault
 * for each costs more. Where it does not know how, they come one by one. */
static void
populate(void *p, size_t size)
{
	(void)madvise(p, size, MADV_HUGEPAGE);
	(void)madvise(p, size, MADV_POPULATE_WRITE);
}

qb_buffer *
qb_buffer_new(size_t size)
{
	qb_buffer *b = malloc(sizeof(*b));
	int flags = MAP_SHARED;
	void *p;

	if (!b)
		return NULL;
	*b = (qb_buffer){.file = {.fd = qp_memfd_new(size), .len = size}};
	if (size == 0 || b->file.fd < 0)
		flags = MAP_PRIVATE | MAP_ANONYMOUS;
	p = mmap(NULL, mapped_size(b), PROT_READ | PROT_WRITE, flags,
		 flags & MAP_ANONYMOUS ? -1 : b->file.fd, 0);
	if (p == MAP_FAILED) {
		if (b->file.fd >= 0)
			close(b->file.fd);
		free(b);
		return NULL;
	}
	populate(p, mapped_size(b));
	b->file.bytes = p;
	return b;
}

void *
qb_buffer_data(qb_buffer *buffer)
{
	return (void *)buffer->file.bytes;
}

size_t
qb_buffer_size(const qb_buffer *buffer)
{
	return buffer->file.len;
}

void
qb_buffer_free(qb_buffer *buffer)
{
	if (!buffer)
		return;
	munmap((void *)buffer->file.bytes, mapped_size(buffer));
	if (buffer->file.fd >= 0)
		close(buffer->file.fd);
	free(buffer);
}

/* A mapping that can be written to, also one of a forked child, keeps the seals off. */
const struct qp_file *
buffer_seal(qb_buffer *b)
{
	struct qp_file *file = &b->file;
	void *p = (void *)file->bytes;

	if (b->sealed || file->fd < 0)
		return b->sealed ? file : NULL;
	if (mmap(p, file->len, PROT_READ, MAP_PRIVATE | MAP_FIXED, file->fd, 0) == p &&
	    qp_memfd_seal(file->fd) == 0) {
		b->sealed = true;
		return file;
	}
	close(file->fd);
	file->fd = -1;
	return NULL;
}
