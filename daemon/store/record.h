/* SPDX-License-Identifier: MIT
 *
 * One record: 24 bytes before its payload (doc/store-format.md). It is made in two
 * steps: what the thread that appends knows, and when it is written what is on disk by
 * then, and the CRC.
 */
#ifndef QBROKER_STORE_RECORD_H
#define QBROKER_STORE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/store/bytes.h"

#define RECORD_HEADER 24

/* The store's own entries. */
enum record_kind { RECORD_END = 1, RECORD_CLOSE = 2, RECORD_TRIM = 4 };

#define RECORD_MAX_OWN	11 /* the longest payload of these */
#define RECORD_END_SIZE 32 /* of END and of CLOSE, as a record */

struct record {
	uint32_t crc;
	uint32_t len;
	uint64_t seq;
	uint64_t synced;
};

/* What a record takes in the file. */
static inline uint64_t
record_size(uint64_t len)
{
	return (RECORD_HEADER + len + 7) & ~UINT64_C(7);
}

/* Writes length and number. */
void record_head(unsigned char *at, uint32_t len, uint64_t seq);

/* The same, and the zeros behind the payload, which is the caller's to
 * write. */
void record_start(unsigned char *at, uint32_t len, uint64_t seq);

/* The rest. `seed` is segment_seed() of its segment. Returns its CRC. */
uint32_t record_finish(unsigned char *at, uint32_t seed, uint64_t synced);

/* Of one whose payload is somewhere else: the CRC so far, which goes on with the payload and belongs to the
 * front of the header. */
uint32_t record_begin_crc(unsigned char *at, uint32_t seed, uint64_t synced);

/* Both, for END and CLOSE: RECORD_END_SIZE bytes. */
uint32_t record_make_own(unsigned char *at, enum record_kind kind, uint32_t seed,
			 uint64_t seq);

/* Its number alone. */
static inline uint64_t
record_seq(const unsigned char *at)
{
	return get_le64(at + 8);
}

void record_parse(const unsigned char *at, struct record *ret);

/* Whether it may be one, as far as the header says. */
bool record_is_possible(const struct record *r);

/* The CRC that it should have. `at` is the whole record. */
uint32_t record_crc(const unsigned char *at, uint32_t seed, uint32_t len);

/* The payload of a TRIM: its length. `ret` has RECORD_MAX_OWN bytes. */
size_t record_trim_encode(uint64_t segment, unsigned char *ret);

/* false: it is none. */
bool record_trim_decode(const unsigned char *payload, size_t len,
			uint64_t *ret_segment);

#endif
