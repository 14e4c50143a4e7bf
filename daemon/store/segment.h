/* SPDX-License-Identifier: MIT
 *
 * Names of files, and the 64 bytes with which a segment begins (doc/store-format.md).
 */
#ifndef QBROKER_STORE_SEGMENT_H
#define QBROKER_STORE_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <inttypes.h>

#define SEGMENT_HEADER 64
#define SEGMENT_NAME   40 /* bytes that hold any name */
#define JOURNAL_ID     16

#define SEGMENT_FORMAT 2 /* its version */

/* What is said of another one: with it, and this one. */
#define SEGMENT_OTHER_FORMAT                                              \
	"it has version %" PRIu32 " of the format, and this broker reads " \
	"version %d: \"qbrokerctl dump\" the queues with a broker that reads it"

struct segment_header {
	unsigned char id[JOURNAL_ID];
	uint64_t number;
	uint64_t first_seq;
	uint32_t crc_before;
	uint32_t version; /* set by decoding */
};

enum segment_check {
	SEGMENT_OK,
	SEGMENT_NOT_ONE, /* it begins with something else */
	SEGMENT_VERSION, /* of the version ret->version, and not read */
	SEGMENT_BROKEN,
};

void segment_name(uint64_t number, char ret[SEGMENT_NAME]);

void segment_spare_name(uint64_t number, char ret[SEGMENT_NAME]);

/* false: it is not the name of a segment. */
bool segment_name_parse(const char *name, uint64_t *ret_number);

/* false: it is not the name of a spare. */
bool segment_spare_parse(const char *name, uint64_t *ret_number);

/* Of a file that the store makes anew when it is needed: it can be removed at the
 * start. */
bool segment_name_needless(const char *name);

void segment_header_encode(const struct segment_header *h,
			   unsigned char ret[SEGMENT_HEADER]);

enum segment_check segment_header_decode(const unsigned char bytes[SEGMENT_HEADER],
					 struct segment_header *ret);

/* With what the CRCs of a segment's records begin. */
uint32_t segment_seed(const unsigned char id[JOURNAL_ID], uint64_t number);

#endif
