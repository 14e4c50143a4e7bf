/* SPDX-License-Identifier: MIT
 *
 * The configuration: defaults, then the file, then the command line. options.def has
 * one row per option and drives everything. It knows nothing of who uses the values, of
 * sockets or of libevent.
 *
 * (Autoconf's header has the same name: include that one as <config.h>.)
 */
#ifndef QBROKER_CONFIG_H
#define QBROKER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "daemon/log.h"

#define CONFIG_ERROR_LEN 512 /* room enough for every error text */

/* Why an address that other hosts reach is refused without allow_remote. */
#define CONFIG_REMOTE_REFUSED                                                      \
	"other hosts could reach it, and whoever connects may do everything, for " \
	"authentication does not exist yet; if that is meant, say allow_remote = yes"

/* What the command line says. The strings are borrowed and must outlive the struct
 * config that was loaded with them: a reload reads them again. */
struct config_args {
	const char *file; /* NULL: the default place, where there need not be one */
	char **listen;	  /* --listen: when there is one, the file's do not count */
	size_t n_listen;
	char **set; /* --set: "option=value", wins over the file */
	size_t n_set;
};

struct config_list {
	char **v;
	size_t n;
};

#define QE_QUEUE_OPTION(name, ctype, kind, text) CONFIG_QUEUE_##name,
enum config_queue_option {
#include "daemon/core/queue_options.def"
	CONFIG_QUEUE_OPTIONS
};
#undef QE_QUEUE_OPTION

/* What such an option is here, by its kind. */
struct config_name {
	char text[256]; /* empty, or the name of a queue */
};
#define CONFIG_KIND_NUMBER int64_t
#define CONFIG_KIND_WORD   int64_t
#define CONFIG_KIND_NAME   struct config_name

/* What is said of queues whose names match a pattern: in a section, or, for all, outside
 * of them. */
struct config_policy {
	char *pattern;
	char *source; /* where, for people: FILE: [queue "img.*"] */
	bool set[CONFIG_QUEUE_OPTIONS];
	struct config_queue {
#define QE_QUEUE_OPTION(name, ctype, kind, text) CONFIG_KIND_##kind name;
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
	} says;			 /* what is set */
	unsigned rank, position; /* which is the more specific one */
};

/* One member per row of options.def. Sizes are in bytes. */
struct config {
	struct config_list listen;
	bool allow_remote;
	unsigned socket_mode;
	char *socket_group; /* never NULL; empty: the group of the process */
	char *state_dir;    /* never NULL; empty: nothing is kept */
	uint64_t sync_interval_ms;
	uint64_t segment_size;
	uint64_t restart_grace_ms;
	uint64_t max_connections;
	uint64_t max_item;
	uint64_t memory_limit; /* `auto` has become a number */
	uint64_t body_memory;  /* 0: half of it */
	uint64_t max_queues;
	uint64_t max_waiters;
	uint64_t max_memfds;
	uint64_t busy_poll_us;
	uint64_t nice_boost;
#define QE_QUEUE_OPTION(name, ctype, kind, text) CONFIG_KIND_##kind name;
#include "daemon/core/queue_options.def"
#undef QE_QUEUE_OPTION
	uint64_t hello_timeout_ms;
	uint64_t frame_timeout_ms;
	uint64_t resume_grace_ms;
	uint64_t output_high;
	uint64_t output_low;
	enum log_level log_level;

	struct config_policy *policies; /* of those that match, the last counts */
	size_t n_policies;

	const struct config_args *args; /* as given to config_load() */
};

/* Loads a configuration. 0; or -1 with a sentence in `err` that names file and line (or
 * the command line's option), option, value and what is allowed, and `ret`
 * unchanged. */
int config_load(struct config *ret, const struct config_args *args, char *err,
		size_t errlen) __attribute__((warn_unused_result));

/* Frees what config_load() allocated. */
void config_free(struct config *config);

/* Names of options, `a, b`; empty when there are none. */
struct config_changes {
	char applied[512]; /* have new values now */
	char restart[512]; /* differ in the file, but keep their values until a restart
			    */
};

/* Loads anew with the same arguments and takes over the options that may change while
 * the broker runs. 0; or -1 with `err` as above, and nothing changed. */
int config_reload(struct config *config, struct config_changes *ret, char *err,
		  size_t errlen) __attribute__((warn_unused_result));

/* Prints the table: one line per option with name, type, default, range, whether a
 * reload takes it over, and what it means, separated by tabs. */
void config_print_options(FILE *out);

#endif
