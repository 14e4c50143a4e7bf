/* SPDX-License-Identifier: MIT */
#include "tests/store/world.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/crc32c.h"

#define MAX_LEN 6000

static unsigned char bytes[MAX_LEN];

const unsigned char *
world_payload(unsigned content, size_t len)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (unsigned char)((content + i) * 2654435761u >> 13);
	bytes[0] = 8;
	return bytes;
}

void
world_init(struct world *w, unsigned seed)
{
	memset(w, 0, sizeof(*w));
	w->disk = pretend_new(seed);
	w->random = seed * 7 + 1;
	w->now_ns = 1;
	w->needed = 1;
}

void
world_done(struct world *w)
{
	world_kill(w);
	for (unsigned i = 0; i < WORLD_RECORDS; i++)
		free(w->records[i].lent);
	pretend_free(w->disk);
}

unsigned
world_random(struct world *w, unsigned below)
{
	w->random = w->random * 1664525 + 1013904223;
	return (unsigned)((uint64_t)(w->random >> 8) * below >> 24);
}

static enum store_result
read_back(void *arg, const void *got, size_t len, const struct store_place *place,
	  char *err, size_t errlen)
{
	struct world *w = arg;
	const struct world_record *r;

	if (w->next_read == 0)
		while (w->next_read < w->n &&
		       w->records[w->next_read].place.seq < place->seq)
			w->next_read++;
	ck_assert_msg(w->next_read < w->n, "record %lu was never appended", place->seq);
	r = &w->records[w->next_read];
	ck_assert_uint_eq(place->seq, r->place.seq);
	ck_assert_uint_eq(place->segment, r->place.segment);
	ck_assert_uint_eq(place->offset, r->place.offset);
	ck_assert_uint_eq(len, r->len);
	ck_assert_int_eq(memcmp(got, world_payload(r->content, len), len), 0);
	w->next_read++;
	return STORE_OPENED;
}

/* What was read ends at `next_read`, and began where it had to. */
static void
check_read(struct world *w, uint64_t kept, uint64_t first_read)
{
	uint64_t newest = w->n ? w->records[w->n - 1].place.seq : 0;
	uint64_t last = w->next_read ? w->records[w->next_read - 1].place.seq : 0;
	unsigned must = 0;  /* how many of the records have to be there */
	unsigned first = 0; /* and from which on */

	while (must < w->n && w->records[must].place.seq <= kept)
		must++;
	ck_assert_msg(w->next_read >= must ||
			      w->records[must - 1].place.seq < w->needed,
		      "kept up to %lu of %lu, but read up to %lu", kept, newest, last);
	while (first < w->n && w->records[first].place.seq < w->needed)
		first++;
	if (first < w->next_read)
		ck_assert_uint_le(first_read, w->records[first].place.seq);
	if (w->next_read)
		w->n = w->next_read;
	else if (w->needed <= 1)
		w->n = 0;
}

struct first {
	struct world *world;
	uint64_t seq;
};

static enum store_result
note_first(void *arg, const void *got, size_t len, const struct store_place *place,
	   char *err, size_t errlen)
{
	struct first *f = arg;

	if (!f->seq)
		f->seq = place->seq;
	return read_back(f->world, got, len, place, err, errlen);
}

enum store_result
world_open(struct world *w, uint64_t kept)
{
	struct first first = {.world = w};
	struct store_files_options options = {.dir = "pretended",
					      .disk = &w->disk->disk,
					      .segment_bytes = WORLD_SEGMENT,
					      .sync_interval_ms = 10,
					      .on_record = note_first,
					      .arg = &first};
	enum store_result result;

	w->next_read = 0;
	result = store_files_open(&options, &w->store, &w->report);
	if (result != STORE_OPENED) {
		ck_assert(w->report.error[0]);
		ck_assert_int_eq(w->disk->open_files, 0);
		w->store = NULL;
		return result;
	}
	check_read(w, kept, first.seq ? first.seq : w->needed);
	w->store->class->status(w->store, &w->status);
	return result;
}

void
world_kill(struct world *w)
{
	if (w->store)
		w->store->class->free(w->store);
	w->store = NULL;
	ck_assert_int_eq(w->disk->open_files, 0);
}

bool
world_append(struct world *w, size_t len, bool sync)
{
	struct world_record *r = &w->records[w->n];
	struct iovec parts[2];

	ck_assert_uint_lt(w->n, WORLD_RECORDS);
	r->len = len;
	r->content = world_random(w, 1000000);
	parts[0] = (struct iovec){(void *)world_payload(r->content, len), len / 3};
	parts[1] = (struct iovec){bytes + len / 3, len - len / 3};
	if (!w->store->class->append(w->store, parts, 2, sync, &r->place))
		return false;
	w->n++;
	return true;
}

bool
world_append_again(struct world *w, unsigned i, bool sync)
{
	const struct world_record *before = &w->records[i];
	struct world_record *r = &w->records[w->n];
	size_t len = before->len, third = len / 3;
	const unsigned char *all = world_payload(before->content, len);
	struct store_part parts[] = {
		{.bytes = all, .len = third},
		{.len = third,
		 .sum = crc32c(0, all + third, third),
		 .segment = before->place.segment,
		 .offset = before->place.offset + third},
		{.len = len - 2 * third, .stays = true},
	};

	ck_assert_uint_lt(w->n, WORLD_RECORDS);
	r->len = len;
	r->content = before->content;
	r->lent = realloc(r->lent, len - 2 * third);
	memcpy(r->lent, all + 2 * third, len - 2 * third);
	parts[2].bytes = r->lent;
	if (!w->store->class->append_large(w->store, parts, 3, sync, &r->place))
		return false;
	w->n++;
	return true;
}

/* One of those that can be read. */
static void
append_again(struct world *w)
{
	unsigned i = w->n ? world_random(w, w->n) : 0;

	w->store->class->status(w->store, &w->status);
	if (i < w->n && w->records[i].place.seq <= w->status.written &&
	    w->records[i].place.segment >= w->status.first_segment)
		world_append_again(w, i, world_random(w, 2));
}

void
world_flush(struct world *w)
{
	w->store->class->flush(w->store);
}

bool
world_trim(struct world *w, uint64_t segment)
{
	uint64_t needed = w->n ? w->records[w->n - 1].place.seq + 1 : 1;

	for (unsigned i = w->n; i-- && w->records[i].place.segment >= segment;)
		needed = w->records[i].place.seq;
	if (!w->store->class->trim(w->store, segment))
		return false;
	if (needed > w->needed)
		w->needed = needed;
	return true;
}

void
world_settle(struct world *w)
{
	world_flush(w);
	for (bool more = true; more;) {
		more = store_step_commit(w->store);
		w->now_ns += 10000000;
		store_step_keep(w->store, w->now_ns);
	}
	w->now_ns += 10000000;
	store_step_keep(w->store, w->now_ns);
	w->store->class->status(w->store, &w->status);
}

static void
step(struct world *w)
{
	switch (world_random(w, 12)) {
	case 0: store_step_keep(w->store, w->now_ns += 4000000); break;
	case 1:
	case 2: store_step_commit(w->store); break;
	case 3:
	case 4: world_flush(w); break;
	case 5:
		if (world_random(w, 4) == 0)
			world_trim(w,
				   w->status.first_segment +
					   world_random(
						   w,
						   (unsigned)(w->status.last_segment -
							      w->status.first_segment +
							      1)));
		break;
	case 6:
		if (world_random(w, 6) == 0)
			world_append(w, 1 + world_random(w, MAX_LEN),
				     world_random(w, 2));
		break;
	case 7: append_again(w); break;
	default: world_append(w, 1 + world_random(w, 600), world_random(w, 3) == 0);
	}
}

void
world_run(struct world *w, unsigned steps)
{
	for (unsigned i = 0; i < steps && w->status.state != STORE_FAILED; i++) {
		step(w);
		w->store->class->status(w->store, &w->status);
	}
}

void
world_begin(struct world *w)
{
	world_init(w, 3);
	ck_assert_int_eq(world_open(w, 0), STORE_OPENED);
	world_settle(w);
}
