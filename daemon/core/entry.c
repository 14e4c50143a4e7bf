/* SPDX-License-Identifier: MIT
 *
 * See entry.h.
 */
#include "daemon/core/entry.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM  4096
#define KEEP_ROOM   (1 << 20)
#define REFER_BYTES 512 /* from here on a body is referred to */

/* Doubles an array until it has room for `n` elements. */
static bool
grow(void **array, size_t *room, size_t n, size_t size, size_t first)
{
	size_t more = *room ? *room : first;
	void *p;

	if (n <= *room)
		return true;
	while (more < n)
		more *= 2;
	p = realloc(*array, more * size);
	if (!p)
		return false;
	*array = p;
	*room = more;
	return true;
}

void
entries_done(struct entries *r)
{
	free(r->p);
	free(r->bodies);
	free(r->parts);
	free(r->large_parts);
	*r = (struct entries){0};
}

void
entries_empty(struct entries *r)
{
	if (r->room > KEEP_ROOM)
		entries_done(r);
	r->len = r->n_bodies = r->body_bytes = 0;
	r->failed = r->large = false;
}

uint8_t *
entries_grow(struct entries *r, size_t len)
{
	void *p = r->p;

	if (!grow(&p, &r->room, r->len + len, 1, FIRST_ROOM)) {
		r->failed = true;
		return NULL;
	}
	r->p = p;
	return r->p + r->len;
}

void
entries_signed(struct entries *r, int64_t n)
{
	entries_number(r, (uint64_t)n << 1 ^ (n < 0 ? UINT64_MAX : 0));
}

void
entries_bytes(struct entries *r, const void *bytes, size_t len)
{
	uint8_t *p = len > 0 ? entries_room(r, len) : NULL;

	if (!p)
		return;
	memcpy(p, bytes, len);
	r->len += len;
}

void
entries_text(struct entries *r, const void *bytes, size_t len)
{
	entries_number(r, len);
	entries_bytes(r, bytes, len);
}

static void
add_body(struct entries *r, const struct store_part *part)
{
	void *bodies = r->bodies;

	if (!grow(&bodies, &r->bodies_room, r->n_bodies + 1, sizeof(*r->bodies), 4)) {
		r->failed = true;
		return;
	}
	r->bodies = bodies;
	r->bodies[r->n_bodies++] = (struct entries_body){r->len, *part};
	r->body_bytes += part->len;
}

void
entries_body(struct entries *r, const void *bytes, size_t len)
{
	if (len < REFER_BYTES)
		entries_bytes(r, bytes, len);
	else
		add_body(r, &(struct store_part){.bytes = bytes, .len = len});
}

void
entries_large(struct entries *r, const struct store_part *body)
{
	r->large = true;
	add_body(r, body);
}

const struct iovec *
entries_parts(struct entries *r, unsigned *ret_n)
{
	void *parts = r->parts;
	size_t from = 0, n = 0;

	if (!grow(&parts, &r->parts_room, 2 * r->n_bodies + 1, sizeof(*r->parts), 4))
		return NULL;
	r->parts = parts;
	for (size_t i = 0; i < r->n_bodies; i++) {
		const struct entries_body *b = &r->bodies[i];

		r->parts[n++] = (struct iovec){r->p + from, b->at - from};
		r->parts[n++] = (struct iovec){(void *)(uintptr_t)b->part.bytes,
					       b->part.len};
		from = b->at;
	}
	if (r->len > from)
		r->parts[n++] = (struct iovec){r->p + from, r->len - from};
	*ret_n = (unsigned)n;
	return r->parts;
}

const struct store_part *
entries_large_parts(struct entries *r, unsigned *ret_n)
{
	void *parts = r->large_parts;
	size_t from = 0, n = 0;

	if (!grow(&parts, &r->large_room, 2 * r->n_bodies + 1, sizeof(*r->large_parts),
		  4))
		return NULL;
	r->large_parts = parts;
	for (size_t i = 0; i < r->n_bodies; i++) {
		const struct entries_body *b = &r->bodies[i];

		r->large_parts[n++] = (struct store_part){.bytes = r->p + from,
							  .len = b->at - from};
		r->large_parts[n++] = b->part;
		from = b->at;
	}
	if (r->len > from)
		r->large_parts[n++] =
			(struct store_part){.bytes = r->p + from, .len = r->len - from};
	*ret_n = (unsigned)n;
	return r->large_parts;
}

/* --- reading --------------------------------------------------------------------- */

/* With what remains looked at once. */
static bool
read_number(const uint8_t **p, uint64_t *ret)
{
	uint64_t n = 0;
	unsigned shift = 0;

	for (; shift < 63; shift += 7) {
		uint8_t byte = *(*p)++;

		n |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret = n;
			return true;
		}
	}
	*ret = n | (uint64_t)**p << shift;
	return *(*p)++ <= 1;
}

uint64_t
entry_long_number(struct entry *in)
{
	uint8_t rest[ENTRIES_MAX_NUMBER] = {0};
	size_t left = in->failed ? 0 : (size_t)(in->end - in->p);
	const uint8_t *p = in->p;
	uint64_t n;

	if (left < ENTRIES_MAX_NUMBER) {
		memcpy(rest, p, left);
		p = rest;
	}
	if (!read_number(&p, &n) || (left < ENTRIES_MAX_NUMBER && p > rest + left)) {
		in->failed = true;
		return 0;
	}
	in->p += left < ENTRIES_MAX_NUMBER ? p - rest : p - in->p;
	return n;
}

int64_t
entry_signed(struct entry *in)
{
	uint64_t n = entry_number(in);

	return (int64_t)(n >> 1 ^ (n & 1 ? UINT64_MAX : 0));
}

struct qe_name
entry_text(struct entry *in)
{
	uint64_t len = entry_number(in);
	const uint8_t *p = entry_bytes(in, len);

	return p ? (struct qe_name){(const char *)p, len} : (struct qe_name){"", 0};
}
