/* SPDX-License-Identifier: MIT
 * The bounded msgpack cursor. Format:
 * github.com/msgpack/msgpack/blob/master/spec.md. */
#include "proto/reader.h"

#include <endian.h>
#include <string.h>

/* One object's first bytes: `value` is a number's bits, or the length or count of what
 * follows. */
struct token {
	enum qp_type type;
	uint64_t value;
	size_t size; /* of the first byte and the bytes of `value` */
};

/* The formats 0xc0 to 0xdf: the type, and how many bytes of value follow. */
static const struct {
	uint8_t type, width;
} formats[32] = {
	{QP_NIL, 0},   {QP_NOTHING, 0}, {QP_BOOL, 0}, {QP_BOOL, 0}, /* nil, -, bools */
	{QP_BIN, 1},   {QP_BIN, 2},	{QP_BIN, 4},		    /* bin */
	{QP_EXT, 1},   {QP_EXT, 2},	{QP_EXT, 4},		    /* ext */
	{QP_FLOAT, 4}, {QP_FLOAT, 8},				    /* float */
	{QP_UINT, 1},  {QP_UINT, 2},	{QP_UINT, 4}, {QP_UINT, 8}, /* uint */
	{QP_INT, 1},   {QP_INT, 2},	{QP_INT, 4},  {QP_INT, 8},  /* int */
	{QP_EXT, 0},   {QP_EXT, 0},	{QP_EXT, 0},  {QP_EXT, 0},
	{QP_EXT, 0},						   /* fixext */
	{QP_STR, 1},   {QP_STR, 2},	{QP_STR, 4},		   /* str */
	{QP_ARRAY, 2}, {QP_ARRAY, 4},	{QP_MAP, 2},  {QP_MAP, 4}, /* array, map */
};

void
qp_reader_init(struct qp_reader *r, const void *bytes, size_t len)
{
	r->p = bytes;
	r->end = r->p + len;
	r->failed = false;
}

static inline uint64_t
big_endian(const uint8_t *p, size_t width)
{
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	switch (width) {
	case 0: return 0;
	case 1: return *p;
	case 2: memcpy(&u16, p, 2); return be16toh(u16);
	case 4: memcpy(&u32, p, 4); return be32toh(u32);
	default: memcpy(&u64, p, 8); return be64toh(u64);
	}
}

static uint64_t
sign_extend(uint64_t value, size_t width)
{
	unsigned shift = 64 - 8 * (unsigned)width;

	return (uint64_t)((int64_t)(value << shift) >> shift);
}

/* Formats 0xc0 to 0xdf. false: not there whole, or the byte that is never used. */
static bool
token_long(const struct qp_reader *r, struct token *t)
{
	uint8_t b = *r->p;
	size_t width = formats[b - 0xc0].width;

	t->type = (enum qp_type)formats[b - 0xc0].type;
	t->size = 1 + width;
	if (t->type == QP_NOTHING || (size_t)(r->end - r->p) < t->size)
		return false;
	t->value = big_endian(r->p + 1, width);
	if (t->type == QP_BOOL)
		t->value = b == 0xc3;
	if (t->type == QP_INT) {
		t->value = sign_extend(t->value, width);
		if ((int64_t)t->value >= 0)
			t->type = QP_UINT;
	}
	if (b >= 0xd4 && b <= 0xd8)
		t->value = UINT64_C(1) << (b - 0xd4);
	return true;
}

static inline bool
token_next(const struct qp_reader *r, struct token *t)
{
	if (r->failed || r->p == r->end)
		return false;

	uint8_t b = *r->p;

	*t = (struct token){QP_UINT, b, 1};
	if (b < 0x80)
		return true;
	if (b >= 0xe0)
		*t = (struct token){QP_INT, (uint64_t)(int64_t)(int8_t)b, 1};
	else if (b < 0x90)
		*t = (struct token){QP_MAP, b & 0x0f, 1};
	else if (b < 0xa0)
		*t = (struct token){QP_ARRAY, b & 0x0f, 1};
	else if (b < 0xc0)
		*t = (struct token){QP_STR, b & 0x1f, 1};
	else
		return token_long(r, t);
	return true;
}

/* Takes the next object's first bytes when it is of the type `want`. */
static bool
take(struct qp_reader *r, enum qp_type want, struct token *t)
{
	if (!token_next(r, t) || t->type != want) {
		r->failed = true;
		return false;
	}
	r->p += t->size;
	return true;
}

/* Takes `len` bytes that follow a string's, binary's or extension's first bytes. */
static const uint8_t *
take_bytes(struct qp_reader *r, uint64_t len)
{
	const uint8_t *p = r->p;

	if (len > (uint64_t)(r->end - r->p)) {
		r->failed = true;
		return NULL;
	}
	r->p += len;
	return p;
}

enum qp_type
qp_reader_type(const struct qp_reader *r)
{
	struct token t;

	return token_next(r, &t) ? t.type : QP_NOTHING;
}

/* Ids and the like. Those at the very end of the bytes are left to others. */
static inline bool
take_uint(struct qp_reader *r, uint64_t *ret)
{
	return !r->failed && r->end - r->p >= QP_UINT_BYTES && qp_take_uint(&r->p, ret);
}

uint64_t
qp_read_uint_any(struct qp_reader *r)
{
	struct token t;
	uint64_t value;

	if (take_uint(r, &value))
		return value;
	return take(r, QP_UINT, &t) ? t.value : 0;
}

int64_t
qp_read_int(struct qp_reader *r)
{
	struct token t;
	uint64_t value;

	if (take_uint(r, &value)) {
		r->failed = value > INT64_MAX;
		return r->failed ? 0 : (int64_t)value;
	}
	if (!token_next(r, &t) || (t.type != QP_UINT && t.type != QP_INT) ||
	    (t.type == QP_UINT && t.value > INT64_MAX)) {
		r->failed = true;
		return 0;
	}
	r->p += t.size;
	return (int64_t)t.value;
}

bool
qp_read_bool(struct qp_reader *r)
{
	struct token t;

	return take(r, QP_BOOL, &t) && t.value;
}

static struct qp_str
read_view(struct qp_reader *r, enum qp_type type)
{
	struct token t;
	const uint8_t *p;

	if (!take(r, type, &t) || !(p = take_bytes(r, t.value)))
		return (struct qp_str){NULL, 0};
	return (struct qp_str){(const char *)p, (uint32_t)t.value};
}

struct qp_str
qp_read_str_any(struct qp_reader *r)
{
	return read_view(r, QP_STR);
}

struct qp_str
qp_read_bin(struct qp_reader *r)
{
	return read_view(r, QP_BIN);
}

uint32_t
qp_read_array_any(struct qp_reader *r)
{
	struct token t;

	return take(r, QP_ARRAY, &t) ? (uint32_t)t.value : 0;
}

uint32_t
qp_read_map(struct qp_reader *r)
{
	struct token t;

	return take(r, QP_MAP, &t) ? (uint32_t)t.value : 0;
}

/* Takes one object that is no container, or a container's first bytes: then
 * `*ret_inside` says how many objects come next that belong to it. */
static bool
skip_flat(struct qp_reader *r, uint64_t *ret_inside)
{
	struct token t;

	*ret_inside = 0;
	if (!token_next(r, &t)) {
		r->failed = true;
		return false;
	}
	r->p += t.size;
	if (t.type == QP_ARRAY)
		*ret_inside = t.value;
	else if (t.type == QP_MAP)
		*ret_inside = t.value * 2;
	else if (t.type == QP_STR || t.type == QP_BIN)
		take_bytes(r, t.value);
	else if (t.type == QP_EXT)
		take_bytes(r, t.value + 1); /* with the byte of the extension's type */
	return !r->failed;
}

void
qp_read_skip(struct qp_reader *r)
{
	uint64_t left[QP_MAX_DEPTH] = {1}; /* objects still to come, by depth */
	unsigned depth = 0;
	uint64_t inside;

	for (;;) {
		while (left[depth] == 0) {
			if (depth == 0)
				return;
			depth--;
		}
		left[depth]--;
		if (!skip_flat(r, &inside))
			return;
		if (inside == 0)
			continue;
		if (++depth == QP_MAX_DEPTH) {
			r->failed = true;
			return;
		}
		left[depth] = inside;
	}
}

bool
qp_well_formed(const void *bytes, size_t len)
{
	struct qp_reader r;

	qp_reader_init(&r, bytes, len);
	qp_read_skip(&r);
	return !r.failed && r.p == r.end;
}
