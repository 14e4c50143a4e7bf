/* SPDX-License-Identifier: MIT
 * qbrokerctl: the commands, and what happens before and after each of them. */
#include <config.h>

#include "ctl/ctl.h"
#include "ctl/out.h"

#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static const struct command {
	const char *name;
	ctl_command *run;
	const char *help;
} commands[] = {
	{"ping", cmd_ping, "Ask whether the broker is there"},
	{"ls", cmd_ls, "List the queues"},
	{"stats", cmd_stats,
	 "Show the counters of the broker or of a queue; check them"},
	{"top", cmd_top, "Watch the queues at work"},
	{"clients", cmd_clients, "List the clients, what they hold and wait for"},
	{"why", cmd_why, "Say why a join, a get or a put waits"},
	{"waiters", cmd_waiters, "List the requests that wait"},
	{"watch", cmd_watch, "Print what happens, as it happens"},
	{"who", cmd_who, "Say who holds an item"},
	{"declare", cmd_declare, "Make a queue, or change its options"},
	{"policy", cmd_policy, "Show the options of a queue and where they come from"},
	{"put", cmd_put, "Put an item, or every line of the input"},
	{"get", cmd_get, "Get items and print them, or run a command for each"},
	{"peek", cmd_peek, "Print the next item and leave it where it is"},
	{"browse", cmd_browse, "List the items of a queue, without their bodies"},
	{"size", cmd_size, "Print how many items wait"},
	{"join", cmd_join, "Wait until every item is finished"},
	{"cancel", cmd_cancel, "Drop the items of a group"},
	{"dead", cmd_dead, "Look after the items that were given up"},
	{"mv", cmd_mv, "Move items into another queue"},
	{"purge", cmd_purge, "Drop the items that wait"},
	{"rm", cmd_rm, "Delete a queue, or an item"},
	{"shutdown", cmd_shutdown, "End a queue: no more puts, gets until it is empty"},
	{"reopen", cmd_reopen, "Undo a shutdown"},
	{"pause", cmd_pause, "Let puts and gets wait"},
	{"resume", cmd_resume, "Let them go on"},
	{"drain", cmd_drain, "Take no more, and wait until everything is finished"},
	{"reload", cmd_reload, "Have the broker read its configuration again"},
	{"backup", cmd_backup, "Copy the journal of durable queues"},
	{"dump", cmd_dump, "Write queues and their items as JSON"},
	{"load", cmd_load, "Put what dump has written"},
	{"help", cmd_help, "Explain a command"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

struct line {
	struct ctl ctl;
	int argc;
	char **argv; /* the command and its arguments; NULL: there is none */
};

static const struct command *
find(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

static size_t
common_prefix(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] != '\0' && a[n] == b[n])
		n++;
	return n;
}

/* Ends the program, with the commands that begin most like the one that is not
 * there. */
static int
unknown(const char *name)
{
	size_t best = 1, common;
	const char *between = "; did you mean ";

	for (size_t i = 0; i < COMMANDS; i++) {
		common = common_prefix(name, commands[i].name);
		best = common > best ? common : best;
	}
	fprintf(stderr, "qbrokerctl: unknown command '%s'", name);
	for (size_t i = 0; i < COMMANDS; i++) {
		if (common_prefix(name, commands[i].name) < best)
			continue;
		fprintf(stderr, "%s'%s'", between, commands[i].name);
		between = " or ";
	}
	fprintf(stderr, "%s ('qbrokerctl help' lists them)\n",
		between[0] == ' ' ? "?" : "");
	return CTL_USAGE;
}

/* The list of commands stands between the usage and the options. */
static char *
filter_help(int key, const char *text, void *input)
{
	char *list = NULL;
	size_t size = 0;
	FILE *file;

	if (key != ARGP_KEY_HELP_PRE_DOC || !(file = open_memstream(&list, &size)))
		return (char *)(uintptr_t)text;
	fprintf(file, "%s\n\n", text);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(file, "%s  %-9s %s", i > 0 ? "\n" : "", commands[i].name,
			commands[i].help);
	return fclose(file) == 0 ? list : (char *)(uintptr_t)text;
}

static error_t
parse_line(int key, char *arg, struct argp_state *state)
{
	struct line *line = state->input;

	switch (key) {
	case ARGP_KEY_INIT: state->child_inputs[0] = &line->ctl; return 0;
	case ARGP_KEY_ARG:
		line->argv = state->argv + state->next - 1;
		line->argc = state->argc - state->next + 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which COMMAND? ('qbrokerctl help' lists them)");
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.parser = parse_line,
	.args_doc = "COMMAND [ARGUMENT...]",
	.doc = "Puts, gets and looks after the items of a qbroker.\v"
	       "'qbrokerctl COMMAND --help' explains a command. The address is that of "
	       "--server, else of the environment's QBROKER_ADDR, "
	       "else " QB_DEFAULT_ADDRESS ".",
	.children = args_children,
	.help_filter = filter_help,
};

int
cmd_help(struct ctl *ctl, int argc, char **argv)
{
	const struct command *command = argc > 1 ? find(argv[1]) : NULL;
	char name[64] = "qbrokerctl", *help[] = {name, (char[]){"--help"}, NULL};
	struct line line = {0};

	if (argc > 1 && !command && argv[1][0] != '-')
		return unknown(argv[1]);
	if (command && command->run != cmd_help) {
		snprintf(name, sizeof(name), "qbrokerctl %s", command->name);
		return command->run(ctl, 2, help);
	}
	args_parse(&argp, 2, help, &line);
	return CTL_DONE;
}

/* A socket must not become what a command takes for its output. Then reads from and
 * writes to what was closed still fail. */
static void
fill_standard_fds(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
	}
}

int
main(int argc, char **argv)
{
	struct line line = {0};
	const struct command *command;
	char name[64];
	int status, flushed;

	fill_standard_fds();
	signal(SIGPIPE, SIG_IGN); /* a broken output is an error with a name */
	setlocale(LC_CTYPE, "C.UTF-8");
	/* The C library's variables: our own would be hidden from it (-fvisibility). */
	argp_program_version = "qbrokerctl " PACKAGE_VERSION;
	argp_err_exit_status = CTL_USAGE;
	args_parse(&argp, argc, argv, &line);
	command = find(line.argv[0]);
	if (!command)
		return unknown(line.argv[0]);
	snprintf(name, sizeof(name), "qbrokerctl %s", command->name);
	line.argv[0] = name;
	line.ctl.command = command->name;
	status = command->run(&line.ctl, line.argc, line.argv);
	flushed = out_flush(line.ctl.json);
	qb_close(line.ctl.q);
	if (status == CTL_STOPPED)
		stop_reraise();
	return status ? status : flushed;
}
