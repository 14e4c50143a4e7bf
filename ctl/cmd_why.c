/* SPDX-License-Identifier: MIT
 * why: what a join, a get and a put at a queue wait for, in sentences. */
#include <config.h>

#include "ctl/ctl.h"
#include "ctl/out.h"
#include "ctl/who.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define HOLDERS 5   /* that are named */
#define LONG_MS 100 /* that a disk takes */

struct why {
	struct ctl *ctl;
	qb_table *queues, *waiters, *holders, *broker;
	unsigned row; /* of the queue */
	json_t *said; /* with --json */
};

static const struct argp argp = {
	.parser = args_queue_parser,
	.args_doc = "QUEUE",
	.doc = "Says in plain sentences what a join, a get and a put at QUEUE wait "
	       "for: "
	       "who holds what and since when, what is ready, delayed or dead, and who "
	       "waits.",
	.children = args_children,
};

/* --- saying ------------------------------------------------------------------------ */

static void say(struct why *why, const char *about, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void
say(struct why *why, const char *about, const char *format, ...)
{
	char sentence[2 * WHO_BYTES];
	int len = snprintf(sentence, sizeof(sentence), "%s: ", about);
	va_list args;

	va_start(args, format);
	vsnprintf(sentence + len, sizeof(sentence) - (size_t)len, format, args);
	va_end(args);
	if (why->said)
		json_array_append_new(why->said, json_pack("{s:s, s:s}", "about", about,
							   "text", sentence + len));
	else
		who_say(sentence);
}

static int64_t
count(const struct why *why, const char *name)
{
	return who_number(why->queues, why->row, name, 0);
}

/* "1 item is", "3 items are". */
static const char *
items_are(int64_t n, char buf[GRID_CELL])
{
	snprintf(buf, GRID_CELL, "%" PRId64 " item%s", n, n == 1 ? " is" : "s are");
	return buf;
}

static bool
waits_for_journal(const struct why *why, unsigned row)
{
	return strcmp(who_text(why->waiters, row, "waits_for", ""), "journal") == 0;
}

/* The first in the line of those who wait with this request at the queue, or -1. */
static int
first_waiter(const struct why *why, const char *request)
{
	for (unsigned i = 0; i < qb_table_rows(why->waiters); i++)
		if (strcmp(who_text(why->waiters, i, "request", ""), request) == 0 &&
		    !waits_for_journal(why, i))
			return (int)i;
	return -1;
}

/* "2 wait, the first for 3 s: worker (pid 1)" */
static const char *
who_waits(const struct why *why, const char *request, int64_t n, char buf[WHO_BYTES])
{
	int row = first_waiter(why, request);
	char name[WHO_BYTES], time[GRID_CELL], first[2 * GRID_CELL] = "1 waits";

	if (n == 0 || row < 0)
		return "none waits";
	if (n > 1)
		snprintf(first, sizeof(first), "%" PRId64 " wait, the first", n);
	snprintf(buf, WHO_BYTES, "%s for %s: %.300s", first,
		 grid_time(who_number(why->waiters, (unsigned)row, "since_ms", 0),
			   time),
		 who_name(why->waiters, (unsigned)row, name));
	return buf;
}

/* --- what is the matter -------------------------------------------------------------- */

static void
explain_state(struct why *why)
{
	int64_t paused = count(why, "paused"), dead = count(why, "dead");
	char text[GRID_CELL];

	switch (count(why, "shutdown")) {
	case 0: break;
	case 1:
		say(why, "queue",
		    "it is shut down: puts are refused, gets take what is left.");
		break;
	default:
		say(why, "queue",
		    "it is shut down: puts are refused, what comes back is dropped.");
	}
	if (paused)
		say(why, "queue", "it is paused for %s ('qbrokerctl resume').",
		    paused == 1	  ? "puts"
		    : paused == 2 ? "gets"
				  : "puts and gets");
	if (dead > 0)
		say(why, "queue", "%s dead; a join does not wait for that.",
		    items_are(dead, text));
}

static void
explain_holders(struct why *why)
{
	unsigned rows = qb_table_rows(why->holders);
	int64_t more = count(why, "leased");
	char sentence[WHO_BYTES], text[GRID_CELL];

	for (unsigned i = 0; i < rows && i < HOLDERS; i++, more--) {
		who_lease(why->holders, i, sentence);
		say(why, "held", "%s", sentence);
	}
	if (rows > HOLDERS && more > 0)
		say(why, "held", "%s held by others, or not for so long.",
		    items_are(more, text));
}

static void
explain_join(struct why *why)
{
	static const struct {
		const char *column, *word;
	} states[] = {{"ready", "ready"}, {"delayed", "delayed"}, {"leased", "held"}};
	int64_t unfinished = count(why, "unfinished");
	char line[WHO_BYTES], parts[128] = "", text[GRID_CELL];
	size_t len = 0;

	if (unfinished == 0) {
		say(why, "join", "no item is unfinished.");
		return;
	}
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
		if (count(why, states[i].column) > 0)
			len += (size_t)snprintf(parts + len, sizeof(parts) - len,
						"%s%" PRId64 " %s", len ? ", " : "",
						count(why, states[i].column),
						states[i].word);
	say(why, "join", "%s unfinished: %s; %s.", items_are(unfinished, text), parts,
	    who_waits(why, "join", count(why, "joiners"), line));
	if (count(why, "ready") > 0 && count(why, "leased") == 0 &&
	    !(count(why, "paused") & 2))
		say(why, "join",
		    "nobody asks for what is ready, and nobody holds an item.");
}

/* What keeps a get from being given an item. */
static void
describe_lack(const struct why *why, char buf[WHO_BYTES])
{
	int64_t ready = count(why, "ready"), delayed = count(why, "delayed");
	int64_t next_ms = who_number(why->queues, why->row, "next_ms", -1);
	int row = first_waiter(why, "get");
	char text[GRID_CELL], next[GRID_CELL];

	if (count(why, "paused") & 2)
		snprintf(buf, WHO_BYTES, "the queue is paused, %s ready",
			 items_are(ready, text));
	else if (ready > 0 && row >= 0)
		snprintf(buf, WHO_BYTES, "%s ready, %" PRId64 " are wanted at least",
			 items_are(ready, text),
			 who_number(why->waiters, (unsigned)row, "items", 1));
	else if (ready > 0)
		snprintf(buf, WHO_BYTES, "%s ready", items_are(ready, text));
	else if (delayed == 0)
		snprintf(buf, WHO_BYTES, "nothing is ready, and nothing is delayed");
	else if (next_ms < 0)
		snprintf(buf, WHO_BYTES, "nothing is ready, %s delayed",
			 items_are(delayed, text));
	else
		snprintf(buf, WHO_BYTES,
			 "nothing is ready, %s delayed, the next is ready in %s",
			 items_are(delayed, text), grid_time(next_ms, next));
}

static void
explain_get(struct why *why)
{
	char line[WHO_BYTES], lack[WHO_BYTES];

	describe_lack(why, lack);
	say(why, "get", "%s; %s.", lack,
	    who_waits(why, "get", count(why, "getters"), line));
}

/* Then a put into a durable queue is refused, and none waits. */
static bool
disk_is_full(const struct why *why)
{
	return strcmp(who_text(why->queues, why->row, "durable", "none"), "none") != 0 &&
	       strcmp(who_text(why->broker, 0, "journal", ""), "low") == 0;
}

/* Then one that may not wait is refused; who waits is told with the journal. */
static bool
journal_is_behind(const struct why *why)
{
	return strcmp(who_text(why->queues, why->row, "durable", "none"), "none") != 0 &&
	       who_text(why->broker, 0, "journal_wait", "")[0] != '\0';
}

/* What keeps a put from being accepted; "" if nothing does. */
static void
describe_bound(const struct why *why, char buf[WHO_BYTES])
{
	int64_t maxsize = count(why, "maxsize"), max_bytes = count(why, "max_bytes");
	int64_t size = count(why, "ready") + count(why, "delayed");
	int64_t limit = who_number(why->broker, 0, "memory_limit", 0);
	int row = first_waiter(why, "put");
	int64_t items =
		row >= 0 ? who_number(why->waiters, (unsigned)row, "items", 1) : 1;

	buf[0] = '\0';
	if (count(why, "paused") & 1)
		snprintf(buf, WHO_BYTES, "the queue is paused for puts");
	else if (count(why, "shutdown"))
		snprintf(buf, WHO_BYTES, "puts are refused after the shutdown");
	else if (disk_is_full(why))
		snprintf(buf, WHO_BYTES,
			 "the disk of state_dir has no room for it: NOSPACE");
	else if (maxsize > 0 && size >= maxsize)
		snprintf(buf, WHO_BYTES, "maxsize %" PRId64 " is reached", maxsize);
	else if (maxsize > 0 && size + items > maxsize)
		snprintf(buf, WHO_BYTES,
			 "the first wants to put %" PRId64 " items at once, and there "
			 "is room for %" PRId64,
			 items, maxsize - size);
	else if (max_bytes > 0 && (row >= 0 || count(why, "bytes") >= max_bytes))
		snprintf(buf, WHO_BYTES,
			 "%" PRId64 " of max_bytes %" PRId64 " are used",
			 count(why, "bytes"), max_bytes);
	else if (row >= 0 && limit > 0)
		snprintf(buf, WHO_BYTES,
			 "the broker uses %" PRId64
			 " bytes of its memory_limit %" PRId64,
			 who_number(why->broker, 0, "memory", 0), limit);
	else if (journal_is_behind(why))
		snprintf(buf, WHO_BYTES,
			 "the journal has to be cleaned first: FULL without a timeout");
}

static void
explain_put(struct why *why)
{
	bool held_up = !count(why, "paused") && !count(why, "shutdown") &&
		       !disk_is_full(why) && !journal_is_behind(why);
	char line[WHO_BYTES], bound[WHO_BYTES];

	describe_bound(why, bound);
	if (bound[0] == '\0')
		say(why, "put", "there is room; %s.",
		    who_waits(why, "put", count(why, "putters"), line));
	else
		say(why, "put", "%s%s; %s.", bound,
		    held_up && count(why, "getters") == 0 ? " and no get waits" : "",
		    who_waits(why, "put", count(why, "putters"), line));
}

/* Whatever they ask, at whatever place in their lines: the one that has waited longest. */
static void
explain_journal(struct why *why)
{
	unsigned rows = qb_table_rows(why->waiters), n = 0;
	char name[WHO_BYTES], time[GRID_CELL];
	int64_t longest = 0, since;
	unsigned row = 0;

	for (unsigned i = 0; i < rows; i++) {
		if (!waits_for_journal(why, i))
			continue;
		since = who_number(why->waiters, i, "since_ms", 0);
		if (n++ == 0 || since > longest) {
			longest = since;
			row = i;
		}
	}
	if (n > 0)
		say(why, "journal",
		    "%u request%s until it has been cleaned, %sfor %s: %s by %s.", n,
		    n == 1 ? " waits" : "s wait", n == 1 ? "" : "one ",
		    grid_time(longest, time),
		    who_text(why->waiters, row, "request", "request"),
		    who_name(why->waiters, row, name));
}

/* What has been done, and nobody is told of it before it is kept. */
static void
explain_disk(struct why *why)
{
	int64_t wait_ms = who_number(why->broker, 0, "disk_wait_ms", 0);
	char time[GRID_CELL];

	if (wait_ms >= LONG_MS &&
	    strcmp(who_text(why->queues, why->row, "durable", "none"), "none") != 0)
		say(why, "disk",
		    "answers about durable queues have waited for it for %s "
		    "('qbrokerctl waiters' says whose).",
		    grid_time(wait_ms, time));
}

/* Who does not read is not served: also one that holds an item, or should finish it. */
static void
explain_readers(struct why *why)
{
	int64_t wait_ms = who_number(why->broker, 0, "reader_wait_ms", 0);
	char time[GRID_CELL];

	if (wait_ms >= LONG_MS)
		say(why, "reader",
		    "a client has not read its answers for %s, and what it asks is not "
		    "looked at before it does ('qbrokerctl waiters' says who).",
		    grid_time(wait_ms, time));
}

/* --- the command --------------------------------------------------------------------- */

/* Of all queues: to be told of one alone is to be told of what is kept, and may take as long as the
 * disk does. One that has gone meanwhile is empty. */
static qb_result
ask(struct why *why)
{
	qb *q = why->ctl->q;
	const char *queue = why->ctl->queue;
	qb_result result;

	if ((result = qb_waiters(q, queue, &why->waiters)) ||
	    (result = qb_holders(q, queue, &why->holders)) ||
	    (result = qb_stats(q, &why->broker)) ||
	    (result = qb_queues(q, NULL, &why->queues)))
		return result;
	while (why->row < qb_table_rows(why->queues) &&
	       strcmp(who_text(why->queues, why->row, "queue", ""), queue) != 0)
		why->row++;
	return QB_OK;
}

static int
explain(struct why *why)
{
	if (why->ctl->json)
		why->said = json_array();
	explain_state(why);
	explain_join(why);
	explain_holders(why);
	explain_get(why);
	explain_put(why);
	explain_journal(why);
	explain_disk(why);
	explain_readers(why);
	return why->said ? out_json(why->said) : CTL_DONE;
}

int
cmd_why(struct ctl *ctl, int argc, char **argv)
{
	struct why why = {.ctl = ctl};
	qb_result result;
	int status;

	args_parse(&argp, argc, argv, ctl);
	status = ctl_connect(ctl);
	if (status)
		return status;
	result = ask(&why);
	status = result == QB_OK ? explain(&why) : ctl_result(ctl, result);
	qb_table_free(why.queues);
	qb_table_free(why.waiters);
	qb_table_free(why.holders);
	qb_table_free(why.broker);
	return status;
}
