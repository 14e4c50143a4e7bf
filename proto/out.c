/* SPDX-License-Identifier: MIT
 * The output list. A connection with nothing to send holds no block; the first one is
 * small, so that a short reply costs a short allocation, and a busy connection goes on
 * with large ones. */
#include "proto/out.h"
#include "proto/frame.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_BLOCK 960 /* with its header below what malloc serves from its cache */
#define NEXT_BLOCK  16384

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
	if (s->pins)
		s->detached = true;
	else
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
	*s = (struct qp_segment){.bytes = s->block, .start = s->block, .room = room};
	if (out->last)
		out->last->next = s;
	else
		out->first = s;
	out->last = s;
	return s;
}

uint8_t *
qp_out_reserve_block(struct qp_out *out, size_t max)
{
	struct qp_segment *s = out->last;
	/* Between references are heads, each in a block of its own. */
	size_t room = s && !s->release ? NEXT_BLOCK : FIRST_BLOCK;

	if (out->failed)
		return NULL;
	s = segment_append(out, room < max ? max : room);
	return s ? (uint8_t *)s->bytes : NULL;
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
	s->bytes = s->start = bytes;
	s->len = len;
	s->release = release;
	s->arg = arg;
	out->len += len;
}

void
qp_out_refer_file(struct qp_out *out, const struct qp_file *file, qp_release *release,
		  void *arg)
{
	qp_out_refer(out, NULL, file->len, release, arg);
	if (out->failed)
		return;
	out->last->kind = QP_FILE;
	out->last->file = file;
}

void
qp_out_pass(struct qp_out *out, struct qp_out *frame, const struct qp_file *file,
	    qp_release *release, void *arg)
{
	struct qp_segment *s = frame->first;

	if (frame->failed || out->failed) {
		qp_out_done(frame);
		out->failed = true;
		if (release)
			release(out->owner, arg);
		return;
	}
	s->kind = QP_PASS;
	s->file = file;
	s->room = 0;
	s->release = release;
	s->arg = arg;
	qp_out_move(out, frame);
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

/* --- marks ------------------------------------------------------------------------ */

static size_t
filled(const struct qp_segment *s)
{
	return (size_t)(s->bytes + s->len - s->start);
}

static bool
is_block(const struct qp_segment *s)
{
	return s->kind == QP_BYTES && s->start == s->block;
}

void
qp_out_cut(struct qp_out *out, const struct qp_mark *mark, struct qp_out *tail)
{
	struct qp_segment *s = mark->first ? mark->first : out->first;
	struct qp_out rest = {.failed = out->failed};

	if (!mark->first && s && !is_block(s)) {
		rest.first = s;
		out->first = NULL;
		s = NULL;
	} else if (s) {
		size_t n = filled(s) - mark->offset;

		/* The block stays: the next ones begin in it, also if nothing is left. */
		qp_out_append(tail, s->start + mark->offset, n);
		s->len -= n;
		s->room += n;
		out->len -= n;
		rest.first = s->next;
		s->next = NULL;
	}
	rest.last = rest.first ? out->last : NULL;
	out->last = s;
	for (s = rest.first; s; s = s->next)
		rest.len += s->len;
	out->len -= rest.len;
	qp_out_move(tail, &rest);
}

void
qp_out_pin_all(struct qp_out *out, struct qp_mark *mark)
{
	struct qp_segment *s = mark->first;

	if (!s || (s != out->last && mark->offset == filled(s))) {
		/* It had no room. */
		s = mark->first = s ? s->next : out->first;
		mark->offset = 0;
	}
	mark->n = 1;
	for (s->pins++; s != out->last; s->pins++) {
		s = s->next;
		mark->n++;
	}
}

void
qp_unpin_all(const struct qp_mark *mark)
{
	struct qp_segment *s = mark->first, *next;

	for (uint32_t i = 0; i < mark->n; i++, s = next) {
		next = s->next;
		if (--s->pins == 0 && s->detached)
			free(s);
	}
}

bool
qp_mark_unsent(const struct qp_mark *mark)
{
	const struct qp_segment *s = mark->first;

	return !s->detached && s->bytes <= s->start + mark->offset;
}

const uint8_t *
qp_mark_bytes(const struct qp_mark *mark)
{
	return mark->first->start + mark->offset;
}

void
qp_out_repeat(struct qp_out *out, const struct qp_mark *mark, size_t offset, size_t len)
{
	offset += mark->offset;
	for (struct qp_segment *s = mark->first; len > 0; s = s->next) {
		size_t size = filled(s), n;

		if (offset >= size) {
			offset -= size;
			continue;
		}
		n = size - offset < len ? size - offset : len;
		if (s->start == s->block)
			qp_out_append(out, s->start + offset, n);
		else
			qp_out_refer(out, s->start + offset, n, NULL, NULL);
		offset = 0;
		len -= n;
	}
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
		if (s->kind != QP_BYTES)
			break;
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
	if (!s) {
		out->last = NULL;
		return;
	}
	s->len -= len;
	if (s->kind == QP_FILE)
		return;
	s->bytes += len;
	if (len > 0)
		s->kind = QP_BYTES; /* a descriptor goes with the first of them */
}

/* --- files ------------------------------------------------------------------------ */

const struct qp_segment *
qp_out_first(const struct qp_out *out)
{
	const struct qp_segment *s = out->first;

	while (s && s->len == 0)
		s = s->next;
	return s;
}

void
qp_out_unpass(struct qp_out *out)
{
	struct qp_segment *s = (struct qp_segment *)qp_out_first(out);
	struct qp_segment *body = malloc(sizeof(*body));

	if (!body) {
		out->failed = true;
		return;
	}
	qp_frame_set_body((uint8_t *)s->bytes, (uint32_t)s->file->len);
	*body = (struct qp_segment){
		.next = s->next,
		.bytes = s->file->bytes,
		.len = s->file->len,
		.release = s->release,
		.arg = s->arg,
		.start = s->file->bytes,
		.kind = s->file->bytes ? QP_BYTES : QP_FILE,
		.file = s->file,
	};
	s->next = body;
	s->kind = QP_BYTES;
	s->release = NULL;
	if (out->last == s)
		out->last = body;
	out->len += body->len;
}

const struct qp_file *
qp_mark_file(const struct qp_mark *mark)
{
	return mark->first->file;
}
