/* SPDX-License-Identifier: MIT
 *
 * Reading memory.qbs back. It got its name when it was whole, so it has no torn end.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/store/disk.h"
#include "daemon/store/reader.h"
#include "daemon/store/segment.h"
#include "daemon/store/snapshot.h"

#define NAME "memory.qbs"

struct loading {
	const struct store_files_options *options;
	struct store_files_report *report;
	struct reader reader;
	uint64_t at, seq; /* of the next record */
};

static enum store_result
refuse(struct loading *l, enum store_result result, const char *why)
{
	snprintf(l->report->error, sizeof(l->report->error),
		 "%s, offset %" PRIu64 ", record %" PRIu64 ": %s", NAME, l->at, l->seq,
		 why);
	return result;
}

static enum store_result
not_whole(struct loading *l, const char *why)
{
	int error = l->reader.error;

	return refuse(l, error == ENOMEM ? STORE_ERROR : STORE_DAMAGED,
		      error ? strerror(error) : why);
}

static enum store_result
load_records(struct loading *l, uint32_t seed)
{
	const struct store_files_options *o = l->options;
	struct record record;
	char why[STORE_TEXT / 4] = "";

	for (;;) {
		const unsigned char *bytes =
			reader_record(&l->reader, l->at, seed, &record);
		struct store_place place = {l->seq, 0, l->at + RECORD_HEADER};
		enum store_result result;

		if (!bytes || record.seq != l->seq)
			return not_whole(l, "it is not whole");
		if (record.len == 1 && bytes[RECORD_HEADER] == RECORD_CLOSE)
			return STORE_OPENED;
		result = o->on_record(o->arg, bytes + RECORD_HEADER, record.len, &place,
				      why, sizeof(why));
		if (result != STORE_OPENED)
			return refuse(l, result, why);
		l->seq++;
		l->at += record_size(record.len);
		l->report->records++;
		l->report->bytes += record_size(record.len);
		if (o->progress)
			o->progress(o->arg, l->at, l->reader.size);
	}
}

static enum store_result
load(struct loading *l)
{
	const unsigned char *bytes = reader_get(&l->reader, 0, SEGMENT_HEADER);
	struct segment_header h;
	char why[STORE_TEXT / 4];

	if (!bytes)
		return not_whole(l, "the file is too short");
	switch (segment_header_decode(bytes, &h)) {
	case SEGMENT_OK: break;
	case SEGMENT_NOT_ONE: return refuse(l, STORE_DAMAGED, "it is something else");
	case SEGMENT_VERSION:
		snprintf(why, sizeof(why), SEGMENT_OTHER_FORMAT, h.version,
			 SEGMENT_FORMAT);
		return refuse(l, STORE_DAMAGED, why);
	case SEGMENT_BROKEN: return refuse(l, STORE_DAMAGED, "the header is not whole");
	}
	if (h.number != 0)
		return refuse(l, STORE_DAMAGED, "it is a segment of a journal");
	l->at = SEGMENT_HEADER;
	return load_records(l, segment_seed(h.id, 0));
}

static enum store_result
system_refuses(struct loading *l, int error)
{
	return refuse(l, STORE_ERROR, strerror(error));
}

enum store_result
snapshot_read(const struct store_files_options *o,
	      struct store_files_report *ret_report)
{
	struct loading l = {.options = o, .report = ret_report, .seq = 1};
	struct disk *d = o->disk ? o->disk : &disk_os;
	int folder = d->folder(d, o->dir, false), error;
	enum store_result result;
	bool opened;

	*ret_report = (struct store_files_report){0};
	if (folder < 0)
		return system_refuses(&l, errno);
	opened = reader_open(&l.reader, d, folder, NAME);
	error = errno;
	d->close(d, folder);
	if (!opened)
		return error == ENOENT ? STORE_OPENED : system_refuses(&l, error);
	result = load(&l);
	reader_done(&l.reader);
	return result;
}
