/* SPDX-License-Identifier: MIT
 * Encoded messages as one piece, and comparisons of decoded ones. */
#ifndef QBROKER_TESTS_FUZZ_FLAT_H
#define QBROKER_TESTS_FUZZ_FLAT_H

#include "proto/message.h"

struct flat {
	uint8_t *bytes; /* the whole frame */
	const uint8_t *head;
	size_t head_len;
};

/* Empties `out`, which holds one frame without its body of `body_len` bytes, and checks
 * the lengths of the frame. The head is copied to the end of its memory, so that a
 * sanitizer sees a read behind it. */
struct flat flat_frame(struct qp_out *out, uint32_t body_len);
void flat_done(struct flat *flat);

/* The numbers of a decoded list, written into `room`, for an encoder. Returns
 * `room`. */
const int64_t *flat_numbers(struct qp_list list, int64_t *room);

const struct qp_str *flat_names(struct qp_names names, struct qp_str *room);

bool flat_same_names(struct qp_names a, struct qp_names b);
bool flat_same_str(struct qp_str a, struct qp_str b);
bool flat_same_list(struct qp_list a, struct qp_list b);
bool flat_same_options(const struct qp_options *a, const struct qp_options *b);

#endif
