/* SPDX-License-Identifier: MIT
 *
 * A file of records that is read ahead, block after block, by a thread of its own, while what came before is
 * looked at. It also follows the records, and looks whether they are whole. When something cannot be read it
 * ends before that: the caller then reads for itself, and sees what is wrong.
 */
#ifndef QBROKER_STORE_AHEAD_H
#define QBROKER_STORE_AHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct disk;
struct ahead;

/* Records up to so many bytes are found in one piece. */
#define AHEAD_ROOM ((size_t)1 << 20)

/* With what is before the block, from the last record on that had begun. */
struct ahead_block {
	const unsigned char *bytes;
	uint64_t at; /* in the file */
	size_t len;
	/* Records that follow each other from here to there are whole. */
	uint64_t whole_from, whole_to;
};

/* The file is `size` bytes long, and stays open. Its records begin at `at`, `seed` is of their CRCs. The thread calls `beside`
 * after each block, unless that is NULL. NULL: no memory, or no thread. */
struct ahead *ahead_start(struct disk *d, int fd, uint64_t size, uint64_t at,
			  uint32_t seed, void (*beside)(void *arg), void *arg);

void ahead_stop(struct ahead *a); /* NULL: nothing */

/* Waits for the next block. What was returned before is not valid any more. false: there is no more. */
bool ahead_take(struct ahead *a, struct ahead_block *ret);

#endif
