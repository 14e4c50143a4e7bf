/* SPDX-License-Identifier: MIT
 *
 * Bytes of a record. Knows nothing of files.
 */
#include "daemon/store/record.h"

#include <string.h>

#include "daemon/core/store.h"
#include "daemon/store/crc32c.h"

void
record_head(unsigned char *at, uint32_t len, uint64_t seq)
{
	put_le32(at + 4, len);
	put_le64(at + 8, seq);
}

void
record_start(unsigned char *at, uint32_t len, uint64_t seq)
{
	record_head(at, len, seq);
	memset(at + RECORD_HEADER + len, 0, record_size(len) - RECORD_HEADER - len);
}

uint32_t
record_crc(const unsigned char *at, uint32_t seed, uint32_t len)
{
	return crc32c(seed, at + 4, RECORD_HEADER - 4 + (size_t)len);
}

uint32_t
record_finish(unsigned char *at, uint32_t seed, uint64_t synced)
{
	uint32_t crc;

	put_le64(at + 16, synced);
	crc = record_crc(at, seed, get_le32(at + 4));
	put_le32(at, crc);
	return crc;
}

uint32_t
record_begin_crc(unsigned char *at, uint32_t seed, uint64_t synced)
{
	put_le64(at + 16, synced);
	return record_crc(at, seed, 0);
}

uint32_t
record_make_own(unsigned char *at, enum record_kind kind, uint32_t seed, uint64_t seq)
{
	record_start(at, 1, seq);
	at[RECORD_HEADER] = (unsigned char)kind;
	return record_finish(at, seed, seq - 1);
}

void
record_parse(const unsigned char *at, struct record *ret)
{
	ret->crc = get_le32(at);
	ret->len = get_le32(at + 4);
	ret->seq = record_seq(at);
	ret->synced = get_le64(at + 16);
}

bool
record_is_possible(const struct record *r)
{
	return r->len > 0 && r->len <= STORE_MAX_RECORD && r->synced < r->seq;
}

size_t
record_trim_encode(uint64_t segment, unsigned char *ret)
{
	size_t len = 0;

	ret[len++] = RECORD_TRIM;
	for (; segment >= 0x80; segment >>= 7)
		ret[len++] = (unsigned char)(segment | 0x80);
	ret[len++] = (unsigned char)segment;
	return len;
}

bool
record_trim_decode(const unsigned char *payload, size_t len, uint64_t *ret_segment)
{
	uint64_t segment = 0;

	if (len < 2 || len > RECORD_MAX_OWN || payload[0] != RECORD_TRIM)
		return false;
	for (size_t i = 1; i < len; i++) {
		if ((payload[i] & 0x80) == (i == len - 1 ? 0x80 : 0))
			return false;
		segment |= (uint64_t)(payload[i] & 0x7f) << (7 * (i - 1));
	}
	*ret_segment = segment;
	return true;
}
