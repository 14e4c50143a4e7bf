/* SPDX-License-Identifier: MIT
 *
 * The fields that entries of the journal are made of (doc/store-format.md): numbers, times,
 * texts, and a record that grows by them. It knows nothing of what the entries mean.
 */
#ifndef QBROKER_CORE_ENTRY_H
#define QBROKER_CORE_ENTRY_H

#include "daemon/core/engine.h"

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

/* A record that is being written. Bodies that are large enough are not copied but
 * referred to: they must stay until the record is emptied. Errors are sticky. */
struct record {
	uint8_t *p;
	size_t len, room;
	struct record_body {
		size_t at; /* where in `p` it is to be put */
		const void *bytes;
		size_t len;
	} *bodies;
	size_t n_bodies, bodies_room;
	size_t body_bytes; /* of all bodies */
	struct iovec *parts;
	size_t parts_room;
	bool failed; /* no memory: something is missing */
};

void record_done(struct record *r);

/* Forgets what is in it, and most of the memory if that is a lot. */
void record_empty(struct record *r);

static inline size_t
record_len(const struct record *r)
{
	return r->len + r->body_bytes;
}

void record_kind(struct record *r, enum entry_kind kind);
void record_byte(struct record *r, uint8_t byte);
void record_number(struct record *r, uint64_t n);
void record_signed(struct record *r, int64_t n);
void record_bytes(struct record *r, const void *bytes, size_t len);
void record_text(struct record *r, const void *bytes, size_t len);

/* A text that may be referred to. */
void record_body(struct record *r, const void *bytes, size_t len);

/* All of it, in order. NULL: no memory. */
const struct iovec *record_parts(struct record *r, unsigned *ret_n);

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

uint8_t entry_byte(struct entry *in);
uint64_t entry_number(struct entry *in);
int64_t entry_signed(struct entry *in);
struct qe_name entry_text(struct entry *in);
const uint8_t *entry_bytes(struct entry *in, size_t len);

#endif
