/* SPDX-License-Identifier: MIT
 *
 * store_script DIR N SEED: appends N records of random sizes for fault tools, some of
 * them to be synced, and trims now and then. On stdout, each line by a write(2) of its
 * own:
 *
 *	PUT seq crc len	this record was appended
 *	WRITTEN seq	it and all before it outlive this process
 *	ACK seq		and a loss of power
 *	TRIM seq	records before this one may be gone from now on
 *	CLOSED		all was synced, and it ended in order
 *
 * Exit status 0; 1 when it cannot be done, 3 when the journal is damaged, 4 when the
 * store failed.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/store/crc32c.h"
#include "daemon/store/store_files.h"
#include "tests/store/scripted.h"

#define MAX_LEN 20000
#define BATCH	8

static struct store *store;
static struct store_status told;
static uint64_t first_seq[65536]; /* of each segment */
static unsigned long random_state;

static unsigned
random_below(unsigned n)
{
	random_state = random_state * 6364136223846793005 + 1442695040888963407;
	return (unsigned)(random_state >> 33) % n;
}

static enum store_result
read_back(void *arg, const void *payload, size_t len, const struct store_place *place,
	  char *err, size_t errlen)
{
	if (!first_seq[place->segment % 65536])
		first_seq[place->segment % 65536] = place->seq;
	return STORE_OPENED;
}

static void
look(void)
{
	struct store_status now;

	store_files_heard(store);
	store->class->status(store, &now);
	if (now.written > told.written)
		say("WRITTEN %" PRIu64 "\n", now.written);
	if (now.synced > told.synced)
		say("ACK %" PRIu64 "\n", now.synced);
	told = now;
	if (now.state == STORE_FAILED) {
		fprintf(stderr, "%s\n", now.error);
		exit(4);
	}
}

static void
wait_for(uint64_t seq)
{
	struct pollfd fd = {.fd = store_files_fd(store), .events = POLLIN};

	for (look(); told.synced < seq; look())
		if (poll(&fd, 1, 30000) <= 0)
			exit(1);
}

static void
put(void)
{
	static unsigned char payload[MAX_LEN];
	size_t len =
		random_below(20) ? 1 + random_below(800) : 1 + random_below(MAX_LEN);
	struct iovec parts[2] = {{payload, len / 2},
				 {payload + len / 2, len - len / 2}};
	struct store_place place;

	payload[0] = 8;
	for (size_t i = 1; i < len; i++)
		payload[i] = (unsigned char)random_below(256);
	if (!store->class->append(store, parts, 2, random_below(4) == 0, &place)) {
		fprintf(stderr, "a record was refused\n");
		exit(1);
	}
	if (!first_seq[place.segment % 65536])
		first_seq[place.segment % 65536] = place.seq;
	say("PUT %" PRIu64 " %08" PRIx32 " %zu\n", place.seq, crc32c(0, payload, len),
	    len);
}

static void
trim(void)
{
	struct store_status now;
	uint64_t to;

	store->class->status(store, &now);
	to = now.first_segment +
	     random_below((unsigned)(now.last_segment - now.first_segment + 1));
	if (!first_seq[to % 65536])
		return;
	say("TRIM %" PRIu64 "\n", first_seq[to % 65536]);
	if (!store->class->trim(store, to))
		exit(1);
}

static void
run(unsigned long n)
{
	for (unsigned long i = 0; i < n; i++) {
		put();
		if (random_below(100) == 0)
			trim();
		if (random_below(BATCH))
			continue;
		store->class->flush(store);
		look();
		if (random_below(4) == 0) {
			store->class->status(store, &told);
			wait_for(told.last_seq);
		}
	}
}

int
main(int argc, char **argv)
{
	struct store_files_options options = {.segment_bytes = SCRIPT_SEGMENT_BYTES,
					      .sync_interval_ms = 5,
					      .threads = true,
					      .on_record = read_back};
	struct store_files_report report;
	enum store_result result;

	if (argc != 4) {
		fprintf(stderr, "usage: store_script DIR N SEED\n");
		return 2;
	}
	options.dir = argv[1];
	random_state = strtoul(argv[3], NULL, 10) * 2 + 1;
	result = store_files_open(&options, &store, &report);
	if (result != STORE_OPENED) {
		fprintf(stderr, "%s\n", report.error);
		return result == STORE_DAMAGED ? 3 : 1;
	}
	store->class->status(store, &told);
	run(strtoul(argv[2], NULL, 10));
	if (!store->class->close(store))
		return 4;
	look();
	say("CLOSED\n");
	store->class->free(store);
	return 0;
}
