/* SPDX-License-Identifier: MIT
 *
 * Files that will be segments.
 */
#include <errno.h>
#include <stdlib.h>

#include "daemon/store/files_int.h"

uint64_t
spare_number(struct store_files *s)
{
	uint64_t number;

	pthread_mutex_lock(&s->lock);
	number = s->next_spare++;
	pthread_mutex_unlock(&s->lock);
	return number;
}

struct spare *
spare_make(struct store_files *s, uint64_t size)
{
	struct disk *d = s->disk;
	struct spare *sp = malloc(sizeof(*sp));
	char name[SEGMENT_NAME];
	int error;

	if (!sp)
		return NULL;
	*sp = (struct spare){.number = spare_number(s)};
	segment_spare_name(sp->number, name);
	sp->fd = d->create(d, s->folder, name);
	if (sp->fd >= 0 && d->allocate(d, sp->fd, size) == 0)
		return sp;
	error = errno;
	if (sp->fd >= 0) {
		(void)d->unlink(d, s->folder, name); /* the next start will */
		d->close(d, sp->fd);
	}
	free(sp);
	errno = error;
	return NULL;
}

void
spare_free(struct store_files *s, struct spare *sp)
{
	s->disk->close(s->disk, sp->fd);
	free(sp);
}

/* The name comes last: a file with a segment's name has a header. */
bool
spare_to_segment(struct disk *d, int folder, const struct spare *sp,
		 const struct segment_header *h, const char **ret_what)
{
	unsigned char bytes[SEGMENT_HEADER];
	char spare[SEGMENT_NAME], name[SEGMENT_NAME];

	segment_header_encode(h, bytes);
	segment_spare_name(sp->number, spare);
	segment_name(h->number, name);
	*ret_what = "write";
	if (!disk_write(d, sp->fd, bytes, sizeof(bytes), 0))
		return false;
	*ret_what = "fdatasync";
	if (d->sync(d, sp->fd) < 0)
		return false;
	*ret_what = "rename";
	if (d->rename(d, folder, spare, name) < 0)
		return false;
	*ret_what = "fsync of the folder for";
	return d->sync_folder(d, folder) == 0;
}
