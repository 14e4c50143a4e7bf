/* SPDX-License-Identifier: MIT
 * dead: look at the items that were given up, and decide what becomes of them. */
#include <config.h>

#include "ctl/ctl.h"
#include "ctl/out.h"
#include "ctl/view.h"
#include "ctl/who.h"

#include <inttypes.h>
#include <string.h>

struct dead {
	struct ctl *ctl;
	const struct verb *verb;
	uint64_t id; /* 0: all */
};

struct verb {
	const char *name;
	int (*run)(const struct dead *dead);
	bool needs_id, takes_id;
};

/* --- show -------------------------------------------------------------------------- */

/* A text in its column, lines below each other; nothing in it that a terminal would obey. */
static void
print_text(const char *name, const char *text)
{
	printf("%-12s", name);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '\n')
			printf("\n%-12s", "");
		else
			putchar((c < 0x20 && c != '\t') || c == 0x7f ? '?' : c);
	}
	putchar('\n');
}

static void
print_number(const char *name, uint64_t number)
{
	printf("%-12s%" PRIu64 "\n", name, number);
}

static void
print_seconds(const char *name, int64_t ms)
{
	printf("%-12s%.1f s\n", name, (double)ms / 1000.0);
}

static void
print_shown(const qb_item *item)
{
	print_number("id", qb_item_id(item));
	print_text("state", qb_item_reason(item) ? "dead" : "leased");
	if (qb_item_reason(item)) {
		print_text("reason", qb_item_reason(item));
		print_seconds("dead", qb_item_dead(item));
	}
	print_seconds("age", qb_item_age(item));
	print_number("deliveries", qb_item_deliveries(item));
	print_number("crashes", qb_item_crashes(item));
	print_number("nacks", qb_item_nacks(item));
	print_number("timeouts", qb_item_timeouts(item));
	if (qb_item_group(item))
		print_text("group", qb_item_group(item));
	if (qb_item_worker(item))
		print_text("worker", qb_item_worker(item));
	if (qb_item_error(item))
		print_text("error", qb_item_error(item));
	print_number("size", qb_item_size(item));
	putchar('\n');
	fflush(stdout); /* the body goes past stdio */
}

static int
run_show(const struct dead *dead)
{
	struct ctl *ctl = dead->ctl;
	qb_item *item;
	qb_result result = qb_show(ctl->q, ctl->queue, dead->id, &item);
	unsigned written;
	int error;

	if (result != QB_OK)
		return ctl_result(ctl, result);
	if (!ctl->json)
		print_shown(item);
	error = items_write(&item, 1, ctl->json ? ITEMS_JSON : ITEMS_LINES, &written);
	qb_item_free(item);
	return error ? ctl_error(ctl, "standard output: %s", strerror(error))
		     : CTL_DONE;
}

/* --- ls ---------------------------------------------------------------------------- */

static const struct view view = {
	"dead",
	{{"ID", "id", NUMBER},
	 {"REASON", "reason", TEXT},
	 {"DEAD", "dead_ms", TIME},
	 {"AGE", "age_ms", TIME},
	 {"CRASHES", "crashes", NUMBER},
	 {"NACKS", "nacks", NUMBER},
	 {"TIMEOUTS", "timeouts", NUMBER},
	 {"SIZE", "size", NUMBER},
	 {"WORKER", "worker", TEXT},
	 {"ERROR", "error", TEXT}},
};

static int
run_ls(const struct dead *dead)
{
	return view_print(dead->ctl, &view, 0, UINT64_MAX);
}

/* --- kick, purge ------------------------------------------------------------------- */

/* Those that die while they are kicked stay. */
static qb_result
kick_all(const struct ctl *ctl, uint64_t *ret_count)
{
	uint64_t left, n = 1;
	qb_result result = ctl_count(ctl, "dead", &left);

	*ret_count = 0;
	while (result == QB_OK && left > 0 && n > 0) {
		result = qb_kick(ctl->q, ctl->queue, 0,
				 left < QB_MAX_BATCH ? (unsigned)left : QB_MAX_BATCH,
				 &n);
		if (result != QB_OK)
			break;
		*ret_count += n;
		left -= n;
	}
	return result;
}

static int
run_kick(const struct dead *dead)
{
	struct ctl *ctl = dead->ctl;
	uint64_t count;
	qb_result result = dead->id ? qb_kick(ctl->q, ctl->queue, dead->id, 1, &count)
				    : kick_all(ctl, &count);

	return result == QB_OK ? out_count(ctl, "kicked", count)
			       : ctl_result(ctl, result);
}

static int
run_purge(const struct dead *dead)
{
	struct ctl *ctl = dead->ctl;
	uint64_t count;
	qb_result result = qb_dead_purge(ctl->q, ctl->queue, dead->id, &count);

	return result == QB_OK ? out_count(ctl, "purged", count)
			       : ctl_result(ctl, result);
}

/* --- the command ------------------------------------------------------------------- */

static const struct verb verbs[] = {
	{"ls", run_ls, false, false},
	{"show", run_show, true, true},
	{"kick", run_kick, false, true},
	{"purge", run_purge, false, true},
};

static void
take_verb(struct dead *dead, const char *name, struct argp_state *state)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, name) == 0)
			dead->verb = &verbs[i];
	if (!dead->verb)
		argp_error(state, "'%s' is neither ls, show, kick nor purge", name);
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct dead *dead = state->input;

	if (key == ARGP_KEY_ARG && state->arg_num == 0) {
		take_verb(dead, arg, state);
		return 0;
	}
	if (key == ARGP_KEY_ARG && state->arg_num == 1) {
		dead->ctl->queue = arg;
		return 0;
	}
	if (key == ARGP_KEY_ARG && state->arg_num == 2 && dead->verb->takes_id) {
		dead->id = args_number(state, "ID", arg, INT64_MAX);
		if (dead->id == 0)
			argp_error(state, "ID: it is from 1 on");
		return 0;
	}
	if (key == ARGP_KEY_END && !dead->verb)
		argp_error(state, "ls, show, kick or purge?");
	if (key == ARGP_KEY_END && !dead->ctl->queue)
		argp_error(state, "which QUEUE?");
	if (key == ARGP_KEY_END && dead->verb->needs_id && dead->id == 0)
		argp_error(state, "which ID?");
	return args_none(key, arg, state, dead->ctl);
}

static const struct argp argp = {
	.parser = parse,
	.args_doc = "ls QUEUE\nshow QUEUE ID\nkick QUEUE [ID]\npurge QUEUE [ID]",
	.doc = "Looks after the items of QUEUE that were given up: they failed too "
	       "often, were buried, or expired and were to be kept. 'ls' lists "
	       "them, 'show' prints one, and what is known of its end; 'kick' has one "
	       "or all of them "
	       "ready again, as if nobody had tried; 'purge' drops one or all. These "
	       "print how many they were.",
	.children = args_children,
};

int
cmd_dead(struct ctl *ctl, int argc, char **argv)
{
	struct dead dead = {.ctl = ctl};
	int status;

	args_parse(&argp, argc, argv, &dead);
	status = ctl_connect(ctl);
	return status ? status : dead.verb->run(&dead);
}
