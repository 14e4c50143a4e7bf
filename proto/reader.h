/* SPDX-License-Identifier: MIT
 * A cursor over msgpack from a peer: the security boundary. It takes no memory, never
 * recurses, reads only inside the bytes that it was given, and fails for good at the
 * first thing that is not as asked; so a caller reads what it wants and asks once, at
 * the end, whether all of it was there. Views borrow from the input. */
#ifndef QBROKER_PROTO_READER_H
#define QBROKER_PROTO_READER_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define QP_MAX_DEPTH  16
#define QP_UINT_BYTES 9 /* of the longest unsigned integer */

struct qp_str { /* not terminated; NULL with length 0 when absent */
	const char *p;
	uint32_t len;
};

enum qp_type {
	QP_NIL,
	QP_BOOL,
	QP_UINT,
	QP_INT,
	QP_FLOAT,
	QP_STR,
	QP_BIN,
	QP_ARRAY,
	QP_MAP,
	QP_EXT,
	QP_NOTHING
};

struct qp_reader {
	const uint8_t *p, *end;
	bool failed;
};

void qp_reader_init(struct qp_reader *r, const void *bytes, size_t len);

/* The type of what comes next, without taking it; QP_NOTHING at the end, after a
 * failure, or for the byte that msgpack never uses. A non-negative integer is QP_UINT,
 * in whatever format. */
enum qp_type qp_reader_type(const struct qp_reader *r);

/* Each takes one object; when it is of another type the reader fails and 0, false or an
 * empty view comes back. Most objects of a head have the shortest format, whose first
 * byte says it all: these are taken here, the others in reader.c. */
uint64_t qp_read_uint_any(struct qp_reader *r);
uint32_t qp_read_array_any(struct qp_reader *r);
struct qp_str qp_read_str_any(struct qp_reader *r);

static inline bool
qp_reader_first(const struct qp_reader *r, uint8_t mask, uint8_t format)
{
	return !r->failed && r->p < r->end && (*r->p & mask) == format;
}

/* An unsigned integer out of at least QP_UINT_BYTES bytes: *p moves on. false: it is something else, and
 * stays. */
static inline bool
qp_take_uint(const uint8_t **p, uint64_t *ret)
{
	const uint8_t *b = *p;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	switch (*b) {
	case 0xcc:
		*p += 2;
		*ret = b[1];
		return true;
	case 0xcd:
		*p += 3;
		memcpy(&u16, b + 1, 2);
		*ret = be16toh(u16);
		return true;
	case 0xce:
		*p += 5;
		memcpy(&u32, b + 1, 4);
		*ret = be32toh(u32);
		return true;
	case 0xcf:
		*p += 9;
		memcpy(&u64, b + 1, 8);
		*ret = be64toh(u64);
		return true;
	default:
		*p += *b < 0x80;
		*ret = *b;
		return *b < 0x80;
	}
}

/* qp_read_uint() for one of many, where a call for each counts. */
static inline uint64_t
qp_read_number(struct qp_reader *r)
{
	uint64_t value;

	if (!r->failed && r->end - r->p >= QP_UINT_BYTES && qp_take_uint(&r->p, &value))
		return value;
	return qp_read_uint_any(r);
}

static inline uint64_t
qp_read_uint(struct qp_reader *r)
{
	return qp_reader_first(r, 0x80, 0x00) ? *r->p++ : qp_read_uint_any(r);
}

/* The number of elements, which come next. */
static inline uint32_t
qp_read_array(struct qp_reader *r)
{
	return qp_reader_first(r, 0xf0, 0x90) ? *r->p++ & 0x0fu : qp_read_array_any(r);
}

static inline struct qp_str
qp_read_str(struct qp_reader *r)
{
	uint32_t len;

	if (!qp_reader_first(r, 0xe0, 0xa0))
		return qp_read_str_any(r);
	len = *r->p & 0x1fu;
	if (r->end - r->p <= (ptrdiff_t)len)
		return qp_read_str_any(r); /* which says that it fails */
	r->p += 1 + len;
	return (struct qp_str){(const char *)r->p - len, len};
}

/* Takes a nil if one is next. */
static inline bool
qp_read_if_nil(struct qp_reader *r)
{
	bool nil = qp_reader_first(r, 0xff, 0xc0);

	r->p += nil;
	return nil;
}

int64_t qp_read_int(struct qp_reader *r); /* any integer up to INT64_MAX */
bool qp_read_bool(struct qp_reader *r);
struct qp_str qp_read_bin(struct qp_reader *r);
uint32_t qp_read_map(struct qp_reader *r); /* the number of pairs, which come next */

/* Takes one object of any type with all that is in it. Fails beyond QP_MAX_DEPTH. */
void qp_read_skip(struct qp_reader *r);

/* Whether `bytes` are exactly one well-formed object, nested at most QP_MAX_DEPTH
 * deep. */
bool qp_well_formed(const void *bytes, size_t len);

#endif
