/* SPDX-License-Identifier: MIT
 *
 * The fields that entries of the journal are made of (doc/store-format.md): numbers, times,
 * texts, and a record that grows by them. It knows nothing of what the entries mean.
 */
#ifndef QBROKER_CORE_ENTRY_H
#define QBROKER_CORE_ENTRY_H

#include "daemon/core/engine.h"
#include "daemon/core/store.h"

#include <sys/uio.h>

#define ENTRY(name, number) ENTRY_##name = number,
enum entry_kind {
#include "daemon/core/entries.def"
};
#undef ENTRY

#define ATTRIBUTE(name, number) ATTRIBUTE_##name = number,
enum attribute {
	ATTRIBUTE_END = 0,
#include "daemon/core/attributes.def"
};
#undef ATTRIBUTE

/* Of an option in a QUEUE entry: it was declared. */
#define ENTRY_DECLARED 0x80

/* A record that is being written. Bodies that are large enough are not copied but
 * referred to: they must stay until the record is emptied. Errors are sticky. */
struct entries {
	uint8_t *p;
	size_t len, room;
	struct entries_body {
		size_t at; /* where in `p` it is to be put */
		struct store_part part;
	} *bodies;
	size_t n_bodies, bodies_room;
	size_t body_bytes; /* of all bodies */
	struct iovec *parts;
	size_t parts_room;
	struct store_part *large_parts;
	size_t large_room;
	bool large; /* one of the bodies is not to be copied */
	bool failed; /* no memory: something is missing */
};

void entries_done(struct entries *r);

/* Forgets what is in it, and most of the memory if that is a lot. */
void entries_empty(struct entries *r);

static inline size_t
entries_len(const struct entries *r)
{
	return r->len + r->body_bytes;
}

#define ENTRIES_MAX_NUMBER 10 /* bytes */

/* Makes room for so many bytes more. NULL: no memory, which is noted. */
uint8_t *entries_grow(struct entries *r, size_t len);

static inline uint8_t *
entries_room(struct entries *r, size_t len)
{
	return r->room - r->len >= len ? r->p + r->len : entries_grow(r, len);
}

static inline void
entries_byte(struct entries *r, uint8_t byte)
{
	uint8_t *p = entries_room(r, 1);

	if (p)
		*p = byte, r->len++;
}

static inline void
entries_kind(struct entries *r, enum entry_kind kind)
{
	entries_byte(r, (uint8_t)kind);
}

static inline void
entries_number(struct entries *r, uint64_t n)
{
	uint8_t *p = entries_room(r, ENTRIES_MAX_NUMBER);

	if (!p)
		return;
	for (; n >= 0x80; n >>= 7)
		*p++ = (uint8_t)(n | 0x80);
	*p++ = (uint8_t)n;
	r->len = (size_t)(p - r->p);
}

void entries_signed(struct entries *r, int64_t n);
void entries_bytes(struct entries *r, const void *bytes, size_t len);
void entries_text(struct entries *r, const void *bytes, size_t len);

/* As entries_bytes(), but they may be referred to. */
void entries_body(struct entries *r, const void *bytes, size_t len);

/* The same of one that is not copied at all: it stays until the record is written, or is elsewhere in the
 * store. Not in a record of which entries_parts() is asked for. */
void entries_large(struct entries *r, const struct store_part *body);

/* All of it, in order; of a large one the second. NULL: no memory. */
const struct iovec *entries_parts(struct entries *r, unsigned *ret_n);
const struct store_part *entries_large_parts(struct entries *r, unsigned *ret_n);

/* An entry that is read. After an error everything is 0. */
struct entry {
	const uint8_t *p, *end;
	bool failed; /* it ended too early, or is not what is expected */
};

static inline bool
entry_left(const struct entry *in)
{
	return in->p < in->end && !in->failed;
}

static inline const uint8_t *
entry_bytes(struct entry *in, size_t len)
{
	const uint8_t *p = in->p;

	if (in->failed || (size_t)(in->end - p) < len) {
		in->failed = true;
		return NULL;
	}
	in->p += len;
	return p;
}

static inline uint8_t
entry_byte(struct entry *in)
{
	const uint8_t *p = entry_bytes(in, 1);

	return p ? *p : 0;
}

uint64_t entry_long_number(struct entry *in);

static inline uint64_t
entry_number(struct entry *in)
{
	if (entry_left(in) && *in->p < 0x80)
		return *in->p++;
	return entry_long_number(in);
}

int64_t entry_signed(struct entry *in);
struct qe_name entry_text(struct entry *in);

#endif
