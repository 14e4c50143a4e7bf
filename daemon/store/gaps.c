/* SPDX-License-Identifier: MIT
 *
 * See gaps.h.
 */
#include "daemon/store/gaps.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/store/segment.h"

#define TEXT 256

static const char *const reasons[] = {
	[GAP_TAIL] = "nothing there is whole",
	[GAP_NOT_WHOLE] = "it is not whole",
	[GAP_UNREADABLE] = "it cannot be read",
	[GAP_HEADER] = "the segment's header is not whole",
	[GAP_FOREIGN] = "the segment is of another journal",
	[GAP_VERSION] = "the segment has another version of the format",
	[GAP_TWICE] = "the segment is there twice",
};

void
gaps_add(struct gaps *g, enum gap_kind kind, uint64_t segment, uint64_t offset,
	 uint64_t len)
{
	if (g->n == g->cap) {
		size_t cap = g->cap ? 2 * g->cap : 16;
		struct gap *grown = realloc(g->open, cap * sizeof(*grown));

		g->out_of_memory |= !grown;
		if (!grown)
			return;
		g->open = grown;
		g->cap = cap;
	}
	g->open[g->n++] = (struct gap){kind, segment, offset, len};
}

static void
say_missing(const struct gaps *g, const struct gap *gap, const char *records)
{
	char name[SEGMENT_NAME], last[SEGMENT_NAME], text[TEXT];

	segment_name(gap->segment, name);
	segment_name(gap->segment + gap->len - 1, last);
	if (gap->len == 1)
		snprintf(text, sizeof(text), "%s, %s: the segment is missing", name,
			 records);
	else
		snprintf(text, sizeof(text), "%s to %s, %s: the segments are missing",
			 name, last, records);
	g->say(g->arg, text);
}

/* All that are open, and says which records were there. */
static void
say(struct gaps *g, const char *records)
{
	char name[SEGMENT_NAME], text[TEXT];

	for (size_t i = 0; g->say && i < g->n; i++) {
		const struct gap *gap = &g->open[i];

		if (gap->kind == GAP_MISSING) {
			say_missing(g, gap, records);
			continue;
		}
		segment_name(gap->segment, name);
		snprintf(text, sizeof(text),
			 "%s, offset %" PRIu64 ", %" PRIu64 " bytes, %s: %s", name,
			 gap->offset, gap->len, records, reasons[gap->kind]);
		g->say(g->arg, text);
	}
	g->n = 0;
}

void
gaps_end(struct gaps *g, uint64_t before, uint64_t seq)
{
	char records[64] = "no record";

	if (g->n == 0 && seq == before + 1)
		return;
	if (seq == before + 2)
		snprintf(records, sizeof(records), "record %" PRIu64, seq - 1);
	else if (before == 0 && seq > 1)
		snprintf(records, sizeof(records), "records up to %" PRIu64, seq - 1);
	else if (seq > before + 2)
		snprintf(records, sizeof(records), "records %" PRIu64 " to %" PRIu64,
			 before + 1, seq - 1);
	g->lost |= seq > before + 1;
	say(g, records);
}

void
gaps_finish(struct gaps *g, uint64_t before)
{
	char records[64];
	bool damaged = false;

	for (size_t i = 0; i < g->n; i++)
		damaged |= g->open[i].kind != GAP_TAIL;
	snprintf(records, sizeof(records), "records from %" PRIu64 " on", before + 1);
	g->lost |= damaged;
	if (damaged)
		say(g, records);
	g->n = 0;
}
