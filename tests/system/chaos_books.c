/* SPDX-License-Identifier: MIT
 * The books of the chaos test: what all processes have seen, item by item and join by
 * join. */
#include <config.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/run.h"
#include "tests/system/chaos.h"

/* The time during which an item is known to be unfinished: from when its put was
 * confirmed until somebody began to finish it. */
struct span {
	int64_t begin, end;
	unsigned line; /* that is joined: see line_of() */
};

static struct chaos_event *events;
static unsigned n_events;
static struct span *spans;
static unsigned n_spans;
static struct chaos_sums sums;

#define CHECK_ITEM(condition, stamp, text)                                          \
	ck_assert_msg(condition, "item %u of process %u: " text, (unsigned)(stamp), \
		      (unsigned)((stamp) >> 32))

static void
read_events(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(st.st_size % (off_t)sizeof(*events), 0);
	n_events = (unsigned)(st.st_size / (off_t)sizeof(*events));
	events = malloc((size_t)st.st_size + 1);
	spans = calloc(2 * (size_t)n_events + 1, sizeof(*spans));
	ck_assert_ptr_nonnull(events);
	ck_assert_ptr_nonnull(spans);
	for (off_t done = 0; done < st.st_size;) {
		ssize_t n =
			read(fd, (char *)events + done, (size_t)(st.st_size - done));

		ck_assert_int_gt(n, 0);
		done += n;
	}
	for (unsigned i = 0; i < n_events; i++)
		events[i].order = i;
	close(fd);
}

static bool
is_of_an_item(const struct chaos_event *e)
{
	return e->kind < JOIN_BEGIN;
}

/* Items first, each with its events in their order. */
static int
compare_events(const void *a, const void *b)
{
	const struct chaos_event *x = a, *y = b;

	if (is_of_an_item(x) != is_of_an_item(y))
		return is_of_an_item(x) ? -1 : 1;
	if (is_of_an_item(x) && x->stamp != y->stamp)
		return x->stamp < y->stamp ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

/* --- one item -------------------------------------------------------------------- */

struct item {
	uint64_t stamp, id;
	const struct chaos_event *put;	    /* its end; NULL: unknown */
	const struct chaos_event *finished; /* confirmed */
	int64_t first_end_ns; /* of acks and burials, one may have ended it */
	uint32_t deliveries;
	unsigned queue;
	unsigned got, maybe; /* maybe: acks of which nobody knows what became */
	bool dead;
};

static void
add_got(struct item *it, const struct chaos_event *e)
{
	CHECK_ITEM(it->id == 0 || it->id == e->id, it->stamp, "is there twice");
	it->id = e->id;
	it->got++;
	if (e->delivery > it->deliveries)
		it->deliveries = e->delivery;
}

static void
add_end(struct item *it, const struct chaos_event *e)
{
	if (it->first_end_ns == 0 || e->at_ns < it->first_end_ns)
		it->first_end_ns = e->at_ns;
}

static void
add_ack_end(struct item *it, const struct chaos_event *e)
{
	if (e->result != CHAOS_UNKNOWN)
		it->maybe--;
	if (e->result == QB_OK) {
		CHECK_ITEM(!it->finished, it->stamp, "was finished twice");
		it->finished = e;
	}
}

static void
add_dead(struct item *it, const struct chaos_event *e)
{
	CHECK_ITEM(it->id == 0 || it->id == e->id, it->stamp, "is dead twice");
	CHECK_ITEM(!it->finished, it->stamp, "was finished and is dead");
	it->id = e->id;
	it->dead = true;
}

static void
add_event(struct item *it, const struct chaos_event *e)
{
	it->queue = e->queue;
	switch ((enum chaos_event_kind)e->kind) {
	case PUT_END:
		it->put = e;
		CHECK_ITEM(!e->id || !it->id || it->id == e->id, it->stamp,
			   "has another id than its producer was told");
		it->id = e->id ? e->id : it->id;
		break;
	case GOT: add_got(it, e); break;
	case ACK_BEGIN:
		it->maybe++;
		add_end(it, e);
		break;
	case ACK_END: add_ack_end(it, e); break;
	case BURY_BEGIN: add_end(it, e); break;
	case IS_DEAD: add_dead(it, e); break;
	case PUT_BEGIN:
	case JOIN_BEGIN:
	case JOIN_END: break;
	}
}

/* No delivery may have been given to two workers, nor one after the item was finished. */
static void
check_deliveries(const struct item *it, const struct chaos_event *e, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = i + 1; e[i].kind == GOT && k < n; k++)
			CHECK_ITEM(e[k].kind != GOT || e[k].delivery != e[i].delivery,
				   it->stamp, "was given to two workers at once");
	if (it->finished)
		CHECK_ITEM(it->finished->delivery == it->deliveries, it->stamp,
			   "was given to another after it had been finished");
}

/* A queue as a whole, or a group of it. */
static unsigned
line_of(unsigned queue, unsigned group)
{
	return queue * (1 + CHAOS_GROUPS) + group;
}

/* Whether it was unfinished all the time until somebody began to end it. */
static bool
has_span(const struct item *it)
{
	if (!it->put || it->put->result != QB_OK || it->put->at_ns >= it->first_end_ns)
		return false;
	if (it->queue == CHAOS_FRAGILE)
		return it->finished &&
		       it->finished->delivery <= CHAOS_ATTEMPTS_SURVIVED;
	return it->queue < CHAOS_MANUAL;
}

static void
add_spans(const struct item *it)
{
	struct span span = {it->put->at_ns, it->first_end_ns,
			    line_of(it->put->queue, 0)};

	spans[n_spans++] = span;
	span.line = line_of(it->put->queue, it->put->group);
	if (it->put->group > 0)
		spans[n_spans++] = span;
}

/* Of those that are finished without their workers the driver counts how many are lost. */
static void
check_fate(const struct item *it)
{
	bool there = it->got > 0 || it->dead;

	if (it->put && it->put->result != QB_OK)
		CHECK_ITEM(!there, it->stamp, "was refused and is there");
	if (it->queue >= CHAOS_MANUAL)
		return;
	if (it->put && it->put->result == QB_OK)
		CHECK_ITEM(there, it->stamp, "is lost: nobody got it");
	if (there)
		CHECK_ITEM(it->finished || it->maybe > 0 || it->dead, it->stamp,
			   "is lost: nobody finished it");
}

static void
check_item(const struct item *it)
{
	bool confirmed = it->put && it->put->result == QB_OK;
	bool unknown = !it->put;

	check_fate(it);
	sums.confirmed += confirmed;
	sums.unknown += unknown;
	sums.refused += !confirmed && !unknown;
	sums.got += it->got > 0;
	sums.again += it->got > 1;
	sums.finished += it->finished != NULL;
	sums.dead += it->dead;
	sums.there[it->queue] += it->got > 0 || it->dead;
	if (has_span(it))
		add_spans(it);
}

static unsigned
check_items(void)
{
	unsigned i = 0;

	while (i < n_events && is_of_an_item(&events[i])) {
		struct item it = {.stamp = events[i].stamp};
		unsigned first = i;

		for (; i < n_events && is_of_an_item(&events[i]) &&
		       events[i].stamp == it.stamp;
		     i++)
			add_event(&it, &events[i]);
		check_deliveries(&it, &events[first], i - first);
		check_item(&it);
	}
	return i;
}

/* --- joins ----------------------------------------------------------------------- */

static int
compare_spans(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->begin < y->begin ? -1 : x->begin > y->begin;
}

/* Makes one span of those that overlap. */
static void
merge_spans(void)
{
	unsigned n = 0;

	qsort(spans, n_spans, sizeof(*spans), compare_spans);
	for (unsigned i = 0; i < n_spans; i++) {
		struct span *last = n > 0 ? &spans[n - 1] : NULL;

		if (last && last->line == spans[i].line && spans[i].begin <= last->end)
			last->end = spans[i].end > last->end ? spans[i].end : last->end;
		else
			spans[n++] = spans[i];
	}
	n_spans = n;
}

/* The last span of a line that began before. */
static const struct span *
span_before(unsigned line, int64_t begin)
{
	struct span key = {.begin = begin, .line = line};
	unsigned low = 0, high = n_spans;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (compare_spans(&spans[middle], &key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && spans[low - 1].line == line ? &spans[low - 1] : NULL;
}

/* Between its beginning and its end there must have been a moment without unfinished
 * items. */
static void
check_join(const struct chaos_event *e)
{
	const struct span *span =
		span_before(line_of(e->queue, e->group), (int64_t)e->stamp);

	ck_assert_msg(!span || span->end <= e->at_ns,
		      "a join of process %u ended while items were unfinished",
		      e->life);
	sums.joins++;
}

static void
check_joins(unsigned first)
{
	merge_spans();
	for (unsigned i = first; i < n_events; i++)
		if (events[i].kind == JOIN_END && events[i].result == QB_OK)
			check_join(&events[i]);
}

struct chaos_sums
chaos_check(const char *path)
{
	sums = (struct chaos_sums){0};
	n_spans = 0;
	read_events(path);
	qsort(events, n_events, sizeof(*events), compare_events);
	check_joins(check_items());
	free(events);
	free(spans);
	return sums;
}
