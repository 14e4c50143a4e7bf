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

struct qp_segment;

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
uint8_t *qp_out_reserve(struct qp_out *out, size_t max);
void qp_out_commit(struct qp_out *out, size_t len);

/* Appends a copy. */
void qp_out_append(struct qp_out *out, const void *bytes, size_t len);

/* Appends without copying: `bytes` must live until `release(owner, arg)`, called
 * once, also after a failure; it may be NULL. */
void qp_out_refer(struct qp_out *out, const void *bytes, size_t len,
		  qp_release *release, void *arg);

/* Moves everything that waits in `from` to the end of `out`; `from` is empty then. */
void qp_out_move(struct qp_out *out, struct qp_out *from);

/* The first bytes that wait, as at most `max` parts of together at most `max_len`
 * bytes. Returns the number of parts. */
int qp_out_peek(const struct qp_out *out, struct iovec *parts, int max, size_t max_len);

/* The first `len` bytes have been sent. */
void qp_out_consume(struct qp_out *out, size_t len);

#endif
