/* SPDX-License-Identifier: MIT
 * A frame's eight bytes: two lengths. It knows nothing of what is in the head or the
 * body. */
#ifndef QBROKER_PROTO_FRAME_H
#define QBROKER_PROTO_FRAME_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define QP_FRAME_BYTES	  8
#define QP_MAX_HEAD	  65536 /* bytes of a head */
#define QP_MAX_HEAD_HELLO 4096	/* bytes of a head before HELLO has been answered */
#define QP_MIN_MEMFD	  65536 /* bytes of a body that travels as a descriptor */
#define QP_MAX_BODY	  0x80000000u /* no configuration allows a larger item */

struct qp_frame {
	uint32_t head_len;
	uint32_t body_len;
};

/* Writes the eight bytes, big-endian. */
static inline void
qp_frame_write(uint8_t out[QP_FRAME_BYTES], struct qp_frame frame)
{
	uint32_t words[2] = {htobe32(frame.head_len), htobe32(frame.body_len)};

	memcpy(out, words, sizeof(words));
}

/* Writes another body_len into them. */
static inline void
qp_frame_set_body(uint8_t out[QP_FRAME_BYTES], uint32_t body_len)
{
	uint32_t word = htobe32(body_len);

	memcpy(out + sizeof(word), &word, sizeof(word));
}

/* Reads the eight bytes. It does not judge: the caller compares the lengths with its
 * limits. */
static inline struct qp_frame
qp_frame_read(const uint8_t in[QP_FRAME_BYTES])
{
	uint32_t words[2];

	memcpy(words, in, sizeof(words));
	return (struct qp_frame){be32toh(words[0]), be32toh(words[1])};
}

#endif
