/* SPDX-License-Identifier: MIT
 * See repair.h. */
#include "daemon/repair.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/store/copied.h"
#include "daemon/store/salvage.h"

#define EXIT_LOST 5

static void
say(void *arg, const char *text)
{
	puts(text);
}

/* What is left of a backup, whole or not, is still a copy of what another broker wrote. */
static bool
still_copied(const char *from, const char *to, uint64_t last)
{
	char err[STORE_TEXT];
	uint64_t copied;

	if (copied_read(from, &copied, err, sizeof(err)) == STORE_OPENED && copied == 0)
		return true;
	if (copied_write(to, last))
		return true;
	perror("qbrokerd: mark as a backup");
	return false;
}

int
repair(const char *from, const char *to)
{
	const struct salvage_options options = {.from = from, .to = to, .say = say};
	struct salvage_report report;

	if (store_salvage(&options, &report) != STORE_OPENED) {
		fflush(stdout);
		fprintf(stderr, "qbrokerd: %s\n", report.error);
		return EXIT_FAILURE;
	}
	if (!still_copied(from, to, report.last))
		return EXIT_FAILURE;
	printf("%s: %" PRIu64 " records, %" PRIu64 " bytes; %s\n", to, report.records,
	       report.bytes, report.lost ? "something is lost" : "nothing is lost");
	if (fflush(stdout) != 0) {
		perror("qbrokerd: standard output");
		return EXIT_FAILURE;
	}
	return report.lost ? EXIT_LOST : EXIT_SUCCESS;
}
