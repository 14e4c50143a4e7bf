/* SPDX-License-Identifier: MIT
 * What the commands of qbrokerctl share: the session, the parsing of arguments, the
 * ways out. Of ours it knows client/qbroker.h and nothing else. */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include "client/qbroker.h"

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

/* The exit statuses; session.c has the table that leads to them. */
enum {
	CTL_DONE = 0,
	CTL_ERROR = 1,
	CTL_USAGE = 2,
	CTL_NOTHING = 3, /* empty, timed out or not found */
	CTL_DENIED = 4,
	CTL_NO_BROKER = 5,
	CTL_STOPPED = -1, /* by a signal, which the program then dies of */
};

struct ctl {
	const char *address; /* -s; NULL for the library's choice */
	bool json;
	const char *command;
	const char *queue; /* the command's QUEUE, NULL if it has none */
	qb *q;		   /* NULL before ctl_connect() */
};

/* --- commands: each parses its own arguments (argv[0] is the usage line's name) and
 * returns the exit status -------------------------------------------------------------- */

typedef int ctl_command(struct ctl *ctl, int argc, char **argv);

ctl_command cmd_backup;
ctl_command cmd_browse;
ctl_command cmd_cancel;
ctl_command cmd_clients;
ctl_command cmd_dead;
ctl_command cmd_declare;
ctl_command cmd_drain;
ctl_command cmd_dump;
ctl_command cmd_get;
ctl_command cmd_help;
ctl_command cmd_join;
ctl_command cmd_load;
ctl_command cmd_ls;
ctl_command cmd_mv;
ctl_command cmd_pause;
ctl_command cmd_peek;
ctl_command cmd_ping;
ctl_command cmd_policy;
ctl_command cmd_purge;
ctl_command cmd_put;
ctl_command cmd_reload;
ctl_command cmd_reopen;
ctl_command cmd_resume;
ctl_command cmd_rm;
ctl_command cmd_shutdown;
ctl_command cmd_size;
ctl_command cmd_stats;
ctl_command cmd_top;
ctl_command cmd_waiters;
ctl_command cmd_watch;
ctl_command cmd_who;
ctl_command cmd_why;

/* --- session (session.c) ------------------------------------------------------------ */

/* Opens the session. Returns an exit status; when that is not 0, the error is
 * printed. */
int ctl_connect(struct ctl *ctl);

/* Prints the error of the last call of the library, if `result` is one, and returns its
 * exit status. */
int ctl_result(const struct ctl *ctl, qb_result result);

/* The same with `note` behind the sentence. */
int ctl_result_note(const struct ctl *ctl, qb_result result, const char *note);

/* Prints an error of our own, in the same form, and returns CTL_ERROR. */
int ctl_error(const struct ctl *ctl, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* How many items of the command's queue are in this state, a column of qb_queues(). */
qb_result ctl_count(const struct ctl *ctl, const char *state, uint64_t *ret);

/* --- arguments (args.c) -------------------------------------------------------------- */

/* -s, --json, as the children of the whole tool's argp and of each command's. */
extern const struct argp_child args_children[];

/* Parses a command's arguments in the order in which they stand. Wrong ones end the
 * program with CTL_USAGE. */
void args_parse(const struct argp *argp, int argc, char **argv, void *input);

/* What every command's parser leaves to us: hands `ctl` to the global options; takes
 * the first argument as the queue, which must be there. */
error_t args_queue(int key, char *arg, struct argp_state *state, struct ctl *ctl);

/* The same for commands without any argument. */
error_t args_none(int key, char *arg, struct argp_state *state, struct ctl *ctl);

/* The same with a queue that may be left out. */
error_t args_any_queue(int key, char *arg, struct argp_state *state, struct ctl *ctl);

/* For commands with QUEUE and no options of their own. */
error_t args_queue_parser(int key, char *arg, struct argp_state *state);

/* The same without an argument. */
error_t args_none_parser(int key, char *arg, struct argp_state *state);

/* The values of options; what is not valid is a usage error that names it. */
int64_t args_seconds(const struct argp_state *state, const char *option,
		     const char *text); /* decimal seconds, as milliseconds */
uint64_t args_number(const struct argp_state *state, const char *option,
		     const char *text, uint64_t max);
int64_t args_signed(const struct argp_state *state, const char *option,
		    const char *text, int64_t min, int64_t max);

/* --- signals (stop.c) ---------------------------------------------------------------- */

/* From now on the first SIGINT or SIGTERM is remembered instead of ending the program
 * (it interrupts system calls); the second one ends it. */
void stop_catch(void);

/* The signal that came, or 0. */
int stop_signal(void);

/* poll() that a caught signal ends, also one that came just before: then it returns -1
 * with EINTR. `timeout_ms` -1: for ever. */
struct pollfd;
int stop_poll(struct pollfd *fds, unsigned n, int64_t timeout_ms);

/* Ends the program by the signal that came, so that a shell sees which it was. */
void stop_reraise(void);

#endif
