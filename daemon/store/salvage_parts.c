/* SPDX-License-Identifier: MIT
 *
 * Which files are segments of the journal, and in which order they come.
 */
#include "daemon/store/salvage_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/disk.h"
#include "daemon/store/reader.h"

enum store_result
salvage_failed(struct salvage *s, const char *what, const char *where)
{
	snprintf(s->report->error, sizeof(s->report->error), "%s %s: %s", what, where,
		 strerror(errno));
	return STORE_ERROR;
}

enum store_result
salvage_no_memory(struct salvage *s)
{
	errno = ENOMEM;
	return salvage_failed(s, "read", s->options->from);
}

static int
by_number(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return (y->number == y->name) - (x->number == x->name);
}

static enum store_result
look_at(struct salvage *s, struct part *p)
{
	const unsigned char *bytes;
	char name[SEGMENT_NAME];
	struct reader r;

	segment_name(p->name, name);
	if (!reader_open(&r, s->rc.disk, s->rc.folder, name))
		return salvage_failed(s, "open", name);
	p->number = p->name;
	p->size = r.size;
	p->why = GAP_HEADER;
	bytes = reader_get(&r, 0, SEGMENT_HEADER);
	if (bytes)
		switch (segment_header_decode(bytes, &p->header)) {
		case SEGMENT_OK:
			p->has_header = true;
			p->number = p->header.number;
			break;
		case SEGMENT_VERSION: p->why = GAP_VERSION; break;
		case SEGMENT_NOT_ONE:
		case SEGMENT_BROKEN: break;
		}
	reader_done(&r);
	return r.error == ENOMEM ? salvage_no_memory(s) : STORE_OPENED;
}

/* The journal is that of which there are most segments. */
static void
choose_journal(struct salvage *s)
{
	size_t votes = 0;

	for (size_t i = 0; i < s->rc.n; i++) {
		const struct part *p = &s->parts[i];

		if (!p->has_header)
			continue;
		if (votes == 0)
			memcpy(s->id, p->header.id, sizeof(s->id));
		if (memcmp(s->id, p->header.id, sizeof(s->id)) == 0)
			votes++;
		else
			votes--;
	}
	for (size_t i = 0; i < s->rc.n; i++) {
		struct part *p = &s->parts[i];

		if (!p->has_header || memcmp(s->id, p->header.id, sizeof(s->id)) == 0)
			continue;
		p->has_header = false;
		p->why = GAP_FOREIGN;
		p->number = p->name;
	}
	qsort(s->parts, s->rc.n, sizeof(*s->parts), by_number);
}

enum store_result
salvage_list(struct salvage *s)
{
	enum store_result result = STORE_OPENED;

	s->parts = calloc(s->rc.n, sizeof(*s->parts));
	if (!s->parts)
		return salvage_no_memory(s);
	for (size_t i = 0; i < s->rc.n && result == STORE_OPENED; i++) {
		s->parts[i].name = s->rc.numbers[i];
		result = look_at(s, &s->parts[i]);
	}
	if (result == STORE_OPENED)
		choose_journal(s);
	return result;
}
