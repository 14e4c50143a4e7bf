/* SPDX-License-Identifier: MIT
 *
 * The types of options: text to value and back. Private to the configuration and its
 * tests. It knows nothing of files, command lines or single options.
 */
#ifndef QBROKER_CONFIG_VALUE_H
#define QBROKER_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/words.h"

enum config_type {		  /* in struct config it is a */
		   CONFIG_LISTEN, /* struct config_list of addresses, one per line */
		   CONFIG_BOOL,	 /* bool: yes or no (also true, false, on, off, 1, 0) */
		   CONFIG_MODE,	 /* unsigned: octal */
		   CONFIG_GROUP, /* char *: name of a group of the system, or empty */
		   CONFIG_PATH,	 /* char *: absolute, or empty */
		   CONFIG_COUNT, /* uint64_t, or int64_t where the range begins below 0 */
		   CONFIG_SIZE,	  /* uint64_t: bytes, with suffix k, M, G or T */
		   CONFIG_MEMORY, /* uint64_t: a size, or `auto` */
		   CONFIG_TIME,	 /* uint64_t: milliseconds, with unit ms, s, min or h */
		   CONFIG_MS,	 /* the same, also without a unit */
		   CONFIG_LEVEL, /* enum log_level */
		   CONFIG_NAME,	 /* struct config_name: of a queue, or empty */
		   CONFIG_WORD,	 /* int64_t: the number of one of `words` */
};

struct config_option {
	const char *name;
	enum config_type type;
	size_t offset; /* in struct config */
	const char *def;
	const struct words *words;
	int64_t min, max; /* of MODE, COUNT, SIZE, MEMORY and TIME */
	bool reloadable;
	const char *help;
};

/* The name of the type, for help and manual: "size". */
const char *config_type_name(enum config_type type);

/* The allowed values in words: "1 to 2G", "yes or no". Returns `buf`. */
const char *config_range(const struct config_option *option, char *buf, size_t size);

/* Parses `text` as the option's type into `member`, the option's place in a struct
 * config; a list gets one more entry, a string is replaced. NULL; or what is wrong with
 * it, as static text that goes on a sentence ("is not a size"), and nothing is
 * changed. */
const char *config_parse(const struct config_option *option, const char *text,
			 void *member);

/* Half of the memory that this process may use: the least of the limits of its cgroup
 * and those above it, and the machine's. `root` is put before /proc and /sys: "". */
uint64_t config_memory_auto(const char *root);

#endif
