/* SPDX-License-Identifier: MIT
 * watch: what happens in the broker, one line for each event, as it comes. */
#include <config.h>

#include "ctl/ctl.h"
#include "ctl/out.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#define AGAIN_MS 1000 /* between attempts to find the broker again */

struct watch {
	struct ctl *ctl;
	int failed; /* an exit status: the output */
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	return args_any_queue(key, arg, state, state->input);
}

static const struct argp argp = {
	.parser = parse,
	.args_doc = "[QUEUE]",
	.doc = "Prints what happens at QUEUE, or at all queues and to the clients, a "
	       "line for each event: items that come back from a dead or slow worker, "
	       "queues that are full, shut down or paused, joins that stalled, "
	       "connections that are lost. Goes on until a signal ends it.",
	.children = args_children,
};

/* What an event means; %s is whose it is, with the item. */
static const struct {
	const char *name, *text;
} texts[] = {
	{"crashed", "%s is back: its holder died"},
	{"timed_out", "%s is back: its lease ran out"},
	{"dead", "%s is dead"},
	{"full", "%s is full: a put waits"},
	{"stalled", "%s: a join gave up, nobody works"},
	{"shutdown", "%s was shut down"},
	{"reopened", "%s was reopened"},
	{"paused", "%s was paused"},
	{"resumed", "%s goes on"},
	{"client_lost", "%s: its connection is lost, the broker waits for it"},
	{"client_resumed", "%s: its connection is back"},
	{"client_died", "%s has died"},
};

static void
print_clock(int64_t at_ms)
{
	time_t seconds = (time_t)(at_ms / 1000);
	struct tm tm;
	char text[32];

	if (at_ms == 0 || !localtime_r(&seconds, &tm)) {
		printf("%-12s  ", "-");
		return;
	}
	strftime(text, sizeof(text), "%H:%M:%S", &tm);
	printf("%s.%03d  ", text, (int)(at_ms % 1000));
}

/* Names come from others: nothing that a terminal would obey is in them, the broker sees to
 * that. */
static void
print_text(const qb_event *event)
{
	const char *queue = qb_event_queue(event), *client = qb_event_client(event);
	const char *worker = qb_event_worker(event), *format = "%s";
	char whose[640] = "";

	if (client || qb_event_pid(event))
		snprintf(whose, sizeof(whose), "%s (pid %" PRIu64 ")",
			 client ? client : "a client", qb_event_pid(event));
	else if (queue && qb_event_id(event))
		snprintf(whose, sizeof(whose), "%s: item %" PRIu64, queue,
			 qb_event_id(event));
	else if (queue)
		snprintf(whose, sizeof(whose), "%s", queue);
	else if (qb_event_count(event))
		snprintf(whose, sizeof(whose), "%" PRIu64 " events were lost",
			 qb_event_count(event));
	else
		snprintf(whose, sizeof(whose), "events may have been lost");
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (strcmp(texts[i].name, qb_event_name(event)) == 0)
			format = texts[i].text;
	print_clock(qb_event_at(event));
	printf("%-14s  %.*s%s%s%s%s\n", qb_event_name(event),
	       (int)(strstr(format, "%s") - format), format, whose,
	       strstr(format, "%s") + 2, worker ? "; last holder: " : "",
	       worker ? worker : "");
}

static int
print_json(const qb_event *event)
{
	json_t *object = json_pack("{s:s, s:I}", "event", qb_event_name(event), "at_ms",
				   (json_int_t)qb_event_at(event));
	const struct {
		const char *name, *text;
		uint64_t number;
	} values[] = {
		{"queue", qb_event_queue(event), 0},
		{"id", NULL, qb_event_id(event)},
		{"deliveries", NULL, qb_event_deliveries(event)},
		{"worker", qb_event_worker(event), 0},
		{"client", qb_event_client(event), 0},
		{"pid", NULL, qb_event_pid(event)},
		{"count", NULL, qb_event_count(event)},
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		if (values[i].text)
			json_object_set_new(object, values[i].name,
					    json_string(values[i].text));
		else if (values[i].number)
			json_object_set_new(object, values[i].name,
					    json_integer((json_int_t)values[i].number));
	}
	return out_json(object);
}

static void
print(qb *q, const qb_event *event, void *arg)
{
	struct watch *watch = arg;

	if (watch->failed)
		return;
	if (watch->ctl->json)
		watch->failed = print_json(event);
	else
		print_text(event);
	if (!watch->failed)
		watch->failed = out_flush(watch->ctl->json);
}

/* A lost broker is waited for. */
static qb_result
find_again(struct watch *watch)
{
	qb_result result = QB_LOST;

	ctl_result_note(watch->ctl, QB_LOST, "; trying again");
	while (result != QB_OK && !stop_signal()) {
		stop_poll(NULL, 0, AGAIN_MS);
		if (!stop_signal())
			result = qb_ping(watch->ctl->q);
	}
	return result;
}

static int
watch_on(struct watch *watch)
{
	qb *q = watch->ctl->q;
	qb_result result = QB_OK;

	while (!stop_signal() && !watch->failed) {
		struct pollfd fd = {.fd = qb_fd(q), .events = qb_events(q)};

		if (fd.fd >= 0 && stop_poll(&fd, 1, -1) < 0 && errno == EINTR)
			continue;
		result = qb_process(q);
		if (result == QB_LOST)
			result = find_again(watch);
		if (result != QB_OK && !stop_signal())
			return ctl_result(watch->ctl, result);
	}
	return watch->failed ? watch->failed : CTL_STOPPED;
}

int
cmd_watch(struct ctl *ctl, int argc, char **argv)
{
	struct watch watch = {.ctl = ctl};
	qb_result result;
	int status;

	args_parse(&argp, argc, argv, ctl);
	status = ctl_connect(ctl);
	if (status)
		return status;
	stop_catch();
	result = qb_watch(ctl->q, ctl->queue, print, &watch);
	return result == QB_OK ? watch_on(&watch) : ctl_result(ctl, result);
}
