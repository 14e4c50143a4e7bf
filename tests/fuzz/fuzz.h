/* SPDX-License-Identifier: MIT
 * What fuzz targets share: libFuzzer's entry point, and a check that holds in every
 * build. */
#ifndef QBROKER_TESTS_FUZZ_H
#define QBROKER_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Called by libFuzzer, or by replay.c, once for each input. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define FUZZ_CHECK(condition)                                                        \
	do {                                                                         \
		if (!(condition)) {                                                  \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, \
				#condition);                                         \
			abort();                                                     \
		}                                                                    \
	} while (0)

#endif
