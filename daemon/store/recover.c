/* SPDX-License-Identifier: MIT
 *
 * The rules are in doc/store-format.md. In short: all records that are there follow
 * each other, and only behind the last of them may something be that is not whole,
 * unless a later record knows that it had been on disk.
 */
#include "daemon/store/recover.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/disk.h"
#include "daemon/store/files_int.h"
#include "daemon/store/reader.h"

enum store_result
recover_damaged(struct recovery *rc, uint64_t segment, uint64_t offset, uint64_t seq,
		const char *format, ...)
{
	char name[SEGMENT_NAME], why[STORE_TEXT / 2];
	va_list args;

	segment_name(segment, name);
	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	snprintf(rc->report->error, sizeof(rc->report->error),
		 "%s, offset %" PRIu64 ", record %" PRIu64 ": %s", name, offset, seq,
		 why);
	return STORE_DAMAGED;
}

enum store_result
recover_failed(struct recovery *rc, const char *what, const char *file)
{
	rc->no_room |= files_no_room(errno);
	snprintf(rc->report->error, sizeof(rc->report->error), "%s %s/%s: %s", what,
		 rc->options->dir, file, strerror(errno));
	return STORE_ERROR;
}

/* A place that cannot be read is as bad as one that reads wrong; no memory is something
 * else. */
static enum store_result
unreadable(struct recovery *rc, uint64_t segment, uint64_t offset, int error)
{
	if (error == ENOMEM) {
		errno = error;
		return recover_failed(rc, "read", "");
	}
	return recover_damaged(rc, segment, offset, rc->seq + 1,
			       "it cannot be read: %s", strerror(error));
}

static enum store_result
open_segment(struct recovery *rc, uint64_t number, struct reader *ret)
{
	char name[SEGMENT_NAME];

	segment_name(number, name);
	if (reader_open(ret, rc->disk, rc->folder, name))
		return STORE_OPENED;
	if (errno == EIO)
		return unreadable(rc, number, 0, errno);
	return recover_failed(rc, "open", name);
}

static enum store_result
read_header(struct recovery *rc, struct reader *r, uint64_t number,
	    struct segment_header *ret)
{
	const unsigned char *bytes = reader_get(r, 0, SEGMENT_HEADER);

	if (r->error)
		return unreadable(rc, number, 0, r->error);
	if (!bytes)
		return recover_damaged(rc, number, 0, rc->seq + 1,
				       "the file is too short for a segment");
	switch (segment_header_decode(bytes, ret)) {
	case SEGMENT_OK: break;
	case SEGMENT_NOT_ONE:
		return recover_damaged(rc, number, 0, rc->seq + 1, "it is no segment");
	case SEGMENT_VERSION:
		return recover_damaged(rc, number, 8, rc->seq + 1, SEGMENT_OTHER_FORMAT,
				       ret->version, SEGMENT_FORMAT);
	case SEGMENT_BROKEN:
		return recover_damaged(rc, number, 0, rc->seq + 1,
				       "the segment's header is not whole");
	}
	if (rc->last && memcmp(ret->id, rc->id, sizeof(rc->id)) != 0)
		return recover_damaged(rc, number, 16, rc->seq + 1,
				       "the segment is of another journal");
	if (ret->number != number)
		return recover_damaged(rc, number, 32, rc->seq + 1,
				       "it is segment %" PRIu64, ret->number);
	return STORE_OPENED;
}

/* Where the segment before ended, there this one goes on. */
static enum store_result
check_chain(struct recovery *rc, uint64_t number, const struct segment_header *h)
{
	if (!rc->last) {
		memcpy(rc->id, h->id, sizeof(rc->id));
		rc->seq = h->first_seq - 1;
		rc->crc = h->crc_before;
	} else if (h->first_seq != rc->seq + 1) {
		return recover_damaged(rc, number, 40, rc->seq + 1,
				       "the segment begins with record %" PRIu64,
				       h->first_seq);
	} else if (h->crc_before != rc->crc) {
		return recover_damaged(
			rc, number, 48, rc->seq + 1,
			"the segment goes on after another record %" PRIu64, rc->seq);
	}
	return STORE_OPENED;
}

/* false: it is none of the store's own. */
static bool
take_own(struct recovery *rc, const unsigned char *bytes, uint32_t len)
{
	const unsigned char *payload = bytes + RECORD_HEADER;

	rc->ended = len == 1 && payload[0] == RECORD_END;
	if (rc->ended)
		return true;
	if (len == 1 && payload[0] == RECORD_CLOSE) {
		rc->closed = true;
		rc->close_at = rc->used;
		memcpy(rc->close_record, bytes, RECORD_HEADER + 1);
		return true;
	}
	return record_trim_decode(payload, len, &rc->trim);
}

static enum store_result
take(struct recovery *rc, const unsigned char *bytes, uint32_t len)
{
	const struct store_place place = {rc->seq + 1, rc->last,
					  rc->used + RECORD_HEADER};
	char why[STORE_TEXT / 4] = "";
	bool was_closed = rc->closed;
	enum store_result result;

	if (take_own(rc, bytes, len))
		return was_closed && !rc->ended
			       ? recover_damaged(rc, rc->last, rc->used, place.seq,
						 "it follows the end of the journal")
			       : STORE_OPENED;
	if (was_closed)
		return recover_damaged(rc, rc->last, rc->used, place.seq,
				       "it follows the end of the journal");
	result = rc->options->on_record(rc->options->arg, bytes + RECORD_HEADER, len,
					&place, why, sizeof(why));
	if (result != STORE_OPENED)
		recover_damaged(rc, rc->last, rc->used, place.seq, "%s", why);
	return result;
}

static void
progress(struct recovery *rc, uint64_t bytes)
{
	rc->done_bytes += bytes;
	if (rc->options->progress)
		rc->options->progress(rc->options->arg, rc->done_bytes, rc->all_bytes);
}

#define PROGRESS_BYTES ((uint64_t)4 << 20)

/* Not each record is looked at, but some now and then: a little more than needed is not certain. */
static void
note_certain(struct recovery *rc, const struct record *record)
{
	if (record->synced < rc->mark_seq)
		return;
	rc->certain = rc->mark;
	rc->mark_seq = record->seq;
	rc->mark = rc->used;
}

static enum store_result
read_records(struct recovery *rc, struct reader *r, uint32_t seed)
{
	uint64_t told = 0;
	const unsigned char *bytes;
	struct record record;

	while (!rc->ended) {
		enum store_result result;

		bytes = reader_next(r, rc->used, seed, &record);
		if (!bytes || record.seq != rc->seq + 1)
			break;
		result = take(rc, bytes, record.len);
		if (result != STORE_OPENED)
			return result;
		rc->seq = record.seq;
		rc->crc = record.crc;
		rc->used += record_size(record.len);
		note_certain(rc, &record);
		rc->report->records++;
		rc->report->bytes += record_size(record.len);
		if (rc->used - told >= PROGRESS_BYTES) {
			progress(rc, rc->used - told);
			told = rc->used;
		}
	}
	progress(rc, r->size > told ? r->size - told : 0);
	return STORE_OPENED;
}

/* A segment behind one that has no END may hold no record: it was just being made. */
static enum store_result
check_unused(struct recovery *rc, uint64_t number)
{
	struct segment_header h;
	struct record record;
	struct reader r;
	uint64_t at;
	enum store_result result = open_segment(rc, number, &r);

	if (result != STORE_OPENED)
		return result;
	result = read_header(rc, &r, number, &h);
	if (result == STORE_OPENED &&
	    reader_find(&r, SEGMENT_HEADER, segment_seed(rc->id, number), h.first_seq,
			0, &record, &at))
		result = recover_damaged(rc, rc->last, rc->used, rc->seq + 1,
					 "it is not whole, although record %" PRIu64
					 " in the next segment, offset %" PRIu64
					 ", was written later",
					 record.seq, at);
	else if (result == STORE_OPENED && r.error)
		result = unreadable(rc, number, SEGMENT_HEADER, r.error);
	reader_done(&r);
	return result;
}

enum tail { TAIL_EMPTY, TAIL_TORN, TAIL_UNKNOWN };

/* Whether something behind the last record had begun to be written, as far as it can be seen. */
static enum tail
look_behind(struct recovery *rc, struct reader *r, uint32_t seed)
{
	const unsigned char *bytes = reader_get(r, rc->used, RECORD_HEADER);
	struct record record;
	uint64_t end;

	if ((bytes && record_seq(bytes) == rc->seq + 1) ||
	    reader_find(r, rc->used + 8, seed, rc->seq + 2, 0, &record, &end))
		return TAIL_TORN;
	return r->error || end + RECORD_HEADER <= r->size ? TAIL_UNKNOWN : TAIL_EMPTY;
}

static void
say_what_is_cut(struct recovery *rc)
{
	char name[SEGMENT_NAME];

	segment_name(rc->last, name);
	snprintf(rc->report->cut, sizeof(rc->report->cut),
		 "%s, offset %" PRIu64 ": record %" PRIu64
		 " was not written to its end; the "
		 "journal ends before it",
		 name, rc->used, rc->seq + 1);
}

/* What is behind the last record. */
static enum store_result
check_tail(struct recovery *rc, struct reader *r, uint32_t seed)
{
	uint64_t newest = rc->numbers[rc->n - 1], at;
	enum store_result result = STORE_OPENED;
	struct record record;
	enum tail tail = look_behind(rc, r, seed);

	if (tail != TAIL_EMPTY && !r->error &&
	    reader_find(r, rc->used + 8, seed, rc->seq + 2, rc->seq + 1, &record, &at))
		return recover_damaged(rc, rc->last, rc->used, rc->seq + 1,
				       "it is not whole, although record %" PRIu64
				       " at offset %" PRIu64
				       " says that it had been on disk",
				       record.seq, at);
	if (rc->last + 1 < newest)
		return recover_damaged(rc, rc->last, rc->used, rc->seq + 1,
				       "it is not whole, although segments follow");
	if (rc->last < newest)
		result = check_unused(rc, newest);
	if (result == STORE_OPENED && tail == TAIL_TORN && !rc->closed)
		say_what_is_cut(rc);
	if (result == STORE_OPENED && r->error)
		result = unreadable(rc, rc->last, rc->used, r->error);
	return result;
}

static enum store_result
read_segment(struct recovery *rc, uint64_t number)
{
	uint32_t seed;
	struct segment_header h;
	struct reader r;
	enum store_result result = open_segment(rc, number, &r);

	if (result != STORE_OPENED)
		return result;
	result = read_header(rc, &r, number, &h);
	if (result == STORE_OPENED)
		result = check_chain(rc, number, &h);
	if (result == STORE_OPENED) {
		seed = segment_seed(rc->id, number);
		if (rc->options->threads)
			reader_ahead(&r, SEGMENT_HEADER, seed, rc->options->beside,
				     rc->options->arg);
		rc->last = number;
		rc->used = rc->certain = rc->mark = SEGMENT_HEADER;
		rc->mark_seq = h.first_seq - 1;
		rc->ended = rc->closed = false;
		result = read_records(rc, &r, seed);
		if (result == STORE_OPENED && !rc->ended)
			result = check_tail(rc, &r, seed);
		rc->used_of[number - rc->numbers[rc->run]] = rc->used;
	}
	reader_done(&r);
	return result;
}

/* TRIM said which segments are there. */
static enum store_result
check_missing(struct recovery *rc)
{
	uint64_t first = rc->numbers[rc->run], needed = rc->trim ? rc->trim : 1;

	if (rc->ended)
		return recover_damaged(
			rc, rc->last + 1, 0, rc->seq + 1,
			"the segment is missing: the one before says that it "
			"goes on");
	if (needed < first)
		return recover_damaged(rc, first - 1, 0, 0,
				       "the segment is missing: those from %" PRIu64
				       " on are needed",
				       needed);
	if (needed > rc->last)
		return recover_damaged(rc, rc->last, rc->used, rc->seq,
				       "segments from %" PRIu64
				       " on are said to be needed",
				       needed);
	rc->trim = needed;
	return STORE_OPENED;
}

enum store_result
recover_read(struct recovery *rc)
{
	enum store_result result = recover_list(rc);

	if (result != STORE_OPENED || rc->n == 0)
		return result;
	for (size_t i = rc->run; i < rc->n; i++) {
		result = read_segment(rc, rc->numbers[i]);
		if (result != STORE_OPENED)
			return result;
		if (!rc->ended)
			break; /* what follows holds nothing */
	}
	return check_missing(rc);
}

void
recover_done(struct recovery *rc)
{
	free(rc->numbers);
	free(rc->used_of);
}
