/* SPDX-License-Identifier: MIT
 * The output list. A connection with nothing to send holds no block; the first one is
 * small, so that a short reply costs a short allocation, and a busy connection goes on
 * with large ones. */
#include "proto/out.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_BLOCK 960 /* with its header below what malloc serves from its cache */
#define NEXT_BLOCK  16384

struct qp_segment {
	struct qp_segment *next;
	const uint8_t *bytes; /* the first that has not been sent */
	size_t len;	      /* how many have not been sent */
	size_t room;	      /* block: free bytes behind them; 0 for a reference */
	qp_release *release;  /* reference: called when it has been sent */
	void *arg;
	uint8_t block[];
};

void
qp_out_init(struct qp_out *out)
{
	*out = (struct qp_out){0};
}

static void
segment_free(struct qp_out *out, struct qp_segment *s)
{
	if (s->release)
		s->release(out->owner, s->arg);
	free(s);
}

void
qp_out_done(struct qp_out *out)
{
	struct qp_segment *next;

	for (struct qp_segment *s = out->first; s; s = next) {
		next = s->next;
		segment_free(out, s);
	}
	*out = (struct qp_out){.owner = out->owner};
}

static struct qp_segment *
segment_append(struct qp_out *out, size_t room)
{
	struct qp_segment *s = malloc(sizeof(*s) + room);

	if (!s) {
		out->failed = true;
		return NULL;
	}
	*s = (struct qp_segment){.bytes = s->block, .room = room};
	if (out->last)
		out->last->next = s;
	else
		out->first = s;
	out->last = s;
	return s;
}

uint8_t *
qp_out_reserve(struct qp_out *out, size_t max)
{
	struct qp_segment *s = out->last;

	if (out->failed)
		return NULL;
	if (!s || s->room < max) {
		/* Between references are heads, each in a block of its own. */
		size_t room = s && !s->release ? NEXT_BLOCK : FIRST_BLOCK;

		s = segment_append(out, room < max ? max : room);
		if (!s)
			return NULL;
	}
	return (uint8_t *)s->bytes + s->len;
}

void
qp_out_commit(struct qp_out *out, size_t len)
{
	out->last->len += len;
	out->last->room -= len;
	out->len += len;
}

void
qp_out_append(struct qp_out *out, const void *bytes, size_t len)
{
	uint8_t *p;

	if (len == 0 || !(p = qp_out_reserve(out, len)))
		return;
	memcpy(p, bytes, len);
	qp_out_commit(out, len);
}

void
qp_out_refer(struct qp_out *out, const void *bytes, size_t len, qp_release *release,
	     void *arg)
{
	struct qp_segment *s = out->failed ? NULL : segment_append(out, 0);

	if (!s) {
		if (release)
			release(out->owner, arg);
		return;
	}
	s->bytes = bytes;
	s->len = len;
	s->release = release;
	s->arg = arg;
	out->len += len;
}

void
qp_out_move(struct qp_out *out, struct qp_out *from)
{
	out->failed |= from->failed;
	out->len += from->len;
	if (out->last)
		out->last->next = from->first;
	else
		out->first = from->first;
	if (from->last)
		out->last = from->last;
	*from = (struct qp_out){.owner = from->owner};
}

int
qp_out_peek(const struct qp_out *out, struct iovec *parts, int max, size_t max_len)
{
	int n = 0;

	for (struct qp_segment *s = out->first; s && n < max && max_len > 0;
	     s = s->next) {
		size_t len = s->len < max_len ? s->len : max_len;

		if (len == 0)
			continue;
		parts[n++] = (struct iovec){(void *)s->bytes, len};
		max_len -= len;
	}
	return n;
}

void
qp_out_consume(struct qp_out *out, size_t len)
{
	struct qp_segment *s;

	out->len -= len;
	while ((s = out->first) && len >= s->len) {
		len -= s->len;
		out->first = s->next;
		segment_free(out, s);
	}
	if (!s)
		out->last = NULL;
	else {
		s->bytes += len;
		s->len -= len;
	}
}
