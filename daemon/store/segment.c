/* SPDX-License-Identifier: MIT
 *
 * Names and headers. Opens no file.
 */
#include "daemon/store/segment.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/store/bytes.h"
#include "daemon/store/crc32c.h"

static const char magic[8] = {'Q', 'B', 'J', 'O', 'U', 'R', 'N', 'L'};

void
segment_name(uint64_t number, char ret[SEGMENT_NAME])
{
	snprintf(ret, SEGMENT_NAME, "journal-%016" PRIu64 ".qbj", number);
}

void
segment_spare_name(uint64_t number, char ret[SEGMENT_NAME])
{
	snprintf(ret, SEGMENT_NAME, "spare-%" PRIu64 ".qbj", number);
}

bool
segment_name_parse(const char *name, uint64_t *ret_number)
{
	char expected[SEGMENT_NAME];
	uint64_t number;

	if (sscanf(name, "journal-%" SCNu64, &number) != 1 || number == 0)
		return false;
	segment_name(number, expected);
	if (strcmp(name, expected) != 0)
		return false;
	*ret_number = number;
	return true;
}

bool
segment_spare_parse(const char *name, uint64_t *ret_number)
{
	char expected[SEGMENT_NAME];

	if (sscanf(name, "spare-%" SCNu64, ret_number) != 1)
		return false;
	segment_spare_name(*ret_number, expected);
	return strcmp(name, expected) == 0;
}

bool
segment_name_needless(const char *name)
{
	size_t len = strlen(name);
	uint64_t number;

	return (len > 4 && strcmp(name + len - 4, ".tmp") == 0) ||
	       segment_spare_parse(name, &number);
}

/* All but itself. */
static uint32_t
header_crc(const unsigned char bytes[SEGMENT_HEADER])
{
	return crc32c(crc32c(0, bytes, 12), bytes + 16, SEGMENT_HEADER - 16);
}

void
segment_header_encode(const struct segment_header *h, unsigned char ret[SEGMENT_HEADER])
{
	memset(ret, 0, SEGMENT_HEADER);
	memcpy(ret, magic, sizeof(magic));
	put_le32(ret + 8, SEGMENT_FORMAT);
	memcpy(ret + 16, h->id, JOURNAL_ID);
	put_le64(ret + 32, h->number);
	put_le64(ret + 40, h->first_seq);
	put_le32(ret + 48, h->crc_before);
	put_le32(ret + 12, header_crc(ret));
}

enum segment_check
segment_header_decode(const unsigned char bytes[SEGMENT_HEADER],
		      struct segment_header *ret)
{
	if (memcmp(bytes, magic, sizeof(magic)) != 0)
		return SEGMENT_NOT_ONE;
	if (get_le32(bytes + 12) != header_crc(bytes))
		return SEGMENT_BROKEN;
	ret->version = get_le32(bytes + 8);
	if (ret->version != SEGMENT_FORMAT)
		return SEGMENT_VERSION;
	memcpy(ret->id, bytes + 16, JOURNAL_ID);
	ret->number = get_le64(bytes + 32);
	ret->first_seq = get_le64(bytes + 40);
	ret->crc_before = get_le32(bytes + 48);
	return SEGMENT_OK;
}

uint32_t
segment_seed(const unsigned char id[JOURNAL_ID], uint64_t number)
{
	unsigned char bytes[8];

	put_le64(bytes, number);
	return crc32c(crc32c(0, id, JOURNAL_ID), bytes, sizeof(bytes));
}
