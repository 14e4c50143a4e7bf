/* SPDX-License-Identifier: MIT
 * The built qbrokerd as a child of a test, with a Unix socket in a folder of its own.
 * It dies with the test. QBROKERD names the program, with arguments before its own if
 * need be (a wrapper). */
#ifndef QBROKER_TESTS_LIB_DAEMON_H
#define QBROKER_TESTS_LIB_DAEMON_H

#include <stdbool.h>
#include <sys/types.h>

struct daemon {
	/* Filled in by the test, or 0. */
	const char *tcp[2];    /* addresses to listen on beside the Unix socket */
	unsigned max_fds;      /* RLIMIT_NOFILE */
	const char *env[4];    /* "NAME=value" */
	bool no_unix;	       /* no --listen for the Unix socket */
	const char *config[8]; /* lines of the configuration file */

	/* Filled in by daemon_start(). */
	pid_t pid;
	char folder[64];
	char socket[96];   /* its path */
	char address[104]; /* unix:PATH */
	char config_path[96];
	char log_path[96];	 /* where stderr goes */
	char tcp_address[2][64]; /* with the ports that it got */
};

/* Starts the daemon with these arguments more, up to a NULL, and waits until it is
 * ready. May be called again after daemon_kill(): the folder stays. */
void daemon_start(struct daemon *d, ...) __attribute__((sentinel));

/* The same, without waiting: for daemons that are to fail. */
void daemon_launch(struct daemon *d, ...) __attribute__((sentinel));

/* Waits until it has ended; returns waitpid()'s status. Sanitizer reports fail the
 * test. */
int daemon_wait(struct daemon *d);

/* SIGTERM: it must end with exit status 0. Then as daemon_forget(). */
void daemon_stop(struct daemon *d);

/* Removes the folder of a daemon that has ended, and clears the struct. */
void daemon_forget(struct daemon *d);

/* SIGKILL, and waits until it is gone. */
void daemon_kill(struct daemon *d);

/* Waits until its log holds `text` at least `times` times. */
void daemon_wait_log(struct daemon *d, const char *text, int times);

/* How often its log holds `text`. */
int daemon_count_log(struct daemon *d, const char *text);

/* Writes lines, up to a NULL, as its new configuration file. */
void daemon_write_config(struct daemon *d, ...) __attribute__((sentinel));

/* Processor time that it has used, in milliseconds; resident memory, in bytes. */
long daemon_cpu_ms(const struct daemon *d);
long daemon_resident(const struct daemon *d);

/* Whether it runs with a sanitizer or under valgrind, which keep memory that was
 * freed. */
bool daemon_is_watched(const struct daemon *d);

#endif
