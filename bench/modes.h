/* SPDX-License-Identifier: MIT
 * What the program can do, and what the command line says about it. */
#ifndef BENCH_MODES_H
#define BENCH_MODES_H

#include <stdbool.h>
#include <stdint.h>

/* How much is done. */
enum extent {
	EXTENT_SMOKE, /* a few operations, to see that it works */
	EXTENT_QUICK, /* two minutes */
	EXTENT_FULL,
};

struct settings {
	const char *folder;	/* for sockets and logs */
	const char *disk;	/* for what servers keep */
	const char *build;	/* qbroker's */
	const char *scripts;	/* where python_queues.py is */
	const char *results;	/* a folder for files of results, or NULL */
	const char *compare[2]; /* the build folders, or NULL */
	const char *only;	/* cases whose names contain this, or NULL */
	enum extent extent;
	unsigned rounds;
	int64_t slice_ns;
};

/* Two builds of qbroker against each other. */
void compare_builds(const struct settings *s);

/* All cases. */
void run_cases(const struct settings *s);

#endif
