/* SPDX-License-Identifier: MIT
 * A frame's eight bytes: two lengths. It knows nothing of what is in the head or the
 * body. */
#ifndef QBROKER_PROTO_FRAME_H
#define QBROKER_PROTO_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QP_FRAME_BYTES	  8
#define QP_MAX_HEAD	  65536 /* bytes of a head */
#define QP_MAX_HEAD_HELLO 4096	/* bytes of a head before HELLO has been answered */
#define QP_MAX_BODY	  0x80000000u /* no configuration allows a larger item */

struct qp_frame {
	uint32_t head_len;
	uint32_t body_len;
};

/* Writes the eight bytes. */
void qp_frame_write(uint8_t out[QP_FRAME_BYTES], struct qp_frame frame);

/* Reads the eight bytes. It does not judge: the caller compares the lengths with its
 * limits. */
struct qp_frame qp_frame_read(const uint8_t in[QP_FRAME_BYTES]);

#endif
