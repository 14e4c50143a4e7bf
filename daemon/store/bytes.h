/* SPDX-License-Identifier: MIT
 *
 * Numbers in files are little-endian, wherever they lie.
 */
#ifndef QBROKER_STORE_BYTES_H
#define QBROKER_STORE_BYTES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t
get_le32(const unsigned char *at)
{
	uint32_t x;

	memcpy(&x, at, sizeof(x));
	return le32toh(x);
}

static inline uint64_t
get_le64(const unsigned char *at)
{
	uint64_t x;

	memcpy(&x, at, sizeof(x));
	return le64toh(x);
}

static inline void
put_le32(unsigned char *at, uint32_t x)
{
	x = htole32(x);
	memcpy(at, &x, sizeof(x));
}

static inline void
put_le64(unsigned char *at, uint64_t x)
{
	x = htole64(x);
	memcpy(at, &x, sizeof(x));
}

#endif
