/* SPDX-License-Identifier: MIT
 *
 * Reading one file of records. Trusts nothing that is in it.
 */
#ifndef QBROKER_STORE_READER_H
#define QBROKER_STORE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/store/record.h"

struct ahead;
struct disk;

struct reader {
	struct disk *disk;
	int fd;
	uint64_t size;		    /* of the file */
	int error;		    /* errno, if something could not be read; 0 */
	const unsigned char *bytes; /* the window, of `len` bytes */
	uint64_t at;		    /* of it in the file */
	size_t len;
	unsigned char *own; /* room for one, of `cap` bytes */
	size_t cap;
	struct ahead *ahead; /* NULL: nothing is read ahead */
	uint64_t ahead_to;   /* the window has been over the file up to here by that */
	uint64_t whole_from, whole_to; /* of the window, as in ahead.h */
};

/* false: errno. */
bool reader_open(struct reader *r, struct disk *d, int folder, const char *name);

/* From now on the file is read ahead by a thread, if there can be one: for who reads all of it, and that is more than a
 * window. Its records begin at `at`. See ahead.h. */
void reader_ahead(struct reader *r, uint64_t at, uint32_t seed,
		  void (*beside)(void *arg), void *arg);

void reader_done(struct reader *r);

/* Bytes of the file, until the next call. NULL: there are not so many, or `error` is
 * set. */
const unsigned char *reader_get(struct reader *r, uint64_t offset, size_t len);

/* The whole record at an offset, whatever its number is. NULL: there is none, or
 * `error`. */
const unsigned char *reader_record(struct reader *r, uint64_t offset, uint32_t seed,
				   struct record *ret);

/* The same of the one that follows those that were read by this so far: others may have looked already
 * whether it is whole. */
const unsigned char *reader_next(struct reader *r, uint64_t offset, uint32_t seed,
				 struct record *ret);

/* Looks for a whole record from an offset on that has a number of at least `min_seq`
 * and knows that those up to `min_synced` had been on disk. false: there is none, or
 * `error`; `ret_offset` is where it ended. */
bool reader_find(struct reader *r, uint64_t offset, uint32_t seed, uint64_t min_seq,
		 uint64_t min_synced, struct record *ret, uint64_t *ret_offset);

#endif
