/* SPDX-License-Identifier: MIT
 * Bytes on their way out: a list of blocks that small things are copied into and of
 * references to large ones, read back as an iovec. No I/O. Errors are sticky: whoever
 * appends need not check, whoever sends asks `failed`. */
#ifndef QBROKER_PROTO_OUT_H
#define QBROKER_PROTO_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* A piece of what waits: a block, or a reference. Only for out.c, and the inline functions
 * below. */
struct qp_segment {
	struct qp_segment *next;
	const uint8_t *bytes; /* the first that has not been sent */
	size_t len;	      /* how many have not been sent */
	size_t room;	      /* block: free bytes behind them; 0 for a reference */
	void (*release)(void *owner,
			void *arg); /* reference: called when it has been sent */
	void *arg;
	const uint8_t *start; /* of all its bytes, sent or not */
	uint32_t pins;	      /* who wants to read it again */
	bool detached;	      /* no list has it; the last pin frees it */
	uint8_t kind;	      /* enum qp_kind */
	const struct qp_file *file; /* of QP_FILE and QP_PASS; QP_PASS keeps it when it has been sent */
	uint8_t block[];
};

enum qp_kind {
	QP_BYTES,
	QP_FILE, /* the bytes are in a file, and only there: `bytes` counts nothing */
	QP_PASS, /* bytes, a whole frame; its body is a file whose descriptor goes along */
};

/* A body in a file. */
struct qp_file {
	int fd;
	size_t len;
	const void *bytes; /* the same in memory, or NULL */
};

struct qp_out {
	struct qp_segment *first, *last;
	size_t len;  /* bytes that wait */
	bool failed; /* memory ran out: something that was appended is missing */
	void *owner; /* the caller's, handed to every release function; NULL at first */
};

typedef void qp_release(void *owner, void *arg);

void qp_out_init(struct qp_out *out);

/* Frees everything, and calls the release functions of what was not sent. */
void qp_out_done(struct qp_out *out);

/* Room for `max` contiguous bytes at the end, of which qp_out_commit() then keeps the
 * first `len`. NULL: failed. */
uint8_t *qp_out_reserve_block(struct qp_out *out, size_t max);

static inline uint8_t *
qp_out_reserve(struct qp_out *out, size_t max)
{
	struct qp_segment *s = out->last;

	if (!s || s->room < max || out->failed)
		return qp_out_reserve_block(out, max);
	return (uint8_t *)s->bytes + s->len;
}

static inline void
qp_out_commit(struct qp_out *out, size_t len)
{
	out->last->len += len;
	out->last->room -= len;
	out->len += len;
}

/* Appends a copy. */
void qp_out_append(struct qp_out *out, const void *bytes, size_t len);

/* Appends without copying: `bytes` must live until `release(owner, arg)`, called
 * once, also after a failure; it may be NULL. */
void qp_out_refer(struct qp_out *out, const void *bytes, size_t len,
		  qp_release *release, void *arg);

/* Appends what is in a file, likewise. */
void qp_out_refer_file(struct qp_out *out, const struct qp_file *file,
		       qp_release *release, void *arg);

/* Appends the frame, which was encoded into a list of its own; its body is the file, whose
 * descriptor is sent with it. `file` must live until `release`, or as long as it is pinned. */
void qp_out_pass(struct qp_out *out, struct qp_out *frame, const struct qp_file *file,
		 qp_release *release, void *arg);

/* Moves everything that waits in `from` to the end of `out`; `from` is empty then. */
void qp_out_move(struct qp_out *out, struct qp_out *from);

/* --- marks ------------------------------------------------------------------------ */

/* Where something begins, and in how many segments it is. */
struct qp_mark {
	struct qp_segment *first;
	uint32_t offset, n;
};

/* Before it is appended. */
static inline struct qp_mark
qp_out_mark(const struct qp_out *out)
{
	struct qp_segment *s = out->last;

	return (struct qp_mark){s, s ? (uint32_t)(s->bytes + s->len - s->start) : 0, 1};
}

/* Moves what was appended since then, of which nothing has been sent or is pinned, to the end of
 * `tail`. */
void qp_out_cut(struct qp_out *out, const struct qp_mark *mark, struct qp_out *tail);

/* Keeps what was appended since then until qp_unpin(): also when it has been sent, and after
 * qp_out_done(). Referenced bytes must live until then. */
void qp_out_pin_all(struct qp_out *out, struct qp_mark *mark);
void qp_unpin_all(const struct qp_mark *mark);

/* The same, where most often it is one segment, and not the last thing that pins it. */
static inline void
qp_out_pin(struct qp_out *out, struct qp_mark *mark)
{
	if (mark->first == out->last)
		mark->first->pins++;
	else
		qp_out_pin_all(out, mark);
}

static inline void
qp_unpin(const struct qp_mark *mark)
{
	if (mark->n == 1 && mark->first && mark->first->pins > 1)
		mark->first->pins--;
	else if (mark->first)
		qp_unpin_all(mark);
}

/* Whether nothing of it has been sent. Only before qp_out_done(). */
bool qp_mark_unsent(const struct qp_mark *mark);

/* The bytes at the mark that lie in one piece: at least those of one qp_out_commit(). */
const uint8_t *qp_mark_bytes(const struct qp_mark *mark);

/* Appends `len` bytes again, from `offset` bytes behind the mark on. */
void qp_out_repeat(struct qp_out *out, const struct qp_mark *mark, size_t offset,
		   size_t len);

/* The first bytes that wait, as at most `max` parts of together at most `max_len`
 * bytes. Returns the number of parts; 0: what waits first is of another kind. */
int qp_out_peek(const struct qp_out *out, struct iovec *parts, int max, size_t max_len);

/* What waits first; NULL: nothing. And where in its file a QP_FILE goes on. */
const struct qp_segment *qp_out_first(const struct qp_out *out);
static inline size_t
qp_file_offset(const struct qp_segment *s)
{
	return s->file->len - s->len;
}

/* A QP_PASS waits first, and its descriptor cannot be sent: the body goes behind the frame. */
void qp_out_unpass(struct qp_out *out);

/* The file that went, or goes, along with what is at the mark; NULL: none. */
const struct qp_file *qp_mark_file(const struct qp_mark *mark);

/* The first `len` bytes have been sent. */
void qp_out_consume(struct qp_out *out, size_t len);

#endif
