/* SPDX-License-Identifier: MIT
 * get: print items. They come many at once, and each is finished when its last byte has
 * been written: what could not be written goes back to the broker. */
#include <config.h>

#include "ctl/get.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const struct argp_option options[] = {
	{"count", 'n', "NUMBER", 0, "Get so many items (default 1); 0: until stopped",
	 0},
	{"timeout", 't', "SECONDS", 0,
	 "Wait at most so long for each item; 0: do not wait", 0},
	{"ack", 'a', "MODE", 0,
	 "auto (default): an item is finished when it is printed; none: when the "
	 "broker "
	 "sends it",
	 0},
	{"lease", 'l', "SECONDS", 0,
	 "An item that is not finished after so long goes back to its place; 0: it "
	 "does "
	 "not, whatever the queue says",
	 0},
	{"also", 'A', "QUEUE", 0,
	 "Get from QUEUE as well, when those before it have nothing; may be repeated",
	 0},
	{"round-robin", 'R', NULL, 0, "Let the queues take turns instead", 0},
	{"raw", 'r', NULL, 0, "Print no newline behind the items", 0},
	{"exec", 'e', "COMMAND...", 0,
	 "Run COMMAND, with all arguments that follow, for each item", 0},
	{0},
};

/* Adds a queue behind the first one, which is set at last. */
static void
also(struct receive *receive, const char *queue, const struct argp_state *state)
{
	if (receive->n_queues == RECEIVE_QUEUES)
		argp_error(state, "--also: more than %d queues", RECEIVE_QUEUES);
	receive->queues[receive->n_queues++] = queue;
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct get *get = state->input;
	int64_t lease_ms;

	switch (key) {
	case 'n': get->n = args_number(state, "-n", arg, INT64_MAX); return 0;
	case 'r': get->raw = true; return 0;
	case 'A': also(&get->receive, arg, state); return 0;
	case 'R': get->receive.mode = QB_ROUND_ROBIN; return 0;
	case 't':
		get->receive.timeout_ms = args_seconds(state, "--timeout", arg);
		return 0;
	case 'l':
		lease_ms = args_seconds(state, "--lease", arg);
		qb_get_options_set_lease(get->receive.options,
					 lease_ms > 0 ? lease_ms : QB_FOREVER);
		return 0;
	case 'a':
		if (strcmp(arg, "none") == 0)
			get->receive.ack = QB_NONE;
		else if (strcmp(arg, "auto") != 0)
			argp_error(state, "--ack: '%s' is neither auto nor none", arg);
		return 0;
	case 'e':
		get->command = state->argv + state->next - 1;
		if (get->command[0] != arg)
			argp_error(state,
				   "--exec: the command is an argument of its own");
		state->next = state->argc;
		return 0;
	case ARGP_KEY_END:
		if (get->command && (get->raw || get->receive.ack == QB_NONE))
			argp_error(state, "--exec goes without --raw and --ack none");
		break;
	default: break;
	}
	return args_queue(key, arg, state, get->receive.ctl);
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "QUEUE\nQUEUE --also QUEUE...\nQUEUE --exec COMMAND [ARGUMENT...]",
	.doc = "Gets items from QUEUE and prints them, each with a newline behind it, "
	       "or "
	       "runs COMMAND for each.\v"
	       "COMMAND has the item on its standard input, and QBROKER_QUEUE, "
	       "QBROKER_ITEM_ID and QBROKER_DELIVERIES in its environment. When it "
	       "exits with 0 the item is finished, with 100 it is given up, else it has "
	       "failed and goes back to its place, with the last lines of the standard "
	       "error of COMMAND. "
	       "Then "
	       "-n 0 goes on, after a failure with a pause that grows from 0.1 to 10 "
	       "seconds, and any other -n ends with 1.",
	.children = args_children,
};

int
get_end(const struct get *get, qb_result result)
{
	/* What somebody has to end has ended as it should. */
	bool endless = get->n == 0;

	if (result == QB_CANCELLED && stop_signal())
		return endless ? CTL_DONE : CTL_STOPPED;
	if (result == QB_SHUT_DOWN && endless)
		return CTL_DONE;
	if (result == QB_EMPTY && endless && get->done > 0)
		return CTL_DONE;
	return ctl_result(get->receive.ctl, result);
}

/* Prints and finishes a batch. */
static int
print_batch(struct get *get, qb_item *const *items, unsigned n)
{
	struct ctl *ctl = get->receive.ctl;
	enum items_format format = get->raw ? ITEMS_RAW : ITEMS_LINES;
	qb_result result = QB_OK;
	unsigned written;
	int error = items_write(items, n, ctl->json ? ITEMS_JSON : format, &written);

	get->done += written;
	if (get->receive.ack == QB_MANUAL && written > 0)
		result = qb_ack_many(ctl->q, items, written);
	if (result != QB_OK)
		return ctl_result(ctl, result);
	if (error == EINTR)
		return get_end(get, QB_CANCELLED);
	return error ? ctl_error(ctl, "standard output: %s", strerror(error))
		     : CTL_DONE;
}

static int
get_print(struct get *get)
{
	qb_item *items[QB_MAX_BATCH];
	int status = CTL_DONE;
	qb_result result;
	uint64_t left;
	unsigned n;

	while (status == CTL_DONE && (get->n == 0 || get->done < get->n)) {
		left = get->n == 0 ? QB_MAX_BATCH : get->n - get->done;
		result = receive_items(
			&get->receive,
			left < QB_MAX_BATCH ? (unsigned)left : QB_MAX_BATCH, items, &n);
		if (result == QB_CANCELLED && !stop_signal())
			return ctl_error(get->receive.ctl, "standard output: %s",
					 strerror(EPIPE));
		if (result != QB_OK)
			return get_end(get, result);
		status = print_batch(get, items, n);
		while (n > 0)
			qb_item_free(items[--n]);
	}
	return status;
}

int
cmd_get(struct ctl *ctl, int argc, char **argv)
{
	struct get get = {
		.receive = {ctl, QB_FOREVER, QB_MANUAL, qb_get_options_new(),
			    STDOUT_FILENO, .n_queues = 1},
		.n = 1,
	};
	int status;

	if (!get.receive.options)
		return ctl_error(ctl, "no memory");
	args_parse(&argp, argc, argv, &get);
	get.receive.queues[0] = ctl->queue;
	status = ctl_connect(ctl);
	if (status == CTL_DONE) {
		stop_catch();
		status = get.command ? get_exec(&get) : get_print(&get);
	}
	qb_get_options_free(get.receive.options);
	return status;
}
