/* SPDX-License-Identifier: MIT
 * top: the queues by what happens in them, drawn again and again. */
#include <config.h>

#include "ctl/ctl.h"
#include "ctl/out.h"
#include "ctl/rates.h"
#include "ctl/screen.h"

#include <inttypes.h>
#include <unistd.h>

#define FIRST_MS 100 /* until there are two samples, the screen is of no use */

struct top {
	struct ctl *ctl;
	int64_t interval_ms;
	bool once;
	bool narrow;
	struct rates rates;
};

enum { NAME, PUTS, GETS, READY, LEASED, GETTERS, PUTTERS, COLUMNS };

static const char *const titles[COLUMNS] = {
	[NAME] = "QUEUE",      [PUTS] = "PUT/S",    [GETS] = "GET/S",
	[READY] = "READY",     [LEASED] = "LEASED", [GETTERS] = "GETTERS",
	[PUTTERS] = "PUTTERS",
};

static const struct argp_option options[] = {
	{"interval", 'i', "SECONDS", 0, "Draw so often (default 1)", 0},
	{"once", '1', NULL, 0, "Print one table after one interval", 0},
	{0},
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct top *top = state->input;

	switch (key) {
	case 'i':
		top->interval_ms = args_seconds(state, "--interval", arg);
		if (top->interval_ms < 1 || top->interval_ms > 3600000)
			argp_error(state, "--interval: '%s' is not from 0.001 to 3600",
				   arg);
		return 0;
	case '1': top->once = true; return 0;
	default: return args_none(key, arg, state, top->ctl);
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Shows the queues in which most happens: items put and got in a second, "
	       "items ready and leased, gets and puts that wait. q ends it. When the "
	       "input or output is no terminal, or with --json, --once is meant.",
	.children = args_children,
};

static const char *
cell(const void *arg, unsigned row, unsigned column, char buf[GRID_CELL])
{
	const struct top *top = arg;
	const struct rate *rate = &top->rates.rows[row];
	const int64_t numbers[COLUMNS] = {
		[PUTS] = (int64_t)(rate->puts + 0.5),
		[GETS] = (int64_t)(rate->gets + 0.5),
		[READY] = rate->ready,
		[LEASED] = rate->leased,
		[GETTERS] = rate->getters,
		[PUTTERS] = rate->putters,
	};

	if (column == NAME)
		return rate->queue;
	return grid_number(numbers[column], top->narrow, buf);
}

static void
print_table(struct top *top, unsigned width, unsigned rows, const char *end)
{
	const struct rates *rates = &top->rates;
	struct grid grid = {
		.titles = titles,
		.columns = COLUMNS,
		.rows = rates->n < rows ? rates->n : rows,
		.width = width,
		.cell = cell,
		.arg = top,
	};
	char puts[GRID_CELL], gets[GRID_CELL], line[256];

	top->narrow = width > 0;
	snprintf(line, sizeof(line),
		 "%s  up %" PRId64 " s  queues %u  clients %" PRId64
		 "  put/s %s  get/s %s",
		 qb_server(top->ctl->q), rates->uptime_ms / 1000, rates->n,
		 rates->connections,
		 grid_number((int64_t)(rates->puts + 0.5), true, puts),
		 grid_number((int64_t)(rates->gets + 0.5), true, gets));
	printf("%.*s%s%s", width > 0 ? (int)width : -1, line, end, end);
	grid_print(stdout, &grid, end);
}

static int
print_json(const struct top *top)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < top->rates.n; i++) {
		const struct rate *rate = &top->rates.rows[i];
		json_t *row = json_pack("{s:s, s:f, s:f, s:I, s:I, s:I, s:I}", "queue",
					rate->queue, "put_rate", rate->puts, "get_rate",
					rate->gets, "ready", (json_int_t)rate->ready,
					"leased", (json_int_t)rate->leased, "getters",
					(json_int_t)rate->getters, "putters",
					(json_int_t)rate->putters);

		json_array_append_new(array, row);
	}
	return out_json(array);
}

static int
top_once(struct top *top)
{
	qb_result result = rates_sample(&top->rates, top->ctl->q);
	unsigned width = 0, lines;

	if (result == QB_OK) {
		stop_poll(NULL, 0, top->interval_ms);
		result = rates_sample(&top->rates, top->ctl->q);
	}
	if (result != QB_OK)
		return ctl_result(top->ctl, result);
	if (top->ctl->json)
		return print_json(top);
	grid_terminal(STDOUT_FILENO, &width, &lines);
	print_table(top, width, UINT32_MAX, "\n");
	return CTL_DONE;
}

/* A lost broker is waited for: the next sample connects again. */
static int
top_live(struct top *top)
{
	unsigned width = 80, lines = 24;
	qb_result result;

	do {
		result = rates_sample(&top->rates, top->ctl->q);
		grid_terminal(STDOUT_FILENO, &width, &lines);
		screen_begin();
		if (result == QB_OK)
			print_table(top, width, lines > 4 ? lines - 4 : 0, SCREEN_EOL);
		else
			printf("%.*s" SCREEN_EOL "(trying again; q ends)" SCREEN_EOL,
			       (int)width, qb_error(top->ctl->q));
		screen_end();
	} while (screen_wait(top->rates.samples == 1 ? FIRST_MS : top->interval_ms));
	return CTL_DONE;
}

int
cmd_top(struct ctl *ctl, int argc, char **argv)
{
	struct top top = {.ctl = ctl, .interval_ms = 1000};
	int status;

	args_parse(&argp, argc, argv, &top);
	status = ctl_connect(ctl);
	if (status)
		return status;
	if (top.once || ctl->json || !screen_open()) {
		status = top_once(&top);
	} else {
		status = top_live(&top);
		screen_close();
	}
	rates_done(&top.rates);
	return status;
}
