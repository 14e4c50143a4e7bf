/* SPDX-License-Identifier: MIT
 * What the program can do, and what the command line says about it. */
#ifndef BENCH_MODES_H
#define BENCH_MODES_H

#include <stdbool.h>
#include <stdint.h>

struct settings {
	const char *folder;	/* for sockets and logs */
	const char *build;	/* qbroker's */
	const char *compare[2]; /* the build folders, or NULL */
	const char *only;	/* cases whose names contain this, or NULL */
	bool quick;
	unsigned rounds;
	int64_t slice_ns;
};

/* Two builds of qbroker against each other. */
void compare_builds(const struct settings *s);

/* All cases. */
void run_cases(const struct settings *s);

#endif
