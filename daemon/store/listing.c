/* SPDX-License-Identifier: MIT
 *
 * Which segments there are.
 */
#include <errno.h>
#include <stdlib.h>

#include "daemon/store/disk.h"
#include "daemon/store/recover.h"

static void
each(void *arg, const char *name)
{
	struct recovery *rc = arg;
	uint64_t number;

	if (!segment_name_parse(name, &number))
		return;
	if (rc->n == rc->cap) {
		size_t cap = rc->cap ? 2 * rc->cap : 64;
		uint64_t *grown = realloc(rc->numbers, cap * sizeof(*grown));

		rc->out_of_memory |= !grown;
		if (!grown)
			return;
		rc->numbers = grown;
		rc->cap = cap;
	}
	rc->numbers[rc->n++] = number;
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static enum store_result
add_sizes(struct recovery *rc)
{
	for (size_t i = rc->run; i < rc->n; i++) {
		char name[SEGMENT_NAME];
		uint64_t size = 0;
		int fd;

		segment_name(rc->numbers[i], name);
		fd = rc->disk->open(rc->disk, rc->folder, name);
		if (fd < 0)
			return recover_failed(rc, "open", name);
		if (rc->disk->size(rc->disk, fd, &size) == 0)
			rc->all_bytes += size;
		rc->disk->close(rc->disk, fd);
	}
	return STORE_OPENED;
}

enum store_result
recover_list(struct recovery *rc)
{
	if (rc->disk->list(rc->disk, rc->folder, each, rc) < 0)
		return recover_failed(rc, "list", "");
	if (rc->n)
		rc->used_of = calloc(rc->n, sizeof(*rc->used_of));
	if (rc->out_of_memory || (rc->n && !rc->used_of)) {
		errno = ENOMEM;
		return recover_failed(rc, "list", "");
	}
	if (rc->n == 0)
		return STORE_OPENED;
	qsort(rc->numbers, rc->n, sizeof(*rc->numbers), compare);
	rc->run = rc->n - 1;
	while (rc->run && rc->numbers[rc->run - 1] + 1 == rc->numbers[rc->run])
		rc->run--;
	return rc->options->progress ? add_sizes(rc) : STORE_OPENED;
}
