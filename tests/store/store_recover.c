/* SPDX-License-Identifier: MIT
 *
 * store_recover DIR: opens the journal as the broker would at a start, and prints "seq
 * crc len" for each record that is read back, then "OPENED". What was cut off is told on
 * stderr. Exit status 3 if it is damaged, 1 if it cannot be opened.
 */
#include <inttypes.h>
#include <stdio.h>

#include "daemon/store/crc32c.h"
#include "daemon/store/store_files.h"
#include "tests/store/scripted.h"

static enum store_result
print(void *arg, const void *payload, size_t len, const struct store_place *place,
      char *err, size_t errlen)
{
	printf("%" PRIu64 " %08" PRIx32 " %zu\n", place->seq, crc32c(0, payload, len),
	       len);
	return STORE_OPENED;
}

int
main(int argc, char **argv)
{
	struct store_files_options options = {.segment_bytes = SCRIPT_SEGMENT_BYTES,
					      .on_record = print};
	struct store_files_report report;
	enum store_result result;
	struct store *store;

	if (argc != 2) {
		fprintf(stderr, "usage: store_recover DIR\n");
		return 2;
	}
	options.dir = argv[1];
	result = store_files_open(&options, &store, &report);
	if (report.cut[0])
		fprintf(stderr, "%s\n", report.cut);
	if (result != STORE_OPENED) {
		fprintf(stderr, "%s\n", report.error);
		return result == STORE_DAMAGED ? 3 : 1;
	}
	fflush(stdout);
	say("OPENED\n");
	store->class->free(store);
	return 0;
}
