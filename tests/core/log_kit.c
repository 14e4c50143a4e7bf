/* SPDX-License-Identifier: MIT
 *
 * See log_kit.h.
 */
#include "tests/core/log_kit.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER 64 /* bytes of a segment */

struct log_record {
	struct store_place place;
	size_t len;
	unsigned char *payload;
};

struct log {
	struct store store;
	enum store_state state;
	uint64_t segment_bytes, first, last, used, bytes;
	struct log_record *records;
	size_t n, room;
	size_t begin; /* those before were trimmed */
	uint64_t written;
	bool slow; /* what is appended is not written yet */
	bool cold; /* reading takes long */
	uint64_t reads, waits;
	size_t most_read;
	struct log_work work;
	enum log_broken broken;
	uint64_t most; /* bytes of a record that there is room for; 0: of any */
};

static struct log *
of(const struct store *s)
{
	return (struct log *)(uintptr_t)s;
}

static bool
room(struct store *s, uint64_t bytes)
{
	return of(s)->most == 0 || bytes <= of(s)->most;
}

static bool
append(struct store *s, const struct iovec *parts, unsigned n, bool sync,
       struct store_place *ret_place)
{
	struct log *log = of(s);
	struct log_record r = {0};
	unsigned char *at;

	(void)sync;
	for (unsigned i = 0; i < n; i++)
		r.len += parts[i].iov_len;
	ck_assert_uint_gt(r.len, 0);
	if (!room(s, r.len))
		return false;
	at = r.payload = malloc(r.len);
	for (unsigned i = 0; i < n; i++) {
		if (parts[i].iov_len > 0)
			memcpy(at, parts[i].iov_base, parts[i].iov_len);
		at += parts[i].iov_len;
	}
	if (log->used > HEADER && log->used + r.len > log->segment_bytes) {
		log->last++;
		log->used = HEADER;
	}
	r.place = (struct store_place){log->n + 1, log->last, log->used};
	log->used += r.len;
	log->bytes += r.len;
	if (log->n == log->room) {
		log->room = log->room ? 2 * log->room : 64;
		log->records = realloc(log->records, log->room * sizeof(r));
	}
	log->records[log->n++] = r;
	log->work.records++;
	log->work.copied += r.len;
	if (!log->slow)
		log->written = log->n;
	*ret_place = r.place;
	return true;
}

static void
flush(struct store *s)
{
	(void)s;
}

static void
status(struct store *s, struct store_status *ret_status)
{
	const struct log *log = of(s);

	*ret_status = (struct store_status){.state = log->state,
					    .last_seq = log->n,
					    .written = log->written,
					    .synced = log->written,
					    .first_segment = log->first,
					    .last_segment = log->last,
					    .bytes = log->bytes,
					    .segment_bytes = log->segment_bytes};
}

static bool
trim(struct store *s, uint64_t segment)
{
	struct log *log = of(s);

	ck_assert_uint_gt(segment, log->first);
	ck_assert_uint_le(segment, log->last);
	log->first = segment;
	for (; log->begin < log->n; log->begin++) {
		struct log_record *r = &log->records[log->begin];

		if (r->place.segment >= segment)
			break;
		log->bytes -= r->len;
		free(r->payload);
		r->payload = NULL;
	}
	return true;
}

/* A record that has been trimmed, or is not as long, is no record. */
static void
find_bytes(const struct log *log, uint64_t segment, uint64_t offset, void *ret, size_t len)
{
	for (size_t i = log->begin; i < log->n; i++) {
		const struct log_record *r = &log->records[i];

		if (r->place.segment != segment || offset < r->place.offset ||
		    offset + len > r->place.offset + r->len)
			continue;
		ck_assert_uint_le(r->place.seq, log->written);
		memcpy(ret, r->payload + (offset - r->place.offset), len);
		return;
	}
	ck_abort_msg("a body is read from where there is none");
}

static enum store_read
read_log(struct store *s, uint64_t segment, uint64_t offset, void *ret, size_t len,
	 bool wait)
{
	struct log *log = of(s);

	log->reads++;
	if (len > log->most_read)
		log->most_read = len;
	if (log->cold && !wait)
		return STORE_READ_LATER;
	log->waits += wait && log->cold;
	if (log->broken == BROKEN_READ)
		return STORE_READ_FAILED;
	find_bytes(log, segment, offset, ret, len);
	if (log->broken == BROKEN_BYTE)
		((unsigned char *)ret)[len / 2] ^= 1;
	return STORE_READ;
}

/* What is moved must still be there when it is written, which is at once. */
static bool
append_large(struct store *s, const struct store_part *parts, unsigned n, bool sync,
	     struct store_place *ret_place)
{
	struct iovec *all = calloc(n, sizeof(*all));
	bool appended;

	for (unsigned i = 0; i < n; i++) {
		uint64_t *counts = !parts[i].bytes   ? &of(s)->work.moved
				   : parts[i].stays ? &of(s)->work.lent
						     : &of(s)->work.copied;

		*counts += parts[i].len;
		all[i].iov_len = parts[i].len;
		all[i].iov_base = (void *)(uintptr_t)parts[i].bytes;
		if (parts[i].bytes)
			continue;
		all[i].iov_base = malloc(parts[i].len);
		find_bytes(of(s), parts[i].segment, parts[i].offset, all[i].iov_base,
			   parts[i].len);
	}
	appended = append(s, all, n, sync, ret_place);
	if (appended) /* counted by parts */
		of(s)->work.copied -= of(s)->records[of(s)->n - 1].len;
	for (unsigned i = 0; i < n; i++)
		if (!parts[i].bytes)
			free(all[i].iov_base);
	free(all);
	return appended;
}

static const struct store_class log_class = {.append = append,
					     .append_large = append_large,
					     .room = room,
					     .flush = flush,
					     .status = status,
					     .trim = trim,
					     .read = read_log};

/* --- a view of a log ------------------------------------------------------------------- */

struct view {
	struct store store;
	struct store *log;
};

static struct store *
viewed(struct store *s)
{
	return ((struct view *)(uintptr_t)s)->log;
}

static void
view_status(struct store *s, struct store_status *ret_status)
{
	status(viewed(s), ret_status);
}

static bool
view_trim(struct store *s, uint64_t segment)
{
	(void)s, (void)segment;
	return false;
}

static enum store_read
view_read(struct store *s, uint64_t segment, uint64_t offset, void *ret, size_t len,
	  bool wait)
{
	return read_log(viewed(s), segment, offset, ret, len, wait);
}

static const struct store_class view_class = {
	.status = view_status, .trim = view_trim, .read = view_read};

struct store *
log_view(struct store *s)
{
	struct view *view = calloc(1, sizeof(*view));

	view->store.class = &view_class;
	view->log = s;
	return &view->store;
}

void
log_view_free(struct store *s)
{
	free((struct view *)(uintptr_t)s);
}

struct store *
log_new(uint64_t segment_bytes)
{
	struct log *log = calloc(1, sizeof(*log));

	log->store.class = &log_class;
	log->segment_bytes = segment_bytes;
	log->first = log->last = 1;
	log->used = HEADER;
	return &log->store;
}

void
log_free(struct store *s)
{
	struct log *log = of(s);

	for (size_t i = 0; i < log->n; i++)
		free(log->records[i].payload);
	free(log->records);
	free(log);
}

void
log_set_state(struct store *s, enum store_state state)
{
	of(s)->state = state;
}

void
log_set_most(struct store *s, uint64_t bytes)
{
	of(s)->most = bytes;
}

void
log_set_slow(struct store *s, bool slow)
{
	of(s)->slow = slow;
	if (!slow)
		of(s)->written = of(s)->n;
}

void
log_set_broken(struct store *s, enum log_broken broken)
{
	of(s)->broken = broken;
}

void
log_set_cold(struct store *s, bool cold)
{
	of(s)->cold = cold;
}

uint64_t
log_waits(const struct store *s)
{
	return of(s)->waits;
}

size_t
log_most_read(const struct store *s)
{
	return of(s)->most_read;
}

uint64_t
log_reads(const struct store *s)
{
	return of(s)->reads;
}

struct store_status
log_status(struct store *s)
{
	struct store_status status;

	s->class->status(s, &status);
	return status;
}

struct log_work
log_work(const struct store *s)
{
	return of(s)->work;
}

const void *
log_last(const struct store *s, size_t *ret_len)
{
	const struct log_record *r = &of(s)->records[of(s)->n - 1];

	*ret_len = r->len;
	return r->payload;
}

size_t
log_records(const struct store *s)
{
	return of(s)->n;
}

static enum qe_result
restore(const struct log *log, size_t n, struct qe *e, uint64_t now, bool snapshot)
{
	for (size_t i = log->begin; i < n; i++) {
		const struct log_record *r = &log->records[i];
		struct store_place place = r->place;
		enum qe_result result;

		if (snapshot)
			place.segment = 0;
		result = qe_restore(e, now, r->payload, r->len, &place);
		if (result != QE_OK)
			return result;
	}
	return QE_OK;
}

enum qe_result
log_read(const struct store *s, size_t n, struct qe *e, uint64_t now)
{
	return restore(of(s), n, e, now, false);
}

enum qe_result
log_restore(const struct store *s, size_t n, struct qe *e, uint64_t now,
	    struct store *view)
{
	enum qe_result result = restore(of(s), n, e, now, false);

	return result == QE_OK ? qe_restored(e, now, view) : result;
}

enum qe_result
log_restore_snapshot(const struct store *s, struct qe *e, uint64_t now)
{
	enum qe_result result = restore(of(s), of(s)->n, e, now, true);

	return result == QE_OK ? qe_restored(e, now, NULL) : result;
}

/* --- comparing ----------------------------------------------------------------------- */

static char why[512];

#define SAME(expr)                                                               \
	do {                                                                     \
		if (!(expr)) {                                                   \
			snprintf(why, sizeof(why), "queue %.*s%s%llu: %s",       \
				 (int)sa->name.len, sa->name.p, ", item ",       \
				 (unsigned long long)id, #expr);                 \
			return why;                                              \
		}                                                                \
	} while (0)

static bool
same_name(struct qe_name a, struct qe_name b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* Of a lease, to a tick of what is kept of it. */
static bool
near(uint64_t a, uint64_t b)
{
	return a > b ? a - b <= 1 << 29 : b - a <= 1 << 29;
}

static const char *
compare_body(const struct qe_queue_stats *sa, struct qe_item *x, struct qe_item *y)
{
	uint64_t id = qe_item_id(x);

	SAME(qe_item_foreign(x) || qe_item_foreign(y) ||
	     memcmp(qe_item_body(x), qe_item_body(y), qe_item_body_len(x)) == 0);
	return NULL;
}

static void
look(struct qe *e, uint64_t now, struct qe_name queue, uint64_t id,
     struct qe_shown *ret_shown)
{
	struct qe_search search = {0};
	enum qe_result result;

	while ((result = qe_look(e, now, queue, id, &search, ret_shown)) == QE_WAIT)
		;
	ck_assert_int_eq(result, QE_OK);
}

/* As somebody who asks for the items is shown them: the rows of qe_browse() may not be used any more. */
static const char *
compare_fetched(struct qe *a, struct qe *b, uint64_t now, const struct qe_queue_stats *sa,
		uint64_t id)
{
	struct qe_shown x, y;
	const char *result;

	look(a, now, sa->name, id, &x);
	look(b, now, sa->name, id, &y);
	result = compare_body(sa, x.item, y.item);
	qe_item_unref(a, x.item);
	qe_item_unref(b, y.item);
	return result;
}

static const char *
compare_item(struct qe *ea, struct qe *eb, uint64_t now, const struct qe_queue_stats *sa,
	     const struct qe_shown *a, const struct qe_shown *b)
{
	struct qe_item *x = a->item, *y = b->item;
	uint64_t id = qe_item_id(x);

	SAME(qe_item_id(x) == qe_item_id(y));
	SAME(qe_item_body_len(x) == qe_item_body_len(y));
	SAME(qe_item_priority(x) == qe_item_priority(y));
	SAME(qe_item_ctype(x) == qe_item_ctype(y));
	SAME(qe_item_deliveries(x) == qe_item_deliveries(y));
	SAME(qe_item_crashes(x) == qe_item_crashes(y));
	SAME(qe_item_nacks(x) == qe_item_nacks(y));
	SAME(qe_item_timeouts(x) == qe_item_timeouts(y));
	SAME(qe_item_death(x) == qe_item_death(y));
	SAME(qe_item_lease_ns(x) == qe_item_lease_ns(y));
	SAME(same_name(qe_item_group(x), qe_item_group(y)));
	SAME(same_name(qe_item_worker(x), qe_item_worker(y)));
	SAME(same_name(qe_item_error(x), qe_item_error(y)));
	SAME(a->due_ns == b->due_ns && a->dead_ns == b->dead_ns);
	SAME(near(a->age_ns, b->age_ns) && near(a->held_ns, b->held_ns));
	if (qe_item_absent(x) || qe_item_absent(y))
		return compare_fetched(ea, eb, now, sa, id);
	return compare_body(sa, x, y);
}

#define ROWS 10000

static int
by_id(const void *a, const void *b)
{
	uint64_t x = qe_item_id(((const struct qe_shown *)a)->item);
	uint64_t y = qe_item_id(((const struct qe_shown *)b)->item);

	return x < y ? -1 : x > y;
}

static const char *
compare_state(struct qe *a, struct qe *b, uint64_t now, const struct qe_queue_stats *sa,
	      enum qe_state state)
{
	static struct qe_shown x[ROWS], y[ROWS];
	const char *result = NULL;
	unsigned n = 0, m = 0;

	ck_assert_int_eq(qe_browse(a, now, sa->name, state, 0, x, ROWS, &n), QE_OK);
	ck_assert_int_eq(qe_browse(b, now, sa->name, state, 0, y, ROWS, &m), QE_OK);
	ck_assert_uint_eq(n, m);
	/* The dead stand in the order of dying; who died at one moment, in any. */
	if (state != QE_STATE_READY) {
		qsort(x, n, sizeof(*x), by_id);
		qsort(y, n, sizeof(*y), by_id);
	}
	for (unsigned i = 0; i < n && !result; i++)
		result = compare_item(a, b, now, sa, &x[i], &y[i]);
	return result;
}

static const char *
compare_queue(struct qe *a, struct qe *b, uint64_t now, const struct qe_queue_stats *sa)
{
	uint64_t items = sa->ready + sa->delayed + sa->leased, id = 0;
	struct qe_queue_stats sb;
	const char *result = NULL;

	SAME(qe_queue_stats(b, now, sa->name, &sb) == QE_OK);
	SAME(sa->ready == sb.ready);
	SAME(sa->delayed == sb.delayed);
	SAME(sa->leased == sb.leased);
	SAME(sa->dead == sb.dead);
	SAME(sa->bytes == sb.bytes);
	SAME(sa->shutdown == sb.shutdown);
	SAME(sa->paused_in == sb.paused_in && sa->paused_out == sb.paused_out);
	SAME(memcmp(&sa->counters, &sb.counters, sizeof(sb.counters)) == 0);
	/* An empty queue may be another one by now: as the configuration says. */
	SAME(sa->order == sb.order || items == 0);
	SAME((sa->durable == QE_NOT_DURABLE) == (sb.durable == QE_NOT_DURABLE) ||
	     items + sa->dead == 0);
	SAME(sa->maxsize == sb.maxsize && sa->dead_ttl_ms == sb.dead_ttl_ms);
	for (int state = QE_STATE_READY; state <= QE_STATE_DEAD && !result; state++)
		result = compare_state(a, b, now, sa, (enum qe_state)state);
	return result;
}

const char *
log_compare(struct qe *a, struct qe *b, uint64_t now, bool snapshot)
{
	struct qe_queue_stats stats;
	const char *result = NULL;
	uint64_t cursor = 0;

	while (!result && qe_next_queue(a, now, &cursor, &stats))
		if ((stats.durable == QE_NOT_DURABLE) == snapshot)
			result = compare_queue(a, b, now, &stats);
	for (cursor = 0; !result && qe_next_queue(b, now, &cursor, &stats);)
		if (qe_queue_stats(a, now, stats.name, &stats) != QE_OK)
			result = "there is a queue too many";
	return result;
}
