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
	*sp = (struct spare){.number = spare_number(s), .fresh = true};
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
		 const struct segment_header *h, struct call *ret_call)
{
	unsigned char bytes[SEGMENT_HEADER];
	char spare[SEGMENT_NAME], name[SEGMENT_NAME];

	segment_header_encode(h, bytes);
	segment_spare_name(sp->number, spare);
	segment_name(h->number, name);
	*ret_call = (struct call){"write", false};
	if (!disk_write(d, sp->fd, bytes, sizeof(bytes), 0))
		return false;
	*ret_call = (struct call){"fdatasync", true};
	if (d->sync(d, sp->fd) < 0)
		return false;
	*ret_call = (struct call){"rename", false};
	if (d->rename(d, folder, spare, name) < 0)
		return false;
	*ret_call = (struct call){"fsync of the folder for", true};
	return d->sync_folder(d, folder) == 0;
}

bool
spare_give_up(struct store_files *s, int error)
{
	struct spare *sp = NULL;
	char name[SEGMENT_NAME];

	pthread_mutex_lock(&s->lock);
	if (s->ready.n > (s->closing ? 0 : 1))
		sp = spares_pop(&s->ready);
	if (sp)
		files_low(s, error);
	files_unlock(s);
	if (!sp)
		return false;
	segment_spare_name(sp->number, name);
	(void)s->disk->unlink(s->disk, s->folder, name); /* the next start will */
	spare_free(s, sp);
	return true;
}
