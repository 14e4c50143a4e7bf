/* SPDX-License-Identifier: MIT
 *
 * qbrokerd's command line: from the arguments to a configuration, from there to the
 * application and its exit status. It knows nothing of sockets, queues or the loop.
 */
#include <config.h>

#include <argp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/app.h"
#include "daemon/config.h"
#include "daemon/log.h"
#include "daemon/repair.h"

#define EXIT_USAGE    2
#define MAX_ARGUMENTS 256 /* --listen and --set, each */

enum { KEY_HELP_OPTIONS = 256, KEY_REPAIR };

struct command_line {
	struct config_args args;
	char *listen[MAX_ARGUMENTS];
	char *set[MAX_ARGUMENTS];
	bool test;
	const char *repair, *to; /* folders */
};

static const struct argp_option argp_options[] = {
	{"config", 'c', "FILE", 0,
	 "read FILE, which must exist; the default, which need not, is " QB_SYSCONFDIR
	 "/qbrokerd.conf",
	 0},
	{"listen", 'l', "ADDRESS", 0,
	 "listen on ADDRESS (unix:/path, tcp://host:port) instead of what the file "
	 "says; "
	 "may be repeated",
	 0},
	{"set", 'S', "OPTION=VALUE", 0, "set an option, whatever the file says", 0},
	{"test", 't', NULL, 0, "check the configuration and exit", 0},
	{"repair", KEY_REPAIR, "DIR", 0,
	 "write what is left of the damaged journal in DIR into NEWDIR, say what is "
	 "lost, and exit",
	 0},
	{"help-options", KEY_HELP_OPTIONS, NULL, 0,
	 "list the options of the configuration and exit", 0},
	{NULL, 0, NULL, 0, NULL, 0},
};

static void
append(struct argp_state *state, char **v, size_t *n, char *arg)
{
	if (*n == MAX_ARGUMENTS)
		argp_error(state, "more than %d times --listen or --set",
			   MAX_ARGUMENTS);
	v[(*n)++] = arg;
}

static error_t
parse_one(int key, char *arg, struct argp_state *state)
{
	struct command_line *line = state->input;

	switch (key) {
	case 'c': line->args.file = arg; return 0;
	case 'l': append(state, line->listen, &line->args.n_listen, arg); return 0;
	case 'S':
		if (!strchr(arg, '='))
			argp_error(state, "--set %s: not of the form OPTION=VALUE",
				   arg);
		append(state, line->set, &line->args.n_set, arg);
		return 0;
	case 't': line->test = true; return 0;
	case KEY_REPAIR: line->repair = arg; return 0;
	case ARGP_KEY_ARG:
		if (line->to)
			return ARGP_ERR_UNKNOWN;
		line->to = arg;
		return 0;
	case ARGP_KEY_END:
		if (line->to && !line->repair)
			argp_error(state, "Too many arguments");
		if (line->repair && !line->to)
			argp_error(state, "--repair: NEWDIR is missing");
		return 0;
	case KEY_HELP_OPTIONS:
		config_print_options(stdout);
		exit(fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
	default: return ARGP_ERR_UNKNOWN;
	}
}

static int
run(struct config *config)
{
	char err[CONFIG_ERROR_LEN];

	log_open(log_stderr_is_journal(), config->log_level);
	log_event(LOG_LEVEL_INFO, "start", "version=%s pid=%ld", PACKAGE_VERSION,
		  (long)getpid());
	int status;
	struct app *app = app_new(config, err, sizeof(err), &status);
	if (!app) {
		/* A sentence for people, and it may hold names of files. */
		char quoted[CONFIG_ERROR_LEN];
		log_event(LOG_LEVEL_ERROR, "start_failed", "error=%s",
			  log_quote(quoted, sizeof(quoted), err, strlen(err)));
		return status;
	}
	status = app_run(app);
	app_free(app);
	return status;
}

int
main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse_one,
		.args_doc = "\n--repair=DIR NEWDIR",
		.doc = "Serves named queues to processes.\v"
		       "Exit status: 0 stopped in order, 1 error, 2 usage, 3 the journal is "
		       "damaged, 4 writing it failed, 5 something is lost. "
		       "See qbrokerd(8) and qbrokerd.conf(5).",
	};
	struct command_line line = {.test = false};
	struct config config;
	char err[CONFIG_ERROR_LEN];

	/* The C library's variables: our own would be hidden from it (-fvisibility). */
	argp_program_version = "qbrokerd " PACKAGE_VERSION;
	argp_err_exit_status = EXIT_USAGE;
	line.args.listen = line.listen;
	line.args.set = line.set;
	if (argp_parse(&argp, argc, argv, 0, NULL, &line) != 0)
		return EXIT_USAGE;
	if (line.repair)
		return repair(line.repair, line.to);
	if (config_load(&config, &line.args, err, sizeof(err)) != 0) {
		fprintf(stderr, "qbrokerd: %s\n", err);
		return EXIT_FAILURE;
	}
	int status = EXIT_SUCCESS;
	if (line.test) {
		puts("configuration is valid");
	} else {
		signal(SIGPIPE, SIG_IGN); /* of sockets, and of stderr */
		signal(SIGXFSZ, SIG_IGN); /* of the journal: it says so itself */
		status = run(&config);
	}
	config_free(&config);
	return status;
}
