/* SPDX-License-Identifier: MIT
 *
 * Goes through the segments twice: first for what TRIM said, then for the records. A
 * place that is not whole is passed over up to the next whole record, wherever that is.
 * Only what the CRC confirms is believed.
 */
#include "daemon/store/salvage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/disk.h"
#include "daemon/store/reader.h"
#include "daemon/store/salvage_int.h"

#define PAGE	    ((uint64_t)4096)
#define FLUSH_BYTES ((uint64_t)1 << 20)

/* --- the new journal ------------------------------------------------------------- */

static enum store_result
write_failed(struct salvage *s)
{
	struct store_status status;

	s->store->class->status(s->store, &status);
	snprintf(s->report->error, sizeof(s->report->error), "%s: %s", s->options->to,
		 status.error ? status.error : "there is no memory");
	return STORE_ERROR;
}

/* Without threads: what was appended is written here. */
static void
write_out(struct salvage *s)
{
	s->store->class->flush(s->store);
	while (store_step_commit(s->store))
		;
	store_step_keep(s->store, 1);
	s->unwritten = 0;
}

static enum store_result
put(struct salvage *s, const void *payload, size_t len)
{
	struct iovec part = {(void *)payload, len};
	struct store_place place;

	/* STORE_LOW until the keeper has made room. */
	if (!s->store->class->append(s->store, &part, 1, false, &place)) {
		write_out(s);
		if (!s->store->class->append(s->store, &part, 1, false, &place))
			return write_failed(s);
	}
	s->report->records++;
	s->report->bytes += len;
	s->unwritten += len;
	if (s->unwritten >= FLUSH_BYTES)
		write_out(s);
	return STORE_OPENED;
}

/* --- one segment ----------------------------------------------------------------- */

static enum store_result
take(struct salvage *s, const unsigned char *payload, uint32_t len, uint64_t seq)
{
	uint64_t trim;

	s->seq = seq;
	s->ended = len == 1 && payload[0] == RECORD_END;
	if (record_trim_decode(payload, len, &trim)) {
		if (trim > s->trim)
			s->trim = trim;
		return STORE_OPENED;
	}
	if (s->ended || (len == 1 && payload[0] == RECORD_CLOSE) || !s->writing)
		return STORE_OPENED;
	return put(s, payload, len);
}

/* The next whole record from `*at` on. false: there is none. */
static bool
find(struct reader *r, uint64_t *at, uint32_t seed, uint64_t seq, bool *ret_unreadable)
{
	struct record record;
	uint64_t found;

	while (!reader_find(r, *at, seed, seq, 0, &record, &found)) {
		if (r->error != EIO)
			return false;
		/* That place cannot be read: behind it there may be more. */
		*ret_unreadable = true;
		r->error = 0;
		*at = found + 8;
		if (!reader_get(r, found, RECORD_HEADER))
			*at = (found | (PAGE - 1)) + 1;
		r->error = 0;
	}
	*at = found;
	return true;
}

/* Passes over what is not whole. STORE_OPENED: `*at` is at a record, or at the end. */
static enum store_result
pass_over(struct salvage *s, struct reader *r, uint32_t seed, const struct part *p,
	  uint64_t low, uint64_t *at)
{
	uint64_t from = *at;
	bool unreadable = r->error == EIO, found;

	if (r->error == ENOMEM)
		return salvage_no_memory(s);
	r->error = 0;
	found = find(r, at, seed, low > s->seq ? low : s->seq + 1, &unreadable);
	if (r->error)
		return salvage_no_memory(s);
	if (!found)
		*at = r->size;
	gaps_add(&s->gaps,
		 unreadable ? GAP_UNREADABLE
		 : found    ? GAP_NOT_WHOLE
			    : GAP_TAIL,
		 p->name, from, *at - from);
	return STORE_OPENED;
}

/* `low`: no record of it has a lower number. */
static enum store_result
read_records(struct salvage *s, struct reader *r, const struct part *p, uint64_t low)
{
	uint32_t seed = segment_seed(s->id, p->number);
	uint64_t at = SEGMENT_HEADER;
	enum store_result result = STORE_OPENED;

	for (s->ended = false; !s->ended && s->seq < s->until && at < r->size;) {
		struct record record;
		const unsigned char *bytes = reader_record(r, at, seed, &record);

		if (bytes && record.seq > s->seq) {
			gaps_end(&s->gaps, s->seq, record.seq);
			result = take(s, bytes + RECORD_HEADER, record.len, record.seq);
			at += record_size(record.len);
		} else {
			result = pass_over(s, r, seed, p, low, &at);
		}
		if (result != STORE_OPENED)
			return result;
	}
	return STORE_OPENED;
}

/* --- all segments ---------------------------------------------------------------- */

/* The header says what the last record of the segment before was. If that is END, it is
 * not lost when it is not whole. */
static bool
end_was_next(const struct salvage *s, const struct part *p)
{
	unsigned char end[RECORD_END_SIZE];

	return !s->ended && p->number == s->number + 1 &&
	       p->header.first_seq == s->seq + 2 &&
	       record_make_own(end, RECORD_END, segment_seed(s->id, s->number),
			       s->seq + 1) == p->header.crc_before;
}

/* What is known of the segment's records before they are read. */
static uint64_t
lowest(struct salvage *s, const struct part *p)
{
	const struct part *next = p + 1, *end = s->parts + s->rc.n;
	uint64_t most = p->size / RECORD_END_SIZE;

	if (p->has_header) {
		if (s->seq == 0 && p->number <= s->trim)
			s->seq = p->header.first_seq - 1;
		else if (end_was_next(s, p))
			s->seq++;
		return p->header.first_seq;
	}
	if (next < end && next->has_header && next->number == p->number + 1 &&
	    next->header.first_seq > most)
		return next->header.first_seq - most;
	return 1;
}

static enum store_result
read_part(struct salvage *s, const struct part *p)
{
	uint64_t expected = s->number ? s->number + 1 : s->trim, low;
	enum store_result result;
	char name[SEGMENT_NAME];
	struct reader r;

	if (p->number > expected)
		gaps_add(&s->gaps, GAP_MISSING, expected, 0, p->number - expected);
	if (p->number < expected) {
		gaps_add(&s->gaps, GAP_TWICE, p->name, 0, p->size);
		return STORE_OPENED;
	}
	low = lowest(s, p);
	s->number = p->number;
	s->ended = false;
	if (!p->has_header)
		gaps_add(&s->gaps, p->why, p->name, 0,
			 p->why == GAP_HEADER && p->size > SEGMENT_HEADER
				 ? SEGMENT_HEADER
				 : p->size);
	if (!p->has_header && p->why != GAP_HEADER)
		return STORE_OPENED;
	segment_name(p->name, name);
	if (!reader_open(&r, s->rc.disk, s->rc.folder, name))
		return salvage_failed(s, "open", name);
	result = read_records(s, &r, p, low);
	reader_done(&r);
	return result;
}

static enum store_result
read_parts(struct salvage *s, bool writing)
{
	enum store_result result = STORE_OPENED;

	s->writing = writing;
	s->number = s->seq = 0;
	s->ended = false;
	s->gaps.say = writing ? s->options->say : NULL;
	s->gaps.lost = false;
	for (size_t i = 0; i < s->rc.n && result == STORE_OPENED; i++)
		if (s->parts[i].number >= s->trim && s->seq < s->until)
			result = read_part(s, &s->parts[i]);
	/* Of a segment behind the last record that counts nothing is read. */
	if ((s->ended && s->seq < s->until) || s->number == 0)
		gaps_add(&s->gaps, GAP_MISSING, s->number ? s->number + 1 : s->trim, 0,
			 1);
	gaps_finish(&s->gaps, s->seq);
	return result == STORE_OPENED && s->gaps.out_of_memory ? salvage_no_memory(s)
							       : result;
}

static enum store_result
read_all(struct salvage *s)
{
	enum store_result result = salvage_list(s);

	if (result == STORE_OPENED && s->trim == 0) {
		s->trim = 1;
		s->until = UINT64_MAX;
		result = read_parts(s, false);
	}
	return result == STORE_OPENED ? read_parts(s, true) : result;
}

/* --- the whole -------------------------------------------------------------------- */

static enum store_result
nothing(void *arg, const void *payload, size_t len, const struct store_place *place,
	char *err, size_t errlen)
{
	return STORE_OPENED;
}

/* How the broker would read it: then that is what counts. */
static enum store_result
read_as_usual(struct salvage *s)
{
	const struct store_files_options options = {.dir = s->options->from,
						    .on_record = nothing};
	enum store_result result;

	s->rc.options = &options;
	s->rc.report = &s->read;
	result = recover_read(&s->rc);
	if (result == STORE_ERROR)
		snprintf(s->report->error, sizeof(s->report->error), "%s",
			 s->read.error);
	if (result == STORE_ERROR)
		return result;
	if (s->rc.n == 0) {
		errno = ENOENT;
		return salvage_failed(s, "find a journal in", s->options->from);
	}
	if (result == STORE_OPENED) {
		s->until = s->rc.seq;
		s->trim = s->rc.trim;
		if (s->read.cut[0])
			s->options->say(s->options->arg, s->read.cut);
	}
	return STORE_OPENED;
}

static enum store_result
lock(struct salvage *s)
{
	s->rc.folder = s->rc.disk->folder(s->rc.disk, s->options->from, true);
	if (s->rc.folder >= 0)
		return STORE_OPENED;
	if (errno != EWOULDBLOCK)
		return salvage_failed(s, "open", s->options->from);
	snprintf(s->report->error, sizeof(s->report->error),
		 "a broker uses %s: it has the folder locked", s->options->from);
	return STORE_IN_USE;
}

static enum store_result
copy_journal(struct salvage *s)
{
	enum store_result result = lock(s);
	struct store_status status;

	if (result == STORE_OPENED)
		result = read_as_usual(s);
	if (result == STORE_OPENED)
		result = new_journal(s->options, &s->store, s->report);
	if (result == STORE_OPENED)
		result = read_all(s);
	if (result == STORE_OPENED && !s->store->class->close(s->store))
		result = write_failed(s);
	s->report->lost = s->gaps.lost;
	if (s->store) {
		s->store->class->status(s->store, &status);
		s->report->last = status.last_seq;
		s->store->class->free(s->store);
	}
	return result;
}

enum store_result
store_salvage(const struct salvage_options *o, struct salvage_report *ret_report)
{
	struct salvage s = {.options = o, .report = ret_report};
	enum store_result result;

	*ret_report = (struct salvage_report){.error = ""};
	s.rc.disk = o->from_disk ? o->from_disk : &disk_os_read;
	s.rc.folder = -1;
	s.gaps.arg = o->arg;
	result = copy_journal(&s);
	if (result == STORE_OPENED)
		result = copy_snapshot(o, ret_report);
	if (s.rc.folder >= 0)
		s.rc.disk->close(s.rc.disk, s.rc.folder);
	recover_done(&s.rc);
	free(s.parts);
	free(s.gaps.open);
	return result;
}
